/*
 * Multicast: what sockets join, and what reaches them of it. option_multicast.c decodes the requests, datagram.c and
 * datagram_in.c ask when they send and deliver. Kernel lock; nothing sleeps.
 */
#ifndef KERNEL_NET_LWIP_MULTICAST_H
#define KERNEL_NET_LWIP_MULTICAST_H

#include "kernel/net/lwip/internal.h"

struct multicast_request {
	ip_addr_t group, source; /* source: not of joining and leaving */
	int index;               /* of the link; 0: by `own` */
	uint32_t own;            /* an IPv4 address of the link, in network order; 0: by the route to the group */
};

/* 0 or -errno as Linux gives it: -EINVAL, -ENODEV, -EADDRINUSE, -EADDRNOTAVAIL, -ENOBUFS. */
int multicast_join(struct inet_socket *sock, const struct multicast_request *request);
int multicast_leave(struct inet_socket *sock, const struct multicast_request *request);
/* A sender is heard (include) or not, from now on (add) or no longer. */
int multicast_source(struct inet_socket *sock, const struct multicast_request *request, bool include, bool add);
/* The whole list of senders. What is read stays where it is until the next change. */
int multicast_set_filter(struct inet_socket *sock, const struct multicast_request *request, bool include, const ip_addr_t *sources,
	unsigned count);
int multicast_get_filter(struct inet_socket *sock, const struct multicast_request *request, bool *include, const ip_addr_t **sources,
	unsigned *count);
void multicast_leave_all(struct inet_socket *sock);
void multicast_forget_link(int index); /* it goes, and with it who had joined what there */

/* Whether an interface takes packets to this group. */
bool multicast_is_member(struct netif *netif, const ip_addr_t *address);
/* Whether a socket wants a packet to a group that came in by the link of this index. */
bool multicast_wants(const struct inet_socket *sock, const ip_addr_t *group, const ip_addr_t *from, int index);

/* option_multicast.c: 1: not of these, else 0 or -errno. */
int multicast_set_option(struct inet_socket *sock, int level, int option, const void *value, unsigned len);
int multicast_get_option(struct inet_socket *sock, int level, int option, void *value, unsigned *len);

#endif
