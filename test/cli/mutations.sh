#!/bin/bash
# A config.json with every field missing, of another type, huge, negative or doubled: made mechanically from one that has
# them all. Each must run, or be refused with status 1 and one line that names the file; nothing may crash, hang or be
# left behind. What is accepted for the type of each field is settled by the specification's own tests (test/oci).
# Usage: mutations.sh BUILD [EVERY]: only each EVERY-th of them (default 29; 1: all)
set -u
rf=$1/ringfence every=${2:-29}
here=$(cd "$(dirname "$0")/.." && pwd)
debian=${ROOT:-/var/cache/ringfence/debian}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 count=0 refused=0
mkdir -p "$work/b"
sh "$here/suite/bundle.sh" "$work/base" "$debian" "$work" /bin/true
# A bundle that sets as much as works here.
jq '.annotations = {a: "b"} | .domainname = "d" |
	.process.consoleSize = {height: 20, width: 30} | .process.user = {uid: 0, gid: 0, umask: 18, additionalGids: [5]} |
	.process.oomScoreAdj = 10 | .process.scheduler = {policy: "SCHED_OTHER", nice: 1} |
	.process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 4} |
	.hooks = {createRuntime: [{path: "/bin/true", args: ["true"], env: ["A=b"], timeout: 5}],
		startContainer: [{path: "/bin/true", args: ["true"], env: ["A=b"], timeout: 5}]} |
	.linux.devices = [{path: "/dev/extra", type: "c", major: 1, minor: 5, fileMode: 438, uid: 0, gid: 0}] |
	.linux.sysctl = {"kernel.msgmax": "9000"} | .linux.maskedPaths = ["/proc/kcore"] | .linux.readonlyPaths = ["/proc/sys"] |
	.linux.personality = {domain: "LINUX"} | .linux.rootfsPropagation = "rprivate" |
	.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 0, size: 70000}] |
	.linux.gidMappings = .linux.uidMappings |
	.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"], flags: ["SECCOMP_FILTER_FLAG_LOG"],
		syscalls: [{names: ["sync"], action: "SCMP_ACT_ERRNO", errnoRet: 5, args: [{index: 0, value: 7, valueTwo: 0, op: "SCMP_CMP_EQ"}]}]} |
	.linux.resources = {devices: [{allow: false, access: "rwm"}], memory: {limit: 200000000}, pids: {limit: 100}}' \
	"$work/base/config.json" >"$work/all.json"

# try NAME: runs the bundle; it must end well or say what is wrong
try() {
	local status lines
	timeout -k 5 60 "$rf" --platform="${PLATFORM:-ptrace}" --network=none --root="$work/root" run -b "$work/b" "m$count" \
		>"$work/out" 2>"$work/err" </dev/null
	status=$?
	lines=$(grep -vc 'warning: ' "$work/err")
	case $status in
	0) ;;
	1)
		refused=$((refused + 1))
		[ "$lines" -ge 1 ] && [ "$lines" -le 2 ] || { echo "$1: refused with $lines lines: $(head -3 "$work/err")"; failed=1; }
		;;
	*) echo "$1: status $status: $(head -3 "$work/err")"; failed=1 ;;
	esac
	[ -z "$(ls -I kvm-self-test "$work/root")" ] || { echo "$1: left: $(ls -I kvm-self-test "$work/root")"; failed=1; rm -rf "$work/root"/m*; }
}

cp "$work/all.json" "$work/b/config.json"
try "the whole one"
[ ! -s "$work/err" ] || { cat "$work/err"; failed=1; }
jq -c 'paths' "$work/all.json" >"$work/paths"
while IFS= read -r path; do
	for change in 'delpaths([$p])' 'setpath($p; null)' 'setpath($p; 7)' 'setpath($p; -1)' 'setpath($p; 1e300)' 'setpath($p; 18446744073709551616)' \
		'setpath($p; "text")' 'setpath($p; "")' 'setpath($p; "x" * 100000)' 'setpath($p; [])' 'setpath($p; {})' 'setpath($p; true)' \
		'setpath($p; [[[[1]]]])' 'setpath($p; {a: {b: null}})' 'setpath($p; "../../..")' 'setpath($p; "\u0001\n%s%n")' \
		'if ($p | length) > 1 and ($p[-1] | type) == "number" then setpath($p[:-1]; getpath($p[:-1]) * 1 + getpath($p[:-1])) else . end'; do
		count=$((count + 1))
		[ $((count % every)) = 0 ] || continue
		jq --argjson p "$path" "$change" "$work/all.json" >"$work/b/config.json" 2>/dev/null || continue
		try "$change of $path"
	done
done <"$work/paths"
[ $refused -gt 20 ] || { echo "only $refused were refused"; failed=1; }
echo "$count changes, each $every-th tried, $refused refused"
exit $failed
