#!/bin/bash
# A program in the container against its root, with every capability a container may be given;
# a directory of the root moves out and back on the host meanwhile.
# Usage: paths.sh BUILD PLATFORM [SECONDS]
set -u
build=$1 platform=$2 seconds=${3:-2}
work=$(mktemp -d "${TMPDIR:-/tmp}/ringfence-paths.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/outer/root/proc" "$work/outer/root/tmp" "$work/outer/root/dev" "$work/outer/root/moved/deep" "$work/outer/bind" "$work/bundle"
for place in "$work" "$work/outer" "$work/outer/bind/.."; do echo out >"$place/secret-beside-the-root"; done
cp "$build/escape/paths" "$work/outer/root/"
jq -n --arg work "$work" --arg seconds "$seconds" '
	["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_MKNOD", "CAP_SYS_ADMIN", "CAP_SYS_CHROOT",
		"CAP_SYS_PTRACE"] as $caps |
	{ociVersion: "1.0.2", process: {terminal: false, user: {uid: 0, gid: 0}, cwd: "/",
		args: ["/paths", ($work + "/outer/secret-beside-the-root"), $seconds],
		capabilities: {bounding: $caps, effective: $caps, permitted: $caps}},
	root: {path: ($work + "/outer/root"), readonly: false}, mounts: [{destination: "/proc", type: "proc", source: "proc"},
		{destination: "/tmp", type: "tmpfs", source: "tmpfs"}, {destination: "/dev", type: "tmpfs", source: "tmpfs"},
		{destination: "/bind", type: "bind", source: ($work + "/outer/bind"), options: ["bind", "rw"]}], linux: {}}' >"$work/bundle/config.json"
(
	while [ -e "$work/bundle" ] && [ ! -e "$work/over" ]; do
		mv "$work/outer/root/moved" "$work/outer/moved" 2>/dev/null
		mv "$work/outer/moved" "$work/outer/root/moved" 2>/dev/null
	done
) &
mover=$!
timeout -k 5 $((seconds * 10 + 60)) "$build/ringfence" --root "$work/state" --platform="$platform" run -b "$work/bundle" paths \
	>"$work/out" 2>"$work/err" </dev/null
status=$?
touch "$work/over"
wait $mover
if [ $status = 0 ] && grep -q 'the root holds' "$work/out" && ! grep -q REACHED "$work/out"; then
	echo "PASS $platform escape paths"
else
	echo "FAIL $platform escape paths: status $status: $(cat "$work/out" "$work/err" | tail -n 3 | tr '\n' '|')"
	exit 1
fi
