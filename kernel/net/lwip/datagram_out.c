/*
 * Sending on datagram sockets: where a message goes, its headers, what is gathered for one datagram (UDP_CORK, MSG_MORE), and
 * what is cut into several (UDP_SEGMENT, udp(7)). Over the loopback those stay together until they are received, as on Linux.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <lwip/inet_chksum.h>
#include <lwip/prot/udp.h>

#include "kernel/net/lwip/counters.h"
#include "kernel/net/lwip/datagram.h"
#include "kernel/net/lwip/multicast.h"

#define UDP4_MAX 65507u
#define UDP6_MAX 65527u /* beyond a packet only in pieces: there are no fragments of more */
#define PIECES_MAX 128u /* of one message: UDP_MAX_SEGMENTS */

static uint16_t checksum(struct pbuf *p, uint8_t protocol, const ip_addr_t *from, const ip_addr_t *to)
{
	return ip_chksum_pseudo(p, protocol, p->tot_len, from, to);
}

static void udp_header(struct pbuf *p, const struct inet_socket *sock, uint16_t port, const ip_addr_t *from,
	const ip_addr_t *to, const struct netif *netif)
{
	struct udp_hdr *header = p->payload;

	header->src = __builtin_bswap16(sock->local_port);
	header->dest = __builtin_bswap16(port);
	header->len = __builtin_bswap16(p->tot_len);
	header->chksum = 0;
	if (!(netif->chksum_flags & NETIF_CHECKSUM_GEN_UDP) || (IP_IS_V6(to) ? sock->no_check6 : sock->options.no_check))
		return;
	header->chksum = checksum(p, IP_PROTO_UDP, from, to);
	if (!header->chksum)
		header->chksum = 0xffff;
}

/* Echo requests only, with our identifier and a right checksum. */
static int ping_header(struct pbuf *p, const struct inet_socket *sock, const ip_addr_t *from, const ip_addr_t *to)
{
	struct icmp_head *header = p->payload;
	bool v6 = sock->family == AF_INET6;

	if (p->len < sizeof(*header) || header->type != (v6 ? ICMP6_ECHO : ICMP4_ECHO) || header->code)
		return -EINVAL;
	header->id = __builtin_bswap16(sock->local_port);
	header->checksum = 0;
	header->checksum = v6 ? checksum(p, IP6_NEXTH_ICMP6, from, to) : inet_chksum_pbuf(p);
	if (!v6)
		counters_icmp4_out(header->type);
	return 0;
}

/* The checksum of what a raw socket sends under IPv6, where it wants one (IPV6_CHECKSUM). */
static int raw6_checksum(const struct inet_socket *sock, struct pbuf *p, const ip_addr_t *from, const ip_addr_t *to)
{
	int at = inet_checksum_at(sock);
	uint16_t sum = 0;

	if (at < 0)
		return 0;
	if (at + 1 >= (int)p->len)
		return -EINVAL;
	memcpy((char *)p->payload + at, &sum, sizeof(sum));
	sum = checksum(p, (uint8_t)sock->base.protocol, from, to);
	memcpy((char *)p->payload + at, &sum, sizeof(sum));
	return 0;
}

static int raw_send(struct inet_socket *sock, struct pbuf *p, const ip_addr_t *from, const ip_addr_t *to,
	const struct outgoing *out, struct netif *netif)
{
	int rc;

	if (sock->header_included && IP_IS_V6(to))
		return p->len < IP6_HLEN ? -EINVAL : stack_error(ip6_output_if(p, ip_2_ip6(from), LWIP_IP_HDRINCL, 0, 0, 0, netif));
	if (sock->header_included) {
		struct ip_hdr *header = p->payload;

		if (p->len < IP_HLEN || IPH_HL_BYTES(header) < IP_HLEN || IPH_HL_BYTES(header) > p->len)
			return -EINVAL;
		if (!header->src.addr)
			header->src.addr = ip4_addr_get_u32(ip_2_ip4(from));
		IPH_LEN_SET(header, __builtin_bswap16(p->tot_len));
		IPH_CHKSUM_SET(header, 0);
		IPH_CHKSUM_SET(header, inet_chksum(header, IPH_HL_BYTES(header)));
		return stack_error(ip4_output_if(p, ip_2_ip4(from), LWIP_IP_HDRINCL, 0, 0, 0, netif));
	}
	rc = sock->family == AF_INET6 ? raw6_checksum(sock, p, from, to) : 0;
	return rc ? rc : stack_error(ip_output_if(p, from, to, out->ttl, out->tos, (u8_t)sock->base.protocol, netif));
}

static int transmit(struct inet_socket *sock, struct pbuf *p, ip_addr_t *from, const ip_addr_t *to, uint16_t port,
	const struct outgoing *out, struct netif *netif)
{
	int rc;

	if (sock->base.type == SOCK_RAW)
		return raw_send(sock, p, from, to, out, netif);
	if (sock->base.protocol != IPPROTO_UDP) {
		rc = ping_header(p, sock, from, to);
		return rc ? rc : stack_error(ip_output_if(p, from, to, out->ttl, out->tos, (u8_t)sock->base.protocol, netif));
	}
	udp_header(p, sock, port, from, to, netif);
	counters_udp(IP_IS_V6(to) ? AF_INET6 : AF_INET)->out++;
	return stack_error(ip_output_if(p, from, to, out->ttl, out->tos, IP_PROTO_UDP, netif));
}

/* Where a message goes. */
static int destination(struct inet_socket *sock, const struct socket_send *send, ip_addr_t *to, uint16_t *port)
{
	int rc;

	bool named = send->address && send->address->len;

	if (named && sock->family == AF_INET6 && send->address->len >= 2 && send->address->family == AF_UNSPEC)
		named = false; /* as if there were none */
	if (named) {
		rc = address_decode(sock, send->address, to, port);
		if (rc == -EAFNOSUPPORT && send->address->family == AF_UNSPEC && sock->family == AF_INET) {
			send->address->family = AF_INET;
			rc = address_decode(sock, send->address, to, port);
		}
	} else {
		rc = sock->connected ? 0 : -EDESTADDRREQ;
		ip_addr_copy(*to, sock->remote);
		*port = sock->remote_port;
	}
	if (rc == -EAFNOSUPPORT && sock->family == AF_INET6)
		rc = -EINVAL;
	if (!rc && sock->base.protocol == IPPROTO_UDP && !*port)
		rc = -EINVAL;
	return rc ? rc : datagram_check_version(sock, to);
}

static size_t udp_max(const struct inet_socket *sock)
{
	return sock->family == AF_INET6 ? UDP6_MAX : UDP4_MAX;
}

/* Only whether it could be sent: the data is not looked at, so most of its length is not either. */
static bool is_probe(const struct inet_socket *sock, const struct socket_send *send)
{
	return send->flags & MSG_PROBE && sock->base.protocol == IPPROTO_UDP && datagram_has_ports(sock);
}

static int check_send(struct inet_socket *sock, const struct socket_send *send)
{
	if (sock->error)
		return inet_take_error(sock);
	if (send->flags & MSG_OOB && (sock->family == AF_INET || !datagram_has_ports(sock))) /* UDP under IPv6 does not look at it */
		return -EOPNOTSUPP;
	if (sock->shutdown & INET_SHUT_SEND)
		return -EPIPE;
	return sock->family == AF_INET && send->len > UINT16_MAX ? -EMSGSIZE : 0;
}

/* No packet holds it: whoever wants to know hears what the path carries, as of what is only too long for that. */
static int refuse_long(struct inet_socket *sock, const ip_addr_t *to, uint16_t port, ip_addr_t *from, const struct outgoing *out)
{
	struct netif *netif;

	stack_select(sock->net);
	netif = datagram_route(sock, to, from, out->index, false);
	return netif ? error_too_long(sock, to, port, netif == &loop_netif ? LOOPBACK_MTU : path_mtu(to, netif)) : -ENETUNREACH;
}

/* Multicast and broadcast reach our own sockets, too, as if by the link that they leave by. */
static void send_to_ourselves(struct inet_socket *sock, struct pbuf *p, ip_addr_t *from, const ip_addr_t *to, uint16_t port,
	const struct outgoing *out, struct netif *netif)
{
	bool group = ip_addr_ismulticast(to);
	struct pbuf *copy;

	if (group ? !multicast_is_member(netif, to) || !(IP_IS_V6(to) ? sock->multicast_loop6 : sock->multicast_loop) :
		    !ip_addr_isbroadcast(to, netif))
		return;
	copy = pbuf_clone(PBUF_IP, PBUF_RAM, p);
	if (!copy)
		return;
	loop_pretend(netif);
	(void)transmit(sock, copy, from, to, port, out, &loop_netif);
	loop_pretend(NULL);
	pbuf_free(copy);
}

/* What must not leave the host: a TTL of 0, IPv6 groups of the interface (RFC 4291, 2.7). */
static bool stays_here(const struct outgoing *out, const ip_addr_t *to)
{
	return ip_addr_ismulticast(to) && (!out->ttl || (IP_IS_V6(to) && ip6_addr_multicast_scope(ip_2_ip6(to)) <= 1));
}

/*
 * What a packet may be cut to, and whether nobody on the way may cut it further. 0, or -EMSGSIZE where it must not be cut
 * and is too long (IP_MTU_DISCOVER of ip(7)).
 */
static int fit_path(struct inet_socket *sock, const struct pbuf *p, const ip_addr_t *to, uint16_t port, struct netif *netif,
	uint16_t *mtu, bool *whole)
{
	bool v6 = IP_IS_V6(to), included = sock->header_included;
	uint8_t discover = v6 ? sock->discover6 : sock->discover;
	uint16_t limit;
	size_t len = p->tot_len + (included ? 0u : v6 ? IP6_HLEN : IP_HLEN);

	*mtu = device_mtu(netif);
	if (discover < IP_PMTUDISC_PROBE && !included && netif != &loop_netif)
		*mtu = path_mtu(to, netif);
	limit = v6 && sock->fragment_size6 ? MIN(*mtu, sock->fragment_size6) : *mtu;
	*whole = !included && (discover == IP_PMTUDISC_DO || discover == IP_PMTUDISC_PROBE || (discover == IP_PMTUDISC_WANT && len <= *mtu));
	if (netif == &loop_netif || len <= limit)
		return 0;
	if (included || (v6 && sock->dont_fragment6) || (discover >= IP_PMTUDISC_DO && discover != IP_PMTUDISC_OMIT))
		return error_too_long(sock, to, port, limit);
	if (len > *mtu) /* as Linux: what the path carries whole is not cut for the program's own limit */
		*mtu = limit;
	return 0;
}

static int send_by(struct inet_socket *sock, struct pbuf *p, ip_addr_t *from, ip_addr_t *to, uint16_t port,
	const struct outgoing *out, struct netif *netif)
{
	uint16_t mtu, len = p->tot_len;
	bool whole;
	int rc;

	if (IP_IS_V6(to) && ip6_addr_lacks_zone(ip_2_ip6(to), IP6_UNKNOWN))
		ip6_addr_assign_zone(ip_2_ip6(to), IP6_UNKNOWN, netif);
	rc = fit_path(sock, p, to, port, netif, &mtu, &whole);
	if (rc)
		return rc;
	stack_enter(sock->net);
	if (netif != &loop_netif)
		send_to_ourselves(sock, p, from, to, port, out, netif);
	device_fragment_to(netif, mtu, whole);
	loop_cut(out->piece);
	path_limit6(sock->fragment_size6 ? mtu : 0);
	if (netif == &loop_netif || !stays_here(out, to))
		rc = transmit(sock, p, from, to, port, out, netif);
	loop_cut(0);
	path_limit6(0);
	device_fragment(netif, false);
	/* What was put before it are headers of IP (20, 40 bytes, or none), and 14 bytes of Ethernet's where it came so far. */
	if (!rc && out->stamps)
		stamp_sent(sock, p, (p->tot_len - len) % 20 == 0, out->stamps, out->stamp_key);
	stack_leave();
	return rc;
}

/* A payload in p behind room for its header that is to leave as several datagrams. Each but the last has out->piece bytes. */
static int send_pieces(struct inet_socket *sock, const struct pbuf *p, ip_addr_t *from, ip_addr_t *to, uint16_t port,
	const struct outgoing *out, struct netif *netif)
{
	struct outgoing each = *out;
	int rc = 0;

	each.piece = 0;
	for (size_t at = UDP_HLEN, part; at < p->tot_len && !rc; at += part) {
		struct pbuf *piece;

		part = MIN((size_t)p->tot_len - at, (size_t)out->piece);
		piece = pbuf_alloc(PBUF_IP, (u16_t)(UDP_HLEN + part), PBUF_RAM);
		if (!piece)
			return -ENOBUFS;
		(void)pbuf_copy_partial(p, (char *)piece->payload + UDP_HLEN, (u16_t)part, (u16_t)at);
		rc = send_by(sock, piece, from, to, port, &each, netif);
		pbuf_free(piece);
		each.stamps = 0; /* one note for the message */
	}
	return rc;
}

/* 0, or why a message cannot be cut so: as udp_send_skb() of Linux has it. */
static int check_pieces(const struct inet_socket *sock, const struct pbuf *p, const ip_addr_t *to, const struct outgoing *out,
	struct netif *netif)
{
	size_t headers = UDP_HLEN + (IP_IS_V6(to) ? IP6_HLEN : IP_HLEN), len = p->tot_len - UDP_HLEN;

	if (headers + out->piece > (netif == &loop_netif ? LOOPBACK_MTU : path_mtu(to, netif)))
		return -EMSGSIZE;
	if (len > out->piece * PIECES_MAX)
		return -EINVAL;
	return IP_IS_V6(to) ? (sock->no_check6 ? -EINVAL : 0) : sock->options.no_check ? -EINVAL : 0;
}

/* A packet of ours, with its header's room: sent, and freed. */
static int send_packet(struct inet_socket *sock, struct pbuf *p, ip_addr_t *to, uint16_t port, ip_addr_t *from,
	struct outgoing *out, unsigned flags)
{
	struct netif *netif;
	bool cut, too_long;
	int rc;

	stack_select(sock->net); /* again: copying the payload may have slept */
	netif = datagram_route(sock, to, from, out->index, flags & MSG_DONTROUTE);
	rc = netif ? 0 : -ENETUNREACH;

	if (!rc && ip_addr_isany(to))
		ip_addr_copy(*to, *from);
	if (!rc && route_is_broadcast(to) && !sock->options.broadcast)
		rc = -EACCES;
	if (!rc && out->piece)
		rc = check_pieces(sock, p, to, out, netif);
	cut = out->piece && p->tot_len > UDP_HLEN + out->piece;
	too_long = p->tot_len > UINT16_MAX - (sock->header_included ? 0 : IP_IS_V6(to) ? IP6_HLEN : IP_HLEN);
	if (!cut)
		out->piece = 0;
	if (!rc && !cut && too_long)
		rc = -EMSGSIZE;
	if (!rc)
		rc = cut && (netif != &loop_netif || too_long) ? send_pieces(sock, p, from, to, port, out, netif) :
			send_by(sock, p, from, to, port, out, netif);
	pbuf_free(p);
	return rc;
}

static void source_of(const struct inet_socket *sock, const ip_addr_t *to, ip_addr_t *from)
{
	ip_addr_copy(*from, sock->local);
	if (ip_addr_isany(from) || sock->many_bound)
		ip_addr_copy(*from, *(IP_IS_V6(to) ? IP6_ADDR_ANY : IP4_ADDR_ANY));
}

static struct outgoing outgoing_of(const struct inet_socket *sock, const ip_addr_t *to)
{
	bool udp = sock->base.protocol == IPPROTO_UDP && sock->base.type == SOCK_DGRAM;

	return (struct outgoing){.ttl = ip_addr_ismulticast(to) ? sock->multicast_ttl : sock->ttl, .tos = sock->tos,
		.piece = udp ? (uint16_t)sock->segment_size : 0, .stamps = sock->options.stamping & STAMPING_RECORD};
}

static int push(struct inet_socket *sock)
{
	struct pbuf *p = sock->corked;
	struct inet_gathering *how = sock->gathering;

	sock->corked = NULL;
	return p ? send_packet(sock, p, &how->to, how->port, &how->from, &how->out, 0) : 0;
}

int datagram_push(struct inet_socket *sock)
{
	int rc;

	mutex_lock(&sock->read_lock);
	rc = push(sock);
	mutex_unlock(&sock->read_lock);
	return rc;
}

/* What leaves with the first of several calls: its address, its control messages. */
static int begin_gathering(struct inet_socket *sock, struct socket_send *send)
{
	struct inet_gathering *how = sock->gathering;
	int rc;

	if (!how)
		how = sock->gathering = kzalloc(sizeof(*how));
	if (!how)
		return -ENOBUFS;
	rc = destination(sock, send, &how->to, &how->port);
	if (rc)
		return rc;
	how->out = outgoing_of(sock, &how->to);
	source_of(sock, &how->to, &how->from);
	rc = control_decode(sock, send, &how->from, &how->out);
	if (!rc && !is_probe(sock, send))
		stamp_number(sock, &how->out);
	return rc;
}

/* UDP_CORK, MSG_MORE: one datagram of what several calls send, to where the first says. */
static int gather(struct inet_socket *sock, struct socket_send *send)
{
	size_t old = sock->corked ? sock->corked->tot_len : UDP_HLEN;
	struct pbuf *p = old + send->len <= udp_max(sock) + UDP_HLEN ? pbuf_alloc(PBUF_IP, (u16_t)(old + send->len), PBUF_RAM) : NULL;
	int rc;

	if (!p)
		return old + send->len <= udp_max(sock) + UDP_HLEN ? -ENOBUFS : -EMSGSIZE;
	rc = send->len ? send->copy->copy(send->copy, (char *)p->payload + old, send->len) : 0;
	if (rc) {
		pbuf_free(p);
		return rc;
	}
	if (sock->corked) {
		(void)pbuf_copy_partial(sock->corked, p->payload, (u16_t)old, 0);
		pbuf_free(sock->corked);
	}
	sock->corked = p;
	return 0;
}

static int64_t send_gathered(struct inet_socket *sock, struct socket_send *send)
{
	int rc;

	mutex_lock(&sock->read_lock); /* over the copy: what is corked stays, and nobody else sends it */
	stack_select(sock->net);
	rc = datagram_autobind(sock);
	if (!rc && !sock->corked)
		rc = begin_gathering(sock, send);
	if (!rc && !is_probe(sock, send))
		rc = gather(sock, send);
	if (!rc && !sock->cork && !(send->flags & MSG_MORE))
		rc = push(sock);
	mutex_unlock(&sock->read_lock);
	return rc ? rc : (int64_t)send->len;
}

int64_t datagram_send(struct socket *base, struct socket_send *send)
{
	struct inet_socket *sock = inet_of(base);
	bool udp = sock->base.protocol == IPPROTO_UDP && datagram_has_ports(sock);
	uint16_t port, header = udp ? UDP_HLEN : 0;
	ip_addr_t to, from;
	struct pbuf *p;
	int rc = check_send(sock, send);

	if (!rc && udp && (sock->corked || sock->cork || send->flags & MSG_MORE))
		return send_gathered(sock, send);
	if (!rc)
		rc = datagram_autobind(sock);
	if (!rc)
		rc = destination(sock, send, &to, &port);
	if (rc)
		return rc;
	source_of(sock, &to, &from);
	struct outgoing out = outgoing_of(sock, &to);
	rc = control_decode(sock, send, &from, &out);
	if (rc || is_probe(sock, send))
		return rc ? rc : (int64_t)send->len;
	if (send->len > udp_max(sock))
		return refuse_long(sock, &to, port, &from, &out);
	stamp_number(sock, &out);
	p = pbuf_alloc(PBUF_IP, (u16_t)(header + send->len), PBUF_RAM);
	if (!p)
		return -ENOBUFS;
	rc = send->len ? send->copy->copy(send->copy, (char *)p->payload + header, send->len) : 0;
	if (rc || send->flags & MSG_PROBE)
		pbuf_free(p);
	else
		rc = send_packet(sock, p, &to, port, &from, &out, send->flags);
	if (!rc && send->len && send->flags & MSG_ZEROCOPY && sock->options.zerocopy)
		error_zerocopy_done(sock);
	return rc ? rc : (int64_t)send->len;
}
