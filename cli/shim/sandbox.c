/*
 * The control channel of a container's sandbox: see sandbox.h. Messages are believed only in their numbers, and in one
 * line for the log.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/shim/events.h"
#include "cli/shim/log.h"
#include "cli/shim/runtime.h"
#include "cli/shim/sandbox.h"

#define MESSAGES_MAX 64u /* in one turn */

/* Open at once: for more than 8 requests the VMM drops the connection, and one that was taken over answers none. */
#define QUESTIONS_MAX 6u
#define EVENTS 1u        /* the request's number; those for figures follow */

struct question {
	uint32_t request;
	struct call *call;
	void (*done)(struct call *call, const struct control_stats *stats);
	LIST_ENTRY(question) link;
};

struct sandbox {
	struct watch watch; /* first */
	struct container *container;
	uint32_t number;  /* the container's, in its sandbox */
	uint32_t request; /* the last one sent */
	bool failed;      /* it has said why, once */
	unsigned open;    /* questions */
	LIST_HEAD(, question) questions;
};

struct message {
	struct control_header head;
	union {
		struct control_event event;
		struct control_stats stats;
		char text[512];
	};
};

static void answer(struct sandbox *sandbox, struct question *question, const struct control_stats *stats)
{
	LIST_REMOVE(question, link);
	sandbox->open--;
	question->done(question->call, stats);
	free(question);
}

static void take_event(const struct sandbox *sandbox, const struct message *message, size_t length)
{
	Shim__TaskId event = SHIM__TASK_ID__INIT;

	if (length < sizeof(message->event) || message->event.kind != CONTROL_EVENT_OOM || message->event.container != sandbox->number)
		return;
	event.container_id = sandbox->container->id;
	events_publish("/tasks/oom", "containerd.events.TaskOOM", &event.base);
}

static void take_answer(struct sandbox *sandbox, const struct message *message, size_t length)
{
	struct question *question;

	LIST_FOREACH(question, &sandbox->questions, link) {
		if (question->request == message->head.request)
			break;
	}
	if (question)
		answer(sandbox, question, !message->head.error && length >= sizeof(message->stats) ? &message->stats : NULL);
}

/* Takes what has come, or as much as is taken in one turn: the shim has other work too. False: the sandbox has gone. */
static bool take_some(struct sandbox *sandbox)
{
	struct message message;

	for (unsigned i = 0; i < MESSAGES_MAX; i++) {
		ssize_t n = recv(sandbox->watch.fd, &message, sizeof(message), MSG_DONTWAIT);
		if (n <= 0)
			return n < 0 && (errno == EAGAIN || errno == EINTR);
		if (n < (ssize_t)sizeof(message.head))
			continue;
		size_t length = (size_t)n - sizeof(message.head);
		if (message.head.request != EVENTS)
			take_answer(sandbox, &message, length);
		else if (!message.head.error)
			take_event(sandbox, &message, length);
		else if (message.head.error == -EIO && !sandbox->failed) {
			sandbox->failed = true;
			shim_log("%s: its sandbox failed: %.*s", sandbox->container->id, (int)length, message.text);
		}
	}
	return true;
}

static void answer_nothing(struct sandbox *sandbox)
{
	struct question *question;

	while ((question = LIST_FIRST(&sandbox->questions)))
		answer(sandbox, question, NULL);
}

static void ready(struct watch *watch, uint32_t events)
{
	struct sandbox *sandbox = (struct sandbox *)watch;

	if (take_some(sandbox))
		return;
	loop_remove(watch); /* closed with the container */
	answer_nothing(sandbox);
}

/*
 * The control channel of the sandbox whose first container that is, by a descriptor of its directory, as the path may be
 * too long for an address. -1 and errno: it has none of its own.
 */
static int connect_to(const struct container *container)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char path[PATH_MAX + ID_MAX + 2];

	snprintf(path, sizeof(path), "%s/%s", runtime.root, container->id);
	AUTO_FD int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = directory < 0 ? -1 : socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/control.sock", directory);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool ask(struct sandbox *sandbox, uint32_t op)
{
	struct control_header request = {.op = op, .request = ++sandbox->request, .container = sandbox->number};

	return send(sandbox->watch.fd, &request, sizeof(request), MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(request);
}

void sandbox_watch(struct container *container)
{
	struct sandbox *sandbox = calloc(1, sizeof(*sandbox));

	if (!sandbox)
		return;
	sandbox->container = container;
	sandbox->watch.ready = ready;
	sandbox->watch.fd = connect_to(container);
	LIST_INIT(&sandbox->questions);
	if (sandbox->watch.fd < 0) { /* in the sandbox of the pod's first one */
		sandbox->watch.fd = connect_to(container_oldest());
		sandbox->number = container->init.pid;
	}
	if (sandbox->watch.fd < 0 || !ask(sandbox, CONTROL_EVENTS) || loop_add(&sandbox->watch, EPOLLIN)) {
		shim_log("%s: neither events nor figures of its sandbox: %s", container->id, strerror(errno));
		if (sandbox->watch.fd >= 0)
			close(sandbox->watch.fd);
		free(sandbox);
		return;
	}
	container->sandbox = sandbox;
}

void sandbox_forget(struct container *container)
{
	struct sandbox *sandbox = container->sandbox;

	if (!sandbox)
		return;
	container->sandbox = NULL;
	take_some(sandbox);
	answer_nothing(sandbox);
	loop_remove(&sandbox->watch);
	close(sandbox->watch.fd);
	free(sandbox);
}

bool sandbox_ask_stats(struct container *container, struct call *call,
	void (*done)(struct call *call, const struct control_stats *stats))
{
	struct sandbox *sandbox = container->sandbox;
	struct question *question = sandbox && sandbox->open < QUESTIONS_MAX ? malloc(sizeof(*question)) : NULL;

	if (!question || !ask(sandbox, CONTROL_STATS)) {
		free(question);
		return false;
	}
	*question = (struct question){.request = sandbox->request, .call = call, .done = done};
	LIST_INSERT_HEAD(&sandbox->questions, question, link);
	sandbox->open++;
	return true;
}
