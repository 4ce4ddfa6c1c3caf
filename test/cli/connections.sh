#!/bin/bash
# What connections cost: 10,000 idle ones under 40 MiB in all (both ends are inside), 100,000 short ones leave nothing
# once TIME_WAIT is over, and with connections open the sandbox sleeps: nothing of it is switched to.
# Usage: connections.sh BUILD [IDLE SHORT] (PLATFORM and ROOT from the environment; else 1,000 of each)
set -u
rf=$1/ringfence
here=$(cd "$(dirname "$0")" && pwd)
root=${ROOT:-/var/cache/ringfence/debian}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/b"
"$rf" spec -b "$work/b"
jq --arg root "$root" --arg mnt "$here" '
	.process.args = ["python3", "/mnt/connections.py"] | .process.terminal = false | .root.path = $root
	| .process.rlimits = [{type: "RLIMIT_NOFILE", hard: 30000, soft: 30000}]
	| .mounts += [{destination: "/mnt", type: "bind", source: $mnt, options: ["bind", "ro"]}]
	' "$work/b/config.json" >"$work/new" && mv "$work/new" "$work/b/config.json"
python3 "$here/connections.py" "${2:-1000}" "${3:-1000}" "$rf" "--platform=${PLATFORM:-ptrace}" --network=none \
	run -b "$work/b" "connections-$$"
