/*
 * Resource limits (getrlimit(2)): values in struct process; this is their defaults and
 * the rules for changing them. Nothing sleeps. kernel/rlimit.c.
 */
#ifndef KERNEL_RLIMIT_H
#define KERNEL_RLIMIT_H

#include <stdint.h>

#include "kernel/task.h"

/* Linux' defaults, for the first process; the container's configuration changes them. */
void rlimits_init(struct process *process);
/* The soft limit of the current process; UINT64_MAX: none. */
uint64_t rlimit_current(unsigned resource);
/* 0, -EINVAL (soft above hard, unknown), -EPERM (raising hard without CAP_SYS_RESOURCE, RLIMIT_NOFILE past nr_open). */
int rlimit_set(struct process *process, unsigned resource, const struct rlimit64_pair *value);

#endif
