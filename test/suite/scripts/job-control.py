"""Types into an interactive shell on a pseudo terminal and prints what the terminal showed, as a user would see it.

Usage: job-control.py CASE...; without arguments all. Process ids are replaced by names, so that the
output is the same everywhere. The driver runs inside the container, as an ssh server would. What it types next waits for
the state that it is meant for (a program in the foreground, a stopped job), never for a time alone: on a stalled machine a ^Z would
reach the shell and be lost, and the program that it was for would run on.
"""
import fcntl
import glob
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

PROMPT = "rdy> "
SECONDS = 30  # less than the suite gives the whole entry, so that a failure can say what was missing


class Terminal:
	"""A program on a pseudo terminal of 24 by 80."""

	def __init__(self, *argv):
		self.pid, self.fd = pty.fork()
		if self.pid == 0:
			open("/tmp/inputrc", "w").write("set enable-bracketed-paste off\n")
			os.environ.update(INPUTRC="/tmp/inputrc", PS1=PROMPT, TERM="xterm", HISTFILE="/dev/null", HOME="/tmp")
			os.execvp(argv[0], argv)
		fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
		self.seen = ""
		self.used = 0

	def read_some(self, seconds):
		ready, _, _ = select.select([self.fd], [], [], seconds)
		if not ready:
			return False
		try:
			data = os.read(self.fd, 4096)
		except OSError:
			data = b""
		self.seen += data.decode(errors="replace")
		return bool(data)

	def expect(self, pattern):
		"""Waits until the text since the last match holds the pattern."""
		end = time.monotonic() + SECONDS
		while not (match := re.compile(pattern).search(self.seen, self.used)):
			if time.monotonic() > end:
				raise SystemExit(f"no {pattern!r} in {self.seen[self.used:]!r}")
			self.read_some(0.2)
		self.used = match.end()
		return match

	def processes(self):
		"""(name, state, process group) of each process of the terminal's session."""
		for path in glob.glob("/proc/[0-9]*/stat"):
			try:
				text = open(path).read()
			except OSError:
				continue
			name, rest = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
			if int(rest[3]) == self.pid:
				yield name, rest[0], int(rest[2])

	def until(self, what, condition):
		end = time.monotonic() + SECONDS
		while not condition():
			if time.monotonic() > end:
				raise SystemExit(f"never {what}: {list(self.processes())}, seen {self.seen[self.used:]!r}")
			self.read_some(0.05)

	def foreground(self, *names):
		"""Waits until just these programs are the terminal's foreground and sleep."""
		def waiting():
			group = os.tcgetpgrp(self.fd)
			return sorted(p[:2] for p in self.processes() if p[2] == group) == sorted((name, "S") for name in names)
		self.until(f"{names} in the foreground", waiting)

	def stopped(self):
		"""Waits until a job of the session is stopped."""
		self.until("a stopped job", lambda: any(state == "T" for _, state, _ in self.processes()))

	def type(self, text):
		os.write(self.fd, text.encode())

	def command(self, text, until=re.escape(PROMPT)):
		self.type(text + "\r")
		self.expect(r"\n")
		return self.expect(until)

	def end(self):
		while self.read_some(5):
			pass
		_, status = os.waitpid(self.pid, 0)
		return os.waitstatus_to_exitcode(status)

	def show(self):
		text = self.seen.replace("\r\n", "\n").replace("\r", "<CR>")
		text = text.replace("\x1b", "<ESC>").replace("\x07", "<BEL>")
		text = re.sub(r"(\[\d+\]) \d+", r"\1 PID", text)
		text = re.sub(r"(\[\d+\][+-]?\s+)\d+ ", r"\1PID ", text)
		print(text.replace("<CR>\n", "\n"))


def shell(*argv):
	term = Terminal(*(argv or ("bash", "--norc", "--noprofile", "-i")))
	term.expect(re.escape(PROMPT))
	return term


def stop_and_continue():
	"""^Z, jobs, fg, bg, kill %n."""
	term = shell()
	term.type("sleep 100\r")
	term.foreground("sleep")
	term.type("\x1a")
	term.expect(r"Stopped")
	term.expect(PROMPT)
	term.command("jobs")
	term.command("bg %1")
	term.command("jobs")
	term.command("kill %1; wait %1; echo status $?")
	term.type("cat\r")
	term.foreground("cat")
	term.type("\x1a")
	term.expect(r"Stopped")
	term.expect(PROMPT)
	term.type("fg\r")
	term.foreground("cat")
	term.type("typed\r")
	term.expect(r"typed\r\ntyped")
	term.type("\x04")
	term.expect(PROMPT)
	return term


def interrupt():
	"""^C at the prompt, in a command, in a pipeline; ^\\ too."""
	term = shell()
	term.type("half a line")
	term.expect("half a line")
	time.sleep(0.3)
	term.type("\x03")
	term.expect(PROMPT)
	term.type("sleep 100 | cat\r")
	term.foreground("sleep", "cat")
	term.type("\x03")
	term.expect(PROMPT)
	term.command("echo status $?")
	term.type("sleep 100\r")
	term.foreground("sleep")
	term.type("\x1c")
	term.expect(PROMPT)
	term.command("echo status $?")
	return term


def background_read():
	"""A background job that reads the terminal is stopped (SIGTTIN), and goes on in the foreground."""
	term = shell()
	term.command("(sleep 0.4; cat) &")
	term.stopped()
	term.command("jobs", r"Stopped[\s\S]*?rdy> ")
	term.type("fg\r")
	term.foreground("cat")
	term.type("now\r")
	term.expect(r"now\r\nnow")
	term.type("\x04")
	term.expect(PROMPT)
	return term


def background_write():
	"""stty tostop stops a background writer (SIGTTOU)."""
	term = shell()
	term.command("stty tostop")
	term.command("(sleep 0.4; echo hidden) &")
	term.stopped()
	term.command("jobs", r"Stopped[\s\S]*?rdy> ")
	term.command("stty -tostop")
	term.command("fg", r"hidden\r\n[\s\S]*?rdy> ")
	return term


def modes():
	"""Line editing of the terminal (cooked), echo off, sizes."""
	term = shell()
	term.command("stty -a | head -3")
	term.command("stty size; tput cols; tput lines")
	fcntl.ioctl(term.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
	time.sleep(0.5)
	term.command("echo $LINES $COLUMNS; stty size")
	term.type("read -s secret; echo got $secret\r")
	term.until("a read without echo", lambda: termios.tcgetattr(term.fd)[3] & (termios.ICANON | termios.ECHO) == termios.ICANON)
	term.type("xyz\r")
	term.expect("got xyz")
	term.expect(PROMPT)
	term.type("cat\r")
	term.foreground("cat")
	term.type("wrong\x15riht\x7f\x7fght word\x17end\r")
	term.expect("right end\r\n")
	term.type("\x04")
	term.expect(PROMPT)
	return term


def editing():
	"""readline: history, cursor keys, completion."""
	term = shell()
	term.command("cd /tmp; mkdir -p uniquename; touch uniquename/onefile")
	term.type("ls uniq\t")
	term.expect("uniquename/")
	term.type("one\t")
	term.expect("onefile")
	term.command("")
	term.command("echo first")
	term.type("\x1b[A\x1b[D\x1b[D\x1b[D\x1b[D\x1b[Dthe \r")
	term.expect("the first")
	term.expect(PROMPT)
	term.type("\x12mkdir")
	term.expect("mkdir -p")
	term.type("\x07")
	term.command("")
	return term


def notify():
	"""set -b: the end of a job is told at once; wait -n; disown; suspend of a subshell."""
	term = shell()
	term.command("sleep 0.3 & sleep 0.8 & wait -n; echo one $?; wait; echo all $?")
	term.command("(exit 3) & wait $!; echo $?")
	term.command("sleep 100 & disown; jobs; kill $!; echo gone")
	term.command("bash --norc --noprofile -i", PROMPT)
	term.type("suspend\r")
	term.expect("Stopped")
	term.expect(PROMPT)
	term.type("fg\r")
	term.expect("norc")
	term.expect(PROMPT)
	time.sleep(0.3)
	term.command("")
	time.sleep(0.3)
	term.command("exit")
	return term


def hang_up():
	"""Closing the terminal ends the session: the shell gets SIGHUP, and acts on it when its job ended."""
	term = shell()
	term.command("trap 'echo hup >/tmp/hup; exit' HUP; echo armed")
	term.type("sleep 3\r")
	term.foreground("sleep")
	os.close(term.fd)
	_, status = os.waitpid(term.pid, 0)
	print("status", os.waitstatus_to_exitcode(status), open("/tmp/hup").read().strip())
	return None


def dash():
	"""The same with dash, which uses the terminal's own editing."""
	term = shell("dash", "-i")
	term.type("sleep 100\r")
	term.foreground("sleep")
	term.type("\x1a")
	term.expect("Stopped")
	term.expect(PROMPT)
	term.command("jobs")
	term.type("fg\r")
	term.foreground("sleep")
	term.type("\x03")
	term.expect(PROMPT)
	term.command("echo status $?")
	return term


CASES = [stop_and_continue, interrupt, background_read, background_write, modes, editing, notify, hang_up, dash]


def main():
	signal.signal(signal.SIGHUP, signal.SIG_IGN)
	for case in CASES:
		if len(sys.argv) > 1 and case.__name__ not in sys.argv[1:]:
			continue
		print("==", case.__name__, flush=True)
		term = case()
		if term:
			term.type("exit\r")
			status = term.end()
			term.show()
			print("exit", status, flush=True)


main()
