/*
 * Time namespaces (time_namespaces(7)): what their members see the monotonic clock and the time since boot begin with.
 * kernel/time_ns.c. The set that a task has (namespaces.h) holds its own and the one that its children are to have, which
 * unshare(2) makes and a child with memory of its own enters.
 */
#ifndef KERNEL_TIME_NS_H
#define KERNEL_TIME_NS_H

#include "kernel/namespaces.h"

struct cred;
struct container_config;

struct time_ns {
	struct ns ns;
	int64_t monotonic, boottime; /* ns added to those clocks */
	bool entered;                /* by a task: the offsets stand */
};
extern struct time_ns first_time_ns; /* all containers' */

struct time_ns *time_ns_create(const struct time_ns *like, struct user_ns *owner); /* NULL: no memory */
/* What the current task's namespace adds to a CLOCK_*; 0 for those that are the same everywhere. */
int64_t time_ns_offset(int clock);
/* The new task's set and memory go into the namespace that its parent has for children. 0 or -ENOMEM; may sleep. */
int time_ns_begin(struct task *task);
/*
 * A container's set, before its first program: a namespace of its own if the configuration has offsets. 0 or -ENOMEM, -EINVAL,
 * -ERANGE: a clock would begin before zero, or near its end.
 */
int time_ns_configure(struct ns_set *set, struct user_ns *owner, const struct container_config *config);
/* A line of /proc/PID/timens_offsets for each clock into text, and what is written there. n, or -EINVAL, -EPERM, -ERANGE, -EACCES. */
void time_ns_show(const struct time_ns *time, char *text, size_t size);
int64_t time_ns_write(struct time_ns *time, const struct cred *opener, const char *text, size_t n);

#endif
