/* Reading and replacing an engine's configuration file: see engine_config.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/engine_config.h"
#include "cli/files.h"

#define FILE_MAX (1 << 20)

int engine_config_read(struct engine_config *config, const char *path)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	*config = (struct engine_config){.path = path, .text = calloc(1, FILE_MAX + 1)};
	if (!config->text)
		return cli_error("out of memory");
	if (fd < 0)
		return errno == ENOENT ? 0 : cli_error("%s: %s", path, strerror(errno));
	config->exists = true;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
		return cli_error("%s: not a regular file of at most %d bytes", path, FILE_MAX);
	ssize_t n = read(fd, config->text, FILE_MAX);
	if (n < 0)
		return cli_error("%s: %s", path, strerror(errno));
	return strlen(config->text) == (size_t)n ? 0 : cli_error("%s: a zero byte in the file", path);
}

/* The file beside it that becomes it, with the old one's rights: a descriptor, or -1. */
static int create_beside(const struct engine_config *config, const char *path)
{
	struct stat st = {.st_mode = 0644};

	if (config->exists && stat(config->path, &st) < 0)
		return -1;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && (fchmod(fd, st.st_mode & 0777) < 0 || (config->exists && fchown(fd, st.st_uid, st.st_gid) < 0))) {
		close(fd);
		return -1;
	}
	return fd;
}

int engine_config_write(const struct engine_config *config)
{
	char backup[4200], beside[4200];
	size_t length = strlen(config->wanted);

	if (snprintf(backup, sizeof(backup), "%s.before-ringfence", config->path) >= (int)sizeof(backup) ||
	    snprintf(beside, sizeof(beside), "%s.ringfence-%d", config->path, (int)getpid()) >= (int)sizeof(beside))
		return cli_error("%.100s...: too long", config->path);
	if (config->exists && file_copy(config->path, backup))
		return 1;
	AUTO_FD int fd = create_beside(config, beside);
	if (fd < 0 || write(fd, config->wanted, length) != (ssize_t)length || fsync(fd) < 0 || rename(beside, config->path) < 0) {
		int error = errno;
		unlink(beside);
		return cli_error("%s: %s", config->path, strerror(error));
	}
	return 0;
}
