/*
 * The container's user and group ids and the host's: user_namespaces(7)'s mappings, applied to whatever goes over the
 * wire. Without mappings an id is the same on both sides. An owner that is in no mapping is told as GOFER_NO_ID, and
 * nothing can be given to an id outside the mappings: a client that was taken over gets no further than these.
 */
#include <errno.h>

#include "gofer/internal.h"

uint32_t gofer_id_inside(const struct gofer_id_maps *maps, uint32_t host)
{
	for (size_t i = 0; i < maps->count; i++) {
		const struct gofer_id_map *map = &maps->at[i];

		if (host - map->host < map->size)
			return map->inside + (host - map->host);
	}
	return maps->count ? GOFER_NO_ID : host;
}

int gofer_id_outside(const struct gofer_id_maps *maps, uint32_t inside, uint32_t *host)
{
	for (size_t i = 0; i < maps->count; i++) {
		const struct gofer_id_map *map = &maps->at[i];

		if (inside - map->inside < map->size) {
			*host = map->host + (inside - map->inside);
			return 0;
		}
	}
	*host = inside;
	return maps->count ? -EINVAL : 0;
}
