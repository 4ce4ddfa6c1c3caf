/*
 * AF_NETLINK sockets (netlink(7)). NETLINK_ROUTE answers dumps of links, addresses, routes, neighbours and rules;
 * NETLINK_GENERIC has the controller and TASKSTATS; NETLINK_KOBJECT_UEVENT can be listened to, and nothing ever happens. What would change something is refused.
 */
#ifndef KERNEL_NET_NETLINK_H
#define KERNEL_NET_NETLINK_H

#include "kernel/net/socket.h"

/* socket(2): 0, or -ESOCKTNOSUPPORT, -EPROTONOSUPPORT, -ENOMEM. */
int netlink_create(int type, int protocol, struct socket **sock);

#endif
