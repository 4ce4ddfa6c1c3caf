/*
 * Control messages of datagram sockets (ip(7), ipv6(7), socket(7)): where a packet came from and went to, when, with
 * which TTL, and errors.
 */
#include <asm/socket.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include "kernel/net/lwip/datagram.h"

#define CMSG_ALIGNED(n) (((n) + 7u) & ~(size_t)7)


struct header {
	uint64_t len;
	int32_t level, type;
};

/* ---- sending ---- */

/* A number within bounds, of 4 bytes; or of one, where Linux takes that too. */
static int decode_number(const char *data, size_t len, bool byte_too, int least, int *value)
{
	if (len == sizeof(*value))
		memcpy(value, data, sizeof(*value));
	else if (byte_too && len == 1)
		*value = (uint8_t)*data;
	else
		return -EINVAL;
	return *value < least || *value > 255 ? -EINVAL : 0;
}

static int decode_v4(const struct header *header, const char *data, size_t len, ip_addr_t *from, struct outgoing *out)
{
	struct in_pktinfo info;
	int number, rc;

	switch (header->type) {
	case IP_PKTINFO:
		if (len < sizeof(info))
			return -EINVAL;
		memcpy(&info, data, sizeof(info));
		out->index = info.ipi_ifindex;
		if (info.ipi_spec_dst.s_addr && IP_IS_V4(from))
			ip_addr_set_ip4_u32_val(*from, info.ipi_spec_dst.s_addr);
		return 0;
	case IP_TTL:
		rc = decode_number(data, len, false, 1, &number);
		if (!rc)
			out->ttl = (uint8_t)number;
		return rc;
	case IP_TOS:
		rc = decode_number(data, len, true, 0, &number);
		if (!rc)
			out->tos = (uint8_t)number;
		return rc;
	}
	return -EINVAL;
}

static int decode_v6(const struct header *header, const char *data, size_t len, ip_addr_t *from, struct outgoing *out)
{
	struct in6_pktinfo info;
	int number, rc;

	switch (header->type) {
	case IPV6_PKTINFO:
		if (len < sizeof(info))
			return -EINVAL;
		memcpy(&info, data, sizeof(info));
		out->index = info.ipi6_ifindex;
		if (IP_IS_V6(from))
			memcpy(ip_2_ip6(from)->addr, &info.ipi6_addr, sizeof(info.ipi6_addr));
		return 0;
	case IPV6_HOPLIMIT:
		rc = decode_number(data, len, false, -1, &number);
		if (!rc && number >= 0)
			out->ttl = (uint8_t)number;
		return rc;
	case IPV6_TCLASS:
		rc = decode_number(data, len, false, -1, &number);
		if (!rc && number >= 0)
			out->tos = (uint8_t)number;
		return rc;
	}
	return -EINVAL;
}

static bool is_stamps(const struct header *header)
{
	return header->level == SOL_SOCKET && (header->type == SO_TIMESTAMPING_OLD || header->type == SO_TIMESTAMPING_NEW);
}

/* Of SOL_SOCKET: of which steps the sender wants to know the time. The rest of it syscalls/message.c has seen to. */
static int decode_stamps(const char *data, size_t len, struct outgoing *out)
{
	uint32_t flags;

	if (len != sizeof(flags))
		return -EINVAL;
	memcpy(&flags, data, sizeof(flags));
	if (flags & ~STAMPING_RECORD)
		return -EINVAL;
	out->stamps = flags;
	return 0;
}

static int decode_udp(const struct header *header, const char *data, size_t len, struct outgoing *out)
{
	if (header->type != UDP_SEGMENT || len != sizeof(out->piece))
		return -EINVAL;
	memcpy(&out->piece, data, sizeof(out->piece));
	return 0;
}

/* Other levels are not looked at, as on Linux. */
static int decode_one(const struct inet_socket *sock, const struct header *header, const char *data, size_t len, ip_addr_t *from,
	struct outgoing *out)
{
	bool udp = sock->base.protocol == IPPROTO_UDP && sock->base.type == SOCK_DGRAM;
	int rc = 0;

	if (header->level == IPPROTO_IP && IP_IS_V4(from))
		rc = decode_v4(header, data, len, from, out);
	else if (header->level == IPPROTO_IPV6 && (IP_IS_V6(from) || header->type == IPV6_PKTINFO))
		rc = decode_v6(header, data, len, from, out);
	else if (header->level == IPPROTO_UDP && udp)
		rc = decode_udp(header, data, len, out);
	else if (is_stamps(header))
		rc = decode_stamps(data, len, out);
	if (rc)
		return rc;
	return ip_addr_isany(from) || route_is_local(from) ? 0 : -EADDRNOTAVAIL;
}

int control_decode(struct inet_socket *sock, const struct socket_send *send, ip_addr_t *from, struct outgoing *out)
{
	size_t at = 0;

	while (send->control && send->control_len - at >= sizeof(struct header)) {
		struct header header;
		int rc;

		memcpy(&header, send->control + at, sizeof(header));
		rc = decode_one(sock, &header, send->control + at + sizeof(header), header.len - sizeof(header), from, out);
		if (rc)
			return rc;
		at += MIN(CMSG_ALIGNED(header.len), send->control_len - at);
	}
	return 0;
}

int control_stamps(const struct socket_send *send, uint32_t *stamps)
{
	struct outgoing out = {.stamps = *stamps};
	size_t at = 0;
	int rc = 0;

	while (!rc && send->control && send->control_len - at >= sizeof(struct header)) {
		struct header header;

		memcpy(&header, send->control + at, sizeof(header));
		if (is_stamps(&header))
			rc = decode_stamps(send->control + at + sizeof(header), header.len - sizeof(header), &out);
		at += MIN(CMSG_ALIGNED(header.len), send->control_len - at);
	}
	*stamps = out.stamps;
	return rc;
}

/* ---- receiving ---- */

static void report_pktinfo(const struct inet_socket *sock, const struct inet_packet *packet, struct socket_receive *receive)
{
	if (sock->pktinfo && IP_IS_V4(&packet->to)) {
		struct in_pktinfo info = {.ipi_ifindex = packet->ifindex};

		info.ipi_addr.s_addr = info.ipi_spec_dst.s_addr = ip4_addr_get_u32(ip_2_ip4(&packet->to));
		receive->control(receive, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	}
	if (sock->pktinfo6 || sock->pktinfo_old) {
		struct in6_pktinfo info = {.ipi6_ifindex = packet->ifindex};
		struct socket_address address;

		address_encode(AF_INET6, &packet->to, 0, &address);
		memcpy(&info.ipi6_addr, &((struct sockaddr_in6 *)&address)->sin6_addr, sizeof(info.ipi6_addr));
		if (sock->pktinfo6)
			receive->control(receive, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
		if (sock->pktinfo_old)
			receive->control(receive, IPPROTO_IPV6, IPV6_2292PKTINFO, &info, sizeof(info));
	}
}

#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_RECORD_ROUTE 7

/* The option that records the route; NULL: there is none, or what a raw socket has sent over the loopback makes no sense. */
static uint8_t *record_of(uint8_t *options, unsigned len)
{
	unsigned at = 0;

	while (at < len && options[at] != OPTION_END) {
		if (options[at] == OPTION_NOP) {
			at++;
			continue;
		}
		if (at + 3 > len || options[at + 1] < 3 || options[at + 1] > len - at)
			return NULL;
		if (options[at] == OPTION_RECORD_ROUTE)
			return options + at;
		at += options[at + 1];
	}
	return NULL;
}

/* We are a stop of the recorded route, too; the next one, where an answer is to leave with it, leaves its place free. */
static void record(uint8_t *option, uint32_t address)
{
	unsigned at = option[2];

	if (at < 4 || at + 3 > option[1])
		return;
	memcpy(option + at - 1, &address, sizeof(address));
	option[2] = (uint8_t)(at + 4);
}

/* IP_RECVOPTS: as they came. IP_RETOPTS: the recorded route, to send back (Linux has time stamps and source routes there, too). */
static void report_options(const struct inet_socket *sock, const struct inet_packet *packet, struct socket_receive *receive)
{
	uint8_t options[40] = {0}, *route;

	memcpy(options, packet->options, packet->options_len);
	route = record_of(options, packet->options_len);
	if (route)
		record(route, ip4_addr_get_u32(ip_2_ip4(&packet->to)));
	if (sock->receive_options)
		receive->control(receive, IPPROTO_IP, IP_RECVOPTS, options, packet->options_len);
	if (!sock->return_options || !route)
		return;
	if (route[2] + 3 <= route[1])
		route[2] = (uint8_t)(route[2] + 4);
	memmove(options, route, route[1]);
	memset(options + options[1], OPTION_END, sizeof(options) - options[1]);
	receive->control(receive, IPPROTO_IP, IP_RETOPTS, options, (options[1] + 3u) & ~3u);
}

static void report_header(const struct inet_socket *sock, const struct inet_packet *packet, struct socket_receive *receive)
{
	int ttl = packet->ttl, tos = packet->tos;
	uint8_t tos_byte = packet->tos;

	if (sock->receive_ttl && IP_IS_V4(&packet->to))
		receive->control(receive, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	if (sock->receive_tos && IP_IS_V4(&packet->to))
		receive->control(receive, IPPROTO_IP, IP_TOS, &tos_byte, sizeof(tos_byte));
	if (packet->options)
		report_options(sock, packet, receive);
	if (sock->receive_hops && IP_IS_V6(&packet->to))
		receive->control(receive, IPPROTO_IPV6, IPV6_HOPLIMIT, &ttl, sizeof(ttl));
	if (sock->receive_class && IP_IS_V6(&packet->to))
		receive->control(receive, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
	if (sock->hops_old && IP_IS_V6(&packet->to))
		receive->control(receive, IPPROTO_IPV6, IPV6_2292HOPLIMIT, &ttl, sizeof(ttl));
}

void control_report(const struct inet_socket *sock, const struct inet_packet *packet, struct socket_receive *receive)
{
	if (!receive->control)
		return;
	socket_report(&sock->options, receive, packet->time, packet->drops);
	report_pktinfo(sock, packet, receive);
	if (packet->piece)
		receive->control(receive, IPPROTO_UDP, UDP_GRO, &(int){packet->piece}, sizeof(int));
	report_header(sock, packet, receive);
	if (sock->original_destination && IP_IS_V4(&packet->to)) {
		struct socket_address address;

		address_encode(AF_INET, &packet->to, sock->local_port, &address);
		receive->control(receive, IPPROTO_IP, IP_ORIGDSTADDR, &address, address.len);
	}
	if (sock->original_destination6 && IP_IS_V6(&packet->to)) {
		struct socket_address address;

		address_encode(AF_INET6, &packet->to, sock->local_port, &address);
		receive->control(receive, IPPROTO_IPV6, IPV6_ORIGDSTADDR, &address, address.len);
	}
}

void control_report_error(const struct inet_socket *sock, const struct inet_packet *packet, struct socket_receive *receive)
{
	struct {
		struct sock_extended_err error;
		char offender[sizeof(struct sockaddr_in6)];
	} data = {.error = {
		.ee_errno = (uint32_t)packet->error,
		.ee_origin = packet->origin,
		.ee_type = packet->type,
		.ee_code = packet->code,
		.ee_info = packet->info,
		.ee_data = packet->data,
	}};
	struct socket_address address;

	if (!receive->control)
		return;
	if (packet->origin == SO_EE_ORIGIN_TIMESTAMPING && sock->options.stamping & SOF_TIMESTAMPING_SOFTWARE)
		socket_report_stamp(&sock->options, receive, packet->time);
	address_encode(sock->family, &packet->from, 0, &address);
	if (packet->origin == SO_EE_ORIGIN_ICMP || packet->origin == SO_EE_ORIGIN_ICMP6) {
		memcpy(data.offender, &address, address.len);
		report_header(sock, packet, receive);
	}
	receive->control(receive, sock->family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP,
		sock->family == AF_INET6 ? IPV6_RECVERR : IP_RECVERR, &data, sizeof(data.error) + address.len);
}
