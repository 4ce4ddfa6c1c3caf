/*
 * Events to containerd: a ttrpc client of its events service (TTRPC_ADDRESS).
 *
 * In order, each until it is acknowledged: a containerd that restarts gets what happened
 * meanwhile. The oldest is dropped when too many wait.
 */
#ifndef CLI_SHIM_EVENTS_H
#define CLI_SHIM_EVENTS_H

#include <stdbool.h>

#include "cli/shim/wire.h"

int events_init(const char *name_space, const char *address); /* 0 or -errno; address NULL: nobody listens */
/* `topic`: "/tasks/exit"; `type`: "containerd.events.TaskExit". */
void events_publish(const char *topic, const char *type, const ProtobufCMessage *event);
/* Calls `then` when nothing waits any more, after two seconds at the latest. */
void events_drain(void (*then)(void));

#endif
