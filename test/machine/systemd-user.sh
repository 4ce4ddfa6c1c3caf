#!/bin/bash
# systemd-user.sh BUILD: --systemd-cgroup for an ordinary user under a real manager of that user, with control groups of version 2. Run it
# in the test machine (run.sh -- bash test/machine/systemd-user.sh BUILD): systemd becomes process 1 of a pid namespace there and starts the
# user's; a unit of that one makes containers, by the manager's own socket and by the user's bus, and looks at what has become of
# them; then the same from outside of the user's part of the tree, as from a login, where systemd itself has to move the process.
# Each ends with the line "systemd-user: passed" or "systemd-user: failed".
set -u
build=$1 work=/run/rf-systemd-user user=rf-user runtime=/run/rf-user
if [ "${2:-}" = "" ]; then
	mkdir -p $work/bin $runtime /etc/systemd/system
	echo "$user:x:1234:1234::$work:/bin/sh" >>/etc/passwd
	cp "$build/ringfence" "$build/ringfence-systemd" "$build/sentry.elf" $work/bin/
	chown -R 1234:1234 $work $runtime
	printf '[Unit]\nDefaultDependencies=no\n[Slice]\nDisableControllers=cpuset\n' >/etc/systemd/system/rf.slice
	cat >/etc/systemd/system/rf-manager.service <<U
[Unit]
DefaultDependencies=no
Wants=dbus.socket
After=dbus.socket
[Service]
User=$user
Type=notify
Delegate=yes
Slice=rf.slice
Environment=XDG_RUNTIME_DIR=$runtime
ExecStart=/lib/systemd/systemd --user --log-target=console
U
	cat >/etc/systemd/system/rf-test.service <<U
[Unit]
DefaultDependencies=no
Wants=rf-manager.service dbus.socket
After=rf-manager.service dbus.socket
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
ExecStart=/usr/bin/setpriv --reuid=1234 --regid=1234 --clear-groups env XDG_RUNTIME_DIR=$runtime systemd-run --user --wait --pipe --quiet bash $(realpath "$0") $build inside
ExecStart=/usr/bin/setpriv --reuid=1234 --regid=1234 --clear-groups env XDG_RUNTIME_DIR=$runtime bash $(realpath "$0") $build inside
StandardOutput=append:$work/out
StandardError=inherit
U
	timeout -k 5 120 unshare -pmf --mount-proc env container=rf /lib/systemd/systemd --unit=rf-test.service \
		--log-target=console --show-status=0 </dev/null >$work/log 2>&1
	cat $work/out 2>/dev/null
	[ "$(grep -c '^systemd-user: ' $work/out)" = 2 ] || { cat $work/log; echo "systemd-user: failed"; }
	exit 0
fi
failed=0
bad() { echo "FAIL $*"; failed=1; }
property() { systemctl --user show -P "$1" ringfence-one.scope; }
is() { [ "$2" = "$3" ] || bad "$1: $2, not $3"; }
run() { $work/bin/ringfence --platform=ptrace --systemd-cgroup "$@"; }
mkdir -p $work/b/rootfs/bin $work/b/rootfs/proc $work/b/rootfs/dev $work/b/rootfs/sys
cp /bin/busybox $work/b/rootfs/bin/sh
[ -e $work/b/config.json ] || $work/bin/ringfence spec --rootless -b $work/b
config() { jq "$1" $work/b/config.json >$work/c && cp $work/c $work/b/config.json; }
config '.process.terminal = false | .process.args = ["sh", "-c", "while :; do :; done"] |
	.linux.resources = {memory: {limit: 104857600}, pids: {limit: 20}} |
	.annotations = ({TimeoutStopSec: "uint64 12", CollectMode: "\u0027inactive-or-failed\u0027"} | with_entries(.key |= "org.systemd.property." + .))'
for way in "the manager's socket" "the user's bus"; do
	run create -b $work/b --pid-file $work/pid one </dev/null >$work/created 2>&1 || bad "$way: create: $(cat $work/created)"
	run start one || bad "$way: start"
	group=/sys/fs/cgroup$(property ControlGroup)
	is "$way: state of the unit" "$(property ActiveState)" active
	is "$way: slice" "$(property Slice)" user.slice
	is "$way: delegation" "$(property Delegate)" yes
	is "$way: memory" "$(property MemoryMax)" "$(cat "$group/memory.max")"
	[ "$(property MemoryMax)" -ge 104857600 ] || bad "$way: memory: $(property MemoryMax)"
	is "$way: annotations" "$(property TimeoutStopUSec) $(property CollectMode)" "12s inactive-or-failed"
	is "$way: tasks" "$(property TasksMax)" "$(cat "$group/pids.max")"
	case $group in */rf-manager.service/user.slice/*) ;; *) bad "$way: in $group" ;; esac
	grep -q -x "$(cat $work/pid)" "$group/cgroup.procs" || bad "$way: the sandbox is not in its unit"
	[ "$(wc -l <"$group/cgroup.procs")" -ge 3 ] || bad "$way: gofer and stubs are not in the unit"
	before=$(property MemoryMax)
	run update --memory 50m one || bad "$way: update"
	is "$way: updated memory" "$(property MemoryMax) $((before - $(property MemoryMax) > 40000000))" "$(cat "$group/memory.max") 1"
	run update --cpuset-cpus 0 one 2>$work/created && bad "$way: a controller that is not delegated: accepted"
	grep -q 'has no controller cpuset: it is not delegated to the user' $work/created || bad "$way: $(cat $work/created)"
	run delete --force one || bad "$way: delete"
	is "$way: unit after delete" "$(property ActiveState)" inactive
	[ -d "$group" ] && bad "$way: the group was left"
	[ -S $XDG_RUNTIME_DIR/bus ] || systemctl --user start dbus.socket || bad "no bus"
done
[ $failed = 0 ] && echo "systemd-user: passed" || echo "systemd-user: failed"
