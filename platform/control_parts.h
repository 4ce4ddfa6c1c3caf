/*
 * Inside the control channel's two files: control.c, the sentry's side and the thread, and control_client.c, who
 * connects. One lock covers what is said below to be under it; a `…_locked` function wants it held.
 */
#ifndef PLATFORM_CONTROL_PARTS_H
#define PLATFORM_CONTROL_PARTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/abi/control.h"
#include "platform/io.h"
#include "platform/watchdog.h"

#define CLIENTS 24u
#define CLIENT_REQUESTS 8u /* open at once, of one client */
#define REQUESTS 64u
#define INCOMING 8u
#define OUTGOING 24u
#define CLIENT_OUTGOING 4u

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

static inline struct message *list_pop(struct message_list *list)
{
	struct message *message = list->head;

	if (message && !(list->head = message->next))
		list->tail = &list->head;
	return message;
}

static inline void list_push(struct message_list *list, struct message *message)
{
	message->next = NULL;
	*list->tail = message;
	list->tail = &message->next;
}

static inline void give_back(struct message **list, struct message *message)
{
	message->next = *list;
	*list = message;
}

/* What the sentry is told of a request. */
static inline uint32_t number_of(const struct control *control, const struct request *request)
{
	return request->generation << 8 | (uint32_t)(request - control->requests);
}

/* control.c. Completes the sentry's receive, if it has one and there is something. True: posted. */
bool control_deliver_locked(struct control *control);

/* control_client.c, all for the control thread. */
void control_accept_client(struct control *control);
/* One packet of it, if there is a buffer for it. */
void control_serve_client(struct control *control, unsigned index);
/* It has gone, or broke the rules. */
void control_drop_client(struct control *control, unsigned index);
/* Sends what clients take. */
void control_send_replies(struct control *control);

#endif
