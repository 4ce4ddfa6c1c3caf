#!/bin/bash
# The programs of test/programs on a sentry in which undefined behaviour is an illegal instruction (preset ubsan, hosted).
# Usage: sentry-checks.sh BUILD PROGRAMS [PATTERN]   (prints a PASS or FAIL line each; PROGRAMS: another build's programs/)
# What a program itself finds wrong is for the suite to say; here only the sentry's end counts.
set -u
rf=$1/ringfence programs=$(realpath "$2") pattern=${3:-.} failed=0
for program in "$programs"/*; do
	name=$(basename "$program")
	if ! [ -f "$program" ] || ! [[ $name =~ $pattern ]]; then
		continue
	fi
	said=$(timeout -k 5 "${LIMIT:-120}" "$rf" --platform=ptrace do -- "$program" 2>&1 </dev/null)
	case $said in
	*'signal 4 at rip'* | *'ring 0 trap'*)
		echo "FAIL sentry $name: $(grep -m1 -A6 -e 'signal 4 at rip' -e 'ring 0 trap' <<<"$said" | tr '\n' '|')"
		failed=1
		;;
	*) echo "PASS sentry $name" ;;
	esac
done
exit $failed
