#!/bin/bash
# The watchdog: CPU threads of a sandbox that are held by ptrace(2) are found and told in the log, as an event and in the metrics, and
# so is their going on; a sandbox that is idle, paused or stopped as a whole is not. Usage: watchdog.sh BUILD
set -u
. "$(dirname "$0")/../begin.sh" "$1"
holder= follower=
finish() {
	[ -z "$holder" ] || kill $holder 2>/dev/null
	$rf delete --force one 2>/dev/null
	[ -z "$follower" ] || kill $follower 2>/dev/null
	rm -rf "$work"
}
trap finish EXIT
until_line() { # PATTERN FILE SECONDS
	local n
	for n in $(seq $(($3 * 10))); do grep -Eq -- "$1" "$2" && return; sleep 0.1; done
	echo "no line like '$1' in $2:"
	cat "$2"
	failed=1
}
# hold PID: stops every CPU thread until killed: those that are pinned, or wait in no poll, io_uring_enter or futex
hold() {
	exec python3 - "$1" <<-'END'
	import ctypes, os, signal, sys, time
	libc = ctypes.CDLL(None, use_errno=True)
	SEIZE, INTERRUPT = 0x4206, 0x4207
	def cpus(tid):
	    return [l for l in open(f"/proc/{sys.argv[1]}/task/{tid}/status") if l.startswith("Cpus_allowed_list")]
	held = 0
	for tid in map(int, os.listdir(f"/proc/{sys.argv[1]}/task")):
	    call = open(f"/proc/{sys.argv[1]}/task/{tid}/syscall").read().split()[0]
	    pinned = cpus(tid) != cpus(int(sys.argv[1]))
	    if call in ("7", "426", "202") and not pinned:
	        continue
	    if libc.ptrace(SEIZE, tid, 0, 0) < 0 or libc.ptrace(INTERRUPT, tid, 0, 0) < 0:
	        print("ptrace:", os.strerror(ctypes.get_errno()), flush=True)
	    held += 1
	print("held", held, flush=True)
	time.sleep(1000)
	END
}

sh "$here/suite/bundle.sh" "$work/b" "$debian" "$work" sleep 1000
$rf --watchdog=2 --debug-log="$work/log" run -d -b "$work/b" one </dev/null >/dev/null 2>&1
$rf events --interval=1m one >"$work/events" & follower=$!
pid=$($rf state one | jq .pid)

# Nothing wrong: idle; paused; stopped as a whole for longer than the period, and going on
sleep 3
$rf pause one; sleep 5; $rf resume one
kill -STOP "$pid"; sleep 5; kill -CONT "$pid"; sleep 3
grep watchdog "$work/log" && { echo "reported without a reason"; failed=1; }

hold "$pid" >"$work/held" & holder=$!
until_line '^held [1-9]' "$work/held" 5
until_line "watchdog: the sandbox's kernel has not answered for 2 s; on its CPU 0: (none|task [0-9]+)" "$work/log" 15
until_line '"type":"stuck","id":"one","data":\{"seconds":2,"task":[0-9]+\}' "$work/events" 5
check "statistics do not wait for ever" "ringfence: events: the sandbox does not answer" "$(timeout -k 1 20 $rf events --stats one 2>&1)"
check "told once" 1 "$(grep -c 'has not answered' "$work/log")"
kill $holder; wait $holder 2>/dev/null; holder=
until_line "watchdog: the sandbox's kernel answers again" "$work/log" 10
until_line '"type":"stuck","id":"one","data":\{"seconds":0,' "$work/events" 5
check "and works" ok "$($rf exec one echo ok)"
exit $failed
