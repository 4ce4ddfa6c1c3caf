/*
 * The sandbox's links: a struct netif of lwIP's each, with a name and a channel of frames. device.c makes them of the
 * configuration; route.c asks which leads where.
 */
#ifndef KERNEL_NET_LWIP_DEVICE_H
#define KERNEL_NET_LWIP_DEVICE_H

#include "kernel/net/frames.h"
#include "kernel/net/lwip/internal.h"
#include "platform/abi/config.h"

struct net_device {
	struct netif netif;
	struct net_device *parent; /* an alias: a further IPv4 address of a link; its frames are the link's */
	struct frames frames;
	char name[16];
	uint16_t mtu; /* of the link */
	uint8_t prefix6[LWIP_IPV6_NUM_ADDRESSES];
};

extern struct net_device net_devices[CONFIG_NETWORK_LINKS + CONFIG_NETWORK_ENTRIES];
extern unsigned net_device_count; /* links first, then aliases */
extern const struct config_route *net_routes;
extern unsigned net_route_count;

/* As inet_configure(); `config` stays in use unless it is refused. In the stack. */
int device_configure(void *config, uint32_t len, const uint32_t *fds, uint32_t fd_count);

/* The best route to an address of `family`, in network order; NULL: none. */
const struct config_route *device_route(uint8_t family, const void *to);

#endif
