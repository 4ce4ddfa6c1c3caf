/*
 * Shares and quotas of CPU time for control groups: see kernel/bandwidth.h.
 */
#include <linux/errno.h>

#include "kernel/bandwidth.h"
#include "kernel/task.h"
#include "ring0/clock.h"
#include "ring0/lib.h"

#define LONGEST_RUN_NS (1ull << 42) /* that is computed with */

static struct waitq throttled_tasks = WAITQ_INIT(throttled_tasks); /* of all groups: they look which it was */

/* ---- shares ---- */

static void add_load(struct cpu_group *group, uint32_t weight)
{
	for (; group; group = group->parent) {
		bool was_empty = !group->load;

		group->load += weight;
		if (!was_empty)
			break;
		weight = group->weight;
	}
}

static void remove_load(struct cpu_group *group, uint32_t weight)
{
	for (; group; group = group->parent) {
		BUG_ON(group->load < weight);
		group->load -= weight;
		if (group->load)
			break;
		weight = group->weight;
	}
}

void cpu_group_in(struct task *task)
{
	task->cpu_load = cpu_weight_of_nice(task->nice);
	add_load(task->cpu_group, task->cpu_load);
}

void cpu_group_out(struct task *task)
{
	remove_load(task->cpu_group, task->cpu_load);
	task->cpu_load = 0;
}

void cpu_group_set_weight(struct cpu_group *group, uint32_t weight)
{
	if (group->load && group->parent)
		remove_load(group->parent, group->weight);
	group->weight = weight;
	if (group->load && group->parent)
		add_load(group->parent, weight);
}

/* The task's part of its groups' weights, as if those were tasks; in 1/1024 of a weight, at least 1. */
static uint64_t weight_in_groups(const struct task *task)
{
	uint64_t weight = (uint64_t)task->cpu_load << 10;
	const struct cpu_group *group;

	for (group = task->cpu_group; group; group = group->parent)
		weight = weight * group->weight / (group->load ? group->load : group->weight);
	return weight ? weight : 1;
}

/* How far a nice value's weight is from another. */
static uint32_t distance(int nice, uint32_t weight)
{
	uint32_t its = cpu_weight_of_nice(nice);

	return its > weight ? its - weight : weight - its;
}

int cpu_nice_of_weight(uint32_t weight)
{
	int best = -20;

	for (int nice = -19; nice < 20; nice++) {
		if (distance(nice, weight) < distance(best, weight))
			best = nice;
	}
	return best;
}

/* ---- quotas ---- */

bool cpu_group_has_quota(const struct cpu_group *group)
{
	return group->quota != CPU_NO_QUOTA && !group->by_host;
}

/* Those that have passed by `now` are over: what they allowed is there, but not saved beyond the burst. */
static void next_period(struct cpu_group *group, uint64_t now)
{
	uint64_t passed = (now - group->period_end) / group->period + 1;
	int64_t most = (int64_t)(group->quota + group->burst), beyond = group->began - group->left - (int64_t)group->quota;

	if (group->burst && beyond > 0) {
		group->bursts++;
		group->burst_ns += (uint64_t)beyond;
	}
	group->left = passed > (uint64_t)(most - group->left) / group->quota ? most : group->left + (int64_t)(passed * group->quota);
	group->began = group->left;
	group->period_end += passed * group->period;
	group->periods++;
}

static void unthrottle(struct cpu_group *group, uint64_t now)
{
	if (!group->throttled)
		return;
	group->throttled = false;
	group->throttled_ns += now - group->throttled_since;
	(void)ktimer_cancel(&group->timer);
	waitq_wake_all(&throttled_tasks);
}

static void period_over(struct ktimer *timer)
{
	struct cpu_group *group = container_of(timer, struct cpu_group, timer);
	uint64_t now = clock_monotonic();

	if (now >= group->period_end)
		next_period(group, now);
	if (group->left > 0) {
		unthrottle(group, now);
		return;
	}
	group->throttled_periods++;
	ktimer_start(&group->timer, group->period_end);
}

static void charge(struct cpu_group *group, uint64_t ns, uint64_t now)
{
	if (now >= group->period_end)
		next_period(group, now);
	group->left -= (int64_t)ns;
	if (group->left > 0 || group->throttled)
		return;
	group->throttled = true;
	group->throttled_periods++;
	group->throttled_since = now;
	ktimer_start(&group->timer, group->period_end);
}

uint64_t cpu_group_ran(struct task *task, uint64_t ns, uint64_t now)
{
	struct cpu_group *group;

	for (group = task->cpu_group; group; group = group->parent) {
		if (!cpu_group_has_quota(group))
			continue;
		charge(group, ns, now);
		if (group->throttled)
			task_set_work(task, WORK_THROTTLE);
	}
	return MIN(ns, LONGEST_RUN_NS) * (1024u << 10) / weight_in_groups(task);
}

bool cpu_group_begin(struct task *task)
{
	struct cpu_group *group;
	bool limited = false;

	for (group = task->cpu_group; group; group = group->parent) {
		limited |= cpu_group_has_quota(group);
		if (group->throttled)
			task_set_work(task, WORK_THROTTLE);
	}
	return limited;
}

static bool is_throttled(const struct task *task)
{
	const struct cpu_group *group = task->cpu_group;

	while (group && !group->throttled)
		group = group->parent;
	return group && !task->rt_priority;
}

void cpu_group_throttle_here(struct task *task)
{
	(void)wait_event(&throttled_tasks, !is_throttled(task), DEADLINE_NONE, false);
	__atomic_fetch_and(&task->work, ~WORK_THROTTLE, __ATOMIC_SEQ_CST);
}

void cpu_group_set(struct task *task, struct cpu_group *group)
{
	if (task->cpu_group == group)
		return;
	if (task->cpu_load)
		cpu_group_out(task);
	task->cpu_group = group;
	if (group && (task->state == TASK_RUNNABLE || task->state == TASK_RUNNING)) {
		cpu_group_in(task);
		if (task->state == TASK_RUNNING && cpu_group_begin(task))
			machine->kick(task->cpu);
	}
	/* It may sleep for its old group's next period, which never begins once that group is gone. */
	if (task->work & WORK_THROTTLE && !is_throttled(task))
		waitq_wake_all(&throttled_tasks);
}

uint64_t cpu_group_throttled_ns(const struct cpu_group *group)
{
	return group->throttled_ns + (group->throttled ? clock_monotonic() - group->throttled_since : 0);
}

/* ---- settings ---- */

void cpu_group_set_quota(struct cpu_group *group, uint64_t quota, uint64_t period, uint64_t burst)
{
	uint64_t now = clock_monotonic();

	unthrottle(group, now);
	group->quota = quota;
	group->period = period;
	group->burst = burst;
	group->began = group->left = quota == CPU_NO_QUOTA ? 0 : (int64_t)quota;
	group->period_end = now + period;
}

void cpu_group_init(struct cpu_group *group, struct cpu_group *parent)
{
	memset(group, 0, sizeof(*group));
	group->parent = parent;
	group->weight = CPU_WEIGHT_DEFAULT;
	group->quota = CPU_NO_QUOTA;
	group->period = CPU_PERIOD_DEFAULT;
	ktimer_init(&group->timer, period_over);
}

void cpu_group_close(struct cpu_group *group)
{
	BUG_ON(group->load);
	(void)ktimer_cancel(&group->timer);
}

void cpu_group_reset(struct cpu_group *group)
{
	cpu_group_set_weight(group, CPU_WEIGHT_DEFAULT);
	cpu_group_set_quota(group, CPU_NO_QUOTA, CPU_PERIOD_DEFAULT, 0);
	group->idle = false;
}
