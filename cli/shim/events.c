/* Events to containerd: see events.h. One event is under way at a time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/shim/events.h"
#include "cli/shim/log.h"
#include "cli/shim/loop.h"
#include "cli/shim/ttrpc.h"

#define QUEUE_MAX 1024u
#define RETRY_MS 500u
#define DRAIN_MS 2000u
#define TIMEOUT_NS 5000000000ll

struct event {
	STAILQ_ENTRY(event) link;
	uint8_t *frame; /* head, filled in when sent, and body */
	size_t length;
};

static STAILQ_HEAD(, event) queue = STAILQ_HEAD_INITIALIZER(queue);
static unsigned queued;
static const char *name_space;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static struct watch connection = {.fd = -1}, retry = {.fd = -1}, drained = {.fd = -1};
static struct ttrpc_decoder decoder;
static uint32_t next_stream;
static bool under_way, acknowledged;
static size_t sent;
static void (*then)(void);

static void send_next(void);

static void disconnect(void)
{
	if (connection.fd < 0)
		return;
	loop_remove(&connection);
	close(connection.fd);
	connection.fd = -1;
	ttrpc_free(&decoder);
	under_way = false;
	if (!STAILQ_EMPTY(&queue))
		loop_timer_set(&retry, RETRY_MS);
}

static bool take_frame(void *arg, const struct ttrpc_frame *frame)
{
	if (frame->type == TTRPC_RESPONSE && frame->stream == next_stream - 2)
		acknowledged = true; /* or refused: no use in sending it again */
	return true;
}

static void drop(struct event *event)
{
	STAILQ_REMOVE(&queue, event, event, link);
	free(event->frame);
	free(event);
	queued--;
	if (STAILQ_EMPTY(&queue) && then)
		then();
}

static void write_more(void)
{
	struct event *event = STAILQ_FIRST(&queue);

	while (sent < event->length) {
		ssize_t n = send(connection.fd, event->frame + sent, event->length - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				disconnect();
			else
				loop_change(&connection, EPOLLIN | EPOLLOUT);
			return;
		}
		sent += (size_t)n;
	}
	loop_change(&connection, EPOLLIN);
}

static void connection_ready(struct watch *watch, uint32_t events)
{
	uint8_t buffer[1024];

	if (events & EPOLLOUT && under_way)
		write_more();
	if (connection.fd < 0 || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	ssize_t n = recv(connection.fd, buffer, sizeof(buffer), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || ttrpc_feed(&decoder, buffer, (size_t)n, take_frame, NULL)) {
		disconnect();
		return;
	}
	if (acknowledged && under_way) {
		acknowledged = under_way = false;
		drop(STAILQ_FIRST(&queue));
		send_next();
	}
}

static int connect_now(void)
{
	connection.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	connection.ready = connection_ready;
	next_stream = 1;
	if (connection.fd >= 0 && connect(connection.fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    loop_add(&connection, EPOLLIN) == 0)
		return 0;
	if (connection.fd >= 0)
		close(connection.fd);
	connection.fd = -1;
	loop_timer_set(&retry, RETRY_MS);
	return -1;
}

static void send_next(void)
{
	struct event *event = STAILQ_FIRST(&queue);

	if (!event || under_way || (connection.fd < 0 && connect_now()))
		return;
	ttrpc_put_head(event->frame, (uint32_t)(event->length - TTRPC_HEAD), next_stream, TTRPC_REQUEST);
	next_stream += 2;
	sent = 0;
	under_way = true;
	acknowledged = false;
	write_more();
}

static void retry_ready(struct watch *watch, uint32_t events)
{
	loop_timer_done(watch);
	send_next();
}

static void drained_ready(struct watch *watch, uint32_t events)
{
	loop_timer_done(watch);
	then();
}

int events_init(const char *space, const char *path)
{
	name_space = space;
	if (path && strncmp(path, "unix://", 7) == 0)
		path += 7;
	if (path && strlen(path) < sizeof(address.sun_path))
		strcpy(address.sun_path, path);
	else
		shim_log("TTRPC_ADDRESS: %s: events will not be sent", path ? "too long" : "not set");
	int error = loop_timer_init(&retry, retry_ready);
	return error ? error : loop_timer_init(&drained, drained_ready);
}

void events_publish(const char *topic, const char *type, const ProtobufCMessage *message)
{
	Shim__Timestamp now;
	Shim__Any any = SHIM__ANY__INIT;
	Shim__Envelope envelope = SHIM__ENVELOPE__INIT;
	Shim__ForwardRequest forward = SHIM__FORWARD_REQUEST__INIT;
	Shim__Request request = SHIM__REQUEST__INIT;
	struct timespec clock;
	struct event *event = calloc(1, sizeof(*event));

	if (!address.sun_path[0] || !event) {
		free(event);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &clock);
	now = wire_timestamp(&clock);
	any.type_url = (char *)type;
	any.value.len = wire_pack(message, 0, &any.value.data);
	envelope.timestamp = &now;
	envelope.namespace_ = (char *)name_space;
	envelope.topic = (char *)topic;
	envelope.event = &any;
	forward.envelope = &envelope;
	request.service = "containerd.services.events.ttrpc.v1.Events";
	request.method = "Forward";
	request.timeout_nano = TIMEOUT_NS;
	request.payload.len = wire_pack(&forward.base, 0, &request.payload.data);
	event->length = wire_pack(&request.base, TTRPC_HEAD, &event->frame);
	free(any.value.data);
	free(request.payload.data);
	if (event->length == 0) {
		free(event);
		return;
	}
	if (queued >= QUEUE_MAX) {
		shim_log("containerd does not take events: the oldest is dropped");
		drop(under_way ? STAILQ_NEXT(STAILQ_FIRST(&queue), link) : STAILQ_FIRST(&queue));
	}
	STAILQ_INSERT_TAIL(&queue, event, link);
	queued++;
	send_next();
}

void events_drain(void (*when_done)(void))
{
	then = when_done;
	if (STAILQ_EMPTY(&queue))
		then();
	else
		loop_timer_set(&drained, DRAIN_MS);
}
