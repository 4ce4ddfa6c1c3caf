"""A FUSE file system whose directories tell types of entries that there are not, as a careless server does.

Mounts it on the directory that is given and serves it until it is unmounted, two minutes at most. Usage: odd_types.py DIRECTORY
"""
import ctypes
import errno
import os
import signal
import stat
import struct
import sys

DIRECTORY, FILE = stat.S_IFDIR | 0o755, stat.S_IFREG | 0o644
# inode: mode, entries by name: inode and the type that readdir tells
NODES = {1: (DIRECTORY, {}), 2: (FILE, {})}


def directory(entries):
	NODES[len(NODES) + 1] = (DIRECTORY, entries)
	return len(NODES)


def fill():
	deep = directory({b"file": (2, 3), b"other": (2, 15), b"right": (2, 8)})
	for i in range(3):
		NODES[1][1][b"dir%d" % i] = (directory({b"deep": (deep, 13), b"file": (2, 77)}), 4)
	NODES[1][1][b"top"] = (2, 9)


def attr(ino):
	mode = NODES[ino][0]
	return struct.pack("<QQQQQQIIIIIIIIII", ino, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer(opcode, ino, body):
	if opcode == 26: # INIT
		return struct.pack("<IIIIHHII", 7, 12, 4096, 0, 0, 0, 4096, 0)
	if opcode == 1: # LOOKUP
		found = NODES[ino][1].get(body.rstrip(b"\0"))
		return struct.pack("<QQQQII", found[0], 0, 3600, 3600, 0, 0) + attr(found[0]) if found else -errno.ENOENT
	if opcode == 3: # GETATTR
		return struct.pack("<QII", 3600, 0, 0) + attr(ino)
	if opcode in (14, 27): # OPEN, OPENDIR
		return struct.pack("<QII", 0, 0, 0)
	if opcode == 28: # READDIR
		_, at, size = struct.unpack_from("<QQI", body)
		out = b""
		for i, (name, (number, kind)) in enumerate(NODES[ino][1].items()):
			record = struct.pack("<QQII", number, i + 1, len(name), kind) + name
			record += bytes(-len(record) % 8)
			if i >= at and len(out) + len(record) <= size:
				out += record
		return out
	if opcode in (15, 18, 25, 29): # READ, RELEASE, FLUSH, RELEASEDIR
		return b""
	if opcode == 17: # STATFS
		return bytes(80)
	return -errno.ENOSYS


def main():
	fill()
	fuse = os.open("/dev/fuse", os.O_RDWR)
	options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions".encode()
	if ctypes.CDLL(None, use_errno=True).mount(b"odd", sys.argv[1].encode(), b"fuse", 0, options):
		sys.exit(os.strerror(ctypes.get_errno()))
	if os.fork():
		return
	signal.alarm(120) # nobody is left behind
	while True:
		try:
			request = os.read(fuse, 65536)
		except OSError:
			return
		opcode, unique, ino = struct.unpack_from("<IQQ", request, 4)
		if opcode in (2, 42): # FORGET, BATCH_FORGET
			continue
		got = answer(opcode, ino, request[40:])
		error, data = (got, b"") if isinstance(got, int) else (0, got)
		os.write(fuse, struct.pack("<IiQ", 16 + len(data), error, unique) + data)


main()
