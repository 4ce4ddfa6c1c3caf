/*
 * Listening TCP sockets: listen(2), accept(2), and connections that wait for it. See tcp.c.
 */
#include <linux/eventpoll.h>
#include <linux/in.h>

#include "kernel/net/lwip/internal.h"
#include "ring0/clock.h"

static void inherit(struct inet_socket *child, const struct inet_socket *from)
{
	socket_options_inherit(&child->options, &from->options);
	child->quick_acks = from->quick_acks;
	child->delay_acks = from->delay_acks;
	child->user_timeout = from->user_timeout;
	child->unsent_low = from->unsent_low;
	child->window_clamp = from->window_clamp;
	child->max_segment = from->max_segment;
	child->v6only = from->v6only;
	child->nodelay = from->nodelay;
	child->keep_idle = from->keep_idle;
	child->keep_interval = from->keep_interval;
	child->keep_count = from->keep_count;
	child->tos = from->tos;
	child->ttl = from->ttl;
	child->base.receive_timeout = from->base.receive_timeout;
	child->base.send_timeout = from->base.send_timeout;
}

void tcp_note_names(struct inet_socket *sock, const struct tcp_pcb *pcb)
{
	ip_addr_copy(sock->local, pcb->local_ip);
	ip_addr_copy(sock->remote, pcb->remote_ip);
	sock->local_port = pcb->local_port;
	sock->remote_port = pcb->remote_port;
}

static bool share_port(const struct inet_socket *a, const struct inet_socket *b)
{
	return a->options.reuse_port && b->options.reuse_port && a->uid == b->uid;
}

/*
 * SO_REUSEPORT: listeners of one user on one name share a control block, which the first of them holds; connections are
 * spread by the client's port. When the holder goes, another takes the block over. Names that only overlap (0.0.0.0 and
 * 127.0.0.1, or :: and 0.0.0.0) have a block each, and the stack looks for the more exact one first.
 */
static bool same_group(const struct inet_socket *a, const struct inet_socket *b)
{
	return a != b && share_port(a, b) && b->state == INET_LISTENING && a->local_port == b->local_port &&
	       ip_addr_cmp(&a->local, &b->local);
}

static struct inet_socket *pick_listener(struct inet_socket *holder, uint16_t port)
{
	struct inet_socket *sock;
	unsigned count = 1, wanted;

	if (!holder->options.reuse_port)
		return holder;
	INET_FOREACH(sock)
		count += same_group(holder, sock);
	wanted = (port * 40503u >> 4) % count;
	INET_FOREACH(sock)
		if (same_group(holder, sock) && !wanted--)
			return sock;
	return holder;
}

/* The holder stops to listen: whether another has taken its block over. */
bool tcp_pass_on(struct inet_socket *holder)
{
	struct inet_socket *sock;

	INET_FOREACH(sock) {
		if (!same_group(holder, sock))
			continue;
		sock->tcp = holder->tcp;
		sock->tcp->sock = sock;
		holder->tcp = NULL;
		return true;
	}
	return false;
}

/*
 * TCP_DEFER_ACCEPT: a connection is to be accepted once it has data, or has waited long enough. Few ever wait, so a
 * socket has only a pointer for it.
 */
struct tcp_deferral {
	struct ktimer timer;
	struct inet_socket *child, *listener;
};

struct inet_socket *tcp_first_ready(const struct inet_socket *sock)
{
	struct inet_socket *child;

	TAILQ_FOREACH(child, &sock->pending, pending_link)
		if (!child->deferral)
			return child;
	return NULL;
}

void tcp_drop_deferral(struct inet_socket *sock)
{
	if (!sock->deferral)
		return;
	ktimer_cancel(&sock->deferral->timer);
	kfree(sock->deferral);
	sock->deferral = NULL;
}

void tcp_release_deferred(struct inet_socket *sock)
{
	struct inet_socket *listener = sock->deferral->listener;

	tcp_drop_deferral(sock);
	inet_wake(listener, EPOLLIN | EPOLLRDNORM);
}

static void deferred_long_enough(struct ktimer *timer)
{
	tcp_release_deferred(container_of(timer, struct tcp_deferral, timer)->child);
}

/* Whether it is kept back: without memory for that it may be accepted at once. */
static bool defer(struct inet_socket *child, struct inet_socket *listener)
{
	struct tcp_deferral *deferral = kmalloc(sizeof(*deferral));

	if (!deferral)
		return false;
	deferral->child = child;
	deferral->listener = listener;
	child->deferral = deferral;
	ktimer_init(&deferral->timer, deferred_long_enough);
	ktimer_start(&deferral->timer, clock_monotonic() + listener->defer_accept * 1000000000ull);
	return true;
}

/* As Linux: one more than listen(2) asked for. */
bool tcp_listener_has_room(struct tcp_link *link, uint16_t port)
{
	const struct inet_socket *sock = link && link->sock ? pick_listener(link->sock, port) : NULL;

	return sock && sock->pending_count <= sock->backlog;
}

/* A connection to a listener is established. */
static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct tcp_link *link = arg;
	struct inet_socket *sock = link ? link->sock : NULL, *child;

	if (err != ERR_OK || !pcb)
		return ERR_VAL;
	if (sock)
		sock = pick_listener(sock, pcb->remote_port);
	child = sock ? inet_alloc(sock->family, SOCK_STREAM, IPPROTO_TCP) : NULL;
	if (!child || !tcp_link_new(child, pcb)) {
		if (child)
			inet_free(child);
		tcp_arg(pcb, NULL);
		tcp_err(pcb, NULL);
		tcp_abort(pcb);
		return ERR_ABRT;
	}
	child->base.ops = sock->base.ops;
	inherit(child, sock);
	child->state = INET_CONNECTED;
	child->connected = true;
	tcp_note_names(child, pcb);
	inet_apply_tcp_options(child);
	tcp_use_segments(child->tcp, UINT32_MAX);
	tcp_take_first_measure(pcb);
	TAILQ_INSERT_TAIL(&sock->pending, child, pending_link);
	sock->pending_count++;
	if (!sock->defer_accept || !defer(child, sock))
		inet_wake(sock, EPOLLIN | EPOLLRDNORM);
	return ERR_OK;
}

static int start_listening(struct inet_socket *sock, bool joins)
{
	struct tcp_link *link;
	struct tcp_pcb *pcb;
	err_t err;
	int rc = tcp_need_pcb(sock);

	if (!rc && !sock->bound)
		rc = tcp_bind_to(sock, sock->family == AF_INET ? IP4_ADDR_ANY : sock->v6only ? IP6_ADDR_ANY : IP_ANY_TYPE, 0);
	if (rc)
		return rc;
	if (joins) {
		pcb = sock->tcp->pcb;
		tcp_unlink_socket(sock);
		(void)tcp_close(pcb);
		sock->state = INET_LISTENING;
		return 0;
	}
	link = sock->tcp;
	link->refs++; /* the block that is replaced lets go of its own */
	pcb = tcp_listen_with_backlog_and_err(link->pcb, TCP_DEFAULT_LISTEN_BACKLOG, &err);
	if (!pcb) {
		link->refs--;
		return stack_error(err);
	}
	link->pcb = pcb;
	tcp_accept(pcb, on_accept);
	sock->state = INET_LISTENING;
	return 0;
}

int tcp_socket_listen(struct socket *base, int backlog)
{
	struct inet_socket *sock = inet_of(base), *other;
	unsigned limit = MIN((unsigned)backlog, (unsigned)sysctl_net()->somaxconn);
	bool joins = false;
	int rc;

	if (sock->state == INET_LISTENING) {
		sock->backlog = limit;
		return 0;
	}
	if (sock->state != INET_IDLE && sock->state != INET_DONE)
		return -EINVAL;
	INET_FOREACH(other)
		joins |= sock->bound && same_group(sock, other);
	INET_FOREACH(other) {
		if (sock->bound && !joins && other != sock && other->state == INET_LISTENING &&
		    other->local_port == sock->local_port && !share_port(sock, other) && tcp_name_overlaps(sock, &sock->local, other))
			return -EADDRINUSE;
	}
	sock->backlog = limit;
	stack_enter(sock->net);
	rc = start_listening(sock, joins);
	stack_leave();
	return rc;
}

int tcp_socket_accept(struct socket *base, uint64_t deadline, struct socket **out)
{
	struct inet_socket *sock = inet_of(base), *child;
	int rc = 0;

	if (sock->state != INET_LISTENING)
		return -EINVAL;
	if (!tcp_first_ready(sock)) {
		if (!deadline)
			return -EAGAIN;
		rc = wait_event(&sock->wait, tcp_first_ready(sock) || sock->state != INET_LISTENING, deadline, true);
	}
	if (rc)
		return rc == -ETIMEDOUT ? -EAGAIN : rc;
	child = tcp_first_ready(sock);
	if (!child)
		return -EINVAL;
	TAILQ_REMOVE(&sock->pending, child, pending_link);
	sock->pending_count--;
	*out = &child->base;
	return 0;
}
