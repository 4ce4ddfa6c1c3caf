/*
 * A fresh directory to work in, as the current directory, removed at the end.
 */
#ifndef PROGRAMS_WORKDIR_H
#define PROGRAMS_WORKDIR_H

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "harness.h"

static char workdir_path[64];

static int workdir_remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	return remove(path);
}

static inline void workdir_leave(void)
{
	if (chdir("/") == 0)
		nftw(workdir_path, workdir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int workdir_enter(void)
{
	umask(022);
	snprintf(workdir_path, sizeof(workdir_path), "/tmp/test-XXXXXX");
	return mkdtemp(workdir_path) && chmod(workdir_path, 0755) == 0 ? chdir(workdir_path) : -1;
}

/* A file with this text. */
static inline int put(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0)
		return -1;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
		close(fd);
		return -1;
	}
	return close(fd);
}

/* Whether the file's content is this text. */
static inline int holds(const char *name, const char *text)
{
	char buf[256];
	int fd = open(name, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)strlen(text) && !memcmp(buf, text, (size_t)n);
}

#endif
