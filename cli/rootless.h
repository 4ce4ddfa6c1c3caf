/*
 * Running as an ordinary user (user_namespaces(7)): the command enters a user namespace in which it is root, and all that
 * follows is done there as for root. The container's ids are then those of that namespace, see rootless_map_ids().
 *
 * Order of use: rootless_enter() before any of the container's files is opened; the rest is done through it.
 */
#ifndef CLI_ROOTLESS_H
#define CLI_ROOTLESS_H

#include <stdbool.h>

#include "cli/container.h"

/* --rootless=true, or auto and an ordinary user or a user namespace: what such a user may not do is then not asked for. */
bool rootless_is(void);
/*
 * An ordinary user becomes root of a user and a mount namespace of its own, which knows the host's ids that the container's
 * mappings name. With ids other than the user's by newuidmap(1) and newgidmap(1). The root of a user namespace gets a
 * mount namespace; other roots nothing. 0, or 1 after a message.
 */
int rootless_enter(struct container *container);
/* The same with the user's own ids alone: they are 0. */
int rootless_enter_alone(void);
/* The id that a sandbox's process runs as in this user namespace: `wanted` if it is there, else one of the last ones, by
 * `salt`; 0: there is none that users and groups have. */
uint32_t rootless_jail_id(uint32_t wanted, uint32_t salt);

#endif
