#!/bin/bash
# Docker's networks of a container that runs already: `network connect` and `disconnect`, names that come with a network,
# and another container's network (--network container:NAME). Usage: docker-network.sh BUILD. Exit status 77: no dockerd.
set -u
. "$(dirname "$0")/docker-lib.sh"
docker_start "$1"

links() { d exec box sh -c 'echo $(ls /sys/class/net)'; }
# Its addresses, of both families; link-local ones are left out.
addresses() { d exec box python3 -c '
import socket, fcntl, struct
s = socket.socket()
out = []
for index, name in socket.if_nameindex():
    try:
        out.append(name + "=" + socket.inet_ntoa(fcntl.ioctl(s, 0x8915, struct.pack("256s", name.encode()))[20:24]))
    except OSError:
        out.append(name + "=none")
out += [l.split()[5] + "=" + l[:4] for l in open("/proc/net/if_inet6") if l[:4] not in ("fe80", "0000")]
print(*out)'; }
# fetch CONTAINER ADDRESS: what is served there
fetch() { d exec "$1" python3 -c '
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode().strip())' "http://$2:8000/" 2>&1 | tail -1; }
# ask CONTAINER NAME: its address, by Docker's name server, by TCP
ask() { d exec "$1" python3 -c '
import socket, struct, sys
query = b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + bytes([len(sys.argv[1])]) + sys.argv[1].encode() + b"\0\0\1\0\1"
s = socket.create_connection(("127.0.0.11", 53), 10)
for i in range(3):
    s.sendall(struct.pack(">H", len(query)) + query)
    size = struct.unpack(">H", s.recv(2, socket.MSG_WAITALL))[0]
    answer = s.recv(size, socket.MSG_WAITALL)
    assert answer[:2] == query[:2] and len(answer) == size
at = answer.index(b"\0\4\x0a\x58") + 2
print(s.getpeername()[1], socket.inet_ntoa(answer[at:at + 4]))' "$2" 2>&1 | tail -1; }
# as runc has it, then ourselves
for runtime in runc ringfence; do
	echo "== $runtime"
	mkdir -p "$work/page" && echo "a page" >"$work/page/index.html"
	d network create --subnet 10.88.3.0/24 --ipv6 --subnet fd88:3::/64 later >/dev/null
	d network create --subnet 10.88.4.0/24 other >/dev/null
	serve="cd /page && exec python3 -m http.server 8000 --bind ::"
	d run -d --name peer --network later --runtime $runtime -v "$work/page:/page" rf-test sh -c "$serve" >/dev/null
	d run -d --name box --ipc shareable --runtime $runtime -v "$work/page:/page" rf-test sh -c "$serve" >/dev/null
	check "$runtime: before" "eth0 lo" "$(links)"
	d network connect later box; check "$runtime: connect" 0 $?
	until_ok 5 sh -c '/usr/bin/docker exec box ls /sys/class/net | grep eth1'
	check "$runtime: connected" "eth0 eth1 lo" "$(links)"
	check "$runtime: addresses" "lo=127.0.0.1 eth0=10.88.1.2 eth1=10.88.3.3 eth1=fd88" "$(addresses)"
	until_ok 10 sh -c "/usr/bin/docker exec peer python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 8000))'"
	check "$runtime: a name of that network" "a page" "$(fetch box peer)"
	check "$runtime: from there" "a page" "$(fetch peer box)"
	check "$runtime: by IPv6" "a page" "$(fetch peer "[fd88:3::3]")"
	check "$runtime: a name by TCP" "53 10.88.3.2" "$(ask box peer)"
	d network connect other box; check "$runtime: a third" 0 $?
	until_ok 5 sh -c '/usr/bin/docker exec box ls /sys/class/net | grep eth2'
	check "$runtime: from the bridge" "a page" "$(inside curl -s -m 10 http://10.88.4.2:8000/)"
	d network disconnect later box; check "$runtime: disconnect" 0 $?
	until_ok 5 sh -c '! /usr/bin/docker exec box ls /sys/class/net | grep eth1'
	check "$runtime: disconnected" "eth0 eth2 lo" "$(links)"
	d network disconnect bridge box; check "$runtime: without its first one" 0 $?
	until_ok 5 sh -c '! /usr/bin/docker exec box ls /sys/class/net | grep eth0'
	check "$runtime: the first is gone" "eth2 lo" "$(links)"
	d network connect later box
	until_ok 5 sh -c '/usr/bin/docker exec box ls /sys/class/net | grep eth0'
	check "$runtime: again" "a page" "$(fetch box peer)"
	d run -d --name beside --network container:box --runtime $runtime rf-test sleep 1000 >/dev/null; check "$runtime: another's network" 0 $?
	check "$runtime: its loopback" "a page" "$(fetch beside 127.0.0.1)"
	check "$runtime: both have one host name" "$(d exec box hostname)" "$(d exec beside hostname)"
	check "$runtime: their own processes" sleep "$(d exec beside cat /proc/1/comm)"
	d run -d --name within --network container:box --pid container:box --ipc container:box --runtime $runtime rf-test sleep 1000 >/dev/null
	check "$runtime: another's processes" python3 "$(d exec within cat /proc/1/comm)"
	d rm -f beside >/dev/null
	check "$runtime: the first goes on" "a page" "$(fetch box 127.0.0.1)"
	d rm -f within box peer >/dev/null
	d network rm later other >/dev/null; check "$runtime: network rm" 0 $?
done
