/*
 * Which interface leads where, and what is ours. Answers lwIP's routing questions (hooks.h) and the sockets'.
 */
#include "kernel/net/lwip/device.h"
#include "kernel/net/lwip/hooks.h"
#include "kernel/net/lwip/internal.h"

static bool is_local4(const ip4_addr_t *address)
{
	const struct netif *netif;

	if (ip4_addr_isloopback(address))
		return true;
	NETIF_FOREACH(netif)
		if (ip4_addr_cmp(address, netif_ip4_addr(netif)) && !ip4_addr_isany_val(*netif_ip4_addr(netif)))
			return true;
	return false;
}

static bool is_local6(const ip6_addr_t *address)
{
	const struct netif *netif;

	NETIF_FOREACH(netif)
		for (unsigned i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++)
			if (ip6_addr_isvalid(netif_ip6_addr_state(netif, i)) &&
			    ip6_addr_cmp_zoneless(address, netif_ip6_addr(netif, i)))
				return true;
	return false;
}

bool route_is_local(const ip_addr_t *address)
{
	return IP_IS_V6(address) ? stack_net->loop_up && is_local6(ip_2_ip6(address)) : is_local4(ip_2_ip4(address));
}

bool route_can_bind(const ip_addr_t *address)
{
	return ip_addr_isany(address) || ip_addr_ismulticast(address) || route_is_local(address);
}

static struct netif *loop_if_up(void)
{
	return stack_net->loop_up ? &loop_netif : NULL;
}

static struct netif *first_link(void)
{
	for (unsigned i = 0; i < net_device_count && stack_net == &first_net_ns; i++)
		if (!net_devices[i].parent)
			return &net_devices[i].netif;
	return NULL;
}

static struct netif *find4(const ip4_addr_t *to)
{
	const struct config_route *route;

	if (is_local4(to) || ip4_addr_isany(to))
		return loop_if_up();
	route = device_route(AF_INET, to);
	return route ? &net_devices[route->link].netif : NULL;
}

static struct netif *find6(const ip6_addr_t *to)
{
	const struct config_route *route;

	if (is_local6(to) || ip6_addr_isany(to))
		return loop_if_up();
	if (ip6_addr_has_zone(to))
		return netif_get_by_index(ip6_addr_zone(to));
	if (ip6_addr_islinklocal(to))
		return NULL;
	route = device_route(AF_INET6, to->addr);
	if (route)
		return &net_devices[route->link].netif;
	return ip6_addr_ismulticast(to) ? first_link() : NULL;
}

bool route_is_broadcast(const ip_addr_t *to)
{
	const struct netif *netif;

	if (IP_IS_V6(to) || ip4_addr_isany(ip_2_ip4(to)))
		return false;
	if (ip4_addr_get_u32(ip_2_ip4(to)) == (loop_netif.ip_addr.u_addr.ip4.addr | ~loop_netif.netmask.u_addr.ip4.addr))
		return true;
	NETIF_FOREACH(netif)
		if (ip4_addr_isbroadcast(ip_2_ip4(to), netif))
			return true;
	return false;
}

/* The source that the route names, or the address of its link that shares a network with the next hop. */
static bool source4(const ip4_addr_t *to, ip_addr_t *from)
{
	const struct config_route *route = device_route(AF_INET, to);
	ip4_addr_t hop = *to;
	uint32_t word;

	if (!route)
		return false;
	memcpy(&word, route->source, 4);
	if (word) {
		ip_addr_set_ip4_u32_val(*from, word);
		return true;
	}
	memcpy(&word, route->gateway, 4);
	if (word)
		ip4_addr_set_u32(&hop, word);
	for (unsigned i = 0; i < net_device_count; i++) {
		const struct net_device *device = &net_devices[i];

		if ((device == &net_devices[route->link] || device->parent == &net_devices[route->link]) &&
		    ip4_addr_netcmp(&hop, netif_ip4_addr(&device->netif), netif_ip4_netmask(&device->netif))) {
			ip_addr_copy_from_ip4(*from, *netif_ip4_addr(&device->netif));
			return true;
		}
	}
	return false;
}

struct netif *route_find(const ip_addr_t *to, ip_addr_t *from)
{
	struct netif *netif = IP_IS_V6(to) ? find6(ip_2_ip6(to)) : find4(ip_2_ip4(to));
	const ip_addr_t *source;

	if (!netif || !ip_addr_isany(from))
		return netif;
	if (netif == &loop_netif && route_is_local(to) && !ip_addr_isloopback(to)) {
		ip_addr_copy(*from, *to); /* an address of ours talks to itself */
		return netif;
	}
	if (netif != &loop_netif && !IP_IS_V6(to) && source4(ip_2_ip4(to), from))
		return netif;
	source = ip_netif_get_local_ip(netif, to);
	if (!source || (!IP_IS_V6(to) && ip_addr_isany(source)))
		return NULL;
	ip_addr_copy(*from, *source);
	return netif;
}

int route_index_of(uint32_t address)
{
	const ip4_addr_t ip = {address};
	struct netif *netif;

	NETIF_FOREACH(netif)
		if (ip4_addr_get_u32(netif_ip4_addr(netif)) == address)
			return netif_get_index(device_link(netif));
	return ip4_addr_isloopback(&ip) ? netif_get_index(&loop_netif) : 0;
}

struct netif *route_find_by(int index, const ip_addr_t *to, ip_addr_t *from)
{
	struct netif *netif = netif_get_by_index((u8_t)index);
	const ip_addr_t *source;

	if (netif == &loop_netif && IP_IS_V6(to) && ip_addr_ismulticast(to)) /* as Linux: it has no route to groups */
		return NULL;
	if (!netif || !ip_addr_isany(from))
		return netif;
	source = ip_netif_get_local_ip(netif, to);
	if (!source || ip_addr_isany(source))
		return NULL;
	ip_addr_copy(*from, *source);
	return netif;
}

struct netif *route_find_for(const struct inet_socket *sock, const ip_addr_t *to, ip_addr_t *from, bool direct)
{
	static const uint8_t none[16];
	const struct config_route *route;
	struct netif *netif;

	stack_select(sock->net);
	if (sock->options.bound_if)
		return route_find_by(sock->options.bound_if, to, from);
	netif = route_find(to, from);
	if (!netif || netif == &loop_netif || (!direct && !sock->options.dont_route))
		return netif;
	if (IP_IS_V6(to) && (ip6_addr_ismulticast(ip_2_ip6(to)) || ip6_addr_islinklocal(ip_2_ip6(to))))
		return netif; /* on a link by themselves */
	route = IP_IS_V6(to) ? device_route(AF_INET6, ip_2_ip6(to)->addr) : device_route(AF_INET, ip_2_ip4(to));
	return !route || !memcmp(route->gateway, none, sizeof(none)) ? netif : NULL;
}

/* ---- lwIP's questions ---- */

struct netif *lwip_port_ip4_route(const ip4_addr_t *src, const ip4_addr_t *dest)
{
	return find4(dest);
}

struct netif *lwip_port_ip6_route(const ip6_addr_t *src, const ip6_addr_t *dest)
{
	return find6(dest);
}

/* The next hop; a destination without a gateway is on the link itself. */
const ip4_addr_t *lwip_port_ip4_gateway(struct netif *netif, const ip4_addr_t *dest)
{
	static ip4_addr_t hop;
	const struct config_route *route = device_route(AF_INET, dest);
	uint32_t word = 0;

	if (route)
		memcpy(&word, route->gateway, 4);
	hop = *dest;
	if (word)
		ip4_addr_set_u32(&hop, word);
	return &hop;
}

const ip6_addr_t *lwip_port_ip6_gateway(struct netif *netif, const ip6_addr_t *dest)
{
	static const uint8_t none[16];
	static ip6_addr_t hop;

	const struct config_route *route = device_route(AF_INET6, dest->addr);

	device_show_mtu(netif);
	hop = *dest;
	if (route && memcmp(route->gateway, none, sizeof(none))) {
		memcpy(hop.addr, route->gateway, sizeof(hop.addr));
		ip6_addr_clear_zone(&hop);
		ip6_addr_assign_zone(&hop, IP6_UNICAST, netif);
	}
	return &hop;
}
