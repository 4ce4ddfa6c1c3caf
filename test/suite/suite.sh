#!/bin/bash
# Runs the list of real programs and of test/programs in a container, by the reference
# runtime (crun) or by ringfence, and compares output and exit status.
#
#   suite.sh reference OUT                  what Linux gives, into OUT/NAME.out and OUT/NAME.status
#   suite.sh check PLATFORM OUT [PATTERN]   ringfence on PLATFORM against OUT; a PASS, SKIP or FAIL line each
#
# Environment: BUILD (build folder), ROOT (a Debian root with python3), PROGRAMS (the richer one, beside it), QUICK=1
# (only entries marked q), ALL=1 (those marked a too), LIMIT (seconds an entry may take).
# Entries: test/suite/list (name, marks, command), and each program of BUILD/programs.
# Marks: q the quick list; a only with ALL; p in the root PROGRAMS; c the output is lines "case SUITE NAME RESULT",
# and each case that is ok on Linux must be ok in the sandbox; a digit: LIMIT times this.
# Known failures: test/suite/known-failures (platform or *, name or name/SUITE:CASE, reason); it may only shrink.
# The last line of a check is the share of single cases (an entry without cases is one) that pass; 95 % must.
set -u
here=$(cd "$(dirname "$0")" && pwd)
mode=$1
build=${BUILD:?} root=${ROOT:?} limit=${LIMIT:-60}
rich=${PROGRAMS:-$(dirname "$root")/programs}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

entries() {
	grep -v -e '^#' -e '^$' "$here/list" | if [ -n "${ALL:-}" ]; then cat; else grep -v '^[^|]*|[^|]*a'; fi
	for program in "$build"/programs/*; do
		[ -f "$program" ] && [ -x "$program" ] && printf '%s|q|/mnt/%s; exit $?\n' "$(basename "$program")" "$(basename "$program")"
	done
}

# make_bundle MARKS COMMAND: the bundle $work/b
make_bundle() {
	local in=$root
	[[ $1 == *p* ]] && in=$rich
	sh "$here/bundle.sh" "$work/b" "$in" "$build/programs" /bin/bash -c "$2"
}

# run_one MARKS RUNTIME… : runs the bundle, output to $work/out, exit status in $status
run_one() {
	local times=${1//[!0-9]/}
	shift
	timeout -k 5 "$((limit * ${times:-1}))" "$@" >"$work/out" 2>&1 </dev/null
	status=$?
}

# reference_entry OUT NAME MARKS COMMAND, in a work folder of its own
reference_entry() {
	local out=$1 name=$2 work=$work/$2
	mkdir -p "$work"
	make_bundle "$3" "$4"
	# crun wants one cgroup hierarchy: a hybrid host's second one is hidden from it.
	run_one "$3" sh "$here/own-mounts.sh" sh -c 'umount /sys/fs/cgroup/unified 2>/dev/null; exec crun --cgroup-manager=disabled run -b "$0" "$1"' \
		"$work/b" "reference-$$-$name"
	crun --cgroup-manager=disabled delete -f "reference-$$-$name" 2>/dev/null
	cp "$work/out" "$out/$name.out"
	echo "$status" >"$out/$name.status"
	[ "$status" != 127 ] || echo "FAIL reference $name: it lacks a program: $(tail -1 "$work/out")"
}

# Three at a time: they sleep more than they run.
reference() {
	local out=$1
	mkdir -p "$out"
	while IFS='|' read -r name marks command; do
		reference_entry "$out" "$name" "$marks" "$command" &
		[ "$(jobs -pr | wc -l)" -lt 3 ] || wait -n
	done < <(entries)
	wait
}

known() { # PLATFORM NAME: the reason, if it is a known failure
	awk -v p="$1" -v n="$2" '!/^#/ && ($1 == p || $1 == "*") && $2 == n { $1 = $2 = ""; print; exit }' "$here/known-failures"
}

# cases PLATFORM NAME REFERENCE OUTPUT: prints a line for each case that is not as it should be (SKIP: listed; FAIL), then
# "tally OK ALL"
cases() {
	awk -v platform="$1" -v entry="$2" '
		FILENAME ~ /known-failures$/ { if (!/^#/ && ($1 == platform || $1 == "*")) { key = $2; $1 = $2 = ""; known[key] = $0 }; next }
		$1 != "case" { next }
		FILENAME == ARGV[2] { if ($NF == "ok") wanted[$2 ":" $3]; next }
		{ got[$2 ":" $3] = $NF }
		END {
			for (c in wanted) {
				all++
				reason = known[entry "/" c]
				if (got[c] == "ok") {
					ok++
					if (reason != "") print "FAIL", platform, entry "/" c ": listed as a known failure, but passes: remove it from the list"
				} else if (reason != "")
					print "SKIP", platform, entry "/" c ": known failure:" reason
				else
					print "FAIL", platform, entry "/" c ": " (got[c] == "" ? "did not end" : got[c]) ", ok on Linux"
			}
			print "tally", ok + 0, all + 0
		}' "$here/known-failures" "$3" "$4"
}

check() {
	local platform=$1 out=$2 pattern=${3:-.} failed=0 ok=0 all=0 n m
	while IFS='|' read -r name marks command; do
		[[ $name =~ $pattern ]] || continue
		[ -z "${QUICK:-}" ] || [[ $marks == *q* ]] || continue
		[ -f "$out/$name.status" ] || { echo "FAIL $platform $name: no reference"; failed=1; continue; }
		make_bundle "$marks" "$command"
		local start=$SECONDS reason
		run_one "$marks" "$build/ringfence" --platform="$platform" --network=none run -b "$work/b" "suite-$$-$name"
		if [[ $marks == *c* ]]; then
			cases "$platform" "$name" "$out/$name.out" "$work/out" >"$work/cases"
			grep -v ^tally "$work/cases"
			read -r _ n m < <(grep ^tally "$work/cases")
			ok=$((ok + n)) all=$((all + m))
			if [ "$m" = 0 ]; then
				echo "FAIL $platform $name: the reference has no case"
				failed=1
			elif grep -q ^FAIL "$work/cases"; then
				failed=1
			else
				echo "PASS $platform $name: $n of $m cases ($((SECONDS - start)) s)"
			fi
			continue
		fi
		all=$((all + 1))
		local want
		want=$(cat "$out/$name.status")
		reason=$(known "$platform" "$name")
		if [ "$status" = "$want" ] && cmp -s "$work/out" "$out/$name.out"; then
			echo "PASS $platform $name ($((SECONDS - start)) s)"
			ok=$((ok + 1))
			[ -z "$reason" ] || { echo "FAIL $platform $name: listed as a known failure, but passes: remove it from the list"; failed=1; }
		elif [ -n "$reason" ]; then
			echo "SKIP $platform $name: known failure:$reason"
		else
			echo "FAIL $platform $name: exit status $status, expected $want; first differences:"
			diff "$out/$name.out" "$work/out" | head -8 | sed 's/^/    /'
			failed=1
		fi
	done < <(entries)
	[ $all = 0 ] || echo "$platform: $ok of $all single cases pass ($((ok * 1000 / all / 10)).$((ok * 1000 / all % 10)) %)"
	[ $((ok * 100)) -ge $((all * 95)) ] || { echo "FAIL $platform: fewer than 95 % of the single cases pass"; failed=1; }
	return $failed
}

shift
case $mode in
reference) reference "$@" ;;
check) check "$@" ;;
*) echo "suite.sh: unknown mode $mode" >&2; exit 2 ;;
esac
