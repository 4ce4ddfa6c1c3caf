#!/bin/bash
# debug, ps, events: what the sentry tells of itself and of a container. Usage: debug.sh BUILD
set -u
. "$(dirname "$0")/../begin.sh" "$1"
trap '$rf delete --force one 2>/dev/null; $rf delete --force two 2>/dev/null; rm -rf "$work"' EXIT
has() { # NAME PATTERN TEXT
	grep -Eq -- "$2" <<<"$3" || { echo "$1: no line like '$2' in:"; echo "$3" | head -30; failed=1; }
}
refused() { # NAME PATTERN COMMAND…
	local name=$1 pattern=$2 out
	shift 2
	out=$("$@" 2>&1) && { echo "$name: succeeded"; failed=1; }
	has "$name" "$pattern" "$out"
}
until_running() { # ID: its shell loops
	for _ in $(seq 100); do $rf ps "$1" 2>/dev/null | grep -q sleep && return; sleep 0.05; done
	echo "$1 does not begin"
	failed=1
}

sh "$here/suite/bundle.sh" "$work/b" "$debian" "$work" sh -c '/bin/true; (exit 3); sh -c "kill -KILL \$\$"; while :; do sleep 0.2; done'
$rf --debug-log="$work/log" run -d -b "$work/b" one </dev/null >/dev/null 2>&1
until_running one

out=$($rf debug one tasks)
has "tasks" '^ +1 +1 +0 +[0-9]+ [a-z]+ +[0-9]+ sh ' "$out"
has "the call that a task is in" ' sleep +clock_nanosleep|sh +wait4' "$($rf debug one tasks; sleep 0.05; $rf debug one tasks)"
out=$($rf debug one stacks)
has "the image" '^image [0-9a-f]{40}$' "$out"
has "a kernel stack, with names" 'kernel schedule\+0x' "$out"
has "further down" 'kernel trap_dispatch\+0x|kernel sentry_syscall|kernel .*loop\+0x' "$out"
has "a user address in its file" 'user +0x[0-9a-f]+ /usr/lib/.*libc.so.6\+0x' "$out"
has "mounts" ' /proc proc ' "$($rf debug one mounts)"
out=$($rf debug one counters)
has "ends by kind" '[1-9][0-9]* processes ended well, 1 with an error, 1 by a signal, 0 out of memory' "$out"
has "faults" 'container: [1-9][0-9]* page faults' "$out"
has "host calls and messages" 'sandbox: [1-9][0-9]* host calls, [1-9][0-9]* ring requests, [1-9][0-9]* gofer messages in [1-9]' "$out"
total=$(sed -n 's/.* \([0-9]*\) gofer messages in.*/\1/p' <<<"$out")
check "the times are of all messages" "$total" "$(sed -n 's/^gofer messages by time://p' <<<"$out" | grep -o 'us: [0-9]*' | awk '{ n += $2 } END { print n }')"
has "memory" '^ +1 +0 .* sh$' "$($rf debug one memory)"
out=$($rf debug one)
for part in tasks stacks mounts counters memory; do has "all of it" "^== $part\$" "$out"; done
refused "something else" 'bogus: known are: tasks, stacks' $rf debug one bogus
check "nothing before something else" "" "$($rf debug one tasks bogus 2>/dev/null)"
refused "a long word" 'known are' $rf debug one "$(head -c 9000 /dev/zero | tr '\0' x)"

# strace on and off while it runs
lines() { wc -l <"$work/log"; }
before=$(lines)
$rf debug --strace=on one; check "strace on" 0 $?
for _ in $(seq 60); do grep -q clock_nanosleep "$work/log" && break; sleep 0.05; done
has "strace in the log" 'clock_nanosleep' "$(cat "$work/log")"
$rf debug --strace=off one; check "strace off" 0 $?
after=$(lines)
sleep 0.7
check "and quiet again" "$after" "$(lines)"
[ "$after" -gt "$before" ] || { echo "no lines were written"; failed=1; }
refused "strace sideways" '--strace: maybe: not on or off' $rf debug --strace=maybe one

# ps
has "ps" '^UID +PID +PPID' "$($rf ps one)"
check "ps as engines ask for it" "$($rf ps one -ef | head -1)" "$($rf ps one | head -1)"
refused "other options of ps" 'aux: not supported' $rf ps one aux

# events: statistics, and the end
$rf events --interval=100ms one >"$work/events" 2>&1 & events=$!
for _ in $(seq 60); do grep -q '"stats"' "$work/events" && break; sleep 0.05; done
$rf kill one KILL
wait $events; check "events end with the container" 0 $?
check "statistics" true "$(jq -s 'map(select(.type == "stats"))[0].data | .cpu.usage.total > 0 and .memory.usage.usage > 0' "$work/events")"
check "the exit" '{"pid":1,"status":137}' "$(jq -c 'select(.type == "exit").data' "$work/events")"

# A sandbox without a log has no place for the lines
$rf run -d -b "$work/b" two </dev/null >/dev/null 2>&1
until_running two
refused "strace without a log" '--strace: .*without a debug log' $rf debug --strace=on two
exit $failed
