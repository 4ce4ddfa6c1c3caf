/*
 * Links on lwIP: addresses, routes and neighbours are set as the configuration says. Their frames are device_frames.c's.
 *
 * lwIP knows one IPv4 address a netif. A link's others are aliases: netifs that share its frames and answer ARP for
 * their own address.
 */
#include <linux/if_ether.h>

#include "kernel/net/lwip/device.h"
#include "kernel/net/lwip/multicast.h"

struct net_device net_devices[CONFIG_NETWORK_LINKS + CONFIG_NETWORK_ENTRIES];
unsigned net_device_count;
struct net_device net_no_device;
struct config_route net_routes[NET_ROUTES_MAX];
unsigned net_route_count;

/* ---- configuration ---- */

struct net_device *device_by_index(int index)
{
	if (!stack_user_is_first())
		return NULL;
	stack_select(&first_net_ns);
	for (unsigned i = 0; i < net_device_count; i++)
		if (!net_devices[i].parent && netif_get_index(&net_devices[i].netif) == index)
			return &net_devices[i];
	return NULL;
}

void device_set_mtu(struct net_device *device, uint16_t mtu)
{
	device->mtu = device->mtu6 = mtu;
	device->netif.mtu6 = 0;
	device->netif.mtu = DEVICE_LARGE_MTU;
}

static void prefix_mask(unsigned prefix, ip4_addr_t *mask)
{
	ip4_addr_set_u32(mask, prefix ? __builtin_bswap32(~0u << (32 - MIN(prefix, 32u))) : 0);
}

static void add_netif(struct net_device *device, const ip4_addr_t *address, unsigned prefix)
{
	ip4_addr_t mask, none;

	ip4_addr_set_zero(&none);
	prefix_mask(prefix, &mask);
	netif_add(&device->netif, address, &mask, &none, NULL, device_start_netif, netif_input);
	NETIF_SET_CHECKSUM_CTRL(&device->netif, DEVICE_CHECKSUMS);
	netif_set_link_up(&device->netif);
	netif_set_up(&device->netif);
}

/* One that is unused, and whose socket nobody reads any more. */
static struct net_device *new_device(void)
{
	for (unsigned i = 0; i < net_device_count; i++) {
		struct net_device *device = &net_devices[i];

		if (device->parent != &net_no_device || device->frames.reader || device->frames.in_flight)
			continue;
		memset(device, 0, sizeof(*device));
		return device;
	}
	return net_device_count < ARRAY_SIZE(net_devices) ? &net_devices[net_device_count++] : NULL;
}

void device_remove(struct net_device *device)
{
	multicast_forget_link(netif_get_index(&device->netif));
	unanswered_forget(&device->netif);
	netif_remove(&device->netif);
	device->parent = &net_no_device;
}

struct net_device *device_add_link(const struct config_link *link, uint32_t fd)
{
	struct net_device *device = new_device();
	ip4_addr_t none;

	if (!device)
		return NULL;
	ip4_addr_set_zero(&none);
	memcpy(device->name, link->name, sizeof(device->name) - 1);
	device->host_index = link->host_index;
	memcpy(device->netif.hwaddr, link->mac, sizeof(link->mac));
	device->netif.mtu = link->mtu;
	device->frames.fd = fd;
	device->frames.receive = device_receive_frame;
	add_netif(device, &none, 0);
	device->mtu_max = link->mtu;
	device_set_mtu(device, link->mtu);
	memcpy(device->netif.hwaddr, link->mac, sizeof(link->mac));
	return device;
}

/* A further IPv4 address of a link, none yet; NULL: there are too many. */
static struct net_device *add_alias(struct net_device *device)
{
	struct net_device *alias = new_device();
	ip4_addr_t none;

	if (!alias)
		return NULL;
	ip4_addr_set_zero(&none);
	alias->parent = device;
	memcpy(alias->name, device->name, sizeof(alias->name));
	add_netif(alias, &none, 32);
	device_set_mtu(alias, device->mtu);
	memcpy(alias->netif.hwaddr, device->netif.hwaddr, ETH_ALEN);
	return alias;
}

bool device_shares_network(const struct net_device *device, const struct net_device *slot, const ip4_addr_t *address, const ip4_addr_t *mask)
{
	return (slot == device || slot->parent == device) && !ip4_addr_isany_val(*netif_ip4_addr(&slot->netif)) &&
	       ip4_addr_cmp(netif_ip4_netmask(&slot->netif), mask) && ip4_addr_netcmp(netif_ip4_addr(&slot->netif), address, mask);
}

uint8_t device_prefix4(const struct netif *netif)
{
	return (uint8_t)__builtin_popcount(ip4_addr_get_u32(netif_ip4_netmask(netif)));
}

struct net_device *device_find_slot4(struct net_device *device, const uint8_t *address)
{
	for (unsigned i = 0; i < net_device_count; i++) {
		struct net_device *slot = &net_devices[i];

		if ((slot == device || slot->parent == device) && !memcmp(netif_ip4_addr(&slot->netif), address, 4))
			return slot;
	}
	return NULL;
}

void device_set_address4(struct net_device *slot, const uint8_t *address, unsigned prefix)
{
	ip4_addr_t ip, mask, none;

	memcpy(&ip.addr, address, 4);
	prefix_mask(prefix, &mask);
	ip4_addr_set_zero(&none);
	netif_set_addr(&slot->netif, &ip, &mask, &none);
}

int device_add_address4(struct net_device *device, const uint8_t *address, unsigned prefix, bool broadcast)
{
	static const uint8_t none[4];
	struct net_device *slot;

	if (device_find_slot4(device, address))
		return -EEXIST;
	slot = device_find_slot4(device, none);
	if (!slot)
		slot = add_alias(device);
	if (!slot)
		return -ENOBUFS;
	slot->broadcast = broadcast;
	device_set_address4(slot, address, prefix);
	return 0;
}

int device_add_address6(struct net_device *device, const uint8_t *address, unsigned prefix)
{
	ip6_addr_t ip;
	s8_t index;

	memset(&ip, 0, sizeof(ip));
	memcpy(ip.addr, address, 16);
	ip6_addr_assign_zone(&ip, IP6_UNICAST, &device->netif);
	if (netif_get_ip6_addr_match(&device->netif, &ip) >= 0)
		return -EEXIST;
	if (netif_add_ip6_address(&device->netif, &ip, &index) != ERR_OK)
		return -ENOBUFS;
	netif_ip6_addr_set_state(&device->netif, index, IP6_ADDR_PREFERRED);
	device->prefix6[index] = (uint8_t)prefix;
	return 0;
}

static void take_over_address(const struct config_address *a)
{
	struct net_device *device = &net_devices[a->link];
	int rc = a->family == AF_INET ? device_add_address4(device, a->address, a->prefix, true) :
					device_add_address6(device, a->address, a->prefix);

	if (rc == -ENOBUFS)
		klog(LOG_WARNING, "network: %s has more addresses than can be taken over", device->name);
}

/* Neighbour discovery speaks from a link-local address; the host's may not have been there yet. */
void device_need_link_local(struct net_device *device)
{
	if (!ip6_addr_isinvalid(netif_ip6_addr_state(&device->netif, 0)))
		return;
	netif_create_ip6_linklocal_address(&device->netif, 1);
	netif_ip6_addr_set_state(&device->netif, 0, IP6_ADDR_PREFERRED);
	device->prefix6[0] = 64;
}

static void add_neighbour(const struct config_neighbour *n)
{
	struct inet_neighbour neighbour = {.index = netif_get_index(&net_devices[n->link].netif), .family = n->family};

	memcpy(neighbour.address, n->address, sizeof(neighbour.address));
	memcpy(neighbour.mac, n->mac, sizeof(neighbour.mac));
	(void)inet_set_neighbour(&neighbour, true);
}

static const char *check(const struct config_network *head, uint32_t len)
{
	uint64_t need = sizeof(*head) + (uint64_t)head->links * sizeof(struct config_link) +
	                (uint64_t)head->addresses * sizeof(struct config_address) +
	                (uint64_t)head->routes * sizeof(struct config_route) +
	                (uint64_t)head->neighbours * sizeof(struct config_neighbour);

	if (head->links > CONFIG_NETWORK_LINKS || head->addresses > CONFIG_NETWORK_ENTRIES ||
	    head->routes > CONFIG_NETWORK_ENTRIES || head->neighbours > CONFIG_NETWORK_ENTRIES)
		return "too many links, addresses, routes or neighbours";
	return need == len ? NULL : "its arrays do not fill it";
}

static const char *check_entries(const struct config_network *head, const struct config_address *addresses,
	const struct config_route *routes, const struct config_neighbour *neighbours, uint32_t fd_count)
{
	const struct config_link *links = (const void *)(head + 1);

	for (uint32_t i = 0; i < head->links; i++)
		if (links[i].fd >= fd_count)
			return "a link without its descriptor";
	for (uint32_t i = 0; i < head->addresses; i++)
		if (addresses[i].link >= head->links || addresses[i].prefix > (addresses[i].family == AF_INET ? 32 : 128))
			return "an address of no link, or with a wrong prefix";
	for (uint32_t i = 0; i < head->routes; i++)
		if (routes[i].link >= head->links || routes[i].prefix > (routes[i].family == AF_INET ? 32 : 128))
			return "a route by no link, or with a wrong prefix";
	for (uint32_t i = 0; i < head->neighbours; i++)
		if (neighbours[i].link >= head->links)
			return "a neighbour on no link";
	return NULL;
}

const char *device_check(const void *config, uint32_t len, uint32_t fd_count)
{
	const struct config_network *head = config;
	const struct config_link *links = (const void *)(head + 1);
	const char *wrong = len < sizeof(*head) ? "too short" : check(head, len);
	const struct config_address *addresses;
	const struct config_route *routes;

	if (wrong)
		return wrong;
	addresses = (const void *)(links + head->links);
	routes = (const void *)(addresses + head->addresses);
	return check_entries(head, addresses, routes, (const void *)(routes + head->routes), fd_count);
}

int device_configure(const void *config, uint32_t len, const uint32_t *fds, uint32_t fd_count)
{
	const struct config_network *head = config;
	const struct config_link *links = (const void *)(head + 1);
	const char *wrong = device_check(config, len, fd_count);
	const struct config_address *addresses;
	const struct config_route *routes;
	const struct config_neighbour *neighbours;

	if (wrong) {
		klog(LOG_ERROR, "network configuration: %s", wrong);
		return -EINVAL;
	}
	addresses = (const void *)(links + head->links);
	routes = (const void *)(addresses + head->addresses);
	neighbours = (const void *)(routes + head->routes);
	memcpy(net_routes, routes, head->routes * sizeof(*routes));
	net_route_count = head->routes;
	for (uint32_t i = 0; i < head->links; i++)
		(void)device_add_link(&links[i], fds[links[i].fd]); /* the first ones: there is room */
	for (uint32_t i = 0; i < head->addresses; i++)
		take_over_address(&addresses[i]);
	for (uint32_t i = 0; i < head->addresses; i++)
		if (addresses[i].family != AF_INET)
			device_need_link_local(&net_devices[addresses[i].link]);
	for (uint32_t i = 0; i < head->neighbours; i++)
		add_neighbour(&neighbours[i]);
	for (uint32_t i = 0; i < head->links; i++)
		if (frames_start(&net_devices[i].frames))
			return -ENOMEM;
	return 0;
}

/* ---- routes ---- */

static bool prefix_matches(const uint8_t *a, const uint8_t *b, unsigned prefix)
{
	unsigned whole = prefix / 8, rest = prefix % 8;

	if (memcmp(a, b, whole))
		return false;
	return !rest || !((a[whole] ^ b[whole]) >> (8 - rest));
}

const struct config_route *device_route(uint8_t family, const void *to)
{
	const struct config_route *best = NULL;

	for (unsigned i = 0; i < net_route_count && stack_net == &first_net_ns; i++) {
		const struct config_route *r = &net_routes[i];

		if (r->family != family || !prefix_matches(to, r->destination, r->prefix))
			continue;
		if (!best || r->prefix > best->prefix || (r->prefix == best->prefix && r->metric < best->metric))
			best = r;
	}
	return best;
}
