/* The console socket: see console.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

#include "cli/cli.h"
#include "cli/console.h"

static int send_master(const char *path, int master, const char *name)
{
	AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct iovec iov = {(void *)name, strlen(name)};
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} ancillary = {.head = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ancillary,
		.msg_controllen = sizeof(ancillary)};

	if (strlen(path) >= sizeof(address.sun_path))
		return cli_error("--console-socket: %s: %s", path, strerror(ENAMETOOLONG));
	strcpy(address.sun_path, path);
	memcpy(CMSG_DATA(&ancillary.head), &master, sizeof(int));
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
		return cli_error("--console-socket: %s: %s", path, strerror(errno));
	return 0;
}

int console_make(const char *path, int *slave)
{
	AUTO_FD int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios ios;
	char name[64];

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 || ptsname_r(master, name, sizeof(name)) != 0)
		return cli_error("pseudo-terminal: %s", strerror(errno));
	int fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || tcgetattr(fd, &ios) < 0)
		goto fail;
	cfmakeraw(&ios); /* the container's line discipline is in the sandbox */
	if (tcsetattr(fd, TCSANOW, &ios) < 0)
		goto fail;
	if (send_master(path, master, name)) {
		close(fd);
		return 1;
	}
	*slave = fd;
	return 0;
fail:
	cli_error("%s: %s", name, strerror(errno));
	if (fd >= 0)
		close(fd);
	return 1;
}
