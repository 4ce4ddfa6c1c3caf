/*
 * Clocks, sleeping and timers (clock_gettime(2), nanosleep(2), setitimer(2), timer_create(2)).
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/errno.h>
#include <linux/time.h>
#include <linux/timex.h>

#include "kernel/ktime.h"
#include "kernel/process.h"
#include "ring0/clock.h"
#include "ring0/lib.h"
#include "syscalls/syscalls.h"

struct user_timeval {
	int64_t sec, usec;
};

int64_t sys_clock_gettime(struct regs *regs)
{
	int64_t ns;
	int rc = ktime_get(INT0(regs), &ns);

	return rc ? rc : ktime_to_user(PTR1(regs), ns);
}

int64_t sys_clock_getres(struct regs *regs)
{
	int clock = INT0(regs);
	bool coarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
	int64_t ns;
	int rc = ktime_get(clock, &ns);

	if (rc || !ARG1(regs))
		return rc;
	return ktime_to_user(PTR1(regs), coarse ? 4000000 : 1);
}

/* The clocks are the host's: a container may read them, as one without CAP_SYS_TIME may. */
int64_t sys_clock_settime(struct regs *regs)
{
	int64_t ns;
	int rc = ktime_from_user(PTR1(regs), &ns);

	if (rc)
		return rc;
	return INT0(regs) == CLOCK_REALTIME ? -EPERM : -EINVAL;
}

int64_t sys_settimeofday(struct regs *regs)
{
	return -EPERM;
}

int64_t sys_gettimeofday(struct regs *regs)
{
	int64_t now = clock_realtime();
	struct user_timeval tv = {now / (int64_t)NS_PER_S, now % (int64_t)NS_PER_S / 1000};
	uint64_t zone = 0;

	if (ARG0(regs) && copy_to_user(PTR0(regs), &tv, sizeof(tv)))
		return -EFAULT;
	return ARG1(regs) ? put_user(zone, PTR1(regs)) : 0;
}

int64_t sys_time(struct regs *regs)
{
	int64_t now = clock_realtime() / (int64_t)NS_PER_S;

	if (ARG0(regs) && put_user(now, PTR0(regs)))
		return -EFAULT;
	return now;
}

static int64_t read_timex(uaddr_t to)
{
	struct __kernel_timex t;

	if (get_user(t, to))
		return -EFAULT;
	/* Reading is allowed to everybody; every mode bit changes the host's clock. */
	if (t.modes && t.modes != ADJ_OFFSET_SS_READ)
		return -EPERM;
	int64_t now = clock_realtime();
	memset(&t, 0, sizeof(t));
	t.tick = 10000;
	t.tolerance = 32768000;
	t.maxerror = t.esterror = 16000000;
	t.status = STA_UNSYNC;
	t.precision = 1;
	t.time.tv_sec = now / (int64_t)NS_PER_S;
	t.time.tv_usec = now % (int64_t)NS_PER_S / 1000;
	if (copy_to_user(to, &t, sizeof(t)))
		return -EFAULT;
	return TIME_ERROR;
}

int64_t sys_adjtimex(struct regs *regs)
{
	return read_timex(PTR0(regs));
}

int64_t sys_clock_adjtime(struct regs *regs)
{
	return INT0(regs) == CLOCK_REALTIME ? read_timex(PTR1(regs)) : -EINVAL;
}

/* ---- sleeping ---- */

static bool is_cpu_clock(int clock)
{
	return clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID;
}

/* Until `target` on a CPU clock: look again whenever it can have been reached at the earliest. */
static int sleep_cpu(int clock, int64_t target)
{
	for (;;) {
		int64_t now;
		int rc = ktime_get(clock, &now);

		if (rc || now >= target)
			return rc;
		int64_t step = (target - now) / (int64_t)cpu_count;
		rc = task_block(clock_monotonic() + (uint64_t)(step < 1000000 ? 1000000 : step), true);
		if (rc == -EINTR)
			return rc;
	}
}

static int sleep_until(uint64_t deadline)
{
	int rc;

	while ((rc = task_block(deadline, true)) == 0)
		;
	return rc == -ETIMEDOUT ? 0 : rc;
}

/* What is left of an interrupted relative sleep goes to the user, if wanted. */
static int64_t sleep_interrupted(uint64_t deadline, uaddr_t remaining)
{
	uint64_t now = clock_monotonic();

	if (remaining.v && ktime_to_user(remaining, deadline > now ? (int64_t)(deadline - now) : 0))
		return -EFAULT;
	return -ERESTART_RESTARTBLOCK;
}

static int64_t sleep_restart(struct task *task)
{
	int rc = sleep_until(task->restart.arg[0]);

	return rc == -EINTR ? sleep_interrupted(task->restart.arg[0], UADDR(task->restart.arg[1])) : rc;
}

static int64_t do_sleep(int clock, int64_t ns, bool absolute, uaddr_t remaining)
{
	struct task *task = current;
	uint64_t deadline;
	int64_t now;

	if (is_cpu_clock(clock)) {
		int rc = ktime_get(clock, &now);

		if (!rc)
			rc = sleep_cpu(clock, absolute ? ns : now + ns);
		return rc == -EINTR ? (absolute ? -ERESTARTNOHAND : -EINTR) : rc;
	}
	int rc = ktime_to_monotonic(clock, ns, absolute, &deadline);
	if (!rc)
		rc = sleep_until(deadline);
	if (rc != -EINTR)
		return rc;
	if (absolute)
		return -ERESTARTNOHAND;
	task->restart.fn = sleep_restart;
	task->restart.arg[0] = deadline;
	task->restart.arg[1] = remaining.v;
	return sleep_interrupted(deadline, remaining);
}

int64_t sys_nanosleep(struct regs *regs)
{
	int64_t ns;
	int rc = ktime_from_user(PTR0(regs), &ns);

	return rc ? rc : do_sleep(CLOCK_MONOTONIC, ns, false, PTR1(regs));
}

int64_t sys_clock_nanosleep(struct regs *regs)
{
	int clock = INT0(regs);
	int64_t ns, unused;

	if (ktime_get(clock, &unused) || clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_REALTIME_COARSE ||
		clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_THREAD_CPUTIME_ID)
		return clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE
			? -EOPNOTSUPP
			: -EINVAL;
	int rc = ktime_from_user(PTR2(regs), &ns);
	return rc ? rc : do_sleep(clock, ns, INT1(regs) & TIMER_ABSTIME, PTR3(regs));
}

/* ---- interval timers ---- */

static int itimer_from_user(uaddr_t from, struct itimer_value *value)
{
	struct user_timeval tv[2];

	if (copy_from_user(tv, from, sizeof(tv)))
		return -EFAULT;
	for (int i = 0; i < 2; i++) {
		if (tv[i].sec < 0 || tv[i].usec < 0 || tv[i].usec >= 1000000)
			return -EINVAL;
		if (tv[i].sec > INT64_MAX / (int64_t)NS_PER_S - 1)
			tv[i].sec = INT64_MAX / (int64_t)NS_PER_S - 1;
	}
	value->interval = tv[0].sec * (int64_t)NS_PER_S + tv[0].usec * 1000;
	value->value = tv[1].sec * (int64_t)NS_PER_S + tv[1].usec * 1000;
	return 0;
}

static int itimer_to_user(uaddr_t to, const struct itimer_value *value)
{
	struct user_timeval tv[2] = {
		{value->interval / (int64_t)NS_PER_S, value->interval % (int64_t)NS_PER_S / 1000},
		{value->value / (int64_t)NS_PER_S, value->value % (int64_t)NS_PER_S / 1000},
	};

	return copy_to_user(to, tv, sizeof(tv));
}

int64_t sys_getitimer(struct regs *regs)
{
	struct itimer_value value;
	int rc = itimer_get(INT0(regs), &value);

	return rc ? rc : itimer_to_user(PTR1(regs), &value);
}

int64_t sys_setitimer(struct regs *regs)
{
	struct itimer_value value = {0}, old;
	int rc = ARG1(regs) ? itimer_from_user(PTR1(regs), &value) : 0;

	if (!rc)
		rc = itimer_set(INT0(regs), &value, &old);
	if (!rc && ARG2(regs))
		rc = itimer_to_user(PTR2(regs), &old);
	return rc;
}

int64_t sys_alarm(struct regs *regs)
{
	struct itimer_value value = {.value = (int64_t)(uint32_t)ARG0(regs) * (int64_t)NS_PER_S}, old;
	int rc = itimer_set(ITIMER_REAL, &value, &old);

	if (rc)
		return rc;
	int64_t left = (old.value + (int64_t)NS_PER_S / 2) / (int64_t)NS_PER_S;
	return old.value && !left ? 1 : left;
}

/* ---- POSIX timers ---- */

int64_t sys_timer_create(struct regs *regs)
{
	struct posix_timer_event event = {.notify = SIGEV_SIGNAL, .signo = SIGALRM};
	struct {
		uint64_t value;
		int32_t signo, notify, tid, pad;
	} user; /* the head of struct sigevent */
	int id;

	if (ARG1(regs)) {
		if (get_user(user, PTR1(regs)))
			return -EFAULT;
		event.notify = user.notify;
		event.signo = user.signo;
		event.tid = user.tid;
		event.value = user.value;
		event.has_value = true;
	}
	int rc = posix_timer_create(INT0(regs), &event, &id);
	if (!rc && put_user(id, PTR2(regs))) {
		posix_timer_delete(id);
		rc = -EFAULT;
	}
	return rc;
}

static int timer_to_user(uaddr_t to, const struct itimer_value *value)
{
	int rc = ktime_to_user(to, value->interval);

	return rc ? rc : ktime_to_user(uaddr_add(to, sizeof(struct __kernel_timespec)), value->value);
}

int64_t sys_timer_settime(struct regs *regs)
{
	struct itimer_value value, old;
	int rc;

	if (!ARG2(regs))
		return -EINVAL;
	rc = ktime_from_user(PTR2(regs), &value.interval);
	if (!rc)
		rc = ktime_from_user(uaddr_add(PTR2(regs), sizeof(struct __kernel_timespec)), &value.value);
	if (!rc)
		rc = posix_timer_set(INT0(regs), INT1(regs) & TIMER_ABSTIME, &value, &old);
	if (!rc && ARG3(regs))
		rc = timer_to_user(PTR3(regs), &old);
	return rc;
}

int64_t sys_timer_gettime(struct regs *regs)
{
	struct itimer_value value;
	int rc = posix_timer_get(INT0(regs), &value);

	return rc ? rc : timer_to_user(PTR1(regs), &value);
}

int64_t sys_timer_getoverrun(struct regs *regs)
{
	return posix_timer_overrun(INT0(regs));
}

int64_t sys_timer_delete(struct regs *regs)
{
	return posix_timer_delete(INT0(regs));
}
