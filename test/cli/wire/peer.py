# The other end of the wire: a host that is nothing but this script. It answers ARP and neighbour solicitations for its
# own addresses, which the namespace's Linux does not have and so keeps quiet about; everything else it sends and
# expects as the cases say.
import contextlib
import glob
import select
import socket
import struct
import subprocess
import time

from packets import ACK, FIN, MAC, RST, SYN, address, icmp, ip, parse, tcp

MINE, THEIRS = '10.77.0.9', '10.77.0.2'
MINE6, THEIRS6 = 'fd77::9', 'fd77::2'
# A second host of this script's, whose path nothing is known of.
SECOND, SECOND6 = '10.77.0.7', 'fd77::7'
NAMES = ((FIN, 'F'), (SYN, 'S'), (RST, 'R'), (8, 'P'), (ACK, 'A'), (32, 'U'))


class Failed(Exception):
    pass


def letters(flags):
    return ''.join(letter for bit, letter in NAMES if flags & bit and letter != 'P')


class Agent:
    """The program at the other end, by the lines that it runs."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != 'ready\n':
            raise Failed('the program inside did not start')

    def tell(self, line):
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()

    def answer(self, seconds=15):
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            raise Failed('the program inside does not answer')
        line = self.process.stdout.readline()
        if not line:
            raise Failed('the program inside has ended')
        return eval(line)

    def __call__(self, line):
        self.tell(line)
        return self.answer()

    def processes(self):
        """The command's, and those that they have started."""
        parents = {}
        for stat in glob.glob('/proc/[0-9]*/stat'):
            with contextlib.suppress(OSError), open(stat) as f:
                fields = f.read().rpartition(')')[2].split()
                parents.setdefault(int(fields[1]), []).append(int(stat.split('/')[2]))
        todo, pids = [self.process.pid], []
        while todo:
            pids.append(todo.pop())
            todo += parents.get(pids[-1], [])
        return pids

    def memory(self):
        """Bytes that the far side takes."""
        total = 0
        for pid in self.processes():
            with contextlib.suppress(OSError), open('/proc/%d/smaps_rollup' % pid) as f:
                total += sum(int(line.split()[1]) << 10 for line in f if line.startswith('Pss:'))
        return total

    def settle(self):
        """After a case that ended early: what it still waited for is passed over."""
        self.tell('"settled"')
        while self.answer() != 'settled':
            pass


class Wire:
    def __init__(self, interface, agent):
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.sock.bind((interface, 0))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.agent = agent
        self.their_mac = b'\xff' * 6
        self.port = 20000
        self.conns = []

    def send_frame(self, kind, packet, to=None):
        self.sock.send((to or self.their_mac) + MAC + struct.pack('!H', kind) + packet)

    def send(self, packet, to=None):
        """An IP packet."""
        self.send_frame(0x86dd if packet[0] >> 4 == 6 else 0x0800, packet, to)

    def send_tcp(self, *args, src=MINE, dst=THEIRS, **more):
        self.send(ip(src, dst, 6, tcp(src, dst, *args, **more)))

    def _answer(self, p):
        """ARP and neighbour solicitations; whether it was one."""
        if p.kind == 'arp':
            if p.operation == 1 and p.target in (MINE, SECOND):
                self.send_frame(0x0806, bytes.fromhex('0001080006040002') + MAC + address(p.target) + p.mac + address(p.sender), p.mac)
            return True
        if p.kind == 'icmp6' and p.type == 135:
            for mine in MINE6, SECOND6:
                if p.data[4:20] == address(mine):
                    body = icmp(136, 0, b'\x60\0\0\0' + address(mine) + b'\2\1' + MAC, mine, p.src)
                    self.send(ip(mine, p.src, 58, body, hops=255), p.mac)
            return True
        return False

    def next(self, seconds, wanted=lambda p: True):
        """The next packet from the sandbox that is wanted; None after so many seconds without one."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.sock], [], [], left)[0]:
                break
            frame, where = self.sock.recvfrom(1 << 17)
            if where[2] == socket.PACKET_OUTGOING:
                continue
            p = parse(frame)
            p.time = time.monotonic()
            if p.kind != 'other':
                self.their_mac = p.mac
            if not self._answer(p) and wanted(p):
                return p
        return None

    def drain(self, seconds=0.02):
        while self.next(seconds):
            pass

    def learn(self):
        """Their MAC: asked for as any host would."""
        self.send_frame(0x0806, bytes.fromhex('0001080006040001') + MAC + address(MINE) + bytes(6) + address(THEIRS), b'\xff' * 6)
        self.next(1, lambda p: False)

    def fresh_port(self):
        self.port += 1
        return self.port


class Conn:
    """One TCP connection as the peer sees it: numbers are kept for what is sent, nothing is answered by itself."""

    def __init__(self, wire, dport, sport=None, v6=False, seq=1000):
        self.wire, self.dport, self.sport = wire, dport, sport or wire.fresh_port()
        self.src, self.dst = (MINE6, THEIRS6) if v6 else (MINE, THEIRS)
        self.seq, self.ack = seq, 0
        self.window = 65535
        wire.conns.append(self)

    def send(self, flags, data=b'', seq=None, ack=None, **more):
        """With the connection's own numbers unless they are given; what takes room in the sequence moves it on."""
        at = self.seq if seq is None else seq
        more.setdefault('window', self.window)
        self.wire.send_tcp(self.sport, self.dport, flags, at, self.ack if ack is None else ack, data, src=self.src, dst=self.dst, **more)
        if seq is None:
            self.seq = (self.seq + len(data) + bool(flags & SYN) + bool(flags & FIN)) & 0xffffffff

    def is_mine(self, p):
        return p.kind == 'tcp' and p.sport == self.dport and p.dport == self.sport and p.src == self.dst

    def next(self, seconds=2):
        return self.wire.next(seconds, self.is_mine)

    def expect(self, flags, seconds=2, **fields):
        """The next packet has these flags (letters of FSRAU; P is not looked at) and fields."""
        p = self.next(seconds)
        if p is None:
            raise Failed('nothing came where %s was due' % flags)
        got = letters(p.flags)
        wrong = [] if got == flags else ['flags %s' % got]
        for name, value in fields.items():
            seen = getattr(p, name)
            if seen != value:
                wrong.append('%s %r' % (name, seen if len(repr(seen)) < 80 else len(seen)))
        if not p.good:
            wrong.append('a bad checksum')
        if wrong:
            raise Failed('expected %s %s, got %s' % (flags, {k: v if len(repr(v)) < 80 else len(v) for k, v in fields.items()}, ', '.join(wrong)))
        return p

    def silence(self, seconds=0.3):
        p = self.next(seconds)
        if p is not None:
            raise Failed('%s came where nothing was due' % letters(p.flags))

    def open(self, options=b''):
        """The three-way handshake from here: the SYN|ACK."""
        self.send(SYN, options=options)
        p = self.expect('SA', ack=self.seq)
        self.ack = (p.seq + 1) & 0xffffffff
        self.send(ACK)
        return p

    def take(self, total, seconds=3):
        """Data until so many bytes have come in order, each packet acknowledged."""
        got = b''
        while len(got) < total:
            p = self.next(seconds)
            if p is None:
                raise Failed('%d of %d bytes came' % (len(got), total))
            if p.data and p.seq == self.ack:
                got += p.data
                self.ack = (self.ack + len(p.data)) & 0xffffffff
                self.send(ACK)
        return got
