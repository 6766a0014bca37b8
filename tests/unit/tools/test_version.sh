#!/usr/bin/env bash
# test_version.sh - what --version of every program and script says
# Usage: test_version.sh PROGRAM... Prints TAP.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../tools/lib.sh"

count=0 failed=0
# check NAME WANTED IS
check() {
    count=$((count + 1))
    if [ "$2" = "$3" ]; then
        printf 'ok %s - %s\n' "$count" "$1"
    else
        failed=1
        printf 'not ok %s - %s\n' "$count" "$1"
        printf 'wanted:\n%s\nis:\n%s\n' "$2" "$3" | sed 's/^/# /'
    fi
}

version=$(sed -n "s/^ *version: '\(.*\)',$/\1/p" "$root/meson.build")
# numbers of engine/base/version.h, as --version prints them
formats=$(sed -n 's/^#define VERSION_\([A-Z]*\) *\([0-9]*\)u\{0,1\} .*/\L\1 \2/p' \
    "$root/engine/base/version.h" | awk '{ printf "%-8s %s\n", $1, $2 }')
check 'four formats have versions' 4 "$(wc -l <<<"$formats")"
for program in "$@"; do
    name=$(basename "$program")
    said=$("$program" --version)
    check "$name names itself and the version" "$name $version (git " "${said%%(git *}(git "
    commit=$(head -n 1 <<<"$said" | sed 's/.*(git \(.*\))/\1/')
    check "$name names a commit" '' "$(grep -vE '^([0-9a-f]{12}(-dirty)?|unknown)$' <<<"$commit")"
    check "$name has every format" "$formats" "$(tail -n +2 <<<"$said")"
done
for script in run test check; do
    check "tools/$script says the same" "$(show_version | sed "s/^[^ ]*/$script/")" \
        "$("$root/tools/$script" --version)"
done
printf '1..%s\n' "$count"
exit "$failed"
