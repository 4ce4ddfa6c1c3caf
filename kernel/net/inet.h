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

struct net_ns;

/* Boot: the stack with its loopback device. */
void inet_init(void);
/*
 * A struct config_network and its arrays (platform/abi/config.h), once: links, whose `fd` counts in `fds`, with their
 * addresses, routes and neighbours. 0, -EINVAL with a line in the log, -EEXIST, -ENOMEM.
 */
int inet_configure(const void *network, uint32_t len, const uint32_t *fds, uint32_t fd_count);
/* Frames of links that inet_add_link() adds come and leave by `fd` (ABI_FILE_LINKS). */
void inet_use_links(uint32_t fd);
/*
 * The same description of the network that the host's sockets (kernel/net/hostnet.h) are on: it is told to who asks for
 * links, addresses and routes, and cannot be changed. 0, -EINVAL, -ENOMEM.
 */
int inet_show(const void *network, uint32_t len);
bool inet_is_shown(void); /* to the current task */
/* `fd` leads to the name server that 127.0.0.11, port 53, stands for. */
void inet_use_resolver(uint32_t fd);

/* A namespace made inside: a loopback that is down, and nothing else; and its end, when no socket is left. 0 or -ENOMEM. */
int inet_ns_begin(struct net_ns *net);
void inet_ns_end(struct net_ns *net);

/* socket(2) of these families: 0, or -ESOCKTNOSUPPORT, -EPROTONOSUPPORT, -EPERM, -ENOMEM. Type has no flags. */
int inet_create(int family, int type, int protocol, struct socket **sock);

/* One socket, for /proc/net and netlink. Addresses are in network order: 4 bytes for AF_INET, else 16. */
struct inet_summary {
	struct socket *sock; /* NULL: a connection that its socket has left */
	uint64_t ino;
	int family, type, protocol;
	unsigned state; /* TCP_ESTABLISHED and its kin, as Linux numbers them */
	uint8_t local[16], remote[16];
	uint16_t local_port, remote_port;
	uint32_t send_queue, receive_queue, uid; /* queues of a listener: at most, waiting */
	uint8_t shutdown, tos;                   /* 1: receiving, 2: sending */
	bool v6only;
};
void inet_for_each(void (*fn)(void *arg, const struct inet_summary *summary), void *arg);

/* ---- what the network consists of; addresses in network order, IPv4 in the first four bytes ---- */

struct inet_device {
	int index;
	uint32_t host_index; /* the link's number in the host's namespace; 0: the loopback's */
	char name[16];
	bool loopback, up, counted; /* counted: what came and went is known */
	uint8_t mac[6];
	uint32_t mtu;
	uint64_t sent, sent_bytes, send_dropped, received, received_bytes, receive_dropped;
};

/* Flags of a device, as <linux/if.h> numbers them, which wants a C library. */
#define IFF_UP 0x1u
#define IFF_BROADCAST 0x2u
#define IFF_LOOPBACK 0x8u
#define IFF_RUNNING 0x40u
#define IFF_MULTICAST 0x1000u
#define IFF_LOWER_UP 0x10000u

/* What kind it is, and IFF_UP. */
static inline uint32_t inet_device_flags(const struct inet_device *device)
{
	return (device->loopback ? IFF_LOOPBACK : IFF_BROADCAST | IFF_MULTICAST) | (device->up ? IFF_UP : 0);
}

struct inet_address {
	int index;
	uint8_t family, prefix, scope; /* RT_SCOPE_* */
	bool secondary, broadcast; /* broadcast: it has one, that of its prefix */
	bool no_route;             /* to add: without the route to its prefix */
	uint8_t address[16];
};

struct inet_route {
	int index;
	uint8_t family, prefix, scope, protocol; /* RT_SCOPE_*, RTPROT_* */
	bool local;                              /* inet_route_to(): to ourselves */
	uint8_t destination[16], gateway[16], source[16];
	uint32_t metric;
};

struct inet_neighbour {
	int index;
	uint8_t family;
	uint8_t address[16], mac[6];
	uint8_t state; /* NUD_* */
	bool permanent, router;
};

/* A multicast group that a link takes packets for. */
struct inet_group {
	int index;
	uint8_t family, address[16];
	unsigned users;
};

void inet_for_each_device(void (*fn)(void *arg, const struct inet_device *device), void *arg);
/* By its index, or if that is 0 by its name (NULL: none): whether there is one. *device is all zero if not. */
bool inet_find_device(int index, const char *name, struct inet_device *device);
void inet_for_each_address(void (*fn)(void *arg, const struct inet_address *address), void *arg);
void inet_for_each_route(void (*fn)(void *arg, const struct inet_route *route), void *arg);
void inet_for_each_neighbour(void (*fn)(void *arg, const struct inet_neighbour *neighbour), void *arg);
/* Counters since the start, as /proc/net/snmp names them: group "Ip", "Icmp", "Tcp", "Udp", "IpExt", "Ip6", "Icmp6", "Udp6". */
void inet_for_each_counter(const char *group, void (*fn)(void *arg, const char *name, int64_t value), void *arg);
void inet_for_each_group(int index, int family, void (*fn)(void *arg, const struct inet_group *group), void *arg);
/* A frame with its Ethernet header, as a packet socket sends it: 0, -ENXIO, -ENETDOWN, -ENOBUFS. */
int inet_send_frame(int index, const void *frame, size_t len, const struct socket *from);
/* The route that a packet would take: 0, -ENETUNREACH, or -EOPNOTSUPP where the network is only shown. */
int inet_route_to(int family, const uint8_t *to, struct inet_route *route);

/*
 * ---- changes; 0 or -errno as Linux gives for them, and listeners of netlink are told ----
 * -ENODEV: no such link; -EOPNOTSUPP: not of this one (the loopback stays as it is).
 */
/* A link of the host's, up and without addresses: name, MAC, MTU and host_index are used. Its index, -EEXIST, -ENOBUFS, -ENOMEM. */
int inet_add_link(const struct inet_device *link);
void inet_remove_link(int index); /* with its addresses, routes and neighbours */
int inet_set_link(int index, bool up);
int inet_set_mtu(int index, uint32_t mtu);                 /* -EINVAL: above what the host's link has */
int inet_add_address(const struct inet_address *address);    /* -EEXIST, -ENOBUFS */
int inet_delete_address(const struct inet_address *address); /* prefix 0: any; -EADDRNOTAVAIL */
/* flags: NLM_F_CREATE, EXCL, REPLACE; index 0: by the gateway. -EEXIST, -ENOENT, -ENETUNREACH, -ENETDOWN, -ENOBUFS */
int inet_add_route(const struct inet_route *route, unsigned flags);
int inet_delete_route(const struct inet_route *route); /* what is zero matches any; -ESRCH */
int inet_set_neighbour(const struct inet_neighbour *neighbour, bool add); /* permanent ones; removed is any. -ENOENT */

#endif
