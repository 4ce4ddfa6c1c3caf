/*
 * Retransmission by the peer's selective acknowledgements (RFC 2018, RFC 6675), in place of lwIP's own, which knows
 * duplicate acknowledgements only and sends whole segments again.
 *
 * The scoreboard of a connection is the list of ranges that the peer has said it holds. What lies between them is a
 * hole; a hole is lost when enough is held above it. While a loss is repaired, lost holes are sent again from here, in
 * packets of their own that are cut from lwIP's queue of unacknowledged segments, as far as the congestion window has
 * room for what is under way; new data goes on by lwIP, which counts everything since the last cumulative
 * acknowledgement as under way: so its window is made larger by what is known not to be. At a timeout lwIP sends all
 * again, segment by segment; what the peer holds is kept from it (sack_before_tick()), cut out of segments where need be.
 *
 * Called by segment.c with each segment's acknowledgement, before lwIP sees it. The blocks are the peer's: any numbers.
 */
#include <lwip/sys.h>

#include "kernel/net/lwip/internal.h"

#define RANGES 32u
#define ENOUGH 3u /* ranges held above a hole, or segments less one: it is lost (DupThresh) */

struct range {
	uint32_t left, right;
};

struct tcp_sacks {
	LIST_ENTRY(tcp_sacks) all;
	struct tcp_pcb *pcb;
	struct tcp_seg *aside; /* during a tick: segments that the peer holds or has acknowledged, in order */
	unsigned count;
	struct range ranges[RANGES]; /* ascending and apart; all between the cumulative acknowledgement and snd_nxt */
	bool recovering;
	uint32_t recovery_end; /* of what was sent when the loss was seen */
	uint32_t resent;       /* holes below have been sent again in this recovery */
	uint32_t added, inflated; /* what was added to the pcb's cwnd, and what that made of it */
};

static LIST_HEAD(, tcp_sacks) scoreboards;

/* ---- the scoreboard ---- */

static void remove_ranges(struct tcp_sacks *sacks, unsigned at, unsigned n)
{
	sacks->count -= n;
	memmove(&sacks->ranges[at], &sacks->ranges[at + n], (sacks->count - at) * sizeof(sacks->ranges[0]));
}

static void add_range(struct tcp_sacks *sacks, struct range range)
{
	unsigned first = 0, end;

	while (first < sacks->count && TCP_SEQ_LT(sacks->ranges[first].right, range.left))
		first++;
	for (end = first; end < sacks->count && TCP_SEQ_LEQ(sacks->ranges[end].left, range.right); end++) {
		if (TCP_SEQ_LT(sacks->ranges[end].left, range.left))
			range.left = sacks->ranges[end].left;
		if (TCP_SEQ_GT(sacks->ranges[end].right, range.right))
			range.right = sacks->ranges[end].right;
	}
	if (end > first) {
		remove_ranges(sacks, first + 1, end - first - 1);
	} else if (sacks->count == RANGES) {
		return; /* it will be sent again for nothing */
	} else {
		memmove(&sacks->ranges[first + 1], &sacks->ranges[first], (sacks->count - first) * sizeof(sacks->ranges[0]));
		sacks->count++;
	}
	sacks->ranges[first] = range;
}

/* What is acknowledged leaves; a range that begins there was taken back by the peer (RFC 2018, 8). */
static void drop_below(struct tcp_sacks *sacks, uint32_t una)
{
	unsigned n = 0;

	while (n < sacks->count && TCP_SEQ_LEQ(sacks->ranges[n].left, una))
		n++;
	if (n)
		remove_ranges(sacks, 0, n);
}

static uint32_t number_at(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Blocks at or below `una` tell of what came twice (RFC 2883): nothing to learn. */
static void take_blocks(struct tcp_sacks *sacks, const struct tcp_pcb *pcb, uint32_t una, const uint8_t *blocks, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct range range = {number_at(blocks + 8 * i), number_at(blocks + 8 * i + 4)};

		if (TCP_SEQ_LT(una, range.left) && TCP_SEQ_LT(range.left, range.right) && TCP_SEQ_LEQ(range.right, pcb->snd_nxt))
			add_range(sacks, range);
	}
}

static bool holds(const struct tcp_sacks *sacks, uint32_t left, uint32_t right)
{
	for (unsigned i = 0; i < sacks->count; i++)
		if (TCP_SEQ_LEQ(sacks->ranges[i].left, left) && TCP_SEQ_LEQ(right, sacks->ranges[i].right))
			return true;
	return false;
}

/* ---- holes: the one before range i ---- */

static struct range hole_before(const struct tcp_sacks *sacks, unsigned i, uint32_t una)
{
	return (struct range){i ? sacks->ranges[i - 1].right : una, sacks->ranges[i].left};
}

static bool is_lost(const struct tcp_sacks *sacks, unsigned i, uint32_t packet)
{
	uint32_t held = 0;

	if (sacks->count - i >= ENOUGH)
		return true;
	for (; i < sacks->count; i++)
		held += sacks->ranges[i].right - sacks->ranges[i].left;
	return held > (ENOUGH - 1) * packet;
}

/* Bytes that are taken to be in the network. */
static uint32_t count_pipe(const struct tcp_sacks *sacks, uint32_t una, uint32_t next, uint32_t packet)
{
	uint32_t pipe = next - (sacks->count ? sacks->ranges[sacks->count - 1].right : una);

	for (unsigned i = 0; i < sacks->count; i++) {
		struct range hole = hole_before(sacks, i, una);

		if (!is_lost(sacks, i, packet))
			pipe += hole.right - hole.left;
		if (sacks->recovering && TCP_SEQ_GT(sacks->resent, hole.left))
			pipe += (TCP_SEQ_LT(sacks->resent, hole.right) ? sacks->resent : hole.right) - hole.left;
	}
	return pipe;
}

/* ---- sending again ---- */

static const struct tcp_seg *find_segment(const struct tcp_pcb *pcb, uint32_t at)
{
	const struct tcp_seg *seg = pcb->unacked;

	while (seg && TCP_SEQ_LEQ(__builtin_bswap32(seg->tcphdr->seqno) + seg->len, at))
		seg = seg->next;
	return seg && TCP_SEQ_LEQ(__builtin_bswap32(seg->tcphdr->seqno), at) ? seg : NULL;
}

static void fill_header(const struct tcp_pcb *pcb, struct tcp_hdr *header, uint32_t at, unsigned options)
{
	uint32_t *stamps = (uint32_t *)(header + 1);

	memset(header, 0, sizeof(*header));
	header->src = __builtin_bswap16(pcb->local_port);
	header->dest = __builtin_bswap16(pcb->remote_port);
	header->seqno = __builtin_bswap32(at);
	header->ackno = __builtin_bswap32(pcb->rcv_nxt);
	header->wnd = __builtin_bswap16((uint16_t)MIN(RCV_WND_SCALE(pcb, pcb->rcv_ann_wnd), 0xffffu));
	TCPH_HDRLEN_FLAGS_SET(header, (TCP_HLEN + options) / 4, TCP_ACK);
	if (options) {
		stamps[0] = PP_HTONL(0x0101080a);
		stamps[1] = __builtin_bswap32(sys_now());
		stamps[2] = __builtin_bswap32(pcb->ts_recent);
	}
}

/* Up to n bytes from `at` on, in one frame. How many; 0: they cannot be sent now. */
static uint32_t send_again(struct tcp_pcb *pcb, uint32_t at, uint32_t n)
{
	const struct tcp_seg *seg = find_segment(pcb, at);
	struct netif *netif = ip_route(&pcb->local_ip, &pcb->remote_ip);
	unsigned options = pcb->flags & TF_TIMESTAMP ? LWIP_TCP_OPT_LEN_TS_OUT : 0;
	uint32_t offset;
	struct pbuf *p;
	err_t err;

	if (!seg || !netif)
		return 0;
	offset = at - __builtin_bswap32(seg->tcphdr->seqno);
	n = MIN(n, seg->len - offset);
	p = pbuf_alloc(PBUF_IP, (u16_t)(TCP_HLEN + options + n), PBUF_RAM);
	if (!p)
		return 0;
	fill_header(pcb, p->payload, at, options);
	/* lwIP leaves the headers of lower layers before the segment's own once it was sent. */
	offset += (uint32_t)((const char *)seg->tcphdr - (const char *)seg->p->payload) + TCPH_HDRLEN_BYTES(seg->tcphdr);
	(void)pbuf_copy_partial(seg->p, (char *)p->payload + TCP_HLEN + options, (u16_t)n, (u16_t)offset);
	NETIF_SET_HINTS(netif, &pcb->netif_hints);
	err = ip_output_if(p, &pcb->local_ip, &pcb->remote_ip, pcb->ttl, pcb->tos, IP_PROTO_TCP, netif);
	NETIF_RESET_HINTS(netif);
	pbuf_free(p);
	return err == ERR_OK ? n : 0;
}

/* Lost holes, as far as there is room; the first of a recovery goes in any case. */
static void fill_holes(struct tcp_pcb *pcb, struct tcp_sacks *sacks, uint32_t una, uint32_t packet, bool first)
{
	uint32_t pipe = count_pipe(sacks, una, pcb->snd_nxt, packet), room, sent;

	for (unsigned i = 0; i < sacks->count && is_lost(sacks, i, packet); i++) {
		struct range hole = hole_before(sacks, i, una);

		if (TCP_SEQ_LT(hole.left, sacks->resent))
			hole.left = sacks->resent;
		while (TCP_SEQ_LT(hole.left, hole.right)) {
			room = pcb->ssthresh > pipe ? (pcb->ssthresh - pipe) / packet * packet : 0;
			if (!room && !first)
				return;
			sent = send_again(pcb, hole.left, MIN(hole.right - hole.left, MAX(room, packet)));
			if (!sent)
				return;
			first = false;
			hole.left += sent;
			pipe += sent;
			sacks->resent = hole.left;
		}
	}
}

/* ---- timeouts ---- */

static uint32_t packet_of(struct tcp_pcb *pcb)
{
	const struct tcp_link *link = tcp_link_of(pcb);

	return link->mss ? link->mss : pcb->mss;
}

/* Something is. lwIP insists that it does not probe a window then, and times it. */
static void under_way(struct tcp_pcb *pcb)
{
	pcb->persist_backoff = 0;
	pcb->rtime = MAX(pcb->rtime, (s16_t)0);
}

/* Into an ordered list, looked for from `near` on if that is before it. Where it is. */
static struct tcp_seg **put_in_order(struct tcp_seg **list, struct tcp_seg **near, struct tcp_seg *seg)
{
	uint32_t at = __builtin_bswap32(seg->tcphdr->seqno);

	if (*near && TCP_SEQ_LT(__builtin_bswap32((*near)->tcphdr->seqno), at))
		list = near;
	while (*list && TCP_SEQ_LT(__builtin_bswap32((*list)->tcphdr->seqno), at))
		list = &(*list)->next;
	seg->next = *list;
	*list = seg;
	return list;
}

/* lwIP has put all that was under way back to what is to be sent: what the peer holds counts as sent. */
static void pass_over_held(struct tcp_pcb *pcb, const struct tcp_sacks *sacks)
{
	struct tcp_seg *all = pcb->unsent, *seg, **sent_near = &pcb->unacked, **unsent_near = &pcb->unsent;

	pcb->unsent = NULL;
	while ((seg = all)) {
		uint32_t left = __builtin_bswap32(seg->tcphdr->seqno), right = left + TCP_TCPLEN(seg);

		all = seg->next;
		if (TCP_SEQ_LEQ(right, pcb->rto_end) && holds(sacks, left, right)) {
			sent_near = put_in_order(&pcb->unacked, sent_near, seg);
			under_way(pcb);
		} else {
			unsent_near = put_in_order(&pcb->unsent, unsent_near, seg);
		}
	}
}

/* Cuts a segment that was sent in two, where one of its packets ends. Whether it did. */
static bool cut(struct tcp_pcb *pcb, struct tcp_seg *seg, uint32_t at, uint32_t packet)
{
	uint32_t first = at - __builtin_bswap32(seg->tcphdr->seqno);
	struct tcp_seg *unsent = pcb->unsent;
	uint16_t oversize = pcb->unsent_oversize;
	err_t err;

	if (!first || first >= seg->len || first % packet || first > pcb->mss)
		return false;
	pcb->unsent = seg; /* lwIP cuts only what is to be sent next */
	err = tcp_split_unsent_seg(pcb, (u16_t)first);
	pcb->unsent = unsent;
	pcb->unsent_oversize = oversize;
	return err == ERR_OK;
}

static void cut_out_held(struct tcp_pcb *pcb, const struct tcp_sacks *sacks, uint32_t packet)
{
	if (pcb->unacked)
		(void)cut(pcb, pcb->unacked, pcb->lastack, packet);
	for (struct tcp_seg *seg = pcb->unacked; seg; seg = seg->next)
		for (unsigned i = 0; i < sacks->count; i++)
			if (cut(pcb, seg, sacks->ranges[i].left, packet) || cut(pcb, seg, sacks->ranges[i].right, packet))
				break;
}

static void put_aside(struct tcp_pcb *pcb, struct tcp_sacks *sacks)
{
	struct tcp_seg **end = &sacks->aside, **from = &pcb->unacked, *seg;

	while ((seg = *from)) {
		uint32_t left = __builtin_bswap32(seg->tcphdr->seqno), right = left + TCP_TCPLEN(seg);

		if (TCP_SEQ_GT(right, pcb->lastack) && !holds(sacks, left, right)) {
			from = &seg->next;
			continue;
		}
		*from = seg->next;
		seg->next = NULL;
		*end = seg;
		end = &seg->next;
	}
}

void sack_before_tick(void)
{
	struct tcp_sacks *sacks;

	LIST_FOREACH(sacks, &scoreboards, all) {
		struct tcp_pcb *pcb = sacks->pcb;

		if (!sacks->count || !pcb->unacked || pcb->persist_backoff || pcb->rtime < 0 || pcb->rtime + 1 < pcb->rto)
			continue;
		cut_out_held(pcb, sacks, packet_of(pcb));
		put_aside(pcb, sacks);
	}
}

void sack_after_tick(void)
{
	struct tcp_sacks *sacks;
	struct tcp_seg *seg, **near;

	LIST_FOREACH(sacks, &scoreboards, all) {
		near = &sacks->pcb->unacked;
		while ((seg = sacks->aside)) {
			sacks->aside = seg->next;
			near = put_in_order(&sacks->pcb->unacked, near, seg);
			under_way(sacks->pcb);
		}
	}
}

static uint32_t count_held(const struct tcp_sacks *sacks)
{
	uint32_t held = 0;

	for (unsigned i = 0; i < sacks->count; i++)
		held += sacks->ranges[i].right - sacks->ranges[i].left;
	return held;
}

/* ---- the whole ---- */

static void begin_recovery(struct tcp_pcb *pcb, struct tcp_sacks *sacks, uint32_t una)
{
	sacks->recovering = true;
	sacks->recovery_end = pcb->snd_nxt;
	sacks->resent = una;
	pcb->ssthresh = MAX((pcb->snd_nxt - una) / 2, 2u * pcb->mss);
	pcb->cwnd = pcb->ssthresh;
	pcb->rttest = 0; /* what is sent again measures nothing */
	pcb->rtime = 0;
}

static void recover(struct tcp_pcb *pcb, struct tcp_sacks *sacks, uint32_t una, uint32_t packet)
{
	bool begins = !sacks->recovering && sacks->count && is_lost(sacks, 0, packet);

	if (sacks->recovering && TCP_SEQ_GEQ(una, sacks->recovery_end))
		sacks->recovering = false;
	if (begins)
		begin_recovery(pcb, sacks, una);
	if (!sacks->recovering)
		return;
	pcb->cwnd = pcb->ssthresh;
	pcb->bytes_acked = 0;
	if (TCP_SEQ_LT(sacks->resent, una))
		sacks->resent = una;
	fill_holes(pcb, sacks, una, packet, begins);
}

static struct tcp_sacks *sacks_new(struct tcp_pcb *pcb)
{
	struct tcp_sacks *sacks = kzalloc(sizeof(*sacks));

	if (!sacks)
		return NULL;
	sacks->pcb = pcb;
	LIST_INSERT_HEAD(&scoreboards, sacks, all);
	return sacks;
}

void sack_forget(struct tcp_link *link)
{
	if (!link->sacks)
		return;
	tcp_segs_free(link->sacks->aside);
	LIST_REMOVE(link->sacks, all);
	kfree(link->sacks);
	link->sacks = NULL;
}

void sack_acknowledge(struct tcp_pcb *pcb, uint32_t ack, const uint8_t *blocks, unsigned count)
{
	struct tcp_link *link = tcp_link_of(pcb);
	uint32_t una = TCP_SEQ_GT(ack, pcb->lastack) ? ack : pcb->lastack, packet, pipe;
	struct tcp_sacks *sacks;

	if (!link || !(pcb->flags & TF_SACK) || (!link->sacks && !count))
		return;
	if (!link->sacks)
		link->sacks = sacks_new(pcb);
	sacks = link->sacks;
	if (!sacks)
		return;
	packet = packet_of(pcb);
	if (sacks->added && pcb->cwnd >= sacks->inflated) /* less: a timeout has set it anew */
		pcb->cwnd -= sacks->added;
	drop_below(sacks, una);
	take_blocks(sacks, pcb, una, blocks, count);
	if (pcb->flags & TF_RTO) {
		sacks->recovering = false;
		pass_over_held(pcb, sacks);
		sacks->added = count_held(sacks);
	} else {
		recover(pcb, sacks, una, packet);
		pipe = count_pipe(sacks, una, pcb->snd_nxt, packet); /* holes that were sent again may count twice */
		sacks->added = pcb->snd_nxt - una > pipe ? pcb->snd_nxt - una - pipe : 0;
	}
	if (sacks->count)
		pcb->dupacks = 0; /* lwIP does not count to three */
	pcb->cwnd += sacks->added;
	sacks->inflated = pcb->cwnd;
	if (!sacks->count && !sacks->recovering)
		sack_forget(link);
}
