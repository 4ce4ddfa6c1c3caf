#!/bin/bash
# The limits of config.json as programs inside see them (/sys/fs/cgroup), runtimes that size themselves by them, what `update` changes of
# them, and a quota that the sentry keeps. On this host's own root, for its Java and Node. Usage: limits-inside.sh BUILD
set -u
. "$(dirname "$0")/../begin.sh" "$1"
rf="$rf --network=none --cgroup-manager=disabled"
trap '$rf delete --force one 2>/dev/null; $rf delete --force two 2>/dev/null; rm -rf "$work"' EXIT
sh "$here/suite/bundle.sh" "$work/b" / "$work" sleep 1000
jq '.process.rlimits = [] | .linux.resources = {memory: {limit: 536870912, reservation: 104857600, swap: 536870912},
		cpu: {shares: 512, quota: 150000, period: 100000}, pids: {limit: 100}} |
	.mounts += [{destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro"]},
		{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "noexec", "nodev"]}]' \
	"$work/b/config.json" >"$work/c" && mv "$work/c" "$work/b/config.json"
$rf create -b "$work/b" one </dev/null >"$work/out" 2>&1 && $rf start one || { cat "$work/out"; exit 1; }
inside() { $rf exec one "$@" 2>"$work/err" </dev/null; }
shown() { inside sh -c 'cd /sys/fs/cgroup; for f; do cat $f; done' sh "$@" | paste -s -d' '; }
check "shown" "536870912 104857600 0 150000 100000 20 100 cpuset cpu io memory pids" \
	"$(shown memory.max memory.low memory.swap.max cpu.max cpu.weight pids.max cgroup.controllers)"
check "charged" 1 "$(inside sh -c 'cat /sys/fs/cgroup/memory.current' | awk '{ print ($1 > 1000000 && $1 < 500000000) }')"
check "/proc/cgroups" "blkio cpu cpuacct cpuset memory pids" "$(inside awk '$2 == 0 && $4 == 1 { print $1 }' /proc/cgroups | sort | paste -s -d' ')"
if command -v java >"$work/out"; then
	check "Java's heap, a quarter" 134217728 "$(inside java -XX:+PrintFlagsFinal -version | awk '$2 == "MaxHeapSize" { print $4 }')"
	check "Java's view" "CPU Quota: 150000us" "$(inside java -XshowSettings:system -version; grep -o 'CPU Quota: .*' "$work/err")"
fi
if command -v node >"$work/out"; then
	check "Node's memory and CPUs" "536870912 2" "$(inside node -p '`${process.constrainedMemory()} ${os.availableParallelism()}`')"
fi
# A quota that nobody but the sentry keeps: three busy programs for a second have 1.5 s of CPU time.
used=$(inside sh -c 'for i in 1 2 3; do timeout 1 sh -c "while :; do :; done" & done; wait; awk "\$1 == \"nr_throttled\" { print (\$2 > 3) } \$1 == \"usage_usec\" { print \$2 }" /sys/fs/cgroup/cpu.stat' | paste -s -d' ')
check "throttled" 1 "${used##* }"
$rf update --memory 200M --cpu-quota 50000 --cpu-period 100000 --pids-limit 50 one || failed=1
check "updated" "209715200 50000 100000 50" "$(shown memory.max cpu.max pids.max)"
# One of quota and period alone leaves the other as it is, like runc; so do other limits both.
$rf update --cpu-period 200000 one; check "a period alone" "50000 200000" "$(shown cpu.max)"
$rf update --cpu-quota 150000 one; check "a quota alone" "150000 200000" "$(shown cpu.max)"
$rf update --pids-limit 60 one; check "neither" "150000 200000" "$(shown cpu.max)"
$rf update --cpu-quota -1 one; $rf update --cpu-period 50000 one; check "a period without a quota" "max 50000" "$(shown cpu.max)"
inside python3 -c 'b = b"x" * (300 << 20)'; check "above the new limit" 137 $?
check "counted" 1 "$(inside awk '$1 == "oom_kill" { print $2 }' /sys/fs/cgroup/memory.events)"
# Once the top gives a controller to a group for its processes, what `exec` starts is where the first process is, as with runc.
inside sh -c 'cd /sys/fs/cgroup && mkdir init && for p in $(cat cgroup.procs); do echo $p >init/cgroup.procs; done; echo +memory >cgroup.subtree_control'
check "beside the first process" "0::/init" "$(inside cat /proc/self/cgroup)"
# A container that needs no group on the host has none there: a quota that it is given later is the sentry's to keep as well, and a share
# of the host's CPUs is nobody's.
plain=${rf/ --cgroup-manager=disabled/}
jq 'del(.linux.resources)' "$work/b/config.json" >"$work/c" && mv "$work/c" "$work/b/config.json"
$plain create -b "$work/b" two </dev/null >"$work/out" 2>&1 && $plain start two || { cat "$work/out"; exit 1; }
$plain update --cpu-quota 20000 --cpu-period 100000 two || failed=1
check "a quota without a group" True "$($plain exec two python3 -c 'import time
before = time.process_time(); end = time.monotonic() + 1
while time.monotonic() < end: pass
print(time.process_time() - before < 0.45)' 2>&1)"
$plain update --cpu-share 100 two 2>"$work/err"; check "a share without a group" 1 $?
exit $failed
