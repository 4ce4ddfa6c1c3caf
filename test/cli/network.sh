#!/bin/bash
# --network=sandbox: a container takes over a namespace's link, addresses and routes, and talks to a namespace at the
# other end of a veth pair: ICMP, TCP and UDP of both families, server inside and outside, large frames and fragments.
# Usage: network.sh BUILD (PLATFORM and ROOT from the environment)
set -u
rf=$1/ringfence
here=$(cd "$(dirname "$0")" && pwd)
root=${ROOT:-/var/cache/ringfence/debian}
. "$here/../check.sh"
. "$here/../veth.sh"
out=rf-out-$$ in=rf-in-$$
work=$(mktemp -d)
trap 'ip netns del $out 2>/dev/null; ip netns del rf-in-$$ 2>/dev/null; rm -rf "$work"' EXIT

make_namespaces() {
	link_namespaces $out $in
	ip -n $out addr add 10.77.0.1/24 dev rf0
	ip -n $out addr add fd77::1/64 dev rf0 nodad
	ip -n $out link set lo up
	ip -n $in addr add 10.77.0.3/24 dev eth0
	ip -n $in route add default via 10.77.0.1
	ip -n $in -6 route add default via fd77::1
	# Far away: reached by the default route only.
	ip -n $out addr add 192.0.2.1/32 dev lo
}

# container COMMAND…: a bundle in $work/b that runs it in the namespace
container() {
	rm -rf "$work/b"
	mkdir "$work/b"
	"$rf" spec -b "$work/b"
	jq --arg ns "/run/netns/$in" --arg root "$root" --arg mnt "$here" \
		--argjson args "$(python3 -c 'import json, sys; print(json.dumps(sys.argv[1:]))' "$@")" '
		.process.args = $args | .process.terminal = false | .root.path = $root
		| .linux.namespaces |= map(if .type == "network" then .path = $ns else . end)
		| .mounts += [{destination: "/mnt", type: "bind", source: $mnt, options: ["bind", "ro"]}]
		' "$work/b/config.json" >"$work/new" && mv "$work/new" "$work/b/config.json"
}

start() { # in the background; waits for "ready"
	"$@" >"$work/server" 2>&1 </dev/null &
	server=$!
	for _ in $(seq 200); do
		grep -q ready "$work/server" && return
		sleep 0.1
	done
	echo "a server did not start:"
	cat "$work/server"
	exit 1
}

run() {
	timeout -k 5 "${LIMIT:-60}" "$rf" --platform="${PLATFORM:-ptrace}" run -b "$work/b" "network-$$-$RANDOM"
}

digest=$(python3 -c 'import hashlib; print(hashlib.sha256(bytes(range(256)) * 4096 * 4).hexdigest()[:16])')
asked="got 4194304 $digest refused answer True"
served="ready got 4194304 $digest datagram 20000"

for address in 10.77.0.2 10.77.0.3 fd77::2; do
	make_namespaces
	container python3 -u /mnt/peer.py serve $address
	start run
	ip netns exec $out ping -c 1 -W 2 $address >/dev/null || { echo "no answer to ping at $address"; failed=1; }
	ip netns exec $out ping -c 1 -W 2 -s 4000 $address >/dev/null || { echo "no answer to a fragmented ping at $address"; failed=1; }
	check "asking $address" "$asked" "$(ip netns exec $out python3 "$here/peer.py" ask $address 2>&1 | tr '\n' ' ' | sed 's/ $//')"
	wait $server
	check "exit status at $address" 0 $?
	check "served at $address" "$served" "$(tr '\n' ' ' <"$work/server" | sed 's/ $//')"
	ip -n $out neigh flush all
	ip netns exec $out ping -c 1 -W 0.5 $address >/dev/null && { echo "the host's stack answers at $address"; failed=1; }
done
for address in 10.77.0.1 192.0.2.1 fd77::1; do
	make_namespaces
	start ip netns exec $out python3 -u "$here/peer.py" serve $address
	container python3 -u /mnt/peer.py ask $address
	check "asking outside at $address" "$asked" "$(run 2>&1 </dev/null | tr '\n' ' ' | sed 's/ $//')"
	wait $server
	check "served outside at $address" "$served" "$(tr '\n' ' ' <"$work/server" | sed 's/ $//')"
done
make_namespaces
container python3 -c 'import socket
try: socket.create_connection(("10.99.0.1", 1), 5)
except OSError as e: print(type(e).__name__)
print(socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect_ex(("192.0.2.9", 1)))'
ip -n $in route del default
check "no route" "OSError 101" "$(run 2>/dev/null </dev/null | tr '\n' ' ' | sed 's/ $//')"
in=../../proc/self/ns/net
container true
check "the host's own network" 1 "$(run >"$work/said" 2>&1 </dev/null; echo $?)"
grep -q "host's own network" "$work/said" || { cat "$work/said"; failed=1; }
in=rf-in-$$
# As Docker does it: the namespace is the runtime's; a hook finds it by the state's pid and makes the link, and a resolver
# at 127.0.0.11; another link comes between create and start.
make_namespaces
cat >"$work/resolver.py" <<'END'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.11", 0))
while True:
    query, sender = s.recvfrom(4096)
    s.sendto(query[:12] + b"answer to " + query[12:], sender)
END
cat >"$work/hook" <<END
#!/bin/sh -e
pid=\$(jq .pid)
ip link add rf1 netns $out type veth peer name eth0 netns \$pid
ip -n $out addr add 10.78.0.1/24 dev rf1
ip -n $out link set rf1 up
there() { nsenter -t \$pid -n "\$@"; }
there ip addr add 10.78.0.2/24 dev eth0
there ip link set eth0 up
there ip route add default via 10.78.0.1
nsenter -t \$pid -n setsid python3 $work/resolver.py >/dev/null 2>&1 </dev/null &
echo \$! >$work/resolver.pid
END
chmod +x "$work/hook"
container python3 -c '
import socket
for target in ("10.78.0.1", "10.79.0.1"):
    s = socket.socket()
    s.settimeout(10)
    print(s.connect_ex((target, 1)), end=" ")
asked = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for i in range(3)]
for i, s in enumerate(asked):
    s.settimeout(10)
    s.connect(("127.0.0.11", 53))
    s.send(b"ID" + bytes(10) + b"%d" % i)
for s in reversed(asked):
    print(s.recv(100)[-11:].decode(), end=" ")
print(s.getpeername())'
jq --arg hook "$work/hook" '.hooks.prestart = [{path: $hook}] | .linux.namespaces |= map(if .type == "network" then del(.path) else . end)' \
	"$work/b/config.json" >"$work/new" && mv "$work/new" "$work/b/config.json"
id=network-$$-late
"$rf" --platform="${PLATFORM:-ptrace}" create -b "$work/b" --pid-file "$work/pid" $id >"$work/server" 2>&1 </dev/null || cat "$work/server"
ip link add rf2 netns $out type veth peer name eth1 netns "$(cat "$work/pid")"
ip -n $out addr add 10.79.0.1/24 dev rf2
ip -n $out link set rf2 up
nsenter -t "$(cat "$work/pid")" -n ip addr add 10.79.0.2/24 dev eth1
nsenter -t "$(cat "$work/pid")" -n ip link set eth1 up
# What create was told counts, not what start is.
"$rf" --platform="${PLATFORM:-ptrace}" --network=none start $id || failed=1
timeout -k 5 60 "$rf" wait $id >/dev/null
"$rf" delete --force $id
kill "$(cat "$work/resolver.pid")"
check "a network made after create" "111 111 answer to 2 answer to 1 answer to 0 ('127.0.0.11', 53)" "$(cat "$work/server")"
exit $failed
