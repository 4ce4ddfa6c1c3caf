/*
 * Clocks, from the TSC and the VMM's struct abi_clock. Both machines read the TSC.
 * A base older than a second is refreshed by a host call, so a host clock that was stepped or slewed is
 * followed within a second, at no cost while idle. ring0/clock.c.
 */
#ifndef RING0_CLOCK_H
#define RING0_CLOCK_H

#include <stdint.h>

#include "platform/abi/abi.h"

void clock_init(const struct abi_boot *boot);
uint64_t clock_monotonic(void); /* ns; never goes back */
int64_t clock_realtime(void);   /* ns since 1970 */
uint64_t clock_boottime(void);  /* ns */
/* The TSC value at which clock_monotonic() will reach `monotonic` ns; one in the past gives a TSC value that has passed. */
uint64_t clock_tsc_at(uint64_t monotonic);

/* The TSC as it stands, without waiting for what came before; and a number of its ticks in ns, 0 where it is not usable. */
static inline uint64_t clock_ticks(void)
{
	return __builtin_ia32_rdtsc();
}
uint64_t clock_ticks_ns(uint64_t ticks);

/* Parameters for the vDSO's clock page: ns = base_ns + ((tsc - tsc) * mult >> shift). */
struct clock_base {
	uint32_t seq; /* odd while being written */
	uint32_t mult;
	uint32_t shift;
	uint32_t pad;
	uint64_t tsc;
	uint64_t monotonic_ns;
	int64_t realtime_ns;
	uint64_t boottime_ns;
	uint64_t valid_tsc; /* readers past this TSC value must use the system call */
};
extern struct clock_base *clock_page; /* NULL until clock_page_set() */
void clock_page_set(struct clock_base *page); /* kernel/vdso: the page that user programs read; filled at once */

#endif
