#!/bin/bash
# What needs CAP_SYS_ADMIN, which the suite's containers lack: namespaces made inside, and numbers as they are seen there.
# Each program passes on this host's Linux first. Usage: namespaces.sh BUILD
set -u
build=$1 failed=0
both() { # COMMAND…: here, then in the sandbox
	local out
	out=$(timeout -k 5 60 unshare -m "$@" 2>&1) || { echo "on Linux: $*: status $?, $out"; failed=1; }
	out=$(timeout -k 5 60 "$build/ringfence" --platform="${PLATFORM:-ptrace}" --network=none do -- "$@" 2>&1) ||
		{ echo "in the sandbox: $*: status $?, $out"; failed=1; }
}
both "$build/programs/namespaces"
both "$build/programs/mountoptions"
both unshare -p -f "$build/programs/seccomp"
exit $failed
