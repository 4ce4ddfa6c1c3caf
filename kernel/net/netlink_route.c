/*
 * NETLINK_ROUTE (rtnetlink(7)): dumps of links, addresses, routes, neighbours and rules, one link by its index or name,
 * and the route to an address; news of them for the groups. netlink_change.c has the changes.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>

#include "kernel/net/inet.h"
#include "kernel/net/netlink.h"
#include "kernel/net/netlink_internal.h"
#include "kernel/task.h"
#include "kernel/user_ns.h"
#include "ring0/lib.h"

#define OPER_UNKNOWN 0
#define OPER_DOWN 2
#define OPER_UP 6

struct query {
	struct netlink_reply *reply;
	struct netlink_filter filter;
	uint8_t family; /* AF_UNSPEC: all */
	int index;      /* 0: all */
	const char *name;
	uint16_t type;  /* of the message, where it is not RTM_NEW… */
	unsigned found;
	bool looked_up; /* the answer to one question: with RTA_CACHEINFO */
};

static unsigned address_size(unsigned family)
{
	return family == AF_INET ? 4 : 16;
}

/* ---- links ---- */

static void put_statistics(struct netlink_reply *reply, const struct inet_device *d)
{
	struct rtnl_link_stats64 s = {.rx_packets = d->received, .tx_packets = d->sent, .rx_bytes = d->received_bytes,
		.tx_bytes = d->sent_bytes, .rx_dropped = d->receive_dropped, .tx_dropped = d->send_dropped};

	reply_put(reply, IFLA_STATS64, &s, sizeof(s));
}

static void tell_link(void *arg, const struct inet_device *d)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, none[6];
	struct query *q = arg;
	struct ifinfomsg *info;

	if ((q->index && q->index != d->index) || (q->name && strcmp(q->name, d->name)))
		return;
	q->found++;
	info = reply_begin(q->reply, q->type ? q->type : RTM_NEWLINK, sizeof(*info));
	if (!info)
		return;
	info->ifi_type = d->loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
	info->ifi_index = d->index;
	info->ifi_flags = inet_device_flags(d) | (d->up ? IFF_RUNNING | IFF_LOWER_UP : 0);
	reply_put_string(q->reply, IFLA_IFNAME, d->name);
	reply_put_u32(q->reply, IFLA_TXQLEN, 1000);
	reply_put_u8(q->reply, IFLA_OPERSTATE, d->loopback ? OPER_UNKNOWN : d->up ? OPER_UP : OPER_DOWN);
	reply_put_u8(q->reply, IFLA_LINKMODE, 0);
	reply_put_u32(q->reply, IFLA_MTU, d->mtu);
	reply_put_u32(q->reply, IFLA_GROUP, 0);
	reply_put_string(q->reply, IFLA_QDISC, "noqueue");
	reply_put(q->reply, IFLA_ADDRESS, d->loopback ? none : d->mac, 6);
	reply_put(q->reply, IFLA_BROADCAST, d->loopback ? none : all, 6);
	if (d->counted)
		put_statistics(q->reply, d);
	reply_end(q->reply);
}

static int get_link(struct query *q, const struct nlmsghdr *request, size_t len)
{
	const struct ifinfomsg *info = NLMSG_DATA(request);
	size_t size;
	const char *name;

	if ((request->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP) {
		if (len < NLMSG_LENGTH(sizeof(*info)))
			return -EINVAL;
		name = netlink_find_attribute(request, len, sizeof(*info), IFLA_IFNAME, &size);
		if (name && (!size || name[size - 1]))
			return -EINVAL;
		q->index = info->ifi_index;
		q->name = info->ifi_index > 0 ? NULL : name;
		if (!q->index && !q->name)
			return -EINVAL;
	}
	inet_for_each_device(tell_link, q);
	return (q->index || q->name) && !q->found ? -ENODEV : 0;
}

/* ---- addresses ---- */

static void tell_address(void *arg, const struct inet_address *a)
{
	struct ifa_cacheinfo forever = {.ifa_prefered = UINT32_MAX, .ifa_valid = UINT32_MAX};
	struct query *q = arg;
	struct ifaddrmsg *info;

	if ((q->family && q->family != a->family) || (q->filter.index && q->filter.index != a->index))
		return;
	info = reply_begin(q->reply, q->type ? q->type : RTM_NEWADDR, sizeof(*info));
	if (!info)
		return;
	info->ifa_family = a->family;
	info->ifa_prefixlen = a->prefix;
	info->ifa_flags = (uint8_t)(IFA_F_PERMANENT | (a->secondary ? IFA_F_SECONDARY : 0));
	info->ifa_scope = a->scope;
	info->ifa_index = (uint32_t)a->index;
	reply_put(q->reply, IFA_ADDRESS, a->address, address_size(a->family));
	if (a->family == AF_INET) {
		uint32_t broadcast, mask = a->prefix < 32 ? __builtin_bswap32(~0u >> a->prefix) : 0;
		struct inet_device device;

		(void)inet_find_device(a->index, NULL, &device);
		memcpy(&broadcast, a->address, 4);
		broadcast |= mask;
		reply_put(q->reply, IFA_LOCAL, a->address, 4);
		if (a->broadcast && a->prefix < 31)
			reply_put(q->reply, IFA_BROADCAST, &broadcast, 4);
		reply_put_string(q->reply, IFA_LABEL, device.name);
	}
	reply_put_u32(q->reply, IFA_FLAGS, info->ifa_flags);
	reply_put(q->reply, IFA_CACHEINFO, &forever, sizeof(forever));
	reply_end(q->reply);
}

/* ---- routes ---- */

static void put_route(struct query *q, const struct inet_route *r, unsigned table)
{
	static const struct rta_cacheinfo fresh;
	static const uint8_t none[16];
	unsigned size = address_size(r->family);
	struct rtmsg *info = reply_begin(q->reply, q->type ? q->type : RTM_NEWROUTE, sizeof(*info));

	if (!info)
		return;
	info->rtm_family = r->family;
	info->rtm_dst_len = r->prefix;
	info->rtm_table = (uint8_t)table;
	info->rtm_protocol = r->protocol;
	info->rtm_scope = r->scope;
	info->rtm_type = r->local ? RTN_LOCAL : RTN_UNICAST;
	reply_put_u32(q->reply, RTA_TABLE, table);
	if (r->prefix)
		reply_put(q->reply, RTA_DST, r->destination, size);
	reply_put_u32(q->reply, RTA_OIF, (uint32_t)r->index); /* early, as Linux */
	if (r->metric)
		reply_put_u32(q->reply, RTA_PRIORITY, r->metric);
	if (memcmp(r->gateway, none, size))
		reply_put(q->reply, RTA_GATEWAY, r->gateway, size);
	if (memcmp(r->source, none, size))
		reply_put(q->reply, RTA_PREFSRC, r->source, size);
	if (r->family == AF_INET6)
		reply_put_u8(q->reply, RTA_PREF, 0); /* medium */
	if (q->looked_up)
		reply_put(q->reply, RTA_CACHEINFO, &fresh, sizeof(fresh));
	reply_end(q->reply);
}

static bool wants_route(const struct query *q, const struct inet_route *r, unsigned table)
{
	const struct netlink_filter *f = &q->filter;

	return (!f->table || f->table == table) && (!f->protocol || f->protocol == r->protocol) && (!f->index || f->index == r->index) &&
	       (!f->type || f->type == (r->local ? RTN_LOCAL : RTN_UNICAST));
}

static void tell_route(void *arg, const struct inet_route *r)
{
	struct query *q = arg;

	if ((!q->family || q->family == r->family) && wants_route(q, r, RT_TABLE_MAIN))
		put_route(q, r, RT_TABLE_MAIN);
}

/* The local table has each address of ours. */
static void tell_local(void *arg, const struct inet_address *a)
{
	struct inet_route r = {.index = a->index, .family = a->family, .prefix = (uint8_t)(address_size(a->family) * 8),
		.scope = a->family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE, .protocol = RTPROT_KERNEL, .local = true};
	struct query *q = arg;

	if ((q->family && q->family != a->family) || !wants_route(q, &r, RT_TABLE_LOCAL))
		return;
	memcpy(r.destination, a->address, sizeof(r.destination));
	put_route(q, &r, RT_TABLE_LOCAL);
}

static int get_route(struct query *q, const struct nlmsghdr *request, size_t len)
{
	const struct rtmsg *info = NLMSG_DATA(request);
	struct inet_route route;
	const void *to;
	size_t size;
	int rc;

	if ((request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP) {
		inet_for_each_address(tell_local, q);
		inet_for_each_route(tell_route, q);
		return 0;
	}
	if (len < NLMSG_LENGTH(sizeof(*info)) || (info->rtm_family != AF_INET && info->rtm_family != AF_INET6))
		return -EINVAL;
	to = netlink_find_attribute(request, len, sizeof(*info), RTA_DST, &size);
	if (!to || size != address_size(info->rtm_family))
		return -EINVAL;
	rc = inet_route_to(info->rtm_family, to, &route);
	q->looked_up = true; /* nmap overlooks the last attribute, which Linux has here */
	if (!rc)
		put_route(q, &route, route.local ? RT_TABLE_LOCAL : RT_TABLE_MAIN);
	return rc;
}

/* ---- neighbours and rules ---- */

static void tell_neighbour(void *arg, const struct inet_neighbour *n)
{
	struct query *q = arg;
	struct ndmsg *info;

	if ((q->family && q->family != n->family) || (q->filter.index && q->filter.index != n->index))
		return;
	info = reply_begin(q->reply, q->type ? q->type : RTM_NEWNEIGH, sizeof(*info));
	if (!info)
		return;
	info->ndm_family = n->family;
	info->ndm_ifindex = n->index;
	info->ndm_state = n->state;
	info->ndm_flags = n->router ? NTF_ROUTER : 0;
	info->ndm_type = RTN_UNICAST;
	reply_put(q->reply, NDA_DST, n->address, address_size(n->family));
	reply_put(q->reply, NDA_LLADDR, n->mac, sizeof(n->mac));
	reply_end(q->reply);
}

/* Network namespaces have no ids for each other (`ip netns set` is refused): to whom asks for one, that there is none. */
static void tell_no_ns_id(struct query *q, bool dump)
{
	struct rtgenmsg *info = dump ? NULL : reply_begin(q->reply, RTM_NEWNSID, sizeof(*info));

	if (!info)
		return;
	reply_put_u32(q->reply, NETNSA_NSID, (uint32_t)NETNSA_NSID_NOT_ASSIGNED);
	reply_end(q->reply);
}

static void tell_rules(struct query *q)
{
	static const struct {
		uint8_t family, table;
		uint32_t priority;
	} rules[] = {{AF_INET, RT_TABLE_LOCAL, 0}, {AF_INET, RT_TABLE_MAIN, 32766}, {AF_INET, RT_TABLE_DEFAULT, 32767},
		{AF_INET6, RT_TABLE_LOCAL, 0}, {AF_INET6, RT_TABLE_MAIN, 32766}};

	for (unsigned i = 0; i < ARRAY_SIZE(rules); i++) {
		struct fib_rule_hdr *info;

		if (q->family && q->family != rules[i].family)
			continue;
		info = reply_begin(q->reply, RTM_NEWRULE, sizeof(*info));
		if (!info)
			return;
		info->family = rules[i].family;
		info->table = rules[i].table;
		info->action = FR_ACT_TO_TBL;
		reply_put_u32(q->reply, FRA_TABLE, rules[i].table);
		reply_put_u32(q->reply, FRA_PRIORITY, rules[i].priority);
		reply_end(q->reply);
	}
}

/* ---- news ---- */

struct news {
	const void *object;
	bool added;
};

static void fill_link(struct netlink_reply *reply, const void *arg)
{
	const struct news *news = arg;
	struct query q = {.reply = reply, .index = *(const int *)news->object, .type = news->added ? RTM_NEWLINK : RTM_DELLINK};

	inet_for_each_device(tell_link, &q);
}

void netlink_route_tell_link(int index, bool there)
{
	struct news news = {&index, there};

	netlink_tell(NETLINK_ROUTE, RTNLGRP_LINK, fill_link, &news);
}

static void fill_address(struct netlink_reply *reply, const void *arg)
{
	const struct news *news = arg;
	struct query q = {.reply = reply, .type = news->added ? RTM_NEWADDR : RTM_DELADDR};

	tell_address(&q, news->object);
}

void netlink_route_tell_address(const struct inet_address *address, bool added)
{
	struct news news = {address, added};

	netlink_tell(NETLINK_ROUTE, address->family == AF_INET ? RTNLGRP_IPV4_IFADDR : RTNLGRP_IPV6_IFADDR, fill_address, &news);
}

static void fill_route(struct netlink_reply *reply, const void *arg)
{
	const struct news *news = arg;
	struct query q = {.reply = reply, .type = news->added ? RTM_NEWROUTE : RTM_DELROUTE};

	put_route(&q, news->object, RT_TABLE_MAIN);
}

void netlink_route_tell_route(const struct inet_route *route, bool added)
{
	struct news news = {route, added};

	netlink_tell(NETLINK_ROUTE, route->family == AF_INET ? RTNLGRP_IPV4_ROUTE : RTNLGRP_IPV6_ROUTE, fill_route, &news);
}

static void fill_neighbour(struct netlink_reply *reply, const void *arg)
{
	const struct news *news = arg;
	struct query q = {.reply = reply, .type = news->added ? RTM_NEWNEIGH : RTM_DELNEIGH};

	tell_neighbour(&q, news->object);
}

void netlink_route_tell_neighbour(const struct inet_neighbour *neighbour, bool added)
{
	struct news news = {neighbour, added};

	netlink_tell(NETLINK_ROUTE, RTNLGRP_NEIGH, fill_neighbour, &news);
}

/* ---- requests ---- */

int netlink_route_request(struct netlink_reply *reply, const struct nlmsghdr *request, size_t len)
{
	struct query q = {.reply = reply};
	bool dump = (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;

	if (request->nlmsg_type < RTM_BASE || request->nlmsg_type > RTM_MAX)
		return -EOPNOTSUPP;
	if ((request->nlmsg_type & 3) != 2 && !net_capable(CAP_NET_ADMIN)) /* not a RTM_GET */
		return -EPERM;
	if ((request->nlmsg_type & 3) != 2)
		return netlink_route_change(request, len);
	if (len > NLMSG_HDRLEN)
		q.family = *(const uint8_t *)NLMSG_DATA(request);
	if (q.family != AF_INET && q.family != AF_INET6)
		q.family = AF_UNSPEC;
	if (dump && reply->sock->strict) {
		int rc = netlink_check_dump(request, len, &q.filter);

		if (rc)
			return rc;
		reply->filtered = q.filter.set;
		if (q.filter.nothing)
			return 0;
	}
	switch (request->nlmsg_type) {
	case RTM_GETLINK:
		return get_link(&q, request, len);
	case RTM_GETROUTE:
		return get_route(&q, request, len);
	case RTM_GETADDR:
		if (!dump)
			return -EOPNOTSUPP;
		inet_for_each_address(tell_address, &q);
		return 0;
	case RTM_GETNEIGH:
		if (!dump)
			return -EOPNOTSUPP;
		inet_for_each_neighbour(tell_neighbour, &q);
		return 0;
	case RTM_GETNSID:
		tell_no_ns_id(&q, dump);
		return 0;
	case RTM_GETRULE:
		if (!dump)
			return -EOPNOTSUPP;
		tell_rules(&q);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}
