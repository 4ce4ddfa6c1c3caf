/*
 * The control group that holds a container's host processes: the VMM, its stubs and the
 * gofer. Version 1 (a directory for each controller) or 2, as the host has them mounted.
 *
 * Order of use: cgroup_plan(); record what is to be made; cgroup_make(); in the first process cgroup_enter() before it
 * starts others, while its parent has called cgroup_adopt(); at last cgroup_remove() with what was recorded.
 *
 * With --systemd-cgroup systemd makes the group, when the process is there: cgroup_adopt().
 *
 * The limits count what the sandbox costs the host too, so two are set higher than the
 * container's own, which the sentry enforces: memory by CGROUP_MEMORY_OVERHEAD and a part of the limit (the sentry's descriptors of
 * pages are a 128th of it, what stubs show at most a 32nd and 4 MiB, ring0/hosted/mirror.c), and tasks,
 * as each process inside may have a stub for each CPU.
 */
#ifndef CLI_CGROUP_H
#define CLI_CGROUP_H

#include "cli/container.h"
#include "cli/state.h"

#define CGROUP_MEMORY_OVERHEAD (64ull << 20)
#define CGROUP_MEMORY_PART 24 /* one so many'th of the limit */
#define CGROUP_TASKS_OVERHEAD 128
#define CGROUP_CONTROLLERS 7u
/* Annotations that are further properties of systemd's unit. */
#define SCOPE_PROPERTY_PREFIX "org.systemd.property."

struct cgroup {
	bool unified;
	unsigned count; /* 0: the container has no group of its own */
	char *unit, *slice; /* of systemd; NULL: groups are made by us */
	struct {
		const char *controllers; /* of these, separated by commas; "" if unified */
		char *mount, *path;      /* path: mount and below */
	} at[CGROUP_CONTROLLERS];
};

/* What is to be used; the state gets the directories that are to be made, outermost first. 0, or 1 after a message. */
int cgroup_plan(const struct container *container, struct state *state, struct cgroup *cgroup);
/* The group of a container that was made, as its configuration and its state say. 0, or 1 after a message. */
int cgroup_find(const struct container *container, const struct state *state, struct cgroup *cgroup);
/* Makes them and sets the limits. 0, or 1 after a message; what was made then is cgroup_remove()'s. */
int cgroup_make(struct cgroup *cgroup, const struct container *container);
/*
 * The child `pid` belongs to it: for systemd only, which then has made the unit, and the state has it. That is to be recorded
 * anew; a command that is killed before leaves a unit without processes, which systemd drops. 0, or 1 after a message.
 */
int cgroup_adopt(struct cgroup *cgroup, const struct container *container, struct state *state, pid_t pid);
/* Sets the limits that are given, of an existing group. 0, or 1 after a message. */
int cgroup_set(const struct cgroup *cgroup, const struct container_limits *limits);
/* What of them the container is to see, and the sentry to keep: "FILE=TEXT" each, of version 2. */
void cgroup_shown(const struct container_limits *limits, struct strings *files);
/* The rates of its block devices, likewise: only to be seen, for they are the host's to keep, in a group that it has for the container. */
void cgroup_shown_rates(const struct container_limits *limits, struct strings *files);
/* This process, and its children to come, belong to it; not for systemd. 0, or 1 after a message. */
int cgroup_enter(const struct cgroup *cgroup);
/* Stops the unit, kills what still runs in the innermost of the directories, and removes all that nobody else uses. */
void cgroup_remove(const struct state *state);

#endif
