/*
 * timerfd_create(2): a timer whose expirations are read as a number.
 *
 * A periodic timer is not started again when it fires but when it is read or asked for; the expirations between are
 * computed then. Invariant: expired implies that the kernel timer is not armed.
 */
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/time.h>
#include <linux/timerfd.h>

#include "kernel/ktime.h"
#include "ring0/clock.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "vfs/anon/anon.h"

struct timerfd {
	struct ktimer timer;
	int clock;
	unsigned set_flags;
	uint64_t deadline; /* monotonic ns of the last or next expiration; 0: disarmed */
	uint64_t interval; /* ns */
	uint64_t ticks;    /* expirations not read yet */
	bool expired;
	struct waitq wait;
};

static const struct file_ops timerfd_file_ops;

static void timerfd_fire(struct ktimer *timer)
{
	struct timerfd *t = container_of(timer, struct timerfd, timer);

	t->expired = true;
	t->ticks++;
	waitq_wake(&t->wait, UINT32_MAX, EPOLLIN);
}

/* After an expiration: count what was missed and start the next period. */
static void timerfd_forward(struct timerfd *t)
{
	uint64_t now = clock_monotonic(), missed;

	if (!t->expired)
		return;
	if (!t->interval)
		return;
	t->expired = false;
	missed = now > t->deadline ? (now - t->deadline) / t->interval : 0;
	t->ticks += missed;
	t->deadline += (missed + 1) * t->interval;
	ktimer_start(&t->timer, t->deadline);
}

static int64_t timerfd_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos)
{
	struct timerfd *t = file->private;
	uint64_t ticks;

	if (n < sizeof(ticks))
		return -EINVAL;
	if (!t->ticks) {
		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event(&t->wait, t->ticks, DEADLINE_NONE, true))
			return -ERESTARTSYS;
	}
	timerfd_forward(t);
	ticks = t->ticks;
	t->ticks = 0;
	return put_user(ticks, to) ? -EFAULT : (int64_t)sizeof(ticks);
}

static uint32_t timerfd_poll(struct file *file, struct poll_waiter *waiter)
{
	struct timerfd *t = file->private;

	poll_add(waiter, &t->wait);
	return t->ticks ? EPOLLIN : 0;
}

static void timerfd_release(struct file *file)
{
	struct timerfd *t = file->private;

	ktimer_cancel(&t->timer);
	kfree(t);
}

static void timerfd_remaining(struct timerfd *t, struct timerfd_times *times)
{
	uint64_t now = clock_monotonic();

	timerfd_forward(t);
	times->interval = (int64_t)t->interval;
	times->value = t->deadline > now ? (int64_t)(t->deadline - now) : 0;
}

static void timerfd_show_fdinfo(struct file *file, char *buf, size_t size)
{
	struct timerfd *t = file->private;
	struct timerfd_times times;

	timerfd_remaining(t, &times);
	snprintf(buf, size, "clockid: %d\nticks: %lu\nsettime flags: 0%o\nit_value: (%lu, %lu)\nit_interval: (%lu, %lu)\n",
		t->clock, (unsigned long)t->ticks, t->set_flags, (unsigned long)(times.value / (int64_t)NS_PER_S),
		(unsigned long)(times.value % (int64_t)NS_PER_S), (unsigned long)(times.interval / (int64_t)NS_PER_S),
		(unsigned long)(times.interval % (int64_t)NS_PER_S));
}

static const struct file_ops timerfd_file_ops = {
	.read = timerfd_read,
	.poll = timerfd_poll,
	.release = timerfd_release,
	.show_fdinfo = timerfd_show_fdinfo,
};

int timerfd_new(int clock, unsigned flags, struct file **file)
{
	struct timerfd *t;

	if (flags & ~(unsigned)(TFD_CLOEXEC | TFD_NONBLOCK))
		return -EINVAL;
	if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME && clock != CLOCK_BOOTTIME &&
	    clock != CLOCK_REALTIME_ALARM && clock != CLOCK_BOOTTIME_ALARM)
		return -EINVAL;
	if ((clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM) && !capable(CAP_WAKE_ALARM))
		return -EPERM;
	t = kzalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->clock = clock;
	ktimer_init(&t->timer, timerfd_fire);
	waitq_init(&t->wait);
	*file = file_create_anon("timerfd", &timerfd_file_ops, O_RDWR | (flags & TFD_NONBLOCK), t);
	if (!*file) {
		kfree(t);
		return -ENOMEM;
	}
	(*file)->mode |= FILE_STREAM;
	return 0;
}

int timerfd_set(struct file *file, unsigned flags, const struct timerfd_times *times, struct timerfd_times *old)
{
	struct timerfd *t = file->private;
	uint64_t deadline = 0;
	int rc;

	if (file->ops != &timerfd_file_ops || flags & ~(unsigned)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	if (times->value) {
		rc = ktime_to_monotonic(t->clock, times->value, flags & TFD_TIMER_ABSTIME, &deadline);
		if (rc)
			return rc;
	}
	/* From here nothing may fail. */
	ktimer_cancel(&t->timer);
	timerfd_remaining(t, old);
	ktimer_cancel(&t->timer);
	t->set_flags = flags;
	t->deadline = deadline;
	t->interval = (uint64_t)times->interval;
	t->ticks = 0;
	t->expired = false;
	if (times->value)
		ktimer_start(&t->timer, deadline);
	return 0;
}

int timerfd_get(struct file *file, struct timerfd_times *now)
{
	if (file->ops != &timerfd_file_ops)
		return -EINVAL;
	timerfd_remaining(file->private, now);
	return 0;
}
