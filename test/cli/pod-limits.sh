#!/bin/bash
# A container of a pod with a memory limit of its own: who goes over it is killed, and nobody else; pages that a fork
# shares count once; the limit can be changed. Usage: pod-limits.sh BUILD
set -u
. "$(dirname "$0")/../begin.sh" "$1"
rf="$rf --network=none --cgroup-manager=disabled"
trap '$rf delete --force app 2>/dev/null; $rf delete --force pod 2>/dev/null; rm -rf "$work"' EXIT
bundle() { # NAME TYPE MEMORY COMMAND…
	sh "$here/suite/bundle.sh" "$work/base" "$debian" "$work" "${@:4}"
	mkdir -p "$work/$1"
	jq --arg type "$2" --argjson memory "$3" '.annotations = {"io.kubernetes.cri.container-type": $type, "io.kubernetes.cri.sandbox-id": "pod"} |
		.linux.resources.memory.limit = $memory | (.mounts[] | select(.destination == "/mnt")).options = ["bind", "rw"]' \
		"$work/base/config.json" >"$work/$1/config.json"
}
# Takes MB megabytes, touches them, forks, and says that it is alive.
cat >"$work/take.py" <<'END'
import os, sys
b = bytearray(int(sys.argv[1]) << 20)
for i in range(0, len(b), 4096): b[i] = 1
pid = os.fork()
if pid == 0:
    os._exit(sum(b[i] for i in range(0, len(b), 1 << 20)) != int(sys.argv[1]))
print("took", sys.argv[1], os.waitpid(pid, 0)[1], flush=True)
END
bundle pod sandbox 800000000 sleep 1000
bundle app container 80000000 sleep 1000
$rf create -b "$work/pod" pod </dev/null >"$work/out" 2>&1 && $rf start pod || { cat "$work/out"; exit 1; }
$rf create -b "$work/app" app </dev/null >"$work/out" 2>&1 && $rf start app || { cat "$work/out"; exit 1; }
check "below the limit, shared by a fork" "took 50 0" "$($rf exec app python3 /mnt/take.py 50 2>&1)"
$rf exec app python3 /mnt/take.py 120 >"$work/out" 2>&1; check "above the limit" 137 $?
check "the container goes on" running "$($rf state app | jq -r .status)"
check "OOM kills counted" 1 "$($rf events --stats app | jq .data.memory.usage.failcnt)"
cp "$work/take.py" "$work/pod/"
check "the pod's other container has no such limit" "took 120 0" "$($rf exec pod python3 /mnt/take.py 120 2>&1)"
$rf update --memory 300M app || failed=1
check "with a higher limit" "took 120 0" "$($rf exec app python3 /mnt/take.py 120 2>&1)"
$rf update --memory 40M app || failed=1
$rf exec app python3 /mnt/take.py 50 >"$work/out" 2>&1; check "with a lower limit" 137 $?
# A share of the CPUs of its own, kept inside, and shown.
$rf update --cpu-quota 20000 --cpu-period 100000 app || failed=1
used=$($rf exec app python3 -c 'import time
before = time.process_time(); end = time.monotonic() + 1
while time.monotonic() < end: pass
print(0.05 < time.process_time() - before < 0.45)' 2>&1)
check "a quota of one container" True "$used"
$rf delete --force app
# Its first process alone: the container ends.
bundle app container 40000000 python3 /mnt/take.py 100
$rf create -b "$work/app" app </dev/null >"$work/out" 2>&1 && $rf start app || { cat "$work/out"; exit 1; }
for _ in $(seq 100); do [ "$($rf state app | jq -r .status)" = stopped ] && break; sleep 0.1; done
check "a first process above the limit" stopped "$($rf state app | jq -r .status)"
check "and the pod goes on" running "$($rf state pod | jq -r .status)"
exit $failed
