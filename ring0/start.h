/*
 * The first C code of the sentry (ring0/start.c) and the one page of the kernel zone
 * that the machine layer keeps for talking to the host before any allocator runs.
 */
#ifndef RING0_START_H
#define RING0_START_H

#include <stdint.h>

#include "platform/abi/abi.h"

/* Called by sentry_entry only, on every CPU. */
void start_cpu(const struct abi_boot *boot, uint64_t cpu) __attribute__((noreturn));

#define START_LOG_SIZE 2048u

/* In the kernel zone, so that the host may be given its address. Each field under the lock of its user. */
struct start_page {
	char log[START_LOG_SIZE]; /* klog.c, the log lock */
	struct abi_clock clock;   /* clock.c, the clock lock */
};
extern struct start_page *start_page; /* NULL until CPU 0 has set up memory */

#endif
