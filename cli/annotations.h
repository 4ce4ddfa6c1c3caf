/* Annotations `dev.ringfence.flag.NAME` of a container: global options that it may only tighten. */
#ifndef CLI_ANNOTATIONS_H
#define CLI_ANNOTATIONS_H

#include "cli/container.h"
#include "cli/json.h"

/* Applies those of a container to the global options. 0, or 1 after a message with file, key and reason. */
int annotations_apply(const struct json *json, const struct container *container);
/*
 * A container that joins a pod's sandbox cannot change that one's platform and network: its annotations of them must be those
 * of the pod's first container, `first` (key, value...). 0, or 1 after a message.
 */
int annotations_check_joined(const struct container *container, const struct strings *first);

#endif
