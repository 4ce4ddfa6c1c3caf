# Ethernet, ARP, IPv4, IPv6, TCP, UDP and ICMP as bytes: made from fields, and read into fields.
import socket
import struct
from types import SimpleNamespace

FIN, SYN, RST, PSH, ACK, URG = (1 << i for i in range(6))
MAC = bytes.fromhex('027700000009')  # the peer's


def checksum(data):
    if len(data) % 2:
        data += b'\0'
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def address(text):
    return socket.inet_pton(socket.AF_INET6 if ':' in text else socket.AF_INET, text)


def transport_sum(src, dst, protocol, data):
    src, dst = address(src), address(dst)
    if len(src) == 4:
        pseudo = src + dst + struct.pack('!BBH', 0, protocol, len(data))
    else:
        pseudo = src + dst + struct.pack('!IHBB', len(data), 0, 0, protocol)
    return checksum(pseudo + data)


def ipv4(src, dst, protocol, payload, options=b'', ttl=64, ident=1, fragment=0, total=None, bad_sum=0, version=4, words=None):
    words = 5 + len(options) // 4 if words is None else words
    total = 20 + len(options) + len(payload) if total is None else total
    head = struct.pack('!BBHHHBBH', version << 4 | words, 0, total, ident, fragment, ttl, protocol, 0)
    head += address(src) + address(dst) + options
    return head[:10] + struct.pack('!H', checksum(head) ^ bad_sum) + head[12:] + payload


def ipv6(src, dst, protocol, payload, extensions=b'', hops=64, length=None):
    """extensions: whole headers, the last of which says `protocol`; the first one's number then stands in `protocol`'s place."""
    length = len(extensions) + len(payload) if length is None else length
    return struct.pack('!IHBB', 6 << 28, length, protocol, hops) + address(src) + address(dst) + extensions + payload


def ip(src, dst, protocol, payload, **more):
    return (ipv6 if ':' in src else ipv4)(src, dst, protocol, payload, **more)


def tcp(src, dst, sport, dport, flags, seq=0, ack=0, data=b'', window=65535, options=b'', words=None, bad_sum=0, urgent=0):
    options += b'\0' * (-len(options) % 4)
    words = 5 + len(options) // 4 if words is None else words
    head = struct.pack('!HHIIBBHHH', sport, dport, seq & 0xffffffff, ack & 0xffffffff, words << 4, flags, window, 0, urgent)
    whole = head + options + data
    total = transport_sum(src, dst, 6, whole) ^ bad_sum
    return whole[:16] + struct.pack('!H', total) + whole[18:]


def udp(src, dst, sport, dport, data, length=None, bad_sum=0):
    whole = struct.pack('!HHHH', sport, dport, 8 + len(data) if length is None else length, 0) + data
    total = transport_sum(src, dst, 17, whole) or 0xffff
    return whole[:6] + struct.pack('!H', total ^ bad_sum) + whole[8:]


def icmp(kind, code, rest, src=None, dst=None):
    """ICMP, or ICMPv6 where src and dst are given."""
    whole = struct.pack('!BBH', kind, code, 0) + rest
    total = transport_sum(src, dst, 58, whole) if src else checksum(whole)
    return whole[:2] + struct.pack('!H', total) + whole[4:]


# TCP options
def mss(n):
    return struct.pack('!BBH', 2, 4, n)


def scale(n):
    return bytes([1, 3, 3, n])


SACK_PERMITTED = bytes([1, 1, 4, 2])


def stamps(value, echo):
    return struct.pack('!BBBBII', 1, 1, 8, 10, value & 0xffffffff, echo & 0xffffffff)


def sack(*ranges):
    return bytes([1, 1, 5, 2 + 8 * len(ranges)]) + b''.join(struct.pack('!II', *(edge & 0xffffffff for edge in r)) for r in ranges)


def read_options(data):
    """{'mss', 'scale', 'sack_permitted', 'sack', 'stamps'}"""
    out = {}
    while data and data[0]:
        if data[0] == 1:
            data = data[1:]
            continue
        kind, size = data[0], data[1]
        body = data[2:size]
        if kind == 2:
            out['mss'] = struct.unpack('!H', body)[0]
        elif kind == 3:
            out['scale'] = body[0]
        elif kind == 4:
            out['sack_permitted'] = True
        elif kind == 5:
            edges = struct.unpack('!%dI' % (len(body) // 4), body)
            out['sack'] = list(zip(edges[::2], edges[1::2]))
        elif kind == 8:
            out['stamps'] = struct.unpack('!II', body)
        data = data[size:]
    return out


def parse(frame):
    """The fields of a frame that are there: kind ('arp', 'tcp', 'udp', 'icmp', 'icmp6', 'other'), src, dst, payload…"""
    p = SimpleNamespace(kind='other', mac=frame[6:12], to_mac=frame[:6], frame=frame)
    p.protocol = protocol = None
    if frame[12:14] == b'\x08\x06':
        p.kind, p.operation, p.sender, p.target = 'arp', frame[21], socket.inet_ntoa(frame[28:32]), socket.inet_ntoa(frame[38:42])
    elif frame[12:14] == b'\x08\0':
        size = (frame[14] & 15) * 4
        total, p.ident, p.fragment = struct.unpack('!HHH', frame[16:22])
        protocol, p.src, p.dst = frame[23], socket.inet_ntoa(frame[26:30]), socket.inet_ntoa(frame[30:34])
        p.dont_fragment = bool(p.fragment & 0x4000)
        p.good_header = checksum(frame[14:14 + size]) == 0
        p.body = frame[14 + size:14 + total]
        p.packet = frame[14:14 + total]
    elif frame[12:14] == b'\x86\xdd':
        total, protocol = struct.unpack('!HB', frame[18:21])
        p.src, p.dst = (socket.inet_ntop(socket.AF_INET6, frame[a:a + 16]) for a in (22, 38))
        p.body = frame[54:54 + total]
        p.packet = frame[14:54 + total]
    p.protocol = protocol
    if protocol == 6 and len(p.body) >= 20:
        p.kind = 'tcp'
        p.sport, p.dport, p.seq, p.ack, words, p.flags, p.window, p.sum, p.urgent = struct.unpack('!HHIIBBHHH', p.body[:20])
        p.options = read_options(p.body[20:(words >> 4) * 4])
        p.data = p.body[(words >> 4) * 4:]
        p.good = transport_sum(p.src, p.dst, 6, p.body) == 0
    elif protocol == 17 and len(p.body) >= 8:
        p.kind = 'udp'
        p.sport, p.dport = struct.unpack('!HH', p.body[:4])
        p.data = p.body[8:]
    elif protocol in (1, 58) and len(p.body) >= 8:
        p.kind = 'icmp' if protocol == 1 else 'icmp6'
        p.type, p.code, p.data = p.body[0], p.body[1], p.body[4:]
    return p
