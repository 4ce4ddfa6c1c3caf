/*
 * Kernel timers: one red-black tree a CPU, by deadline. A timer runs on the CPU that
 * started it, in ktimer_run(), under the kernel lock. kernel/wait.h has the contract.
 */
#include "kernel/sched.h"
#include "kernel/wait.h"
#include "ring0/clock.h"
#include "ring0/lib.h"
#include "ring0/percpu.h"

RB_HEAD(ktimer_tree, ktimer);

static struct ktimer_tree trees[ABI_MAX_CPUS];

static int ktimer_compare(struct ktimer *a, struct ktimer *b)
{
	if (a->deadline != b->deadline)
		return a->deadline < b->deadline ? -1 : 1;
	return a == b ? 0 : (uintptr_t)a < (uintptr_t)b ? -1 : 1;
}

RB_GENERATE_INTERNAL(ktimer_tree, ktimer, node, ktimer_compare, static __attribute__((unused)))

void ktimer_subsystem_init(void)
{
	for (unsigned cpu = 0; cpu < ABI_MAX_CPUS; cpu++)
		RB_INIT(&trees[cpu]);
}

void ktimer_init(struct ktimer *timer, void (*fn)(struct ktimer *timer))
{
	memset(timer, 0, sizeof(*timer));
	timer->fn = fn;
}

uint64_t ktimer_next(void)
{
	struct ktimer *first = RB_MIN(ktimer_tree, &trees[this_cpu()->cpu]);

	return first ? first->deadline : DEADLINE_NONE;
}

void ktimer_start(struct ktimer *timer, uint64_t deadline)
{
	ktimer_cancel(timer);
	timer->deadline = deadline;
	timer->cpu = this_cpu()->cpu;
	timer->armed = true;
	RB_INSERT(ktimer_tree, &trees[timer->cpu], timer);
	if (ktimer_next() == deadline)
		sched_update_timer();
}

/* The machine's timer is left as it is: an early interrupt finds nothing due and sets it anew. */
bool ktimer_cancel(struct ktimer *timer)
{
	if (!timer->armed)
		return false;
	RB_REMOVE(ktimer_tree, &trees[timer->cpu], timer);
	timer->armed = false;
	return true;
}

void ktimer_run(void)
{
	struct ktimer_tree *tree = &trees[this_cpu()->cpu];
	uint64_t now = clock_monotonic();
	struct ktimer *timer;

	while ((timer = RB_MIN(ktimer_tree, tree)) && timer->deadline <= now) {
		RB_REMOVE(ktimer_tree, tree, timer);
		timer->armed = false;
		timer->fn(timer);
	}
}
