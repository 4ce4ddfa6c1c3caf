# One end of the transfers of network.sh: peer.py serve ADDRESS | peer.py ask ADDRESS. Both ends print what they saw.
# A server answers one TCP connection with the digest of what it got and 4 MiB of its own, then one UDP datagram.
import hashlib, socket, sys

role, address = sys.argv[1:3]
family = socket.AF_INET6 if ':' in address else socket.AF_INET
block = bytes(range(256)) * 4096
mine = block * 4


def read_all(s):
    seen = hashlib.sha256()
    size = 0
    while data := s.recv(1 << 16):
        seen.update(data)
        size += len(data)
    return size, seen.hexdigest()[:16]


stream, datagram = (socket.socket(family, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM))
for s in stream, datagram:
    s.settimeout(30)
if role == 'serve':
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    stream.bind((address, 7000))
    datagram.bind((address, 7000))
    stream.listen(5)
    print('ready', flush=True)
    c, _ = stream.accept()
    c.settimeout(30)
    print('got', *read_all(c), flush=True)
    c.sendall(mine)
    c.close()
    data, who = datagram.recvfrom(65536)
    datagram.sendto(hashlib.sha256(data).digest(), who)
    print('datagram', len(data))
else:
    stream.connect((address, 7000))
    stream.sendall(mine)
    stream.shutdown(socket.SHUT_WR)
    print('got', *read_all(stream))
    quiet = socket.socket(family, socket.SOCK_STREAM)
    quiet.settimeout(10)
    try:
        quiet.connect((address, 7001))
        print('connected to nobody')
    except ConnectionRefusedError:
        print('refused')
    datagram.connect((address, 7000))
    datagram.send(mine[:20000])
    print('answer', datagram.recv(100) == hashlib.sha256(mine[:20000]).digest())
