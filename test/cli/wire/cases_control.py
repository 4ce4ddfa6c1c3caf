# What a program hears of packets that do not arrive: neighbours that nobody answers for, ICMP errors of pings and of raw packets;
# and what raw sockets send and are shown.
import struct
import time

from packets import icmp, ip, ipv4, transport_sum, udp
from peer import MINE, MINE6, SECOND, SECOND6, THEIRS, THEIRS6, Failed

NOBODY, NOBODY6 = '10.77.0.66', 'fd77::66'
ECHO = 'struct.pack("!BBHHH", %d, 0, 0, 0, 1) + b"hello ping"'
IP_RECVOPTS, IP_RETOPTS, IP_RECVERR, IP_RECVTTL = 6, 7, 11, 12
IPV6_CHECKSUM, IPV6_RECVERR, IPV6_HDRINCL, IPV6_RECVHOPLIMIT = 7, 25, 36, 51


def need(condition, what):
    if not condition:
        raise Failed(what)


def same(what, got, wanted):
    need(got == wanted, '%s: %r instead of %r' % (what, got, wanted))


def case_no_neighbour(wire):
    """Nobody answers for the next hop: connecting fails after three questions, and so does a ping."""
    for family, nobody in ((2, NOBODY), (10, NOBODY6)):
        began = time.monotonic()
        same('connecting to %s' % nobody, wire.agent('socket.socket(%d).connect(("%s", 7))' % (family, nobody)), 'EHOSTUNREACH')
        took = time.monotonic() - began
        need(2 < took < 6, 'it took %.1f s to find that %s is not there' % (took, nobody))
    for family, protocol, echo, nobody, level, option, said in (
            (2, 1, 8, NOBODY, 0, IP_RECVERR, (113, 2, 3, 1)), (10, 58, 128, NOBODY6, 41, IPV6_RECVERR, (113, 3, 1, 3))):
        wire.agent('s = socket.socket(%d, socket.SOCK_DGRAM, %d); s.setsockopt(%d, %d, 1)' % (family, protocol, level, option))
        for _ in range(2):
            wire.agent('s.sendto(%s, ("%s", 0))' % (ECHO % echo, nobody))
        got = wire.agent('select.select([s], [], [], 6) and time.sleep(0.5) or errors(s)')
        same('errors of two pings to %s' % nobody, [e[:4] for e in got], [said] * 2)
        need(all(e[4][8:] == b'hello ping' for e in got), 'the errors show %r' % got)
        wire.agent('s.close()')
    # Nobody is told of what has an answer in time.
    wire.agent('s = socket.socket(2, socket.SOCK_DGRAM, 1); s.setsockopt(0, %d, 1); s.sendto(%s, ("%s", 0))' % (IP_RECVERR, ECHO % 8, SECOND))
    wire.next(2, lambda p: p.kind == 'icmp')
    same('errors of a ping to who is there', wire.agent('time.sleep(4) or errors(s)'), [])
    wire.agent('s.close()')


def answer(wire, p, kind, code, rest=bytes(4)):
    if p.packet[0] >> 4 == 6:
        wire.send(ip(SECOND6, THEIRS6, 58, icmp(kind, code, rest + p.packet[:200], SECOND6, THEIRS6), hops=61))
    else:
        wire.send(ip(SECOND, p.src, 1, icmp(kind, code, rest + p.packet[:200]), ttl=61))


def case_errors_of_pings(wire):
    for family, protocol, echo, to, level, option, ttl, ttl_kind, errors in (
            (2, 1, 8, SECOND, 0, IP_RECVERR, IP_RECVTTL, 2, ((3, 1, 113), (11, 0, 113), (3, 3, 111), (3, 13, 113))),
            (10, 58, 128, SECOND6, 41, IPV6_RECVERR, IPV6_RECVHOPLIMIT, 52, ((1, 0, 101), (3, 0, 113), (1, 1, 13)))):
        wire.agent('s = socket.socket(%d, socket.SOCK_DGRAM, %d); s.setsockopt(%d, %d, 1); s.setsockopt(%d, %d, 1)' %
                   (family, protocol, level, option, level, ttl))
        for kind, code, errno in errors:
            wire.agent('s.sendto(%s, ("%s", 0))' % (ECHO % echo, to))
            p = wire.next(2, lambda p: p.kind in ('icmp', 'icmp6') and p.type == echo)
            need(p, 'no ping left')
            answer(wire, p, kind, code)
            same('SO_ERROR', wire.agent('select.select([s], [], [], 2) and s.getsockopt(1, 4)'), errno)
            got = wire.agent('errors(s)')
            same('type %d code %d' % (kind, code), [e[:4] for e in got], [(errno, 2 if family == 2 else 3, kind, code)])
            same('the hops of its sender', got[0][5], [(level, ttl_kind, 61)])
            need(got[0][4][8:] == b'hello ping', 'the error shows %r' % got)
        # without the queue: what is fatal, and only once connected
        wire.agent('s.setsockopt(%d, %d, 0); s.connect(("%s", 0))' % (level, option, to))
        for kind, code, errno in errors:
            wire.agent('s.send(%s)' % (ECHO % echo))
            answer(wire, wire.next(2, lambda p: p.kind in ('icmp', 'icmp6') and p.type == echo), kind, code)
            fatal = (kind, code) in ((3, 3), (3, 13), (1, 1))
            same('SO_ERROR of a connected ping, %d/%d' % (kind, code), wire.agent('select.select([s], [], [], 0.3) and s.getsockopt(1, 4)'),
                 errno if fatal else 0)
        wire.agent('s.close()')


def case_errors_of_raw(wire):
    for family, protocol, to, level, option, kind, code, errno in (
            (2, 200, SECOND, 0, IP_RECVERR, 3, 2, 92), (10, 200, SECOND6, 41, IPV6_RECVERR, 4, 1, 71)):
        made = wire.agent('s = socket.socket(%d, socket.SOCK_RAW, %d)' % (family, protocol))
        need(made is None, 'no raw socket: %r' % made)
        wire.agent('s.setsockopt(%d, %d, 1)' % (level, option))
        wire.agent('s.sendto(b"raw bytes", ("%s", 0))' % to)
        p = wire.next(2, lambda p: p.protocol == protocol)
        need(p and p.body == b'raw bytes', 'it did not leave')
        answer(wire, p, kind, code)
        same('SO_ERROR', wire.agent('select.select([s], [], [], 2) and s.getsockopt(1, 4)'), errno)
        got = wire.agent('errors(s)')
        same('the error', [e[:5] for e in got], [(errno, 2 if family == 2 else 3, kind, code, b'raw bytes')])
        # of another's packets it hears nothing
        answer(wire, type(p)(packet=p.packet[:6] + b'\xc9' + p.packet[7:] if family == 10 else
                             ipv4(p.src, p.dst, 201, p.body), src=p.src), kind, code)
        same('the error of others', wire.agent('select.select([s], [], [], 0.3) and errors(s)'), [])
        wire.agent('s.close()')


def case_long_ping6(wire):
    """A ping of several fragments, which is answered in fragments."""
    wire.agent('s = socket.socket(10, socket.SOCK_DGRAM, 58); r = socket.socket(10, socket.SOCK_RAW, 58)')
    wire.agent('s.sendto(%s + bytes(3000), ("%s", 0))' % (ECHO % 128, MINE6))
    first = wire.next(2, lambda p: p.protocol == 44)
    need(first and first.body[0] == 58, 'it did not leave in fragments')
    ident, body = first.body[12:14], b'hello ping' + bytes(3000)
    whole = icmp(129, 0, ident + b'\0\1' + body, MINE6, THEIRS6)
    for at in range(0, len(whole), 1200):
        head = struct.pack('!BBHI', 58, 0, at | (at + 1200 < len(whole)), 77)
        wire.send(ip(MINE6, THEIRS6, 44, whole[at:at + 1200], extensions=head))
    same('what a ping socket gets', wire.agent('len(s.recv(9000)) if select.select([s], [], [], 2)[0] else None'), len(whole))
    same('what a raw socket gets', wire.agent('max(len(r.recv(9000)) for _ in range(9) if select.select([r], [], [], 0.2)[0])'), len(whole))
    wire.agent('s.close(); r.close()')


def case_raw6(wire):
    """Headers of one's own, checksums at a place of one's own."""
    mine = ip(THEIRS6, SECOND6, 201, b'own header', hops=9)
    wire.agent('s = socket.socket(10, socket.SOCK_RAW, 255); s.sendto(%r, ("%s", 0))' % (mine, SECOND6))
    p = wire.next(2, lambda p: p.protocol == 201)
    need(p and p.packet == mine, 'it is not what was sent: %r' % p)
    same('too short', wire.agent('s.sendto(bytes(39), ("%s", 0))' % SECOND6), 'EINVAL')
    wire.agent('s.close(); s = socket.socket(10, socket.SOCK_RAW, 200)')
    same('IPV6_HDRINCL', wire.agent('s.getsockopt(41, %d)' % IPV6_HDRINCL), 0)
    same('IPV6_CHECKSUM at first', wire.agent('s.getsockopt(41, %d)' % IPV6_CHECKSUM), -1)
    same('an odd place', wire.agent('s.setsockopt(41, %d, 3)' % IPV6_CHECKSUM), 'EINVAL')
    wire.agent('s.setsockopt(41, %d, 4)' % IPV6_CHECKSUM)
    wire.agent('s.sendto(b"abcd\\xff\\xffxyz", ("%s", 0))' % SECOND6)
    p = wire.next(2, lambda p: p.protocol == 200)
    need(p and transport_sum(p.src, p.dst, 200, p.body) == 0 and p.body[:4] == b'abcd', 'a wrong checksum: %r' % (p and p.body))
    same('no place for it', wire.agent('s.sendto(b"abcd", ("%s", 0))' % SECOND6), 'EINVAL')
    good = p.body[:4] + bytes(2) + b'uvw'
    good = good[:4] + struct.pack('!H', transport_sum(SECOND6, THEIRS6, 200, good)) + good[6:]
    wire.send(ip(SECOND6, THEIRS6, 200, good[:8] + b'!'))
    wire.send(ip(SECOND6, THEIRS6, 200, good))
    same('what comes', wire.agent('select.select([s], [], [], 2) and s.recv(100)'), good)
    wire.agent('s.close()')


def case_ip_options(wire):
    route = bytes((7, 11, 8)) + bytes((192, 0, 2, 9)) + bytes(4) + b'\0'
    wire.agent('s = socket.socket(2, socket.SOCK_DGRAM); s.bind(("", 7001)); s.setsockopt(0, %d, 1); s.setsockopt(0, %d, 1)' %
               (IP_RECVOPTS, IP_RETOPTS))
    wire.send(ipv4(MINE, THEIRS, 17, udp(MINE, THEIRS, 9, 7001, b'x'), options=route))
    us = bytes((10, 77, 0, 2))
    same('IP_RECVOPTS and IP_RETOPTS', wire.agent('select.select([s], [], [], 2) and s.recvmsg(100, 200)[1]'),
         [(0, IP_RECVOPTS, bytes((7, 11, 12, 192, 0, 2, 9)) + us + b'\0'), (0, IP_RETOPTS, bytes((7, 11, 12, 192, 0, 2, 9)) + us + b'\0')])
    wire.send(ipv4(MINE, THEIRS, 17, udp(MINE, THEIRS, 9, 7001, b'x')))
    same('without options', wire.agent('select.select([s], [], [], 2) and s.recvmsg(100, 200)[1]'), [])
    wire.agent('s.close()')


def case_too_long_for_any(wire):
    """No packet holds it: the queue tells what the path carries."""
    for family, to, level, option, n, origin in ((2, SECOND, 0, IP_RECVERR, 65510, 1), (10, SECOND6, 41, IPV6_RECVERR, 128000, 1)):
        wire.agent('s = socket.socket(%d, socket.SOCK_DGRAM); s.setsockopt(%d, %d, 1)' % (family, level, option))
        same('%d bytes' % n, wire.agent('s.sendto(bytes(%d), ("%s", 9))' % (n, to)), 'EMSGSIZE')
        same('its note', [e[:5] for e in wire.agent('errors(s)')], [(90, origin, 0, 0, b'')])
        wire.agent('s.close()')
