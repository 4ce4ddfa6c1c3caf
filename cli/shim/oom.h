/*
 * Kills for lack of memory: it is the sandbox's kernel that does them, and tells so on its control channel
 * (platform/abi/control.h). Each becomes a TaskOOM for containerd, which Kubernetes' OOMKilled comes from.
 */
#ifndef CLI_SHIM_OOM_H
#define CLI_SHIM_OOM_H

#include "cli/shim/container.h"

/* The container runs: listens for it until oom_forget(). If the sandbox cannot be asked, a line in the log says so. */
void oom_watch(struct container *container);
/* What has come is told; then nothing is listened to. Before the container's end is told, and before it goes. */
void oom_forget(struct container *container);

#endif
