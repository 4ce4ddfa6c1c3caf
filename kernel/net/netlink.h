/*
 * AF_NETLINK sockets (netlink(7)). NETLINK_ROUTE answers dumps of links, addresses, routes, neighbours and rules;
 * NETLINK_GENERIC has the controller and TASKSTATS; NETLINK_KOBJECT_UEVENT can be listened to, and nothing ever happens. What would change something is refused.
 */
#ifndef KERNEL_NET_NETLINK_H
#define KERNEL_NET_NETLINK_H

#include "kernel/net/socket.h"

/* socket(2): 0, or -ESOCKTNOSUPPORT, -EPROTONOSUPPORT, -ENOMEM. */
int netlink_create(int type, int protocol, struct socket **sock);

/* One socket, for /proc/net/netlink and NETLINK_SOCK_DIAG. */
struct netlink_summary {
	uint64_t ino;
	int type, protocol;
	uint32_t port, groups, queued, receive_buffer, send_buffer;
};
void netlink_summaries(void (*fn)(void *arg, const struct netlink_summary *summary), void *arg);

#endif
