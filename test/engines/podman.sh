#!/bin/bash
# Podman with ringfence as its runtime, on a store of its own, with an image made of the test root. No control groups and
# no network, so that it also runs inside a container. Usage: podman.sh BUILD. Exit status 77: there is no podman.
set -u
command -v podman >/dev/null && command -v conmon >/dev/null || { echo "podman or conmon: not installed"; exit 77; }
build=$(cd "$1" && pwd)
debian=${ROOT:-/var/cache/ringfence/debian}
work=$(mktemp -d)
. "$(dirname "$0")/../check.sh"
# Podman 4.3 lets a runtime go without control groups by its name.
mkdir "$work/bin"
printf '#!/bin/sh\nexec %s/ringfence --platform=%s --root=%s/state "$@"\n' "$build" "${PLATFORM:-systrap}" "$work" >"$work/bin/crun"
chmod +x "$work/bin/crun"
printf '[containers]\ndefault_sysctls = []\n[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n' >"$work/containers.conf"
export CONTAINERS_CONF=$work/containers.conf
pod() {
	timeout --foreground -k 5 60 podman --root "$work/store" --runroot "$work/run" --tmpdir "$work/tmp" --storage-driver vfs \
		--runtime "$work/bin/crun" --log-level=error "$@"
}
trap 'pod rm -fa >/dev/null 2>&1; rm -rf "$work"' EXIT
run() { pod run --network=none --cgroups=disabled "$@"; }
exec </dev/null

tar -C "$debian" --exclude=./usr/share --exclude=./var/cache --exclude=./usr/lib/python3* -c . | pod import - rf-test >/dev/null 2>&1 ||
	{ echo "podman import failed"; exit 1; }
check "run" hello "$(run --rm rf-test echo hello)"
run --rm rf-test sh -c 'exit 3'; check "exit status" 3 $?
run --rm rf-test no-such-program 2>"$work/err"; check "no such program" 127 $?
grep -q "no-such-program.*not found" "$work/err" || { cat "$work/err"; failed=1; }
run --rm rf-test /etc 2>/dev/null; check "a directory as program" 126 $?
check "environment, directory, user, host name" "b /tmp 1000 hh" \
	"$(run --rm -e A=b -w /tmp -u 1000:1000 --hostname hh rf-test sh -c 'echo $A $PWD $(id -u) $(hostname)')"
mkdir "$work/data" && echo content >"$work/data/file"
check "a volume" content "$(run --rm -v "$work/data:/data:ro" rf-test cat /data/file)"
run --rm -v "$work/data:/data" rf-test sh -c 'echo new >/data/made'; check "a written volume" new "$(cat "$work/data/made")"
check "read-only" "Read-only file system" "$(run --rm --read-only --read-only-tmpfs=false rf-test touch /x 2>&1 | grep -o 'Read-only file system')"
check "standard input" data "$(echo data | run -i --rm rf-test cat)"
run -d --name box rf-test sh -c 'trap "exit 4" TERM; echo started; while :; do sleep 0.1; done' >/dev/null; check "detached" 0 $?
check "exec" "in 6" "$(pod exec box sh -c 'echo in; exit 6' | tr '\n' ' '; echo "${PIPESTATUS[0]}")"
check "exec of no program" 127 "$(pod exec box no-such-program 2>/dev/null; echo $?)"
for _ in $(seq 50); do [ -n "$(pod logs box)" ] && break; sleep 0.1; done
check "logs" started "$(pod logs box)"
check "running" running "$(pod inspect box --format '{{.State.Status}}')"
pod stop -t 10 box >/dev/null; check "stop" 0 $?
check "stopped by SIGTERM" "exited 4" "$(pod inspect box --format '{{.State.Status}} {{.State.ExitCode}}')"
pod start box >/dev/null; check "started again" 0 $?
pod kill box >/dev/null; check "kill" 0 $?
for _ in $(seq 50); do [ "$(pod inspect box --format '{{.State.Status}}')" = exited ] && break; sleep 0.1; done
check "killed" 137 "$(pod inspect box --format '{{.State.ExitCode}}')"
pod rm box >/dev/null; check "rm" 0 $?
cat >"$work/terminal.py" <<'END'
import os, pty, signal, sys
signal.alarm(60)
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
out = b""
try:
    while piece := os.read(fd, 1000):
        out += piece
except OSError:
    pass
print(out.decode().strip(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
check "a terminal" "/dev/pts/0 5" "$(python3 "$work/terminal.py" podman --root "$work/store" --runroot "$work/run" --tmpdir "$work/tmp" \
	--storage-driver vfs --runtime "$work/bin/crun" --log-level=error run --network=none --cgroups=disabled -it --rm rf-test sh -c 'tty; exit 5')"
pod rm -fa >/dev/null 2>&1
sleep 0.3
check "nothing is left" "" "$(ls "$work/state" 2>/dev/null)"
pgrep -f -- "--state=$work/state" && { echo "processes are left"; failed=1; }
exit $failed
