#!/bin/sh
# Writes an OCI bundle for one command in the test root.
# Usage: bundle.sh DIR ROOT PROGRAMS COMMAND…   (PROGRAMS is bound to /mnt, the folder scripts/ to /srv, read-only)
set -eu
scripts=$(cd "$(dirname "$0")" && pwd)/scripts
dir=$1 root=$2 programs=$3
shift 3
mkdir -p "$dir"
jq -n --arg root "$root" --arg programs "$programs" --arg scripts "$scripts" '{
  ociVersion: "1.0.2",
  process: {
    terminal: false, user: {uid: 0, gid: 0}, cwd: "/", args: $ARGS.positional,
    env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=xterm", "LC_ALL=C.UTF-8",
      "PYTHONDONTWRITEBYTECODE=1"],
    capabilities: (["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
      "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL"] |
      {bounding: ., effective: ., permitted: .}),
    rlimits: [{type: "RLIMIT_NOFILE", hard: 4096, soft: 1024}, {type: "RLIMIT_CORE", hard: 0, soft: 0}],
    noNewPrivileges: true
  },
  root: {path: $root, readonly: true},
  hostname: "suite",
  mounts: [
    {destination: "/proc", type: "proc", source: "proc"},
    {destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "strictatime", "mode=755", "size=65536k"]},
    {destination: "/dev/pts", type: "devpts", source: "devpts", options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
    {destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
    {destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=1777"]},
    {destination: "/mnt", type: "bind", source: $programs, options: ["bind", "ro"]},
    {destination: "/srv", type: "bind", source: $scripts, options: ["bind", "ro"]}
  ],
  linux: {namespaces: [{type: "pid"}, {type: "ipc"}, {type: "uts"}, {type: "mount"}, {type: "network"}]}
}' --args -- "$@" > "$dir/config.json"
