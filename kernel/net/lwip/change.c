/*
 * Changes of the network: links up and down, their MTU, addresses, routes, permanent neighbours. kernel/net/inet.h says
 * what each gives; rtnetlink(7) and netdevice(7) ask for them.
 *
 * lwIP has one IPv4 address a netif, so further ones are aliases (device.c). An alias without an address is free for the
 * next: a netif is never taken away. An address brings the route to its prefix, and takes it along.
 */
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <lwip/etharp.h>

#include "kernel/net/lwip/device.h"
#include "kernel/net/netlink.h"

#define MTU_MIN 68u
#define METRIC6_CONNECTED 256u
#define METRIC6_DEFAULT 1024u

static bool is_loopback(int index)
{
	return index == netif_get_index(&loop_netif);
}

static unsigned address_bits(unsigned family)
{
	return family == AF_INET ? 32 : 128;
}

/* Zeros behind the prefix. */
static void cut_to_prefix(uint8_t *address, unsigned prefix)
{
	for (unsigned i = 0; i < 16; i++) {
		if (prefix >= 8 * (i + 1))
			continue;
		address[i] = prefix > 8 * i ? address[i] & (uint8_t)(0xff00 >> (prefix - 8 * i)) : 0;
	}
}

/* ---- routes ---- */

static bool same_key(const struct config_route *a, const struct config_route *b)
{
	return a->family == b->family && a->prefix == b->prefix && a->metric == b->metric &&
	       !memcmp(a->destination, b->destination, sizeof(a->destination));
}

static void tell_route(const struct config_route *r, bool added)
{
	struct inet_route out;

	inet_fill_route(r, &out);
	netlink_route_tell_route(&out, added);
}

static void remove_route(unsigned i)
{
	net_route_count--;
	memmove(&net_routes[i], &net_routes[i + 1], (net_route_count - i) * sizeof(net_routes[0]));
}

/* In the order that Linux tells them. */
static bool goes_before(const struct config_route *a, const struct config_route *b)
{
	int order = memcmp(a->destination, b->destination, sizeof(a->destination));

	if (a->family != b->family)
		return a->family == AF_INET;
	return order ? order < 0 : a->prefix != b->prefix ? a->prefix < b->prefix : a->metric <= b->metric;
}

static int insert_route(const struct config_route *r, unsigned flags)
{
	unsigned at;

	for (unsigned i = 0; i < net_route_count; i++) {
		if (!same_key(&net_routes[i], r))
			continue;
		if (flags & NLM_F_EXCL)
			return -EEXIST;
		if (flags & NLM_F_REPLACE) {
			net_routes[i] = *r;
			tell_route(r, true);
			return 0;
		}
		if (net_routes[i].link == r->link && !memcmp(net_routes[i].gateway, r->gateway, sizeof(r->gateway)))
			return -EEXIST;
	}
	if (!(flags & NLM_F_CREATE))
		return -ENOENT;
	if (net_route_count == NET_ROUTES_MAX)
		return -ENOBUFS;
	for (at = 0; at < net_route_count && goes_before(&net_routes[at], r); at++)
		;
	memmove(&net_routes[at + 1], &net_routes[at], (net_route_count - at) * sizeof(net_routes[0]));
	net_routes[at] = *r;
	net_route_count++;
	tell_route(r, true);
	return 0;
}

/* Without a device the gateway's decides; a gateway must be on the link itself. */
static int check_gateway(struct config_route *r, bool has_link)
{
	static const uint8_t none[16];
	const struct config_route *hop;

	if (!memcmp(r->gateway, none, sizeof(none)))
		return has_link ? 0 : -ENODEV;
	if (r->family == AF_INET6 && r->gateway[0] == 0xfe && (r->gateway[1] & 0xc0) == 0x80)
		return has_link ? 0 : -EINVAL;
	hop = device_route(r->family, r->gateway);
	if (!hop || memcmp(hop->gateway, none, sizeof(none)) || (has_link && hop->link != r->link)) {
		if (r->family == AF_INET)
			netlink_explain("Nexthop has invalid gateway");
		return r->family == AF_INET ? -ENETUNREACH : -EHOSTUNREACH;
	}
	r->link = hop->link;
	return 0;
}

static int decode_route(const struct inet_route *route, struct config_route *r, bool *has_link)
{
	struct net_device *device = route->index ? device_by_index(route->index) : NULL;
	uint8_t cut[16];

	if (route->index && is_loopback(route->index))
		return -EOPNOTSUPP;
	if (route->index && !device)
		return -ENODEV;
	stack_select(&first_net_ns);
	*has_link = device;
	memset(r, 0, sizeof(*r));
	r->link = device ? (uint32_t)(device - net_devices) : 0;
	r->family = route->family;
	r->prefix = route->prefix;
	r->scope = route->scope;
	r->protocol = route->protocol;
	r->metric = route->metric;
	memcpy(r->destination, route->destination, sizeof(r->destination));
	memcpy(r->gateway, route->gateway, sizeof(r->gateway));
	memcpy(r->source, route->source, sizeof(r->source));
	memcpy(cut, r->destination, sizeof(cut));
	if (r->prefix > address_bits(r->family))
		return -EINVAL;
	cut_to_prefix(cut, r->prefix);
	if (r->family != AF_INET || !memcmp(cut, r->destination, sizeof(cut)))
		return 0;
	netlink_explain("Invalid prefix for given prefix length");
	return -EINVAL;
}

static bool is_ours(int family, const uint8_t *address)
{
	ip_addr_t ip;

	address_from_bytes(family, address, &ip);
	return route_is_local(&ip);
}

int inet_add_route(const struct inet_route *route, unsigned flags)
{
	static const uint8_t none[16];
	struct config_route r;
	bool has_link;
	int rc = stack_user_is_first() ? decode_route(route, &r, &has_link) : -EOPNOTSUPP;

	if (rc)
		return rc;
	cut_to_prefix(r.destination, r.prefix);
	if (r.family == AF_INET6 && !r.metric)
		r.metric = METRIC6_DEFAULT;
	if (memcmp(r.source, none, sizeof(none)) && !is_ours(r.family, r.source)) {
		netlink_explain("Invalid prefsrc address");
		return -EINVAL;
	}
	rc = check_gateway(&r, has_link);
	if (rc)
		return rc;
	if (!netif_is_up(&net_devices[r.link].netif)) {
		netlink_explain("Device for nexthop is not up");
		return -ENETDOWN;
	}
	return insert_route(&r, flags);
}

int inet_delete_route(const struct inet_route *route)
{
	static const uint8_t none[16];
	struct config_route r;
	bool has_link;
	int rc = stack_user_is_first() ? decode_route(route, &r, &has_link) : -EOPNOTSUPP;

	if (rc)
		return rc;
	for (unsigned i = 0; i < net_route_count; i++) {
		const struct config_route *found = &net_routes[i];

		if (found->family != r.family || found->prefix != r.prefix ||
		    memcmp(found->destination, r.destination, sizeof(r.destination)) || (r.metric && r.metric != found->metric) ||
		    (has_link && found->link != r.link) || (r.protocol && r.protocol != found->protocol) ||
		    (memcmp(r.gateway, none, sizeof(none)) && memcmp(r.gateway, found->gateway, sizeof(none))))
			continue;
		r = *found;
		remove_route(i);
		tell_route(&r, false);
		return 0;
	}
	return -ESRCH;
}

static struct config_route connected_route(const struct net_device *device, unsigned family, const uint8_t *address, unsigned prefix)
{
	struct config_route r = {.link = (uint32_t)(device - net_devices), .family = (uint8_t)family, .prefix = (uint8_t)prefix,
		.scope = family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE, .protocol = RTPROT_KERNEL,
		.metric = family == AF_INET ? 0 : METRIC6_CONNECTED};

	memcpy(r.destination, address, address_bits(family) / 8);
	cut_to_prefix(r.destination, prefix);
	if (family == AF_INET)
		memcpy(r.source, address, 4);
	return r;
}

static void connect_prefix(const struct net_device *device, unsigned family, const uint8_t *address, unsigned prefix)
{
	struct config_route r = connected_route(device, family, address, prefix);

	if (netif_is_up(&device->netif) && (family == AF_INET6 || prefix < 32))
		(void)insert_route(&r, NLM_F_CREATE | NLM_F_EXCL);
}

static void disconnect_prefix(const struct net_device *device, unsigned family, const uint8_t *address, unsigned prefix)
{
	struct config_route r = connected_route(device, family, address, prefix);

	for (unsigned i = 0; i < net_route_count; i++) {
		if (!same_key(&net_routes[i], &r) || net_routes[i].link != r.link || net_routes[i].protocol != RTPROT_KERNEL ||
		    memcmp(net_routes[i].source, r.source, sizeof(r.source)))
			continue;
		remove_route(i);
		tell_route(&r, false);
		return;
	}
}

/* ---- addresses ---- */

/* One host's, on a link. */
static bool can_be_ours(const struct inet_address *a)
{
	static const uint8_t none[16], loopback[16] = {[15] = 1};

	if (a->family == AF_INET)
		return a->address[0] && a->address[0] != 127 && a->address[0] < 224;
	return a->address[0] != 0xff && memcmp(a->address, none, sizeof(none)) && memcmp(a->address, loopback, sizeof(loopback));
}

static bool is_loopbacks_own(const struct inet_address *a)
{
	static const uint8_t v4[4] = {127, 0, 0, 1}, v6[16] = {[15] = 1};

	return a->family == AF_INET ? !memcmp(a->address, v4, 4) && a->prefix == 8 : !memcmp(a->address, v6, 16) && a->prefix == 128;
}

/* Before it is up, 127.0.0.1 may be given once, and ::1; they are used when it is. */
static int add_loopback(struct net_ns *net, const struct inet_address *a)
{
	bool *has = a->family == AF_INET ? &net->loop_has4 : &net->loop_has6;

	if (*has)
		return -EEXIST;
	*has = true;
	netlink_route_tell_address(a, true);
	return 0;
}

int inet_add_address(const struct inet_address *a)
{
	struct net_device *device = device_by_index(a->index);
	int rc;

	if (is_loopback(a->index) && !stack_user_is_first())
		return is_loopbacks_own(a) ? add_loopback(stack_user_net(), a) : -EOPNOTSUPP;
	if (is_loopback(a->index))
		return -EOPNOTSUPP;
	if (!device)
		return -ENODEV;
	if (a->prefix > address_bits(a->family))
		return -EINVAL;
	if (!can_be_ours(a))
		return a->family == AF_INET ? -EINVAL : -EADDRNOTAVAIL;
	stack_enter(&first_net_ns);
	rc = a->family == AF_INET ? device_add_address4(device, a->address, a->prefix, a->broadcast) :
				    device_add_address6(device, a->address, a->prefix);
	stack_leave();
	if (rc == -EEXIST)
		netlink_explain(a->family == AF_INET ? "ipv4: Address already assigned" : "ipv6: address already assigned");
	if (rc)
		return rc;
	netlink_route_tell_address(a, true);
	if (!a->no_route)
		connect_prefix(device, a->family, a->address, a->prefix);
	return 0;
}

static void forget_address4(struct net_device *device, struct net_device *slot)
{
	static const uint8_t none[4];
	struct inet_address gone = {.index = netif_get_index(&device->netif), .family = AF_INET,
		.prefix = device_prefix4(&slot->netif)};

	memcpy(gone.address, netif_ip4_addr(&slot->netif), 4);
	disconnect_prefix(device, AF_INET, gone.address, gone.prefix);
	device_set_address4(slot, none, 32);
	netlink_route_tell_address(&gone, false);
}

static int address4_not_found(void)
{
	netlink_explain("ipv4: Address not found");
	return -EADDRNOTAVAIL;
}

/* With the first address of a network go the others of it, as Linux has it unless it is told to promote them. */
static int delete_address4(struct net_device *device, const struct inet_address *a)
{
	struct net_device *slot = device_find_slot4(device, a->address);
	ip4_addr_t address, mask;
	bool first = true;

	if (!slot || (a->prefix && a->prefix != device_prefix4(&slot->netif)))
		return address4_not_found();
	ip4_addr_copy(address, *netif_ip4_addr(&slot->netif));
	ip4_addr_copy(mask, *netif_ip4_netmask(&slot->netif));
	for (unsigned i = 0; i < net_device_count && &net_devices[i] != slot; i++)
		first &= !device_shares_network(device, &net_devices[i], &address, &mask);
	forget_address4(device, slot);
	for (unsigned i = 0; first && i < net_device_count; i++)
		if (device_shares_network(device, &net_devices[i], &address, &mask))
			forget_address4(device, &net_devices[i]);
	return 0;
}

void change_forget_addresses4(struct net_device *device)
{
	for (unsigned i = 0; i < net_device_count; i++) {
		struct net_device *slot = &net_devices[i];

		if ((slot == device || slot->parent == device) && !ip4_addr_isany_val(*netif_ip4_addr(&slot->netif)))
			forget_address4(device, slot);
	}
}

static void forget_address6(struct net_device *device, unsigned i)
{
	struct inet_address gone = {.index = netif_get_index(&device->netif), .family = AF_INET6, .prefix = device->prefix6[i]};

	memcpy(gone.address, netif_ip6_addr(&device->netif, i)->addr, 16);
	gone.scope = ip6_addr_islinklocal(netif_ip6_addr(&device->netif, i)) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	disconnect_prefix(device, AF_INET6, gone.address, gone.prefix);
	netif_ip6_addr_set_state(&device->netif, (s8_t)i, IP6_ADDR_INVALID);
	netlink_route_tell_address(&gone, false);
}

int inet_delete_address(const struct inet_address *a)
{
	struct net_device *device = device_by_index(a->index);
	int rc = -EADDRNOTAVAIL;

	if (is_loopback(a->index))
		return -EOPNOTSUPP;
	if (!device)
		return -ENODEV;
	stack_enter(&first_net_ns);
	if (a->family == AF_INET)
		rc = delete_address4(device, a);
	for (unsigned i = 0; a->family == AF_INET6 && i < LWIP_IPV6_NUM_ADDRESSES; i++) {
		if (!ip6_addr_isvalid(netif_ip6_addr_state(&device->netif, i)) ||
		    memcmp(netif_ip6_addr(&device->netif, i)->addr, a->address, 16) || (a->prefix && a->prefix != device->prefix6[i]))
			continue;
		forget_address6(device, i);
		rc = 0;
	}
	stack_leave();
	return rc;
}

/* lwIP knows which are permanent and does not tell. */
static struct permanent {
	uint32_t address; /* 0: free */
	const struct net_device *device;
} permanent[CONFIG_NETWORK_ENTRIES];

/* ---- links ---- */

void change_take_down(struct net_device *device)
{
	for (unsigned i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++)
		if (ip6_addr_isvalid(netif_ip6_addr_state(&device->netif, i)))
			forget_address6(device, i);
	for (unsigned i = net_route_count; i--;)
		if (&net_devices[net_routes[i].link] == device)
			remove_route(i);
	netif_set_down(&device->netif); /* and with it its neighbours */
	for (unsigned i = 0; i < ARRAY_SIZE(permanent); i++)
		if (permanent[i].device == device)
			permanent[i] = (struct permanent){0};
}

static void bring_up(struct net_device *device)
{
	netif_set_up(&device->netif);
	for (unsigned i = 0; i < net_device_count; i++) {
		struct net_device *slot = &net_devices[i];
		uint8_t address[16] = {0};

		if ((slot != device && slot->parent != device) || ip4_addr_isany_val(*netif_ip4_addr(&slot->netif)))
			continue;
		memcpy(address, netif_ip4_addr(&slot->netif), 4);
		connect_prefix(device, AF_INET, address, device_prefix4(&slot->netif));
	}
	device_need_link_local(device);
	connect_prefix(device, AF_INET6, (const uint8_t *)netif_ip6_addr(&device->netif, 0)->addr, 64);
}

/* Of a namespace made inside: its addresses come and go with it. Connections over it wait, as on Linux. */
static int set_loopback(struct net_ns *net, bool up)
{
	if (net->loop_up == up)
		return 0;
	net->loop_up = net->loop_has6 = up;
	net->loop_has4 |= up;
	netlink_route_tell_link(netif_get_index(&loop_netif), true);
	return 0;
}

int inet_set_link(int index, bool up)
{
	struct net_device *device = device_by_index(index);

	if (is_loopback(index) && !stack_user_is_first())
		return set_loopback(stack_user_net(), up);
	if (is_loopback(index))
		return up ? 0 : -EOPNOTSUPP;
	if (!device)
		return -ENODEV;
	if (!!netif_is_up(&device->netif) == up)
		return 0;
	stack_enter(&first_net_ns);
	if (up)
		bring_up(device);
	else
		change_take_down(device);
	stack_leave();
	netlink_route_tell_link(index, true);
	return 0;
}

int inet_set_mtu(int index, uint32_t mtu)
{
	struct net_device *device = device_by_index(index);
	struct tcp_pcb *pcb;

	if (is_loopback(index))
		return -EOPNOTSUPP;
	if (!device)
		return -ENODEV;
	if (mtu < MTU_MIN || mtu > device->mtu_max) {
		netlink_explain(mtu < MTU_MIN ? "mtu less than device minimum" : "mtu greater than device maximum");
		return -EINVAL;
	}
	for (unsigned i = 0; i < net_device_count; i++)
		if (&net_devices[i] == device || net_devices[i].parent == device)
			device_set_mtu(&net_devices[i], (uint16_t)mtu);
	for (pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
		struct tcp_link *link = tcp_link_of(pcb);

		if (link && link->mss)
			tcp_use_segments(link, pcb->snd_wnd);
	}
	netlink_route_tell_link(index, true);
	return 0;
}

/* ---- neighbours ---- */

static struct permanent *find_permanent(uint32_t address)
{
	for (unsigned i = 0; i < ARRAY_SIZE(permanent); i++)
		if (permanent[i].address == address)
			return &permanent[i];
	return NULL;
}

bool change_neighbour_is_permanent(const uint8_t *address)
{
	uint32_t word;

	memcpy(&word, address, sizeof(word));
	return word && find_permanent(word);
}

static int forget6(const struct inet_neighbour *n)
{
	struct inet_neighbour told = *n;
	bool known;

	stack_enter(&first_net_ns);
	known = neighbour6_forget(n->index, n->address);
	stack_leave();
	if (!known)
		return -ENOENT;
	told.state = NUD_FAILED;
	netlink_route_tell_neighbour(&told, false);
	return 0;
}

int inet_set_neighbour(const struct inet_neighbour *n, bool add)
{
	struct net_device *device = device_by_index(n->index);
	struct inet_neighbour told = *n;
	struct eth_addr mac, *known;
	const ip4_addr_t *found;
	ip4_addr_t address;
	struct permanent *slot;
	err_t err;

	if (!device)
		return is_loopback(n->index) ? -EOPNOTSUPP : -ENODEV;
	if (n->family != AF_INET)
		return add ? -EOPNOTSUPP : forget6(n);
	memcpy(&mac, n->mac, sizeof(mac));
	memcpy(&address.addr, n->address, 4);
	if (ip4_route(&address) == &loop_netif || ip4_addr_ismulticast(&address) || ip4_addr_get_u32(&address) == IPADDR_BROADCAST)
		return -EINVAL; /* ours, or nobody's: lwIP takes its word that a link leads there */
	slot = find_permanent(address.addr);
	if (add && !slot)
		slot = find_permanent(0);
	if (!slot && add)
		return -ENOBUFS;
	stack_enter(&first_net_ns);
	if (!slot && etharp_find_addr(&device->netif, &address, &known, &found) < 0)
		err = ERR_VAL;
	else if (add || !slot) /* lwIP forgets at once only what it was given: so what it has learnt is that for a moment */
		err = etharp_add_static_entry(&address, slot ? &mac : known);
	else
		err = ERR_OK;
	if (!add && err == ERR_OK)
		err = etharp_remove_static_entry(&address);
	stack_leave();
	if (!add && slot)
		*slot = (struct permanent){0};
	if (err != ERR_OK)
		return !add ? -ENOENT : err == ERR_RTE ? -ENETUNREACH : -ENOBUFS;
	if (add)
		*slot = (struct permanent){address.addr, device};
	told.permanent = add;
	told.state = add ? NUD_PERMANENT : NUD_FAILED;
	netlink_route_tell_neighbour(&told, add);
	return 0;
}
