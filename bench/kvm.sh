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
names=${*:-getppid getuid getpgid clock_gettime read-zero pipe pipe-pingpong futex-pingpong unix-pingpong tcp-pingpong tcp-64k tcp-connect udp-pingpong fork exec thread mmap-page mmap-touch open-close stat stat-missing read-4k signal segv-mprotect}
mkdir -p build/bench
cc -O2 -D_GNU_SOURCE -static -pthread -o build/bench/micro bench/micro.c
cat >build/bench/inside.sh <<'INSIDE'
micro=$PWD/build/bench/micro
# The machine's own root is 9P under an overlay, which no native row should pay for.
cp "$micro" /tmp/micro
mount -t tmpfs bench build/bench
cp /tmp/micro "$micro"
# Nanoseconds, and in the sandbox exits to the kernel and to user space, CR3 loads and bytes of FPU state, of a run of COUNT.
native() { # COUNT; the least of nine runs, since the machine's own timer falls into some
	for _ in 1 2 3 4 5 6 7 8 9; do "$micro" "$name" "$1"; done |
		awk -v n="$1" 'NR == 1 || $2 < least { least = $2 } END { print least * n, 0, 0, 0, 0 }'
}
ours() { # COUNT
	rm -f /tmp/kvm.log
	ns=$(build/release/ringfence --platform=kvm --network=none --debug --debug-log=/tmp/kvm.log do -- "$micro" "$name" "$1" \
		2>/dev/null | awk -v n="$1" '{ print $2 * n }')
	awk -v ns="$ns" '/kvm: vCPU 0:/ { for (i = 1; i <= NF; i++) { if ($i == "exits") k = $(i - 1); if ($i == "user") u = $(i - 2) } }
		/guest:/ { for (i = 1; i <= NF; i++) { if ($i == "CR3") c = $(i - 1); if ($i == "bytes") x = $(i - 1) } }
		END { print ns, k + 0, u + 0, c + 0, x + 0 }' /tmp/kvm.log
}
per_unit() { # KIND: what one unit costs, from runs of N and 2N
	a=$($1 $N) b=$($1 $((N * 2)))
	echo "$a $b" | awk -v n="$N" '{ printf "%.0f %.2f %.2f %.2f %.0f", ($6 - $1) / n, ($7 - $2) / n, ($8 - $3) / n, ($9 - $4) / n, ($10 - $5) / n }'
}
echo "| work | native, instructions | ringfence on KVM | ratio | kernel exits | user exits | CR3 loads | FPU bytes |"
echo "|---|---|---|---|---|---|---|---|"
for name in "$@"; do
	case $name in fork | exec | thread) N=20 ;; mmap-touch) N=1024 ;; loop) N=300000 ;; *) N=500 ;; esac
	echo "$name $(per_unit native) $(per_unit ours)" |
		awk '{ printf "| %s | %s | %s | %.2f | %s | %s | %s | %s |\n", $1, $2, $7, $7 / ($2 > 0 ? $2 : 1), $8, $9, $10, $11 }'
done
INSIDE
# shellcheck disable=SC2086
exec bash test/machine/run.sh --icount --timeout 900 -- bash build/bench/inside.sh $names
