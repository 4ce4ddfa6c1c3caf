# Packets that are wrong: each is dropped, or answered, as Linux does, and harms no connection.
import struct
import time

from cases_connect import accepted, need
from packets import ACK, MAC, RST, SYN, address, icmp, ip, ipv4, ipv6, mss, tcp, udp
from peer import MINE, MINE6, THEIRS, THEIRS6, Conn, Failed, letters


def still_there(wire, c):
    c.send(ACK, b'ok')
    p = c.expect('A', ack=c.seq)
    need(wire.agent('read_some(a, 2)') == b'ok', 'the connection is harmed')
    return p


def syn(source=MINE, sport=30000, **more):
    return tcp(source, THEIRS6 if ':' in source else THEIRS, sport, 7000, SYN, 1, **more)


def quiet(wire, packet, what, to=None):
    """No TCP answer to a packet."""
    wire.send(packet, to)
    p = wire.next(0.06, lambda p: p.kind == 'tcp' and p.dport in (30000, 30001))
    need(p is None, '%s was answered' % what)


def case_ip_header(wire):
    for what, more in (
            ('a bad checksum', {'bad_sum': 1}), ('version 5', {'version': 5}), ('a header of 16 bytes', {'words': 4}),
            ('a header beyond the packet', {'words': 15}), ('a total below the header', {'total': 12}),
            ('a total beyond the packet', {'total': 400})):
        quiet(wire, ipv4(MINE, THEIRS, 6, syn(), **more), what)
    quiet(wire, ipv4(MINE, THEIRS, 6, syn())[:19], 'a header cut short')
    quiet(wire, ipv4(MINE, THEIRS, 6, b''), 'TCP without a header')
    c = Conn(wire, 7000, seq=2)
    wire.send(ipv4(MINE, THEIRS, 6, syn(sport=c.sport)) + bytes(20))  # padding is no part of it
    c.expect('SA')
    c.send(RST)


def case_addresses(wire):
    for source in ('127.0.0.1', '224.0.0.1', '255.255.255.255', '0.0.0.0', THEIRS, '240.0.0.1'):
        quiet(wire, ipv4(source, THEIRS, 6, tcp(source, THEIRS, 30001, 7000, SYN, 1)), 'a SYN from %s' % source)
    for to in ('224.0.0.1', '10.77.0.255', '255.255.255.255', '127.0.0.1', '10.77.0.77'):
        quiet(wire, ipv4(MINE, to, 6, tcp(MINE, to, 30001, 7000, SYN, 1)), 'a SYN to %s' % to)
    quiet(wire, ipv4(MINE, THEIRS, 6, syn()), 'a SYN in a broadcast frame', b'\xff' * 6)
    quiet(wire, ipv4(MINE, THEIRS, 6, syn()), 'a SYN for another host', bytes.fromhex('02aabbccddee'))
    for source in ('::1', 'ff02::1', '::', THEIRS6):
        quiet(wire, ipv6(source, THEIRS6, 6, tcp(source, THEIRS6, 30001, 7000, SYN, 1)), 'a SYN from %s' % source)
    quiet(wire, ipv6(MINE6, '::1', 6, tcp(MINE6, '::1', 30001, 7000, SYN, 1)), 'a SYN to ::1')


def case_tcp_header(wire):
    for v6 in (False, True):
        source, to = (MINE6, THEIRS6) if v6 else (MINE, THEIRS)
        for what, more in (('a bad checksum', {'bad_sum': 1}), ('a header of 16 bytes', {'words': 4}), ('a header beyond it', {'words': 15})):
            quiet(wire, ip(source, to, 6, syn(source, **more)), 'TCP with ' + what)
        for n in (0, 1, 8, 19):
            quiet(wire, ip(source, to, 6, syn(source)[:n]), 'TCP of %d bytes' % n)


def case_tcp_options(wire):
    """Options that make no sense are passed over; the connection comes about."""
    for options in (b'\2\0', b'\2\1', b'\2\4', b'\2\x28\0\0', b'\3\2', b'\3\3\xff', b'\x08\x0a\0', b'\xfe\x04\0\0', b'\x05\x03\0',
                    b'\2\4\0\0', b'\2\4\0\1', b'\x22\x14' + bytes(18), b'\1' * 40):
        c = Conn(wire, 7000)
        c.send(SYN, options=options)
        p = c.expect('SA')
        c.ack = p.seq + 1
        c.send(RST)
    c = accepted(wire, options=b'\2\4\0\1')
    wire.agent('a.send(bytes(100))')
    p = c.expect('A')
    need(len(p.data) >= 48 or len(p.data) == 100, 'an MSS of 1 is believed')
    c.send(RST)
    wire.agent('a.close()')
    c = accepted(wire)
    for options in (b'\x05\x0a' + struct.pack('!II', c.ack + 50, c.ack + 10), b'\x08\x0a' + b'\xff' * 8, b'\x13\x12' + bytes(16), b'\2\0\0\0'):
        c.send(ACK, options=options)
    wire.drain()
    still_there(wire, c)
    c.send(RST)
    wire.agent('a.close()')


def case_tcp_flags(wire):
    """Combinations that nobody sends."""
    c = accepted(wire)
    for flags in (0, SYN | 1, 0x3f, SYN | RST, 1, 32, 0xc0):
        c.send(flags, seq=c.seq - 30000 if flags & RST else c.seq, ack=c.ack)
        wire.drain()
    c.send(0, b'no acknowledgement', seq=c.seq)
    wire.drain()
    still_there(wire, c)
    c.send(RST)
    wire.agent('a.close()')


def case_fragments(wire):
    """A datagram in pieces arrives whole; pieces that overlap, never end or make too much do not."""
    def pieces(cuts, data, ident):
        whole = udp(MINE, THEIRS, 30002, 7000, data)
        for at, end in cuts:
            yield ipv4(MINE, THEIRS, 17, whole[at:end], ident=ident, fragment=at // 8 | (0x2000 if end < len(whole) else 0))

    def arrived(data):
        got = wire.agent('wait("r", datagram, 0.2) and datagram.recv(70000)')
        return got == data if data else got is False

    data = bytes(range(200)) * 8
    for ident, cuts in ((1, [(0, 800), (800, 1608)]), (2, [(800, 1608), (0, 800)]), (3, [(0, 8), (8, 16), (16, 816), (816, 1608)])):
        for packet in pieces(cuts, data, ident):
            wire.send(packet)
        need(arrived(data), 'a datagram in pieces %r' % cuts)
    for ident, cuts in ((4, [(0, 800), (400, 1608)]), (5, [(0, 800)]), (6, [(800, 1608)])):
        for packet in pieces(cuts, data, ident):
            wire.send(packet)
        need(arrived(None), 'pieces %r arrived' % cuts)
    wire.send(ipv4(MINE, THEIRS, 17, bytes(100), ident=7, fragment=0x1fff))
    wire.send(ipv4(MINE, THEIRS, 17, bytes(13), ident=8, fragment=0x2000))
    wire.send(ipv4(MINE, THEIRS, 17, b'', ident=9, fragment=0x2000))
    before = wire.agent.memory()
    for i in range(5000):
        wire.send(ipv4(MINE, THEIRS, 17, bytes(1400), ident=i, fragment=0x2000 | i % 7))
        if i % 100 == 99:
            wire.drain(0.002)
    need(wire.agent.memory() - before < 8 << 20, 'pieces without end took %d KiB' % ((wire.agent.memory() - before) >> 10))
    c = accepted(wire)
    still_there(wire, c)
    c.send(RST)
    wire.agent('a.close()')


def case_ip_options(wire):
    """Source routes are dropped, others passed over."""
    hop = address('10.77.0.1')
    for what, options in (('a loose source route', b'\x83\x07\x04' + hop + b'\0'), ('a strict one', b'\x89\x07\x04' + hop + b'\0'),
                          ('one at its end', b'\x83\x07\x08' + hop + b'\0'), ('an option of length 0', b'\x44\0\0\0'),
                          ('an option beyond the header', b'\x07\x27\x04\0')):
        quiet(wire, ipv4(MINE, THEIRS, 6, syn(), options=options), what)
    for options in (b'\1\1\1\0', b'\x07\x07\x04' + bytes(4) + b'\0', b'\x94\x04\0\0', b'\x44\x08\x05\0' + bytes(4)):
        c = Conn(wire, 7000)
        wire.send(ipv4(MINE, THEIRS, 6, tcp(MINE, THEIRS, c.sport, 7000, SYN, 1), options=options))
        c.expect('SA')
        c.send(RST, seq=2)


def case_extension_headers(wire):
    """IPv6: what is known is passed over, a route that goes on and what is unknown are not."""
    def packet(first, extensions, payload=None):
        p = ipv6(MINE6, THEIRS6, first, payload if payload is not None else syn(MINE6), extensions)
        return p

    pad = bytes([6, 0, 1, 4, 0, 0, 0, 0])
    for what, first, extensions in (('hop-by-hop', 0, pad), ('destination options', 60, pad), ('both', 0, bytes([60]) + pad[1:] + pad),
                                    ('a route at its end', 43, bytes([6, 2, 0, 0]) + bytes(20))):
        c = Conn(wire, 7000, v6=True, seq=2)
        wire.send(packet(first, extensions, syn(MINE6, c.sport)))
        need(c.next(1), '%s: no answer' % what)
        c.send(RST)
    for what, first, extensions in (('a route that goes on', 43, bytes([6, 2, 0, 1]) + bytes(20)),
                                    ('an option to be dropped', 60, bytes([6, 0, 0x5e, 4, 0, 0, 0, 0])),
                                    ('a header beyond the packet', 60, bytes([6, 200, 1, 4, 0, 0, 0, 0])),
                                    ('options that overflow', 60, bytes([6, 0, 1, 9, 0, 0, 0, 0])),
                                    ('no next header', 59, b''), ('an unknown header', 253, b''),
                                    ('hop-by-hop in second place', 60, bytes([0]) + pad[1:] + pad)):
        quiet(wire, packet(first, extensions), what)
    quiet(wire, packet(0, bytes([0, 0, 1, 4, 0, 0, 0, 0]) * 100), 'a hundred headers')
    quiet(wire, ipv6(MINE6, THEIRS6, 6, syn(MINE6), length=500), 'a length beyond the packet')
    quiet(wire, ipv6(MINE6, THEIRS6, 44, bytes([6, 0, 0xff, 0xf9]) + bytes(4) + bytes(64)), 'a last piece beyond 64 KiB')
    wire.drain()


def case_udp(wire):
    for what, more in (('a bad checksum', {'bad_sum': 1}), ('a length beyond it', {'length': 99}), ('a length of 7', {'length': 7})):
        wire.send(ip(MINE, THEIRS, 17, udp(MINE, THEIRS, 30003, 7000, b'x', **more)))
    need(wire.agent('wait("r", datagram, 0.2)') is False, 'a bad datagram arrived')
    wire.send(ip(MINE, THEIRS, 17, udp(MINE, THEIRS, 30003, 7000, b'', )))
    need(wire.agent('wait("r", datagram) and datagram.recv(9)') == b'', 'an empty datagram')
    wire.send(ip(MINE, THEIRS, 17, udp(MINE, THEIRS, 30003, 7999, b'x')))
    p = wire.next(1, lambda p: p.kind == 'icmp')
    need(p and (p.type, p.code) == (3, 3), 'no "port unreachable"')
    quiet_icmp(wire, ip(MINE, '10.77.0.255', 17, udp(MINE, '10.77.0.255', 30003, 7999, b'x')), 'a broadcast', b'\xff' * 6)


def quiet_icmp(wire, packet, what, to=None):
    wire.send(packet, to)
    need(wire.next(0.1, lambda p: p.kind in ('icmp', 'icmp6')) is None, '%s got an ICMP message' % what)


def case_icmp(wire):
    """Errors about connections that are not, or quoting rubbish, change nothing."""
    c = accepted(wire)
    wire.drain()
    for kind, code in ((3, 1), (3, 3), (11, 0), (12, 0), (5, 1), (4, 0), (3, 4)):
        for quote in (b'', bytes(28), ipv4(THEIRS, MINE, 6, tcp(THEIRS, MINE, 7000, c.sport, ACK, c.ack + (1 << 29)))[:28],
                      ipv4(THEIRS, MINE, 6, b'')[:20], ipv4(THEIRS, MINE, 6, bytes(8), words=15)):
            wire.send(ip(MINE, THEIRS, 1, icmp(kind, code, struct.pack('!HH', 0, 68) + quote)))
    still_there(wire, c)
    wire.send(ip(MINE, THEIRS, 1, icmp(8, 0, b'ab\0\1' + b'echo')))
    p = wire.next(1, lambda p: p.kind == 'icmp')
    need(p and p.type == 0 and p.data == b'ab\0\1echo', 'no echo')
    bad = bytearray(icmp(8, 0, b'ab\0\1' + b'echo'))
    bad[2] ^= 1
    quiet_icmp(wire, ip(MINE, THEIRS, 1, bytes(bad)), 'an echo with a bad checksum')
    quiet_icmp(wire, ip(MINE, THEIRS, 1, icmp(8, 0, b'')[:4]), 'an echo of 4 bytes')
    c.send(RST)
    wire.agent('a.close()')


def case_syn_flood(wire):
    """20,000 SYNs of nobody: memory stays, and a client that comes among them is served."""
    before = wire.agent.memory()
    for i in range(20000):
        source = '10.77.0.%d' % (100 + i % 100)
        wire.send(ip(source, THEIRS, 6, tcp(source, THEIRS, 1024 + i // 100, 7000, SYN, i)))
        if i % 500 == 499:
            wire.drain(0.005)
    time.sleep(0.3)
    wire.drain()
    c = Conn(wire, 7000)
    for _ in range(3):
        c.send(SYN, seq=1000)
        p = c.next(1)
        if p:
            break
    need(p and letters(p.flags) == 'SA', 'a client is not served in a flood')
    c.seq, c.ack = 1001, p.seq + 1
    c.send(ACK, b'hi')
    need(wire.agent('wait("r", listener, 2)'), 'a client is not served after a flood')
    need(wire.agent('(listener.accept()[0]).recv(2)') == b'hi', 'the wrong client')
    c.send(RST)
    grown = wire.agent.memory() - before
    need(grown < 8 << 20, 'a flood of SYNs took %d KiB' % (grown >> 10))
