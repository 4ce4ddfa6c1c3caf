# Data under way: loss, order, windows, the size of packets.
import struct
import time

from cases_connect import accepted, connect, need
from packets import ACK, FIN, PSH, RST, SACK_PERMITTED, SYN, URG, icmp, ip, mss, scale, stamps
from peer import MINE, MINE6, THEIRS, THEIRS6, Conn, Failed, letters


def end(wire, c):
    c.send(RST)
    wire.agent('a.close()')


def case_retransmit(wire):
    """Nothing is acknowledged: the same bytes again, at gaps that double."""
    c = accepted(wire)
    wire.agent('a.send(b"lost")')
    times = [c.expect('A', data=b'lost').time]
    for _ in range(4):
        p = c.expect('A', 5)
        need(p.data == b'lost' and p.seq == c.ack, 'another packet was sent again')
        times.append(p.time)
    gaps = [b - a for a, b in zip(times, times[1:])]
    need(0.15 < gaps[0] < 1.5, 'the first timeout took %.2f s' % gaps[0])
    for a, b in zip(gaps[1:], gaps[2:]):
        need(1.5 < b / a < 2.6, 'timeouts do not double: %r' % gaps)
    c.ack += 4
    c.send(ACK)
    c.silence()
    end(wire, c)


def case_fast_retransmit(wire):
    """Three duplicate acknowledgements: the lost packet again, at once."""
    c = accepted(wire)
    wire.agent('a.sendall(bytes(14600))')
    packets = []
    while len(packets) < 4:
        packets.append(c.expect('A'))
    wire.drain()
    start = time.monotonic()
    for _ in range(3):
        c.send(ACK)
    while True:
        p = c.next(1)
        need(p, 'no fast retransmission')
        if p.seq == c.ack:
            break
    need(p.time - start < 0.15, 'a fast retransmission took %.2f s' % (p.time - start))
    end(wire, c)


def case_all_loss(wire):
    """Every fifth packet is lost once: all bytes arrive."""
    c = accepted(wire, options=mss(1460) + scale(7))
    start = c.ack
    wire.agent.tell('a.sendall(bytes(range(256)) * 400)')
    kept, got, lost, count = {}, b'', set(), 0
    while len(got) < 102400:
        p = c.next(5)
        need(p, '%d bytes came' % len(got))
        count += 1
        if count % 5 == 0 and p.seq not in lost:
            lost.add(p.seq)
            continue
        kept[(p.seq - start) & 0xffffffff] = p.data
        for at in sorted(kept):
            if at <= len(got):
                got += kept.pop(at)[len(got) - at:]
        c.ack = (start + len(got)) & 0xffffffff
        c.send(ACK)
    need(got == bytes(range(256)) * 400, 'other bytes arrived')
    wire.agent.answer()
    end(wire, c)


def case_order(wire):
    """Packets out of order, doubled, overlapping: the program reads them in order, the peer is told what is there."""
    c = accepted(wire, options=mss(1460) + SACK_PERMITTED)
    base = c.seq
    c.send(ACK, b'2222', seq=base + 4)
    p = c.expect('A', ack=base)
    need(p.options.get('sack') == [(base + 4, base + 8)], 'SACK says %r' % p.options)
    c.send(ACK, b'4444', seq=base + 12)
    p = c.expect('A', ack=base)
    need(p.options.get('sack') == [(base + 12, base + 16), (base + 4, base + 8)], 'SACK says %r' % p.options)
    c.send(ACK, b'2222', seq=base + 4)
    c.expect('A', ack=base)
    c.send(ACK, b'1111XX', seq=base)
    c.expect('A', ack=base + 8)
    c.send(ACK, b'33334444555', seq=base + 8)
    c.expect('A', ack=base + 19)
    got = wire.agent('read_some(a, 19)')
    need(len(got) == 19 and got[:4] == b'1111' and got[8:] == b'33334444555', 'the program read %r' % got)
    c.send(ACK, b'old', seq=base)
    c.expect('A', ack=base + 19)
    c.send(FIN | ACK, b'end', seq=base + 24)
    c.expect('A', ack=base + 19)
    c.send(ACK, b'66666', seq=base + 19)
    c.expect('A', ack=base + 28)
    need(wire.agent('read_some(a, 99)') == b'66666end', 'a FIN out of order was not kept')
    wire.agent('a.close()')
    c.expect('FA')
    c.send(RST, seq=base + 28)


def case_far_ahead(wire):
    """Beyond the window, and before it: only an acknowledgement."""
    c = accepted(wire)
    c.send(ACK, b'far', seq=c.seq + (1 << 30))
    c.expect('A', ack=c.seq)
    c.send(ACK, b'old', seq=c.seq - 3)
    c.expect('A', ack=c.seq)
    c.send(ACK, b'x', ack=c.ack + 5000)
    need(letters(c.next(1).flags) == 'A', 'an acknowledgement of what was never sent')
    need(wire.agent('wait("r", a, 0.1)') is False, 'bytes outside the window were read')
    end(wire, c)


def case_out_of_order_bounded(wire):
    """Holes that are never filled take a window's memory at most."""
    c = accepted(wire)
    before = wire.agent.memory()
    for i in range(4000):
        c.send(ACK, bytes(1000), seq=c.seq + 1 + i * 1001 % 300000)
        if i % 100 == 99:
            wire.drain(0.002)
    grown = wire.agent.memory() - before
    need(grown < 8 << 20, 'holes took %d KiB' % (grown >> 10))
    wire.drain()
    end(wire, c)


def case_no_reader(wire):
    """The program does not read: the window closes, what comes then is not taken; it opens again by reading."""
    wire.agent('listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)')
    c = accepted(wire)
    wire.agent('listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 131072)')
    total = 0
    for _ in range(200):
        c.send(ACK, bytes(1000))
        total += 1000
        p = c.next(1)
        need(p, 'no acknowledgement')
        while (more := c.next(0.005)):
            p = more
        if p.window < 1000:
            break
    need(total < 100000, 'a reader that sleeps was sent %d bytes' % total)
    rest = p.window
    c.seq = p.ack
    if rest:
        c.send(ACK, bytes(rest))
        p = c.expect('A', ack=c.seq)
    need(p.window == 0 or p.window < 1000, 'the window stays at %d' % p.window)
    c.send(ACK, b'probe', seq=c.seq)
    p = c.expect('A', ack=c.seq)
    taken = p.ack
    wire.agent('read_some(a, 100000, 0.3)')
    p = c.expect('A', ack=taken)
    need(p.window >= 1460, 'the window opens to %d' % p.window)
    end(wire, c)


def case_zero_window(wire):
    """The peer's window closes: probes at gaps that grow, and the data once it opens."""
    c = accepted(wire)
    c.window = 0
    c.send(ACK, b'x')
    c.expect('A')
    wire.agent('a.sendall(b"waiting")')
    first = c.next(3)
    need(first and len(first.data) <= 1, 'no probe of a closed window')
    c.send(ACK)
    second = c.next(4)
    need(second and len(second.data) <= 1, 'no second probe of a closed window')
    c.send(ACK)
    third = c.next(6)
    need(third and len(third.data) <= 1, 'no third probe')
    need(third.time - second.time > (second.time - first.time) * 1.3, 'probes come at even gaps')
    c.window = 65535
    c.send(ACK)
    need(c.take(7) == b'waiting', 'other data came')
    end(wire, c)


def case_window_and_silly(wire):
    """No more than the peer's window is sent."""
    c = accepted(wire, options=mss(1000))
    c.window = 2500
    for _ in range(2):  # with data: a window that shrinks is news only then
        c.send(ACK, b'x')
        c.expect('A')
    wire.agent('a.setblocking(False); a.send(bytes(20000))')
    sent = 0
    while (p := c.next(0.6)):
        need(len(p.data) <= 1000, 'a packet of %d bytes where the MSS is 1000' % len(p.data))
        sent = max(sent, p.seq + len(p.data) - c.ack)
    need(0 < sent <= 2500, '%d bytes were sent into a window of 2500' % sent)
    end(wire, c)


def case_stamps(wire):
    """Timestamps are echoed, and what is older than the last is dropped (PAWS)."""
    c = accepted(wire, options=mss(1460) + stamps(1000, 0))
    c.send(ACK, b'one', options=stamps(1001, 0))
    p = c.expect('A', ack=c.seq)
    need(p.options.get('stamps', (0, 0))[1] == 1001, 'the echo is %r' % p.options)
    c.send(ACK, b'old', seq=c.seq, options=stamps(500, 0))
    c.expect('A', ack=c.seq)
    c.send(ACK, b'two', options=stamps(1002, 0))
    c.expect('A', ack=c.seq)
    need(wire.agent('read_some(a, 6)') == b'onetwo', 'PAWS')
    wire.agent('a.send(b"back")')
    p = c.expect('A', data=b'back')
    need(p.options['stamps'][1] == 1002, 'data echoes %r' % p.options)
    c.send(RST, options=stamps(1003, 0))
    wire.agent('a.close()')


def case_path_mtu(wire):
    """"Fragmentation needed" makes packets smaller, and what was too big is sent again."""
    c = accepted(wire, options=mss(1460))
    wire.agent('a.sendall(bytes(2920))')
    p = c.expect('A')
    need(p.dont_fragment and len(p.data) == 1460, 'a packet of %d bytes, DF %s' % (len(p.data), p.dont_fragment))
    wire.drain()
    wire.send(ip(MINE, THEIRS, 1, icmp(3, 4, struct.pack('!HH', 0, 1000) + p.packet[:28])))
    got = 0
    while got < 2920:
        p = c.next(2)
        need(p, 'after %d bytes nothing more came' % got)
        if p.seq != c.ack:
            continue
        need(len(p.data) <= 960, 'a packet of %d bytes by a path of 1000' % len(p.data))
        got += len(p.data)
        c.ack = (c.ack + len(p.data)) & 0xffffffff
        c.send(ACK)
    # One that quotes what was never sent changes nothing; nor does one below the least.
    wire.send(ip(MINE, THEIRS, 1, icmp(3, 4, struct.pack('!HH', 0, 600) + p.packet[:24] + bytes(4))))
    wire.agent('a.sendall(bytes(960))')
    need(len(c.next(2).data) == 960, 'a forged message was believed')
    end(wire, c)


def case_path_mtu6(wire):
    c = accepted(wire, v6=True, options=mss(1440))
    wire.agent('a.sendall(bytes(2880))')
    p = c.expect('A')
    need(len(p.data) == 1440, 'a packet of %d bytes' % len(p.data))
    wire.drain()
    wire.send(ip(MINE6, THEIRS6, 58, icmp(2, 0, struct.pack('!I', 1300) + p.packet[:100], MINE6, THEIRS6)))
    got = 0
    while got < 2880:
        p = c.next(2)
        need(p, 'after %d bytes nothing more came' % got)
        if p.seq != c.ack:
            continue
        need(0 < len(p.data) <= 1240, 'a packet of %d bytes by a path of 1300' % len(p.data))
        got += len(p.data)
        c.ack = (c.ack + len(p.data)) & 0xffffffff
        c.send(ACK)
    end(wire, c)


def soon(wire, expression, value):
    """Whether the agent comes to that value: it looks again until what was sent has been taken in."""
    for _ in range(40):
        if wire.agent(expression) == value:
            return True
        wire.next(0.05, lambda p: False)
    return False


def case_urgent_in(wire):
    """A marked byte: in its segment, announced before it comes, and in one that comes too early."""
    c = accepted(wire)
    wire.agent('oob = lambda: a.recv(1, socket.MSG_OOB)')
    c.send(ACK | URG, b'abcd!ef', urgent=5)
    need(wire.agent('(a.recv(9), oob(), a.recv(9))') == (b'abcd', b'!', b'ef'), 'the mark is elsewhere')
    c.send(ACK | URG, urgent=3)
    need(soon(wire, 'oob()', 'EAGAIN'), 'it was there before it came')
    c.send(ACK, b'gh?')
    need(soon(wire, 'oob()', b'?') and wire.agent('a.recv(9)') == b'gh', 'an announced mark')
    start = c.seq
    c.send(ACK | URG, b'+z', seq=start + 2, urgent=1)
    need(soon(wire, 'oob()', b'+'), 'it came early and was not told')
    c.send(ACK, b'xy', seq=start)
    need(wire.agent('(a.recv(9), a.recv(9))') == (b'xy', b'z'), 'the mark of what came early')
    c.seq = start + 4
    c.send(ACK | URG, b'', seq=start, urgent=1)  # of what was read long ago
    wire.next(0.1, lambda p: False)
    need(wire.agent('oob()') == 'EINVAL', 'an old mark')
    end(wire, c)


def case_urgent_out(wire):
    """Every packet up to the marked byte says where it is once it is sent, none after it does."""
    c = accepted(wire, options=mss(1460))
    wire.agent('a.send(b"ab!", socket.MSG_OOB)')
    p = c.expect('AU', data=b'ab!', urgent=3)
    c.ack += 3
    c.send(ACK)
    c.window = 2000
    c.send(ACK)
    wire.drain()
    start = c.ack
    wire.agent('a.setblocking(False); a.send(bytes(30000)); a.send(b"!", socket.MSG_OOB); a.send(bytes(3000))')
    c.window = 65535
    c.send(ACK)
    mark, got, marked = start + 30001, start, 0
    while got < start + 33001:
        p = c.next(2)
        need(p, 'only %d bytes came' % (got - start))
        need(len(p.data) <= 1460, 'a packet of %d bytes' % len(p.data))
        if p.flags & URG:
            need(p.seq < mark and p.seq + p.urgent == mark, 'byte %d says %d' % (p.seq - start, p.urgent))
            marked += 1
        else:
            need(p.seq >= mark or p.seq < start + 15000, 'nothing is said of the mark at byte %d' % (p.seq - start))
        got = max(got, p.seq + len(p.data))
        c.ack = got
        c.send(ACK)
    need(marked >= 5, 'only %d packets are marked' % marked)
    end(wire, c)
