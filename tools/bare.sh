# bare.sh - a bare Debian of a release in a folder, and usher installed, run and tested in it
# shellcheck shell=bash disable=SC2154
# Sourced by tools/test, after lib.sh; counts in its passed, failed and skipped.
#
# A machine has one release; both must work. debootstrap makes the other one in build-debianNN/base,
# once. Each time a copy of it is thrown away and made anew, so that tools/run has to install all
# that it needs, as on a machine that has just been set up. Packages that were downloaded stay.
#
# Whatever runs in there runs in namespaces of its own for mounts and processes: when it ends,
# however it ends, nothing stays mounted and nothing goes on running.

bare_suites=(unit scenario integration golden crash concurrency compilers)
# What only Debian 12 judges: formatting, and instructions of its gcc.
bare_suites_12=(check guard)
bare_mirror=${USHER_DEBIAN_MIRROR:-http://deb.debian.org/debian}
bare='' # the folder of the release

bare_skip() {
    skipped=$((skipped + 1))
    say "   skipped: $*"
}

bare_fail() {
    failed=$((failed + 1))
    say "   FAILED: $*"
}

bare_pass() {
    passed=$((passed + 1))
    say "   ok: $*"
}

# bare_apart COMMAND... - with mounts and processes of its own
bare_apart() { unshare --mount --pid --fork --kill-child -- "$@" </dev/null; }

# bare_base CODENAME - the system as debootstrap makes it, kept for the next time
bare_base() {
    [ ! -d "$bare/base" ] || return 0
    say "   debootstrap: $bare/base"
    rm -rf "$bare/base.new"
    bare_apart debootstrap --variant=minbase "$1" "$bare/base.new" "$bare_mirror" \
        >"$bare/debootstrap.log" 2>&1 || { tail -n 5 "$bare/debootstrap.log" >&2; return 1; }
    mv "$bare/base.new" "$bare/base"
}

# A copy of the base, with this tree in /srv/usher
bare_fresh() {
    rm -rf "$bare/root"
    cp -a "$bare/base" "$bare/root"
    cp -L /etc/resolv.conf "$bare/root/etc/resolv.conf"
    mkdir -p "$bare/root/srv/usher" "$bare/archives/partial"
    tar -C "$root" --exclude='./build*' --exclude=./data --exclude=./.git \
        --exclude=./node_modules -cf - . |
        tar -C "$bare/root/srv/usher" --no-same-owner -xf -
}

# bare_in COMMAND... - as root in there
bare_in() {
    # shellcheck disable=SC2016
    bare_apart bash -c '
        mount -t proc proc "$1/root/proc" && mount --rbind /dev "$1/root/dev" &&
            mount --bind "$1/archives" "$1/root/var/cache/apt/archives" || exit 125
        chroot "$1/root" /usr/bin/env -i \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            HOME=/root TERM=dumb ${http_proxy:+http_proxy="$http_proxy"} "${@:2}"
        exit $?' bash "$bare" "$@"
}

# What a sale said: where its data folder is, and the hash of its last state.
kept_in() { sed -n 's/^kept: //p' "$1"; }
live_hash_in() { sed -n 's/^  state hash, live *//p' "$1"; }
replayed_hash_in() { sed -n 's/^state hash *//p' "$1"; }

# bare_sell - tools/run --once from nothing
bare_sell() {
    if bare_in /srv/usher/tools/run --once --keep >"$bare/sale.log" 2>&1; then
        bare_pass 'tools/run --once'
    else
        cat "$bare/sale.log" >&2
        bare_fail 'tools/run --once'
        return 1
    fi
}

# bare_compare WHAT SALE REPLAY - was the same state reached?
bare_compare() {
    local live replayed
    live=$(live_hash_in "$2")
    replayed=$(replayed_hash_in "$3")
    if [ -n "$live" ] && [ "$live" = "$replayed" ]; then
        bare_pass "$1: state hash $live"
    else
        cat "$3" >&2
        bare_fail "$1: the state hash is ${replayed:-none}, it was ${live:-none}"
    fi
}

# Logs of either release replay on the other.
bare_exchange() {
    local kept
    "$root/build/tools/usher" replay "$bare/root$(kept_in "$bare/sale.log")/usher" \
        >"$bare/replay.log" 2>&1 || true
    bare_compare "Debian $1's log here" "$bare/sale.log" "$bare/replay.log"
    # Its hash is compared, whatever else it says.
    "$root/tools/run" --once --keep --fans 4000 >"$bare/sale-here.log" 2>&1 || true
    kept=$(kept_in "$bare/sale-here.log")
    if [ -n "$kept" ]; then cp -a "$kept/usher" "$bare/root/srv/log"; fi
    rm -rf "$kept"
    bare_in /srv/usher/build/tools/usher replay /srv/log >"$bare/replay-there.log" 2>&1 || true
    bare_compare "a log of here on Debian $1" "$bare/sale-here.log" "$bare/replay-there.log"
}

# The suites there; their sums are added to ours.
bare_test() {
    local line suites=("${bare_suites[@]}")
    [ "$1" != 12 ] || suites+=("${bare_suites_12[@]}")
    line=$(bare_in /srv/usher/tools/test "${suites[@]}" | tail -n 1) || true # it says what failed
    if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)?$ ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
        skipped=$((skipped + ${BASH_REMATCH[4]:-0}))
        say "   $line"
    else
        bare_fail "tools/test ended without its sums: ${line:-no output}"
    fi
}

# run_bare RELEASE CODENAME
run_bare() {
    local before=$failed
    bare=$root/build-debian$1
    step "debian$1: a bare system, tools/run --once, logs in both directions, suites"
    [ "$(id -u)" = 0 ] || { bare_skip 'only root can make a system in a folder'; return 0; }
    bare_apart true 2>/dev/null ||
        { bare_skip 'namespaces of mounts and processes are not allowed here'; return 0; }
    (install_missing debootstrap wget) || { bare_skip 'debootstrap cannot be installed'; return 0; }
    wget -q -T 20 -t 2 -O /dev/null "$bare_mirror/dists/$2/Release" ||
        {
            bare_skip "$bare_mirror has no $2, or is away; USHER_DEBIAN_MIRROR names another"
            return 0
        }
    mkdir -p "$bare"
    bare_base "$2" || { bare_fail 'debootstrap'; return 0; }
    bare_fresh
    try_build "$root/build" -- tools/usherd tools/usher tools/usher-fans || return 0
    if bare_sell; then
        bare_exchange "$1"
        bare_test "$1"
    fi
    if [ "$failed" -gt "$before" ]; then
        say "   look into $bare/root"
    else
        rm -rf "$bare/root"
    fi
}
