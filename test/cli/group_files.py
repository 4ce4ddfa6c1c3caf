"""What the tests of control groups' files share: sys.argv[1] is the directory, and names are below it."""
import errno
import os
import sys
import time

top = sys.argv[1]
sys.stdout.reconfigure(line_buffering=True, write_through=False) # a line is written at once, also with PYTHONUNBUFFERED


def tried(call, *args):
	"""0 or the name of the error."""
	try:
		call(*args)
	except OSError as e:
		return errno.errorcode[e.errno]
	return 0


def write_at_once(path, text):
	fd = os.open(path, os.O_WRONLY)
	try:
		os.write(fd, text.encode())
	finally:
		os.close(fd)


def write(name, text):
	return tried(write_at_once, f"{top}/{name}", text)


def made(name):
	return tried(os.mkdir, f"{top}/{name}")


def removed(name):
	return tried(os.rmdir, f"{top}/{name}")


def until(condition, seconds=5):
	for _ in range(seconds * 100):
		if condition():
			return True
		time.sleep(0.01)
	return False
