#!/bin/bash
# What the sandbox costs: one table with native, crun, ringfence and runsc in interleaved
# runs, pinned to one core and free, as Markdown (results.md) and as a chart (results.svg).
#
#   run.sh [--quick] [--rounds N] [--only pinned|free] [--pin CPU] [--platform P] [--out DIR] [NAME…]
#
# A NAME is a row of micro.c or programs.sh, or start, or memory; none: all of them. --quick: one round, a few rows.
# Native runs in the same root by chroot. Every figure is the median of the rounds. These machines are noisy: read the ratios.
set -eu
cd "$(dirname "$0")/.."
rounds=3 cpu=1 platform=ptrace out=build/bench modes="pinned free" quick=
while [ $# -gt 0 ]; do
	case $1 in
	--quick) quick=1 rounds=1 modes=pinned; shift ;;
	--rounds) rounds=$2; shift 2 ;;
	--only) modes=$2; shift 2 ;;
	--pin) cpu=$2; shift 2 ;;
	--platform) platform=$2; shift 2 ;;
	--out) out=$2; shift 2 ;;
	-*) echo "run.sh: unknown option $1" >&2; exit 2 ;;
	*) break ;;
	esac
done
build=$PWD/build/release
cache=${RF_CACHE:-/var/cache/ringfence}
root=$cache/debian
[ -x "$cache/programs/usr/bin/gcc" ] && root=$cache/programs
work=$(mktemp -d)
shared=$(mktemp -d -p /dev/shm) # in memory: what is measured is the way there, not the disk
trap 'rm -rf "$work" "$shared"' EXIT
mkdir -p "$work/bin" "$work/disk" "$out"
cc -O2 -D_GNU_SOURCE -static -pthread -o "$work/bin/micro" bench/micro.c
cp bench/programs.sh "$work/bin/"
kinds=native
for kind in crun ringfence runsc; do
	case $kind in ringfence) kinds="$kinds $kind" ;; *) command -v $kind >/dev/null && kinds="$kinds $kind" ;; esac
done
micro_rows=" $("$work/bin/micro" list | awk '$1 != "loop" && $1 != "nothing" { print $1 }' | paste -sd' ') "
program_rows=" $(sh bench/programs.sh list) "

bundle_ready=
bundle() { # NAME COMMAND…: a bundle whose /srv and /media are folders of the host's, shared and writable
	[ -z "$bundle_ready" ] || return 0
	sh test/suite/bundle.sh "$work/$1" "$root" "$work/bin" "${@:2}"
	jq --arg shared "$shared" --arg disk "$work/disk" '.mounts += [
		{destination: "/srv", type: "bind", source: $shared, options: ["bind", "rw"]},
		{destination: "/media", type: "bind", source: $disk, options: ["bind", "rw"]}]' \
		"$work/$1/config.json" >"$work/config" && mv "$work/config" "$work/$1/config.json"
}
in_native() {
	# shellcheck disable=SC2016
	$pin unshare -m sh -c 'mount --bind "$1" "$1/mnt" 2>/dev/null
		mount --bind "$2" "$1/mnt" && mount --bind "$3" "$1/srv" && mount --bind "$4" "$1/media" && mount -t tmpfs tmpfs "$1/tmp" &&
		mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && shift 4 && exec chroot "$0" "$@"' \
		"$root" "$root" "$work/bin" "$shared" "$work/disk" "$@"
}
in_crun() {
	bundle crun "$@"
	# crun wants one cgroup hierarchy: a hybrid host's second one is hidden from it.
	# shellcheck disable=SC2016
	$pin unshare -m sh -c 'umount /sys/fs/cgroup/unified 2>/dev/null; exec crun --cgroup-manager=disabled run -b "$0" "$1"' "$work/crun" "bench-$$-$RANDOM"
}
in_ringfence() {
	bundle ringfence "$@"
	$pin "$build/ringfence" --platform="$platform" --network=none run -b "$work/ringfence" "bench-$$-$RANDOM"
}
in_runsc() {
	bundle runsc "$@"
	$pin runsc --root="$work/runsc" --platform=ptrace --network=none --ignore-cgroups run -bundle "$work/runsc" "bench-$$-$RANDOM"
}

median() { sort -g | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)]; else print "-" }'; }

# One run of a row: its nanoseconds on standard output, or nothing when it failed.
one() { # KIND ROW
	local count
	case " $program_rows " in
	*" $2 "*)
		in_"$1" /bin/sh /mnt/programs.sh "$2" 2>>"$work/errors" </dev/null | awk -v n="$2" '$1 == n { print $2 }'
		return
		;;
	esac
	count=$("$work/bin/micro" list | awk -v n="$2" '$1 == n { print $2 }')
	case $1 in ringfence | runsc) count=$((count / 10 + 1)) ;; esac
	in_"$1" /mnt/micro "$2" "$count" "$([ "$2" = write-fsync ] && echo /media || echo /srv)" 2>>"$work/errors" </dev/null | awk -v n="$2" '$1 == n { print $2 }'
}

start() { # KIND: nanoseconds from the command to its end
	local from
	[ "$1" = native ] || bundle "$1" /mnt/micro nothing 0
	bundle_ready=1
	from=$(date +%s%N)
	in_"$1" /mnt/micro nothing 0 >/dev/null 2>&1 </dev/null
	echo $(($(date +%s%N) - from))
	bundle_ready=
}

tree_of() { # PID: it and its descendants, threads not counted
	local pid
	echo "$1"
	for pid in $(cat "/proc/$1/task/"*/children 2>/dev/null); do tree_of "$pid"; done
}
pss() { # PID…: KiB of all processes below
	local pid sum=0
	for pid in $(for pid in "$@"; do tree_of "$pid"; done); do
		sum=$((sum + $(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup" 2>/dev/null || echo 0)))
	done
	echo $sum
}
memory() { # KIND COUNT: KiB of each of COUNT sandboxes that sleep
	local pids="" i
	for ((i = 0; i < $2; i++)); do
		in_"$1" /bin/sleep 1000 >/dev/null 2>&1 </dev/null &
		pids="$pids $!"
		sleep 1.5
	done
	sleep 2
	# shellcheck disable=SC2086
	echo $(($(pss $pids) / $2))
	# shellcheck disable=SC2046,SC2086
	kill -9 $(for i in $pids; do tree_of "$i"; done) 2>/dev/null || true
	# shellcheck disable=SC2086
	wait $pids 2>/dev/null || true
	for i in $(crun list -q 2>/dev/null); do case $i in bench-$$-*) crun delete -f "$i" 2>/dev/null ;; esac done
}

row() { # MODE ROW UNIT: one line of results.tsv from the files of its runs
	local kind line="$1	$2	$3"
	for kind in native crun ringfence runsc; do
		line="$line	$(cat "$work/$1.$2.$kind" 2>/dev/null | median)"
	done
	echo "$line" | tee -a "$work/results.tsv" >&2
}
measure() { # MODE ROW
	local round kind
	for ((round = 0; round < rounds; round++)); do
		for kind in $kinds; do
			case $2 in
			start) start "$kind" >>"$work/$1.$2.$kind" ;;
			*) one "$kind" "$2" >>"$work/$1.$2.$kind" || true ;;
			esac
		done
	done
	row "$1" "$2" ns
}

names=${*:-$micro_rows $program_rows start memory}
[ -n "$quick" ] && [ $# -eq 0 ] && names="getppid pipe futex-pingpong fork exec mmap-touch open-close stat create-unlink python start memory"
for mode in $modes; do
	pin=
	[ "$mode" = pinned ] && pin="taskset -c $cpu"
	for name in $names; do
		[ "$name" = memory ] && continue
		[ "$name" = compile ] && [ ! -x "$root/usr/bin/gcc" ] && continue
		measure "$mode" "$name"
	done
done
case " $names " in *" memory "*)
	pin=
	for count in 1 5; do
		for kind in ${kinds#native}; do memory "$kind" $count >"$work/free.memory-$count.$kind"; done
		row free memory-$count KiB
	done
	;;
esac
python3 bench/report.py "$work/results.tsv" "$platform" "$out/results.md" "$out/results.svg"
cat "$out/results.md"
[ -s "$work/errors" ] && sort "$work/errors" | uniq -c | sort -rn | head -5 >&2
exit 0
