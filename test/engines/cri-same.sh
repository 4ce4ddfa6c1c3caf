#!/bin/bash
# Kubernetes' securityContext and resources by containerd's CRI plug-in, each with runc and with ringfence: what the container
# sees, its exit code and the reason that the status gives. Usage: cri-same.sh BUILD
set -u
cd "$(dirname "$0")" || exit 1
. ./lib.sh
engine_setup "$1" cri
cat >>"$work/config.toml" <<-END
	    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
	      runtime_type = "io.containerd.runc.v2"
END
cri_start
timeout -k 5 200 /usr/bin/python3 - "$CONTAINERD_ADDRESS" "$work" "$image" <<'END' || bad "the client failed"
import sys
import time

sys.path.insert(0, ".")
from cri import Checks, Runtime, decode

socket, work, image = sys.argv[1:]
runtime = Runtime(socket)
check = Checks()
IDS = "id; grep -E 'Groups|NoNewPrivs|Seccomp:' /proc/self/status"


def number(n):
    return [(1, n)]


# What, the script, the security context, resources
CASES = [
    ("user", IDS, [(5, number(1000))], []),
    ("user and group", IDS, [(5, number(1000)), (12, number(2000))], []),
    ("supplemental groups", IDS, [(5, number(1000)), (8, 4000), (8, 3000)], []),
    ("seccomp of the runtime", IDS + "; unshare -U true; echo $?", [(15, [(1, 0)])], []),
    ("seccomp off", IDS, [(15, [(1, 1)])], []),
    ("no new privileges", IDS, [(11, 1)], []),
    ("a read-only root", "touch /x; echo $?; touch /tmp/x; echo $?; touch /dev/shm/x; echo $?", [(7, 1)], []),
    ("capabilities", "grep Cap /proc/self/status", [(1, [(1, "NET_ADMIN"), (2, "CHOWN"), (2, "KILL")])], []),
    ("no capabilities", "grep Cap /proc/self/status", [(1, [(2, "ALL")])], []),
    ("masked and read-only paths", "cat /etc/passwd; touch /tmp/x; echo $?", [(13, "/etc/passwd"), (14, "/tmp")], []),
    ("priority of OOM", "cat /proc/self/oom_score_adj", [], [(5, 777)]),
    ("sysctls of the pod", "cat /proc/sys/kernel/msgmax", [], []),
    ("exit code", "exit 42", [], []),
    ("a signal", "kill -9 $$", [], []),
    ("out of memory", "yes | dd of=/dev/null bs=200M count=1 iflag=fullblock", [], [(4, 48 << 20)]),
]


def run(handler, name, script, security, resources):
    config = runtime.pod_config("pod-%s-%d" % (handler, hash(name) & 0xffffff), work + "/logs")
    config = [item for item in config if item[0] != 2]  # runc gives a pod in the node's network no name of its own
    if name.startswith("sysctls"):
        linux = config.pop()
        config.append((8, linux[1] + [(3, [(1, "kernel.msgmax"), (2, "9999")])]))
    pod = runtime.run_pod(config, handler)
    container = runtime.create(pod, config, "c", image, ["sh", "-c", "exec 2>&1; " + script],
        more=[(15, [(1, resources), (2, security)])])
    runtime.start(container)
    end = time.time() + 20
    while runtime.status(container)[0] != 2 and time.time() < end:
        time.sleep(0.1)
    status = decode(runtime.call("ContainerStatus", [(1, container)])[1][0])
    lines = [line.split(" ", 3)[3] for line in open(work + "/logs/c.log")]
    open(work + "/logs/c.log", "w").close()
    runtime.call("StopPodSandbox", [(1, pod)])
    runtime.call("RemovePodSandbox", [(1, pod)])
    return lines, status.get(3), status.get(7), status.get(10)


for case in CASES:
    results = []
    for handler in ("runc", "ringfence"):
        try:
            results.append(run(handler, *case))
        except Exception as error:
            results.append(str(error))
    check(case[0], *results)

# Of a container that runs: its limits change
config = runtime.pod_config("pod-update", work + "/logs")
pod = runtime.run_pod(config, "ringfence")
container = runtime.create(pod, config, "c", image, ["sh", "-c", "while :; do :; done"])
runtime.start(container)
runtime.call("UpdateContainerResources", [(1, container), (2, [(4, 32 << 20)])])
check("more than the new limit", 137, runtime.exec(container, ["sh", "-c", "yes | dd of=/dev/null bs=200M count=1 iflag=fullblock"])[2])
check("it goes on", 1, runtime.status(container)[0])
runtime.call("StopPodSandbox", [(1, pod)])
runtime.call("RemovePodSandbox", [(1, pod)])
sys.exit(check.failed)
END
engine_finish
