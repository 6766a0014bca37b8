#!/usr/bin/env bash
# test_build.sh - what `build` of tools/lib.sh says while it builds; meson and ninja are fakes
# Prints TAP.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../tools/lib.sh"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/bin"
cat >"$folder/bin/meson" <<'END'
#!/usr/bin/env bash
echo "meson: not for anybody's eyes"
touch "$2/build.ninja"
END
cat >"$folder/bin/ninja" <<'END'
#!/usr/bin/env bash
echo "$*" >"$2/targets"
for ((step = 1; step <= 3; step++)); do printf '[%s/3] Compiling part_%s.c\n' "$step" "$step"; done
[ ! -f "$2/broken" ] || { echo 'part_3.c:1: error: no such thing'; exit 1; }
END
chmod +x "$folder/bin/meson" "$folder/bin/ninja"
PATH=$folder/bin:$PATH

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

progress_interval_s=0
check 'every step is counted' "$(printf '   %s of 3\n' 1 2 3)" \
    "$(build "$folder/b" -- tools/usher 2>&1)"
check 'only the targets are built' "-C $folder/b tools/usher" "$(cat "$folder/b/targets")"

progress_interval_s=1000
check 'between intervals it is silent' '   1 of 3' "$(build "$folder/b" 2>&1)"
check 'without targets everything is built' "-C $folder/b" "$(cat "$folder/b/targets")"

touch "$folder/b/broken"
status=0
said=$( (build "$folder/b") 2>&1) || status=$?
check 'a build that fails is a failure' 1 "$status"
check 'and says what was wrong' "   1 of 3
part_3.c:1: error: no such thing
$(basename "$0"): the build in $folder/b failed" "$said"
rm "$folder/b/broken"

exec 7>"$folder/b/usher.lock"
flock 7
build "$folder/b" >"$folder/said" 2>&1 7>&- &
while ! grep -q . "$folder/said"; do sleep 0.01; done
exec 7>&-
wait $!
check 'who waits for another build says so' "   another build in $folder/b comes first
   1 of 3" "$(cat "$folder/said")"
printf '1..%s\n' "$count"
exit "$failed"
