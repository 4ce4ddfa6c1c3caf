/*
 * HOME from the container's own /etc/passwd: see home.h. The file is the container's to
 * write: it is opened beneath its root, without magic links, and read up to a bound.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "cli/cli.h"
#include "cli/home.h"

#define PASSWD_MAX (1 << 20)

static int open_passwd(int root)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	int fd = (int)syscall(SYS_openat2, root, "etc/passwd", &how, sizeof(how));
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* name:password:UID:gid:comment:HOME:shell */
static char *find_home(char *text, uint32_t uid)
{
	char *rest;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *field[6] = {line}, *end;
		unsigned n = 1;
		for (char *c = line; *c && n < 6; c++) {
			if (*c == ':') {
				*c = '\0';
				field[n++] = c + 1;
			}
		}
		if (n < 6 || strtoul(field[2], &end, 10) != uid || *end || end == field[2])
			continue;
		field[5][strcspn(field[5], ":")] = '\0';
		return field[5];
	}
	return NULL;
}

void home_add(struct container *container, int root)
{
	char line[4200];
	const char *home = NULL;

	for (size_t i = 0; i < container->env.count; i++) {
		if (strncmp(container->env.items[i], "HOME=", 5) == 0)
			return;
	}
	AUTO_FD int fd = open_passwd(root);
	AUTO_FREE char *text = fd < 0 ? NULL : malloc(PASSWD_MAX + 1);
	ssize_t n = text ? pread(fd, text, PASSWD_MAX, 0) : -1;
	if (n > 0) {
		text[n] = '\0';
		home = find_home(text, container->user.uid);
	}
	snprintf(line, sizeof(line), "HOME=%.4096s", home && home[0] ? home : "/");
	strings_add(&container->env, line);
}
