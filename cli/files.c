/* Small work on files: see files.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/files.h"

/* Until `room` bytes or the end of the file: how many, or -1. */
static ssize_t read_all(int fd, char *text, size_t room)
{
	size_t length = 0;

	while (length < room) {
		ssize_t n = read(fd, text + length, room - length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		length += (size_t)n;
	}
	return (ssize_t)length;
}

char *file_read(const char *path, size_t max, const char **why)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	AUTO_FREE char *text = NULL;
	struct stat st;
	char *whole;

	*why = NULL;
	if (fd < 0 || fstat(fd, &st) < 0)
		return *why = strerror(errno), NULL;
	errno = 0;
	if (!S_ISREG(st.st_mode))
		return *why = "not a regular file", NULL;
	if (st.st_size < 0 || (size_t)st.st_size > max)
		return *why = "too large", NULL;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return *why = "out of memory", NULL;
	ssize_t n = read_all(fd, text, (size_t)st.st_size);
	if (n < 0)
		return *why = strerror(errno), NULL;
	text[n] = '\0';
	if (strlen(text) != (size_t)n)
		return *why = "a zero byte in the file", NULL;
	whole = text;
	text = NULL;
	return whole;
}

int file_copy(const char *from, const char *to)
{
	AUTO_FD int in = open(from, O_RDONLY | O_CLOEXEC);
	AUTO_FD int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	ssize_t n = 0;

	if (in < 0)
		return cli_error("%s: %s", from, strerror(errno));
	while (out >= 0 && (n = sendfile(out, in, NULL, 1 << 20)) > 0)
		;
	return out < 0 || n < 0 ? cli_error("%s: %s", to, strerror(errno)) : 0;
}

int file_write_pid(const char *path, pid_t pid)
{
	char temporary[4096], text[16];
	int length = snprintf(text, sizeof(text), "%d", (int)pid);

	if (snprintf(temporary, sizeof(temporary), "%s.%d", path, (int)getpid()) >= (int)sizeof(temporary))
		return cli_error("--pid-file: too long");
	AUTO_FD int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0 || write(fd, text, (size_t)length) != length || rename(temporary, path) < 0) {
		int error = errno;
		if (fd >= 0)
			unlink(temporary);
		return cli_error("--pid-file: %s: %s", path, strerror(error));
	}
	return 0;
}
