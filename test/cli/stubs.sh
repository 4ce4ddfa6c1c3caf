#!/bin/bash
# The processes that hold a container's memory: on each platform they are limited in number, have no capabilities and
# cannot gain any, and none wakes while the container sleeps. Systrap's need nothing that Yama's ptrace_scope or a missing
# CAP_SYS_PTRACE could forbid: no call of that kind is made, and none is on a list. Usage: stubs.sh BUILD
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
debian=${ROOT:-/var/cache/ringfence/debian}
work=$(mktemp -d)
failed=0
trap '"$1/ringfence" --root="$work/root" delete --force box 2>/dev/null; rm -rf "$work"' EXIT
sh "$here/suite/bundle.sh" "$work/b" "$debian" "$work" sleep 100
# switches UID: how often the threads of that user's processes went to sleep, in all
switches() {
	local status
	for status in /proc/[0-9]*/task/[0-9]*/status; do
		grep -q "^Uid:.$1.$1.$1.$1\$" "$status" 2>/dev/null && grep '^voluntary_ctxt' "$status" 2>/dev/null
	done | awk '{ sum += $2 } END { print sum + 0 }'
}
for platform in ptrace systrap; do
	rf="$1/ringfence --platform=$platform --network=none --root=$work/root"
	$rf run -d -b "$work/b" box </dev/null >/dev/null 2>&1 || { echo "$platform: no container"; exit 1; }
	boot=$($rf state box | jq .pid)
	uid=$(awk '$1 == "Uid:" { print $2 }' "/proc/$boot/status")
	count=0
	for status in /proc/[0-9]*/status; do
		pid=${status//[!0-9]/}
		[ "$pid" != "$boot" ] && grep -q "^Uid:.$uid.$uid.$uid.$uid\$" "$status" 2>/dev/null || continue
		count=$((count + 1))
		most=$(awk '/^Max processes/ { print $4 }' "/proc/$pid/limits")
		[ "$most" != unlimited ] && [ "$most" -le 20000 ] || { echo "$platform: stub: at most $most processes"; failed=1; }
		grep -q '^CapPrm:.0000000000000000$' "$status" || { echo "$platform: stub: capabilities"; failed=1; }
		grep -q '^NoNewPrivs:.1$' "$status" || { echo "$platform: stub: may gain privileges"; failed=1; }
	done
	[ $count -gt 0 ] || { echo "$platform: no stub found"; failed=1; }
	sleep 1
	before=$(switches "$uid")
	sleep 3
	after=$(switches "$uid")
	[ "$before" = "$after" ] || { echo "$platform: idle, and $((after - before)) times some thread was woken"; failed=1; }
	$rf delete --force box
done
rf="$1/ringfence --platform=systrap --network=none --root=$work/root"
# without WORD COMMAND…: what runs in a sandbox that COMMAND starts
without() {
	local word=$1 said
	shift
	said=$("$@" $rf do -- /bin/sh -c "echo $word; /bin/true" 2>&1 </dev/null)
	[ "$said" = "$word" ] || { echo "systrap without $word: $said"; failed=1; }
}
without CAP_SYS_PTRACE setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace
# Whoever makes one of these calls is killed.
cat >"$work/deny.py" <<'EOF'
import ctypes, os, sys
lib = ctypes.CDLL("libseccomp.so.2")
lib.seccomp_init.restype = ctypes.c_void_p
lib.seccomp_rule_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint]
lib.seccomp_load.argtypes = [ctypes.c_void_p]
rules = lib.seccomp_init(0x7fff0000)
for name in (b"ptrace", b"process_vm_readv", b"process_vm_writev", b"pidfd_getfd"):
    assert lib.seccomp_rule_add(rules, 0x80000000, lib.seccomp_syscall_resolve_name(name), 0) == 0
assert lib.seccomp_load(rules) == 0
os.execvp(sys.argv[1], sys.argv[1:])
EOF
without ptrace python3 "$work/deny.py"
! python3 "$work/deny.py" "$1/ringfence" --platform=ptrace --network=none --root="$work/root" do -- /bin/true >/dev/null 2>&1 ||
	{ echo "ptrace works without ptrace: the calls are not denied"; failed=1; }
"$1/ringfence" filters >"$work/filters"
! grep -E '^(main|io|control|systrap-cpu|stub-[a-z]*) +(ptrace|process_vm_|pidfd_getfd|open)' "$work/filters" ||
	{ echo "systrap: such a call is on a list"; failed=1; }
# The attacks of test/programs/forge.c and reuse.c are still ones: they need the stub's words where they are, and the first luck.
for try in 1 2 3; do
	said=$($rf do -- env FORGE_MUST_RUN=1 "$(realpath "$1")/programs/forge" 2>&1 </dev/null)
	case $said in *"bad == 0"*) break ;; done) break ;; esac
done
[ "$said" = "done" ] || { echo "forge, $try times: $said"; failed=1; }
said=$(timeout -k 5 60 $rf do -- env REUSE_MUST_RUN=1 "$(realpath "$1")/programs/reuse" 2>&1 </dev/null)
[ "$said" = "done" ] || { echo "reuse: $said"; failed=1; }
# One user id, as in a namespace that a plain user makes: the sandbox's processes have that.
said=$(unshare -Ur $rf do -- /bin/echo done 2>&1)
[ "$said" = "done" ] || { echo "a user namespace with one user: $said"; failed=1; }
exit $failed
