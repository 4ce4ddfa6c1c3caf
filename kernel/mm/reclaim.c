/*
 * Reclaim: what happens when the container's memory is used up.
 *
 * A clock hand goes over the user zone's page descriptors and drops clean pages of files
 * that nobody used since its last round; a second, harder round takes pages that are
 * mapped, too. Called by the page allocator only; never sleeps, so dirty pages stay.
 * The last few are not taken: they are the text of what runs, each instruction of which would
 * be read from the gofer again and again; so memory counts as used up a little earlier.
 */
#include "kernel/mm/internal.h"

#define FLOOR_SHIFT 6 /* of all pages so many, one 64th, stay with files */
#define FLOOR_PAGES 32u

static uint64_t hand;

uint64_t reclaim_pages(uint64_t count)
{
	uint64_t total, freed = 0;
	struct page *map = page_user_map(&total);

	if (cached_pages <= shmem_pages + FLOOR_PAGES + (total >> FLOOR_SHIFT))
		return 0;
	for (unsigned round = 0; round < 3 && freed < count; round++) {
		for (uint64_t i = 0; i < total && freed < count; i++) {
			struct page *page;

			hand = hand + 1 < total ? hand + 1 : 0;
			page = map + hand;
			if (!(page->flags & PAGE_CACHED) || page->refs == 0)
				continue;
			if (page->flags & PAGE_ACCESSED) {
				page->flags &= (uint16_t)~PAGE_ACCESSED;
				continue;
			}
			if (page->refs > 1 && round < 2)
				continue;
			if (object_evict(page))
				freed++;
		}
	}
	return freed;
}
