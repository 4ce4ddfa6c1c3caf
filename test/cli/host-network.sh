#!/bin/bash
# --network=host: servers inside and outside, both ways, by both internet families; in a namespace of the container's own;
# ports below 1024 with and without CAP_NET_BIND_SERVICE; a thousand connections; the filters of this mode alone.
# Usage: host-network.sh BUILD (PLATFORM from the environment)
set -u
rf="$1/ringfence --platform=${PLATFORM:-ptrace}"
programs=$1/programs
. "$(dirname "$0")/../check.sh"
work=$(mktemp -d)
ns=rf-host-$$
trap 'ip netns del $ns 2>/dev/null; rm -rf "$work"' EXIT
ip netns add $ns && ip -n $ns link set lo up || { echo "no network namespaces here"; exit 77; }

passes() { # NAME COMMAND…
	local name=$1
	shift
	"$@" >"$work/out" 2>&1
	local status=$?
	[ "$status" = 0 ] || tail -5 "$work/out"
	check "$name" 0 "$status"
}

inside() { # COMMAND…: in the sandbox, which uses the namespace's sockets
	timeout -k 5 60 ip netns exec $ns $rf --network=host do -- "$@"
}

for program in inet datagrams epolls; do
	passes "$program with the host's sockets" inside "$programs/$program"
done

serve='
import socket, sys
l = socket.create_server((sys.argv[1], int(sys.argv[2])), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
print("ready", flush=True)
c, _ = l.accept()
n = 0
while True:
    data = c.recv(65536)
    if not data: break
    n += len(data)
c.sendall(b"%d" % n)
'
ask='
import socket, sys
c = socket.create_connection((sys.argv[1], int(sys.argv[2])))
c.sendall(b"x" * 3000000)
c.shutdown(socket.SHUT_WR)
assert c.recv(100) == b"3000000"
'
# talk SERVER CLIENT ADDRESS PORT: commands in front of python3
talk() {
	$1 python3 -c "$serve" "$3" "$4" >"$work/server" 2>&1 &
	local server=$!
	for _ in $(seq 200); do
		grep -q ready "$work/server" && break
		sleep 0.05
	done
	$2 python3 -c "$ask" "$3" "$4" && wait $server
}
outside="timeout -k 5 60 ip netns exec $ns"
passes "server inside, client outside" talk inside "$outside" 127.0.0.1 7001
passes "server outside, client inside" talk "$outside" inside 127.0.0.1 7002
passes "both inside two sandboxes" talk inside inside ::1 7003
passes "a port below 1024 by root" talk inside "$outside" 127.0.0.1 81

low='
import os, socket
os.setuid(65534)
try:
    socket.create_server(("127.0.0.1", 82))
except PermissionError:
    raise SystemExit(0)
raise SystemExit(1)
'
passes "a port below 1024 by nobody" inside python3 -c "$low"

many='
import select, socket
l = socket.create_server(("127.0.0.1", 7004), backlog=600)
pairs = []
for i in range(500):
    c = socket.create_connection(("127.0.0.1", 7004))
    pairs.append((c, l.accept()[0]))
e = select.epoll()
for c, a in pairs: e.register(a, select.EPOLLIN | select.EPOLLET)
assert e.poll(0) == []
for c, a in pairs[::7]: c.send(b"!")
got = set()
while len(got) < len(pairs[::7]):
    new = e.poll(5)
    assert new
    got |= {fd for fd, _ in new}
assert got == {a.fileno() for c, a in pairs[::7]}
assert e.poll(0) == []
'
passes "five hundred connections in one epoll set" inside python3 -c "$many"

other_families() {
	inside python3 -c '
import errno, socket
for family in (socket.AF_PACKET, 40, 38):
    try:
        socket.socket(family, socket.SOCK_RAW)
    except OSError as e:
        assert family == socket.AF_PACKET or e.errno == errno.EAFNOSUPPORT
'
}
passes "other families stay the sandbox's own or are refused" other_families

filters() {
	! "$1/ringfence" filters | grep -q socket_connect && "$1/ringfence" --network=host filters | grep -q socket_connect
}
passes "the filters of this mode alone have its calls" filters "$1"
# What there is can be seen as it was at the start, but not changed; the host's sockets are not listed.
ip -n $ns link add name eth7 type veth peer name eth8 && ip -n $ns link set eth7 up && ip -n $ns addr add 10.9.8.7/24 dev eth7
look='
import fcntl, socket, struct
def ask(call, name, flags=0):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    return fcntl.ioctl(s, call, struct.pack("16sh22x", name, flags))
print([name for index, name in socket.if_nameindex()], socket.inet_ntoa(ask(0x8915, b"eth7")[20:24]))
print([line.split()[0] for line in open("/proc/net/route")][1:])
for change in (lambda: ask(0x8914, b"eth7", 0x1002), lambda: open("/proc/net/tcp").read()):
    try: change()
    except OSError as e: print(e.errno)
'
sh "$(dirname "$0")/../suite/bundle.sh" "$work/b" "${ROOT:-/var/cache/ringfence/debian}" "$programs" python3 -c "$look"
jq 'del(.linux.namespaces[] | select(.type == "network")) | .process.capabilities |= map_values(. + ["CAP_NET_ADMIN"])' \
	"$work/b/config.json" >"$work/new" && mv "$work/new" "$work/b/config.json"
check "what is shown of the host's network" "['lo', 'eth7'] 10.9.8.7 ['eth7'] 95 95" \
	"$(timeout -k 5 60 ip netns exec $ns $rf --network=host run -b "$work/b" "host-$$" 2>&1 </dev/null | tr '\n' ' ' | sed 's/ $//')"
exit "$failed"
