#!/bin/bash
# Podman's options and what it does to containers that run, each with ringfence and with runc on the same store: the same output
# and exit status. Processes are compared by name, control groups not at all (runc here has version 1's). What Podman does in the
# mount namespace of a container's process (cp and top by columns, of one that runs) finds nothing there: see cli/README.md.
# Usage: podman-same.sh BUILD [PATTERN]. Exit status 77: there is no podman.
set -u
. "$(dirname "$0")/podman-lib.sh"
podman_start "$1" ringfence overlay 10.91.0.0/24 'default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]'
pattern=${2:-}
mkdir -p "$work/data/sub"
printf '#!/bin/sh\nexec %s --root=%s/runc "$@"\n' "$(command -v runc)" "$work" >"$work/bin/runc"
chmod +x "$work/bin/runc"

# each NAME COMMAND…: under each runtime in turn
each() {
	local name=$1
	shift
	[[ $name == *$pattern* ]] || return
	for runtime in runc ringfence; do
		{ "$@" 2>&1; echo "status $?"; } | sed -e 's/[0-9a-f]\{64\}/ID/g' -e 's/[0-9a-f]\{12\}/ID/g' \
			-e "s:$work/bin/[a-z]*:RUNTIME:g" -e 's/^Error: .*RUNTIME: .*: \([^:]*: [^:]*\)$/Error: \1/' \
			-e 's/^Error: ./\L&/' >"$work/$runtime.out"
	done
	cmp -s "$work/runc.out" "$work/ringfence.out" && return
	echo "$name:"
	diff "$work/runc.out" "$work/ringfence.out" | cut -c1-400
	failed=1
}
both() { each "$1" p run --rm --network none "${@:2}"; } # NAME WORDS…
inner() { both "$1" "${@:3}" rf-test sh -c "exec 2>&1; $2"; } # NAME SCRIPT OPTION…

echo content >"$work/data/file"; chmod 777 "$work/data"
tar -C "${ROOT:-/var/cache/ringfence/debian}" --exclude=./usr/share --exclude=./var/cache -c . | p import - rf-test >/dev/null 2>&1 ||
	{ echo "podman import failed"; failed=1; exit 1; }

both "exit status" rf-test sh -c 'exit 42'
both "killed by itself" rf-test sh -c 'kill -TERM $$; sleep 1'
both "no such program" rf-test nowhere
both "no such program in a directory" rf-test /no/where
both "no permission" rf-test /etc/passwd
both "a directory" rf-test /etc
both "no such user" -u nobody-here rf-test id
both "a directory that is not there" -w /not/there rf-test pwd
inner "environment" 'env | grep -v -e HOSTNAME -e container_uuid | sort' -e A=b -e C= --env HOME=/x
inner "user" 'id; echo $HOME' -u daemon
inner "user and group" 'id' -u 12345:54321 --group-add 7
inner "host name" 'hostname; cat /etc/hostname; grep -c here /etc/hosts' --hostname here
inner "hosts" 'grep -E "one|two" /etc/hosts' --add-host one:10.1.1.1 --add-host two:10.1.1.2
inner "memory" 'python3 -c "x = [b\"x\" * (1 << 20) for i in range(300)]"; echo $?' --memory 64m --memory-swap 64m
inner "CPUs by set" 'nproc; grep Cpus_allowed_list /proc/self/status' --cpuset-cpus 0
inner "limit of processes" '(for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1 & done) 2>/dev/shm/e; sleep 2; grep -c -i fork /dev/shm/e' --pids-limit 8
inner "read-only root" 'touch /x; touch /tmp/x && echo tmp; touch /dev/shm/x && echo shm; touch /run/x && echo run' --read-only
inner "read-only root, no tmpfs" 'touch /x; touch /tmp/x; touch /run/x' --read-only --read-only-tmpfs=false
inner "tmpfs" 'grep " /t " /proc/mounts | cut -d" " -f2-3; stat -c %a /t; dd if=/dev/zero of=/t/x bs=1M count=3 2>&1 | tail -1 | cut -d, -f1' --tmpfs /t:size=2m,mode=1770
inner "a tmpfs that is filled" 'ls /etc/apt | head -3; touch /etc/apt/x && echo new' --tmpfs /etc/apt:tmpcopyup
inner "a volume" 'cat /d/file; echo x >/d/new && cat /d/new; stat -c %u:%g:%a /d/file; ls /d' -v "$work/data:/d"
inner "a read-only volume" 'cat /d/file; echo x >/d/y; mkdir /d/z; rm /d/file; chmod 0 /d/file' -v "$work/data:/d:ro"
inner "a volume's options" 'grep " /d " /proc/mounts | cut -d" " -f4 | tr , "\n" | grep -E "^(ro|rw|noexec|nosuid|nodev)"; /d/run; echo $?' -v "$work/data:/d:noexec,nosuid,nodev"
inner "a volume over the root" 'cat /d/file; echo x >/d/here; ls /d' -v "$work/data:/d:O"
inner "a named volume" 'touch /v/x; ls /v; stat -c %a /v' -v named:/v
inner "a named volume, again" 'ls /v' -v named:/v:ro
inner "propagation" 'grep " /d " /proc/self/mountinfo | cut -d" " -f7 | cut -d: -f1' -v "$work/data:/d:rslave"
inner "mount" 'cat /d/file; touch /d/x; echo $?' --mount "type=bind,source=$work/data,target=/d,ro=true"
inner "an image as mount" 'ls /i | head -3; touch /i/x; echo $?' --mount type=image,source=rf-test,target=/i
inner "shm" 'df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2; stat -c %a /dev/shm' --shm-size 8m
inner "capabilities" 'grep Cap /proc/self/status'
inner "capabilities, none" 'grep Cap /proc/self/status; chown 1:1 /tmp' --cap-drop ALL
inner "capabilities, some" 'grep Cap /proc/self/status' --cap-drop ALL --cap-add NET_ADMIN,SYS_TIME
inner "capabilities of a user" 'grep Cap /proc/self/status' -u 1000 --cap-add NET_ADMIN
inner "no new privileges" 'grep NoNewPrivs /proc/self/status' --security-opt no-new-privileges
inner "seccomp" 'grep Seccomp: /proc/self/status; unshare -U true; mount -t tmpfs x /mnt'
inner "seccomp off" 'grep Seccomp: /proc/self/status' --security-opt seccomp=unconfined
printf '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":38}]}' >"$work/profile.json"
inner "a seccomp profile" 'mkdir /tmp/x; touch /tmp/y && echo touched' --security-opt "seccomp=$work/profile.json"
inner "masked and unmasked paths" 'head -c 5 /etc/passwd; ls -d /sys/firmware; grep -c " /sys/firmware " /proc/mounts' --security-opt mask=/etc/passwd --security-opt unmask=/sys/firmware
inner "limits" 'ulimit -n; ulimit -Hn; ulimit -c; grep processes /proc/self/limits' --ulimit nofile=100:200 --ulimit nproc=50 --ulimit core=0
inner "sysctls" 'cat /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_unprivileged_port_start' --sysctl net.core.somaxconn=333 --sysctl kernel.msgmax=9999 --sysctl net.ipv4.ip_unprivileged_port_start=0
inner "a device" 'stat -c "%a %t:%T" /dev/x; head -c 3 /dev/x | od -An -tx1' --device /dev/zero:/dev/x:r
inner "devices" 'ls /dev | sort | tr "\n" " "; stat -c "%a %t:%T" /dev/null /dev/tty /dev/ptmx'
inner "an init" 'cat /proc/1/comm; sh -c "sleep 0.1 & exec sh -c true"; sleep 0.5; ps -ef | grep -c defunct' --init --init-path /usr/bin/tini
inner "names of the host" 'uname -n' --uts host
inner "ipc of its own" 'ipcs -q | wc -l' --ipc private
inner "network of the host" 'ls /sys/class/net; cat /proc/net/dev | wc -l' --network host
inner "no network" 'ls /sys/class/net; cat /proc/net/route | wc -l'
inner "priority of OOM" 'cat /proc/self/oom_score_adj' --oom-score-adj 500
inner "umask" 'umask' --umask 0027
inner "time zone" 'date +%Z' --tz UTC
inner "where it is" 'echo $container; grep -c . /run/.containerenv'
inner "mounts" 'cut -d" " -f5,6 /proc/self/mountinfo | cut -d, -f1 | sort | grep -v -E "^/(sys|etc|run|proc/(acpi|keys|timer_list|bus|fs|irq))"'
inner "process one" 'cat /proc/1/cmdline | tr "\0" " "; cat /proc/self/loginuid /proc/self/setgroups 2>&1 | head -2'
inner "signals" 'grep -E "Sig(Blk|Ign|Cgt)" /proc/self/status'
inner "labels and annotations" 'echo ok' --label a=b --annotation c=d
both "entry point" --entrypoint '["/bin/echo","-n"]' rf-test words
both "standard input closed" rf-test cat
both "no such mount" -v /not/there:/d rf-test true
both "no such sysctl" --sysctl net.nowhere.x=1 rf-test true
both "no such device" --device /dev/not-there rf-test true

state() { p inspect box --format "{{.State.$1}}"; }
until_state() { for _ in $(seq 100); do [ "$(state "$1")" = "$2" ] && return; sleep 0.1; done; echo "$1 is $(state "$1") and not $2"; }
until_log() { for _ in $(seq 100); do p logs box 2>&1 | grep -q "$1" && return; sleep 0.1; done; echo "no $1 in the log"; }
executed() {
	p run -d --name box --network none rf-test bash -c 'trap "echo hup" HUP; trap "exit 7" TERM; echo begin; while :; do sleep 0.05; done' >/dev/null
	until_log begin
	p exec box sh -c 'echo out; echo err >&2; exit 9' 2>&1; echo "status $?"
	p exec -u daemon -w /tmp -e A=b box sh -c 'id -un; pwd; echo $A'
	p exec box nowhere; echo "status $?"
	p exec box /etc; echo "status $?"
	p exec -w /nowhere box true; echo "status $?"
	p exec -u nobody-here box true; echo "status $?"
	p exec -d box sh -c 'echo made >/tmp/made' >/dev/null; sleep 1; p exec box cat /tmp/made
	echo input | p exec -i box cat
	p exec --privileged box grep CapBnd /proc/self/status | wc -l
	p kill -s HUP box >/dev/null; until_log hup; p logs --tail 1 box
	p top box -ef | grep -c sleep
	p stats --no-stream --format '{{.Name}}' box
	p pause box >/dev/null; state Status; p exec box true; echo "status $?"
	p unpause box >/dev/null; state Status; p exec box echo again
	p exec box sh -c 'mkdir -p /made/sub; echo deep >/made/sub/file; ln -s sub /made/link'
	p diff box | grep -E ' /(made|root)' | sort; p export box | tar -t | grep -c made/sub/file
	p commit -q -c 'CMD ["cat","/made/sub/file"]' box committed >/dev/null; p run --rm --network none committed; p rmi -f committed >/dev/null
	p wait box >"$work/waited" & waiting=$!
	sleep 0.5; p stop -t 10 box >/dev/null; wait $waiting; cat "$work/waited"; state ExitCode
	echo copied >"$work/file"; p cp "$work/file" box:/made/copy; p cp box:/made "$work/got"; cat "$work/got/link/file" "$work/got/copy"; rm -rf "$work/got"
	p start box >/dev/null; until_state Running true; p logs box | grep -c begin
	p restart -t 5 box >/dev/null; state Status
	p kill box >/dev/null; until_state Status exited; state ExitCode; p rm box >/dev/null
}
followed() {
	p run -d --name box --network none rf-test sh -c 'for i in 1 2 3; do echo line $i; sleep 0.3; done; exit 5' >/dev/null
	p logs -f box; p wait box; p rm box >/dev/null
	p run -d --name box --network none rf-test bash -c 'trap "" TERM; while :; do sleep 0.05; done' >/dev/null
	sleep 0.5; p stop -t 1 box >/dev/null 2>&1; state ExitCode; p rm box >/dev/null
	echo attached | p run -i --name box --network none rf-test sh -c 'read a; echo got $a; exit 5'; echo "status $?"; p rm box >/dev/null
	p create -i --name box --network none rf-test sh -c 'read a; echo got $a; exit 6' >/dev/null; echo by-start | p start -ai box; echo "status $?"; p rm box >/dev/null
	p run -di --name box --network none rf-test sh -c 'read a; echo got $a; exit 7' >/dev/null; echo by-attach | p attach box; echo "status $?"; p rm -f box >/dev/null
}
well() {
	p run -d --name box --network none --health-cmd 'test -e /tmp/well' --health-interval disable --health-retries 1 rf-test sleep 100 >/dev/null
	p healthcheck run box; echo "status $?"; state Health.Status
	p exec box touch /tmp/well; p healthcheck run box; echo "status $?"; state Health.Status; p rm -ft 0 box >/dev/null
}
restarted() {
	p run -d --name box --network none --restart on-failure:2 rf-test sh -c 'echo round; exit 1' >/dev/null
	for _ in $(seq 100); do [ "$(p logs box | grep -c round)" = 3 ] && break; sleep 0.1; done
	until_state Status exited; p logs box; p inspect box --format '{{.RestartCount}}'; p rm box >/dev/null
	p run -d --name box --network none --memory 64m --memory-swap 64m rf-test python3 -c 'x = [b"x" * (1 << 20) for i in range(300)]' >/dev/null 2>&1
	p wait box; p rm box >/dev/null
}
shared() {
	p run -d --name box --network none --ipc shareable rf-test sleep 1000 >/dev/null
	p run --rm --network container:box rf-test sh -c 'echo in; ls /sys/class/net'
	p run --rm --network container:box --pid container:box --ipc container:box --uts container:box rf-test sh -c 'tr "\0" " " </proc/1/cmdline; ps -e -o comm | grep -c sleep'
	p rm -ft 0 box >/dev/null
}
each "exec, signals, files, commit, stop" executed
each "logs, attach" followed
each "health" well
each "restart policies" restarted
each "shared namespaces" shared
