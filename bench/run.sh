#!/bin/bash
# What the sandbox costs: bench/micro.c natively, in crun, in ringfence and in runsc, in
# interleaved runs; medians in nanoseconds, as a Markdown table on standard output.
#
#   run.sh [--rounds N] [--pin CPU] [--platform P] [NAME…]
#
# These machines are noisy: read the ratios. start-up and memory come last: a trivial static
# program from command to exit, and the Pss of all processes of a sandbox that sleeps.
set -eu
cd "$(dirname "$0")/.."
rounds=3 pin= platform=ptrace
while [ $# -gt 0 ]; do
	case $1 in
	--rounds) rounds=$2; shift 2 ;;
	--pin) pin="taskset -c $2"; shift 2 ;;
	--platform) platform=$2; shift 2 ;;
	-*) echo "run.sh: unknown option $1" >&2; exit 2 ;;
	*) break ;;
	esac
done
build=$PWD/build/release
root=${RF_CACHE:-/var/cache/ringfence}/debian
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
cc -O2 -D_GNU_SOURCE -static -pthread -o "$work/bin/micro" bench/micro.c

bundle() { # NAME COMMAND…: writes the bundle once, with this command
	sh test/suite/bundle.sh "$work/$1" "$root" "$work/bin" "${@:2}"
}
in_native() { $pin "$work/bin/micro" "$@"; }
in_crun() {
	bundle c /mnt/micro "$@"
	$pin unshare -m sh -c 'umount /sys/fs/cgroup/unified 2>/dev/null; exec crun --cgroup-manager=disabled run -b "$0" "$1"' "$work/c" "bench-$$"
}
in_ringfence() {
	bundle r /mnt/micro "$@"
	$pin "$build/ringfence" --platform="$platform" --network=none run -b "$work/r" "bench-$$"
}
in_runsc() {
	bundle s /mnt/micro "$@"
	$pin runsc --root="$work/runsc" --platform=ptrace --network=none --ignore-cgroups run -bundle "$work/s" "bench-$$"
}

median() { sort -g | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)]; else print "-" }'; }

names=${*:-$("$work/bin/micro" list | awk '$1 != "loop" && $1 != "nothing" { print $1 }')}
kinds="native crun ringfence runsc"
echo "| work, ns | native | crun | ringfence ($platform) | runsc (ptrace) | ringfence / native | runsc / ringfence |"
echo "|---|---|---|---|---|---|---|"
for name in $names; do
	usual=$("$work/bin/micro" list | awk -v n="$name" '$1 == n { print $2 }')
	for ((round = 0; round < rounds; round++)); do
		for kind in $kinds; do
			count=$usual
			case $kind in ringfence | runsc) count=$((usual / 10 + 1)) ;; esac
			{ in_$kind "$name" "$count" 2>>"$work/errors" </dev/null || true; } |
				awk -v n="$name" '$1 == n { print $2 }' >>"$work/$name.$kind"
		done
	done
	for kind in $kinds; do
		eval "$kind=\$(median <\"$work/$name.$kind\")"
	done
	# shellcheck disable=SC2154
	echo "$name $native $crun $ringfence $runsc" |
		awk '{ printf "| %s | %s | %s | %s | %s | %.1f | %.1f |\n", $1, $2, $3, $4, $5, $4 / ($2 > 0 ? $2 : 1), $5 / ($4 > 0 ? $4 : 1) }'
done

start() { # KIND: seconds of a run that does nothing, as milliseconds
	local t0 t1
	t0=$(date +%s%N)
	"in_$1" nothing 0 >/dev/null 2>&1 </dev/null
	t1=$(date +%s%N)
	echo $(((t1 - t0) / 10000))
}
for ((round = 0; round < rounds * 3; round++)); do
	for kind in $kinds; do start $kind | awk '{ print $1 / 100 }' >>"$work/start.$kind"; done
done
echo
echo "| start a trivial static program, ms | $(for k in $kinds; do median <"$work/start.$k"; done | paste -sd'|') |"

pss() { # PID: KiB of it and its descendants
	local pid sum=0
	for pid in $(pstree -p "$1" 2>/dev/null | grep -o '([0-9]*)' | tr -d '()' | sort -u); do
		sum=$((sum + $(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup" 2>/dev/null || echo 0)))
	done
	echo $sum
}
bundle idle /bin/sleep 20
"$build/ringfence" --platform="$platform" --network=none run -b "$work/idle" "idle-$$" &
idle=$!
sleep 2
echo "| memory of an idle sandbox (sleep), KiB Pss of all its processes | $(pss $idle) |"
kill $idle 2>/dev/null || true
wait $idle 2>/dev/null || true
