#!/bin/bash
# Installs what is needed, builds, and runs the tests: unit tests, programs and real
# programs in the sandbox under ptrace and systrap here and under KVM in the test machine.
#
#   run.sh          what a change must pass, in under 30 minutes on two cores (KVM 10, fuzzing 4)
#   run.sh --all    everything: the whole list on KVM too
#
# The last line is "N passed, N failed". What was skipped is printed with its reason.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
set -u
cd "$(dirname "$0")/.." || exit 1
top=$PWD
# In a chroot that is no mount, namespaces cannot be made private: everything then runs where "/" is one.
mountpoint -q / || exec sh "$top/test/suite/own-mounts.sh" bash "$top/test/run.sh" "$@"
all=
[ "${1:-}" = --all ] && all=1
cache=${RF_CACHE:-/var/cache/ringfence}
build=$top/build/release
out=$top/build/test
passed=0 failed=0 skipped=0

say() { printf '\n== %s (%d s)\n' "$*" $SECONDS; }
pass() { passed=$((passed + 1)); }
fail() { failed=$((failed + 1)); printf 'FAIL %s\n' "$*"; }
finish() {
	printf '\n%d skipped\n' $skipped
	printf '%d passed, %d failed\n' $passed $failed
	[ $failed = 0 ]
	exit $?
}
# step NAME COMMAND…: one test; its output is shown only if it fails
step() {
	local name=$1
	shift
	if "$@" >"$out/step.log" 2>&1; then
		pass
		echo "PASS $name"
	else
		fail "$name"
		tail -40 "$out/step.log" | sed 's/^/    /'
		return 1
	fi
}
# tally: counts the PASS, FAIL and SKIP lines of a suite on standard input, and shows them
tally() {
	local line
	while IFS= read -r line; do
		line=${line%$'\r'}
		printf '%s\n' "$line"
		case $line in
		PASS\ *) pass ;;
		FAIL\ *) failed=$((failed + 1)) ;;
		SKIP\ *) skipped=$((skipped + 1)) ;;
		esac
	done
}

say "set-up"
sh test/setup.sh test || { fail "set-up"; finish; }
mkdir -p "$out"

say "build"
step "configure" cmake --preset release || finish
step "build with gcc, warnings as errors" ninja -C build/release ringfence containerd-shim-ringfence-v1 sentry programs || finish
step "configure with clang" cmake --preset clang && step "build with clang, warnings as errors" ninja -C build/clang ringfence containerd-shim-ringfence-v1 sentry
step "include directions" sh test/check-includes.sh
sha256sum "$build/sentry.elf" | cut -d' ' -f1 >"$out/image.sha256"

say "unit tests"
step "build the unit tests under the sanitizers" ninja -C build/release unit && {
	for test in $(cd build/release && ctest -N | sed -n 's/.*Test *#[0-9]*: //p'); do
		step "$test" timeout 120 ctest --test-dir build/release -R "^$test\$" --output-on-failure || continue
		grep -q '(Skipped)' "$out/step.log" || continue
		passed=$((passed - 1)) skipped=$((skipped + 1))
		echo "SKIP $test: this host lacks what it needs (it runs in the KVM test machine below)"
	done
}

say "reference output, from Linux"
export BUILD=$build ROOT=$cache/debian PROGRAMS=$cache/programs ALL=$all
key=$({ echo "$all"; cat test/suite/list test/suite/*.sh test/suite/scripts/*; find build/release/programs -type f | sort | xargs cat; } |
	sha256sum | cut -c1-16)
if [ ! -f "$out/reference-$key/done" ]; then
	tally < <(LIMIT=120 bash test/suite/suite.sh reference "$out/reference-$key") && touch "$out/reference-$key/done"
fi

say "programs on ptrace"
tally < <(LIMIT=120 timeout $((${all:-0} * 7200 + 1200)) bash test/suite/suite.sh check ptrace "$out/reference-$key")

say "programs on systrap"
tally < <(LIMIT=120 QUICK=$([ -n "$all" ] || echo 1) timeout $((${all:-0} * 7200 + 1200)) bash test/suite/suite.sh check systrap "$out/reference-$key")

for script in test/cli/*.sh; do
	[ -f "$script" ] && step "$(basename "$script" .sh)" timeout 120 bash "$script" "$build"
done

step "the OCI specification, field by field" timeout 400 bash test/oci/spec.sh "$build"

[ -z "$all" ] || step "10,000 idle and 100,000 short connections" timeout 400 bash test/cli/connections.sh "$build" 10000 100000
[ -z "$all" ] || step "servers, for longer and with PostgreSQL" timeout -k 5 600 bash test/cli/servers.sh "$build" all
[ -z "$all" ] || step "deaths, 400 rounds" timeout 1200 bash test/cli/deaths.sh "$build" 400
[ -z "$all" ] || step "soak: 1000 lives, 200 after another, 50 at once" timeout -k 5 3600 bash test/cli/soak.sh "$build" 1000 200 50

say "escapes"
# The hostile image where sentry.elf would be: against the release, and against a build with sanitizers.
step "build the hostile image" ninja -C build/release escape overrun &&
	tally < <(timeout 300 bash test/escape/escape.sh "$build" ptrace) &&
	tally < <(timeout 300 bash test/escape/escape.sh "$build" systrap) &&
	tally < <(timeout 300 bash test/escape/exhaust.sh "$build" ptrace) &&
	tally < <(timeout 100 bash test/escape/paths.sh "$build" ptrace) &&
	tally < <(timeout 200 bash test/escape/memory.sh "$build" ptrace) &&
	tally < <(timeout 200 bash test/escape/memory.sh "$build" systrap)
step "configure with sanitizers" cmake --preset asan -DRF_TESTS=ON &&
	step "build with sanitizers" ninja -C build/asan escape &&
	tally < <(LIMIT=40 timeout 300 bash test/escape/escape.sh "$top/build/asan" ptrace | sed 's/ptrace escape/ptrace escape (sanitizers)/')

say "packages and engines"
for script in package containerd-shim cri cni containerd podman podman-pods docker docker-network docker-same ${all:+docker-life podman-same} cri-same faults; do
	step "$script" timeout -k 5 400 bash test/engines/$script.sh "$build"
done

say "fuzzing"
# Each target starts from its committed corpus, if it has one; findings stay in build/test/fuzz.
targets=$(sed -n "s/^\\tadd_fuzz_target(\\([a-z0-9_]*\\).*/\\1/p" test/CMakeLists.txt)
total=160
[ -z "$all" ] || total=3600
share=$((total / $(echo "$targets" | wc -w)))
mkdir -p "$out/fuzz"
for target in $targets; do
	mkdir -p "$out/fuzz/$target" "test/fuzz/corpus/$target"
	step "build fuzz_$target" ninja -C build/clang "fuzz_$target" &&
		step "fuzz_$target, $share s" build/clang/test/"fuzz_$target" -max_total_time=$share -timeout=20 -rss_limit_mb=4096 \
			-artifact_prefix="$out/fuzz/" "$out/fuzz/$target" "test/fuzz/corpus/$target"
done

say "programs on KVM, in the test machine"
limit=100 quick=1 time_limit=590
escapes='beyond|triple|msrs|reset|change|storm|without-end|ahead'
[ -z "$all" ] || limit=1200 quick= time_limit=14400 escapes=.
cat >"$out/kvm.sh" <<END
cd $top
export BUILD=$BUILD ROOT=$ROOT PROGRAMS=$PROGRAMS ALL=$ALL LIMIT=$limit QUICK=$quick
sha256sum build/release/sentry.elf | cut -d' ' -f1 | cmp - $out/image.sha256 && echo PASS the same image bytes on both machines
if build/release/test/unit_gofer_linux_client >/tmp/unit.log 2>&1; then
	echo PASS kvm unit_gofer_linux_client
else
	echo "FAIL kvm unit_gofer_linux_client: status \$?"
	tail -5 /tmp/unit.log
fi
LIMIT=30 bash test/escape/escape.sh $build kvm '$escapes'
bash test/escape/paths.sh $build kvm
bash test/escape/memory.sh $build kvm
bash test/escape/overrun.sh $build kvm
bash test/suite/suite.sh check kvm $out/reference-$key
[ -z "$all" ] || { PLATFORM=kvm bash test/cli/network.sh $build && echo PASS kvm network || echo FAIL kvm network; }
echo END
END
tally < <(bash test/machine/run.sh --timeout $time_limit -- bash "$out/kvm.sh" </dev/null | tee "$out/kvm.log")
[ -z "$all" ] || say "systrap where ptrace is forbidden, in the test machine"
[ -z "$all" ] || step "Yama at 3, no CAP_SYS_PTRACE, a user namespace, a CPU without FSGSBASE" bash test/machine/run.sh --cpu -fsgsbase --timeout 150 -- \
	bash test/machine/hosted.sh "$build"
grep -q '^END' "$out/kvm.log" || fail "the KVM test machine did not finish in its share of the time"
finish
