#!/bin/bash
# A process of the sandbox that is killed from outside ends the sandbox with one line that
# says so, and leaves no process behind. Usage: deaths.sh BUILD
set -u
rf=$1/ringfence
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

below() { # PID: its descendants
	local child
	for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
		echo "$child"
		below "$child"
	done
}
# kill_one NAME WORD STATUS PATTERN: kills the descendant whose command line has WORD
kill_one() {
	local pid victim status all p
	"$rf" --platform=ptrace do -- sh -c 'echo ready; while :; do sleep 0.05; done' >"$work/out" 2>"$work/err" </dev/null &
	pid=$!
	for _ in $(seq 100); do grep -q ready "$work/out" && break; sleep 0.05; done
	all=$(below $pid)
	victim=$(for p in $all; do tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null | grep -q -- "$2" && echo "$p"; done | head -1)
	[ -n "$victim" ] || { echo "$1: no process of that kind among: $all"; failed=1; kill -KILL $pid; wait $pid; return; }
	kill -KILL "$victim"
	( sleep 20; kill -KILL $pid 2>/dev/null ) &
	local watchdog=$!
	wait $pid
	status=$?
	kill $watchdog 2>/dev/null
	if [ $status != "$3" ] || [ "$(wc -l <"$work/err")" != 1 ] || ! grep -Eq "$4" "$work/err"; then
		echo "$1: status $status (wanted $3), stderr:"
		cat "$work/err"
		failed=1
	fi
	sleep 0.3
	for p in $all; do
		[ -d "/proc/$p" ] && [ "$(awk '{ print $3 }' "/proc/$p/stat" 2>/dev/null)" != Z ] && { echo "$1: process $p is left"; failed=1; }
	done
}
kill_one gofer ' gofer ' 255 'gofer died'
kill_one boot ' boot ' 137 'signal 9|killed'
exit $failed
