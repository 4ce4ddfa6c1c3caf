/*
 * AF_PACKET sockets (packet(7)): frames as the links see them, for programs with CAP_NET_RAW.
 *
 * The stack calls packet_seen() with every frame that comes or goes; while no packet socket is open that costs one
 * comparison. What such a socket sends goes out by inet_send_frame().
 */
#ifndef KERNEL_NET_PACKET_H
#define KERNEL_NET_PACKET_H

#include "kernel/net/inet.h"

struct packet_frame {
	const uint8_t *bytes; /* from the Ethernet header on */
	size_t len;
	int index;                 /* of the interface */
	uint8_t type;              /* PACKET_HOST, PACKET_OUTGOING… */
	bool loopback;
	bool checksum_missing;     /* left to a device */
	const struct socket *from; /* that sent it, if a packet socket did */
};

extern unsigned packet_socket_count;
/* Under the kernel lock, also from inside the stack: queues and wakes only. */
void packet_deliver(const struct packet_frame *frame);

static inline void packet_seen(const struct packet_frame *frame)
{
	if (packet_socket_count)
		packet_deliver(frame);
}

/* socket(2): 0, -EPERM, -ESOCKTNOSUPPORT, -ENOMEM. The protocol is an Ethernet type in network order. */
int packet_create(int type, int protocol, struct socket **sock);

#endif
