#!/bin/bash
# A kernel stack that is overrun ends the sandbox at once, and what it says names the task, the place and the stack pointer.
# Usage: overrun.sh BUILD PLATFORM   (the sentry of `ninja overrun`; prints PASS and FAIL lines)
set -u
rf=$1/overrun/ringfence platform=$2
failed=0
for how in 1 2; do
	said=$(timeout -k 5 60 "$rf" --platform="$platform" --network=none do -- \
		perl -e "syscall(309, 0, 0, $how); print \"went on\n\"" 2>&1 </dev/null)
	status=$?
	wanted='the kernel stack of task [0-9]+ \(perl\) was overrun in system call 309 at sentry\+0x[0-9a-f]{1,6}: stack pointer 0xffffc9[0-9a-f]+,'
	if [ $status != 134 ] || ! [[ $said =~ $wanted ]] || [[ $said == *went\ on* ]]; then
		echo "FAIL $platform overrun $how: status $status, $(head -c 1000 <<<"$said" | tr '\n' '|')"
		failed=1
	else
		echo "PASS $platform overrun $how"
	fi
done
exit $failed
