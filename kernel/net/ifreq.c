/*
 * The ioctls of netdevice(7): what they ask is answered from kernel/net/inet.h's tables;
 * what they set (flags, MTU, address, mask) is done by its changes. Routes are netlink's alone.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/ethtool.h>
#include <linux/in.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>

#include "kernel/mm.h"
#include "kernel/net/ifreq.h"
#include "kernel/net/inet.h"
#include "kernel/net/socket_types.h"
#include "kernel/task.h"
#include "kernel/user_ns.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"

#define NAME_SIZE 16

struct ifreq {
	char name[NAME_SIZE];
	union {
		struct sockaddr_in address;
		struct {
			uint16_t family;
			uint8_t bytes[14];
		} hardware;
		short flags;
		int number;
		uint64_t data;
		char pad[24];
	};
};
_Static_assert(sizeof(struct ifreq) == 40, "as <linux/if.h> has it");

struct wanted {
	struct inet_device device;
	struct inet_address address; /* the first of AF_INET; family 0: none */
};

static void match_address(void *arg, const struct inet_address *address)
{
	struct wanted *w = arg;

	if (!w->address.family && address->family == AF_INET && address->index == w->device.index)
		w->address = *address;
}

/* ---- SIOCGIFCONF ---- */

struct listing {
	struct ifreq *entries;
	unsigned count, room;
};

static void list_address(void *arg, const struct inet_address *address)
{
	struct listing *listing = arg;
	struct inet_device device;
	struct ifreq *entry;

	if (address->family != AF_INET || listing->count == listing->room)
		return;
	(void)inet_find_device(address->index, NULL, &device);
	entry = &listing->entries[listing->count++];
	memset(entry, 0, sizeof(*entry));
	memcpy(entry->name, device.name, NAME_SIZE);
	entry->address.sin_family = AF_INET;
	memcpy(&entry->address.sin_addr, address->address, 4);
}

static int64_t list_all(uint64_t arg)
{
	struct {
		int32_t len, pad;
		uint64_t buffer;
	} conf;
	struct listing listing = {.room = 128};
	int rc;

	if (get_user(conf, UADDR(arg)))
		return -EFAULT;
	if (conf.buffer && conf.len >= 0)
		listing.room = MIN(listing.room, (unsigned)conf.len / (unsigned)sizeof(struct ifreq));
	listing.entries = kmalloc(128 * sizeof(struct ifreq));
	if (!listing.entries)
		return -ENOMEM;
	inet_for_each_address(list_address, &listing);
	conf.len = (int32_t)(listing.count * sizeof(struct ifreq));
	rc = conf.buffer ? copy_to_user(UADDR(conf.buffer), listing.entries, (size_t)conf.len) : 0;
	kfree(listing.entries);
	return rc ? rc : copy_to_user(UADDR(arg), &conf, sizeof(conf));
}

/* ---- one device ---- */

static void put_address(struct ifreq *request, uint32_t word)
{
	memset(&request->address, 0, sizeof(request->address));
	request->address.sin_family = AF_INET;
	request->address.sin_addr.s_addr = word;
}

static int ask_address(struct wanted *w, unsigned cmd, struct ifreq *request)
{
	uint32_t word, mask;

	inet_for_each_address(match_address, w);
	if (!w->address.family)
		return -EADDRNOTAVAIL;
	memcpy(&word, w->address.address, 4);
	mask = w->address.prefix ? __builtin_bswap32(~0u << (32 - w->address.prefix)) : 0;
	if (cmd == SIOCGIFNETMASK)
		word = mask;
	else if (cmd == SIOCGIFBRDADDR)
		word = w->device.loopback ? 0 : word | ~mask;
	put_address(request, word);
	return 0;
}

static int ask(struct wanted *w, unsigned cmd, struct ifreq *request)
{
	switch (cmd) {
	case SIOCGIFFLAGS:
		request->flags = (short)(inet_device_flags(&w->device) | (w->device.up ? IFF_RUNNING : 0));
		return 0;
	case SIOCGIFMTU:
		request->number = (int)w->device.mtu;
		return 0;
	case SIOCGIFINDEX:
		request->number = w->device.index;
		return 0;
	case SIOCGIFMETRIC:
		request->number = 0;
		return 0;
	case SIOCGIFTXQLEN:
		request->number = 1000;
		return 0;
	case SIOCGIFHWADDR:
		memset(&request->hardware, 0, sizeof(request->hardware));
		request->hardware.family = w->device.loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
		memcpy(request->hardware.bytes, w->device.mac, sizeof(w->device.mac));
		return 0;
	default: /* SIOCGIFADDR, DSTADDR, BRDADDR, NETMASK */
		return ask_address(w, cmd, request);
	}
}

static int64_t ask_by_name(unsigned cmd, uint64_t arg)
{
	struct ifreq request;
	struct wanted w = {.address.family = 0};
	int rc;

	if (get_user(request, UADDR(arg)))
		return -EFAULT;
	request.name[NAME_SIZE - 1] = '\0';
	if (!(cmd == SIOCGIFNAME ? inet_find_device(request.number, NULL, &w.device) : inet_find_device(0, request.name, &w.device)))
		return -ENODEV;
	if (cmd == SIOCGIFNAME)
		memcpy(request.name, w.device.name, NAME_SIZE);
	rc = cmd == SIOCGIFNAME ? 0 : ask(&w, cmd, &request);
	return rc ? rc : copy_to_user(UADDR(arg), &request, sizeof(request));
}

/* SIOCETHTOOL knows which times software notes, and whether there is a carrier; there is no hardware that notes any. */
static int64_t ask_hardware(unsigned cmd, uint64_t arg)
{
	struct ethtool_ts_info info = {.cmd = ETHTOOL_GET_TS_INFO, .phc_index = -1,
		.so_timestamping = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE};
	struct inet_device device;
	struct ethtool_value value;
	struct ifreq request;
	uaddr_t data;

	if (get_user(request, UADDR(arg)))
		return -EFAULT;
	if (cmd == SIOCSHWTSTAMP && !net_capable(CAP_NET_ADMIN))
		return -EPERM;
	request.name[NAME_SIZE - 1] = '\0';
	if (!inet_find_device(0, request.name, &device))
		return -ENODEV;
	data = UADDR(request.data);
	if (cmd != SIOCETHTOOL)
		return -EOPNOTSUPP;
	if (get_user(value.cmd, data))
		return -EFAULT;
	value.data = device.up;
	switch (value.cmd) {
	case ETHTOOL_GET_TS_INFO:
		return copy_to_user(data, &info, sizeof(info));
	case ETHTOOL_GLINK:
		return copy_to_user(data, &value, sizeof(value));
	default:
		return -EOPNOTSUPP;
	}
}

/* ---- changes ---- */

/* As Linux has it for an address that comes without a mask. */
static uint8_t class_prefix(uint32_t word)
{
	uint8_t first = (uint8_t)word;

	return first < 128 ? 8 : first < 192 ? 16 : first < 224 ? 24 : 32;
}

static int set_address(struct wanted *w, const struct ifreq *request, bool mask)
{
	struct inet_address address = {.index = w->device.index, .family = AF_INET};
	uint32_t word = request->address.sin_addr.s_addr, host = ~__builtin_bswap32(word);
	int rc = 0;

	if (request->address.sin_family != AF_INET || (mask && host & (host + 1)))
		return -EINVAL;
	inet_for_each_address(match_address, w);
	if (mask && !w->address.family)
		return -EADDRNOTAVAIL;
	if (w->address.family)
		rc = inet_delete_address(&w->address);
	if (mask) {
		memcpy(address.address, w->address.address, sizeof(address.address));
		address.prefix = (uint8_t)__builtin_popcount(word);
	} else {
		memcpy(address.address, &word, sizeof(word));
		address.prefix = class_prefix(word);
	}
	if (rc || (!mask && !word)) /* 0.0.0.0 takes it away */
		return rc;
	rc = inet_add_address(&address);
	if (rc && w->address.family)
		(void)inet_add_address(&w->address); /* the one before stays */
	return rc || mask ? rc : inet_set_link(w->device.index, true);
}

static int64_t change_by_name(unsigned cmd, uint64_t arg)
{
	struct ifreq request;
	struct wanted w = {.address.family = 0};

	if (get_user(request, UADDR(arg)))
		return -EFAULT;
	request.name[NAME_SIZE - 1] = '\0';
	if (!net_capable(CAP_NET_ADMIN))
		return -EPERM;
	if (!inet_find_device(0, request.name, &w.device))
		return -ENODEV;
	if (inet_is_shown())
		return -EOPNOTSUPP;
	switch (cmd) {
	case SIOCSIFFLAGS:
		if (((uint16_t)request.flags ^ inet_device_flags(&w.device)) & ~(IFF_UP | IFF_RUNNING | IFF_LOOPBACK | IFF_BROADCAST))
			return -EOPNOTSUPP;
		return inet_set_link(w.device.index, request.flags & (short)IFF_UP);
	case SIOCSIFMTU:
		return request.number < 0 ? -EINVAL : inet_set_mtu(w.device.index, (uint32_t)request.number);
	default: /* SIOCSIFADDR, SIOCSIFNETMASK */
		return set_address(&w, &request, cmd == SIOCSIFNETMASK);
	}
}

int64_t ifreq_ioctl(unsigned cmd, uint64_t arg)
{
	switch (cmd) {
	case SIOCGIFCONF:
		return list_all(arg);
	case SIOCGIFNAME:
	case SIOCGIFFLAGS:
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFBRDADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFMTU:
	case SIOCGIFINDEX:
	case SIOCGIFMETRIC:
	case SIOCGIFTXQLEN:
	case SIOCGIFHWADDR:
		return ask_by_name(cmd, arg);
	case SIOCETHTOOL:
	case SIOCSHWTSTAMP:
	case SIOCGHWTSTAMP:
		return ask_hardware(cmd, arg);
	case SIOCSIFFLAGS:
	case SIOCSIFADDR:
	case SIOCSIFNETMASK:
	case SIOCSIFMTU:
		return change_by_name(cmd, arg);
	case SIOCSIFBRDADDR:
	case SIOCSIFHWADDR:
	case SIOCSIFNAME:
	case SIOCADDRT:
	case SIOCDELRT:
		return net_capable(CAP_NET_ADMIN) ? -EOPNOTSUPP : -EPERM;
	default:
		return -ENOTTY;
	}
}
