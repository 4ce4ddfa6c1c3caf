#!/bin/bash
# Containers inside a sandbox, as its users start them: crun, runc, rootless Podman, dockerd with containerd, network namespaces by
# name. Usage: inside.sh BUILD. What is not installed on the host is left out.
set -u
. "$(dirname "$0")/../begin.sh"
trap 'rm -rf "$work"' EXIT
cat >"$work/inside" <<'END'
cd "$(mktemp -d)" || exit
has() {
	command -v "$1" >/dev/null
}
mount --make-rshared /
# Groups below the top one, as init systems make them: the top has then no processes of its own.
mkdir /sys/fs/cgroup/init
for pid in $(cat /sys/fs/cgroup/cgroup.procs); do
	echo "$pid" 2>/dev/null >/sys/fs/cgroup/init/cgroup.procs
done
echo +pids >/sys/fs/cgroup/cgroup.subtree_control
mkdir -p root/bin root/proc root/sys root/dev
cp "$(command -v busybox)" root/bin && ln -s busybox root/bin/sh

if has ip; then
	ip netns add one && ip -n one link set lo up && ip netns list | grep -c '^one' && ip netns exec one ip -o link | grep -c LOWER_UP
	ip netns del one && echo netns
fi
unshare --time --boottime 100000 --fork sh -c 'read up rest </proc/uptime; [ "${up%.*}" -ge 100000 ]' && echo time
lsns -o TYPE -n | sort -u | wc -l
for runtime in crun runc; do
	has $runtime || continue
	(mkdir $runtime && cd $runtime && $runtime spec && jq '.process.terminal = false | .root.path = "../root" | .process.args =
		["/bin/sh", "-c", "busybox hostname; busybox head -c 1 /dev/zero | busybox wc -c; busybox mknod /dev/x c 1 3 || echo refused"]' \
		config.json >new && mv new config.json && $runtime run inside 2>/dev/null)
done
if has podman; then
	useradd -m inside && echo inside:100000:65536 | tee /etc/subuid >/etc/subgid && chmod -R a+rX . "$PWD"
	tar -C root -c . >image.tar && chmod a+r image.tar
	su inside -s /bin/sh -c "export HOME=/home/inside XDG_RUNTIME_DIR=/home/inside
		podman --storage-driver=vfs import -q $PWD/image.tar local/t >/dev/null 2>&1
		podman --storage-driver=vfs run --rm --network=none local/t /bin/sh -c 'busybox id -u; busybox wc -l </proc/self/uid_map' 2>/dev/null"
fi
if has dockerd && has runc; then
	host=unix://$PWD/socket
	dockerd --data-root "$PWD/docker" --exec-root "$PWD/exec" -p "$PWD/pid" -H "$host" --storage-driver=vfs --ip-forward=false --iptables=false \
		--ip6tables=false --bridge=none >log 2>&1 &
	for _ in $(seq 100); do
		docker -H "$host" info >/dev/null 2>&1 && break
		sleep 0.2
	done
	tar -C root -c . | docker -H "$host" import - local/t >/dev/null
	docker -H "$host" run --rm --network=none local/t /bin/sh -c 'busybox id -u; busybox echo docker'
	kill %1
fi
END
expected() {
	command -v ip >/dev/null && printf '%s\n' 1 1 netns
	printf '%s\n' time 8
	for runtime in crun runc; do
		command -v $runtime >/dev/null && printf '%s\n' $runtime 1 refused
	done
	command -v podman >/dev/null && printf '%s\n' 0 2
	command -v dockerd >/dev/null && command -v runc >/dev/null && printf '%s\n' 0 docker
}
check "what runs inside" "$(expected)" "$(timeout -k 5 100 $rf do -- bash "$work/inside" 2>"$work/errors")"
[ $failed = 0 ] || head -20 "$work/errors"
exit $failed
