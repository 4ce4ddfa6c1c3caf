/*
 * RTM_NEW*, RTM_SET* and RTM_DEL* of rtnetlink(7): requests are decoded here and done by kernel/net/inet.h. What an
 * attribute asks for is done, or the request is refused (-EOPNOTSUPP): none is passed over.
 *
 * An attribute lies in its request, or the list ends before it.
 */
#include <linux/errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "kernel/net/inet.h"
#include "kernel/net/netlink_internal.h"
#include "ring0/lib.h"

#define ATTRIBUTES_MAX 64u

struct attributes {
	const void *value[ATTRIBUTES_MAX];
	uint16_t size[ATTRIBUTES_MAX];
};

static int refuse(const char *why, int error)
{
	netlink_explain(why);
	return error;
}

/* Those behind a fixed part; `known` has a bit for each type that the caller understands. */
static int read_attributes(const struct nlmsghdr *request, size_t len, size_t fixed, uint64_t known, struct attributes *out)
{
	size_t at = NLMSG_SPACE(fixed);

	memset(out, 0, sizeof(*out));
	if (len < NLMSG_LENGTH(fixed))
		return refuse("Invalid header length", -EINVAL);
	while (at < len && len - at >= sizeof(struct nlattr)) {
		struct nlattr a;
		unsigned type;

		memcpy(&a, (const char *)request + at, sizeof(a));
		type = a.nla_type & NLA_TYPE_MASK;
		if (a.nla_len < sizeof(a) || a.nla_len > len - at)
			return 0; /* as Linux: bytes that are no attribute end the list */
		if (type >= ATTRIBUTES_MAX || !(known & 1ull << type))
			return -EOPNOTSUPP;
		out->value[type] = (const char *)request + at + NLA_HDRLEN;
		out->size[type] = (uint16_t)(a.nla_len - NLA_HDRLEN);
		at += NLA_ALIGN(a.nla_len);
	}
	return 0;
}

#define BIT(type) (1ull << (type))

/* A number of four bytes; 0 or -EINVAL (or -ERANGE as Linux has it for short ones). *out stays if there is none. */
static int take_u32(const struct attributes *a, unsigned type, uint32_t *out)
{
	if (!a->value[type])
		return 0;
	if (a->size[type] < sizeof(*out))
		return -ERANGE;
	memcpy(out, a->value[type], sizeof(*out));
	return 0;
}

static int take_address(const struct attributes *a, unsigned type, unsigned family, uint8_t *out)
{
	unsigned size = family == AF_INET ? 4 : 16;

	if (!a->value[type])
		return 0;
	if (a->size[type] < size)
		return -EINVAL;
	memcpy(out, a->value[type], size);
	return 0;
}

static bool is_internet(unsigned family)
{
	return family == AF_INET || family == AF_INET6;
}

/* ---- links ---- */

static int change_link(const struct nlmsghdr *request, size_t len)
{
	const struct ifinfomsg *info = NLMSG_DATA(request);
	struct inet_device link;
	struct attributes a;
	uint32_t mtu = 0;
	int rc = read_attributes(request, len, sizeof(*info), BIT(IFLA_IFNAME) | BIT(IFLA_MTU) | BIT(IFLA_EXT_MASK), &a);

	if (rc)
		return rc;
	if (a.value[IFLA_IFNAME] && (!a.size[IFLA_IFNAME] || ((const char *)a.value[IFLA_IFNAME])[a.size[IFLA_IFNAME] - 1]))
		return -EINVAL;
	if (info->ifi_index < 0 || (request->nlmsg_type == RTM_SETLINK && !info->ifi_index && !a.value[IFLA_IFNAME]))
		return -EINVAL;
	if (!inet_find_device(info->ifi_index, a.value[IFLA_IFNAME], &link))
		return request->nlmsg_type == RTM_NEWLINK && request->nlmsg_flags & NLM_F_CREATE ? -EOPNOTSUPP : -ENODEV;
	if (a.value[IFLA_IFNAME] && strcmp(a.value[IFLA_IFNAME], link.name))
		return -EOPNOTSUPP; /* a new name */
	rc = take_u32(&a, IFLA_MTU, &mtu);
	if (!rc && a.value[IFLA_MTU] && mtu != link.mtu)
		rc = inet_set_mtu(link.index, mtu);
	if (rc || !(info->ifi_flags | info->ifi_change))
		return rc;
	if (info->ifi_change & ~IFF_UP)
		return -EOPNOTSUPP;
	return inet_set_link(link.index, info->ifi_flags & IFF_UP);
}

/* ---- addresses ---- */

static int decode_address(const struct nlmsghdr *request, size_t len, struct inet_address *out, struct attributes *a)
{
	const struct ifaddrmsg *info = NLMSG_DATA(request);
	uint8_t other[16] = {0};
	int rc = read_attributes(request, len, sizeof(*info),
		BIT(IFA_ADDRESS) | BIT(IFA_LOCAL) | BIT(IFA_LABEL) | BIT(IFA_BROADCAST) | BIT(IFA_FLAGS) | BIT(IFA_CACHEINFO), a);

	if (rc)
		return rc;
	if (!is_internet(info->ifa_family))
		return -EOPNOTSUPP;
	out->family = info->ifa_family;
	out->index = (int)info->ifa_index;
	out->prefix = info->ifa_prefixlen;
	out->scope = info->ifa_scope;
	if (info->ifa_prefixlen > (info->ifa_family == AF_INET ? 32 : 128))
		return refuse(info->ifa_family == AF_INET ? "ipv4: Invalid prefix length" : "ipv6: Invalid prefix length", -EINVAL);
	rc = take_address(a, a->value[IFA_LOCAL] ? IFA_LOCAL : IFA_ADDRESS, out->family, out->address);
	if (!rc && a->value[IFA_ADDRESS])
		rc = take_address(a, IFA_ADDRESS, out->family, other);
	if (!rc && a->value[IFA_LOCAL] && a->value[IFA_ADDRESS] && memcmp(other, out->address, sizeof(other)))
		rc = -EOPNOTSUPP; /* a peer's */
	return rc;
}

/* What is as it would be anyway may be said; anything else is not to be had. */
static int check_address(const struct inet_address *address, const struct attributes *a, uint32_t flags)
{
	struct inet_device link;
	uint32_t broadcast, mask = address->prefix < 32 ? __builtin_bswap32(~0u >> address->prefix) : 0;
	struct ifa_cacheinfo times;

	if (flags & ~(IFA_F_PERMANENT | IFA_F_NOPREFIXROUTE | IFA_F_NODAD | IFA_F_SECONDARY))
		return -EOPNOTSUPP;
	if (!inet_find_device(address->index, NULL, &link))
		return refuse(address->family == AF_INET ? "ipv4: Device not found" : "ipv6: Device not found", -ENODEV);
	if (a->value[IFA_LABEL] && (a->size[IFA_LABEL] > 16 || strncmp(a->value[IFA_LABEL], link.name, a->size[IFA_LABEL])))
		return -EOPNOTSUPP;
	if (a->value[IFA_CACHEINFO]) {
		if (a->size[IFA_CACHEINFO] < sizeof(times))
			return -EINVAL;
		memcpy(&times, a->value[IFA_CACHEINFO], sizeof(times));
		if (times.ifa_valid != UINT32_MAX || times.ifa_prefered != UINT32_MAX)
			return -EOPNOTSUPP;
	}
	if (!a->value[IFA_BROADCAST] || address->family != AF_INET)
		return 0;
	if (a->size[IFA_BROADCAST] < 4)
		return -EINVAL;
	memcpy(&broadcast, address->address, 4);
	broadcast |= mask;
	return memcmp(&broadcast, a->value[IFA_BROADCAST], 4) ? -EOPNOTSUPP : 0;
}

static void match_address(void *arg, const struct inet_address *a)
{
	const struct inet_address *wanted = arg;

	if (a->index == wanted->index && a->family == wanted->family && a->prefix == wanted->prefix &&
	    !memcmp(a->address, wanted->address, sizeof(a->address)))
		netlink_route_tell_address(a, true);
}

static int change_address(const struct nlmsghdr *request, size_t len, bool add)
{
	struct inet_address address = {.index = 0};
	struct attributes a;
	uint32_t flags;
	int rc = decode_address(request, len, &address, &a);

	if (rc)
		return rc;
	if (!a.value[IFA_LOCAL] && (address.family == AF_INET ? add : !a.value[IFA_ADDRESS]))
		return refuse("ipv4: Local address is not supplied", -EINVAL);
	if (!add)
		return inet_delete_address(&address);
	flags = ((const struct ifaddrmsg *)NLMSG_DATA(request))->ifa_flags;
	rc = take_u32(&a, IFA_FLAGS, &flags);
	if (!rc)
		rc = check_address(&address, &a, flags);
	if (rc)
		return rc;
	address.broadcast = a.value[IFA_BROADCAST];
	address.no_route = flags & IFA_F_NOPREFIXROUTE;
	rc = inet_add_address(&address);
	if (rc != -EEXIST || !(request->nlmsg_flags & NLM_F_REPLACE) || request->nlmsg_flags & NLM_F_EXCL)
		return rc;
	inet_for_each_address(match_address, &address); /* as on Linux, which changes its times alone, and says so */
	return 0;
}

/* ---- routes ---- */

static int change_route(const struct nlmsghdr *request, size_t len, bool add)
{
	const struct rtmsg *info = NLMSG_DATA(request);
	struct inet_route route = {.index = 0};
	uint32_t table, index = 0;
	struct attributes a;
	int rc = read_attributes(request, len, sizeof(*info),
		BIT(RTA_DST) | BIT(RTA_GATEWAY) | BIT(RTA_OIF) | BIT(RTA_PRIORITY) | BIT(RTA_PREFSRC) | BIT(RTA_TABLE), &a);

	if (rc)
		return rc;
	if (!is_internet(info->rtm_family))
		return -EOPNOTSUPP;
	if (info->rtm_dst_len > (info->rtm_family == AF_INET ? 32 : 128))
		return -EINVAL;
	table = info->rtm_table;
	route.family = info->rtm_family;
	route.prefix = info->rtm_dst_len;
	route.scope = info->rtm_scope;
	route.protocol = info->rtm_protocol;
	if ((rc = take_u32(&a, RTA_TABLE, &table)) || (rc = take_u32(&a, RTA_OIF, &index)) ||
	    (rc = take_u32(&a, RTA_PRIORITY, &route.metric)) || (rc = take_address(&a, RTA_DST, route.family, route.destination)) ||
	    (rc = take_address(&a, RTA_GATEWAY, route.family, route.gateway)) ||
	    (rc = take_address(&a, RTA_PREFSRC, route.family, route.source)))
		return rc;
	if ((table != RT_TABLE_MAIN && table != RT_TABLE_UNSPEC) || info->rtm_src_len || info->rtm_tos ||
	    (info->rtm_type != RTN_UNICAST && (add || info->rtm_type != RTN_UNSPEC)) || info->rtm_flags)
		return -EOPNOTSUPP;
	route.index = (int)index;
	return add ? inet_add_route(&route, request->nlmsg_flags) : inet_delete_route(&route);
}

/* ---- neighbours ---- */

struct neighbour_search {
	const struct inet_neighbour *wanted;
	bool found;
};

static void match_neighbour(void *arg, const struct inet_neighbour *n)
{
	struct neighbour_search *search = arg;

	search->found |= n->index == search->wanted->index && n->family == search->wanted->family &&
			 !memcmp(n->address, search->wanted->address, sizeof(n->address));
}

/* Whether an entry may be made, or changed, as the flags say: 0, -EEXIST, -ENOENT. */
static int check_flags(const struct inet_neighbour *neighbour, unsigned flags)
{
	struct neighbour_search search = {.wanted = neighbour};

	inet_for_each_neighbour(match_neighbour, &search);
	if (search.found)
		return flags & NLM_F_EXCL ? -EEXIST : flags & NLM_F_REPLACE ? 0 : -EOPNOTSUPP; /* its state alone cannot be set */
	return flags & NLM_F_CREATE ? 0 : -ENOENT;
}

static int change_neighbour(const struct nlmsghdr *request, size_t len, bool add)
{
	const struct ndmsg *info = NLMSG_DATA(request);
	struct inet_neighbour neighbour = {.index = 0};
	struct attributes a;
	int rc = read_attributes(request, len, sizeof(*info), BIT(NDA_DST) | BIT(NDA_LLADDR), &a);

	if (rc)
		return rc;
	if (!a.value[NDA_DST] || !info->ndm_ifindex)
		return -EINVAL;
	if (!is_internet(info->ndm_family) || info->ndm_flags)
		return -EOPNOTSUPP;
	neighbour.index = info->ndm_ifindex;
	neighbour.family = info->ndm_family;
	rc = take_address(&a, NDA_DST, neighbour.family, neighbour.address);
	if (rc || !add)
		return rc ? rc : inet_set_neighbour(&neighbour, false);
	if (!a.value[NDA_LLADDR] || a.size[NDA_LLADDR] != sizeof(neighbour.mac))
		return -EINVAL;
	if (!(info->ndm_state & NUD_PERMANENT))
		return -EOPNOTSUPP; /* one that ages is learnt, not set */
	memcpy(neighbour.mac, a.value[NDA_LLADDR], sizeof(neighbour.mac));
	rc = check_flags(&neighbour, request->nlmsg_flags);
	if (rc)
		return rc;
	return inet_set_neighbour(&neighbour, true);
}

int netlink_route_change(const struct nlmsghdr *request, size_t len)
{
	if (inet_is_shown())
		return refuse("the host's network is only shown here", -EOPNOTSUPP);
	switch (request->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_SETLINK:
		return change_link(request, len);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return change_address(request, len, request->nlmsg_type == RTM_NEWADDR);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return change_route(request, len, request->nlmsg_type == RTM_NEWROUTE);
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return change_neighbour(request, len, request->nlmsg_type == RTM_NEWNEIGH);
	default:
		return -EOPNOTSUPP;
	}
}
