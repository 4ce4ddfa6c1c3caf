#!/bin/bash
# Control groups inside the sandbox: what their files and controllers do is what they do on Linux; limits of tasks. Usage: groups.sh BUILD
set -u
rf=$1/ringfence
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d /var/tmp/rf-groups.XXXXXX)
. "$here/../check.sh"
trap 'rm -rf "$work"' EXIT
cp "$here/groups.py" "$here/group_files.py" "$work"

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
inside 0 0 0 0
max 0 ['3'] EINVAL ['0']
refused True ['3']
top EPERM EPERM EPERM
owner 1000 1000 0
as another 1
taken back 0 False
namespace ENOENT 0 0
END
# The controllers: controllers.linux is what Linux 6.1 printed, and prints where it has them in version 2 (the test machine).
cp "$here/controllers.py" "$work"
prepare='mkdir init test; for p in $(cat cgroup.procs); do echo $p >init/cgroup.procs; done 2>/dev/null; echo "+cpuset +cpu +memory +pids" >cgroup.subtree_control'
if grep -q memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then
	group=/sys/fs/cgroup/rf-controllers-$$
	mkdir "$group" && (cd "$group" && echo "+cpuset +cpu +memory +pids" >../cgroup.subtree_control && python3 "$work/controllers.py" "$group") >"$work/linux"
	rmdir "$group"
	diff "$work/linux" "$here/controllers.linux" || { echo "this host's Linux (<) and the recorded one (>) differ"; failed=1; }
fi
inside sh -c "mount -t cgroup2 none /sys/fs/cgroup && cd /sys/fs/cgroup && $prepare"'; exec python3 "$0" /sys/fs/cgroup/test' \
	"$work/controllers.py" | grep -v "^ringfence: \(Memory\|Its\)" >"$work/ours"
diff "$here/controllers.linux" "$work/ours" || { echo "the recorded Linux (<) and the sandbox (>) differ"; failed=1; }
# Who sleeps for its group's next period goes on once it is in another, be the old one gone.
inside sh -c "mount -t cgroup2 none /sys/fs/cgroup && cd /sys/fs/cgroup && $prepare"'; echo 1000 1000000 >test/cpu.max; (while :; do :; done) &
	ran() { cut -d" " -f14 /proc/$!/stat; }
	echo $! >test/cgroup.procs; sleep 0.3; echo $! >init/cgroup.procs; rmdir test; before=$(ran); sleep 0.5; after=$(ran); kill -9 $!; [ $((after - before)) -gt 5 ]' ||
	{ echo "a process that was taken out of a group without time stands still"; failed=1; }
# What is refused changes nothing.
inside sh -c "mount -t cgroup2 none /sys/fs/cgroup && cd /sys/fs/cgroup && $prepare"'; cd test; for file in min low high max; do
	echo 1M >memory.$file; echo x >memory.$file && exit 1; [ "$(cat memory.$file)" = 1048576 ] || exit 1; done' >/dev/null ||
	{ echo "a limit of memory is another after a write that failed"; failed=1; }
exit $failed
