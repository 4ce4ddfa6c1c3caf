#!/bin/bash
# A host's file system in user space that tells types of entries which there are not: its directories can be read all the same,
# and tell the types that the files have. Skipped where the host has no FUSE. Usage: odd-types.sh BUILD
set -u
rf=$1/ringfence
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../check.sh"
[ -c /dev/fuse ] || exit 0
[ "${2:-}" = mounts ] || exec timeout -k 5 100 unshare -m bash "$0" "$1" mounts
work=$(mktemp -d /var/tmp/rf-types.XXXXXX)
trap 'umount "$work/odd" 2>/dev/null; rm -rf "$work"' EXIT
mkdir "$work/odd"
python3 "$here/odd-types.py" "$work/odd" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
inside() { timeout -k 5 40 "$rf" --root "$work/state" do -- "$@" 2>&1; }
# Linux' find goes by the types that it is told; ls asks for each file.
names=$(cd "$work/odd" && ls -R)
check "names on Linux" 26 "$(echo "$names" | grep -c .)"
check "names inside" "$names" "$(inside sh -c "cd '$work/odd' && find . >/dev/null && ls -R")"
check "types inside" "13 file, 7 directory, 9 deep" "$(inside sh -c "cd '$work/odd' && echo \$(find . -type f | wc -l) file, \$(find . -type d | wc -l) directory, \$(find . -path '*deep*' | grep -c /deep/) deep")"
exit $failed
