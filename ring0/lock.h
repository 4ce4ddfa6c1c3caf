/*
 * Mutual exclusion between CPUs.
 *
 * Today one lock covers kernel/, vfs/ and syscalls/: the *kernel lock*. It is taken at
 * each trap before C code of those folders runs, dropped before user code runs, and
 * dropped while a task sleeps. The kernel is not preempted, so code between two points
 * that may sleep sees nothing change. A function documents whether it may sleep; copies
 * to and from user memory always may. Interrupts are off whenever it is held; a CPU that
 * spins for it answers TLB shootdowns meanwhile (cpu_relax()).
 *
 * struct spinlock is for the machine layer (ring0/), which runs outside the kernel lock.
 * Ranks, outermost first; debug builds check that they are taken in this order.
 */
#ifndef RING0_LOCK_H
#define RING0_LOCK_H

#include <stdbool.h>
#include <stdint.h>

enum lock_rank {
	LOCK_KERNEL = 1,
	LOCK_MACHINE = 2, /* shootdown, hosted mirrors */
	LOCK_LOG = 3,
};

struct spinlock {
	volatile uint32_t next, owner; /* ticket lock */
	uint8_t rank;
};

#define SPINLOCK(r) {.rank = (r)}

void spin_lock(struct spinlock *lock);
void spin_unlock(struct spinlock *lock);

void kernel_lock(void);
void kernel_unlock(void);
bool kernel_lock_held(void); /* by this CPU */

/* Called in every busy-wait loop: pauses, and serves a pending shootdown. */
void cpu_relax(void);

#endif
