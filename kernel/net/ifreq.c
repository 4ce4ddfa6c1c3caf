/*
 * The ioctls of netdevice(7) on a socket of any family, and which family has more of them: what is asked is answered from
 * kernel/net/inet.h's tables; what is set is done by its changes, or refused with EOPNOTSUPP where it would differ from what is.
 *
 * The order of the questions is Linux's: memory, permission, device, value. A number of these that nobody knows still wants
 * memory (EFAULT before ENOTTY). There are no bridges, no VLANs and no wireless devices: they answer as Linux without them.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/ioctl.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>

#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "kernel/net/ifreq.h"
#include "kernel/net/ifreq_internal.h"
#include "kernel/task.h"
#include "kernel/user_ns.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"

bool ifreq_find_device(char name[NAME_SIZE], struct inet_device *device)
{
	char *colon;
	bool found;

	name[NAME_SIZE - 1] = '\0';
	colon = strchr(name, ':');
	if (colon)
		*colon = '\0';
	found = inet_find_device(0, name, device);
	if (colon)
		*colon = ':';
	return found;
}

uint16_t ifreq_hardware(const struct inet_device *device)
{
	return device->loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
}

/* ---- SIOCGIFCONF ---- */

#define LISTED_MAX 128u

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
	struct listing listing = {.room = LISTED_MAX};
	int rc;

	if (get_user(conf, UADDR(arg)))
		return -EFAULT;
	if (conf.buffer)
		listing.room = conf.len < 0 ? 0 : MIN(listing.room, (unsigned)conf.len / (unsigned)sizeof(struct ifreq));
	listing.entries = kmalloc(LISTED_MAX * sizeof(struct ifreq));
	if (!listing.entries)
		return -ENOMEM;
	inet_for_each_address(list_address, &listing);
	conf.len = (int32_t)(listing.count * sizeof(struct ifreq));
	rc = conf.buffer ? copy_to_user(UADDR(conf.buffer), listing.entries, (size_t)conf.len) : 0;
	kfree(listing.entries);
	return rc ? rc : put_user(conf.len, UADDR(arg));
}

/* ---- what is asked ---- */

static int64_t tell(uint64_t arg, const struct ifreq *request)
{
	return copy_to_user(UADDR(arg), request, sizeof(*request));
}

static int64_t tell_name(struct ifreq *request, uint64_t arg)
{
	struct inet_device device;

	if (request->number <= 0 || !inet_find_device(request->number, NULL, &device))
		return -ENODEV;
	memcpy(request->name, device.name, NAME_SIZE);
	return tell(arg, request);
}

static void ask(const struct inet_device *device, unsigned cmd, struct ifreq *request)
{
	switch (cmd) {
	case SIOCGIFFLAGS:
		request->flags = (short)(inet_device_flags(device) | (device->up ? IFF_RUNNING : 0));
		break;
	case SIOCGIFMTU:
		request->number = (int)device->mtu;
		break;
	case SIOCGIFINDEX:
		request->number = device->index;
		break;
	case SIOCGIFMETRIC:
		request->number = 0;
		break;
	case SIOCGIFTXQLEN:
		request->number = TX_QUEUE_LENGTH;
		break;
	case SIOCGIFMAP: /* two words of memory, a short, three bytes: no device has any */
		memset(request->pad, 0, 2 * sizeof(uint64_t) + sizeof(short) + 3);
		break;
	default: /* SIOCGIFHWADDR */
		memset(&request->hardware, 0, sizeof(request->hardware));
		request->hardware.family = ifreq_hardware(device);
		memcpy(request->hardware.bytes, device->mac, sizeof(device->mac));
	}
}

/* ---- what is set: what it is already may be said again ---- */

int ifreq_set_flags(const struct inet_device *device, short flags)
{
	if (inet_is_shown() ||
	    ((uint16_t)flags ^ inet_device_flags(device)) & ~(IFF_UP | IFF_RUNNING | IFF_LOOPBACK | IFF_BROADCAST))
		return -EOPNOTSUPP;
	return inet_set_link(device->index, flags & (short)IFF_UP);
}

static int set_mtu(const struct inet_device *device, int mtu)
{
	if (mtu < 0)
		return -EINVAL;
	if ((uint32_t)mtu == device->mtu)
		return 0;
	return inet_is_shown() ? -EOPNOTSUPP : inet_set_mtu(device->index, (uint32_t)mtu);
}

static bool is_device_name(const char *name)
{
	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (; *name; name++)
		if (*name == '/' || *name == ':' || *name == ' ' || (*name >= '\t' && *name <= '\r') || *name == (char)0xa0 ||
		    (*name == '%' && name[1] != 'd'))
			return false;
	return true;
}

static int set_name(const struct inet_device *device, struct ifreq *request)
{
	struct inet_device other;

	request->new_name[NAME_SIZE - 1] = '\0';
	if (!strcmp(request->new_name, device->name))
		return 0;
	if (!is_device_name(request->new_name))
		return -EINVAL;
	return inet_find_device(0, request->new_name, &other) ? -EEXIST : -EOPNOTSUPP;
}

static int set_hardware(const struct inet_device *device, const struct ifreq *request)
{
	static const uint8_t none[6];

	if (request->hardware.family != ifreq_hardware(device))
		return -EINVAL;
	if (!memcmp(request->hardware.bytes, device->mac, sizeof(device->mac)))
		return 0;
	return request->hardware.bytes[0] & 1 || !memcmp(request->hardware.bytes, none, sizeof(none)) ? -EADDRNOTAVAIL : -EOPNOTSUPP;
}

/* No device notes times, but the question is looked at first. */
static int set_hardware_stamps(const struct ifreq *request)
{
	struct hwtstamp_config config;

	if (get_user(config, UADDR(request->data)))
		return -EFAULT;
	if (config.flags & ~HWTSTAMP_FLAG_MASK)
		return -EINVAL;
	if ((unsigned)config.tx_type >= __HWTSTAMP_TX_CNT || (unsigned)config.rx_filter >= __HWTSTAMP_FILTER_CNT)
		return -ERANGE;
	return -EOPNOTSUPP;
}

static int set(const struct inet_device *device, unsigned cmd, struct ifreq *request)
{
	switch (cmd) {
	case SIOCSIFFLAGS:
		return ifreq_set_flags(device, request->flags);
	case SIOCSIFMTU:
		return set_mtu(device, request->number);
	case SIOCSIFTXQLEN:
		return request->number < 0 ? -EINVAL : request->number == TX_QUEUE_LENGTH ? 0 : -EOPNOTSUPP;
	case SIOCSIFNAME:
		return set_name(device, request);
	case SIOCSIFHWADDR:
		return set_hardware(device, request);
	case SIOCSIFHWBROADCAST:
		return request->hardware.family == ifreq_hardware(device) ? -EOPNOTSUPP : -EINVAL;
	case SIOCADDMULTI:
	case SIOCDELMULTI:
		return device->loopback || request->hardware.family != AF_UNSPEC ? -EINVAL : -EOPNOTSUPP;
	case SIOCSHWTSTAMP:
		return set_hardware_stamps(request);
	case SIOCGIFSLAVE:
	case SIOCSIFSLAVE:
		return -EINVAL;
	default: /* metrics, memory, transceivers, bonds, and what is a driver's own */
		return -EOPNOTSUPP;
	}
}

/* ---- who may ---- */

enum who {
	NOBODY,  /* there is no such ioctl */
	ASKS,    /* anybody: it is answered */
	ANYBODY, /* with an outcome of its own */
	ADMIN,   /* of the network */
	MACHINE, /* of the container's own network, whichever is meant */
};

static enum who who_may(unsigned cmd)
{
	switch (cmd) {
	case SIOCGIFFLAGS:
	case SIOCGIFMETRIC:
	case SIOCGIFMTU:
	case SIOCGIFMAP:
	case SIOCGIFINDEX:
	case SIOCGIFTXQLEN:
	case SIOCGIFHWADDR:
		return ASKS;
	case SIOCETHTOOL: /* some of it */
	case SIOCGIFSLAVE:
	case SIOCWANDEV:
	case SIOCGHWTSTAMP:
	case SIOCBONDSLAVEINFOQUERY:
	case SIOCBONDINFOQUERY:
	case SIOCDEVPRIVATE ... SIOCDEVPRIVATE + 15:
		return ANYBODY;
	case SIOCGMIIPHY:
	case SIOCGMIIREG:
	case SIOCSMIIREG:
	case SIOCSIFNAME:
	case SIOCSIFFLAGS:
	case SIOCSIFMETRIC:
	case SIOCSIFMTU:
	case SIOCSIFHWADDR:
	case SIOCSIFHWBROADCAST:
	case SIOCSIFSLAVE:
	case SIOCADDMULTI:
	case SIOCDELMULTI:
	case SIOCBONDENSLAVE:
	case SIOCBONDRELEASE:
	case SIOCBONDSETHWADDR:
	case SIOCBONDCHANGEACTIVE:
	case SIOCSHWTSTAMP:
		return ADMIN;
	case SIOCSIFMAP:
	case SIOCSIFTXQLEN:
		return MACHINE;
	default:
		return NOBODY;
	}
}

static int64_t device_ioctl(unsigned cmd, uint64_t arg)
{
	struct inet_device device;
	struct ifreq request;
	enum who who = who_may(cmd);

	if (get_user(request, UADDR(arg)))
		return -EFAULT;
	if (cmd == SIOCGIFNAME)
		return tell_name(&request, arg);
	if (who == NOBODY)
		return -ENOTTY;
	if (cmd == SIOCETHTOOL)
		return ethtool_ioctl(&request);
	if ((who == ADMIN && !net_capable(CAP_NET_ADMIN)) || (who == MACHINE && !owner_capable(&first_net_ns.ns, CAP_NET_ADMIN)))
		return -EPERM;
	if (!ifreq_find_device(request.name, &device))
		return -ENODEV;
	if (who != ASKS)
		return set(&device, cmd, &request);
	ask(&device, cmd, &request);
	return tell(arg, &request);
}

/* ---- by family ---- */

static int64_t family_ioctl(struct socket *sock, unsigned cmd, uint64_t arg)
{
	int family = sock->ops->family;
	int64_t rc;

	if (family != AF_INET && family != AF_INET6 && family != AF_PACKET)
		return -ENOTTY;
	switch (cmd) {
	case SIOCRTMSG:
	case SIOCGIFPFLAGS:
	case SIOCSIFPFLAGS:
		if (family == AF_PACKET)
			return -ENOTTY;
	}
	if (family == AF_INET6)
		return ifaddr6_ioctl(cmd, arg);
	rc = ifaddr_ioctl(cmd, arg);
	return rc == -ENOTTY ? ifroute_ioctl(cmd, arg) : rc;
}

static bool is_of_sockets(unsigned cmd)
{
	return _IOC_TYPE(cmd) == SOCK_IOC_TYPE;
}

int64_t ifreq_ioctl(struct socket *sock, unsigned cmd, uint64_t arg)
{
	int64_t rc;

	switch (cmd) {
	case SIOCBRADDBR:
	case SIOCBRDELBR:
	case SIOCBRADDIF:
	case SIOCBRDELIF:
		return net_capable(CAP_NET_ADMIN) ? -ENOPKG : -EPERM;
	case SIOCGIFBR:
	case SIOCSIFBR:
	case SIOCGIFVLAN:
	case SIOCSIFVLAN:
		return -ENOPKG;
	case SIOCGIFCONF:
		return list_all(arg);
	case SIOCGSTAMP_OLD: /* of families that know of no time */
	case SIOCGSTAMPNS_OLD:
	case SIOCGSTAMP_NEW:
	case SIOCGSTAMPNS_NEW:
		return -ENOTTY;
	}
	rc = family_ioctl(sock, cmd, arg);
	if (rc != -ENOTTY || !is_of_sockets(cmd))
		return rc;
	return device_ioctl(cmd, arg);
}
