#!/bin/bash
# A process of the sandbox that is killed from outside ends the sandbox with one line that
# says so, and leaves no process behind; then any of them, the command too, at random moments of
# its start, its run and its end: no process, mount or cgroup stays, no state that delete cannot
# remove, and a line says what died. Usage: deaths.sh BUILD [ROUNDS]
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
	for _ in $(seq 400); do grep -q ready "$work/out" && break; sleep 0.05; done
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

mounts() { wc -l </proc/self/mountinfo; }
cgroups() { find /sys/fs/cgroup -name '*death-*' 2>/dev/null; }
# others: the processes of this namespace but ourselves, as "PID KIND"
others() {
	local p line
	for p in /proc/[0-9]*; do
		p=${p#/proc/}
		[ "$p" = 1 ] && continue
		line=$(cat "/proc/$p/cmdline" 2>/dev/null | tr '\0' ' ')
		[ -d "/proc/$p" ] || continue
		case $line in
		bash* | timeout*) ;;
		*' boot '*) echo "$p boot" ;;
		*' gofer '*) echo "$p gofer" ;;
		*' run '*) echo "$p command" ;;
		'') [ "$(awk '{ print $3 }' "/proc/$p/stat" 2>/dev/null)" = Z ] || echo "$p stub" ;;
		esac
	done
}
# round NUMBER KIND PLATFORM: one container, one death
round() {
	local id=death-$1 kind=$2 pid status victim before left n
	before=$(mounts)
	timeout -s KILL 20 "$rf" --root "$work/state" --platform="$3" run -b "$work/bundle" "$id" >"$work/out" 2>"$work/err" </dev/null &
	pid=$!
	sleep "0.$(printf %03d $((RANDOM % (RANDOM % 2 ? 60 : 500))))"
	for n in 1 2 3; do # the kind may not be there yet, or no more
		victim=$(others | awk -v kind="$kind" '$2 == kind { print $1 }' | shuf -n 1)
		[ -n "$victim" ] && break
		sleep 0.02
	done
	[ -z "$victim" ] || kill -KILL "$victim" 2>/dev/null || victim=
	wait $pid 2>/dev/null
	status=$?
	if [ "$kind" = command ]; then
		case $status in 0 | 137) ;; *) echo "round $1: $kind: status $status: $(cat "$work/err")"; failed=1 ;; esac
		"$rf" --root "$work/state" delete --force "$id" 2>"$work/err" || { echo "round $1: $kind: delete: $(cat "$work/err")"; failed=1; }
	elif [ $status = 0 ]; then
		[ "$(tail -1 "$work/out")" = done ] || { echo "round $1: $kind: status 0 and no output"; failed=1; }
	else
		n=$(wc -l <"$work/err")
		if [ "$n" -lt 1 ] || [ "$n" -gt 2 ] || ! grep -Eq 'died|killed|has ended|not running|signal 9' "$work/err"; then
			echo "round $1: $kind killed: status $status, stderr:"
			cat "$work/err"
			failed=1
		fi
	fi
	for n in 1 2 3 4 5 6 7 8 9 10; do # the host's kernel takes a namespace down on its own time
		left=$(others)
		[ -z "$left" ] && break
		sleep 0.1
	done
	[ -z "$left" ] || { echo "round $1: $kind killed: left:" $left; failed=1; }
	[ "$(mounts)" = "$before" ] || { echo "round $1: $kind killed: mounts are left"; failed=1; }
	[ -z "$(cgroups)" ] || { echo "round $1: $kind killed: cgroups are left:" $(cgroups); failed=1; }
	[ ! -e "$work/state/$id" ] || { echo "round $1: $kind killed: state is left:" $(ls "$work/state/$id"); failed=1; }
}
if [ "${2:-}" = --inside ]; then
	kinds=(command boot gofer stub)
	sh "$(dirname "$0")/../suite/bundle.sh" "$work/bundle" "${ROOT:-/var/cache/ringfence/debian}" "$work" \
		sh -c 'i=0; while [ $i -lt 25 ]; do /bin/true; i=$((i+1)); done; echo done'
	for i in $(seq "$3"); do round "$i" "${kinds[$((i % 4))]}" "${PLATFORM:-ptrace}"; done
	for i in $(seq $(($3 / 2))); do round "stub-$i" stub systrap; done # one that is still a spare, too
	exit $failed
fi

kill_one gofer ' gofer ' 255 'the gofer was killed by signal 9'
kill_one boot ' boot ' 137 'signal 9|killed'

# Who dies in the middle of create, of start and of an exec is named in the log that engines read.
rc() { "$rf" --root "$work/state" --platform="${PLATFORM:-ptrace}" --log "$work/log" --log-format json "$@" </dev/null >/dev/null 2>&1; }
named() { # NAME WHAT
	grep '"level":"error"' "$work/log" | tail -1 | grep -q "the $2 was killed by signal 9" || { echo "$1: $2 killed, the log: $(cat "$work/log")"; failed=1; }
	rc delete --force one
	rm -f "$work/log"
}
mkdir -p "$work/b/rootfs/bin" && cp /bin/busybox "$work/b/rootfs/bin/sh"
"$rf" spec -b "$work/b"
jq '.process.terminal = false | .process.args = ["sh", "-c", "while :; do sleep 1; done"]' "$work/b/config.json" >"$work/plain"
for victim in '$pid' '$(pgrep -P $pid -f "gofer 3")'; do
	what="sandbox's process"
	[ "$victim" = '$pid' ] || what=gofer
	jq --arg s "pid=\$(jq .pid); kill -KILL $victim; sleep 0.2" '.hooks = {createRuntime: [{path: "/bin/sh", args: ["sh", "-c", $s]}]}' \
		"$work/plain" >"$work/b/config.json"
	rc create -b "$work/b" one && { echo "create: $what killed: status 0"; failed=1; }
	named create "$what"
	cp "$work/plain" "$work/b/config.json"
	rc create -b "$work/b" one
	pid=$("$rf" --root "$work/state" state one | jq .pid)
	eval "pid=$victim"
	kill -STOP "$pid"
	rc start one & starting=$!
	sleep 0.3
	kill -KILL "$pid"
	wait $starting && { echo "start: $what killed: status 0"; failed=1; }
	named start "$what"
done

# A program that cannot run: start fails when its parent has been told that the process ended, not before (an engine deletes it at once).
: >"$work/b/rootfs/bin/empty" && chmod +x "$work/b/rootfs/bin/empty"
jq '.process.args = ["/bin/empty"]' "$work/plain" >"$work/b/config.json"
python3 - "$rf" --root "$work/state" --platform="${PLATFORM:-ptrace}" <<-'END' || failed=1
	import ctypes, json, os, subprocess, sys, time
	ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
	rf = sys.argv[1:]
	subprocess.run(rf + ["create", "-b", os.path.dirname(rf[2]) + "/b", "one"], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
	pid = json.loads(subprocess.run(rf + ["state", "one"], capture_output=True).stdout)["pid"]
	start = subprocess.Popen(rf + ["start", "one"], stderr=subprocess.PIPE, text=True)
	os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
	time.sleep(0.2)
	early = start.poll()
	os.waitpid(pid, 0)
	said = start.communicate()[1]
	if (early, start.returncode) != (None, 1) or "exec format error" not in said:
	    sys.exit("start of what cannot run: status %s before its parent knew, %s, %s" % (early, start.returncode, said))
	END
rc delete one || { echo "after a failed start: not stopped"; failed=1; rc delete --force one; }
# delete --force of what is being created yet: what has been recorded when it gets its turn is undone.
jq '.linux.cgroupsPath = "/death-turn"' "$work/plain" >"$work/b/config.json"
rc create -b "$work/b" one
mv "$work/state/one/state.json" "$work/hidden"
flock "$work/state/one/lock" sh -c "sleep 0.5; mv $work/hidden $work/state/one/state.json" & holder=$!
sleep 0.2
rc delete --force one || { echo "delete --force while it is created: status $?"; failed=1; }
wait $holder
[ -z "$(cgroups)" ] || { echo "delete --force while it is created: left:" $(cgroups); failed=1; rmdir $(cgroups); }

# The same at any moment: inside a pid namespace of its own, where every process is one of ours.
if [ "$(ps -o pid= -p 1 2>/dev/null | tr -d ' ')" = 1 ] && unshare --pid --fork --mount-proc true 2>/dev/null; then
	unshare --pid --fork --mount-proc bash "$0" "$1" --inside "${2:-24}" || failed=1
else
	echo "no pid namespaces here: random moments were not tried"
	failed=1
fi
exit $failed
