/*
 * The command's end of the control channel (platform/abi/control.h): one connection, requests one after another.
 *
 * Errors are messages here: what failed and, if the sandbox said, why.
 */
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/state.h"
#include "platform/abi/control.h"

#define CONTROL_PATIENCE_MS 10000 /* for what the sandbox answers at once */
#define CONTROL_FOREVER (-1)

struct control_request {
	uint32_t op, container, flags;
	const void *payload;
	size_t length;
	const int *fds;
	unsigned fd_count;
};

struct control_reply {
	uint32_t number; /* of the request */
	int error; /* 0 or -errno */
	bool more;
	size_t length;
	char *payload; /* terminated by a zero after length; freed by control_reply_free() */
};

/*
 * A connection, or -1 after a message: the container is not running. Requests that name no
 * container are about this one from then on: a command works on one only.
 */
int control_open(const struct state *state);
/* 0, or -errno: EPIPE if the sandbox has gone. No message. */
int control_put(int fd, uint32_t number, const struct control_request *request);
/* The next reply; 0, -ETIMEDOUT, -EPIPE: the sandbox has gone. No message. */
int control_get(int fd, int timeout_ms, struct control_reply *reply);
/* Send and wait: 0, or -errno as the sandbox answered or the two above. No message; the text is in reply->payload. */
int control_ask(int fd, const struct control_request *request, int timeout_ms, struct control_reply *reply);
void control_reply_free(struct control_reply *reply);
/* What answered CONTROL_STATS; an older sandbox knows less: the rest is 0. */
void control_read_stats(const struct control_reply *reply, struct control_stats *stats);
/* The same with a connection of its own and a message that begins with `what`. 0 or 1. */
int control_order(const struct state *state, const struct control_request *request, int timeout_ms, const char *what,
	struct control_reply *reply);
/* A line for people about a failed request. */
const char *control_reason(int error, const struct control_reply *reply);

#endif
