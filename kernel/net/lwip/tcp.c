/*
 * TCP sockets (tcp(7)) on lwIP's control blocks: names, connections, their end. tcp_data.c moves the bytes.
 *
 * A socket gets its control block with bind(2), listen(2) or connect(2), and may lose it at any time: a reset, a
 * time-out. It outlives the socket where data or the end of the connection are still under way.
 */
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <linux/in.h>

#include "kernel/net/lwip/internal.h"
#include "kernel/user_ns.h"
#include "ring0/clock.h"


/* As Linux numbers the states of tcp(7), by lwIP's. */
static const uint8_t linux_states[] = {
	[CLOSED] = 7, [LISTEN] = 10, [SYN_SENT] = 2, [SYN_RCVD] = 3, [ESTABLISHED] = 1, [FIN_WAIT_1] = 4,
	[FIN_WAIT_2] = 5, [CLOSE_WAIT] = 8, [CLOSING] = 11, [LAST_ACK] = 9, [TIME_WAIT] = 6,
};

static LIST_HEAD(, tcp_link) watched; /* connections with TCP_USER_TIMEOUT: both their socket and their block are there */
static u8_t link_slot;
static bool have_slot;

unsigned tcp_linux_state_of(const struct tcp_pcb *pcb)
{
	return linux_states[pcb->state];
}

/* A socket whose connection is in TIME_WAIT has none any more. */
unsigned tcp_linux_state(const struct inet_socket *sock)
{
	const struct tcp_pcb *pcb = sock->tcp ? sock->tcp->pcb : NULL;

	return pcb && pcb->state != TIME_WAIT ? tcp_linux_state_of(pcb) : linux_states[CLOSED];
}

/* ---- the link between a socket and a control block ---- */

static void drop_chunks(struct tcp_link *link)
{
	struct tcp_chunk *chunk;

	while ((chunk = TAILQ_FIRST(&link->chunks))) {
		TAILQ_REMOVE(&link->chunks, chunk, link);
		tcp_chunk_put(chunk);
	}
}

void tcp_link_put(struct tcp_link *link)
{
	if (--link->refs)
		return;
	drop_chunks(link);
	kfree(link);
}

static void unwatch(struct tcp_link *link)
{
	if (link->watched)
		LIST_REMOVE(link, watched_link);
	link->watched = false;
	link->stalled_since = 0;
}

/* lwIP frees the control block. */
static void on_destroyed(u8_t slot, void *data)
{
	struct tcp_link *link = data;

	if (!link)
		return;
	link->pcb = NULL;
	sack_forget(link);
	stamp_drop_all(link);
	unwatch(link);
	drop_chunks(link);
	tcp_link_put(link);
}

static err_t on_passive_open(u8_t slot, struct tcp_pcb_listen *listener, struct tcp_pcb *pcb)
{
	const struct tcp_link *link = listener->callback_arg;

	tcp_set_first_timeout(pcb);
	tcp_limit_window(pcb, link ? link->sock : NULL);
	return ERR_OK;
}

static const struct tcp_ext_arg_callbacks link_callbacks = {.destroy = on_destroyed, .passive_open = on_passive_open};

/* What a control block was told to remember; *error is Linux's for it, by how far it had come. */
static int error_of(const struct inet_socket *sock, err_t err)
{
	if (sock->state == INET_CONNECTING)
		return err == ERR_RST ? ECONNREFUSED : ETIMEDOUT;
	if (err == ERR_RST)
		return sock->rx_end ? EPIPE : ECONNRESET;
	return err == ERR_CLSD ? 0 : ETIMEDOUT;
}

static void on_error(void *arg, err_t err)
{
	struct tcp_link *link = arg;
	struct inet_socket *sock = link->sock;

	if (!sock)
		return;
	sock->error = error_of(sock, err);
	sock->shutdown = INET_SHUT_RECEIVE | INET_SHUT_SEND;
	sock->state = INET_DONE;
	inet_wake(sock, ~0u);
}

struct tcp_link *tcp_link_new(struct inet_socket *sock, struct tcp_pcb *pcb)
{
	struct tcp_link *link = kzalloc(sizeof(*link));

	if (!link)
		return NULL;
	if (!have_slot) {
		link_slot = tcp_ext_arg_alloc_id();
		have_slot = true;
	}
	link->refs = 2;
	link->sock = sock;
	link->pcb = pcb;
	TAILQ_INIT(&link->chunks);
	TAILQ_INIT(&link->stamps);
	sock->tcp = link;
	tcp_arg(pcb, link);
	tcp_err(pcb, on_error);
	tcp_recv(pcb, tcp_on_receive);
	tcp_sent(pcb, tcp_on_sent);
	tcp_ext_arg_set(pcb, link_slot, link);
	tcp_ext_arg_set_callbacks(pcb, link_slot, &link_callbacks);
	return link;
}

/* The socket lets go of its control block, which goes on by itself or is gone. */
void tcp_unlink_socket(struct inet_socket *sock)
{
	struct tcp_link *link = sock->tcp;

	sock->tcp = NULL;
	if (!link)
		return;
	link->sock = NULL;
	unwatch(link);
	if (link->pcb && link->pcb->state != LISTEN) {
		tcp_err(link->pcb, NULL);
		tcp_recv(link->pcb, NULL);
	}
	tcp_link_put(link);
}

struct tcp_link *tcp_link_of(const struct tcp_pcb *pcb)
{
	return have_slot ? tcp_ext_arg_get(pcb, link_slot) : NULL;
}

int tcp_need_pcb(struct inet_socket *sock)
{
	struct tcp_pcb *pcb;
	u8_t type = IPADDR_TYPE_V4;

	if (sock->tcp && sock->tcp->pcb)
		return 0;
	tcp_unlink_socket(sock);
	if (sock->family == AF_INET6)
		type = sock->v6only ? IPADDR_TYPE_V6 : IPADDR_TYPE_ANY;
	pcb = tcp_new_ip_type(type);
	if (!pcb)
		return -ENOBUFS;
	if (!tcp_link_new(sock, pcb)) {
		tcp_abort(pcb);
		return -ENOMEM;
	}
	tcp_set_first_timeout(pcb);
	inet_apply_tcp_options(sock);
	return 0;
}

/* ---- names ---- */

bool tcp_name_overlaps(const struct inet_socket *a, const ip_addr_t *a_ip, const struct inet_socket *b)
{
	bool a_any = ip_addr_isany(a_ip), b_any = ip_addr_isany(&b->local);
	bool a_dual = a->family == AF_INET6 && !a->v6only && a_any, b_dual = b->family == AF_INET6 && !b->v6only && b_any;

	if (a_dual || b_dual)
		return (a_dual && b_dual) || (a_dual ? b_any || !IP_IS_V6(&b->local) || true : true);
	if (IP_IS_V6(a_ip) != IP_IS_V6(&b->local))
		return false;
	return a_any || b_any || ip_addr_cmp(a_ip, &b->local);
}

/* Linux's rule: SO_REUSEADDR on both unless one listens, or SO_REUSEPORT on both and of one user. */
bool inet_port_in_use(const struct inet_socket *sock, const ip_addr_t *ip, uint16_t port)
{
	const struct inet_socket *other;

	INET_FOREACH(other) {
		if (other == sock || other->base.protocol != sock->base.protocol || other->base.type != sock->base.type ||
		    !other->bound || other->local_port != port || !tcp_name_overlaps(sock, ip, other))
			continue;
		if (sock->options.reuse_address && other->options.reuse_address && other->state != INET_LISTENING)
			continue;
		if (sock->options.reuse_port && other->options.reuse_port && sock->uid == other->uid)
			continue;
		return true;
	}
	return false;
}

int tcp_bind_to(struct inet_socket *sock, const ip_addr_t *ip, uint16_t port)
{
	struct tcp_pcb *pcb;
	int rc = tcp_need_pcb(sock);

	if (rc)
		return rc;
	pcb = sock->tcp->pcb;
	rc = stack_error(tcp_bind(pcb, ip, port));
	if (rc)
		return rc == -ENOBUFS ? -EADDRINUSE : rc;
	sock->bound = true;
	ip_addr_copy(sock->local, pcb->local_ip);
	sock->local_port = pcb->local_port;
	return 0;
}

static int tcp_socket_bind(struct socket *base, struct socket_address *address)
{
	struct inet_socket *sock = inet_of(base);
	ip_addr_t ip;
	uint16_t port;
	int rc = address_check_own(sock, address);

	if (rc)
		return rc;
	rc = address_decode(sock, address, &ip, &port);
	if (rc == -EAFNOSUPPORT && address->family == AF_UNSPEC && sock->family == AF_INET && address->len >= 16) {
		address->family = AF_INET; /* Linux takes it for INADDR_ANY */
		rc = address_decode(sock, address, &ip, &port);
		if (!rc && !ip_addr_isany(&ip))
			rc = -EAFNOSUPPORT;
	}
	if (rc)
		return rc;
	if (sock->bound || sock->state != INET_IDLE)
		return -EINVAL;
	if (sock->family == AF_INET6 && IP_IS_V4(&ip) && sock->v6only)
		return -EINVAL;
	if (ip_addr_ismulticast(&ip) || (!sock->free_bind && !route_can_bind(&ip)))
		return -EADDRNOTAVAIL;
	if (port && port < sysctl_net()->unprivileged_port_start && !net_capable(CAP_NET_BIND_SERVICE))
		return -EACCES;
	if (port && inet_port_in_use(sock, &ip, port))
		return -EADDRINUSE;
	if (ip_addr_isany(&ip) && IP_IS_V6(&ip) && !sock->v6only)
		ip_addr_copy(ip, *IP_ANY_TYPE);
	stack_enter(sock->net);
	rc = tcp_bind_to(sock, &ip, port);
	stack_leave();
	return rc;
}

static int tcp_socket_name(struct socket *base, bool peer, struct socket_address *address)
{
	struct inet_socket *sock = inet_of(base);

	if (peer && (sock->state == INET_IDLE || sock->state == INET_CONNECTING || sock->state == INET_LISTENING ||
	             (sock->state == INET_DONE && !sock->connected)))
		return -ENOTCONN;
	if (peer && sock->state == INET_DONE)
		return -ENOTCONN;
	address_encode(sock->family, peer ? &sock->remote : &sock->local, peer ? sock->remote_port : sock->local_port, address);
	return 0;
}

/* ---- connecting ---- */

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct tcp_link *link = arg;
	struct inet_socket *sock = link->sock;

	if (!sock)
		return ERR_OK;
	sock->state = INET_CONNECTED;
	inet_apply_tcp_options(sock);
	tcp_use_segments(link, UINT32_MAX);
	tcp_take_first_measure(pcb);
	tcp_limit_window(pcb, sock);
	inet_wake(sock, EPOLLOUT | EPOLLWRNORM);
	return ERR_OK;
}

static int start_connecting(struct inet_socket *sock, ip_addr_t *to, uint16_t port)
{
	ip_addr_t from;
	struct tcp_pcb *pcb;
	int rc = tcp_need_pcb(sock);

	if (rc)
		return rc;
	pcb = sock->tcp->pcb;
	ip_addr_copy(from, pcb->local_ip);
	if (!route_find_for(sock, to, &from, false))
		return -ENETUNREACH;
	if (ip_addr_isany(to)) /* as Linux: this host */
		ip_addr_copy(*to, from);
	ip_addr_copy(pcb->local_ip, from);
	sock->error = 0;
	sock->shutdown = 0;
	sock->rx_end = false;
	sock->urgent = URGENT_NONE;
	sock->connected = false;
	sock->state = INET_CONNECTING;
	rc = stack_error(tcp_connect(pcb, to, port, on_connected));
	if (rc) {
		sock->state = INET_IDLE;
		return rc == -ENOBUFS || rc == -EADDRINUSE ? -EADDRNOTAVAIL : rc;
	}
	tcp_note_names(sock, pcb);
	sock->bound = true;
	return 0;
}

static int disconnect(struct inet_socket *sock)
{
	if (sock->state == INET_LISTENING)
		return -EOPNOTSUPP;
	stack_enter(sock->net);
	if (sock->tcp && sock->tcp->pcb) {
		struct tcp_pcb *pcb = sock->tcp->pcb;

		tcp_unlink_socket(sock);
		tcp_abort(pcb);
	}
	stack_leave();
	sock->state = INET_IDLE;
	sock->connected = sock->bound = false;
	sock->local_port = 0;
	sock->error = 0;
	return 0;
}

/* How a connection attempt that was under way has ended: once. */
static int finish_connecting(struct inet_socket *sock)
{
	if (sock->state == INET_CONNECTED) {
		sock->connected = true;
		return 0;
	}
	sock->state = INET_IDLE;
	if (sock->tcp && sock->tcp->pcb) { /* ICMP ended it, lwIP still tries */
		struct tcp_pcb *pcb = sock->tcp->pcb;

		tcp_unlink_socket(sock);
		stack_enter(sock->net);
		tcp_abort(pcb);
		stack_leave();
	}
	return sock->error ? inet_take_error(sock) : -ECONNABORTED;
}

static int check_connect(struct inet_socket *sock, struct socket_address *address, ip_addr_t *to, uint16_t *port)
{
	int rc = address_check_own(sock, address);

	if (!rc)
		rc = address_decode(sock, address, to, port);
	if (rc)
		return rc;
	if (sock->family == AF_INET6 && IP_IS_V4(to) && (sock->v6only || (sock->bound && IP_IS_V6(&sock->local))))
		return -ENETUNREACH;
	if (ip_addr_ismulticast(to) || route_is_broadcast(to))
		return -ENETUNREACH;
	if (sock->family == AF_INET6 && IP_IS_V6(to) && sock->bound && IP_IS_V4(&sock->local))
		return -EAFNOSUPPORT;
	return 0;
}

static int tcp_socket_connect(struct socket *base, struct socket_address *address, uint64_t deadline)
{
	struct inet_socket *sock = inet_of(base);
	ip_addr_t to;
	uint16_t port, really;
	int rc;

	if (address->len >= 2 && address->family == AF_UNSPEC)
		return disconnect(sock);
	if (sock->state == INET_LISTENING || sock->connected)
		return -EISCONN;
	if (sock->state == INET_CONNECTED || sock->state == INET_DONE)
		return finish_connecting(sock);
	if (sock->state == INET_IDLE) {
		rc = check_connect(sock, address, &to, &port);
		if (rc)
			return rc;
		really = resolver_tcp_port(&to, port);
		stack_enter(sock->net);
		rc = start_connecting(sock, &to, really);
		stack_leave();
		if (rc)
			return rc;
		sock->remote_port = port;
		if (!deadline)
			return -EINPROGRESS;
	} else if (!deadline) {
		return -EALREADY;
	}
	rc = wait_event(&sock->wait, sock->state != INET_CONNECTING, deadline, true);
	if (rc)
		return rc == -ETIMEDOUT ? -EINPROGRESS : rc;
	return finish_connecting(sock);
}

/* ---- readiness and the end ---- */

void tcp_watch(struct inet_socket *sock)
{
	struct tcp_link *link = sock->tcp;

	if (!sock->user_timeout) {
		unwatch(link);
	} else if (!link->watched) {
		LIST_INSERT_HEAD(&watched, link, watched_link);
		link->watched = true;
	}
}

static void end_if_stalled(struct tcp_link *link, uint64_t now)
{
	struct tcp_pcb *pcb = link->pcb;

	if (link->sock->net != stack_net || (!pcb->unacked && !pcb->unsent))
		return;
	if (!link->stalled_since)
		link->stalled_since = now;
	else if (now - link->stalled_since > link->sock->user_timeout * 1000000ull)
		tcp_abort(pcb);
}

void tcp_end_stalled(uint64_t now)
{
	struct tcp_link *link, *next;

	LIST_FOREACH_SAFE(link, &watched, watched_link, next)
		end_if_stalled(link, now);
}

static uint32_t tcp_socket_events(struct socket *base)
{
	struct inet_socket *sock = inet_of(base);
	uint32_t events = sock->error || !TAILQ_EMPTY(&sock->errors) ? EPOLLERR : 0;
	size_t limit = tcp_send_limit(sock), wanted = MIN(sock->options.receive_low, sock->options.receive_buffer);

	wanted += tcp_urgent_is_next(sock) && !sock->options.oob_inline;
	if (sock->state == INET_LISTENING)
		return events | (tcp_first_ready(sock) ? EPOLLIN | EPOLLRDNORM : 0);
	if (sock->state == INET_CONNECTING)
		return events;
	if (sock->state == INET_IDLE)
		return events | EPOLLOUT | EPOLLWRNORM | EPOLLHUP;
	if (sock->rx_end || sock->shutdown & INET_SHUT_RECEIVE)
		events |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (sock->shutdown == (INET_SHUT_RECEIVE | INET_SHUT_SEND) || (sock->rx_end && sock->shutdown & INET_SHUT_SEND))
		events |= EPOLLHUP;
	if (sock->rx_bytes >= wanted && sock->rx_bytes)
		events |= EPOLLIN | EPOLLRDNORM;
	if (sock->urgent == URGENT_THERE)
		events |= EPOLLPRI;
	if (sock->shutdown & INET_SHUT_SEND || tcp_send_room(sock) * 3 >= limit)
		events |= EPOLLOUT | EPOLLWRNORM;
	return events;
}

static void send_fin(struct tcp_pcb *pcb)
{
	tcp_order_tail(pcb);
	(void)tcp_shutdown(pcb, 0, 1);
}

static int tcp_socket_shutdown(struct socket *base, int how)
{
	struct inet_socket *sock = inet_of(base);
	bool receive = how != SHUT_WR, transmit = how != SHUT_RD;

	if (sock->state == INET_LISTENING) {
		if (!receive)
			return 0;
		stack_enter(sock->net);
		if (sock->tcp && !tcp_pass_on(sock))
			tcp_close(sock->tcp->pcb);
		stack_leave();
		sock->state = INET_IDLE;
		sock->bound = false;
		inet_wake(sock, ~0u);
		return 0;
	}
	if (sock->state == INET_CONNECTING && transmit)
		return disconnect(sock);
	if (sock->state != INET_CONNECTED)
		return -ENOTCONN;
	if (receive)
		sock->shutdown |= INET_SHUT_RECEIVE;
	if (transmit && !(sock->shutdown & INET_SHUT_SEND)) {
		sock->shutdown |= INET_SHUT_SEND;
		stack_enter(sock->net);
		if (sock->tcp->pcb)
			send_fin(sock->tcp->pcb);
		stack_leave();
	}
	inet_wake(sock, ~0u);
	return 0;
}

static bool sent_all(const struct inet_socket *sock)
{
	const struct tcp_pcb *pcb = sock->tcp ? sock->tcp->pcb : NULL;

	return !pcb || (!pcb->unsent && !pcb->unacked);
}

static void close_connection(struct inet_socket *sock)
{
	struct tcp_pcb *pcb = sock->tcp->pcb;
	bool reset = sock->options.linger && !sock->options.linger_seconds && pcb->state >= ESTABLISHED && pcb->state <= CLOSE_WAIT;

	if (!sock->rx_bytes)
		pcb->rcv_wnd = TCP_WND_MAX(pcb); /* else lwIP takes a small window for unread data, and resets */
	tcp_unlink_socket(sock);
	tcp_order_tail(pcb);
	if (reset)
		tcp_abort(pcb);
	else
		(void)tcp_close(pcb);
}

static void tcp_socket_close(struct socket *base)
{
	struct inet_socket *sock = inet_of(base), *child;
	bool listening = sock->state == INET_LISTENING;

	if (sock->options.linger && sock->options.linger_seconds && sock->state == INET_CONNECTED && !sock->rx_bytes) {
		stack_enter(sock->net);
		if (sock->tcp->pcb && !(sock->shutdown & INET_SHUT_SEND))
			send_fin(sock->tcp->pcb);
		stack_leave();
		(void)wait_event(&sock->wait, sent_all(sock),
			clock_monotonic() + (uint64_t)sock->options.linger_seconds * 1000000000ull, true);
	}
	stack_enter(sock->net);
	while ((child = TAILQ_FIRST(&sock->pending))) {
		TAILQ_REMOVE(&sock->pending, child, pending_link);
		tcp_drop_deferral(child);
		if (child->tcp->pcb) {
			struct tcp_pcb *pcb = child->tcp->pcb;

			tcp_unlink_socket(child);
			tcp_abort(pcb);
		} else {
			tcp_unlink_socket(child);
		}
		tcp_drop_received(child);
		inet_free(child);
	}
	if (listening && (!sock->tcp || tcp_pass_on(sock))) {
		/* the others of its group listen on */
	} else if (listening) {
		struct tcp_pcb *pcb = sock->tcp->pcb;

		tcp_unlink_socket(sock);
		(void)tcp_close(pcb);
	} else if (sock->tcp && sock->tcp->pcb) {
		close_connection(sock);
	} else {
		tcp_unlink_socket(sock);
	}
	stack_leave();
	tcp_drop_received(sock);
	inet_free(sock);
}

#define TCP_OPS(af)                                        \
	{                                                  \
		.family = (af),                            \
		.bind = tcp_socket_bind,                   \
		.listen = tcp_socket_listen,               \
		.connect = tcp_socket_connect,             \
		.accept = tcp_socket_accept,               \
		.shutdown = tcp_socket_shutdown,           \
		.name = tcp_socket_name,                   \
		.send = tcp_socket_send,                   \
		.receive = tcp_socket_receive,             \
		.events = tcp_socket_events,               \
		.set_option = inet_set_option,             \
		.get_option = inet_get_option,             \
		.changed = inet_options_changed,           \
		.ioctl = inet_ioctl,                       \
		.net = inet_net,                           \
		.close = tcp_socket_close,                 \
	}

const struct socket_ops tcp4_ops = TCP_OPS(AF_INET);
const struct socket_ops tcp6_ops = TCP_OPS(AF_INET6);
