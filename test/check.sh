# For the test scripts, which source it: check() compares, and `failed` says at the end whether anything differed.
# shellcheck shell=bash disable=SC2034
failed=0
check() { # NAME WANT GOT
	[ "$2" = "$3" ] || { echo "$1: expected '$2', got '$3'"; failed=1; }
}
