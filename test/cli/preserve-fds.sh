#!/bin/bash
# Descriptors passed into a container: files, pipes and sockets by --preserve-fds (create, run, exec), LISTEN_FDS, in the
# order that runc gives them; and what is refused. crun beside it where it is there. Usage: preserve-fds.sh BUILD [PLATFORM]
set -u
rf=$1/ringfence platform=${2:-ptrace}
work=$(mktemp -d /tmp/rf-preserve.XXXXXX)
failed=0
bad() { echo "FAIL $*"; failed=1; }
ringfence() { timeout -k 5 60 "$rf" --platform="$platform" --root "$work/state" "$@"; }
crun() { unshare -m sh -c 'umount /sys/fs/cgroup/unified 2>/dev/null; exec crun --root "$0" --cgroup-manager=disabled "$@"' "$work/crun" "$@"; }
# program TEXT: what sh runs inside
program() { jq --arg text "$1" '.process.args = ["sh", "-c", $text]' "$work/b/config.json" >"$work/c" && cp "$work/c" "$work/b/config.json"; }

mkdir -p "$work/b/rootfs/bin" "$work/b/rootfs/proc" "$work/b/rootfs/dev" "$work/b/rootfs/sys"
for name in sh cat ls sleep readlink; do cp /bin/busybox "$work/b/rootfs/bin/$name"; done
"$rf" spec -b "$work/b"
jq '.process.terminal = false | .process.env += ["PATH=/bin"]' "$work/b/config.json" >"$work/c" && cp "$work/c" "$work/b/config.json"
printf 'one\ntwo\n' >"$work/in"

# passes OPTION-N RUNTIME: a file to read, a file to append to, and pipes, as descriptors 3 to 6; what the program prints
passes() {
	: >"$work/appended"
	mkfifo "$work/pipe-in" "$work/pipe-out"
	cat "$work/pipe-out" >"$work/from-pipe" &
	echo through >"$work/pipe-in" &
	$2 run --preserve-fds "$1" -b "$work/b" one 3<"$work/in" 4>>"$work/appended" 5<"$work/pipe-in" 6>"$work/pipe-out" </dev/null 2>&1
	echo "status $?"
	exec 9<>"$work/pipe-in" 8<>"$work/pipe-out" 9<&- 8<&-
	wait
	echo "file: $(cat "$work/appended") pipe: $(cat "$work/from-pipe")"
	rm "$work/pipe-in" "$work/pipe-out"
}
program 'read a <&3; read b <&3; echo "$a $b" >&4; cat <&5 >&6; [ -e /proc/self/fd/6 ] && [ ! -e /proc/self/fd/7 ] && echo all'
got=$(passes 4 ringfence)
want="all
status 0
file: one two pipe: through"
[ "$got" = "$want" ] || bad "four descriptors: $got"
if command -v crun >/dev/null; then
	got=$(passes 4 crun)
	[ "$got" = "$want" ] || bad "four descriptors under crun: $got"
fi
program '[ -e /proc/self/fd/3 ] && [ ! -e /proc/self/fd/4 ] && echo "one: $(cat <&3)"'
got=$(passes 1 ringfence)
case $got in "one: one
two
status 0"*) ;; *) bad "one of four: $got" ;; esac
program '[ ! -e /proc/self/fd/3 ] && echo none'
case $(passes 0 ringfence) in none*) ;; *) bad "none" ;; esac

cat >"$work/sockets.py" <<'P'
"""sockets.py KIND WORDS…: runs the words with a descriptor of that kind at 3, and answers a line on a socket pair."""
import fcntl, os, select, socket, subprocess, sys
kind, words = sys.argv[1], sys.argv[2:]
made, other, passed = None, None, [3]


def high(number):
    """Out of the way of 3 and 4."""
    moved = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 20)
    os.close(number)
    return moved


if kind in ("stream", "seqpacket", "activation"):
    made, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET if kind == "seqpacket" else socket.SOCK_STREAM)
    other = socket.socket(fileno=high(other.detach()))
elif kind == "listening":
    made = socket.socket()
    made.listen()
elif kind == "datagram":
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
elif kind == "epoll":
    poll = select.epoll()
    made = os.dup(poll.fileno())
elif kind == "directory":
    made = os.open("/", os.O_RDONLY)
elif kind == "path":
    made = os.open("/etc/hostname", os.O_PATH)
made = high(made if isinstance(made, int) else made.detach())
os.dup2(made, 3)
if kind == "activation":
    second = high(os.open("/etc/hostname", os.O_RDONLY))
    os.dup2(second, 4)
    passed = [3, 4]
    words = ["sh", "-c", 'export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"', "sh"] + words
child = subprocess.Popen(words, pass_fds=passed, stdin=subprocess.DEVNULL)
if other:
    os.close(3)
    os.close(made)
    line = other.recv(100)
    other.send(b"answer to " + line)
    other.shutdown(socket.SHUT_WR)
sys.exit(child.wait())
P
program 'echo question >&3; cat <&3'
for kind in stream seqpacket; do
	got=$(timeout -k 5 60 python3 "$work/sockets.py" $kind "$rf" --platform="$platform" --root "$work/state" run --preserve-fds 1 -b "$work/b" one 2>&1)
	[ "$got" = "answer to question" ] || bad "$kind socket: $got"
done
program 'echo question >&3; read answer <&3; echo "$answer $LISTEN_FDS $LISTEN_PID; $([ -e /proc/self/fd/4 ] && echo "four")"'
got=$(timeout -k 5 60 python3 "$work/sockets.py" activation "$rf" --platform="$platform" --root "$work/state" run --preserve-fds 1 -b "$work/b" one 2>&1)
[ "$got" = "answer to question 1 1; four" ] || bad "activation: $got"

# refuse KIND PATTERN
refuse() {
	got=$(timeout -k 5 60 python3 "$work/sockets.py" "$1" "$rf" --platform="$platform" --root "$work/state" run --preserve-fds 1 -b "$work/b" one 2>&1) &&
		bad "$1: accepted"
	case $got in *"unable to pass preserved-fd 0 (of 1), descriptor 3: "*"$2"*) ;; *) bad "$1: $got" ;; esac
}
refuse listening "a listening socket"
refuse datagram "a socket without a peer"
refuse epoll "anon_inode:[eventpoll]"
refuse directory "a directory"
refuse path "O_PATH"
ringfence run --preserve-fds 1 -b "$work/b" one >"$work/out" 2>&1 3<&- && bad "a closed one: accepted"
grep -q 'descriptor 3: Bad file descriptor' "$work/out" || bad "a closed one: $(cat "$work/out")"
for number in -1 x 65; do
	ringfence run --preserve-fds $number -b "$work/b" one >"$work/out" 2>&1 && bad "--preserve-fds $number: accepted"
done

program 'sleep 1000'
ringfence run -d -b "$work/b" one </dev/null >"$work/out" 2>&1 || bad "run: $(cat "$work/out")"
got=$(ringfence exec --preserve-fds 2 one sh -c 'read a <&3; echo "got $a" >&4' 3<"$work/in" 4>"$work/appended" 2>&1; echo $?; cat "$work/appended")
[ "$got" = "0
got one" ] || bad "exec: $got"
ringfence exec --preserve-fds 100 one sh -c : >"$work/out" 2>&1 && bad "exec with a hundred: accepted"
grep -q 'at most [0-9]' "$work/out" || bad "exec with a hundred: $(cat "$work/out")"
ringfence delete --force one || bad "delete"
rm -rf "$work"
exit $failed
