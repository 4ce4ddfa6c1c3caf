/*
 * Where lwIP's TCP stops short of Linux's: what is done to segments before lwIP's own processing (hooks.h).
 *
 *  - A listener's queues: SYNs wait in lwIP until the handshake ends, of which the oldest give way to new ones (a flood
 *    takes no more memory than that, and a client that answers at once is served); a full queue of accept(2) drops SYNs.
 *  - Simultaneous open (RFC 9293, 3.5): lwIP knows it not. The connection goes to SYN_RCVD with a listener that nobody
 *    else has, whose accept() says that we are connected.
 *  - A SYN to a pair in TIME_WAIT opens it anew if its number is beyond the old ones (RFC 9293, 3.6.1).
 *  - Segments without ACK, old timestamps (RFC 7323, 5), an MSS outside of SYNs, resets that acknowledge nothing.
 */
#include "kernel/net/lwip/hooks.h"
#include "kernel/net/lwip/internal.h"

#define HALF_OPEN_MAX 255u /* what lwIP can count */
#define TCP_OPT_SACK 5

struct options {
	uint16_t mss;
	uint8_t scale;
	bool has_mss, has_scale, has_stamp, sack;
	uint32_t stamp;
	const uint8_t *blocks; /* of SACK */
	unsigned block_count;
};

static struct tcp_pcb_listen simultaneous; /* the listener of connections that both sides open */

/* The options of a segment. What only a first SYN may say is written over elsewhere, since lwIP would take it. */
static void read_options(uint8_t *bytes, unsigned len, bool first, struct options *out)
{
	memset(out, 0, sizeof(*out));
	while (len && bytes[0] != LWIP_TCP_OPT_EOL) {
		unsigned size = bytes[0] == LWIP_TCP_OPT_NOP ? 1 : len < 2 ? 0 : bytes[1];

		if (!size || size > len || (size == 1 && bytes[0] != LWIP_TCP_OPT_NOP))
			return;
		if (bytes[0] == LWIP_TCP_OPT_MSS && size == LWIP_TCP_OPT_LEN_MSS) {
			out->has_mss = true;
			out->mss = (uint16_t)(bytes[2] << 8 | bytes[3]);
		} else if (bytes[0] == LWIP_TCP_OPT_WS && size == LWIP_TCP_OPT_LEN_WS) {
			out->has_scale = true;
			out->scale = MIN(bytes[2], (uint8_t)14);
		} else if (bytes[0] == LWIP_TCP_OPT_TS && size == LWIP_TCP_OPT_LEN_TS) {
			out->has_stamp = true;
			out->stamp = (uint32_t)bytes[2] << 24 | (uint32_t)bytes[3] << 16 | (uint32_t)bytes[4] << 8 | bytes[5];
		} else if (bytes[0] == LWIP_TCP_OPT_SACK_PERM && size == LWIP_TCP_OPT_LEN_SACK_PERM) {
			out->sack = true;
		} else if (bytes[0] == TCP_OPT_SACK && size > 2 && (size - 2) % 8 == 0) {
			out->blocks = bytes + 2;
			out->block_count = (size - 2) / 8;
		}
		if (!first && (bytes[0] == LWIP_TCP_OPT_MSS || bytes[0] == LWIP_TCP_OPT_WS))
			memset(bytes, LWIP_TCP_OPT_NOP, size);
		bytes += size;
		len -= size;
	}
}

/* ---- listeners ---- */

static void drop_oldest_half_open(const struct tcp_pcb_listen *listener)
{
	struct tcp_pcb *pcb, *oldest = NULL;

	for (pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
		if (pcb->state == SYN_RCVD && pcb->listener == listener)
			oldest = pcb;
	if (oldest)
		tcp_abandon(oldest, 0);
}

static err_t syn_to_listener(struct tcp_pcb_listen *listener, uint16_t port)
{
	if (!tcp_listener_has_room(listener->callback_arg, port))
		return ERR_MEM;
	if (listener->accepts_pending >= HALF_OPEN_MAX)
		drop_oldest_half_open(listener);
	return ERR_OK;
}

/* ---- both sides open ---- */

static void take_options(struct tcp_pcb *pcb, const struct options *options)
{
	if (options->has_mss)
		pcb->mss = options->mss;
	pcb->mss = tcp_eff_send_mss(MAX(pcb->mss, (u16_t)TCP_MSS_MIN), &pcb->local_ip, &pcb->remote_ip);
	if (options->has_scale) {
		pcb->snd_scale = options->scale;
		pcb->rcv_scale = TCP_RCV_SCALE;
		pcb->rcv_wnd = pcb->rcv_ann_wnd = TCP_WND;
		tcp_set_flags(pcb, TF_WND_SCALE);
	}
	if (options->has_stamp) {
		pcb->ts_recent = options->stamp;
		tcp_set_flags(pcb, TF_TIMESTAMP);
	}
	if (options->sack)
		tcp_set_flags(pcb, TF_SACK);
}

static err_t on_simultaneous(void *arg, struct tcp_pcb *pcb, err_t err)
{
	pcb->listener = NULL;
	return pcb->connected ? pcb->connected(arg, pcb, err) : ERR_OK;
}

/* The peer's SYN crosses ours: ours is sent again, with its acknowledgement. */
static void open_from_both(struct tcp_pcb *pcb, const struct tcp_hdr *header, const struct options *options)
{
	struct tcp_seg *syn = pcb->unacked ? pcb->unacked : pcb->unsent;

	if (!syn)
		return;
	pcb->rcv_nxt = pcb->rcv_ann_right_edge = header->seqno + 1;
	pcb->snd_wnd = pcb->snd_wnd_max = header->wnd;
	pcb->snd_wl1 = header->seqno - 1;
	pcb->snd_wl2 = pcb->lastack;
	take_options(pcb, options);
	TCPH_SET_FLAG(syn->tcphdr, TCP_ACK);
	simultaneous.state = LISTEN;
	simultaneous.accept = on_simultaneous;
	pcb->listener = &simultaneous;
	pcb->state = SYN_RCVD;
	if (pcb->unacked)
		(void)tcp_rexmit(pcb);
	(void)tcp_output(pcb);
}

/* ---- the hook ---- */

/*
 * The peer's window: lwIP misses one that closes without news of either side's bytes, and makes segments by the largest
 * that it has seen.
 */
static void look_at_window(struct tcp_pcb *pcb, const struct tcp_hdr *header)
{
	struct tcp_link *link = tcp_link_of(pcb);
	uint32_t window = (uint32_t)header->wnd << (pcb->flags & TF_WND_SCALE ? pcb->snd_scale : 0);

	if (!window && header->seqno == pcb->snd_wl1 && header->ackno == pcb->snd_wl2)
		pcb->snd_wnd = 0;
	if (link && link->mss)
		tcp_size_segments(link, window);
}

static err_t synchronized(struct tcp_pcb *pcb, const struct tcp_hdr *header, const struct options *options, const struct pbuf *p)
{
	unsigned flags = TCPH_FLAGS(header);
	bool bad = flags & TCP_ACK && !(flags & TCP_RST) && TCP_SEQ_GT(header->ackno, pcb->snd_nxt);

	if (!(flags & (TCP_ACK | TCP_RST | TCP_SYN)))
		return ERR_VAL;
	if (pcb->flags & TF_TIMESTAMP && options->has_stamp && !(flags & (TCP_RST | TCP_SYN)) &&
	    (int32_t)(options->stamp - pcb->ts_recent) < 0)
		bad = true;
	if (bad) {
		tcp_ack_now(pcb);
		(void)tcp_output(pcb);
		return ERR_VAL;
	}
	if (flags & TCP_ACK) {
		look_at_window(pcb, header);
		if (!(flags & TCP_RST))
			sack_acknowledge(pcb, header->ackno, options->blocks, options->block_count);
	}
	if (!(flags & TCP_RST))
		tcp_urgent_input(pcb, header, p);
	return ERR_OK;
}

/* IP_MINTTL, IPV6_MINHOPCOUNT: it has come a longer way than its socket believes in. */
static bool too_far(const struct tcp_pcb *pcb)
{
	const struct tcp_link *link = tcp_link_of(pcb);

	if (!link || !link->sock)
		return false;
	return ip_current_is_v6() ? IP6H_HOPLIM(ip6_current_header()) < link->sock->minimum_hops :
		IPH_TTL(ip4_current_header()) < link->sock->minimum_ttl;
}

/* A segment for a control block; header fields are in host order, but for the urgent pointer. Not ERR_OK: lwIP drops it. */
err_t lwip_port_tcp_segment(struct tcp_pcb *pcb, struct tcp_hdr *header, u16_t len, u16_t here, const struct pbuf *p)
{
	unsigned flags = TCPH_FLAGS(header);
	struct options options;

	if (pcb->state != LISTEN && too_far(pcb))
		return ERR_VAL;
	if (here < len)
		return ERR_VAL; /* options in two pieces: nobody cuts a packet there */
	read_options((uint8_t *)(header + 1), len, pcb->state == LISTEN || pcb->state == SYN_SENT, &options);
	switch (pcb->state) {
	case LISTEN:
		return (flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN ? syn_to_listener((void *)pcb, header->src) : ERR_OK;
	case SYN_SENT:
		if (flags & TCP_RST)
			return flags & TCP_ACK ? ERR_OK : ERR_VAL;
		if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
			open_from_both(pcb, header, &options);
			return ERR_VAL;
		}
		return ERR_OK;
	case SYN_RCVD:
	case TIME_WAIT:
		return ERR_OK;
	default:
		return synchronized(pcb, header, &options, p);
	}
}

/* ---- before lwIP looks for a control block ---- */

static struct tcp_pcb *find_time_wait(const ip_addr_t *from, const ip_addr_t *to, const struct tcp_hdr *header)
{
	struct tcp_pcb *pcb;

	for (pcb = tcp_tw_pcbs; pcb; pcb = pcb->next)
		if (pcb->remote_port == __builtin_bswap16(header->src) && pcb->local_port == __builtin_bswap16(header->dest) &&
		    ip_addr_cmp_zoneless(&pcb->remote_ip, from) && ip_addr_cmp_zoneless(&pcb->local_ip, to))
			return pcb;
	return NULL;
}

void tcp_before_input(const struct pbuf *p, uint8_t protocol, unsigned at)
{
	const struct tcp_hdr *header = (const void *)((const char *)p->payload + at);
	struct tcp_pcb *pcb;
	ip_addr_t from, to;

	if (protocol != IP_PROTO_TCP || p->len < at + TCP_HLEN || (TCPH_FLAGS(header) & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
		return;
	if (IP_HDR_GET_VERSION(p->payload) == 4) {
		ip_addr_copy_from_ip4(from, ((const struct ip_hdr *)p->payload)->src);
		ip_addr_copy_from_ip4(to, ((const struct ip_hdr *)p->payload)->dest);
	} else {
		ip_addr_copy_from_ip6_packed(from, ((const struct ip6_hdr *)p->payload)->src);
		ip_addr_copy_from_ip6_packed(to, ((const struct ip6_hdr *)p->payload)->dest);
	}
	pcb = find_time_wait(&from, &to, header);
	if (pcb && TCP_SEQ_GT(__builtin_bswap32(header->seqno), pcb->rcv_nxt))
		tcp_abort(pcb); /* of one in TIME_WAIT: without a reset */
}

/*
 * A reset that answers a segment: with that segment's acknowledgement as its number and none of its own, or, if it
 * acknowledged nothing, with the number 0 (RFC 9293, 3.10.7.1). lwIP always acknowledges.
 */
void tcp_fix_reset(struct tcp_hdr *header)
{
	const struct tcp_hdr *in;
	unsigned at = ip_current_header_tot_len();

	if (!at)
		return; /* it answers nothing: the connection was aborted */
	in = (const void *)(ip_current_is_v6() ? (const char *)ip6_current_header() + at : (const char *)ip4_current_header() + at);
	if (header->dest != __builtin_bswap16(in->src) || header->src != __builtin_bswap16(in->dest))
		return;
	if (!(TCPH_FLAGS(in) & TCP_ACK)) {
		header->seqno = 0;
		if ((TCPH_FLAGS(in) & (TCP_SYN | TCP_FIN)) == (TCP_SYN | TCP_FIN)) /* lwIP counts one of them */
			header->ackno = __builtin_bswap32(__builtin_bswap32(header->ackno) + 1);
	} else if (header->seqno == __builtin_bswap32(in->ackno)) {
		TCPH_UNSET_FLAG(header, TCP_ACK);
		header->ackno = 0;
	}
}
