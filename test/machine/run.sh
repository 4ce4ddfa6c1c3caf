#!/bin/bash
# run.sh: runs a command in the KVM test machine (a virtual machine with nested KVM by software
# emulation), on the host's own files seen read-only with a throw-away writable layer.
#
# Usage: run.sh [--icount] [--cpus N] [--cpu FLAGS] [--memory MIB] [--timeout S] [--keep-console FILE] -- COMMAND [ARG]...
#   --cpu     more CPU flags of QEMU's, as in -fsgsbase
#   --icount  one vCPU, one instruction = one nanosecond of the machine's clock (figures repeat exactly)
# The command's standard output and error come out byte for byte; its standard input is /dev/null
# unless --stdin is given. Exit status: the command's; 124 after the timeout (default an hour); 125 if the machine failed.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
icount="" cpus=2 cpu="" memory=3000 limit=3600 console="" stdin=""
while [ $# -gt 0 ]; do
	case $1 in
	--icount) icount=1; shift ;;
	--cpus) cpus=$2; shift 2 ;;
	--cpu) cpu=,$2; shift 2 ;;
	--memory) memory=$2; shift 2 ;;
	--timeout) limit=$2; shift 2 ;;
	--keep-console) console=$2; shift 2 ;;
	--stdin) stdin=1; shift ;;
	--) shift; break ;;
	*) echo "run.sh: unknown option $1" >&2; exit 125 ;;
	esac
done
[ $# -gt 0 ] || { echo "usage: run.sh [--icount] [--cpus N] [--cpu FLAGS] [--memory MIB] [--timeout S] -- COMMAND..." >&2; exit 125; }
cache=$("$here/build.sh")

job=$(mktemp -d /var/tmp/ringfence-job.XXXXXX)
qemu=""
tails=""
cleanup() {
	[ -z "$qemu" ] || kill "$qemu" 2>/dev/null || true
	for t in $tails; do kill "$t" 2>/dev/null || true; done
	rm -rf "$job"
}
trap cleanup EXIT
trap 'exit 143' TERM INT

: > "$job/stdout"
: > "$job/stderr"
if [ -n "$stdin" ]; then cat > "$job/stdin"; else : > "$job/stdin"; fi
{
	echo 'export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8'
	echo 'ip link set lo up 2>/dev/null || busybox ip link set lo up'
	echo 'hostname machine 2>/dev/null'
	printf 'cd %q || cd /\n' "$PWD"
	# Pipes, not files: what the command sees as its output behaves like a terminal's or a shell's.
	echo '{ { {'
	printf '%q ' "$@"
	echo '</run/job/stdin 2>&3; echo $? >/run/job/status.new; } | cat >/run/job/stdout; } 3>&1 | cat >/run/job/stderr; }'
	echo 'mv /run/job/status.new /run/job/status'
	echo 'echo o >/proc/sysrq-trigger; sleep 100'
} > "$job/start"

extra=(-smp "$cpus")
if [ -n "$icount" ]; then
	extra=(-smp 1 -icount "shift=0,sleep=off")
fi
timeout -k 5 "$limit" qemu-system-x86_64 -nodefaults -no-user-config -machine q35 -accel tcg,thread=single \
	-cpu "EPYC-Milan,+svm,+npt,-erms,-fsrm$cpu" "${extra[@]}" -m "$memory" \
	-kernel "$cache/kernel/vmlinuz" -initrd "$cache/initramfs" \
	-append "console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable no_timer_check" -serial stdio -display none -no-reboot \
	-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
	-virtfs "local,path=$job,mount_tag=job,security_model=none,multidevs=remap" \
	< /dev/null > "$job/console" 2>&1 &
qemu=$!
tail -q -c +1 -s 0.2 -f --pid=$qemu "$job/stdout" 2>/dev/null &
tails="$tails $!"
tail -q -c +1 -s 0.2 -f --pid=$qemu "$job/stderr" >&2 2>/dev/null &
tails="$tails $!"
code=0
wait $qemu || code=$?
qemu=""
wait $tails || true
tails=""
[ -z "$console" ] || cp "$job/console" "$console"
if [ -e "$job/status" ]; then
	exit "$(cat "$job/status")"
fi
if [ $code = 124 ]; then
	echo "run.sh: the command did not end within $limit s" >&2
else
	echo "run.sh: the machine ended without the command's status; its console:" >&2
	code=125
fi
grep -v "TCG doesn't support" "$job/console" | tail -30 >&2
exit $code
