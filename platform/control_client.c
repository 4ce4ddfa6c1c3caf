/*
 * The control channel's clients: lets them in, reads their requests, sends them the replies. See control_parts.h.
 *
 * A client is root or the sandbox's creator, told by its socket, but a broken one only loses its connection. Its
 * descriptors go to the sentry's tables and are closed if the request is not taken. Used by the control thread alone.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/control_parts.h"

void control_drop_client(struct control *control, unsigned index)
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
	bool posted = control_deliver_locked(control);
	pthread_mutex_unlock(&control->lock);
	if (posted)
		io_notify(control->vmm->io);
}

void control_accept_client(struct control *control)
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

void control_serve_client(struct control *control, unsigned index)
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
		posted = control_deliver_locked(control);
	} else {
		give_back(&control->free_incoming, message);
	}
	pthread_mutex_unlock(&control->lock);
	if (posted)
		io_notify(control->vmm->io);
	if (got < 0)
		control_drop_client(control, index);
}

void control_send_replies(struct control *control)
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
