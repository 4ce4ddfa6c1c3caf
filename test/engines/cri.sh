#!/bin/bash
# Kubernetes' way into containerd: pods with the runtime handler "ringfence", two containers in
# one sandbox, exec, logs, statistics, a restart, the end of one that leaves the other alone.
# Usage: cri.sh BUILD
set -u
cd "$(dirname "$0")" || exit 1
. ./lib.sh
engine_setup "$1" cri
cri_start
timeout -k 5 100 /usr/bin/python3 - "$CONTAINERD_ADDRESS" "$work" "$image" <<'END' || bad "the client failed"
import subprocess
import sys
import time

sys.path.insert(0, ".")
from cri import Checks, Runtime

socket, work, image = sys.argv[1:]
runtime = Runtime(socket)
check = Checks()


def wait(what, wanted, probe, seconds=15):
    end = time.time() + seconds
    while probe() != wanted and time.time() < end:
        time.sleep(0.1)
    check(what, wanted, probe())


config = runtime.pod_config("pod-one", work + "/logs")
pod = runtime.run_pod(config, "ringfence")
one = runtime.create(pod, config, "one", image, ["sh", "-c", "echo hello from one; echo x >/tmp/mine; exec sleep 1000"])
two = runtime.create(pod, config, "two", image, ["sh", "-c", "echo hello from two; exec sleep 1000"],
    more=[(15, [(2, [(3, [(1, 2), (2, 1)])])])])  # with processes of its own; "one" shares the pod's
for container in (one, two):
    runtime.start(container)
    check("state after start", (1, 0), runtime.status(container))
shims = subprocess.run(["pgrep", "-fc", work + "/bin/containerd-shim"], capture_output=True).stdout.split()[0]
check("one shim a pod", b"1", shims)

check("exec", ("out\n", "err\n", 4), runtime.exec(one, ["sh", "-c", "echo out; echo err >&2; exit 4"]))
check("a root of its own", 0, runtime.exec(one, ["ls", "/tmp/mine"])[2])
check("a root of its own", 1, runtime.exec(two, ["ls", "/tmp/mine"])[2])
check("the pod's processes", True, "sleep 1000000" in runtime.exec(one, ["ps"])[0])
check("processes of its own", False, "sleep 1000000" in runtime.exec(two, ["ps"])[0])
check("the pod's host name", "pod-one\n", runtime.exec(two, ["hostname"])[0])
wait("log", True, lambda: "hello from one" in open(work + "/logs/one.log").read())

# containerd's streaming server: kubectl exec and attach
stream = runtime.stream_exec(one, ["sh", "-c", "echo out; echo err >&2; exit 4"])
got = stream.rest()
check("a stream of exec", (b"out\n", b"err\n", True), (got.get(1), got.get(2), b'"message":"4"' in got.get(3, b"")))
stream = runtime.stream_exec(one, ["sh"], tty=True, stdin=True)
stream.send(4, b'{"Width":91,"Height":17}')
stream.until(b"# ")
stream.send(0, b"stty size; tty\n")
out = stream.until(b"/dev/pts/")
check("a terminal by stream", True, b"17 91" in out)
stream.send(0, b"exit 3\n")
check("its end", True, b'"message":"3"' in stream.rest().get(3, b""))
typed = runtime.create(pod, config, "typed", image, ["sh", "-c", "while read line; do echo got $line; done"], more=[(12, 1)])
runtime.start(typed)
stream = runtime.stream_attach(typed)
stream.send(0, b"words\n")
check("attach", b"got words\n", stream.until(b"words\n"))
runtime.call("StopContainer", [(1, typed), (2, 0)])
check("its end", {}, {channel: data for channel, data in stream.rest().items() if channel in (1, 2)})

# Each container's own figures, though they share the sandbox's processes
before = {container: runtime.stats(container) for container in (one, two)}
runtime.exec(two, ["sh", "-c", "i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done"])
after = runtime.all_stats()
check("CPU of who worked", True, after[two][0] - before[two][0] > 50_000_000)
check("CPU of who did not", True, after[one][0] - before[one][0] < 20_000_000)
big = runtime.create(pod, config, "big", image, ["sh", "-c", "dd if=/dev/zero of=/dev/null bs=40M count=1000000"],
    more=[(15, [(1, [(4, 96 << 20)])])])
runtime.start(big)
wait("memory of who has it", True, lambda: runtime.stats(big)[3] > 40 << 20)
check("the rest of its limit", True, 0 < runtime.stats(big)[2] < 56 << 20)
check("memory of the others", [True, True], [0 < runtime.stats(container)[1] < 4 << 20 for container in (one, two)])
check("without a limit", 0, runtime.stats(one)[2])
runtime.call("StopContainer", [(1, big), (2, 0)])

runtime.call("StopContainer", [(1, one), (2, 1)])
wait("state after stop", (2, 143), lambda: runtime.status(one))
check("the other one goes on", (1, 0), runtime.status(two))
check("exec in the other one", ("alive\n", "", 0), runtime.exec(two, ["echo", "alive"]))
runtime.call("RemoveContainer", [(1, one)])
again = runtime.create(pod, config, "again", image, ["sh", "-c", "exit 3"])
runtime.start(again)
wait("status of a container that ended itself", (2, 3), lambda: runtime.status(again))
runtime.call("StopPodSandbox", [(1, pod)])
wait("state after the pod's stop", (2, 137), lambda: runtime.status(two))
runtime.call("RemovePodSandbox", [(1, pod)])
sys.exit(check.failed)
END
engine_finish
