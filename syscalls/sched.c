/*
 * Scheduling: policies, priorities, affinity, restartable sequences (sched(7), getpriority(2), rseq(2)).
 */
#include <linux/errno.h>
#include <linux/ioprio.h>
#include <linux/resource.h>
#include <linux/rseq.h>
#include <linux/sched.h>
#include <linux/sched/types.h>

#include "kernel/ktime.h"
#include "kernel/namespaces.h"
#include "kernel/rlimit.h"
#include "kernel/rseq.h"
#include "kernel/cgroup.h"
#include "kernel/task.h"
#include "kernel/user_ns.h"
#include "ring0/clock.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "syscalls/syscalls.h"

#define RR_INTERVAL_NS 100000000

int64_t sys_sched_yield(struct regs *regs)
{
	sched_yield_current();
	return 0;
}

static struct task *target(int tid)
{
	return tid ? task_find(tid) : current;
}

/* Changing another's scheduling: the same owner, or CAP_SYS_NICE. */
static bool may_schedule(const struct task *task)
{
	const struct cred *a = current->cred, *b = task->cred;

	return a->euid == b->uid || a->euid == b->euid || ns_capable(b->user_ns, CAP_SYS_NICE);
}

int64_t sys_sched_setaffinity(struct regs *regs)
{
	uint64_t mask = 0;
	struct task *task;

	if (copy_from_user(&mask, PTR2(regs), MIN((uint64_t)(uint32_t)ARG1(regs), sizeof(mask))))
		return -EFAULT;
	task = target(INT0(regs));
	if (!task)
		return -ESRCH;
	if (!may_schedule(task))
		return -EPERM;
	mask &= cpu_count >= 64 ? ~0ull : (1ull << cpu_count) - 1;
	if (!(mask & cgroup_cpus(task->process->cgroup)))
		return -EINVAL;
	task->affinity_wanted = mask;
	task->affinity = cgroup_task_affinity(task, mask);
	sched_affinity_changed(task);
	return 0;
}

int64_t sys_sched_getaffinity(struct regs *regs)
{
	uint32_t size = (uint32_t)ARG1(regs);
	const struct task *task = target(INT0(regs));

	if (size < 8 || (size & 7))
		return -EINVAL;
	if (!task)
		return -ESRCH;
	uint64_t mask = task->affinity & (cpu_count >= 64 ? ~0ull : (1ull << cpu_count) - 1);
	return put_user(mask, PTR2(regs)) ? -EFAULT : (int64_t)sizeof(mask);
}

static bool is_realtime(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static bool valid_policy(int policy)
{
	return policy == SCHED_NORMAL || policy == SCHED_BATCH || policy == SCHED_IDLE || is_realtime(policy);
}

/* 0 or -errno. nice: INT32_MIN leaves it. */
static int set_policy(struct task *task, int policy, int priority, int nice, bool reset_on_fork)
{
	if (!valid_policy(policy))
		return -EINVAL;
	if (is_realtime(policy) ? priority < 1 || priority > 99 : priority != 0)
		return -EINVAL;
	if (!may_schedule(task))
		return -EPERM;
	if (!capable(CAP_SYS_NICE)) {
		uint64_t limit = task->process->rlimit[RLIMIT_RTPRIO].cur;

		if (is_realtime(policy) && (uint64_t)priority > limit && priority > task->rt_priority)
			return -EPERM;
		if (nice != INT32_MIN && nice < task->nice && (uint64_t)(20 - nice) > task->process->rlimit[RLIMIT_NICE].cur)
			return -EPERM;
		if (task->reset_on_fork && !reset_on_fork)
			return -EPERM;
	}
	task->policy = (uint8_t)policy;
	task->rt_priority = (uint8_t)priority;
	task->reset_on_fork = reset_on_fork;
	if (nice != INT32_MIN && !is_realtime(policy))
		task->nice = (int8_t)(nice < -20 ? -20 : nice > 19 ? 19 : nice);
	return 0;
}

int64_t sys_sched_setscheduler(struct regs *regs)
{
	int policy = INT1(regs), priority;

	if (policy < 0 || INT0(regs) < 0 || !ARG2(regs))
		return -EINVAL;
	if (get_user(priority, PTR2(regs)))
		return -EFAULT;
	struct task *task = target(INT0(regs));
	if (!task)
		return -ESRCH;
	return set_policy(task, policy & ~SCHED_RESET_ON_FORK, priority, INT32_MIN, policy & SCHED_RESET_ON_FORK);
}

int64_t sys_sched_setparam(struct regs *regs)
{
	int priority;

	if (INT0(regs) < 0 || !ARG1(regs))
		return -EINVAL;
	if (get_user(priority, PTR1(regs)))
		return -EFAULT;
	struct task *task = target(INT0(regs));
	if (!task)
		return -ESRCH;
	return set_policy(task, task->policy, priority, INT32_MIN, task->reset_on_fork);
}

int64_t sys_sched_getscheduler(struct regs *regs)
{
	if (INT0(regs) < 0)
		return -EINVAL;
	const struct task *task = target(INT0(regs));
	if (!task)
		return -ESRCH;
	return task->policy | (task->reset_on_fork ? SCHED_RESET_ON_FORK : 0);
}

int64_t sys_sched_getparam(struct regs *regs)
{
	if (INT0(regs) < 0 || !ARG1(regs))
		return -EINVAL;
	const struct task *task = target(INT0(regs));
	if (!task)
		return -ESRCH;
	int priority = task->rt_priority;
	return put_user(priority, PTR1(regs));
}

int64_t sys_sched_get_priority_max(struct regs *regs)
{
	if (!valid_policy(INT0(regs)) && INT0(regs) != SCHED_DEADLINE)
		return -EINVAL;
	return is_realtime(INT0(regs)) ? 99 : 0;
}

int64_t sys_sched_get_priority_min(struct regs *regs)
{
	if (!valid_policy(INT0(regs)) && INT0(regs) != SCHED_DEADLINE)
		return -EINVAL;
	return is_realtime(INT0(regs)) ? 1 : 0;
}

int64_t sys_sched_rr_get_interval(struct regs *regs)
{
	if (INT0(regs) < 0)
		return -EINVAL;
	const struct task *task = target(INT0(regs));
	if (!task)
		return -ESRCH;
	return ktime_to_user(PTR1(regs), task->policy == SCHED_RR ? RR_INTERVAL_NS : task->policy == SCHED_FIFO ? 0 : 4000000);
}

int64_t sys_sched_setattr(struct regs *regs)
{
	struct sched_attr attr = {0};
	uint32_t size, full = sizeof(attr);

	if (INT0(regs) < 0 || ARG2(regs) || !ARG1(regs))
		return -EINVAL;
	if (get_user(size, PTR1(regs)))
		return -EFAULT;
	if (!size)
		size = SCHED_ATTR_SIZE_VER0;
	if (size < SCHED_ATTR_SIZE_VER0 || size > 4096) {
		if (put_user(full, PTR1(regs)))
			return -EFAULT;
		return -E2BIG;
	}
	if (copy_from_user(&attr, PTR1(regs), MIN(size, full)))
		return -EFAULT;
	struct task *task = target(INT0(regs));
	if (!task)
		return -ESRCH;
	if (attr.sched_policy == SCHED_DEADLINE)
		return -EPERM;
	if (attr.sched_flags & ~(uint64_t)(SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_KEEP_ALL))
		return -EINVAL;
	int policy = attr.sched_flags & SCHED_FLAG_KEEP_POLICY ? task->policy : (int)attr.sched_policy;
	bool keep = attr.sched_flags & SCHED_FLAG_KEEP_PARAMS;
	return set_policy(task, policy, keep ? task->rt_priority : (int)attr.sched_priority,
		keep ? INT32_MIN : attr.sched_nice, attr.sched_flags & SCHED_FLAG_RESET_ON_FORK);
}

int64_t sys_sched_getattr(struct regs *regs)
{
	uint32_t size = (uint32_t)ARG2(regs);
	struct sched_attr attr = {0};

	if (INT0(regs) < 0 || ARG3(regs) || !ARG1(regs) || size < SCHED_ATTR_SIZE_VER0 || size > 4096)
		return -EINVAL;
	const struct task *task = target(INT0(regs));
	if (!task)
		return -ESRCH;
	attr.size = MIN(size, (uint32_t)sizeof(attr));
	attr.sched_policy = task->policy;
	attr.sched_flags = task->reset_on_fork ? SCHED_FLAG_RESET_ON_FORK : 0;
	if (is_realtime(task->policy))
		attr.sched_priority = task->rt_priority;
	else
		attr.sched_nice = task->nice;
	attr.sched_util_max = 1024;
	return copy_to_user(PTR1(regs), &attr, attr.size);
}

/* ---- nice values ---- */

/* Does the task belong to (which, who) of getpriority(2)? */
static bool in_scope(const struct task *task, int which, uint32_t who)
{
	if (!pid_ns_contains(current->process->pid_ns, task->process->pid_ns))
		return false;
	switch (which) {
	case PRIO_PROCESS:
		return who ? task->tid == pid_from_user((int)who) : task == current;
	case PRIO_PGRP:
		return task->process->pgid == (who ? pid_from_user((int)who) : current->process->pgid);
	default:
		return task->cred->uid == (who ? uid_from_user(who) : current->cred->uid);
	}
}

static int set_nice(struct task *task, int nice)
{
	const struct cred *a = current->cred, *b = task->cred;

	if (b->uid != a->euid && b->euid != a->euid && !ns_capable(b->user_ns, CAP_SYS_NICE))
		return -EPERM;
	if (nice < task->nice && !capable(CAP_SYS_NICE) && (uint64_t)(20 - nice) > task->process->rlimit[RLIMIT_NICE].cur)
		return -EACCES;
	task->nice = (int8_t)nice;
	return 0;
}

int64_t sys_setpriority(struct regs *regs)
{
	int which = INT0(regs), nice = INT2(regs), rc = -ESRCH;
	struct process *process;
	struct task *task;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	nice = nice < -20 ? -20 : nice > 19 ? 19 : nice;
	TAILQ_FOREACH(process, &all_processes, all) {
		TAILQ_FOREACH(task, &process->tasks, sibling) {
			if (!in_scope(task, which, (uint32_t)ARG1(regs)))
				continue;
			int one = set_nice(task, nice);
			if (rc == -ESRCH || one)
				rc = one;
		}
	}
	return rc;
}

int64_t sys_getpriority(struct regs *regs)
{
	int which = INT0(regs);
	int64_t best = -ESRCH;
	const struct process *process;
	const struct task *task;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	TAILQ_FOREACH(process, &all_processes, all) {
		TAILQ_FOREACH(task, &process->tasks, sibling) {
			if (in_scope(task, which, (uint32_t)ARG1(regs)) && 20 - task->nice > best)
				best = 20 - task->nice;
		}
	}
	return best;
}

static struct task *ioprio_target(int which, int who)
{
	struct process *process;

	if (which == IOPRIO_WHO_PROCESS)
		return target(who);
	/* A group or a user: its first member answers for all in ioprio_get(2)'s simplest reading. */
	TAILQ_FOREACH(process, &all_processes, all) {
		if (process->leader && in_scope(process->leader, which == IOPRIO_WHO_PGRP ? PRIO_PGRP : PRIO_USER, (uint32_t)who))
			return process->leader;
	}
	return NULL;
}

int64_t sys_ioprio_set(struct regs *regs)
{
	int which = INT0(regs), value = INT2(regs);

	if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER || value < 0 ||
		IOPRIO_PRIO_CLASS(value) > IOPRIO_CLASS_IDLE || IOPRIO_PRIO_DATA(value) >= IOPRIO_NR_LEVELS)
		return -EINVAL;
	if (IOPRIO_PRIO_CLASS(value) == IOPRIO_CLASS_RT && !capable(CAP_SYS_ADMIN) && !capable(CAP_SYS_NICE))
		return -EPERM;
	struct task *task = ioprio_target(which, INT1(regs));
	if (!task)
		return -ESRCH;
	if (!may_schedule(task))
		return -EPERM;
	task->ioprio = (uint16_t)value;
	return 0;
}

int64_t sys_ioprio_get(struct regs *regs)
{
	if (INT0(regs) < IOPRIO_WHO_PROCESS || INT0(regs) > IOPRIO_WHO_USER)
		return -EINVAL;
	const struct task *task = ioprio_target(INT0(regs), INT1(regs));
	return task ? task->ioprio : -ESRCH;
}

int64_t sys_getcpu(struct regs *regs)
{
	uint32_t cpu = this_cpu()->cpu, node = 0;

	if (ARG0(regs) && put_user(cpu, PTR0(regs)))
		return -EFAULT;
	if (ARG1(regs) && put_user(node, PTR1(regs)))
		return -EFAULT;
	return 0;
}

int64_t sys_rseq(struct regs *regs)
{
	int flags = INT2(regs);

	if (flags & ~RSEQ_FLAG_UNREGISTER)
		return -EINVAL;
	if (flags & RSEQ_FLAG_UNREGISTER)
		return rseq_unregister(PTR0(regs), (uint32_t)ARG1(regs), (uint32_t)ARG3(regs));
	return rseq_register(PTR0(regs), (uint32_t)ARG1(regs), (uint32_t)ARG3(regs));
}
