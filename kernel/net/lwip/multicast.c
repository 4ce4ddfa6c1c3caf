/*
 * Multicast membership (ip(7), ipv6(7)): which groups a socket has joined on which link, from which senders it wants to
 * hear there, and which groups a link takes packets for. The wire is told by lwIP: IGMPv2 (RFC 2236) and MLDv1
 * (RFC 2710), so that senders are told apart here and not by routers.
 *
 * The first socket that joins a group on a link joins it for the link, the last to leave leaves it. The loopback has
 * groups, too, and tells nobody. Of each link the group of all hosts (and under IPv6 each address' own) is always there.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <lwip/icmp6.h>
#include <lwip/igmp.h>
#include <lwip/inet_chksum.h>
#include <lwip/mld6.h>
#include <lwip/prot/mld6.h>

#include "kernel/net/lwip/device.h"
#include "kernel/net/lwip/multicast.h"

#define MEMBERSHIPS4_MAX 20u /* of a socket: net.ipv4.igmp_max_memberships */
#define MEMBERSHIPS6_MAX 512u
#define SOURCES4_MAX 10u    /* net.ipv4.igmp_max_msf */
#define SOURCES6_MAX 64u    /* net.ipv6.mld_max_msf */

/* A group that sockets have joined on a link. */
struct group {
	TAILQ_ENTRY(group) link;
	const struct net_ns *net; /* only to compare: its members hold it */
	int index;
	ip_addr_t address;
	unsigned users;
};

struct multicast_membership {
	SLIST_ENTRY(multicast_membership) link;
	int index;
	ip_addr_t group;
	uint32_t own; /* the IPv4 address that named the link, in network order; 0: none did */
	bool include; /* only `sources` are heard; else all but them */
	unsigned count;
	ip_addr_t sources[SOURCES6_MAX];
};

static TAILQ_HEAD(, group) groups = TAILQ_HEAD_INITIALIZER(groups);

/* ---- links ---- */

/* In the namespace at hand. */
static struct group *find_group(int index, const ip_addr_t *address)
{
	struct group *group;

	TAILQ_FOREACH(group, &groups, link)
		if (group->net == stack_net && group->index == index && ip_addr_cmp_zoneless(&group->address, address))
			return group;
	return NULL;
}

static bool is_all_hosts(const ip_addr_t *address)
{
	if (IP_IS_V6(address))
		return ip6_addr_isallnodes_linklocal(ip_2_ip6(address)) || ip6_addr_isallnodes_iflocal(ip_2_ip6(address));
	return ip4_addr_get_u32(ip_2_ip4(address)) == __builtin_bswap32(INADDR_ALLHOSTS_GROUP);
}

bool multicast_is_member(struct netif *netif, const ip_addr_t *address)
{
	if (is_all_hosts(address) || find_group(netif_get_index(netif), address))
		return true;
	return netif != &loop_netif && IP_IS_V6(address) && mld6_lookfor_group(netif, ip_2_ip6(address));
}

/* MLD's Done (RFC 2710, 3.4) goes to all routers; lwIP's own goes to the group. In the stack, while the group is still there. */
static void send_done(struct netif *netif, ip6_addr_t address)
{
	const ip6_addr_t *from = ip6_addr_isvalid(netif_ip6_addr_state(netif, 0)) ? netif_ip6_addr(netif, 0) : IP6_ADDR_ANY6;
	struct mld_header *header;
	struct mld_group *group;
	ip6_addr_t routers;
	struct pbuf *p;

	ip6_addr_assign_zone(&address, IP6_MULTICAST, netif);
	group = mld6_lookfor_group(netif, &address);
	if (!group || !group->last_reporter_flag)
		return;
	group->last_reporter_flag = 0;
	p = pbuf_alloc(PBUF_IP, sizeof(struct mld_header) + MLD6_HBH_HLEN, PBUF_RAM);
	if (!p)
		return;
	pbuf_remove_header(p, MLD6_HBH_HLEN);
	header = p->payload;
	memset(header, 0, sizeof(*header));
	header->type = ICMP6_TYPE_MLD;
	ip6_addr_copy_to_packed(header->multicast_address, address);
	IP6_ADDR(&routers, __builtin_bswap32(0xff020000), 0, 0, __builtin_bswap32(2));
	ip6_addr_assign_zone(&routers, IP6_MULTICAST, netif);
	header->chksum = ip6_chksum_pseudo(p, IP6_NEXTH_ICMP6, p->len, from, &routers);
	(void)ip6_options_add_hbh_ra(p, IP6_NEXTH_ICMP6, IP6_ROUTER_ALERT_VALUE_MLD);
	(void)ip6_output_if(p, ip6_addr_isany(from) ? NULL : from, &routers, 1, 0, IP6_NEXTH_HOPBYHOP, netif);
	pbuf_free(p);
}

/* The stack's part; what it cannot do for want of memory is done nowhere. */
static int tell_link(int index, const ip_addr_t *address, bool join)
{
	struct netif *netif = netif_get_by_index((u8_t)index);
	err_t err;

	if (!netif || netif == &loop_netif || is_all_hosts(address))
		return 0;
	stack_enter(&first_net_ns);
	device_fragment(netif, true);
	if (IP_IS_V6(address) && !join)
		send_done(netif, *ip_2_ip6(address));
	if (IP_IS_V6(address))
		err = join ? mld6_joingroup_netif(netif, ip_2_ip6(address)) : mld6_leavegroup_netif(netif, ip_2_ip6(address));
	else
		err = join ? igmp_joingroup_netif(netif, ip_2_ip4(address)) : igmp_leavegroup_netif(netif, ip_2_ip4(address));
	device_fragment(netif, false);
	stack_leave();
	return err == ERR_OK ? 0 : -ENOBUFS;
}

static int join_link(int index, const ip_addr_t *address)
{
	struct group *group = find_group(index, address);
	int rc;

	if (group) {
		group->users++;
		return 0;
	}
	group = kzalloc(sizeof(*group));
	if (!group)
		return -ENOBUFS;
	rc = tell_link(index, address, true);
	if (rc) {
		kfree(group);
		return rc;
	}
	group->net = stack_net;
	group->index = index;
	group->users = 1;
	ip_addr_copy(group->address, *address);
	TAILQ_INSERT_HEAD(&groups, group, link);
	return 0;
}

static void leave_link(int index, const ip_addr_t *address)
{
	struct group *group = find_group(index, address);

	if (!group || --group->users)
		return;
	TAILQ_REMOVE(&groups, group, link);
	(void)tell_link(index, address, false);
	kfree(group);
}

/* ---- sockets ---- */

/* The link that a request names by its index, by an address of it, or else the one that leads to the group; 0: none. */
static int choose_link(const struct multicast_request *request)
{
	ip_addr_t from;
	struct netif *netif;

	if (request->index) {
		netif = request->index > 0 && request->index <= (int)UINT8_MAX ? netif_get_by_index((u8_t)request->index) : NULL;
		return netif && device_link(netif) == netif ? request->index : 0;
	}
	if (request->own)
		return route_index_of(request->own);
	ip_addr_copy(from, *(IP_IS_V6(&request->group) ? IP6_ADDR_ANY : IP4_ADDR_ANY));
	netif = route_find(&request->group, &from);
	return netif ? netif_get_index(netif) : 0;
}

/* IPv6 takes index 0 for any link. */
static struct multicast_membership *find_membership(const struct inet_socket *sock, const ip_addr_t *group, int index)
{
	struct multicast_membership *m;

	SLIST_FOREACH(m, &sock->memberships, link)
		if (ip_addr_cmp_zoneless(&m->group, group) && (m->index == index || (!index && IP_IS_V6(group))))
			return m;
	return NULL;
}

static bool has_room(const struct inet_socket *sock, bool v6)
{
	struct multicast_membership *m;
	unsigned count = 0;

	SLIST_FOREACH(m, &sock->memberships, link)
		count += IP_IS_V6(&m->group) == v6;
	return count < (v6 ? MEMBERSHIPS6_MAX : MEMBERSHIPS4_MAX);
}

static int join(struct inet_socket *sock, const struct multicast_request *request, bool include)
{
	bool v6 = IP_IS_V6(&request->group);
	struct multicast_membership *m;
	int index, rc;

	if (!ip_addr_ismulticast(&request->group))
		return -EINVAL;
	if (v6 && find_membership(sock, &request->group, request->index))
		return -EADDRINUSE;
	index = choose_link(request);
	if (!index)
		return -ENODEV;
	if (find_membership(sock, &request->group, index))
		return -EADDRINUSE;
	if (!has_room(sock, v6))
		return -ENOBUFS;
	m = kzalloc(sizeof(*m));
	if (!m)
		return -ENOBUFS;
	rc = join_link(index, &request->group);
	if (rc) {
		kfree(m);
		return rc;
	}
	m->index = index;
	m->include = include;
	m->own = request->own;
	ip_addr_copy(m->group, request->group);
	SLIST_INSERT_HEAD(&sock->memberships, m, link);
	return 0;
}

static void drop(struct inet_socket *sock, struct multicast_membership *m)
{
	SLIST_REMOVE(&sock->memberships, m, multicast_membership, link);
	leave_link(m->index, &m->group);
	kfree(m);
}

int multicast_join(struct inet_socket *sock, const struct multicast_request *request)
{
	return join(sock, request, false);
}

int multicast_leave(struct inet_socket *sock, const struct multicast_request *request)
{
	struct multicast_membership *m;
	int index = request->index;

	if (!IP_IS_V6(&request->group)) {
		index = choose_link(request);
		if (!index && !request->index && !request->own)
			return -ENODEV;
	} else if (!ip_addr_ismulticast(&request->group)) {
		return -EINVAL;
	}
	SLIST_FOREACH(m, &sock->memberships, link) {
		if (!ip_addr_cmp_zoneless(&m->group, &request->group))
			continue;
		if (index ? m->index != index : request->own && m->own != request->own)
			continue;
		drop(sock, m);
		return 0;
	}
	return -EADDRNOTAVAIL;
}

void multicast_leave_all(struct inet_socket *sock)
{
	struct multicast_membership *m;

	while ((m = SLIST_FIRST(&sock->memberships)))
		drop(sock, m);
}

void multicast_forget_link(int index)
{
	struct multicast_membership *m, *next;
	struct group *group, *after;
	struct inet_socket *sock;

	TAILQ_FOREACH(sock, &inet_sockets, all)
		SLIST_FOREACH_SAFE(m, &sock->memberships, link, next) {
			if (m->index != index || sock->net != &first_net_ns)
				continue;
			SLIST_REMOVE(&sock->memberships, m, multicast_membership, link);
			kfree(m);
		}
	TAILQ_FOREACH_SAFE(group, &groups, link, after) {
		if (group->index != index || group->net != &first_net_ns)
			continue;
		TAILQ_REMOVE(&groups, group, link);
		kfree(group);
	}
}

/* ---- senders ---- */

static unsigned find_source(const struct multicast_membership *m, const ip_addr_t *source)
{
	unsigned i = 0;

	while (i < m->count && !ip_addr_cmp_zoneless(&m->sources[i], source))
		i++;
	return i;
}

static int add_source(struct multicast_membership *m, const ip_addr_t *source)
{
	if (m->count >= (IP_IS_V6(source) ? SOURCES6_MAX : SOURCES4_MAX))
		return -ENOBUFS;
	if (find_source(m, source) < m->count)
		return -EADDRNOTAVAIL;
	ip_addr_copy(m->sources[m->count], *source);
	m->count++;
	return 0;
}

/* With the last sender that was to be heard goes the membership. */
static int remove_source(struct inet_socket *sock, struct multicast_membership *m, const ip_addr_t *source)
{
	unsigned i = find_source(m, source);

	if (i == m->count)
		return -EADDRNOTAVAIL;
	if (m->include && m->count == 1) {
		drop(sock, m);
		return 0;
	}
	m->sources[i] = m->sources[--m->count];
	return 0;
}

/* *m NULL: it has none of that name. */
static int named_membership(struct inet_socket *sock, const struct multicast_request *request, struct multicast_membership **m)
{
	int index;

	if (!ip_addr_ismulticast(&request->group))
		return -EINVAL;
	index = choose_link(request);
	if (!index)
		return -ENODEV;
	*m = find_membership(sock, &request->group, index);
	return 0;
}

int multicast_source(struct inet_socket *sock, const struct multicast_request *request, bool include, bool add)
{
	struct multicast_membership *m;
	int rc;

	if (include && add) {
		rc = join(sock, request, true);
		if (rc && rc != -EADDRINUSE)
			return rc;
	}
	rc = named_membership(sock, request, &m);
	if (rc)
		return rc;
	if (!m || (m->include != include && m->count))
		return -EINVAL;
	m->include = include;
	return add ? add_source(m, &request->source) : remove_source(sock, m, &request->source);
}

int multicast_set_filter(struct inet_socket *sock, const struct multicast_request *request, bool include, const uint32_t *sources,
	unsigned count)
{
	struct multicast_membership *m;
	int rc;

	if (count > SOURCES4_MAX)
		return -ENOBUFS;
	rc = named_membership(sock, request, &m);
	if (rc)
		return rc;
	if (!m && !(include && !count))
		return -EINVAL;
	if (include && !count)
		return multicast_leave(sock, request);
	m->include = include;
	m->count = count;
	for (unsigned i = 0; i < count; i++)
		ip_addr_set_ip4_u32_val(m->sources[i], sources[i]);
	return 0;
}

bool multicast_wants(const struct inet_socket *sock, const ip_addr_t *group, const ip_addr_t *from, int index)
{
	const struct multicast_membership *m = find_membership(sock, group, IP_IS_V6(group) ? 0 : index);

	if (!m)
		return IP_IS_V6(group) ? sock->multicast_all6 : sock->multicast_all;
	return (find_source(m, from) < m->count) == m->include;
}

/* ---- what there is, for /proc/net ---- */

static void tell_group(int index, const ip_addr_t *address, unsigned users,
	void (*fn)(void *arg, const struct inet_group *group), void *arg)
{
	struct inet_group out = {.index = index, .family = IP_IS_V6(address) ? AF_INET6 : AF_INET, .users = users};

	memcpy(out.address, IP_IS_V6(address) ? (const void *)ip_2_ip6(address)->addr : ip_2_ip4(address), IP_IS_V6(address) ? 16 : 4);
	fn(arg, &out);
}

/* The groups that an interface's addresses bring (RFC 4291, 2.7.1). */
static void tell_own_groups6(const struct netif *netif, void (*fn)(void *arg, const struct inet_group *group), void *arg)
{
	int index = netif_get_index(netif);
	ip_addr_t address;

	for (unsigned i = LWIP_IPV6_NUM_ADDRESSES; i-- && netif != &loop_netif;) {
		if (!ip6_addr_isvalid(netif_ip6_addr_state(netif, i)))
			continue;
		IP_ADDR6(&address, __builtin_bswap32(0xff020000), 0, __builtin_bswap32(1),
			__builtin_bswap32(0xff000000) | (netif_ip6_addr(netif, i)->addr[3] & __builtin_bswap32(0xffffff)));
		tell_group(index, &address, 1, fn, arg);
	}
	IP_ADDR6(&address, __builtin_bswap32(0xff020000), 0, 0, __builtin_bswap32(1));
	tell_group(index, &address, 1, fn, arg);
	IP_ADDR6(&address, __builtin_bswap32(0xff010000), 0, 0, __builtin_bswap32(1));
	tell_group(index, &address, 1, fn, arg);
}

void inet_for_each_group(int index, int family, void (*fn)(void *arg, const struct inet_group *group), void *arg)
{
	const struct netif *netif;
	struct group *group;
	ip_addr_t all;

	stack_select(stack_user_net());
	netif = netif_get_by_index((u8_t)index);
	if (!netif)
		return;
	TAILQ_FOREACH(group, &groups, link)
		if (group->net == stack_net && group->index == index && IP_IS_V6(&group->address) == (family == AF_INET6) && !is_all_hosts(&group->address))
			tell_group(index, &group->address, group->users, fn, arg);
	if (family == AF_INET6) {
		tell_own_groups6(netif, fn, arg);
		return;
	}
	ip_addr_set_ip4_u32_val(all, __builtin_bswap32(INADDR_ALLHOSTS_GROUP));
	group = find_group(index, &all);
	tell_group(index, &all, 1 + (group ? group->users : 0), fn, arg);
}
