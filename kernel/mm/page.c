/*
 * Physical pages: a buddy allocator over the two zones of platform/abi/abi.h.
 *
 * One array of struct page, at the head of the kernel zone, describes both zones; like
 * the zones it is only touched where it is used. A zone grows by chunks of 4 MiB from a
 * watermark, so memory that was never asked for stays untouched on the host. Free chunks
 * beyond a reserve go back to the host (mem_release), one call each. Blocks that the host
 * has just zeroed are marked PAGE_ZEROED: nobody zeroes them again.
 *
 * page_init() comes first at boot. Single pages pass through a small stack a zone (the
 * magazine) that keeps the buddy lists out of the fault path. Nothing here sleeps.
 */
#include "kernel/mm/account.h"
#include "kernel/mm/internal.h"
#include "kernel/task.h"
#include "ring0/upcall.h"

#define MAX_ORDER 10u /* 4 MiB */
#define CHUNK_PAGES (1ull << MAX_ORDER)
#define MAGAZINE 256u
#define KEEP_CHUNKS 16u /* free and touched; more are released to the host */
#define RECLAIM_BATCH 512u
#define SHORT_PART 16u /* of the kernel zone: with less left, whoever takes more looks for room (pressure.c) */

struct zone {
	uint64_t base, pages;
	struct page *map;       /* of its first page */
	uint64_t watermark;     /* pages handed to the lists so far, from the bottom */
	uint64_t limit;         /* pages in use at most */
	uint64_t used;          /* allocated now */
	uint64_t dirty_chunks;  /* free blocks of MAX_ORDER not marked PAGE_ZEROED */
	unsigned loose;         /* entries of magazine */
	struct page_list free[MAX_ORDER + 1];
	struct page *magazine[MAGAZINE];
};

static struct zone zones[2];
static struct page *page_map;
struct page *zero_page, *user_map;
uint64_t user_base, user_size;
uint64_t anon_pages, cached_pages, shmem_pages, table_pages;

uint64_t page_to_pa(const struct page *page)
{
	uint64_t index = (uint64_t)(page - page_map);

	if (index < zones[PAGE_KERNEL].pages)
		return zones[PAGE_KERNEL].base + (index << PAGE_SHIFT);
	return zones[PAGE_USER].base + ((index - zones[PAGE_KERNEL].pages) << PAGE_SHIFT);
}

struct page *pa_to_page(uint64_t pa)
{
	struct zone *user = &zones[PAGE_USER], *kernel = &zones[PAGE_KERNEL];

	if (pa - user->base < user->pages << PAGE_SHIFT)
		return user->map + ((pa - user->base) >> PAGE_SHIFT);
	BUG_ON(pa - kernel->base >= kernel->pages << PAGE_SHIFT);
	return kernel->map + ((pa - kernel->base) >> PAGE_SHIFT);
}

static void block_push(struct zone *zone, struct page *page, unsigned order, uint16_t flags)
{
	page->refs = 0;
	page->order = (uint8_t)order;
	page->flags = PAGE_FREE | flags;
	TAILQ_INSERT_HEAD(&zone->free[order], page, free);
	if (order == MAX_ORDER && !flags)
		zone->dirty_chunks++;
}

static void block_unlink(struct zone *zone, struct page *page)
{
	TAILQ_REMOVE(&zone->free[page->order], page, free);
	if (page->order == MAX_ORDER && !(page->flags & PAGE_ZEROED))
		zone->dirty_chunks--;
}

/* Give a free chunk back to the host, which returns it as zeros when touched again. */
static void chunk_release(struct zone *zone, struct page *page)
{
	if (machine->host_call(ABI_CALL_mem_release, page_to_pa(page), PAGE_SIZE << MAX_ORDER, 0, 0) < 0)
		return;
	page->flags |= PAGE_ZEROED;
	zone->dirty_chunks--;
	/* Fresh chunks go last, so that warm memory is used first. */
	TAILQ_REMOVE(&zone->free[MAX_ORDER], page, free);
	TAILQ_INSERT_TAIL(&zone->free[MAX_ORDER], page, free);
}

static void block_free(struct zone *zone, struct page *page, unsigned order, uint16_t flags)
{
	uint64_t index = (uint64_t)(page - zone->map);

	while (order < MAX_ORDER) {
		struct page *buddy = zone->map + (index ^ (1ull << order));

		if (!(buddy->flags & PAGE_FREE) || buddy->order != order)
			break;
		block_unlink(zone, buddy);
		flags &= buddy->flags;
		buddy->flags = 0;
		index &= ~(1ull << order);
		order++;
	}
	page = zone->map + index;
	block_push(zone, page, order, flags);
	if (order == MAX_ORDER && zone->dirty_chunks > KEEP_CHUNKS)
		chunk_release(zone, page);
}

static bool zone_grow(struct zone *zone)
{
	if (zone->watermark + CHUNK_PAGES > zone->pages)
		return false;
	struct page *page = zone->map + zone->watermark;

	zone->watermark += CHUNK_PAGES;
	block_push(zone, page, MAX_ORDER, PAGE_ZEROED);
	return true;
}

/* A block off the lists; its flags say whether it is zero. */
static struct page *block_take(struct zone *zone, unsigned order)
{
	unsigned have = order;
	struct page *page;

	while (have <= MAX_ORDER && TAILQ_EMPTY(&zone->free[have]))
		have++;
	if (have > MAX_ORDER) {
		if (!zone_grow(zone))
			return NULL;
		have = MAX_ORDER;
	}
	page = TAILQ_FIRST(&zone->free[have]);
	block_unlink(zone, page);
	page->flags &= (uint16_t)~PAGE_FREE;
	while (have > order) {
		have--;
		block_push(zone, page + (1ull << have), have, page->flags);
	}
	return page;
}

static void magazine_drain(struct zone *zone, unsigned keep)
{
	while (zone->loose > keep)
		block_free(zone, zone->magazine[--zone->loose], 0, 0);
}

static uint64_t pages_taken; /* since the start */

static struct page *zone_alloc(struct zone *zone, enum page_zone which, unsigned order)
{
	uint64_t count = 1ull << order;
	struct page *page;

	if (order > MAX_ORDER)
		return NULL;
	if (which == PAGE_KERNEL && current && current->process && page_kernel_is_short())
		task_set_work(current, WORK_MEMORY);
	if (zone->used + count > zone->limit && reclaim_pages(MAX(count, RECLAIM_BATCH)) == 0)
		return NULL;
	if (zone->used + count > zone->limit)
		return NULL;
	if (order == 0 && zone->loose > 0) {
		page = zone->magazine[--zone->loose];
	} else {
		page = block_take(zone, order);
		if (!page && zone->loose) {
			magazine_drain(zone, 0);
			page = block_take(zone, order);
		}
		if (!page && which == PAGE_USER && extent_drop_all())
			page = block_take(zone, order);
		if (!page && which == PAGE_USER && reclaim_pages(RECLAIM_BATCH))
			page = block_take(zone, order);
		if (!page)
			return NULL;
	}
	zone->used += count;
	pages_taken += count;
	page->refs = 1;
	page->zone = (uint8_t)which;
	page->order = (uint8_t)order;
	page->object = NULL;
	page->index = 0;
	page->account = NULL;
	return page;
}

struct page *page_alloc(enum page_zone zone, unsigned order)
{
	struct page *page = zone_alloc(&zones[zone], zone, order);

	if (page)
		page->flags = 0;
	return page;
}

static struct page *alloc_zeroed(enum page_zone zone, unsigned order, uint16_t untouched)
{
	struct page *page = zone_alloc(&zones[zone], zone, order);

	if (!page)
		return NULL;
	if (!(page->flags & PAGE_ZEROED)) {
		char *at = page_address(page);

		for (uint64_t i = 0; i < 1ull << order; i++)
			page_zero(at + i * PAGE_SIZE);
		untouched = 0;
	}
	page->flags = untouched;
	return page;
}

struct page *page_alloc_zeroed_order(enum page_zone zone, unsigned order)
{
	return alloc_zeroed(zone, order, 0);
}

struct page *page_alloc_fill(unsigned order)
{
	return alloc_zeroed(PAGE_USER, order, PAGE_UNTOUCHED);
}

struct page *page_alloc_zeroed(enum page_zone zone)
{
	return page_alloc_zeroed_order(zone, 0);
}

void page_split(struct page *page, unsigned order)
{
	DEBUG_BUG_ON(page->refs != 1 || page->order != order);
	for (uint64_t i = 0; i < 1ull << order; i++) {
		page[i].refs = 1;
		page[i].zone = page->zone;
		page[i].order = 0;
		page[i].flags = page->flags;
		page[i].object = NULL;
		page[i].index = 0;
		page[i].account = NULL;
	}
}

/* ---- room that is set aside (extent.c): off the lists, but not in use ---- */

struct page *page_reserve(unsigned order)
{
	struct page *page = block_take(&zones[PAGE_USER], order);
	uint16_t flags = page ? page->flags : 0;

	for (uint64_t i = 0; page && i < 1ull << order; i++) {
		page[i].flags = flags;
		page[i].refs = 0;
	}
	return page;
}

struct page *page_take_reserved(struct page *page)
{
	struct zone *zone = &zones[PAGE_USER];

	if (zone->used == zone->limit)
		return NULL;
	zone->used++;
	pages_taken++;
	if (!(page->flags & PAGE_ZEROED))
		page_zero(page_address(page));
	page->flags = page->flags & PAGE_ZEROED ? PAGE_UNTOUCHED : 0;
	page->refs = 1;
	page->zone = PAGE_USER;
	page->order = 0;
	page->object = NULL;
	page->index = 0;
	page->account = NULL;
	return page;
}

void page_unreserve(struct page *page)
{
	uint16_t flags = page->flags;

	page->flags = 0;
	block_free(&zones[PAGE_USER], page, 0, flags);
}

static void page_free(struct page *page)
{
	struct zone *zone = &zones[page->zone];
	unsigned order = page->order;

	if (page->flags & PAGE_ANON) {
		anon_pages--;
		account_drop(page, ACCOUNT_ANON);
	}
	BUG_ON(page->flags & (PAGE_CACHED | PAGE_FREE));
	zone->used -= 1ull << order;
	page->flags = 0;
	if (order != 0) {
		block_free(zone, page, order, 0);
		return;
	}
	if (zone->loose == MAGAZINE)
		magazine_drain(zone, MAGAZINE / 2);
	zone->magazine[zone->loose++] = page;
}

void page_get(struct page *page)
{
	if (page->flags & PAGE_ZEROPAGE)
		return;
	BUG_ON(page->refs == 0 || page->refs == UINT32_MAX);
	page->refs++;
}

void page_put(struct page *page)
{
	if (page_drop(page))
		page_free(page);
}

void page_free_list(struct page_list *list, unsigned most)
{
	struct page *page;

	while (most-- && (page = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, page, free);
		page_free(page);
	}
}

struct page *page_user_map(uint64_t *count)
{
	*count = zones[PAGE_USER].watermark;
	return zones[PAGE_USER].map;
}

uint64_t page_user_total(void)
{
	return zones[PAGE_USER].limit;
}

uint64_t page_user_free(void)
{
	return zones[PAGE_USER].limit - MIN(zones[PAGE_USER].used, zones[PAGE_USER].limit);
}

bool page_kernel_is_short(void)
{
	const struct zone *zone = &zones[PAGE_KERNEL];

	return zone->limit - zone->used < zone->limit / SHORT_PART;
}

void mm_counters_read(struct mm_counters *counters)
{
	counters->total = page_user_total() << PAGE_SHIFT;
	counters->free = page_user_free() << PAGE_SHIFT;
	counters->anon = anon_pages << PAGE_SHIFT;
	counters->cached = cached_pages << PAGE_SHIFT;
	counters->shmem = shmem_pages << PAGE_SHIFT;
	counters->kernel = (zones[PAGE_KERNEL].used - MIN(table_pages, zones[PAGE_KERNEL].used)) << PAGE_SHIFT;
	counters->page_tables = table_pages << PAGE_SHIFT;
	counters->taken = pages_taken;
}

uint64_t kernel_alloc_table(void)
{
	struct page *page = page_alloc_zeroed(PAGE_KERNEL);

	if (!page)
		return 0;
	page->flags |= PAGE_TABLE;
	table_pages++;
	return page_to_pa(page);
}

void kernel_free_table(uint64_t pa)
{
	table_pages--;
	page_put(pa_to_page(pa));
}

uint64_t kernel_user_page_alloc(void)
{
	struct page *page = page_alloc(PAGE_USER, 0);

	return page ? page_to_pa(page) : 0;
}

void kernel_user_page_free(uint64_t pa)
{
	page_put(pa_to_page(pa));
}

static void zone_init(struct zone *zone, const struct abi_zone *from, struct page *map, uint64_t first)
{
	zone->base = from->base;
	zone->pages = from->size >> PAGE_SHIFT;
	zone->map = map;
	zone->watermark = (first + CHUNK_PAGES - 1) & ~(CHUNK_PAGES - 1);
	zone->limit = zone->pages;
	for (unsigned i = 0; i <= MAX_ORDER; i++)
		TAILQ_INIT(&zone->free[i]);
	/* The rest of the chunk that boot began, in naturally aligned pieces. */
	while (first < zone->watermark && zone->watermark <= zone->pages) {
		unsigned order = (unsigned)__builtin_ctzll(first);

		block_push(zone, map + first, order, PAGE_ZEROED);
		first += 1ull << order;
	}
}

void page_init(const struct abi_boot *boot)
{
	uint64_t count = (boot->kernel.size + boot->user.size) >> PAGE_SHIFT;
	uint64_t map_at = PAGE_ALIGN(boot->kernel_used);
	uint64_t taken = PAGE_ALIGN(map_at + count * sizeof(struct page));

	BUG_ON(taken + (PAGE_SIZE << MAX_ORDER) > boot->kernel.size);
	memset(zones, 0, sizeof(zones));
	page_map = pa_to_va(boot->kernel.base + map_at);
	zone_init(&zones[PAGE_KERNEL], &boot->kernel, page_map, taken >> PAGE_SHIFT);
	zone_init(&zones[PAGE_USER], &boot->user, page_map + zones[PAGE_KERNEL].pages, 0);
	user_map = zones[PAGE_USER].map;
	user_base = zones[PAGE_USER].base;
	user_size = zones[PAGE_USER].pages << PAGE_SHIFT;
	if (boot->mem_limit && boot->mem_limit < boot->user.size)
		zones[PAGE_USER].limit = boot->mem_limit >> PAGE_SHIFT;
	/* A whole block of them, so that a block of untouched memory is one mapping when it is read. */
	zero_page = page_alloc_zeroed_order(PAGE_USER, BLOCK_ORDER);
	BUG_ON(!zero_page);
	zero_page->flags |= PAGE_ZEROPAGE;
	page_split(zero_page, BLOCK_ORDER);
}
