#!/bin/bash
# An ordinary user's containers: a bundle of `spec --rootless` by run and by create, start, exec, kill and delete, with
# one id and with ranges by newuidmap(1), owners of files on the host, and what is refused. crun as the same user beside
# it where it is there. Usage: rootless.sh BUILD [PLATFORM]
set -u
build=$1 platform=${2:-ptrace}
user=rf-test$$ failed=0
bad() { echo "FAIL $*"; failed=1; }
work=$(mktemp -d /tmp/rf-rootless.XXXXXX)
id=$((200000 + $$ % 10000)) range=$((3000000 + $$ % 1000 * 65536))
finish() {
	[ -z "${added:-}" ] || sed -i "/^$user:/d" /etc/passwd /etc/group /etc/subuid /etc/subgid
	rm -rf "$work"
	exit $failed
}
command -v newuidmap >/dev/null || { bad "newuidmap is not installed"; finish; }
echo "$user:x:$id:$id::$work:/bin/sh" >>/etc/passwd
echo "$user:x:$id:" >>/etc/group
echo "$user:$range:65536" | tee -a /etc/subuid >>/etc/subgid
added=1
mkdir -p "$work/b/rootfs/bin" "$work/run"
for name in sh id ls touch chown stat sleep cat mkdir; do cp /bin/busybox "$work/b/rootfs/bin/$name"; done
mkdir "$work/b/rootfs/proc" "$work/b/rootfs/dev" "$work/b/rootfs/sys"
mkdir "$work/bin"
cp "$build/ringfence" "$build/sentry.elf" "$work/bin/" # where the user can read them
chown -R "$id:$id" "$work"
chmod 755 "$work"
# as COMMAND…: as that user, in its own session's directory
as() { timeout -k 5 90 setpriv --reuid "$id" --regid "$id" --clear-groups env -i PATH="$PATH" HOME="$work" USER="$user" XDG_RUNTIME_DIR="$work/run" "$@"; }
rf() { as "$work/bin/ringfence" --platform="$platform" "$@"; }
as unshare --user --map-root-user true 2>/dev/null || { echo "SKIP this host gives ordinary users no user namespaces"; finish; }

rf spec --rootless -b "$work/b" || bad "spec --rootless"
grep -q '"network"' "$work/b/config.json" && bad "spec --rootless has a network namespace"
# config JQ-FILTER [--arg…]: of what spec wrote
cp "$work/b/config.json" "$work/spec"
config() { jq "$@" "$work/spec" >"$work/c" && cat "$work/c" >"$work/b/config.json"; }
program() { config --arg text "$1" '.process.terminal = false | .root.readonly = false | .process.env += ["PATH=/bin"] |
	.process.args = ["sh", "-c", $text] |
	.process.capabilities |= map_values(. + ["CAP_CHOWN"])'"${2:+ | $2}"; }

program 'id -u; id -g; touch /made; stat -c "%u %g" /made; cat /proc/self/uid_map; exit 7'
got=$(cd "$work" && rf run -b "$work/b" one </dev/null 2>&1; echo "status $?")
want=$(printf '0\n0\n0 0\n%10u %10u %10u\nstatus 7' 0 "$id" 1)
[ "$got" = "$want" ] || bad "run: $got"
[ "$(stat -c %u "$work/b/rootfs/made")" = "$id" ] || bad "the file on the host is not the user's"
rm -f "$work/b/rootfs/made"
if command -v crun >/dev/null; then
	# crun wants one cgroup hierarchy: a hybrid host's second one is hidden from it.
	got=$(cd "$work" && export -f as && export id work user &&
		unshare -m bash -c 'umount /sys/fs/cgroup/unified 2>/dev/null; as crun --cgroup-manager=disabled run -b "$work/b" one' </dev/null 2>&1; echo "status $?")
	[ "$got" = "$want" ] || bad "run under crun: $got"
	rm -f "$work/b/rootfs/made"
fi

program 'sleep 1000'
rf create -b "$work/b" --pid-file "$work/pid" one </dev/null >"$work/out" 2>&1 || bad "create: $(cat "$work/out")"
[ -e "$work/run/ringfence/one/state.json" ] || bad "the state is not in the user's directory"
as unshare --user --map-root-user env -u USER "$work/bin/ringfence" list -q | grep -qx one || bad "Podman's root, without USER, looks elsewhere"
rf start one || bad "start"
[ "$(stat -c %u "/proc/$(cat "$work/pid")")" != 0 ] || bad "the sandbox runs as root"
[ "$(rf exec one id -u 2>&1)" = 0 ] || bad "exec"
rf state one | grep -q '"running"' || bad "state"
rf list -q | grep -q -x one || bad "list"
rf kill one KILL || bad "kill"
for _ in $(seq 50); do rf state one | grep -q '"stopped"' && break; sleep 0.1; done
rf delete one || bad "delete"
[ -e "$work/run/ringfence/one" ] && bad "left: $(ls "$work/run/ringfence")"

ranges='.linux.uidMappings = [{containerID: 0, hostID: '$id', size: 1}, {containerID: 1, hostID: '$range', size: 65536}] | .linux.gidMappings = .linux.uidMappings'
program 'mkdir /d && chown 1000:1001 /d && stat -c "%u %g" /d; id -u' "$ranges"
got=$(rf run -b "$work/b" one </dev/null 2>&1; echo "status $?")
[ "$got" = "$(printf '1000 1001\n0\nstatus 0')" ] || bad "ranges: $got"
[ "$(stat -c '%u %g' "$work/b/rootfs/d")" = "$((range + 999)) $((range + 1000))" ] || bad "ranges: on the host $(stat -c '%u %g' "$work/b/rootfs/d")"
rmdir "$work/b/rootfs/d" 2>/dev/null
program 'id -u; id -g' "$ranges | .process.user = {uid: 1000, gid: 1000}"
got=$(rf run -b "$work/b" one </dev/null 2>&1)
[ "$got" = "$(printf '1000\n1000')" ] || bad "another user in a range: $got"

program 'id -u' '.linux.namespaces += [{type: "network"}]'
got=$(rf run -b "$work/b" one </dev/null 2>&1; echo "status $?")
[ "$got" = "$(printf '0\nstatus 0')" ] || bad "a network namespace: $got"
hook='[{path: "/bin/sh", args: ["sh", "-c", "readlink /proc/self/ns/net >>'$work'/nets"]}]'
program 'true' '.linux.namespaces += [{type: "network"}] | .hooks = {createRuntime: '"$hook, poststart: $hook, poststop: $hook}"
rf run -b "$work/b" one </dev/null || bad "hooks"
[ "$(uniq -c "$work/nets" | tr -s ' ')" = " 3 $(readlink /proc/self/ns/net)" ] || bad "hooks run in another network: $(cat "$work/nets")"
program 'id -u' '.linux.namespaces += [{type: "network"}]'
rf run -d -b "$work/b" one </dev/null >"$work/out" 2>&1 || bad "a network namespace, detached: $(cat "$work/out")"
rf delete --force one || bad "delete"
program 'id -u'
got=$(rf --network=host run -b "$work/b" one </dev/null 2>&1; echo "status $?")
[ "$got" = "$(printf '0\nstatus 0')" ] || bad "--network=host: $got"
ranges='.linux.uidMappings = [{containerID: 0, hostID: '$id', size: 1}, {containerID: 1, hostID: '$range', size: 10}]'
program 'id -u' "$ranges"
got=$(rf run -b "$work/b" one </dev/null 2>&1; echo "status $?")
[ "$got" = "$(printf '0\nstatus 0')" ] || bad "ranges of users, one group: $got"
program 'id -u'
got=$(as env --ignore-signal=CHLD "$work/bin/ringfence" --platform="$platform" run -b "$work/b" one </dev/null 2>&1; echo "status $?")
[ "$got" = "$(printf '0\nstatus 0')" ] || bad "SIGCHLD ignored: $got"
mkdir "/tmp/ringfence-$id"
got=$(as env -u XDG_RUNTIME_DIR "$work/bin/ringfence" list 2>&1) && bad "a state directory of somebody else: accepted"
case $got in *"not a directory of user $id"*) ;; *) bad "a state directory of somebody else: $got" ;; esac
rmdir "/tmp/ringfence-$id"
got=$(rf do id -u 2>&1 </dev/null)
[ "$got" = 0 ] || [ "$got" = "$id" ] || bad "do: $got"

# refuse FILTER PATTERN
refuse() {
	program 'id -u' "$1"
	got=$(rf run -b "$work/b" one </dev/null 2>&1) && bad "$1: accepted"
	case $got in *"$2"*) ;; *) bad "$1: $got" ;; esac
}
refuse 'del(.linux.uidMappings, .linux.gidMappings) | .linux.namespaces |= map(select(.type != "user"))' "rootless container requires user namespaces"
refuse '.linux.uidMappings[0].hostID = 0' "newuidmap"
refuse '.linux.cgroupsPath = "/rf/one" | .linux.resources = {memory: {limit: 50000000}}' "control group"
finish
