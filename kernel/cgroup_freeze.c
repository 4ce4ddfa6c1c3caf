/*
 * Freezing and killing whole control groups: see kernel/cgroup.h. A killed task leaves a frozen group, other signals wait.
 */
#include <asm/signal.h>

#include "kernel/cgroup_parts.h"
#include "kernel/mm.h"
#include "kernel/process.h"
#include "ring0/clock.h"
#include "ring0/lib.h"

#define FREEZE_LOOK_NS 500000ull /* how often to look whether the others have stopped */

bool cgroup_is_frozen(const struct cgroup *group)
{
	for (; group; group = group->parent) {
		if (group->freeze)
			return true;
	}
	return false;
}

bool cgroup_is_stopped(const struct cgroup *group)
{
	const struct process *process;
	const struct cgroup *child;
	const struct task *task;

	TAILQ_FOREACH(process, &group->members, cgroup_link) {
		TAILQ_FOREACH(task, &process->tasks, sibling) {
			if (task->state == TASK_RUNNING && task != current && !task->exiting)
				return false;
		}
	}
	TAILQ_FOREACH(child, &group->children, sibling) {
		if (!cgroup_is_stopped(child))
			return false;
	}
	return true;
}

void cgroup_for_each_process(struct cgroup *group, void (*fn)(struct process *process))
{
	struct process *process;
	struct cgroup *child;

	TAILQ_FOREACH(process, &group->members, cgroup_link)
		fn(process);
	TAILQ_FOREACH(child, &group->children, sibling)
		cgroup_for_each_process(child, fn);
}

static void set_freeze_work(struct process *process)
{
	struct task *task;

	TAILQ_FOREACH(task, &process->tasks, sibling) {
		task_set_work(task, WORK_FREEZE);
		if (task->state == TASK_RUNNING && task != current)
			machine->kick(task->cpu);
	}
}

static void wake_frozen(struct process *process)
{
	struct task *task;

	TAILQ_FOREACH(task, &process->tasks, sibling) {
		if (task->frozen)
			task_wake(task);
	}
}

void cgroup_freeze_moved(struct process *process)
{
	if (cgroup_is_frozen(process->cgroup))
		set_freeze_work(process);
	else
		wake_frozen(process);
}

/* Of a group that was frozen or thawed, and with it those below. */
static void events_check_below(struct cgroup *group)
{
	struct cgroup *child;

	cgroup_check_events(group);
	TAILQ_FOREACH(child, &group->children, sibling)
		events_check_below(child);
}

void cgroup_set_freeze(struct cgroup *group, bool freeze)
{
	uint64_t number = group->number;

	group->freeze = freeze;
	if (freeze)
		cgroup_for_each_process(group, set_freeze_work);
	else if (!cgroup_is_frozen(group))
		cgroup_for_each_process(group, wake_frozen);
	/* Whoever is not on a CPU is in the kernel, and comes by the exit path. */
	while (freeze && group->freeze && !cgroup_is_stopped(group)) {
		(void)task_block(clock_monotonic() + FREEZE_LOOK_NS, false);
		group = cgroup_find(number);
		if (!group || current->killed)
			return;
	}
	events_check_below(group);
}

void cgroup_freeze_here(struct task *task)
{
	task->frozen = true;
	while (cgroup_is_frozen(task->process->cgroup) && task_block(DEADLINE_NONE, false) == 0)
		;
	task->frozen = false;
	__atomic_fetch_and(&task->work, ~WORK_FREEZE, __ATOMIC_SEQ_CST);
}

static void kill_one(struct process *process)
{
	signal_kill_process(process, WAIT_SIGNALED(SIGKILL));
}

void cgroup_kill(struct cgroup *group)
{
	cgroup_for_each_process(group, kill_one);
}
