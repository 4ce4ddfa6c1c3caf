/*
 * What a control group is charged for memory (Documentation/admin-guide/cgroup-v2, "memory"): a page is charged, once, to the group
 * whose process first made it be there, and to all above that; it stays so until it is freed, wherever processes move.
 * The sentry's own structures are paid for by whole slabs (heap.c): a file, a socket, a lock, a name that is kept.
 *
 * Charging never fails and never sleeps. Who goes over a limit gets WORK_MEMORY; account_enforce() then, on the
 * way back to user mode, or inside a call that makes much memory, reclaims, waits or kills (pressure.c). So a group
 * can be above its limit by what one system call takes between two looks.
 *
 * An account outlives its group while pages are charged to it. Invariant: `pages` is the sum of `kinds`, and never less than a
 * child's; so one that has no pages has no children with pages.
 */
#ifndef KERNEL_MM_ACCOUNT_H
#define KERNEL_MM_ACCOUNT_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/mm.h"
#include "kernel/task.h"

struct cgroup;

enum account_kind { ACCOUNT_ANON, ACCOUNT_FILE, ACCOUNT_SHMEM, ACCOUNT_TABLES, ACCOUNT_STACKS, ACCOUNT_HEAP, ACCOUNT_KINDS };
/* In the order of memory.events. */
enum account_event { ACCOUNT_LOW, ACCOUNT_HIGH, ACCOUNT_MAX, ACCOUNT_OOM, ACCOUNT_OOM_KILL, ACCOUNT_GROUP_KILL, ACCOUNT_EVENTS };

#define ACCOUNT_NO_LIMIT (INT64_MAX / 4096) /* pages, as Linux counts them */

/* The slabs of kernel/mm/heap.c that an account pays for. */
#define HEAP_CLASSES 14u
struct slab;
struct heap_lists {
	struct {
		TAILQ_HEAD(, slab) partial; /* that have a free object */
		unsigned empty;             /* of them, those without any other */
	} classes[HEAP_CLASSES];
	unsigned keep; /* so many empty ones of a class are not given back */
};
void heap_lists_init(struct heap_lists *lists);
void heap_lists_close(struct heap_lists *lists); /* nothing more is taken from them */

struct memory_account {
	struct memory_account *parent;
	struct cgroup *group;    /* NULL: gone, or without the controller */
	uint64_t pages, peak;
	uint64_t mark;           /* the lower of max and high: above it WORK_MEMORY is set */
	uint64_t max, high, low, min; /* pages */
	uint64_t swap_max, swap_high; /* pages; there is no swap */
	uint64_t kinds[ACCOUNT_KINDS];
	uint64_t faults, major_faults; /* of processes in it and below */
	uint64_t events[ACCOUNT_EVENTS], local_events[ACCOUNT_EVENTS]; /* events: with those below */
	bool oom_group;          /* memory.oom.group */
	struct heap_lists heap;
};

/* One for a group; NULL: no memory. */
struct memory_account *account_create(struct memory_account *parent, struct cgroup *group);
void account_close(struct memory_account *account); /* the group lets go of it */
void account_set_max(struct memory_account *account, uint64_t pages);
void account_set_high(struct memory_account *account, uint64_t pages);
/* Counts it for the account and all above, and tells who watches. */
void account_event(struct memory_account *account, enum account_event event);
/* The same inside the page allocator: telling takes memory, so nobody is told. */
void account_count(struct memory_account *account, enum account_event event);

/* Who pays for what the current task does; NULL: nobody, as for the kernel's own tasks. */
struct memory_account *account_current(void);
void account_charge(struct memory_account *account, enum account_kind kind, uint64_t pages);
void account_uncharge(struct memory_account *account, enum account_kind kind, uint64_t pages);
/* A page, or the block that it heads, which nobody pays for yet. It is of that kind until account_drop(). */
static inline void account_page_to(struct memory_account *account, struct page *page, enum account_kind kind)
{
	page->account = account;
	if (account)
		account_charge(account, kind, 1ull << page->order);
}
static inline void account_page(struct page *page, enum account_kind kind)
{
	account_page_to(account_current(), page, kind);
}
static inline void account_drop(struct page *page, enum account_kind kind)
{
	struct memory_account *account = page->account;

	if (!account)
		return;
	page->account = NULL;
	account_uncharge(account, kind, 1ull << page->order);
}
/* Of those kinds that are the kernel's. */
static inline uint64_t account_kernel_pages(const struct memory_account *account)
{
	return account->kinds[ACCOUNT_TABLES] + account->kinds[ACCOUNT_STACKS] + account->kinds[ACCOUNT_HEAP];
}
/* Pages that the current task may take before some group is over a limit; UINT64_MAX: as many as there are. */
uint64_t account_left(void);
void account_fault(bool major);

/* ---- pressure.c ---- */

static inline bool account_is_pressed(void)
{
	return __builtin_expect(current->work & WORK_MEMORY, 0);
}
/* Exit path, WORK_MEMORY: brings the current task's groups below their limits, or ends one of their processes. May sleep. */
void account_enforce(void);
/*
 * The same inside a system call, where locks may be held: waits for a victim no longer than a second. 0; -ENOMEM: it is
 * still over its limit; -EINTR: the task is being killed.
 */
int account_enforce_in_call(void);
/* A group (by number) has a lower maximum: down to it, as memory.max does it when written to. May sleep, a second at most. */
void account_shrink(uint64_t number);
uint64_t account_reclaim(struct memory_account *account, uint64_t pages); /* how many. May not sleep */

#endif
