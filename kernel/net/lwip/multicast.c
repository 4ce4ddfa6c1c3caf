/*
 * Multicast membership (ip(7), ipv6(7)): which groups a socket has joined on which link, from which senders it wants to
 * hear there, and which groups a link takes packets for. Routers are told by membership.c.
 *
 * The first socket that joins a group on a link joins it for the link, the last to leave leaves it. The loopback has
 * groups, too, and tells nobody. Of each link the group of all hosts (and under IPv6 each address' own) is always there.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <lwip/mld6.h>

#include "kernel/net/lwip/device.h"
#include "kernel/net/lwip/membership.h"
#include "kernel/net/lwip/multicast.h"

#define MEMBERSHIPS4_MAX 20u /* of a socket: net.ipv4.igmp_max_memberships */
#define MEMBERSHIPS6_MAX 2340u /* what 56 bytes each leave of net.core.optmem_max */
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
	unsigned count, room;
	ip_addr_t *sources;
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

/* The link's routers hear of what has changed in a group. Where that fails for want of memory they hear of it with the next change. */
static int tell_link(int index, const ip_addr_t *address)
{
	struct netif *netif = netif_get_by_index((u8_t)index);
	int rc;

	if (stack_net != &first_net_ns || !netif || netif == &loop_netif || is_all_hosts(address))
		return 0;
	stack_enter(&first_net_ns);
	device_fragment(netif, true);
	rc = membership_changed(netif, address);
	device_fragment(netif, false);
	stack_leave();
	return rc;
}

static int join_link(int index, const ip_addr_t *address)
{
	struct group *group = find_group(index, address);

	if (group) {
		group->users++;
		return 0;
	}
	group = kzalloc(sizeof(*group));
	if (!group)
		return -ENOBUFS;
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

/* 0, or what Linux says then. */
static int check_room(const struct inet_socket *sock, bool v6)
{
	struct multicast_membership *m;
	unsigned count = 0;

	SLIST_FOREACH(m, &sock->memberships, link)
		count += IP_IS_V6(&m->group) == v6;
	if (v6)
		return count < MEMBERSHIPS6_MAX ? 0 : -ENOMEM;
	return count < MEMBERSHIPS4_MAX ? 0 : -ENOBUFS;
}

static void free_membership(struct multicast_membership *m)
{
	kfree(m->sources);
	kfree(m);
}

static void drop(struct inet_socket *sock, struct multicast_membership *m)
{
	SLIST_REMOVE(&sock->memberships, m, multicast_membership, link);
	leave_link(m->index, &m->group);
	(void)tell_link(m->index, &m->group);
	free_membership(m);
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
	rc = check_room(sock, v6);
	if (rc)
		return rc;
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
	rc = include ? 0 : tell_link(index, &m->group); /* else it hears nobody yet */
	if (rc)
		drop(sock, m);
	return rc;
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
			free_membership(m);
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

static bool make_room(struct multicast_membership *m, unsigned count)
{
	ip_addr_t *sources = count > m->room ? krealloc(m->sources, (count + 4) * sizeof(*sources)) : m->sources;

	if (count <= m->room)
		return true;
	if (!sources)
		return false;
	m->sources = sources;
	m->room = count + 4;
	return true;
}

static int add_source(struct multicast_membership *m, const ip_addr_t *source)
{
	if (m->count >= (IP_IS_V6(source) ? SOURCES6_MAX : SOURCES4_MAX))
		return -ENOBUFS;
	if (find_source(m, source) < m->count)
		return -EADDRNOTAVAIL;
	if (!make_room(m, m->count + 1))
		return -ENOBUFS;
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
	int rc, index = choose_link(request);

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
	rc = add ? add_source(m, &request->source) : remove_source(sock, m, &request->source);
	if (!rc)
		rc = tell_link(index, &request->group);
	return rc;
}

int multicast_set_filter(struct inet_socket *sock, const struct multicast_request *request, bool include, const ip_addr_t *sources,
	unsigned count)
{
	struct multicast_membership *m;
	int rc;

	if (count > (IP_IS_V6(&request->group) ? SOURCES6_MAX : SOURCES4_MAX))
		return -ENOBUFS;
	rc = named_membership(sock, request, &m);
	if (rc)
		return rc;
	if (!m && !(include && !count))
		return -EINVAL;
	if (include && !count)
		return multicast_leave(sock, request);
	if (!make_room(m, count))
		return -ENOBUFS;
	m->include = include;
	m->count = count;
	for (unsigned i = 0; i < count; i++)
		ip_addr_copy(m->sources[i], sources[i]);
	return tell_link(m->index, &m->group);
}

int multicast_get_filter(struct inet_socket *sock, const struct multicast_request *request, bool *include, const ip_addr_t **sources,
	unsigned *count)
{
	struct multicast_membership *m;
	int rc = named_membership(sock, request, &m);

	if (rc)
		return rc;
	if (!m)
		return -EADDRNOTAVAIL;
	*include = m->include;
	*sources = m->sources;
	*count = m->count;
	return 0;
}

/* ---- what a link wants (RFC 3376, 3.2) ---- */

static void keep(struct membership_state *state, const struct multicast_membership *m, bool those_in)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < state->count; i++)
		if ((find_source(m, &state->sources[i]) < m->count) == those_in)
			state->sources[kept++] = state->sources[i];
	state->count = kept;
}

/* Too many to be told: everybody is heard. */
static void add_all(struct membership_state *state, const struct multicast_membership *m)
{
	for (unsigned i = 0; i < m->count; i++) {
		unsigned j = 0;

		while (j < state->count && !ip_addr_cmp_zoneless(&state->sources[j], &m->sources[i]))
			j++;
		if (j == MEMBERSHIP_SOURCES_MAX) {
			state->include = false;
			state->count = 0;
			return;
		}
		ip_addr_copy(state->sources[j], m->sources[i]);
		state->count = MAX(state->count, j + 1);
	}
}

/* Of those memberships of the group that are inclusive, or not: all are joined to the state. */
static void merge(const struct netif *netif, const ip_addr_t *address, bool include, struct membership_state *state)
{
	const struct inet_socket *sock;
	const struct multicast_membership *m;

	TAILQ_FOREACH(sock, &inet_sockets, all) {
		if (sock->net != &first_net_ns)
			continue;
		SLIST_FOREACH(m, &sock->memberships, link) {
			if (m->index != netif_get_index(netif) || m->include != include || !ip_addr_cmp_zoneless(&m->group, address))
				continue;
			if (!include && state->include) { /* the first that hears all but some */
				state->include = false;
				state->count = MIN(m->count, MEMBERSHIP_SOURCES_MAX);
				if (state->count)
					memcpy(state->sources, m->sources, state->count * sizeof(*m->sources));
			} else if (!include) {
				keep(state, m, true);
			} else if (!state->include) {
				keep(state, m, false);
			} else {
				add_all(state, m);
			}
		}
	}
}

void multicast_wish(const struct netif *netif, const ip_addr_t *address, struct membership_state *state)
{
	state->include = true;
	state->count = 0;
	merge(netif, address, false, state);
	merge(netif, address, true, state);
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
