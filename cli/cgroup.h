/*
 * The control group that holds a container's host processes: the VMM, its stubs and the
 * gofer. Version 1 (a directory for each controller) or 2, as the host has them mounted.
 *
 * Order of use: cgroup_plan(); record what is to be made; cgroup_make(); cgroup_enter() in
 * the first process, before it starts others; at last cgroup_remove() with what was recorded.
 *
 * The limits count what the sandbox costs the host too, so two are set higher than the
 * container's own, which the sentry enforces: memory by CGROUP_MEMORY_OVERHEAD, and tasks,
 * as each process inside may have a stub for each CPU.
 */
#ifndef CLI_CGROUP_H
#define CLI_CGROUP_H

#include "cli/container.h"

#define CGROUP_MEMORY_OVERHEAD (32ull << 20)
#define CGROUP_TASKS_OVERHEAD 128
#define CGROUP_CONTROLLERS 6u

struct cgroup {
	bool unified;
	unsigned count; /* 0: the container has no group of its own */
	struct {
		const char *controllers; /* of these, separated by commas; "" if unified */
		char *mount, *path;      /* path: mount and below */
	} at[CGROUP_CONTROLLERS];
};

/* What is to be used, and which directories are to be made for it, outermost first. 0, or 1 after a message. */
int cgroup_plan(const struct container *container, const char *id, struct cgroup *cgroup, struct strings *to_make);
/* Makes them and sets the limits. 0, or 1 after a message; what was made then is cgroup_remove()'s. */
int cgroup_make(const struct cgroup *cgroup, const struct container *container);
/* Sets the limits that are given, of an existing group. 0, or 1 after a message. */
int cgroup_set(const struct cgroup *cgroup, const struct container_limits *limits);
/* This process, and its children to come, belong to it. 0, or 1 after a message. */
int cgroup_enter(const struct cgroup *cgroup);
/* Kills what still runs in the innermost of these directories, and removes all that nobody else uses. */
void cgroup_remove(const struct strings *made);

#endif
