/*
 * The life of AF_UNIX sockets: creation, names, connections, shutdown, end. See kernel/net/unix.h.
 *
 * connect(2) on a listening stream makes the server's socket at once and queues it for accept(2), as Linux does, so
 * data can be sent before it is accepted.
 */
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/net.h>

#include "kernel/cred.h"
#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "kernel/net/options.h"
#include "kernel/net/socket_types.h"
#include "kernel/net/unix.h"
#include "kernel/sysctl.h"
#include "kernel/task.h"
#include "ring0/lib.h"


static TAILQ_HEAD(, unix_socket) all_sockets = TAILQ_HEAD_INITIALIZER(all_sockets);

static void identity_drop(struct unix_identity *identity)
{
	if (identity->process)
		process_put(identity->process);
	if (identity->full)
		cred_put(identity->full);
	memset(identity, 0, sizeof(*identity));
}

static void identity_copy(struct unix_identity *to, const struct unix_identity *from)
{
	if (from->process)
		process_get(from->process);
	if (from->full)
		cred_get(from->full);
	identity_drop(to);
	*to = *from;
}

static void identity_of_current(struct unix_identity *identity)
{
	struct unix_identity now = {.process = current->process, .full = current->cred};

	if (now.process)
		now.cred.pid = now.process->pid;
	if (now.full) {
		now.cred.uid = now.full->euid;
		now.cred.gid = now.full->egid;
	}
	identity_copy(identity, &now);
}

struct unix_socket *unix_create(int type)
{
	struct unix_socket *sock = kzalloc(sizeof(*sock));

	if (!sock)
		return NULL;
	sock->refs = 1;
	sock->type = type;
	sock->net = current->ns->net;
	ns_get(&sock->net->ns);
	identity_of_current(&sock->self);
	socket_options_init(&sock->options);
	TAILQ_INIT(&sock->rx);
	TAILQ_INIT(&sock->pending);
	mutex_init(&sock->read_lock);
	waitq_init(&sock->wait);
	TAILQ_INSERT_TAIL(&all_sockets, sock, all);
	return sock;
}

void unix_get(struct unix_socket *sock)
{
	sock->refs++;
}

static void name_put(struct unix_name *name)
{
	if (name && !--name->refs)
		kfree(name);
}

void unix_put(struct unix_socket *sock)
{
	if (--sock->refs)
		return;
	name_put(sock->name);
	ns_put(&sock->net->ns);
	identity_drop(&sock->self);
	identity_drop(&sock->other);
	socket_options_drop(&sock->options);
	kfree(sock);
}

static bool connects(const struct unix_socket *sock)
{
	return sock->type != SOCK_DGRAM;
}

static void wake(struct unix_socket *sock)
{
	waitq_wake_all(&sock->wait);
}

/* The peer of a dying or refused connection: nothing more comes, nothing more goes. */
static void peer_gone(struct unix_socket *peer, bool unread)
{
	peer->shutdown = UNIX_SHUT_RECEIVE | UNIX_SHUT_SEND;
	if (unread)
		peer->error = ECONNRESET;
	waitq_wake(&peer->wait, UINT32_MAX,
		EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM | EPOLLRDHUP | EPOLLHUP | EPOLLERR);
}

void unix_for_all(void (*fn)(struct unix_socket *sock, void *arg), void *arg)
{
	struct unix_socket *sock;

	TAILQ_FOREACH(sock, &all_sockets, all)
		fn(sock, arg);
}

void unix_close(struct unix_socket *sock)
{
	struct unix_message *message;
	struct unix_socket *child, *peer = sock->peer;
	bool unread = !TAILQ_EMPTY(&sock->rx);

	sock->dead = true;
	sock->base = NULL;
	sock->shutdown = UNIX_SHUT_RECEIVE | UNIX_SHUT_SEND;
	TAILQ_REMOVE(&all_sockets, sock, all);
	sock->peer = NULL;
	if (peer) {
		if (connects(sock))
			peer_gone(peer, unread);
		unix_put(peer);
	}
	while ((child = TAILQ_FIRST(&sock->pending))) {
		TAILQ_REMOVE(&sock->pending, child, pending_link);
		if (child->peer)
			child->peer->error = ECONNRESET;
		unix_close(child);
	}
	while ((message = TAILQ_FIRST(&sock->rx))) {
		unix_dequeue(sock, message);
		unix_message_free(message); /* may sleep; nobody else can reach the queue any more */
	}
	wake(sock);
	unix_put(sock);
}

static void set_peer(struct unix_socket *sock, struct unix_socket *peer)
{
	unix_get(peer);
	sock->peer = peer;
	sock->state = UNIX_CONNECTED;
}

void unix_pair(struct unix_socket *a, struct unix_socket *b)
{
	set_peer(a, b);
	set_peer(b, a);
	identity_copy(&a->other, &b->self);
	identity_copy(&b->other, &a->self);
}

/* ---- names ---- */

struct unix_socket *unix_find_abstract(const char *bytes, uint32_t len, int type)
{
	struct unix_socket *sock;

	TAILQ_FOREACH(sock, &all_sockets, all)
		if (sock->net == current->ns->net && sock->name && sock->name->len == len && !sock->name->bytes[0] && !memcmp(sock->name->bytes, bytes, len) &&
		    sock->type == type && (sock->state != UNIX_CONNECTED || !connects(sock)))
			return sock;
	return NULL;
}

int unix_bind(struct unix_socket *sock, const char *bytes, uint32_t len)
{
	struct unix_name *name;

	if (sock->name)
		return -EINVAL;
	if (!bytes[0] && unix_find_abstract(bytes, len, sock->type))
		return -EADDRINUSE;
	name = kzalloc(sizeof(*name));
	if (!name)
		return -ENOMEM;
	name->refs = 1;
	name->len = len;
	memcpy(name->bytes, bytes, len);
	sock->name = name;
	return 0;
}

int unix_bind_auto(struct unix_socket *sock)
{
	static uint32_t next;
	char bytes[8];

	if (sock->name)
		return 0;
	for (unsigned tries = 0; tries < 1u << 20; tries++) {
		bytes[0] = '\0';
		snprintf(bytes + 1, sizeof(bytes) - 1, "%05x", next++ & 0xfffff);
		if (unix_bind(sock, bytes, 6) == 0)
			return 0;
	}
	return -ENOSPC;
}

/* ---- connections ---- */

int unix_listen(struct unix_socket *sock, int backlog)
{
	if (!connects(sock))
		return -EOPNOTSUPP;
	if (!sock->name || sock->state == UNIX_CONNECTED)
		return -EINVAL;
	sock->state = UNIX_LISTENING;
	sock->backlog = MIN((unsigned)backlog, (unsigned)sysctl_net()->somaxconn);
	identity_of_current(&sock->self);
	identity_copy(&sock->other, &sock->self); /* SO_PEERCRED of a listener is its own */
	return 0;
}

static int connect_datagram(struct unix_socket *sock, struct unix_socket *target)
{
	struct unix_socket *old = sock->peer;

	if (target->type != SOCK_DGRAM)
		return -EPROTOTYPE;
	if (target->dead)
		return -ECONNREFUSED;
	if (target->peer && target->peer != sock)
		return -EPERM;
	set_peer(sock, target);
	if (old)
		unix_put(old);
	return 0;
}

int unix_disconnect(struct unix_socket *sock)
{
	struct unix_socket *old = sock->peer;

	if (connects(sock))
		return -EINVAL;
	sock->peer = NULL;
	sock->state = UNIX_UNCONNECTED;
	if (old)
		unix_put(old);
	return 0;
}

/* Room in the backlog, or no listener any more. */
static bool can_connect(const struct unix_socket *target)
{
	return target->dead || target->state != UNIX_LISTENING || target->shutdown & UNIX_SHUT_RECEIVE ||
	       target->pending_count <= target->backlog;
}

int unix_connect(struct unix_socket *sock, struct unix_socket *target, uint64_t deadline)
{
	struct unix_socket *child;
	int rc = 0;

	if (!connects(sock))
		return connect_datagram(sock, target);
	if (sock->state == UNIX_CONNECTED)
		return -EISCONN;
	if (sock->state == UNIX_LISTENING)
		return -EINVAL;
	if (target->type != sock->type)
		return -EPROTOTYPE;
	child = unix_create(sock->type);
	if (!child)
		return -ENOMEM;
	unix_get(target);
	if (!can_connect(target))
		rc = deadline ? wait_event(&target->wait, can_connect(target), deadline, true) : -EAGAIN;
	if (!rc && sock->state != UNIX_UNCONNECTED)
		rc = -EISCONN;
	if (!rc && (target->dead || target->state != UNIX_LISTENING || target->shutdown & UNIX_SHUT_RECEIVE))
		rc = -ECONNREFUSED;
	if (rc) {
		unix_put(target);
		unix_close(child);
		return rc == -ETIMEDOUT ? -EAGAIN : rc;
	}
	/* From here nothing may fail. */
	identity_copy(&child->self, &target->self);
	child->name = target->name;
	child->name->refs++;
	child->options.pass_cred = target->options.pass_cred;
	child->options.pass_pidfd = target->options.pass_pidfd;
	identity_of_current(&sock->self);
	unix_pair(sock, child);
	TAILQ_INSERT_TAIL(&target->pending, child, pending_link);
	target->pending_count++;
	wake(target);
	unix_put(target);
	return 0;
}

int unix_accept(struct unix_socket *sock, uint64_t deadline, struct unix_socket **child)
{
	int rc = 0;

	if (!connects(sock))
		return -EOPNOTSUPP;
	if (sock->state != UNIX_LISTENING)
		return -EINVAL;
	if (TAILQ_EMPTY(&sock->pending))
		rc = deadline ? wait_event(&sock->wait, !TAILQ_EMPTY(&sock->pending) || sock->shutdown, deadline, true) : -EAGAIN;
	if (rc)
		return rc == -ETIMEDOUT ? -EAGAIN : rc;
	*child = TAILQ_FIRST(&sock->pending);
	if (!*child)
		return -EINVAL;
	TAILQ_REMOVE(&sock->pending, *child, pending_link);
	sock->pending_count--;
	wake(sock);
	return 0;
}

int unix_shutdown(struct unix_socket *sock, unsigned how)
{
	struct unix_socket *peer = sock->peer;

	if (connects(sock) && sock->state == UNIX_UNCONNECTED)
		return -ENOTCONN;
	if (!connects(sock) && !peer)
		return -ENOTCONN;
	sock->shutdown |= how;
	if (peer && connects(sock)) {
		peer->shutdown |= (how & UNIX_SHUT_SEND ? UNIX_SHUT_RECEIVE : 0) | (how & UNIX_SHUT_RECEIVE ? UNIX_SHUT_SEND : 0);
		wake(peer);
	}
	wake(sock);
	return 0;
}

uint32_t unix_poll_events(const struct unix_socket *sock)
{
	uint32_t events = 0;
	bool writable = sock->tx_charge * 4 <= sock->options.send_buffer;

	if (sock->error)
		events |= EPOLLERR;
	if (sock->state == UNIX_LISTENING)
		return events | (TAILQ_EMPTY(&sock->pending) ? 0 : EPOLLIN | EPOLLRDNORM);
	if (sock->shutdown == (UNIX_SHUT_RECEIVE | UNIX_SHUT_SEND) || (connects(sock) && sock->state == UNIX_UNCONNECTED))
		events |= EPOLLHUP;
	if (sock->shutdown & UNIX_SHUT_RECEIVE)
		events |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (!TAILQ_EMPTY(&sock->rx))
		events |= EPOLLIN | EPOLLRDNORM;
	if (sock->urgent)
		events |= EPOLLPRI;
	if (writable)
		events |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	return events;
}

void unix_for_each(void (*fn)(void *arg, const struct unix_summary *summary), void *arg)
{
	const struct unix_socket *sock;

	TAILQ_FOREACH(sock, &all_sockets, all) {
		struct unix_summary summary = {
			.ino = sock->ino,
			.refs = sock->refs,
			.type = (unsigned)sock->type,
			.state = sock->state == UNIX_CONNECTED ? SS_CONNECTED : SS_UNCONNECTED,
			.listening = sock->state == UNIX_LISTENING,
			.shutdown = (uint8_t)sock->shutdown,
			.peer = sock->peer ? sock->peer->ino : 0,
			.receive_queue = sock->state == UNIX_LISTENING ? sock->pending_count : (uint32_t)sock->rx_bytes,
			.send_queue = sock->state == UNIX_LISTENING ? sock->backlog : (uint32_t)sock->tx_charge,
			.receive_buffer = sock->options.receive_buffer,
			.send_buffer = sock->options.send_buffer,
			.uid = sock->self.cred.uid,
			.name = sock->name ? sock->name->bytes : NULL,
			.name_len = sock->name ? sock->name->len - (sock->name->bytes[0] != '\0') : 0,
		};

		if (!current->ns || sock->net == current->ns->net)
			fn(arg, &summary);
	}
}
