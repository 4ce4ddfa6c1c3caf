"""What the controllers of control groups do, below a directory of version 2 that has them and no processes.

Prints the same on Linux and in a sandbox: controllers.linux is what Linux 6.1 printed. Usage: controllers.py DIRECTORY
"""
import os
import signal
import subprocess
import sys
import time

import group_files
from group_files import made, removed, top, tried, write, write_at_once

MIB = 1 << 20


def read(name):
	return open(f"{top}/{name}").read()


def words(name):
	return read(name).split()


def value(name, key):
	return int(dict(line.split() for line in read(name).splitlines())[key])


def until(condition):
	return group_files.until(condition, 10)


def inside(group, code):
	"""A Python program that begins in the group."""
	join = f"open('{top}/{group}/cgroup.procs', 'w').write('0')\n"
	return subprocess.Popen([sys.executable, "-S", "-c", join + code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


STAY = "print('took', flush=True)\nimport time\ntime.sleep(100)"


def take(mib):
	return f"b = bytearray({mib * MIB})\nfor i in range(0, len(b), 4096): b[i] = 1\n"


def settings(file, *texts):
	"""What each text gives, and what stands there then."""
	print(file, *(f"{text!r}:{write(file, text)}:{read(file).strip()}" for text in texts))


def rules():
	print("has", [c for c in words("cgroup.controllers") if c in ("cpuset", "cpu", "memory", "pids")])
	print("nothing given", made("a"), sorted(f for f in os.listdir(f"{top}/a") if f.startswith("memory.m")), write("a/cgroup.subtree_control", "+memory"))
	print("give", write("cgroup.subtree_control", "+cpu +memory +pids +cpuset"), words("cgroup.subtree_control"))
	print("shown", [os.path.exists(f"{top}/a/{f}") for f in ("memory.max", "cpu.max", "pids.max", "cpuset.cpus", "cpu.weight")])
	print("wrong", write("cgroup.subtree_control", "+nonsense"), write("cgroup.subtree_control", "memory"), write("a/cgroup.subtree_control", "+cpu +x"))
	print("below", write("a/cgroup.subtree_control", "+memory"), made("a/b"), write("cgroup.subtree_control", "-memory"), write("a/b/cgroup.subtree_control", "+cpu"))
	sleeper = subprocess.Popen(["sleep", "100"])
	print("internal", write("a/cgroup.procs", str(sleeper.pid)), write("a/b/cgroup.procs", str(sleeper.pid)))
	print("taken", write("a/cgroup.subtree_control", "-memory"), write("a/cgroup.procs", str(sleeper.pid)), write("a/cgroup.subtree_control", "+memory"))
	print("threaded", write("a/cgroup.subtree_control", "+pids"), words("a/cgroup.type"), words("a/b/cgroup.type"),
		write("a/b/cgroup.procs", str(sleeper.pid)), write("a/cgroup.subtree_control", "+memory"), write("a/cgroup.subtree_control", "-pids"),
		words("a/b/cgroup.type"))
	sleeper.kill()
	sleeper.wait()
	print("gone", until(lambda: removed("a/b") == 0), until(lambda: removed("a") == 0))


def cpu_files():
	made("a")
	settings("a/cpu.weight", "1", "10000", "0", "10001", "x", "-1", "", "\n", "123", "100")
	settings("a/cpu.weight.nice", "-20", "19", "20", "-21", "x", "5", "0")
	settings("a/cpu.max", "50000", "max 50000", "20000 40000", "999", "1000 1000", "10000 1000001", "x", "max max", "", "\n", "max", "-5", "7000 100000", "max 100000")
	settings("a/cpu.max.burst", "1000", "0", "x", "-1")
	write("a/cpu.max", "20000 100000")
	settings("a/cpu.max.burst", "20000", "20001", "18446744073709551615")
	print("below burst", write("a/cpu.max", "10000 100000"), write("a/cpu.max.burst", "0"), write("a/cpu.max", "max"))
	settings("a/cpu.idle", "1", "2", "x", "0")
	print("idle", write("a/cpu.idle", "1"), read("a/cpu.weight").strip(), write("a/cpu.weight", "5"), write("a/cpu.idle", "0"), read("a/cpu.weight").strip())
	print("stat", [line.split()[0] for line in read("a/cpu.stat").splitlines() if "core_sched" not in line])
	removed("a")


def cpuset_files():
	made("a")
	settings("a/cpuset.cpus", "0", "", "\n", "0-0", "0,0", "x", "1-0", "-1", "65536")
	settings("a/cpuset.mems", "0", "1x", "\n")
	write("a/cpuset.cpus", "\n")
	print("effective", words("a/cpuset.cpus.effective") == words("cpuset.cpus.effective"), words("a/cpuset.mems.effective"))
	write("a/cpuset.cpus", "0")
	child = inside("a", "import os; print(os.sched_getaffinity(0))")
	print("affinity", child.communicate()[0].strip(), words("a/cpuset.cpus.effective"))
	print("gone", until(lambda: removed("a") == 0))


def memory_files():
	made("a")
	for file in ("memory.max", "memory.high", "memory.low", "memory.min", "memory.swap.max", "memory.swap.high"):
		settings(f"a/{file}", "1048576", "5000", "4k", "1M", "2g", "0x10000", "max", "-1", "x", "1x", "99999999999999999999", "9223372036854775807", "18446744073709551615", "\n")
		write(f"a/{file}", "max" if file not in ("memory.low", "memory.min") else "0")
	settings("a/memory.oom.group", "1", "2", "-1", "x", "0")
	print("empty", [words(f"a/{f}") for f in ("memory.current", "memory.swap.current")], words("a/memory.events"), words("a/memory.swap.events"))
	stat = {line.split()[0] for line in read("a/memory.stat").splitlines()}
	print("stat", stat.issuperset(("anon", "file", "kernel", "kernel_stack", "pagetables", "shmem", "inactive_anon", "active_anon", "inactive_file",
		"active_file", "unevictable", "pgfault", "pgmajfault")))
	print("read only", write("a/memory.current", "1"), write("a/memory.events", "1"), write("a/memory.stat", "1"), write("a/memory.reclaim", "x"))
	removed("a")


def memory_limits():
	made("a")
	write("a/memory.max", str(40 * MIB))
	child = inside("a", take(20) + STAY)
	print("below", child.stdout.readline().strip(), 20 * MIB <= int(read("a/memory.current")) < 40 * MIB, value("a/memory.stat", "anon") >= 20 * MIB,
		value("a/memory.events", "max"))
	child.kill()
	child.wait()
	print("freed", until(lambda: value("a/memory.stat", "anon") < MIB), int(read("a/memory.peak")) >= 20 * MIB)
	child = inside("a", take(100))
	print("above", child.wait(), value("a/memory.events", "oom_kill"), value("a/memory.events", "oom") > 0, value("a/memory.events", "max") > 0,
		value("a/memory.events.local", "oom_kill"), int(read("a/memory.peak")) <= 44 * MIB)
	where = "/dev/shm/rf-controllers"
	child = inside("a", f"f = open('{where}', 'wb')\nfor i in range(10): f.write(bytes({MIB}))\nf.close()\nprint('wrote')")
	print("shared", child.communicate()[0].strip(), value("a/memory.stat", "shmem") // MIB)
	child = inside("a", f"import os\nf = open('{where}', 'ab')\nfor i in range(90): f.write(bytes({MIB}))\nprint('wrote')")
	print("too much", child.wait() != 0, os.path.getsize(where) < 60 * MIB)
	os.unlink(where)
	print("unlinked", until(lambda: value("a/memory.stat", "shmem") == 0))
	print("lower", write("a/memory.max", "20M"), read("a/memory.max").strip(), "gone", until(lambda: removed("a") == 0))


# Programs of bpf(2) that say which devices may be used, 4096 times "r0 = 1" but for the exit: 32 KiB each.
LOAD = """
import ctypes, resource, struct
resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
libc = ctypes.CDLL(None)
code = ctypes.create_string_buffer(struct.pack("<BBhi", 0xb7, 0, 0, 1) * 4095 + struct.pack("<BBhi", 0x95, 0, 0, 0))
license = ctypes.create_string_buffer(b"GPL")
attr = ctypes.create_string_buffer(struct.pack("<IIQQ", 15, 4096, ctypes.addressof(code), ctypes.addressof(license)), 128)
loaded = 0
while loaded < MOST and libc.syscall(321, 5, attr, 128) >= 0:
	loaded += 1
"""


def programs():
	made("a")
	child = inside("a", LOAD.replace("MOST", "200") + "print(loaded, flush=True)\n" + STAY)
	print("loaded", child.stdout.readline().strip(), value("a/memory.stat", "kernel") >= 200 * 32768)
	child.kill()
	child.wait()
	print("freed", until(lambda: value("a/memory.stat", "kernel") < MIB))
	write("a/memory.max", str(40 * MIB))
	print("above", inside("a", LOAD.replace("MOST", "8000")).wait(), value("a/memory.events", "oom_kill"))
	print("gone", until(lambda: removed("a") == 0))


def oom_group():
	made("a")
	write("a/memory.max", str(40 * MIB))
	write("a/memory.oom.group", "1")
	other = inside("a", STAY)
	other.stdout.readline()
	child = inside("a", take(100))
	print("as one", child.wait(), other.wait(), value("a/memory.events", "oom_kill") >= 2, value("a/memory.events", "oom_group_kill"))
	print("gone", until(lambda: removed("a") == 0))


def nested():
	made("a")
	write("a/memory.max", str(40 * MIB))
	write("a/cgroup.subtree_control", "+memory")
	made("a/b")
	made("a/c")
	keeper = inside("a/c", take(25) + STAY)
	keeper.stdout.readline()
	child = inside("a/b", take(30))
	print("above the parent's", child.wait(), keeper.poll(), value("a/memory.events", "oom_kill"), value("a/b/memory.events", "oom_kill"),
		value("a/memory.events.local", "oom_kill"), value("a/memory.events.local", "oom") > 0, value("a/b/memory.events", "oom"))
	keeper.kill()
	keeper.wait()
	print("gone", until(lambda: removed("a/b") == 0), until(lambda: removed("a/c") == 0), until(lambda: removed("a") == 0))


BUSY = "import time\nend = time.monotonic() + 1.5\nwhile time.monotonic() < end: pass"


def cpu_limits():
	made("a")
	write("a/cpu.max", "20000 100000")
	began = time.monotonic()
	inside("a", BUSY).wait()
	part = value("a/cpu.stat", "usage_usec") / 1e6 / (time.monotonic() - began)
	print("quota", 0.1 < part < 0.3 or part, value("a/cpu.stat", "nr_periods") >= 8, value("a/cpu.stat", "nr_throttled") >= 5,
		value("a/cpu.stat", "throttled_usec") > 500000)
	made("b")
	write("a/cpu.max", "max")
	write("b/cpu.weight", "400")
	print("one CPU", write("a/cpuset.cpus", "0"), write("b/cpuset.cpus", "0"))
	children = [inside(group, "print(1, flush=True)\nwhile True: pass") for group in "aba"]
	for child in children:
		child.stdout.readline()
	before = [value(f"{group}/cpu.stat", "usage_usec") for group in "ab"]
	time.sleep(1)
	a, b = [value(f"{group}/cpu.stat", "usage_usec") - old for group, old in zip("ab", before)]
	print("weights", 2 * a < b < 8 * a or b / a)
	for child in children:
		child.kill()
		child.wait()
	print("gone", until(lambda: removed("a") == 0), until(lambda: removed("b") == 0))


signal.alarm(120)
for part in (rules, cpu_files, cpuset_files, memory_files, memory_limits, programs, oom_group, nested, cpu_limits):
	print(f"-- {part.__name__}", flush=True)
	part()
