#!/bin/bash
# The hostile image against the host side: each line of `cases` is one boot, and so is each
# host call that a taken-over hosted sentry may not make. What happens outside is looked at
# from outside: a secret beside the container's root, a process, a listener.
# Usage: escape.sh BUILD PLATFORM [PATTERN]   (prints PASS, FAIL and SKIP lines)
set -u
build=$1 platform=$2 pattern=${3:-.}
here=$(cd "$(dirname "$0")" && pwd)
rf=$build/escape/ringfence
machine=guest
[ "$platform" = kvm ] || machine=hosted
work=$(mktemp -d "${TMPDIR:-/tmp}/ringfence-escape.XXXXXX")
victim='' listener=''
cleanup() {
	[ -z "$victim" ] || kill "$victim" 2>/dev/null
	[ -z "$listener" ] || kill "$listener" 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
failures=0
fail() { failures=$((failures + 1)); printf 'FAIL %s\n' "$*"; }

# What must stay as it is.
secret=secret-$RANDOM$RANDOM$RANDOM
mkdir -p "$work/root" "$work/bundle" "$work/state"
echo "$secret" >"$work/secret"
echo inside >"$work/root/file"
head -c 4096 /dev/zero >"$work/input"
sleep 100000 &
victim=$!
python3 -c '
import socket, sys
s = socket.create_server(("127.0.0.1", 0))
u = socket.socket(socket.AF_UNIX); u.bind("\0ringfence-escape-%s" % sys.argv[1]); u.listen()
import select
while True:
	for r in select.select([s, u], [], [])[0]:
		r.accept(); open(sys.argv[2], "a").write("connected\n")
' $$ "$work/connected" &
listener=$!

# boot ARGUMENT…: one boot of the image; status in $status, output in $work/out, $work/err
boot() {
	jq -n --arg root "$work/root" '{ociVersion: "1.0.2", process: {terminal: false, user: {uid: 0, gid: 0}, cwd: "/",
		args: $ARGS.positional}, root: {path: $root, readonly: false},
		linux: {resources: {memory: {limit: 134217728}}}}' --args -- "$@" >"$work/bundle/config.json"
	timeout -k 2 "${LIMIT:-10}" "$rf" --root "$work/state" --platform="$platform" run -b "$work/bundle" escape \
		<"$work/input" 2>"$work/err" | cat >"$work/out"
	status=${PIPESTATUS[0]}
}

# judge NAME STATUS STDERR
judge() {
	local lines
	lines=$(wc -l <"$work/err")
	if [ "$status" = 77 ]; then
		echo "SKIP $platform escape $1: one CPU"
	elif ! [[ $status =~ ^($2)$ ]]; then
		fail "$platform escape $1: status $status, wanted $2; $(head -c 600 "$work/err" | head -5 | tr '\n' '|')"
	elif [ "$3" = - ] && [ "$lines" != 0 ]; then
		fail "$platform escape $1: said $(head -c 600 "$work/err")"
	elif [ "$3" = '*' ] && { [ "$lines" -gt 100 ] || LC_ALL=C grep -qa $'[\001-\010\013-\037\177-\377]' "$work/err"; }; then
		fail "$platform escape $1: $lines lines, or bytes that a terminal obeys"
	elif [ "$3" != - ] && [ "$3" != '*' ] && { [ "$lines" != 1 ] || ! grep -Eqa -- "$3" "$work/err"; }; then
		fail "$platform escape $1: wanted one line with '$3': $(head -c 600 "$work/err")"
	elif grep -qa "$secret" "$work/out" "$work/err"; then
		fail "$platform escape $1: the secret came out"
	elif [ "$(cat "$work/secret")" != "$secret" ] || ! kill -0 "$victim" || [ -e "$work/connected" ]; then
		fail "$platform escape $1: something outside was reached"
	elif [ -n "$(ls "$work/state")" ] && [ "$(ls "$work/state")" != kvm-self-test ]; then
		fail "$platform escape $1: left $(ls "$work/state")"
	else
		echo "PASS $platform escape $1"
	fi
	rm -rf "$work/state/escape" "$work/connected"
}

# A build with sanitizers allows their own calls too (platform/filters.def): those attacks say nothing there.
skipped=none
! "$rf" filters | grep -q 'sanitizer: ' || skipped='^(advice|forbidden-(openat|openat-proc-mem|readlink|mmap|mmap-exec|munmap))$'

while read -r name machines want text; do
	case $name in '' | '#'*) continue ;; esac
	[[ ! $name =~ $skipped ]] || continue
	case $machines in any | "$machine" | "$platform") ;; *) continue ;; esac
	echo "$name" | grep -Eq -- "$pattern" || continue
	boot "$name" $victim
	judge "$name" "$want" "$text"
done <"$here/cases"

if [ $machine = hosted ]; then
	boot list-forbidden
	cp "$work/out" "$work/forbidden"
	[ "$(wc -l <"$work/forbidden")" -gt 100 ] || fail "$platform escape: no list of forbidden calls"
	while read -r name; do
		[[ ! forbidden-$name =~ $skipped ]] || continue
		echo "forbidden-$name" | grep -Eq -- "$pattern" || continue
		boot forbidden-name "$name"
		judge "forbidden-$name" 159 'signal 31'
	done <"$work/forbidden"
	for number in 5 11 120 162 199; do
		echo "forbidden-32-bit-$number" | grep -Eq -- "$pattern" || continue
		boot forbidden-32-bit $number
		judge "forbidden-32-bit-$number" 159 'signal 31'
	done
fi
[ $failures = 0 ]
