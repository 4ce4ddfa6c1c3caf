# Names by multicast as mDNS has them (RFC 6762), between two hosts: multicast.py answer NAME ADDRESS | ask NAME.
# Both speak IPv4 and IPv6. The one that answers also serves a connection; the one that asks finds the address by the
# group alone, and then connects.
import socket
import struct
import sys

PORT = 5353
GROUPS = ((socket.AF_INET, '224.0.0.251'), (socket.AF_INET6, 'ff02::fb'))


def encode(name):
    return b''.join(bytes([len(part)]) + part.encode() for part in name.split('.')) + b'\0'


def member(family, group, link):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.settimeout(20)
    if family == socket.AF_INET:
        s.bind(('', PORT))
        own = struct.pack('4s4si', socket.inet_aton(group), bytes(4), link)
        s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, own)
        s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
        s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    else:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        s.bind(('', PORT))
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(family, group) + struct.pack('i', link))
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, link)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    return s


role, name = sys.argv[1:3]
link = socket.if_nametoindex('eth0')
wanted = encode(name) + struct.pack('!HH', 1, 1)
members = [(member(family, group, link), group) for family, group in GROUPS]
if role == 'answer':
    address = sys.argv[3]
    listener = socket.create_server((address, 7000))
    listener.settimeout(20)
    print('ready', flush=True)
    for s, group in members:
        while True:
            query, sender = s.recvfrom(2000)
            if query[2:4] == bytes(2) and query[12:] == wanted:
                break
        answer = query[:2] + struct.pack('!HHHHH', 0x8400, 0, 1, 0, 0) + encode(name)
        s.sendto(answer + struct.pack('!HHIH4s', 1, 0x8001, 120, 4, socket.inet_aton(address)), (group, PORT))
    c, peer = listener.accept()
    c.sendall(b'hello ' + peer[0].encode())
    c.close()
else:
    for s, group in members:
        s.sendto(bytes(4) + struct.pack('!HHHH', 1, 0, 0, 0) + wanted, (group, PORT))
        while True:
            answer, sender = s.recvfrom(2000)
            if answer[2] & 0x80:
                break
        found = socket.inet_ntoa(answer[-4:])
        print(group, 'says', found)
    with socket.create_connection((found, 7000), 20) as c:
        print(c.recv(100).decode())
