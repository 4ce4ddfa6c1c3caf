/*
 * The ids of a container with a user namespace (user_namespaces(7)). Inside the sandbox ids are the container's own
 * everywhere; the gofer translates those of files. What is left to do here: refuse ids that are in no mapping, give an
 * owner outside of them no privilege, and show the mappings. Without mappings every id is valid.
 */
#ifndef KERNEL_IDMAP_H
#define KERNEL_IDMAP_H

#include <stdbool.h>
#include <stdint.h>

#define ID_NONE UINT32_MAX  /* the owner of a file who is in no mapping, as the gofer tells it */
#define ID_OVERFLOW 65534u  /* what programs see then */

struct container;

/* Whether the current task's container has the id; ID_NONE is never one. */
bool uid_is_mapped(uint32_t uid);
bool gid_is_mapped(uint32_t gid);
bool idmap_is_used(const struct container *c); /* it has a user namespace of its own */

static inline uint32_t id_shown(uint32_t id)
{
	return id == ID_NONE ? ID_OVERFLOW : id;
}

#endif
