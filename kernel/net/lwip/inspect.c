/*
 * What comes from a link is looked at here before lwIP sees it (hooks.h): senders that cannot be, IPv4 options and IPv6
 * extension headers that make no sense or that Linux does not take (source routes), TCP to all hosts of a link.
 *
 * Whatever is refused is dropped without an answer; lwIP answers what it refuses itself (RFC 4443 wants that of unknown
 * options). Headers are read where they lie: a frame is one piece (device.c).
 */
#include <linux/in.h>

#include "kernel/net/lwip/counters.h"
#include "kernel/net/lwip/hooks.h"
#include "kernel/net/lwip/internal.h"

#define IP4_OPTION_END 0
#define IP4_OPTION_NOP 1
#define IP4_OPTION_LOOSE_ROUTE 131
#define IP4_OPTION_STRICT_ROUTE 137
#define IP6_HEADERS_MAX 16u

/* RFC 791: each option has a length that lies in the header. Routes that the sender chose are refused, as Linux does. */
static bool options4_are_good(const uint8_t *option, unsigned len)
{
	while (len) {
		if (option[0] == IP4_OPTION_END)
			return true;
		if (option[0] == IP4_OPTION_NOP) {
			option++;
			len--;
			continue;
		}
		if (len < 2 || option[1] < 2 || option[1] > len)
			return false;
		if (option[0] == IP4_OPTION_LOOSE_ROUTE || option[0] == IP4_OPTION_STRICT_ROUTE)
			return false;
		len -= option[1];
		option += option[1];
	}
	return true;
}

static bool packet4_is_good(const struct pbuf *p)
{
	const struct ip_hdr *header = p->payload;
	unsigned size = p->len < IP_HLEN ? 0 : IPH_HL_BYTES(header);
	ip_addr_t from;

	if (size < IP_HLEN || size > p->len)
		return false;
	ip_addr_copy_from_ip4(from, header->src);
	if (route_is_local(&from))
		return false;
	if (p->flags & (PBUF_FLAG_LLBCAST | PBUF_FLAG_LLMCAST) && IPH_PROTO(header) == IP_PROTO_TCP)
		return false;
	return size == IP_HLEN || options4_are_good((const uint8_t *)(header + 1), size - IP_HLEN);
}

int lwip_port_ip4_input(struct pbuf *p, struct netif *netif)
{
	if (p->len >= IP_HLEN)
		counters_ip4(p->payload, p->tot_len, false, p->flags & PBUF_FLAG_LLBCAST);
	if (packet4_is_good(p)) {
		tcp_before_input(p, IPH_PROTO((const struct ip_hdr *)p->payload), IPH_HL_BYTES((const struct ip_hdr *)p->payload));
		return 0;
	}
	pbuf_free(p);
	return 1;
}

/* RFC 8200, 4.2: options of one header, behind its first two bytes. */
static bool options6_are_good(const uint8_t *option, unsigned len)
{
	while (len) {
		unsigned size = 1;

		if (option[0]) { /* not Pad1 */
			if (len < 2)
				return false;
			size = 2u + option[1];
		}
		if (size > len)
			return false;
		len -= size;
		option += size;
	}
	return true;
}

/* Follows the chain up to what is no extension header, or a fragment: *at and *protocol are what lies there. */
static bool headers6_are_good(const struct pbuf *p, uint8_t *protocol, unsigned *at)
{
	const uint8_t *bytes = p->payload;

	*protocol = IP6H_NEXTH((const struct ip6_hdr *)p->payload);
	*at = IP6_HLEN;
	for (unsigned i = 0; i < IP6_HEADERS_MAX; i++) {
		const uint8_t *header = bytes + *at;
		unsigned size;

		if (*protocol != IP6_NEXTH_HOPBYHOP && *protocol != IP6_NEXTH_DESTOPTS && *protocol != IP6_NEXTH_ROUTING)
			return true;
		if (*protocol == IP6_NEXTH_HOPBYHOP && i)
			return false;
		if (*at + 8 > p->len || *at + (size = 8u * (header[1] + 1u)) > p->len)
			return false;
		if (*protocol == IP6_NEXTH_ROUTING ? header[3] != 0 : !options6_are_good(header + 2, size - 2))
			return false;
		*protocol = header[0];
		*at += size;
	}
	return false;
}

int lwip_port_ip6_input(struct pbuf *p, struct netif *netif)
{
	const struct ip6_hdr *header = p->payload;
	uint8_t protocol;
	ip_addr_t from;
	unsigned at;

	if (p->len < IP6_HLEN)
		goto drop;
	ip_addr_copy_from_ip6_packed(from, header->src);
	if (route_is_local(&from) || !headers6_are_good(p, &protocol, &at))
		goto drop;
	if (p->flags & (PBUF_FLAG_LLBCAST | PBUF_FLAG_LLMCAST) && protocol == IP_PROTO_TCP)
		goto drop;
	tcp_before_input(p, protocol, at);
	if (!path6_takes(p, protocol, at))
		return 0;
drop:
	pbuf_free(p);
	return 1;
}
