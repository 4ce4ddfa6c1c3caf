#!/bin/bash
# --systemd-cgroup for an ordinary user, against a mock of that user's manager on a bus of its own: from a user namespace, in the user's
# own part of a tree of version 2; what is said where a controller is not delegated, and without the manager. Usage: systemd-user.sh BUILD
# Under a real one: test/machine/systemd-user.sh.
set -u
[ "${2:-}" = inside ] || exec unshare -m bash "$0" "$1" inside
build=$1 id=$((300000 + $$ % 10000)) top=/sys/fs/cgroup/rf-user-$$
. "$(dirname "$0")/../check.sh"
work=$(mktemp -d /tmp/rf-systemd-user.XXXXXX)
finish() {
	as "$work/bin/ringfence" delete --force one >/dev/null 2>&1
	for pid in ${mock:-} ${bus:-}; do kill "$pid"; done
	echo $$ >/sys/fs/cgroup/cgroup.procs
	find "$top" -depth -type d -exec rmdir {} \; 2>/dev/null
	umount /etc/passwd
	rm -rf "$work"
	exit $failed
}
# as COMMAND…: as that user, in its own session's directory
as() { timeout -k 5 60 setpriv --reuid "$id" --regid "$id" --clear-groups env -i PATH="$PATH" HOME="$work" XDG_RUNTIME_DIR="$work/run" ${address:+DBUS_SESSION_BUS_ADDRESS="$address"} "$@"; }
rf() { as "$work/bin/ringfence" --platform="${PLATFORM:-ptrace}" --systemd-cgroup "$@" </dev/null >"$work/out" 2>&1; }
says() { grep -q -F -e "$2" "$work/out" || { echo "$1: $(cat "$work/out")"; failed=1; }; }
refused() { # WHAT PATTERN
	rf create -b "$work/b" one && { echo "$1: accepted"; failed=1; }
	says "$1" "$2"
	[ -e "$work/run/ringfence/one" ] && { echo "$1: its state was left"; failed=1; }
}
config() { jq "$1" "$work/b/config.json" >"$work/c" && cat "$work/c" >"$work/b/config.json"; }

mkdir -p "$work/b/rootfs/bin" "$work/b/rootfs/proc" "$work/b/rootfs/dev" "$work/b/rootfs/sys" "$work/run" "$work/bin"
cp /bin/busybox "$work/b/rootfs/bin/sh"
cp "$build/ringfence" "$build/ringfence-systemd" "$build/sentry.elf" "$work/bin/" # where the user can read them
{ cat /etc/passwd; echo "rf-user:x:$id:$id::$work:/bin/sh"; } >"$work/passwd" && mount --bind "$work/passwd" /etc/passwd # dbus-daemon wants a name
chown -R "$id:$id" "$work"
chmod 755 "$work"
as unshare --user --map-root-user true 2>/dev/null || { echo "SKIP this host gives ordinary users no user namespaces"; finish; }
as "$work/bin/ringfence" spec --rootless -b "$work/b"
config '.process.terminal = false | .process.args = ["sh", "-c", "while :; do :; done"] | del(.linux.resources)'
mount -t tmpfs none /run/systemd
mkdir /run/systemd/system

if grep -q '^[^ ]* [^ ]* cgroup ' /proc/self/mounts; then
	refused "version 1" "--systemd-cgroup: an ordinary user has no control groups of version 1"
	umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup || { echo "SKIP no version 2 here"; finish; }
fi
mkdir "$top" "$top/init" && chown -R "$id" "$top" || { echo "SKIP no control group can be made here"; finish; }
echo $$ >"$top/init/cgroup.procs"
refused "without a manager" "connecting to systemd's manager of the user: "
as dbus-daemon --nofork --session --address="unix:path=$work/run/bus" >"$work/bus.log" 2>&1 &
bus=$!
until_ok 10 test -S "$work/run/bus" || { echo "dbus-daemon does not start: $(cat "$work/bus.log")"; failed=1; finish; }
as env DBUS_SYSTEM_BUS_ADDRESS="unix:path=$work/run/bus" GROUP="${top#/sys/fs/cgroup}" /usr/bin/python3 - "$work/run/log" /sys/fs/cgroup \
	<"$(dirname "$0")/systemd-mock.py" >"$work/mock" 2>&1 &
mock=$!
until_ok 10 grep -q ready "$work/run/log" || { echo "the mock does not start: $(cat "$work/mock")"; failed=1; finish; }

rf create -b "$work/b" --pid-file "$work/run/pid" one || { cat "$work/out"; failed=1; finish; } # by XDG_RUNTIME_DIR
group=$top/user.slice/ringfence-one.scope
check "the group" "$(cat "$work/run/pid")" "$(head -1 "$group/cgroup.procs")"
check "properties" 1 "$(grep '^StartTransientUnit' "$work/run/log" | grep 'Delegate=True' | grep -v Device | grep -c ' Slice=user.slice')"
rf start one || { echo "start: $(cat "$work/out")"; failed=1; }
[ "$(wc -l <"$group/cgroup.procs")" -ge 3 ] || { echo "gofer and stubs are not in the unit's group"; failed=1; }
rf delete --force one || { echo "delete: $(cat "$work/out")"; failed=1; }
check "stopped" "StopUnit ringfence-one.scope" "$(tail -1 "$work/run/log")"
[ -e "$group" ] && { echo "the group was left"; failed=1; }
address=unix:path=$work/run/other
refused "another address" "connecting to systemd's manager of the user: "
mv "$work/run/bus" "$work/run/other"
config '.linux.cgroupsPath = "user-a.slice:x:one"'
rf run -d -b "$work/b" one || { echo "run: $(cat "$work/out")"; failed=1; }
[ -d "$top/user.slice/user-a.slice/x-one.scope" ] || { echo "no group for user-a.slice"; failed=1; }
rf update --pids-limit 10 one && ! grep -q pids "$top/cgroup.controllers" && { echo "update without the controller: accepted"; failed=1; }
grep -q pids "$top/cgroup.controllers" || says "update" "linux.resources.pids.limit: the host's control group $top/user.slice/user-a.slice/x-one.scope has no controller pids: it is not delegated to the user"
rf delete --force one || { echo "delete: $(cat "$work/out")"; failed=1; }
if ! grep -q memory "$top/cgroup.controllers"; then
	config '.linux.resources = {memory: {limit: 104857600}}'
	refused "a controller that is not delegated" "has no controller memory: it is not delegated to the user"
fi
finish
