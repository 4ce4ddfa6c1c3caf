/*
 * Control messages of datagram sockets (ip(7), ipv6(7), socket(7)): where a packet came from and went to, when, with
 * which TTL, and errors.
 */
#include <asm/socket.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ipv6.h>

#include "kernel/net/lwip/datagram.h"

#define CMSG_ALIGNED(n) (((n) + 7u) & ~(size_t)7)


struct header {
	uint64_t len;
	int32_t level, type;
};

/* ---- sending ---- */

static int decode_one(struct inet_socket *sock, const struct header *header, const char *data, size_t len, ip_addr_t *from,
	int *index)
{
	struct in_pktinfo info;
	struct in6_pktinfo info6;

	if (header->level == IPPROTO_IP && header->type == IP_PKTINFO) {
		if (len < sizeof(info))
			return -EINVAL;
		memcpy(&info, data, sizeof(info));
		*index = info.ipi_ifindex;
		if (info.ipi_spec_dst.s_addr && IP_IS_V4(from))
			ip_addr_set_ip4_u32_val(*from, info.ipi_spec_dst.s_addr);
	} else if (header->level == IPPROTO_IPV6 && header->type == IPV6_PKTINFO) {
		if (len < sizeof(info6))
			return -EINVAL;
		memcpy(&info6, data, sizeof(info6));
		*index = info6.ipi6_ifindex;
		if (IP_IS_V6(from))
			memcpy(ip_2_ip6(from)->addr, &info6.ipi6_addr, sizeof(info6.ipi6_addr));
	} else if (header->level != SOL_SOCKET) {
		return -EINVAL;
	}
	return ip_addr_isany(from) || route_is_local(from) ? 0 : -EADDRNOTAVAIL;
}

int control_decode(struct inet_socket *sock, const struct socket_send *send, ip_addr_t *from, int *index)
{
	size_t at = 0;

	while (send->control && send->control_len - at >= sizeof(struct header)) {
		struct header header;
		int rc;

		memcpy(&header, send->control + at, sizeof(header));
		rc = decode_one(sock, &header, send->control + at + sizeof(header), header.len - sizeof(header), from, index);
		if (rc)
			return rc;
		at += MIN(CMSG_ALIGNED(header.len), send->control_len - at);
	}
	return 0;
}

/* ---- receiving ---- */

static void report_pktinfo(const struct inet_socket *sock, const struct inet_packet *packet, struct socket_receive *receive)
{
	if (sock->pktinfo && IP_IS_V4(&packet->to)) {
		struct in_pktinfo info = {.ipi_ifindex = packet->ifindex};

		info.ipi_addr.s_addr = info.ipi_spec_dst.s_addr = ip4_addr_get_u32(ip_2_ip4(&packet->to));
		receive->control(receive, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	}
	if (sock->pktinfo6) {
		struct in6_pktinfo info = {.ipi6_ifindex = packet->ifindex};
		struct socket_address address;

		address_encode(AF_INET6, &packet->to, 0, &address);
		memcpy(&info.ipi6_addr, &((struct sockaddr_in6 *)&address)->sin6_addr, sizeof(info.ipi6_addr));
		receive->control(receive, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	}
}

void control_report(const struct inet_socket *sock, const struct inet_packet *packet, struct socket_receive *receive)
{
	int ttl = packet->ttl, tos = packet->tos;
	uint8_t tos_byte = packet->tos;

	if (!receive->control)
		return;
	socket_report(&sock->options, receive, packet->time, packet->drops);
	report_pktinfo(sock, packet, receive);
	if (sock->receive_ttl && IP_IS_V4(&packet->to))
		receive->control(receive, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	if (sock->receive_tos && IP_IS_V4(&packet->to))
		receive->control(receive, IPPROTO_IP, IP_TOS, &tos_byte, sizeof(tos_byte));
	if (sock->original_destination && IP_IS_V4(&packet->to)) {
		struct socket_address address;

		address_encode(AF_INET, &packet->to, sock->local_port, &address);
		receive->control(receive, IPPROTO_IP, IP_ORIGDSTADDR, &address, address.len);
	}
	if (sock->receive_hops && IP_IS_V6(&packet->to))
		receive->control(receive, IPPROTO_IPV6, IPV6_HOPLIMIT, &ttl, sizeof(ttl));
	if (sock->receive_class && IP_IS_V6(&packet->to))
		receive->control(receive, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
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
	address_encode(sock->family, &packet->from, 0, &address);
	if (packet->origin == SO_EE_ORIGIN_ICMP || packet->origin == SO_EE_ORIGIN_ICMP6)
		memcpy(data.offender, &address, address.len);
	receive->control(receive, sock->family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP,
		sock->family == AF_INET6 ? IPV6_RECVERR : IP_RECVERR, &data, sizeof(data.error) + address.len);
}
