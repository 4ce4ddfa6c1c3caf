/* Standard streams: see stdio.h. The terminal's half is in console.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/shim/console.h"
#include "cli/shim/stdio.h"

struct stdio {
	int held[3];             /* the far ends; -1: none */
	struct console *console; /* NULL without a terminal */
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void stdio_close_fds(int fds[3])
{
	for (int i = 0; i < 3; i++)
		close_fd(&fds[i]);
}

/* Opens a FIFO's two ends, neither waiting for the client; `fd` is the process's, in blocking mode. */
static int open_fifo(const char *path, bool input, int *fd, int *held)
{
	int mine = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int writer = mine < 0 ? -1 : open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	if (writer < 0) {
		int error = -errno;
		close_fd(&mine);
		return error;
	}
	*fd = input ? mine : writer;
	*held = input ? writer : mine;
	if (fcntl(*fd, F_SETFL, 0) < 0)
		return -errno;
	return 0;
}

/* One stream; "" is nothing: -1. */
static int open_stream(const char *path, bool input, int *fd, int *held)
{
	struct stat st;

	if (!*path)
		return 0;
	if (strncmp(path, "fifo://", 7) == 0)
		path += 7;
	if (strncmp(path, "file://", 7) == 0) {
		path += 7;
		*fd = open(path, input ? O_RDONLY | O_CLOEXEC : O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		return *fd < 0 ? -errno : 0;
	}
	if (strstr(path, "://"))
		return -EPROTONOSUPPORT;
	if (stat(path, &st) < 0)
		return -errno;
	if (S_ISFIFO(st.st_mode))
		return open_fifo(path, input, fd, held);
	*fd = open(path, input ? O_RDONLY | O_CLOEXEC : O_WRONLY | O_APPEND | O_CLOEXEC);
	return *fd < 0 ? -errno : 0;
}

int stdio_open(struct stdio **out, const char *const paths[3], bool terminal, const char *console_path, int fds[3],
	char why[256])
{
	struct stdio *s = calloc(1, sizeof(*s));
	int error = s ? 0 : -ENOMEM;

	*out = NULL;
	why[0] = '\0';
	for (int i = 0; i < 3; i++) {
		fds[i] = -1;
		if (s)
			s->held[i] = -1;
	}
	for (int i = 0; i < (terminal ? 2 : 3) && !error; i++) {
		error = open_stream(paths[i], i == 0, &fds[i], &s->held[i]);
		if (error)
			snprintf(why, 256, "%s: %s", paths[i], strerror(-error));
	}
	if (!error && terminal) {
		error = console_open(&s->console, console_path, fds[0], fds[1]);
		if (error)
			snprintf(why, 256, "console socket: %s: %s", console_path, strerror(-error));
		else
			fds[0] = fds[1] = -1; /* the console's now */
	}
	if (error) {
		stdio_close_fds(fds);
		if (s)
			stdio_close_fds(s->held);
		free(s);
		return error;
	}
	*out = s;
	return 0;
}

const char *stdio_console(const struct stdio *stdio)
{
	return stdio->console ? console_path(stdio->console) : NULL;
}

void stdio_close_stdin(struct stdio *stdio)
{
	close_fd(&stdio->held[0]);
}

int stdio_resize(struct stdio *stdio, uint16_t columns, uint16_t rows)
{
	return stdio->console ? console_resize(stdio->console, columns, rows) : -ENOTTY;
}

void stdio_end(struct stdio *stdio)
{
	if (!stdio)
		return;
	if (stdio->console)
		console_end(stdio->console, stdio->held[1]);
	else
		close_fd(&stdio->held[1]);
	close_fd(&stdio->held[0]);
	close_fd(&stdio->held[2]);
	free(stdio);
}

bool stdio_pending(void)
{
	return console_count_ending() > 0;
}
