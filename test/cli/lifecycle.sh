#!/bin/bash
# create, start, state, kill, delete, list, wait: the state machine, exit statuses and messages as
# engines expect them of runc, and nothing left behind. Usage: lifecycle.sh BUILD
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
debian=${ROOT:-/var/cache/ringfence/debian}
work=$(mktemp -d)
root=$work/root
log=$work/log
rf="$1/ringfence --platform=${PLATFORM:-ptrace} --root=$root --log=$log --log-format=json"
. "$(dirname "$0")/../check.sh"
trap 'rm -rf "$work"' EXIT
bundle() { # NAME FILTER COMMAND…
	sh "$here/suite/bundle.sh" "$work/$1" "$debian" "$work" "${@:3}"
	jq "$2" "$work/$1/config.json" >"$work/new" && mv "$work/new" "$work/$1/config.json"
}
status() { $rf state "$1" | jq -r .status; }
fails() { # NAME PATTERN COMMAND…: exit status 1, a line that matches, and the same in the log
	local name=$1 pattern=$2
	shift 2
	: >"$log"
	timeout -k 5 60 "$@" >"$work/out" 2>"$work/err" </dev/null
	check "$name: exit status" 1 $?
	grep -Eq -- "$pattern" "$work/err" || { echo "$name: wanted '$pattern', got: $(cat "$work/err")"; failed=1; }
	jq -r 'select(.level == "error").msg' "$log" | grep -Eq -- "$pattern" || { echo "$name: not in the log: $(cat "$log")"; failed=1; }
}
left() { # nothing of the containers of this test is left
	[ -z "$(ls -A -I kvm-self-test "$root" 2>/dev/null)" ] || { echo "$1: left in the state directory: $(ls "$root")"; failed=1; }
	pgrep -f -- "--state=$root" && { echo "$1: processes are left"; failed=1; }
}

bundle loop '.annotations = {"a.b": "c\"d"}' sh -c 'echo hello; trap "exit 7" TERM; while :; do sleep 0.05; done'
$rf create -b "$work/loop" --pid-file "$work/pid" one >"$work/out" 2>&1 </dev/null; check "create" 0 $?
check "created" created "$(status one)"
check "pid file" "$(cat "$work/pid")" "$($rf state one | jq .pid)"
check "annotations" 'c"d' "$($rf state one | jq -r '.annotations["a.b"]')"
check "bundle and rootfs" "$work/loop $debian" "$($rf state one | jq -r '.bundle + " " + .rootfs')"
check "nothing ran yet" "" "$(cat "$work/out")"
check "ps of a created one: since now" 1 "$($rf ps one | awk -v a="$(date -d '1 minute ago' +%H:%M)" -v b="$(date +%H:%M)" 'NR == 2 { print $5 == a || $5 == b }')"
fails "create twice" "container with given ID already exists" $rf create -b "$work/loop" one
$rf start one; check "start" 0 $?
check "running" running "$(status one)"
for _ in $(seq 60); do grep -q hello "$work/out" && break; sleep 0.05; done
check "output goes where create's went" hello "$(cat "$work/out")"
fails "start twice" "cannot start an already running container" $rf start one
fails "delete while running" "cannot delete container one that is not stopped: running" $rf delete one
check "list" "one running" "$($rf list | awk 'NR == 2 { print $1, $3 }')"
check "list as JSON" '["one","running"]' "$($rf list -f json | jq -c '.[] | [.id, .status]')"
check "list -q" one "$($rf list -q)"
fails "unknown signal" "unknown signal BOGUS" $rf kill one BOGUS
fails "unknown signal for nobody" 'container "nosuch" does not exist' $rf kill nosuch BOGUS
fails "an empty bundle" "--bundle: empty" $rf run -b "" nosuch
$rf wait one & waiter=$!
sleep 0.3
$rf kill one SIGTERM; check "kill" 0 $?
wait $waiter; check "wait returns the exit status" 7 $?
for _ in $(seq 60); do [ "$(status one)" = stopped ] && break; sleep 0.05; done
check "stopped" "stopped 0" "$($rf state one | jq -r '.status + " " + (.pid | tostring)')"
fails "kill when stopped" "container not running" $rf kill one
fails "start when stopped" "cannot start a container that has stopped" $rf start one
$rf delete one; check "delete" 0 $?
fails "state of none" 'container "one" does not exist' $rf state one
for command in start kill delete wait; do
	fails "$command of none" 'container "one" does not exist' $rf $command one
done
$rf delete --force one; check "delete --force of none" 0 $?
check "empty list as JSON" null "$($rf list -f json)"
left "after the first"

# Who waits for the process of the pid file gets the exit status: a subreaper in the place of a shim.
bundle seven . sh -c 'exit 7'
bundle killed . sh -c 'kill -KILL $$; sleep 100'
reap() { # BUNDLE [SIGNAL]: exit status of the container's process as its subreaper sees it
	python3 - "$work/$1" "$work" "${2:-}" $rf <<-'END'
	import ctypes, os, subprocess, sys
	bundle, work, signal, rf = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
	ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
	subprocess.run(rf + ["create", "-b", bundle, "--pid-file", work + "/pid", "two"], check=True,
	    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
	subprocess.run(rf + ["start", "two"], check=True)
	pid = int(open(work + "/pid").read())
	if signal:
	    subprocess.run(rf + ["kill", "two", signal], check=True)
	status = os.waitpid(pid, 0)[1]
	subprocess.run(rf + ["delete", "two"], check=True)
	try:
	    os.waitpid(-1, 0)
	    print("another child was left")
	except ChildProcessError:
	    print(os.waitstatus_to_exitcode(status))
	END
}
check "exit status for a shim" 7 "$(reap seven)"
check "SIGKILL for a shim" 137 "$(reap loop KILL)"
left "after the shim"

# A created container that is deleted, or killed, without a start
$rf create -b "$work/loop" three </dev/null >/dev/null 2>&1
$rf delete three; check "delete of a created one" 0 $?
$rf create -b "$work/loop" three </dev/null >/dev/null 2>&1
$rf kill three KILL; check "kill of a created one" 0 $?
for _ in $(seq 60); do [ "$(status three)" = stopped ] && break; sleep 0.05; done
$rf delete three; check "delete of a killed one" 0 $?
left "after the created ones"

# Failed starts: the reason, in the log too, and nothing left
bundle program . no-such-program
fails "no such program" '"no-such-program": executable file not found in \$PATH' $rf create -b "$work/program" four
bundle cwd '.mounts += [{destination: "/x", type: "bogusfs", source: "x"}]' true
fails "a mount that fails" 'bogusfs' $rf create -b "$work/cwd" four
fails "pid file" "pid-file: /nonexistent/pid: No such file" $rf create -b "$work/seven" --pid-file /nonexistent/pid four
bundle tty '.process.terminal = true' true
fails "terminal without a console socket" "console socket" $rf create -b "$work/tty" four
left "after failed creates"

# run, in both kinds
check "run" hi "$(bundle hi . echo hi; $rf run -b "$work/hi" five </dev/null)"
$rf run -b "$work/seven" five </dev/null; check "run's exit status" 7 $?
$rf run -d -b "$work/loop" --pid-file "$work/pid" five </dev/null >/dev/null 2>&1; check "run -d" 0 $?
check "running in the background" running "$(status five)"
$rf delete --force five; check "delete --force" 0 $?
left "after run"

# What a killed command leaves
$rf run -b "$work/loop" six </dev/null >/dev/null 2>&1 & pid=$!
for _ in $(seq 100); do [ "$(status six 2>/dev/null)" = running ] && break; sleep 0.05; done
kill -KILL $pid; wait $pid 2>/dev/null
for _ in $(seq 60); do [ "$(status six)" = stopped ] && break; sleep 0.05; done
check "stopped with its command" stopped "$(status six)"
$rf delete six; check "delete of it" 0 $?
for n in 1 2 3 4 5 6 7 8; do
	$rf create -b "$work/loop" seven </dev/null >/dev/null 2>&1 & pid=$!
	sleep 0.0$n
	kill -$([ $((n % 2)) = 0 ] && echo TERM || echo KILL) $pid 2>/dev/null
	wait $pid 2>/dev/null
	$rf delete --force seven 2>/dev/null; check "delete --force after a killed create" 0 $?
done
left "after killed creates"
mkdir -p "$root/damaged" && echo '{"ociVersion": "1.1' >"$root/damaged/state.json"
fails "a truncated state file" "state.json" $rf state damaged
check "list goes on" 0 "$($rf list >/dev/null 2>&1; echo $?)"
$rf delete --force damaged 2>/dev/null; check "delete --force of it" 0 $?
mkdir -p "$root/other" && echo '{"ociVersion": "1.1.0", "ringfence": {"format": 99}}' >"$root/other/state.json"
fails "a state file of another version" "written by another version" $rf state other
$rf delete --force other 2>/dev/null
for id in a/b .. . "" "$(head -c 1024 /dev/zero | tr '\0' x)" 'a b' $'a\nb'; do
	fails "ID '${id:0:20}'" "container id" $rf create -b "$work/loop" "$id"
done
$rf create -b "$work/loop" eight </dev/null >/dev/null 2>"$work/err1" & one=$!
$rf create -b "$work/loop" eight </dev/null >/dev/null 2>"$work/err2" & two=$!
wait $one; a=$?; wait $two; b=$?
check "two creates at once" 1 $((a + b))
grep -q "already exists" "$work/err1" "$work/err2" || { echo "two creates at once: no message"; failed=1; }
$rf delete --force eight
mkdir -p "$work/small" && mount -t tmpfs -o size=4k,nr_inodes=4 none "$work/small" 2>/dev/null && {
	head -c 4096 /dev/zero >"$work/small/fill" 2>/dev/null
	fails "a full disk under --root" "No space left" "$1/ringfence" --platform=ptrace --log="$log" --log-format=json --root="$work/small/r" create -b "$work/loop" nine
	check "nothing left on it" "" "$(ls "$work/small/r" 2>/dev/null)"
	umount "$work/small"
}
left "at the end"
exit $failed
