# Both ends of connections.sh. Without arguments, inside: makes what each line on standard input asks for. With them,
# outside: connections.py IDLE SHORT COMMAND… starts the sandbox and measures it.
import glob
import os
import socket
import sys
import time

kept = []


def inside():
    listener = socket.socket()
    listener.bind(('127.0.0.1', 7100))
    listener.listen(1000)
    print('ready', flush=True)
    for line in sys.stdin:
        what, count = line.split()
        for i in range(int(count)):
            client = socket.socket()
            client.bind(('127.0.0.%d' % (1 + i // 5000), 0))
            client.connect(('127.0.0.1', 7100))
            server, _ = listener.accept()
            if what == 'short':
                client.close()
                server.close()
            else:
                kept.extend((client.detach(), server.detach()))
        print('made', flush=True)


def switches(pids):
    total = 0
    for pid in pids:
        for status in glob.glob('/proc/%d/task/*/status' % pid):
            with open(status) as f:
                total += sum(int(line.split()[1]) for line in f if 'ctxt_switches' in line)
    return total


def outside(idle, short, command):
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'wire'))
    from peer import Agent

    agent = Agent(command)

    def make(what, count):
        agent.tell('%s %d' % (what, count))
        if agent.process.stdout.readline() != 'made\n':
            sys.exit('the program inside has ended')
        time.sleep(1)

    make('short', 200)
    before = agent.memory()
    make('idle', idle)
    grown = agent.memory() - before
    print('%d idle connections: %d KiB' % (idle, grown >> 10))
    failed = grown > (idle << 12)  # 10,000 under 40 MiB
    before = agent.memory()
    make('short', short)
    grown = agent.memory() - before
    print('%d short ones: %d KiB more' % (short, grown >> 10))
    # TIME_WAIT keeps 4,096 of them for a minute.
    failed |= grown > 4 << 20
    time.sleep(75 if short > 50000 else 0)
    pids = agent.processes()
    time.sleep(2)
    before = switches(pids)
    time.sleep(3)
    woken = switches(pids) - before
    print('switches in 3 s: %d' % woken)
    failed |= woken > 3
    agent.process.stdin.close()
    agent.process.wait(30)
    return failed


if len(sys.argv) == 1:
    inside()
else:
    sys.exit(outside(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
