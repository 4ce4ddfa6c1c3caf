# shellcheck shell=bash disable=SC2034
# Shared by the tests with Docker: a daemon of its own (root, socket, containerd) in a network namespace of its own, where its
# bridges and iptables rules are, with the image rf-test made of the test root.
#
#   docker_start BUILD     sets work, build; leaves with 77 if there is no dockerd. ringfence is the default runtime, runc another,
#                          and one is ringfence with --network=host
#   d …                    docker, with a time limit
#   inside COMMAND…        in the daemon's network namespace ("ip netns exec" would hide the control groups)
#   docker_finish          for `trap … EXIT`: removes all, says what was left, ends with the test's status
. "$(dirname "${BASH_SOURCE[0]}")/../check.sh"
exec </dev/null

d() { timeout --foreground -k 5 60 /usr/bin/docker "$@"; }
inside() { nsenter --net="/run/netns/$net" "$@"; }

docker_finish() {
	d ps -aq | xargs -r timeout -k 5 60 /usr/bin/docker rm -f >/dev/null 2>&1
	kill "$engine" && wait "$engine" 2>/dev/null
	pgrep -f -- "--state=$work" && { echo "processes are left"; failed=1; }
	[ $failed = 0 ] || { echo "Docker's log:"; grep -E 'level=(error|fatal)|^failed' "$work/log" | tail -15 | cut -c1-600; }
	awk -v w="$work" 'index($2, w) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mount; do umount -l "$mount"; done
	ip netns del "$net"
	rm -rf "$work"
	exit $failed
}

docker_start() {
	command -v dockerd >/dev/null && [ -x /usr/bin/docker ] || { echo "docker.io: not installed"; exit 77; }
	build=$(cd "$1" && pwd)
	work=$(mktemp -d /var/tmp/rf-docker.XXXXXX)
	net=rf-docker-$$
	export DOCKER_HOST=unix://$work/docker.sock DOCKER_CONFIG=$work
	ip netns add "$net" && ip -n "$net" link set lo up || exit 1
	cat >"$work/daemon.json" <<-END
		{
		  "runtimes": {"ringfence": {"path": "$build/ringfence", "runtimeArgs": ["--platform=${PLATFORM:-systrap}"]},
		    "rf-host": {"path": "$build/ringfence", "runtimeArgs": ["--platform=${PLATFORM:-systrap}", "--network=host"]}},
		  "default-runtime": "ringfence",
		  "exec-opts": ["native.cgroupdriver=cgroupfs"],
		  "bip": "10.88.1.1/24"
		}
	END
	nsenter --net="/run/netns/$net" dockerd --config-file "$work/daemon.json" --data-root "$work/root" --exec-root "$work/exec" -p "$work/pid" \
		-H "$DOCKER_HOST" >"$work/log" 2>&1 &
	engine=$!
	trap docker_finish EXIT
	until_ok 30 d version || { echo "dockerd does not start:"; failed=1; exit 1; }
	tar -C "${ROOT:-/var/cache/ringfence/debian}" --exclude=./usr/share --exclude=./var/cache -c . | d import - rf-test >/dev/null ||
		{ failed=1; exit 1; }
}
