# Multicast: what joining and leaving say on the wire (IGMPv3 and MLDv2, and IGMPv2 and MLDv1 once such a querier has been
# heard: the newer ones' cases come first, since that lasts for minutes), which packets then reach which sockets, what is sent and what comes back to the host itself.
import struct

from packets import address, icmp, ip, udp
from peer import MINE, MINE6, THEIRS, THEIRS6, Failed

GROUP, OTHER, GROUP6 = '239.1.2.3', '239.1.2.4', 'ff15::1234'
GROUP_MAC, OTHER_MAC, GROUP6_MAC, ALL_MAC = (bytes.fromhex(mac) for mac in ('01005e010203', '01005e010204', '333300001234', '01005e000001'))
ROUTER6 = 'fe80::9'
QUERY, REPORT, LEAVE = 0x11, 0x16, 0x17
QUERY6, REPORT6, DONE6 = 130, 131, 132


def need(condition, what):
    if not condition:
        raise Failed(what)


def igmp(kind, group, delay=0):
    return icmp(kind, delay, address(group))


def is_igmp(kind, group):
    return lambda p: p.protocol == 2 and p.body[0] == kind and p.body[4:8] == address(group)


def is_mld(kind):
    # Behind the hop-by-hop header that carries the router alert.
    return lambda p: p.protocol == 0 and p.body[8] == kind and p.body[16:32] == address(GROUP6)


def query(wire, group='0.0.0.0'):
    """From an IGMPv2 querier."""
    wire.send(ip(MINE, '224.0.0.1', 2, igmp(QUERY, group, 10), options=b'\x94\x04\0\0', ttl=1), ALL_MAC)


def query6(wire):
    body = icmp(QUERY6, 0, struct.pack('!HH', 500, 0) + bytes(16), ROUTER6, 'ff02::1')
    alert = bytes((58, 0, 5, 2, 0, 0, 1, 0))
    wire.send(ip(ROUTER6, 'ff02::1', 0, alert + body, hops=1), bytes.fromhex('333300000001'))


def records(p):
    """What a report of IGMPv3 or MLDv2 says: {group: (type, senders)}."""
    six = p.protocol == 0
    body = p.body[8:] if six else p.body
    size, out = 16 if six else 4, {}
    if body[0] != (143 if six else 0x22):
        return out
    at = 8
    for _ in range(struct.unpack('!H', body[6:8])[0]):
        kind, aux, count = struct.unpack('!BBH', body[at:at + 4])
        group, *senders = (body[a:a + size] for a in range(at + 4, at + 4 + size * (count + 1), size))
        out[group] = kind, sorted(senders)
        at += 4 + size * (count + 1) + aux * 4
    return out


def answers(p, group):
    """Whether a report answers a query: a change that is said for the second time does not."""
    return records(p).get(address(group), (0,))[0] in (1, 2)


def told(wire, kind, senders=(), group=GROUP, seconds=3):
    """Waits for a report of the group that says this; what it is addressed to is looked at, too."""
    wanted = kind, sorted(map(address, senders))
    p = wire.next(seconds, lambda p: p.protocol in (0, 2) and records(p).get(address(group)) == wanted)
    need(p, 'nothing says %d of %r' % (kind, senders))
    need(p.dst == ('ff02::16' if ':' in group else '224.0.0.22'), 'it went to %s' % p.dst)
    need(':' in group or (p.packet[8] == 1 and p.packet[20:24] == b'\x94\4\0\0'), 'its TTL or its router alert')


def query3(wire, group='0.0.0.0', senders=()):
    body = address(group) + struct.pack('!BBH', 2, 125, len(senders)) + b''.join(map(address, senders))
    wire.send(ip(MINE, '224.0.0.1' if group == '0.0.0.0' else group, 2, icmp(QUERY, 5, body), options=b'\x94\4\0\0', ttl=1), ALL_MAC if group == '0.0.0.0' else GROUP_MAC)


def query62(wire, group='::', senders=()):
    to = 'ff02::1' if group == '::' else group
    rest = struct.pack('!HH', 500, 0) + address(group) + struct.pack('!BBH', 2, 125, len(senders)) + b''.join(map(address, senders))
    alert = bytes((58, 0, 5, 2, 0, 0, 1, 0))
    wire.send(ip(ROUTER6, to, 0, alert + icmp(QUERY6, 0, rest, ROUTER6, to), hops=1), bytes.fromhex('333300000001') if group == '::' else GROUP6_MAC)


def case_igmp3(wire):
    """Changes are told twice, with their senders; general, group's and senders' queries are answered with what is so."""
    some, more, other = '10.77.0.8', '10.77.0.10', '10.77.0.11'
    three = '+'.join('socket.inet_aton("%s")' % a for a in (GROUP, THEIRS, '%s'))
    member(wire, 'm')
    told(wire, 4)
    told(wire, 4, seconds=1.5)
    wire.agent('m.setsockopt(0, 38, %s)' % (three % some))
    told(wire, 6, [some])
    query3(wire)
    told(wire, 2, [some])
    wire.agent('m.setsockopt(0, 37, %s)' % (three % some))
    told(wire, 5, [some])
    wire.agent('m.close()')
    told(wire, 3)
    wire.agent('m = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); n = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)')
    wire.agent('m.setsockopt(0, 39, %s)' % (three % some))
    told(wire, 5, [some])
    wire.agent('n.setsockopt(0, 39, %s)' % (three % more))
    told(wire, 5, [more])
    query3(wire, GROUP)
    told(wire, 1, [some, more])
    query3(wire, GROUP, [other, more])
    told(wire, 1, [more])
    query3(wire, OTHER)
    need(not wire.next(1, lambda p: p.protocol == 2 and answers(p, OTHER)), 'another group has an answer')
    member(wire, 'o')
    told(wire, 4)
    wire.agent('o.close()')
    told(wire, 3, [some, more])
    wire.agent('m.close()')
    told(wire, 6, [some])
    wire.agent('n.close()')
    told(wire, 6, [more])


def case_igmp3_second(wire):
    """A second member changes nothing: what the first one's joining says is said again all the same."""
    member(wire, 'm')
    told(wire, 4)
    member(wire, 'n')
    told(wire, 4, seconds=1.5)
    wire.agent('n.close()')
    wire.agent('m.close()')
    told(wire, 3)


def case_mld2(wire):
    some = 'fd77::8'
    wire.agent('m = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); link = socket.if_nametoindex("eth0")')
    wire.agent('m.setsockopt(41, 20, socket.inet_pton(socket.AF_INET6, "%s") + struct.pack("i", link))' % GROUP6)
    told(wire, 4, group=GROUP6)
    told(wire, 4, group=GROUP6, seconds=1.5)
    storage = 'struct.pack("HHI", 10, 0, 0) + socket.inet_pton(socket.AF_INET6, "%s") + bytes(104)'
    wire.agent('m.setsockopt(41, 43, struct.pack("ii", link, 0) + %s + %s)' % (storage % GROUP6, storage % some))
    told(wire, 6, [some], GROUP6)
    query62(wire)
    told(wire, 2, [some], GROUP6)
    query62(wire, GROUP6)
    told(wire, 2, [some], GROUP6)
    query62(wire, GROUP6, [some, 'fd77::7'])
    told(wire, 2, [some], GROUP6)
    query62(wire, GROUP6, [some])
    need(not wire.next(1, lambda p: p.protocol == 0 and answers(p, GROUP6)), 'a sender that is shut out has an answer')
    wire.agent('m.close()')
    told(wire, 3, group=GROUP6)


def member(wire, name, group=GROUP, bind='""'):
    wire.agent('%s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); %s.setsockopt(1, 2, 1); %s.bind((%s, 7100))' % (name, name, name, bind))
    wire.agent('%s.setsockopt(0, 35, socket.inet_aton("%s") + socket.inet_aton("%s"))' % (name, group, THEIRS))


def heard(wire, name, seconds=1):
    """What a socket has received, or None."""
    return wire.agent('%s.recv(2000) if wait("r", %s, %g) else None' % (name, name, seconds))


def send_group(wire, data, group=GROUP, mac=GROUP_MAC, src=MINE):
    wire.send(ip(src, group, 17, udp(src, group, 5353, 7100, data), ttl=1), mac)


def case_igmp(wire):
    """A query is answered, a new member tells, a leaving one too."""
    query(wire)
    member(wire, 'm')
    p = wire.next(3, is_igmp(REPORT, GROUP))
    need(p and p.dst == GROUP and p.to_mac == GROUP_MAC and p.src == THEIRS, 'no report of a new member')
    need(p.packet[8] == 1, 'a report with a TTL of %d' % p.packet[8])
    wire.drain()
    query(wire)
    need(wire.next(1.5, is_igmp(REPORT, GROUP)), 'a general query has no answer')
    query(wire, GROUP)
    need(wire.next(1.5, is_igmp(REPORT, GROUP)), 'a query for the group has no answer')
    query(wire, OTHER)
    need(not wire.next(1.5, is_igmp(REPORT, OTHER)), 'a query for another group has an answer')
    member(wire, 'n')
    wire.drain()
    wire.agent('n.close()')
    need(not wire.next(0.5, is_igmp(LEAVE, GROUP)), 'one member left, one is still there')
    wire.agent('m.close()')
    p = wire.next(3, is_igmp(LEAVE, GROUP))
    need(p and p.dst == '224.0.0.2', 'no word of the last that left')


def case_mld(wire):
    query6(wire)
    wire.agent('m = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); m.bind(("", 7100)); link = socket.if_nametoindex("eth0")')
    wire.agent('m.setsockopt(41, 20, socket.inet_pton(socket.AF_INET6, "%s") + struct.pack("i", link))' % GROUP6)
    p = wire.next(3, is_mld(REPORT6))
    need(p and p.to_mac == GROUP6_MAC and p.dst == GROUP6, 'no report of a new member')
    wire.drain()
    query6(wire)
    need(wire.next(1.5, is_mld(REPORT6)), 'a general query has no answer')
    wire.send(ip(MINE6, GROUP6, 17, udp(MINE6, GROUP6, 5353, 7100, b'six'), hops=1), GROUP6_MAC)
    need(heard(wire, 'm') == b'six', 'the group is not heard')
    wire.agent('m.close()')
    p = wire.next(3, is_mld(DONE6))
    need(p and p.dst == 'ff02::2', 'no word of the last that left')


def case_group_delivery(wire):
    """Every member hears what its group gets, others do not; after the last has left nobody does."""
    member(wire, 'a')
    member(wire, 'b')
    member(wire, 'c', bind='"%s"' % GROUP)
    member(wire, 'd', OTHER)
    wire.agent('d.setsockopt(0, 49, 0)')  # IP_MULTICAST_ALL: nothing of others' groups
    send_group(wire, b'one')
    need([heard(wire, name) for name in 'abc'] == [b'one'] * 3, 'not all members have heard it')
    need(heard(wire, 'd', 0.2) is None, 'one of another group has heard it')
    send_group(wire, b'two', OTHER, OTHER_MAC)
    need(heard(wire, 'd') == b'two' and heard(wire, 'c', 0.1) is None, 'the other group')
    # 127.0.0.1 by the wire, and a sender that is a group, are nobody.
    send_group(wire, b'bad', src='239.1.2.3')
    send_group(wire, b'bad', src='127.0.0.1')
    wire.agent('a.recv(9)')  # the other group's, since it hears all
    need(heard(wire, 'a', 0.3) is None, 'a sender that cannot be')
    wire.agent('[s.close() for s in (a, b, d)]')
    wire.agent('c.close(); e = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); e.bind(("", 7100))')
    send_group(wire, b'three')
    need(heard(wire, 'e', 0.3) is None, 'a group that nobody has joined is heard')
    wire.agent('e.close()')


def case_group_sources(wire):
    """Senders that are blocked, and the only ones that are heard."""
    member(wire, 'a')
    wire.agent('a.setsockopt(0, 38, b"".join(map(socket.inet_aton, ("%s", "%s", "10.77.0.8"))))' % (GROUP, THEIRS))
    send_group(wire, b'no', src='10.77.0.8')
    send_group(wire, b'yes')
    need(heard(wire, 'a') == b'yes', 'a blocked sender is heard')
    wire.agent('a.close()')
    wire.agent('a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); a.bind(("", 7100))')
    wire.agent('a.setsockopt(0, 39, b"".join(map(socket.inet_aton, ("%s", "%s", "10.77.0.8"))))' % (GROUP, THEIRS))
    send_group(wire, b'no')
    send_group(wire, b'yes', src='10.77.0.8')
    need(heard(wire, 'a') == b'yes', 'another sender than the one that is wanted is heard')
    wire.agent('a.close()')


def case_group_sending(wire):
    """What goes to a group leaves by the link asked for, with its TTL, and comes back to members here."""
    member(wire, 'm')
    wire.agent('s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(0, 32, socket.inet_aton("%s"))' % THEIRS)
    wire.agent('s.sendto(b"out", ("%s", 7100))' % GROUP)
    p = wire.next(2, lambda p: p.kind == 'udp' and p.dst == GROUP)
    need(p and p.data == b'out' and p.to_mac == GROUP_MAC and p.src == THEIRS and p.packet[8] == 1, 'it did not leave as it should')
    need(heard(wire, 'm') == b'out', 'no member here has heard it')
    wire.agent('s.setsockopt(0, 34, 0); s.sendto(b"quiet", ("%s", 7100))' % GROUP)
    need(wire.next(2, lambda p: p.kind == 'udp' and p.dst == GROUP), 'without the loop nothing leaves')
    need(heard(wire, 'm', 0.3) is None, 'the loop is off and it came back')
    wire.agent('s.setsockopt(0, 34, 1); s.setsockopt(0, 33, 0); s.sendto(b"near", ("%s", 7100))' % GROUP)
    need(heard(wire, 'm') == b'near', 'a TTL of 0 is for members here')
    need(not wire.next(0.3, lambda p: p.kind == 'udp' and p.dst == GROUP), 'a TTL of 0 has left')
    wire.agent('s.setsockopt(0, 33, 9); s.sendto(bytes(4000), ("%s", 7100))' % GROUP)
    p = wire.next(2, lambda p: p.protocol == 17 and p.dst == GROUP)
    need(p and p.packet[8] == 9 and p.fragment, 'one of 4,000 bytes is not cut, or has a TTL of its own')
    need(wire.agent('len(m.recv(9000)) if wait("r", m) else None') == 4000, 'one of 4,000 bytes does not come back')
    wire.agent('s.close()')
    wire.agent('m.close()')


def case_broadcast_returns(wire):
    """A broadcast is heard here, too, if it may be sent at all."""
    wire.agent('m = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); m.bind(("", 7100))')
    need(wire.agent('m.sendto(b"x", ("10.77.0.255", 7100))') == 'EACCES', 'without SO_BROADCAST')
    wire.agent('m.setsockopt(1, 6, 1); m.sendto(b"all", ("10.77.0.255", 7100))')
    p = wire.next(2, lambda p: p.kind == 'udp' and p.dst == '10.77.0.255')
    need(p and p.to_mac == b'\xff' * 6 and p.data == b'all', 'it did not leave')
    need(heard(wire, 'm') == b'all', 'it was not heard here')
    wire.agent('m.close()')


def case_group_sending6(wire):
    wire.agent('m = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); m.bind(("", 7100)); link = socket.if_nametoindex("eth0")')
    wire.agent('m.setsockopt(41, 20, socket.inet_pton(socket.AF_INET6, "%s") + struct.pack("i", link))' % GROUP6)
    wire.agent('s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.setsockopt(41, 17, link); s.setsockopt(41, 18, 3)')
    wire.agent('s.bind(("%s", 0)); s.sendto(b"out", ("%s", 7100))' % (THEIRS6, GROUP6))
    p = wire.next(2, lambda p: p.kind == 'udp' and p.dst == GROUP6)
    need(p and p.data == b'out' and p.to_mac == GROUP6_MAC and p.src == THEIRS6 and p.packet[7] == 3, 'it did not leave as it should')
    need(heard(wire, 'm') == b'out', 'no member here has heard it')
    wire.agent('s.setsockopt(41, 19, 0); s.sendto(b"quiet", ("%s", 7100))' % GROUP6)
    need(heard(wire, 'm', 0.3) is None, 'the loop is off and it came back')
    wire.agent('s.close()')
    wire.agent('m.close()')
