/* A container's root file system, as the snapshotter describes it: mounted on the host, as runc's shim does. */
#ifndef CLI_SHIM_MOUNTS_H
#define CLI_SHIM_MOUNTS_H

#include <stddef.h>

#include "cli/shim/wire.h"

/* Mounts them over each other on `target`. 0 or -errno, with the object in `why`; nothing stays mounted after an error. */
int mounts_apply(Shim__Mount *const *mounts, size_t count, const char *target, char why[256]);
void mounts_remove(const char *target); /* all that is mounted there; nothing is fine */

#endif
