/*
 * Urgent data of TCP (RFC 9293, 3.8.5; tcp(7)), which lwIP knows nothing of: one byte of the stream is marked.
 *
 * Sending: tcp_data.c says where the marked byte ends (tcp_urgent_sent()); each segment that is sent before that has been
 * acknowledged says so in its header (tcp_urgent_mark(), from the hook that writes options). Receiving: segments are looked
 * at before lwIP has them (tcp_urgent_input()). The byte is kept apart and stays in the stream, too, where readers stop
 * before it and step over it; with SO_OOBINLINE they read it there.
 *
 * The pointer counts to the byte after the marked one, as Linux and BSD have it. Positions are bytes since the connection began.
 */
#include <linux/eventpoll.h>

#include "kernel/net/lwip/internal.h"

/* ---- sending ---- */

void tcp_urgent_sent(struct tcp_link *link)
{
	link->urgent = true;
	link->urgent_end = link->pcb->snd_lbb;
}

void tcp_urgent_acknowledged(struct tcp_link *link)
{
	if (link->urgent && TCP_SEQ_GEQ(link->pcb->lastack, link->urgent_end))
		link->urgent = false;
}

void tcp_urgent_mark(struct tcp_hdr *header, const struct tcp_pcb *pcb)
{
	const struct tcp_link *link = pcb ? tcp_link_of(pcb) : NULL;
	uint32_t seq = __builtin_bswap32(header->seqno), ahead;

	if (!link || !link->urgent || TCPH_FLAGS(header) & (TCP_SYN | TCP_RST))
		return;
	ahead = link->urgent_end - seq;
	TCPH_UNSET_FLAG(header, TCP_URG); /* it may be sent again */
	header->urgp = 0;
	if ((int32_t)ahead <= 0 || (ahead > UINT16_MAX && !TCP_SEQ_GT(seq + UINT16_MAX, pcb->snd_nxt)))
		return;
	TCPH_SET_FLAG(header, TCP_URG);
	header->urgp = __builtin_bswap16((uint16_t)MIN(ahead, (uint32_t)UINT16_MAX));
}

/* ---- what comes ---- */

/* The urgent byte before the next one, which was neither read nor passed: out of the stream, unless it is being read. */
static void drop_passed(struct inet_socket *sock)
{
	struct tcp_pcb *pcb = sock->tcp->pcb;

	if (sock->urgent == URGENT_NONE || sock->urgent_at != sock->rx_read || sock->options.oob_inline || !sock->rx_bytes)
		return;
	if (!mutex_trylock(&sock->read_lock))
		return;
	tcp_skip_byte(sock);
	mutex_unlock(&sock->read_lock);
	if (pcb->rcv_wnd + sock->rx_bytes < tcp_window_limit(sock))
		tcp_recved(pcb, 1);
}

/* A segment that begins at position `at` marks a byte. */
static void note_mark(struct inet_socket *sock, uint64_t at, uint16_t pointer)
{
	uint64_t mark = at + (pointer ? pointer - 1u : 0);

	if ((int64_t)(mark - (sock->rx_read + sock->rx_bytes)) < 0)
		return; /* it has come already */
	if (sock->urgent != URGENT_NONE && mark <= sock->urgent_at)
		return;
	if (sock->base.urgent)
		sock->base.urgent(&sock->base);
	drop_passed(sock);
	sock->urgent = URGENT_AWAITED;
	sock->urgent_at = mark;
}

void tcp_urgent_input(struct tcp_pcb *pcb, const struct tcp_hdr *header, const struct pbuf *p)
{
	struct tcp_link *link = tcp_link_of(pcb);
	struct inet_socket *sock = link ? link->sock : NULL;
	int32_t offset = (int32_t)(header->seqno - pcb->rcv_nxt);
	uint64_t at;

	if (!sock || sock->rx_end || (!(TCPH_FLAGS(header) & TCP_URG) && sock->urgent != URGENT_AWAITED))
		return;
	if (offset > (int32_t)pcb->rcv_wnd || offset + (int32_t)p->tot_len < 0)
		return;
	at = sock->rx_read + sock->rx_bytes + (uint64_t)(int64_t)offset;
	if (TCPH_FLAGS(header) & TCP_URG)
		note_mark(sock, at, __builtin_bswap16(header->urgp));
	if (sock->urgent != URGENT_AWAITED || sock->urgent_at - at >= p->tot_len)
		return;
	sock->urgent_byte = pbuf_get_at(p, (u16_t)(sock->urgent_at - at));
	sock->urgent = URGENT_THERE;
	inet_wake(sock, EPOLLPRI | EPOLLIN | EPOLLRDNORM);
}

/* ---- readers ---- */

bool tcp_urgent_is_next(const struct inet_socket *sock)
{
	return sock->urgent != URGENT_NONE && sock->urgent_at == sock->rx_read;
}

size_t tcp_urgent_before(const struct inet_socket *sock, size_t skip, size_t n)
{
	uint64_t at = sock->rx_read + skip;

	return sock->urgent == URGENT_NONE || sock->urgent_at < at ? n : (size_t)MIN((uint64_t)n, sock->urgent_at - at);
}

void tcp_urgent_passed(struct inet_socket *sock)
{
	if (sock->urgent != URGENT_NONE && sock->rx_read > sock->urgent_at)
		sock->urgent = URGENT_NONE;
}

int tcp_urgent_readable(const struct inet_socket *sock)
{
	uint64_t end = sock->rx_read + sock->rx_bytes;

	if (sock->options.oob_inline || sock->urgent == URGENT_NONE || sock->urgent_at < sock->rx_read || sock->urgent_at >= end)
		return (int)sock->rx_bytes;
	return (int)(sock->urgent_at - sock->rx_read);
}

int64_t tcp_urgent_receive(struct inet_socket *sock, struct socket_receive *receive)
{
	uint8_t byte = sock->urgent_byte;
	int rc = 0;

	if (sock->state == INET_LISTENING)
		return -ENOTCONN;
	if (sock->options.oob_inline || sock->urgent == URGENT_NONE || sock->urgent == URGENT_READ)
		return -EINVAL;
	if (sock->urgent == URGENT_AWAITED)
		return sock->state != INET_CONNECTED || sock->rx_end || sock->shutdown & INET_SHUT_RECEIVE ? 0 : -EAGAIN;
	if (!(receive->flags & MSG_PEEK))
		sock->urgent = URGENT_READ;
	receive->out_flags = MSG_OOB | (receive->len ? 0 : MSG_TRUNC);
	if (receive->len && !(receive->flags & MSG_TRUNC))
		rc = receive->copy->copy(receive->copy, &byte, sizeof(byte));
	return rc ? -EFAULT : (int64_t)MIN(receive->len, sizeof(byte));
}
