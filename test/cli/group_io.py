"""What the io controller does, below a directory of version 2 that gives it and has no processes.

Prints the same on Linux and in a sandbox: group_io.linux is what Linux 6.1 printed. The second directory has files that nobody has read
yet: cold0 to cold7, a MiB each. Usage: group_io.py DIRECTORY FILES [MAJOR:MINOR of their device]
"""
import os
import signal
import subprocess
import sys
import time

from group_files import made, removed, top, until, write

files = sys.argv[2]
number = os.stat(files).st_dev
device = sys.argv[3] if len(sys.argv) > 3 else f"{os.major(number)}:{os.minor(number)}"
KIB, MIB = 1 << 10, 1 << 20


def read(name):
	return open(f"{top}/{name}").read()


def moved(group):
	"""What io.stat says of the device: a dictionary."""
	for line in read(f"{group}/io.stat").splitlines():
		words = line.split()
		if words[0] == device and len(words) > 1:
			return {key: int(value) for key, value in (word.split("=") for word in words[1:])}
	return dict.fromkeys(("rbytes", "wbytes", "rios", "wios", "dbytes", "dios"), 0)


def inside(group, code):
	join = f"import os, time\nopen('{top}/{group}/cgroup.procs', 'w').write('0')\n"
	return subprocess.Popen([sys.executable, "-S", "-c", join + code], stderr=subprocess.DEVNULL)


def seconds(process):
	began = time.monotonic()
	status = process.wait()
	return status, time.monotonic() - began


def reader(number):
	return f"os.read(os.open('{files}/cold{number}', os.O_RDONLY), {MIB}) and os._exit(0)"


def read_all(number):
	return f"f = os.open('{files}/cold{number}', os.O_RDONLY)\nwhile os.read(f, 65536): pass"


def writer(name, flags="0"):
	return f"f = os.open('{files}/{name}', os.O_CREAT | os.O_WRONLY | {flags}, 0o600)\nfor i in range(16): os.write(f, b'x' * 65536)\nos.fsync(f)"


def settings():
	made("a")
	texts = ("D rbps=1000", "D rbps=1", "D rbps=0", "D riops=99999999999", "D rbps=99999999999999999999", "D wbps=max riops=7", "D", "D ", "D\n", "D x=1",
		"D rbps", "D rbps=", "D rbps=x", "D rbps=12x", "D rbps=-1", "D rbps=5k", "D RBPS=5", "x", "1", "1:", ":0", "Drbps=5", "9:99 rbps=5", "0:0 rbps=5",
		"D rbps=10  wbps=20 riops=30 wiops=40", "D rbps=50 wbps=0", "", " D rbps=77\n", "D rbps=0x10", "+D rbps=7", "-D rbps=7",
		"D rbps=111111111111111111111111111111", "ram0 rbps=5", "D max", "default rbps=7", "D\trbps=9\t\twbps=8", "D rbps=max wbps=max",
		"D rbps=max wbps=max riops=max wiops=max")
	for text in texts:
		rc = write("a/io.max", text.replace("D", device))
		print(f"{text!r}:{rc}:{read('a/io.max').strip().replace(device, 'D')}")
	print("read only", write("a/io.stat", "1"))
	print("gone", removed("a"))


def rates():
	made("a")
	made("b")
	inside("b", read_all(0)).wait()
	print("counted", MIB <= moved("b")["rbytes"] < MIB * 5 // 4, moved("b")["rios"] > 0, sorted(moved("b")))
	inside("b", read_all(0)).wait()
	print("cached", moved("b")["rbytes"] < MIB * 5 // 4)
	write("a/io.max", f"{device} rbps={512 * KIB}")
	status, took = seconds(inside("a", read_all(1)))
	print("read", status, 1.5 < took < 20 or took)
	write("a/io.max", f"{device} rbps=max wbps={512 * KIB}")
	status, took = seconds(inside("a", writer("new")))
	print("written", status, 1.5 < took < 20 or took, moved("a")["wbytes"] >= MIB)
	print("others", seconds(inside("b", read_all(2)))[1] < took)
	write("a/io.max", f"{device} wbps=max riops=4")
	strides = f"f = os.open('{files}/cold3', os.O_RDONLY)\nos.posix_fadvise(f, 0, 0, os.POSIX_FADV_RANDOM)\nfor i in range(16): os.pread(f, 4096, i << 16)"
	status, took = seconds(inside("a", strides))
	print("operations", status, 1 < took < 20 or took)
	print("gone", until(lambda: removed("a") == 0), until(lambda: removed("b") == 0))


def ends():
	"""What waits for a limit ends with it, or with itself."""
	made("a")
	write("a/io.max", f"{device} rbps=4096")
	child = inside("a", read_all(4))
	time.sleep(1)
	child.kill()
	status, took = seconds(child)
	print("killed", status, took < 20 or took)
	child = inside("a", read_all(5))
	time.sleep(1)
	print("waits", child.poll(), write("a/io.max", f"{device} rbps=max"))
	status, took = seconds(child)
	print("free", status, took < 20 or took)
	print("gone", until(lambda: removed("a") == 0))


def nested():
	made("a")
	print("give", write("a/cgroup.subtree_control", "+io"), made("a/b"))
	write("a/io.max", f"{device} rbps={512 * KIB}")
	status, took = seconds(inside("a/b", read_all(6)))
	print("the parent's limit", status, 1.5 < took < 20 or took, moved("a")["rbytes"] >= MIB, moved("a/b")["rbytes"] >= MIB)
	write("a/io.max", f"{device} rbps=max")
	before = moved("a")["wbytes"]
	inside("a/b", writer("left").replace("os.fsync(f)", "")).wait()
	print("gone", until(lambda: removed("a/b") == 0))
	os.sync()
	print("and what it wrote", moved("a")["wbytes"] - before >= MIB, until(lambda: removed("a") == 0))
	made("a")
	print("new", moved("a")["rbytes"], read("a/io.max"))
	print("taken", write("cgroup.subtree_control", "-io"), os.path.exists(f"{top}/a/io.max"), write("cgroup.subtree_control", "+io"), read("a/io.max"))
	print("gone", removed("a"))


signal.alarm(120)
for part in (settings, rates, ends, nested):
	print(f"-- {part.__name__}", flush=True)
	part()
