#!/bin/sh
# Brings lwIP, the TCP/IP stack that the sentry is linked with, as Debian's source package has it (Debian's patches
# applied), into the cache. Uses the machine's own mirror, and lists of its own, so that the machine's apt stays as it
# is. Does nothing when it is there. Usage: lwip.sh
set -eu
cache=${RF_CACHE:-/var/cache/ringfence}
[ -f "$cache/lwip/src/core/tcp.c" ] && exit 0

mirror=$(sed -n 's/^deb \(\[[^]]*\] \)\?\(http[^ ]*debian[/]\?\) .*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | head -1)
[ -n "$mirror" ] || mirror=$(sed -n 's/^URIs: *\([^ ]*debian[/]\?\) *$/\1/p' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -1)
echo "setup: fetching lwIP's source package"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$cache"
echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:-http://deb.debian.org/debian} bookworm main" \
	>"$work/sources.list"
cat >"$work/apt.conf" <<END
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$work/lists";
Dir::Cache "$work/cache";
APT::Sandbox::User "root";
END
export APT_CONFIG="$work/apt.conf"
cd "$work"
{ apt-get update -qq && apt-get source -qq lwip; } >"$work/log" 2>&1 || {
	tail -5 "$work/log" >&2
	echo "setup: cannot fetch lwIP's source package" >&2
	exit 1
}
rm -rf "$cache/lwip.new" "$cache/lwip"
mv "$work"/lwip-*/ "$cache/lwip.new"
mv "$cache/lwip.new" "$cache/lwip"
