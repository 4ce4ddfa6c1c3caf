"""A small client of the Kubernetes container runtime interface (runtime.v1), for cri.sh.

Protobuf is written by hand: a message is a list of (field, value), a value a number, a
string, bytes or a message. Answers are read as {field: [values]}.
"""
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

    def memory(self, container):
        stats = decode(self.call("ContainerStats", [(1, container)])[1][0])
        return decode(decode(stats[3][0])[2][0])[1][0]
