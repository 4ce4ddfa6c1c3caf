#!/bin/bash
# Runs the list of real programs and of test/programs in a container, by the reference
# runtime (crun) or by ringfence, and compares output and exit status.
#
#   suite.sh reference OUT                  what Linux gives, into OUT/NAME.out and OUT/NAME.status
#   suite.sh check PLATFORM OUT [PATTERN]   ringfence on PLATFORM against OUT; a PASS, SKIP or FAIL line each
#
# Environment: BUILD (build folder), ROOT (a Debian root with python3), QUICK=1 (only
# entries marked q), LIMIT (seconds an entry may take).
# Entries: test/suite/list (name, marks, command), and each program of BUILD/programs.
# Known failures: test/suite/known-failures (platform or *, name, reason); it may only shrink.
set -u
here=$(cd "$(dirname "$0")" && pwd)
mode=$1
build=${BUILD:?} root=${ROOT:?} limit=${LIMIT:-60}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

entries() {
	grep -v -e '^#' -e '^$' "$here/list"
	for program in "$build"/programs/*; do
		[ -x "$program" ] && printf '%s|q|/mnt/%s; exit $?\n' "$(basename "$program")" "$(basename "$program")"
	done
}

# run_one RUNTIME… : runs the bundle, output to $work/out, exit status in $status
run_one() {
	timeout -k 5 "$limit" "$@" >"$work/out" 2>&1 </dev/null
	status=$?
}

reference() {
	local out=$1
	mkdir -p "$out"
	while IFS='|' read -r name marks command; do
		sh "$here/bundle.sh" "$work/b" "$root" "$build/programs" /bin/bash -c "$command"
		# crun wants one cgroup hierarchy: a hybrid host's second one is hidden from it.
		run_one sh "$here/own-mounts.sh" sh -c 'umount /sys/fs/cgroup/unified 2>/dev/null; exec crun --cgroup-manager=disabled run -b "$0" "$1"' \
			"$work/b" "reference-$$-$name"
		crun --cgroup-manager=disabled delete -f "reference-$$-$name" 2>/dev/null
		cp "$work/out" "$out/$name.out"
		echo "$status" >"$out/$name.status"
	done < <(entries)
}

known() { # PLATFORM NAME: the reason, if it is a known failure
	awk -v p="$1" -v n="$2" '!/^#/ && ($1 == p || $1 == "*") && $2 == n { $1 = $2 = ""; print; exit }' "$here/known-failures"
}

check() {
	local platform=$1 out=$2 pattern=${3:-.} failed=0
	while IFS='|' read -r name marks command; do
		[[ $name =~ $pattern ]] || continue
		[ -z "${QUICK:-}" ] || [[ $marks == *q* ]] || continue
		[ -f "$out/$name.status" ] || { echo "FAIL $platform $name: no reference"; failed=1; continue; }
		sh "$here/bundle.sh" "$work/b" "$root" "$build/programs" /bin/bash -c "$command"
		local start=$SECONDS reason
		run_one "$build/ringfence" --platform="$platform" --network=none run -b "$work/b" "suite-$$-$name"
		local want
		want=$(cat "$out/$name.status")
		reason=$(known "$platform" "$name")
		if [ "$status" = "$want" ] && cmp -s "$work/out" "$out/$name.out"; then
			echo "PASS $platform $name ($((SECONDS - start)) s)"
			[ -z "$reason" ] || { echo "FAIL $platform $name: listed as a known failure, but passes: remove it from the list"; failed=1; }
		elif [ -n "$reason" ]; then
			echo "SKIP $platform $name: known failure:$reason"
		else
			echo "FAIL $platform $name: exit status $status, expected $want; first differences:"
			diff "$out/$name.out" "$work/out" | head -8 | sed 's/^/    /'
			failed=1
		fi
	done < <(entries)
	return $failed
}

shift
case $mode in
reference) reference "$@" ;;
check) check "$@" ;;
*) echo "suite.sh: unknown mode $mode" >&2; exit 2 ;;
esac
