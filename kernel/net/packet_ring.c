/*
 * Rings of received frames. See kernel/net/packet_ring.h.
 */
#include <linux/errno.h>

#include "kernel/mm.h"
#include "kernel/net/packet_ring.h"
#include "ring0/lib.h"

#define RING_MAX (32u * 1024 * 1024)

struct packet_ring {
	struct vm_object *object;
	unsigned block_size, frame_size, per_block, count, reserve;
	unsigned next;        /* the frame to fill */
	unsigned page_count;
	struct page *pages[]; /* referenced */
};

static int check(const struct tpacket_req *r, unsigned reserve)
{
	if (!r->tp_block_size || r->tp_block_size % PAGE_SIZE || !r->tp_block_nr || r->tp_frame_size % TPACKET_ALIGNMENT ||
	    r->tp_frame_size < TPACKET2_HDRLEN + reserve || r->tp_frame_size > r->tp_block_size)
		return -EINVAL;
	if (r->tp_block_nr > RING_MAX / r->tp_block_size)
		return -ENOMEM;
	return r->tp_frame_nr == r->tp_block_size / r->tp_frame_size * r->tp_block_nr ? 0 : -EINVAL;
}

int packet_ring_create(const struct tpacket_req *request, unsigned reserve, struct packet_ring **out)
{
	int rc = check(request, reserve);
	unsigned pages;
	struct packet_ring *ring;

	if (rc)
		return rc;
	pages = request->tp_block_size / PAGE_SIZE * request->tp_block_nr;
	ring = kzalloc(sizeof(*ring) + pages * sizeof(ring->pages[0]));
	if (!ring)
		return -ENOMEM;
	ring->block_size = request->tp_block_size;
	ring->frame_size = request->tp_frame_size;
	ring->per_block = ring->block_size / ring->frame_size;
	ring->count = request->tp_frame_nr;
	ring->reserve = reserve;
	ring->object = object_create_shmem((uint64_t)pages * PAGE_SIZE);
	rc = ring->object ? 0 : -ENOMEM;
	while (!rc && ring->page_count < pages) {
		rc = object_get_page(ring->object, ring->page_count, &ring->pages[ring->page_count]);
		ring->page_count += !rc;
	}
	if (rc) {
		packet_ring_destroy(ring);
		return rc;
	}
	*out = ring;
	return 0;
}

void packet_ring_destroy(struct packet_ring *ring)
{
	if (!ring)
		return;
	for (unsigned i = 0; i < ring->page_count; i++)
		page_put(ring->pages[i]);
	if (ring->object)
		object_put(ring->object);
	kfree(ring);
}

struct vm_object *packet_ring_object(struct packet_ring *ring)
{
	return ring->object;
}

/* ---- frames ---- */

static size_t frame_offset(const struct packet_ring *ring, unsigned frame)
{
	return (size_t)(frame / ring->per_block) * ring->block_size + (size_t)(frame % ring->per_block) * ring->frame_size;
}

static void copy_in(struct packet_ring *ring, size_t offset, const void *from, size_t n)
{
	const char *bytes = from;

	while (n) {
		size_t part = MIN(n, PAGE_SIZE - offset % PAGE_SIZE);

		memcpy((char *)page_address(ring->pages[offset / PAGE_SIZE]) + offset % PAGE_SIZE, bytes, part);
		bytes += part;
		offset += part;
		n -= part;
	}
}

/* Frames begin at multiples of 16, so the word lies in one page. */
static volatile uint32_t *status_of(const struct packet_ring *ring, unsigned frame)
{
	size_t offset = frame_offset(ring, frame);

	return (volatile uint32_t *)(void *)((char *)page_address(ring->pages[offset / PAGE_SIZE]) + offset % PAGE_SIZE);
}

bool packet_ring_put(struct packet_ring *ring, const struct packet_ring_frame *frame)
{
	const size_t header = TPACKET_ALIGN(sizeof(struct tpacket2_hdr));
	size_t at = frame_offset(ring, ring->next), net, mac, part;
	struct tpacket2_hdr h = {0};

	if (*status_of(ring, ring->next) != TP_STATUS_KERNEL)
		return false;
	net = TPACKET_ALIGN(TPACKET2_HDRLEN + MAX(frame->mac_len, 16u)) + ring->reserve;
	mac = net - frame->mac_len;
	part = mac >= ring->frame_size ? 0 : MIN(frame->wanted, ring->frame_size - mac);
	h.tp_len = (uint32_t)frame->len;
	h.tp_snaplen = (uint32_t)part;
	h.tp_mac = (uint16_t)mac;
	h.tp_net = (uint16_t)net;
	h.tp_sec = (uint32_t)(frame->time / 1000000000);
	h.tp_nsec = (uint32_t)(frame->time % 1000000000);
	copy_in(ring, at + mac, frame->bytes, part);
	copy_in(ring, at, &h, sizeof(h));
	copy_in(ring, at + header, &frame->from, sizeof(frame->from));
	__atomic_store_n(status_of(ring, ring->next), TP_STATUS_USER | frame->status, __ATOMIC_RELEASE);
	ring->next = (ring->next + 1) % ring->count;
	return true;
}

bool packet_ring_ready(const struct packet_ring *ring)
{
	return *status_of(ring, (ring->next + ring->count - 1) % ring->count) != TP_STATUS_KERNEL;
}
