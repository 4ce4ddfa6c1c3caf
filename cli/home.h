/* HOME of a process whose environment has none, as runc sets it. */
#ifndef CLI_HOME_H
#define CLI_HOME_H

#include "cli/container.h"

/* Adds HOME from /etc/passwd below the directory `root` (of the container: hostile), or "/". */
void home_add(struct container *container, int root);

#endif
