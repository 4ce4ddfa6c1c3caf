/*
 * Interval timers: ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF (setitimer(2), alarm(2)).
 *
 * The real one is a kernel timer. The CPU-time ones are kernel timers too: CPU time of one
 * thread never runs faster than the clock, so the timer is set to when the limit can be reached at the earliest
 * and set again with what is left. Nothing sleeps.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/errno.h>
#include <linux/resource.h>
#include <linux/time.h>

#include "kernel/ktime.h"
#include "kernel/process.h"
#include "ring0/clock.h"
#include "ring0/lib.h"

#define REAL_STEP 50000ull /* ns */
#define CPU_TIMER_STEP 1000000ull /* look at most each millisecond */

static void expire(struct itimer *itimer, int signo)
{
	struct ksiginfo info = {.signo = signo, .code = SI_KERNEL};

	signal_send_asked(itimer->process, signo == SIGALRM ? NULL : signal_who_runs(itimer->process), &info);
}

static void real_fires(struct ktimer *timer)
{
	struct itimer *itimer = container_of(timer, struct itimer, timer);

	if (itimer->interval) {
		uint64_t next = timer->deadline + itimer->interval, now = clock_monotonic();

		if (next <= now)
			next = now + itimer->interval;
		/* SIGALRM is queued once: faster than this nobody sees it, and the CPU would do nothing else. */
		ktimer_start(timer, next < now + REAL_STEP ? now + REAL_STEP : next);
	}
	expire(itimer, SIGALRM);
}

static uint64_t consumed(struct process *process, bool system_too)
{
	uint64_t utime, stime;

	process_cpu_times(process, &utime, &stime);
	return system_too ? utime + stime : utime;
}

static void arm_cpu(struct itimer *itimer, uint64_t now)
{
	uint64_t left = itimer->cpu_limit > now ? itimer->cpu_limit - now : 0;
	unsigned threads = itimer->process->threads ? itimer->process->threads : 1;

	left /= threads < cpu_count ? threads : cpu_count;
	ktimer_start(&itimer->timer, clock_monotonic() + (left < CPU_TIMER_STEP ? CPU_TIMER_STEP : left));
}

static void cpu_fires(struct itimer *itimer, bool system_too, int signo)
{
	uint64_t now = consumed(itimer->process, system_too);

	if (now >= itimer->cpu_limit) {
		expire(itimer, signo);
		if (!itimer->interval)
			return;
		itimer->cpu_limit += itimer->interval;
		if (itimer->cpu_limit <= now)
			itimer->cpu_limit = now + itimer->interval;
	}
	arm_cpu(itimer, now);
}

static void virtual_fires(struct ktimer *timer)
{
	cpu_fires(container_of(timer, struct itimer, timer), false, SIGVTALRM);
}

static void prof_fires(struct ktimer *timer)
{
	cpu_fires(container_of(timer, struct itimer, timer), true, SIGPROF);
}

/* RLIMIT_CPU: SIGXCPU at the soft limit and each second after it, SIGKILL at the hard one (getrlimit(2)). */
static void rlimit_fires(struct ktimer *timer)
{
	struct itimer *itimer = container_of(timer, struct itimer, timer);
	struct process *process = itimer->process;
	const struct rlimit64_pair *limit = &process->rlimit[RLIMIT_CPU];
	uint64_t now = consumed(process, true);

	if (now / NS_PER_S >= limit->max) {
		signal_kill_process(process, WAIT_SIGNALED(SIGKILL));
		return;
	}
	if (now >= itimer->cpu_limit) {
		expire(itimer, SIGXCPU);
		itimer->cpu_limit = now + NS_PER_S;
	}
	arm_cpu(itimer, now);
}

void rlimit_cpu_changed(struct process *process)
{
	const struct rlimit64_pair *limit = &process->rlimit[RLIMIT_CPU];
	struct itimer *itimer = &process->rlimit_cpu;

	ktimer_cancel(&itimer->timer);
	if (limit->cur > INT64_MAX / NS_PER_S)
		return;
	/* A limit of zero means one second, as Linux has it. */
	itimer->cpu_limit = (limit->cur ? limit->cur : 1) * NS_PER_S;
	arm_cpu(itimer, consumed(process, true));
}

void itimers_init(struct process *process)
{
	ktimer_init(&process->itimer_real.timer, real_fires);
	ktimer_init(&process->itimer_virtual.timer, virtual_fires);
	ktimer_init(&process->itimer_prof.timer, prof_fires);
	ktimer_init(&process->rlimit_cpu.timer, rlimit_fires);
	process->rlimit_cpu.process = process;
	process->itimer_real.process = process->itimer_virtual.process = process->itimer_prof.process = process;
}

void itimers_cancel(struct process *process)
{
	ktimer_cancel(&process->itimer_real.timer);
	ktimer_cancel(&process->itimer_virtual.timer);
	ktimer_cancel(&process->itimer_prof.timer);
	ktimer_cancel(&process->rlimit_cpu.timer);
}

static struct itimer *find(int which)
{
	struct process *process = current->process;

	switch (which) {
	case ITIMER_REAL:
		return &process->itimer_real;
	case ITIMER_VIRTUAL:
		return &process->itimer_virtual;
	case ITIMER_PROF:
		return &process->itimer_prof;
	}
	return NULL;
}

int itimer_get(int which, struct itimer_value *value)
{
	const struct itimer *itimer = find(which);
	int64_t left;

	if (!itimer)
		return -EINVAL;
	*value = (struct itimer_value){.interval = (int64_t)itimer->interval};
	if (!itimer->timer.armed)
		return 0;
	if (which == ITIMER_REAL)
		left = (int64_t)(itimer->timer.deadline - clock_monotonic());
	else
		left = (int64_t)(itimer->cpu_limit - consumed(itimer->process, which == ITIMER_PROF));
	value->value = left > 1000 ? left : 1000; /* armed: never zero, which would say that it is not */
	return 0;
}

int itimer_set(int which, const struct itimer_value *value, struct itimer_value *old)
{
	struct itimer *itimer = find(which);
	int rc = itimer_get(which, old);

	if (rc)
		return rc;
	ktimer_cancel(&itimer->timer);
	itimer->interval = (uint64_t)value->interval;
	if (!value->value) {
		itimer->interval = 0;
		return 0;
	}
	if (which == ITIMER_REAL) {
		uint64_t deadline;

		rc = ktime_to_monotonic(CLOCK_MONOTONIC, value->value, false, &deadline);
		if (!rc)
			ktimer_start(&itimer->timer, deadline);
		return rc;
	}
	uint64_t now = consumed(itimer->process, which == ITIMER_PROF);
	itimer->cpu_limit = now + (uint64_t)value->value;
	arm_cpu(itimer, now);
	return 0;
}
