#!/bin/bash
# containerd with containerd-shim-ringfence-v1: what an engine does with a container, and what
# goes wrong around it. Usage: containerd-shim.sh BUILD
set -u
. "$(dirname "$0")/lib.sh"
engine_setup "$1"

ctr() { timeout -k 2 20 ctr "$@"; }
run() { ctr run --runtime io.containerd.ringfence.v1 --snapshotter native "$@"; }
shim_of() { pgrep -f "$bin/containerd-shim-ringfence-v1 .*-id $1( |\$)" | head -1; }
status_of() { ctr task ls | awk -v id="$1" '$1 == id { print $3 }'; }
has_status() { [ "$(status_of "$1")" = "$2" ]; }
end_task() { # ID: kills and removes
	ctr task kill -s KILL "$1" >/dev/null 2>&1
	until_ok 10 has_status "$1" STOPPED || bad "$1: not stopped by SIGKILL: $(status_of "$1")"
	ctr task rm "$1" >/dev/null 2>&1
	ctr container rm "$1" || bad "$1: cannot be removed"
}

test_run() {
	is "output" "out" "$(run --rm $image run1 sh -c 'echo out; echo err >&2' 2>/dev/null)"
	is "standard error" "err" "$(run --rm $image run2 sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)"
	run --rm $image run3 sh -c 'exit 7'
	is "exit status" 7 $?
	is "standard input, and its end" "6" "$( (echo hello; sleep 1) | run --rm $image run4 wc -c)"
	is "a lot of output" 1000000 "$(run --rm $image run5 sh -c 'yes | head -c 1000000' | wc -c)"
	out=$(run --rm $image run6 /no/such 2>&1) && bad "a program that is not there: status 0"
	case $out in *no/such*) ;; *) bad "a program that is not there: $out" ;; esac
}

test_exec() {
	run -d $image long sleep 1000 || bad "detached run"
	is "state" RUNNING "$(status_of long)"
	is "exec's output" "in exec" "$(ctr task exec --exec-id x1 long sh -c 'echo in exec')"
	ctr task exec --exec-id x2 long sh -c 'exit 3'
	is "exec's exit status" 3 $?
	is "exec's standard input" "6" "$( (echo hello; sleep 1) | ctr task exec --exec-id x3 long wc -c)"
	ctr task exec --exec-id x4 long /no/such >/dev/null 2>&1 && bad "exec of a program that is not there: status 0"
	is "exec on a terminal" "/dev/pts/0" \
		"$(timeout -k 2 20 script -qec "ctr task exec -t --exec-id x5 long tty" /dev/null </dev/null | tr -d '\r\0' | sed 's/^^@//')"
	ctr task exec --exec-id x6 long sleep 1000 &
	local sleeping=$!
	until_ok 10 sh -c "[ \$(ctr task ps long | wc -l) -ge 3 ]" || bad "task ps shows no exec: $(ctr task ps long)"
	ctr task kill -s TERM --exec-id x6 long || bad "kill of an exec"
	wait $sleeping
	is "status of a killed exec" 143 $?
}

test_freeze_and_statistics() {
	ctr task pause long || bad "pause"
	is "state after pause" PAUSED "$(status_of long)"
	ctr task resume long || bad "resume"
	is "state after resume" RUNNING "$(status_of long)"
	ctr task metrics long | grep -Eq '^(memory.usage|memory.usage_in_bytes) +[1-9]' ||
		bad "metrics: $(ctr task metrics long 2>&1)"
	local resident
	resident=$(awk '/VmRSS/ { print $2 }' "/proc/$(shim_of long)/status")
	[ "${resident:-9999}" -lt 3072 ] || bad "the shim's resident memory: ${resident:-unknown} KiB"
}

test_restart() {
	run -d $image quick sh -c 'sleep 2; exit 9' || bad "detached run"
	containerd_kill
	sleep 2.5
	containerd_start
	is "state after a restart of containerd" RUNNING "$(status_of long)"
	is "exec after a restart" "still here" "$(ctr task exec --exec-id y1 long echo still here)"
	is "state of what ended meanwhile" STOPPED "$(status_of quick)"
	ctr task rm quick 2>&1 | grep -q 'exit code 9' || bad "the status of what ended meanwhile is lost"
	ctr container rm quick
}

test_signals() {
	run -d $image trap sh -c 'trap "exit 21" TERM; while :; do sleep 0.1; done'
	sleep 0.5
	ctr task kill -s TERM trap
	until_ok 10 has_status trap STOPPED || bad "a trapped SIGTERM: $(status_of trap)"
	ctr task rm trap 2>&1 | grep -q 'exit code 21' || bad "the status after a trapped SIGTERM"
	ctr container rm trap
}

test_dead_shim() {
	run -d $image dead sleep 1000
	kill -KILL "$(shim_of dead)"
	until_ok 10 sh -c '! timeout 5 ctr task ls | grep -q ^dead' || bad "the task of a dead shim: $(status_of dead)"
	ctr container rm dead
	is "processes of a dead shim's container" "" "$(pgrep -af "$work.*dead")"
}

test_many() {
	local i pids=() count=${MANY:-20}
	for i in $(seq "$count"); do
		run --rm $image "many$i" sh -c "echo \$((1000 + $i)); exit $i" >"$work/many$i" 2>&1 &
		pids[i]=$!
	done
	for i in $(seq "$count"); do
		wait "${pids[i]}"
		is "one of many: status" "$i" $?
		is "one of many: output" $((1000 + i)) "$(cat "$work/many$i")"
	done
}

test_events() {
	local topics
	sleep 0.5
	topics=$(grep -o '/tasks/[a-z-]*' "$work/events" | sort -u | tr '\n' ' ')
	is "kinds of events" "/tasks/create /tasks/delete /tasks/exec-added /tasks/exec-started /tasks/exit /tasks/paused /tasks/resumed /tasks/start " \
		"$topics"
}

containerd_start
ctr image import --snapshotter native "$work/image.tar" >/dev/null || { bad "image import"; engine_finish; }
command ctr events >"$work/events" 2>/dev/null &
listener=$!
for part in ${PARTS:-run exec freeze_and_statistics events restart signals dead_shim many}; do
	start=$(date +%s%N)
	"test_$part"
	[ -z "${VERBOSE:-}" ] || echo "$part: $((($(date +%s%N) - start) / 1000000)) ms"
done
ctr task ls | grep -q ^long && end_task long
kill $listener 2>/dev/null
engine_finish
