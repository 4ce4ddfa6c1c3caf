#!/bin/bash
# A systemd of this host's own root as a container's first process: the limits of its units hold (MemoryMax=, CPUQuota=, TasksMax=).
# Usage: systemd-inside.sh BUILD
set -u
[ -x /lib/systemd/systemd ] || { echo "SKIP no systemd on this host"; exit 0; }
. "$(dirname "$0")/../begin.sh" "$1"
rf="$rf --network=none --cgroup-manager=disabled --overlay"
trap '$rf delete --force one 2>/dev/null; rm -rf "$work"' EXIT
sh "$here/suite/bundle.sh" "$work/b" / "$work" /lib/systemd/systemd --unit=basic.target
jq '.root.readonly = false | .process.rlimits = [] | .process.noNewPrivileges = false | .process.env += ["container=oci"] |
	.process.capabilities.bounding += ["CAP_SYS_ADMIN", "CAP_SYS_RESOURCE"] | .linux.resources = {memory: {limit: 1073741824}} |
	.process.capabilities |= {bounding, effective: .bounding, permitted: .bounding} | .linux.namespaces += [{type: "cgroup"}] |
	.mounts += [{destination: "/run", type: "tmpfs", source: "tmpfs"}, {destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro"]},
		{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "noexec", "nodev"]}]' \
	"$work/b/config.json" >"$work/c" && mv "$work/c" "$work/b/config.json"
$rf create -b "$work/b" one </dev/null >"$work/out" 2>&1 && $rf start one || { cat "$work/out"; exit 1; }
inside() { timeout -k 5 30 $rf exec one "$@" 2>&1 </dev/null; }
until_ok 30 inside systemctl is-active basic.target || { echo "systemd did not come up"; inside systemctl --failed; exit 1; }
inside systemd-run --unit=big -p MemoryMax=40M python3 -S -c 'b = b"x" * (100 << 20)' >"$work/out"
inside systemd-run --unit=slow -p CPUQuota=20% -p TasksMax=7 sh -c 'while :; do :; done' >>"$work/out"
until_ok 30 inside sh -c '[ "$(systemctl show big -p Result)" != Result=success ]'
check "MemoryMax=" "Result=oom-kill" "$(inside systemctl show big -p Result)"
check "CPUQuota=, TasksMax=" "20000 100000 7" "$(inside sh -c 'cd /sys/fs/cgroup/system.slice/slow.service && cat cpu.max pids.max' | paste -s -d' ')"
check "throttled" True "$(inside python3 -c '
import time
def stat():
    return {key: int(value) for key, value in (line.split() for line in open("/sys/fs/cgroup/system.slice/slow.service/cpu.stat"))}
before, begin = stat(), time.monotonic()
time.sleep(1)
after, took = stat(), time.monotonic() - begin
print(after["nr_throttled"] > before["nr_throttled"] and 50000 < after["usage_usec"] - before["usage_usec"] < took * 500000)')"
exit $failed
