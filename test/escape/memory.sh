#!/bin/bash
# A program in a sandbox after memory that is not its own, while a neighbour sandbox and a process of the host hold canaries,
# and free pages that held them, over and over. What it looks for of the sentry is 8 bytes of its image.
# Usage: memory.sh BUILD PLATFORM
set -u
build=$1 platform=$2
work=$(mktemp -d "${TMPDIR:-/tmp}/ringfence-memory.XXXXXX")
holders=()
cleanup() {
	exec 7>&- 8>&-
	for pid in "${holders[@]}"; do kill -KILL "$pid" 2>/dev/null; done
	rm -rf "$work"
}
trap cleanup EXIT
mkdir -p "$work/root/proc" "$work/root/sys" "$work/root/tmp" "$work/root/dev" "$work/neighbour" "$work/scanner"
cp "$build/escape/memory" "$build/escape/canary" "$work/root/"

bundle() { # DIRECTORY ARGUMENT…
	jq -n --arg root "$work/root" '["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_MKNOD", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_RAWIO",
			"CAP_IPC_LOCK"] as $caps |
		{ociVersion: "1.0.2", process: {terminal: false, user: {uid: 0, gid: 0}, cwd: "/", args: $ARGS.positional,
			capabilities: {bounding: $caps, effective: $caps, permitted: $caps}},
		root: {path: $root, readonly: true}, mounts: [{destination: "/proc", type: "proc", source: "proc"},
			{destination: "/sys", type: "sysfs", source: "sysfs"}, {destination: "/tmp", type: "tmpfs", source: "tmpfs"},
			{destination: "/dev", type: "tmpfs", source: "tmpfs"},
			{destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance", "ptmxmode=0666"]}], linux: {}}' \
		--args -- "${@:2}" >"$1/config.json"
}
word() { # 8 random bytes, in hex: the masked canary is as random as the canary
	od -An -tx8 -N8 /dev/urandom | tr -d ' \n'
}
fail() {
	echo "FAIL $platform escape memory: $1: $(cat "$work"/*.out "$work"/*.err 2>/dev/null | tail -n 4 | tr '\n' '|')"
	exit 1
}
holds() { # FILE: "PID ADDRESS" once its holder says so
	for _ in $(seq 300); do
		grep -q '^holds' "$1" && { sed -n 's/^holds //p' "$1"; return; }
		sleep 0.1
	done
}

mkfifo "$work/neighbour.in" "$work/host.in"
near=("$(word)" "$(word)") far=("$(word)" "$(word)")
bundle "$work/neighbour" /canary "${near[@]}"
"$build/ringfence" --root "$work/state" --platform="$platform" run -b "$work/neighbour" neighbour \
	<"$work/neighbour.in" >"$work/neighbour.out" 2>"$work/neighbour.err" &
neighbour=$!
"$build/escape/canary" "${far[@]}" <"$work/host.in" >"$work/host.out" 2>"$work/host.err" &
host=$!
holders=($neighbour $host)
exec 7>"$work/neighbour.in" 8>"$work/host.in"
read -r -a near_place < <(holds "$work/neighbour.out")
read -r -a far_place < <(holds "$work/host.out")
[ ${#near_place[@]} = 2 ] && [ ${#far_place[@]} = 2 ] || fail "the holders of the canaries did not start"
# Eight bytes of a string that the sentry's image alone has, masked as canary.h does.
at=$(grep -abo 'ended was run again' "$build/sentry.elf" | head -n 1 | cut -d: -f1)
[ -n "$at" ] || fail "the sentry's image lacks the string that is looked for"
text=$(printf '%x' $((0x$(od -An -tx8 -j "$at" -N8 "$build/sentry.elf" | tr -d ' \n') ^ 0x5aa5c33c96690ff0)))

bundle "$work/scanner" /memory "${near[@]}" "${near_place[@]}" "${far[@]}" "${far_place[@]}" "$text"
timeout -k 5 "${LIMIT:-100}" "$build/ringfence" --root "$work/state" --platform="$platform" run -b "$work/scanner" scanner \
	>"$work/scanner.out" 2>"$work/scanner.err" </dev/null
status=$?
exec 7>&- 8>&-
wait $neighbour || fail "the neighbour's canary has changed (status $?)"
wait $host || fail "the host's canary has changed (status $?)"
if [ $status = 0 ] && grep -q 'memory holds' "$work/scanner.out" && ! grep -q REACHED "$work/scanner.out"; then
	echo "PASS $platform escape memory ($(grep -c ^tried "$work/scanner.out") ways)"
else
	grep REACHED "$work/scanner.out" | head -n 10
	fail "status $status"
fi
