/*
 * The internet families, AF_INET and AF_INET6, behind one interface: whatever TCP/IP stack stands behind it.
 *
 * Today that is lwIP (kernel/net/lwip/); nothing outside that folder names it. Kernel lock; nothing here sleeps but
 * through the sockets' operations (kernel/net/socket.h).
 */
#ifndef KERNEL_NET_INET_H
#define KERNEL_NET_INET_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/net/socket.h"

/* Boot: the stack with its loopback device, and the links of CONFIG_NETWORK, which stays in use. NULL: none. */
void inet_init(const void *network, uint32_t len);

/* socket(2) of these families: 0, or -ESOCKTNOSUPPORT, -EPROTONOSUPPORT, -EPERM, -ENOMEM. Type has no flags. */
int inet_create(int family, int type, int protocol, struct socket **sock);

/* One socket, for /proc/net and netlink. Addresses are in network order: 4 bytes for AF_INET, else 16. */
struct inet_summary {
	uint64_t ino;
	int family, type, protocol;
	unsigned state; /* TCP_ESTABLISHED and its kin, as Linux numbers them */
	uint8_t local[16], remote[16];
	uint16_t local_port, remote_port;
	uint32_t send_queue, receive_queue, uid;
};
void inet_for_each(void (*fn)(void *arg, const struct inet_summary *summary), void *arg);

#endif
