#!/bin/bash
# What group_io.py prints on Linux itself, for group_io.linux: on a machine of one's own with version 2 and its io controller, as
# `test/machine/run.sh -- bash test/machine/group-io.sh` is. Its files lie in ext4 on a RAM disk.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
modules=$(find "${RF_MACHINE_CACHE:-/var/cache/ringfence/machine}/kernel/root/lib/modules" -maxdepth 2 -name kernel)
for module in lib/crc16 crypto/crc32c_generic fs/mbcache fs/jbd2/jbd2 fs/ext4/ext4; do
	insmod "$modules/$module.ko" 2>/dev/null || true # built in
done
insmod "$modules/drivers/block/brd.ko" rd_nr=1 rd_size=32768
mkfs.ext4 -q -O ^has_journal /dev/ram0
mkdir /run/files /sys/fs/cgroup/test
mount /dev/ram0 /run/files
for i in 0 1 2 3 4 5 6 7; do
	head -c 1M /dev/urandom >/run/files/cold$i
done
umount /run/files
mount /dev/ram0 /run/files
echo "+io +memory" >/sys/fs/cgroup/cgroup.subtree_control
echo "+io +memory" >/sys/fs/cgroup/test/cgroup.subtree_control
exec python3 "$here/../cli/group_io.py" /sys/fs/cgroup/test /run/files
