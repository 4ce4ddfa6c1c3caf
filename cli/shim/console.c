/*
 * Terminals: see console.h.
 *
 * Two directions, each with one buffer: what is read is written before more is read. A
 * descriptor is watched only while it is waited for, so a reader that does not read stops
 * the terminal's programs, as a slow terminal does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "cli/shim/console.h"
#include "cli/shim/log.h"
#include "cli/shim/loop.h"

#define BUFFER 2048u

struct direction {
	struct console *console;
	struct watch from, to; /* -1: none, or closed */
	bool from_watched, to_watched;
	uint8_t data[BUFFER];
	size_t start, end;
};

/* One watch belongs to one direction; both master watches are descriptors of their own. */
struct console {
	struct watch listener;
	struct direction in, out;
	int master; /* -1 until the runtime has sent it */
	int held;
	bool ending;
	uint16_t columns, rows; /* wanted before the master was there; 0: not */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

static unsigned ending_count;

static void unwatch(struct watch *watch, bool *watched)
{
	if (*watched)
		loop_remove(watch);
	*watched = false;
}

static void watch_again(struct watch *watch, bool *watched, uint32_t events)
{
	if (!*watched && watch->fd >= 0)
		*watched = loop_add(watch, events) == 0;
}

static void direction_close(struct direction *d)
{
	unwatch(&d->from, &d->from_watched);
	unwatch(&d->to, &d->to_watched);
	if (d->from.fd >= 0)
		close(d->from.fd);
	if (d->to.fd >= 0)
		close(d->to.fd);
	d->from.fd = d->to.fd = -1;
}

static void close_listener(struct console *c)
{
	if (c->listener.fd < 0)
		return;
	loop_remove(&c->listener);
	close(c->listener.fd);
	c->listener.fd = -1;
	unlink(c->path);
}

static void console_free(struct console *c)
{
	close_listener(c);
	direction_close(&c->in);
	direction_close(&c->out);
	if (c->master >= 0)
		close(c->master);
	if (c->held >= 0)
		close(c->held);
	if (c->ending)
		ending_count--;
	free(c);
}

/* Writes what is in the buffer. False: the direction is at its end. */
static bool direction_write(struct direction *d)
{
	while (d->start < d->end) {
		ssize_t n = write(d->to.fd, d->data + d->start, d->end - d->start);
		if (n < 0 && errno == EAGAIN) {
			unwatch(&d->from, &d->from_watched);
			watch_again(&d->to, &d->to_watched, EPOLLOUT);
			return true;
		}
		if (n < 0 && errno != EINTR)
			return false;
		d->start += n > 0 ? (size_t)n : 0;
	}
	unwatch(&d->to, &d->to_watched);
	watch_again(&d->from, &d->from_watched, EPOLLIN);
	return true;
}

static bool direction_read(struct direction *d)
{
	ssize_t n = read(d->from.fd, d->data, sizeof(d->data));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false; /* EIO: the last program has closed the terminal */
	d->start = 0;
	d->end = (size_t)n;
	return d->to.fd < 0 || direction_write(d);
}

static void direction_go(struct direction *d, bool go_on)
{
	struct console *c = d->console;

	if (go_on)
		return;
	direction_close(d);
	if (d == &c->out && c->ending)
		console_free(c);
}

static void from_ready(struct watch *watch, uint32_t events)
{
	struct direction *d = (struct direction *)((char *)watch - offsetof(struct direction, from));

	direction_go(d, direction_read(d));
}

static void to_ready(struct watch *watch, uint32_t events)
{
	struct direction *d = (struct direction *)((char *)watch - offsetof(struct direction, to));

	direction_go(d, direction_write(d));
}

static int receive_fd(int socket)
{
	char data[4096];
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec part = {data, sizeof(data)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control)};
	int fd = -1;

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) < 0)
		return -1;
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
	    head->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	return fd;
}

static void start_copying(struct console *c)
{
	if (c->columns || c->rows)
		console_resize(c, c->columns, c->rows);
	fcntl(c->master, F_SETFL, O_NONBLOCK);
	if (c->in.from.fd >= 0) {
		c->in.to.fd = fcntl(c->master, F_DUPFD_CLOEXEC, 3);
		watch_again(&c->in.from, &c->in.from_watched, EPOLLIN);
	}
	c->out.from.fd = fcntl(c->master, F_DUPFD_CLOEXEC, 3);
	watch_again(&c->out.from, &c->out.from_watched, EPOLLIN);
}

static void listener_ready(struct watch *watch, uint32_t events)
{
	struct console *c = (struct console *)watch;
	int client = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC);

	if (client < 0)
		return;
	/* The runtime sends at once; but if it does not, it must not hold the shim up. */
	struct timeval limit = {1, 0};
	setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	c->master = receive_fd(client);
	close(client);
	if (c->master < 0) {
		shim_log("console socket: no terminal was sent");
		return;
	}
	close_listener(c);
	start_copying(c);
}

static void direction_init(struct console *c, struct direction *d)
{
	d->console = c;
	d->from.fd = d->to.fd = -1;
	d->from.ready = from_ready;
	d->to.ready = to_ready;
}

int console_open(struct console **out, const char *path, int input, int output)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct console *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	if (strlen(path) >= sizeof(address.sun_path)) {
		free(c);
		return -ENAMETOOLONG;
	}
	strcpy(address.sun_path, path);
	strcpy(c->path, path);
	c->master = c->held = -1;
	direction_init(c, &c->in);
	direction_init(c, &c->out);
	c->listener.ready = listener_ready;
	c->listener.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(path);
	mode_t mask = umask(0177);
	int error = c->listener.fd < 0 || bind(c->listener.fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(c->listener.fd, 1) < 0 ? -errno : loop_add(&c->listener, EPOLLIN);
	umask(mask);
	if (error) {
		if (c->listener.fd >= 0)
			close(c->listener.fd);
		free(c);
		return error;
	}
	c->in.from.fd = input;
	c->out.to.fd = output;
	if (input >= 0)
		fcntl(input, F_SETFL, O_NONBLOCK);
	if (output >= 0)
		fcntl(output, F_SETFL, O_NONBLOCK);
	*out = c;
	return 0;
}

const char *console_path(const struct console *console)
{
	return console->path;
}

int console_resize(struct console *c, uint16_t columns, uint16_t rows)
{
	struct winsize size = {.ws_col = columns, .ws_row = rows};

	if (c->master >= 0)
		return ioctl(c->master, TIOCSWINSZ, &size) < 0 ? -errno : 0;
	c->columns = columns;
	c->rows = rows;
	return 0;
}

void console_end(struct console *c, int held)
{
	c->held = held;
	c->ending = true;
	ending_count++;
	close_listener(c);
	direction_close(&c->in);
	if (c->master >= 0)
		close(c->master);
	c->master = -1;
	if (c->out.from.fd < 0)
		console_free(c);
}

unsigned console_count_ending(void)
{
	return ending_count;
}
