/*
 * Urgent data (tcp(7), unix(7)): MSG_OOB, the mark, SO_OOBINLINE, SIOCATMARK, what poll and epoll say, SIGURG to the owner.
 * Each step is printed, and the lines are compared with Linux's.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/un.h>

#include "harness.h"
#include "internet.h"

static int pair[2]; /* [0] sends, [1] receives */
static int of_unix;
static volatile sig_atomic_t urgent_signals;

static void on_urgent(int signo)
{
	urgent_signals++;
}

static void unix_pair(void)
{
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
}

static void part(int kind, const char *name)
{
	of_unix = kind;
	printf("-- %s %s\n", kind ? "unix" : "tcp", name);
	if (kind)
		unix_pair();
	else
		CHECK(tcp_pair(pair));
}

static void end(void)
{
	close(pair[0]);
	close(pair[1]);
}

static void say(const char *bytes, int flags)
{
	ssize_t rc = send(pair[0], bytes, strlen(bytes), flags | MSG_NOSIGNAL);

	printf("send %s %s: %zd %s\n", bytes, flags & MSG_OOB ? "urgent" : "plain", rc, rc < 0 ? strerrorname_np(errno) : "");
	sleep_ms(2);
}

static void look(void)
{
	struct pollfd p = {.fd = pair[1], .events = POLLIN | POLLPRI | POLLRDBAND};
	int mark = -1, bytes = -1;

	CHECK(poll(&p, 1, 0) >= 0);
	CHECK(ioctl(pair[1], SIOCATMARK, &mark) == 0 && ioctl(pair[1], FIONREAD, &bytes) == 0);
	/* Linux 6.18 counts bytes of AF_UNIX that nobody can read any more. */
	printf("mark %d bytes %d poll%s%s%s\n", mark, of_unix ? 0 : bytes, p.revents & POLLIN ? " in" : "", p.revents & POLLPRI ? " pri" : "",
		p.revents & POLLRDBAND ? " band" : "");
}

static void hear(size_t len, int flags)
{
	char bytes[64] = "";
	struct iovec iov = {bytes, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t rc = recvmsg(pair[1], &msg, flags | MSG_DONTWAIT);

	printf("receive %zu%s%s%s%s: %zd %s flags %#x\n", len, flags & MSG_OOB ? " urgent" : "", flags & MSG_PEEK ? " peek" : "",
		flags & MSG_WAITALL ? " all" : "", flags & MSG_TRUNC ? " trunc" : "", rc,
		rc < 0 ? strerrorname_np(errno) : flags & MSG_TRUNC ? "" : bytes, rc < 0 ? 0 : msg.msg_flags);
}

static void plain_use(int kind)
{
	part(kind, "mark");
	look();
	hear(1, MSG_OOB);
	say("abc", 0);
	hear(1, MSG_OOB);
	say("de!", MSG_OOB);
	say("fgh", 0);
	look();
	hear(20, MSG_PEEK);
	hear(2, 0);
	hear(20, 0);
	look();
	hear(1, MSG_OOB | MSG_PEEK);
	hear(0, MSG_OOB);
	hear(5, MSG_OOB);
	hear(5, MSG_OOB);
	look();
	hear(20, 0);
	look();
	hear(20, 0);
	end();
	part(kind, "never read");
	say("ab!", MSG_OOB);
	hear(20, 0);
	look();
	hear(20, MSG_PEEK);
	look();
	hear(20, 0);
	look();
	hear(1, MSG_OOB);
	say("cd", 0);
	look();
	hear(20, 0);
	end();
	part(kind, "skipped");
	say("ab!", MSG_OOB);
	say("cd", 0);
	hear(20, 0);
	look();
	hear(20, MSG_PEEK);
	hear(20, 0);
	look();
	hear(1, MSG_OOB);
	end();
}

static void in_line(int kind)
{
	int one = 1;

	part(kind, "in line");
	CHECK(setsockopt(pair[1], SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one)) == 0);
	say("ab!", MSG_OOB);
	say("cd", 0);
	look();
	hear(1, MSG_OOB);
	hear(20, 0);
	look();
	hear(20, MSG_PEEK);
	hear(1, 0);
	look();
	hear(20, 0);
	look();
	end();
	part(kind, "in line later");
	say("ab!", MSG_OOB);
	say("cd", 0);
	CHECK(setsockopt(pair[1], SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one)) == 0);
	look();
	hear(20, 0);
	hear(20, 0);
	end();
}

static void several(int kind)
{
	part(kind, "two");
	say("a!", MSG_OOB);
	look();
	say("b?", MSG_OOB);
	look();
	hear(1, MSG_OOB);
	hear(20, 0);
	look();
	hear(20, 0);
	look();
	end();
	part(kind, "two, the first read");
	say("a!", MSG_OOB);
	hear(1, MSG_OOB);
	say("b?", MSG_OOB);
	say("c", 0);
	hear(20, 0);
	look();
	hear(1, MSG_OOB);
	hear(20, 0);
	hear(20, 0);
	end();
	part(kind, "at the mark when another comes");
	say("a!", MSG_OOB);
	hear(1, 0);
	look();
	say("b?", MSG_OOB);
	look();
	hear(20, 0);
	look();
	hear(1, MSG_OOB);
	hear(20, 0);
	end();
	part(kind, "alone");
	say("!", MSG_OOB);
	look();
	hear(20, 0);
	look();
	hear(1, MSG_OOB);
	end();
}

static void odd(int kind)
{
	part(kind, "odd");
	printf("empty: %zd", send(pair[0], "", 0, MSG_OOB));
	printf(" %s\n", errno ? strerrorname_np(errno) : "");
	say("ab!", MSG_OOB | MSG_MORE);
	say("cd", 0);
	look();
	hear(20, MSG_WAITALL);
	hear(20, MSG_WAITALL);
	look();
	say("ef!", MSG_OOB);
	hear(1, MSG_TRUNC);
	hear(1, MSG_OOB | MSG_TRUNC);
	close(pair[0]);
	sleep_ms(2);
	look();
	hear(20, 0);
	hear(20, 0);
	hear(1, MSG_OOB);
	close(pair[1]);
}

static void events(int kind)
{
	struct epoll_event event = {.events = EPOLLPRI | EPOLLET}, out;
	int poller = epoll_create1(0);
	struct pollfd p;
	pid_t child;

	part(kind, "events");
	p = (struct pollfd){.fd = pair[1], .events = POLLPRI};
	CHECK(epoll_ctl(poller, EPOLL_CTL_ADD, pair[1], &event) == 0);
	say("a", 0);
	printf("epoll %d\n", epoll_wait(poller, &out, 1, 0));
	child = fork();
	if (!child) {
		sleep_ms(30);
		send(pair[0], "!", 1, MSG_OOB);
		_exit(0);
	}
	printf("poll %d", poll(&p, 1, 5000));
	printf(" %#x\n", p.revents);
	CHECK(waitpid(child, NULL, 0) == child);
	printf("epoll %d", epoll_wait(poller, &out, 1, 0));
	printf(" %#x\n", out.events);
	printf("epoll %d\n", epoll_wait(poller, &out, 1, 0));
	close(poller);
	end();
}

static void signals(int kind)
{
	int owner;

	part(kind, "signals");
	urgent_signals = 0;
	say("a!", MSG_OOB);
	printf("without an owner %d\n", (int)urgent_signals);
	CHECK(fcntl(pair[1], F_SETOWN, getpid()) == 0);
	say("b!", MSG_OOB);
	printf("with one %d\n", (int)urgent_signals);
	say("c", 0);
	printf("plain %d\n", (int)urgent_signals);
	CHECK(fcntl(pair[1], F_SETOWN, -getpgrp()) == 0);
	say("d!", MSG_OOB);
	printf("a group %d\n", (int)urgent_signals);
	CHECK(fcntl(pair[1], F_SETOWN, 0) == 0);
	owner = getpid();
	CHECK(ioctl(pair[1], SIOCSPGRP, &owner) == 0 && ioctl(pair[1], FIOGETOWN, &owner) == 0 && owner == getpid());
	say("e!", MSG_OOB);
	printf("by ioctl %d\n", (int)urgent_signals);
	owner = 0;
	CHECK(ioctl(pair[1], SIOCGPGRP, &owner) == 0 && owner == getpid());
	end();
}

/* The mark is found in much data, sent in one piece and in many. */
static void far_away(void)
{
	static char bytes[300000];
	size_t before = 0;
	ssize_t rc;
	int mark = 0, status;
	pid_t child;

	part(0, "far away");
	child = fork();
	if (!child) {
		for (int i = 0; i < 3; i++)
			CHECK(send(pair[0], bytes, sizeof(bytes), 0) == sizeof(bytes));
		CHECK(send(pair[0], "!", 1, MSG_OOB) == 1);
		CHECK(send(pair[0], bytes, sizeof(bytes), 0) == sizeof(bytes));
		_exit(CHECK_RESULT());
	}
	close(pair[0]);
	for (; before < 800000 && (rc = recv(pair[1], bytes, 100000, MSG_WAITALL)) > 0; before += (size_t)rc)
		;
	/* Who reads at the mark before there is one reads over it. */
	CHECK(poll(&(struct pollfd){.fd = pair[1], .events = POLLPRI}, 1, 10000) == 1);
	while (ioctl(pair[1], SIOCATMARK, &mark) == 0 && !mark) {
		rc = recv(pair[1], bytes, sizeof(bytes), 0);
		CHECK(rc > 0);
		if (rc <= 0)
			break;
		before += (size_t)rc;
	}
	printf("before the mark %zu\n", before);
	hear(1, MSG_OOB);
	for (before = 0; (rc = recv(pair[1], bytes, sizeof(bytes), 0)) > 0;)
		before += (size_t)rc;
	printf("after it %zu\n", before);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	close(pair[1]);
}

static void others(void)
{
	int kinds[][2] = {{AF_INET, SOCK_DGRAM}, {AF_UNIX, SOCK_DGRAM}, {AF_UNIX, SOCK_SEQPACKET}, {AF_INET, SOCK_STREAM}, {AF_NETLINK, SOCK_RAW}};
	char byte;

	printf("-- others\n");
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		int s = socket(kinds[i][0], kinds[i][1], 0), mark = -1;

		printf("%u: send %s", i, send(s, "", 1, MSG_OOB | MSG_NOSIGNAL) < 0 ? strerrorname_np(errno) : "ok");
		printf(" receive %s", recv(s, &byte, 1, MSG_OOB | MSG_DONTWAIT) < 0 ? strerrorname_np(errno) : "ok");
		printf(" mark %s\n", ioctl(s, SIOCATMARK, &mark) < 0 ? strerrorname_np(errno) : "ok");
		close(s);
	}
}

int main(void)
{
	harness_start();
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGURG, on_urgent);
	for (int kind = 0; kind < 2; kind++) {
		plain_use(kind);
		in_line(kind);
		several(kind);
		odd(kind);
		events(kind);
		signals(kind);
	}
	RUN(far_away);
	RUN(others);
	return CHECK_RESULT();
}
