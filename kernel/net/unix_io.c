/*
 * Sending and receiving on AF_UNIX sockets. See kernel/net/unix.h.
 *
 * A message is copied in before anything is looked at that the copy's sleep could change; then it is queued, or
 * thrown away if the other side has gone. A stream's receiver holds its read_lock over the copy out, since a message
 * is taken in parts; a datagram leaves the queue first.
 */
#include <asm-generic/resource.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/if_ether.h>

#include "kernel/files.h"
#include "kernel/mm.h"
#include "kernel/net/filter.h"
#include "kernel/net/socket_types.h"
#include "kernel/net/unix.h"
#include "kernel/rlimit.h"
#include "kernel/task.h"
#include "ring0/clock.h"
#include "ring0/lib.h"

#define STREAM_PART 32768u   /* bytes of a stream in one message at most */
#define MESSAGE_OVERHEAD 512u /* charged for each message beside its bytes */

/*
 * Files in messages count against the sender's RLIMIT_NOFILE, all of a user's together (unix(7), ETOOMANYREFS).
 */
struct unix_in_flight {
	TAILQ_ENTRY(unix_in_flight) link;
	uint32_t uid;
	uint64_t count;
};

static TAILQ_HEAD(, unix_in_flight) in_flight_users = TAILQ_HEAD_INITIALIZER(in_flight_users);

static void in_flight_end(struct unix_in_flight *user, unsigned count)
{
	user->count -= count;
	if (user->count)
		return;
	TAILQ_REMOVE(&in_flight_users, user, link);
	kfree(user);
}

static int in_flight_begin(struct unix_send *send)
{
	uint64_t limit = rlimit_current(RLIMIT_NOFILE);
	uint32_t uid = current->cred->uid;
	struct unix_in_flight *user;

	TAILQ_FOREACH(user, &in_flight_users, link)
		if (user->uid == uid)
			break;
	if (user && user->count > limit && !capable(CAP_SYS_RESOURCE) && !capable(CAP_SYS_ADMIN))
		return -ETOOMANYREFS;
	if (!user) {
		user = kzalloc(sizeof(*user));
		if (!user)
			return -ENOMEM;
		user->uid = uid;
		TAILQ_INSERT_HEAD(&in_flight_users, user, link);
	}
	user->count += send->base->file_count;
	send->in_flight = user;
	return 0;
}

/*
 * Messages that are done with, but whose files are still held. Dropping one may close a socket whose own messages hold
 * sockets, and so on as deep as a program likes: only the outermost call drops files, the nested ones queue.
 */
static TAILQ_HEAD(, unix_message) done_messages = TAILQ_HEAD_INITIALIZER(done_messages);
static bool dropping_files;

static void drop_files(struct unix_message *message)
{
	TAILQ_INSERT_TAIL(&done_messages, message, link);
	if (dropping_files)
		return;
	dropping_files = true;
	while ((message = TAILQ_FIRST(&done_messages))) {
		TAILQ_REMOVE(&done_messages, message, link);
		for (unsigned i = 0; i < message->file_count; i++)
			file_put(message->files[i]);
		kfree(message->files);
		kfree(message);
	}
	dropping_files = false;
}

void unix_message_free(struct unix_message *message)
{
	struct unix_socket *sender = message->sender;

	sender->tx_charge -= message->charge;
	if (!sender->dead && !waitq_empty(&sender->wait))
		waitq_wake(&sender->wait, UINT32_MAX, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	unix_put(sender);
	if (message->process)
		process_put(message->process);
	if (message->name && !--message->name->refs)
		kfree(message->name);
	if (message->file_count) {
		in_flight_end(message->in_flight, message->file_count);
		drop_files(message);
		return;
	}
	kfree(message->files);
	kfree(message);
}

void unix_dequeue(struct unix_socket *sock, struct unix_message *message)
{
	TAILQ_REMOVE(&sock->rx, message, link);
	sock->rx_bytes -= message->len - message->taken;
	if (sock->urgent == message)
		sock->urgent = NULL;
}

/* ---- send ---- */

/* A message of len bytes, copied in and charged to the sender. May sleep. */
static struct unix_message *message_make(struct unix_socket *sock, struct unix_send *send, size_t len, int *error)
{
	struct unix_message *message = kmalloc(sizeof(*message) + len);

	*error = -ENOMEM;
	if (!message)
		return NULL;
	memset(message, 0, sizeof(*message));
	message->charge = len + MESSAGE_OVERHEAD;
	sock->tx_charge += message->charge;
	unix_get(sock);
	message->sender = sock;
	message->len = len;
	message->cred = send->base->cred;
	message->process = message->cred.pid == current->process->pid ? current->process : process_find_global(message->cred.pid);
	if (message->process)
		process_get(message->process);
	message->name = sock->name;
	if (message->name)
		message->name->refs++;
	*error = len ? send->base->copy->copy(send->base->copy, message->data, len) : 0;
	if (*error) {
		unix_message_free(message);
		return NULL;
	}
	return message;
}

/* Whether the receiver's filter lets a packet through; cuts it. One that is not let through is sent all the same. */
static bool filtered(struct unix_socket *to, struct unix_message *message)
{
	uint32_t wanted = socket_filter_run_flat(&to->options, message->data, (uint32_t)message->len, ETH_P_ALL);

	message->len = MIN(message->len, (size_t)wanted);
	return wanted || !to->options.filter;
}

static void message_queue(struct unix_socket *to, struct unix_message *message, struct unix_send *send)
{
	if (to->options.timestamp)
		message->time = clock_realtime();
	message->files = send->base->files;
	message->file_count = send->base->file_count;
	message->in_flight = send->in_flight;
	send->base->files = NULL;
	send->base->file_count = 0;
	if (message->file_count)
		unix_gc_note(to, message);
	TAILQ_INSERT_TAIL(&to->rx, message, link);
	to->rx_bytes += message->len;
	if (!waitq_empty(&to->wait))
		waitq_wake(&to->wait, UINT32_MAX, EPOLLIN | EPOLLRDNORM | EPOLLRDBAND | (to->urgent == message ? EPOLLPRI : 0));
}

/* The last byte of a stream's send, if it is urgent: a message of its own. The one before it is urgent no more. */
static void mark_urgent(struct unix_socket *to, struct unix_message *message)
{
	to->urgent = message;
	if (to->base && to->base->urgent)
		to->base->urgent(to->base);
}

/* Why a stream cannot be sent on now; 0 if it can. */
static int send_refused(const struct unix_socket *sock)
{
	if (sock->error)
		return -sock->error;
	if (sock->state != UNIX_CONNECTED)
		return -ENOTCONN;
	if (sock->shutdown & UNIX_SHUT_SEND || !sock->peer || sock->peer->dead || sock->peer->shutdown & UNIX_SHUT_RECEIVE)
		return -EPIPE;
	return 0;
}

static bool has_room(const struct unix_socket *sock)
{
	return sock->tx_charge < sock->options.send_buffer;
}

static int wait_for_room(struct unix_socket *sock, uint64_t deadline)
{
	int rc;

	if (has_room(sock))
		return 0;
	if (!deadline)
		return -EAGAIN;
	rc = wait_event(&sock->wait, has_room(sock) || sock->shutdown & UNIX_SHUT_SEND || sock->error, deadline, true);
	return rc == -ETIMEDOUT ? -EAGAIN : rc;
}

static int take_error(struct unix_socket *sock, int rc)
{
	if (sock->error && rc == -sock->error)
		sock->error = 0;
	return rc;
}

static int64_t send_stream(struct unix_socket *sock, struct unix_send *send)
{
	struct unix_message *message;
	size_t done = 0, plain = send->base->len - (send->base->flags & MSG_OOB ? 1 : 0), direct;
	int rc = send_refused(sock);
	bool room;

	while (!rc && done < send->base->len) {
		direct = unix_direct_send(sock->peer, send, plain - MIN(done, plain));
		done += direct;
		room = has_room(sock);
		if (direct && task_breathe())
			break;
		rc = direct || room ? 0 : wait_for_room(sock, send->base->deadline);
		if (!rc)
			rc = send_refused(sock);
		if (rc)
			break;
		if (direct || !room) /* a receiver may wait by now */
			continue;
		message = message_make(sock, send, done < plain ? MIN(plain - done, (size_t)STREAM_PART) : 1, &rc);
		if (!message)
			break;
		rc = send_refused(sock);
		if (rc) {
			unix_message_free(message);
			break;
		}
		if (done == plain)
			mark_urgent(sock->peer, message);
		done += message->len;
		message_queue(sock->peer, message, send);
	}
	return done ? (int64_t)done : take_error(sock, rc);
}

/* Where a packet goes now: a reference, or NULL with *error. */
static struct unix_socket *packet_target(struct unix_socket *sock, const struct unix_send *send, int *error)
{
	struct unix_socket *target = send->target ? send->target : sock->peer;

	*error = 0;
	if (sock->type == SOCK_SEQPACKET)
		*error = send_refused(sock);
	else if (sock->shutdown & UNIX_SHUT_SEND)
		*error = -EPIPE;
	else if (!target)
		*error = -ENOTCONN;
	else if (target->dead)
		*error = -ECONNREFUSED;
	else if (target->shutdown & UNIX_SHUT_RECEIVE)
		*error = -EPIPE;
	else if (target->type != SOCK_DGRAM)
		*error = -EPROTOTYPE;
	else if (target->peer && target->peer != sock)
		*error = -EPERM;
	if (*error)
		return NULL;
	unix_get(target);
	return target;
}

static int64_t send_packet(struct unix_socket *sock, struct unix_send *send)
{
	struct unix_message *message;
	struct unix_socket *target;
	int rc;

	if (send->base->len > sock->options.send_buffer)
		return -EMSGSIZE;
	target = packet_target(sock, send, &rc);
	if (!target)
		return take_error(sock, rc);
	unix_put(target);
	rc = wait_for_room(sock, send->base->deadline);
	if (rc)
		return rc;
	message = message_make(sock, send, send->base->len, &rc);
	if (!message)
		return rc;
	target = packet_target(sock, send, &rc); /* again: the copy slept */
	if (!target) {
		unix_message_free(message);
		return take_error(sock, rc);
	}
	if (filtered(target, message))
		message_queue(target, message, send);
	else
		unix_message_free(message);
	unix_put(target);
	return (int64_t)send->base->len;
}

int64_t unix_send(struct unix_socket *sock, struct unix_send *send)
{
	int64_t rc = send->base->file_count ? in_flight_begin(send) : 0;

	if (rc)
		return rc;
	rc = sock->type == SOCK_STREAM ? send_stream(sock, send) : send_packet(sock, send);
	if (send->base->file_count) /* not sent */
		in_flight_end(send->in_flight, send->base->file_count);
	return rc;
}

/* ---- receive ---- */

static bool can_receive(const struct unix_socket *sock, const struct unix_message *seen)
{
	return TAILQ_LAST(&sock->rx, unix_messages) != seen || sock->shutdown & UNIX_SHUT_RECEIVE || sock->error;
}

/* 1: something is queued after `seen` (NULL: at all), or in the window (NULL: none); 0: the end; -errno. Waits without the read lock. */
static int wait_for_message(struct unix_socket *sock, uint64_t deadline, const struct unix_message *seen,
	const struct unix_window *window)
{
	int rc;

	if (TAILQ_LAST(&sock->rx, unix_messages) != seen)
		return 1;
	if (sock->error) {
		rc = -sock->error;
		sock->error = 0;
		return rc;
	}
	if (sock->shutdown & UNIX_SHUT_RECEIVE)
		return 0;
	if (sock->type != SOCK_DGRAM && sock->state != UNIX_CONNECTED)
		return sock->type == SOCK_STREAM ? -EINVAL : -ENOTCONN;
	if (!deadline)
		return -EAGAIN;
	rc = wait_event(&sock->wait, can_receive(sock, seen) || (window && window->done >= window->wanted), deadline, true);
	if (rc)
		return rc == -ETIMEDOUT ? -EAGAIN : rc;
	return window && window->done ? 1 : wait_for_message(sock, 0, seen, NULL);
}

/* Who sent it, and the files: moved to the receiver, or referenced once more when it only peeks. */
static void receive_extras(struct unix_message *message, struct unix_receive *receive)
{
	receive->cred = message->cred;
	if (!receive->has_cred && message->process) {
		receive->process = message->process;
		process_get(receive->process);
	}
	receive->has_cred = true;
	receive->time = message->time;
	if (message->name && !receive->name) {
		receive->name = message->name;
		receive->name->refs++;
	}
	if (!message->file_count)
		return;
	if (!(receive->base->flags & MSG_PEEK)) {
		in_flight_end(message->in_flight, message->file_count);
		receive->base->files = message->files;
		receive->base->file_count = message->file_count;
		message->files = NULL;
		message->file_count = 0;
		return;
	}
	receive->base->files = kmalloc(message->file_count * sizeof(message->files[0]));
	if (!receive->base->files)
		return;
	for (unsigned i = 0; i < message->file_count; i++) {
		file_get(message->files[i]);
		receive->base->files[i] = message->files[i];
	}
	receive->base->file_count = message->file_count;
}

static bool same_sender(const struct unix_message *message, const struct unix_receive *receive)
{
	return message->cred.pid == receive->cred.pid && message->cred.uid == receive->cred.uid &&
	       message->cred.gid == receive->cred.gid;
}

/* ---- the urgent byte ---- */

bool unix_is_at_mark(const struct unix_socket *sock)
{
	const struct unix_message *first = TAILQ_FIRST(&sock->rx);

	return first && (first == sock->urgent || (first->urgent_read && (!sock->urgent || TAILQ_NEXT(first, link) == sock->urgent)));
}

/* What comes after a message that is passed over; it goes, unless the reader only peeks. */
static struct unix_message *pass_over(struct unix_socket *sock, struct unix_message *message, bool peek)
{
	struct unix_message *next = TAILQ_NEXT(message, link);

	if (!peek) {
		unix_dequeue(sock, message);
		unix_message_free(message);
	}
	return next;
}

/*
 * What a reader, who has `done` bytes, reads when it comes to a message: that one, or at the urgent byte what follows; NULL:
 * it stops here.
 */
static struct unix_message *look_at_mark(struct unix_socket *sock, struct unix_message *message, unsigned flags, size_t done)
{
	bool peek = flags & MSG_PEEK;

	if (message && message->urgent_read) {
		if (done && !sock->urgent)
			return NULL;
		message = pass_over(sock, message, peek);
	}
	if (!message || message != sock->urgent)
		return message;
	if (done)
		return NULL;
	if (!sock->options.oob_inline)
		return pass_over(sock, message, peek);
	if (!peek)
		sock->urgent = NULL;
	return message;
}

static int64_t receive_urgent(struct unix_socket *sock, struct socket_receive *receive)
{
	struct unix_message *message = sock->urgent;
	char byte;

	if (!message || sock->options.oob_inline)
		return -EINVAL;
	byte = message->data[0];
	if (!(receive->flags & MSG_PEEK)) {
		sock->urgent = NULL;
		message->urgent_read = true;
		message->taken = message->len;
		sock->rx_bytes--;
	}
	receive->out_flags = MSG_OOB;
	return receive->len && receive->copy->copy(receive->copy, &byte, sizeof(byte)) ? -EFAULT : 1;
}

/* Parts of queued messages; the read lock is held. Bytes or -EFAULT. May sleep in the copies. */
static int64_t take_stream(struct unix_socket *sock, struct unix_receive *receive, size_t done)
{
	struct unix_message *message = TAILQ_FIRST(&sock->rx), *next;
	size_t start = done;

	for (; message && done < receive->base->len; message = next) {
		size_t part;

		message = look_at_mark(sock, message, receive->base->flags, done);
		if (!message)
			break;
		part = MIN(receive->base->len - done, message->len - message->taken);

		if (done && (message->file_count || (sock->options.pass_cred && !same_sender(message, receive))))
			break;
		if (part && receive->base->copy->copy(receive->base->copy, message->data + message->taken, part))
			return done > start ? (int64_t)(done - start) : -EFAULT;
		bool had_files = message->file_count != 0;

		if (!receive->has_cred || had_files)
			receive_extras(message, receive);
		done += part;
		next = TAILQ_NEXT(message, link);
		if ((receive->base->flags & MSG_PEEK))
			continue;
		message->taken += part;
		sock->rx_bytes -= part;
		if (message->taken == message->len) {
			unix_dequeue(sock, message);
			unix_message_free(message);
			next = TAILQ_FIRST(&sock->rx); /* may have grown while freeing slept */
		}
		if (had_files)
			break;
	}
	return (int64_t)(done - start);
}

/* As wait_for_message(); what a sender copied to the receiver meanwhile is added to *done. */
static int wait_for_stream(struct unix_socket *sock, struct unix_receive *receive, size_t *done, size_t wanted,
	const struct unix_message *seen)
{
	struct unix_window window;
	bool offered = TAILQ_EMPTY(&sock->rx) && receive->base->deadline && unix_direct_offer(sock, receive, *done, wanted, &window);
	int rc = wait_for_message(sock, receive->base->deadline, seen, offered ? &window : NULL);

	if (offered)
		*done += unix_direct_end(sock, receive, &window);
	return rc;
}

static int64_t receive_stream(struct unix_socket *sock, struct unix_receive *receive)
{
	size_t done = 0, wanted = MIN((size_t)sock->options.receive_low, receive->base->len);
	const struct unix_message *seen = NULL; /* the last, where a peek finds nothing but the urgent byte */
	int64_t rc = 0;

	if (receive->base->flags & MSG_WAITALL)
		wanted = receive->base->len;
	while (done < receive->base->len || !receive->base->len) {
		rc = wait_for_stream(sock, receive, &done, wanted, seen);
		if (rc <= 0 || !receive->base->len)
			break;
		mutex_lock(&sock->read_lock);
		rc = take_stream(sock, receive, done);
		seen = rc || done ? NULL : TAILQ_LAST(&sock->rx, unix_messages);
		mutex_unlock(&sock->read_lock);
		if (rc < 0)
			break;
		done += (size_t)rc;
		/* Nothing more taken: what comes next is not to be mixed with what there is. */
		if (done && (!rc || done >= wanted || (receive->base->flags & MSG_PEEK) || receive->base->file_count))
			break;
	}
	if (done)
		return (int64_t)done;
	return rc > 0 ? 0 : rc;
}

static int64_t receive_packet(struct unix_socket *sock, struct unix_receive *receive)
{
	struct unix_message *message;
	size_t part;
	int64_t rc = wait_for_message(sock, receive->base->deadline, NULL, NULL);

	if (rc <= 0)
		return rc;
	mutex_lock(&sock->read_lock);
	message = TAILQ_FIRST(&sock->rx);
	if (!message) {
		mutex_unlock(&sock->read_lock);
		return receive_packet(sock, receive); /* another receiver was quicker */
	}
	if (!(receive->base->flags & MSG_PEEK))
		unix_dequeue(sock, message);
	part = MIN(receive->base->len, message->len);
	receive->base->out_flags = message->len > receive->base->len ? MSG_TRUNC : 0;
	receive_extras(message, receive);
	rc = part ? receive->base->copy->copy(receive->base->copy, message->data, part) : 0;
	if (!rc)
		rc = (int64_t)(receive->base->flags & MSG_TRUNC ? message->len : part);
	if (!(receive->base->flags & MSG_PEEK))
		unix_message_free(message);
	mutex_unlock(&sock->read_lock);
	return rc;
}

int64_t unix_receive(struct unix_socket *sock, struct unix_receive *receive)
{
	if (receive->base->flags & MSG_OOB && sock->type == SOCK_STREAM)
		return receive_urgent(sock, receive->base);
	return sock->type == SOCK_STREAM ? receive_stream(sock, receive) : receive_packet(sock, receive);
}

size_t unix_readable(const struct unix_socket *sock)
{
	const struct unix_message *first = TAILQ_FIRST(&sock->rx);

	if (sock->type == SOCK_STREAM)
		return sock->rx_bytes;
	return first ? first->len : 0;
}
