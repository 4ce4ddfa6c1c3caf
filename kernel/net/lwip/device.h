/*
 * The sandbox's links: a struct netif of lwIP's each, with a name and a channel of frames. device.c makes them of the
 * configuration, device_frames.c moves their frames; route.c asks which leads where.
 */
#ifndef KERNEL_NET_LWIP_DEVICE_H
#define KERNEL_NET_LWIP_DEVICE_H

#include "kernel/net/frames.h"
#include "kernel/net/lwip/internal.h"
#include "platform/abi/config.h"

struct net_device {
	struct netif netif;
	struct net_device *parent; /* an alias: a further IPv4 address of a link; its frames are the link's. &net_no_device: unused */
	uint32_t host_index; /* of the link, in the host's namespace */
	struct frames frames;
	char name[16];
	bool broadcast; /* its IPv4 address came with one */
	uint16_t mtu, mtu_max; /* of the link; at most the host's */
	uint16_t mtu6;         /* IPv6's, which a router may lower */
	uint8_t prefix6[LWIP_IPV6_NUM_ADDRESSES];
};

extern struct net_device net_devices[CONFIG_NETWORK_LINKS + CONFIG_NETWORK_ENTRIES];
extern unsigned net_device_count; /* those of the start first, then aliases and later links, as they came */
extern struct net_device net_no_device;
#define NET_ROUTES_MAX 256u
extern struct config_route net_routes[NET_ROUTES_MAX];
extern unsigned net_route_count;

static inline struct net_device *device_of(struct netif *netif) /* not the loopback's */
{
	return container_of(netif, struct net_device, netif);
}

static inline struct netif *device_link(struct netif *netif) /* the link itself, of an alias */
{
	return netif != &loop_netif && device_of(netif)->parent ? &device_of(netif)->parent->netif : netif;
}

/* A description (platform/abi/config.h): what is wrong with it, or NULL. fd_count UINT32_MAX: descriptors do not matter. */
const char *device_check(const void *config, uint32_t len, uint32_t fd_count);
/* As inet_configure(). In the stack. */
int device_configure(const void *config, uint32_t len, const uint32_t *fds, uint32_t fd_count);
struct net_device *device_by_index(int index); /* a link; NULL: there is none */
/* A link whose frames go by `fd`, up, without addresses; they are not started. NULL: there are too many. In the stack. */
struct net_device *device_add_link(const struct config_link *link, uint32_t fd);
void device_remove(struct net_device *device); /* a link or an alias, without addresses. In the stack */

/* The netif of a link that has this IPv4 address (all zero: that is free); NULL: none. */
struct net_device *device_find_slot4(struct net_device *device, const uint8_t *address);
void device_set_address4(struct net_device *slot, const uint8_t *address, unsigned prefix);
uint8_t device_prefix4(const struct netif *netif); /* of its IPv4 address */
/* 0, -EEXIST, -ENOBUFS. In the stack. */
int device_add_address4(struct net_device *device, const uint8_t *address, unsigned prefix, bool broadcast);
int device_add_address6(struct net_device *device, const uint8_t *address, unsigned prefix);
/* Whether `slot` has an address of the link's in this network. */
bool device_shares_network(const struct net_device *device, const struct net_device *slot, const ip4_addr_t *address, const ip4_addr_t *mask);
void device_set_mtu(struct net_device *device, uint16_t mtu); /* not while datagrams are cut */
void device_need_link_local(struct net_device *device);
/* What goes with a link that goes down, and its IPv4 addresses, which stay with one that is only down. In the stack. */
void change_take_down(struct net_device *device);
void change_forget_addresses4(struct net_device *device);
bool neighbour6_forget(int index, const uint8_t *address); /* neighbours.c: whether it was known. In the stack */
bool change_neighbour_is_permanent(const uint8_t *address); /* IPv4 */
void inet_fill_route(const struct config_route *r, struct inet_route *out);

/* device_frames.c */
#define DEVICE_LARGE_MTU 61480u /* what lwIP believes in where the host cuts segments */
#define DEVICE_CHECKSUMS (NETIF_CHECKSUM_ENABLE_ALL & ~NETIF_CHECKSUM_GEN_TCP)
err_t device_start_netif(struct netif *netif); /* lwIP's callback for a new one */
void device_receive_frame(struct frames *frames, const struct frame_header *header, const uint8_t *frame, size_t len);

/* The best route to an address of `family`, in network order; NULL: none. */
const struct config_route *device_route(uint8_t family, const void *to);

#endif
