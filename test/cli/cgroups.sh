#!/bin/bash
# The host's control group of a container: made as config.json says, entered by every process
# of the sandbox, and gone afterwards. Usage: cgroups.sh BUILD
set -u
rf=$1/ringfence
work=$(mktemp -d /tmp/rf-cgroups.XXXXXX)
name=rf-test-$$
export PATH=$PATH:/usr/sbin
failed=0
bad() { echo "FAIL $*"; failed=1; }
finish() {
	"$rf" --root "$work/state" delete --force one >/dev/null 2>&1
	rm -rf "$work"
	exit $failed
}
groups() { find /sys/fs/cgroup -type d -name "$name" 2>/dev/null; }
# value V1-FILE V2-FILE: of the container's group
value() {
	local at
	for at in /sys/fs/cgroup/*/"$name"/in/"$1" /sys/fs/cgroup/"$name"/in/"$2"; do
		[ -f "$at" ] && { cat "$at"; return; }
	done
	echo none
}
# is NAME GOT WANTED-V1 WANTED-V2
# The disk below the work folder, as MAJOR:MINOR; empty: it is no block device's
disk=$(lsblk -no MAJ:MIN "$(df --output=source "$work" | tail -1)" 2>/dev/null | head -1 | tr -d ' ')
is() { [ "$2" = "$3" ] || [ "$2" = "$4" ] || bad "$1: $2, not $3 or $4"; }

mkdir -p "$work/b/rootfs/bin"
cp /bin/busybox "$work/b/rootfs/bin/sh"
mkdir /sys/fs/cgroup/memory/$name 2>/dev/null || mkdir /sys/fs/cgroup/$name 2>/dev/null || {
	echo "SKIP no control group can be made here"
	rm -rf "$work"
	exit 0
}
rmdir /sys/fs/cgroup/memory/$name 2>/dev/null || rmdir /sys/fs/cgroup/$name
"$rf" spec -b "$work/b"
jq --arg path "/$name/in" '.process.terminal = false | .mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup"}] | .process.args = ["sh", "-c", "while :; do :; done"] | .linux.cgroupsPath = $path |
	.linux.resources = {memory: {limit: 104857600}, cpu: {shares: 512, quota: 50000, period: 100000}, pids: {limit: 20},
	hugepageLimits: [{pageSize: "2MB", limit: 4194304}]}' \
	"$work/b/config.json" >"$work/c" && cp "$work/c" "$work/b/config.json"

[ -z "$disk" ] || { jq --argjson major "${disk%:*}" --argjson minor "${disk#*:}" '.linux.resources += {blockIO: {weight: 300,
	throttleReadBpsDevice: [{major: $major, minor: $minor, rate: 1048576}], throttleWriteIOPSDevice: [{major: $major, minor: $minor, rate: 70}]}}' "$work/b/config.json" >"$work/c" && cp "$work/c" "$work/b/config.json"; }
"$rf" --platform=ptrace --root "$work/state" create -b "$work/b" --pid-file "$work/pid" one </dev/null >"$work/out" 2>&1 || {
	bad "create: $(cat "$work/out")"
	finish
}
"$rf" --platform=ptrace --root "$work/state" start one || bad start
is "memory" "$(value memory.limit_in_bytes memory.max)" 176332800 176332800
is "shares" "$(value cpu.shares cpu.weight)" 512 20
is "quota" "$(value cpu.cfs_quota_us cpu.max)" 50000 "50000 100000"
if [ -n "$disk" ]; then
	is "weight of the disk" "$(value blkio.bfq.weight io.bfq.weight)$(value blkio.weight io.weight)" 300none "nonedefault 2930"
	is "bytes read a second" "$(value blkio.throttle.read_bps_device io.max)" "$disk 1048576" "$disk rbps=1048576 wbps=max riops=max wiops=70"
	is "writes a second" "$(value blkio.throttle.write_iops_device io.max)" "$disk 70" "$disk rbps=1048576 wbps=max riops=max wiops=70"
	is "shown inside" "$("$rf" --root "$work/state" exec one sh -c "read -r line </sys/fs/cgroup/io.max; echo \"\$line\"")" "$disk rbps=1048576 wbps=max riops=max wiops=70" "$disk rbps=1048576 wbps=max riops=max wiops=70"
fi
is "huge pages" "$(value hugetlb.2MB.limit_in_bytes hugetlb.2MB.max)" "$(mount | grep -q 'type cgroup .*hugetlb' && echo 4194304 || echo none)" 4194304
[ "$(value pids.max pids.max)" -ge 20 ] || bad "tasks: $(value pids.max pids.max)"
value cgroup.procs cgroup.procs | grep -q -x "$(cat "$work/pid")" || bad "the sandbox's process is not in its group"
[ "$(value cgroup.procs cgroup.procs | wc -l)" -ge 3 ] || bad "gofer and stubs are not in the group"
"$rf" --root "$work/state" update --cpu-quota 20000 --cpu-period 100000 --pids-limit 10 --memory 50m one || bad update
is "updated quota" "$(value cpu.cfs_quota_us cpu.max)" 20000 "20000 100000"
is "updated memory" "$(value memory.limit_in_bytes memory.max)" 121720832 121720832
"$rf" --root "$work/state" update --cpu-period 200000 one || bad "update of the period"
is "quota beside a new period" "$(value cpu.cfs_quota_us cpu.max)" 20000 "20000 200000"
"$rf" --root "$work/state" update --cpu-quota 40000 one || bad "update of the quota"
is "period beside a new quota" "$(value cpu.cfs_period_us cpu.max)" 200000 "40000 200000"
if [ -n "$disk" ]; then
	"$rf" --root "$work/state" update --blkio-weight 200 one || bad "update of the weight"
	is "updated weight" "$(value blkio.bfq.weight io.bfq.weight)$(value blkio.weight io.weight)" 200none "nonedefault 1920"
fi
echo '{"cpu": {"shares": 256}}' | "$rf" --root "$work/state" update --resources - one || bad "update by a file"
is "updated shares" "$(value cpu.shares cpu.weight)" 256 10
"$rf" --root "$work/state" update --memory 1g one 2>"$work/out" && bad "update: more memory than the sandbox has"
grep -q 'made with 104857600' "$work/out" || bad "update: $(cat "$work/out")"
kill -KILL "$(cat "$work/pid")"
"$rf" --root "$work/state" delete --force one || bad "delete"
[ -z "$(groups)" ] || bad "left: $(groups)"

for path in /a/../b / ../x; do
	jq --arg path "$path" '.linux.cgroupsPath = $path' "$work/b/config.json" >"$work/c" && cp "$work/c" "$work/b/config.json"
	"$rf" --platform=ptrace --root "$work/state" run -b "$work/b" one >"$work/out" 2>&1 && bad "cgroupsPath $path: accepted"
	grep -q cgroupsPath "$work/out" || bad "cgroupsPath $path: $(cat "$work/out")"
done
finish
