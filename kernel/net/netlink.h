/*
 * AF_NETLINK sockets (netlink(7)). NETLINK_ROUTE answers dumps of links, addresses, routes, neighbours and rules;
 * NETLINK_GENERIC has the controller and TASKSTATS; NETLINK_KOBJECT_UEVENT can be listened to, and nothing ever happens.
 */
#ifndef KERNEL_NET_NETLINK_H
#define KERNEL_NET_NETLINK_H

#include "kernel/net/socket.h"

/* socket(2): 0, or -ESOCKTNOSUPPORT, -EPROTONOSUPPORT, -ENOMEM. */
int netlink_create(int type, int protocol, struct socket **sock);

/*
 * A datagram of the kernel's own into a socket's queue, whatever its protocol (mq_notify(2)). Room is reserved first, so that
 * nothing is missing when it is sent: 0, -EINVAL (no netlink socket), -EAGAIN (full), -ENOMEM. n is at most 256. Neither sleeps.
 */
struct netlink_datagram;
int netlink_reserve(struct socket *sock, struct netlink_datagram **datagram);
void netlink_deliver(struct socket *sock, struct netlink_datagram *datagram, const void *bytes, size_t n);

/* Why the request at hand is refused, in words, for who has asked for them (NETLINK_EXT_ACK); a literal. */
void netlink_explain(const char *why);

/* News for the groups of NETLINK_ROUTE (rtnetlink(7)), from who has changed it. Nothing sleeps. */
struct inet_address;
struct inet_neighbour;
struct inet_route;
void netlink_route_tell_link(int index, bool there); /* gone: while it still is */
void netlink_route_tell_address(const struct inet_address *address, bool added);
void netlink_route_tell_route(const struct inet_route *route, bool added);
void netlink_route_tell_neighbour(const struct inet_neighbour *neighbour, bool added);

/* One socket, for /proc/net/netlink and NETLINK_SOCK_DIAG. */
struct netlink_summary {
	uint64_t ino;
	int type, protocol;
	uint32_t port, groups, queued, receive_buffer, send_buffer;
};
void netlink_summaries(void (*fn)(void *arg, const struct netlink_summary *summary), void *arg);

#endif
