/*
 * Frames of the sandbox's links, between kernel/net/frames.h and lwIP: what is cut to which MTU, what is left to the host
 * (checksums of TCP, the cutting of its large segments), which netif a frame is for, and what packet sockets see.
 *
 * device.c has the links. Everything here is called in the stack, but for inet_send_frame() and device_receive_frame().
 */
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/inet_chksum.h>
#include <lwip/prot/etharp.h>
#include <netif/ethernet.h>

#include "kernel/net/lwip/counters.h"
#include "kernel/net/lwip/datagram.h"
#include "kernel/net/lwip/device.h"
#include "kernel/net/lwip/hooks.h"
#include "kernel/net/packet.h"

/* ---- sizes ---- */

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
	netif->mtu = now ? device_of(netif)->mtu : DEVICE_LARGE_MTU;
	netif->mtu6 = now ? device_of(netif)->mtu6 : 0;
}

/* lwIP remembers this number for a new IPv6 destination; output6() takes it back. */
void device_show_mtu(struct netif *netif)
{
	if (netif != &loop_netif)
		netif->mtu = device_of(netif)->mtu6;
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
	tcp_urgent_mark(header, pcb);
	if (!(TCPH_FLAGS(header) & TCP_SYN) || mss == options)
		return options;
	tcp_fix_syn(header, pcb);
	netif = ip_route(&pcb->local_ip, &pcb->remote_ip);
	if (netif && netif != &loop_netif)
		*mss = __builtin_bswap32(0x02040000u | (u32_t)(device_mtu(netif) - (IP_IS_V6(&pcb->remote_ip) ? 60 : 40)));
	return options;
}

/* ---- out ---- */

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
 * sum of the pseudo header only. The host would repeat an urgent pointer in each piece: output_frame() has cut those.
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

static void send_frame(struct netif *netif, struct frame_buffer *buffer, size_t len)
{
	struct net_device *device = device_of(netif);

	offload(netif, buffer, len);
	show(device->parent ? device->parent : device, frames_header(buffer), frames_bytes(buffer), len, PACKET_OUTGOING);
	stack_device_used();
	frames_send(buffer);
}

static struct frames *frames_of(struct netif *netif)
{
	return device_of(netif)->parent ? &device_of(netif)->parent->frames : &device_of(netif)->frames;
}

/* The piece of a segment's bytes that begins at `offset`, in a frame with headers of its own. */
static void fill_piece(uint8_t *frame, const struct pbuf *p, size_t tcp, size_t header, size_t offset, size_t size, bool last)
{
	struct tcp_hdr *out = (struct tcp_hdr *)(frame + tcp);
	uint16_t len = (uint16_t)(tcp + header + size - ETH_HLEN), urgent;

	(void)pbuf_copy_partial(p, frame, (u16_t)(tcp + header), 0);
	(void)pbuf_copy_partial(p, frame + tcp + header, (u16_t)size, (u16_t)(tcp + header + offset));
	if (frame[12] == 8) {
		struct ip_hdr *ip = (struct ip_hdr *)(frame + ETH_HLEN);

		IPH_LEN_SET(ip, __builtin_bswap16(len));
		IPH_CHKSUM_SET(ip, 0);
		IPH_CHKSUM_SET(ip, inet_chksum(ip, IPH_HL_BYTES(ip)));
	} else {
		IP6H_PLEN_SET((struct ip6_hdr *)(frame + ETH_HLEN), (uint16_t)(len - IP6_HLEN));
	}
	out->seqno = __builtin_bswap32(__builtin_bswap32(out->seqno) + (uint32_t)offset);
	urgent = __builtin_bswap16(out->urgp);
	if (urgent > offset) {
		out->urgp = __builtin_bswap16((uint16_t)(urgent - offset));
	} else {
		out->urgp = 0;
		TCPH_UNSET_FLAG(out, TCP_URG);
	}
	if (!last)
		TCPH_UNSET_FLAG(out, TCP_PSH | TCP_FIN);
}

/* Whether p was a segment with an urgent pointer and more than a packet: it was sent in pieces, or *err says why not. */
static bool send_in_pieces(struct netif *netif, const struct pbuf *p, err_t *err)
{
	const struct tcp_link *link = netif->hints ? tcp_link_of(container_of(netif->hints, struct tcp_pcb, netif_hints)) : NULL;
	bool v6 = pbuf_get_at(p, 12) == 0x86;
	size_t tcp = ETH_HLEN + (v6 ? IP6_HLEN : (pbuf_get_at(p, ETH_HLEN) & 15u) * 4u), header, size, part;

	if (!link || !link->urgent || !link->mss || p->tot_len < tcp + TCP_HLEN || !(pbuf_get_at(p, (u16_t)(tcp + 13)) & TCP_URG))
		return false;
	header = (pbuf_get_at(p, (u16_t)(tcp + 12)) >> 4) * 4u;
	if (p->tot_len <= tcp + header + link->mss)
		return false;
	size = p->tot_len - tcp - header;
	*err = ERR_OK;
	for (size_t at = 0; at < size && *err == ERR_OK; at += part) {
		struct frame_buffer *buffer;

		part = MIN(size - at, (size_t)link->mss);
		buffer = frames_alloc(frames_of(netif), tcp + header + part);
		if (buffer) {
			fill_piece(frames_bytes(buffer), p, tcp, header, at, part, at + part == size);
			send_frame(netif, buffer, tcp + header + part);
		} else {
			*err = ERR_MEM;
		}
	}
	return true;
}

static err_t output_frame(struct netif *netif, struct pbuf *p)
{
	struct frame_buffer *buffer;
	err_t err;

	if (send_in_pieces(netif, p, &err))
		return err;
	buffer = frames_alloc(frames_of(netif), p->tot_len);
	if (!buffer)
		return ERR_MEM;
	(void)pbuf_copy_partial(p, frames_bytes(buffer), p->tot_len, 0);
	send_frame(netif, buffer, p->tot_len);
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
	if (route_is_local(&address))
		return loop_queue(netif, p);
	unanswered_note4(netif, p, to);
	return etharp_output(netif, p, to);
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
		netif->mtu = DEVICE_LARGE_MTU;
	return err;
}

/* ---- in ---- */

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

void device_receive_frame(struct frames *frames, const struct frame_header *header, const uint8_t *frame, size_t len)
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
	netif->chksum_flags = DEVICE_CHECKSUMS;
	if (header->flags & (FRAME_NEEDS_CHECKSUM | FRAME_DATA_VALID))
		netif->chksum_flags = (u16_t)(netif->chksum_flags & ~transport);
	stack_enter(&first_net_ns);
	stack_device_used();
	device_fragment(netif, !is_tcp(frame, len)); /* answers to what is no TCP are cut to the MTU */
	datagram_frame = len;
	datagram_piece = header->gso_type == FRAME_GSO_UDP ? header->gso_size : 0;
	(void)netif->input(p, netif);
	datagram_frame = datagram_piece = 0;
	if (netif->mtu6)
		device->mtu6 = MIN(device->mtu6, netif->mtu6); /* a router may have lowered it */
	device_fragment(netif, false);
	netif->chksum_flags = DEVICE_CHECKSUMS;
	stack_leave();
}

err_t device_start_netif(struct netif *netif)
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
