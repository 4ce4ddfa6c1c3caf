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
	for page in man1/ringfence.1 man5/ringfence-config.5 man8/containerd-shim-ringfence-v1.8; do
		groff -man -Tutf8 -ww -z "$1/share/man/$page" >"$work/man" 2>&1 || bad "$1: no $page"
		[ -s "$work/man" ] && bad "$page: $(head -3 "$work/man")"
	done
	bash -n "$1/share/bash-completion/completions/ringfence" || bad "$1: no completion"
	"$1/bin/containerd-shim-ringfence-v1" -v | grep -q Version || bad "$1: the shim does not start"
}

cmake --install "$build" --prefix "$work/tree" >"$work/log" 2>&1 || { bad "install"; tail -5 "$work/log"; }
runs "$work/tree"

(cd "$build" && cpack -G DEB -B "$work/deb") >"$work/log" 2>&1 || { bad "cpack"; tail -5 "$work/log"; }
package=$(echo "$work"/deb/*.deb)
dpkg-deb -x "$package" "$work/root" || bad "unpack $package"
runs "$work/root/usr"
[ "$(jq -c . "$work/root/etc/ringfence/config.json")" = '{}' ] || bad "no default configuration"
[ "$(dpkg-deb --ctrl-tarfile "$package" | tar -xO ./conffiles)" = /etc/ringfence/config.json ] || bad "the configuration is not marked as such"
[ -e "$work/tree/etc" ] && bad "an installed tree has a configuration, which nothing reads"
dpkg-deb -f "$package" Depends | grep -q 'libc6' || bad "it does not say what it depends on"
for word in $(dpkg-deb -f "$package" Depends | tr ',|' '\n\n' | awk '{ print $1 }'); do
	dpkg-query -W "$word" >/dev/null 2>&1 || bad "depends on $word, which is not what it was built with"
done
exit $failed
