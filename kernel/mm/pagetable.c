/*
 * Page tables: the x86 four-level format on both machines (Intel SDM vol. 3, 4.5).
 *
 * A PTE holds a reference to its page. Rights that are taken away, and pages that are
 * replaced, need machine->space_flush() before the page may be used for anything else:
 * struct unmap (internal.h) does that in one batch. Only what says so sleeps.
 */
#include <limits.h>

#include "kernel/mm/account.h"
#include "kernel/mm/internal.h"
#include "kernel/task.h"
#include "ring0/upcall.h"

#define LEVELS 4
#define BATCH 4096u       /* entries: flushed together where there are breaths */
#define FREE_AT_ONCE 256u /* pages, between two of them */
#define TABLE_FLAGS (PTE_P | PTE_W | PTE_U | PTE_A)

static inline uint64_t *table_of(uint64_t entry)
{
	return pa_to_va(entry & PTE_ADDR);
}

static inline unsigned level_index(uint64_t address, unsigned level)
{
	return (unsigned)(address >> (PAGE_SHIFT + 9 * level)) & 511;
}

pte_t *pt_find(struct mm *mm, uint64_t address)
{
	uint64_t *table = pa_to_va(mm->space.root);

	for (unsigned level = LEVELS - 1; level > 0; level--) {
		uint64_t entry = table[level_index(address, level)];

		if (!(entry & PTE_P))
			return NULL;
		table = table_of(entry);
	}
	return &table[level_index(address, 0)];
}

/*
 * Tables that were emptied entry by entry are zero again: some are kept for the next
 * space. The range of entries that a table ever had is noted in its page's index (highest
 * used + 1 in the upper half, lowest in the lower), so that taking it apart is short.
 */
#define SPARE_TABLES 64u
static struct page *spare[SPARE_TABLES];
static unsigned spares;

static uint64_t table_create(void)
{
	struct page *page;

	if (spares == 0)
		return kernel_alloc_table();
	page = spare[--spares];
	page->refs = 1;
	table_pages++;
	return page_to_pa(page);
}

/* REQUIRES: no entry is left, and no CPU uses it any more. */
static void table_destroy(struct page *page)
{
	page->index = 0;
	account_drop(page, ACCOUNT_TABLES);
	if (spares == SPARE_TABLES) {
		kernel_free_table(page_to_pa(page));
		return;
	}
	table_pages--;
	spare[spares++] = page;
}

static void table_note(const uint64_t *table, unsigned entry)
{
	struct page *page = pa_to_page(va_to_pa(table));
	uint32_t low = (uint32_t)page->index, high = (uint32_t)(page->index >> 32);

	low = high == 0 ? entry : MIN(low, entry);
	high = MAX(high, entry + 1);
	page->index = (uint64_t)high << 32 | low;
}

static pte_t *table_add(struct mm *mm, uint64_t *table, unsigned entry)
{
	uint64_t pa = table_create();

	if (!pa)
		return NULL;
	table[entry] = pa | TABLE_FLAGS;
	table_note(table, entry);
	mm->space.tables++;
	account_page(pa_to_page(pa), ACCOUNT_TABLES);
	return pa_to_va(pa);
}

pte_t *pt_make(struct mm *mm, uint64_t address)
{
	uint64_t *table = pa_to_va(mm->space.root);

	for (unsigned level = LEVELS - 1; level > 0; level--) {
		unsigned entry = level_index(address, level);

		if (__builtin_expect(table[entry] & PTE_P, 1)) {
			table = table_of(table[entry]);
			continue;
		}
		table = table_add(mm, table, entry);
		if (!table)
			return NULL;
	}
	return &table[level_index(address, 0)];
}

static void take_level(struct mm *mm, uint64_t *table, unsigned level, struct page_list *list)
{
	struct page *page = pa_to_page(va_to_pa(table));
	unsigned low = (uint32_t)page->index, high = (unsigned)(page->index >> 32);

	for (unsigned i = low; i < high; i++) {
		uint64_t entry = table[i];

		if (!(entry & PTE_P))
			continue;
		table[i] = 0;
		if (level > 1)
			take_level(mm, table_of(entry), level - 1, list);
		mm->space.tables--;
		TAILQ_INSERT_TAIL(list, pa_to_page(entry & PTE_ADDR), free);
	}
}

void pt_take_all(struct mm *mm, struct page_list *list)
{
	struct page *root = pa_to_page(mm->space.root);

	take_level(mm, pa_to_va(mm->space.root), LEVELS - 1, list);
	root->index = 0;
}

pte_t *pt_next(struct mm *mm, uint64_t *address, uint64_t end)
{
	while (*address < end) {
		uint64_t *table = pa_to_va(mm->space.root);
		unsigned level;

		for (level = LEVELS - 1; level > 0; level--) {
			uint64_t entry = table[level_index(*address, level)];

			if (!(entry & PTE_P))
				break;
			table = table_of(entry);
		}
		if (level == 0)
			return &table[level_index(*address, 0)];
		/* Skip what the absent entry covers. */
		*address = (*address | ((1ull << (PAGE_SHIFT + 9 * level)) - 1)) + 1;
	}
	return NULL;
}

void pt_free_range(struct mm *mm, uint64_t floor, uint64_t ceiling, struct page_list *list)
{
	uint64_t address = (floor + PT_SPAN - 1) & ~(PT_SPAN - 1);

	for (; address + PT_SPAN <= ceiling && pt_next(mm, &address, ceiling); address += PT_SPAN) {
		uint64_t *table = pa_to_va(mm->space.root);
		uint64_t *entry = NULL;

		if (address + PT_SPAN > ceiling)
			break;
		for (unsigned level = LEVELS - 1; level > 0; level--) {
			entry = &table[level_index(address, level)];
			table = table_of(*entry);
		}
		*entry = 0;
		mm->space.tables--;
		TAILQ_INSERT_TAIL(list, pa_to_page(va_to_pa(table)), free);
	}
}

static void tables_free_list(struct page_list *list, unsigned most)
{
	struct page *page;

	while (most-- && (page = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, page, free);
		page->object = NULL;
		table_destroy(page);
	}
}

void mm_count_page(struct mm *mm, const struct page *page, int64_t n)
{
	if (page->flags & PAGE_ANON)
		mm->rss_anon += (uint64_t)n;
	else if (page->flags & PAGE_SHMEM)
		mm->rss_shmem += (uint64_t)n;
	else if (!(page->flags & PAGE_ZEROPAGE))
		mm->rss_file += (uint64_t)n;
}

void unmap_begin(struct unmap *unmap, struct mm *mm)
{
	uint64_t rss = mm->rss_anon + mm->rss_file + mm->rss_shmem;

	unmap->mm = mm;
	unmap->start = UINT64_MAX;
	unmap->end = 0;
	unmap->kept = false;
	unmap->work = 0;
	TAILQ_INIT(&unmap->pages);
	TAILQ_INIT(&unmap->tables);
	if (rss > mm->hiwater_rss)
		mm->hiwater_rss = rss;
}

void unmap_flush_range(struct unmap *unmap, uint64_t start, uint64_t end)
{
	unmap->start = MIN(unmap->start, start);
	unmap->end = MAX(unmap->end, end);
}

/* Clears [address, stop) within one table. */
static void unmap_table(struct unmap *unmap, uint64_t address, uint64_t stop, pte_t *pte, const struct vm_object *only)
{
	uint64_t anon = 0, shmem = 0, zero = 0, all = 0, first = UINT64_MAX, last = 0;

	for (; address < stop; address += PAGE_SIZE, pte++) {
		pte_t old = *pte;
		struct page *page;
		unsigned flags;

		if (!PTE_USED(old))
			continue;
		page = pte_page(old);
		flags = page->flags;
		if (only && (page->object != only || !(flags & PAGE_CACHED)))
			continue;
		*pte = 0;
		if (old & PTE_P) {
			if (first == UINT64_MAX)
				first = address;
			last = address + PAGE_SIZE;
		}
		all++;
		anon += !!(flags & PAGE_ANON);
		shmem += !!(flags & PAGE_SHMEM);
		if (flags & PAGE_ZEROPAGE)
			zero++;
		else if (page_drop(page))
			TAILQ_INSERT_TAIL(&unmap->pages, page, free);
	}
	unmap->mm->rss_anon -= anon;
	unmap->mm->rss_shmem -= shmem;
	unmap->mm->rss_file -= all - anon - shmem - zero;
	if (first < last)
		unmap_flush_range(unmap, first, last);
}

void unmap_range(struct unmap *unmap, uint64_t start, uint64_t end, const struct vm_object *only)
{
	uint64_t address = start;
	pte_t *pte;

	while ((pte = pt_next(unmap->mm, &address, end)) != NULL) {
		uint64_t stop = MIN(end, (address & ~(PT_SPAN - 1)) + PT_SPAN);

		unmap_table(unmap, address, stop, pte, only);
		address = stop;
	}
}

bool unmap_breathe(struct unmap *unmap)
{
	bool kept = unmap->kept;

	if (unmap->work < BATCH && !task_breath_due())
		return false;
	unmap_finish_slowly(unmap);
	(void)task_breathe();
	unmap_begin(unmap, unmap->mm);
	unmap->kept = kept;
	return true;
}

bool unmap_breathe_quietly(struct unmap *unmap)
{
	if (unmap->work < BATCH && !task_breath_due())
		return false;
	unmap->mm->busy = true;
	return unmap_breathe(unmap);
}

void mm_quiet_end(struct mm *mm)
{
	if (!mm->busy)
		return;
	mm->busy = false;
	waitq_wake_all(&mm->busy_waiters);
}

void unmap_range_slowly(struct unmap *unmap, uint64_t start, uint64_t end)
{
	uint64_t address = start;
	pte_t *pte;

	while ((pte = pt_next(unmap->mm, &address, end)) != NULL) {
		uint64_t stop = MIN(end, (address & ~(PT_SPAN - 1)) + PT_SPAN);

		unmap_table(unmap, address, stop, pte, NULL);
		unmap->work += (unsigned)((stop - address) >> PAGE_SHIFT);
		address = stop;
		(void)unmap_breathe(unmap);
	}
}

void unmap_release(struct unmap *unmap)
{
	page_free_list(&unmap->pages, UINT_MAX);
	tables_free_list(&unmap->tables, UINT_MAX);
}

static void unmap_flush(struct unmap *unmap)
{
	struct space *space = &unmap->mm->space;

	if (unmap->start < unmap->end && unmap->kept && machine->space_protect)
		machine->space_protect(space, unmap->start, unmap->end - unmap->start);
	else if (unmap->start < unmap->end)
		machine->space_flush(space, unmap->start, unmap->end - unmap->start);
}

void unmap_finish(struct unmap *unmap)
{
	unmap_flush(unmap);
	unmap_release(unmap);
}

void unmap_release_slowly(struct unmap *unmap)
{
	while (!TAILQ_EMPTY(&unmap->pages)) {
		page_free_list(&unmap->pages, FREE_AT_ONCE);
		(void)task_breathe();
	}
	while (!TAILQ_EMPTY(&unmap->tables)) {
		tables_free_list(&unmap->tables, FREE_AT_ONCE);
		(void)task_breathe();
	}
}

void unmap_finish_slowly(struct unmap *unmap)
{
	unmap->kept = false; /* what the machine may leave for later would be done in one piece then */
	unmap_flush(unmap);
	unmap_release_slowly(unmap);
}

uint64_t mm_translate(struct mm *mm, uint64_t address, uint64_t *pte)
{
	pte_t *found = address < USER_TOP ? pt_find(mm, address) : NULL;

	if (!found || !(*found & PTE_P))
		return 0;
	if (pte)
		*pte = *found;
	return (*found & PTE_ADDR) | (address & ~PAGE_MASK);
}

uint64_t mm_next_present(struct mm *mm, uint64_t address, uint64_t end)
{
	return pt_next(mm, &address, end) ? address : end;
}
