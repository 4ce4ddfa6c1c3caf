#!/bin/bash
# Podman's pods and networks with ringfence as its runtime, on a store and in a network namespace of its own: containers of
# a pod share a sandbox and its loopback, generate kube and play kube, names on a network (netavark with aardvark-dns),
# a published port. Usage: podman-pods.sh BUILD. Exit status 77: there is no podman.
set -u
. "$(dirname "$0")/podman-lib.sh"
podman_start "$1" crun vfs 10.90.0.0/24
inside() { nsenter --net="/run/netns/$net" "$@"; }

mkdir -p "$work/root"/{bin,etc,proc,sys,dev,tmp,run}
cp /bin/busybox "$work/root/bin/"
for applet in sh ls cat sleep echo ping hostname nc ip grep; do ln -s busybox "$work/root/bin/$applet"; done
tar -C "$work/root" -c . | p import --change 'CMD ["/bin/sleep","100000"]' --change 'ENV PATH=/bin' - rf-test >/dev/null 2>&1 || { echo "podman import failed"; failed=1; exit 1; }

p pod create --name pod -p 8234:5555 >/dev/null; check "pod create" 0 $?
p run -d --pod pod --name one rf-test sh -c 'echo hello; while :; do echo served | nc -l -p 5555; done' >/dev/null; check "one" 0 $?
p run -d --pod pod --name two rf-test sleep 1000 >/dev/null; check "two" 0 $?
check "the pod's containers" 3 "$(p ps --filter pod=pod --format '{{.Status}}' | grep -c ^Up)"
check "one sandbox" 1 "$(pgrep -fc -- " boot .*--state=$work/state")"
check "the pod's host name" pod "$(p exec two hostname)"
check "the pod's loopback" served "$(p exec two nc -w 5 127.0.0.1 5555)"
check "a process namespace each" "sleep 1000 " "$(p exec two cat /proc/1/cmdline | tr '\0' ' ')"
check "a published port" served "$(inside python3 -c 'import socket; print(socket.create_connection(("127.0.0.1", 8234), 10).recv(99).decode())')"
p kill one >/dev/null; check "kill of one" 0 $?
check "the other one goes on" alive "$(p exec two echo alive)"
kill -KILL "$(pgrep -P "$(p inspect two --format '{{.State.Pid}}')")"; check "without its gofer it ends" 255 "$(p wait two)"
p generate kube pod >"$work/pod.yaml"; check "generate kube" 0 $?
p pod stop -t 1 pod >/dev/null; check "pod stop" 0 $?
check "all have ended" 0 "$(p ps --filter pod=pod --format '{{.Status}}' | grep -c ^Up)"
p pod rm -f pod >/dev/null; check "pod rm" 0 $?
p play kube "$work/pod.yaml" >/dev/null; check "play kube" 0 $?
check "what it made" "pod-one pod-two" "$(p ps --filter pod=pod --format '{{.Names}}' | grep -v infra | sort | tr '\n' ' ' | sed 's/ $//')"
check "its loopback" served "$(p exec pod-two nc -w 5 127.0.0.1 5555)"
p play kube --down "$work/pod.yaml" >/dev/null; check "play kube --down" 0 $?
check "what is left of it" "" "$(p ps -aq)"

if [ -x /usr/lib/podman/aardvark-dns ]; then
	p network create names --subnet 10.90.7.0/24 >/dev/null
	p run -d --name server --network names rf-test sleep 1000 >/dev/null
	p run --rm --network names rf-test sh -c 'for i in 1 2 3 4 5; do ping -c 1 -W 5 server && break; sleep 1; done' >"$work/said" 2>&1
	grep -q '64 bytes from 10\.90\.7\.' "$work/said" || { echo "names:"; cat "$work/said"; failed=1; }
	p rm -ft 0 server >/dev/null
	p network rm names >/dev/null; check "network rm" 0 $?
else
	echo "aardvark-dns: not installed"
	failed=1
fi
