"""Several containers in one sandbox, by the control channel itself (platform/abi/control.h): each with a gofer, numbers,
names and mounts of its own. Usage: pods.py RINGFENCE CONTROL-SOCKET ROOT"""
import array, os, socket, struct, subprocess, sys

CREATE, START, KILL, EXEC, WAIT, PS, PAUSE, RESUME, STATS, DELETE = 13, 2, 3, 4, 5, 6, 7, 8, 9, 14
ARG, ENV, CWD, USER, HOSTNAME, ROOT, MOUNT, CONTAINER, GROUP_FILE, WAIT_START = 1, 2, 3, 4, 8, 10, 11, 22, 24, 40
HEAD = "<IIIiII12I"
ringfence, path, root = sys.argv[1:4]
null = os.open("/dev/null", os.O_RDWR)
connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
connection.connect(path)
connection.settimeout(30)
number, failed = 0, False


def check(name, want, got):
    global failed
    if want != got:
        print(f"{name}: expected {want!r}, got {got!r}")
        failed = True


def call(op, container, payload=b"", fds=()):
    """(error, payload) of the answer."""
    global number
    number += 1
    head = struct.pack(HEAD, op, number, container, 0, 0, len(payload), *[0] * 12)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    connection.sendmsg([head + payload], rights)
    answer = b""
    while True:
        message = connection.recv(1 << 18)
        _, request, _, error, flags, *_ = struct.unpack(HEAD, message[:struct.calcsize(HEAD)])
        assert request == number, "an answer to another request"
        answer += message[struct.calcsize(HEAD):]
        if not flags & 1:
            return error, answer


def record(kind, payload):
    return struct.pack("<II", kind, len(payload)) + payload + b"\0" * (-len(payload) % 8)


def program(*args):
    return (b"".join(record(ARG, a.encode()) for a in args) + record(ENV, b"PATH=/bin:/usr/bin") + record(CWD, b"/") +
            record(USER, struct.pack("<II", 0, 0)))


def mount(kind, target):
    strings = [kind.encode(), kind.encode(), target.encode(), b""]
    return record(MOUNT, struct.pack("<QIHHHHI", 0, 0, *map(len, strings), 0) + b"".join(strings))


def create(container, args, extra=b"", flags=0):
    """(error, answer, what it writes, its gofer)"""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    tree = os.open(root, os.O_RDONLY | os.O_DIRECTORY)

    def place():
        for fd, at in ((theirs.fileno(), 100), (tree, 101)):
            os.dup2(fd, at)
        os.dup2(100, 3)
        os.dup2(101, 4)

    gofer = subprocess.Popen([ringfence, "gofer", "3", "ids=", "4:ro"], preexec_fn=place, close_fds=False)
    theirs.close()
    os.close(tree)
    r, w = os.pipe()
    blob = (program(*args) + record(ROOT, struct.pack("<II", 0, 2)) + mount("proc", "/proc") + mount("tmpfs", "/tmp") +
            record(HOSTNAME, b"second") + record(CONTAINER, struct.pack("<II", container, flags)) + extra)
    error, answer = call(CREATE, container, blob, [null, w, w, ours.fileno()])
    ours.close()
    os.close(w)
    return error, answer, r, gofer


def drain(fd):
    parts = []
    while part := os.read(fd, 4096):
        parts.append(part)
    os.close(fd)
    return b"".join(parts).decode()


def wait(container, pid=0):
    error, answer = call(WAIT, container, struct.pack("<II", pid, 0))
    return (error, struct.unpack("<II", answer)[0]) if not error else (error, None)


def kill(container, pid, signal, flags=0):
    return call(KILL, container, struct.pack("<IIII", pid, signal, flags, 0))[0]


# A container that waits for its start, sees itself alone, and cannot kill its first process.
error, _, output, gofer = create(1, ["sh", "-c", "hostname; echo $$; ls -d /proc/[0-9]* | wc -l; echo x >/tmp/f; "
                                     "sleep 100 & kill -9 1; exit 5"], record(WAIT_START, b""))
check("create", 0, error)
check("start", 0, call(START, 1)[0])
check("what it sees", "second\n1\n3\n", drain(output))
check("exit status", (0, 5 << 8), wait(1))
check("delete", (0, b""), call(DELETE, 1))
check("its gofer", 0, gofer.wait(timeout=10))

# Its end leaves the others alone; so does its pause.
error, _, output, gofer = create(1, ["sleep", "100"])
_, _, output2, gofer2 = create(2, ["sh", "-c", "sleep 0.3; echo done"])
check("pause", 0, call(PAUSE, 1)[0])
check("the other goes on", "done\n", drain(output2))
check("resume", 0, call(RESUME, 1)[0])
r, w = os.pipe()
error, answer = call(EXEC, 1, program("sh", "-c", "echo $$ $PPID; readlink /proc/self; exit 3"), [null, w, w])
os.close(w)
check("exec", 0, error)
pid = struct.unpack("<II", answer)[0]
check("its number", 2, pid)
check("what it sees", "2 0\n2\n", drain(r).replace("\n3\n", "\n2\n"))
check("its status", (0, 3 << 8), wait(1, pid))
check("kill of nobody", -3, kill(1, 77, 15))
check("tasks", 1, struct.unpack_from("<20Q", call(STATS, 1)[1])[9])
check("delete of what runs", -16, call(DELETE, 1)[0])
check("kill", 0, kill(1, 0, 9))
check("killed", (0, 9), wait(1))
check("second's status", (0, 0), wait(2))
for container, process in ((1, gofer), (2, gofer2)):
    check("delete", 0, call(DELETE, container)[0])
    check("its gofer", 0, process.wait(timeout=10))
check("wait for what is gone", -3, wait(1)[0])

# What cannot be made says why, and leaves nothing.
error, answer, output, gofer = create(3, ["nothing-of-that-name"])
check("no program", (-2, b'exec: "nothing-of-that-name": executable file not found in $PATH'), (error, answer))
check("delete", 0, call(DELETE, 3)[0])
check("its gofer", 0, gofer.wait(timeout=10))
error, answer, output, gofer = create(3, ["true"], flags=128)
check("an unknown flag", -95, error)
check("delete", 0, call(DELETE, 3)[0])
gofer.wait(timeout=10)
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
check("no configuration", -22, call(CREATE, 4, b"x", [null, null, null, ours.fileno()])[0])
ours.close()
theirs.settimeout(10)
check("its gofer is let go", b"", theirs.recv(1))

# A limit of tasks.
error, _, output, gofer = create(3, ["sh", "-c", "sleep 1 & sleep 1 & sleep 1 & wait"], record(GROUP_FILE, b"pids.max=3"))
check("too many tasks", True, "Cannot fork" in drain(output))
wait(3)
check("delete", 0, call(DELETE, 3)[0])
gofer.wait(timeout=10)

# One after another.
for i in range(4, 12):
    error, _, output, gofer = create(i, ["sh", "-c", f"echo {i}; exit {i}"])
    check("output", f"{i}\n", drain(output))
    check("status", (0, i << 8), wait(i))
    check("delete", 0, call(DELETE, i)[0])
    gofer.wait(timeout=10)
check("the first one", 1, struct.unpack_from("<20Q", call(STATS, 0)[1])[9])
sys.exit(failed)
