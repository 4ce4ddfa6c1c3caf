/*
 * Time in the kernel: sleeping clocks, POSIX timers, interval timers (time(7),
 * clock_gettime(2), timer_create(2)). The clocks themselves are ring0/clock.h.
 */
#ifndef KERNEL_KTIME_H
#define KERNEL_KTIME_H

#include <linux/time_types.h>
#include <stdbool.h>
#include <stdint.h>

#include "ring0/usercopy.h"

#define NS_PER_S 1000000000ull
#define USER_HZ 100

/* Any CLOCK_* id, dynamic (process and thread CPU clocks) too. 0 or -EINVAL. */
int ktime_get(int clock, int64_t *ns);
/* A wake-up time on `clock` as monotonic nanoseconds (saturating; the past gives now). 0 or -EINVAL. */
int ktime_to_monotonic(int clock, int64_t ns, bool absolute, uint64_t *deadline);

/* From user memory, checked (tv_nsec range, not negative). ns or -EFAULT/-EINVAL in the return, saturating. */
int ktime_from_user(uaddr_t timespec, int64_t *ns);
int ktime_from_timespec(const struct __kernel_timespec *timespec, int64_t *ns); /* already copied in */
int ktime_to_user(uaddr_t timespec, int64_t ns);
/* A relative timeout argument as a monotonic deadline: NULL pointer → DEADLINE_NONE; zero → 0, do not wait. */
int ktime_deadline_from_user(uaddr_t timespec, uint64_t *deadline);

/* Interval timers (setitimer(2)), ns; which: ITIMER_*. 0 or -EINVAL. */
struct itimer_value {
	int64_t interval, value;
};
int itimer_get(int which, struct itimer_value *value);
int itimer_set(int which, const struct itimer_value *value, struct itimer_value *old);

/* POSIX timers (timer_create(2)) of the current process, by id. 0 or -EINVAL, -EAGAIN, -ENOMEM. */
struct posix_timer_event {
	int notify, signo, tid; /* SIGEV_*; tid for SIGEV_THREAD_ID */
	uint64_t value;
	bool has_value; /* false: the timer's id is the value */
};
int posix_timer_create(int clock, const struct posix_timer_event *event, int *id);
int posix_timer_set(int id, bool absolute, const struct itimer_value *value, struct itimer_value *old);
int posix_timer_get(int id, struct itimer_value *value);
int posix_timer_overrun(int id); /* or -EINVAL */
int posix_timer_delete(int id);

#endif
