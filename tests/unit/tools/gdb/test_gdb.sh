#!/usr/bin/env bash
# test_gdb.sh - what gdb shows with the printers of tools/gdb
# Usage: test_gdb.sh PROGRAM, which is built from values.c. Prints TAP.
set -euo pipefail

if ! command -v gdb >/dev/null; then
    echo '1..0 # SKIP there is no gdb'
    exit 0
fi
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../.." && pwd)
said=$(gdb -q -batch -nx -ex "source $root/tools/gdb/usher_gdb.py" -ex 'break look_here' -ex run \
    -ex 'print decision' -ex 'print token' -ex 'print token.secret' "$1" 2>&1) ||
    true # what it did say is judged

count=0 failed=0
# shows TEXT
shows() {
    count=$((count + 1))
    if [[ $said == *"$1"* ]]; then
        printf 'ok %s - %s\n' "$count" "$1"
    else
        failed=1
        printf 'not ok %s - %s\n' "$count" "$1"
    fi
}
shows 'seats_held by date/7 at 2023-11-14T22:13:20.123Z = {'
shows 'reservation = 3'
shows 'user = 11111111-2222-4333-8444-55555555555a'
shows 'seats = [100, 101]'
shows '= 0000000100000012111111112222433384445555555555'
shows '= 11111111-2222-4333-8444-55555555555a'
[ "$failed" = 0 ] || sed 's/^/# /' <<<"$said"
printf '1..%s\n' "$count"
exit "$failed"
