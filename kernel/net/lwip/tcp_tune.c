/*
 * What a TCP connection is given when it begins, where lwIP's own choice is not Linux's: the first timeout and the first
 * measure of the round trip; its buffers, which grow; the size of segments, which path.c and segment.c change later.
 */
#include "kernel/net/lwip/internal.h"

#define FIRST_TIMEOUT_MS 1000u /* of a SYN (RFC 6298); lwIP's is 3 s */
#define TIMEOUT_TICKS_MIN 4 /* 240 to 320 ms */
#define FIRST_WINDOW 10u /* packets */
#define SEGMENT_MAX 61440u
#define SEND_FIRST (512u * 1024)

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

/* ---- buffers: what SO_SNDBUF and SO_RCVBUF said, or what the path turns out to need ---- */

size_t tcp_send_limit(const struct inet_socket *sock)
{
	const struct tcp_pcb *pcb = sock->tcp ? sock->tcp->pcb : NULL;
	uint32_t room;

	if (sock->options.send_buffer_set)
		return MIN(sock->options.send_buffer, TCP_SND_BUF);
	if (!pcb || pcb->state == LISTEN || !sock->tcp->mss)
		return SEND_FIRST;
	room = 2 * MIN(pcb->cwnd, pcb->snd_wnd);
	room = MAX(room, SEND_FIRST);
	return MIN(room, TCP_SND_BUF);
}

uint64_t tcp_window_limit(const struct inet_socket *sock)
{
	uint64_t limit = sock->options.receive_buffer_set ? sock->options.receive_buffer : MAX(sock->window, TCP_WINDOW_FIRST);

	limit = MIN(limit, (uint64_t)TCP_WND);
	return sock->window_clamp ? MIN(limit, (uint64_t)sock->window_clamp) : limit;
}

/*
 * The program has read. If it keeps up with what comes over a link, the window may be what limits the sender: each time
 * that a window has been read it is doubled. A reader that lags behind has none that grows.
 */
void tcp_tune_window(struct inet_socket *sock)
{
	struct tcp_pcb *pcb = sock->tcp->pcb;
	uint32_t window = MAX(sock->window, TCP_WINDOW_FIRST);

	if (sock->options.receive_buffer_set || !sock->tcp->mss || window >= TCP_WND || sock->rx_bytes > window / 4 ||
	    pcb->rcv_nxt - sock->window_since < window)
		return;
	sock->window_since = pcb->rcv_nxt;
	sock->window = MIN(2 * window, TCP_WND);
	pcb->rcv_wnd += sock->window - window;
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
 * Over a link, segments of many packets: the host cuts them (kernel/net/frames.h). At most half of a window each, so that
 * a connection begins with ten packets as on Linux (RFC 6928) and grows to whole frames. A lost packet is sent again
 * alone (sack.c), so they need not become smaller with the congestion window again.
 */
void tcp_size_segments(struct tcp_link *link, uint32_t window)
{
	struct tcp_pcb *pcb = link->pcb;
	uint16_t options = pcb->flags & TF_TIMESTAMP ? LWIP_TCP_OPT_LEN_TS_OUT : 0;
	uint32_t most = (SEGMENT_MAX - options) / link->mss, packets;

	if (link->packets < most)
		link->packets = (uint16_t)MIN(MAX(pcb->cwnd / 2 / link->mss, (uint32_t)link->packets), most);
	packets = MAX(MIN((uint32_t)link->packets, window / 2 / link->mss), 1u);
	link->segment = (uint16_t)(link->mss * packets + options);
}

/* lwIP's MSS counts the options of each segment, ours what a packet carries beside them. */
void tcp_use_segments(struct tcp_link *link, uint32_t window)
{
	struct tcp_pcb *pcb = link->pcb;
	struct netif *netif = ip_route(&pcb->local_ip, &pcb->remote_ip);
	uint16_t headers = IP_IS_V6(&pcb->remote_ip) ? 60 : 40, mtu;
	bool first = !link->peer_mss;

	if (first) {
		link->peer_mss = MAX(pcb->mss, (u16_t)TCP_MSS_MIN);
		if (link->sock && link->sock->max_segment)
			link->peer_mss = MIN(link->peer_mss, (u16_t)link->sock->max_segment);
		link->segment = pcb->mss = link->peer_mss;
	}
	if (!netif || netif == &loop_netif)
		return;
	mtu = MAX(path_carries(&pcb->remote_ip, device_mtu(netif)), (uint16_t)(headers + TCP_MSS_MIN));
	link->mss = (uint16_t)(MIN(link->peer_mss, (u16_t)(mtu - headers)) - (pcb->flags & TF_TIMESTAMP ? LWIP_TCP_OPT_LEN_TS_OUT : 0));
	if (first)
		pcb->cwnd = FIRST_WINDOW * link->mss;
	link->packets = 0;
	tcp_size_segments(link, window);
	if (first) /* later tcp_data.c takes it over when it may */
		pcb->mss = link->segment;
}
