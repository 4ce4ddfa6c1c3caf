#!/bin/bash
# What Docker does to containers that run, with runc and then with ringfence on the same daemon: attach and its keys, exec,
# signals, wait, events, pause, update, commit, build, health checks, restart policies. Both must say the same, but for OOMKilled
# and the event oom: Docker's shim asks the host's control group, and it is the sandbox's kernel that kills.
# Usage: docker-life.sh BUILD. Exit status 77: there is no dockerd.
set -u
. "$(dirname "$0")/docker-lib.sh"
docker_start "$1"

state() { d inspect "${2:-box}" --format "{{.State.$1}}"; }
until_state() { until_ok 20 bash -c "[ \"\$(/usr/bin/docker inspect ${3:-box} --format '{{.State.$1}}')\" = $2 ]"; }
# typed SCRIPT COMMAND…: the command on a terminal of its own; the script's lines are "WAIT-FOR|TO-SEND"
typed() {
	python3 - "$@" <<-'END'
	import os, pty, re, signal, sys
	signal.alarm(40)
	pid, fd = pty.fork()
	if pid == 0:
	    os.execvp(sys.argv[2], sys.argv[2:])
	out = b""
	def until(pattern):
	    global out
	    while not re.search(pattern, out):
	        out += os.read(fd, 1000)
	    out = out[re.search(pattern, out).end():]
	try:
	    for line in filter(None, sys.argv[1].split("\n")):
	        wait, send = line.split("|")
	        until(wait.encode())
	        os.write(fd, send.encode().decode("unicode_escape").encode())
	    while piece := os.read(fd, 1000):
	        out += piece
	except OSError:
	    pass
	print("ended with", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	END
}

life() {
	local loop='trap "echo hup" HUP; trap "exit 7" TERM; echo begin; while :; do sleep 0.05; done'
	d run -d --name box rf-test bash -c "$loop" >/dev/null
	until_ok 10 bash -c '/usr/bin/docker logs box | grep begin'
	echo "== exec"
	d exec box sh -c 'echo out; echo err >&2; exit 9' 2>"$work/err"; echo "status $?"; cat "$work/err"
	d exec -u daemon -w /tmp -e A=b box sh -c 'id -un; pwd; echo $A; env | grep -c HOME'
	d exec box nowhere 2>&1 | sed 's/.*exec: /exec: /; s/: stat.*//; s/: unknown.*//'; echo "status ${PIPESTATUS[0]}"
	d exec -w /nowhere box true 2>&1 | grep -c 'nowhere'; d exec -u nobody-here box true 2>&1 | grep -c 'unable to find user'
	d exec -d box sh -c 'echo made >/tmp/made'; until_ok 10 d exec box test -s /tmp/made; d exec box cat /tmp/made
	echo input | d exec -i box cat
	d exec --privileged box grep CapBnd /proc/self/status | wc -l
	typed '#|tty; stty size; exit 3\n' /usr/bin/docker exec -it box sh
	typed $'#|kill -INT $$\\n\n#|exit 4\\n' /usr/bin/docker exec -it box sh
	echo "== signals"
	d kill -s HUP box >/dev/null; until_ok 10 bash -c '/usr/bin/docker logs box | grep hup'; d logs box
	d kill -s 0 box 2>&1 | grep -c Invalid; d kill -s WINCH box >/dev/null; state Status
	echo "== logs"
	d logs --tail 1 box; timeout 2 /usr/bin/docker logs -f box; echo "status $?"
	echo "== pause"
	d pause box >/dev/null; state Status; d exec box true 2>&1 | grep -c paused
	d unpause box >/dev/null; state Status; d exec box echo again
	echo "== update"
	d update -m 128m --memory-swap 128m --pids-limit 20 box >/dev/null; echo "status $?"
	d exec box bash -c 'for i in $(seq 40); do sleep 1 & done' 2>&1 | grep -c fork | sed 's/[1-9][0-9]*/some/'
	d exec box python3 -c 'x = [b"x" * (1 << 20) for i in range(300)]' >/dev/null 2>&1; echo "status $?"; state Status
	echo "== top and stats"
	d stats --no-stream --format '{{.Name}} {{.PIDs}}' box | grep -c 'box [1-9]'
	d stats --no-stream --format '{{.CPUPerc}} {{.MemUsage}} {{.MemPerc}}' box | grep -c '%.*MiB / 128MiB'
	echo "== files"
	echo copied >"$work/file"; d cp "$work/file" box:/root/file; d exec box cat /root/file
	d exec box sh -c 'mkdir -p /made/sub; echo deep >/made/sub/file; ln -s sub /made/link'
	d cp box:/made "$work/got"; cat "$work/got/link/file"; rm -rf "$work/got"
	d diff box | grep -E ' /(made|root)' | sort; d export box | tar -t | grep -c made/sub/file
	d commit -c 'CMD ["cat","/made/sub/file"]' box committed >/dev/null; d run --rm committed
	echo "== wait and stop"
	d wait box >"$work/waited" & waiting=$!
	sleep 0.3; d stop -t 10 box >/dev/null; wait $waiting; cat "$work/waited"; state ExitCode
	d start box >/dev/null; until_state Running true; d logs box | grep -c begin
	d rename box other; d rename other box; d restart -t 5 box >/dev/null; state Status
	d kill box >/dev/null; until_state Running false; state ExitCode; state OOMKilled; d rm box >/dev/null
	d run -d --name box rf-test bash -c 'trap "" TERM; while :; do sleep 0.05; done' >/dev/null
	sleep 0.3; d stop -t 1 box >/dev/null; state ExitCode; d rm box >/dev/null
	d run --name box -m 64m --memory-swap 64m rf-test python3 -c 'x = [b"x" * (1 << 20) for i in range(300)]' >/dev/null 2>&1; echo "status $?"
	d rm box >/dev/null
	echo "== attach"
	d run -dit --name box rf-test bash --norc >/dev/null
	typed $'#|echo on $((40 + 2))\\n\non 42|\\x10\\x11' /usr/bin/docker attach box; state Running
	typed $'|stty size\\n\n[0-9] [0-9]|exit 6\\n' /usr/bin/docker attach box; state ExitCode; d rm box >/dev/null
	echo attached | d run -i --name box rf-test sh -c 'read a; echo got $a; exit 5'; echo "status $?"; d rm box >/dev/null
	echo "== health"
	d run -d --name box --health-cmd 'test -e /tmp/well' --health-interval 0.3s --health-retries 2 rf-test sleep 100 >/dev/null
	until_state Health.Status unhealthy; state Health.Status; d exec box touch /tmp/well; until_state Health.Status healthy; state Health.Status
	d rm -f box >/dev/null
	echo "== restart policies"
	d run -d --name box --restart on-failure:2 rf-test sh -c 'echo round; exit 1' >/dev/null
	until_ok 20 bash -c '[ "$(/usr/bin/docker inspect box --format "{{.RestartCount}} {{.State.Status}}")" = "2 exited" ]'
	d logs box; d rm box >/dev/null
	d run -d --name box --restart always rf-test sleep 1000 >/dev/null
	kill -9 "$(state Pid)"; until_ok 20 bash -c '[ "$(/usr/bin/docker inspect box --format "{{.RestartCount}} {{.State.Status}}")" = "1 running" ]'
	state Status; d rm -f box >/dev/null
	echo "== build"
	printf 'FROM rf-test\nRUN echo built >/built && id -u\nENV A=b\nRUN ["sh", "-c", "test $A = b && chmod 600 /built"]\nUSER daemon\nCMD ["ls", "-l", "/built"]\n' >"$work/Dockerfile"
	d build -q -t built -f "$work/Dockerfile" "$work/empty" >/dev/null; echo "status $?"; d run --rm built | cut -d' ' -f1,3
	printf 'FROM rf-test\nRUN exit 8\n' >"$work/Dockerfile"; d build -f "$work/Dockerfile" "$work/empty" 2>&1 | grep -o 'returned a non-zero code: 8'
}

mkdir "$work/empty"
for runtime in runc ringfence; do
	/usr/bin/docker events --format '{{.Type}} {{.Action}}' >"$work/$runtime.events" 2>/dev/null & events=$!
	d() { # the runtime's name is Docker's own default otherwise
		if [ "$1" = run ]; then
			timeout --foreground -k 5 60 /usr/bin/docker run --runtime $runtime "${@:2}"
		else
			timeout --foreground -k 5 60 /usr/bin/docker "$@"
		fi
	}
	life 2>&1 | sed 's/exec failed: .*chdir.*nowhere.*/chdir/' >"$work/$runtime.out"
	kill $events
	d rmi -f committed built >/dev/null
done
diff "$work/runc.out" "$work/ringfence.out" || failed=1
diff <(grep container "$work/runc.events" | grep -v -e exec -e ' oom' | sort | uniq -c) <(grep container "$work/ringfence.events" | grep -v -e exec -e ' oom' | sort | uniq -c) || failed=1
