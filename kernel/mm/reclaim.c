/*
 * Reclaim: what happens when the container's memory is used up.
 *
 * A clock hand goes over the user zone's page descriptors and drops clean pages of files
 * that nobody used since its last round; a second, harder round takes pages that are
 * mapped, too. Called by the page allocator only; never sleeps, so dirty pages stay.
 * The last few are not taken: they are the text of what runs, each instruction of which would
 * be read from the gofer again and again; so memory counts as used up a little earlier.
 *
 * A control group above its limit gives up its own files in the same way. What memory.min keeps for a group is
 * not taken when the sandbox is short, and what memory.low does only in the last round.
 */
#include "kernel/cgroup.h"
#include "kernel/mm/account.h"
#include "kernel/mm/internal.h"
#include "kernel/mm/oom.h"
#include "kernel/task.h"

#define FLOOR_SHIFT 6 /* of all pages so many, one 64th, stay with files */
#define FLOOR_PAGES 32u

static uint64_t hand;

static bool pays(const struct memory_account *account, const struct memory_account *whose)
{
	while (account && account != whose)
		account = account->parent;
	return account;
}

/* Some group that pays for the page has no more than it is to keep; *low: one that has no more than memory.low, which does not count now. */
static bool is_kept(const struct page *page, bool even_low, struct memory_account **low)
{
	struct memory_account *account;

	for (account = page->account; account; account = account->parent) {
		if (account->pages <= account->min)
			return true;
		if (account->pages > account->low)
			continue;
		if (even_low)
			return true;
		*low = account;
	}
	return false;
}

/* What the machine keeps, of files that are gone as well: how many pages were free at once. */
static uint64_t drop_kept(void)
{
	uint64_t before = page_user_free();

	if (machine->spaces_trim)
		machine->spaces_trim();
	return page_user_free() - before;
}

/* whose: of those that it and those below pay for; NULL: of all. */
static uint64_t drop_files(const struct memory_account *whose, uint64_t count)
{
	struct memory_account *low = NULL;
	uint64_t total, freed = 0;
	struct page *map = page_user_map(&total);

	for (unsigned round = 0; round < 3 && freed < count; round++) {
		for (uint64_t i = 0; i < total && freed < count; i++) {
			struct page *page;

			hand = hand + 1 < total ? hand + 1 : 0;
			page = map + hand;
			if (!(page->flags & PAGE_CACHED) || page->refs == 0 || (whose && !pays(page->account, whose)))
				continue;
			if (page->flags & PAGE_ACCESSED) {
				page->flags &= (uint16_t)~PAGE_ACCESSED;
				continue;
			}
			if ((page->refs > 1 && round < 2) || (!whose && is_kept(page, round < 2, &low)))
				continue;
			if (object_evict(page))
				freed++;
		}
	}
	if (low) /* it has a limit, so it has not been closed */
		account_count(low, ACCOUNT_LOW);
	return freed;
}

uint64_t reclaim_pages(uint64_t count)
{
	uint64_t total, freed = drop_kept();

	(void)page_user_map(&total);
	if (freed >= count || cached_pages <= shmem_pages + FLOOR_PAGES + (total >> FLOOR_SHIFT))
		return freed;
	return freed + drop_files(NULL, count - freed);
}

uint64_t reclaim_pages_of(struct memory_account *account, uint64_t count)
{
	uint64_t floor = FLOOR_PAGES + (MIN(account->max, account->high) >> FLOOR_SHIFT), files = account->kinds[ACCOUNT_FILE];

	if (files <= floor)
		return 0;
	(void)drop_kept(); /* what is kept cannot be dropped */
	return drop_files(account, MIN(count, files - floor));
}

/* ---- private pages that are still zero ---- */

static bool is_candidate(pte_t pte)
{
	struct page *page;

	if (!(pte & PTE_P))
		return false;
	page = pte_page(pte);
	return page->refs == 1 && (page->flags & (PAGE_ANON | PAGE_ZEROPAGE)) == PAGE_ANON;
}

static bool is_zero(const struct page *page)
{
	const uint64_t *at = page_address(page);

	for (unsigned i = 0; i < PAGE_SIZE / sizeof(*at); i++)
		if (at[i])
			return false;
	return true;
}

/* The entries of one table for [address, stop). They are held back and flushed first, so that no CPU writes meanwhile. */
static uint64_t drop_zeros(struct unmap *unmap, uint64_t address, uint64_t stop)
{
	pte_t *pte = pt_find(unmap->mm, address);
	uint64_t count = (stop - address) >> PAGE_SHIFT, held = 0, freed = 0;

	for (uint64_t i = 0; i < count; i++) {
		if (!is_candidate(pte[i]))
			continue;
		pte[i] = (pte[i] & ~PTE_P) | PTE_HELD;
		held++;
	}
	if (!held)
		return 0;
	machine->space_flush(&unmap->mm->space, address, stop - address);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t at = address + i * PAGE_SIZE;

		if (!(pte[i] & PTE_HELD))
			continue;
		if (is_zero(pte_page(pte[i]))) {
			unmap_range(unmap, at, at + PAGE_SIZE, NULL);
			freed++;
		} else {
			pte[i] = (pte[i] & ~PTE_HELD) | PTE_P;
		}
	}
	return freed;
}

static uint64_t reclaim_mm(struct mm *mm)
{
	struct unmap unmap;
	uint64_t freed = 0;
	struct vma *vma;

	unmap_begin(&unmap, mm);
	RB_FOREACH(vma, vma_tree, &mm->vmas) {
		uint64_t address = vma->start;

		/* In an area without rights every entry is held back already. */
		if (vma->object || !vma->has_anon || vma->flags & (VM_LOCKED | VM_SHARED) ||
			!(vma->flags & (VM_READ | VM_WRITE | VM_EXEC)))
			continue;
		while (pt_next(mm, &address, vma->end)) {
			uint64_t stop = MIN(vma->end, (address & ~(PT_SPAN - 1)) + PT_SPAN);

			freed += drop_zeros(&unmap, address, stop);
			address = stop;
		}
	}
	unmap_finish(&unmap);
	return freed;
}

uint64_t reclaim_untouched(const struct memory_account *only)
{
	struct process *process;
	uint64_t freed = 0;

	TAILQ_FOREACH(process, &all_processes, all) {
		struct mm *mm = !only || pays(process->cgroup->memory, only) ? oom_process_mm(process) : NULL;

		if (mm)
			freed += reclaim_mm(mm);
	}
	return freed;
}
