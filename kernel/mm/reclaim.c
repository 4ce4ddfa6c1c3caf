/*
 * Reclaim: what happens when the container's memory is used up.
 *
 * A clock hand goes over the user zone's page descriptors and drops clean pages of files
 * that nobody used since its last round; a second, harder round takes pages that are
 * mapped, too. Called by the page allocator only; never sleeps, so dirty pages stay.
 */
#include "kernel/mm/internal.h"

static uint64_t hand;

uint64_t reclaim_pages(uint64_t count)
{
	uint64_t total, freed = 0;
	struct page *map = page_user_map(&total);

	if (cached_pages <= shmem_pages)
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
