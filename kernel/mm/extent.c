/*
 * Extents: the cached pages of a file side by side in memory.
 *
 * Files are read in pieces, in whatever order programs want them. So that what lies side by side in a file does so in
 * memory too, and is one mapping where a machine is hosted, the first piece that is read of an aligned range
 * sets aside room for the rest of it. Room that is set aside is not used memory: nobody has touched it, it counts as
 * free, and it is all given back when there is no other. Only so many ranges have room; the one that was filled
 * longest ago gives its own up for another.
 *
 * Called by object.c when it reads a file, and by page.c when memory is short. Kernel lock; nothing here sleeps.
 */
#include "kernel/mm/internal.h"

#define EXTENTS 32u
#define EXTENT_MAX 9u /* order: 2 MiB, what a page table spans */
#define WORD_PAGES 64u

struct extent {
	struct vm_object *object; /* NULL: not in use */
	uint64_t first;           /* index of its first page in the object, a multiple of its size */
	struct page *pages;
	unsigned order;
	uint64_t filled;          /* when it was last */
	uint64_t room[(1u << EXTENT_MAX) / WORD_PAGES]; /* bit: the page is set aside still */
};

static struct extent extents[EXTENTS];
static uint64_t fills;

static bool has_room(const struct extent *e, uint64_t i)
{
	return e->room[i / WORD_PAGES] >> i % WORD_PAGES & 1;
}

static void extent_drop(struct extent *e)
{
	for (uint64_t i = 0; i < 1ull << e->order; i++)
		if (has_room(e, i))
			page_unreserve(e->pages + i);
	e->object = NULL;
}

void extent_forget(struct vm_object *object)
{
	for (unsigned i = 0; i < EXTENTS && object->has_extent; i++)
		if (extents[i].object == object)
			extent_drop(&extents[i]);
	object->has_extent = false;
}

bool extent_drop_all(void)
{
	bool any = false;

	for (unsigned i = 0; i < EXTENTS; i++) {
		if (!extents[i].object)
			continue;
		extent_drop(&extents[i]);
		any = true;
	}
	return any;
}

static struct extent *extent_find(const struct vm_object *object, uint64_t index)
{
	for (unsigned i = 0; i < EXTENTS; i++)
		if (extents[i].object == object && index - extents[i].first < 1ull << extents[i].order)
			return &extents[i];
	return NULL;
}

static struct extent *extent_make(struct vm_object *object, uint64_t index)
{
	uint64_t pages = PAGE_ALIGN(object->size) >> PAGE_SHIFT;
	struct extent *e = extents;
	unsigned order = BLOCK_ORDER;

	while (order < EXTENT_MAX && 1ull << order < pages)
		order++;
	if (order == BLOCK_ORDER || index >= pages)
		return NULL;
	for (unsigned i = 0; i < EXTENTS && e->object; i++)
		if (!extents[i].object || extents[i].filled < e->filled)
			e = &extents[i];
	if (e->object)
		extent_drop(e);
	e->pages = page_reserve(order);
	if (!e->pages)
		return NULL;
	e->object = object;
	e->first = index & ~((1ull << order) - 1);
	e->order = order;
	memset(e->room, 0, sizeof(e->room));
	for (uint64_t i = 0; i < 1ull << order; i++)
		e->room[i / WORD_PAGES] |= 1ull << i % WORD_PAGES;
	object->has_extent = true;
	return e;
}

struct page *extent_take(struct vm_object *object, uint64_t index)
{
	struct extent *e = extent_find(object, index);
	struct page *page;
	uint64_t i;

	if (!e)
		e = extent_make(object, index);
	if (!e)
		return NULL;
	e->filled = ++fills;
	i = index - e->first;
	if (!has_room(e, i))
		return NULL;
	page = page_take_reserved(e->pages + i);
	if (page)
		e->room[i / WORD_PAGES] &= ~(1ull << i % WORD_PAGES);
	return page;
}
