"""A small client of the Kubernetes container runtime interface (runtime.v1), for cri.sh.

Protobuf is written by hand: a message is a list of (field, value), a value a number, a
string, bytes or a message. Answers are read as {field: [values]}.
"""
import base64
import os
import socket
import struct
import urllib.parse

import grpc


class Checks:
    """check(what, wanted, got); afterwards check.failed."""

    failed = False

    def __call__(self, what, wanted, got):
        if wanted != got:
            print("FAIL %s: wanted %r, got %r" % (what, wanted, got))
            self.failed = True


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def encode(message):
    out = b""
    for field, value in message:
        if isinstance(value, bool) or isinstance(value, int):
            out += varint(field << 3) + varint(int(value))
            continue
        if isinstance(value, list):
            value = encode(value)
        elif isinstance(value, str):
            value = value.encode()
        out += varint(field << 3 | 2) + varint(len(value)) + value
    return out


def decode(data):
    fields, at = {}, 0

    def number():
        nonlocal at
        n = shift = 0
        while True:
            byte = data[at]
            at += 1
            n |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return n

    while at < len(data):
        key = number()
        if key & 7 == 0:
            value = number()
        elif key & 7 == 2:
            length = number()
            value = data[at:at + length]
            at += length
        else:
            raise ValueError("wire type %d" % (key & 7))
        fields.setdefault(key >> 3, []).append(value)
    return fields


class Stream:
    """A websocket to containerd's streaming server: channels 0 to 4 are stdin, stdout, stderr, the result, sizes."""

    def __init__(self, url):
        place = urllib.parse.urlparse(url)
        self.socket = socket.create_connection((place.hostname, place.port), 10)
        self.socket.settimeout(20)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(("GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\nOrigin: http://%s\r\n"
            "Sec-WebSocket-Key: %s\r\n\r\n" % (place.path, place.netloc, place.netloc, key)).encode())
        self.file = self.socket.makefile("rb")
        self.answer = self.file.readline().split(b" ", 2)[1].decode()
        while self.file.readline().strip():
            pass

    def send(self, channel, data):
        data = bytes([channel]) + data
        mask = os.urandom(4)
        head = bytes([0x82, 0x80 | len(data)]) if len(data) < 126 else b"\x82\xfe" + struct.pack(">H", len(data))
        self.socket.sendall(head + mask + bytes(b ^ mask[i & 3] for i, b in enumerate(data)))

    def receive(self):
        """(channel, bytes), or None at the end."""
        head = self.file.read(2)
        if len(head) < 2 or head[0] & 15 == 8:
            return None
        length = head[1] & 127
        if length == 126:
            length = struct.unpack(">H", self.file.read(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", self.file.read(8))[0]
        data = self.file.read(length)
        return (data[0], data[1:]) if data else (-1, b"")

    def until(self, text, channel=1):
        """Output of the channel up to where it has `text`; all of it, if it never has."""
        out = b""
        while text not in out and (got := self.receive()):
            out += got[1] if got[0] == channel else b""
        return out

    def rest(self):
        """Everything, by channel."""
        out = {}
        while got := self.receive():
            out[got[0]] = out.get(got[0], b"") + got[1]
        return out


class Runtime:
    def __init__(self, socket):
        self.channel = grpc.insecure_channel("unix://" + socket)

    def call(self, method, message, timeout=60):
        stub = self.channel.unary_unary("/runtime.v1.RuntimeService/" + method)
        return decode(stub(encode(message), timeout=timeout))

    @staticmethod
    def pod_config(name, logs, network=2, ports=()):
        """network: 2 the node's, 0 the pod's own. ports: (inside, on the node)."""
        mappings = [(5, [(2, inside), (3, outside)]) for inside, outside in ports]
        return [(1, [(1, name), (2, "uid-" + name), (3, "default")]), (2, name), (3, logs)] + mappings + \
               [(8, [(2, [(1, [(1, network)])])])]

    def pod_address(self, pod):
        status = decode(self.call("PodSandboxStatus", [(1, pod)])[1][0])
        return decode(status[5][0])[1][0].decode()

    def run_pod(self, config, handler):
        return self.call("RunPodSandbox", [(1, config), (2, handler)])[1][0].decode()

    def create(self, pod, config, name, image, command, more=()):
        container = [(1, [(1, name)]), (2, [(1, image)]), (11, name + ".log")]
        container += [(3, word) for word in command] + list(more)
        return self.call("CreateContainer", [(1, pod), (2, container), (3, config)])[1][0].decode()

    def start(self, container):
        self.call("StartContainer", [(1, container)])

    def status(self, container):
        """(state, exit code): 0 created, 1 running, 2 exited."""
        status = decode(self.call("ContainerStatus", [(1, container)])[1][0])
        return status.get(3, [0])[0], status.get(7, [0])[0]

    def exec(self, container, command, timeout=20):
        answer = self.call("ExecSync", [(1, container)] + [(2, word) for word in command] + [(3, timeout)])
        return answer.get(1, [b""])[0].decode(), answer.get(2, [b""])[0].decode(), answer.get(3, [0])[0]

    def stream_exec(self, container, command, tty=False, stdin=False):
        words = [(2, word) for word in command]
        return Stream(self.call("Exec", [(1, container)] + words + [(3, tty), (4, stdin), (5, True), (6, not tty)])[1][0].decode())

    def stream_attach(self, container, tty=False):
        return Stream(self.call("Attach", [(1, container), (2, True), (3, tty), (4, True), (5, not tty)])[1][0].decode())

    @staticmethod
    def figures(stats):
        """CPU in nanoseconds, memory's working set, what is left of it, resident."""
        cpu, memory = decode(stats[2][0]), decode(stats[3][0])
        value = lambda message, field: decode(message[field][0]).get(1, [0])[0]
        return value(cpu, 2), value(memory, 2), value(memory, 3), value(memory, 5)

    def stats(self, container):
        return self.figures(decode(self.call("ContainerStats", [(1, container)])[1][0]))

    def all_stats(self):
        """Of every container that runs, by its id."""
        found = [decode(stats) for stats in self.call("ListContainerStats", [])[1]]
        return {decode(stats[1][0])[1][0].decode(): self.figures(stats) for stats in found if 2 in stats}
