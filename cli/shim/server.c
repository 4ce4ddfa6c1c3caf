/*
 * ttrpc's server: see server.h.
 *
 * Only the shim's own user may connect. What a client can make us keep is bounded: calls
 * under way, and answers that it does not read (then it is not read from either).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/shim/log.h"
#include "cli/shim/loop.h"
#include "cli/shim/server.h"
#include "cli/shim/ttrpc.h"

#define CONNECTIONS_MAX 64u
#define CALLS_MAX 4096u          /* under way, of one connection */
#define UNREAD_MAX (1u << 20)    /* bytes of answers */

struct call {
	struct connection *connection; /* NULL: gone */
	uint32_t stream;
	LIST_ENTRY(call) link;
};

struct connection {
	struct watch watch;
	struct ttrpc_decoder decoder;
	uint32_t last_stream;
	unsigned call_count;
	bool broken;          /* a write failed: to be closed by the loop */
	uint8_t *out;         /* answers not written yet */
	size_t out_length;
	LIST_HEAD(, call) calls;
};

static struct watch listener;
static server_method serve;
static unsigned connection_count;

static void connection_close(struct connection *c)
{
	struct call *call;

	LIST_FOREACH(call, &c->calls, link)
		call->connection = NULL;
	loop_remove(&c->watch);
	close(c->watch.fd);
	ttrpc_free(&c->decoder);
	free(c->out);
	free(c);
	connection_count--;
}

static void update_events(struct connection *c)
{
	uint32_t events = c->out_length < UNREAD_MAX ? EPOLLIN : 0;

	if (c->out_length > 0 || c->broken)
		events |= EPOLLOUT;
	loop_change(&c->watch, events);
}

static void write_out(struct connection *c)
{
	while (c->out_length > 0 && !c->broken) {
		ssize_t n = send(c->watch.fd, c->out, c->out_length, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0) {
			c->broken = errno != EAGAIN && errno != EINTR;
			break;
		}
		c->out_length -= (size_t)n;
		memmove(c->out, c->out + n, c->out_length);
	}
	if (c->out_length == 0) {
		free(c->out);
		c->out = NULL;
	}
	update_events(c);
}

static void send_response(struct connection *c, uint32_t stream, const Shim__Response *response)
{
	uint8_t *frame;
	size_t length = wire_pack(&response->base, TTRPC_HEAD, &frame);
	uint8_t *out = length ? realloc(c->out, c->out_length + length) : NULL;

	if (!out) {
		free(length ? frame : NULL);
		c->broken = true;
		update_events(c);
		return;
	}
	ttrpc_put_head(frame, (uint32_t)(length - TTRPC_HEAD), stream, TTRPC_RESPONSE);
	memcpy(out + c->out_length, frame, length);
	free(frame);
	c->out = out;
	c->out_length += length;
	write_out(c);
}

static void call_end(struct call *call, const Shim__Response *response)
{
	struct connection *c = call->connection;

	if (c) {
		LIST_REMOVE(call, link);
		c->call_count--;
		send_response(c, call->stream, response);
	}
	free(call);
}

void call_reply(struct call *call, const ProtobufCMessage *message)
{
	Shim__Status ok = SHIM__STATUS__INIT;
	Shim__Response response = SHIM__RESPONSE__INIT;
	uint8_t *payload = NULL;

	response.status = &ok;
	if (message)
		response.payload.len = wire_pack(message, 0, &payload);
	response.payload.data = payload;
	call_end(call, &response);
	free(payload);
}

static void fail_stream(Shim__Response *response, Shim__Status *status, enum rpc_code code, char *message)
{
	status->code = (int32_t)code;
	status->message = message;
	response->status = status;
}

void call_fail(struct call *call, enum rpc_code code, const char *format, ...)
{
	Shim__Status status = SHIM__STATUS__INIT;
	Shim__Response response = SHIM__RESPONSE__INIT;
	char message[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	fail_stream(&response, &status, code, message);
	call_end(call, &response);
}

static void refuse(struct connection *c, uint32_t stream, enum rpc_code code, char *message)
{
	Shim__Status status = SHIM__STATUS__INIT;
	Shim__Response response = SHIM__RESPONSE__INIT;

	fail_stream(&response, &status, code, message);
	send_response(c, stream, &response);
}

static void request(struct connection *c, uint32_t stream, const Shim__Request *request)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call) {
		refuse(c, stream, RPC_RESOURCE_EXHAUSTED, "no memory");
		return;
	}
	call->connection = c;
	call->stream = stream;
	LIST_INSERT_HEAD(&c->calls, call, link);
	c->call_count++;
	serve(call, request->service, request->method, request->payload.data, request->payload.len);
}

static bool take_frame(void *arg, const struct ttrpc_frame *frame)
{
	struct connection *c = arg;

	if (frame->type != TTRPC_REQUEST)
		return true; /* clients send nothing else that concerns the methods that we have */
	if (frame->too_long) {
		refuse(c, frame->stream, RPC_RESOURCE_EXHAUSTED, "message too long");
		return !c->broken;
	}
	if (frame->stream % 2 == 0 || frame->stream <= c->last_stream) {
		refuse(c, frame->stream, RPC_INVALID_ARGUMENT, "stream numbers must be odd, and grow");
		return !c->broken;
	}
	c->last_stream = frame->stream;
	if (c->call_count >= CALLS_MAX) {
		refuse(c, frame->stream, RPC_RESOURCE_EXHAUSTED, "too many calls under way");
		return !c->broken;
	}
	Shim__Request *message = wire_unpack(&shim__request__descriptor, frame->body, frame->length);
	if (message)
		request(c, frame->stream, message);
	else
		refuse(c, frame->stream, RPC_INVALID_ARGUMENT, "malformed request");
	wire_free(message);
	return !c->broken;
}

static void connection_ready(struct watch *watch, uint32_t events)
{
	struct connection *c = (struct connection *)watch;
	uint8_t buffer[4096];

	if (events & EPOLLOUT)
		write_out(c);
	if (!c->broken && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		ssize_t n = recv(watch->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			c->broken = true;
		else if (n > 0 && ttrpc_feed(&c->decoder, buffer, (size_t)n, take_frame, c))
			c->broken = true;
	}
	if (c->broken)
		connection_close(c);
}

static void accept_ready(struct watch *watch, uint32_t events)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);
	int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	struct connection *c = calloc(1, sizeof(*c));
	if (!c || connection_count >= CONNECTIONS_MAX ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 || peer.uid != geteuid()) {
		shim_log("a connection is refused");
		close(fd);
		free(c);
		return;
	}
	LIST_INIT(&c->calls);
	c->watch.fd = fd;
	c->watch.ready = connection_ready;
	connection_count++;
	if (loop_add(&c->watch, EPOLLIN))
		connection_close(c);
}

int server_init(int listen_fd, server_method method)
{
	serve = method;
	listener.fd = listen_fd;
	listener.ready = accept_ready;
	return loop_add(&listener, EPOLLIN);
}
