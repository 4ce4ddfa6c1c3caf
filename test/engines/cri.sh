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
check("memory in the statistics", True, runtime.memory(one) > 0)

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
