# How connections end: each state of closing, from both sides.
from cases_connect import accepted, connect, need
from packets import ACK, FIN, RST, SYN, mss
from peer import Conn, Failed, letters


def fin_from_there(wire, c):
    p = c.expect('FA')
    c.ack = p.seq + len(p.data) + 1
    return p


def case_half_close(wire):
    """FIN_WAIT_2 takes data; then TIME_WAIT, which acknowledges the FIN again."""
    c = accepted(wire)
    wire.agent('a.shutdown(1)')
    fin_from_there(wire, c)
    c.send(ACK)
    c.send(ACK, b'more')
    c.expect('A', ack=c.seq)
    need(wire.agent('read_some(a, 4)') == b'more', 'half-closed, data is lost')
    c.send(FIN | ACK)
    c.expect('A', ack=c.seq)
    need(wire.agent('a.recv(1)') == b'', 'no end after a FIN')
    c.send(FIN | ACK, seq=c.seq - 1)
    c.expect('A', ack=c.seq)
    c.send(RST)
    wire.agent('a.close()')


def case_close_wait(wire):
    c = accepted(wire)
    c.send(FIN | ACK)
    c.expect('A', ack=c.seq)
    wire.agent('a.send(b"last")')
    c.expect('A', data=b'last')
    c.ack += 4
    c.send(ACK)
    wire.agent('a.close()')
    fin = fin_from_there(wire, c)
    again = c.expect('FA', 3)
    need(again.seq == fin.seq, 'another FIN')
    c.send(ACK)
    c.silence()
    c.send(ACK)
    c.expect('R', seq=c.ack)


def case_closing(wire):
    """Both close at once."""
    c = accepted(wire)
    wire.agent('a.close()')
    p = c.expect('FA')
    c.send(FIN | ACK)
    c.expect('A', ack=c.seq)
    c.ack = p.seq + 1
    c.send(ACK)
    c.silence()
    c.send(FIN | ACK, seq=c.seq - 1)
    c.expect('A', ack=c.seq)


def case_all_at_once(wire):
    """FIN, its acknowledgement and ours in three packets."""
    c = accepted(wire)
    wire.agent('a.close()')
    fin_from_there(wire, c)
    c.send(FIN | ACK)
    c.expect('A', ack=c.seq)
    c.silence()


def case_time_wait_reuse(wire):
    """A new SYN beyond the old connection's numbers opens the same pair again."""
    c = accepted(wire)
    wire.agent('a.close()')
    fin_from_there(wire, c)
    c.send(FIN | ACK)
    c.expect('A', ack=c.seq)
    again = Conn(wire, 7000, c.sport, seq=c.seq + 100000)
    again.send(SYN)
    again.ack = again.expect('SA', ack=again.seq).seq + 1
    again.send(ACK, b'new')
    need(wire.agent('(listener.accept()[0]).recv(3)') == b'new', 'the pair of a connection in TIME_WAIT')
    again.send(RST)
    old = accepted(wire)
    wire.agent('a.close()')
    fin_from_there(wire, old)
    old.send(FIN | ACK)
    old.expect('A', ack=old.seq)
    old.send(SYN, seq=old.seq - 5000)
    old.expect('A', ack=old.seq)


def case_unread(wire):
    """Closed with bytes unread: a reset, so that the peer knows."""
    c = accepted(wire)
    c.send(ACK, b'never read')
    c.expect('A', ack=c.seq)
    wire.agent('wait("r", a), a.close()')
    p = c.next(2)
    need(p and 'R' in letters(p.flags), 'no reset for bytes that nobody reads')


def case_data_after_close(wire):
    c = accepted(wire)
    wire.agent('a.close()')
    fin_from_there(wire, c)
    c.send(ACK)
    c.send(ACK, b'too late')
    c.expect('R')


def case_linger(wire):
    c = accepted(wire)
    wire.agent('a.setsockopt(1, 13, struct.pack("ii", 1, 0)); a.close()')
    p = c.next(2)
    need(p and 'R' in letters(p.flags), 'no reset with SO_LINGER of 0')


def case_fin_with_data(wire):
    c = accepted(wire)
    c.send(FIN | ACK, b'bye')
    c.expect('A', ack=c.seq)
    need(wire.agent('read_some(a, 9)') == b'bye', 'data with a FIN')
    wire.agent('a.sendall(b"bye"), a.close()')
    got, p = b'', None
    while not p or not p.flags & FIN:
        p = c.next(2)
        need(p, 'no FIN')
        got += p.data
    need(got == b'bye', 'bytes before the FIN: %r' % got)
    c.ack = p.seq + len(p.data) + 1
    c.send(ACK)
    c.silence()


def case_keep_alive(wire):
    wire.agent('listener.setsockopt(1, 9, 1)')
    c = accepted(wire)
    wire.agent('a.setsockopt(6, 4, 1); a.setsockopt(6, 5, 1); a.setsockopt(6, 6, 3)')
    wire.agent('listener.setsockopt(1, 9, 0)')
    p = c.next(3)
    need(p and len(p.data) <= 1 and p.seq == (c.ack - 1) & 0xffffffff, 'no keep-alive')
    c.send(ACK)
    for _ in range(3):
        need(c.next(3), 'too few keep-alives')
    p = c.next(3)
    need(p and 'R' in letters(p.flags), 'a peer that is gone is not reset')
    need(wire.agent('wait("r", a) and a.getsockopt(1, 4)') == 110, 'a peer that is gone is not ETIMEDOUT')
    wire.agent('a.close()')
