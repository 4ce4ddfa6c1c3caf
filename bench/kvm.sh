#!/bin/bash
# Instruction counts on KVM: bench/micro.c natively and in the sandbox in one boot of the
# test machine with -icount, where one instruction is one nanosecond of its clock. What one
# unit costs is the difference between a run of N and a run of 2N, so start-up drops out.
#
#   kvm.sh [NAME…]        (starts the machine; about a minute and a half)
#
# Read with the design's warning: a string instruction counts each byte, a CR3 load and an XSAVE count 1.
set -eu
cd "$(dirname "$0")/.."
names=${*:-getppid getuid getpgid clock_gettime read-zero pipe pipe-pingpong futex-pingpong unix-pingpong fork exec thread mmap-page mmap-touch open-close stat stat-missing read-4k signal segv-mprotect}
mkdir -p build/bench
cc -O2 -D_GNU_SOURCE -static -pthread -o build/bench/micro bench/micro.c
cat >build/bench/inside.sh <<'INSIDE'
micro=$PWD/build/bench/micro
unit() { # COMMAND… NAME N: instructions a unit
	n=$N
	a=$("$@" "$name" "$n" | awk '{ print $2 * '"$n"' }')
	b=$("$@" "$name" $((n * 2)) | awk '{ print $2 * '"$n"' * 2 }')
	echo "$a $b" | awk -v n="$n" '{ printf "%.0f", ($2 - $1) / n }'
}
echo "| work | native, instructions | ringfence on KVM | ratio |"
echo "|---|---|---|---|"
for name in "$@"; do
	case $name in fork | exec | thread) N=20 ;; mmap-touch) N=1024 ;; *) N=500 ;; esac
	native=$(unit "$micro")
	ours=$(unit build/release/ringfence --platform=kvm --network=none do -- "$micro")
	echo "$name $native $ours" | awk '{ printf "| %s | %s | %s | %.2f |\n", $1, $2, $3, $3 / $2 }'
done
INSIDE
# shellcheck disable=SC2086
exec bash test/machine/run.sh --icount --timeout 900 -- bash build/bench/inside.sh $names
