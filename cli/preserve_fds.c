/*
 * Descriptors that are passed into a container: see preserve_fds.h.
 *
 * The sandbox carries what read(2) and write(2) do, at the host's own position in a file (vfs/tty/hostfd.c). What
 * needs other calls to be of use is refused by name: a listening socket would never be accepted from.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/preserve_fds.h"

#define FIRST_FD 3

/* A number of the environment; -1: it has none. */
static long environment(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long value = text ? strtol(text, &end, 10) : -1;

	return text && end != text && !*end ? value : -1;
}

/* Why a socket cannot be carried; NULL: it can. */
static const char *check_socket(int fd)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer), size = sizeof(int);
	int listening = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening)
		return "a listening socket: the sandbox cannot accept connections from it";
	if (getpeername(fd, (struct sockaddr *)&peer, &length) < 0)
		return "a socket without a peer: the sandbox can only read and write";
	return NULL;
}

/* Why a descriptor cannot be carried; NULL: it can. `room`: of text that may be made for it. */
static const char *check(int fd, char *text, size_t room)
{
	struct stat st;
	char link[32];
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fstat(fd, &st) < 0)
		return strerror(errno);
	if (flags & O_PATH)
		return "opened with O_PATH";
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
	case S_IFIFO:
	case S_IFCHR:
		return NULL;
	case S_IFSOCK:
		return check_socket(fd);
	case S_IFDIR:
		return "a directory";
	case S_IFBLK:
		return "a block device";
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, text, room - 1);
	text[n > 0 ? n : 0] = '\0';
	return n > 0 ? text : "of an unknown kind";
}

int preserve_fds_take(const char *text, bool activation, unsigned room, struct passed_fds *passed)
{
	char *end, kind[64];
	unsigned long given = strtoul(text, &end, 10);
	long listening = activation && environment("LISTEN_PID") == getpid() ? environment("LISTEN_FDS") : 0;

	*passed = (struct passed_fds){0};
	if (end == text || *end || text[0] == '-')
		return cli_error("--preserve-fds: %.100s: not a number", text);
	if (listening < 0)
		listening = 0;
	if (given > room || (unsigned long)listening > room - given)
		return cli_error("--preserve-fds: %lu and %ld of LISTEN_FDS: at most %u can be passed in", given, listening, room);
	passed->listening = (unsigned)listening;
	passed->count = (unsigned)(given + (unsigned long)listening);
	for (unsigned i = 0; i < passed->count; i++) {
		bool preserved = i >= passed->listening;
		const char *why = check(FIRST_FD + (int)i, kind, sizeof(kind));
		if (why && preserved)
			return cli_error("unable to pass preserved-fd %u (of %lu), descriptor %u: %s", i - passed->listening, given,
				FIRST_FD + i, why);
		if (why)
			return cli_error("LISTEN_FDS: descriptor %u: %s", FIRST_FD + i, why);
		fcntl(FIRST_FD + (int)i, F_SETFD, FD_CLOEXEC);
	}
	return 0;
}

void preserve_fds_tell(const struct passed_fds *passed, struct strings *env)
{
	char line[32];

	if (!passed->listening)
		return;
	snprintf(line, sizeof(line), "LISTEN_FDS=%u", passed->listening);
	strings_add(env, line);
	strings_add(env, "LISTEN_PID=1");
}

void preserve_fds_close(const struct passed_fds *passed)
{
	for (unsigned i = 0; i < passed->count; i++)
		close(FIRST_FD + (int)i);
}
