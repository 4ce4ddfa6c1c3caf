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
int ktime_to_user(uaddr_t timespec, int64_t ns);
/* A timeout argument: NULL pointer → DEADLINE_NONE. relative, monotonic. */
int ktime_deadline_from_user(uaddr_t timespec, uint64_t *deadline);

#endif
