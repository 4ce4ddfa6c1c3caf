# The program inside: runs each line of Python that it reads and prints what it gives, until its input ends. It is the
# same on Linux and in the sandbox; what the peer wants to see of sockets it asks for in these lines.
import errno, select, socket, struct, sys, time  # noqa: F401: for the lines

names = dict(globals())


def name_of(error):
    return errno.errorcode.get(error.errno, type(error).__name__)


def wait(what, sock, seconds=5):
    """Until a socket is readable ('r') or writable ('w')."""
    lists = ([sock], [], []) if what == 'r' else ([], [sock], [])
    return any(select.select(*lists, seconds))


def read_some(sock, n, seconds=5):
    data = b''
    while len(data) < n and wait('r', sock, seconds):
        part = sock.recv(n - len(data))
        if not part:
            break
        data += part
    return data


def accept(port):
    """The connection from this port of the peer's; others that wait before it are closed."""
    while wait('r', names['listener']):
        sock, name = names['listener'].accept()
        if name[1] == port:
            return sock
        sock.close()


def errors(sock):
    """The error queue, emptied: of each note errno, origin, type, code, the bytes that were sent, and the numbers that came beside it."""
    found = []
    while True:
        try:
            data, control, *_ = sock.recvmsg(200, 400, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return found
        rest = [(level, kind, struct.unpack('i', value)[0]) for level, kind, value in control[:-1] if len(value) == 4]
        found.append(struct.unpack('IBBB', control[-1][2][:7]) + (data, rest))


names.update(wait=wait, read_some=read_some, accept=accept, errors=errors)
print('ready', flush=True)
for line in sys.stdin:
    try:
        try:
            answer = eval(line, names)
        except SyntaxError:
            exec(line, names)
            answer = None
        print(repr(answer), flush=True)
    except OSError as error:
        print(repr(name_of(error)), flush=True)
