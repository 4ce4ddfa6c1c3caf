#!/bin/bash
# The processes that hold a container's memory: on each platform they are limited in number, have no capabilities and
# cannot gain any. Usage: stubs.sh BUILD
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
debian=${ROOT:-/var/cache/ringfence/debian}
work=$(mktemp -d)
failed=0
trap '"$1/ringfence" --root="$work/root" delete --force box 2>/dev/null; rm -rf "$work"' EXIT
sh "$here/suite/bundle.sh" "$work/b" "$debian" "$work" sleep 100
for platform in ptrace systrap; do
	rf="$1/ringfence --platform=$platform --network=none --root=$work/root"
	$rf run -d -b "$work/b" box </dev/null >/dev/null 2>&1 || { echo "$platform: no container"; exit 1; }
	boot=$($rf state box | jq .pid)
	uid=$(awk '$1 == "Uid:" { print $2 }' "/proc/$boot/status")
	count=0
	for status in /proc/[0-9]*/status; do
		pid=${status//[!0-9]/}
		[ "$pid" != "$boot" ] && grep -q "^Uid:.$uid.$uid.$uid.$uid\$" "$status" 2>/dev/null || continue
		count=$((count + 1))
		most=$(awk '/^Max processes/ { print $4 }' "/proc/$pid/limits")
		[ "$most" != unlimited ] && [ "$most" -le 20000 ] || { echo "$platform: stub: at most $most processes"; failed=1; }
		grep -q '^CapPrm:.0000000000000000$' "$status" || { echo "$platform: stub: capabilities"; failed=1; }
		grep -q '^NoNewPrivs:.1$' "$status" || { echo "$platform: stub: may gain privileges"; failed=1; }
	done
	[ $count -gt 0 ] || { echo "$platform: no stub found"; failed=1; }
	$rf delete --force box
done
exit $failed
