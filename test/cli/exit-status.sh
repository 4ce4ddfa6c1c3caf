#!/bin/bash
# Exit status, streams and signals of `ringfence do` and `run`, as a shell expects them.
# Usage: exit-status.sh BUILD
set -u
rf=$1/ringfence
failed=0
check() { # NAME WANT GOT
	[ "$2" = "$3" ] || { echo "$1: expected '$2', got '$3'"; failed=1; }
}
platform=--platform=${PLATFORM:-ptrace}
"$rf" $platform do -- sh -c 'exit 42' </dev/null; check "exit status" 42 $?
# The first process is pid 1, which no signal ends that it does not handle; so a child of it dies.
"$rf" $platform do -- sh -c 'sh -c "kill -TERM \$\$"; exit $?' </dev/null 2>/dev/null; check "a child's signal" 143 $?
"$rf" $platform do -- python3 -c 'import ctypes; ctypes.string_at(0)' </dev/null; check "a fault" 139 $?
"$rf" $platform do -- true </dev/null; check "success" 0 $?
check "standard output" "hello" "$("$rf" $platform do -- echo hello </dev/null)"
check "standard error" "oops" "$("$rf" $platform do -- sh -c 'echo oops >&2' 2>&1 >/dev/null </dev/null)"
check "standard input" "HELLO" "$(echo hello | "$rf" $platform do -- tr a-z A-Z)"
check "a large pipe" 300000 "$(head -c 300000 /dev/zero | "$rf" $platform do -- cat | wc -c)"
check "a command without --" "x" "$("$rf" $platform do echo x </dev/null)"
"$rf" $platform do -- sh -c 'trap "exit 7" TERM; echo ready; while :; do sleep 0.1; done' </dev/null >/tmp/ready-$$ &
pid=$!
for _ in $(seq 100); do grep -q ready /tmp/ready-$$ && break; sleep 0.1; done
kill -TERM $pid
wait $pid; check "a forwarded SIGTERM" 7 $?
rm -f /tmp/ready-$$
"$rf" $platform do -- sleep 100 </dev/null &
pid=$!
sleep 1
children=$(pgrep -P $pid; for c in $(pgrep -P $pid); do pgrep -P "$c"; done)
kill -KILL $pid
wait $pid 2>/dev/null; check "SIGKILL of the command" 137 $?
sleep 0.5
for c in $children; do
	[ -d /proc/"$c" ] && [ "$(awk '{print $3}' /proc/"$c"/stat 2>/dev/null)" != Z ] && { echo "process $c outlived the command"; failed=1; }
done
exit $failed
