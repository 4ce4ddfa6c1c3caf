/*
 * NETLINK_GET_STRICT_CHK (netlink(7)): what a dump's header and attributes ask for is a filter, and what makes no sense
 * there is refused, with Linux's words. Without the option programs send any header and sort the answers themselves.
 */
#include <linux/errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "kernel/net/inet.h"
#include "kernel/net/netlink_internal.h"
#include "ring0/lib.h"

static int refuse(const char *why)
{
	netlink_explain(why);
	return -EINVAL;
}

static int find_index(uint32_t index, struct netlink_filter *filter)
{
	struct inet_device device;

	filter->set = true;
	filter->index = (int)index;
	return inet_find_device((int)index, NULL, &device) ? 0 : -ENODEV;
}

/* Attributes behind a fixed part, each given to take(): 0, or -errno (1: not one that it knows, which `unknown` tells). */
static int take_attributes(const struct nlmsghdr *request, size_t len, size_t fixed, struct netlink_filter *filter,
	int (*take)(struct netlink_filter *filter, unsigned type, const void *value, size_t size), const char *unknown)
{
	size_t at = NLMSG_SPACE(fixed);
	struct nlattr a;
	int rc;

	while (at < len) {
		if (len - at < sizeof(a))
			return refuse("bytes leftover after parsing attributes");
		memcpy(&a, (const char *)request + at, sizeof(a));
		if (a.nla_len < sizeof(a) || a.nla_len > len - at)
			return refuse("bytes leftover after parsing attributes");
		rc = take(filter, a.nla_type & NLA_TYPE_MASK, (const char *)request + at + NLA_HDRLEN, a.nla_len - NLA_HDRLEN);
		if (rc)
			return rc > 0 ? refuse(unknown) : rc;
		at += NLA_ALIGN(a.nla_len);
	}
	return 0;
}

static int take_none(struct netlink_filter *filter, unsigned type, const void *value, size_t size)
{
	return 1;
}

/* ---- links ---- */

/* There are no masters and no kinds inside: who asks for one is told of nothing. */
static int take_of_link(struct netlink_filter *filter, unsigned type, const void *value, size_t size)
{
	switch (type) {
	case IFLA_EXT_MASK:
		return size < sizeof(uint32_t) ? -ERANGE : 0;
	case IFLA_MASTER:
	case IFLA_LINKINFO:
		filter->set = filter->nothing = true;
		return 0;
	default:
		return 1;
	}
}

static int check_links(const struct nlmsghdr *request, size_t len, struct netlink_filter *filter)
{
	const struct ifinfomsg *info = NLMSG_DATA(request);

	if (len < NLMSG_LENGTH(sizeof(*info)))
		return refuse("Invalid header for link dump");
	if (info->__ifi_pad || info->ifi_type || info->ifi_flags || info->ifi_change)
		return refuse("Invalid values in header for link dump request");
	if (info->ifi_index)
		return refuse("Filter by device index not supported for link dumps");
	return take_attributes(request, len, sizeof(*info), filter, take_of_link, "Unsupported attribute in link dump request");
}

/* ---- addresses ---- */

static int check_addresses(const struct nlmsghdr *request, size_t len, struct netlink_filter *filter)
{
	const struct ifaddrmsg *info = NLMSG_DATA(request);
	bool v4 = len > NLMSG_HDRLEN && info->ifa_family != AF_INET6;
	int rc;

	if (len < NLMSG_LENGTH(sizeof(*info)))
		return refuse(v4 ? "ipv4: Invalid header for address dump request" : "Invalid header for address dump request");
	if (info->ifa_prefixlen || info->ifa_flags || info->ifa_scope)
		return refuse(v4 ? "ipv4: Invalid values in header for address dump request" :
				   "Invalid values in header for address dump request");
	rc = take_attributes(request, len, sizeof(*info), filter, take_none,
		v4 ? "ipv4: Unsupported attribute in dump request" : "Unsupported attribute in dump request");
	return rc || !info->ifa_index ? rc : find_index(info->ifa_index, filter);
}

/* ---- routes ---- */

static int take_of_route(struct netlink_filter *filter, unsigned type, const void *value, size_t size)
{
	uint32_t number;

	if (type != RTA_TABLE && type != RTA_OIF)
		return 1;
	if (size < sizeof(number))
		return -ERANGE;
	memcpy(&number, value, sizeof(number));
	if (type == RTA_OIF)
		return find_index(number, filter);
	filter->table = number;
	return 0;
}

static int check_routes(const struct nlmsghdr *request, size_t len, struct netlink_filter *filter)
{
	const struct rtmsg *info = NLMSG_DATA(request);
	int rc;

	if (len < NLMSG_LENGTH(sizeof(*info)))
		return refuse("Invalid header for FIB dump request");
	if (info->rtm_dst_len || info->rtm_src_len || info->rtm_tos || info->rtm_scope)
		return refuse("Invalid values in header for FIB dump request");
	if (info->rtm_flags & ~(unsigned)(RTM_F_CLONED | RTM_F_PREFIX))
		return refuse("Invalid flags for FIB dump request");
	filter->table = info->rtm_table;
	filter->protocol = info->rtm_protocol;
	filter->type = info->rtm_type;
	filter->nothing = info->rtm_flags & RTM_F_CLONED; /* no route is cached */
	rc = take_attributes(request, len, sizeof(*info), filter, take_of_route, "Unsupported attribute in dump request");
	filter->set |= filter->table || filter->protocol || filter->type || info->rtm_flags;
	if (rc || !filter->table || filter->table == RT_TABLE_MAIN || filter->table == RT_TABLE_LOCAL)
		return rc;
	filter->nothing = true;
	if (info->rtm_family != AF_INET && info->rtm_family != AF_INET6)
		return 0;
	netlink_explain(info->rtm_family == AF_INET ? "ipv4: FIB table does not exist" : "FIB table does not exist");
	return -ENOENT;
}

/* ---- neighbours and rules ---- */

static int take_of_neighbour(struct netlink_filter *filter, unsigned type, const void *value, size_t size)
{
	uint32_t number;

	if (type != NDA_IFINDEX && type != NDA_MASTER)
		return 1;
	if (size < sizeof(number))
		return -ERANGE;
	memcpy(&number, value, sizeof(number));
	filter->set = true;
	if (type == NDA_MASTER)
		filter->nothing = true;
	else
		filter->index = (int)number;
	return 0;
}

static int check_neighbours(const struct nlmsghdr *request, size_t len, struct netlink_filter *filter)
{
	const struct ndmsg *info = NLMSG_DATA(request);

	if (len < NLMSG_LENGTH(sizeof(*info)))
		return refuse("Invalid header for neighbor dump request");
	if (info->ndm_pad1 || info->ndm_pad2 || info->ndm_ifindex || info->ndm_state || info->ndm_type)
		return refuse("Invalid values in header for neighbor dump request");
	if (info->ndm_flags & ~NTF_PROXY)
		return refuse("Invalid flags in header for neighbor dump request");
	filter->nothing = info->ndm_flags & NTF_PROXY; /* nobody is spoken for */
	return take_attributes(request, len, sizeof(*info), filter, take_of_neighbour,
		"Unsupported attribute in neighbor dump request");
}

static int check_rules(const struct nlmsghdr *request, size_t len)
{
	const struct fib_rule_hdr *info = NLMSG_DATA(request);

	if (len < NLMSG_LENGTH(sizeof(*info)))
		return refuse("Invalid header for fib rule dump request");
	if (info->dst_len || info->src_len || info->tos || info->table || info->res1 || info->res2 || info->action || info->flags)
		return refuse("Invalid values in header for fib rule dump request");
	return len > NLMSG_SPACE(sizeof(*info)) ? refuse("Invalid data after header in fib rule dump request") : 0;
}

int netlink_check_dump(const struct nlmsghdr *request, size_t len, struct netlink_filter *filter)
{
	switch (request->nlmsg_type) {
	case RTM_GETLINK:
		return check_links(request, len, filter);
	case RTM_GETADDR:
		return check_addresses(request, len, filter);
	case RTM_GETROUTE:
		return check_routes(request, len, filter);
	case RTM_GETNEIGH:
		return check_neighbours(request, len, filter);
	case RTM_GETRULE:
		return check_rules(request, len);
	default:
		return 0;
	}
}
