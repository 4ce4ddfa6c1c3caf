/*
 * POSIX timers: timer_create(2) and its family.
 *
 *	disarmed --set--> armed --expires--> signal queued --taken--> armed again (interval) or disarmed
 *
 * Each timer owns one queue entry, so it has at most one signal pending; what expires
 * meanwhile is counted as overrun when the signal is taken. Timers on CPU clocks look
 * again when the limit can be reached at the earliest, as itimer.c does. Under the kernel
 * lock; nothing sleeps.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/errno.h>
#include <linux/resource.h>
#include <linux/time.h>

#include "kernel/ktime.h"
#include "kernel/mm.h"
#include "kernel/process.h"
#include "kernel/time_ns.h"
#include "ring0/clock.h"
#include "ring0/lib.h"

#define CPU_TIMER_STEP 1000000ll
#define IGNORED_STEP 1000000ull /* a timer whose signal is ignored need not run faster */

struct posix_timer {
	TAILQ_ENTRY(posix_timer) link;
	int id, clock;
	struct process *process;
	struct task *task; /* SIGEV_THREAD_ID: referenced; else NULL */
	bool notify;
	struct sigqueue *entry;
	struct ktimer timer;
	bool waiting;         /* its signal is queued: not running */
	bool armed;
	int64_t expires;      /* on its clock as the sandbox has it, ns */
	int64_t interval;
	int64_t last_overrun;
};

static struct posix_timer *find(int id)
{
	struct posix_timer *timer;

	TAILQ_FOREACH(timer, &current->process->timers, link) {
		if (timer->id == id)
			return timer;
	}
	return NULL;
}

static bool on_cpu_clock(const struct posix_timer *timer)
{
	return timer->clock < 0 || timer->clock == CLOCK_PROCESS_CPUTIME_ID || timer->clock == CLOCK_THREAD_CPUTIME_ID;
}

/* The timer's clock: "current" in clock ids means its own process, and a timer fires in anybody's context. */
static int64_t now_of(const struct posix_timer *timer)
{
	uint64_t utime, stime;
	int64_t now = 0;

	if (!on_cpu_clock(timer)) {
		(void)ktime_get(timer->clock, &now);
		return now - time_ns_offset(timer->clock);
	}
	if (timer->task)
		return (int64_t)task_cpu_ns(timer->task);
	process_cpu_times(timer->process, &utime, &stime);
	return (int64_t)(utime + stime);
}

static void start(struct posix_timer *timer)
{
	int64_t left = timer->expires - now_of(timer);

	timer->armed = true;
	timer->waiting = false;
	if (!timer->notify) /* nobody is told: the time left is worked out when asked for */
		return;
	if (left < 0)
		left = 0;
	if (on_cpu_clock(timer) && left < CPU_TIMER_STEP)
		left = CPU_TIMER_STEP;
	if (on_cpu_clock(timer))
		left /= (int64_t)cpu_count;
	uint64_t deadline;
	if (__builtin_add_overflow(clock_monotonic(), (uint64_t)left, &deadline) || deadline > INT64_MAX)
		deadline = INT64_MAX;
	ktimer_start(&timer->timer, deadline);
}

/* Move expires past now by whole intervals; how many beyond the first. */
static int64_t forward(struct posix_timer *timer)
{
	int64_t late = now_of(timer) - timer->expires;
	int64_t skipped = late > 0 ? late / timer->interval : 0;

	timer->expires += (skipped + 1) * timer->interval;
	return skipped;
}

static void fires(struct ktimer *ktimer)
{
	struct posix_timer *timer = container_of(ktimer, struct posix_timer, timer);

	if (now_of(timer) < timer->expires) {
		start(timer); /* a CPU clock, or a clock that was set back */
		return;
	}
	timer->entry->info.overrun = 0;
	struct task *asked = on_cpu_clock(timer) && !timer->task ? signal_who_runs(timer->process) : NULL;
	int rc = signal_send_sigqueue(timer->entry, timer->process, timer->task, asked);
	timer->waiting = rc != 2;
	if (rc == 2 && timer->interval) {
		forward(timer);
		start(timer);
		if (timer->timer.deadline < clock_monotonic() + IGNORED_STEP)
			ktimer_start(&timer->timer, clock_monotonic() + IGNORED_STEP);
	} else if (!timer->interval) {
		timer->armed = false;
	}
}

void posix_timer_dequeued(void *owner, struct ksiginfo *info)
{
	struct posix_timer *timer = owner;

	timer->waiting = false;
	timer->last_overrun = 0;
	if (timer->interval && timer->armed) {
		timer->last_overrun = forward(timer);
		start(timer);
	}
	info->overrun = timer->last_overrun > INT32_MAX ? INT32_MAX : (int32_t)timer->last_overrun;
}

static int unused_id(struct process *process)
{
	int id;

	/* Ends: there are fewer timers than numbers, by RLIMIT_SIGPENDING and by memory. */
	do {
		id = process->next_timer_id;
		process->next_timer_id = id == INT32_MAX ? 0 : id + 1;
	} while (find(id));
	return id;
}

static void release(struct posix_timer *timer)
{
	if (timer->task)
		task_put(timer->task);
	timer->process->sigqueue_count--;
	kfree(timer->entry);
	kfree(timer);
}

/* Who gets the signal of a SIGEV_THREAD_ID timer, or whose CPU time it measures. 0 or -EINVAL. */
static int find_thread(struct posix_timer *timer, const struct posix_timer_event *event)
{
	struct task *task = NULL;

	if (event->notify & SIGEV_THREAD_ID)
		task = task_find(event->tid);
	else if (timer->clock == CLOCK_THREAD_CPUTIME_ID)
		task = current;
	else
		return 0;
	if (!task || task->process != current->process)
		return -EINVAL;
	task_get(task);
	timer->task = task;
	return 0;
}

int posix_timer_create(int clock, const struct posix_timer_event *event, int *id)
{
	struct process *process = current->process;
	int64_t unused;
	int rc = ktime_get(clock, &unused);

	if (rc || clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE)
		return -EINVAL;
	if (event->notify != SIGEV_NONE && (event->signo <= 0 || event->signo > KSIG_MAX))
		return -EINVAL;
	if (event->notify & ~(SIGEV_NONE | SIGEV_THREAD | SIGEV_THREAD_ID))
		return -EINVAL;
	/* Its queue entry counts from now on, as timer_create(2) says. */
	if (process->sigqueue_count >= process->rlimit[RLIMIT_SIGPENDING].cur)
		return -EAGAIN;
	struct posix_timer *timer = kzalloc(sizeof(*timer));
	if (!timer)
		return -EAGAIN;
	process->sigqueue_count++;
	timer->clock = clock;
	timer->process = process;
	timer->notify = event->notify != SIGEV_NONE;
	timer->entry = sigqueue_alloc(timer);
	rc = timer->entry ? find_thread(timer, event) : -EAGAIN;
	timer->id = rc ? rc : unused_id(process);
	if (timer->id < 0) {
		rc = timer->id;
		release(timer);
		return rc;
	}
	timer->entry->info = (struct ksiginfo){.signo = event->signo, .code = SI_TIMER, .timer_id = timer->id};
	timer->entry->info.value = event->has_value ? event->value : (uint64_t)timer->id;
	ktimer_init(&timer->timer, fires);
	TAILQ_INSERT_TAIL(&process->timers, timer, link);
	*id = timer->id;
	return 0;
}

static void read_timer(const struct posix_timer *timer, struct itimer_value *value)
{
	*value = (struct itimer_value){.interval = timer->interval};
	if (!timer->armed)
		return;
	int64_t left = timer->expires - now_of(timer);
	if (left <= 0 && timer->interval)
		left = timer->interval - (-left % timer->interval);
	value->value = left > 0 ? left : timer->notify ? 1 : 0;
}

int posix_timer_get(int id, struct itimer_value *value)
{
	const struct posix_timer *timer = find(id);

	if (!timer)
		return -EINVAL;
	read_timer(timer, value);
	return 0;
}

static void disarm(struct posix_timer *timer)
{
	ktimer_cancel(&timer->timer);
	if (timer->waiting)
		signal_cancel_sigqueue(timer->entry, timer->process);
	timer->waiting = timer->armed = false;
}

int posix_timer_set(int id, bool absolute, const struct itimer_value *value, struct itimer_value *old)
{
	struct posix_timer *timer = find(id);

	if (!timer)
		return -EINVAL;
	read_timer(timer, old);
	disarm(timer);
	timer->interval = value->interval;
	timer->last_overrun = 0;
	if (!value->value)
		return 0;
	if (__builtin_sub_overflow(value->value, time_ns_offset(timer->clock), &timer->expires))
		timer->expires = INT64_MAX;
	if (!absolute && __builtin_add_overflow(now_of(timer), value->value, &timer->expires))
		timer->expires = INT64_MAX;
	start(timer);
	return 0;
}

int posix_timer_overrun(int id)
{
	const struct posix_timer *timer = find(id);

	if (!timer)
		return -EINVAL;
	return timer->last_overrun > INT32_MAX ? INT32_MAX : (int)timer->last_overrun;
}

static void destroy(struct posix_timer *timer)
{
	ktimer_cancel(&timer->timer);
	signal_cancel_sigqueue(timer->entry, timer->process);
	TAILQ_REMOVE(&timer->process->timers, timer, link);
	release(timer);
}

int posix_timer_delete(int id)
{
	struct posix_timer *timer = find(id);

	if (!timer)
		return -EINVAL;
	destroy(timer);
	return 0;
}

void posix_timers_delete_all(struct process *process)
{
	struct posix_timer *timer;

	while ((timer = TAILQ_FIRST(&process->timers)))
		destroy(timer);
}
