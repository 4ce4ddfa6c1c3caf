/*
 * TCP over loopback: connections of both families, readiness, errors, half-closed and reset connections, options.
 */
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "harness.h"
#include "internet.h"

static int listener(int family, const char *ip, int backlog)
{
	int s = socket(family, SOCK_STREAM, 0);
	struct sockaddr_in a = at4(family == AF_INET ? ip : "0.0.0.0", 0);
	struct sockaddr_in6 a6 = at6(family == AF_INET6 ? ip : "::", 0);

	CHECK(bind(s, family == AF_INET ? (void *)&a : (void *)&a6, family == AF_INET ? sizeof(a) : sizeof(a6)) == 0);
	CHECK(listen(s, backlog) == 0);
	return s;
}

/* A connected pair over 127.0.0.1. */
static int option(int s, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	if (getsockopt(s, level, name, &value, &len))
		return -errno;
	return value;
}

static short ready(int s, short events, int timeout)
{
	struct pollfd p = {s, events, 0};

	return poll(&p, 1, timeout) < 0 ? -1 : p.revents;
}

static void creation(void)
{
	CHECK_ERRNO(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
	CHECK_ERRNO(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
	CHECK_ERRNO(socket(AF_INET, 99, 0), EINVAL);
	CHECK_ERRNO(socket(12345, SOCK_STREAM, 0), EAFNOSUPPORT);
	int s[2];
	CHECK_ERRNO(socketpair(AF_INET, SOCK_STREAM, 0, s), EOPNOTSUPP);
	int t = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	CHECK(fcntl(t, F_GETFL) == (O_RDWR | O_NONBLOCK) && fcntl(t, F_GETFD) == FD_CLOEXEC);
	CHECK(option(t, SOL_SOCKET, SO_TYPE) == SOCK_STREAM && option(t, SOL_SOCKET, SO_DOMAIN) == AF_INET &&
	      option(t, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP);
	char c;
	CHECK_ERRNO(recv(t, &c, 1, 0), ENOTCONN);
	CHECK_ERRNO(send(t, &c, 1, MSG_NOSIGNAL), EPIPE);
	CHECK_ERRNO(shutdown(t, SHUT_WR), ENOTCONN);
	CHECK_ERRNO(accept(t, NULL, NULL), EINVAL);
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	CHECK_ERRNO(getpeername(t, (void *)&a, &len), ENOTCONN);
	CHECK(getsockname(t, (void *)&a, &len) == 0 && len == sizeof(a) && a.sin_family == AF_INET && !a.sin_port);
	CHECK(ready(t, POLLIN | POLLOUT, 0) == (POLLOUT | POLLHUP));
	close(t);
}

static void binding(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), t = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	struct sockaddr_in a = at4("127.0.0.1", 0), b;

	CHECK_ERRNO(bind(s, (void *)&a, 4), EINVAL);
	a.sin_family = AF_INET6;
	CHECK_ERRNO(bind(s, (void *)&a, sizeof(a)), EAFNOSUPPORT);
	b = at4("192.0.2.77", 0);
	CHECK_ERRNO(bind(s, (void *)&b, sizeof(b)), EADDRNOTAVAIL);
	a.sin_family = AF_INET;
	CHECK(bind(s, (void *)&a, sizeof(a)) == 0);
	CHECK_ERRNO(bind(s, (void *)&a, sizeof(a)), EINVAL);
	CHECK(port_of(s) > 1023);
	a.sin_port = htons(port_of(s));
	CHECK_ERRNO(bind(t, (void *)&a, sizeof(a)), EADDRINUSE);
	b = at4("0.0.0.0", port_of(s));
	CHECK_ERRNO(bind(t, (void *)&b, sizeof(b)), EADDRINUSE);
	b = at4("127.0.0.2", port_of(s));
	CHECK(bind(t, (void *)&b, sizeof(b)) == 0);
	close(t);
	t = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
	CHECK(setsockopt(t, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
	CHECK(bind(t, (void *)&a, sizeof(a)) == 0);
	CHECK(listen(s, 1) == 0);
	CHECK_ERRNO(listen(t, 1), EADDRINUSE);
	close(t);
	t = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(setsockopt(t, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
	CHECK_ERRNO(bind(t, (void *)&a, sizeof(a)), EADDRINUSE);
	close(s);
	CHECK(bind(t, (void *)&a, sizeof(a)) == 0);
	close(t);
}

/* Several listeners on one port: each gets some, and the rest goes to those that are left. */
static void sharing(void)
{
	struct sockaddr_in a = at4("127.0.0.1", 0);
	int l[3], one = 1, got[3] = {0, 0, 0}, total = 0;

	for (int i = 0; i < 3; i++) {
		l[i] = socket(AF_INET, SOCK_STREAM, 0);
		CHECK(setsockopt(l[i], SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) == 0);
		CHECK(bind(l[i], (void *)&a, sizeof(a)) == 0 && listen(l[i], 50) == 0);
		a.sin_port = htons(port_of(l[i]));
		fcntl(l[i], F_SETFL, O_NONBLOCK);
	}
	int other = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_ERRNO(bind(other, (void *)&a, sizeof(a)), EADDRINUSE);
	/* Wider names may share it too; the more exact one gets what is for both. */
	struct sockaddr_in any = at4("0.0.0.0", ntohs(a.sin_port));
	struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = a.sin_port};
	int wide[2] = {socket(AF_INET, SOCK_STREAM, 0), socket(AF_INET6, SOCK_STREAM, 0)};
	for (int i = 0; i < 2; i++)
		CHECK(setsockopt(wide[i], SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) == 0);
	CHECK(bind(wide[0], (void *)&any, sizeof(any)) == 0 && listen(wide[0], 5) == 0);
	CHECK(bind(wide[1], (void *)&any6, sizeof(any6)) == 0 && listen(wide[1], 5) == 0);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 60; i++) {
			int c = socket(AF_INET, SOCK_STREAM, 0), k = -1;

			CHECK(connect(c, (void *)&a, sizeof(a)) == 0);
			for (int tries = 0; k < 0 && tries < 100; tries++)
				for (int j = round; j < 3 && k < 0; j++)
					if ((k = accept(l[j], NULL, NULL)) >= 0)
						got[j]++;
			total += k >= 0;
			close(k);
			close(c);
		}
		close(l[round]); /* the first one first */
	}
	close(wide[0]);
	close(wide[1]);
	CHECK(total == 120 && got[0] > 0 && got[1] > 0 && got[2] > 0);
	close(l[2]);
	int s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_ERRNO(connect(s, (void *)&a, sizeof(a)), ECONNREFUSED);
	close(s);
	close(other);
}

static void connecting(void)
{
	int l = listener(AF_INET, "127.0.0.1", 5), s = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a = at4("127.0.0.1", port_of(l)), b;
	socklen_t len = sizeof(b);

	CHECK(option(l, SOL_SOCKET, SO_ACCEPTCONN) == 1 && option(s, SOL_SOCKET, SO_ACCEPTCONN) == 0);
	CHECK(ready(l, POLLIN, 0) == 0);
	CHECK(connect(s, (void *)&a, sizeof(a)) == 0);
	CHECK_ERRNO(connect(s, (void *)&a, sizeof(a)), EISCONN);
	CHECK(getpeername(s, (void *)&b, &len) == 0 && b.sin_port == a.sin_port && b.sin_addr.s_addr == a.sin_addr.s_addr);
	CHECK(ready(l, POLLIN, 1000) == POLLIN);
	int c = accept4(l, (void *)&b, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	CHECK(c >= 0 && len == sizeof(b) && ntohs(b.sin_port) == port_of(s) && b.sin_addr.s_addr == a.sin_addr.s_addr);
	CHECK(fcntl(c, F_GETFL) & O_NONBLOCK && fcntl(c, F_GETFD) == FD_CLOEXEC);
	CHECK(port_of(c) == port_of(l));
	fcntl(l, F_SETFL, O_NONBLOCK);
	CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
	CHECK_ERRNO(connect(l, (void *)&a, sizeof(a)), EISCONN);
	close(c);
	close(s);
	/* without waiting */
	s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_ERRNO(connect(s, (void *)&a, sizeof(a)), EINPROGRESS);
	CHECK(ready(s, POLLOUT, 1000) == POLLOUT && option(s, SOL_SOCKET, SO_ERROR) == 0);
	CHECK(connect(s, (void *)&a, sizeof(a)) == 0);
	CHECK_ERRNO(connect(s, (void *)&a, sizeof(a)), EISCONN);
	close(s);
	/* nobody there */
	close(l);
	s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_ERRNO(connect(s, (void *)&a, sizeof(a)), ECONNREFUSED);
	CHECK_ERRNO(connect(s, (void *)&a, sizeof(a)), ECONNREFUSED);
	close(s);
	s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_ERRNO(connect(s, (void *)&a, sizeof(a)), EINPROGRESS);
	CHECK((ready(s, POLLOUT | POLLIN, 1000) & (POLLERR | POLLHUP | POLLOUT)) == (POLLERR | POLLHUP | POLLOUT));
	CHECK(option(s, SOL_SOCKET, SO_ERROR) == ECONNREFUSED && option(s, SOL_SOCKET, SO_ERROR) == 0);
	close(s);
	/* to any address: this host */
	l = listener(AF_INET, "0.0.0.0", 1);
	a = at4("0.0.0.0", port_of(l));
	s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(s, (void *)&a, sizeof(a)) == 0);
	CHECK(getpeername(s, (void *)&b, &len) == 0 && b.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	close(s);
	a = at4("127.9.8.7", port_of(l));
	s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(s, (void *)&a, sizeof(a)) == 0);
	close(s);
	close(l);
}

static void six(void)
{
	int l = listener(AF_INET6, "::", 5), s = socket(AF_INET6, SOCK_STREAM, 0), one = 1;
	struct sockaddr_in6 a = at6("::1", port_of(l)), b;
	struct sockaddr_in a4 = at4("127.0.0.1", port_of(l));
	socklen_t len = sizeof(b);

	CHECK(connect(s, (void *)&a, sizeof(a)) == 0);
	int c = accept(l, (void *)&b, &len);
	CHECK(c >= 0 && len == sizeof(b) && IN6_IS_ADDR_LOOPBACK(&b.sin6_addr) && ntohs(b.sin6_port) == port_of(s));
	close(c);
	close(s);
	/* an IPv4 client of the same listener is seen mapped */
	s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(s, (void *)&a4, sizeof(a4)) == 0);
	c = accept(l, (void *)&b, &len);
	CHECK(c >= 0 && IN6_IS_ADDR_V4MAPPED(&b.sin6_addr) && ntohs(b.sin6_port) == port_of(s));
	CHECK(getsockname(c, (void *)&b, &len) == 0 && IN6_IS_ADDR_V4MAPPED(&b.sin6_addr));
	close(c);
	close(s);
	s = socket(AF_INET6, SOCK_STREAM, 0);
	a = at6("::ffff:127.0.0.1", port_of(l));
	CHECK(connect(s, (void *)&a, sizeof(a)) == 0);
	close(s);
	/* the port is taken for both families */
	s = socket(AF_INET, SOCK_STREAM, 0);
	a4 = at4("0.0.0.0", port_of(l));
	CHECK_ERRNO(bind(s, (void *)&a4, sizeof(a4)), EADDRINUSE);
	close(l);
	l = socket(AF_INET6, SOCK_STREAM, 0);
	CHECK(option(l, IPPROTO_IPV6, IPV6_V6ONLY) == 0);
	CHECK(setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == 0);
	a = at6("::", 0);
	CHECK(bind(l, (void *)&a, sizeof(a)) == 0 && listen(l, 1) == 0);
	CHECK_ERRNO(setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)), EINVAL);
	a4 = at4("127.0.0.1", port_of(l));
	CHECK_ERRNO(connect(s, (void *)&a4, sizeof(a4)), ECONNREFUSED);
	CHECK(bind(socket(AF_INET, SOCK_STREAM, 0), (void *)&a4, sizeof(a4)) == 0);
	close(l);
	close(s);
}

static void streaming(void)
{
	int s[2], one = 1, there;
	char buf[4096], big[65536];

	CHECK(tcp_pair(s));
	CHECK(write(s[0], "hello ", 6) == 6 && write(s[0], "world", 5) == 5);
	CHECK(recv(s[1], buf, 11, MSG_WAITALL | MSG_PEEK) == 11 && !memcmp(buf, "hello world", 11));
	CHECK(ioctl(s[1], FIONREAD, &there) == 0 && there == 11);
	CHECK(recv(s[1], buf, 3, MSG_PEEK) == 3 && !memcmp(buf, "hel", 3));
	CHECK(recv(s[1], NULL, 6, MSG_TRUNC) == 6);
	CHECK(read(s[1], buf, sizeof(buf)) == 5 && !memcmp(buf, "world", 5));
	CHECK_ERRNO(recv(s[1], buf, 1, MSG_DONTWAIT), EAGAIN);
	struct iovec v[2] = {{"ab", 2}, {"cdef", 4}};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
	CHECK(sendmsg(s[0], &m, 0) == 6);
	struct sockaddr_in from;
	struct iovec w = {buf, sizeof(buf)};
	m = (struct msghdr){.msg_iov = &w, .msg_iovlen = 1, .msg_name = &from, .msg_namelen = sizeof(from)};
	CHECK(recvmsg(s[1], &m, 0) == 6 && !memcmp(buf, "abcdef", 6) && m.msg_namelen == 0 && m.msg_flags == 0);
	/* the last byte is waited for */
	pid_t pid = fork();
	if (!pid) {
		CHECK(write(s[0], "123", 3) == 3);
		sleep_ms(50);
		CHECK(write(s[0], "456", 3) == 3);
		_exit(CHECK_RESULT());
	}
	CHECK(recv(s[1], buf, 6, MSG_WAITALL) == 6 && !memcmp(buf, "123456", 6));
	int status;
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(setsockopt(s[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0);
	/* until it is full, and until it is empty again */
	fcntl(s[0], F_SETFL, O_NONBLOCK);
	long sent = 0, got = 0;
	for (;;) {
		for (size_t i = 0; i < sizeof(big); i++)
			big[i] = (char)((sent + (long)i) * 7 >> 3);
		ssize_t n = write(s[0], big, sizeof(big));
		if (n < 0)
			break;
		sent += n;
	}
	CHECK_ERRNO(write(s[0], big, 1), EAGAIN);
	CHECK(sent > 100000);
	CHECK(ready(s[0], POLLOUT, 0) == 0);
	int right = 1;
	while (got < sent) {
		ssize_t n = recv(s[1], big, sizeof(big), 0);
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++)
			right &= (unsigned char)big[i] == (unsigned char)((got + i) * 7 >> 3);
		got += n;
	}
	CHECK(got == sent && right);
	CHECK(ready(s[0], POLLOUT, 1000) == POLLOUT);
	CHECK_ERRNO(recv(s[1], big, sizeof(big), MSG_DONTWAIT), EAGAIN);
	close(s[0]);
	close(s[1]);
}

static void *reader(void *arg)
{
	int s = *(int *)arg;
	long *total = calloc(1, sizeof(*total));
	char *buf = malloc(100000);
	ssize_t n;

	while ((n = read(s, buf, 100000)) > 0)
		*total += n;
	free(buf);
	return total;
}

static void bulk(void)
{
	enum { SIZE = 8 << 20 };
	char *data = malloc(SIZE);
	pthread_t thread;
	void *total;
	int s[2];

	memset(data, 5, SIZE);
	CHECK(tcp_pair(s));
	pthread_create(&thread, NULL, reader, &s[1]);
	CHECK(write(s[0], data, SIZE) == SIZE);
	for (int i = 0; i < 1000; i++)
		CHECK(write(s[0], data, 100) == 100);
	shutdown(s[0], SHUT_WR);
	pthread_join(thread, &total);
	CHECK(*(long *)total == SIZE + 100000);
	close(s[0]);
	close(s[1]);
	free(data);
}

static void half_closed(void)
{
	int s[2];
	char c;

	CHECK(tcp_pair(s));
	CHECK(write(s[0], "x", 1) == 1 && shutdown(s[0], SHUT_WR) == 0);
	CHECK_ERRNO(send(s[0], "y", 1, MSG_NOSIGNAL), EPIPE);
	CHECK((ready(s[1], POLLIN | POLLRDHUP, 1000)) & POLLIN);
	CHECK(read(s[1], &c, 1) == 1 && read(s[1], &c, 1) == 0 && read(s[1], &c, 1) == 0);
	CHECK(ready(s[1], POLLIN | POLLOUT | POLLRDHUP, 0) == (POLLIN | POLLOUT | POLLRDHUP));
	CHECK(write(s[1], "back", 4) == 4 && read(s[0], &c, 1) == 1 && c == 'b');
	close(s[1]);
	CHECK(read(s[0], &c, 1) == 1 && read(s[0], &c, 1) == 1 && read(s[0], &c, 1) == 1 && read(s[0], &c, 1) == 0);
	close(s[0]);
	/* receiving ended here */
	CHECK(tcp_pair(s));
	CHECK(shutdown(s[0], SHUT_RD) == 0 && read(s[0], &c, 1) == 0);
	CHECK(write(s[0], "x", 1) == 1 && read(s[1], &c, 1) == 1);
	close(s[0]);
	close(s[1]);
	/* SIGPIPE */
	CHECK(tcp_pair(s));
	shutdown(s[0], SHUT_WR);
	pid_t pid = fork();
	if (!pid) {
		signal(SIGPIPE, SIG_DFL);
		write(s[0], "x", 1);
		_exit(0);
	}
	int status;
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
	close(s[0]);
	close(s[1]);
}

static void resets(void)
{
	int s[2];
	char c;
	struct linger now = {1, 0};

	CHECK(tcp_pair(s));
	CHECK(setsockopt(s[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0);
	close(s[0]);
	CHECK(ready(s[1], POLLIN, 1000) & POLLERR);
	CHECK_ERRNO(read(s[1], &c, 1), ECONNRESET);
	CHECK(read(s[1], &c, 1) == 0);
	CHECK_ERRNO(send(s[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	close(s[1]);
	/* closed with data that nobody read */
	CHECK(tcp_pair(s));
	CHECK(write(s[1], "unread", 6) == 6 && ready(s[0], POLLIN, 1000) == POLLIN);
	close(s[0]);
	CHECK(ready(s[1], POLLIN, 1000) & POLLERR);
	CHECK(option(s[1], SOL_SOCKET, SO_ERROR) == ECONNRESET && option(s[1], SOL_SOCKET, SO_ERROR) == 0);
	close(s[1]);
	/* a listener that goes takes those who wait with it */
	int l = listener(AF_INET, "127.0.0.1", 5), t = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a = at4("127.0.0.1", port_of(l));
	CHECK(connect(t, (void *)&a, sizeof(a)) == 0);
	close(l);
	CHECK(ready(t, POLLIN, 1000) & POLLERR);
	CHECK_ERRNO(read(t, &c, 1), ECONNRESET);
	close(t);
	/* the peer has closed: the first write is answered by a reset, the second fails */
	CHECK(tcp_pair(s));
	close(s[1]);
	CHECK(read(s[0], &c, 1) == 0 && write(s[0], "x", 1) == 1);
	CHECK(ready(s[0], POLLIN, 1000) & POLLHUP);
	CHECK_ERRNO(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	close(s[0]);
}

static void waiting(void)
{
	int s[2];
	char c;
	struct timeval t = {0, 50000};

	CHECK(tcp_pair(s));
	CHECK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) == 0);
	long long before = now_ns(CLOCK_MONOTONIC);
	CHECK_ERRNO(read(s[0], &c, 1), EAGAIN);
	CHECK(now_ns(CLOCK_MONOTONIC) - before >= 49000000);
	int e = epoll_create1(0);
	struct epoll_event ev = {EPOLLIN | EPOLLET | EPOLLRDHUP, {.fd = 1}};
	CHECK(epoll_ctl(e, EPOLL_CTL_ADD, s[0], &ev) == 0 && epoll_wait(e, &ev, 1, 0) == 0);
	CHECK(write(s[1], "1", 1) == 1);
	CHECK(epoll_wait(e, &ev, 1, 1000) == 1 && ev.events == EPOLLIN);
	CHECK(epoll_wait(e, &ev, 1, 0) == 0);
	CHECK(write(s[1], "2", 1) == 1);
	CHECK(epoll_wait(e, &ev, 1, 1000) == 1 && ev.events == EPOLLIN);
	shutdown(s[1], SHUT_WR);
	CHECK(epoll_wait(e, &ev, 1, 1000) == 1 && ev.events == (EPOLLIN | EPOLLRDHUP));
	close(e);
	close(s[0]);
	close(s[1]);
	/* a child wakes a parent that waits in accept */
	int l = listener(AF_INET6, "::1", 1);
	pid_t pid = fork();
	if (!pid) {
		struct sockaddr_in6 a = at6("::1", port_of(l));
		int k = socket(AF_INET6, SOCK_STREAM, 0);

		sleep_ms(30);
		CHECK(connect(k, (void *)&a, sizeof(a)) == 0 && write(k, "!", 1) == 1);
		_exit(CHECK_RESULT());
	}
	int k = accept(l, NULL, NULL), status;
	CHECK(k >= 0 && read(k, &c, 1) == 1 && c == '!');
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(read(k, &c, 1) == 0);
	close(k);
	close(l);
}

static void options(void)
{
	int s[2], one = 1, zero = 0, value;

	CHECK(tcp_pair(s));
	CHECK(option(s[0], IPPROTO_TCP, TCP_NODELAY) == 0);
	CHECK(setsockopt(s[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0 && option(s[0], IPPROTO_TCP, TCP_NODELAY) == 1);
	CHECK(setsockopt(s[0], SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)) == 0 && option(s[0], SOL_SOCKET, SO_KEEPALIVE) == 1);
	CHECK(option(s[0], IPPROTO_TCP, TCP_KEEPIDLE) == 7200 && option(s[0], IPPROTO_TCP, TCP_KEEPINTVL) == 75 &&
	      option(s[0], IPPROTO_TCP, TCP_KEEPCNT) == 9);
	value = 60;
	CHECK(setsockopt(s[0], IPPROTO_TCP, TCP_KEEPIDLE, &value, sizeof(value)) == 0 && option(s[0], IPPROTO_TCP, TCP_KEEPIDLE) == 60);
	CHECK_ERRNO(setsockopt(s[0], IPPROTO_TCP, TCP_KEEPIDLE, &zero, sizeof(zero)), EINVAL);
	value = 10000;
	CHECK(setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &value, sizeof(value)) == 0 && option(s[0], SOL_SOCKET, SO_SNDBUF) == 20000);
	CHECK(setsockopt(s[0], SOL_SOCKET, SO_RCVBUF, &value, sizeof(value)) == 0 && option(s[0], SOL_SOCKET, SO_RCVBUF) == 20000);
	CHECK_ERRNO(setsockopt(s[0], SOL_SOCKET, SO_REUSEADDR, &one, 2), EINVAL);
	CHECK_ERRNO(setsockopt(s[0], SOL_SOCKET, 9999, &one, sizeof(one)), ENOPROTOOPT);
	CHECK_ERRNO(setsockopt(s[0], IPPROTO_TCP, 9999, &one, sizeof(one)), ENOPROTOOPT);
	CHECK_ERRNO(setsockopt(s[0], SOL_SOCKET, SO_REUSEADDR, (void *)8, sizeof(one)), EFAULT);
	value = 0x10;
	CHECK(setsockopt(s[0], IPPROTO_IP, IP_TOS, &value, sizeof(value)) == 0 && option(s[0], IPPROTO_IP, IP_TOS) == 0x10);
	struct tcp_info info;
	socklen_t len = sizeof(info);
	CHECK(getsockopt(s[0], IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_state == TCP_ESTABLISHED && info.tcpi_snd_mss > 500);
	struct linger l = {1, 5};
	CHECK(setsockopt(s[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l)) == 0);
	memset(&l, 0, sizeof(l));
	len = sizeof(l);
	CHECK(getsockopt(s[0], SOL_SOCKET, SO_LINGER, &l, &len) == 0 && l.l_onoff == 1 && l.l_linger == 5 && len == sizeof(l));
	/* corked: nothing until it is pulled */
	char buf[16];
	CHECK(setsockopt(s[1], IPPROTO_TCP, TCP_CORK, &one, sizeof(one)) == 0);
	CHECK(write(s[1], "ab", 2) == 2 && write(s[1], "cd", 2) == 2);
	CHECK_ERRNO(recv(s[0], buf, 4, MSG_DONTWAIT), EAGAIN);
	CHECK(setsockopt(s[1], IPPROTO_TCP, TCP_CORK, &zero, sizeof(zero)) == 0);
	CHECK(recv(s[0], buf, 4, MSG_WAITALL) == 4 && !memcmp(buf, "abcd", 4));
	CHECK(send(s[1], "ef", 2, MSG_MORE) == 2 && send(s[1], "gh", 2, 0) == 2);
	CHECK(recv(s[0], buf, 4, MSG_WAITALL) == 4 && !memcmp(buf, "efgh", 4));
	close(s[0]);
	close(s[1]);
}

static void many(void)
{
	int l = listener(AF_INET, "127.0.0.1", 100), c[200], k[200], n = 0;
	struct sockaddr_in a = at4("127.0.0.1", port_of(l));

	for (int i = 0; i < 200; i++) {
		char b = (char)i;

		c[i] = socket(AF_INET, SOCK_STREAM, 0);
		CHECK(connect(c[i], (void *)&a, sizeof(a)) == 0 && write(c[i], &b, 1) == 1);
		k[i] = accept(l, NULL, NULL);
	}
	for (int i = 0; i < 200; i++) {
		char b;

		n += read(k[i], &b, 1) == 1 && b == (char)i;
		close(i & 1 ? c[i] : k[i]);
		CHECK(read(i & 1 ? k[i] : c[i], &b, 1) == 0);
		close(i & 1 ? k[i] : c[i]);
	}
	CHECK(n == 200);
	for (int i = 0; i < 2000; i++) {
		int s = socket(AF_INET, SOCK_STREAM, 0), t;
		char b;

		if (connect(s, (void *)&a, sizeof(a)) || (t = accept(l, NULL, NULL)) < 0) {
			CHECK(!"a short connection");
			break;
		}
		close(s);
		CHECK(read(t, &b, 1) == 0);
		close(t);
	}
	close(l);
}

static void files(void)
{
	int s[2], f = open("/proc/self/exe", O_RDONLY), p[2];
	char sent[5000], got[5000];

	CHECK(tcp_pair(s));
	CHECK(pread(f, sent, sizeof(sent), 0) == sizeof(sent));
	CHECK(sendfile(s[0], f, NULL, sizeof(sent)) == sizeof(sent));
	CHECK(recv(s[1], got, sizeof(got), MSG_WAITALL) == sizeof(got) && !memcmp(sent, got, sizeof(got)));
	CHECK(pipe(p) == 0 && write(s[1], "through a pipe", 14) == 14);
	CHECK(splice(s[0], NULL, p[1], NULL, 14, 0) == 14 && read(p[0], got, 14) == 14 && !memcmp(got, "through", 7));
	CHECK(write(p[1], "and back", 8) == 8 && splice(p[0], NULL, s[1], NULL, 8, 0) == 8 && read(s[0], got, 8) == 8);
	close(f);
	close(p[0]);
	close(p[1]);
	close(s[0]);
	close(s[1]);
}

int main(void)
{
	harness_start();
	signal(SIGPIPE, SIG_IGN);
	RUN(creation);
	RUN(binding);
	RUN(sharing);
	RUN(connecting);
	RUN(six);
	RUN(streaming);
	RUN(bulk);
	RUN(half_closed);
	RUN(resets);
	RUN(waiting);
	RUN(options);
	RUN(many);
	RUN(files);
	return CHECK_RESULT();
}
