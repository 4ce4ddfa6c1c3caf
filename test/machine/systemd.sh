#!/bin/bash
# systemd.sh BUILD: --systemd-cgroup under a real systemd, with control groups of version 2. Run it in the test machine
# (run.sh -- bash test/machine/systemd.sh BUILD): systemd becomes process 1 of a pid namespace there, a unit of it makes
# containers and looks at what systemd has made of them. The last line is "systemd: passed" or "systemd: failed".
set -u
build=$1 work=/run/rf-systemd
if [ "${2:-}" != inside ]; then
	mkdir -p $work /etc/systemd/system
	cat >/etc/systemd/system/rf-test.service <<U
[Unit]
DefaultDependencies=no
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
ExecStart=/bin/bash $(realpath "$0") $build inside
StandardOutput=file:$work/out
StandardError=inherit
U
	timeout -k 5 120 unshare -pmf --mount-proc env container=rf /lib/systemd/systemd --unit=rf-test.service \
		--log-target=console --show-status=0 </dev/null >$work/log 2>&1
	cat $work/out 2>/dev/null || { cat $work/log; echo "systemd: failed"; }
	exit 0
fi
failed=0
rf=$build/ringfence
bad() { echo "FAIL $*"; failed=1; }
property() { systemctl show -P "$1" docker-one.scope; }
is() { [ "$2" = "$3" ] || bad "$1: $2, not $3"; }
mkdir -p $work/b/rootfs/bin
cp /bin/busybox $work/b/rootfs/bin/sh
"$rf" spec -b $work/b
jq '.process.terminal = false | .process.args = ["sh", "-c", "while :; do :; done"] | .linux.cgroupsPath = "rf-test.slice:docker:one" |
	.linux.resources = {memory: {limit: 104857600}, cpu: {shares: 512, quota: 50000, period: 100000}, pids: {limit: 20}} |
	.annotations = ({TimeoutStopSec: "uint64 12", CollectMode: "\u0027inactive-or-failed\u0027", SendSIGHUP: "true",
	Before: "[\u0027shutdown.target\u0027]"} | with_entries(.key |= "org.systemd.property." + .))' \
	$work/b/config.json >$work/c && cp $work/c $work/b/config.json
run() { "$rf" --platform=ptrace --root $work/state --systemd-cgroup "$@"; }
run create -b $work/b --pid-file $work/pid one </dev/null >$work/created 2>&1 || bad "create: $(cat $work/created)"
run start one || bad "start"
group=/sys/fs/cgroup$(property ControlGroup)
is "state of the unit" "$(property ActiveState)" active
is "slice" "$(property Slice)" rf-test.slice
is "delegation" "$(property Delegate)" yes
is "memory" "$(property MemoryMax) $(cat "$group/memory.max")" "176332800 176332800"
is "quota" "$(property CPUQuotaPerSecUSec) $(cat "$group/cpu.max")" "500ms 50000 100000"
is "weight" "$(cat "$group/cpu.weight")" 20
is "annotations" "$(property TimeoutStopUSec) $(property CollectMode) $(property SendSIGHUP) $(property Before)" \
	"12s inactive-or-failed yes shutdown.target"
is "devices" "$(property DevicePolicy)" strict
is "tasks" "$(property TasksMax)" "$(cat "$group/pids.max")"
grep -q -x "$(cat $work/pid)" "$group/cgroup.procs" || bad "the sandbox is not in its unit"
systemctl daemon-reload
is "memory after a reload" "$(cat "$group/memory.max")" 176332800
"$rf" --root $work/state update --cpu-quota 20000 --cpu-period 100000 one || bad "update"
is "updated quota" "$(property CPUQuotaPerSecUSec) $(cat "$group/cpu.max")" "200ms 20000 100000"
"$rf" --root $work/state update --cpu-period 200000 one || bad "update of the period alone"
is "a period alone" "$(property CPUQuotaPerSecUSec) $(cat "$group/cpu.max")" "100ms 20000 200000"
"$rf" --root $work/state delete --force one || bad "delete"
is "unit after delete" "$(property ActiveState)" inactive
[ -d "$group" ] && bad "the group was left"
[ $failed = 0 ] && echo "systemd: passed" || echo "systemd: failed"
