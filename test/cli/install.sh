#!/bin/bash
# install and uninstall: Docker's and containerd's files are changed as wanted and not otherwise, and back again.
# Usage: install.sh BUILD
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rf=$1/ringfence
. "$(dirname "$0")/../check.sh"
refused() { # NAME PATTERN COMMAND…: status 1, a line that matches, and the files as they were
	local name=$1 pattern=$2 before
	shift 2
	before=$(cksum "$work"/*.json "$work"/*.toml 2>/dev/null)
	"$@" >"$work/out" 2>"$work/err"
	check "$name: exit status" 1 $?
	grep -Eq -- "$pattern" "$work/err" || { echo "$name: wanted '$pattern', got: $(cat "$work/err")"; failed=1; }
	check "$name: files" "$before" "$(cksum "$work"/*.json "$work"/*.toml 2>/dev/null)"
}
json=$work/daemon.json toml=$work/config.toml
docker="--docker-config=$json docker" containerd="--containerd-config=$toml containerd"

# Docker, of whatever version this test says
mkdir "$work/bin" && export PATH=$work/bin:$PATH
dockerd() {
	printf '#!/bin/sh\necho Docker version %s, build afdd53b\n' "$1" >"$work/bin/dockerd" && chmod +x "$work/bin/dockerd"
}
dockerd 20.10.24
cat >"$json" <<'END'
{"debug": true, "n": 12345678901234567890123, "f": 1.50, "runtimes": {"other": {"path": "/x", "runtimeArgs": ["a\"b", null]}}, "hosts": []}
END
chmod 640 "$json"
cp "$json" "$work/original"
$rf install --dry-run $docker >"$work/out"; check "dry run" 0 $?
cmp -s "$json" "$work/original" || { echo "dry run changed the file"; failed=1; }
sed 1d "$work/out" | jq -e .runtimes.ringfence.path >/dev/null || { echo "dry run shows: $(cat "$work/out")"; failed=1; }
$rf install $docker >/dev/null; check "install" 0 $?
check "the runtime" "$(readlink -f "$rf")" "$(jq -r .runtimes.ringfence.path "$json")"
check "all else as it was" "$(jq -S . "$work/original")" "$(jq -S 'del(.runtimes.ringfence)' "$json")"
grep -q 12345678901234567890123 "$json" && grep -q '1\.50' "$json" || { echo "numbers were changed: $(cat "$json")"; failed=1; }
check "rights" 640 "$(stat -c %a "$json")"
cmp -s "$json.before-ringfence" "$work/original" || { echo "no copy of the old file"; failed=1; }
check "again" "$json: nothing to do" "$($rf install $docker)"
$rf install --runtime=rf-two $docker >/dev/null
check "two names" "other ringfence rf-two" "$(jq -r '.runtimes | keys_unsorted | join(" ")' "$json")"
$rf uninstall --runtime=rf-two $docker >/dev/null
jq '. + {"default-runtime": "ringfence"}' "$json" >"$work/new" && cat "$work/new" >"$json"
refused "the default one" 'default-runtime: is ringfence' $rf uninstall $docker
jq 'del(."default-runtime")' "$json" >"$work/new" && cat "$work/new" >"$json"
$rf uninstall $docker >/dev/null; check "uninstall" 0 $?
check "as before" "$(jq -S . "$work/original")" "$(jq -S . "$json")"
check "again" "$json: nothing to do" "$($rf uninstall $docker)"
dockerd 24.0.7
$rf install $docker >/dev/null
check "a Docker that takes shims" '{"runtimeType":"io.containerd.ringfence.v1"}' "$(jq -c .runtimes.ringfence "$json")"
dockerd 20.10.24
$rf install $docker >/dev/null; check "and one that does not" '["path"]' "$(jq -c '.runtimes.ringfence | keys' "$json")"
echo '{"runtimes": []}' >"$json"
refused "runtimes of another type" 'runtimes: not an object' $rf install $docker
echo '{"debug": tru' >"$json"
refused "no JSON" "daemon.json: $json: " $rf install $docker
printf '{"a": "b\0"}' >"$json"
refused "a zero byte" 'zero byte' $rf install $docker
: >"$json"
$rf install $docker >/dev/null && $rf uninstall $docker >/dev/null; check "an empty file" '{}' "$(jq -c . "$json")"
rm "$json"
$rf install $docker >/dev/null; check "no file" '["ringfence"]' "$(jq -c '.runtimes | keys' "$json")"
mkdir "$work/dir.json"
refused "a directory" 'not a regular file' $rf install --docker-config="$work/dir.json" docker
rmdir "$work/dir.json"

# containerd
printf 'version = 2\n\n[plugins."io.containerd.grpc.v1.cri"] # with a comment\n  sandbox_image = "x"' >"$toml"
cp "$toml" "$work/original"
$rf install $containerd >/dev/null; check "install" 0 $?
check "the handler" '  runtime_type = "io.containerd.ringfence.v1"' "$(grep runtime_type "$toml")"
head -c "$(stat -c %s "$work/original")" "$toml" | cmp -s - "$work/original" || { echo "the rest was changed"; failed=1; }
check "again" "$toml: nothing to do" "$($rf install $containerd)"
$rf install --runtime=later $containerd >/dev/null
check "one at a time" "later" "$(sed -n 's/.*runtimes\.\([a-z]*\)\]/\1/p' "$toml")"
$rf uninstall $containerd >/dev/null
check "as before" "$(cat "$work/original")" "$(cat "$toml")"
printf "version = 3\n" >"$toml"
$rf install $containerd >/dev/null
grep -q "^\[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.ringfence\]" "$toml" || { echo "version 3: $(cat "$toml")"; failed=1; }
printf 'version = 2\n[plugins . "io.containerd.grpc.v1.cri".containerd.runtimes . ringfence]\n' >"$toml"
refused "somebody else's" 'line 2: a runtime ringfence that ringfence install did not make' $rf install $containerd
printf 'version = 2\n[plugins."io.containerd.grpc.v1.cri".containerd]\nruntimes = {}\n' >"$toml"
refused "in braces" 'line 3: runtimes in braces' $rf install $containerd
printf 'version = 2\nx = """\n# ringfence: begin\n"""\n' >"$toml"
refused "long strings" 'line 2: a string over several lines' $rf install $containerd
printf 'version = 9\n' >"$toml"
refused "an unknown version" 'line 1: version 9 of the file' $rf install $containerd
printf '[plugins]\n' >"$toml"
refused "no version" 'no version is given' $rf install $containerd
printf 'version = 2\n# ringfence: begin (made by ringfence install)\n' >"$toml"
refused "half of ours" 'its end is not' $rf install $containerd
if command -v containerd >/dev/null; then
	containerd config default >"$toml"
	$rf install $containerd >/dev/null
	check "containerd reads it" '"io.containerd.ringfence.v1"' \
		"$(containerd --config "$toml" config dump | sed -n '/runtimes.ringfence\]/,/options/s/.*runtime_type = //p')"
fi
refused "a name" '--runtime: a b: small letters' $rf install --runtime='a b' $docker
refused "an engine" 'podman: no such engine' $rf install podman
check "nothing beside them" "" "$(ls "$work" | grep -E 'ringfence-[0-9]')"
exit $failed
