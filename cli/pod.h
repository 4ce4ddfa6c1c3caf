/*
 * Pods: a container whose annotations name another one's sandbox runs in that one, with a
 * root, a gofer, processes and a mount namespace of its own (Kubernetes' CRI, CRI-O).
 *
 * Its face on the host is a process of this command, its *proxy*: the proxy's number is the
 * container's pid, signals that it gets go to the container's first process, and it ends with
 * that one's status. The gofer is the proxy's child.
 */
#ifndef CLI_POD_H
#define CLI_POD_H

#include "cli/launch.h"
#include "cli/state.h"

/*
 * The ID of the first container of the sandbox that it belongs to: by the annotations, or because its network is that of
 * a container's process (/proc/PID/ns/net, as Docker and Podman say --network=container:NAME). NULL: one of its own.
 */
const char *pod_of(const struct container *container);
/* May it run there: else 1, after a message. Fills state->sandbox. */
int pod_check(struct state *state, const struct container *container, const char *pod);
/* Starts the proxy, and returns when the container is created there: as sandbox_launch(). */
int pod_launch(struct sandbox *proxy, struct state *state, struct container *container,
	const struct launch_options *options);
/* Nothing of it is left in its sandbox, if that still runs. */
void pod_forget(const struct state *state);

#endif
