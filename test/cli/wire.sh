#!/bin/bash
# TCP and IP as seen from the wire: a host that is a script (wire/peer.py) at the other end of a veth pair sends
# whatever it likes, and checks what a program in the sandbox makes the stack answer. With "linux" as BUILD the program
# runs in the namespace itself, which is how the cases were settled.
# Usage: wire.sh BUILD|linux [CASE…] (PLATFORM and ROOT from the environment)
set -u
rf=$1/ringfence
mode=$1
shift
cases=$(cd "$(dirname "$0")/wire" && pwd)
root=${ROOT:-/var/cache/ringfence/debian}
out=rf-wo-$$ in=rf-wi-$$
work=$(mktemp -d)
trap 'ip netns del $out 2>/dev/null; ip netns del $in 2>/dev/null; rm -rf "$work"' EXIT

. "$cases/../../veth.sh"
link_namespaces $out $in
ip netns exec $in python3 "$cases/offloads.py" eth0 || exit 77
ip netns exec $in sh -c 'echo "0 2147483647" >/proc/sys/net/ipv4/ping_group_range'

program=(ip netns exec $in python3 -u "$cases/agent.py")
if [ "$mode" != linux ]; then
	mkdir "$work/b"
	"$rf" spec -b "$work/b"
	jq --arg ns "/run/netns/$in" --arg root "$root" --arg mnt "$cases" '
		.process.args = ["python3", "-u", "/mnt/agent.py"] | .process.terminal = false | .root.path = $root | .process.capabilities |= map_values(. + ["CAP_NET_RAW"])
		| .linux.namespaces |= map(if .type == "network" then .path = $ns else . end)
		| .mounts += [{destination: "/mnt", type: "bind", source: $mnt, options: ["bind", "ro"]}]
		' "$work/b/config.json" >"$work/new" && mv "$work/new" "$work/b/config.json"
	program=("$rf" "--platform=${PLATFORM:-ptrace}" run -b "$work/b" "wire-$$")
fi
ip netns exec $out python3 "$cases/run.py" rf0 "${program[@]}" -- "$@"
