/*
 * What the routers of a link are told of its groups, in place of lwIP's igmp.c and mld6.c. multicast.c says when what
 * sockets want has changed, and answers what that is now.
 */
#ifndef KERNEL_NET_LWIP_MEMBERSHIP_H
#define KERNEL_NET_LWIP_MEMBERSHIP_H

#include "kernel/net/lwip/internal.h"

#define MEMBERSHIP_SOURCES_MAX 64u /* senders that a link is told of in a group; more of those that are wanted: all are heard */

/* Which senders of a group a link wants to hear: only these, or all but these. Not include, and none: everybody. */
struct membership_state {
	bool include;
	unsigned count;
	ip_addr_t sources[MEMBERSHIP_SOURCES_MAX];
};

/* Sockets' wishes in a group have changed (first namespace). In the stack. 0 or -ENOBUFS: nobody was told. */
int membership_changed(struct netif *netif, const ip_addr_t *address);
/* multicast.c: what the sockets want of it. include and count 0: nothing. */
void multicast_wish(const struct netif *netif, const ip_addr_t *address, struct membership_state *state);

#endif
