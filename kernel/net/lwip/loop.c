/*
 * The loopback device: packets to ourselves wait in a queue and are delivered once lwIP has returned (loop_drain()),
 * since it does not bear being called from within itself. All of 127.0.0.0/8, ::1 and every address of ours lead here.
 *
 * Delivery goes straight to the protocols. There are no checksums (the device says so), no fragments, since its MTU
 * holds any packet, and no extension headers, since only our own stack writes to it.
 */
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <lwip/icmp.h>
#include <lwip/icmp6.h>
#include <lwip/priv/raw_priv.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/ip6.h>
#include <lwip/stats.h>
#include <lwip/udp.h>

#include "kernel/net/lwip/counters.h"
#include "kernel/net/lwip/datagram.h"
#include "kernel/net/lwip/multicast.h"
#include "kernel/net/packet.h"

#define LOOP_MTU 65535u
#define REFER_MIN 2048u /* bytes; fewer are copied */
#define LOOP_QUEUE_BYTES (4u * 1024 * 1024)
#define LOOP_ROUND_MAX 65536u /* packets that are delivered at once, with all that answer them */

struct netif loop_netif;
static struct pbuf *queue, *queue_tail; /* packets one behind the other: the last pbuf of each has len == tot_len */
static size_t queue_bytes;
static bool draining;
static struct netif *pretended; /* NULL: the loopback itself */
static uint16_t piece_size;     /* loop_cut() */

#define PBUF_FLAG_PIECES 0x80u /* before the packet lies a uint16_t: the piece that it was queued with */

/* To packet sockets, which are all of the first namespace: with an Ethernet header that names nobody, as Linux's loopback has. */
static void show(const struct pbuf *p, uint8_t type, const struct socket *from)
{
	bool v4 = p->len && IP_HDR_GET_VERSION(p->payload) == 4;
	uint8_t *frame = packet_socket_count && stack_net == &first_net_ns ? kmalloc(ETH_HLEN + p->tot_len) : NULL;
	struct ethhdr header = {.h_proto = __builtin_bswap16(v4 ? ETH_P_IP : ETH_P_IPV6)};

	if (!frame)
		return;
	memcpy(frame, &header, ETH_HLEN);
	(void)pbuf_copy_partial(p, frame + ETH_HLEN, p->tot_len, 0);
	packet_seen(&(struct packet_frame){.bytes = frame, .len = ETH_HLEN + p->tot_len, .index = netif_get_index(&loop_netif),
		.type = type, .loopback = true, .checksum_missing = true, .from = from});
	kfree(frame);
}

void loop_pretend(struct netif *netif)
{
	pretended = netif;
}

void loop_cut(uint16_t size)
{
	piece_size = size;
}

/* A segment of a connection: its headers are copied, its bytes referred to where they lie. */
static struct pbuf *refer(const struct tcp_link *link, const struct pbuf *p)
{
	struct pbuf *head = pbuf_alloc(PBUF_RAW, p->len, PBUF_RAM), *piece;

	if (!head)
		return NULL;
	memcpy(head->payload, p->payload, p->len);
	while ((p = p->next)) {
		piece = tcp_refer(link, p);
		if (!piece)
			piece = pbuf_alloc(PBUF_RAW, p->len, PBUF_RAM);
		if (!piece) {
			pbuf_free(head);
			return NULL;
		}
		if (piece->payload != p->payload)
			memcpy(piece->payload, p->payload, p->len);
		pbuf_cat(head, piece);
	}
	return head;
}

static struct pbuf *duplicate(const struct netif *netif, const struct pbuf *p)
{
	const struct tcp_link *link = netif->hints ? tcp_link_of(container_of(netif->hints, struct tcp_pcb, netif_hints)) : NULL;
	struct pbuf *copy;

	if (link && p->tot_len >= p->len + REFER_MIN)
		return refer(link, p);
	copy = pbuf_alloc(piece_size ? PBUF_LINK : PBUF_RAW, p->tot_len, PBUF_RAM);
	if (!copy)
		return NULL;
	(void)pbuf_copy_partial(p, copy->payload, p->tot_len, 0);
	if (piece_size) {
		memcpy((char *)copy->payload - sizeof(piece_size), &piece_size, sizeof(piece_size));
		copy->flags |= PBUF_FLAG_PIECES;
	}
	return copy;
}

err_t loop_queue(const struct netif *netif, struct pbuf *p)
{
	struct pbuf *copy = queue_bytes > LOOP_QUEUE_BYTES ? NULL : duplicate(netif, p);

	if (!copy)
		return ERR_MEM;
	queue_bytes += copy->tot_len;
	if (queue)
		queue_tail->next = copy;
	else
		queue = copy;
	for (queue_tail = copy; queue_tail->next; queue_tail = queue_tail->next)
		;
	copy->if_idx = netif_get_index(pretended ? pretended : &loop_netif);
	stack_net->loop_packets += !pretended;
	stack_net->loop_bytes += pretended ? 0 : copy->tot_len;
	if (!pretended) /* the link shows its own */
		show(copy, PACKET_OUTGOING, NULL);
	return ERR_OK;
}

static struct pbuf *take_first(void)
{
	struct pbuf *p = queue, *last = p;

	while (last->len != last->tot_len)
		last = last->next;
	queue = last->next;
	last->next = NULL;
	queue_bytes -= p->tot_len;
	return p;
}

/* A packet that does not come from the stack may not say that it comes from or goes to 127.0.0.0/8, as on Linux. */
static bool is_martian(const struct ethhdr *header, const struct pbuf *p)
{
	const struct ip_hdr *ip = p->payload;

	if (header->h_proto == __builtin_bswap16(ETH_P_IPV6))
		return false;
	return header->h_proto != __builtin_bswap16(ETH_P_IP) || p->len < IP_HLEN || ip4_addr_isloopback(&ip->src) ||
	       ip4_addr_isloopback(&ip->dest);
}

int loop_send_frame(const void *frame, size_t len, const struct socket *from)
{
	const struct ethhdr *header = frame;
	struct pbuf *p = len - ETH_HLEN <= UINT16_MAX ? pbuf_alloc(PBUF_RAW, (u16_t)(len - ETH_HLEN), PBUF_RAM) : NULL;
	struct packet_frame seen = {.bytes = frame, .len = len, .index = netif_get_index(&loop_netif), .loopback = true, .from = from};
	err_t err = ERR_OK;

	if (!p)
		return -ENOBUFS;
	memcpy(p->payload, (const char *)frame + ETH_HLEN, len - ETH_HLEN);
	if (!is_martian(header, p)) {
		stack_enter(stack_net);
		err = loop_queue(&loop_netif, p);
		stack_leave();
	} else { /* nobody's but packet sockets' */
		seen.type = PACKET_OUTGOING;
		packet_seen(&seen);
		seen.type = PACKET_HOST;
		seen.from = NULL;
		packet_seen(&seen);
	}
	pbuf_free(p);
	return err == ERR_OK ? 0 : -ENOBUFS;
}

static err_t loop_output4(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
	counters_ip4(p->payload, p->tot_len, true, false);
	return loop_queue(netif, p);
}

static err_t loop_output6(struct netif *netif, struct pbuf *p, const ip6_addr_t *to)
{
	return loop_queue(netif, p);
}

static bool is_for_us(const ip_addr_t *to)
{
	if (ip_addr_ismulticast(to))
		return multicast_is_member(ip_current_input_netif(), to);
	return route_is_local(to) || ip_addr_isbroadcast(to, ip_current_input_netif());
}

static void deliver4(struct pbuf *p)
{
	struct ip_hdr *header = p->payload;
	uint16_t header_len = IPH_HL_BYTES(header);

	MIB2_STATS_INC(mib2.ipinreceives);
	counters_ip4(header, p->tot_len, false, false);

	ip_addr_copy_from_ip4(ip_data.current_iphdr_dest, header->dest);
	ip_addr_copy_from_ip4(ip_data.current_iphdr_src, header->src);
	if (!is_for_us(ip_current_dest_addr())) {
		pbuf_free(p);
		return;
	}
	ip_data.current_ip4_header = header;
	ip_data.current_ip_header_tot_len = header_len;
	MIB2_STATS_INC(mib2.ipindelivers);
	(void)raw_input(p, &loop_netif); /* ours eats nothing */
	tcp_before_input(p, IPH_PROTO(header), header_len);
	pbuf_remove_header(p, header_len);
	if (IPH_PROTO(header) == IP_PROTO_TCP)
		tcp_input(p, &loop_netif);
	else if (IPH_PROTO(header) == IP_PROTO_UDP)
		udp_input(p, &loop_netif);
	else if (IPH_PROTO(header) == IP_PROTO_ICMP)
		icmp_input(p, &loop_netif);
	else
		pbuf_free(p);
}

static void deliver6(struct pbuf *p)
{
	struct ip6_hdr *header = p->payload;

	IP6_STATS_INC(ip6.recv);
	ip_addr_copy_from_ip6_packed(ip_data.current_iphdr_dest, header->dest);
	ip_addr_copy_from_ip6_packed(ip_data.current_iphdr_src, header->src);
	if (!is_for_us(ip_current_dest_addr())) {
		pbuf_free(p);
		return;
	}
	ip_data.current_ip6_header = header;
	ip_data.current_ip_header_tot_len = IP6_HLEN;
	(void)raw_input(p, &loop_netif);
	tcp_before_input(p, IP6H_NEXTH(header), IP6_HLEN);
	pbuf_remove_header(p, IP6_HLEN);
	if (IP6H_NEXTH(header) == IP6_NEXTH_TCP)
		tcp_input(p, &loop_netif);
	else if (IP6H_NEXTH(header) == IP6_NEXTH_UDP)
		udp_input(p, &loop_netif);
	else if (IP6H_NEXTH(header) == IP6_NEXTH_ICMP6)
		icmp6_input(p, &loop_netif);
	else
		pbuf_free(p);
}

static void deliver(struct pbuf *p)
{
	bool v4 = p->len >= IP_HLEN && IP_HDR_GET_VERSION(p->payload) == 4;

	if (p->flags & PBUF_FLAG_PIECES)
		memcpy(&datagram_piece, (char *)p->payload - sizeof(datagram_piece), sizeof(datagram_piece));
	ip_data.current_netif = ip_data.current_input_netif = netif_get_by_index(p->if_idx);
	if (v4 && IPH_HL_BYTES((struct ip_hdr *)p->payload) <= p->len)
		deliver4(p);
	else if (!v4 && p->len >= IP6_HLEN)
		deliver6(p);
	else
		pbuf_free(p);
	datagram_piece = 0;
	ip_data.current_netif = ip_data.current_input_netif = NULL;
	ip_data.current_ip4_header = NULL;
	ip_data.current_ip6_header = NULL;
	ip_data.current_ip_header_tot_len = 0;
	ip_addr_set_any(0, &ip_data.current_iphdr_src);
	ip_addr_set_any(0, &ip_data.current_iphdr_dest);
}

/*
 * Two connections may answer each other for ever: who forges segments can bring both ends to where each takes all that the
 * other says for wrong, and acknowledges what it has. So what comes after very many packets is dropped.
 */
void loop_drain(void)
{
	unsigned count = 0;
	struct pbuf *p;

	if (draining)
		return;
	draining = true;
	while (queue) {
		p = take_first();
		if (++count > LOOP_ROUND_MAX) {
			pbuf_free(p);
			continue;
		}
		if (p->if_idx == netif_get_index(&loop_netif))
			show(p, PACKET_HOST, NULL);
		deliver(p);
	}
	draining = false;
}

static err_t loop_start(struct netif *netif)
{
	netif->name[0] = 'l';
	netif->name[1] = 'o';
	netif->mtu = LOOP_MTU;
	netif->output = loop_output4;
	netif->output_ip6 = loop_output6;
	return ERR_OK;
}

void loop_init(void)
{
	ip4_addr_t address, mask;

	IP4_ADDR(&address, 127, 0, 0, 1);
	IP4_ADDR(&mask, 255, 0, 0, 0);
	netif_add(&loop_netif, &address, &mask, &address, NULL, loop_start, NULL);
	NETIF_SET_CHECKSUM_CTRL(&loop_netif, NETIF_CHECKSUM_DISABLE_ALL);
	IP_ADDR6_HOST(loop_netif.ip6_addr, 0, 0, 0, 1);
	netif_ip6_addr_set_state(&loop_netif, 0, IP6_ADDR_VALID);
	netif_set_link_up(&loop_netif);
	netif_set_up(&loop_netif);
}
