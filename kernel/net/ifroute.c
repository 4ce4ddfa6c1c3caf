/*
 * AF_INET's routes and neighbours by ioctl: SIOCADDRT and SIOCDELRT, as route(8) of net-tools asks, and arp(7). Routes that
 * lead nowhere or have metrics of their own, neighbours that are answered for and those that are not permanent are refused.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>

#include "kernel/net/ifreq_internal.h"
#include "kernel/user_ns.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"

/* <linux/route.h> and <linux/if_arp.h> want a C library. */
struct route_request {
	uint64_t pad1;
	struct sockaddr_in destination, gateway, mask;
	uint16_t flags;
	int16_t pad2;
	uint64_t pad3;
	uint64_t pad4;
	int16_t metric;
	uint64_t device; /* its name */
	uint64_t mtu, window;
	uint16_t initial_rtt;
};
_Static_assert(sizeof(struct route_request) == 120, "as <linux/route.h> has it");

/* ---- routes ---- */

/* The mask of whose destination it is; a host has none. */
static int decode_prefix(const struct route_request *request, struct inet_route *route)
{
	uint32_t address = request->destination.sin_addr.s_addr, mask = request->mask.sin_addr.s_addr;
	uint32_t host = ~__builtin_bswap32(mask);

	if (request->destination.sin_family != AF_INET)
		return -EAFNOSUPPORT;
	memcpy(route->destination, &address, sizeof(address));
	route->prefix = 32;
	if (request->flags & RTF_HOST)
		return 0;
	if (request->mask.sin_family != AF_INET && (mask || request->mask.sin_family))
		return -EAFNOSUPPORT;
	if (address & ~mask || host & (host + 1))
		return -EINVAL;
	route->prefix = (uint8_t)__builtin_popcount(mask);
	return 0;
}

static int decode_device(const struct route_request *request, struct inet_route *route)
{
	struct inet_device device;
	char name[NAME_SIZE];

	if (!request->device)
		return 0;
	if (strncpy_from_user(name, UADDR(request->device), NAME_SIZE - 1) < 0)
		return -EFAULT;
	name[NAME_SIZE - 1] = '\0';
	if (strchr(name, ':') || !inet_find_device(0, name, &device))
		return -ENODEV;
	route->index = device.index;
	return 0;
}

static int decode_gateway(const struct route_request *request, bool add, struct inet_route *route)
{
	uint32_t gateway = request->gateway.sin_family == AF_INET ? request->gateway.sin_addr.s_addr : 0;

	memcpy(route->gateway, &gateway, sizeof(gateway));
	route->scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	if (!add)
		return 0;
	if (request->flags & RTF_GATEWAY)
		return gateway ? 0 : -EINVAL;
	return gateway ? -ENETUNREACH : 0;
}

static int64_t change_route(bool add, uint64_t arg)
{
	struct inet_route route = {.family = AF_INET, .protocol = add ? RTPROT_BOOT : RTPROT_UNSPEC};
	struct route_request request;
	int rc;

	if (get_user(request, UADDR(arg)))
		return -EFAULT;
	if (!net_capable(CAP_NET_ADMIN))
		return -EPERM;
	rc = decode_prefix(&request, &route);
	if (!rc)
		rc = decode_device(&request, &route);
	if (!rc)
		rc = decode_gateway(&request, add, &route);
	if (rc)
		return rc;
	if (inet_is_shown() || (add && request.flags & ~(RTF_UP | RTF_GATEWAY | RTF_HOST | RTF_REINSTATE)))
		return -EOPNOTSUPP;
	route.metric = request.metric ? (uint32_t)(request.metric - 1) : 0;
	return add ? inet_add_route(&route, NLM_F_CREATE) : inet_delete_route(&route);
}

/* ---- neighbours ---- */

struct arp_request {
	struct sockaddr_in address;
	struct {
		uint16_t family;
		uint8_t bytes[14];
	} hardware;
	uint32_t flags;
	struct sockaddr_in mask;
	char device[NAME_SIZE];
};
_Static_assert(sizeof(struct arp_request) == 68, "as <linux/if_arp.h> has it");

#define ATF_COM 0x2u
#define ATF_PERM 0x4u
#define ATF_PUBL 0x8u
#define ATF_NETMASK 0x20u
#define ATF_DONTPUB 0x40u

struct neighbour_search {
	int index;
	const struct sockaddr_in *address;
	struct inet_neighbour found; /* index 0: none */
};

static void match_neighbour(void *arg, const struct inet_neighbour *neighbour)
{
	struct neighbour_search *search = arg;

	if (neighbour->family == AF_INET && neighbour->index == search->index &&
	    !memcmp(neighbour->address, &search->address->sin_addr, sizeof(search->address->sin_addr)))
		search->found = *neighbour;
}

static struct inet_neighbour find_neighbour(int index, const struct arp_request *request)
{
	struct neighbour_search search = {.index = index, .address = &request->address};

	inet_for_each_neighbour(match_neighbour, &search);
	return search.found;
}

static int64_t tell_neighbour(const struct inet_device *device, struct arp_request *request, uint64_t arg)
{
	struct inet_neighbour neighbour = find_neighbour(device->index, request);

	if (!neighbour.index)
		return -ENXIO;
	memset(&request->hardware, 0, sizeof(request->hardware));
	request->hardware.family = ifreq_hardware(device);
	memcpy(request->hardware.bytes, neighbour.mac, sizeof(neighbour.mac));
	request->flags = ATF_COM | (neighbour.permanent ? ATF_PERM : 0);
	memcpy(request->device, device->name, sizeof(request->device));
	return copy_to_user(UADDR(arg), request, sizeof(*request));
}

static int set_neighbour(int index, const struct arp_request *request)
{
	struct inet_neighbour neighbour = {.index = index, .family = AF_INET};

	if (request->flags & ATF_PUBL)
		return -EOPNOTSUPP;
	if (!(request->flags & ATF_COM))
		return -EINVAL;
	if (!(request->flags & ATF_PERM))
		return -EOPNOTSUPP;
	memcpy(neighbour.address, &request->address.sin_addr, 4);
	memcpy(neighbour.mac, request->hardware.bytes, sizeof(neighbour.mac));
	return inet_set_neighbour(&neighbour, true);
}

static int delete_neighbour(int index, const struct arp_request *request)
{
	struct inet_neighbour neighbour = find_neighbour(index, request);

	if (!neighbour.index || request->flags & ATF_PUBL)
		return -ENXIO;
	return inet_set_neighbour(&neighbour, false);
}

/* By its name, or the one that leads there. */
static int decode_neighbour_device(unsigned cmd, struct arp_request *request, struct inet_device *device)
{
	struct inet_route route;
	int rc;

	if (request->device[0]) {
		request->device[NAME_SIZE - 1] = '\0';
		if (!inet_find_device(0, request->device, device))
			return -ENODEV;
	} else {
		if (cmd == SIOCGARP)
			return -ENODEV;
		rc = inet_route_to(AF_INET, (const uint8_t *)&request->address.sin_addr, &route);
		if (rc)
			return rc;
		if (!inet_find_device(route.index, NULL, device))
			return -ENODEV;
		if (cmd == SIOCSARP && device->loopback)
			return -EINVAL;
	}
	if (cmd == SIOCSARP && request->hardware.family && request->hardware.family != ifreq_hardware(device))
		return -EINVAL;
	return 0;
}

static int64_t neighbour_ioctl(unsigned cmd, uint64_t arg)
{
	struct inet_device device;
	struct arp_request request;
	int rc;

	if (cmd != SIOCGARP && !net_capable(CAP_NET_ADMIN))
		return -EPERM;
	if (get_user(request, UADDR(arg)))
		return -EFAULT;
	if (request.address.sin_family != AF_INET)
		return -EPFNOSUPPORT;
	if (!(request.flags & ATF_PUBL) && request.flags & (ATF_NETMASK | ATF_DONTPUB))
		return -EINVAL;
	rc = decode_neighbour_device(cmd, &request, &device);
	if (rc)
		return rc;
	if (cmd == SIOCGARP)
		return tell_neighbour(&device, &request, arg);
	if (inet_is_shown())
		return -EOPNOTSUPP;
	return cmd == SIOCSARP ? set_neighbour(device.index, &request) : delete_neighbour(device.index, &request);
}

int64_t ifroute_ioctl(unsigned cmd, uint64_t arg)
{
	switch (cmd) {
	case SIOCADDRT:
	case SIOCDELRT:
		return change_route(cmd == SIOCADDRT, arg);
	case SIOCRTMSG:
		return -EINVAL;
	case SIOCDARP:
	case SIOCGARP:
	case SIOCSARP:
		return neighbour_ioctl(cmd, arg);
	default:
		return -ENOTTY;
	}
}
