/*
 * What the shim has from a container's sandbox itself, by its control channel (platform/abi/control.h): kills for lack of memory,
 * which its kernel does (each becomes a TaskOOM for containerd, which Kubernetes' OOMKilled comes from), and the container's figures.
 */
#ifndef CLI_SHIM_SANDBOX_H
#define CLI_SHIM_SANDBOX_H

#include "cli/shim/container.h"
#include "platform/abi/control.h"

/* The container is created: listens for it until sandbox_forget(). If the sandbox cannot be asked, a line in the log says so. */
void sandbox_watch(struct container *container);
/*
 * What has come is told; then nothing is listened to, and who still waits for figures gets none. Before the container's end is
 * told, and before it goes.
 */
void sandbox_forget(struct container *container);

/* `done` gets the container's own figures, or NULL if the sandbox goes or refuses, and must end the call. False: it cannot be asked. */
bool sandbox_ask_stats(struct container *container, struct call *call,
	void (*done)(struct call *call, const struct control_stats *stats));

#endif
