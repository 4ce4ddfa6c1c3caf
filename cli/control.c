/* Orders to a running sandbox: see control.h. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/control.h"
#include "cli/fate.h"

/* What the command works on. */
static uint32_t about; /* the container's number */
static pid_t witness_pid; /* of the sandbox, if it is the container's own */
static int witness = -1;

int control_open(const struct state *state)
{
	if (witness >= 0)
		close(witness);
	witness_pid = state->pid;
	witness = state->sandbox ? -1 : (int)syscall(SYS_pidfd_open, state->pid, 0);
	about = state->container;
	int fd = state_connect(state, CONTROL_PATIENCE_MS);

	if (fd < 0 && (errno == ECONNREFUSED || errno == ENOENT))
		cli_error("container not running: %s", state->id);
	else if (fd < 0)
		cli_error("control channel of %s: %s", state->id, errno == EAGAIN ? "the sandbox does not answer" : strerror(errno));
	return fd;
}

int control_put(int fd, uint32_t number, const struct control_request *request)
{
	struct control_header head = {.op = request->op, .request = number, .container = request->container ? request->container : about,
		.flags = request->flags, .len = (uint32_t)request->length};
	struct iovec iov[2] = {{&head, sizeof(head)}, {(void *)request->payload, request->length}};
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int) * CONTROL_FDS)];
	} ancillary;
	struct msghdr message = {.msg_iov = iov, .msg_iovlen = 2};

	if (request->length > CONTROL_MAX - sizeof(head) || request->fd_count > CONTROL_FDS)
		return -E2BIG;
	if (request->fd_count) {
		size_t bytes = sizeof(int) * request->fd_count;
		memset(&ancillary, 0, sizeof(ancillary));
		message.msg_control = &ancillary;
		message.msg_controllen = CMSG_SPACE(bytes);
		ancillary.head = (struct cmsghdr){CMSG_LEN(bytes), SOL_SOCKET, SCM_RIGHTS};
		memcpy(CMSG_DATA(&ancillary.head), request->fds, bytes);
	}
	while (sendmsg(fd, &message, MSG_NOSIGNAL) < 0) {
		if (errno != EINTR)
			return errno == ECONNRESET ? -EPIPE : errno == EAGAIN ? -ETIMEDOUT : -errno;
	}
	return 0;
}

static int wait_readable(int fd, int timeout_ms)
{
	long long end = cli_now_ms() + timeout_ms;
	struct pollfd ready = {fd, POLLIN, 0};

	for (;;) {
		long long left = end - cli_now_ms();
		int n = poll(&ready, 1, timeout_ms < 0 ? -1 : left > 0 ? (int)left : 0);
		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

int control_get(int fd, int timeout_ms, struct control_reply *reply)
{
	struct control_header head;
	char *bytes = malloc(CONTROL_MAX + 1);
	ssize_t n = 0;
	int error = wait_readable(fd, timeout_ms);

	*reply = (struct control_reply){0};
	if (!bytes)
		exit(cli_error("out of memory"));
	if (!error) {
		do
			n = recv(fd, bytes, CONTROL_MAX, 0);
		while (n < 0 && errno == EINTR);
	}
	if (!error && n < (ssize_t)sizeof(head))
		error = n < 0 && errno != ECONNRESET ? -errno : -EPIPE;
	if (!error) {
		memcpy(&head, bytes, sizeof(head));
		if (head.len != (size_t)n - sizeof(head))
			error = -EPROTO;
	}
	if (error) {
		free(bytes);
		return error;
	}
	memmove(bytes, bytes + sizeof(head), head.len);
	bytes[head.len] = '\0';
	*reply = (struct control_reply){head.request, head.error, head.flags & CONTROL_MORE, head.len, bytes};
	return 0;
}

int control_ask(int fd, const struct control_request *request, int timeout_ms, struct control_reply *reply)
{
	*reply = (struct control_reply){0};
	int error = control_put(fd, 1, request);

	if (!error)
		error = control_get(fd, timeout_ms, reply);
	return error ? error : reply->error;
}

void control_reply_free(struct control_reply *reply)
{
	free(reply->payload);
	reply->payload = NULL;
}

static const char *ended_reason(void)
{
	static char text[80];
	int status;

	if (!fate_learn(witness, witness_pid, &status) || !WIFSIGNALED(status))
		return "the sandbox has ended";
	snprintf(text, sizeof(text), "the sandbox's process was killed by signal %d", WTERMSIG(status));
	return text;
}

const char *control_reason(int error, const struct control_reply *reply)
{
	if (reply->payload && reply->error && reply->payload[0])
		return reply->payload;
	switch (error) {
	case -EPIPE:
		return ended_reason();
	case -ETIMEDOUT:
		return "the sandbox does not answer";
	case -ENOSYS:
		return "not supported by this sandbox";
	case -E2BIG:
		return "too large";
	default:
		return strerror(-error);
	}
}

void control_read_stats(const struct control_reply *reply, struct control_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	memcpy(stats, reply->payload, reply->length < sizeof(*stats) ? reply->length : sizeof(*stats));
}

int control_order(const struct state *state, const struct control_request *request, int timeout_ms, const char *what,
	struct control_reply *reply)
{
	*reply = (struct control_reply){0};
	AUTO_FD int fd = control_open(state);

	if (fd < 0)
		return 1;
	int error = control_ask(fd, request, timeout_ms, reply);
	if (!error)
		return 0;
	cli_error("%s: %s", what, control_reason(error, reply));
	control_reply_free(reply);
	return 1;
}
