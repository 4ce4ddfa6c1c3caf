/*
 * What a TCP connection is given when it begins, where lwIP's own choice is not Linux's: the first timeout and the first
 * measure of the round trip, the window by SO_RCVBUF, and the size of segments, which path.c and segment.c change later.
 */
#include "kernel/net/lwip/internal.h"

#define FIRST_TIMEOUT_MS 1000u /* of a SYN (RFC 6298); lwIP's is 3 s */
#define TIMEOUT_TICKS_MIN 4 /* 240 to 320 ms */
#define SEGMENT_PACKETS 16u
#define SEGMENT_MAX 61440u

/* RFC 6298: the handshake is the first measure of the round trip; lwIP would take it for one of many. */
void tcp_take_first_measure(struct tcp_pcb *pcb)
{
	s16_t ticks = (s16_t)MIN(tcp_ticks - pcb->rttest, 0xffu);

	if (!pcb->rttest)
		return; /* sent more than once: it measures nothing */
	pcb->rttest = 0;
	pcb->sa = (s16_t)(ticks << 3);
	pcb->sv = MAX((s16_t)(2 * ticks), (s16_t)TIMEOUT_TICKS_MIN);
	pcb->rto = (s16_t)(ticks + pcb->sv);
}

void tcp_set_first_timeout(struct tcp_pcb *pcb)
{
	pcb->rto = pcb->sv = FIRST_TIMEOUT_MS / TCP_SLOW_INTERVAL + 1;
}

/* SO_RCVBUF and TCP_WINDOW_CLAMP before the connection: once announced, a window is not taken back. */
void tcp_limit_window(struct tcp_pcb *pcb, const struct inet_socket *sock)
{
	if (!sock || pcb->rcv_wnd <= tcp_window_limit(sock))
		return;
	pcb->rcv_wnd = pcb->rcv_ann_wnd = (tcpwnd_size_t)tcp_window_limit(sock);
	pcb->rcv_ann_right_edge = pcb->rcv_nxt + pcb->rcv_wnd;
}

/* The window of our SYN: lwIP wants its own number in the control block until the connection stands. */
void tcp_fix_syn(struct tcp_hdr *header, const struct tcp_pcb *pcb)
{
	const struct tcp_link *link = pcb->callback_arg;

	if (pcb->state == SYN_SENT && link && link->sock)
		header->wnd = __builtin_bswap16((uint16_t)MIN(tcp_window_limit(link->sock), 0xffffull));
}

/*
 * Over a link, segments of many packets: the host cuts them (kernel/net/frames.h). IPv4 only, since lwIP would fragment
 * them itself under IPv6. lwIP's MSS counts the options of each segment, ours what a packet carries beside them.
 */
void tcp_use_segments(struct tcp_link *link, uint32_t window)
{
	struct tcp_pcb *pcb = link->pcb;
	struct netif *netif = ip_route(&pcb->local_ip, &pcb->remote_ip);
	bool v6 = IP_IS_V6(&pcb->remote_ip), first = !link->peer_mss;
	uint16_t options = pcb->flags & TF_TIMESTAMP ? LWIP_TCP_OPT_LEN_TS_OUT : 0, mtu;
	uint32_t packets = 1;

	if (first) {
		link->peer_mss = MAX(pcb->mss, (u16_t)TCP_MSS_MIN);
		if (link->sock && link->sock->max_segment)
			link->peer_mss = MIN(link->peer_mss, (u16_t)link->sock->max_segment);
		link->segment = pcb->mss = link->peer_mss;
	}
	if (!netif || netif == &loop_netif)
		return;
	mtu = path_carries(&pcb->remote_ip, device_mtu(netif));
	link->mss = (uint16_t)(MIN(link->peer_mss, (u16_t)(mtu - (v6 ? 60 : 40))) - options);
	if (!v6)
		packets = MIN(SEGMENT_PACKETS, (SEGMENT_MAX - options) / link->mss);
	if (window < 2 * packets * link->mss) /* a segment must fit what the peer takes */
		packets = MAX(window / 2 / link->mss, 1u);
	link->segment = (u16_t)(link->mss * packets + options);
	if (!first)
		return; /* tcp_data.c takes it over when it may */
	pcb->mss = link->segment;
	pcb->cwnd = MAX(pcb->cwnd, 2u * pcb->mss);
}
