# Shared by the tests with real engines: a containerd of our own, and an image for it.
#
#   engine_setup BUILD [cri]   sets work, bin (the programs under test, first in containerd's PATH), builds the image
#   containerd_start / containerd_stop / containerd_kill
#   engine_finish          stops all, says what was left behind, ends with the test's status
#
# containerd_inside="nsenter …" puts the daemon somewhere else.
# RF_RUNTIME=/usr/bin/crun puts another runtime in ringfence's place, to tell the shim's faults from the runtime's.
image=docker.io/library/ringfence-test:1
pause_image=docker.io/library/ringfence-pause:1
. "$(dirname "${BASH_SOURCE[0]}")/../check.sh"
export RINGFENCE_PLATFORM=${PLATFORM:-systrap}

bad() { echo "FAIL $*"; failed=1; }
# is NAME WANTED GOT
is() {
	[ "$2" = "$3" ] && return
	bad "$1"
	printf '  wanted: %s\n  got:    %s\n' "$2" "$3"
}

# engine_setup BUILD [cri]: with containerd's Kubernetes plug-in too
engine_setup() {
	local disabled='"io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs", "io.containerd.internal.v1.opt"'
	[ "${2:-}" = cri ] || disabled="$disabled, \"io.containerd.grpc.v1.cri\""
	work=$(mktemp -d /tmp/rf-engine.XXXXXX)
	bin=$work/bin
	mkdir -p "$bin" "$work/root" "$work/state" "$work/logs"
	cp "$1/containerd-shim-ringfence-v1" "$1/ringfence" "$1/sentry.elf" "$bin" || exit 1
	[ -z "${RF_RUNTIME:-}" ] || ln -sf "$RF_RUNTIME" "$bin/ringfence"
	sockets_before=$(ls /run/containerd/s 2>/dev/null)
	image_build image $image '"Cmd":["/bin/sh"]'
	image_build pause $pause_image '"Cmd":["/bin/sleep","1000000"]'
	export CONTAINERD_ADDRESS=$work/containerd.sock
	cat >"$work/config.toml" <<-END
		version = 2
		root = "$work/root"
		state = "$work/state"
		disabled_plugins = [$disabled]
		[grpc]
		  address = "$CONTAINERD_ADDRESS"
		[debug]
		  level = "info"
		[plugins."io.containerd.grpc.v1.cri"]
		  sandbox_image = "$pause_image"
		  disable_tcp_service = true
		  restrict_oom_score_adj = true
		  [plugins."io.containerd.grpc.v1.cri".containerd]
		    snapshotter = "native"
		    default_runtime_name = "ringfence"
		    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.ringfence]
		      runtime_type = "io.containerd.ringfence.v1"
		      privileged_without_host_devices = true
	END
}

# image_build NAME REFERENCE CONFIG: an OCI image archive with busybox, $work/NAME.tar
image_build() {
	local top=$work/$1-image applet layer config manifest
	local r=$top/root b=$top/oci/blobs/sha256
	mkdir -p "$r"/{bin,proc,sys,dev,tmp,etc} "$b"
	cp /bin/busybox "$r/bin/" || exit 1
	for applet in sh ls cat sleep echo true false id env kill ps tty stty head seq grep mkdir touch dd wc yes hostname; do
		ln -s busybox "$r/bin/$applet"
	done
	echo root:x:0:0::/:/bin/sh >"$r/etc/passwd"
	tar -C "$r" -cf "$top/layer" .
	blob() { # FILE: its digest
		local digest
		digest=$(sha256sum "$1" | cut -d' ' -f1)
		cp "$1" "$b/$digest"
		echo "$digest"
	}
	layer=$(blob "$top/layer")
	printf '{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/bin"],%s},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
		"$3" "$layer" >"$top/config"
	config=$(blob "$top/config")
	printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:%s","size":%s}]}' \
		"$config" "$(stat -c %s "$top/config")" "$layer" "$(stat -c %s "$top/layer")" >"$top/manifest"
	manifest=$(blob "$top/manifest")
	printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%s,"annotations":{"io.containerd.image.name":"%s","org.opencontainers.image.ref.name":"1"}}]}' \
		"$manifest" "$(stat -c %s "$top/manifest")" "$2" >"$top/oci/index.json"
	echo '{"imageLayoutVersion":"1.0.0"}' >"$top/oci/oci-layout"
	tar -C "$top/oci" -cf "$work/$1.tar" .
	rm -rf "$top"
}

containerd_start() {
	# shellcheck disable=SC2086
	PATH=$bin:$PATH setsid ${containerd_inside:-} containerd -c "$work/config.toml" >>"$work/containerd.log" 2>&1 &
	containerd=$!
	until_ok 15 ctr version || { bad "containerd does not start"; tail -5 "$work/containerd.log"; exit 1; }
}
# The same with the images of CRI's pods.
cri_start() {
	local name

	containerd_start
	for name in image pause; do
		timeout 60 ctr -n k8s.io image import --snapshotter native "$work/$name.tar" >/dev/null || bad "image import"
	done
}
containerd_stop() {
	kill "$containerd"
	wait "$containerd" 2>/dev/null
}
containerd_kill() {
	kill -KILL "$containerd"
	wait "$containerd" 2>/dev/null
}

# Waits for the shims to go, then says what is left: processes, mounts, sockets.
left_behind() {
	local i what
	for i in $(seq 30); do
		what=$(
			grep -l -a "$work" /proc/[0-9]*/cmdline 2>/dev/null | while read -r f; do
				tr '\0' ' ' 2>/dev/null <"$f"
				echo
			done | grep -v -e " -c $work/config.toml" -e '^grep ' | grep .
			grep "$work" /proc/mounts
			ls /run/containerd/s 2>/dev/null | grep -v -x -F -e "${sockets_before:-none}"
		)
		[ -n "$what" ] || return 0
		sleep 0.2
	done
	bad "left behind:"
	echo "$what" | cut -c1-200
}

engine_finish() {
	local id
	left_behind
	containerd_stop
	[ $failed = 0 ] || { echo "containerd's log:"; grep -v level=info "$work/containerd.log" | tail -15 | cut -c1-400; }
	for id in $(awk -v w="$work" 'index($2, w) == 1 { print $2 }' /proc/mounts); do umount -l "$id"; done
	rm -rf "$work"
	exit $failed
}
