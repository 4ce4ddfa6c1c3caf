/*
 * Follows the host's network namespace by rtnetlink(7)'s messages about it: see later.h. Links that come up, addresses
 * and routes go to kernel/net/inet.h; links that go take theirs along.
 *
 * A link is taken once it is up, under the name that it has then; addresses that it got before wait for that. Of links
 * that were there at the start the host's IPv6 is turned off (cli/network_quiet.c), so what is said of it is not meant
 * for us. Not followed: names and MTUs of links that are up, neighbours, routes with several next hops.
 *
 * One read is always outstanding. The messages are the host kernel's; their lengths are checked all the same.
 */
#include <linux/errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "kernel/mm.h"
#include "kernel/net/inet.h"
#include "kernel/net/later.h"
#include "kernel/wait.h"
#include "platform/abi/config.h"
#include "ring0/clock.h"
#include "ring0/lib.h"
#include "ring0/memory.h"

#define NEWS_ORDER 1u /* 8 KiB: what one message may be, and more */
#define WAITING_MAX 32u
#define AGAIN_NS 100000000ull
#define IFF_UP 0x1u /* <linux/if.h> wants a C library */

struct waiting {
	uint32_t host_index; /* 0: free */
	struct inet_address address;
};

static struct hostring_request news_request;
static uint8_t *news;
static size_t news_len;
static uint32_t news_fd;
static uint32_t first_links[CONFIG_NETWORK_LINKS];
static unsigned first_link_count;
static struct waiting waiting[WAITING_MAX];
static struct ktimer again; /* runs when the ring had no room for the next read */

/* ---- messages ---- */

/* An attribute behind a fixed part, of at least `need` bytes; NULL: there is none. */
static const void *attribute(const struct nlmsghdr *message, size_t fixed, unsigned type, size_t need)
{
	size_t at = NLMSG_SPACE(fixed);
	struct nlattr a;

	while (at + sizeof(a) <= message->nlmsg_len) {
		memcpy(&a, (const char *)message + at, sizeof(a));
		if (a.nla_len < sizeof(a) || a.nla_len > message->nlmsg_len - at)
			return NULL;
		if ((a.nla_type & NLA_TYPE_MASK) == type)
			return a.nla_len - sizeof(a) >= need ? (const char *)message + at + sizeof(a) : NULL;
		at += NLA_ALIGN(a.nla_len);
	}
	return NULL;
}

static uint32_t number(const struct nlmsghdr *message, size_t fixed, unsigned type, uint32_t otherwise)
{
	const void *value = attribute(message, fixed, type, sizeof(otherwise));

	if (value)
		memcpy(&otherwise, value, sizeof(otherwise));
	return otherwise;
}

static size_t address_size(unsigned family)
{
	return family == AF_INET ? 4 : 16;
}

static bool is_internet(unsigned family)
{
	return family == AF_INET || family == AF_INET6;
}

/* ---- links ---- */

struct link_query {
	uint32_t host_index;
	int index; /* 0: there is none */
};

static void match_link(void *arg, const struct inet_device *device)
{
	struct link_query *query = arg;

	if (device->host_index == query->host_index)
		query->index = device->index;
}

static int link_of(uint32_t host_index)
{
	struct link_query query = {.host_index = host_index};

	if (host_index)
		inet_for_each_device(match_link, &query);
	return query.index;
}

static bool is_first(uint32_t host_index)
{
	for (unsigned i = 0; i < first_link_count; i++)
		if (first_links[i] == host_index)
			return true;
	return false;
}

static void add_waiting(uint32_t host_index, int index)
{
	for (unsigned i = 0; i < WAITING_MAX; i++) {
		if (waiting[i].host_index != host_index)
			continue;
		waiting[i].host_index = 0;
		waiting[i].address.index = index;
		if (index && inet_add_address(&waiting[i].address))
			klog(LOG_WARNING, "network: an address of a new link cannot be had");
	}
}

static void new_link(const struct nlmsghdr *message)
{
	const struct ifinfomsg *info = NLMSG_DATA(message);
	const char *name = attribute(message, sizeof(*info), IFLA_IFNAME, 1);
	const void *mac = attribute(message, sizeof(*info), IFLA_ADDRESS, 6);
	struct inet_device link = {.host_index = (uint32_t)info->ifi_index, .mtu = number(message, sizeof(*info), IFLA_MTU, 0)};
	int index;

	if (info->ifi_family != AF_UNSPEC || info->ifi_type != ARPHRD_ETHER || !(info->ifi_flags & IFF_UP) || !name || !mac ||
	    link_of(link.host_index))
		return;
	rf_strlcpy(link.name, name, sizeof(link.name));
	memcpy(link.mac, mac, sizeof(link.mac));
	index = inet_add_link(&link);
	if (index < 0)
		klog(LOG_WARNING, "network: %s: no room for another link", link.name);
	add_waiting(link.host_index, index < 0 ? 0 : index);
}

static void old_link(const struct nlmsghdr *message)
{
	const struct ifinfomsg *info = NLMSG_DATA(message);
	int index = link_of((uint32_t)info->ifi_index);

	if (info->ifi_family != AF_UNSPEC)
		return;
	add_waiting((uint32_t)info->ifi_index, 0);
	if (index)
		inet_remove_link(index);
}

/* ---- addresses ---- */

static bool same_address(const struct inet_address *a, const struct inet_address *b)
{
	return a->family == b->family && a->prefix == b->prefix && !memcmp(a->address, b->address, sizeof(a->address));
}

/* Of a link that is not up yet. */
static void remember(uint32_t host_index, const struct inet_address *address, bool added)
{
	struct waiting *slot = NULL;

	for (unsigned i = 0; i < WAITING_MAX; i++) {
		if (waiting[i].host_index == host_index && same_address(&waiting[i].address, address)) {
			waiting[i].host_index = added ? host_index : 0;
			return;
		}
		if (!waiting[i].host_index)
			slot = &waiting[i];
	}
	if (added && slot)
		*slot = (struct waiting){host_index, *address};
}

static void change_address(const struct nlmsghdr *message, bool added)
{
	const struct ifaddrmsg *info = NLMSG_DATA(message);
	size_t size = address_size(info->ifa_family);
	const void *bytes = attribute(message, sizeof(*info), IFA_LOCAL, size);
	struct inet_address address = {.family = info->ifa_family, .prefix = info->ifa_prefixlen, .scope = info->ifa_scope,
		.index = link_of(info->ifa_index),
		.no_route = number(message, sizeof(*info), IFA_FLAGS, info->ifa_flags) & IFA_F_NOPREFIXROUTE};

	if (!bytes)
		bytes = attribute(message, sizeof(*info), IFA_ADDRESS, size);
	if (!bytes || !is_internet(info->ifa_family) || info->ifa_prefixlen > size * 8 || !info->ifa_index ||
	    (info->ifa_family == AF_INET6 && is_first(info->ifa_index)))
		return;
	memcpy(address.address, bytes, size);
	address.broadcast = attribute(message, sizeof(*info), IFA_BROADCAST, 4);
	if (!address.index)
		remember(info->ifa_index, &address, added);
	else if (added)
		(void)inet_add_address(&address); /* -EEXIST: it was there already */
	else
		(void)inet_delete_address(&address);
}

/* ---- routes ---- */

static void copy_address(uint8_t *to, const struct nlmsghdr *message, unsigned type, unsigned family)
{
	const void *bytes = attribute(message, sizeof(struct rtmsg), type, address_size(family));

	if (bytes)
		memcpy(to, bytes, address_size(family));
}

static void change_route(const struct nlmsghdr *message, bool added)
{
	const struct rtmsg *info = NLMSG_DATA(message);
	uint32_t host_index = number(message, sizeof(*info), RTA_OIF, 0);
	struct inet_route route = {.family = info->rtm_family, .prefix = info->rtm_dst_len, .scope = info->rtm_scope,
		.protocol = info->rtm_protocol, .index = link_of(host_index),
		.metric = number(message, sizeof(*info), RTA_PRIORITY, 0)};

	if (!is_internet(info->rtm_family) || info->rtm_type != RTN_UNICAST || info->rtm_protocol == RTPROT_KERNEL || !route.index ||
	    number(message, sizeof(*info), RTA_TABLE, info->rtm_table) != RT_TABLE_MAIN ||
	    (info->rtm_family == AF_INET6 && is_first(host_index)))
		return;
	copy_address(route.destination, message, RTA_DST, route.family);
	copy_address(route.gateway, message, RTA_GATEWAY, route.family);
	copy_address(route.source, message, RTA_PREFSRC, route.family);
	if (added)
		(void)inet_add_route(&route, NLM_F_CREATE | (message->nlmsg_flags & NLM_F_REPLACE));
	else
		(void)inet_delete_route(&route);
}

/* ---- reading ---- */

static size_t fixed_part(unsigned type)
{
	switch (type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return sizeof(struct ifinfomsg);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return sizeof(struct ifaddrmsg);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return sizeof(struct rtmsg);
	default:
		return 0;
	}
}

static void take(const struct nlmsghdr *message)
{
	size_t fixed = fixed_part(message->nlmsg_type);
	bool added = message->nlmsg_type == RTM_NEWADDR || message->nlmsg_type == RTM_NEWROUTE;

	if (!fixed || message->nlmsg_len < NLMSG_LENGTH(fixed))
		return;
	if (message->nlmsg_type == RTM_NEWLINK)
		new_link(message);
	else if (message->nlmsg_type == RTM_DELLINK)
		old_link(message);
	else if (fixed == sizeof(struct ifaddrmsg))
		change_address(message, added);
	else
		change_route(message, added);
}

static void read_next(void);

/* By the work task, which is in the first network namespace. */
static void take_all(struct kwork *work)
{
	size_t at = 0, end = news_len;

	while (end - at >= NLMSG_HDRLEN) {
		const struct nlmsghdr *message = (const void *)(news + at);

		if (message->nlmsg_len < NLMSG_HDRLEN || message->nlmsg_len > end - at)
			break;
		take(message);
		at += MIN(NLMSG_ALIGN(message->nlmsg_len), end - at);
	}
	read_next();
}

static void received(struct hostring_request *request, int64_t res, uint64_t extra)
{
	static struct kwork work = {.fn = take_all};

	if (res == -EBADF)
		return;
	if (res == -ENOBUFS)
		klog(LOG_WARNING, "network: more changed on the host than could be told: something may be missing");
	news_len = res > 0 ? (size_t)res : 0;
	kwork_queue(&work);
}

static void read_next(void)
{
	struct abi_sqe sqe = {.op = ABI_RING_read, .fd = news_fd, .offset = UINT64_MAX, .gpa = va_to_pa(news),
		.len = PAGE_SIZE << NEWS_ORDER};

	news_request.done = received;
	if (hostring_submit(&sqe, &news_request)) /* it is full; the kernel's queue keeps what is said meanwhile */
		ktimer_start(&again, clock_monotonic() + AGAIN_NS);
}

static void try_again(struct ktimer *timer)
{
	read_next();
}

static void note_first(void *arg, const struct inet_device *device)
{
	if (!device->loopback && first_link_count < CONFIG_NETWORK_LINKS)
		first_links[first_link_count++] = device->host_index;
}

int later_start(uint32_t fd)
{
	news = kpages_alloc(NEWS_ORDER);
	if (!news)
		return -ENOMEM;
	news_fd = fd;
	ktimer_init(&again, try_again);
	inet_for_each_device(note_first, NULL);
	read_next();
	return 0;
}
