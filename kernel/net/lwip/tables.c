/*
 * What the network consists of, as kernel/net/inet.h tells it to netlink, to the SIOCGIF ioctls and to /proc/net.
 */
#include <linux/neighbour.h>
#include <lwip/etharp.h>
#include <lwip/priv/nd6_priv.h>

#include "kernel/net/lwip/device.h"
#include "kernel/net/lwip/shown.h"

static void fill_device(const struct netif *netif, const struct net_device *device, struct inet_device *out)
{
	memset(out, 0, sizeof(*out));
	out->index = netif_get_index(netif);
	out->loopback = out->counted = !device;
	out->mtu = device ? device->mtu : LOOPBACK_MTU;
	out->up = netif_is_up(netif);
	rf_strlcpy(out->name, device ? device->name : "lo", sizeof(out->name));
	if (!device) {
		out->sent = out->received = stack_user_net()->loop_packets;
		out->sent_bytes = out->received_bytes = stack_user_net()->loop_bytes;
		return;
	}
	out->counted = true;
	out->host_index = device->host_index;
	memcpy(out->mac, netif->hwaddr, sizeof(out->mac));
	out->sent = device->frames.sent;
	out->sent_bytes = device->frames.sent_bytes;
	out->send_dropped = device->frames.send_dropped;
	out->received = device->frames.received;
	out->received_bytes = device->frames.received_bytes;
	out->receive_dropped = device->frames.receive_dropped;
}

void inet_for_each_device(void (*fn)(void *arg, const struct inet_device *device), void *arg)
{
	struct inet_device out;

	fill_device(&loop_netif, NULL, &out);
	if (!stack_user_is_first())
		out.up = stack_user_net()->loop_up;
	fn(arg, &out);
	if (inet_is_shown())
		shown_for_each_device(fn, arg);
	for (unsigned i = 0; i < net_device_count && stack_user_is_first(); i++) {
		if (net_devices[i].parent)
			continue;
		fill_device(&net_devices[i].netif, &net_devices[i], &out);
		fn(arg, &out);
	}
}

struct search {
	int index;
	const char *name;
	struct inet_device *found;
};

static void match_device(void *arg, const struct inet_device *device)
{
	struct search *search = arg;

	if (search->index ? search->index == device->index : search->name && !strcmp(search->name, device->name))
		*search->found = *device;
}

bool inet_find_device(int index, const char *name, struct inet_device *device)
{
	struct search search = {index, name, device};

	memset(device, 0, sizeof(*device));
	inet_for_each_device(match_device, &search);
	return device->index;
}

/* Not the first of its network on the link. */
static bool is_secondary(const struct net_device *slot)
{
	const struct net_device *device = slot->parent ? slot->parent : slot;

	for (const struct net_device *other = net_devices; other != slot; other++)
		if (device_shares_network(device, other, netif_ip4_addr(&slot->netif), netif_ip4_netmask(&slot->netif)))
			return true;
	return false;
}

static void tell_address4(const struct netif *netif, const struct net_device *device,
	void (*fn)(void *arg, const struct inet_address *address), void *arg)
{
	const struct netif *link = device && device->parent ? &device->parent->netif : netif;
	struct inet_address out = {.index = netif_get_index(link), .family = AF_INET};

	if (ip4_addr_isany_val(*netif_ip4_addr(netif)))
		return;
	out.secondary = device && is_secondary(device);
	out.broadcast = device && device->broadcast;
	memcpy(out.address, netif_ip4_addr(netif), 4);
	out.prefix = device_prefix4(netif);
	out.scope = device ? 0 : 254; /* universe, host */
	fn(arg, &out);
}

static void tell_addresses6(const struct netif *netif, const struct net_device *device,
	void (*fn)(void *arg, const struct inet_address *address), void *arg)
{
	struct inet_address out = {.index = netif_get_index(netif), .family = AF_INET6};

	for (unsigned i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
		if (!ip6_addr_isvalid(netif_ip6_addr_state(netif, i)))
			continue;
		memcpy(out.address, netif_ip6_addr(netif, i)->addr, 16);
		out.prefix = device ? device->prefix6[i] : 128;
		out.scope = !device ? 254 : ip6_addr_islinklocal(netif_ip6_addr(netif, i)) ? 253 : 0;
		fn(arg, &out);
	}
}

void inet_for_each_address(void (*fn)(void *arg, const struct inet_address *address), void *arg)
{
	const struct net_ns *net = stack_user_net();

	if (net->loop_has4)
		tell_address4(&loop_netif, NULL, fn, arg);
	if (inet_is_shown())
		shown_for_each_address(AF_INET, fn, arg);
	for (unsigned i = 0; i < net_device_count && stack_user_is_first(); i++)
		tell_address4(&net_devices[i].netif, &net_devices[i], fn, arg);
	if (net->loop_has6)
		tell_addresses6(&loop_netif, NULL, fn, arg);
	if (inet_is_shown())
		shown_for_each_address(AF_INET6, fn, arg);
	for (unsigned i = 0; i < net_device_count && stack_user_is_first(); i++)
		tell_addresses6(&net_devices[i].netif, &net_devices[i], fn, arg);
}

void inet_fill_route(const struct config_route *r, struct inet_route *out)
{
	memset(out, 0, sizeof(*out));
	out->index = netif_get_index(&net_devices[r->link].netif);
	out->family = r->family;
	out->prefix = r->prefix;
	out->scope = r->scope;
	out->protocol = r->protocol;
	out->metric = r->metric;
	memcpy(out->destination, r->destination, 16);
	memcpy(out->gateway, r->gateway, 16);
	memcpy(out->source, r->source, 16);
}

void inet_for_each_route(void (*fn)(void *arg, const struct inet_route *route), void *arg)
{
	struct inet_route out;

	if (inet_is_shown())
		shown_for_each_route(fn, arg);
	for (unsigned i = 0; i < net_route_count && stack_user_is_first(); i++) {
		inet_fill_route(&net_routes[i], &out);
		fn(arg, &out);
	}
}

int inet_route_to(int family, const uint8_t *to, struct inet_route *out)
{
	ip_addr_t address, from;
	const struct config_route *route;
	struct netif *netif;

	if (inet_is_shown())
		return -EOPNOTSUPP; /* the host knows */
	stack_select(stack_user_net());
	route = device_route((uint8_t)family, to);
	address_from_bytes(family, to, &address);
	ip_addr_copy(from, *(family == AF_INET6 ? IP6_ADDR_ANY : IP4_ADDR_ANY));
	netif = route_find(&address, &from);
	if (!netif)
		return -ENETUNREACH;
	memset(out, 0, sizeof(*out));
	if (netif != &loop_netif && route)
		inet_fill_route(route, out);
	out->index = netif_get_index(netif);
	out->local = netif == &loop_netif;
	out->family = (uint8_t)family;
	out->prefix = family == AF_INET ? 32 : 128;
	memcpy(out->destination, to, family == AF_INET ? 4 : 16);
	if (IP_IS_V6(&from))
		memcpy(out->source, ip_2_ip6(&from)->addr, 16);
	else
		memcpy(out->source, ip_2_ip4(&from), 4);
	return 0;
}

/* Those whose Ethernet address is known; lwIP numbers their states. */
static void tell_neighbours6(void (*fn)(void *arg, const struct inet_neighbour *neighbour), void *arg)
{
	static const uint8_t states[] = {[ND6_REACHABLE] = NUD_REACHABLE, [ND6_STALE] = NUD_STALE, [ND6_DELAY] = NUD_DELAY,
		[ND6_PROBE] = NUD_PROBE};

	for (unsigned i = 0; i < LWIP_ND6_NUM_NEIGHBORS; i++) {
		const struct nd6_neighbor_cache_entry *entry = &neighbor_cache[i];
		struct inet_neighbour out = {.family = AF_INET6, .router = entry->isrouter};

		if (entry->state >= ARRAY_SIZE(states) || !states[entry->state])
			continue;
		out.state = states[entry->state];
		out.index = netif_get_index(entry->netif);
		memcpy(out.address, entry->next_hop_address.addr, sizeof(out.address));
		memcpy(out.mac, entry->lladdr, sizeof(out.mac));
		fn(arg, &out);
	}
}

void inet_for_each_neighbour(void (*fn)(void *arg, const struct inet_neighbour *neighbour), void *arg)
{
	if (inet_is_shown())
		shown_for_each_neighbour(fn, arg);
	for (unsigned i = 0; i < ARP_TABLE_SIZE && stack_user_is_first(); i++) {
		struct inet_neighbour out = {.family = AF_INET};
		struct netif *netif;
		struct eth_addr *mac;
		ip4_addr_t *address;

		if (!etharp_get_entry(i, &address, &netif, &mac))
			continue;
		out.index = netif ? netif_get_index(device_link(netif)) : net_device_count ? netif_get_index(&net_devices[0].netif) : 0;
		memcpy(out.address, address, 4);
		memcpy(out.mac, mac, sizeof(out.mac));
		out.permanent = change_neighbour_is_permanent(out.address);
		out.state = out.permanent ? NUD_PERMANENT : NUD_REACHABLE;
		fn(arg, &out);
	}
	tell_neighbours6(fn, arg);
}
