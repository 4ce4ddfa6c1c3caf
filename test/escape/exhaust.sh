#!/bin/bash
# A program that takes one kind of resource without end: it is refused or killed by the
# container's limits, the container goes on or dies by them, and the host has noticed
# nothing: our processes stay within what the limit means, and start another sandbox at once.
# Usage: exhaust.sh BUILD PLATFORM [PATTERN]   (prints PASS and FAIL lines)
set -u
build=$1 platform=$2 pattern=${3:-.}
rf=$build/ringfence
work=$(mktemp -d "${TMPDIR:-/tmp}/ringfence-exhaust.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root/proc" "$work/root/tmp" "$work/bundle" "$work/state"
cp "$build/escape/exhaust" "$work/root/"
failures=0
memory=$((128 << 20))
most=$(((128 + 64 + 128 / 24) << 10)) # KiB: the limit, and what the host's control group gives beyond it (cli/cgroup.h)

# Where the host counts memory it does so for the sandbox: one that goes over is killed.
group=null
{ [ -d /sys/fs/cgroup/memory ] || grep -qw memory /sys/fs/cgroup/cgroup.controllers; } 2>/dev/null && group="\"/ringfence-exhaust-$$\""

# descendants PID: one a line
descendants() {
	local child
	for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
		echo "$child"
		descendants "$child"
	done
}
# resident PID: KiB that these processes hold, pages that they share counted once
resident() {
	local p
	for p in $1 $(descendants "$1"); do cat /proc/"$p"/smaps_rollup 2>/dev/null; done | awk '/^Pss:/ { n += $2 } END { print n + 0 }'
}
run() { # KIND: status in $status, the highest sum in $held
	jq -n --arg root "$work/root" --argjson memory $memory --arg kind "$1" --argjson group "$group" '{ociVersion: "1.0.2",
		process: {terminal: false, user: {uid: 0, gid: 0}, cwd: "/", args: ["/exhaust", $kind],
			capabilities: {bounding: [], effective: [], permitted: []},
			rlimits: [{type: "RLIMIT_NOFILE", hard: 16384, soft: 1024}]},
		root: {path: $root, readonly: true}, mounts: [{destination: "/proc", type: "proc", source: "proc"},
			{destination: "/tmp", type: "tmpfs", source: "tmpfs"}],
		linux: {cgroupsPath: $group, resources: {memory: {limit: $memory}}}}' >"$work/bundle/config.json"
	timeout -k 5 "${LIMIT:-60}" "$rf" --root "$work/state" --platform="$platform" run -b "$work/bundle" exhaust \
		>"$work/out" 2>&1 </dev/null &
	local pid=$! now
	held=0
	while kill -0 $pid 2>/dev/null; do
		now=$(resident $pid)
		[ "$now" -le $held ] || held=$now
		sleep 0.2
	done
	wait $pid
	status=$?
}

for kind in $("$build/escape/exhaust"); do
	echo "$kind" | grep -Eq -- "$pattern" || continue
	run "$kind"
	allowed='^0$'
	[ "$kind" != shm ] || allowed='^(0|4|137)$' # segments outlive their process and kill the next one, or the first: the container's own end frees them
	if [[ ! $status =~ $allowed ]]; then
		failures=1
		echo "FAIL $platform exhaust $kind: status $status: $(tail -c 300 "$work/out" | tr '\n' '|')"
	elif [ "$held" -gt $most ]; then
		failures=1
		echo "FAIL $platform exhaust $kind: $((held >> 10)) MiB held, at most $((most >> 10))"
	elif [ -e "$work/state/exhaust" ]; then
		failures=1
		echo "FAIL $platform exhaust $kind: state is left"
	else
		echo "PASS $platform exhaust $kind ($((held >> 10)) MiB)"
	fi
	rm -rf "$work/state/exhaust"
done
[ $failures = 0 ]
