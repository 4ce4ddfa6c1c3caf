/*
 * Unix sockets: pairs, streams, datagrams, sequenced packets, names, descriptors and credentials in messages.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include "harness.h"

static void pairs(void)
{
	int s[2];
	char buf[64];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	CHECK(write(s[0], "hello ", 6) == 6 && write(s[0], "world", 5) == 5);
	int there;
	CHECK(ioctl(s[1], FIONREAD, &there) == 0 && there == 11);
	CHECK(recv(s[1], buf, 3, MSG_PEEK) == 3 && !memcmp(buf, "hel", 3));
	CHECK(read(s[1], buf, sizeof(buf)) == 11 && !memcmp(buf, "hello world", 11));
	CHECK_ERRNO(recv(s[1], buf, 1, MSG_DONTWAIT), EAGAIN);
	CHECK(shutdown(s[0], SHUT_WR) == 0);
	CHECK(read(s[1], buf, 1) == 0);
	CHECK(write(s[1], "back", 4) == 4 && read(s[0], buf, 4) == 4);
	struct pollfd p = {s[1], POLLIN | POLLRDHUP, 0};
	CHECK(poll(&p, 1, 0) == 1 && p.revents == (POLLIN | POLLRDHUP));
	close(s[0]);
	CHECK(poll(&p, 1, 0) == 1 && p.revents & POLLHUP);
	CHECK_ERRNO(send(s[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	close(s[1]);
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0);
	CHECK(write(s[0], "one", 3) == 3 && write(s[0], "twotwo", 6) == 6 && write(s[0], "", 0) == 0);
	CHECK(read(s[1], buf, sizeof(buf)) == 3);
	CHECK(recv(s[1], buf, 2, MSG_TRUNC) == 6);
	CHECK(recv(s[1], buf, 2, MSG_DONTWAIT) == 0);
	close(s[0]);
	close(s[1]);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s) == 0);
	CHECK(write(s[0], "abc", 3) == 3 && write(s[0], "def", 3) == 3);
	CHECK(read(s[1], buf, 2) == 2 && read(s[1], buf, sizeof(buf)) == 3 && !memcmp(buf, "def", 3));
	close(s[0]);
	CHECK(read(s[1], buf, 1) == 0);
	close(s[1]);
	CHECK_ERRNO(socketpair(AF_UNIX, SOCK_STREAM, 77, s), EPROTONOSUPPORT);
	CHECK_ERRNO(socket(AF_UNIX, 99, 0), EINVAL);
	CHECK_ERRNO(bind(0, NULL, 0), ENOTSOCK);
}

static socklen_t make_address(struct sockaddr_un *a, const char *name, int abstract)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	strcpy(a->sun_path + abstract, name);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + 1);
}

static void serve(const char *name, int abstract)
{
	struct sockaddr_un a, peer;
	socklen_t len = make_address(&a, name, abstract), peer_len = sizeof(peer);
	int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), status;
	struct ucred cred;
	char buf[8];

	CHECK(bind(server, (struct sockaddr *)&a, len) == 0);
	int other = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_ERRNO(bind(other, (struct sockaddr *)&a, len), EADDRINUSE);
	CHECK_ERRNO(connect(other, (struct sockaddr *)&a, len), ECONNREFUSED);
	CHECK(listen(server, 5) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (connect(other, (struct sockaddr *)&a, len) || write(other, "ping", 4) != 4 || read(other, buf, 4) != 4)
			_exit(1);
		_exit(memcmp(buf, "pong", 4) != 0);
	}
	close(other);
	int child = accept4(server, (struct sockaddr *)&peer, &peer_len, SOCK_CLOEXEC);
	CHECK(child >= 0 && peer_len == 2);
	CHECK(read(child, buf, 4) == 4 && write(child, "pong", 4) == 4);
	socklen_t cred_len = sizeof(cred);
	CHECK(getsockopt(child, SOL_SOCKET, SO_PEERCRED, &cred, &cred_len) == 0 && cred.pid == pid && cred.uid == getuid());
	peer_len = sizeof(peer);
	CHECK(getsockname(child, (struct sockaddr *)&peer, &peer_len) == 0 && peer_len == len &&
	      !memcmp(peer.sun_path, a.sun_path, 8));
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(read(child, buf, 1) == 0);
	CHECK_ERRNO(accept4(server, NULL, NULL, 0x12345), EINVAL);
	fcntl(server, F_SETFL, O_NONBLOCK);
	CHECK_ERRNO(accept(server, NULL, NULL), EAGAIN);
	close(child);
	close(server);
	other = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_ERRNO(connect(other, (struct sockaddr *)&a, len), ECONNREFUSED);
	close(other);
}

static void names(void)
{
	char dir[] = "/tmp/socket-XXXXXX", name[64];
	struct stat st;

	CHECK(mkdtemp(dir) != NULL);
	snprintf(name, sizeof(name), "%s/sock", dir);
	RUN(pairs);
	serve(name, 0);
	CHECK(stat(name, &st) == 0 && S_ISSOCK(st.st_mode));
	CHECK_ERRNO(open(name, O_RDWR), ENXIO);
	CHECK(unlink(name) == 0);
	serve("ringfence-test-abstract", 1);
	struct sockaddr_un a;
	socklen_t len = make_address(&a, name, 0);
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_ERRNO(connect(s, (struct sockaddr *)&a, len), ENOENT);
	CHECK_ERRNO(read(s, name, 1), EINVAL);
	CHECK_ERRNO(send(s, "x", 1, MSG_NOSIGNAL), ENOTCONN);
	CHECK_ERRNO(getpeername(s, (struct sockaddr *)&a, &len), ENOTCONN);
	close(s);
	rmdir(dir);
}

static void datagrams(void)
{
	struct sockaddr_un a, b, from;
	socklen_t a_len = make_address(&a, "ringfence-dgram-a", 1), b_len = make_address(&b, "ringfence-dgram-b", 1);
	socklen_t from_len = sizeof(from);
	int x = socket(AF_UNIX, SOCK_DGRAM, 0), y = socket(AF_UNIX, SOCK_DGRAM, 0);
	char buf[16];

	CHECK(bind(x, (struct sockaddr *)&a, a_len) == 0 && bind(y, (struct sockaddr *)&b, b_len) == 0);
	CHECK(sendto(x, "to b", 4, 0, (struct sockaddr *)&b, b_len) == 4);
	CHECK(recvfrom(y, buf, sizeof(buf), 0, (struct sockaddr *)&from, &from_len) == 4 && from_len == a_len &&
	      !memcmp(from.sun_path, a.sun_path, 10));
	CHECK_ERRNO(send(x, "no", 2, 0), ENOTCONN);
	CHECK(connect(x, (struct sockaddr *)&b, b_len) == 0 && send(x, "yes", 3, 0) == 3 && recv(y, buf, 16, 0) == 3);
	close(y);
	CHECK_ERRNO(send(x, "gone", 4, 0), ECONNREFUSED);
	struct timeval tv = {0, 20000};
	CHECK(setsockopt(x, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	CHECK_ERRNO(recv(x, buf, 1, 0), EAGAIN);
	close(x);
}

static int send_fds(int s, const int *fds, int count)
{
	char control[CMSG_SPACE(8 * sizeof(int))] = {0}, c = 'f';
	struct iovec iov = {&c, 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int))};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
	memcpy(CMSG_DATA(h), fds, (size_t)count * sizeof(int));
	return (int)sendmsg(s, &m, 0);
}

static int receive_fds(int s, int *fds, int room, int flags, int *out_flags)
{
	char control[CMSG_SPACE(8 * sizeof(int))], c;
	struct iovec iov = {&c, 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = CMSG_LEN((size_t)room * sizeof(int))};

	if (recvmsg(s, &m, flags) != 1)
		return -1;
	*out_flags = m.msg_flags;
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	if (!h || h->cmsg_type != SCM_RIGHTS)
		return 0;
	int count = (int)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(fds, CMSG_DATA(h), (size_t)count * sizeof(int));
	return count;
}

static void rights(void)
{
	int s[2], p[2], got[8], flags, status;
	char buf[8];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && pipe(p) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		int n = receive_fds(s[1], got, 8, MSG_CMSG_CLOEXEC, &flags);
		if (n != 1 || fcntl(got[0], F_GETFD) != FD_CLOEXEC)
			_exit(1);
		_exit(write(got[0], "via fd", 6) == 6 ? 0 : 2);
	}
	CHECK(send_fds(s[0], &p[1], 1) == 1);
	close(p[1]);
	CHECK(read(p[0], buf, 6) == 6 && !memcmp(buf, "via fd", 6));
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(read(p[0], buf, 1) == 0); /* the descriptor under way and the child's are gone */
	close(p[0]);
	/* too little room: the rest is closed */
	CHECK(pipe(p) == 0);
	int both[2] = {p[1], p[1]};
	CHECK(send_fds(s[0], both, 2) == 1);
	CHECK(receive_fds(s[1], got, 1, 0, &flags) == 1 && flags & MSG_CTRUNC);
	close(got[0]);
	close(p[1]);
	CHECK(read(p[0], buf, 1) == 0);
	/* never received: closed with the socket */
	CHECK(pipe(p) == 0 || 1);
	CHECK(send_fds(s[0], &p[1], 1) == 1);
	close(p[1]);
	close(s[0]);
	close(s[1]);
	CHECK(read(p[0], buf, 1) == 0);
	close(p[0]);
	int bad = 999;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	CHECK_ERRNO(send_fds(s[0], &bad, 1), EBADF);
	close(s[0]);
	close(s[1]);
}

static void credentials(void)
{
	int s[2], on = 1;
	char control[CMSG_SPACE(sizeof(struct ucred))], c;
	struct iovec iov = {&c, 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct ucred cred;

	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0);
	CHECK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
	CHECK(write(s[0], "c", 1) == 1 && recvmsg(s[1], &m, 0) == 1);
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	CHECK(h && h->cmsg_type == SCM_CREDENTIALS);
	if (h)
		memcpy(&cred, CMSG_DATA(h), sizeof(cred));
	CHECK(h && cred.pid == getpid() && cred.uid == getuid() && cred.gid == getgid());
	close(s[0]);
	close(s[1]);
}

static void bulk(void)
{
	enum { TOTAL = 3 << 20 };
	static char block[40000];
	int s[2], status, got = 0, bad = 0;
	ssize_t n;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(s[0]);
		for (int at = 0; at < TOTAL;) {
			int part = TOTAL - at < (int)sizeof(block) ? TOTAL - at : (int)sizeof(block);
			for (int i = 0; i < part; i++)
				block[i] = (char)((at + i) * 13 >> 2);
			for (int done = 0; done < part;) {
				n = write(s[1], block + done, (size_t)(part - done));
				if (n <= 0)
					_exit(1);
				done += (int)n;
			}
			at += part;
		}
		_exit(0);
	}
	close(s[1]);
	while ((n = read(s[0], block, 33333)) > 0)
		for (ssize_t i = 0; i < n; i++, got++)
			bad += block[i] != (char)(got * 13 >> 2);
	CHECK(got == TOTAL && bad == 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	close(s[0]);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s) == 0);
	struct pollfd p = {s[0], POLLOUT, 0};
	got = 0;
	while ((n = write(s[0], block, sizeof(block))) > 0)
		got += (int)n;
	CHECK(n == -1 && got >= 40000);
	CHECK(poll(&p, 1, 0) == 0);
	while ((n = read(s[1], block, sizeof(block))) > 0)
		got -= (int)n;
	CHECK(got == 0 && poll(&p, 1, 0) == 1 && p.revents == POLLOUT);
	close(s[0]);
	close(s[1]);
}

/* Sockets in flight inside sockets in flight: closing the last one lets go of all, however many. */
static void nested_rights(void)
{
	int outer = -1, s[2], status = 0;

	for (int depth = 0; depth < 3000; depth++) {
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
		if (outer >= 0 && send_fds(s[0], &outer, 1) != 1) {
			status = errno; /* Linux bounds the depth */
			CHECK(status == ETOOMANYREFS);
		}
		close(s[0]);
		if (outer >= 0)
			close(outer);
		outer = s[1];
		if (status)
			break;
	}
	CHECK(close(outer) == 0);
}

/* Sockets that only their own queues hold: a user's files in flight are bounded. */
static void lost_rights(void)
{
	pid_t pid = fork();
	int status, s[2], pairs = 0;

	if (pid == 0) {
		struct rlimit few = {100, 100};

		if (setrlimit(RLIMIT_NOFILE, &few) || setuid(4711))
			_exit(SKIP);
		for (; pairs < 200; pairs++) {
			if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
				_exit(2);
			if (send_fds(s[0], s, 2) != 1 && errno == ETOOMANYREFS)
				break;
			close(s[0]);
			close(s[1]);
		}
		/* Linux finds them after a while, so it may go on. */
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	CHECK(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == SKIP);
}

/* MSG_WAITALL over a message with descriptors: they come with the bytes or end the read; it never hangs. */
static void wait_all_rights(void)
{
	int s[2], nul = open("/dev/null", O_RDONLY);
	char buf[32];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	CHECK(write(s[0], "0123456789", 10) == 10 && send_fds(s[0], &nul, 1) == 1);
	CHECK(shutdown(s[0], SHUT_WR) == 0);
	ssize_t n = recv(s[1], buf, 20, MSG_WAITALL);
	CHECK(n == 10 || n == 11);
	close(s[0]);
	close(s[1]);
	close(nul);
}

/* fchmod(2) before bind(2): what it makes in a directory has those permissions, less the mask. */
static void permissions_of_a_name(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "/tmp/.permissions"};
	int sock = socket(AF_UNIX, SOCK_STREAM, 0);
	struct stat st;

	CHECK(fstat(sock, &st) == 0 && (st.st_mode & 07777) == 0777);
	CHECK(fchmod(sock, 0700) == 0);
	CHECK(fstat(sock, &st) == 0 && (st.st_mode & 07777) == 0700);
	CHECK(bind(sock, (struct sockaddr *)&name, sizeof(name)) == 0);
	CHECK(stat("/tmp/.permissions", &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 07777) == 0700);
	unlink("/tmp/.permissions");
	close(sock);
}

int main(void)
{
	harness_start();
	RUN(names);
	RUN(datagrams);
	RUN(rights);
	RUN(nested_rights);
	RUN(wait_all_rights);
	RUN(lost_rights);
	RUN(credentials);
	RUN(bulk);
	RUN(permissions_of_a_name);
	return CHECK_RESULT();
}
