/*
 * The bytes of TCP sockets. Sending: small pieces are copied into lwIP's buffers, where they join into segments; large
 * ones stay in chunks of ours that lwIP refers to until they are acknowledged. Receiving: lwIP's buffers are queued
 * as they come, and the window is opened again by what the program has read.
 */
#include <linux/eventpoll.h>
#include <linux/in.h>
#include <linux/tcp.h>

#include "kernel/net/lwip/internal.h"
#include "ring0/clock.h"

#define SMALL 2048u       /* up to here lwIP copies */
#define JOIN_MAX 256u     /* bytes that came in one segment and are copied together with others */
#define JOINED_SIZE 2048u
#define QUEUE_SLACK 64u   /* of lwIP's count of buffers, kept for what it adds itself */

/* ---- chunks ---- */

struct reference {
	struct pbuf_custom pbuf;
	struct tcp_chunk *chunk;
};

void tcp_chunk_put(struct tcp_chunk *chunk)
{
	if (!--chunk->refs)
		kfree(chunk);
}

static struct tcp_chunk *chunk_new(size_t len)
{
	struct tcp_chunk *chunk = kmalloc(sizeof(*chunk) + len);

	if (!chunk)
		return NULL;
	chunk->refs = 1;
	chunk->len = (uint32_t)len;
	return chunk;
}

static void drop_reference(struct pbuf *p)
{
	struct reference *reference = container_of((struct pbuf_custom *)p, struct reference, pbuf);

	tcp_chunk_put(reference->chunk);
	kfree(reference);
}

struct pbuf *tcp_refer(const struct tcp_link *link, const struct pbuf *piece)
{
	struct tcp_chunk *chunk;
	struct reference *reference;
	const char *at = piece->payload;

	TAILQ_FOREACH(chunk, &link->chunks, link)
		if (at >= chunk->data && at < chunk->data + chunk->len)
			break;
	reference = chunk ? kmalloc(sizeof(*reference)) : NULL;
	if (!reference)
		return NULL;
	reference->chunk = chunk;
	reference->pbuf.custom_free_function = drop_reference;
	chunk->refs++;
	return pbuf_alloced_custom(PBUF_RAW, piece->len, PBUF_REF, &reference->pbuf, piece->payload, piece->len);
}

/* ---- lwIP's side ---- */

/*
 * Small pieces that nobody reads are copied together: each would hold its frame, and a window of single bytes more than
 * a hundred times its size. Whether it was done.
 */
static bool join(struct inet_socket *sock, const struct pbuf *p)
{
	struct pbuf *tail = sock->rx_tail, *joined;

	if (!tail || p->next || p->len > JOIN_MAX)
		return false;
	if (sock->rx_room < p->len) {
		joined = tail->len > JOIN_MAX ? NULL : pbuf_alloc(PBUF_RAW, JOINED_SIZE, PBUF_RAM);
		if (!joined)
			return false;
		joined->len = 0;
		tail->next = joined;
		tail = sock->rx_tail = joined;
		sock->rx_room = JOINED_SIZE;
	}
	memcpy((char *)tail->payload + tail->len, p->payload, p->len);
	tail->len = (u16_t)(tail->len + p->len);
	sock->rx_room = (uint16_t)(sock->rx_room - p->len);
	return true;
}

err_t tcp_on_receive(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct tcp_link *link = arg;
	struct inet_socket *sock = link->sock;
	struct pbuf *last;

	if (sock->deferral)
		tcp_release_deferred(sock);
	if (sock->quick_acks)
		tcp_ack_now(pcb);
	if (!p) {
		sock->rx_end = true;
		inet_wake(sock, EPOLLIN | EPOLLRDNORM | EPOLLRDHUP);
		return ERR_OK;
	}
	sock->rx_bytes += p->tot_len;
	if (sock->options.timestamp || sock->options.stamping)
		sock->rx_time = clock_realtime();
	if (!p->len && p->next) { /* held the headers */
		last = p;
		p = p->next;
		last->next = NULL;
		pbuf_free(last);
	}
	if (join(sock, p)) {
		pbuf_free(p);
		inet_wake(sock, EPOLLIN | EPOLLRDNORM);
		return ERR_OK;
	}
	for (last = p; last->next; last = last->next)
		;
	if (sock->rx)
		sock->rx_tail->next = p;
	else
		sock->rx = p;
	sock->rx_tail = last;
	sock->rx_room = 0;
	inet_wake(sock, EPOLLIN | EPOLLRDNORM);
	return ERR_OK;
}

err_t tcp_on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
	struct tcp_link *link = arg;
	struct tcp_chunk *chunk;

	link->acked += len;
	link->stalled_since = 0;
	tcp_urgent_acknowledged(link);
	stamp_progress(link);
	while ((chunk = TAILQ_FIRST(&link->chunks)) && chunk->end <= link->acked) {
		TAILQ_REMOVE(&link->chunks, chunk, link);
		tcp_chunk_put(chunk);
	}
	if (link->sock)
		inet_wake(link->sock, EPOLLOUT | EPOLLWRNORM);
	return ERR_OK;
}

static struct pbuf *take_head(struct inet_socket *sock)
{
	struct pbuf *p = sock->rx;

	sock->rx = p->next;
	if (!sock->rx) {
		sock->rx_tail = NULL;
		sock->rx_room = 0;
	}
	p->next = NULL;
	p->tot_len = p->len;
	return p;
}

/* n bytes of the first pbuf have been read. */
static void drop_head(struct inet_socket *sock, size_t n)
{
	struct pbuf *p = sock->rx;

	sock->rx_bytes -= n;
	sock->rx_read += n;
	if (n == p->len) {
		pbuf_free(take_head(sock));
	} else {
		p->payload = (char *)p->payload + n;
		p->len = (u16_t)(p->len - n);
	}
}

void tcp_skip_byte(struct inet_socket *sock)
{
	while (!sock->rx->len)
		pbuf_free(take_head(sock));
	drop_head(sock, 1);
	tcp_urgent_passed(sock);
}

void tcp_drop_received(struct inet_socket *sock)
{
	while (sock->rx)
		pbuf_free(take_head(sock));
	sock->rx_bytes = 0;
}

/* ---- sending ---- */

size_t tcp_send_room(const struct inet_socket *sock)
{
	const struct tcp_pcb *pcb = sock->tcp ? sock->tcp->pcb : NULL;
	size_t used;

	if (!pcb || tcp_sndqueuelen(pcb) + QUEUE_SLACK >= TCP_SND_QUEUELEN)
		return 0;
	if (sock->unsent_low && pcb->snd_lbb - pcb->snd_nxt >= sock->unsent_low)
		return 0;
	used = TCP_SND_BUF - pcb->snd_buf;
	return used < tcp_send_limit(sock) ? tcp_send_limit(sock) - used : 0;
}

/* Why nothing can be sent now; 0 if it can; -EAGAIN while connecting. */
static int send_refused(struct inet_socket *sock)
{
	if (sock->error)
		return inet_take_error(sock);
	if (sock->state == INET_CONNECTING)
		return -EAGAIN;
	if (sock->state != INET_CONNECTED || sock->shutdown & INET_SHUT_SEND || !sock->tcp->pcb)
		return -EPIPE;
	return 0;
}

static bool can_send(struct inet_socket *sock)
{
	return sock->error || (sock->state != INET_CONNECTING && (sock->state != INET_CONNECTED ||
	       sock->shutdown & INET_SHUT_SEND || !sock->tcp->pcb || tcp_send_room(sock)));
}

static int wait_to_send(struct inet_socket *sock, uint64_t deadline)
{
	int rc = 0;

	if (!can_send(sock))
		rc = deadline ? wait_event(&sock->wait, can_send(sock), deadline, true) : -EAGAIN;
	if (rc)
		return rc == -ETIMEDOUT ? -EAGAIN : rc;
	return send_refused(sock);
}

/* Nagle's rule is about what fills a packet, which is less than lwIP's segment, and not about urgent data. */
static void push(struct tcp_link *link)
{
	struct tcp_pcb *pcb = link->pcb;
	bool force = pcb->unsent && (link->urgent || (link->mss && pcb->unsent->len >= link->mss)) && !tcp_nagle_disabled(pcb);

	if (force)
		tcp_nagle_disable(pcb);
	(void)tcp_output(pcb);
	if (force)
		tcp_nagle_enable(pcb);
}

static uint32_t end_of(const struct tcp_seg *seg)
{
	return __builtin_bswap32(seg->tcphdr->seqno) + TCP_TCPLEN(seg);
}

static uint16_t longest(const struct tcp_seg *seg, uint16_t size)
{
	for (; seg; seg = seg->next)
		size = MAX(size, (uint16_t)(seg->len + LWIP_TCP_OPT_LEN_TS_OUT));
	return size;
}

/*
 * lwIP joins new bytes with the last segment that waits, and wants that one to fit its MSS; and a window of one MSS, which
 * is what a timeout leaves, must let any segment through.
 */
static void adopt_segment_size(struct tcp_link *link)
{
	struct tcp_pcb *pcb = link->pcb;
	uint16_t size = link->segment, need;

	if (pcb->mss == size)
		return;
	need = (uint16_t)(longest(pcb->unacked, longest(pcb->unsent, 0)) + pcb->unsent_oversize);
	pcb->mss = size > pcb->mss ? size : MIN(MAX(size, need), pcb->mss);
}

/*
 * lwIP joins new bytes, and FIN, to the last segment that waits to be sent, and takes it for the end of the stream. When
 * segments are sent again it need not be: what follows was sent, too. Then the end of the stream waits with them again.
 */
void tcp_order_tail(struct tcp_pcb *pcb)
{
	struct tcp_seg *last = pcb->unsent, **from = &pcb->unacked;

	while (last && last->next)
		last = last->next;
	if (!last || !*from || end_of(last) == pcb->snd_lbb)
		return;
	while ((*from)->next)
		from = &(*from)->next;
	if (end_of(*from) != pcb->snd_lbb)
		return;
	last->next = *from;
	*from = NULL;
	pcb->unsent_oversize = 0;
}

/* Hands a chunk to lwIP; takes it over. Bytes are all written, or an error. urgent: the last of them is (it waits for nothing). */
static int hand_over(struct inet_socket *sock, struct tcp_chunk *chunk, bool more, bool urgent)
{
	struct tcp_link *link = sock->tcp;
	uint32_t len = chunk->len;
	u8_t flags = (u8_t)((more ? TCP_WRITE_FLAG_MORE : 0) | (len <= SMALL ? TCP_WRITE_FLAG_COPY : 0));
	err_t err;

	stack_enter(sock->net);
	tcp_order_tail(link->pcb);
	adopt_segment_size(link);
	err = tcp_write(link->pcb, chunk->data, (u16_t)len, flags);
	if (err == ERR_OK) {
		link->written += len;
		chunk->end = link->written;
		if (len > SMALL)
			TAILQ_INSERT_TAIL(&link->chunks, chunk, link);
		if (urgent)
			tcp_urgent_sent(link);
		if (!more || urgent)
			push(link);
	}
	stack_leave();
	if (err != ERR_OK || len <= SMALL)
		tcp_chunk_put(chunk);
	return stack_error(err);
}

/* One segment, or as much as lwIP may be made to copy. */
static size_t chunk_size(const struct tcp_link *link)
{
	return MAX((size_t)link->segment, (size_t)SMALL + LWIP_TCP_OPT_LEN_TS_OUT) - LWIP_TCP_OPT_LEN_TS_OUT;
}

int64_t tcp_socket_send(struct socket *base, struct socket_send *send)
{
	struct inet_socket *sock = inet_of(base);
	uint32_t stamps = sock->options.stamping & STAMPING_RECORD;
	size_t done = 0, part;
	struct tcp_chunk *chunk;
	bool last;
	int rc = 0;

	if (send->flags & MSG_FASTOPEN)
		return -EOPNOTSUPP;
	rc = control_stamps(send, &stamps);
	if (rc)
		return rc;
	if (!send->len)
		return sock->state == INET_CONNECTING ? -EAGAIN : send_refused(sock);
	while (done < send->len) {
		rc = wait_to_send(sock, send->deadline);
		if (rc)
			break;
		part = MIN(send->len - done, tcp_send_room(sock));
		part = MIN(part, chunk_size(sock->tcp));
		chunk = chunk_new(part);
		rc = chunk ? send->copy->copy(send->copy, chunk->data, part) : -ENOMEM;
		if (!rc)
			rc = send_refused(sock); /* again: the copy may have slept */
		if (rc && chunk)
			tcp_chunk_put(chunk);
		if (rc)
			break;
		last = done + part == send->len;
		rc = hand_over(sock, chunk, sock->cork || send->flags & MSG_MORE || !last, last && send->flags & MSG_OOB);
		if (rc)
			break;
		done += part;
	}
	if (rc && done && sock->tcp && sock->tcp->pcb) { /* what was handed over with "more" to come */
		stack_enter(sock->net);
		(void)tcp_output(sock->tcp->pcb);
		stack_leave();
	}
	if (done == send->len && sock->tcp && sock->tcp->pcb && stamps) /* else the peer has reset it meanwhile */
		stamp_written(sock->tcp, stamps);
	if (done && send->flags & MSG_ZEROCOPY && sock->options.zerocopy)
		error_zerocopy_done(sock);
	return done ? (int64_t)done : rc;
}

/* ---- receiving ---- */

static void open_window(struct inet_socket *sock, size_t n)
{
	struct tcp_pcb *pcb = sock->tcp ? sock->tcp->pcb : NULL;

	if (!pcb || sock->rx_end)
		return;
	stack_enter(sock->net);
	while (n) {
		uint16_t part = (uint16_t)MIN(n, (size_t)0xffff);
		uint64_t window = pcb->rcv_wnd + sock->rx_bytes;

		if (window < tcp_window_limit(sock))
			tcp_recved(pcb, (u16_t)MIN((uint64_t)part, tcp_window_limit(sock) - window));
		n -= part;
	}
	tcp_tune_window(sock);
	/* lwIP tells of a window by its own size, which is more than a small buffer ever gains. */
	if (pcb->rcv_nxt + pcb->rcv_wnd - pcb->rcv_ann_right_edge >= MIN(tcp_window_limit(sock) / 2, (uint64_t)TCP_WND_UPDATE_THRESHOLD)) {
		pcb->rcv_ann_wnd = pcb->rcv_wnd;
		tcp_ack_now(pcb);
		(void)tcp_output(pcb);
	}
	stack_leave();
}

static bool can_receive(const struct inet_socket *sock, size_t wanted)
{
	return sock->rx_bytes >= wanted || sock->rx_end || sock->error || sock->shutdown & INET_SHUT_RECEIVE ||
	       (sock->state != INET_CONNECTED && sock->state != INET_CONNECTING);
}

/* 1: bytes are queued beyond those that were passed over; 0: the end; -errno. */
static int wait_to_receive(struct inet_socket *sock, uint64_t deadline, size_t wanted, size_t passed)
{
	int rc = 0;

	if (sock->state == INET_IDLE || sock->state == INET_LISTENING)
		return -ENOTCONN;
	if (!can_receive(sock, wanted))
		rc = deadline ? wait_event(&sock->wait, can_receive(sock, wanted), deadline, true) : -EAGAIN;
	if (sock->rx_bytes > passed) /* fewer than wanted, if no more come in time */
		return 1;
	if (rc)
		return rc == -ETIMEDOUT ? -EAGAIN : rc;
	return sock->error ? inet_take_error(sock) : 0;
}

/* Up to n bytes of what is queued, from `skip` on for a peek; the read lock is held. Bytes or -EFAULT. */
static int64_t take(struct inet_socket *sock, struct socket_receive *receive, size_t n, size_t skip)
{
	bool peek = receive->flags & MSG_PEEK, discard = receive->flags & MSG_TRUNC;
	struct pbuf *p = sock->rx;
	size_t done = 0;

	for (; p && skip >= p->len; p = p->next)
		skip -= p->len;
	while (p && done < n) {
		size_t part = MIN(n - done, (size_t)p->len - skip);

		if (!discard && receive->copy->copy(receive->copy, (char *)p->payload + skip, part))
			return done ? (int64_t)done : -EFAULT;
		done += part;
		if (peek) {
			skip += part;
			if (skip < p->len) /* more has come meanwhile (join()) */
				continue;
			skip = 0;
			p = p->next;
			continue;
		}
		drop_head(sock, part);
		p = sock->rx;
	}
	return (int64_t)done;
}

/*
 * How many bytes may be read in one go, `skip` of those that are queued being behind the reader already: none at the urgent
 * byte, and what a sleeping copy finds more of is not taken, since a mark may have come with it.
 */
static size_t readable(const struct inet_socket *sock, size_t skip, size_t wanted, bool first)
{
	size_t n = tcp_urgent_before(sock, skip, wanted);

	if (!n && first && sock->options.oob_inline)
		n = wanted;
	return sock->rx_bytes > skip ? MIN(n, sock->rx_bytes - skip) : 0;
}

/* At the urgent byte, which is no part of what is read: it is stepped over, or (peeking) counted in *passed. */
static void pass_urgent(struct inet_socket *sock, bool peek, size_t *passed)
{
	if (peek) {
		*passed = 1;
		return;
	}
	tcp_skip_byte(sock);
	open_window(sock, 1);
}

/* Reads once more, `done` bytes having been read before. Bytes; 0: no more now, or with *again try again; -errno. */
static int64_t receive_part(struct inet_socket *sock, struct socket_receive *receive, size_t done, size_t *passed, bool *again)
{
	bool peek = receive->flags & MSG_PEEK;
	size_t behind = peek ? done + *passed : 0, n;
	int64_t rc = 0;

	mutex_lock(&sock->read_lock);
	n = readable(sock, behind, receive->len - done, !done);
	*again = !n && !done && sock->rx_bytes > behind;
	if (*again)
		pass_urgent(sock, peek, passed);
	else if (n)
		rc = take(sock, receive, n, behind);
	tcp_urgent_passed(sock);
	mutex_unlock(&sock->read_lock);
	if (rc > 0 && !peek)
		open_window(sock, (size_t)rc);
	return rc;
}

int64_t tcp_socket_receive(struct socket *base, struct socket_receive *receive)
{
	struct inet_socket *sock = inet_of(base);
	size_t done = 0, passed = 0;
	bool again = false;
	int64_t rc = 0;

	if (receive->flags & MSG_ERRQUEUE)
		return error_receive(sock, receive);
	if (receive->flags & MSG_OOB)
		return tcp_urgent_receive(sock, receive);
	while (done < receive->len || !receive->len) {
		size_t wanted = receive->flags & MSG_PEEK ? done + passed + 1 : 1;

		if (!done && sock->options.receive_low > 1)
			wanted = MIN((size_t)sock->options.receive_low, receive->len) + passed;
		rc = wait_to_receive(sock, receive->deadline, wanted, passed);
		if (rc <= 0 || !receive->len)
			break;
		rc = receive_part(sock, receive, done, &passed, &again);
		if (rc < 0)
			break;
		done += (size_t)rc;
		if (done && !again && (!rc || !(receive->flags & MSG_WAITALL)))
			break;
	}
	if (receive->address)
		receive->address->len = 0;
	if (done && sock->rx_time)
		socket_report(&sock->options, receive, sock->rx_time, 0);
	if (sock->report_queue && receive->control && (done || !rc)) {
		int left = tcp_urgent_readable(sock);

		receive->control(receive, IPPROTO_TCP, TCP_CM_INQ, &left, sizeof(left));
	}
	return done ? (int64_t)done : rc > 0 ? 0 : rc;
}
