/*
 * A machine for the unit tests: two zones in host memory, no CPU, flushes that are only
 * counted. fake_boot() first in every test program; then the sentry's functions can be
 * called. One task, of one process, is current; nothing ever sleeps.
 */
#ifndef TEST_UNIT_FAKE_MACHINE_H
#define TEST_UNIT_FAKE_MACHINE_H

#include <stdint.h>

#include "kernel/mm.h"
#include "kernel/task.h"

extern struct task fake_task;
extern struct process fake_process;
extern struct user_ns fake_user_ns; /* every id is in it */
extern unsigned long fake_flushes, fake_releases;
extern int64_t fake_realtime; /* clock_realtime(): ns; it stands still. 0: as clock_monotonic(), which goes on at each call */

void fake_boot(uint64_t kernel_mib, uint64_t user_mib);
struct abi_boot;
/* A ring to the host, which the test's own ring_notify serves: *own becomes what fake_boot() has made, with the ring's place. */
void fake_ring(struct abi_boot *own);

#endif
