#!/bin/bash
# Many containers as engines make them (create, start, exec, kill, delete): with a SIGKILL for a process of the sandbox or for
# a command at a random moment, one after another, many at once, and two commands on one container at the same time.
# Nothing may be left: no process, mount, control group, socket or state. Usage: soak.sh BUILD [ROUNDS [ONE-AFTER-ANOTHER [AT-ONCE]]]
# (1000, 200 and 50 with run.sh --all).
set -u
rf=$1/ringfence
rounds=${2:-16} serial=${3:-12} alive=${4:-10}
limit_kib=12288 # Pss of all processes of one of many sandboxes
if [ "${INSIDE:-}" != yes ]; then # every process in a pid namespace of its own is one of ours
	INSIDE=yes exec unshare --pid --fork --kill-child --mount-proc bash "$0" "$@"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/state
name=soak-$$-$(date +%s)
failed=0
bad() { echo "$*"; failed=1; }
cli() { timeout -s KILL 30 "$rf" --root "$root" --platform="${PLATFORM:-ptrace}" "$@" </dev/null; }

# others: the processes of this namespace but ourselves, as "PID KIND"
others() {
	local p line
	for p in /proc/[0-9]*; do
		p=${p#/proc/}
		line=$(tr '\0' ' ' 2>/dev/null <"/proc/$p/cmdline")
		[ -d "/proc/$p" ] || continue
		case $line in
		bash* | timeout* | sleep* | *soak.sh*) ;;
		*' boot '*) echo "$p boot" ;;
		*' gofer '*) echo "$p gofer" ;;
		*ringfence*) echo "$p command" ;;
		'') [ "$p" = 1 ] || [ "$(awk '{ print $3 }' "/proc/$p/stat" 2>/dev/null)" = Z ] || echo "$p stub" ;;
		esac
	done
}
mounts_before=$(wc -l </proc/self/mountinfo)
nothing_left() { # WHAT
	local left n
	for n in $(seq 30); do # the host's kernel takes a namespace down on its own time
		left=$(others)
		[ -z "$left" ] && break
		sleep 0.1
	done
	[ -z "$left" ] || bad "$1: processes are left:" $left
	[ "$(wc -l </proc/self/mountinfo)" = "$mounts_before" ] || bad "$1: mounts are left"
	[ -z "$(find /sys/fs/cgroup -type d -path "*$name*" 2>/dev/null)" ] || bad "$1: control groups are left"
	[ -z "$(ls -A -I kvm-self-test "$root" 2>/dev/null)" ] || bad "$1: state is left: $(find "$root" | head -5)"
}

sh "$(dirname "$0")/../suite/bundle.sh" "$work/loop" "${ROOT:-/var/cache/ringfence/debian}" "$work" \
	sh -c 'i=0; while :; do /bin/true; i=$((i+1)); done'
jq --arg path "/$name/in" '.linux.cgroupsPath = $path' "$work/loop/config.json" >"$work/new" && mv "$work/new" "$work/loop/config.json"
sh "$(dirname "$0")/../suite/bundle.sh" "$work/true" "${ROOT:-/var/cache/ringfence/debian}" "$work" true
sh "$(dirname "$0")/../suite/bundle.sh" "$work/idle" "${ROOT:-/var/cache/ringfence/debian}" "$work" sleep 1000

# A life, and somebody dies in it
life() { # ID
	cli create -b "$work/loop" "$1" >/dev/null 2>&1 && cli start "$1" && cli exec "$1" true && cli kill "$1" KILL
	cli delete "$1"
}
round() { # NUMBER KIND
	local id=life-$1 victim n out
	life "$id" >"$work/out" 2>&1 &
	local pid=$!
	sleep "0.$(printf %03d $((RANDOM % (RANDOM % 2 ? 80 : 400))))"
	for n in 1 2 3; do # the kind may not be there yet, or no more
		victim=$(others | awk -v kind="$2" '$2 == kind { print $1 }' | shuf -n 1)
		[ -n "$victim" ] && break
	done
	[ -z "$victim" ] || kill -KILL "$victim" 2>/dev/null
	wait $pid
	out=$(cli delete --force "$id" 2>&1) || bad "round $1: $2 killed: delete --force: $out"
	nothing_left "round $1: $2 killed"
	[ $failed = 0 ] || { echo "what the commands said:"; cat "$work/out"; exit 1; }
}
kinds=(command boot gofer stub)
for i in $(seq "$rounds"); do round "$i" "${kinds[$((i % 4))]}"; done

# One after another
for i in $(seq "$serial"); do
	out=$(cli run -b "$work/true" "one-$i" 2>&1) || bad "one after another: $i: $out"
done
nothing_left "one after another"

# At once, each within its memory
pss() { # ID: KiB of its processes
	local p all n=0
	all=$(cli state "$1" | jq .pid)
	for p in $all; do
		all+=" $(cat /proc/"$p"/task/*/children 2>/dev/null)"
	done
	for p in $(for p in $all; do echo "$p"; cat "/proc/$p"/task/*/children 2>/dev/null; done | tr ' ' '\n' | sort -u); do
		n=$((n + $(awk '/^Pss:/ { print $2 }' "/proc/$p/smaps_rollup" 2>/dev/null || echo 0)))
	done
	echo "$n"
}
for i in $(seq "$alive"); do
	cli run -d -b "$work/idle" "many-$i" >/dev/null 2>"$work/out" || bad "at once: $i: $(cat "$work/out")"
done
[ "$(cli list -q | wc -l)" = "$alive" ] || bad "at once: $(cli list -q | wc -l) of $alive"
most=0
for i in $(seq "$alive"); do
	n=$(pss "many-$i")
	[ "$n" -gt "$most" ] && most=$n
	[ "$n" -gt 500 ] || bad "at once: many-$i: $n KiB cannot be all of it"
done
[ "$most" -lt $limit_kib ] || bad "at once: a sandbox of $alive takes $most KiB"
echo "of $alive at once none takes more than $most KiB"
for i in $(seq "$alive"); do cli delete --force "many-$i" || bad "at once: delete many-$i"; done
nothing_left "at once"

# Two commands on one container: each does its work or says why not, and delete --force wins
pairs=("start delete" "kill delete" "exec delete" "pause delete" "start start" "delete delete" "state delete" "pause resume" "update kill")
number=0
words() { # COMMAND ID: as it is called
	case $1 in
	exec) echo "exec $2 true" ;;
	kill) echo "kill $2 KILL" ;;
	delete) echo "delete --force $2" ;;
	update) echo "update --pids-limit=50 $2" ;;
	*) echo "$1 $2" ;;
	esac
}
for pair in "${pairs[@]}"; do
	number=$((number + 1))
	id=pair-$number
	cli create -b "$work/loop" "$id" >/dev/null 2>"$work/out" || bad "$pair: create: $(cat "$work/out")"
	case $pair in start*) ;; *) cli start "$id" || bad "$pair: start" ;; esac
	cli $(words ${pair% *} "$id") >/dev/null 2>"$work/first" & first=$!
	cli $(words ${pair#* } "$id") >/dev/null 2>"$work/second" & second=$!
	wait $first; a=$?
	wait $second; b=$?
	for which in "first $a" "second $b"; do
		status=${which#* } file=$work/${which% *}
		[ "$pair $which" != "exec delete first 255" ] || status=1 # exec's own failure
		[ "$status" -le 1 ] || [ "$status" = 137 ] || bad "$pair: ${which% *}: status $status"
		[ "$status" != 1 ] || [ "$(wc -l <"$file")" = 1 ] || bad "$pair: ${which% *} failed and said: $(cat "$file")"
	done
	[ "$pair" != "start start" ] || [ $((a + b)) = 1 ] || bad "start start: statuses $a and $b"
	cli delete --force "$id" 2>"$work/out" || bad "$pair: delete: $(cat "$work/out")"
	nothing_left "$pair"
done
exit $failed
