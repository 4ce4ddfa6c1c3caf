/* Events of a sandbox about memory: see oom.h. Messages are believed only in their head's numbers. */
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
#include "cli/shim/oom.h"
#include "cli/shim/runtime.h"
#include "platform/abi/control.h"

#define MESSAGES_MAX 64u /* in one turn */

struct oom {
	struct watch watch; /* first */
	struct container *container;
	uint32_t number; /* the container's, in its sandbox */
};

/* Takes what has come, or as much as is taken in one turn: the shim has other work too. False: the sandbox has gone. */
static bool take_some(struct oom *oom)
{
	struct {
		struct control_header head;
		struct control_event event;
	} message;
	Shim__TaskId event = SHIM__TASK_ID__INIT;

	for (unsigned i = 0; i < MESSAGES_MAX; i++) {
		ssize_t n = recv(oom->watch.fd, &message, sizeof(message), MSG_DONTWAIT);
		if (n <= 0)
			return n < 0 && (errno == EAGAIN || errno == EINTR);
		if (n < (ssize_t)sizeof(message) || message.head.error || message.event.kind != CONTROL_EVENT_OOM ||
		    message.event.container != oom->number)
			continue;
		event.container_id = oom->container->id;
		events_publish("/tasks/oom", "containerd.events.TaskOOM", &event.base);
	}
	return true;
}

static void ready(struct watch *watch, uint32_t events)
{
	struct oom *oom = (struct oom *)watch;

	if (!take_some(oom))
		loop_remove(watch); /* closed with the container */
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

void oom_watch(struct container *container)
{
	struct control_header request = {.op = CONTROL_EVENTS, .request = 1};
	struct oom *oom = calloc(1, sizeof(*oom));

	if (!oom)
		return;
	oom->container = container;
	oom->watch.ready = ready;
	oom->watch.fd = connect_to(container);
	if (oom->watch.fd < 0) { /* in the sandbox of the pod's first one */
		oom->watch.fd = connect_to(container_oldest());
		oom->number = request.container = container->init.pid;
	}
	if (oom->watch.fd < 0 || send(oom->watch.fd, &request, sizeof(request), MSG_NOSIGNAL) != (ssize_t)sizeof(request) ||
	    loop_add(&oom->watch, EPOLLIN)) {
		shim_log("%s: no events of its sandbox: %s", container->id, strerror(errno));
		if (oom->watch.fd >= 0)
			close(oom->watch.fd);
		free(oom);
		return;
	}
	container->oom = oom;
}

void oom_forget(struct container *container)
{
	struct oom *oom = container->oom;

	if (!oom)
		return;
	container->oom = NULL;
	take_some(oom);
	loop_remove(&oom->watch);
	close(oom->watch.fd);
	free(oom);
}
