#!/bin/bash
# containerd's own runc shim with ringfence as its binary: a containerd of its own, the native snapshotter, an image made
# of the test root. Usage: containerd.sh BUILD. Exit status 77: there is no containerd.
set -u
command -v containerd >/dev/null && command -v ctr >/dev/null || { echo "containerd or ctr: not installed"; exit 77; }
build=$(cd "$1" && pwd)
debian=${ROOT:-/var/cache/ringfence/debian}
work=$(mktemp -d)
. "$(dirname "$0")/../check.sh"
printf '#!/bin/sh\nexec %s/ringfence --platform=%s "$@"\n' "$build" "${PLATFORM:-systrap}" >"$work/ringfence"
chmod +x "$work/ringfence"
cat >"$work/config.toml" <<END
version = 2
root = "$work/root"
state = "$work/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
[grpc]
  address = "$work/sock"
[ttrpc]
  address = "$work/sock.ttrpc"
END
start_engine() {
	containerd -c "$work/config.toml" >>"$work/log" 2>&1 & engine=$!
	for _ in $(seq 100); do ctr -a "$work/sock" version >/dev/null 2>&1 && return; sleep 0.1; done
	echo "containerd does not start:"; tail -3 "$work/log"; exit 1
}
c() { timeout --foreground -k 5 60 ctr -a "$work/sock" -n "$space" "$@"; }
space=rf-test-$$
trap 'for i in $(c task ls -q); do c task rm -f "$i"; done >/dev/null 2>&1; kill $engine; wait $engine 2>/dev/null
	rm -rf "$work" "/run/containerd/runc/$space"' EXIT
exec </dev/null
start_engine

# An image of one layer, by hand: podman and docker are not needed.
mkdir "$work/image"
tar -C "$debian" --exclude=./usr/share --exclude=./var/cache --exclude=./usr/lib/python3* -cf "$work/image/layer.tar" .
sum=$(sha256sum "$work/image/layer.tar" | cut -d' ' -f1)
jq -n --arg sum "sha256:$sum" '{architecture: "amd64", os: "linux", config: {Env: ["PATH=/usr/bin:/bin"]},
	rootfs: {type: "layers", diff_ids: [$sum]}}' >"$work/image/config.json"
echo '[{"Config": "config.json", "RepoTags": ["localhost/rf:latest"], "Layers": ["layer.tar"]}]' >"$work/image/manifest.json"
tar -C "$work/image" -cf "$work/image.tar" manifest.json config.json layer.tar
c image import --snapshotter native "$work/image.tar" >/dev/null || exit 1
run() { c run --runc-binary "$work/ringfence" --snapshotter native "$@"; }
image=localhost/rf:latest

check "run" hello "$(run --rm $image one echo hello)"
run --rm $image two sh -c 'exit 3'; check "exit status" 3 $?
check "no such program" 1 "$(run --rm $image three no-such-program 2>&1 | grep -c 'OCI runtime create failed: .*executable file not found in \$PATH')"
check "the default seccomp profile" 2 "$(run --rm --seccomp $image four sed -n 's/^Seccomp:.//p' /proc/self/status)"
run -d $image box sh -c 'trap "exit 4" TERM; while :; do sleep 0.1; done'; check "detached" 0 $?
check "task" RUNNING "$(c task ls | awk '$1 == "box" { print $3 }')"
check "exec" "in 6" "$(c task exec --exec-id e1 box sh -c 'echo in; exit 6' | tr '\n' ' '; echo "${PIPESTATUS[0]}")"
check "ps" 1 "$(c task ps box | grep -c '^[0-9]')"
c task pause box; check "paused" PAUSED "$(c task ls | awk '$1 == "box" { print $3 }')"
c task resume box; check "resumed" RUNNING "$(c task ls | awk '$1 == "box" { print $3 }')"
check "metrics" 1 "$(c task metrics box | grep -c '^memory.usage_in_bytes\|^memory.usage ')"
kill $engine; wait $engine 2>/dev/null
start_engine
check "after containerd's restart" RUNNING "$(c task ls | awk '$1 == "box" { print $3 }')"
c task kill -s TERM box; check "kill" 0 $?
for _ in $(seq 50); do [ "$(c task ls | awk '$1 == "box" { print $3 }')" = STOPPED ] && break; sleep 0.1; done
check "its exit status" 1 "$(c task rm box 2>&1 | grep -c 'exit code 4')"
c container rm box
for i in 1 2 3 4 5; do run --rm $image many$i true & pids[i]=$!; done
for i in 1 2 3 4 5; do wait ${pids[i]}; check "five at once" 0 $?; done
check "nothing is left" "" "$(ls "/run/containerd/runc/$space" 2>/dev/null)"
pgrep -f -- "--state=/run/containerd/runc/$space" && { echo "processes are left"; failed=1; }
exit $failed
