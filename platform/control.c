/*
 * The VMM's part of the control channel (platform/abi/control.h): carries the runtime command's requests to the
 * sentry and the sentry's replies back. control_client.c has the connections.
 *
 * control_init() before the jail, control_start() makes the thread that owns the listening
 * socket and the connections. control_receive() is the ring operation, control_send() the
 * call, both on any thread. All memory is there from the start. Both sides are checked: a
 * client is root or the creator, but a broken one only loses its connection; the sentry can
 * only answer requests that are open. Never: wait for a client or for the sentry.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "platform/control_parts.h"

#define FLUSH_MS 1000

static void request_free(struct request *request)
{
	request->used = request->cancelled = request->answered = false;
	request->generation = (request->generation + 1) & 0xffffff;
}

/* A CANCEL for a request whose client has gone, if there is one. */
static bool make_cancel(struct control *control, uint8_t *to, size_t *length)
{
	for (unsigned i = 0; i < REQUESTS; i++) {
		struct request *request = &control->requests[i];
		if (!request->cancelled)
			continue;
		struct control_header head = {.op = CONTROL_CANCEL, .request = number_of(control, request), .len = 8};
		uint32_t payload[2] = {request->op, 0};
		memset(head.fds, 0xff, sizeof(head.fds));
		memcpy(to, &head, sizeof(head));
		memcpy(to + sizeof(head), payload, sizeof(payload));
		*length = sizeof(head) + sizeof(payload);
		request_free(request);
		return true;
	}
	return false;
}

static size_t make_ping(uint8_t *to)
{
	struct control_header head = {.op = CONTROL_PING, .request = CONTROL_PING_REQUEST};

	memset(head.fds, 0xff, sizeof(head.fds));
	memcpy(to, &head, sizeof(head));
	return sizeof(head);
}

bool control_deliver_locked(struct control *control)
{
	struct io_request *receiver = control->receiver;
	size_t length;

	if (!receiver)
		return false;
	if (control->ping) {
		control->ping = false;
		length = make_ping(receiver->memory);
	} else if (!make_cancel(control, receiver->memory, &length)) {
		struct message *message = list_pop(&control->ready);
		if (!message)
			return false;
		length = message->length;
		memcpy(receiver->memory, message->bytes, length);
		give_back(&control->free_incoming, message);
	}
	control->receiver = NULL;
	io_complete(control->vmm->io, receiver, (int64_t)length, 0);
	return true;
}

static void poke(struct control *control)
{
	uint64_t one = 1;
	ssize_t n = write(control->wake, &one, sizeof(one));
	(void)n; /* full means that it is readable already */
}

void control_receive(struct io_service *io, struct io_request *request, uint64_t gpa, uint64_t length)
{
	struct control *control = io->vmm->control;

	request->memory = vmm_gpa(&io->vmm->memory, GPA(gpa), CONTROL_MAX);
	if (!control || length < CONTROL_MAX || !request->memory) {
		io_complete(io, request, control ? -EFAULT : -ENXIO, 0);
		return;
	}
	pthread_mutex_lock(&control->lock);
	bool busy = control->receiver;
	if (!busy) {
		control->receiver = request;
		if (control_deliver_locked(control))
			poke(control); /* a buffer is free: read on */
	}
	pthread_mutex_unlock(&control->lock);
	if (busy)
		io_complete(io, request, -EBUSY, 0);
}

/* To whoever asked; the head's op, request and descriptors are filled in. The lock is held. False: too many messages wait. */
static bool queue_reply(struct control *control, const struct request *request, struct control_header *head, const void *payload)
{
	struct client *client = &control->clients[request->client];
	struct message *message = control->free_outgoing;

	if (!message || client->outgoing >= CLIENT_OUTGOING)
		return false;
	control->free_outgoing = message->next;
	head->op = request->op;
	head->request = request->theirs;
	memset(head->fds, 0, sizeof(head->fds));
	memcpy(message->bytes, head, sizeof(*head));
	memcpy(message->bytes + sizeof(*head), payload, head->len);
	message->length = sizeof(*head) + head->len;
	message->client = request->client;
	client->outgoing++;
	list_push(&control->unsent, message);
	return true;
}

int control_send(struct vmm *vmm, uint64_t gpa, uint64_t length)
{
	struct control *control = vmm->control;
	struct control_header head;
	const void *from = length >= sizeof(head) && length <= CONTROL_MAX ? vmm_gpa(&vmm->memory, GPA(gpa), length) : NULL;
	int error = 0;

	if (!control)
		return -ENXIO;
	if (!from)
		return -EFAULT;
	memcpy(&head, from, sizeof(head));
	__asm__ volatile("" : : "r"(&head) : "memory"); /* this copy is what is checked and used */
	struct request *request = &control->requests[head.request % 256 % REQUESTS];
	pthread_mutex_lock(&control->lock);
	if (head.op == CONTROL_PING && head.request == CONTROL_PING_REQUEST) {
		control->watchdog.answered = control->watchdog.pinged;
		pthread_mutex_unlock(&control->lock);
		return 0;
	}
	if (!request->used || request->answered || number_of(control, request) != head.request || head.len != length - sizeof(head)) {
		error = -ESRCH;
	} else if (request->cancelled) {
		error = -EPIPE;
	} else if (!queue_reply(control, request, &head, (const uint8_t *)from + sizeof(head))) {
		error = -EAGAIN;
	} else if (!(head.flags & CONTROL_MORE)) {
		control->clients[request->client].requests--;
		request->answered = request->op == CONTROL_EXEC && head.error == 0;
		if (!request->answered)
			request_free(request);
	}
	pthread_mutex_unlock(&control->lock);
	if (!error)
		poke(control);
	return error;
}

/* Tells whoever follows events. The lock is held. */
static void tell_stuck(struct control *control, unsigned seconds)
{
	struct control_event event = {CONTROL_EVENT_STUCK, 0, watchdog_task(control->vmm), seconds};

	for (unsigned i = 0; i < REQUESTS; i++) {
		const struct request *request = &control->requests[i];
		struct control_header head = {.flags = CONTROL_MORE, .len = sizeof(event)};

		if (request->used && !request->cancelled && request->op == CONTROL_EVENTS)
			(void)queue_reply(control, request, &head, &event); /* who does not read misses it */
	}
}

static void watch(struct control *control)
{
	bool posted = false;

	pthread_mutex_lock(&control->lock);
	switch (watchdog_turn(&control->watchdog, control->vmm)) {
	case WATCHDOG_PING:
		control->ping = true;
		posted = control_deliver_locked(control);
		break;
	case WATCHDOG_STUCK:
		tell_stuck(control, control->watchdog.seconds);
		break;
	case WATCHDOG_ANSWERS:
		tell_stuck(control, 0);
		break;
	case WATCHDOG_NOTHING:
		break;
	}
	pthread_mutex_unlock(&control->lock);
	if (posted)
		io_notify(control->vmm->io);
}

static void control_turn(struct control *control)
{
	struct pollfd fds[CLIENTS + 2] = {
		{control->wake, POLLIN, 0}, {control->vmm->options->listen_fd, POLLIN, 0}};
	uint64_t count;

	watch(control);
	pthread_mutex_lock(&control->lock);
	bool room = control->free_incoming != NULL;
	for (unsigned i = 0; i < CLIENTS; i++) {
		const struct client *client = &control->clients[i];
		fds[i + 2] = (struct pollfd){client->fd, (short)((room ? POLLIN : 0) | (client->outgoing ? POLLOUT : 0)), 0};
	}
	int patience = watchdog_patience(&control->watchdog);
	pthread_mutex_unlock(&control->lock);
	if (poll(fds, CLIENTS + 2, patience) < 0)
		return;
	if ((fds[0].revents & POLLIN) && read(control->wake, &count, sizeof(count)) < 0)
		return;
	control_send_replies(control);
	for (unsigned i = 0; i < CLIENTS; i++) {
		if (fds[i + 2].fd < 0 || control->clients[i].fd != fds[i + 2].fd)
			continue;
		if (fds[i + 2].revents & POLLIN)
			control_serve_client(control, i);
		else if (fds[i + 2].revents & (POLLHUP | POLLERR))
			control_drop_client(control, i);
	}
	if (fds[1].revents & POLLIN)
		control_accept_client(control);
}

static void *control_main(void *arg)
{
	struct control *control = arg;

	if (jail_thread(control->vmm, JAIL_CONTROL) < 0)
		return NULL;
	for (;;)
		control_turn(control);
	return NULL;
}

/* ---- start and end ---- */

static bool make_messages(struct message *messages, unsigned count, struct message **free_list)
{
	uint8_t *bytes = mmap(NULL, (size_t)count * CONTROL_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (bytes == MAP_FAILED)
		return false;
	for (unsigned i = 0; i < count; i++) {
		messages[i].bytes = bytes + (size_t)i * CONTROL_MAX;
		give_back(free_list, &messages[i]);
	}
	return true;
}

int control_init(struct vmm *vmm)
{
	struct control *control;

	if (vmm->options->listen_fd < 0)
		return 0;
	control = calloc(1, sizeof(*control));
	if (!control)
		return -ENOMEM;
	control->vmm = vmm;
	control->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (control->wake < 0)
		return -errno;
	pthread_mutex_init(&control->lock, NULL);
	pthread_cond_init(&control->drained, NULL);
	watchdog_init(&control->watchdog, vmm->options->watchdog);
	for (unsigned i = 0; i < CLIENTS; i++)
		control->clients[i].fd = -1;
	control->ready.tail = &control->ready.head;
	control->unsent.tail = &control->unsent.head;
	if (!make_messages(control->incoming, INCOMING, &control->free_incoming) ||
	    !make_messages(control->outgoing, OUTGOING, &control->free_outgoing))
		return -ENOMEM;
	vmm->control = control;
	return 0;
}

int control_start(struct vmm *vmm)
{
	return vmm->control ? -pthread_create(&vmm->control->thread, NULL, control_main, vmm->control) : 0;
}

void control_fail(struct vmm *vmm, const char *why)
{
	struct control *control = vmm->control;
	struct control_header head = {.error = -EIO, .len = (uint32_t)strlen(why)};

	if (!control)
		return;
	pthread_mutex_lock(&control->lock);
	for (unsigned i = 0; i < REQUESTS; i++) {
		const struct request *request = &control->requests[i];

		if (request->used && !request->cancelled && !request->answered)
			(void)queue_reply(control, request, &head, why); /* who does not read misses it */
	}
	pthread_mutex_unlock(&control->lock);
	poke(control);
}

void control_flush(struct vmm *vmm)
{
	struct control *control = vmm->control;
	struct timespec until;

	if (!control)
		return;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += FLUSH_MS % 1000 * 1000000l;
	until.tv_sec += FLUSH_MS / 1000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&control->lock);
	while (control->unsent.head && pthread_cond_timedwait(&control->drained, &control->lock, &until) == 0)
		;
	pthread_mutex_unlock(&control->lock);
}
