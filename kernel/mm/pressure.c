/*
 * A control group above its memory limits: see kernel/mm/account.h.
 *
 * Above memory.max: clean cached files of the group go first, then (unless inside a call) names of files that are kept, whosever they are, then private pages that
 * are still zero, then its OOM killer ends a process of it, and whoever took too much waits until that has gone. Above memory.high: the same but the last,
 * and the task sleeps, the longer the farther the group is above, for two seconds at most.
 */
#include "kernel/container.h"
#include "kernel/files.h"
#include "kernel/mm/account.h"
#include "kernel/mm/internal.h"
#include "kernel/mm/oom.h"
#include "kernel/signal.h"
#include "ring0/clock.h"

#define BATCH 64u            /* pages taken back beyond what is needed, so that the next look is not at once */
#define UNTOUCHED_MIN 32u
#define UNTOUCHED_PART 64u
#define NAMES 512u           /* that are given up at a time */
#define RETRY_NS 5000000ull  /* how often a victim is looked after */
#define RETRIES_IN_CALL 200u
#define HIGH_MAX_NS 2000000000ull
#define HIGH_MIN_NS 10000000ull

/* The first of the current task's groups, from its own upwards, that is above a limit; NULL: none. */
static struct memory_account *above_max(void)
{
	struct memory_account *account = account_current();

	while (account && account->pages <= account->max)
		account = account->parent;
	return account;
}

uint64_t account_reclaim(struct memory_account *account, uint64_t pages)
{
	uint64_t freed = reclaim_pages_of(account, pages);

	return freed < pages ? freed + reclaim_untouched(account) : freed;
}

/* Files of a group above its maximum go. True: that was enough. */
static bool reduce_files(struct memory_account *account)
{
	uint64_t excess = account->pages - account->max;

	account_event(account, ACCOUNT_MAX);
	(void)reclaim_pages_of(account, excess + MIN((uint64_t)BATCH, account->max / 8));
	return account->pages <= account->max;
}

/* One turn more, when files were not enough. False: nothing helps, and nobody may be killed. */
static bool reduce_processes(struct memory_account *account)
{
	/* Less than that would only be asked for again at once: it is what the last fault brought. */
	if (reclaim_untouched(account) > MAX((uint64_t)UNTOUCHED_MIN, account->max / UNTOUCHED_PART) && account->pages <= account->max)
		return true;
	return oom_kill_in(account);
}

/* Until no group of the task is above its maximum. 0; -EINTR: being killed; -ENOMEM: tried often enough. */
static int keep_below_max(unsigned tries, bool drop_names)
{
	struct memory_account *account;

	while ((account = above_max())) {
		if (signal_fatal_pending(current))
			return -EINTR;
		if (reduce_files(account) || (drop_names && files_shrink_names(NAMES)))
			continue;
		if (!reduce_processes(account))
			return 0; /* as on Linux, which lets such a group grow */
		if (!above_max())
			return 0;
		if (tries-- == 0)
			return -ENOMEM;
		if (signal_fatal_pending(current) || task_block(clock_monotonic() + RETRY_NS, false) == -EINTR)
			return -EINTR;
	}
	return 0;
}

/* ns to sleep for what the group is above memory.high. */
static uint64_t penalty(const struct memory_account *account)
{
	uint64_t permille = MIN((account->pages - account->high) * 1000 / (account->high + 1), 1000ull);
	uint64_t ns = MIN(permille * permille * 10000000ull / 100, HIGH_MAX_NS);

	return ns < HIGH_MIN_NS ? 0 : ns;
}

static void slow_down(void)
{
	struct memory_account *account;
	uint64_t ns = 0;

	for (account = account_current(); account; account = account->parent) {
		if (account->pages <= account->high)
			continue;
		account_event(account, ACCOUNT_HIGH);
		(void)account_reclaim(account, account->pages - account->high);
		if (account->pages > account->high)
			ns = MAX(ns, penalty(account));
	}
	if (ns)
		(void)task_block(clock_monotonic() + ns, false);
}

/* The heap has taken nearly all there is of its zone: who has most of it ends, while others can still go on. */
static void keep_heap_room(void)
{
	while (page_kernel_is_short() && !signal_fatal_pending(current)) {
		if (files_shrink_names(NAMES))
			continue;
		oom_kill();
		if (signal_fatal_pending(current) || task_block(clock_monotonic() + RETRY_NS, false) == -EINTR)
			return;
	}
}

void account_enforce(void)
{
	__atomic_fetch_and(&current->work, ~WORK_MEMORY, __ATOMIC_SEQ_CST);
	keep_heap_room();
	if (keep_below_max(UINT32_MAX, true) == 0)
		slow_down();
}

/* WORK_MEMORY stays, for memory.high. */
int account_enforce_in_call(void)
{
	return keep_below_max(RETRIES_IN_CALL, false);
}

void account_shrink(uint64_t number)
{
	for (unsigned i = 0; i < RETRIES_IN_CALL; i++) {
		const struct cgroup *group = cgroup_find(number); /* it may go meanwhile */

		if (!group || group->memory->group != group || group->memory->pages <= group->memory->max)
			return;
		if ((!reduce_files(group->memory) && !reduce_processes(group->memory)) || task_block(clock_monotonic() + RETRY_NS, false) == -EINTR)
			return;
	}
}
