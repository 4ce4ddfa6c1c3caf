#!/bin/sh
# Installs what the build and the tests need, from Debian; makes the Debian root that
# programs run in, and for the tests a second one, with compilers and other big programs. Asks the network only for what is missing. Usage: setup.sh build|test
set -eu
what=${1:-test}
cache=${RF_CACHE:-/var/cache/ringfence}
build_packages="gcc libc6-dev cmake ninja-build pkg-config binutils libseccomp-dev libyajl-dev liburing-dev libbsd-dev libmd-dev libglib2.0-dev libprotobuf-c-dev protobuf-c-compiler check debootstrap ca-certificates dpkg-dev file"
test_packages="clang libclang-rt-14-dev git jq crun runsc containerd docker.io iptables containernetworking-plugins podman conmon netavark aardvark-dns qemu-system-x86 busybox-static groff-base cpio xz-utils kmod diffutils procps python3 python3-dbus python3-gi dbus-daemon uidmap python3-grpcio iproute2 iputils-ping golang-go diod"

[ "$(id -u)" = 0 ] || { echo "setup: must be root: it installs packages and makes a Debian root" >&2; exit 1; }
packages=$build_packages
[ "$what" = test ] && packages="$packages $test_packages"
missing=
for package in $packages; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
	echo "setup: installing$missing"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	# shellcheck disable=SC2086
	apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
sh "$(dirname "$0")/lwip.sh"
if [ ! -x "$cache/debian/usr/bin/python3" ] || [ ! -x "$cache/debian/usr/bin/ps" ]; then
	echo "setup: making a Debian root in $cache/debian"
	mkdir -p "$cache"
	rm -rf "$cache/debian.new"
	mirror=$(sed -n 's/^deb \(\[[^]]*\] \)\?\(http[^ ]*\).*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | head -1)
	[ -n "$mirror" ] || mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -1)
	debootstrap --variant=minbase --include=python3,procps bookworm "$cache/debian.new" ${mirror:+"$mirror"} >"$cache/debootstrap.log" 2>&1 || {
		tail -5 "$cache/debootstrap.log" >&2
		exit 1
	}
	rm -rf "$cache/debian"
	mv "$cache/debian.new" "$cache/debian"
fi

# make_root NAME PACKAGES: a copy of the first root with more packages. apt runs in it, in a mount namespace of its own; no service starts.
make_root() {
	made=$cache/$1
	[ "$(cat "$made/.packages" 2>/dev/null)" != "$2" ] || return 0
	echo "setup: making a Debian root with $2 in $made"
	rm -rf "$made.new"
	cp -a "$cache/debian" "$made.new"
	cp /etc/resolv.conf "$made.new/etc/resolv.conf"
	printf '127.0.0.1\tlocalhost\n::1\tlocalhost\n' >"$made.new/etc/hosts"
	printf '#!/bin/sh\nexit 101\n' >"$made.new/usr/sbin/policy-rc.d"
	chmod +x "$made.new/usr/sbin/policy-rc.d"
	sh "$(dirname "$0")/suite/own-mounts.sh" sh -e -c '
		mount -t proc proc "$1/proc"
		mount --bind /dev "$1/dev"
		export DEBIAN_FRONTEND=noninteractive LC_ALL=C
		chroot "$1" apt-get update -qq
		chroot "$1" apt-get install -y -qq --no-install-recommends $2
		chroot "$1" apt-get clean
	' - "$made.new" "$2" >"$made.log" 2>&1 || {
		tail -5 "$made.log" >&2
		exit 1
	}
	rm "$made.new/usr/sbin/policy-rc.d"
	echo "$2" >"$made.new/.packages"
	rm -rf "$made"
	mv "$made.new" "$made"
}

[ "$what" = test ] || exit 0
make_root programs "perl gcc libc6-dev make git procps lsof vim less tmux stress-ng libpython3.11-testsuite nodejs default-jdk-headless"
# Servers and their clients, for the tests and benchmarks of the network.
make_root servers "nginx-light wrk redis-server redis-tools memcached postgresql nodejs curl openssh-server openssh-client iperf3 nmap bind9-dnsutils dnsmasq-base iputils-ping iproute2 tcpdump procps"
