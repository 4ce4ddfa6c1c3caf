# For test scripts with a network, which source it.
# shellcheck shell=bash
# link_namespaces OUT IN: two fresh network namespaces joined by a pair: rf0 outside, eth0 inside with 10.77.0.2 and fd77::2, both up.
link_namespaces() {
	ip netns del "$1" 2>/dev/null
	ip netns del "$2" 2>/dev/null
	ip netns add "$1" && ip netns add "$2" || { echo "no network namespaces here"; exit 77; }
	ip link add rf0 netns "$1" type veth peer name eth0 netns "$2" || { echo "no veth here"; exit 77; }
	ip -n "$1" link set rf0 up
	ip -n "$2" link set lo up
	ip -n "$2" addr add 10.77.0.2/24 dev eth0
	ip -n "$2" addr add fd77::2/64 dev eth0 nodad
	ip -n "$2" link set eth0 up
}
