#!/bin/bash
# SIGKILL of a shim, a sandbox, a gofer at odd moments of a container's life under containerd: each ends, containerd says so, a
# new one starts, and nothing is left. Usage: faults.sh BUILD [ROUNDS]
set -u
cd "$(dirname "$0")" || exit 1
. ./lib.sh
engine_setup "$1"
containerd_start
timeout 60 ctr image import --snapshotter native "$work/image.tar" >/dev/null || bad "image import"
run() { timeout -k 5 30 ctr run --snapshotter native --runtime io.containerd.ringfence.v1 "$@"; }
victim() { # KIND: a process of that kind that belongs to us
	case $1 in
	shim) pgrep -f "^$work/bin/containerd-shim-ringfence" ;;
	sandbox) pgrep -f "ringfence .*boot .*--state=.*/default" | while read -r pid; do
		grep -q "$work" "/proc/$pid/maps" && echo "$pid"
	done ;;
	gofer) pgrep -f '^ringfence gofer' | while read -r pid; do grep -q "$work" "/proc/$pid/maps" && echo "$pid"; done ;;
	esac | head -1
}
killed=0
for round in $(seq "${2:-9}"); do
	kind=$(echo shim sandbox gofer | cut -d' ' -f$((round % 3 + 1)))
	run --detach $image "c$round" sh -c 'while :; do echo x >/tmp/x; cat /tmp/x; done' >/dev/null 2>&1 &
	starting=$!
	sleep "0.$((RANDOM % 9))"
	pid=$(victim "$kind")
	[ -z "$pid" ] || { kill -KILL "$pid" && killed=$((killed + 1)); }
	wait $starting
	# Before the kill it may have been made; then it is stopped, or can be.
	until_ok 15 bash -c "! ctr task ls | grep -E '^c$round .*RUNNING' || ctr task kill -s KILL c$round" || bad "round $round: $kind killed: it goes on"
	ctr task delete -f "c$round" >/dev/null 2>&1
	until_ok 15 bash -c "! ctr task ls | grep '^c$round '" || bad "round $round: $kind killed: a task is left"
	ctr container delete "c$round" >/dev/null 2>&1
	is "round $round: a new one after the death of a $kind" alive "$(run --rm $image "n$round" echo alive 2>&1)"
done
[ $killed -ge 3 ] || bad "only $killed processes were found to be killed"
engine_finish
