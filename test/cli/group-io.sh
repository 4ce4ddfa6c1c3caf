#!/bin/bash
# The io controller of control groups inside the sandbox: what group_io.py finds is what it found on Linux (group_io.linux, by
# test/machine/group-io.sh), on files that the host shares and on the container's own. Usage: group-io.sh BUILD
set -u
. "$(dirname "$0")/../begin.sh" "$1"
rf="$rf --network=none"
trap '$rf delete --force one 2>/dev/null; umount "$work/tree/root" "$work/tree" 2>/dev/null; rm -rf "$work"' EXIT
mkdir -p "$work/py" "$work/files" "$work/tree"
mount -t tmpfs tmpfs "$work/tree" # a root to write to: overlays need another file system than theirs above
mkdir -p "$work/tree/up/files" "$work/tree/work" "$work/tree/root"
fill() { for i in 0 1 2 3 4 5 6 7; do head -c 1M /dev/urandom >"$1/cold$i"; done; }
cp "$here/cli/group_io.py" "$here/cli/group_files.py" "$work/py"
prepare='cd /sys/fs/cgroup && mkdir init test && echo 0 >init/cgroup.procs && echo "+io +memory" >cgroup.subtree_control &&
	echo "+io +memory" >test/cgroup.subtree_control && exec python3 /srv/group_io.py /sys/fs/cgroup/test "$@"'
bundle() { # DIR ARGUMENT…
	sh "$here/suite/bundle.sh" "$1" / "$work" bash -c "$prepare" bash "${@:2}"
	jq --arg py "$work/py" --arg files "$work/files" '(.mounts[] | select(.destination == "/srv")).source = $py |
		.mounts += [{destination: "/media", type: "bind", source: $files, options: ["bind", "rw"]},
		{destination: "/sys", type: "sysfs", source: "sysfs"}, {destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup"}]' \
		"$1/config.json" >"$1/c" && mv "$1/c" "$1/config.json"
}
compare() { # WHAT BUNDLE
	timeout -k 5 150 $rf run -b "$2" one </dev/null >"$work/out" 2>&1 || { echo "$1: status $?"; failed=1; }
	diff "$here/cli/group_io.linux" "$work/out" || { echo "$1: the recorded Linux (<) and the sandbox (>) differ"; failed=1; }
}
fill "$work/files"
bundle "$work/b" /media
compare "shared files" "$work/b"
fill "$work/tree/up/files"
mount -t overlay -o "lowerdir=$debian,upperdir=$work/tree/up,workdir=$work/tree/work" overlay "$work/tree/root"
bundle "$work/own" /files
jq --arg root "$work/tree/root" '.root = {path: $root, readonly: false}' "$work/own/config.json" >"$work/c" && mv "$work/c" "$work/own/config.json"
compare "the container's own files" "$work/own"
exit $failed
