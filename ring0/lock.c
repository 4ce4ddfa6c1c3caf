/*
 * Ticket spin locks and the kernel lock. See lock.h for the rules.
 *
 * Interrupts are off in ring 0, so a holder is never interrupted by code that wants the
 * same lock. Debug builds keep per CPU which ranks are held and stop on a wrong order.
 */
#include "ring0/lib.h"
#include "ring0/lock.h"
#include "ring0/machine.h"
#include "ring0/percpu.h"

static struct spinlock big_lock = SPINLOCK(LOCK_KERNEL);
static volatile uint32_t big_owner; /* CPU number + 1 of the holder; 0: nobody */

#ifdef RF_DEBUG
static uint32_t ranks_held[ABI_MAX_CPUS]; /* bit N: a lock of rank N; each by its own CPU */

static void lock_check_take(const struct spinlock *lock)
{
	uint32_t *held = &ranks_held[this_cpu()->cpu];
	uint32_t bit = 1u << lock->rank;

	if (*held >= bit) {
		uint32_t was = *held;

		*held = 0;
		panic("lock of rank %u taken while ranks %#x are held", lock->rank, was);
	}
	*held |= bit;
}

static void lock_check_drop(const struct spinlock *lock)
{
	ranks_held[this_cpu()->cpu] &= ~(1u << lock->rank);
}
#else
static inline void lock_check_take(const struct spinlock *lock)
{
}

static inline void lock_check_drop(const struct spinlock *lock)
{
}
#endif

void cpu_relax(void)
{
	__builtin_ia32_pause();
#ifndef RF_HOST_BUILD
	if (__builtin_expect(this_cpu()->flush_pending, 0))
		machine->flush_serve();
#endif
}

void spin_lock(struct spinlock *lock)
{
	uint32_t ticket;

	lock_check_take(lock);
	ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);
	while (__atomic_load_n(&lock->owner, __ATOMIC_ACQUIRE) != ticket)
		cpu_relax();
}

void spin_unlock(struct spinlock *lock)
{
	lock_check_drop(lock);
	__atomic_store_n(&lock->owner, lock->owner + 1, __ATOMIC_RELEASE);
}

void kernel_lock(void)
{
	spin_lock(&big_lock);
	big_owner = this_cpu()->cpu + 1;
}

void kernel_unlock(void)
{
	big_owner = 0;
	spin_unlock(&big_lock);
}

bool kernel_lock_held(void)
{
	return big_owner == this_cpu()->cpu + 1;
}
