# lib.sh - what tools/run, tools/test and .ci/run share: packages, builds, words
# shellcheck shell=bash disable=SC2034
# Sourced by bash, never run. The caller has set -euo pipefail.

PATH="$PATH:/usr/sbin:/sbin"
export LC_ALL=C.UTF-8
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }
step() { printf '%s\n' "== $*" >&2; }
die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}
# A mistake in the call.
usage() {
    printf '%s: %s\nTry %s --help.\n' "$(basename "$0")" "$*" "$(basename "$0")" >&2
    exit 2
}

# show_version - of the project, as the programs have it (tools/common/version.h)
show_version() {
    local git='' describe=(describe --always --dirty --abbrev=12 '--exclude=*')
    [ ! -e "$root/.git" ] || git=$(git -C "$root" "${describe[@]}" 2>/dev/null) || true
    printf '%s %s (git %s)\n' "$(basename "$0")" \
        "$(sed -n "s/^ *version: '\(.*\)',$/\1/p" "$root/meson.build")" "${git:-unknown}"
}

# debian_release - 12, 13, ...; empty where it is no Debian
debian_release() {
    (. /etc/os-release 2>/dev/null && [ "${ID:-}" = debian ] && echo "${VERSION_ID:-}") || true
}

build_packages=(gcc libc6-dev meson ninja-build pkg-config python3 liburing-dev libpq-dev libnng-dev
    libjansson-dev libinih-dev libutf8proc-dev libck-dev libxxhash-dev libcmocka-dev)
# msgpack-c has another name on each release.
case $(debian_release) in
12) build_packages+=(libmsgpack-dev) ;;
*) build_packages+=(libmsgpack-c-dev) ;;
esac
postgres_packages=(postgresql)
[ -z "$(find /usr/lib/postgresql -path '*/bin/postgres' 2>/dev/null)" ] || postgres_packages=()

# What only tests need: tools/check; the model of tests/model; a second reader of the log;
# bench/instructions; the debugger's printers of tools/gdb.
test_packages=(gdb clang-format shellcheck pyflakes3 spin python3-xxhash valgrind)
clang_packages=(clang libclang-rt-dev)

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "packages are missing (${missing[*]}) and only root may install them;" \
            "run: apt-get install ${missing[*]}"
    fi
}

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# PostgreSQL's packages make a system cluster on port 5432 unless they are told not to. The setting
# is theirs, so it is put back.
without_system_cluster() {
    local file=/etc/postgresql-common/createcluster.conf
    as_root apt-get install -y -q --no-install-recommends postgresql-common
    as_root cp -p "$file" "$file.before-usher"
    as_root sed -i 's/^[# ]*create_main_cluster *=.*/create_main_cluster = false/' "$file"
    as_root grep -q '^create_main_cluster = false' "$file" ||
        printf 'create_main_cluster = false\n' | as_root tee -a "$file" >/dev/null
    local status=0
    "$@" || status=$?
    as_root mv "$file.before-usher" "$file"
    return "$status"
}

# install_missing PACKAGE... - with apt-get, only what is not there; waits for another apt-get
install_missing() {
    missing=()
    local package
    for package in "$@"; do is_installed "$package" || missing+=("$package"); done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ -r /etc/debian_version ] || die "this needs the packages ${missing[*]} of Debian 13 or 12"
    step "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    local install=(as_root apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends
        "${missing[@]}")
    as_root apt-get -o DPkg::Lock::Timeout=300 update -q >&2 ||
        say "apt-get update failed; trying with what is known"
    if [[ " ${missing[*]} " == *" postgresql "* ]]; then
        without_system_cluster "${install[@]}" >&2
    else
        "${install[@]}" >&2
    fi || die "apt-get could not install ${missing[*]}"
}

# How often a long build says where it is, if there is no terminal to count on.
progress_interval_s=10

# show_progress - of ninja's lines on standard input; on a terminal a count, else a line now and
# then
show_progress() {
    local line told=$((SECONDS - progress_interval_s)) shown=
    while IFS= read -r line; do
        [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
        if [ -t 2 ]; then
            printf '\r   %s of %s' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" >&2
            shown=1
        elif [ $((SECONDS - told)) -ge "$progress_interval_s" ]; then
            say "   ${BASH_REMATCH[1]} of ${BASH_REMATCH[2]}"
            told=$SECONDS
        fi
    done
    [ -z "$shown" ] || printf '\r\033[K' >&2
}

# build DIRECTORY [MESON-OPTION...] [-- TARGET...] - configure once, compile (everything, or those
# targets); two at a time wait for each other
build() {
    local directory=$1 options=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    [ $# -eq 0 ] || shift
    mkdir -p "$directory"
    (
        flock -n 8 || { say "   another build in $directory comes first"; flock 8; }
        if [ ! -f "$directory/build.ninja" ]; then
            meson setup "$directory" "$root" "${options[@]}" >"$directory/setup.log" 2>&1 ||
                { cat "$directory/setup.log" >&2; exit 1; }
        fi
        NINJA_STATUS="[%f/%t] " ninja -C "$directory" "$@" 2>&1 |
            tee "$directory/compile.log" | show_progress ||
            { grep -v '^\[' "$directory/compile.log" >&2 || true; exit 1; }
    ) 8>"$directory/usher.lock" || die "the build in $directory failed"
}
