/* The shim's log: see log.h. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/shim/log.h"

static int fd = -1;

void shim_log_open(const char *path)
{
	/* Both ends, so that a containerd that has gone is no SIGPIPE; what is not read is dropped. */
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

void shim_log(const char *format, ...)
{
	char text[1024], line[sizeof(text) + 64] = "containerd-shim-ringfence-v1: ";
	size_t n = strlen(line);
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	cli_printable(line + n, sizeof(line) - n - 1, text);
	n = strlen(line);
	line[n++] = '\n';
	if (fd >= 0)
		(void)!write(fd, line, n);
}
