/*
 * Ethernet frames to and from a socket on the host, by the host ring: one read or write a frame, each with a struct
 * virtio_net_hdr before it (what of its checksums is to be trusted or made, and how it is cut into packets).
 *
 * Order of use: frames_start() once; then frames_alloc(), fill in, frames_send(). Received frames come by the callback,
 * under the kernel lock, never from inside another function of this file. Nothing sleeps.
 *
 * Links that come after the start share one socket: frames_start_shared() once, and such a link's struct frames has the
 * host's number of it and is not started.
 */
#ifndef KERNEL_NET_FRAMES_H
#define KERNEL_NET_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/wait.h"

/* As in <linux/virtio_net.h>, without its C library types. */
struct frame_header {
	uint8_t flags, gso_type;
	uint16_t header_len, gso_size, checksum_start, checksum_offset;
};
_Static_assert(sizeof(struct frame_header) == 10, "struct virtio_net_hdr");

#define FRAME_NEEDS_CHECKSUM 1u
#define FRAME_DATA_VALID 2u
#define FRAME_GSO_TCPV4 1u
#define FRAME_GSO_TCPV6 4u
#define FRAME_GSO_UDP 5u /* datagrams of one size, one behind the other */

#define FRAME_MAX 65550u /* bytes of a frame, with its Ethernet header */

struct frame_buffer;
struct frame_reader;

struct frames {
	uint32_t fd; /* donated descriptor */
	uint32_t host_index; /* ABI_FILE_LINKS: which link; else 0 */
	/* header and frame lie in memory that is reused afterwards; the sender's bytes, not to be trusted. */
	void (*receive)(struct frames *self, const struct frame_header *header, const uint8_t *frame, size_t len);
	struct frame_reader *reader;
	unsigned in_flight;
	uint64_t sent, sent_bytes, received, received_bytes, send_dropped, receive_dropped;
};

int frames_start(struct frames *frames); /* 0 or -ENOMEM */
/* Frames that come by `fd`, each to whom `find` says for its link (NULL: nobody). 0 or -ENOMEM. */
int frames_start_shared(uint32_t fd, struct frames *(*find)(uint32_t host_index));
/* Room for a frame of len bytes; NULL: no memory, or too many under way. */
struct frame_buffer *frames_alloc(struct frames *frames, size_t len);
struct frame_header *frames_header(struct frame_buffer *buffer);
uint8_t *frames_bytes(struct frame_buffer *buffer);
/* Takes it over; lost if the host does not take it. It goes with hostring_ring(): one word to the VMM for many frames. */
void frames_send(struct frame_buffer *buffer);

#endif
