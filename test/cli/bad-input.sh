#!/bin/bash
# Bad input to the command: each case gives one line that names the operation, the object
# and the reason, exit status 1, and leaves no process, mount or file behind.
# Usage: bad-input.sh BUILD
set -u
rf=$1/ringfence
here=$(cd "$(dirname "$0")/.." && pwd)
root=${ROOT:-/var/cache/ringfence/debian}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
mounts=$(wc -l </proc/self/mountinfo)

# expect NAME PATTERN COMMAND…: status 1, one line on stderr that matches, nothing on stdout
expect() {
	local name=$1 pattern=$2 status lines
	shift 2
	timeout -k 5 60 "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
	lines=$(wc -l <"$work/err")
	if [ $status != 1 ] || [ "$lines" != 1 ] || ! grep -Eq "$pattern" "$work/err" || [ -s "$work/out" ]; then
		echo "$name: status $status, stdout $(wc -c <"$work/out") bytes, stderr ($lines lines, wanted one matching '$pattern'):"
		head -5 "$work/err"
		failed=1
	fi
}
bundle() { # NAME JQ-FILTER COMMAND…
	sh "$here/suite/bundle.sh" "$work/$1.tmp" "$root" "$work" "${@:3}"
	mkdir -p "$work/$1"
	jq "$2" "$work/$1.tmp/config.json" >"$work/$1/config.json"
	rm -r "$work/$1.tmp"
}
run() { echo "$rf" --platform=ptrace --network=none run -b "$work/$1" "bad-$$"; }

mkdir "$work/empty"
expect "no config.json" 'run: .*config.json.*No such file' $(run empty)
mkdir "$work/malformed" && printf '{"ociVersion": "1.0.2", "process": {' >"$work/malformed/config.json"
expect "truncated JSON" 'config.json' $(run malformed)
mkdir "$work/binary" && head -c 5000 /bin/true >"$work/binary/config.json"
expect "not JSON" 'config.json' $(run binary)
mkdir "$work/array" && echo '[1, 2]' >"$work/array/config.json"
expect "not an object" 'config.json' $(run array)
mkdir "$work/deep" && head -c 100000 /dev/zero | tr '\0' '[' >"$work/deep/config.json"
expect "nested without end" 'config.json' $(run deep)
bundle noargs 'del(.process.args)' /bin/true
expect "no process.args" 'process.args' $(run noargs)
bundle badargs '.process.args = "ls"' /bin/true
expect "process.args is no array" 'process.args' $(run badargs)
bundle noroot '.root.path = "/nonexistent/root"' /bin/true
expect "missing root" '/nonexistent/root.*No such file' $(run noroot)
bundle fileroot '.root.path = "/etc/passwd"' /bin/true
expect "root is a file" '/etc/passwd.*Not a directory' $(run fileroot)
bundle cwd '.process.cwd = "relative"' /bin/true
expect "relative cwd" 'cwd' $(run cwd)
bundle rlimit '.process.rlimits = [{type: "RLIMIT_BOGUS", soft: 1, hard: 1}]' /bin/true
expect "unknown rlimit" 'RLIMIT_BOGUS' $(run rlimit)
bundle cap '.process.capabilities.bounding = ["CAP_BOGUS"]' /bin/true
expect "unknown capability" 'CAP_BOGUS' $(run cap)
bundle mount '.mounts += [{destination: "/x", type: "bogusfs", source: "x"}]' /bin/true
expect "unknown file system" 'bogusfs' $(run mount)
bundle source '.mounts += [{destination: "/x", type: "bind", source: "/nonexistent/source", options: ["bind"]}]' /bin/true
expect "missing bind source" '/nonexistent/source' $(run source)
bundle program . no-such-program
expect "no such program" 'no-such-program.*not found' $(run program)
bundle directory . /etc
expect "the program is a directory" '/etc.*ermission denied' $(run directory)
bundle notexec . /etc/passwd
expect "the program is not executable" '/etc/passwd.*ermission denied' $(run notexec)

# Programs that cannot be loaded: in a directory bound to /mnt.
elf() { # NAME: the file is in $work/NAME.bin
	chmod +x "$work/$1.bin"
	bundle "$1" . "/mnt/$1.bin"
	expect "$1" "$1.bin.*([Ee]xec format error|[Ii]nvalid|[Nn]o such file|[Cc]annot access)" $(run "$1")
}
head -c 100 /bin/true >"$work/truncated-elf.bin"; elf truncated-elf
cp /bin/true "$work/other-machine.bin"; printf '\xb7' | dd of="$work/other-machine.bin" bs=1 seek=18 conv=notrunc status=none; elf other-machine
cp /bin/true "$work/wild-phoff.bin"; printf '\xff\xff\xff\xff\xff\xff\xff\x7f' | dd of="$work/wild-phoff.bin" bs=1 seek=32 conv=notrunc status=none; elf wild-phoff
: >"$work/empty-file.bin"; elf empty-file
printf '#!/no/such/interpreter\n' >"$work/bad-script.bin"; elf bad-script

expect "unknown command" 'bogus' "$rf" bogus
expect "unknown option" 'bogus' "$rf" --bogus run x
expect "unknown platform" 'bogus' "$rf" --platform=bogus do -- /bin/true
expect "unsupported network" 'network' "$rf" --network=bogus do -- /bin/true
expect "no command for do" 'do' "$rf" do
expect "bad container name" 'name|id|ID' "$rf" run -b "$work/noroot" 'a/b'

expect "a global option without its value" '^ringfence: --root: its value is missing$' "$rf" --root
expect "a bad value of a global option" '^ringfence: --debug: maybe: not true or false' "$rf" --debug=maybe list
# Of subcommands, in the words and the places of any message: engines read the log.
expect "a command's unknown option" '^ringfence: state: --bogus: no such option$' "$rf" --log="$work/log" state --bogus x
grep -q 'msg=".*--bogus: no such option' "$work/log" || { echo "not in the log: $(cat "$work/log")"; failed=1; }
expect "an unknown letter" '^ringfence: kill: -x: no such option$' "$rf" kill -ax one
expect "a missing value" '^ringfence: list: -f: its value is missing$' "$rf" list -f
expect "a flag's value" '^ringfence: kill: --all=x: takes no value$' "$rf" kill --all=x one
expect "an empty id" '^ringfence: state: container id cannot be empty$' "$rf" state ""
expect "a negative period" '^ringfence: update: --cpu-period: negative$' "$rf" update --cpu-period=-1 one
expect "negative shares" '^ringfence: update: --cpu-share: negative$' "$rf" update --cpu-share -1 one
bundle shares '.linux.resources.cpu.shares = -1' /bin/true
expect "negative shares in config.json" 'linux.resources.cpu.shares: negative' $(run shares)
bundle memory '.linux.resources.memory.limit = 2097152' /bin/true
expect "too little memory" 'linux.resources.memory.limit: too little' $(run memory)
bundle hostname '.hostname = "a" * 65' /bin/true
expect "a long hostname" 'hostname: longer than 64 characters' $(run hostname)
bundle emptyprogram '.process.args = [""]' /bin/true
expect "an empty program" 'exec: "": executable file not found in .PATH' $(run emptyprogram)

[ "$(wc -l </proc/self/mountinfo)" = "$mounts" ] || { echo "mounts were left behind"; failed=1; }
left=$(pgrep -f "bad-$$" || true)
[ -z "$left" ] || { echo "processes were left behind: $left"; failed=1; }
exit $failed
