#!/bin/bash
# In the test machine, booted with a CPU without FSGSBASE: Yama forbids all ptrace, and systrap works all the same, with and
# without CAP_SYS_PTRACE, and in a user namespace. What cannot work there says so when it is asked for.
# Usage: run.sh --cpu -fsgsbase -- bash test/machine/hosted.sh BUILD
set -u
build=$(realpath "$1")
rf="$build/ringfence --network=none --root=/run/hosted-test"
programs=$build/programs
failed=0
wrong() {
	echo "$1"
	failed=1
}
# expect WHAT WORD COMMAND…: its output is the word
expect() {
	local what=$1 word=$2 said
	shift 2
	said=$(timeout -k 5 60 "$@" 2>&1 </dev/null)
	[ "$said" = "$word" ] || wrong "$what: $said"
}
echo 3 >/proc/sys/kernel/yama/ptrace_scope
[ "$(cat /proc/sys/kernel/yama/ptrace_scope)" = 3 ] || wrong "this kernel has no Yama"
! grep -qw fsgsbase /proc/cpuinfo || wrong "this CPU has FSGSBASE"

said=$($rf --platform=ptrace do -- /bin/true 2>&1 </dev/null) && wrong "ptrace works with Yama at 3: it does not forbid it"
case $said in *ptrace*) ;; *) wrong "--platform=ptrace does not say why it cannot: $said" ;; esac
said=$($rf --platform=kvm do -- /bin/true 2>&1 </dev/null) && wrong "KVM works without FSGSBASE"
case $said in *FSGSBASE*) ;; *) wrong "--platform=kvm does not say why it cannot: $said" ;; esac

rf="$rf --platform=systrap"
expect "Yama at 3" hello $rf do -- /bin/sh -c "echo hello | cat; /bin/true"
for program in answers reuse; do
	expect "$program" "done" $rf do -- "$programs/$program"
done
expect odd "$(timeout -k 5 60 "$programs/odd" 2>&1 </dev/null)" $rf do -- "$programs/odd"
expect "without CAP_SYS_PTRACE" hello setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace \
	$rf do -- /bin/sh -c "echo hello | cat"
# A stub never has more mappings than this host gives it, whatever that is.
usual=$(cat /proc/sys/vm/max_map_count)
echo 2000 >/proc/sys/vm/max_map_count
expect "2,000 mappings a stub" 3000 $rf do -- /usr/bin/python3 -c '
import ctypes, mmap
libc, pages = ctypes.CDLL(None), 6000
memory = mmap.mmap(-1, pages * 4096)
at = ctypes.addressof(ctypes.c_char.from_buffer(memory))
for page in range(0, pages, 2):
    memory[page * 4096] = 1
    assert libc.mprotect(ctypes.c_void_p(at + page * 4096), 4096, 1) == 0
print(sum(memory[page * 4096] for page in range(0, pages, 2)))'
echo "$usual" >/proc/sys/vm/max_map_count
# A user namespace with ids of its own, mapped from outside.
unshare -Umpf --mount-proc sleep 60 &
unshare=$!
for try in $(seq 50); do
	inside=$(pgrep -P $unshare) && [ "$(readlink /proc/$inside/ns/user)" != "$(readlink /proc/self/ns/user)" ] && break
	sleep 0.1
done
echo "0 100000 65536" >/proc/$inside/uid_map
echo "0 100000 65536" >/proc/$inside/gid_map
expect "in a user namespace" hello nsenter -U -m -p -t "$inside" -S 0 -G 0 $rf --root=/tmp/hosted-test do -- /bin/sh -c "echo hello | cat"
kill "$inside"
exit $failed
