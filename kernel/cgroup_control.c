/*
 * The controllers of control groups: which a group has and gives, and what follows for its tasks. See kernel/cgroup.h.
 *
 * Linux lets the controllers that count threads be given by a group with processes: that then is a threaded domain, and
 * what is below takes none (cgroup-v2, "Threads"). So it is here; but single threads do not move, so nothing becomes "threaded".
 */
#include <linux/errno.h>

#include "kernel/cgroup_parts.h"
#include "kernel/container.h"
#include "kernel/mm/account.h"
#include "kernel/process.h"
#include "ring0/lib.h"

uint32_t cgroup_controllers(const struct cgroup *group)
{
	return group->parent ? group->parent->gives : CGROUP_CONTROLLERS;
}

/* ---- what cgroup.type says ---- */

bool cgroup_is_thread_root(const struct cgroup *group)
{
	return !TAILQ_EMPTY(&group->members) && group->gives & CGROUP_THREADED;
}

bool cgroup_is_valid_domain(const struct cgroup *group)
{
	while ((group = group->parent)) {
		if (cgroup_is_thread_root(group))
			return false;
	}
	return true;
}

/* Gives no controller that counts processes, and no child has processes. */
static bool may_be_thread_root(const struct cgroup *group)
{
	const struct cgroup *child;

	TAILQ_FOREACH(child, &group->children, sibling) {
		if (child->populated)
			return false;
	}
	return !(group->gives & ~CGROUP_THREADED);
}

bool cgroup_may_hold_processes(const struct cgroup *group, int *error)
{
	*error = !cgroup_is_valid_domain(group) ? -EOPNOTSUPP : may_be_thread_root(group) || !group->gives ? 0 : -EBUSY;
	return *error == 0;
}

/* ---- giving ---- */

static int vet(const struct cgroup *group, uint32_t enable, uint32_t disable)
{
	const struct cgroup *child;

	if (enable & ~cgroup_controllers(group))
		return -ENOENT;
	TAILQ_FOREACH(child, &group->children, sibling) {
		if (child->gives & disable)
			return -EBUSY;
	}
	if (!enable)
		return 0;
	if (!cgroup_is_valid_domain(group))
		return -EOPNOTSUPP;
	if (enable & ~CGROUP_THREADED) {
		if (cgroup_is_thread_root(group))
			return -EOPNOTSUPP;
	} else if (may_be_thread_root(group)) {
		return 0;
	}
	return TAILQ_EMPTY(&group->members) ? 0 : -EBUSY;
}

/* Those of its group and below that had none of their own. */
static void use_account(struct cgroup *group, struct memory_account *account)
{
	struct cgroup *child;

	group->memory = account;
	TAILQ_FOREACH(child, &group->children, sibling)
		use_account(child, account); /* no child of one without the controller has it */
}

static void stop_giving_memory(struct cgroup *group)
{
	struct cgroup *child;

	TAILQ_FOREACH(child, &group->children, sibling) {
		struct memory_account *account = child->memory;

		if (account == group->memory)
			continue;
		use_account(child, group->memory);
		account_close(account);
	}
}

static int give_memory(struct cgroup *group)
{
	struct cgroup *child;

	TAILQ_FOREACH(child, &group->children, sibling) {
		struct memory_account *account = account_create(group->memory, child);

		if (!account) {
			stop_giving_memory(group);
			return -ENOMEM;
		}
		use_account(child, account);
	}
	return 0;
}

/* What was just given begins with, and what no longer is, goes back to. */
static void reset_children(struct cgroup *group, uint32_t changed)
{
	struct cgroup *child;

	TAILQ_FOREACH(child, &group->children, sibling) {
		if (changed & CGROUP_PIDS)
			child->tasks_limit = CGROUP_NO_LIMIT;
		if (changed & CGROUP_CPUSET)
			child->cpus = child->mems = 0;
		if (changed & CGROUP_CPU)
			cpu_group_reset(&child->cpu);
		if (changed & CGROUP_IO)
			cgroup_io_close(child);
	}
}

int cgroup_give(struct cgroup *group, uint32_t enable, uint32_t disable)
{
	int rc;

	enable &= ~group->gives;
	disable &= group->gives;
	rc = vet(group, enable, disable);
	if (!rc && enable & CGROUP_MEMORY)
		rc = give_memory(group);
	if (rc)
		return rc;
	/* From here nothing may fail. */
	if (disable & CGROUP_MEMORY)
		stop_giving_memory(group);
	group->gives = (group->gives | enable) & ~disable;
	reset_children(group, enable | disable);
	cgroup_for_each_process(group, cgroup_refresh_process);
	return 0;
}

/* ---- the share of the CPUs ---- */

/* A container that is alone, and whose quota the host keeps, needs none at its top. */
static bool is_scheduled(const struct cgroup *top)
{
	return top->gives & CGROUP_CPU || cpu_group_has_quota(&top->cpu) || TAILQ_FIRST(&containers) != TAILQ_LAST(&containers, container_list);
}

struct cpu_group *cgroup_cpu_of(struct cgroup *group)
{
	while (group->parent && !(cgroup_controllers(group) & CGROUP_CPU))
		group = group->parent;
	return group->parent || is_scheduled(group) ? &group->cpu : NULL;
}

void cgroup_refresh_process(struct process *process)
{
	struct cpu_group *cpu = cgroup_cpu_of(process->cgroup);
	struct task *task;

	TAILQ_FOREACH(task, &process->tasks, sibling) {
		cpu_group_set(task, cpu);
		task->affinity = cgroup_task_affinity(task, task->affinity_wanted);
		sched_affinity_changed(task);
	}
	cgroup_io_recheck();
}

void cgroup_refresh_cpu(struct container *container)
{
	cgroup_for_each_process(&container->cgroup, cgroup_refresh_process);
}

void cgroup_refresh_all(void)
{
	struct container *c;

	TAILQ_FOREACH(c, &containers, link)
		cgroup_refresh_cpu(c);
}

/* ---- the CPUs ---- */

uint64_t cgroup_cpus(const struct cgroup *group)
{
	uint64_t all = cpu_count >= 64 ? ~0ull : (1ull << cpu_count) - 1, above = group->parent ? cgroup_cpus(group->parent) : all;

	return group->cpus & above ? group->cpus & above : above;
}

uint64_t cgroup_task_affinity(const struct task *task, uint64_t wanted)
{
	uint64_t cpus = cgroup_cpus(task->process->cgroup);

	return wanted & cpus ? wanted & cpus : cpus;
}

void cgroup_set_cpus(struct cgroup *group, uint64_t cpus)
{
	group->cpus = cpus;
	cgroup_for_each_process(group, cgroup_refresh_process);
}
