/*
 * Counting a container's pages and holding it to its limit: see kernel/mm/limit.h.
 *
 * Page tables are walked only when the container's address spaces have grown by half of what was left at the last
 * count, so a container far below its limit is hardly ever counted, and one close to it every COUNT_STEP pages: it can
 * be that much above its limit for a moment.
 */
#include "kernel/container.h"
#include "kernel/mm/internal.h"
#include "kernel/mm/limit.h"
#include "kernel/mm/oom.h"
#include "kernel/task.h"

#define COUNT_STEP 64u /* pages */
#define SHARE_BITS 12  /* a page's share of each that maps it, as a fixed-point number */

/* In shares of pages. */
static uint64_t count_mm(struct mm *mm)
{
	uint64_t address = 0, sum = 0;
	pte_t *pte;

	while ((pte = pt_next(mm, &address, USER_TOP)) != NULL) {
		for (unsigned i = 0; i < PT_SPAN / PAGE_SIZE; i++) {
			if (!PTE_USED(pte[i]))
				continue;
			const struct page *page = pte_page(pte[i]);
			uint32_t holders = page->refs - !!(page->flags & PAGE_CACHED);

			if ((page->flags & (PAGE_ANON | PAGE_SHMEM)) && !(page->flags & PAGE_ZEROPAGE))
				sum += (1u << SHARE_BITS) / (holders ? holders : 1);
		}
		address += PT_SPAN;
	}
	return sum + (mm->pt_pages << SHARE_BITS);
}

/* Bytes in use. Looks at every page table of the container. */
static uint64_t limit_used(const struct container *c)
{
	static uint64_t turn; /* an address space of several processes counts once */
	struct process *process;
	uint64_t sum = 0;

	turn++;
	TAILQ_FOREACH(process, &all_processes, all) {
		struct mm *mm = process->container == c ? oom_process_mm(process) : NULL;

		if (!mm || mm->counted == turn)
			continue;
		mm->counted = turn;
		sum += count_mm(mm);
	}
	return (sum >> SHARE_BITS) * PAGE_SIZE;
}

void limit_check(struct mm *mm)
{
	struct container *c = current->process->container;

	if (!c->memory_limit)
		return;
	c->memory_grown += mm->grown;
	mm->grown = 0;
	if (c->memory_grown < c->memory_step)
		return;
	uint64_t used = limit_used(c);
	uint64_t left = used < c->memory_limit ? (c->memory_limit - used) / PAGE_SIZE : 0;

	c->memory_grown = 0;
	c->memory_step = MAX(left / 2, (uint64_t)COUNT_STEP);
	if (used > c->memory_limit)
		oom_kill_in(c);
}
