#!/bin/bash
# The lists of host calls stay short, hold nothing that opens a way out, and are counted
# rightly by the command that prints them. Usage: filters.sh BUILD
set -u
list=$("$1"/ringfence filters) || exit 1
failed=0
# calls ROLE…: the names that these roles may call, each once
calls() {
	local role
	for role in "$@"; do
		printf '%s\n' "$list" | awk -v role="$role" '$1 == role { sub(/\(.*/, "", $2); print $2 }'
	done | sort -u
}
# limit NAME MOST ROLE…
limit() {
	local name=$1 most=$2 n said
	shift 2
	n=$(calls "$@" | wc -l)
	said=$(printf '%s\n' "$list" | sed -n "s/^# $name: \([0-9]*\) calls.*/\1/p")
	[ "$n" -gt 0 ] || { echo "$name: the list is empty"; failed=1; }
	[ "$n" -le "$most" ] || { echo "$name: $n calls, at most $most"; failed=1; }
	[ "$said" = "$n" ] || { echo "$name: the command counts '$said', the list has $n"; failed=1; }
}
limit vcpu 10 vcpu
limit "VMM with KVM, all threads" 40 main io control vcpu
limit "VMM with ptrace, all threads" 40 main io control ptrace-cpu
limit "VMM with systrap, all threads" 40 main io control systrap-cpu
limit "VMM, everything" 40 main io control vcpu ptrace-cpu systrap-cpu
limit gofer 45 gofer
limit stub 12 stub
limit stub-run 12 stub-run
limit stub-map 12 stub-map
limit stub-make 12 stub-make
# Of a thread of the VMM, a word of memory away from the others, no list may have these.
for call in open openat openat2 execve execveat fork vfork clone clone3 socket connect bind accept mount umount2 setns unshare \
	pivot_root chroot mmap mprotect memfd_create io_uring_setup io_uring_register bpf userfaultfd keyctl prctl setuid setresuid capset \
	process_vm_readv process_vm_writev pidfd_open pidfd_getfd dup dup2 dup3 splice tkill rt_sigqueueinfo prlimit64 seccomp; do
	! calls main io control vcpu ptrace-cpu systrap-cpu | grep -qx "$call" || { echo "the VMM may call $call"; failed=1; }
done
for call in execve execveat fork vfork clone clone3 socket connect bind accept mount umount2 setns unshare pivot_root chroot mprotect \
	memfd_create io_uring_setup bpf userfaultfd ptrace process_vm_readv kill tgkill open_by_handle_at name_to_handle_at ioctl prctl \
	setuid setresuid capset seccomp open; do
	! calls gofer | grep -qx "$call" || { echo "the gofer may call $call"; failed=1; }
done
# Only what compares an argument may do so much.
for call in ioctl ptrace kill fcntl arch_prctl madvise getsockopt; do
	! printf '%s\n' "$list" | grep -Eq "^(main|io|control|vcpu|ptrace-cpu|systrap-cpu) +$call +[^(]" || { echo "$call with any arguments"; failed=1; }
done
exit $failed
