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
	const char *why;

	*config = (struct engine_config){.path = path, .text = file_read(path, FILE_MAX, &why)};
	config->exists = config->text != NULL;
	if (config->exists)
		return 0;
	if (errno != ENOENT)
		return cli_error("%s: %s", path, why);
	config->text = strdup("");
	return config->text ? 0 : cli_error("out of memory");
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
