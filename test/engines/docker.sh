#!/bin/bash
# Docker with ringfence as its runtime: the life of containers, their limits, names and ports on networks.
# Usage: docker.sh BUILD. Exit status 77: there is no dockerd.
set -u
. "$(dirname "$0")/docker-lib.sh"
docker_start "$1"

check "run" hello "$(d run --rm rf-test echo hello)"
d run --rm rf-test sh -c 'exit 3'; check "exit status" 3 $?
d run --rm rf-test no-such-program 2>"$work/err"; check "no such program" 127 $?
check "its message" 1 "$(grep -c 'OCI runtime create failed: exec: "no-such-program": executable file not found in $PATH' "$work/err")"
d run --rm rf-test /etc 2>/dev/null; check "a directory as program" 126 $?
mkdir "$work/data" && : >"$work/data/empty" && chmod +x "$work/data/empty"
d run --rm -v "$work/data:/data" rf-test /data/empty 2>"$work/err"; check "a program that cannot run" 125 $?
check "its message" 1 "$(grep -c 'OCI runtime start failed: exec: "/data/empty": exec format error' "$work/err")"
check "environment, directory, user, host name" "b /tmp 1000 hh" \
	"$(d run --rm -e A=b -w /tmp -u 1000:1000 --hostname hh rf-test sh -c 'echo $A $PWD $(id -u) $(hostname)')"
echo content >"$work/data/file"
check "volumes" "content read-only" "$(d run --rm -v "$work/data:/data:ro" -v "$work/data:/rw" rf-test \
	sh -c 'cat /data/file; echo new >/rw/made; (touch /data/x) 2>/dev/null || echo read-only' | tr '\n' ' ' | sed 's/ $//')"
check "a written volume" new "$(cat "$work/data/made")"
mknod "$work/data/disk" b 7 77
check "a disk as volume: nothing to open" "block special file 6" "$(d run --rm -v "$work/data/disk:/disk" rf-test python3 -c '
import os, stat
try:
    os.open("/disk", os.O_RDONLY)
except OSError as error:
    print("block special file" if stat.S_ISBLK(os.stat("/disk").st_mode) else "?", error.errno)' 2>&1)"
check "read-only" "Read-only file system" "$(d run --rm --read-only rf-test touch /x 2>&1 | grep -o 'Read-only file system')"
check "limits" "1 64" "$(d run --rm -m 64m --cpus 1 rf-test sh -c 'echo $(nproc) $(($(sed -n "s/MemTotal: *\([0-9]*\).*/\1/p" /proc/meminfo) / 1024))')"
check "out of memory" "137" "$(d run --rm -m 32m rf-test python3 -c 'x = [b"x" * (1 << 20) for i in range(128)]' >/dev/null 2>&1; echo $?)"
check "standard input" data "$(echo data | d run -i --rm rf-test cat)"
check "a terminal" "/dev/pts/0 5" "$(script -qec "/usr/bin/docker run -it --rm rf-test sh -c 'tty; exit 5'" "$work/typed" >/dev/null
	echo "$(grep -a -o '/dev/pts/0' "$work/typed") $(sed -n 's/.*COMMAND_EXIT_CODE="\([0-9]*\)".*/\1/p' "$work/typed")")"
check "the default bridge" "eth0 lo 10.88.1.1" \
	"$(d run --rm rf-test sh -c 'echo $(ls /sys/class/net) $(awk "NR > 1 && \$2 == \"00000000\" { print \$3 }" /proc/net/route)' | sed 's/0101580A/10.88.1.1/')"
check "the host's network" "docker0 lo" "$(d run --rm --runtime rf-host --network host rf-test sh -c 'echo $(ls /sys/class/net)')"
d run --rm --network host rf-test true 2>"$work/err"; check "it is refused" 125 $?
check "the way to it" 1 "$(grep -c "with the runtime's --network=host only" "$work/err")"

# The life of one container.
d run -d --name box rf-test sh -c 'trap "exit 4" TERM; echo started; while :; do sleep 0.1; done' >/dev/null; check "detached" 0 $?
check "exec" "in 6" "$(d exec box sh -c 'echo in; exit 6' | tr '\n' ' '; echo "${PIPESTATUS[0]}")"
until_ok 10 sh -c '/usr/bin/docker logs box | grep started'; check "logs" started "$(d logs box)"
check "inspect" "running true" "$(d inspect box --format '{{.State.Status}} {{.State.Running}}')"
check "top" 1 "$(d top box | grep -c ringfence)"
check "stats" 1 "$(d stats --no-stream --format '{{.Name}} {{.MemUsage}}' box | grep -c 'box [1-9][0-9.]*MiB')"
echo copied >"$work/file"
d cp "$work/file" box:/tmp/file && check "cp" copied "$(d exec box cat /tmp/file)"
check "cp from it" root "$(d cp box:/etc/passwd - | tar -xO | head -1 | cut -d: -f1)"
d pause box >/dev/null; check "paused" paused "$(d inspect box --format '{{.State.Status}}')"
d unpause box >/dev/null; check "unpaused" running "$(d inspect box --format '{{.State.Status}}')"
d stop -t 10 box >/dev/null; check "stopped by SIGTERM" "exited 4" "$(d inspect box --format '{{.State.Status}} {{.State.ExitCode}}')"
d restart box >/dev/null; check "restarted" running "$(d inspect box --format '{{.State.Status}}')"
d kill box >/dev/null; check "killed" "exited 137" "$(d inspect box --format '{{.State.Status}} {{.State.ExitCode}}')"
d rm box >/dev/null; check "rm" 0 $?

# Two containers on a network with names, a name server outside, a published port.
d network create --subnet 10.88.2.0/24 web >/dev/null
cat >"$work/dns.py" <<'END'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.88.2.1", 53))
while True:
    query, sender = s.recvfrom(4096)
    end = query.index(b"\0", 12) + 5
    known = b"\7outside\4test\0\0\1" in query
    head = query[:2] + (b"\x81\x80" if known else b"\x81\x83") + b"\0\1" + (b"\0\1" if known else b"\0\0") + bytes(4)
    s.sendto(head + query[12:end] + (b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\7" if known else b""), sender)
END
nsenter --net="/run/netns/$net" python3 "$work/dns.py" & dns=$! # the process itself, not a shell around it
trap 'kill "$dns"; docker_finish' EXIT
d run -d --name server --network web --network-alias other -p 8123:8000 rf-test python3 -u -m http.server 8000 >/dev/null
check "names" "10.88.2.2 10.88.2.2 192.0.2.7 gaierror True" "$(d run --rm --network web --dns 10.88.2.1 rf-test python3 -c '
import socket, urllib.request
def look(name):
    try:
        return socket.gethostbyname(name)
    except OSError as error:
        return type(error).__name__
print(*map(look, ("server", "other", "outside.test", "nowhere.test")), end=" ")
for i in range(50):
    try:
        print("etc/" in urllib.request.urlopen("http://server:8000/", timeout=10).read().decode())
        break
    except ConnectionRefusedError:
        __import__("time").sleep(0.2)')"
check "a published port" 1 "$(inside python3 -c 'import urllib.request; print(urllib.request.urlopen("http://127.0.0.1:8123/", timeout=10).read().decode())' | grep -c '"etc/"')"
d restart -t 1 server >/dev/null
check "the name after a restart" 10.88.2.2 "$(d run --rm --network web rf-test python3 -c 'import socket; print(socket.gethostbyname("server"))')"
d rm -f server >/dev/null
check "no containers are left" "" "$(d ps -aq; ls "$work/exec/runtime-runc/moby" 2>/dev/null)"
