#!/bin/bash
# Exits on KVM for TCP that leaves the sandbox: a program sends (and another run receives) so many MiB to a process in a
# network namespace of the test machine's, over a veth pair. The cost of 60 KiB is the difference between a run of N
# and a run of 2N MiB. Two CPUs, no -icount: what the sandbox and the host's side do runs side by side, as on hardware.
# What the exits to the kernel were for is what KVM's own trace point says (AMD's codes: APM vol. 2, appendix C).
#
#   kvm-net.sh            (starts the machine; about two minutes)
set -eu
cd "$(dirname "$0")/.."
root=${ROOT:-/var/cache/ringfence/debian}
mkdir -p build/bench
cat >build/bench/inside-net.sh <<'INSIDE'
. test/veth.sh
link_namespaces rf-out rf-in
ip -n rf-out addr add 10.77.0.1/24 dev rf0
cat >/tmp/far.py <<'END'
import socket
listener = socket.create_server(('10.77.0.1', 7000))
while True:
    s, _ = listener.accept()
    left = int(s.recv(16)) << 20
    s.sendall(b'k')
    while left > 0 and (data := s.recv(1 << 18)):
        left -= len(data)
    if left < 0:
        block = bytes(1 << 18)
        for _ in range(-left >> 18):
            s.sendall(block)
    s.sendall(b'.')
    s.close()
END
near='import socket, sys
mib = int(sys.argv[1])
s = socket.create_connection(("10.77.0.1", 7000))
s.sendall(b"%-16d" % mib)
s.recv(1)
block = bytes(1 << 18)
for _ in range(mib << 2 if mib > 0 else 0):
    s.sendall(block)
while s.recv(1 << 18):
    pass
print(*[line.split()[i] for line in open("/proc/net/dev") if "lo:" not in line and ":" in line for i in (2, 10)])'
ip netns exec rf-out python3 /tmp/far.py &
sleep 1
trace=/sys/kernel/tracing/events/kvm
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null || true
echo 'hist:keys=exit_reason' >$trace/kvm_exit/trigger
echo 'hist:keys=ecx' >$trace/kvm_msr/trigger
run() { # ROOT MIB: kernel and user exits, frames in and out of one run; in /tmp/reasons.MIB what they were for
	echo 'hist:keys=exit_reason:clear' >>$trace/kvm_exit/trigger
	echo 'hist:keys=ecx:clear' >>$trace/kvm_msr/trigger
	rm -rf /tmp/b /tmp/kvm.log
	sh test/suite/bundle.sh /tmp/b "$1" "$PWD/bench" python3 -c "$near" "$2" 
	jq '.linux.namespaces |= map(if .type == "network" then .path = "/run/netns/rf-in" else . end)' /tmp/b/config.json >/tmp/new
	mv /tmp/new /tmp/b/config.json
	build/release/ringfence --platform=kvm --debug --debug-log=/tmp/kvm.log run -b /tmp/b "net-$RANDOM" >/tmp/frames
	sed -n 's/.*exit_reason: *\([0-9]*\).*hitcount: *\([0-9]*\).*/\1 \2/p' $trace/kvm_exit/hist >"/tmp/reasons.$2"
	sed -n 's/.*ecx: *\([0-9]*\).*hitcount: *\([0-9]*\).*/msr\1 \2/p' $trace/kvm_msr/hist >>"/tmp/reasons.$2"
	awk '/kvm: vCPU/ { for (i = 1; i <= NF; i++) { if ($i == "exits") k += $(i - 1); if ($i == "user") u += $(i - 2) } } END { printf "%d %d ", k, u }' /tmp/kvm.log
	cat /tmp/frames
}
echo "| 60 KiB | kernel exits | user exits | frames in | out | what for |"
echo "|---|---|---|---|---|---|"
for way in "sent 256" "received -256"; do
	set -- "$1" $way
	echo "$2 $(run "$1" "$3") $(run "$1" "$(($3 * 2))")" |
		awk -v n=256 '{ per = n * 1048576 / 61440; printf "| %s | %.2f | %.2f | %.2f | %.2f |", $1, ($6 - $2) / per, ($7 - $3) / per, ($8 - $4) / per, ($9 - $5) / per }'
	awk -v n=256 'BEGIN { name[96] = "interrupt"; name[100] = "interrupt window"; name[120] = "HLT"; name[123] = "port"; name[124] = "MSR"; name[1024] = "memory"
			name["msr1760"] = "(timer)"; name["msr2059"] = "(end of interrupt)"; name["msr2096"] = "(kick)" }
		{ code = $1; if (NR == FNR) before[code] = $2; else after[code] = $2 }
		END { per = n * 1048576 / 61440
			for (code in after) {
				each = (after[code] - before[code]) / per
				if (each > 0.01 || each < -0.01) printf " %s %.2f,", code in name ? name[code] : code, each
			}
			print " |" }' "/tmp/reasons.$3" "/tmp/reasons.$(($3 * 2))"
done
kill %1
INSIDE
exec bash test/machine/run.sh --timeout 600 -- bash build/bench/inside-net.sh "$root"
