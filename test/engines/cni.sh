#!/bin/bash
# Kubernetes' network: containerd's CRI with Debian's CNI plug-ins (bridge, host-local, portmap, loopback), in a network
# namespace of its own. Pods get addresses, see them with ip, reach each other and the node, are reached by a port of the
# node; when they have gone nothing of their network is left. Usage: cni.sh BUILD
set -u
cd "$(dirname "$0")" || exit 1
. ./lib.sh
net=rf-cni-$$
ip netns add "$net" && ip -n "$net" link set lo up || exit 1
containerd_inside="nsenter --net=/run/netns/$net"
trap 'ip netns del "$net"' EXIT
engine_setup "$1" cri
mkdir "$work/cni"
cat >>"$work/config.toml" <<END
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$work/cni"
END
cat >"$work/cni/10-rf.conflist" <<END
{"cniVersion": "0.4.0", "name": "rf", "plugins": [
  {"type": "bridge", "bridge": "rf0", "isGateway": true, "ipMasq": true, "ipam": {"type": "host-local", "dataDir": "$work/addresses",
    "ranges": [[{"subnet": "10.89.1.0/24"}], [{"subnet": "fd89::/64"}]], "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
END
cri_start
timeout -k 5 100 /usr/bin/python3 - "$CONTAINERD_ADDRESS" "$work" "$image" "$net" "${ROOT:-/var/cache/ringfence/debian}" <<'END' || bad "the client failed"
import subprocess
import sys
import time

sys.path.insert(0, ".")
from cri import Checks, Runtime

socket, work, image, net, root = sys.argv[1:]
runtime = Runtime(socket)
check = Checks()


def on_node(*command):
    return subprocess.run(["nsenter", "--net=/run/netns/" + net, *command], capture_output=True, text=True).stdout


# The test root's Python, as a static busybox cannot look addresses up.
mounts = [(7, [(1, "/" + to), (2, root + "/usr" + at), (3, True)]) for to, at in (("usr", ""), ("lib", "/lib"), ("lib64", "/lib64"))]
FETCH = "import sys, urllib.request as u; sys.stdout.write(u.urlopen(sys.argv[1], timeout=10).read().decode())"


def pod(name, command, **more):
    config = runtime.pod_config(name, work + "/logs", network=0, **more)
    pod = runtime.run_pod(config, "ringfence")
    container = runtime.create(pod, config, name, image, ["sh", "-c", command], more=mounts)
    runtime.start(container)
    return pod, container, runtime.pod_address(pod)


def inside(container, command):
    out, err, status = runtime.exec(container, ["sh", "-c", command])
    return out + err + ("" if status == 0 else "status %d" % status)


server, served, address = pod("server", "echo served >/tmp/index.html; cd /tmp; exec /usr/bin/python3 -m http.server 8000", ports=[(8000, 8080)])
client, asker, other = pod("client", "exec sleep 1000")
check("addresses", ["10.89.1.2", "10.89.1.3"], [address, other])
check("ip addr", "10.89.1.3/24", inside(asker, "busybox ip -4 -o addr show dev eth0 | busybox awk '{ print $4 }'").strip())
check("ip route", "10.89.1.1", inside(asker, "busybox ip route | busybox awk '/^default/ { print $3 }'").strip())
page = "http://%s:8000/index.html"
fetch = ["/usr/bin/python3", "-c", FETCH, page % "10.89.1.2"]
for i in range(50):
    if runtime.exec(asker, fetch)[0] == "served\n":
        break
    time.sleep(0.2)
check("one pod asks another", ("served\n", "", 0), runtime.exec(asker, fetch))
for what, target in (("the node", "10.89.1.1"), ("another pod", address), ("another pod by IPv6", "fd89::2")):
    check("ping of " + what, True, "1 packets received" in inside(asker, "busybox ping -c 1 -W 5 " + target))
check("the node asks a pod", "served\n", on_node("python3", "-c", FETCH, page % address))
check("the node's port", "served\n", on_node("python3", "-c", FETCH, "http://10.89.1.1:8080/index.html"))
for each in (server, client):
    runtime.call("StopPodSandbox", [(1, each)])
    runtime.call("RemovePodSandbox", [(1, each)])
check("addresses in use", "", subprocess.run("ls %s/addresses/rf | grep ^10" % work, shell=True, capture_output=True, text=True).stdout)
check("links on the bridge", "", on_node("ip", "-o", "link", "show", "master", "rf0"))
check("rules for pods", "", "".join(line for line in on_node("iptables-save").splitlines(True) if "10.89.1.2" in line))
sys.exit(check.failed)
END
engine_finish
