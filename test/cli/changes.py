# Changes the network by rtnetlink(7) and the SIOCSIF ioctls, and prints how each ends, what the tables hold then and
# what a listener hears: the same lines on Linux and in the sandbox. Run where eth0 has 10.77.0.2/24 and fd77::2/64.
import ctypes
import errno
import fcntl
import socket
import struct
import time

NEWLINK, NEWADDR, DELADDR, GETADDR, NEWROUTE, DELROUTE, GETROUTE, NEWNEIGH, DELNEIGH, SETLINK = 16, 20, 21, 22, 24, 25, 26, 28, 29, 19
CREATE, EXCL, REPLACE, ACK, DUMP = 0x400, 0x200, 0x100, 4, 0x300
eth0 = socket.if_nametoindex('eth0')


def raw(text):
    return socket.inet_pton(socket.AF_INET6 if ':' in text else socket.AF_INET, text)


def family(text):
    return socket.AF_INET6 if ':' in text else socket.AF_INET


def attribute(kind, data):
    return struct.pack('HH', 4 + len(data), kind) + data + bytes(-len(data) % 4)


def read_attributes(data):
    out = {}
    while len(data) >= 4:
        size, kind = struct.unpack('HH', data[:4])
        out[kind & 0x3fff] = data[4:size]
        data = data[(size + 3) & ~3:]
    return out


control = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
control.bind((0, 0))
control.setsockopt(270, 11, 1)  # NETLINK_EXT_ACK
listener = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
listener.bind((0, 1 | 1 << 4 | 1 << 6 | 1 << 8 | 1 << 10))
listener.settimeout(0.3)


def request(kind, flags, body):
    control.send(struct.pack('IHHII', 16 + len(body), kind, 1 | flags, 5, 0) + body)


def change(what, kind, flags, body):
    request(kind, ACK | flags, body)
    answer = control.recv(8192)
    number = -struct.unpack('i', answer[16:20])[0]
    reason = ''
    if struct.unpack('H', answer[6:8])[0] & 0x200:
        reason = ' ' + read_attributes(answer[20 + struct.unpack('I', answer[20:24])[0]:]).get(1, b'\0')[:-1].decode()
    print(what, errno.errorcode.get(number, number), reason)


def dump(kind, fixed):
    request(kind, DUMP, bytes([0]) + bytes(fixed - 1))
    while True:
        data = control.recv(65536)
        while data:
            size, kind = struct.unpack('IH', data[:6])
            if kind in (2, 3):
                return
            yield data[16:size]
            data = data[(size + 3) & ~3:]


def address(what, add, text, prefix, index=None, extra=b''):
    body = struct.pack('BBBBI', family(text), prefix, 0, 0, eth0 if index is None else index)
    body += attribute(2, raw(text)) + attribute(1, raw(text)) + extra
    change('%s %s/%d' % (what, text, prefix), NEWADDR if add else DELADDR, CREATE | EXCL if add else 0, body)


def route(what, flags, to, prefix, via=None, dev=True, metric=0, source=None, kind=1, table=254, index=None):
    body = struct.pack('BBBBBBBBI', family(to), prefix, 0, 0, table, 3 if flags is not None else 0, 0 if via else 253 if family(to) == 2 else 0,
                       kind, 0) + attribute(1, raw(to))
    if via:
        body += attribute(5, raw(via))
    if dev:
        body += attribute(4, struct.pack('i', eth0 if index is None else index))
    if metric:
        body += attribute(6, struct.pack('I', metric))
    if source:
        body += attribute(7, raw(source))
    change('%s %s/%d' % (what, to, prefix), DELROUTE if flags is None else NEWROUTE, flags or 0, body)


def link(what, kind, index, up=None, extra=b'', flags=0):
    change(what, kind, flags, struct.pack('BBHiII', 0, 0, 0, index, up or 0, 0 if up is None else 1) + extra)


def neighbour(what, flags, text, mac=None):
    body = struct.pack('BxxxiHBB', family(text), eth0, 0x80 if mac else 0, 0, 0) + attribute(1, raw(text))
    change('%s neighbour %s' % (what, text), NEWNEIGH if mac else DELNEIGH, flags, body + (attribute(2, bytes(5) + bytes([mac])) if mac else b''))


def show(title):
    lines = []
    for m in dump(GETADDR, 8):
        a = read_attributes(m[8:])
        if struct.unpack('I', m[4:8])[0] == eth0 and a[1][:2] != b'\xfe\x80':
            lines.append('  address %s/%d scope %d secondary %d' % (socket.inet_ntop(m[0], a[1]), m[1], m[3], m[2] & 1 if m[0] == 2 else 0))
    for m in dump(GETROUTE, 12):
        a = read_attributes(m[12:])
        table = struct.unpack('I', a[15])[0]
        if table == 254 and struct.unpack('i', a[4])[0] == eth0 and a.get(1, b'')[:1] not in (b'\xfe', b'\xff'):
            lines.append('  route %s/%d via %s metric %d protocol %d scope %d' % (
                socket.inet_ntop(m[0], a[1]) if 1 in a else 'default', m[1], socket.inet_ntop(m[0], a[5]) if 5 in a else '-',
                struct.unpack('I', a[6])[0] if 6 in a else 0, m[5], m[6]))
    print(title, *sorted(lines), sep='\n')


def heard(title):
    lines = []
    try:
        while True:
            data, (_, groups) = listener.recvfrom(65536)
            kind = struct.unpack('H', data[4:6])[0]
            if kind in (NEWADDR, DELADDR):
                a = read_attributes(data[24:])
                if a[1][:2] != b'\xfe\x80' and not data[18] & 0x40:
                    lines.append('  %d %s/%d group %x' % (kind, socket.inet_ntop(data[16], a[1]), data[17], groups))
            elif kind in (NEWROUTE, DELROUTE):
                a = read_attributes(data[28:])
                if struct.unpack('I', a[15])[0] == 254 and a[1][:1] not in (b'\xfe', b'\xff'):
                    lines.append('  %d %s/%d group %x' % (kind, socket.inet_ntop(data[16], a[1]), data[17], groups))
            elif kind == NEWLINK:
                a = read_attributes(data[32:])
                line = '  link %s mtu %d up %d' % (a[3][:-1].decode(), struct.unpack('I', a[4])[0], data[24] & 1)
                if line not in lines and 'mtu 1500' not in line:  # that the carrier has come is news on Linux, at some time
                    lines.append(line)
    except TimeoutError:
        pass
    print(title, *sorted(lines), sep='\n')


def ioctl(what, number, value):
    print(what, call(socket.AF_INET, number, struct.pack('16s24s', b'eth0', value))[0])


def call(family, number, request):
    s = socket.socket(family, socket.SOCK_DGRAM)
    try:
        return 0, fcntl.ioctl(s, number, request)
    except OSError as e:
        return errno.errorcode[e.errno], request


def told(what, number):
    rc, answer = call(socket.AF_INET, number, struct.pack('16s24x', b'eth0'))
    print(what, rc, socket.inet_ntoa(answer[20:24]))


def route4(what, add, to, mask, via=None, metric=0, dev=None, flags=0):
    name = ctypes.create_string_buffer(dev or b'')
    packed = [struct.pack('HH4s8x', socket.AF_INET if a else 0, 0, raw(a or '0.0.0.0')) for a in (to, via, mask)]
    request = struct.pack('Q16s16s16sHxxxxxxQQhxxxxxxQQQHxxxxxx', 0, *packed, flags | (2 if via else 0), 0, 0, metric, ctypes.addressof(name) if dev else 0, 0, 0, 0)
    print(what, to, call(socket.AF_INET, 0x890b if add else 0x890c, request)[0])


def route6(what, add, to, prefix, via=None, metric=0, index=0):
    request = struct.pack('16s16s16sIHHIQIi', raw(to), bytes(16), raw(via or '::'), 0, prefix, 0, metric, 0, 2 if via else 0, index)
    print(what, to, call(socket.AF_INET6, 0x890b if add else 0x890c, request)[0])


def address6(what, add, text, prefix, index=eth0):
    print(what, text, call(socket.AF_INET6, 0x8916 if add else 0x8936, struct.pack('16sIi', raw(text), prefix, index))[0])


def arp(what, number, to, mac=None, flags=0, dev=b'eth0', kind=1):
    request = struct.pack('HH4s8xH14si16x16s', socket.AF_INET, 0, raw(to), kind if mac else 0, mac or b'', flags, dev)
    rc, answer = call(socket.AF_INET, number, request)
    print(what, to, rc, *([answer[16:24].hex(), answer[32:36].hex(), answer[52:56].decode()] if number == GARP and not rc else []))


def inet(text):
    return struct.pack('HH4s16x', socket.AF_INET, 0, raw(text))


NODAD = attribute(8, struct.pack('I', 2))
show('at first')
address('add', True, '10.9.0.1', 24)
address('add', True, '10.9.0.2', 24)
address('add again', True, '10.9.0.2', 24)
address('add', True, '10.8.0.1', 32)
address('add', True, 'fd99::1', 64, extra=NODAD)
address('add again', True, 'fd99::1', 64, extra=NODAD)
address('too long', True, '10.9.0.3', 33)
address('no such link', True, '10.9.0.3', 24, index=999)
change('no address', NEWADDR, CREATE, struct.pack('BBBBI', 2, 24, 0, 0, eth0))
change('cut short', NEWADDR, CREATE, b'\2\x18\0\0')
change('an attribute beyond', NEWADDR, CREATE, struct.pack('BBBBI', 2, 24, 0, 0, eth0) + struct.pack('HH', 99, 2) + bytes(4))

# ---- neighbours, and what is there already ----
neighbour('change', REPLACE, '10.77.0.50', 1)
neighbour('add', CREATE | EXCL, '10.77.0.50', 1)
neighbour('add', CREATE | EXCL, '10.77.0.50', 1)
neighbour('replace', CREATE | REPLACE, '10.77.0.50', 2)
neighbour('change', REPLACE, '10.77.0.50', 3)
neighbour('delete', 0, '10.77.0.50')
neighbour('delete', 0, '10.77.0.50')
for there in '10.77.0.1', 'fd77::1':
    socket.socket(family(there), socket.SOCK_DGRAM).sendto(b'who are you', (there, 9))
    time.sleep(0.3)
    neighbour('delete a learnt', 0, there)
    neighbour('delete', 0, 'fd77::99' if ':' in there else '10.77.0.99')
    socket.socket(family(there), socket.SOCK_DGRAM).sendto(b'who are you', (there, 9))
    time.sleep(0.3)
    neighbour('delete it again', 0, there)
for flags in CREATE | EXCL, CREATE | EXCL, REPLACE, CREATE | REPLACE:
    change('address with flags %x' % flags, NEWADDR, flags, struct.pack('BBBBI', 2, 24, 0, 0, eth0) + attribute(2, raw('10.99.0.1')) +
           attribute(1, raw('10.99.0.1')))
address('delete', False, '10.99.0.1', 24)
route('add', CREATE | EXCL, '172.16.0.0', 12, '10.9.0.7', dev=False)
route('add again', CREATE | EXCL, '172.16.0.0', 12, '10.9.0.8', dev=False)
route('replace', CREATE | REPLACE, '172.16.0.0', 12, '10.9.0.8', dev=False)
route('change what is not', REPLACE, '172.32.0.0', 12, '10.9.0.8', dev=False)
route('bits behind', CREATE | EXCL, '1.2.3.4', 8, '10.9.0.7')
route('far gateway', CREATE | EXCL, '192.168.0.0', 16, '9.9.9.9')
route('with metric', CREATE | EXCL, '192.168.0.0', 16, metric=7, source='10.9.0.1')
route('not our source', CREATE | EXCL, '192.168.0.0', 16, metric=8, source='10.9.0.99')
route('no such link', CREATE | EXCL, '192.168.0.0', 16, index=999)
route('add', CREATE | EXCL, 'fd88::', 32, 'fd99::5')
route('far gateway', CREATE | EXCL, 'fd87::', 32, 'fd55::5')
show('more of all')
heard('news')
link('mtu', NEWLINK, eth0, extra=attribute(4, struct.pack('I', 1400)))
link('large mtu', NEWLINK, eth0, extra=attribute(4, struct.pack('I', 70000)))
link('small mtu', SETLINK, eth0, extra=attribute(4, struct.pack('I', 60)))
link('no such link', NEWLINK, 999, up=1)
link('no link', NEWLINK, 0)
print(open('/sys/class/net/eth0/mtu').read().strip())
route('delete', None, '192.168.0.0', 16, kind=0)
route('delete again', None, '192.168.0.0', 16, kind=0)
route('delete', None, 'fd88::', 32, kind=0, dev=False)
address('delete the first', False, '10.9.0.1', 24)
address('delete again', False, '10.9.0.1', 24)
show('less')
heard('news')
change('down', SETLINK, 0, struct.pack('BBHiII', 0, 0, 0, eth0, 0, 1))
print(open('/sys/class/net/eth0/operstate').read().strip())
route('by a link that is down', CREATE | EXCL, '10.5.0.0', 16)
show('down')
change('up', SETLINK, 0, struct.pack('BBHiII', 0, 0, 0, eth0, 1, 1))
time.sleep(0.2)
show('up')
address('delete', False, '10.8.0.1', 32)
ioctl('address', 0x8916, inet('192.168.7.1'))
ioctl('mask', 0x891c, inet('255.255.255.0'))
ioctl('bad mask', 0x891c, inet('255.0.255.0'))
ioctl('mtu', 0x8922, struct.pack('i20x', 1300))
ioctl('large mtu', 0x8922, struct.pack('i20x', 70000))
print([line.split()[:2] for line in open('/proc/net/route') if line.startswith('eth0')])
show('by ioctl')

# ---- more by ioctl ----
GARP, SARP, DARP, PERM = 0x8954, 0x8955, 0x8953, 6
told('address', 0x8915)
told('broadcast', 0x8919)
told('peer', 0x8917)
told('mask', 0x891b)
ioctl('the same address', 0x8916, inet('192.168.7.1'))
ioctl('the same broadcast', 0x891a, inet('192.168.7.255'))
ioctl('the same peer', 0x8918, inet('192.168.7.1'))
ioctl('group', 0x8916, inet('224.1.1.1'))
ioctl('down', 0x8914, struct.pack('H22x', 0x1002))
ioctl('address while down', 0x8916, inet('10.4.4.4'))
print(open('/sys/class/net/eth0/operstate').read().strip())
told('class mask', 0x891b)
told('broadcast', 0x8919)
route4('by a link that is down', True, '172.20.0.0', '255.255.0.0', dev=b'eth0')
ioctl('up', 0x8914, struct.pack('H22x', 0x1003))
time.sleep(0.2)
ioctl('mask', 0x891c, inet('255.255.0.0'))
told('broadcast', 0x8919)
route4('add', True, '172.20.0.0', '255.255.0.0', dev=b'eth0')
route4('add again', True, '172.20.0.0', '255.255.0.0', dev=b'eth0')
route4('add', True, '172.21.0.0', '255.255.0.0', '10.4.0.9', metric=4)
route4('host', True, '172.22.0.7', None, '10.4.0.9', flags=4)
route4('default', True, '0.0.0.0', '0.0.0.0', '10.4.0.9', dev=b'eth0')
route4('far gateway', True, '172.23.0.0', '255.255.0.0', '9.9.9.9')
route4('other metric', False, '172.21.0.0', '255.255.0.0', metric=9)
show('routes by ioctl')
route4('delete', False, '172.21.0.0', '255.255.0.0')
route4('delete again', False, '172.21.0.0', '255.255.0.0')
route4('other gateway', False, '0.0.0.0', '0.0.0.0', '10.4.0.8')
route4('default', False, '0.0.0.0', '0.0.0.0')
address6('add', True, 'fd66::1', 64)
address6('add again', True, 'fd66::1', 64)
address6('other prefix', False, 'fd66::1', 48)
route6('add', True, 'fd67::', 32, 'fd66::5')
route6('add', True, 'fd68::', 32, index=eth0, metric=9)
route6('add again', True, 'fd68::', 32, index=eth0, metric=9)
route6('far gateway', True, 'fd69::', 32, 'fd55::5')
show('of both')
route6('delete', False, 'fd67::', 32)
route6('delete again', False, 'fd67::', 32)
address6('delete', False, 'fd66::1', 64)
address6('delete again', False, 'fd66::1', 64)
ioctl('the same queue', 0x8943, struct.pack('i20x', 1000))
ioctl('no queue', 0x8943, struct.pack('i20x', -1))
ioctl('other hardware', 0x8924, struct.pack('H22x', 772))
ioctl('group as hardware', 0x8924, struct.pack('H6s16x', 1, b'\1\2\3\4\5\6'))
ioctl('group of other hardware', 0x8931, struct.pack('H6s16x', 1, b'\1\2\3\4\5\6'))
ioctl('broadcast of other hardware', 0x8937, struct.pack('H22x', 772))
arp('neighbour', GARP, '10.4.0.50')
arp('set', SARP, '10.4.0.50', b'\2\1\1\1\1\1', PERM)
arp('neighbour', GARP, '10.4.0.50')
arp('set by route', SARP, '10.4.0.51', b'\2\1\1\1\1\2', PERM, dev=b'')
arp('set again', SARP, '10.4.0.50', b'\2\1\1\1\1\3', PERM)
arp('other hardware', SARP, '10.4.0.50', b'\2\1\1\1\1\3', PERM, kind=772)
arp('nothing known', SARP, '10.4.0.52')
arp('far', SARP, '9.9.9.9', b'\2\1\1\1\1\4', PERM, dev=b'')
arp('neighbour', GARP, '10.4.0.50')
print(sorted(line.split()[:4] for line in open('/proc/net/arp') if line.startswith('10.4.0.5')))
arp('delete', DARP, '10.4.0.50')
arp('delete again', DARP, '10.4.0.50')
arp('delete by route', DARP, '10.4.0.51', dev=b'')
arp('neighbour', GARP, '10.4.0.51')
show('at the end')
