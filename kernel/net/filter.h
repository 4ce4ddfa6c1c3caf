/*
 * Socket filters (SO_ATTACH_FILTER; the kernel's filter.rst): a classic BPF program of the receiver's that looks at each
 * packet before it is queued, and says how many bytes of it are wanted.
 *
 * vfs/anon/socket.c attaches and detaches; families call socket_filter_run() when something is for a socket. What is
 * asked beside the packet's own bytes (SKF_AD_*, SKF_NET_OFF) comes from struct filter_packet. Kernel lock; nothing sleeps.
 */
#ifndef KERNEL_NET_FILTER_H
#define KERNEL_NET_FILTER_H

#include <linux/filter.h>

#include "kernel/net/socket.h"

struct socket_filter {
	uint32_t refs;
	unsigned count;
	struct sock_filter program[];
};

struct filter_packet {
	/* The byte at `at`: the packet holds it, or it is of the network header before. */
	uint8_t (*byte)(const struct filter_packet *packet, int32_t at);
	uint32_t len;
	int network_at;                      /* of the network header, from the first byte on; negative: before it */
	uint16_t protocol, hardware;         /* ETH_P_*, ARPHRD_*, in host order */
	unsigned packet_type, interface;     /* PACKET_*; index */
	uint32_t mark;
};

/* A packet that lies in one piece. */
struct flat_packet {
	struct filter_packet base; /* its byte(): flat_packet_byte */
	const uint8_t *bytes;
};
uint8_t flat_packet_byte(const struct filter_packet *packet, int32_t at);

/* Takes over the program's array (kmalloc). 0, -EPERM (locked), -EINVAL, -ENOMEM. */
int socket_filter_attach(struct socket_options *options, struct sock_filter *program, unsigned count);
int socket_filter_detach(struct socket_options *options); /* 0, -EPERM, -ENOENT */
int socket_filter_lock(struct socket_options *options, bool lock); /* 0, -EPERM */
void socket_filter_put(struct socket_filter *filter);

/* The bytes of a packet that are wanted, at most its length and at least `minimum`; 0: none. */
uint32_t socket_filter_run(const struct socket_options *options, const struct filter_packet *packet, uint32_t minimum);
/* The same for a packet that lies in one piece, without a network header. */
uint32_t socket_filter_run_flat(const struct socket_options *options, const void *bytes, uint32_t len, uint16_t protocol);

#endif
