/*
 * Errors of packets that we sent: what ICMP says of them (udp(7), ip(7)), what was too long for its path, and the queue
 * that MSG_ERRQUEUE reads, which also tells when a send with MSG_ZEROCOPY is done. Sends copy, so they are done at once,
 * and the note says so (SO_EE_CODE_ZEROCOPY_COPIED), as Linux does where a device cannot take memory of programs. stamp.c's
 * notes are in it, too.
 *
 * ICMP comes in while lwIP works: sockets are only marked and woken.
 */
#include <linux/eventpoll.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <lwip/inet_chksum.h>
#include <lwip/prot/udp.h>

#include "kernel/net/lwip/datagram.h"
#include "ring0/clock.h"

struct verdict {
	int error;
	bool fatal; /* for a connected socket that does not read the queue, too */
};

/* What an ICMP error says of a packet that we sent. */
struct icmp_report {
	bool udp;
	ip_addr_t from, to;
	uint16_t from_port, to_port;
	uint16_t payload_at; /* in the message, from its IP header on */
	struct verdict verdict;
	uint8_t type, code;
	uint32_t info; /* what a path carries */
};

/* ---- the queue ---- */

/* `p`, from byte `at` on, is what the program sent. The socket is not woken. */
static struct inet_packet *queue_error(struct inet_socket *sock, const struct pbuf *p, uint16_t at)
{
	uint16_t len = p && at < p->tot_len ? (uint16_t)(p->tot_len - at) : 0;
	struct inet_packet *packet;

	if (sock->packet_bytes + len + PACKET_OVERHEAD > sock->options.receive_buffer)
		return NULL;
	packet = kzalloc(sizeof(*packet));
	if (!packet)
		return NULL;
	packet->p = pbuf_alloc(PBUF_RAW, len, PBUF_RAM);
	if (!packet->p) {
		kfree(packet);
		return NULL;
	}
	if (len)
		(void)pbuf_copy_partial(p, packet->p->payload, len, at);
	TAILQ_INSERT_TAIL(&sock->errors, packet, link);
	sock->packet_bytes += datagram_charge(packet);
	return packet;
}

static bool is_icmp(const struct inet_packet *packet)
{
	return packet->origin == SO_EE_ORIGIN_ICMP || packet->origin == SO_EE_ORIGIN_ICMP6;
}

int64_t error_receive(struct inet_socket *sock, struct socket_receive *receive)
{
	struct inet_packet *packet = TAILQ_FIRST(&sock->errors), *next;
	size_t len;
	int rc;

	if (!packet)
		return -EAGAIN;
	TAILQ_REMOVE(&sock->errors, packet, link);
	sock->packet_bytes -= datagram_charge(packet);
	next = TAILQ_FIRST(&sock->errors);
	if (next && is_icmp(next)) /* it is the socket's error now */
		sock->error = next->error;
	else if (is_icmp(packet))
		sock->error = 0;
	len = MIN((size_t)packet->p->tot_len, receive->len);
	rc = datagram_copy_payload(packet, receive, len);
	receive->out_flags = MSG_ERRQUEUE | (packet->p->tot_len > len ? MSG_TRUNC : 0);
	if (receive->address && packet->origin != SO_EE_ORIGIN_ZEROCOPY && packet->origin != SO_EE_ORIGIN_TIMESTAMPING)
		address_encode(sock->family, &packet->to, packet->port, receive->address);
	else if (receive->address)
		receive->address->len = 0;
	control_report_error(sock, packet, receive);
	datagram_free_packet(packet);
	return rc ? rc : (int64_t)len;
}

void error_drop_all(struct inet_socket *sock)
{
	struct inet_packet *packet;

	while ((packet = TAILQ_FIRST(&sock->errors))) {
		TAILQ_REMOVE(&sock->errors, packet, link);
		datagram_free_packet(packet);
	}
}

static bool wants_errors(const struct inet_socket *sock)
{
	return sock->receive_errors || sock->receive_errors6;
}

int error_too_long(struct inet_socket *sock, const ip_addr_t *to, uint16_t port, uint32_t mtu)
{
	struct inet_packet *packet = wants_errors(sock) ? queue_error(sock, NULL, 0) : NULL;

	if (!packet)
		return -EMSGSIZE;
	ip_addr_copy(packet->to, *to);
	ip_addr_copy(packet->from, *(IP_IS_V6(to) ? IP6_ADDR_ANY : IP4_ADDR_ANY));
	packet->port = IP_IS_V6(to) ? port : sock->remote_port; /* as Linux has it */
	packet->error = EMSGSIZE;
	packet->origin = SO_EE_ORIGIN_LOCAL;
	packet->info = mtu;
	inet_wake(sock, ~0u);
	return -EMSGSIZE;
}

void error_stamped(struct inet_socket *sock, const struct pbuf *p, uint32_t step, uint32_t key)
{
	struct inet_packet *packet = queue_error(sock, p, 0);

	if (!packet)
		return;
	packet->origin = SO_EE_ORIGIN_TIMESTAMPING;
	packet->error = ENOMSG;
	packet->info = step;
	packet->data = key;
	packet->time = clock_realtime();
	inet_wake(sock, EPOLLERR | (sock->options.select_errors ? EPOLLPRI : 0));
}

/* Numbers that follow those of the last note that nobody has read join it. */
void error_zerocopy_done(struct inet_socket *sock)
{
	struct inet_packet *last = TAILQ_LAST(&sock->errors, inet_packets);
	uint32_t number = sock->zerocopy_next++;

	if (last && last->origin == SO_EE_ORIGIN_ZEROCOPY && last->data + 1 == number) {
		last->data = number;
		return;
	}
	last = queue_error(sock, NULL, 0);
	if (!last)
		return;
	last->origin = SO_EE_ORIGIN_ZEROCOPY;
	last->code = SO_EE_CODE_ZEROCOPY_COPIED;
	last->info = last->data = number;
	inet_wake(sock, ~0u);
}

/* ---- what ICMP brings ---- */

static struct inet_socket *find_connecting(const struct icmp_report *report)
{
	struct inet_socket *sock;

	INET_FOREACH(sock)
		if (sock->base.type == SOCK_STREAM && sock->state == INET_CONNECTING && sock->local_port == report->from_port &&
		    sock->remote_port == report->to_port && ip_addr_cmp_zoneless(&sock->remote, &report->to))
			return sock;
	return NULL;
}

/* A datagram was too large for its path: whether the socket hears of it. */
static bool note_path(const struct inet_socket *sock, const struct icmp_report *report)
{
	uint8_t discover = IP_IS_V6(&report->to) ? sock->discover6 : sock->discover;

	if (discover != IP_PMTUDISC_INTERFACE && discover != IP_PMTUDISC_OMIT && !IP_IS_V6(&report->to))
		path_note(&report->to, report->info); /* lwIP has noted it under IPv6 */
	return discover != IP_PMTUDISC_DONT;
}

/* A socket whose datagram it was. */
static void tell(struct inet_socket *sock, struct pbuf *p, const struct icmp_report *report)
{
	struct inet_packet *packet;

	if (!wants_errors(sock) && (!sock->connected || !report->verdict.fatal))
		return;
	packet = wants_errors(sock) ? queue_error(sock, p, report->payload_at) : NULL;
	if (packet) {
		ip_addr_copy(packet->from, *ip_current_src_addr());
		ip_addr_copy(packet->to, report->to);
		packet->port = report->to_port;
		packet->error = report->verdict.error;
		packet->origin = ip_current_is_v6() ? SO_EE_ORIGIN_ICMP6 : SO_EE_ORIGIN_ICMP;
		packet->type = report->type;
		packet->code = report->code;
		packet->info = report->info;
		datagram_note_header(packet);
	}
	sock->error = report->verdict.error;
	inet_wake(sock, ~0u);
}

static void report_error(struct pbuf *p, const struct icmp_report *report, const struct netif *netif)
{
	struct inet_socket *sock;

	if (report->udp) {
		sock = datagram_find(&report->from, report->from_port, &report->to, report->to_port, netif);
		if (sock && (report->verdict.error != EMSGSIZE || note_path(sock, report)))
			tell(sock, p, report);
		return;
	}
	sock = find_connecting(report);
	if (!sock)
		return;
	sock->state = INET_DONE;
	sock->shutdown = INET_SHUT_RECEIVE | INET_SHUT_SEND;
	sock->error = report->verdict.error;
	inet_wake(sock, ~0u);
}

/* Whether a raw or ping socket has sent the packet inside, of which `at` is what follows its IP header. */
static bool sent_raw(const struct inet_socket *sock, struct pbuf *p, uint16_t at, uint8_t protocol, const struct icmp_report *report)
{
	struct icmp_head echo;

	if (sock->base.type == SOCK_STREAM || sock->base.protocol != protocol || (sock->family == AF_INET6) != IP_IS_V6(&report->to))
		return false;
	if (sock->base.type == SOCK_DGRAM)
		return protocol != IP_PROTO_UDP && pbuf_copy_partial(p, &echo, sizeof(echo), at) == sizeof(echo) &&
		       echo.type == (sock->family == AF_INET6 ? ICMP6_ECHO : ICMP4_ECHO) && echo.id == __builtin_bswap16(sock->local_port);
	return (ip_addr_isany(&sock->local) || ip_addr_cmp_zoneless(&sock->local, &report->from)) &&
	       (!sock->connected || ip_addr_cmp_zoneless(&sock->remote, &report->to));
}

/* Tells raw and ping sockets; the packet inside begins at `inner`, and what follows its IP header at `at`. */
static void report_raw(struct pbuf *p, uint16_t inner, uint16_t at, uint8_t protocol, struct icmp_report *report)
{
	struct inet_socket *sock;

	if (!inet_raw_sockets)
		return;
	report->to_port = 0;
	INET_FOREACH(sock) {
		if (!sent_raw(sock, p, at, protocol, report) || (report->verdict.error == EMSGSIZE && !note_path(sock, report)))
			continue;
		report->payload_at = sock->header_included ? inner : at;
		tell(sock, p, report);
	}
}

/* Ports of the packet inside an ICMP error. */
static bool inner_ports(struct pbuf *p, uint16_t at, uint8_t protocol, struct icmp_report *report)
{
	uint16_t ports[2];

	if (protocol != IP_PROTO_UDP && protocol != IP_PROTO_TCP)
		return false;
	if (pbuf_copy_partial(p, ports, sizeof(ports), at) != sizeof(ports))
		return false;
	report->udp = protocol == IP_PROTO_UDP;
	report->from_port = __builtin_bswap16(ports[0]);
	report->to_port = __builtin_bswap16(ports[1]);
	report->payload_at = (uint16_t)(at + UDP_HLEN);
	return true;
}

/* Frames that the host did not check itself; those of the loopback have none. */
static bool icmp4_is_good(const struct pbuf *p, uint16_t at, const struct netif *netif)
{
	if (netif == &loop_netif || p->len != p->tot_len)
		return netif == &loop_netif;
	return at <= p->len && !inet_chksum((const char *)p->payload + at, (u16_t)(p->len - at));
}

/* error 0: nothing that a program hears of. */
static struct verdict verdict4(uint8_t type, uint8_t code)
{
	/* by code: net, host, protocol, port, too big, source route; unknown net and host, isolated; net, host prohibited; TOS; … */
	static const struct verdict unreachable[] = {{ENETUNREACH, false}, {EHOSTUNREACH, false}, {ENOPROTOOPT, true},
		{ECONNREFUSED, true}, {EMSGSIZE, true}, {EOPNOTSUPP, false}, {ENETUNREACH, true}, {EHOSTDOWN, true}, {ENONET, true},
		{ENETUNREACH, true}, {EHOSTUNREACH, true}, {ENETUNREACH, false}, {EHOSTUNREACH, false}, {EHOSTUNREACH, true},
		{EHOSTUNREACH, true}, {EHOSTUNREACH, true}};

	switch (type) {
	case ICMP4_UNREACHABLE:
		return code < ARRAY_SIZE(unreachable) ? unreachable[code] : (struct verdict){0, false};
	case ICMP4_TIME_EXCEEDED:
		return (struct verdict){EHOSTUNREACH, false};
	case ICMP4_PARAMETER:
		return (struct verdict){EPROTO, true};
	default:
		return (struct verdict){0, false};
	}
}

void error_icmp4(struct pbuf *p, uint16_t at, const struct netif *netif)
{
	struct icmp_report report = {.info = 0};
	struct icmp_head icmp;
	struct ip_hdr inner;
	uint32_t seq;

	if (pbuf_copy_partial(p, &icmp, sizeof(icmp), at) != sizeof(icmp))
		return;
	report.verdict = verdict4(icmp.type, icmp.code);
	if (!report.verdict.error || !icmp4_is_good(p, at, netif))
		return;
	at = (uint16_t)(at + sizeof(icmp));
	if (pbuf_copy_partial(p, &inner, IP_HLEN, at) != IP_HLEN || IPH_V(&inner) != 4 || IPH_HL_BYTES(&inner) < IP_HLEN)
		return;
	ip_addr_copy_from_ip4(report.from, inner.src);
	ip_addr_copy_from_ip4(report.to, inner.dest);
	report.type = icmp.type;
	report.code = icmp.code;
	if (report.verdict.error == EMSGSIZE)
		report.info = __builtin_bswap16(icmp.sequence);
	report_raw(p, at, (uint16_t)(at + IPH_HL_BYTES(&inner)), IPH_PROTO(&inner), &report);
	at = (uint16_t)(at + IPH_HL_BYTES(&inner));
	if (!inner_ports(p, at, IPH_PROTO(&inner), &report))
		return;
	if (report.udp || report.verdict.error != EMSGSIZE)
		report_error(p, &report, netif);
	else if (pbuf_copy_partial(p, &seq, sizeof(seq), (u16_t)(at + 4)) == sizeof(seq))
		path_too_big(&report.from, report.from_port, &report.to, report.to_port, __builtin_bswap32(seq), report.info);
}

static struct verdict verdict6(uint8_t type, uint8_t code)
{
	/* no route, prohibited, beyond scope, address, port, policy, route refused */
	static const struct verdict unreachable[] = {{ENETUNREACH, false}, {EACCES, true}, {EHOSTUNREACH, false}, {EHOSTUNREACH, false},
		{ECONNREFUSED, true}, {EACCES, true}, {EACCES, true}};

	switch (type) {
	case ICMP6_UNREACHABLE:
		return code < ARRAY_SIZE(unreachable) ? unreachable[code] : (struct verdict){0, false};
	case ICMP6_TOO_BIG:
		return (struct verdict){EMSGSIZE, true};
	case ICMP6_TIME_EXCEEDED:
		return (struct verdict){EHOSTUNREACH, false};
	case ICMP6_PARAMETER:
		return (struct verdict){EPROTO, true};
	default:
		return (struct verdict){0, false};
	}
}

void error_icmp6(struct pbuf *p, uint16_t at, const struct netif *netif)
{
	struct icmp_report report = {.info = 0};
	struct icmp_head icmp;
	struct ip6_hdr inner;

	if (pbuf_copy_partial(p, &icmp, sizeof(icmp), at) != sizeof(icmp))
		return;
	report.verdict = verdict6(icmp.type, icmp.code);
	at = (uint16_t)(at + sizeof(icmp));
	if (!report.verdict.error || pbuf_copy_partial(p, &inner, IP6_HLEN, at) != IP6_HLEN)
		return;
	ip_addr_copy_from_ip6_packed(report.from, inner.src);
	ip_addr_copy_from_ip6_packed(report.to, inner.dest);
	report.type = icmp.type;
	report.code = icmp.code;
	if (report.verdict.error == EMSGSIZE)
		report.info = (uint32_t)__builtin_bswap16(icmp.id) << 16 | __builtin_bswap16(icmp.sequence);
	report_raw(p, at, (uint16_t)(at + IP6_HLEN), IP6H_NEXTH(&inner), &report);
	if (inner_ports(p, (uint16_t)(at + IP6_HLEN), IP6H_NEXTH(&inner), &report) && (report.udp || report.verdict.error != EMSGSIZE))
		report_error(p, &report, netif);
}
