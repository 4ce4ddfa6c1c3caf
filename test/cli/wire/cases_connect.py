# Connections: how they begin, from either side and from both, and what a reset does in each state.
import time

from packets import ACK, FIN, RST, SACK_PERMITTED, SYN, icmp, ip, mss, scale, stamps, tcp
from peer import MINE, MINE6, THEIRS, THEIRS6, Conn, Failed, letters

ALL_OPTIONS = mss(1460) + SACK_PERMITTED + stamps(7, 0) + scale(7)


def need(condition, text):
    if not condition:
        raise Failed(text)


def connect(wire, dport=6000, options=b'', v6=False):
    """The program inside connects to the peer, and is accepted: (the connection, its SYN)."""
    agent = wire.agent
    agent('c = socket.socket(socket.AF_INET%s); c.setblocking(False)' % ('6' if v6 else ''))
    agent('c.connect_ex((%r, %d))' % (MINE6 if v6 else MINE, dport))
    syn = wire.next(2, lambda p: p.kind == 'tcp' and p.dport == dport and p.flags & SYN)
    need(syn, 'no SYN came')
    conn = Conn(wire, syn.sport, dport, v6, seq=5000)
    conn.ack = (syn.seq + 1) & 0xffffffff
    if options is not None:
        conn.send(SYN | ACK, options=options)
        conn.expect('A', ack=conn.seq)
    return conn, syn


def accepted(wire, v6=False, options=b'', name='a'):
    """The peer connects, the program accepts into `name`."""
    conn = Conn(wire, 7000, v6=v6)
    conn.open(options)
    wire.agent('%s = accept(%d)' % (name, conn.sport))
    return conn


def case_handshake(wire):
    for v6 in (False, True):
        room = 1440 if v6 else 1460
        c = Conn(wire, 7000, v6=v6)
        p = c.open()
        need(p.options.get('mss') == room and set(p.options) == {'mss'}, 'options of a SYN|ACK to a bare SYN: %r' % p.options)
        c.send(RST)
        c = Conn(wire, 7000, v6=v6)
        p = c.open(ALL_OPTIONS)
        need(set(p.options) == {'mss', 'scale', 'sack_permitted', 'stamps'}, 'options of a SYN|ACK: %r' % p.options)
        need(p.options['mss'] == room and p.options['stamps'][1] == 7, 'values in a SYN|ACK: %r' % p.options)
        need(p.window >= 32768, 'the window of a SYN|ACK is %d' % p.window)
        c.send(RST)
        wire.agent('[listener.accept()[0].close() for _ in (1, 2)]')


def case_syn(wire):
    conn, syn = connect(wire, options=ALL_OPTIONS)
    need(set(syn.options) == {'mss', 'scale', 'sack_permitted', 'stamps'} and syn.options['mss'] == 1460, 'options of a SYN: %r' % syn.options)
    need(syn.dont_fragment, 'a SYN may be fragmented')
    conn.send(RST)
    wire.agent('c.close()')


def case_syn_again(wire):
    """A SYN that is lost comes again after a second, then two; the answer to the last still counts."""
    conn, first = connect(wire, options=None)
    second = conn.expect('S', 3)
    gap = second.time - first.time
    need(0.9 < gap < 1.5 and second.seq == first.seq, 'the second SYN came after %.2f s' % gap)
    conn.send(SYN | ACK)
    conn.expect('A')
    conn.send(RST)
    wire.agent('c.close()')


def case_syn_ack_again(wire):
    c = Conn(wire, 7000)
    c.send(SYN)
    first = c.expect('SA')
    c.send(SYN, seq=1000)
    again = c.expect('SA', seq=first.seq, ack=1001)
    c.ack = again.seq + 1
    late = c.expect('SA', 3, seq=first.seq)
    need(late.time - first.time > 0.9, 'a SYN|ACK was repeated after %.2f s' % (late.time - first.time))
    c.send(ACK)
    wire.agent('listener.accept()[0].close()')
    c.expect('FA')
    c.send(RST | ACK)


def case_syn_ack_data(wire):
    """Data with the ACK of the handshake is taken."""
    c = Conn(wire, 7000)
    c.send(SYN)
    c.ack = c.expect('SA').seq + 1
    c.send(ACK, b'hello')
    need(wire.agent('(listener.accept()[0]).recv(9)') == b'hello', 'data with the handshake was lost')
    c.send(RST)


def case_wrong_syn_ack(wire):
    conn, syn = connect(wire, options=None)
    conn.send(SYN | ACK, ack=syn.seq + 77, seq=5000)
    conn.expect('R', seq=(syn.seq + 77) & 0xffffffff)
    conn.send(RST | ACK, ack=syn.seq + 77, seq=5000)
    conn.send(RST, seq=5000)
    need(wire.agent('c.getsockopt(1, 4)') == 0, 'a reset that acknowledges nothing of ours was taken')
    conn.send(RST | ACK, seq=0)
    need(wire.agent('wait("w", c) and c.getsockopt(1, 4)') == 111, 'refused, but not ECONNREFUSED')
    wire.agent('c.close()')


def case_unreachable(wire):
    """ICMP while connecting: a hard error at once."""
    for code, number in ((3, 111), (1, 113), (2, 92)):
        wire.drain()
        conn, syn = connect(wire, options=None)
        wire.send(ip(MINE, THEIRS, 1, icmp(3, code, bytes(4) + syn.packet[:28])))
        need(wire.agent('wait("w", c) and c.getsockopt(1, 4)') == number, 'code %d is not errno %d' % (code, number))
        wire.agent('c.close()')


def case_simultaneous_open(wire):
    conn, syn = connect(wire, options=None)
    conn.send(SYN, options=mss(1400))
    p = conn.expect('SA', seq=syn.seq, ack=5001)
    need(p.options.get('mss') == 1460, 'the SYN|ACK of a simultaneous open has no MSS')
    conn.send(SYN | ACK, seq=5000, options=mss(1400))
    conn.expect('A', ack=5001)
    conn.send(ACK, b'both')
    conn.expect('A', ack=5005)
    need(wire.agent('wait("w", c), c.recv(9)') == (True, b'both'), 'data after a simultaneous open')
    conn.send(RST)
    wire.agent('c.close()')
    conn, syn = connect(wire, 6001, options=None)
    conn.send(SYN)
    conn.expect('SA', seq=syn.seq, ack=5001)
    conn.send(ACK, b'x')
    conn.expect('A', ack=5002)
    conn.send(RST)
    wire.agent('c.close()')


def case_closed_port(wire):
    c = Conn(wire, 7999)
    c.send(SYN)
    c.expect('RA', seq=0, ack=1001)
    c.send(ACK, b'abc', seq=50, ack=99)
    c.expect('R', seq=99)
    c.send(SYN | FIN, b'abc', seq=50)
    c.expect('RA', seq=0, ack=55)
    c.send(RST, seq=50)
    c.send(RST | ACK, seq=50)
    c.silence()


def case_listen(wire):
    """What a listener does with segments that are no SYN."""
    c = Conn(wire, 7000)
    c.send(RST)
    c.send(FIN, seq=1)
    c.send(0, b'data')
    c.silence()
    c.send(ACK, ack=4711)
    c.expect('R', seq=4711)
    c.send(SYN | ACK, ack=4712, seq=9)
    c.expect('R', seq=4712)


def case_reset_in_syn_received(wire):
    c = Conn(wire, 7000)
    c.send(SYN)
    c.expect('SA')
    c.send(RST)
    c.silence(1.3)
    c = Conn(wire, 7000)
    c.send(SYN)
    p = c.expect('SA')
    c.send(ACK, ack=p.seq + 99)
    c.expect('R', seq=(p.seq + 99) & 0xffffffff)
    c.send(RST)


def case_reset(wire):
    """RFC 5961: exactly at the left edge it counts, elsewhere in the window it is challenged, outside it is nothing."""
    c = accepted(wire)
    c.send(RST, seq=c.seq - 10)
    c.silence()
    c.send(RST, seq=c.seq + 100)
    c.expect('A', ack=c.seq)
    time.sleep(0.6)  # Linux challenges every half second at most
    c.send(SYN, seq=c.seq + 5)
    p = c.next(2)
    need(p and letters(p.flags) == 'A', 'a SYN in a connection is not challenged')
    need(wire.agent('wait("r", a, 0.1)') is False, 'a bad reset was taken')
    c.send(RST)
    need(wire.agent('(wait("r", a), a.getsockopt(1, 4))') == (True, 104), 'no ECONNRESET')
    c.send(ACK, b'x')
    c.expect('R')
    wire.agent('a.close()')


def case_reset_half_closed(wire):
    c = accepted(wire)
    c.send(FIN | ACK)
    c.expect('A', ack=c.seq)
    c.send(RST)
    need(wire.agent('(wait("r", a), a.getsockopt(1, 4))') == (True, 32), 'a reset in CLOSE_WAIT is not EPIPE')
    wire.agent('a.close()')
    c = accepted(wire)
    wire.agent('a.shutdown(1)')
    c.ack = c.expect('FA').seq + 1
    c.send(RST)
    need(wire.agent('(wait("r", a), a.getsockopt(1, 4))') == (True, 104), 'a reset in FIN_WAIT_1 is not ECONNRESET')
    wire.agent('a.close()')
    c = accepted(wire)
    wire.agent('a.shutdown(1)')
    c.ack = c.expect('FA').seq + 1
    c.send(ACK)
    c.send(RST)
    need(wire.agent('(wait("r", a), a.getsockopt(1, 4))') == (True, 104), 'a reset in FIN_WAIT_2 is not ECONNRESET')
    wire.agent('a.close()')


def case_backlog(wire):
    """A listener whose queue is full drops SYNs, and takes them again once there is room."""
    wire.agent('small = socket.socket(); small.bind(("", 7001)); small.listen(1)')
    opened = []
    for _ in range(2):
        c = Conn(wire, 7001)
        c.open()
        opened.append(c)
    time.sleep(0.1)
    late = Conn(wire, 7001)
    late.send(SYN)
    late.silence()
    wire.agent('small.accept()[0].close()')
    opened[0].send(RST)
    late.send(SYN, seq=1000)
    late.expect('SA')
    late.send(RST)
    opened[1].send(RST)
    wire.agent('small.close()')
