"""less and vim as one sees them: typed into on a terminal, the screen after each key as the text that a terminal would show.

The screens come from tmux, which draws them: typed by send-keys, read by capture-pane.
"""
import os
import re
import subprocess
import sys
import time

os.environ.update(HOME="/tmp", SHELL="/bin/bash", LESSHISTFILE="-", TERM="xterm", INPUTRC="/tmp/inputrc")
os.chdir("/tmp")
open("/tmp/bashrc", "w").write("PS1='rdy> '\n")
open("/tmp/inputrc", "w").write("set enable-bracketed-paste off\n")
open("/tmp/tmux.conf", "w").write(
	'set -g default-command "exec bash --rcfile /tmp/bashrc -i"\nset -g status-right ""\nset -g window-status-current-format "#I"\n'
	'set -g window-status-format "#I"\nset -g automatic-rename off\nset -g escape-time 50\n')


def tmux(*args, check=True):
	done = subprocess.run(["tmux", "-f", "/tmp/tmux.conf", *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
	if check and done.returncode:
		sys.exit(f"tmux {args}: {done.returncode} {done.stdout}")
	return done.stdout


def screen(pane="main"):
	return "\n".join(line.rstrip() for line in tmux("capture-pane", "-p", "-t", pane).split("\n")).rstrip("\n")


def wait_for(pattern, pane="main"):
	"""Waits until the screen shows the pattern, and then until it is still."""
	end = time.monotonic() + 60
	while not re.search(pattern, now := screen(pane), re.M):
		if time.monotonic() > end:
			sys.exit(f"no {pattern!r} on\n{now}")
		time.sleep(0.1)
	while True:
		time.sleep(0.3)
		if (last := now) == (now := screen(pane)):
			return now


def keys(*names, pane="main"):
	tmux("send-keys", "-t", pane, *names)


def show(title, text):
	print(f"== {title}")
	print(text, flush=True)


def main():
	with open("/tmp/text", "w") as text:
		for i in range(1, 201):
			text.write(f"{i} some words to look at{' and more' * (i % 30)}\n")
	tmux("new-session", "-d", "-s", "main", "-x", "60", "-y", "12")
	show("sessions", re.sub(r"\(created.*?\)", "", tmux("list-sessions")))
	wait_for("^rdy>")
	keys("echo typed $((6 * 7)); tty", "Enter")
	show("shell", wait_for(r"typed 42\n/dev/pts.*\nrdy>"))
	keys("clear; stty size; tput cols", "Enter")
	show("size", wait_for(r"\n60\nrdy>"))
	keys("clear; sleep 100", "Enter")
	time.sleep(1)
	keys("C-c")
	show("interrupt", wait_for(r"\^C\nrdy>"))

	keys("clear; less text", "Enter")
	show("less", wait_for("^text"))
	keys("Space")
	show("less: a page on", wait_for("^12 some"))
	keys("/^150", "Enter")
	show("less: search", wait_for("^150 some"))
	keys("G")
	show("less: end", wait_for(r"\(END\)"))
	keys("g")
	keys("-", "S", "Enter")
	show("less: cut lines", wait_for("^10 some"))
	keys("q")
	wait_for("^rdy>")

	keys("clear; vim -u NONE -N text", "Enter")
	show("vim", wait_for("^1 some"))
	keys("3dd", "i", "new text ", "Escape", ":set number", "Enter")
	show("vim: edited", wait_for("1 new text 4 some"))
	keys(":vsplit", "Enter", ":e other", "Enter", "isplit", "Escape")
	show("vim: split", wait_for("^ +1 split"))
	keys("C-z")
	show("vim: stopped", wait_for(r"Stopped"))
	keys("clear; fg", "Enter")
	wait_for("1 split")
	keys(":qa!", "Enter")
	wait_for("^rdy>")

	keys("clear; top -b -n1 | head -1 | wc -l", "Enter")
	show("pipeline", wait_for("^1$"))
	tmux("split-window", "-h", "-t", "main")
	wait_for("^rdy>", "main:0.1")
	keys("echo right; stty size", "Enter", pane="main:0.1")
	show("panes", wait_for("^right\n", "main:0.1") + "\n--\n" + screen("main:0.0"))
	print(tmux("list-panes", "-t", "main", "-F", "#{pane_index} #{pane_width}x#{pane_height}"))
	tmux("resize-pane", "-t", "main:0.1", "-x", "20")
	time.sleep(0.5)
	keys("clear; stty size", "Enter", pane="main:0.1")
	show("resized", wait_for(r"\d+ 20$", "main:0.1"))
	tmux("new-window", "-t", "main")
	wait_for("^rdy>", "main:1")
	tmux("set-buffer", "echo pasted; exit\n")
	tmux("paste-buffer", "-t", "main:1")
	time.sleep(1)
	print(tmux("list-windows", "-t", "main", "-F", "#{window_index} #{window_panes}"))
	tmux("kill-server")
	time.sleep(1)
	print(tmux("list-sessions", check=False).split(" (")[0])


main()
