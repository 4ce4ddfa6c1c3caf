/* The shim's log: see log.h. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/shim/log.h"

static int fd = -1;

void shim_log_open(const char *path)
{
	/* Both ends, so that a containerd that has gone is no SIGPIPE; what is not read is dropped. */
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

void shim_log(const char *format, ...)
{
	char line[1024];
	va_list args;
	int n = snprintf(line, sizeof(line), "containerd-shim-ringfence-v1: ");

	va_start(args, format);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n - 1, format, args);
	va_end(args);
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	if (fd >= 0)
		(void)!write(fd, line, (size_t)n);
}
