/*
 * The CPU controller of control groups (cgroup-v2, "CPU"): shares by weight among groups, and a quota of each period.
 *
 * Run queues stay flat: a task's virtual time runs the faster the smaller its part of its groups' weights is, which each
 * group's `load`, the weights of what is runnable directly in it, tells. A task whose group has used up its quota
 * sleeps on its way back to user mode (WORK_THROTTLE), so never with a lock; its time in the kernel is charged to later periods.
 *
 * Tasks without a group (NULL) pay for none of this. All under the kernel lock; kernel/sched.c calls it.
 */
#ifndef KERNEL_BANDWIDTH_H
#define KERNEL_BANDWIDTH_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/wait.h"

struct task;

#define CPU_WEIGHT_DEFAULT 1024u /* as a task of nice 0 */
#define CPU_WEIGHT_IDLE 3u
#define CPU_PERIOD_DEFAULT 100000000ull /* ns */
#define CPU_NO_QUOTA UINT64_MAX

struct cpu_group {
	struct cpu_group *parent; /* NULL: below the sandbox' own */
	uint32_t weight;
	bool idle;
	bool by_host;          /* the quota is kept outside of the sandbox */
	uint64_t load;         /* of tasks and groups that are runnable directly in it */
	uint64_t quota, period, burst; /* ns */
	int64_t left, began;   /* ns of this period, now and at its begin; below 0: a debt of the next */
	uint64_t period_end;   /* monotonic ns */
	bool throttled;
	struct ktimer timer;   /* the end of the period, while throttled */
	uint64_t periods, throttled_periods, throttled_ns, throttled_since, bursts, burst_ns;
};

void cpu_group_init(struct cpu_group *group, struct cpu_group *parent);
void cpu_group_close(struct cpu_group *group); /* no task is in it */
void cpu_group_reset(struct cpu_group *group); /* as a new one; its counts stay */
void cpu_group_set_weight(struct cpu_group *group, uint32_t weight);
/* ns, checked by the caller. Tasks that sleep for the old quota look again. */
void cpu_group_set_quota(struct cpu_group *group, uint64_t quota, uint64_t period, uint64_t burst);
bool cpu_group_has_quota(const struct cpu_group *group); /* that the sentry keeps */
uint64_t cpu_group_throttled_ns(const struct cpu_group *group);
/* kernel/sched.c's weight of a nice value, and the nice value whose weight is nearest. */
uint32_t cpu_weight_of_nice(int nice);
int cpu_nice_of_weight(uint32_t weight);

/* The group that a task belongs to from now on, runnable or not. */
void cpu_group_set(struct task *task, struct cpu_group *group);
/* It became runnable; it sleeps or has ended. Only with a group. */
void cpu_group_in(struct task *task);
void cpu_group_out(struct task *task);
/* It ran for so many ns until `now`: charges its groups; what its virtual time advances by. */
uint64_t cpu_group_ran(struct task *task, uint64_t ns, uint64_t now);
/* It begins to run: whether it must be looked at by a tick. Sets WORK_THROTTLE where a group has nothing left. */
bool cpu_group_begin(struct task *task);
/* Exit path, WORK_THROTTLE: sleeps until all its groups have time again, or the task is killed. */
void cpu_group_throttle_here(struct task *task);

#endif
