/*
 * What the files of the control groups (cgroup.c, cgroup_control.c, cgroup_freeze.c) share with each other alone.
 */
#ifndef KERNEL_CGROUP_PARTS_H
#define KERNEL_CGROUP_PARTS_H

#include "kernel/cgroup.h"

/* Tells whoever watches cgroup.events when it says something else. */
void cgroup_check_events(struct cgroup *group);
/* To every process in it and below. Does not sleep; `fn` may not move processes. */
void cgroup_for_each_process(struct cgroup *group, void (*fn)(struct process *process));
/* Its group is another: its tasks' share, CPUs and freezing follow. */
void cgroup_refresh_process(struct process *process);
void cgroup_freeze_moved(struct process *process);

#endif
