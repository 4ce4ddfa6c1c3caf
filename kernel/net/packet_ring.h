/*
 * PACKET_RX_RING: frames for a packet socket in memory that it shares with its program (the kernel's packet_mmap.rst).
 * TPACKET_V2 only.
 *
 * Order of use: packet_ring_create(), then put() for each frame, ready() for poll, destroy() at the end. Where the frames
 * lie is kept here; of the shared memory only each frame's status word is read, and nothing is believed but whether
 * the program has given the frame back.
 */
#ifndef KERNEL_NET_PACKET_RING_H
#define KERNEL_NET_PACKET_RING_H

#include <linux/if_packet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct packet_ring;
struct vm_object;

struct packet_ring_frame {
	const uint8_t *bytes;
	size_t len, wanted;  /* all there is; what the filter leaves */
	unsigned mac_len;    /* bytes before the network header; 0: they are not given */
	uint32_t status;     /* TP_STATUS_* beside TP_STATUS_USER */
	struct sockaddr_ll from;
	int64_t time; /* ns since 1970 */
};

/* reserve: bytes before each frame that the program wants. 0, -EINVAL, -ENOMEM. May sleep. */
int packet_ring_create(const struct tpacket_req *request, unsigned reserve, struct packet_ring **ring);
void packet_ring_destroy(struct packet_ring *ring);                                          /* may sleep */
bool packet_ring_put(struct packet_ring *ring, const struct packet_ring_frame *frame); /* false: full */
bool packet_ring_ready(const struct packet_ring *ring); /* a frame is the program's */
struct vm_object *packet_ring_object(struct packet_ring *ring);

#endif
