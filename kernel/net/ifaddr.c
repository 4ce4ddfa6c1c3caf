/*
 * Addresses by ioctl, which are a family's: AF_INET's by the names of devices (netdevice(7)), AF_INET6's by their indices
 * (ipv6(7)), and AF_INET6's routes. A device has no labels here: a name with a colon has no address.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>

#include "kernel/net/ifreq_internal.h"
#include "kernel/user_ns.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"

/* <linux/ipv6.h> and <linux/ipv6_route.h> are written for a C library's types. */
struct in6_request {
	uint8_t address[16];
	uint32_t prefix;
	int32_t index;
};

struct in6_route_request {
	uint8_t destination[16], source[16], gateway[16];
	uint32_t type;
	uint16_t destination_prefix, source_prefix;
	uint32_t metric;
	uint64_t info;
	uint32_t flags;
	int32_t index;
};
_Static_assert(sizeof(struct in6_route_request) == 80, "as <linux/ipv6_route.h> has it");

/* ---- AF_INET ---- */

struct wanted {
	const struct inet_device *device;
	uint32_t word;              /* the address that is meant, if the device has it; 0: any */
	struct inet_address address; /* that, or the first; family 0: none */
};

static void match_address(void *arg, const struct inet_address *address)
{
	struct wanted *w = arg;

	if (address->family != AF_INET || address->index != w->device->index)
		return;
	if (!w->address.family || (w->word && !memcmp(address->address, &w->word, sizeof(w->word))))
		w->address = *address;
}

static struct inet_address find_address(const struct inet_device *device, uint32_t word)
{
	struct wanted w = {.device = device, .word = word};

	inet_for_each_address(match_address, &w);
	return w.address;
}

static uint32_t word_of(const struct inet_address *address)
{
	uint32_t word;

	memcpy(&word, address->address, sizeof(word));
	return word;
}

static uint32_t mask_of(const struct inet_address *address)
{
	return address->prefix ? __builtin_bswap32(~0u << (32 - address->prefix)) : 0;
}

static uint32_t broadcast_of(const struct inet_address *address)
{
	return address->broadcast ? word_of(address) | ~mask_of(address) : 0;
}

static void tell(const struct inet_address *address, unsigned cmd, struct ifreq *request)
{
	uint32_t word = word_of(address);

	if (cmd == SIOCGIFNETMASK)
		word = mask_of(address);
	else if (cmd == SIOCGIFBRDADDR)
		word = broadcast_of(address);
	memset(&request->address, 0, sizeof(request->address));
	request->address.sin_family = AF_INET;
	request->address.sin_addr.s_addr = word;
}

static int64_t ask(unsigned cmd, uint64_t arg)
{
	struct inet_address address;
	struct inet_device device;
	struct ifreq request;

	if (get_user(request, UADDR(arg)))
		return -EFAULT;
	if (!ifreq_find_device(request.name, &device))
		return -ENODEV;
	address = find_address(&device, request.address.sin_family == AF_INET ? request.address.sin_addr.s_addr : 0);
	if (!address.family || strchr(request.name, ':'))
		return -EADDRNOTAVAIL;
	tell(&address, cmd, &request);
	return copy_to_user(UADDR(arg), &request, sizeof(request));
}

static bool is_multicast(uint32_t word)
{
	return (word & 0xf0) == 0xe0;
}

/* As Linux has it for an address that comes without a mask. */
static uint8_t class_prefix(uint32_t word)
{
	uint8_t first = (uint8_t)word;

	return first < 128 ? 8 : first < 192 ? 16 : first < 224 ? 24 : 32;
}

/* Another one in its place; the one before stays if that fails. */
static int replace(const struct inet_address *before, const struct inet_address *after)
{
	int rc = before->family ? inet_delete_address(before) : 0;

	if (rc || !word_of(after)) /* 0.0.0.0 takes it away */
		return rc;
	rc = inet_add_address(after);
	if (rc && before->family)
		(void)inet_add_address(before);
	return rc;
}

static int set(const struct inet_device *device, const struct inet_address *before, unsigned cmd, uint32_t word)
{
	struct inet_address after = *before;

	switch (cmd) {
	case SIOCSIFBRDADDR:
		return word == broadcast_of(before) ? 0 : -EOPNOTSUPP;
	case SIOCSIFDSTADDR:
		return word == word_of(before) ? 0 : -EOPNOTSUPP;
	case SIOCSIFNETMASK:
		after.prefix = (uint8_t)__builtin_popcount(word);
		break;
	default: /* SIOCSIFADDR */
		if (before->family && word == word_of(before))
			return 0;
		after = (struct inet_address){.index = device->index, .family = AF_INET, .prefix = class_prefix(word)};
		after.broadcast = !device->loopback && after.prefix < 31;
		memcpy(after.address, &word, sizeof(word));
	}
	if (cmd == SIOCSIFNETMASK && before->prefix == after.prefix)
		return 0;
	return replace(before, &after);
}

static int64_t change(unsigned cmd, uint64_t arg)
{
	struct inet_address before;
	struct inet_device device;
	struct ifreq request;
	uint32_t word, host;

	if (get_user(request, UADDR(arg)))
		return -EFAULT;
	if (!net_capable(CAP_NET_ADMIN))
		return -EPERM;
	if (cmd != SIOCSIFFLAGS && request.address.sin_family != AF_INET)
		return -EINVAL;
	if (!ifreq_find_device(request.name, &device))
		return -ENODEV;
	if (strchr(request.name, ':'))
		return cmd == SIOCSIFADDR ? -EOPNOTSUPP : -EADDRNOTAVAIL;
	if (cmd == SIOCSIFFLAGS)
		return ifreq_set_flags(&device, request.flags);
	before = find_address(&device, 0);
	if (!before.family && cmd != SIOCSIFADDR)
		return -EADDRNOTAVAIL;
	word = request.address.sin_addr.s_addr;
	host = ~__builtin_bswap32(word);
	if (cmd == SIOCSIFNETMASK && host & (host + 1))
		return -EINVAL;
	if ((cmd == SIOCSIFADDR || cmd == SIOCSIFDSTADDR) && is_multicast(word))
		return -EINVAL;
	return inet_is_shown() ? -EOPNOTSUPP : set(&device, &before, cmd, word);
}

int64_t ifaddr_ioctl(unsigned cmd, uint64_t arg)
{
	struct ifreq request;

	switch (cmd) {
	case SIOCGIFADDR:
	case SIOCGIFBRDADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFDSTADDR:
		return ask(cmd, arg);
	case SIOCSIFADDR:
	case SIOCSIFBRDADDR:
	case SIOCSIFNETMASK:
	case SIOCSIFDSTADDR:
	case SIOCSIFFLAGS:
		return change(cmd, arg);
	case SIOCGIFPFLAGS:
	case SIOCSIFPFLAGS:
		return get_user(request, UADDR(arg)) ? -EFAULT : -EINVAL;
	default:
		return -ENOTTY;
	}
}

/* ---- AF_INET6 ---- */

static int64_t change6(unsigned cmd, uint64_t arg)
{
	struct inet_address address = {.family = AF_INET6};
	struct in6_request request;
	struct inet_device device;

	if (!net_capable(CAP_NET_ADMIN))
		return -EPERM;
	if (get_user(request, UADDR(arg)))
		return -EFAULT;
	if (request.prefix > 128)
		return -EINVAL;
	if (request.index <= 0 || !inet_find_device(request.index, NULL, &device))
		return -ENODEV;
	if (inet_is_shown())
		return -EOPNOTSUPP;
	address.index = request.index;
	address.prefix = (uint8_t)request.prefix;
	memcpy(address.address, request.address, sizeof(address.address));
	return cmd == SIOCSIFADDR ? inet_add_address(&address) : inet_delete_address(&address);
}

static int64_t change_route6(unsigned cmd, uint64_t arg)
{
	struct inet_route route = {.family = AF_INET6, .protocol = cmd == SIOCADDRT ? RTPROT_BOOT : RTPROT_UNSPEC};
	struct in6_route_request request;
	int rc;

	if (get_user(request, UADDR(arg)))
		return -EFAULT;
	if (!net_capable(CAP_NET_ADMIN))
		return -EPERM;
	if (request.destination_prefix > 128 || request.source_prefix > 128)
		return -EINVAL;
	if (request.index < 0)
		return -ENODEV;
	if (inet_is_shown() || request.source_prefix || request.flags & ~(RTF_UP | RTF_GATEWAY | RTF_HOST))
		return -EOPNOTSUPP;
	route.index = request.index;
	route.metric = request.metric;
	route.prefix = (uint8_t)request.destination_prefix;
	memcpy(route.destination, request.destination, sizeof(route.destination));
	if (request.flags & RTF_GATEWAY)
		memcpy(route.gateway, request.gateway, sizeof(route.gateway));
	if (cmd == SIOCADDRT)
		return inet_add_route(&route, NLM_F_CREATE);
	rc = inet_delete_route(&route);
	return rc == -ESRCH && !route.prefix && !route.index ? -ENOENT : rc; /* Linux finds the entry that leads nowhere */
}

int64_t ifaddr6_ioctl(unsigned cmd, uint64_t arg)
{
	switch (cmd) {
	case SIOCSIFADDR:
	case SIOCDIFADDR:
		return change6(cmd, arg);
	case SIOCSIFDSTADDR: /* of a tunnel */
		return -ENODEV;
	case SIOCADDRT:
	case SIOCDELRT:
		return change_route6(cmd, arg);
	default:
		return -ENOTTY;
	}
}
