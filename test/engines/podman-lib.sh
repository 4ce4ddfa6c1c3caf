# Shared by the tests with Podman: a store and a network namespace of its own.
#
#   podman_start BUILD NAME DRIVER SUBNET [LINE]   sets work and net, makes ringfence the runtime NAME and leaves it in $runtime;
#                                                  LINE is one more of containers.conf's [containers]. Exit status 77: there is no podman.
#   p WORDS…                                       podman with the runtime $work/bin/$runtime
#
# At the end all is removed, and what is left is told.
. "$(dirname "${BASH_SOURCE[0]}")/../check.sh"

podman_start() {
	command -v podman >/dev/null && command -v conmon >/dev/null || { echo "podman or conmon: not installed"; exit 77; }
	build=$(cd "$1" && pwd)
	runtime=$2
	driver=$3
	work=$(mktemp -d /var/tmp/rf-podman.XXXXXX)
	net=rf-podman-$$
	exec </dev/null
	mkdir "$work/bin"
	printf '#!/bin/sh\nexec %s/ringfence --platform=%s --root=%s/state "$@"\n' "$build" "${PLATFORM:-systrap}" "$work" >"$work/bin/$runtime"
	chmod +x "$work/bin/$runtime"
	cat >"$work/containers.conf" <<-END
		[containers]
		default_sysctls = []
		${5:-}
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		infra_image = "localhost/rf-test"
		[network]
		network_backend = "netavark"
		network_config_dir = "$work/networks"
		default_subnet = "$4"
	END
	export CONTAINERS_CONF=$work/containers.conf
	ip netns add "$net" && ip -n "$net" link set lo up || exit 1
	trap podman_finish EXIT
}
p() {
	timeout --foreground -k 5 60 nsenter --net="/run/netns/$net" podman --root "$work/store" --runroot "$work/run" --tmpdir "$work/tmp" \
		--storage-driver "$driver" --runtime "$work/bin/$runtime" --log-level=error "$@"
}
podman_finish() {
	p pod rm -fa >/dev/null 2>&1
	p rm -fat 0 >/dev/null 2>&1
	sleep 0.3
	pgrep -f -- "--state=$work" && { echo "processes are left"; failed=1; }
	[ -z "$(ls "$work/state" 2>/dev/null)" ] || { echo "left in the state directory:"; ls "$work/state"; failed=1; }
	awk -v w="$work" 'index($2, w) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mount; do umount -l "$mount"; done
	ip netns del "$net"
	rm -rf "$work"
	exit $failed
}
