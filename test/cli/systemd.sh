#!/bin/bash
# --systemd-cgroup against a mock of systemd's manager on a bus of its own: the unit's name, slice and properties, its
# group, limits changed, the unit stopped on delete, and what is said without systemd. Usage: systemd.sh BUILD
# Under a real systemd: test/machine/systemd.sh.
set -u
[ "${2:-}" = inside ] || exec unshare -m bash "$0" "$1" inside
rf=$1/ringfence
work=$(mktemp -d /tmp/rf-systemd.XXXXXX)
slice=rftest$$
failed=0
bad() { echo "FAIL $*"; failed=1; }
finish() {
	"$rf" --root "$work/state" delete --force one >/dev/null 2>&1
	[ -z "${mock:-}" ] || kill "$mock"
	[ -z "${bus:-}" ] || kill "$bus"
	find /sys/fs/cgroup -depth -type d -name "$slice*" -exec rmdir {} \; 2>/dev/null
	rm -rf "$work"
	exit $failed
}
run() { "$rf" --platform=ptrace --root "$work/state" --systemd-cgroup "$@"; }
# logged WORDS…: the last start of a unit was given each of them
logged() {
	local word line
	line=" $(grep '^StartTransientUnit' "$work/log" | tail -1) $(grep '^Types' "$work/log" | tail -1) "
	for word; do
		case $line in *" $word "*) ;; *) bad "the unit was started without $word:$line" ;; esac
	done
}
# config JQ-FILTER
config() { jq "$1" "$work/b/config.json" >"$work/c" && cp "$work/c" "$work/b/config.json"; }

mkdir -p "$work/b/rootfs/bin"
cp /bin/busybox "$work/b/rootfs/bin/sh"
"$rf" spec -b "$work/b"
config '.process.terminal = false | .process.args = ["sh", "-c", "while :; do :; done"]'

mount -t tmpfs none /run/systemd
run create -b "$work/b" one </dev/null >"$work/out" 2>&1 && bad "create without systemd: accepted"
grep -q 'systemd not running on this host, cannot use systemd cgroups manager' "$work/out" || bad "without systemd: $(cat "$work/out")"
echo '{"cgroup-manager": "cgroupfs"}' >"$work/options"
run --config="$work/options" create -b "$work/b" one </dev/null >"$work/out" 2>&1 && bad "the file goes before the command line"
mkdir /run/systemd/system

# Where systemd makes groups: the first hierarchy that the sandbox uses, or the unified one.
hierarchy=$(awk '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/ { print $2; exit }' /proc/self/mounts)
[ -n "$hierarchy" ] || hierarchy=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
mkdir "$hierarchy/$slice" 2>/dev/null && rmdir "$hierarchy/$slice" || {
	echo "SKIP no control group can be made here"
	finish
}
coproc bus { exec dbus-daemon --nofork --session --address="unix:path=$work/bus" --print-address 2>"$work/bus.log"; }
read -r -t 10 -u "${bus[0]}" address || { bad "dbus-daemon does not start"; finish; }
bus=$bus_PID
export DBUS_SYSTEM_BUS_ADDRESS=$address
/usr/bin/python3 "$(dirname "$0")/systemd-mock.py" "$work/log" "$hierarchy" >"$work/mock" 2>&1 &
mock=$!
for _ in $(seq 100); do grep -q ready "$work/log" 2>/dev/null && break; sleep 0.1; done
grep -q ready "$work/log" || { bad "the mock does not start: $(cat "$work/mock")"; finish; }

config '.linux.cgroupsPath = "'$slice'-a.slice:docker:one" |
	.linux.resources = {memory: {limit: 104857600}, cpu: {shares: 512, quota: 45500, period: 100000}, pids: {limit: 20}}'
run create -b "$work/b" --pid-file "$work/pid" one </dev/null >"$work/out" 2>&1 || { bad "create: $(cat "$work/out")"; finish; }
pid=$(cat "$work/pid")
group=$hierarchy/$slice.slice/$slice-a.slice/docker-one.scope
grep -q -x "$pid" "$group/cgroup.procs" || bad "the sandbox's process is not in its unit's group"
logged docker-one.scope "Slice=$slice-a.slice" Delegate=True "PIDs=[$pid]" DefaultDependencies=False MemoryAccounting=True \
	CPUAccounting=True TasksAccounting=True "CPUQuotaPerSecUSec=460000" CPUQuotaPeriodUSec=100000 DevicePolicy=strict
grep '^StartTransientUnit' "$work/log" | grep -q "DeviceAllow=\[('/dev/null', 'rwm')" || bad "no DeviceAllow"
grep '^StartTransientUnit' "$work/log" | grep -q -E "Memory(Max|Limit)=176332800 " || bad "no memory limit"
grep '^StartTransientUnit' "$work/log" | grep -q -E "CPU(Shares=512|Weight=20) " || bad "no shares"
grep '^StartTransientUnit' "$work/log" | grep -q "TasksMax=" || bad "no limit of tasks"
stops=$(grep -c '^StopUnit' "$work/log")
run create -b "$work/b" two </dev/null >"$work/out" 2>&1 && bad "a second container in the same unit: accepted"
grep -q 'docker-one.scope already exists' "$work/out" || bad "a second container in the same unit: $(cat "$work/out")"
[ "$(grep -c '^StopUnit' "$work/log")" = "$stops" ] || bad "a second container in the same unit: it stopped the first one's"
run start one || bad "start"
[ "$(wc -l <"$group/cgroup.procs")" -ge 3 ] || bad "gofer and stubs are not in the unit's group"
"$rf" --root "$work/state" update --cpu-quota 20000 --cpu-period 100000 --pids-limit 10 one || bad "update"
grep '^SetUnitProperties docker-one.scope' "$work/log" | grep -q 'CPUQuotaPerSecUSec=200000 .*TasksMax=' ||
	bad "update: $(grep SetUnit "$work/log")"
"$rf" --root "$work/state" update --cpu-period 200000 one || bad "update of the period alone"
grep '^SetUnitProperties' "$work/log" | tail -1 | grep -q 'CPUQuotaPerSecUSec=100000 CPUQuotaPeriodUSec=200000' ||
	bad "the period alone: $(grep SetUnit "$work/log" | tail -1)"
[ -f "$group/memory.limit_in_bytes" ] && [ "$(cat "$group/memory.limit_in_bytes")" != 176332800 ] && bad "the group's own limit"
kill -KILL "$pid"
"$rf" --root "$work/state" delete --force one || bad "delete"
grep -q '^StopUnit docker-one.scope$' "$work/log" || bad "the unit was not stopped"
[ -d "$group" ] && bad "the group was left"

config 'del(.linux.resources) | .linux.cgroupsPath = "::two" | .annotations = ({TimeoutStopSec: "uint64 12", RuntimeMaxSec: "1.5",
	CollectMode: "\u0027inactive-or-failed\u0027", SendSIGHUP: "true", After: "[\u0027network.target\u0027, \"a b.service\"]", Conflicts: "@as []",
	OOMScoreAdjust: "-5", AllowedCPUs: "[byte 0x03]", IOWeight: "uint64 18446744073709551615", Documentation: "@as [\u0027a=b\u0027]",
	Factor: "2.5"} | with_entries(.key |= "org.systemd.property." + .))'
run run -d -b "$work/b" one </dev/null >"$work/out" 2>&1 || bad "run: $(cat "$work/out")"
logged -two.scope Slice=system.slice TimeoutStopUSec=12000000 TimeoutStopUSec:UInt64 RuntimeMaxUSec=1500000 CollectMode=inactive-or-failed \
	CollectMode:String SendSIGHUP=True SendSIGHUP:Boolean "After=['network.target', 'a b.service']" After:Arrays 'Conflicts=[]' Conflicts:Arrays \
	OOMScoreAdjust=-5 OOMScoreAdjust:Int32 AllowedCPUs=03 IOWeight=18446744073709551615 "Documentation=['a=b']" Factor=2.5 Factor:Double
"$rf" --root "$work/state" delete --force one || bad "delete"

config 'del(.linux.cgroupsPath)'
run run -d -b "$work/b" one </dev/null >"$work/out" 2>&1 || bad "run without a path: $(cat "$work/out")"
logged ringfence-one.scope Slice=system.slice
"$rf" --root "$work/state" delete --force one || bad "delete"

# annotation NAME VALUE PATTERN: refused before anything starts, and nobody's business without --systemd-cgroup
annotation() {
	local before
	before=$(wc -l <"$work/log")
	jq --arg name "org.systemd.property.$1" --arg value "$2" '.annotations = {($name): $value}' "$work/b/config.json" >"$work/c" && cp "$work/c" "$work/b/config.json"
	run create -b "$work/b" one </dev/null >"$work/out" 2>&1 && bad "$1=$2: accepted"
	grep -q -F -e "annotations: org.systemd.property.$1: $2: " "$work/out" && grep -q -F -e "$3" "$work/out" || bad "$1=$2: $(cat "$work/out")"
	[ "$(wc -l <"$work/log")" = "$before" ] || bad "$1=$2: systemd was asked"
	[ -e "$work/state/one" ] && bad "$1=$2: its state was left"
}
annotation TimeoutStopUSec 'uint64 -1' "number out of range for type 't'"
annotation TimeoutStopSec "'5'" 'not a number of seconds'
annotation TimeoutStopSec -5 'not a number of seconds'
annotation TimeoutStopSec 'uint64 18446744073709551615' 'too many seconds'
annotation After '[]' 'unable to infer type'
annotation CollectMode inactive 'unknown keyword'
annotation Ab true "not a property's name"
annotation A.b true "not a property's name"
"$rf" --platform=ptrace --root "$work/state" --cgroup-manager=disabled run -d -b "$work/b" one </dev/null >"$work/out" 2>&1 ||
	bad "without --systemd-cgroup: $(cat "$work/out")"
"$rf" --root "$work/state" delete --force one || bad "delete"
config 'del(.annotations)'

# refuse PATH PATTERN: no container, no unit left
refuse() {
	config '.linux.cgroupsPath = "'"$1"'"'
	run run -b "$work/b" one </dev/null >"$work/out" 2>&1 && bad "$1: accepted"
	grep -q -e "$2" "$work/out" || bad "$1: $(cat "$work/out")"
	[ -e "$work/state/one" ] && bad "$1: its state was left"
}
refuse /plain/path 'expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "/plain/path" instead'
refuse a:b:c:d 'expected cgroupsPath'
refuse a--b.slice:x:y 'invalid slice name: a--b.slice'
refuse a/b.slice:x:y 'invalid slice name'
refuse ".slice:x:y" 'invalid slice name'
refuse "a.slice:x/:y" 'not a name for a unit'
refuse "a.slice:fail:one" 'unable to start unit fail-one.scope: failed'
kill "$mock"
wait "$mock" 2>/dev/null
mock=
refuse "a.slice:x:one" 'systemd: '
finish
