#!/bin/bash
# Control groups inside the sandbox: what their files do is what they do on Linux; limits of tasks; the mount that
# engines ask for. Usage: groups.sh BUILD
set -u
rf=$1/ringfence
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d /var/tmp/rf-groups.XXXXXX)
. "$here/../check.sh"
trap 'rm -rf "$work"' EXIT
cp "$here/groups.py" "$work"

# On Linux in a group of its own, below what is version 2 on this host.
unshare -m sh -c 'mount -t cgroup2 none /mnt && mkdir /mnt/rf-groups-$$ && python3 "$0" /mnt/rf-groups-$$; status=$?; rmdir /mnt/rf-groups-$$; exit $status' \
	"$work/groups.py" >"$work/linux" 2>&1 || { echo "on Linux:"; cat "$work/linux"; failed=1; }
inside() { timeout -k 5 60 "$rf" --root "$work/state" do -- "$@" 2>&1; }
inside sh -c 'mount -t cgroup2 -o nsdelegate none /sys/fs/cgroup && mkdir /sys/fs/cgroup/test && exec python3 "$0" /sys/fs/cgroup/test' "$work/groups.py" >"$work/ours"
diff "$work/linux" "$work/ours" || { echo "Linux (<) and the sandbox (>) differ"; failed=1; }

inside sh -c 'mount -t cgroup2 none /sys/fs/cgroup && exec python3 "$0" /sys/fs/cgroup pids' "$work/groups.py" | sed '1,/^cpu/d' >"$work/pids"
diff "$work/pids" - <<'END' || { echo "the pids controller is not as described"; failed=1; }
remove True 0
to init 0
give 0 ['pids'] ENOENT
inside 0 EBUSY 0
max 0 ['3'] EINVAL ['0']
refused True ['3']
top EPERM EPERM EPERM
owner 1000 1000 0
as another 1
taken back 0 False
END
exit $failed
