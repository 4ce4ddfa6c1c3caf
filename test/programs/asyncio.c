/*
 * O_ASYNC (fcntl(2)): who owns a socket, a pipe, a terminal or an inotify descriptor hears by SIGIO, or by the signal of F_SETSIG with
 * descriptor and reason, that there is something to read or room to write. Compared with Linux line by line.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "harness.h"

static volatile sig_atomic_t plain, code, told, queued;
static volatile long band;

static void on_io(int signo, siginfo_t *info, void *context)
{
	(void)context;
	if (signo == SIGIO) {
		plain++;
		return;
	}
	queued++;
	code = info->si_code;
	band = info->si_band;
	told = info->si_fd;
}

static void own(int fd, int signo)
{
	CHECK(fcntl(fd, F_SETOWN, getpid()) == 0 && fcntl(fd, F_SETSIG, signo) == 0);
	CHECK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC) == 0 && fcntl(fd, F_GETFL) & O_ASYNC);
}

/* What came since the last time. */
static void say(const char *what, int fd)
{
	usleep(20000);
	printf("%s: plain %s, queued %s", what, plain ? "yes" : "no", queued ? "yes" : "no");
	if (queued)
		printf(", code %d, band %lx, its descriptor %s", (int)code, band, told == fd ? "yes" : "no");
	puts("");
	plain = queued = code = told = 0;
}

static void on_pair(const char *name, int a, int b)
{
	char bytes[8];

	own(a, 0);
	say(name, a);
	CHECK(write(b, "x", 1) == 1);
	say("  one byte", a);
	CHECK(fcntl(a, F_SETSIG, SIGRTMIN) == 0 && write(b, "x", 1) == 1);
	say("  another, F_SETSIG", a);
	for (int left = 2; left > 0; left -= (int)read(a, bytes, sizeof(bytes)))
		;
	say("  read", a);
	CHECK(fcntl(a, F_SETFL, fcntl(a, F_GETFL) & ~O_ASYNC) == 0 && write(b, "x", 1) == 1);
	say("  off", a);
	CHECK(ioctl(a, FIOASYNC, &(int){1}) == 0 && fcntl(a, F_GETFL) & O_ASYNC && write(b, "x", 1) == 1);
	say("  FIOASYNC", a);
	close(b);
	say("  the other end goes", a);
	close(a);
}

static void room(int to, int from)
{
	static char bytes[65536];

	own(to, SIGRTMIN);
	fcntl(to, F_SETFL, fcntl(to, F_GETFL) | O_NONBLOCK);
	while (write(to, bytes, sizeof(bytes)) > 0)
		;
	say("  full", to);
	fcntl(from, F_SETFL, O_NONBLOCK);
	while (read(from, bytes, sizeof(bytes)) > 0)
		;
	say("  emptied", to);
	close(to);
	close(from);
}

static void on_listener(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), server;
	socklen_t length = sizeof(at);

	CHECK(bind(listener, (void *)&at, length) == 0 && listen(listener, 1) == 0);
	CHECK(getsockname(listener, (void *)&at, &length) == 0);
	own(listener, SIGRTMIN);
	CHECK(connect(client, (void *)&at, length) == 0);
	say("a connection comes", listener);
	server = accept(listener, NULL, NULL);
	close(listener);
	on_pair("TCP", server, client);
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = on_io, .sa_flags = SA_SIGINFO | SA_RESTART};
	int fds[2], fd;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGIO, &action, NULL);
	sigaction(SIGRTMIN, &action, NULL);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	on_pair("unix stream", fds[0], fds[1]);
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0);
	on_pair("unix datagrams", fds[0], fds[1]);
	CHECK(pipe(fds) == 0);
	on_pair("pipe", fds[0], fds[1]);
	on_listener();
	puts("room in a pipe");
	CHECK(pipe(fds) == 0);
	room(fds[1], fds[0]);
	puts("room in a stream");
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	room(fds[1], fds[0]);

	fd = inotify_init();
	CHECK(inotify_add_watch(fd, "/tmp", IN_CREATE) > 0);
	own(fd, SIGRTMIN);
	close(open("/tmp/asyncio", O_CREAT | O_RDWR, 0600));
	unlink("/tmp/asyncio");
	say("inotify", fd);
	close(fd);

	fd = eventfd(0, 0);
	CHECK_ERRNO(ioctl(fd, FIOASYNC, &(int){1}), ENOTTY);
	CHECK(ioctl(fd, FIOASYNC, &(int){0}) == 0);
	CHECK(fcntl(fd, F_SETFL, O_ASYNC) == 0 && !(fcntl(fd, F_GETFL) & O_ASYNC));
	return CHECK_RESULT();
}
