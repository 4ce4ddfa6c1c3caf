#!/bin/bash
# build.sh: makes the KVM test machine's kernel and initramfs, once, under the cache folder.
#
# The kernel is Debian's own (the image package that linux-image-amd64 depends on), downloaded and
# unpacked, never installed. The initramfs holds busybox, the modules for KVM on AMD SVM and
# for a 9P root, and the init script beside this file. Prints the folder's name.
# Usage: build.sh   (RF_MACHINE_CACHE: another cache folder)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${RF_MACHINE_CACHE:-/var/cache/ringfence/machine}
modules="irqbypass rng-core ccp kvm kvm-amd virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci \
netfs fscache 9pnet 9pnet_fd 9pnet_virtio 9p overlay veth"

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9

if [ ! -e "$cache/kernel/done" ]; then
	package=$(apt-cache depends linux-image-amd64 | awk '/Depends:/ {print $2; exit}')
	[ -n "$package" ] || { echo "build.sh: no package that linux-image-amd64 depends on" >&2; exit 1; }
	rm -rf "$cache/kernel" && mkdir -p "$cache/kernel"
	(cd "$cache/kernel" && apt-get download "$package" >&2 && dpkg-deb -x ./*.deb root && rm -f ./*.deb)
	cp "$cache"/kernel/root/boot/vmlinuz-* "$cache/kernel/vmlinuz"
	touch "$cache/kernel/done"
fi

stamp=$(cat "$here/init" "$here/build.sh" | sha256sum | cut -c1-16)
if [ ! -e "$cache/initramfs-$stamp" ]; then
	tree=$(mktemp -d)
	trap 'rm -rf "$tree"' EXIT
	mkdir -p "$tree"/{bin,modules,proc,sys,dev,host,job,root,rw}
	cp /bin/busybox "$tree/bin/busybox"
	cp "$here/init" "$tree/init"
	chmod 755 "$tree/init"
	n=10
	for module in $modules; do
		file=$(find "$cache/kernel/root/lib/modules" -name "$module.ko*" | head -1)
		if [ -z "$file" ] && grep -qs "/$module.ko" "$cache"/kernel/root/lib/modules/*/modules.builtin; then
			continue # built into this kernel
		fi
		[ -n "$file" ] || { echo "build.sh: the kernel has no module $module" >&2; exit 1; }
		case $file in
		*.xz) xz -dc "$file" > "$tree/modules/$n-$module.ko" ;;
		*) cp "$file" "$tree/modules/$n-$module.ko" ;;
		esac
		n=$((n + 1))
	done
	rm -f "$cache"/initramfs-*
	(cd "$tree" && find . | cpio -o -H newc --quiet | gzip -1) > "$cache/initramfs.new"
	mv "$cache/initramfs.new" "$cache/initramfs-$stamp"
fi
ln -sfn "initramfs-$stamp" "$cache/initramfs"
echo "$cache"
