#!/bin/bash
# Several containers in one sandbox: pods.py speaks the control channel of one that the command made. Usage: pods.sh BUILD
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
debian=${ROOT:-/var/cache/ringfence/debian}
work=$(mktemp -d)
rf="$1/ringfence --platform=${PLATFORM:-ptrace} --network=none --root=$work/root"
trap '$rf delete --force pod 2>/dev/null; rm -rf "$work"' EXIT
sh "$here/suite/bundle.sh" "$work/b" "$debian" "$work" sleep 1000
$rf create -b "$work/b" pod </dev/null >"$work/out" 2>&1 && $rf start pod || { cat "$work/out"; exit 1; }
timeout -k 5 120 python3 "$here/cli/pods.py" "$1/ringfence" "$work/root/pod/control.sock" "$debian"
