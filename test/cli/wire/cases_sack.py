# Retransmission by selective acknowledgements (RFC 2018, RFC 6675): what the peer says it holds is not sent again.
import time

from cases_connect import accepted, need
from cases_data import end
from packets import ACK, RST, SACK_PERMITTED, mss, sack, scale, stamps

SIZE = 1000


def flight(wire, count, options=b'', **more):
    """A connection, and so many packets of SIZE that it has sent, none of them acknowledged."""
    c = accepted(wire, options=mss(SIZE) + SACK_PERMITTED + options, **more)
    wire.agent('a.sendall(b"".join(bytes([i]) * %d for i in range(%d)))' % (SIZE, count))
    packets = []
    while len(packets) < count:
        p = c.next(2)
        need(p, '%d of %d packets came' % (len(packets), count))
        if not packets or p.seq > packets[-1].seq:
            packets.append(p)
    wire.drain()
    return c, packets


def edges(packets, first, last):
    return packets[first].seq, packets[last].seq + SIZE


def again(c, packets, seconds):
    """Which of the packets are sent again within so many seconds, by their numbers."""
    numbers, until, seen = {p.seq: i for i, p in enumerate(packets)}, time.monotonic() + seconds, []
    while (left := until - time.monotonic()) > 0:
        p = c.next(left)
        if p and p.data:
            need(p.seq in numbers and len(p.data) == SIZE and p.data == packets[numbers[p.seq]].data, 'other bytes are sent again')
            seen.append(numbers[p.seq])
    return seen


def case_sack_two_holes(wire):
    """Two packets of ten are lost: both are sent again at once, and nothing else is."""
    c, packets = flight(wire, 10)
    for i in (1, 2, 3):
        c.send(ACK, options=sack(edges(packets, 1, i)))
    for i in (5, 6, 7, 8, 9):
        c.send(ACK, options=sack(edges(packets, 5, i), edges(packets, 1, 3)))
    seen = again(c, packets, 0.15)
    need(sorted(seen) == [0, 4], 'sent again at once: %r' % seen)
    c.ack = packets[9].seq + SIZE
    c.send(ACK)
    c.silence()
    end(wire, c)


def case_sack_stamps6(wire):
    """The same with timestamps and IPv6, and a hole of two packets."""
    c = accepted(wire, v6=True, options=mss(SIZE + 12) + SACK_PERMITTED + stamps(1, 0))
    wire.agent('a.sendall(bytes(%d))' % (9 * SIZE))
    packets = []
    while len(packets) < 9:
        packets.append(c.next(2))
        need(packets[-1], '%d packets came' % len(packets))
    c.ack = packets[1].seq
    for i in range(3, 9):
        c.send(ACK, options=stamps(2, 0) + sack(edges(packets, 3, i)))
    until, seen = time.monotonic() + 0.15, set()
    while (left := until - time.monotonic()) > 0:
        p = c.next(left)
        if p and p.data:
            need(p.options.get('stamps', (0, 0))[1] == 2, 'what is sent again echoes %r' % p.options)
            at = (p.seq - packets[0].seq) // SIZE
            seen |= set(range(at, at + len(p.data) // SIZE))
    need(seen == {1, 2}, 'sent again at once: %r' % seen)
    c.send(RST, options=stamps(3, 0))
    wire.agent('a.close()')


def case_sack_timeout(wire):
    """Nothing helps but the timeout: then, too, what is held is not sent again."""
    c, packets = flight(wire, 8)
    c.send(ACK, options=sack(edges(packets, 2, 2)))
    c.send(ACK, options=sack(edges(packets, 4, 4), edges(packets, 2, 2)))
    seen = again(c, packets, 1.2)
    need(0 in seen and not {2, 4} & set(seen), 'sent again: %r' % seen)
    c.ack = packets[1].seq
    c.send(ACK, options=sack(edges(packets, 4, 4), edges(packets, 2, 2)))
    seen = again(c, packets, 1.2)
    need(1 in seen and not {0, 2, 4} & set(seen), 'then: %r' % seen)
    c.ack = packets[3].seq
    c.send(ACK, options=sack(edges(packets, 4, 4)))
    seen = again(c, packets, 1.2)
    need(3 in seen and 4 not in seen, 'at last: %r' % seen)
    c.ack = packets[7].seq + SIZE
    c.send(ACK)
    c.silence()
    end(wire, c)


def case_sack_timeout_and_more(wire):
    """What is written while lost packets wait to be sent again comes behind all that was sent, and so does the end."""
    c, packets = flight(wire, 10)
    last = packets[9].seq + SIZE
    c.send(ACK, options=sack(edges(packets, 9, 9), edges(packets, 1, 7)))
    seen = again(c, packets, 1.2)
    need(0 in seen, 'sent again: %r' % seen)
    wire.agent('a.send(b"more")')
    wire.agent('a.shutdown(socket.SHUT_WR)')
    got, until = {}, time.monotonic() + 10
    while not {packets[8].seq, last} <= got.keys():
        c.ack = packets[8].seq if packets[8].seq not in got else last
        c.send(ACK)
        need(time.monotonic() < until, 'after the lost packets came %r' % got)
        p = c.next(0.5)
        if p and p.data:
            for i in range(0, len(p.data), SIZE):
                got[p.seq + i] = p.data[i:i + SIZE]
    need(got[packets[8].seq] == packets[8].data and got[last] == b'more', 'what came: %r' % got)
    c.ack = last + 5
    c.send(ACK)
    wire.drain()
    c.silence()
    end(wire, c)


def case_sack_taken_back(wire):
    """The peer may forget what it held: it gets everything in the end."""
    c, packets = flight(wire, 8)
    for i in range(2, 8):
        c.send(ACK, options=sack(edges(packets, 2, i)))
    need(0 in again(c, packets, 0.2), 'the hole is not filled')
    c.ack = packets[2].seq
    c.send(ACK)
    end_at, until = packets[7].seq + SIZE, time.monotonic() + 15
    while c.ack != end_at:
        need(time.monotonic() < until, 'after %d bytes nothing more came' % (c.ack - packets[0].seq))
        p = c.next(5)
        if p and p.seq == c.ack and p.data:
            c.ack += len(p.data)
            c.send(ACK)
    end(wire, c)


def case_sack_lies(wire):
    """Blocks that cannot be are passed over."""
    c, packets = flight(wire, 4)
    last = packets[3].seq + SIZE
    first = packets[0].seq
    lies = ((last + 1000, last + 2000), (first - 5000, first - 4000), (last, first), (first, first), (first + 1, last + 1),
            (first, last), (first + 0x80000000, first + 0x7fffffff), (first - 1, first + 1))
    for lie in lies:
        c.send(ACK, options=sack(lie, lie, lie))
    c.send(ACK, options=bytes([1, 1, 5, 3, 0, 0, 0, 0]))
    c.send(ACK, options=bytes([1, 1, 5, 34, 0, 0, 0, 0]))
    wire.drain()
    until = time.monotonic() + 10
    while c.ack != last:
        need(time.monotonic() < until, 'what was lost is not sent again')
        p = c.next(5)
        if p and p.seq == c.ack and p.data:
            c.ack += len(p.data)
            c.send(ACK)
    wire.agent('a.send(b"more")')
    c.expect('A', data=b'more')
    end(wire, c)


def blocks(pieces, newest):
    """What lies beyond the hole, as a peer would tell it: the block with the newest piece first."""
    held = []
    for left, right in sorted(pieces.items()):
        if held and held[-1][1] == left:
            held[-1] = (held[-1][0], right)
        else:
            held.append((left, right))
    held.sort(key=lambda block: not block[0] <= newest < block[1])
    return held[:4]


def case_sack_many_losses(wire):
    """Every seventh packet of a long transfer is lost once: all arrives, and few packets twice (a timeout on a busy host sends some)."""
    c = accepted(wire, options=mss(1460) + scale(7) + SACK_PERMITTED)
    start, total = c.ack, 1 << 20
    wire.agent.tell('a.sendall(bytes(range(256)) * 4096)')
    pieces, lost, count, twice, done = {}, set(), 0, 0, 0
    while done < total:
        p = c.next(5)
        need(p, '%d bytes came' % done)
        if not p.data:
            continue
        at = (p.seq - start) & 0xffffffff
        count += 1
        if count % 7 == 0 and at not in lost:
            lost.add(at)
            continue
        twice += at in pieces or at < done
        need(p.data == (bytes(range(256)) * 7)[at % 256:][:len(p.data)], 'other bytes arrived')
        pieces[at] = at + len(p.data)
        while done in pieces:
            done = pieces.pop(done)
        pieces = {left: right for left, right in pieces.items() if right > done}
        c.ack = (start + done) & 0xffffffff
        held = [(start + left, start + right) for left, right in blocks(pieces, at)]
        c.send(ACK, options=sack(*held) if held else b'')
    need(twice < count / 5, '%d of %d packets came twice' % (twice, count))
    wire.agent.answer()
    end(wire, c)
