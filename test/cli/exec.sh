#!/bin/bash
# exec, ps, pause, resume, events in a running container: streams, identity, exit status, terminals, detached
# processes and whoever waits for them. Usage: exec.sh BUILD
set -u
. "$(dirname "$0")/../begin.sh" "$1"
trap '$rf delete --force box; rm -rf "$work"' EXIT
fails() { # NAME PATTERN COMMAND…: exit status 1, and 255 of exec, as runc has it
	local name=$1 pattern=$2 wanted=1
	shift 2
	[[ " $* " = *" exec "* ]] && wanted=255
	timeout -k 5 60 "$@" >"$work/out" 2>"$work/err" </dev/null
	check "$name: exit status" $wanted $?
	grep -Eq -- "$pattern" "$work/err" || { echo "$name: wanted '$pattern', got: $(cat "$work/err")"; failed=1; }
}
sh "$here/suite/bundle.sh" "$work/b" "$debian" "$work" sh -c 'while :; do sleep 0.05; done'
$rf run -d -b "$work/b" box </dev/null >/dev/null 2>&1 || { echo "no container"; exit 1; }
exec_() { timeout -k 5 60 $rf exec "$@" </dev/null; }

exec_ box sh -c 'exit 5'; check "exit status" 5 $?
exec_ box sh -c 'kill -TERM $$'; check "killed by a signal" 143 $?
check "output" out "$(exec_ box echo out)"
check "error output" err "$(exec_ box sh -c 'echo err >&2' 2>&1 >/dev/null)"
check "input" INPUT "$(echo input | timeout -k 5 60 $rf exec box tr a-z A-Z)"
check "a large pipe" 300000 "$(head -c 300000 /dev/zero | timeout -k 5 60 $rf exec box cat | wc -c)"
check "cwd, environment, user" "/tmp b 7 8 8 9" "$(exec_ --cwd /tmp -e A=b -u 7:8 -g 9 box sh -c 'echo $PWD $A $(id -u) $(id -g) $(id -G)')"
check "HOME is of the user" /usr/sbin "$(jq 'del(.process.env[] | select(startswith("HOME")))' "$work/b/config.json" >"$work/root/box/config.json"
	exec_ -u 1 box sh -c 'echo $HOME')"
check "capabilities" 1 "$(exec_ -c CAP_SYS_ADMIN box sh -c 'v=$(sed -n "s/^CapEff:.//p" /proc/self/status); echo $((0x$v >> 21 & 1))')"
check "without them" 0 "$(exec_ box sh -c 'v=$(sed -n "s/^CapEff:.//p" /proc/self/status); echo $((0x$v >> 21 & 1))')"
jq '.process | .args = ["sh", "-c", "echo $X; exit 6"] | .env += ["X=y"]' "$work/b/config.json" >"$work/process.json"
check "--process" "y 6" "$(echo $(exec_ --process "$work/process.json" box; echo $?))"
check "it sees the container's processes" 1 "$(exec_ box sh -c 'cat /proc/1/comm' | grep -c sh)"
fails "no such program" '"no-such": executable file not found in \$PATH' $rf exec box no-such
fails "no arguments" "process args cannot be empty" $rf exec box
fails "no such container" 'container "none" does not exist' $rf exec none true
fails "bad user" "not a number" $rf exec -u root box true
fails "bad capability" "no such capability" $rf exec -c CAP_X box true
echo '{"cwd": "/"}' >"$work/bad.json"
fails "bad process file" "process: .*args" $rf exec --process "$work/bad.json" box
timeout -k 5 60 $rf exec box sh -c 'trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done' </dev/null >"$work/ready" & pid=$!
for _ in $(seq 100); do grep -q ready "$work/ready" && break; sleep 0.05; done
kill -TERM "$(pgrep -P $pid)"; wait $pid; check "signals are passed on" 9 $?
$rf exec box sleep 1000 </dev/null & pid=$!
sleep 0.5; kill -KILL $pid; wait $pid 2>/dev/null; sleep 0.3
check "it ends with its command" "" "$($rf ps box | grep 'sleep 1000')"

# Detached: the process of the pid file stands for it.
python3 - "$work" $rf <<'END' >"$work/out" 2>&1
import ctypes, os, signal, subprocess, sys, time
work, rf = sys.argv[1], sys.argv[2:]
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
def start(*command):
    subprocess.run(rf + ["exec", "-d", "--pid-file", work + "/pid", "box", *command], check=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return int(open(work + "/pid").read())
def wait(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(wait(start("sh", "-c", "exit 4")))
pid = start("sh", "-c", "trap 'exit 8' USR1; touch /tmp/ready; while :; do sleep 0.05; done")
time.sleep(1)
os.kill(pid, signal.SIGUSR1)
print(wait(pid))
pid = start("sleep", "2000")
os.kill(pid, signal.SIGKILL)
print(wait(pid))
time.sleep(0.3)
print("sleep 2000" in subprocess.run(rf + ["ps", "box"], capture_output=True, text=True).stdout)
END
check "detached processes" "4 8 -9 False" "$(tr '\n' ' ' <"$work/out" | sed 's/ $//')"

# Terminals: this one's, and one made for a console socket.
cat >"$work/terminal.py" <<'END'
import array, fcntl, os, pty, signal, socket, struct, subprocess, sys, termios, time
work, rf = sys.argv[1], sys.argv[2:]
signal.alarm(60)
def drain(fd):
    out = b""
    try:
        while True:
            piece = os.read(fd, 1000)
            if not piece:
                break
            out += piece
    except OSError:
        pass
    return out.decode().replace("\r", "")
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    os.execv(rf[0], rf + ["exec", "-t", "box", "bash", "-c",
        "stty size; tty; trap 'stty size' WINCH; touch /tmp/trap; sleep 2 & wait; exit 3"])
for _ in range(100):
    if subprocess.run(rf + ["exec", "box", "test", "-e", "/tmp/trap"]).returncode == 0:
        break
    time.sleep(0.05)
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
print(drain(fd).split())
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
def by_socket(*command):
    path = work + "/console"
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(1)
    p = subprocess.Popen(rf + list(command[:1]) + ["--console-socket", path] + list(command[1:]))
    c = server.accept()[0]
    fd = array.array("i", c.recvmsg(100, socket.CMSG_SPACE(4))[1][0][2])[0]
    print(p.wait())
    os.unlink(path)
    os.write(fd, b"tty; stty size; echo a${x}b; exit\n")
    return drain(fd)
out = by_socket("exec", "-d", "-t", "box", "sh")
print("/dev/pts/" in out, "ab\n" in out)
END
timeout -k 5 90 python3 "$work/terminal.py" "$work" $rf >"$work/out" 2>&1
check "terminals" "['30', '100', '/dev/pts/0', '40', '120'] 3 0 True True" "$(tr '\n' ' ' <"$work/out" | sed 's/ $//')"

check "ps" "1 0 sh -c while :; do sleep 0.05; done" "$($rf ps box | awk '$2 == 1 { print $2, $3, substr($0, index($0, "sh -c")) }')"
check "signal 0" 0 "$($rf kill box 0; echo $?)"
check "ps as JSON" "[$($rf state box | jq .pid)]" "$($rf ps -f json box)"
check "statistics" '["stats","box",true,true,true]' "$($rf events --stats box |
	jq -c '[.type, .id, .data.cpu.usage.total > 0, .data.memory.usage.usage > 0, .data.pids.current >= 1]')"
check "a stream of them" 3 "$(timeout 5 $rf events --interval 100ms box | head -3 | wc -l)"
$rf pause box; check "pause" 0 $?
check "paused" paused "$($rf state box | jq -r .status)"
fails "exec in a paused one" "cannot exec in a paused container" $rf exec box true
fails "pause twice" "container not running" $rf pause box
sleep 0.2 # a sleeper whose time comes while it is paused wakes into the freezer once: kernel time, not its own
a=$($rf events --stats box | jq .data.cpu.usage.total); sleep 0.4; b=$($rf events --stats box | jq .data.cpu.usage.total)
check "nothing runs while it is paused" "$a" "$b"
$rf resume box; check "resume" 0 $?
check "running again" 0 "$(exec_ box true; echo $?)"
fails "resume twice" "container not paused" $rf resume box
check "debug" 1 "$($rf debug box tasks | grep -c ' sh ')"
$rf pause box; $rf delete --force box; check "delete --force of a paused one" 0 $?
[ -z "$(ls -I kvm-self-test "$work/root")" ] || { echo "left: $(ls -I kvm-self-test "$work/root")"; failed=1; }
exit $failed
