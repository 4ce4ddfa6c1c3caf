/*
 * The VMM's part of the control channel (platform/abi/control.h): lets the runtime
 * command in, carries its requests to the sentry and the sentry's replies back.
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
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "platform/abi/control.h"
#include "platform/io.h"
#include "platform/watchdog.h"

#define CLIENTS 24u
#define CLIENT_REQUESTS 8u /* open at once, of one client */
#define REQUESTS 64u
#define INCOMING 8u
#define OUTGOING 24u
#define CLIENT_OUTGOING 4u
#define FLUSH_MS 1000

struct client {
	int fd; /* -1: free */
	unsigned requests, outgoing;
};

struct request {
	bool used, cancelled;
	bool answered; /* an EXEC: kept until its client goes, for the process that it started */
	uint32_t generation, op, client, theirs;
};

struct message {
	struct message *next;
	uint8_t *bytes; /* CONTROL_MAX, with its head */
	size_t length;
	unsigned client; /* outgoing */
};

struct message_list {
	struct message *head, **tail;
};

struct control {
	struct vmm *vmm;
	pthread_t thread;
	int wake; /* eventfd */
	/* The control thread's own. */
	struct client clients[CLIENTS];
	/* Everything below: under lock. */
	pthread_mutex_t lock;
	struct watchdog watchdog;
	bool ping; /* is to be sent */
	pthread_cond_t drained;
	struct request requests[REQUESTS];
	struct message incoming[INCOMING], outgoing[OUTGOING];
	struct message *free_incoming, *free_outgoing;
	struct message_list ready, unsent;
	struct io_request *receiver; /* the sentry's outstanding ring operation */
};

static struct message *list_pop(struct message_list *list)
{
	struct message *message = list->head;

	if (message && !(list->head = message->next))
		list->tail = &list->head;
	return message;
}

static void list_push(struct message_list *list, struct message *message)
{
	message->next = NULL;
	*list->tail = message;
	list->tail = &message->next;
}

static void give_back(struct message **list, struct message *message)
{
	message->next = *list;
	*list = message;
}

/* ---- to the sentry ---- */

static uint32_t number_of(const struct control *control, const struct request *request)
{
	return request->generation << 8 | (uint32_t)(request - control->requests);
}

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

/* Completes the sentry's receive, if it has one and there is something. The lock is held. True: posted. */
static bool deliver(struct control *control)
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
		if (deliver(control))
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

/* ---- clients ---- */

static void drop_client(struct control *control, unsigned index)
{
	struct client *client = &control->clients[index];
	struct message_list kept = {NULL, &kept.head};
	struct message *message;

	close(client->fd);
	pthread_mutex_lock(&control->lock);
	client->fd = -1;
	for (unsigned i = 0; i < REQUESTS; i++) {
		if (control->requests[i].used && !control->requests[i].cancelled && control->requests[i].client == index)
			control->requests[i].cancelled = true;
	}
	while ((message = list_pop(&control->unsent))) {
		if (message->client == index)
			give_back(&control->free_outgoing, message);
		else
			list_push(&kept, message);
	}
	control->unsent = kept;
	if (!kept.head)
		control->unsent.tail = &control->unsent.head;
	client->requests = client->outgoing = 0;
	bool posted = deliver(control);
	pthread_mutex_unlock(&control->lock);
	if (posted)
		io_notify(control->vmm->io);
}

static void accept_client(struct control *control)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);
	unsigned index = 0;
	int fd = accept4(control->vmm->options->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	while (index < CLIENTS && control->clients[index].fd >= 0)
		index++;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 ||
	    (peer.uid != 0 && peer.uid != control->vmm->options->owner)) {
		vmm_log(VMM_LOG_WARNING, "control: a connection of another user was refused");
		close(fd);
	} else if (index == CLIENTS) {
		vmm_log(VMM_LOG_WARNING, "control: more than %u connections: one was refused", CLIENTS);
		close(fd);
	} else {
		control->clients[index] = (struct client){.fd = fd};
	}
}

/* What the descriptor at `place` of a CONTROL_NETWORK is. */
static uint32_t network_kind(const struct control_header *head, unsigned place)
{
	if (!(head->flags & CONTROL_LATER) || place > 1)
		return ABI_FILE_FRAMES;
	return place == 0 ? ABI_FILE_NEWS : ABI_FILE_LINKS;
}

/* Descriptors of a request go to the sentry's table. The rest are closed. 0 or -errno. */
static int take_fds(struct control *control, struct msghdr *header, struct control_header *head)
{
	unsigned count = 0;
	int error = 0;

	memset(head->fds, 0xff, sizeof(head->fds));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int fd, index;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (error || count == CONTROL_FDS)
				index = -EMFILE;
			else if (head->op == CONTROL_CREATE && count == 3)
				index = channel_add(control->vmm->io, fd);
			else if (head->op == CONTROL_NETWORK)
				index = fds_add_network(control->vmm, fd, network_kind(head, count));
			else
				index = fds_add_stdio(control->vmm, fd);
			if (index < 0) {
				close(fd);
				error = index;
			} else {
				head->fds[count++] = (uint32_t)index;
			}
		}
	}
	return error;
}

/* The sentry will not hear of them. */
static void forget_fds(struct control *control, const struct control_header *head)
{
	for (unsigned i = 0; i < CONTROL_FDS; i++) {
		if (head->fds[i] == CONTROL_NO_FD)
			continue;
		if (head->op == CONTROL_CREATE && i == 3)
			channel_close(control->vmm->io, head->fds[i]);
		else
			fds_close(control->vmm, head->fds[i]);
	}
}

/* A request gets a number of ours. The lock is held. NULL: too many. */
static struct request *open_request(struct control *control, unsigned index, const struct control_header *head)
{
	if (control->clients[index].requests == CLIENT_REQUESTS)
		return NULL;
	for (unsigned i = 0; i < REQUESTS; i++) {
		struct request *request = &control->requests[i];
		if (request->used)
			continue;
		request->used = true;
		request->client = index;
		request->op = head->op;
		request->theirs = head->request;
		control->clients[index].requests++;
		return request;
	}
	return NULL;
}

/* One packet of a client into `message`. 1: a request is in it, 0: nothing there, -1: the client broke off or the rules. */
static int read_request(struct control *control, unsigned index, struct message *message)
{
	union {
		struct cmsghdr head;
		uint8_t bytes[CMSG_SPACE(sizeof(int) * (CONTROL_FDS + 4))];
	} ancillary;
	struct iovec iov = {message->bytes, CONTROL_MAX};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ancillary,
		.msg_controllen = sizeof(ancillary)};
	struct control_header head = {0};
	struct request *request = NULL;
	ssize_t n = recvmsg(control->clients[index].fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n > 0)
		memcpy(&head, message->bytes, (size_t)n < sizeof(head) ? (size_t)n : sizeof(head));
	int error = n > 0 ? take_fds(control, &header, &head) : 0;
	if (n >= (ssize_t)sizeof(head) && !error && !(header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) &&
	    head.len == (size_t)n - sizeof(head) && head.op >= CONTROL_CREATED && head.op < CONTROL_OPS && head.op != CONTROL_CANCEL) {
		pthread_mutex_lock(&control->lock);
		request = open_request(control, index, &head);
		pthread_mutex_unlock(&control->lock);
	}
	if (!request) {
		if (n > 0)
			forget_fds(control, &head);
		return -1;
	}
	head.request = number_of(control, request);
	head.error = 0;
	memcpy(message->bytes, &head, sizeof(head));
	message->length = (size_t)n;
	return 1;
}

static void serve_client(struct control *control, unsigned index)
{
	struct message *message;

	pthread_mutex_lock(&control->lock);
	message = control->free_incoming;
	if (message)
		control->free_incoming = message->next;
	pthread_mutex_unlock(&control->lock);
	if (!message)
		return;
	int got = read_request(control, index, message);
	bool posted = false;
	pthread_mutex_lock(&control->lock);
	if (got > 0) {
		list_push(&control->ready, message);
		posted = deliver(control);
	} else {
		give_back(&control->free_incoming, message);
	}
	pthread_mutex_unlock(&control->lock);
	if (posted)
		io_notify(control->vmm->io);
	if (got < 0)
		drop_client(control, index);
}

/* Sends what clients take. */
static void send_replies(struct control *control)
{
	struct message_list kept = {NULL, &kept.head};
	struct message *message;

	pthread_mutex_lock(&control->lock);
	while ((message = list_pop(&control->unsent))) {
		struct client *client = &control->clients[message->client];
		struct iovec iov = {message->bytes, message->length};
		struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
		if (sendmsg(client->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
			list_push(&kept, message);
			continue;
		}
		client->outgoing--; /* sent, or the client is gone, which its poll tells */
		give_back(&control->free_outgoing, message);
	}
	control->unsent = kept;
	if (!kept.head) {
		control->unsent.tail = &control->unsent.head;
		pthread_cond_broadcast(&control->drained);
	}
	pthread_mutex_unlock(&control->lock);
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
		posted = deliver(control);
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
	send_replies(control);
	for (unsigned i = 0; i < CLIENTS; i++) {
		if (fds[i + 2].fd < 0 || control->clients[i].fd != fds[i + 2].fd)
			continue;
		if (fds[i + 2].revents & POLLIN)
			serve_client(control, i);
		else if (fds[i + 2].revents & (POLLHUP | POLLERR))
			drop_client(control, i);
	}
	if (fds[1].revents & POLLIN)
		accept_client(control);
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
