#!/bin/bash
# Real servers and their clients over a link, both ways: all servers in a sandbox and the clients on Linux, then the
# servers on Linux and the clients in a sandbox; what ip, ss, nmap and tcpdump see inside.
# Usage: servers.sh BUILD [all]: with PostgreSQL, and longer (PLATFORM and SERVERS, the root, from the environment)
set -u
rf=$1/ringfence
all=${2:-}
here=$(cd "$(dirname "$0")" && pwd)
root=${SERVERS:-${RF_CACHE:-/var/cache/ringfence}/servers}
. "$here/../check.sh"
. "$here/../veth.sh"
out=rf-so-$$ in=rf-si-$$
work=$(mktemp -d)
end() {
	exec 3>&- 2>/dev/null
	wait
	ip netns del $out 2>/dev/null
	ip netns del $in 2>/dev/null
	rm -rf "$work"
}
trap end EXIT
[ -x "$root/usr/sbin/nginx" ] || { echo "no root with servers at $root: test/setup.sh test makes it"; exit 1; }
link_namespaces $out $in
ip -n $out addr add 10.77.0.1/24 dev rf0
ip -n $out addr add fd77::1/64 dev rf0 nodad
ip -n $out link set lo up
mkdir -p "$work/mnt/servers"
cp "$here"/servers/*.sh "$work/mnt/servers"
ssh-keygen -q -t ed25519 -N '' -f "$work/mnt/servers/key"

# inside COMMAND…: in a sandbox that takes the namespace over
inside() {
	rm -rf "$work/b"
	sh "$here/../suite/bundle.sh" "$work/b" "$root" "$work/mnt" "$@"
	jq --arg ns "/run/netns/$in" '.linux.namespaces |= map(if .type == "network" then .path = $ns else . end)
		| .mounts += [{destination: "/run", type: "tmpfs", source: "tmpfs"}]
		| .process.capabilities |= map_values(. + ["CAP_AUDIT_WRITE", "CAP_NET_ADMIN", "CAP_SYS_RESOURCE"])' \
		"$work/b/config.json" >"$work/new" && mv "$work/new" "$work/b/config.json"
	timeout -k 5 400 "$rf" --platform="${PLATFORM:-ptrace}" run -b "$work/b" "servers-$$-$RANDOM"
}

# outside COMMAND…: in the same root on Linux, at the other end of the link
outside() {
	timeout -k 5 400 ip netns exec $out unshare -m --propagation private sh -c '
		mount -t tmpfs tmp "$0/tmp" && mount -t tmpfs run "$0/run" && mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" &&
		mount --bind "$1" "$0/mnt" && shift && exec chroot "$0" "$@"' "$root" "$work/mnt" "$@"
}

# serve WHERE: the servers run there; what they are told goes to 3, what they say comes from 4
serve() {
	rm -f "$work/told" "$work/said"
	mkfifo "$work/told" "$work/said"
	"$1" /bin/bash /mnt/servers/start.sh $all <"$work/told" >"$work/said" 2>"$work/errors" &
	exec 3>"$work/told" 4<"$work/said"
	while read -r -t 120 line <&4; do
		[ "$line" != ready ] || return 0
		echo "$line"
	done
	failed=1
	echo "the servers $1 did not start"
	tail -5 "$work/errors"
}

stop() {
	exec 3>&- 4<&-
	wait
}

# tell LINE: run where the servers are; its output
tell() {
	echo "$1" >&3
	while read -r -t 60 line <&4 && [ "$line" != done ]; do
		echo "$line"
	done
}

expect() { # WHAT PATTERN TEXT
	[[ $3 =~ $2 ]] && return
	failed=1
	printf '%s: wanted %s, got:\n%s\n' "$1" "$2" "$3"
}

serve inside
outside /bin/bash /mnt/servers/ask.sh 10.77.0.2 $all </dev/null || failed=1
expect "nmap localhost" '6379/tcp +open.*8080/tcp +open' "$(tell 'nmap -n -p 1-9000 localhost')"
expect "ss" 'LISTEN.*:6379.*LISTEN.*:8080|LISTEN.*:8080.*LISTEN.*:6379' "$(tell 'ss -ltn')"
expect "ip addr" 'eth0.*10\.77\.0\.2/24.*fd77::2/64' "$(tell 'ip addr')"
expect "ip route" '10\.77\.0\.0/24 dev eth0' "$(tell 'ip route')"
expect "ip neigh" '10\.77\.0\.1 dev eth0 lladdr' "$(tell 'ip neigh')"
outside ping -n -q -c 1 fd77::2 >/dev/null || { echo "no answer to ping at fd77::2"; failed=1; }
expect "ip -6 neigh" 'fe80::.* dev eth0 lladdr|fd77::1 dev eth0 lladdr' "$(tell 'ip -6 neigh')"
tell 'timeout 20 tcpdump -n -i eth0 -c 4 tcp port 8081 >/tmp/dump 2>/tmp/dump.log & sleep 1' >/dev/null
outside curl -sS http://10.77.0.2:8081/ >/dev/null
expect "tcpdump" 'Flags \[S\].*8081 > 10\.77\.0\.1.*Flags \[S\.\]' "$(tell 'sleep 1; cat /tmp/dump')"
stop
serve outside
inside /bin/bash /mnt/servers/ask.sh 10.77.0.1 $all </dev/null || failed=1
stop
exit $failed
