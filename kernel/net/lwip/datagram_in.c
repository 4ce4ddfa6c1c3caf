/*
 * Packets for datagram sockets: lwIP calls raw_input() with every IP packet for us, and udp_input() with UDP. Both may
 * be called while lwIP works, so they only queue, mark errors and wake.
 */
#include <linux/eventpoll.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <lwip/inet_chksum.h>
#include <lwip/prot/tcp.h>
#include <lwip/prot/udp.h>
#include <lwip/priv/raw_priv.h>
#include <lwip/udp.h>

#include "kernel/net/filter.h"
#include "kernel/net/lwip/counters.h"
#include "kernel/net/lwip/datagram.h"
#include "kernel/net/lwip/multicast.h"
#include "ring0/clock.h"

#define HOST_PORTS (TCP_LOCAL_PORT_RANGE_END + 1) /* where the host's own stack asks from (cli/network_quiet.c) */

size_t datagram_frame;
uint16_t datagram_piece;

/* ---- what lwIP's other files ask of udp.c and raw.c ---- */

void udp_init(void)
{
}

void udp_netif_ip_addr_changed(const ip_addr_t *old, const ip_addr_t *new)
{
}

void raw_netif_ip_addr_changed(const ip_addr_t *old, const ip_addr_t *new)
{
}

/* ---- filters ---- */

struct pbuf_packet {
	struct filter_packet base;
	const struct pbuf *p;
};

static uint8_t packet_byte(const struct filter_packet *packet, int32_t at)
{
	const uint8_t *header = ip_current_is_v6() ? (const void *)ip6_current_header() : (const void *)ip4_current_header();

	if (at < 0)
		return header[at - packet->network_at];
	return pbuf_get_at(container_of(packet, const struct pbuf_packet, base)->p, (u16_t)at);
}

/*
 * Whether a socket's filter lets a packet through, cut to what it wants; `header` bytes at its begin always stay. The
 * packet begins `after` bytes behind its IP header's begin.
 */
static bool run_filter(const struct inet_socket *sock, struct pbuf *p, uint16_t header, uint16_t after)
{
	const struct netif *netif = ip_current_input_netif();
	struct pbuf_packet packet = {
		.base = {
			.byte = packet_byte,
			.len = p->tot_len,
			.protocol = ip_current_is_v6() ? ETH_P_IPV6 : ETH_P_IP,
			.hardware = netif == &loop_netif ? ARPHRD_LOOPBACK : ARPHRD_ETHER,
			.network_at = -(int)after,
			.interface = netif_get_index(netif),
		},
		.p = p,
	};
	uint32_t wanted;

	wanted = socket_filter_run(&sock->options, &packet.base, header);
	if (wanted && wanted < p->tot_len)
		pbuf_realloc(p, (u16_t)wanted);
	return wanted;
}

static bool filtered(const struct inet_socket *sock, struct pbuf *p, uint16_t header, uint16_t after)
{
	return !sock->options.filter || run_filter(sock, p, header, after);
}

/* ---- queueing ---- */

/* What holds more memory than it is charged for goes into a buffer of its own: pieces of a frame each, little of a long frame. */
static struct pbuf *compact(struct pbuf *p)
{
	struct pbuf *copy;

	if (!p->next && datagram_frame < 2u * p->tot_len + PACKET_OVERHEAD)
		return p;
	copy = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
	pbuf_free(p);
	return copy;
}

static bool has_room(const struct inet_socket *sock, const struct pbuf *p)
{
	return sock->packet_bytes + p->tot_len + PACKET_OVERHEAD <= sock->options.receive_buffer && !(sock->shutdown & INET_SHUT_RECEIVE);
}

/* Where there is no memory for them, the packet comes without. */
static void note_options(struct inet_packet *packet)
{
	const struct ip_hdr *header = ip_current_is_v6() ? NULL : ip4_current_header();
	unsigned len = header ? IPH_HL_BYTES(header) - IP_HLEN : 0;

	packet->options = len ? kmalloc(len) : NULL;
	if (!packet->options)
		return;
	memcpy(packet->options, header + 1, len);
	packet->options_len = (uint8_t)len;
}

void datagram_note_header(struct inet_packet *packet)
{
	packet->ifindex = netif_get_index(ip_current_input_netif());
	if (ip_current_is_v6()) {
		packet->ttl = IP6H_HOPLIM(ip6_current_header());
		packet->tos = IP6H_TC(ip6_current_header());
	} else {
		packet->ttl = IPH_TTL(ip4_current_header());
		packet->tos = IPH_TOS(ip4_current_header());
	}
}

static void queue_packet(struct inet_socket *sock, struct pbuf *p, uint16_t port, uint16_t piece)
{
	struct inet_packet *packet = has_room(sock, p) ? kzalloc(sizeof(*packet)) : NULL;

	if (packet) {
		p = compact(p);
		if (!p)
			kfree(packet);
		packet = p ? packet : NULL;
	}
	if (!packet) {
		sock->drops++;
		if (sock->base.protocol == IPPROTO_UDP) {
			counters_udp(sock->family)->full++;
			counters_udp(sock->family)->errors++;
		}
		if (p)
			pbuf_free(p);
		return;
	}
	packet->p = p;
	packet->piece = piece;
	ip_addr_copy(packet->from, *ip_current_src_addr());
	ip_addr_copy(packet->to, *ip_current_dest_addr());
	packet->port = port;
	packet->drops = sock->drops;
	packet->time = clock_realtime();
	datagram_note_header(packet);
	if (sock->receive_options || sock->return_options)
		note_options(packet);
	TAILQ_INSERT_TAIL(&sock->packets, packet, link);
	sock->packet_bytes += datagram_charge(packet);
	inet_wake(sock, EPOLLIN | EPOLLRDNORM);
}

/* ---- UDP ---- */

/* How well a socket fits a packet: 0 not at all; the more is given, the better. */
static unsigned score(const struct inet_socket *sock, const ip_addr_t *to, uint16_t to_port, const ip_addr_t *from,
	uint16_t from_port, const struct netif *netif)
{
	unsigned points = 1;

	if (sock->base.protocol != IPPROTO_UDP || sock->base.type != SOCK_DGRAM || !sock->bound || sock->local_port != to_port)
		return 0;
	if (sock->family == AF_INET && IP_IS_V6(to))
		return 0;
	if (sock->family == AF_INET6 && !IP_IS_V6(to) && sock->v6only)
		return 0;
	if (!ip_addr_isany(&sock->local)) {
		if (!ip_addr_cmp_zoneless(&sock->local, to))
			return 0;
		points += 2;
	}
	if (sock->connected) {
		if (sock->remote_port != from_port || !ip_addr_cmp_zoneless(&sock->remote, from))
			return 0;
		points += 4;
	}
	if (sock->options.bound_if) {
		if (sock->options.bound_if != (int)netif_get_index(netif))
			return 0;
		points += 2;
	}
	return sock->family == AF_INET && !IP_IS_V6(to) ? points + 1 : points;
}

struct inet_socket *datagram_find(const ip_addr_t *to, uint16_t to_port, const ip_addr_t *from, uint16_t from_port,
	const struct netif *netif)
{
	struct inet_socket *sock, *best = NULL;
	unsigned most = 0;

	INET_FOREACH(sock) {
		unsigned points = score(sock, to, to_port, from, from_port, netif);

		if (points > most) {
			most = points;
			best = sock;
		}
	}
	return best;
}

static void queue_one(struct inet_socket *sock, struct pbuf *p, uint16_t from_port, uint16_t piece)
{
	if (!filtered(sock, p, UDP_HLEN, ip_current_header_tot_len())) {
		pbuf_free(p);
		return;
	}
	pbuf_remove_header(p, UDP_HLEN);
	queue_packet(sock, p, from_port, piece);
}

/* A packet that begins with its UDP header. What is several datagrams in one is one only for who asked for that (UDP_GRO). */
static void queue_udp(struct inet_socket *sock, struct pbuf *p, uint16_t from_port)
{
	size_t part;

	if (!datagram_piece || p->tot_len <= UDP_HLEN + datagram_piece || sock->whole) {
		queue_one(sock, p, from_port, p->tot_len > UDP_HLEN + datagram_piece ? datagram_piece : 0);
		return;
	}
	for (size_t at = UDP_HLEN; at < p->tot_len; at += part) {
		struct pbuf *each;

		part = MIN((size_t)p->tot_len - at, (size_t)datagram_piece);
		each = pbuf_alloc(PBUF_RAW, (u16_t)(UDP_HLEN + part), PBUF_RAM);
		if (!each)
			break;
		(void)pbuf_copy_partial(p, each->payload, UDP_HLEN, 0);
		((struct udp_hdr *)each->payload)->len = __builtin_bswap16((uint16_t)(UDP_HLEN + part));
		(void)pbuf_copy_partial(p, (char *)each->payload + UDP_HLEN, (u16_t)part, (u16_t)at);
		queue_one(sock, each, from_port, 0);
	}
	pbuf_free(p);
}

/* The packet at hand may be to a group. */
static bool wants_group(const struct inet_socket *sock)
{
	return !ip_addr_ismulticast(ip_current_dest_addr()) || multicast_wants(sock, ip_current_dest_addr(), ip_current_src_addr(),
		netif_get_index(ip_current_input_netif()));
}

/* Multicast and broadcast: a copy for everyone. */
static void deliver_to_all(struct pbuf *p, const struct udp_hdr *header)
{
	const struct netif *netif = ip_current_input_netif();
	uint16_t to_port = __builtin_bswap16(header->dest), from_port = __builtin_bswap16(header->src);
	struct inet_socket *sock;
	bool wanted = false;

	INET_FOREACH(sock) {
		struct pbuf *copy;

		if (!score(sock, ip_current_dest_addr(), to_port, ip_current_src_addr(), from_port, netif) || !wants_group(sock))
			continue;
		wanted = true;
		copy = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
		if (copy)
			queue_udp(sock, copy, from_port);
	}
	counters_udp(ip_current_is_v6() ? AF_INET6 : AF_INET)->ignored += !wanted;
	pbuf_free(p);
}

static bool udp_is_valid(struct pbuf *p, const struct udp_hdr *header, const struct netif *netif)
{
	uint16_t len;

	if (p->len < UDP_HLEN)
		return false;
	len = __builtin_bswap16(header->len);
	if (len < UDP_HLEN || len > p->tot_len)
		return false;
	pbuf_realloc(p, len);
	if (!(netif->chksum_flags & NETIF_CHECKSUM_CHECK_UDP))
		return true;
	if (!header->chksum)
		return !ip_current_is_v6();
	if (!ip_chksum_pseudo(p, IP_PROTO_UDP, p->tot_len, ip_current_src_addr(), ip_current_dest_addr()))
		return true;
	counters_udp(ip_current_is_v6() ? AF_INET6 : AF_INET)->checksum++;
	return false;
}

/* "Port unreachable", with as much of the packet as RFC 1812 and RFC 4443 ask for; lwIP's own has 8 bytes. */
static void send_unreachable(struct pbuf *p, struct netif *netif)
{
	bool v6 = ip_current_is_v6();
	uint16_t room = v6 ? 1280 - IP6_HLEN - sizeof(struct icmp_head) : 576 - IP_HLEN - sizeof(struct icmp_head);
	uint16_t len = MIN(p->tot_len, room);
	struct pbuf *out = pbuf_alloc(PBUF_IP, (u16_t)(sizeof(struct icmp_head) + len), PBUF_RAM);
	struct icmp_head *head;

	if (!out)
		return;
	head = out->payload;
	*head = (struct icmp_head){.type = v6 ? ICMP6_UNREACHABLE : ICMP4_UNREACHABLE, .code = v6 ? 4 : 3};
	(void)pbuf_copy_partial(p, head + 1, len, 0);
	if (v6)
		head->checksum = ip_chksum_pseudo(out, IP6_NEXTH_ICMP6, out->tot_len, ip_current_dest_addr(), ip_current_src_addr());
	else
		head->checksum = inet_chksum_pbuf(out);
	if (!v6)
		counters_icmp4_out(ICMP4_UNREACHABLE);
	(void)ip_output_if(out, ip_current_dest_addr(), ip_current_src_addr(), IP_DEFAULT_TTL, 0,
		v6 ? IP6_NEXTH_ICMP6 : IP_PROTO_ICMP, netif);
	pbuf_free(out);
}

void udp_input(struct pbuf *p, struct netif *netif)
{
	const struct udp_hdr *header = p->payload;
	int family = ip_current_is_v6() ? AF_INET6 : AF_INET;
	struct inet_socket *sock;
	uint16_t from_port;

	if (!udp_is_valid(p, header, netif)) {
		counters_udp(family)->errors++;
		pbuf_free(p);
		return;
	}
	if (ip_addr_ismulticast(ip_current_dest_addr()) || ip_addr_isbroadcast(ip_current_dest_addr(), ip_current_netif())) {
		deliver_to_all(p, header);
		return;
	}
	if (netif == &loop_netif && resolver_query(p))
		return;
	from_port = __builtin_bswap16(header->src);
	sock = datagram_find(ip_current_dest_addr(), __builtin_bswap16(header->dest), ip_current_src_addr(), from_port, netif);
	if (sock) {
		queue_udp(sock, p, from_port);
		return;
	}
	counters_udp(family)->no_ports++;
	pbuf_header_force(p, (s16_t)ip_current_header_tot_len());
	/* With an engine's resolver in the namespace, an answer to a port that is not ours is that one's. */
	if (from_port != DNS_PORT || __builtin_bswap16(header->dest) < HOST_PORTS || !resolver_is_there())
		send_unreachable(p, netif);
	pbuf_free(p);
}

/* ---- raw and ping sockets ---- */

/* Whether a packet is this socket's; at: where what follows the IP header begins. */
static bool raw_matches(const struct inet_socket *sock, struct pbuf *p, uint16_t at, uint8_t protocol)
{
	struct icmp_head icmp;

	if ((sock->family == AF_INET6) != ip_current_is_v6() || sock->base.type == SOCK_STREAM ||
	    sock->base.protocol != protocol || (sock->base.type == SOCK_DGRAM && protocol == IPPROTO_UDP))
		return false;
	if (!ip_addr_isany(&sock->local) && !ip_addr_cmp_zoneless(&sock->local, ip_current_dest_addr()))
		return false;
	if (sock->connected && !ip_addr_cmp_zoneless(&sock->remote, ip_current_src_addr()))
		return false;
	if (sock->options.bound_if && sock->options.bound_if != (int)netif_get_index(ip_current_input_netif()))
		return false;
	if (!wants_group(sock))
		return false;
	if (sock->base.type == SOCK_RAW) {
		uint8_t type = pbuf_try_get_at(p, at) >= 0 ? (uint8_t)pbuf_try_get_at(p, at) : 0;

		return (protocol != IPPROTO_ICMP && protocol != IPPROTO_ICMPV6) ||
		       !sock->icmp_filter || !(sock->icmp_filter[type / 32] & 1u << type % 32);
	}
	return pbuf_copy_partial(p, &icmp, sizeof(icmp), at) == sizeof(icmp) &&
	       icmp.type == (sock->family == AF_INET6 ? ICMP6_ECHO_REPLY : ICMP4_ECHO_REPLY) &&
	       icmp.id == __builtin_bswap16(sock->local_port);
}

/* The protocol of a packet whose headers, `len` bytes, lwIP has been through. What was put together of fragments has lost theirs. */
static uint8_t protocol_of(const struct pbuf *p, uint16_t len)
{
	const uint8_t *header = p->payload;
	uint8_t protocol;

	if (!ip_current_is_v6())
		return IPH_PROTO(ip4_current_header());
	protocol = IP6H_NEXTH((const struct ip6_hdr *)header);
	for (unsigned at = IP6_HLEN; at + 8 <= len && at + 8 <= p->len;) {
		const uint8_t *next = header + at;

		at += protocol == IP6_NEXTH_FRAGMENT ? 8u : 8u * (next[1] + 1u);
		protocol = next[0];
	}
	return protocol;
}

/* IPV6_CHECKSUM: what has a wrong one is not shown. */
static bool raw6_is_good(const struct inet_socket *sock, struct pbuf *p, uint8_t protocol)
{
	return !sock->checksum_place || protocol == IPPROTO_ICMPV6 || ip_current_input_netif() == &loop_netif ||
	       !ip_chksum_pseudo(p, protocol, p->tot_len, ip_current_src_addr(), ip_current_dest_addr());
}

raw_input_state_t raw_input(struct pbuf *p, struct netif *netif)
{
	raw_input_state_t state = RAW_INPUT_NONE;
	bool v6 = ip_current_is_v6();
	uint16_t at = ip_current_header_tot_len();
	uint8_t protocol = protocol_of(p, at);
	struct inet_socket *sock;

	if (!v6 && protocol == IP_PROTO_ICMP)
		error_icmp4(p, at, netif);
	else if (v6 && protocol == IP6_NEXTH_ICMP6)
		error_icmp6(p, at, netif);
	if (!inet_raw_sockets)
		return state;
	INET_FOREACH(sock) {
		struct pbuf *copy;

		if (!raw_matches(sock, p, at, protocol))
			continue;
		copy = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
		if (!copy)
			continue;
		if (v6 || sock->base.type == SOCK_DGRAM)
			pbuf_remove_header(copy, at);
		if (raw6_is_good(sock, copy, protocol) && filtered(sock, copy, 1, copy->tot_len == p->tot_len ? 0 : at))
			queue_packet(sock, copy, 0, 0);
		else
			pbuf_free(copy);
		state = RAW_INPUT_DELIVERED;
	}
	return state;
}
