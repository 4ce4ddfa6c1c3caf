#!/bin/bash
# Docker's options, each with ringfence and with runc on the same daemon: the same output and exit status. Of Docker's own
# messages only the runtime's reason is compared, by its end; processes are compared by name, control groups not at all (runc
# here has version 1's).
# Usage: docker-same.sh BUILD [PATTERN]. Exit status 77: there is no dockerd.
set -u
. "$(dirname "$0")/docker-lib.sh"
docker_start "$1"
pattern=${2:-}

# both NAME WORDS…: `docker run --rm --runtime RUNTIME WORDS…`, under each
both() {
	local name=$1 runtime
	shift
	[[ $name == *$pattern* ]] || return
	for runtime in runc ringfence; do
		{ d run --rm --runtime $runtime "$@" 2>&1; echo "status $?"; } |
			sed -e 's/[0-9a-f]\{64\}/ID/g' -e 's/[0-9a-f]\{12\}/ID/g' -e 's/^docker: .*OCI runtime create failed: .*: \([^:]*\): unknown\.*$/docker: \1/' \
				-e '/error waiting for container: context canceled/d' >"$work/$runtime.out"
	done
	cmp -s "$work/runc.out" "$work/ringfence.out" && return
	echo "$name:"
	diff "$work/runc.out" "$work/ringfence.out" | cut -c1-300
	failed=1
}
inner() { both "$1" "${@:3}" rf-test sh -c "exec 2>&1; $2"; } # NAME SCRIPT OPTION…

mkdir -p "$work/data/sub"; echo content >"$work/data/file"; chmod 777 "$work/data"
printf 'A=from-file\nB=two words\n' >"$work/env"
d volume create named >/dev/null

both "exit status" rf-test sh -c 'exit 42'
both "killed by itself" rf-test sh -c 'kill -TERM $$; sleep 1'
inner "killed by SIGKILL" 'sh -c "kill -9 \$\$"; echo $?'
both "no such program" rf-test nowhere
both "no such program in a directory" rf-test /no/where
both "no permission" rf-test /etc/passwd
both "a directory" rf-test /etc
both "no such user" -u nobody-here rf-test id
both "no such group" -u root:nowhere rf-test id
both "a relative directory" -w relative rf-test pwd
inner "a directory that is made" pwd -w /made/by/docker
inner "environment" 'env | grep -v HOSTNAME | sort' -e A=b -e C= --env-file "$work/env"
inner "user" 'id; echo $HOME' -u daemon
inner "user and group by number" 'id' -u 12345:54321
inner "more groups" 'id' -u 1000 --group-add 7 --group-add audio
inner "host name" 'hostname; cat /etc/hostname; grep here /etc/hosts | cut -f2' --hostname here --domainname there
inner "domain name" 'cat /proc/sys/kernel/domainname; uname -n' --hostname here --domainname there
inner "hosts" 'grep -E "one|two" /etc/hosts' --add-host one:10.1.1.1 --add-host two:10.1.1.2
inner "name servers" 'cat /etc/resolv.conf' --dns 10.9.9.9 --dns-search example.test --dns-option ndots:3
inner "a volume" 'cat /d/file; echo x >/d/new && cat /d/new; stat -c %u:%g:%a /d/file; ls /d' -v "$work/data:/d"
inner "a read-only volume" 'cat /d/file; echo x >/d/y; mkdir /d/z; rm /d/file; chmod 0 /d/file; mount -o remount,rw /d' -v "$work/data:/d:ro"
inner "a file as volume" 'cat /f; echo more >/f; cat /f; rm /f; echo content >/f' -v "$work/data/file:/f"
inner "volumes in a volume" 'ls /d /d/sub; cat /d/sub/file' -v "$work/data:/d:ro" -v "$work/data:/d/sub"
inner "a named volume" 'ls -a /etc/alternatives >/dev/null; touch /v/x; ls /v; stat -c %a /v' -v named:/v
inner "a named volume, again" 'ls /v' -v named:/v:ro
inner "a volume that is filled" 'ls /etc | head -3' -v filled:/etc
inner "an anonymous volume" 'touch /a/x && ls /a' -v /a
inner "propagation: private" 'grep " /d " /proc/self/mountinfo | cut -d" " -f7' --mount "type=bind,source=$work/data,target=/d,bind-propagation=rprivate"
inner "propagation: slave" 'grep " /d " /proc/self/mountinfo | cut -d" " -f7 | cut -d: -f1' --mount "type=bind,source=/,target=/d,bind-propagation=rslave"
inner "tmpfs" 'grep " /t " /proc/mounts | cut -d" " -f2-3; stat -c %a /t; dd if=/dev/zero of=/t/x bs=1M count=3 2>&1 | tail -1 | cut -d, -f1; df -k /t | tail -1 | tr -s " " | cut -d" " -f2' --tmpfs /t:size=2m,mode=1770
inner "tmpfs, no options" 'grep " /t " /proc/mounts | cut -d" " -f4 | tr , "\n" | grep -E "noexec|nosuid|nodev"' --tmpfs /t
inner "shm" 'df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2; touch /dev/shm/x; stat -c %a /dev/shm' --shm-size 8m
inner "read-only root" 'touch /x; touch /tmp/x; touch /dev/shm/x && echo shm; touch /etc/hosts && echo hosts' --read-only
inner "read-only root, tmpfs" 'touch /run/x && echo ok; touch /x' --read-only --tmpfs /run
inner "capabilities" 'grep Cap /proc/self/status'
inner "capabilities, none" 'grep Cap /proc/self/status; chown 1:1 /tmp; ping -c 1 127.0.0.1 | head -1' --cap-drop ALL
inner "capabilities, some" 'grep Cap /proc/self/status' --cap-drop ALL --cap-add NET_ADMIN --cap-add SYS_TIME
inner "capabilities of a user" 'grep Cap /proc/self/status' -u 1000 --cap-add NET_ADMIN
inner "no new privileges" 'grep NoNewPrivs /proc/self/status' --security-opt no-new-privileges
inner "seccomp" 'grep Seccomp: /proc/self/status; unshare -U true; mount -t tmpfs x /mnt'
inner "seccomp off" 'grep Seccomp: /proc/self/status' --security-opt seccomp=unconfined
printf '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":38}]}' >"$work/profile.json"
inner "a seccomp profile" 'mkdir /tmp/x; touch /tmp/y && echo touched' --security-opt "seccomp=$work/profile.json"
inner "masked paths" 'cat /proc/kcore | head -c 20; ls /sys/firmware; echo 1 >/proc/sys/kernel/panic; echo 1 >/proc/sys/vm/overcommit_memory'
inner "unmasked paths" 'ls -d /sys/firmware; grep -c " /proc/" /proc/mounts' --security-opt systempaths=unconfined
inner "limits" 'ulimit -n; ulimit -Hn; ulimit -c; ulimit -s; grep processes /proc/self/limits' --ulimit nofile=100:200 --ulimit nproc=50 --ulimit core=0 --ulimit stack=1000000
inner "limit of processes" '(for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1 & done) 2>/dev/shm/e; sleep 2; grep -c -i fork /dev/shm/e; cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null' --pids-limit 8
inner "CPUs by set" 'nproc; grep Cpus_allowed_list /proc/self/status' --cpuset-cpus 0
inner "priority of OOM" 'cat /proc/self/oom_score_adj' --oom-score-adj 500
inner "devices" 'ls /dev | sort | tr "\n" " "; stat -c "%a %t:%T" /dev/null /dev/tty /dev/ptmx /dev/full'
inner "a device" 'stat -c "%a %t:%T" /dev/x; head -c 3 /dev/x | od -An -tx1' --device /dev/zero:/dev/x:r
inner "sysctls of TCP" 'cat /proc/sys/net/ipv4/tcp_keepalive_*' --sysctl net.ipv4.tcp_keepalive_time=600 --sysctl net.ipv4.tcp_keepalive_probes=3
inner "sysctl" 'cat /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_unprivileged_port_start' --sysctl net.core.somaxconn=333 --sysctl kernel.msgmax=9999 --sysctl net.ipv4.ip_unprivileged_port_start=0
inner "an init" 'cat /proc/1/comm; ps -o comm | tail -n +2 | head -1' --init
inner "an init that reaps" 'sh -c "sleep 0.1 & exec sh -c true" ; sleep 0.5; ps -ef | grep -c defunct' --init
inner "an init and a signal" 'kill -TERM $$' --init
inner "standard input closed" 'cat; echo end'
inner "no network" 'ls /sys/class/net; cat /proc/net/route | wc -l; ping -c 1 -W 1 10.88.1.1 2>&1 | tail -1' --network none
inner "links" 'ls /sys/class/net; cat /sys/class/net/eth0/mtu; ip -4 -o addr show eth0 2>/dev/null | wc -l; grep -c . /proc/net/route'
inner "MAC address" 'cat /sys/class/net/eth0/address' --mac-address 02:11:22:33:44:55
both "no GPU" --gpus all rf-test true
both "entry point" --entrypoint /bin/echo rf-test -n words
inner "label and annotations" 'echo ok' --label a=b
inner "stop signal" 'echo ok' --stop-signal SIGUSR1
inner "mounts" 'cut -d" " -f5,6 /proc/self/mountinfo | cut -d, -f1 | sort | grep -v -E "^/(sys|etc|proc/(acpi|keys|timer_list|bus|fs|irq))"'
inner "process one" 'readlink /proc/1/exe; cat /proc/1/cmdline | tr "\0" " "; cat /proc/self/loginuid /proc/self/setgroups 2>&1 | head -2'
inner "kernel messages" 'ls /dev/kmsg; dmesg 2>&1 | tail -1 | cut -c1-40'
inner "umask and signals" 'umask; grep -E "Sig(Blk|Ign|Cgt)" /proc/self/status; cat /proc/self/attr/current 2>/dev/null | tr -d "\0"'
inner "ownership of standard output" 'ls -l /proc/self/fd | cut -d" " -f1 | sort | uniq -c | wc -l; echo err >&2; stat -L -c %F /dev/stdout'
# Where runc may not give all capabilities it cannot be asked.
check "privileged" mounted "$(d run --rm --privileged rf-test sh -c 'mount -t tmpfs x /mnt && echo mounted')"
d run --rm --sysctl net.nowhere.x=1 rf-test true 2>"$work/err"; check "a sysctl that is none" 125 $?
grep -q 'sysctl: "net.nowhere.x=1": No such file or directory' "$work/err" || { cat "$work/err"; failed=1; }
