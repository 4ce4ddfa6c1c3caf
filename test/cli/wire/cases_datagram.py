# Datagrams and what ICMP says of them: which errors a program is told, what a path carries, what is cut and what must not be.
import socket
import struct

from packets import MAC, icmp, ip, transport_sum, udp
from peer import MINE, SECOND, SECOND6, THEIRS, THEIRS6, Failed

DONT, WANT, DO, PROBE = range(4)
IP_MTU_DISCOVER, IP_RECVERR, IP_MTU = 10, 11, 14
IPV6_MTU_DISCOVER, IPV6_MTU, IPV6_RECVERR, IPV6_DONTFRAG = 23, 24, 25, 62


def need(condition, what):
    if not condition:
        raise Failed(what)


def connected(wire, v6=False):
    """A fresh socket `s` that is connected to the second host."""
    wire.agent('s = socket.socket(socket.AF_INET%s, socket.SOCK_DGRAM)' % ('6' if v6 else ''))
    wire.agent('s.connect(("%s", 9000))' % (SECOND6 if v6 else SECOND))


def sent(wire, n, wanted=lambda p: p.protocol in (17, 44)):
    """The first packet of a datagram of n bytes, or the error."""
    answer = wire.agent('s.send(bytes(%d))' % n)
    if answer != n:
        return answer
    p = wire.next(2, wanted)
    need(p, 'a datagram of %d bytes did not leave' % n)
    return p


def error(wire):
    """What SO_ERROR says, a while later."""
    return wire.agent('select.select([], [], [], 0.2) and s.getsockopt(1, 4)')


def note(wire):
    """errno, origin, type, code and info of the error queue's first."""
    return wire.agent('struct.unpack("IBBBBI", s.recvmsg(2000, 200, 0x2000)[1][0][2][:12])')


def answer(wire, p, kind, code, rest=bytes(4)):
    if p.packet[0] >> 4 == 6:
        wire.send(ip(SECOND6, THEIRS6, 58, icmp(kind, code, rest + p.packet[:200], SECOND6, THEIRS6)))
    else:
        wire.send(ip(SECOND, p.src, 1, icmp(kind, code, rest + p.packet[:200])))


def case_datagram_errors(wire):
    """Which ICMP errors a connected socket hears of, and which only one that asks for all."""
    connected(wire)
    for kind, code, heard in ((3, 0, 0), (3, 1, 0), (3, 2, 92), (3, 3, 111), (3, 5, 0), (3, 6, 101), (3, 7, 112), (3, 9, 101),
                              (3, 13, 113), (3, 16, 0), (11, 0, 0), (12, 0, 71), (4, 0, 0)):
        answer(wire, sent(wire, 10), kind, code)
        got = error(wire)
        need(got == heard, 'type %d code %d gave %r, not %d' % (kind, code, got, heard))
    wire.agent('s.setsockopt(0, %d, 1)' % IP_RECVERR)
    for kind, code, errno in ((3, 0, 101), (3, 1, 113), (11, 0, 113), (12, 0, 71), (3, 3, 111)):
        answer(wire, sent(wire, 10), kind, code)
        error(wire)
        got = note(wire)
        need(got[:4] == (errno, 2, kind, code), 'type %d code %d was told as %r' % (kind, code, got))
    wire.agent('s.close()')


def case_datagram_errors6(wire):
    connected(wire, True)
    for kind, code, heard in ((1, 0, 0), (1, 1, 13), (1, 3, 0), (1, 4, 111), (3, 0, 0), (4, 0, 71)):
        answer(wire, sent(wire, 10), kind, code)
        got = error(wire)
        need(got == heard, 'type %d code %d gave %r, not %d' % (kind, code, got, heard))
    wire.agent('s.setsockopt(41, %d, 1)' % IPV6_RECVERR)
    for kind, code, errno in ((1, 0, 101), (3, 0, 113), (1, 4, 111)):
        answer(wire, sent(wire, 10), kind, code)
        error(wire)
        got = note(wire)
        need(got[:4] == (errno, 3, kind, code), 'type %d code %d was told as %r' % (kind, code, got))
    wire.agent('s.close()')


def case_datagram_whole(wire):
    """What may be cut and what may not (IP_MTU_DISCOVER)."""
    connected(wire)
    need(wire.agent('s.getsockopt(0, %d)' % IP_MTU_DISCOVER) == WANT, 'the default')
    need(sent(wire, 1472).dont_fragment, 'one that fits may be cut on its way')
    p = sent(wire, 1473)
    need(not p.dont_fragment and p.fragment & 0x2000, 'one that does not fit is not cut')
    wire.drain()
    wire.agent('s.setsockopt(0, %d, %d)' % (IP_MTU_DISCOVER, DONT))
    need(not sent(wire, 100).dont_fragment, 'DF where it is off')
    for how in DO, PROBE:
        wire.agent('s.setsockopt(0, %d, %d)' % (IP_MTU_DISCOVER, how))
        need(sent(wire, 1472).dont_fragment, 'no DF where it is on')
        need(sent(wire, 1473) == 'EMSGSIZE', 'one that is too long was taken')
    need(wire.agent('s.setsockopt(0, %d, 6)' % IP_MTU_DISCOVER) == 'EINVAL', 'a setting that there is not')
    wire.agent('s.setsockopt(0, %d, 1)' % IP_RECVERR)
    need(sent(wire, 1473) == 'EMSGSIZE', 'one that is too long was taken')
    got = note(wire)
    need(got[:2] == (90, 1) and got[5] == 1500, 'what was too long is told as %r' % (got,))
    wire.agent('s.close()')


def case_datagram_path(wire):
    """"Fragmentation needed": the program hears of it, and later datagrams follow."""
    connected(wire)
    wire.agent('s.setsockopt(0, %d, 1)' % IP_RECVERR)
    p = sent(wire, 1400)
    answer(wire, p, 3, 4, struct.pack('!HH', 0, 1000))
    need(error(wire) == 90, 'the program hears nothing')
    got = note(wire)
    need(got[:4] == (90, 2, 3, 4) and got[5] == 1000, 'it is told as %r' % (got,))
    need(wire.agent('s.getsockopt(0, %d)' % IP_MTU) == 1000, 'IP_MTU')
    p = sent(wire, 1400)
    need(not p.dont_fragment and len(p.packet) <= 1000, 'a packet of %d bytes by a path of 1000' % len(p.packet))
    wire.drain()
    need(sent(wire, 972).dont_fragment, 'one that fits')
    wire.agent('s.setsockopt(0, %d, %d)' % (IP_MTU_DISCOVER, DO))
    need(sent(wire, 973) == 'EMSGSIZE' and len(sent(wire, 972).packet) == 1000, 'where it must not be cut')
    wire.agent('s.setsockopt(0, %d, %d)' % (IP_MTU_DISCOVER, PROBE))
    need(len(sent(wire, 1400).packet) == 1428, 'a probe goes by the link')
    wire.agent('s.close()')


def case_own_fragments6(wire):
    """IPV6_MTU: a program's own limit of what its datagrams are cut to. Before the path is told to carry less."""
    connected(wire, True)
    need(sent(wire, 1400).protocol == 17, 'it was cut before')
    need(wire.agent('s.setsockopt(41, %d, 1279)' % IPV6_MTU) == 'EINVAL', 'less than IPv6 asks for')
    wire.agent('s.setsockopt(41, %d, 1280)' % IPV6_MTU)
    need(sent(wire, 1400).protocol == 17, 'what the path carries was cut')
    p = sent(wire, 2000)
    need(p.protocol == 44 and len(p.packet) <= 1280, 'it was not cut to 1280: %d' % len(p.packet))
    wire.drain()
    wire.agent('s.setsockopt(41, %d, 1)' % IPV6_DONTFRAG)
    need(sent(wire, 1400) == 'EMSGSIZE', 'what must not be cut left')
    wire.agent('s.setsockopt(41, %d, 0)' % IPV6_DONTFRAG)
    wire.agent('s.setsockopt(41, %d, 0)' % IPV6_MTU)
    wire.drain()
    p = sent(wire, 2000)
    need(len(p.packet) > 1280, 'it is still cut to 1280')
    wire.agent('s.close()')


def case_datagram_path6(wire):
    connected(wire, True)
    wire.agent('s.setsockopt(41, %d, 1)' % IPV6_RECVERR)
    p = sent(wire, 1400)
    answer(wire, p, 2, 0, struct.pack('!I', 1280))
    error(wire)
    got = note(wire)
    need(got[:4] == (90, 3, 2, 0) and got[5] == 1280, 'it is told as %r' % (got,))
    p = sent(wire, 1400)
    need(p.protocol == 44 and len(p.packet) <= 1280, 'a packet of %d bytes by a path of 1280' % len(p.packet))
    wire.drain()
    wire.agent('s.setsockopt(41, %d, 1)' % IPV6_DONTFRAG)
    need(sent(wire, 1400) == 'EMSGSIZE', 'one that must not be cut was taken')
    wire.agent('s.close()')


def case_pieces_in(wire):
    """A frame of several datagrams, as the host's own UDP_SEGMENT leaves it on a veth: they come one by one, or whole (UDP_GRO)."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.bind(wire.sock.getsockname())
    sock.setsockopt(263, 15, 1)  # PACKET_VNET_HDR
    whole = udp(MINE, THEIRS, 9000, 7000, bytes(2500))
    pseudo = transport_sum(MINE, THEIRS, 17, b'') ^ 0xffff
    # The host's device is to fill in the checksum: it has that of the pseudo header, whose length is the datagram's.
    whole = whole[:6] + struct.pack('!H', (pseudo + len(whole)) % 0xffff) + whole[8:]
    frame = wire.their_mac + MAC + b'\x08\0' + ip(MINE, THEIRS, 17, whole)
    frame = struct.pack('<BBHHHH', 1, 5, 42, 1000, 34, 6) + frame
    sock.send(frame)
    lens = '[len(datagram.recv(9000)) for _ in range(%d) if select.select([datagram], [], [], 1)[0]]'
    need(wire.agent(lens % 3) == [1000, 1000, 500], 'they did not come one by one')
    wire.agent('datagram.setsockopt(17, 104, 1)')
    sock.send(frame)
    got = wire.agent('datagram.recvmsg(9000, 100)[:2] if select.select([datagram], [], [], 1)[0] else None')
    wire.agent('datagram.setsockopt(17, 104, 0)')
    need(got and len(got[0]) == 2500 and got[1] == [(17, 104, struct.pack('i', 1000))], 'they did not come whole')
    sock.close()


def case_pieces_out(wire):
    """UDP_SEGMENT over a link: each leaves by itself, and what does not fit is refused."""
    wire.agent('s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("%s", 9000))' % MINE)
    need(wire.agent('s.setsockopt(17, 103, 400) or s.send(bytes(1000))') == 1000, 'it was refused')
    sizes = [len(p.data) for p in (wire.next(2, lambda p: p.kind == 'udp') for _ in range(3)) if p]
    need(sizes == [400, 400, 200], 'what left is %r' % sizes)
    need(wire.agent('s.setsockopt(17, 103, 1473) or s.send(bytes(2500))') == 'EMSGSIZE', 'pieces larger than a packet')
    wire.agent('s.close()')
