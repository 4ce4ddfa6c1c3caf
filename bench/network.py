# What sockets cost, inside: one line "NAME VALUE UNIT" for each kind of work. Run by net.sh under each runtime.
import os
import socket
import time

ROUNDS, TRANSFER = 3000, 128 << 20


def tcp_pair():
    listener = socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen(1)
    a = socket.create_connection(listener.getsockname())
    b, _ = listener.accept()
    for s in a, b:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return a, b


def child(a, b, work):
    if os.fork() == 0:
        a.close()
        work(b)
        os._exit(0)
    b.close()


def ping_pong(a, b):
    def echo(s):
        while data := s.recv(64):
            s.send(data)

    child(a, b, echo)
    for i in range(ROUNDS + 200):
        if i == 200:
            start = time.perf_counter()
        a.send(b'x')
        a.recv(64)
    spent = time.perf_counter() - start
    a.close()
    os.wait()
    return ROUNDS / spent


def throughput(a, b):
    def sink(s):
        left = TRANSFER
        while left > 0:
            left -= len(s.recv(1 << 18))
        s.send(b'.')

    child(a, b, sink)
    block = bytes(1 << 18)
    start = time.perf_counter()
    for _ in range(TRANSFER >> 18):
        a.sendall(block)
    a.recv(1)
    spent = time.perf_counter() - start
    a.close()
    os.wait()
    return TRANSFER / spent / 1e6


def connections():
    listener = socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen(128)
    start = time.perf_counter()
    for _ in range(1500):
        a = socket.create_connection(listener.getsockname())
        b, _ = listener.accept()
        a.close()
        b.close()
    return 1500 / (time.perf_counter() - start)


def datagrams():
    a, b = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    a.bind(('127.0.0.1', 0))
    b.connect(a.getsockname())
    start = time.perf_counter()
    for _ in range(5000):
        b.send(bytes(64))
        a.recv(100)
    return 5000 / (time.perf_counter() - start)


def show(name, value, unit):
    print(name, round(value), unit, flush=True)


show('unix-ping-pong', ping_pong(*socket.socketpair()), '/s')
show('tcp-ping-pong', ping_pong(*tcp_pair()), '/s')
show('unix-throughput', throughput(*socket.socketpair()), 'MB/s')
show('tcp-throughput', throughput(*tcp_pair()), 'MB/s')
show('connections', connections(), '/s')
show('udp-datagrams', datagrams(), '/s')
