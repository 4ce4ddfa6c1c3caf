/*
 * Which interface leads where, and what is ours. Answers lwIP's routing questions (hooks.h) and the sockets'.
 */
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
	return IP_IS_V6(address) ? is_local6(ip_2_ip6(address)) : is_local4(ip_2_ip4(address));
}

bool route_can_bind(const ip_addr_t *address)
{
	return ip_addr_isany(address) || ip_addr_ismulticast(address) || route_is_local(address);
}

static struct netif *find4(const ip4_addr_t *to)
{
	return is_local4(to) || ip4_addr_isany(to) ? &loop_netif : NULL;
}

static struct netif *find6(const ip6_addr_t *to)
{
	return is_local6(to) || ip6_addr_isany(to) ? &loop_netif : NULL;
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
	source = ip_netif_get_local_ip(netif, to);
	if (!source)
		return NULL;
	ip_addr_copy(*from, *source);
	return netif;
}

struct netif *route_device(const char *name)
{
	return !strcmp(name, "lo") ? &loop_netif : NULL;
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

const ip4_addr_t *lwip_port_ip4_gateway(struct netif *netif, const ip4_addr_t *dest)
{
	return NULL;
}

const ip6_addr_t *lwip_port_ip6_gateway(struct netif *netif, const ip6_addr_t *dest)
{
	return NULL;
}

int lwip_port_ip4_input(struct pbuf *p, struct netif *netif)
{
	return 0;
}

int lwip_port_ip6_input(struct pbuf *p, struct netif *netif)
{
	return 0;
}
