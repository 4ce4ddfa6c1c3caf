#!/bin/sh
# From nothing to a Debian container in a sandbox of its own: installs what the build needs,
# builds, makes a Debian root (once, cached) and runs some programs in it, each as an OCI
# bundle. Run it as root on Debian 12 or later, from anywhere. Options are passed on to
# ringfence, for example --platform=ptrace. RF_CACHE and RF_BUILD name other places.
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
cache=${RF_CACHE:-/var/cache/ringfence}
build=${RF_BUILD:-$source/build/release}

sh "$source/test/setup.sh" build

echo "quickstart: building in $build"
cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null
ninja -C "$build" >"$build/quickstart.log" 2>&1 || {
	tail -20 "$build/quickstart.log" >&2
	exit 1
}

echo "quickstart: platform $("$build/ringfence" "$@" platform)"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
count=0

# in_sandbox COMMAND [ARGUMENT]...: runs it as a container and shows what it says
in_sandbox() {
	count=$((count + 1))
	mkdir "$work/$count"
	arguments=
	for word; do
		arguments="$arguments${arguments:+, }\"$(printf %s "$word" | sed 's/[\\"]/\\&/g')\""
	done
	"$build/ringfence" spec -b "$work/$count"
	sed -i -e 's/"terminal": true/"terminal": false/' -e "s|\"path\": \"rootfs\"|\"path\": \"$cache/debian\"|" \
		"$work/$count/config.json"
	awk -v "args=$(printf %s "$arguments" | sed 's/\\/\\\\/g')" \
		'/"args":/ { print "    \"args\": [" args "],"; next } { print }' "$work/$count/config.json" >"$work/$count/new"
	mv "$work/$count/new" "$work/$count/config.json"
	printf '$ %s\n' "$*"
	status=0
	timeout -k 5 120 "$build/ringfence" $options run -b "$work/$count" "quickstart-$$-$count" </dev/null || status=$?
	[ $status = 0 ] || { echo "(exit status $status)"; failed=1; }
}

options=$*
in_sandbox echo "hello from a sandbox"
in_sandbox uname -a
in_sandbox cat /etc/debian_version
in_sandbox sh -c 'ls /usr | sort | tr "\n" " "; echo; dmesg | head -3'
in_sandbox bash -c 'for i in 1 2 3; do echo $((i * i)); done | paste -sd+ | tee /dev/shm/sum; ps ax | tail -n +2 | wc -l'
in_sandbox python3 -c 'import sys, threading; print("Python", sys.version.split()[0], threading.active_count(), "thread")'
[ $failed = 0 ] && echo "quickstart: all of them ran"
exit $failed
