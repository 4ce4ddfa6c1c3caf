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

/* Adds what an address space has, in shares of pages. */
static void count_mm(struct mm *mm, struct limit_usage *sum)
{
	uint64_t address = 0;
	pte_t *pte;

	while ((pte = pt_next(mm, &address, USER_TOP)) != NULL) {
		for (unsigned i = 0; i < PT_SPAN / PAGE_SIZE; i++) {
			if (!PTE_USED(pte[i]))
				continue;
			const struct page *page = pte_page(pte[i]);
			uint32_t holders = page->refs - !!(page->flags & PAGE_CACHED);
			uint64_t *kind = page->flags & PAGE_ANON ? &sum->anon : page->flags & PAGE_SHMEM ? &sum->shared : &sum->file;

			if (!(page->flags & PAGE_ZEROPAGE))
				*kind += (1u << SHARE_BITS) / (holders ? holders : 1);
		}
		address += PT_SPAN;
	}
	sum->tables += mm->pt_pages << SHARE_BITS;
}

static uint64_t bytes(uint64_t shares)
{
	return (shares >> SHARE_BITS) * PAGE_SIZE;
}

void limit_count(const struct container *c, struct limit_usage *usage)
{
	static uint64_t turn; /* an address space of several processes counts once */
	struct limit_usage sum = {0};
	struct process *process;

	turn++;
	TAILQ_FOREACH(process, &all_processes, all) {
		struct mm *mm = process->container == c ? oom_process_mm(process) : NULL;

		if (!mm || mm->counted == turn)
			continue;
		mm->counted = turn;
		count_mm(mm, &sum);
	}
	*usage = (struct limit_usage){bytes(sum.anon), bytes(sum.shared), bytes(sum.file), bytes(sum.tables)};
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
	struct limit_usage usage;
	limit_count(c, &usage);
	uint64_t used = usage.anon + usage.shared + usage.tables;
	uint64_t left = used < c->memory_limit ? (c->memory_limit - used) / PAGE_SIZE : 0;

	c->memory_grown = 0;
	c->memory_step = MAX(left / 2, (uint64_t)COUNT_STEP);
	if (used > c->memory_limit)
		oom_kill_in(c);
}
