#!/bin/bash
# Changes of the network by netlink and ioctl, and news of them: changes.py in a namespace on Linux, and in a sandbox
# that has taken over one like it, print the same.
# Usage: changes.sh BUILD (PLATFORM and ROOT from the environment)
set -u
rf=$1/ringfence
here=$(cd "$(dirname "$0")" && pwd)
root=${ROOT:-/var/cache/ringfence/debian}
out=rf-co-$$ in=rf-ci-$$
work=$(mktemp -d)
trap 'ip netns del $out 2>/dev/null; ip netns del $in 2>/dev/null; rm -rf "$work"' EXIT

. "$here/../veth.sh"
make_namespaces() {
	link_namespaces $out $in
	ip -n $out addr add 10.77.0.1/24 dev rf0
	ip -n $out addr add fd77::1/64 dev rf0 nodad
	sleep 0.3
}

make_namespaces
ip netns exec $in python3 "$here/changes.py" >"$work/linux" 2>&1
make_namespaces
mkdir "$work/b"
"$rf" spec -b "$work/b"
jq --arg ns "/run/netns/$in" --arg root "$root" --arg mnt "$here" '
	.process.args = ["python3", "/mnt/changes.py"] | .process.terminal = false | .root.path = $root
	| .process.capabilities |= map_values(. + ["CAP_NET_ADMIN"])
	| .linux.namespaces |= map(if .type == "network" then .path = $ns else . end)
	| .mounts += [{destination: "/mnt", type: "bind", source: $mnt, options: ["bind", "ro"]}]
	' "$work/b/config.json" >"$work/new" && mv "$work/new" "$work/b/config.json"
timeout -k 5 60 "$rf" --platform="${PLATFORM:-ptrace}" run -b "$work/b" "changes-$$" >"$work/inside" 2>&1 </dev/null
diff "$work/linux" "$work/inside" || exit 1
grep -q 'by ioctl' "$work/linux" || { cat "$work/linux"; exit 1; }
# Without CAP_NET_ADMIN nothing changes.
jq '.process.capabilities |= map_values(. - ["CAP_NET_ADMIN"])' "$work/b/config.json" >"$work/new" && mv "$work/new" "$work/b/config.json"
timeout -k 5 60 "$rf" --platform="${PLATFORM:-ptrace}" run -b "$work/b" "changes-$$" >"$work/inside" 2>&1 </dev/null
[ "$(grep -cE '^(add|replace|mtu|down|up|delete|address|mask)\b.* EPERM' "$work/inside")" -ge 12 ] || { cat "$work/inside"; exit 1; }
