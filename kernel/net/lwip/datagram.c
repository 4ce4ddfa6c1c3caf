/*
 * Datagram sockets: UDP (udp(7)), ping sockets (icmp(7)) and raw sockets (raw(7)). lwIP gives us IP packets where its
 * own udp.c and raw.c would have been called (udp_input(), raw_input()), and takes finished payloads.
 *
 * A ping socket's local port is its ICMP identifier.
 */
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <lwip/inet_chksum.h>
#include <lwip/prot/udp.h>

#include "kernel/net/lwip/counters.h"
#include "kernel/net/lwip/datagram.h"
#include "kernel/net/lwip/multicast.h"
#include "kernel/random.h"
#include "kernel/user_ns.h"
#include "ring0/clock.h"

#define UDP_MAX 65507u

/* ---- names ---- */

static bool has_ports(const struct inet_socket *sock)
{
	return sock->base.type == SOCK_DGRAM;
}

static int choose_port(struct inet_socket *sock, const ip_addr_t *ip)
{
	const uint32_t span = TCP_LOCAL_PORT_RANGE_END - TCP_LOCAL_PORT_RANGE_START + 1;
	uint32_t at = (uint32_t)random_u64() % span;

	for (uint32_t tries = 0; tries < span; tries++) {
		uint16_t port = (uint16_t)(TCP_LOCAL_PORT_RANGE_START + (at + tries) % span);

		if (inet_port_in_use(sock, ip, port))
			continue;
		sock->local_port = port;
		sock->bound = true;
		return 0;
	}
	return -EAGAIN;
}

static int autobind(struct inet_socket *sock)
{
	return sock->bound || !has_ports(sock) ? 0 : choose_port(sock, &sock->local);
}

static int datagram_bind(struct socket *base, struct socket_address *address)
{
	struct inet_socket *sock = inet_of(base);
	ip_addr_t ip;
	uint16_t port;
	int rc = address_decode(sock, address, &ip, &port);

	if (rc)
		return rc;
	if (sock->bound && has_ports(sock))
		return -EINVAL;
	if (sock->family == AF_INET6 && IP_IS_V4(&ip) && sock->v6only)
		return -EINVAL;
	if (!sock->free_bind && !route_can_bind(&ip))
		return -EADDRNOTAVAIL;
	if (port && port < sysctls.unprivileged_port_start && sock->base.protocol == IPPROTO_UDP && !net_capable(CAP_NET_BIND_SERVICE))
		return -EACCES;
	if (port && has_ports(sock) && inet_port_in_use(sock, &ip, port))
		return -EADDRINUSE;
	if (ip_addr_isany(&ip) && IP_IS_V6(&ip) && !sock->v6only)
		ip_addr_copy(ip, *IP_ANY_TYPE);
	ip_addr_copy(sock->local, ip);
	sock->address_bound = !ip_addr_isany(&ip);
	sock->local_port = port;
	sock->bound = true;
	if (port || !has_ports(sock))
		return 0;
	sock->bound = false;
	return choose_port(sock, &ip);
}

static void disconnect(struct inet_socket *sock)
{
	sock->connected = false;
	sock->remote_port = 0;
	if (!sock->address_bound)
		ip_addr_copy(sock->local, *(sock->family == AF_INET ? IP4_ADDR_ANY : sock->v6only ? IP6_ADDR_ANY : IP_ANY_TYPE));
}

/* Whether a socket may talk to an address of this version. */
static int check_version(const struct inet_socket *sock, const ip_addr_t *to)
{
	if (sock->family == AF_INET6 && IP_IS_V4(to) && (sock->v6only || (sock->address_bound && IP_IS_V6(&sock->local))))
		return -ENETUNREACH;
	if (IP_IS_V6(to) && sock->address_bound && IP_IS_V4(&sock->local))
		return -ENETUNREACH;
	return 0;
}

/* The link and the source of a datagram. index: of the link that IP_PKTINFO asks for; 0: none. */
static struct netif *route_datagram(const struct inet_socket *sock, const ip_addr_t *to, ip_addr_t *from, int index, bool direct)
{
	bool v6 = IP_IS_V6(to);

	if (!index && !sock->options.bound_if && ip_addr_ismulticast(to)) {
		index = v6 ? sock->multicast_if6 : sock->multicast_if;
		if (!v6 && ip_addr_isany(from) && sock->multicast_from)
			ip_addr_set_ip4_u32_val(*from, sock->multicast_from);
		if (!v6 && !index && !ip_addr_isany(from))
			index = route_index_of(ip4_addr_get_u32(ip_2_ip4(from)));
	}
	return index ? route_find_by(index, to, from) : route_find_for(sock, to, from, direct);
}

static int datagram_connect(struct socket *base, struct socket_address *address, uint64_t deadline)
{
	struct inet_socket *sock = inet_of(base);
	ip_addr_t to, from;
	uint16_t port;
	int rc;

	if (address->len >= 2 && address->family == AF_UNSPEC) {
		disconnect(sock);
		return 0;
	}
	rc = address_decode(sock, address, &to, &port);
	if (!rc)
		rc = check_version(sock, &to);
	if (rc)
		return rc;
	ip_addr_copy(from, sock->local);
	if (!sock->address_bound)
		ip_addr_copy(from, *(IP_IS_V6(&to) ? IP6_ADDR_ANY : IP4_ADDR_ANY));
	if (!route_datagram(sock, &to, &from, 0, false))
		return -ENETUNREACH;
	if (ip_addr_isany(&to))
		ip_addr_copy(to, from);
	rc = autobind(sock);
	if (rc)
		return rc;
	ip_addr_copy(sock->remote, to);
	ip_addr_copy(sock->local, from);
	sock->remote_port = port;
	sock->connected = true;
	sock->error = 0;
	return 0;
}

static int datagram_name(struct socket *base, bool peer, struct socket_address *address)
{
	struct inet_socket *sock = inet_of(base);

	if (peer && !sock->connected)
		return -ENOTCONN;
	address_encode(sock->family, peer ? &sock->remote : &sock->local, peer ? sock->remote_port : sock->local_port, address);
	return 0;
}

/* ---- sending ---- */

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

static int raw_send(struct inet_socket *sock, struct pbuf *p, const ip_addr_t *from, const ip_addr_t *to,
	const struct outgoing *out, struct netif *netif)
{
	if (sock->header_included && IP_IS_V4(to)) {
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
	if (sock->family == AF_INET6 && sock->base.protocol == IPPROTO_ICMPV6 && p->len >= 4) {
		struct icmp_head *header = p->payload;

		header->checksum = 0;
		header->checksum = checksum(p, IP6_NEXTH_ICMP6, from, to);
	}
	return stack_error(ip_output_if(p, from, to, out->ttl, out->tos, (u8_t)sock->base.protocol, netif));
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

	if (send->address && send->address->len) {
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
	if (!rc && sock->base.protocol == IPPROTO_UDP && !*port)
		rc = -EINVAL;
	return rc ? rc : check_version(sock, to);
}

static int check_send(struct inet_socket *sock, const struct socket_send *send)
{
	if (sock->error)
		return inet_take_error(sock);
	if (send->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (sock->shutdown & INET_SHUT_SEND)
		return -EPIPE;
	return send->len > UDP_MAX ? -EMSGSIZE : 0;
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
	bool v6 = IP_IS_V6(to), included = sock->header_included && !v6;
	uint8_t discover = v6 ? sock->discover6 : sock->discover;
	size_t len = p->tot_len + (v6 ? IP6_HLEN : included ? 0u : IP_HLEN);

	*mtu = device_mtu(netif);
	if (discover < IP_PMTUDISC_PROBE && !included)
		*mtu = path_mtu(to, netif);
	*whole = !included && (discover == IP_PMTUDISC_DO || discover == IP_PMTUDISC_PROBE || (discover == IP_PMTUDISC_WANT && len <= *mtu));
	if (netif == &loop_netif || len <= *mtu)
		return 0;
	if (included || (v6 && sock->dont_fragment6) || (discover >= IP_PMTUDISC_DO && discover != IP_PMTUDISC_OMIT))
		return error_too_long(sock, to, port, *mtu);
	return 0;
}

static int send_by(struct inet_socket *sock, struct pbuf *p, ip_addr_t *from, ip_addr_t *to, uint16_t port,
	const struct outgoing *out, struct netif *netif)
{
	uint16_t mtu;
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
	if (netif == &loop_netif || !stays_here(out, to))
		rc = transmit(sock, p, from, to, port, out, netif);
	device_fragment(netif, false);
	stack_leave();
	return rc;
}

/* A packet of ours, with its header's room: sent, and freed. */
static int send_packet(struct inet_socket *sock, struct pbuf *p, ip_addr_t *to, uint16_t port, ip_addr_t *from,
	const struct outgoing *out, unsigned flags)
{
	struct netif *netif;
	int rc;

	stack_select(sock->net); /* again: copying the payload may have slept */
	netif = route_datagram(sock, to, from, out->index, flags & MSG_DONTROUTE);
	rc = netif ? 0 : -ENETUNREACH;

	if (!rc && IP_IS_V4(to) && ip4_addr_isbroadcast(ip_2_ip4(to), netif) && !sock->options.broadcast)
		rc = -EACCES;
	if (!rc && ip_addr_isany(to))
		ip_addr_copy(*to, *from);
	if (!rc)
		rc = send_by(sock, p, from, to, port, out, netif);
	pbuf_free(p);
	return rc;
}

static void source_of(const struct inet_socket *sock, const ip_addr_t *to, ip_addr_t *from)
{
	ip_addr_copy(*from, sock->local);
	if (ip_addr_isany(from))
		ip_addr_copy(*from, *(IP_IS_V6(to) ? IP6_ADDR_ANY : IP4_ADDR_ANY));
}

static struct outgoing outgoing_of(const struct inet_socket *sock, const ip_addr_t *to)
{
	return (struct outgoing){.ttl = ip_addr_ismulticast(to) ? sock->multicast_ttl : sock->ttl, .tos = sock->tos};
}

static int push(struct inet_socket *sock)
{
	struct pbuf *p = sock->corked;
	ip_addr_t from, to = sock->corked_to;
	struct outgoing out = outgoing_of(sock, &to);

	sock->corked = NULL;
	source_of(sock, &to, &from);
	return p ? send_packet(sock, p, &to, sock->corked_port, &from, &out, 0) : 0;
}

int datagram_push(struct inet_socket *sock)
{
	int rc;

	mutex_lock(&sock->read_lock);
	rc = push(sock);
	mutex_unlock(&sock->read_lock);
	return rc;
}

/* UDP_CORK, MSG_MORE: one datagram of what several calls send, to where the first says. */
static int gather(struct inet_socket *sock, struct socket_send *send, const ip_addr_t *to, uint16_t port)
{
	size_t old = sock->corked ? sock->corked->tot_len : UDP_HLEN;
	struct pbuf *p = old + send->len <= UDP_MAX + UDP_HLEN ? pbuf_alloc(PBUF_IP, (u16_t)(old + send->len), PBUF_RAM) : NULL;
	int rc;

	if (!p)
		return old + send->len <= UDP_MAX + UDP_HLEN ? -ENOBUFS : -EMSGSIZE;
	rc = send->len ? send->copy->copy(send->copy, (char *)p->payload + old, send->len) : 0;
	if (rc) {
		pbuf_free(p);
		return rc;
	}
	if (sock->corked) {
		(void)pbuf_copy_partial(sock->corked, p->payload, (u16_t)old, 0);
		pbuf_free(sock->corked);
	} else {
		ip_addr_copy(sock->corked_to, *to);
		sock->corked_port = port;
	}
	sock->corked = p;
	return 0;
}

static int64_t send_gathered(struct inet_socket *sock, struct socket_send *send)
{
	uint16_t port = 0;
	ip_addr_t to;
	int rc;

	mutex_lock(&sock->read_lock); /* over the copy: what is corked stays, and nobody else sends it */
	stack_select(sock->net);
	rc = sock->corked ? 0 : destination(sock, send, &to, &port);
	if (!rc)
		rc = autobind(sock);
	if (!rc)
		rc = gather(sock, send, &to, port);
	if (!rc && !sock->cork && !(send->flags & MSG_MORE))
		rc = push(sock);
	mutex_unlock(&sock->read_lock);
	return rc ? rc : (int64_t)send->len;
}

static int64_t datagram_send(struct socket *base, struct socket_send *send)
{
	struct inet_socket *sock = inet_of(base);
	bool udp = sock->base.protocol == IPPROTO_UDP && has_ports(sock);
	uint16_t port, header = udp ? UDP_HLEN : 0;
	ip_addr_t to, from;
	struct pbuf *p;
	int rc = check_send(sock, send);

	if (!rc && udp && (sock->corked || sock->cork || send->flags & MSG_MORE))
		return send_gathered(sock, send);
	if (!rc)
		rc = destination(sock, send, &to, &port);
	if (!rc)
		rc = autobind(sock);
	if (rc)
		return rc;
	source_of(sock, &to, &from);
	struct outgoing out = outgoing_of(sock, &to);
	rc = control_decode(sock, send, &from, &out);
	if (rc)
		return rc;
	p = pbuf_alloc(PBUF_IP, (u16_t)(header + send->len), PBUF_RAM);
	if (!p)
		return -ENOBUFS;
	rc = send->len ? send->copy->copy(send->copy, (char *)p->payload + header, send->len) : 0;
	if (rc)
		pbuf_free(p);
	else
		rc = send_packet(sock, p, &to, port, &from, &out, send->flags);
	if (!rc && send->len && send->flags & MSG_ZEROCOPY && sock->options.zerocopy)
		error_zerocopy_done(sock);
	return rc ? rc : (int64_t)send->len;
}

/* ---- receiving ---- */

static bool can_receive(const struct inet_socket *sock)
{
	return !TAILQ_EMPTY(&sock->packets) || sock->error || sock->shutdown & INET_SHUT_RECEIVE;
}

void datagram_free_packet(struct inet_packet *packet)
{
	pbuf_free(packet->p);
	kfree(packet);
}

int datagram_copy_payload(const struct inet_packet *packet, struct socket_receive *receive, size_t len)
{
	int rc = 0;

	for (struct pbuf *p = packet->p; p && len && !rc; p = p->next) {
		size_t part = MIN(len, (size_t)p->len);

		if (part)
			rc = receive->copy->copy(receive->copy, p->payload, part);
		len -= part;
	}
	return rc;
}

/* The first packet, off the queue unless peeking; NULL with *rc (0: the end). May sleep. */
static struct inet_packet *first_packet(struct inet_socket *sock, struct socket_receive *receive, int *rc)
{
	struct inet_packet *packet = TAILQ_FIRST(&sock->packets);

	*rc = 0;
	if (!packet && !sock->error && !(sock->shutdown & INET_SHUT_RECEIVE)) {
		*rc = receive->deadline ? wait_event(&sock->wait, can_receive(sock), receive->deadline, true) : -EAGAIN;
		if (*rc == -ETIMEDOUT)
			*rc = -EAGAIN;
		packet = TAILQ_FIRST(&sock->packets);
	}
	if (sock->error)
		*rc = inet_take_error(sock);
	return *rc ? NULL : packet;
}

static int64_t datagram_receive(struct socket *base, struct socket_receive *receive)
{
	struct inet_socket *sock = inet_of(base);
	struct inet_packet *packet;
	size_t len, full;
	int rc;

	if (receive->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (receive->flags & MSG_ERRQUEUE)
		return error_receive(sock, receive);
	mutex_lock(&sock->read_lock);
	packet = TAILQ_FIRST(&sock->packets);
	if (!packet || sock->error) {
		mutex_unlock(&sock->read_lock); /* not across a wait */
		do {
			packet = first_packet(sock, receive, &rc);
			if (!packet)
				return rc;
			mutex_lock(&sock->read_lock);
			packet = TAILQ_FIRST(&sock->packets);
			if (!packet)
				mutex_unlock(&sock->read_lock);
		} while (!packet);
	}
	full = packet->p->tot_len;
	if (!(receive->flags & MSG_PEEK)) {
		TAILQ_REMOVE(&sock->packets, packet, link);
		sock->packet_bytes -= datagram_charge(packet);
	}
	len = MIN(full, receive->len);
	rc = datagram_copy_payload(packet, receive, len);
	if (!rc) {
		receive->out_flags = full > len ? MSG_TRUNC : 0;
		if (receive->address)
			address_encode(sock->family, &packet->from, packet->port, receive->address);
		control_report(sock, packet, receive);
		if (!(receive->flags & MSG_PEEK) && base->protocol == IPPROTO_UDP)
			counters_udp(IP_IS_V6(&packet->to) ? AF_INET6 : AF_INET)->in++;
	}
	if (!(receive->flags & MSG_PEEK))
		datagram_free_packet(packet);
	mutex_unlock(&sock->read_lock);
	return rc ? rc : (int64_t)(receive->flags & MSG_TRUNC ? full : len);
}

static uint32_t datagram_events(struct socket *base)
{
	struct inet_socket *sock = inet_of(base);
	uint32_t events = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;

	if (!TAILQ_EMPTY(&sock->packets))
		events |= EPOLLIN | EPOLLRDNORM;
	if (sock->error || !TAILQ_EMPTY(&sock->errors))
		events |= EPOLLERR | (sock->options.select_errors ? EPOLLPRI : 0);
	if (sock->shutdown & INET_SHUT_RECEIVE)
		events |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (sock->shutdown == (INET_SHUT_RECEIVE | INET_SHUT_SEND))
		events |= EPOLLHUP;
	return events;
}

static int datagram_shutdown(struct socket *base, int how)
{
	struct inet_socket *sock = inet_of(base);

	sock->shutdown |= (how != SHUT_WR ? INET_SHUT_RECEIVE : 0) | (how != SHUT_RD ? INET_SHUT_SEND : 0);
	inet_wake(sock, ~0u);
	return sock->connected ? 0 : -ENOTCONN;
}

static void datagram_close(struct socket *base)
{
	struct inet_socket *sock = inet_of(base);
	struct inet_packet *packet;

	if (sock->corked)
		pbuf_free(sock->corked);
	while ((packet = TAILQ_FIRST(&sock->packets))) {
		TAILQ_REMOVE(&sock->packets, packet, link);
		datagram_free_packet(packet);
	}
	inet_free(sock);
}

#define DATAGRAM_OPS(af)                       \
	{                                      \
		.family = (af),                \
		.bind = datagram_bind,         \
		.connect = datagram_connect,   \
		.shutdown = datagram_shutdown, \
		.name = datagram_name,         \
		.send = datagram_send,         \
		.receive = datagram_receive,   \
		.events = datagram_events,     \
		.set_option = inet_set_option, \
		.get_option = inet_get_option, \
		.changed = inet_options_changed,\
		.ioctl = inet_ioctl,           \
		.close = datagram_close,       \
	}

const struct socket_ops datagram4_ops = DATAGRAM_OPS(AF_INET);
const struct socket_ops datagram6_ops = DATAGRAM_OPS(AF_INET6);
