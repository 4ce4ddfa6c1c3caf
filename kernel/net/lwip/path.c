/*
 * The size of packets that a path carries (RFC 1191, RFC 8201): TCP sends with DF, and "fragmentation needed" or "packet
 * too big" makes a connection's packets smaller. What was learnt of a destination is kept for ten minutes, for so many
 * destinations, and holds for new connections to it too.
 *
 * A message counts only if it quotes a segment that is under way. lwIP's segments stay as they are: the host cuts them
 * to the connection's new size (device.c). Datagrams under IPv6 are lwIP's, but for sizes below IPv6's least.
 */
#include <lwip/icmp6.h>
#include <lwip/inet_chksum.h>
#include <lwip/nd6.h>
#include <lwip/prot/icmp6.h>

#include "kernel/net/lwip/internal.h"
#include "ring0/clock.h"

#define PATHS 64u
#define PATH_NS (600ull * 1000000000)
#define MTU4_MIN 552u /* as Linux: net.ipv4.route.min_pmtu */
#define MTU6_MIN 1280u

struct path {
	ip_addr_t to;
	uint16_t mtu; /* 0: free */
	uint64_t until;
};

static struct path paths[PATHS];
static uint16_t limit6; /* path_limit6() */
static unsigned next_path; /* how many were ever taken; when all are in use, the oldest is taken over */

u16_t nd6_told_mtu(const ip6_addr_t *to, struct netif *netif); /* nd6.c's own nd6_get_destination_mtu(), renamed (CMakeLists.txt) */

/* What lwIP asks before it cuts a packet into fragments: no link of IPv6 carries less (RFC 8200, section 5), whatever somebody says. */
u16_t nd6_get_destination_mtu(const ip6_addr_t *to, struct netif *netif)
{
	u16_t told = nd6_told_mtu(to, netif);

	if (told && limit6)
		told = MIN(told, limit6);
	return told ? MAX(told, MTU6_MIN) : 0; /* 0: nothing is cut at the moment (device_fragment()) */
}

void path_limit6(uint16_t mtu)
{
	limit6 = mtu;
}

static struct path *find_path(const ip_addr_t *to)
{
	for (unsigned i = 0; i < MIN(next_path, PATHS); i++)
		if (paths[i].mtu && ip_addr_cmp_zoneless(&paths[i].to, to))
			return &paths[i];
	return NULL;
}

uint16_t path_carries(const ip_addr_t *to, uint16_t mtu)
{
	const struct path *path = find_path(to);

	return path && path->until > clock_monotonic() ? MIN(path->mtu, mtu) : mtu;
}

uint16_t path_mtu(const ip_addr_t *to, struct netif *netif)
{
	uint16_t mtu = path_carries(to, device_mtu(netif)), known = 0;

	if (IP_IS_V6(to))
		known = nd6_get_destination_mtu(ip_2_ip6(to), netif); /* 0: nothing but the link's, which is not shown now */
	return known ? MIN(mtu, known) : mtu;
}

static void remember(const ip_addr_t *to, uint16_t mtu)
{
	struct path *path = find_path(to);

	if (!path)
		path = &paths[next_path++ % PATHS];
	ip_addr_copy(path->to, *to);
	path->mtu = mtu;
	path->until = clock_monotonic() + PATH_NS;
}

void path_note(const ip_addr_t *to, uint32_t mtu)
{
	mtu = MAX(mtu, MTU4_MIN);
	if (mtu < path_carries(to, UINT16_MAX))
		remember(to, (uint16_t)mtu);
}

/* What was too large is sent again, in smaller packets and without the penalty of a loss. */
static void send_again(struct tcp_pcb *pcb)
{
	struct netif *netif = ip_route(&pcb->local_ip, &pcb->remote_ip);

	if (!netif || tcp_rexmit_rto_prepare(pcb) != ERR_OK)
		return;
	device_fragment(netif, false); /* the message itself came in with fragments on */
	(void)tcp_output(pcb);
	device_fragment(netif, true);
}

void path_too_big(const ip_addr_t *from, uint16_t from_port, const ip_addr_t *to, uint16_t to_port, uint32_t seq, uint32_t mtu)
{
	struct tcp_pcb *pcb;
	struct tcp_link *link;

	for (pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
		if (pcb->local_port == from_port && pcb->remote_port == to_port && ip_addr_cmp_zoneless(&pcb->local_ip, from) &&
		    ip_addr_cmp_zoneless(&pcb->remote_ip, to))
			break;
	if (!pcb || !TCP_SEQ_BETWEEN(seq, pcb->lastack, pcb->snd_nxt - 1))
		return;
	link = tcp_link_of(pcb);
	mtu = MAX(mtu, IP_IS_V6(to) ? MTU6_MIN : MTU4_MIN);
	if (!link || !link->mss || mtu >= link->mss + (IP_IS_V6(to) ? 60u : 40u))
		return;
	remember(to, (uint16_t)mtu);
	tcp_use_segments(link, pcb->snd_wnd);
	send_again(pcb);
}

/* ICMPv6 "packet too big" about a segment of TCP is for us: lwIP would fragment by it. Whether it was one. */
bool path6_takes(struct pbuf *p, uint8_t protocol, unsigned at)
{
	const struct ip6_hdr *outer = p->payload;
	const struct icmp6_hdr *icmp = (const void *)((const char *)p->payload + at);
	const struct ip6_hdr *inner = (const void *)((const char *)(icmp + 1));
	const struct tcp_hdr *header = (const void *)(inner + 1);
	ip6_addr_t sender, receiver;
	ip_addr_t from, to;

	if (protocol != IP6_NEXTH_ICMP6 || p->len < at + sizeof(*icmp) + IP6_HLEN + 8 || icmp->type != ICMP6_TYPE_PTB)
		return false;
	if (IP6H_NEXTH(inner) != IP6_NEXTH_TCP)
		return false;
	ip6_addr_copy_from_packed(sender, outer->src);
	ip6_addr_copy_from_packed(receiver, outer->dest);
	ip_addr_copy_from_ip6_packed(from, inner->src);
	ip_addr_copy_from_ip6_packed(to, inner->dest);
	pbuf_remove_header(p, at); /* cannot fail, and nobody reads p after this */
	if (!ip6_chksum_pseudo(p, IP6_NEXTH_ICMP6, p->tot_len, &sender, &receiver))
		path_too_big(&from, __builtin_bswap16(header->src), &to, __builtin_bswap16(header->dest),
			__builtin_bswap32(header->seqno), __builtin_bswap32(icmp->data));
	return true;
}
