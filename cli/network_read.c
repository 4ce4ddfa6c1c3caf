/*
 * What a network namespace has: links, addresses, routes and permanent neighbours, by rtnetlink(7). See network_parts.h.
 *
 * What cannot be taken over is refused by name: links that are not Ethernet, routes with several next hops.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/socket.h>

#include "cli/cli.h"
#include "cli/network_parts.h"

static int refuse(struct network_taker *t, const char *what)
{
	if (t->only_look)
		return 1;
	t->failed = true;
	return cli_error("network: %s", what);
}

/* The attributes of a message, by type. */
static void parse(struct rtattr **table, unsigned max, struct rtattr *at, int len)
{
	memset(table, 0, (max + 1) * sizeof(*table));
	for (; RTA_OK(at, len); at = RTA_NEXT(at, len))
		if ((at->rta_type & NLA_TYPE_MASK) <= max)
			table[at->rta_type & NLA_TYPE_MASK] = at;
}

static int link_of(const struct network_taker *t, int index)
{
	for (unsigned i = 0; i < t->network->head.links; i++)
		if (t->network->links[i].host_index == (uint32_t)index)
			return (int)i;
	return -1;
}

static unsigned address_size(unsigned family)
{
	return family == AF_INET ? 4 : 16;
}

static void copy_address(uint8_t *to, const struct rtattr *from, unsigned family)
{
	if (from && RTA_PAYLOAD(from) >= address_size(family))
		memcpy(to, RTA_DATA(from), address_size(family));
}

/* ---- what is there ---- */

static void take_link(struct network_taker *t, struct nlmsghdr *message)
{
	struct ifinfomsg *info = NLMSG_DATA(message);
	struct config_link *link = &t->network->links[t->network->head.links];
	struct rtattr *a[IFLA_MAX + 1];
	char what[128];

	if (info->ifi_flags & IFF_LOOPBACK || !(info->ifi_flags & IFF_UP))
		return;
	parse(a, IFLA_MAX, IFLA_RTA(info), (int)IFLA_PAYLOAD(message));
	if (!a[IFLA_IFNAME] || !a[IFLA_MTU])
		return;
	if (info->ifi_type != ARPHRD_ETHER || !a[IFLA_ADDRESS] || RTA_PAYLOAD(a[IFLA_ADDRESS]) != ETH_ALEN) {
		snprintf(what, sizeof(what), "%.15s: not an Ethernet link", (char *)RTA_DATA(a[IFLA_IFNAME]));
		refuse(t, what);
		return;
	}
	if (t->network->head.links == CONFIG_NETWORK_LINKS) {
		refuse(t, "more links than can be taken over");
		return;
	}
	unsigned mtu = *(unsigned *)RTA_DATA(a[IFLA_MTU]);
	memset(link, 0, sizeof(*link));
	snprintf(link->name, sizeof(link->name), "%.15s", (char *)RTA_DATA(a[IFLA_IFNAME]));
	memcpy(link->mac, RTA_DATA(a[IFLA_ADDRESS]), ETH_ALEN);
	link->mtu = (uint16_t)(mtu > 61440 ? 61440 : mtu);
	link->fd = t->network->head.links++;
	link->host_index = (uint32_t)info->ifi_index;
}

static void take_address(struct network_taker *t, struct nlmsghdr *message)
{
	struct ifaddrmsg *info = NLMSG_DATA(message);
	struct config_address *address = &t->network->addresses[t->network->head.addresses];
	struct rtattr *a[IFA_MAX + 1];
	int link = link_of(t, (int)info->ifa_index);

	if (link < 0 || (info->ifa_family != AF_INET && info->ifa_family != AF_INET6))
		return;
	if (t->network->head.addresses == CONFIG_NETWORK_ENTRIES || message->nlmsg_len > sizeof(t->remove[0])) {
		refuse(t, "more addresses than can be taken over");
		return;
	}
	parse(a, IFA_MAX, IFA_RTA(info), (int)IFA_PAYLOAD(message));
	*address = (struct config_address){.link = (uint32_t)link, .family = info->ifa_family, .prefix = info->ifa_prefixlen,
		.scope = info->ifa_scope};
	copy_address(address->address, a[IFA_LOCAL] ? a[IFA_LOCAL] : a[IFA_ADDRESS], info->ifa_family);
	if (info->ifa_family == AF_INET6)
		memcpy(&t->remove[t->remove_count++], message, message->nlmsg_len);
	t->network->head.addresses++;
}

static void take_route(struct network_taker *t, struct nlmsghdr *message)
{
	struct rtmsg *info = NLMSG_DATA(message);
	struct config_route *route = &t->network->routes[t->network->head.routes];
	struct rtattr *a[RTA_MAX + 1];
	int link;

	if ((info->rtm_family != AF_INET && info->rtm_family != AF_INET6) || info->rtm_type != RTN_UNICAST)
		return;
	parse(a, RTA_MAX, RTM_RTA(info), (int)RTM_PAYLOAD(message));
	if ((a[RTA_TABLE] ? *(uint32_t *)RTA_DATA(a[RTA_TABLE]) : info->rtm_table) != RT_TABLE_MAIN)
		return;
	if (a[RTA_MULTIPATH]) {
		refuse(t, "a route with several next hops: not supported yet");
		return;
	}
	link = a[RTA_OIF] ? link_of(t, *(int *)RTA_DATA(a[RTA_OIF])) : -1;
	if (link < 0)
		return;
	if (t->network->head.routes == CONFIG_NETWORK_ENTRIES) {
		refuse(t, "more routes than can be taken over");
		return;
	}
	*route = (struct config_route){.link = (uint32_t)link, .family = info->rtm_family, .prefix = info->rtm_dst_len,
		.scope = info->rtm_scope, .protocol = info->rtm_protocol};
	copy_address(route->destination, a[RTA_DST], info->rtm_family);
	copy_address(route->gateway, a[RTA_GATEWAY], info->rtm_family);
	copy_address(route->source, a[RTA_PREFSRC], info->rtm_family);
	if (a[RTA_PRIORITY])
		route->metric = *(uint32_t *)RTA_DATA(a[RTA_PRIORITY]);
	t->network->head.routes++;
}

static void take_neighbour(struct network_taker *t, struct nlmsghdr *message)
{
	struct ndmsg *info = NLMSG_DATA(message);
	struct config_neighbour *neighbour = &t->network->neighbours[t->network->head.neighbours];
	struct rtattr *a[NDA_MAX + 1];
	int link = link_of(t, info->ndm_ifindex);

	if (link < 0 || info->ndm_family != AF_INET || !(info->ndm_state & NUD_PERMANENT))
		return;
	parse(a, NDA_MAX, (struct rtattr *)((char *)info + NLMSG_ALIGN(sizeof(*info))),
		(int)(message->nlmsg_len - NLMSG_LENGTH(sizeof(*info))));
	if (!a[NDA_LLADDR] || RTA_PAYLOAD(a[NDA_LLADDR]) != ETH_ALEN)
		return;
	if (t->network->head.neighbours == CONFIG_NETWORK_ENTRIES) {
		refuse(t, "more neighbours than can be taken over");
		return;
	}
	*neighbour = (struct config_neighbour){.link = (uint32_t)link, .family = AF_INET};
	copy_address(neighbour->address, a[NDA_DST], AF_INET);
	memcpy(neighbour->mac, RTA_DATA(a[NDA_LLADDR]), ETH_ALEN);
	t->network->head.neighbours++;
}

/* ---- netlink ---- */

/* Every message of a dump to `take`. 0, or 1 after a message. */
static int dump(struct network_taker *t, uint16_t type, void (*take)(struct network_taker *t, struct nlmsghdr *message))
{
	struct {
		struct nlmsghdr header;
		char body[32]; /* zero: every family, every link */
	} request = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)), .nlmsg_type = type,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP, .nlmsg_seq = ++t->sequence}};
	static _Alignas(8) char buffer[65536];

	if (send(t->netlink, &request, request.header.nlmsg_len, 0) < 0)
		return cli_error("network: netlink: %s", strerror(errno));
	for (;;) {
		ssize_t n = recv(t->netlink, buffer, sizeof(buffer), 0);
		if (n < 0)
			return cli_error("network: netlink: %s", strerror(errno));
		unsigned len = (unsigned)n;
		for (struct nlmsghdr *m = (void *)buffer; NLMSG_OK(m, len); m = NLMSG_NEXT(m, len)) {
			if (m->nlmsg_type == NLMSG_DONE)
				return t->failed;
			if (m->nlmsg_type == NLMSG_ERROR)
				return cli_error("network: netlink: %s",
					strerror(-((struct nlmsgerr *)NLMSG_DATA(m))->error));
			take(t, m);
		}
	}
}

int network_read(struct network_taker *t)
{
	return dump(t, RTM_GETLINK, take_link) || dump(t, RTM_GETADDR, take_address) || dump(t, RTM_GETROUTE, take_route) ||
		dump(t, RTM_GETNEIGH, take_neighbour);
}
