/*
 * Links on lwIP: frames come in from kernel/net/frames.h and go out to it; addresses, routes and neighbours are set as
 * the configuration says.
 *
 * lwIP knows one IPv4 address a netif. A link's others are aliases: netifs that share its frames and answer ARP for
 * their own address.
 */
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/prot/etharp.h>
#include <netif/ethernet.h>

#include "kernel/net/lwip/counters.h"
#include "kernel/net/lwip/device.h"
#include "kernel/net/lwip/hooks.h"
#include "kernel/net/lwip/multicast.h"
#include "kernel/net/packet.h"

#define LARGE_MTU 61480u
#define CHECKSUMS (NETIF_CHECKSUM_ENABLE_ALL & ~NETIF_CHECKSUM_GEN_TCP)

struct net_device net_devices[CONFIG_NETWORK_LINKS + CONFIG_NETWORK_ENTRIES];
unsigned net_device_count;
struct net_device net_no_device;
struct config_route net_routes[NET_ROUTES_MAX];
unsigned net_route_count;

/* ---- frames ---- */

uint16_t device_mtu(const struct netif *netif)
{
	return netif == &loop_netif ? netif->mtu : container_of(netif, const struct net_device, netif)->mtu;
}

static bool uncut; /* what is being sent says that nobody may cut it */

/* Under IPv6 an MTU of 0 means to lwIP that nothing is to be cut. */
void device_fragment(struct netif *netif, bool now)
{
	uncut = false;
	if (netif == &loop_netif)
		return;
	netif->mtu = now ? device_of(netif)->mtu : LARGE_MTU;
	netif->mtu6 = now ? device_of(netif)->mtu6 : 0;
}

/* lwIP remembers this number for a new IPv6 destination; output6() takes it back. */
void device_show_mtu(struct netif *netif)
{
	if (netif != &loop_netif)
		netif->mtu = device_of(netif)->mtu6;
}

void device_set_mtu(struct net_device *device, uint16_t mtu)
{
	device->mtu = device->mtu6 = mtu;
	device->netif.mtu6 = 0;
	device->netif.mtu = LARGE_MTU;
}

void device_fragment_to(struct netif *netif, uint16_t mtu, bool keep_whole)
{
	if (netif != &loop_netif) {
		netif->mtu = mtu;
		netif->mtu6 = MIN(mtu, device_of(netif)->mtu6);
	}
	uncut = keep_whole;
}

/* The MSS that a SYN announces is the link's; lwIP's comes from the larger number. */
u32_t *lwip_port_tcp_options(struct tcp_hdr *header, const struct tcp_pcb *pcb, u32_t *options)
{
	u32_t *mss = (u32_t *)(header + 1);
	struct netif *netif;

	if (TCPH_FLAGS(header) & TCP_RST)
		tcp_fix_reset(header);
	if (!(TCPH_FLAGS(header) & TCP_SYN) || mss == options)
		return options;
	tcp_fix_syn(header, pcb);
	netif = ip_route(&pcb->local_ip, &pcb->remote_ip);
	if (netif && netif != &loop_netif)
		*mss = __builtin_bswap32(0x02040000u | (u32_t)(device_mtu(netif) - (IP_IS_V6(&pcb->remote_ip) ? 60 : 40)));
	return options;
}

static uint32_t sum_words(const uint8_t *bytes, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2) {
		uint16_t word;

		memcpy(&word, bytes + i, sizeof(word));
		sum += word;
	}
	return sum;
}

/* Sets DF in an IPv4 header and adds it to the checksum: path.c hears of what is too large. */
static void forbid_fragments(uint8_t *header)
{
	uint32_t sum = (uint32_t)header[10] << 8 | header[11];

	if (header[6] & 0x40)
		return;
	header[6] |= 0x40;
	sum = (sum ^ 0xffff) + 0x4000;
	sum = ((sum & 0xffff) + (sum >> 16)) ^ 0xffff;
	header[10] = (uint8_t)(sum >> 8);
	header[11] = (uint8_t)sum;
}

/*
 * A TCP frame's checksum is left to the host, and so is the cutting of what is larger than a packet: the field holds the
 * sum of the pseudo header only.
 */
static void offload(const struct netif *netif, struct frame_buffer *buffer, size_t len)
{
	struct frame_header *out = frames_header(buffer);
	uint8_t *frame = frames_bytes(buffer);
	bool v6 = frame[12] == 0x86 && frame[13] == 0xdd;
	size_t tcp = v6 ? ETH_HLEN + 40u : ETH_HLEN + (frame[ETH_HLEN] & 15u) * 4u, size, header;
	const struct tcp_link *link = NULL;
	uint32_t sum;
	uint16_t folded;

	if (len < ETH_HLEN + 40u || (!v6 && (frame[12] != 8 || frame[13])) || frame[ETH_HLEN + (v6 ? 6 : 9)] != IP_PROTO_TCP ||
	    (!v6 && (frame[ETH_HLEN + 6] & 0x3f || frame[ETH_HLEN + 7])) || len < tcp + TCP_HLEN)
		return;
	if (!v6)
		forbid_fragments(frame + ETH_HLEN);
	size = len - tcp;
	sum = sum_words(v6 ? frame + ETH_HLEN + 8 : frame + ETH_HLEN + 12, v6 ? 32 : 8) + __builtin_bswap16(IP_PROTO_TCP) +
	      __builtin_bswap16((uint16_t)size);
	sum = (sum & 0xffff) + (sum >> 16);
	folded = (uint16_t)((sum & 0xffff) + (sum >> 16));
	memcpy(frame + tcp + 16, &folded, sizeof(folded));
	out->flags = FRAME_NEEDS_CHECKSUM;
	out->checksum_start = (uint16_t)tcp;
	out->checksum_offset = 16;
	if (netif->hints)
		link = tcp_link_of(container_of(netif->hints, struct tcp_pcb, netif_hints));
	header = (frame[tcp + 12] >> 4) * 4u;
	if (!link || !link->mss || size <= header + link->mss)
		return;
	out->gso_type = v6 ? FRAME_GSO_TCPV6 : FRAME_GSO_TCPV4;
	out->gso_size = link->mss;
	out->header_len = (uint16_t)(tcp + header);
}

/* To packet sockets. */
static void show(const struct net_device *device, const struct frame_header *header, const uint8_t *frame, size_t len, uint8_t type)
{
	packet_seen(&(struct packet_frame){.bytes = frame, .len = len, .index = netif_get_index(&device->netif), .type = type,
		.checksum_missing = header->flags & FRAME_NEEDS_CHECKSUM});
}

static uint8_t packet_type(const struct net_device *device, const uint8_t *frame)
{
	static const uint8_t everyone[ETH_ALEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	if (frame[0] & 1)
		return memcmp(frame, everyone, ETH_ALEN) ? PACKET_MULTICAST : PACKET_BROADCAST;
	return memcmp(frame, device->netif.hwaddr, ETH_ALEN) ? PACKET_OTHERHOST : PACKET_HOST;
}

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

int inet_send_frame(int index, const void *frame, size_t len, const struct socket *from)
{
	struct net_device *device = device_by_index(index);
	struct frame_buffer *buffer;

	if (index == netif_get_index(&loop_netif))
		return loop_send_frame(frame, len, from);
	if (!device)
		return -ENXIO;
	if (!netif_is_up(&device->netif))
		return -ENETDOWN;
	buffer = frames_alloc(&device->frames, len);
	if (!buffer)
		return -ENOBUFS;
	memcpy(frames_bytes(buffer), frame, len);
	packet_seen(&(struct packet_frame){.bytes = frame, .len = len, .index = index, .type = PACKET_OUTGOING, .from = from});
	frames_send(buffer);
	hostring_ring();
	return 0;
}

static err_t output_frame(struct netif *netif, struct pbuf *p)
{
	struct net_device *device = device_of(netif);
	struct frames *frames = device->parent ? &device->parent->frames : &device->frames;
	struct frame_buffer *buffer = frames_alloc(frames, p->tot_len);

	if (!buffer)
		return ERR_MEM;
	(void)pbuf_copy_partial(p, frames_bytes(buffer), p->tot_len, 0);
	offload(netif, buffer, p->tot_len);
	show(device->parent ? device->parent : device, frames_header(buffer), frames_bytes(buffer), p->tot_len, PACKET_OUTGOING);
	stack_device_used();
	frames_send(buffer);
	return ERR_OK;
}

/* An address of ours: it never leaves. */
static err_t output4(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
	ip_addr_t address;

	ip_addr_copy_from_ip4(address, *to);
	if (uncut && !(IPH_OFFSET((const struct ip_hdr *)p->payload) & ~__builtin_bswap16(IP_DF)))
		forbid_fragments(p->payload);
	counters_ip4(p->payload, p->tot_len, true, ip_addr_isbroadcast(&address, netif));
	return route_is_local(&address) ? loop_queue(netif, p) : etharp_output(netif, p, to);
}

static err_t output6(struct netif *netif, struct pbuf *p, const ip6_addr_t *to)
{
	ip_addr_t address;
	err_t err;

	ip_addr_copy_from_ip6(address, *to);
	if (route_is_local(&address))
		return loop_queue(netif, p);
	err = ethip6_output(netif, p, to);
	if (!netif->mtu6)
		netif->mtu = LARGE_MTU;
	return err;
}

/* ARP asks for one address: the alias that has it answers. */
static struct netif *netif_for(struct net_device *device, const uint8_t *frame, size_t len)
{
	const struct etharp_hdr *arp = (const void *)(frame + ETH_HLEN);
	uint32_t wanted;

	if (len < ETH_HLEN + sizeof(*arp) || ((const struct ethhdr *)frame)->h_proto != __builtin_bswap16(ETH_P_ARP))
		return &device->netif;
	memcpy(&wanted, &arp->dipaddr, sizeof(wanted));
	for (unsigned i = 0; i < net_device_count; i++)
		if (net_devices[i].parent == device && ip4_addr_get_u32(netif_ip4_addr(&net_devices[i].netif)) == wanted)
			return &net_devices[i].netif;
	return &device->netif;
}

static bool is_tcp(const uint8_t *frame, size_t len)
{
	if (len < ETH_HLEN + 20)
		return false;
	return frame[12] == 8 && !frame[13] ? frame[ETH_HLEN + 9] == IP_PROTO_TCP : frame[ETH_HLEN + 6] == IP_PROTO_TCP;
}

static void receive_frame(struct frames *frames, const struct frame_header *header, const uint8_t *frame, size_t len)
{
	struct net_device *device = container_of(frames, struct net_device, frames);
	const uint16_t transport = NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP | NETIF_CHECKSUM_CHECK_ICMP |
	                           NETIF_CHECKSUM_CHECK_ICMP6;
	struct netif *netif;
	struct pbuf *p;

	if (len < ETH_HLEN || device->parent)
		return;
	show(device, header, frame, len, packet_type(device, frame));
	if (len > UINT16_MAX || (!(frame[0] & 1) && memcmp(frame, device->netif.hwaddr, ETH_ALEN)))
		return;
	p = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_RAM);
	if (!p) {
		frames->receive_dropped++;
		return;
	}
	memcpy(p->payload, frame, len);
	netif = netif_for(device, frame, len);
	/* A sender on this host leaves checksums to a device that there is not: then nothing has damaged the frame. */
	netif->chksum_flags = CHECKSUMS;
	if (header->flags & (FRAME_NEEDS_CHECKSUM | FRAME_DATA_VALID))
		netif->chksum_flags = (u16_t)(netif->chksum_flags & ~transport);
	stack_enter(&first_net_ns);
	stack_device_used();
	device_fragment(netif, !is_tcp(frame, len)); /* answers to what is no TCP are cut to the MTU */
	(void)netif->input(p, netif);
	if (netif->mtu6)
		device->mtu6 = MIN(device->mtu6, netif->mtu6); /* a router may have lowered it */
	device_fragment(netif, false);
	netif->chksum_flags = CHECKSUMS;
	stack_leave();
}

/* ---- configuration ---- */

static err_t start_netif(struct netif *netif)
{
	struct net_device *device = device_of(netif);

	netif->name[0] = 'e';
	netif->name[1] = 't';
	netif->output = output4;
	netif->output_ip6 = output6;
	netif->linkoutput = output_frame;
	netif->hwaddr_len = ETH_ALEN;
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
	if (!device->parent)
		netif->flags |= NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
	return ERR_OK;
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
	netif_add(&device->netif, address, &mask, &none, NULL, start_netif, netif_input);
	NETIF_SET_CHECKSUM_CTRL(&device->netif, CHECKSUMS);
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
	device->frames.receive = receive_frame;
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
