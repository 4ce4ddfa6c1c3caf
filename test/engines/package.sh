#!/bin/bash
# The package and an installed tree: what `cpack -G DEB` makes runs from wherever it is
# unpacked, needs only Debian's libraries, and has every part. Usage: package.sh BUILD
set -u
build=$1
work=$(mktemp -d /tmp/rf-package.XXXXXX)
trap 'rm -rf "$work"' EXIT
failed=0
bad() { echo "FAIL $*"; failed=1; }
runs() { # ROOT: the command in it runs a program
	[ "$("$1/bin/ringfence" --platform=ptrace do -- echo it runs 2>&1)" = "it runs" ] ||
		bad "$1: $("$1/bin/ringfence" --platform=ptrace do -- echo it runs 2>&1 | head -3)"
	"$1/bin/containerd-shim-ringfence-v1" -v | grep -q Version || bad "$1: the shim does not start"
}

cmake --install "$build" --prefix "$work/tree" >"$work/log" 2>&1 || { bad "install"; tail -5 "$work/log"; }
runs "$work/tree"

(cd "$build" && cpack -G DEB -B "$work/deb") >"$work/log" 2>&1 || { bad "cpack"; tail -5 "$work/log"; }
package=$(echo "$work"/deb/*.deb)
dpkg-deb -x "$package" "$work/root" || bad "unpack $package"
runs "$work/root/usr"
dpkg-deb -f "$package" Depends | grep -q 'libc6' || bad "it does not say what it depends on"
for word in $(dpkg-deb -f "$package" Depends | tr ',|' '\n\n' | awk '{ print $1 }'); do
	dpkg-query -W "$word" >/dev/null 2>&1 || bad "depends on $word, which is not what it was built with"
done
exit $failed
