#!/bin/bash
# Two sandboxes on one bridge of the host: one finds the other by multicast, as mDNS does, and connects to it.
# With "linux" as BUILD the programs run in the namespaces themselves.
# Usage: multicast.sh BUILD|linux (PLATFORM and ROOT from the environment)
set -u
rf=$1/ringfence
mode=$1
here=$(cd "$(dirname "$0")" && pwd)
root=${ROOT:-/var/cache/ringfence/debian}
. "$here/../check.sh"
bridge=rf-mb-$$ one=rf-m1-$$ two=rf-m2-$$
work=$(mktemp -d)
trap 'for ns in $bridge $one $two; do ip netns del $ns 2>/dev/null; done; rm -rf "$work"' EXIT

ip netns add $bridge && ip -n $bridge link add br0 type bridge && ip -n $bridge link set br0 up || exit 1
for i in 1 2; do
	ns=rf-m$i-$$
	ip netns add $ns
	ip link add port$i netns $bridge type veth peer name eth0 netns $ns
	ip -n $bridge link set port$i master br0 up
	ip -n $ns link set lo up
	ip -n $ns addr add 10.78.0.$i/24 dev eth0
	ip -n $ns link set eth0 up
done

# host NAMESPACE ARGUMENT…
host() {
	local ns=$1 b=$work/$1
	shift
	if [ "$mode" = linux ]; then
		timeout -k 5 40 ip netns exec "$ns" python3 -u "$here/multicast.py" "$@"
		return
	fi
	sh "$here/../suite/bundle.sh" "$b" "$root" "$here" python3 -u /mnt/multicast.py "$@"
	jq --arg ns "/run/netns/$ns" '.linux.namespaces |= map(if .type == "network" then .path = $ns else . end)' \
		"$b/config.json" >"$work/new" && mv "$work/new" "$b/config.json"
	timeout -k 5 60 "$rf" --platform="${PLATFORM:-ptrace}" run -b "$b" "multicast-$$-$RANDOM"
}

host $one answer printer.local 10.78.0.1 >"$work/answers" 2>&1 </dev/null &
for _ in $(seq 200); do
	grep -q ready "$work/answers" && break
	sleep 0.1
done
check "found by its name" "224.0.0.251 says 10.78.0.1 ff02::fb says 10.78.0.1 hello 10.78.0.2" \
	"$(host $two ask printer.local 2>&1 </dev/null | tr '\n' ' ' | sed 's/ $//')"
wait
check "the one that answers" ready "$(cat "$work/answers")"
exit $failed
