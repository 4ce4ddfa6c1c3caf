#!/bin/bash
# Names and state files that are not as they should be, and several commands on one container at once: each ends with an
# error or well, and the container can then be deleted. (lifecycle.sh: a full disk, signals while creating.)
# Usage: bad-state.sh BUILD
set -u
. "$(dirname "$0")/../begin.sh" "$1"
rf="$rf --network=none --cgroup-manager=disabled"
trap 'rm -rf "$work"' EXIT
sh "$here/suite/bundle.sh" "$work/b" "$debian" "$work" sleep 1000
# refused NAME PATTERN COMMAND…: status 1 and a line that matches
refused() {
	timeout -k 5 60 "${@:3}" >"$work/out" 2>"$work/err" </dev/null
	local status=$?
	[ $status = 1 ] && grep -Eq -e "$2" "$work/err" || { echo "$1: status $status, wanted a line with '$2': $(head -3 "$work/err")"; failed=1; }
}
make() { timeout -k 5 60 $rf create -b "$work/b" "$1" >"$work/out" 2>&1 </dev/null || { echo "create $1: $(cat "$work/out")"; failed=1; }; }

long=$(head -c 1024 /dev/zero | tr '\0' a)
for id in a/b ../x . .. '' 'a b' $'a\nb' "$long"; do
	for command in "create -b $work/b" start state kill "delete --force"; do
		refused "$command of an id" 'container id' $rf $command "$id"
	done
	refused "exec in an id" 'container id' $rf exec "$id" true
done
[ -z "$(ls "$work/root" 2>/dev/null | grep -v kvm-self-test)" ] || { echo "left: $(ls "$work/root")"; failed=1; }

# A sandbox that lets nobody in any more, as one could that was taken over: the command says so, in its time. Looked at below.
make deaf
python3 - "$work/root/deaf/control.sock" "$work/full" <<'END' & deaf=$!
import os, socket, sys, time
os.unlink(sys.argv[1])
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(sys.argv[1])
listener.listen(0)
waiting = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
waiting.connect(sys.argv[1])
open(sys.argv[2], "w")
time.sleep(100)
END
for _ in $(seq 200); do [ -e "$work/full" ] && break; sleep 0.05; done
timeout -k 5 30 $rf kill deaf TERM >"$work/deaf" 2>&1 & kill=$!

# A state file that is cut off, empty, of another version, or no file.
make one
cp "$work/root/one/state.json" "$work/good"
length=$(stat -c %s "$work/good")
for n in 0 1 10 $((length / 2)) $((length - 3)); do
	head -c "$n" "$work/good" >"$work/root/one/state.json"
	refused "state.json of $n bytes" 'state.json' $rf state one
	refused "start with state.json of $n bytes" 'state.json' $rf start one
done
sed 's/"format": 1/"format": 99/' "$work/good" >"$work/root/one/state.json"
refused "another version" 'state.json' $rf state one
rm "$work/root/one/state.json"
refused "no state.json" 'one' $rf start one
$rf list >/dev/null 2>&1; check "list goes on" 0 $?
pid=$(jq .pid "$work/good")
timeout -k 5 60 $rf delete --force one 2>"$work/err"; check "delete --force" 0 $?
for _ in $(seq 50); do [ "$(grep -c '^State:.[^Z]' "/proc/$pid/status" 2>/dev/null)" = 1 ] || break; sleep 0.1; done # it may be at its end
[ "$(grep -c ^State:.Z "/proc/$pid/status" 2>/dev/null)" != 0 ] && [ ! -e "$work/root/one" ] || { echo "left of one: $(ls "$work/root")"; failed=1; }

wait $kill; check "kill of one that lets nobody in" 1 $?
grep -q 'does not answer' "$work/deaf" || { echo "one that lets nobody in: $(cat "$work/deaf")"; failed=1; }
kill $deaf
timeout -k 5 60 $rf delete --force deaf
wait

# Several commands at once: one wins, the others say so, or come later.
for round in 1 2 3; do
	for _ in 1 2 3; do timeout -k 5 60 $rf create -b "$work/b" two >/dev/null 2>&1 </dev/null && echo made & done >"$work/made"
	wait
	check "creates at once" 1 "$(grep -c made "$work/made")"
	for _ in 1 2 3; do timeout -k 5 60 $rf start two >/dev/null 2>&1 && echo started & done >"$work/made"
	wait
	check "starts at once" 1 "$(grep -c started "$work/made")"
	for _ in 1 2 3; do timeout -k 5 60 $rf delete --force two >/dev/null 2>&1 & done
	wait
	[ ! -e "$work/root/two" ] || { echo "two is left"; failed=1; }
done

exit $failed
