/* Small work on files: see files.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/files.h"

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
