# For the test scripts, which source it: check() compares, and `failed` says at the end whether anything differed.
# shellcheck shell=bash disable=SC2034
failed=0
check() { # NAME WANT GOT
	[ "$2" = "$3" ] || { echo "$1: expected '$2', got '$3'"; failed=1; }
}
# until_ok SECONDS COMMAND…
until_ok() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}
