/*
 * Sockets that only messages in each other's queues still hold: nobody can receive those messages any more, so the
 * sockets would never be closed. Found by marking, when a socket is closed or a descriptor of one that is queued somewhere.
 *
 * A socket is reachable when something beside queued messages holds its file, or when a reachable socket's queue does; a
 * connection that waits to be accepted is part of its listener. What is not reachable loses its queue, and with it goes the
 * last reference to each of them.
 *
 * unix_gc_note() tells that a message with files was queued: a cycle is closed only by sending a socket that itself
 * has files queued, or to itself, so most programs never make a collection run.
 */
#include "kernel/files.h"
#include "kernel/net/unix.h"
#include "ring0/lib.h"

bool unix_gc_needed;
static bool running;

static bool holds_files(const struct unix_socket *sock)
{
	const struct unix_message *message;

	if (sock->state == UNIX_LISTENING)
		return true; /* what waits there may */
	TAILQ_FOREACH(message, &sock->rx, link)
		if (message->file_count)
			return true;
	return false;
}

void unix_gc_note(const struct unix_socket *to, const struct unix_message *message)
{
	for (unsigned i = 0; i < message->file_count && !unix_gc_needed; i++) {
		const struct unix_socket *sent = file_unix_socket(message->files[i]);

		unix_gc_needed = sent && (sent == to || holds_files(sent));
	}
}

TAILQ_HEAD(gc_list, unix_socket);

/* Every socket in a queue counts its files there. */
static void count_queue(struct unix_socket *sock, void *unused)
{
	struct unix_message *message;

	TAILQ_FOREACH(message, &sock->rx, link)
		for (unsigned i = 0; i < message->file_count; i++) {
			struct unix_socket *sent = file_unix_socket(message->files[i]);

			if (!sent)
				continue;
			sent->gc_queued++;
			sent->gc_file = message->files[i];
		}
}

static void reach(struct unix_socket *sock, struct gc_list *work)
{
	if (sock->gc_reached)
		return;
	sock->gc_reached = true;
	TAILQ_INSERT_TAIL(work, sock, gc_link);
}

static void reach_queue(struct unix_socket *sock, struct gc_list *work)
{
	struct unix_message *message;
	struct unix_socket *child;

	TAILQ_FOREACH(message, &sock->rx, link)
		for (unsigned i = 0; i < message->file_count; i++) {
			struct unix_socket *sent = file_unix_socket(message->files[i]);

			if (sent)
				reach(sent, work);
		}
	TAILQ_FOREACH(child, &sock->pending, pending_link)
		reach(child, work);
}

static void begin(struct unix_socket *sock, void *unused)
{
	sock->gc_queued = 0;
	sock->gc_file = NULL;
	sock->gc_reached = false;
	sock->gc_waits = false;
}

static void note_waiting(struct unix_socket *sock, void *unused)
{
	struct unix_socket *child;

	TAILQ_FOREACH(child, &sock->pending, pending_link)
		child->gc_waits = true;
}

static void reach_roots(struct unix_socket *sock, void *work)
{
	if (!sock->gc_waits && (!sock->gc_queued || file_references(sock->gc_file) > sock->gc_queued))
		reach(sock, work);
}

struct gc_sweep {
	TAILQ_HEAD(, unix_message) messages;
	unsigned queued; /* sockets that are in some queue, and stay there */
};

static void sweep(struct unix_socket *sock, void *arg)
{
	struct gc_sweep *out = arg;
	struct unix_message *message;

	out->queued += sock->gc_reached && sock->gc_queued;
	while (!sock->gc_reached && (message = TAILQ_FIRST(&sock->rx))) {
		unix_dequeue(sock, message);
		TAILQ_INSERT_TAIL(&out->messages, message, link);
	}
}

void unix_gc(void)
{
	struct gc_list work = TAILQ_HEAD_INITIALIZER(work);
	struct gc_sweep garbage = {.messages = TAILQ_HEAD_INITIALIZER(garbage.messages)};
	struct unix_message *message;
	struct unix_socket *sock;

	if (!unix_gc_needed || running)
		return;
	running = true;
	unix_for_all(begin, NULL);
	unix_for_all(note_waiting, NULL);
	unix_for_all(count_queue, NULL);
	unix_for_all(reach_roots, &work);
	while ((sock = TAILQ_FIRST(&work))) {
		TAILQ_REMOVE(&work, sock, gc_link);
		reach_queue(sock, &work);
	}
	unix_for_all(sweep, &garbage);
	unix_gc_needed = garbage.queued;
	while ((message = TAILQ_FIRST(&garbage.messages))) { /* may sleep: nothing else leads to these any more */
		TAILQ_REMOVE(&garbage.messages, message, link);
		unix_message_free(message);
	}
	running = false;
}
