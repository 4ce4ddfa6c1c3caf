/*
 * Clocks by number, and times in and out of user memory.
 *
 * The wall clocks are ring0/clock.h; CPU clocks are the scheduler's accounts. A time is
 * an int64_t of nanoseconds; anything longer than 292 years saturates. The copies may
 * sleep, the rest does not. clock_gettime(2), time(7).
 */
#include <linux/errno.h>
#include <linux/time.h>

#include "kernel/ktime.h"
#include "kernel/process.h"
#include "kernel/time_ns.h"
#include "ring0/clock.h"
#include "ring0/lib.h"

#define CPU_CLOCK_THREAD 4 /* bits of a negative clock id: <linux/posix-timers.h> as documented in clock_getcpuclockid(3) */
#define CPU_CLOCK_FD 3

uint64_t task_cpu_ns(const struct task *task)
{
	uint64_t ns = task->runtime;

	if (task->state == TASK_RUNNING) {
		uint64_t now = clock_monotonic();

		if (now > task->exec_start)
			ns += now - task->exec_start;
	}
	return ns;
}

uint64_t task_system_ns(const struct task *task)
{
	uint64_t ticks = task->system_ticks;

	if (task == current && task->kernel_since)
		ticks += clock_ticks() - task->kernel_since;

	return MIN(clock_ticks_ns(ticks), task_cpu_ns(task));
}

/*
 * What a task on another CPU spends in the kernel is known when it leaves it, and counts for the program until then. Once
 * told, neither part goes back: what turns out to be the kernel's is made up for by what comes.
 */
static void tell_times(struct cpu_times *told, uint64_t total, uint64_t system)
{
	uint64_t least = told->user + told->system;

	if (total > least) {
		system = MAX(system, told->system);
		system = MIN(system, total - told->user);
		*told = (struct cpu_times){total - system, system};
	}
}

void task_cpu_times(struct task *task, uint64_t *utime, uint64_t *stime)
{
	uint64_t system = task_system_ns(task); /* first: it is part of the total */

	tell_times(&task->told, task_cpu_ns(task), system);
	*utime = task->told.user;
	*stime = task->told.system;
}

void process_cpu_times(struct process *process, uint64_t *utime, uint64_t *stime)
{
	uint64_t total = process->utime + process->stime, system = process->stime;
	const struct task *task;

	TAILQ_FOREACH(task, &process->tasks, sibling) {
		if (task->state == TASK_ZOMBIE)
			continue; /* added when it ended */
		system += task_system_ns(task);
		total += task_cpu_ns(task);
	}
	tell_times(&process->told, total, system);
	*utime = process->told.user;
	*stime = process->told.system;
}

static uint64_t process_cpu_ns(struct process *process)
{
	uint64_t utime, stime;

	process_cpu_times(process, &utime, &stime);
	return utime + stime;
}

/* Negative ids: the CPU clock of a process or thread. */
static int cpu_clock_get(int clock, int64_t *ns)
{
	int id = ~(clock >> 3);

	if ((clock & 3) == CPU_CLOCK_FD)
		return -EINVAL;
	if (clock & CPU_CLOCK_THREAD) {
		struct task *task = id ? task_find(id) : current;

		if (!task || task->process != current->process)
			return -EINVAL;
		*ns = (int64_t)task_cpu_ns(task);
		return 0;
	}
	struct process *process = id ? process_find(id) : current->process;
	if (!process)
		return -EINVAL;
	*ns = (int64_t)process_cpu_ns(process);
	return 0;
}

int ktime_get(int clock, int64_t *ns)
{
	if (clock < 0)
		return cpu_clock_get(clock, ns);
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		*ns = clock_realtime();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
		*ns = (int64_t)clock_monotonic() + time_ns_offset(clock);
		return 0;
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ns = (int64_t)clock_boottime() + time_ns_offset(clock);
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		*ns = (int64_t)process_cpu_ns(current->process);
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		*ns = (int64_t)task_cpu_ns(current);
		return 0;
	}
	return -EINVAL;
}

static uint64_t add_saturating(uint64_t now, int64_t delta)
{
	uint64_t sum;

	if (delta <= 0)
		return now;
	if (__builtin_add_overflow(now, (uint64_t)delta, &sum) || sum >= (uint64_t)INT64_MAX)
		return (uint64_t)INT64_MAX;
	return sum;
}

int ktime_to_monotonic(int clock, int64_t ns, bool absolute, uint64_t *deadline)
{
	int64_t now;

	if (!absolute) {
		*deadline = add_saturating(clock_monotonic(), ns);
		return clock >= 0 && clock <= CLOCK_TAI ? 0 : -EINVAL;
	}
	int rc = ktime_get(clock, &now);
	if (rc)
		return rc;
	int64_t left = ns > now ? ns - now : 0;
	*deadline = add_saturating(clock_monotonic(), left);
	return 0;
}

int ktime_from_user(uaddr_t timespec, int64_t *ns)
{
	struct __kernel_timespec t;

	if (get_user(t, timespec))
		return -EFAULT;
	return ktime_from_timespec(&t, ns);
}

int ktime_from_timespec(const struct __kernel_timespec *t, int64_t *ns)
{
	if (t->tv_sec < 0 || t->tv_nsec < 0 || t->tv_nsec >= (int64_t)NS_PER_S)
		return -EINVAL;
	if (__builtin_mul_overflow(t->tv_sec, (int64_t)NS_PER_S, ns) || __builtin_add_overflow(*ns, t->tv_nsec, ns))
		*ns = INT64_MAX;
	return 0;
}

int ktime_to_user(uaddr_t timespec, int64_t ns)
{
	struct __kernel_timespec t = {.tv_sec = ns / (int64_t)NS_PER_S, .tv_nsec = ns % (int64_t)NS_PER_S};

	return copy_to_user(timespec, &t, sizeof(t));
}

int ktime_deadline_from_user(uaddr_t timespec, uint64_t *deadline)
{
	int64_t ns;

	*deadline = DEADLINE_NONE;
	if (!timespec.v)
		return 0;
	int rc = ktime_from_user(timespec, &ns);
	if (!rc)
		*deadline = ns ? add_saturating(clock_monotonic(), ns) : 0;
	return rc;
}
