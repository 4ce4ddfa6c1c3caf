#!/bin/bash
# A program that writes to little of much memory fits into a small sandbox, although memory comes in
# blocks; one that writes to all of it is killed. Usage: sparse.sh BUILD
set -u
build=$1
rf=$build/ringfence
work=$(mktemp -d /tmp/rf-sparse.XXXXXX)
trap 'rm -rf "$work"' EXIT
failed=0
mkdir -p "$work/b/rootfs/bin"
cp "$build/programs/sparse" "$work/b/rootfs/bin/sparse"
cp /bin/busybox "$work/b/rootfs/bin/sh"
"$rf" spec -b "$work/b"
run() { # COMMAND…
	jq '.process.terminal = false | .process.args = $ARGS.positional | .linux.resources = {memory: {limit: 134217728}} | del(.linux.cgroupsPath)' \
		"$work/b/config.json" --args -- "$@" >"$work/c" && cp "$work/c" "$work/b/config.json"
	timeout -k 5 60 "$rf" --root "$work/state" run -b "$work/b" "sparse-$$" >"$work/out" 2>&1 </dev/null
	status=$?
}
run /bin/sparse
[ $status = 0 ] && [ "$(cat "$work/out")" = ok ] || { echo "FAIL sparse: status $status, $(cat "$work/out")"; failed=1; }
run /bin/sh -c 'x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done'
[ $status != 0 ] || { echo "FAIL dense: status $status, $(cat "$work/out")"; failed=1; }
exit $failed
