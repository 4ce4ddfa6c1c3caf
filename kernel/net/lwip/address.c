/*
 * Internet addresses as programs write them (ip(7), ipv6(7)) and as lwIP does. An IPv4-mapped IPv6 address is IPv4
 * inside; a socket of AF_INET6 shows it mapped again.
 */
#include <linux/in.h>
#include <linux/in6.h>

#include "kernel/net/lwip/internal.h"

#define SIN6_LEN_RFC2133 24u /* without the scope */

static int decode6(const struct sockaddr_in6 *from, ip_addr_t *ip, uint16_t *port)
{
	const uint32_t *words = (const uint32_t *)&from->sin6_addr;

	*port = __builtin_bswap16(from->sin6_port);
	if (!words[0] && !words[1] && words[2] == __builtin_bswap32(0xffff)) {
		ip_addr_set_ip4_u32_val(*ip, words[3]);
		return 0;
	}
	IP_ADDR6(ip, words[0], words[1], words[2], words[3]);
	if (from->sin6_scope_id && ip6_addr_has_scope(ip_2_ip6(ip), IP6_UNKNOWN))
		ip6_addr_set_zone(ip_2_ip6(ip), (u8_t)from->sin6_scope_id);
	return 0;
}

void address_from_bytes(int family, const uint8_t *bytes, ip_addr_t *ip)
{
	memset(ip, 0, sizeof(*ip));
	IP_SET_TYPE_VAL(*ip, family == AF_INET ? IPADDR_TYPE_V4 : IPADDR_TYPE_V6);
	if (family == AF_INET)
		memcpy(ip_2_ip4(ip), bytes, 4);
	else
		memcpy(ip_2_ip6(ip)->addr, bytes, 16);
}

int address_check_own(const struct inet_socket *sock, const struct socket_address *from)
{
	bool v6 = sock->family == AF_INET6;

	if (from->len < (v6 ? SIN6_LEN_RFC2133 : sizeof(struct sockaddr_in)))
		return -EINVAL;
	return v6 && from->family != AF_INET6 ? -EAFNOSUPPORT : 0;
}

int address_decode(const struct inet_socket *sock, const struct socket_address *from, ip_addr_t *ip, uint16_t *port)
{
	const struct sockaddr_in *in = (const void *)from;

	if (from->len < sizeof(uint16_t))
		return -EINVAL;
	if (sock->family == AF_INET6 && from->family == AF_INET6)
		return from->len < SIN6_LEN_RFC2133 ? -EINVAL : decode6((const void *)from, ip, port);
	if (from->family != AF_INET)
		return -EAFNOSUPPORT;
	if (from->len < sizeof(*in))
		return -EINVAL;
	*port = __builtin_bswap16(in->sin_port);
	ip_addr_set_ip4_u32_val(*ip, in->sin_addr.s_addr);
	return 0;
}

void address_encode(int family, const ip_addr_t *ip, uint16_t port, struct socket_address *to)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = __builtin_bswap16(port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = __builtin_bswap16(port)};
	uint32_t *words = (uint32_t *)&in6.sin6_addr;

	if (family == AF_INET) {
		in.sin_addr.s_addr = IP_IS_V4(ip) ? ip4_addr_get_u32(ip_2_ip4(ip)) : 0;
		memcpy(to, &in, sizeof(in));
		to->len = sizeof(in);
		return;
	}
	if (IP_IS_V6(ip)) {
		memcpy(words, ip_2_ip6(ip)->addr, sizeof(in6.sin6_addr));
		if (ip6_addr_has_zone(ip_2_ip6(ip)))
			in6.sin6_scope_id = ip6_addr_zone(ip_2_ip6(ip));
	} else if (IP_IS_V4(ip)) {
		words[2] = __builtin_bswap32(0xffff);
		words[3] = ip4_addr_get_u32(ip_2_ip4(ip));
	}
	memcpy(to, &in6, sizeof(in6));
	to->len = sizeof(in6);
}
