/*
 * Unix sockets that only hold each other, in messages that nobody can receive any more: they are closed, with all
 * that they carry. Each cycle carries the write end of a pipe: its other end tells when it has gone.
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "harness.h"

static int pipe_ends[2];

static void send_files(int s, int a, int b)
{
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {"x", 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes};
	struct cmsghdr *c = &control.align;
	int files[2] = {a, b};
	size_t count = b < 0 ? 1 : 2;

	msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
	*c = (struct cmsghdr){.cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(c), files, count * sizeof(int));
	CHECK(sendmsg(s, &msg, 0) == 1);
}

static void start(void)
{
	CHECK(pipe(pipe_ends) == 0);
}

/* Linux collects in the background. */
static int gone(int ms)
{
	struct pollfd p = {pipe_ends[0], POLLIN, 0};

	return poll(&p, 1, ms) == 1 && p.revents & POLLHUP;
}

static void expect_gone(void)
{
	close(pipe_ends[1]);
	CHECK(gone(5000));
	close(pipe_ends[0]);
}

static void itself(void)
{
	int s[2];

	start();
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	send_files(s[1], s[0], pipe_ends[1]);
	close(s[0]);
	close(s[1]);
	expect_gone();
}

static void each_other(int type)
{
	int a[2], b[2];

	start();
	CHECK(socketpair(AF_UNIX, type, 0, a) == 0 && socketpair(AF_UNIX, type, 0, b) == 0);
	send_files(a[0], b[1], pipe_ends[1]); /* a[1] holds b[1] */
	send_files(b[0], a[1], -1);           /* b[1] holds a[1] */
	close(a[0]);
	close(b[0]);
	close(a[1]);
	close(b[1]);
	expect_gone();
}

static void streams(void)
{
	each_other(SOCK_STREAM);
}

static void datagrams(void)
{
	each_other(SOCK_DGRAM);
}

/* As long as one of them is held from outside everything stays, and can be received. */
static void still_held(void)
{
	char byte, control[256];
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	int a[2], b[2], other[2], got[2];

	start();
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, a) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, b) == 0);
	send_files(a[0], b[1], pipe_ends[1]);
	send_files(b[0], a[1], -1);
	close(pipe_ends[1]);
	close(a[0]);
	close(b[0]);
	close(b[1]);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, other) == 0);
	close(other[0]);
	close(other[1]);
	CHECK(!gone(200));
	CHECK(recvmsg(a[1], &msg, 0) == 1 && !(msg.msg_flags & MSG_CTRUNC));
	memcpy(got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(got));
	CHECK(write(got[1], "y", 1) == 1 && read(pipe_ends[0], &byte, 1) == 1 && byte == 'y');
	close(got[1]);
	CHECK(gone(0));
	close(got[0]);
	close(a[1]);
	close(pipe_ends[0]);
}

/* A listener is sent over a connection that waits in its own queue to be accepted. */
static void listener(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int l = socket(AF_UNIX, SOCK_STREAM, 0), s = socket(AF_UNIX, SOCK_STREAM, 0);

	start();
	snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "cycles-%d", getpid());
	CHECK(bind(l, (void *)&name, sizeof(name)) == 0 && listen(l, 5) == 0);
	CHECK(connect(s, (void *)&name, sizeof(name)) == 0);
	send_files(s, l, pipe_ends[1]);
	close(l);
	close(s);
	expect_gone();
}

static void many(void)
{
	for (int i = 0; i < 300; i++) {
		int s[2];

		CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s) == 0);
		send_files(s[1], s[0], s[1]);
		close(s[0]);
		close(s[1]);
	}
	itself();
}

int main(void)
{
	harness_start();
	RUN(itself);
	RUN(streams);
	RUN(datagrams);
	RUN(still_held);
	RUN(listener);
	RUN(many);
	return CHECK_RESULT();
}
