"""What the files of a control group do, in the directory that is given: an empty group of version 2.

Prints the same on Linux and in a sandbox. Usage: groups.py DIRECTORY [pids]
"""
import ctypes
import errno
import os
import select
import signal
import subprocess
import sys
import time

from group_files import made, removed, top, tried, until, write, write_at_once

libc = ctypes.CDLL(None, use_errno=True)


def read(name):
	return open(f"{top}/{name}").read().split()


def busy():
	return subprocess.Popen([sys.executable, "-c", "while True: pass"])


def cpu(pid):
	return int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[11])


def tree():
	print("make", made("a"), made("a"), made("a/b"), made("x\ny"))
	print("new", read("a/cgroup.type"), read("a/cgroup.procs"), read("a/cgroup.events"), read("a/cgroup.stat")[:2])
	print("remove", removed("a"), removed("a/b"), removed("a"), removed("a"))
	print("limits", made("a"), write("a/cgroup.max.depth", "1"), made("a/b"), made("a/b/c"), read("a/cgroup.max.depth"))
	print("limits", write("a/cgroup.max.descendants", "1"), made("a/c"), write("a/cgroup.max.descendants", "max"), made("a/c"))
	print("wrong", write("a/cgroup.max.depth", "x"), write("a/cgroup.max.depth", "-1"), write("a/cgroup.type", "wrong"),
		write("a/cgroup.freeze", "2"), write("a/cgroup.freeze", "x"), write("a/cgroup.kill", "0"), write("a/cgroup.procs", "x"),
		write("a/cgroup.procs", "999999"), write("a/cgroup.subtree_control", "+nonsense"), write("a/cgroup.events", "1"))
	print("remove", removed("a/b"), removed("a/c"), removed("a"))


def members():
	made("a")
	made("b")
	child = subprocess.Popen(["sh", "-c", "read x; sleep 100 & sleep 100 & wait; sleep 100"], stdin=subprocess.PIPE)
	print("move", write("a/cgroup.procs", str(child.pid)), read("a/cgroup.procs") == [str(child.pid)], read("a/cgroup.events"))
	print("path", open(f"/proc/{child.pid}/cgroup").read().split("\n")[-2].endswith("/a"))
	child.stdin.write(b"\n")
	child.stdin.flush()
	print("children", until(lambda: len(read("a/cgroup.procs")) == 3), len(read("a/cgroup.threads")))
	print("back", write("b/cgroup.procs", str(child.pid)), len(read("a/cgroup.procs")), len(read("b/cgroup.procs")), removed("b"))
	watch = libc.inotify_init1(os.O_NONBLOCK)
	libc.inotify_add_watch(watch, f"{top}/a/cgroup.events".encode(), 2)
	events = open(f"{top}/a/cgroup.events")
	events.read()
	poll = select.poll()
	poll.register(events, select.POLLPRI)
	print("before", poll.poll(0), select.select([watch], [], [], 0)[0])
	print("kill", write("a/cgroup.kill", "1"), until(lambda: read("a/cgroup.events") == ["populated", "0", "frozen", "0"]))
	print("after", bool(poll.poll(1000)), bool(select.select([watch], [], [], 1)[0]))
	print("one left", child.poll(), write("b/cgroup.kill", "1"), child.wait(), until(lambda: "1" not in read("b/cgroup.events")))
	file = open(f"{top}/b/cgroup.procs")
	print("remove", removed("a"), removed("b"))
	print("gone", tried(file.read))


def as_user(call, *args):
	os.seteuid(1000)
	done = call(*args)
	os.seteuid(0)
	return done


def openers():
	"""Who opened cgroup.procs is asked whether a process may be moved, not who writes."""
	for name in ["a", "b"]:
		made(name)
		os.chown(f"{top}/{name}/cgroup.procs", 1000, 1000)
	child = subprocess.Popen(["sleep", "100"])
	pid = str(child.pid).encode()
	print("begin", write("a/cgroup.procs", str(child.pid)))
	theirs = as_user(os.open, f"{top}/b/cgroup.procs", os.O_RDWR)
	print("opened by another", tried(lambda: os.write(theirs, pid) and None), len(read("b/cgroup.procs")))
	own = os.open(f"{top}/b/cgroup.procs", os.O_RDWR)
	print("opened by root", as_user(tried, lambda: os.write(own, pid) and None), len(read("b/cgroup.procs")))
	print("and written to again", tried(lambda: os.write(own, pid) and None), tried(lambda: os.write(own, b"999999") and None))
	child.kill()
	child.wait()
	os.close(theirs)
	os.close(own)
	print("remove", until(lambda: removed("b") == 0), removed("a"))


def freezer():
	made("a")
	made("a/b")
	child = busy()
	write("a/b/cgroup.procs", str(child.pid))
	below = open(f"{top}/a/b/cgroup.events")
	below.read()
	poll = select.poll()
	poll.register(below, select.POLLPRI)
	print("freeze", write("a/cgroup.freeze", "1"), until(lambda: read("a/cgroup.events")[3] == "1"), read("a/b/cgroup.freeze"),
		until(lambda: read("a/b/cgroup.events")[3] == "1"))
	print("told below", bool(poll.poll(1000)))
	before = cpu(child.pid)
	time.sleep(0.2)
	print("still", cpu(child.pid) == before)
	print("thaw", write("a/cgroup.freeze", "0"), until(lambda: cpu(child.pid) > before), read("a/b/cgroup.events"))
	print("freeze", write("a/cgroup.freeze", "1"), write("a/cgroup.kill", "1"), child.wait())
	print("cpu", int(read("a/cpu.stat")[1]) > 0, read("a/cpu.stat")[::2][:3])
	print("remove", until(lambda: removed("a/b") == 0), removed("a"))


def pids():
	"""The controller, which this machine's Linux may have given to version 1."""
	made("init")
	for pid in read("cgroup.procs"):
		print("to init", write("init/cgroup.procs", pid))
	print("give", write("cgroup.subtree_control", "+pids"), read("cgroup.subtree_control"), write("cgroup.subtree_control", "+hugetlb"))
	made("a")
	print("inside", write("a/cgroup.procs", "0"), write("a/cgroup.subtree_control", "+pids"), write("init/cgroup.procs", "0"), write("a/cgroup.subtree_control", "-pids"))
	print("max", write("a/pids.max", "3"), read("a/pids.max"), write("a/pids.max", "-1"), read("a/pids.current"))
	child = subprocess.Popen(["sh", "-c", "read x; for i in 1 2 3 4; do sleep 100 & done; sleep 100"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
	write("a/cgroup.procs", str(child.pid))
	child.stdin.write(b"\n")
	child.stdin.close()
	print("refused", until(lambda: int(read("a/pids.events")[1]) >= 1), read("a/pids.peak"))
	write("a/cgroup.kill", "1")
	child.wait()
	print("top", write("pids.max", "5"), write("cgroup.freeze", "1"), write("cgroup.kill", "1"))
	os.chown(f"{top}/a", 1000, 1000)
	os.chown(f"{top}/a/cgroup.procs", 1000, 1000)
	print("owner", os.stat(f"{top}/a").st_uid, os.stat(f"{top}/a/cgroup.procs").st_uid, os.stat(f"{top}/a/pids.max").st_uid)
	print("as another", subprocess.run(["setpriv", "--reuid=1000", "--clear-groups", "sh", "-c",
		f"mkdir {top}/a/own; echo 0 > {top}/a/own/cgroup.procs; mkdir {top}/other"], capture_output=True).stderr.count(b"denied"))
	print("taken back", write("cgroup.subtree_control", "-pids"), os.path.exists(f"{top}/a/pids.max"))


def move_from(group, to, opened_in):
	"""A child in `group` with a namespace that begins there writes itself to `to`, opened before it has that or afterwards."""
	pid = os.fork()
	if not pid:
		write(f"{group}/cgroup.procs", "0")
		before = os.open(f"{top}/{to}/cgroup.procs", os.O_WRONLY)
		libc.unshare(0x02000000)
		after = os.open(f"{top}/{to}/cgroup.procs", os.O_WRONLY)
		rc = tried(os.write, before if opened_in == "before" else after, b"0")
		os._exit(getattr(errno, rc) if rc else 0)
	code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
	return errno.errorcode[code] if code else 0


def namespaces():
	"""With the option nsdelegate: processes cross no namespace's root but by what was opened outside."""
	for name in ["c", "c/d", "e"]:
		made(name)
	print("namespace", move_from("c", "e", "after"), move_from("c", "e", "before"), move_from("c", "c/d", "after"))


signal.alarm(60)
tree()
members()
openers()
freezer()
if len(sys.argv) > 2:
	pids()
	namespaces()
