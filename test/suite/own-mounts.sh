#!/bin/sh
# own-mounts.sh COMMAND…: runs it in a mount namespace of its own that nothing leaves, with a root that is a mount.
# In a chroot "/" is a plain directory: it can be made private and pivoted away from only after it was bound over itself, and
# setns(2) leads to the namespace's root, which is therefore made the same.
# That is done from the namespace's real root (nsenter to our own namespace goes there), so that no mount is seen outside.
mountpoint -q / && exec unshare -m "$@"
# shellcheck disable=SC2016
exec unshare -m --propagation unchanged sh -c 'exec nsenter --mount=/proc/self/ns/mnt sh -ec "$0" sh "$@" 9</' '
	mount --make-rprivate /
	cd /proc/self/fd/9
	cd "$(pwd -P)"
	mount --rbind . .
	cd "$(pwd -P)"
	pivot_root . .
	umount -l .
	exec chroot . "$@" 9<&-' "$@"
