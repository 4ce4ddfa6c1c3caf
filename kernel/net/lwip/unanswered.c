/*
 * Packets whose next hop does not answer. Linux asks for a neighbour three times, a second apart, and then tells whoever sent what
 * waited for it by an ICMP error from ourselves: connect(2) fails with EHOSTUNREACH, ping says "Destination Host Unreachable".
 * lwIP only drops what waited, so the beginnings of such packets are kept here until their hop has answered or the time is over.
 *
 * Packets are noted as they leave (device_frames.c under IPv4, neighbours.c under IPv6) and looked at once a second (stack.c), in the
 * stack, in the namespace that has links. Where there are more than WAITING_MAX, the oldest are forgotten.
 */
#include <lwip/etharp.h>
#include <lwip/inet_chksum.h>
#include <lwip/priv/nd6_priv.h>

#include "kernel/net/lwip/counters.h"
#include "kernel/net/lwip/datagram.h"
#include "kernel/net/lwip/hooks.h"
#include "ring0/clock.h"

#define WAITING_MAX 32u
#define BEGINNING 160u /* bytes of a packet that are kept: its headers, and of what it carries what programs look at */
#define PATIENCE_NS 2500000000u /* three questions; who looks comes once a second */

static struct waiting {
	ip_addr_t hop;
	struct netif *netif;
	uint64_t until; /* 0: free */
	uint16_t len;
	uint8_t bytes[BEGINNING];
} waiting[WAITING_MAX];
static unsigned next_slot, count;

static void note(struct netif *netif, const struct pbuf *p, const ip_addr_t *hop)
{
	struct waiting *slot = &waiting[next_slot];
	uint64_t until = clock_monotonic() + PATIENCE_NS;

	for (unsigned i = 0; i < WAITING_MAX; i++)
		if (waiting[i].until && ip_addr_cmp(&waiting[i].hop, hop))
			until = MIN(until, waiting[i].until); /* it has been asked since then */
	next_slot = (next_slot + 1) % WAITING_MAX;
	count += !slot->until;
	ip_addr_copy(slot->hop, *hop);
	slot->netif = netif;
	slot->until = until;
	slot->len = pbuf_copy_partial(p, slot->bytes, BEGINNING, 0);
}

void unanswered_note4(struct netif *netif, const struct pbuf *p, const ip4_addr_t *to)
{
	struct eth_addr *ethernet;
	const ip4_addr_t *hop, *found;
	ip_addr_t address;

	if (ip4_addr_ismulticast(to) || ip4_addr_isbroadcast(to, netif))
		return;
	hop = lwip_port_ip4_gateway(netif, to);
	if (etharp_find_addr(netif, hop, &ethernet, &found) >= 0)
		return;
	ip_addr_copy_from_ip4(address, *hop);
	note(netif, p, &address);
}

void unanswered_note6(struct netif *netif, const struct pbuf *p, const ip6_addr_t *to)
{
	ip_addr_t address;

	ip_addr_copy_from_ip6(address, *lwip_port_ip6_gateway(netif, to));
	note(netif, p, &address);
}

void unanswered_forget(const struct netif *netif)
{
	for (unsigned i = 0; i < WAITING_MAX; i++)
		if (waiting[i].until && waiting[i].netif == netif) {
			waiting[i].until = 0;
			count--;
		}
}

static bool has_answered(const struct waiting *slot)
{
	struct eth_addr *ethernet;
	const ip4_addr_t *found;

	if (IP_IS_V4(&slot->hop))
		return etharp_find_addr(slot->netif, ip_2_ip4(&slot->hop), &ethernet, &found) >= 0;
	for (unsigned i = 0; i < LWIP_ND6_NUM_NEIGHBORS; i++)
		if (neighbor_cache[i].state > ND6_INCOMPLETE && ip6_addr_cmp(&neighbor_cache[i].next_hop_address, ip_2_ip6(&slot->hop)))
			return true;
	return false;
}

/* Whether the sender is us; not of a fragment but the first. */
static bool is_ours(const struct waiting *slot, ip_addr_t *from)
{
	const struct ip_hdr *header = (const void *)slot->bytes;

	if (IP_IS_V4(&slot->hop))
		ip_addr_copy_from_ip4(*from, header->src);
	else
		ip_addr_copy_from_ip6_packed(*from, ((const struct ip6_hdr *)slot->bytes)->src);
	return route_is_local(from) && (IP_IS_V6(from) || !(IPH_OFFSET(header) & __builtin_bswap16(IP_OFFMASK)));
}

/* "Host unreachable", "address unreachable", from ourselves. */
static void tell_sender(const struct waiting *slot)
{
	bool v6 = IP_IS_V6(&slot->hop);
	struct icmp_head *head;
	struct pbuf *p;
	ip_addr_t us;

	p = is_ours(slot, &us) ? pbuf_alloc(PBUF_IP, (u16_t)(sizeof(*head) + slot->len), PBUF_RAM) : NULL;
	if (!p)
		return;
	head = p->payload;
	*head = (struct icmp_head){.type = v6 ? ICMP6_UNREACHABLE : ICMP4_UNREACHABLE, .code = v6 ? 3 : 1};
	memcpy(head + 1, slot->bytes, slot->len);
	if (v6)
		head->checksum = ip_chksum_pseudo(p, IP6_NEXTH_ICMP6, p->tot_len, &us, &us);
	else
		head->checksum = inet_chksum_pbuf(p);
	if (!v6)
		counters_icmp4_out(ICMP4_UNREACHABLE);
	(void)ip_output_if(p, &us, &us, IP_DEFAULT_TTL, 0, v6 ? IP6_NEXTH_ICMP6 : IP_PROTO_ICMP, &loop_netif);
	pbuf_free(p);
}

/* Oldest first: next_slot is the one that was taken longest ago. */
void unanswered_tick(void)
{
	uint64_t now = clock_monotonic();

	for (unsigned i = 0; count && i < WAITING_MAX; i++) {
		struct waiting *slot = &waiting[(next_slot + i) % WAITING_MAX];
		bool answered = slot->until && has_answered(slot);

		if (!slot->until || (!answered && now < slot->until))
			continue;
		slot->until = 0;
		count--;
		if (!answered)
			tell_sender(slot);
	}
}
