/*
 * Keyrings: links, and the search through them.
 *
 * A search goes down RING_DEPTH keyrings. Keyrings may be linked in many places, and the ways through them can be more than
 * anybody can go: each remembers the search that saw it last and at what depth, so that it is looked into RING_DEPTH times at most.
 */
#include "kernel/keys/internal.h"
#include "kernel/task.h"

#define FIRST_ROOM 4u

static uint64_t searches;

static bool is_wanted(const struct key *key, const struct ring_search *search)
{
	if (search->wanted)
		return key == search->wanted;
	return key->type == search->type && !strcmp(key->description, search->description);
}

/* Is it the one, and may it be found? If not, why. */
static bool try_key(struct key *key, struct ring_search *search)
{
	int state = search->any_state ? 0 : key_validate(key);

	if (state == -ENOKEY) /* invalidated */
		state = -EKEYREVOKED;
	if (state == -EKEYEXPIRED && search->skip_expired)
		return false;
	if (state == 0)
		state = key_permission(key, search->possessed, NEED_SEARCH);
	if (state) {
		search->error = state;
		return false;
	}
	search->found = key;
	return true;
}

static bool search_below(struct key *ring, unsigned depth, struct ring_search *search)
{
	if (ring->search == search->number && ring->depth <= depth)
		return false;
	ring->search = search->number;
	ring->depth = depth;
	if (ring->revoked || ring->invalid)
		return false;
	for (unsigned i = 0; i < ring->count; i++)
		if (is_wanted(ring->links[i], search) && try_key(ring->links[i], search))
			return true;
	for (unsigned i = 0; depth < RING_DEPTH && i < ring->count; i++) {
		struct key *below = ring->links[i];

		if (below->type->is_ring && !key_permission(below, search->possessed, NEED_SEARCH) &&
			search_below(below, depth + 1, search))
			return true;
	}
	return false;
}

int ring_search(struct key_ref ring, struct ring_search *search)
{
	if (!ring.key->type->is_ring)
		return -ENOTDIR;
	if (key_permission(ring.key, ring.possessed, NEED_SEARCH))
		return -EACCES;
	search->number = ++searches;
	search->possessed = ring.possessed;
	search->error = -EAGAIN;
	search->found = NULL;
	if (is_wanted(ring.key, search))
		return try_key(ring.key, search) ? 0 : search->error;
	return search_below(ring.key, 0, search) ? 0 : search->error;
}

struct key *ring_find(const struct key *ring, const struct key_type *type, const char *description)
{
	for (unsigned i = 0; i < ring->count; i++)
		if (ring->links[i]->type == type && !strcmp(ring->links[i]->description, description))
			return ring->links[i];
	return NULL;
}

bool ring_has(const struct key *ring, const struct key *key)
{
	for (unsigned i = 0; i < ring->count; i++)
		if (ring->links[i] == key)
			return true;
	return false;
}

/* Would `key`, below `ring`, lead back to it, or further down than a search goes? 0, -EDEADLK, -ELOOP. Deeper sees more. */
static int check_circle(const struct key *ring, struct key *key, unsigned depth, uint64_t number)
{
	int rc = 0;

	if (key == ring)
		return -EDEADLK;
	if (depth > RING_DEPTH)
		return -ELOOP;
	if (key->search == number && key->depth >= depth)
		return 0;
	key->search = number;
	key->depth = depth;
	for (unsigned i = 0; rc == 0 && i < key->count; i++)
		if (key->links[i]->type->is_ring)
			rc = check_circle(ring, key->links[i], depth + 1, number);
	return rc;
}

static int make_room(struct key *ring)
{
	unsigned room = ring->room ? ring->room * 2 : FIRST_ROOM;
	struct key **links;

	if (ring->count < ring->room)
		return 0;
	links = krealloc(ring->links, room * sizeof(*links));
	if (!links)
		return -ENOMEM;
	ring->links = links;
	ring->room = room;
	return 0;
}

int ring_link(struct key *ring, struct key *key)
{
	struct key *before;
	int rc = 0;

	if (!ring->type->is_ring)
		return -ENOTDIR;
	if (ring->closed)
		return -EPERM;
	if (key->type->is_ring)
		rc = check_circle(ring, key, 0, ++searches);
	if (rc < 0)
		return rc;
	before = ring_find(ring, key->type, key->description);
	if (before == key)
		return 0;
	for (unsigned i = 0; before && i < ring->count; i++) {
		if (ring->links[i] != before)
			continue;
		key_get(key);
		ring->links[i] = key;
		key_put(before);
		return 0;
	}
	rc = make_room(ring);
	if (rc == 0)
		rc = key_set_quota(ring, ring->quota + LINK_BYTES);
	if (rc < 0)
		return rc;
	key_get(key);
	ring->links[ring->count++] = key;
	return 0;
}

bool ring_unlink(struct key *ring, const struct key *key)
{
	for (unsigned i = 0; i < ring->count; i++) {
		struct key *linked = ring->links[i];

		if (linked != key)
			continue;
		ring->count--;
		memmove(ring->links + i, ring->links + i + 1, (ring->count - i) * sizeof(*ring->links));
		key_set_quota(ring, ring->quota - MIN(ring->quota, LINK_BYTES));
		key_put(linked);
		return true;
	}
	return false;
}

void ring_clear(struct key *ring)
{
	struct key **links = ring->links;
	unsigned count = ring->count;

	key_set_quota(ring, ring->quota - MIN(ring->quota, LINK_BYTES * count));
	ring->links = NULL;
	ring->count = ring->room = 0;
	for (unsigned i = 0; i < count; i++)
		key_put(links[i]);
	kfree(links);
}
