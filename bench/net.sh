#!/bin/bash
# What sockets and servers cost inside, beside native Linux's: network.py, redis and nginx in one container under crun,
# ringfence and runsc (both on ptrace), interleaved; then iperf3 from a sandbox to its host beside the same from crun.
# The best of each runtime's rounds counts. Usage: net.sh [--rounds N] [--pin CPU]; a Markdown table on standard output.
set -u
here=$(cd "$(dirname "$0")" && pwd)
cache=${RF_CACHE:-/var/cache/ringfence}
rf=${BUILD:-$here/../build/release}/ringfence
rounds=2 pin=
while [ $# -gt 1 ]; do
	case $1 in
	--rounds) rounds=$2 ;;
	--pin) pin="taskset -c $2" ;;
	esac
	shift 2
done
root=$cache/servers # test/setup.sh makes it
work=$(mktemp -d)
out=rf-bo-$$ in=rf-bi-$$
trap 'ip netns del $out 2>/dev/null; ip netns del $in 2>/dev/null; rm -rf "$work"' EXIT

# runtime NAME BUNDLE
runtime() {
	local id=net-$$-$RANDOM
	case $1 in
	crun) $pin timeout -k 5 120 unshare -m sh -c 'umount /sys/fs/cgroup/unified 2>/dev/null; exec crun --cgroup-manager=disabled run -b "$0" "$1"' "$2" $id ;;
	ringfence) $pin timeout -k 5 120 "$rf" --platform=ptrace run -b "$2" $id ;;
	runsc) $pin timeout -k 5 240 runsc --platform=ptrace --network=none --ignore-cgroups --root "$work/runsc" run -bundle "$2" $id ;;
	esac </dev/null 2>/dev/null
}

sh "$here/../test/suite/bundle.sh" "$work/b" "$root" "$here" /bin/bash /mnt/network-inside.sh
for _ in $(seq "$rounds"); do
	for name in crun ringfence runsc; do
		command -v $name >/dev/null || [ $name = ringfence ] || continue
		runtime $name "$work/b" | sed "s/^/$name /" >>"$work/figures"
	done
done

# iperf3 to the host at the other end of a veth pair.
for _ in $(seq "$rounds"); do
	for name in crun ringfence; do
		ip netns add $out && ip netns add $in && ip link add rf0 netns $out type veth peer name eth0 netns $in || continue
		ip -n $out addr add 10.77.0.1/24 dev rf0
		ip -n $out link set rf0 up
		ip -n $in addr add 10.77.0.2/24 dev eth0
		ip -n $in link set eth0 up
		ip netns exec $out chroot "$root" iperf3 -s -1 >/dev/null 2>&1 &
		sleep 0.5
		rm -rf "$work/i"
		sh "$here/../test/suite/bundle.sh" "$work/i" "$root" "$here" iperf3 -c 10.77.0.1 -t 3 -f m
		jq --arg ns "/run/netns/$in" '.linux.namespaces |= map(if .type == "network" then .path = $ns else . end)' \
			"$work/i/config.json" >"$work/new" && mv "$work/new" "$work/i/config.json"
		runtime $name "$work/i" | sed -n "s/.* \([0-9]*\) Mbits\/sec.*receiver.*/$name iperf3-to-host \1 Mbit\/s/p" >>"$work/figures"
		kill %% 2>/dev/null
		wait 2>/dev/null
		ip netns del $out
		ip netns del $in
	done
done

awk '
	{ key = $2 " " $4; if (!(key in seen)) { seen[key] = ++n; order[n] = key } if ($3 > best[$1, key]) best[$1, key] = $3 }
	END {
		print "| work | unit | crun | ringfence | runsc | ringfence / runsc | ringfence / crun |"
		print "|---|---|---|---|---|---|---|"
		for (i = 1; i <= n; i++) {
			split(order[i], part, " "); c = best["crun", order[i]]; r = best["ringfence", order[i]]; g = best["runsc", order[i]]
			printf "| %s | %s | %s | %s | %s | %s | %s |\n", part[1], part[2], c, r, g, g ? sprintf("%.1f", r / g) : "", c ? sprintf("%.2f", r / c) : ""
		}
	}' "$work/figures"
