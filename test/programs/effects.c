/*
 * What socket options do: waiting and its limits, control messages, filters, connections that are held back or given
 * up, datagrams put together, who the other side is.
 */
#include <fcntl.h>
#include <grp.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/un.h>

#include <netinet/tcp.h>

#include "harness.h"
#include "internet.h"

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#define SO_PEERPIDFD 77
#endif
#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif
#define UDP_CORK 1
#ifndef MSG_PROBE
#define MSG_PROBE 0x10
#endif
#define TCP_CM_INQ_TYPE TCP_INQ

static void set(int s, int level, int option, int value)
{
	CHECK(setsockopt(s, level, option, &value, sizeof(value)) == 0);
}

static int get(int s, int level, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	CHECK(getsockopt(s, level, option, &value, &len) == 0);
	return value;
}

static void tcp_listen(int *listener, struct sockaddr_in *address)
{
	socklen_t len = sizeof(*address);

	*address = at4("127.0.0.1", 0);
	*listener = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(bind(*listener, (void *)address, len) == 0 && listen(*listener, 5) == 0);
	CHECK(getsockname(*listener, (void *)address, &len) == 0);
}

static long ms_since(long long start)
{
	return (now_ns(CLOCK_MONOTONIC) - start) / 1000000;
}

/* A control message of the next message: its bytes, or NULL. What comes beside it is in the buffer. */
static void *receive_control(int s, int level, int type, char *data, size_t *len)
{
	static union {
		char bytes[512];
		struct cmsghdr align;
	} control;
	struct iovec iov = {data, *len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(s, &msg, MSG_DONTWAIT);

	CHECK(n >= 0);
	*len = n < 0 ? 0 : (size_t)n;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); n >= 0 && c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == level && c->cmsg_type == type)
			return CMSG_DATA(c);
	return NULL;
}

/* ---- waiting ---- */

static void timeouts(void)
{
	struct timeval tv = {0, 60000}, got;
	socklen_t len = sizeof(got);
	long long start;
	char c, *block = calloc(1, 1 << 20);
	int s[2];

	CHECK(tcp_pair(s));
	CHECK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	CHECK(getsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &got, &len) == 0 && got.tv_sec == 0 && got.tv_usec >= 60000 && got.tv_usec < 70000);
	start = now_ns(CLOCK_MONOTONIC);
	CHECK_ERRNO(read(s[0], &c, 1), EAGAIN);
	CHECK(ms_since(start) >= 55);
	CHECK(setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) == 0);
	start = now_ns(CLOCK_MONOTONIC);
	ssize_t n;
	while ((n = write(s[0], block, 1 << 20)) > 0)
		;
	CHECK_ERRNO(write(s[0], block, 1 << 20), EAGAIN);
	CHECK(ms_since(start) >= 55);
	close(s[0]);
	close(s[1]);
	free(block);
}

static void low_water_of(int s[2])
{
	struct pollfd p = {s[1], POLLIN, 0};
	char buf[16];
	pid_t child;

	set(s[1], SOL_SOCKET, SO_RCVLOWAT, 6);
	CHECK(write(s[0], "abc", 3) == 3);
	child = fork();
	if (!child) {
		sleep_ms(60);
		_exit(write(s[0], "defghi", 6) != 6);
	}
	CHECK(recv(s[1], buf, sizeof(buf), 0) == 9 && !memcmp(buf, "abcdefghi", 9));
	CHECK(waitpid(child, NULL, 0) == child);
	CHECK(write(s[0], "abc", 3) == 3);
	CHECK(recv(s[1], buf, 2, 0) == 2); /* no more than was asked for */
	CHECK(recv(s[1], buf, sizeof(buf), MSG_DONTWAIT) == 1);
	set(s[1], SOL_SOCKET, SO_RCVLOWAT, 0);
	CHECK(get(s[1], SOL_SOCKET, SO_RCVLOWAT) == 1);
	CHECK(poll(&p, 1, 0) == 0);
	close(s[0]);
	close(s[1]);
}

static void low_water(void)
{
	struct pollfd p;
	int s[2];

	CHECK(tcp_pair(s));
	low_water_of(s);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	low_water_of(s);
	CHECK(tcp_pair(s));
	p = (struct pollfd){s[1], POLLIN, 0};
	set(s[1], SOL_SOCKET, SO_RCVLOWAT, 4);
	CHECK(write(s[0], "abc", 3) == 3 && poll(&p, 1, 60) == 0);
	CHECK(write(s[0], "d", 1) == 1 && poll(&p, 1, 1000) == 1);
	close(s[0]);
	close(s[1]);
}

/* ---- connections ---- */

static void linger_resets(void)
{
	struct linger linger = {1, 0};
	int s[2];
	char c;

	CHECK(tcp_pair(s));
	CHECK(setsockopt(s[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
	close(s[0]);
	CHECK_ERRNO(read(s[1], &c, 1), ECONNRESET);
	CHECK(read(s[1], &c, 1) == 0);
	close(s[1]);
}

static void deferred(void)
{
	struct sockaddr_in address;
	struct pollfd p;
	int listener, s, accepted;
	char c;

	tcp_listen(&listener, &address);
	set(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5);
	CHECK(get(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT) >= 5);
	s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(s, (void *)&address, sizeof(address)) == 0);
	p = (struct pollfd){listener, POLLIN, 0};
	CHECK(poll(&p, 1, 80) == 0);
	CHECK(fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
	CHECK_ERRNO(accept(listener, NULL, NULL), EAGAIN);
	CHECK(write(s, "x", 1) == 1 && poll(&p, 1, 2000) == 1);
	accepted = accept(listener, NULL, NULL);
	CHECK(accepted >= 0 && read(accepted, &c, 1) == 1 && c == 'x');
	close(accepted);
	close(s);
	close(listener);
}

/* The other side's window is full and stays so. */
static void user_timeout(void)
{
	struct pollfd p;
	char block[65536] = {0};
	int s[2];
	long n;

	CHECK(tcp_pair(s));
	set(s[0], IPPROTO_TCP, TCP_USER_TIMEOUT, 300);
	CHECK(get(s[0], IPPROTO_TCP, TCP_USER_TIMEOUT) == 300);
	CHECK(fcntl(s[0], F_SETFL, O_NONBLOCK) == 0);
	do {
		while (write(s[0], block, sizeof(block)) > 0)
			;
		p = (struct pollfd){s[0], POLLOUT, 0};
	} while (poll(&p, 1, 100) == 1 && !(p.revents & POLLERR));
	p = (struct pollfd){s[0], 0, 0};
	CHECK(poll(&p, 1, 20000) == 1 && p.revents & POLLERR);
	n = get(s[0], SOL_SOCKET, SO_ERROR);
	CHECK(n == ETIMEDOUT);
	close(s[0]);
	close(s[1]);
}

static void tcp_others(void)
{
	char name[16] = "", buf[16], *inq;
	socklen_t len = sizeof(name);
	size_t n = 3;
	int s[2];

	CHECK(tcp_pair(s));
	CHECK(getsockopt(s[0], IPPROTO_TCP, TCP_CONGESTION, name, &len) == 0 && name[0]);
	CHECK(setsockopt(s[0], IPPROTO_TCP, TCP_CONGESTION, name, strlen(name)) == 0);
	set(s[1], IPPROTO_TCP, TCP_INQ, 1);
	CHECK(write(s[0], "abcdefgh", 8) == 8);
	sleep_ms(20);
	inq = receive_control(s[1], IPPROTO_TCP, TCP_CM_INQ_TYPE, buf, &n);
	CHECK(inq && n == 3 && *(int *)(void *)inq == 5);
	set(s[0], IPPROTO_TCP, TCP_CORK, 1);
	CHECK(read(s[1], buf, sizeof(buf)) == 5);
	CHECK(write(s[0], "held", 4) == 4);
	CHECK_ERRNO(recv(s[1], buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	set(s[0], IPPROTO_TCP, TCP_CORK, 0);
	CHECK(read(s[1], buf, sizeof(buf)) == 4);
	close(s[0]);
	close(s[1]);
}

static void free_bind(void)
{
	struct sockaddr_in elsewhere = at4("198.51.100.7", 0);
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK_ERRNO(bind(s, (void *)&elsewhere, sizeof(elsewhere)), EADDRNOTAVAIL);
	set(s, IPPROTO_IP, IP_FREEBIND, 1);
	CHECK(bind(s, (void *)&elsewhere, sizeof(elsewhere)) == 0);
	close(s);
}

/* ---- datagrams ---- */

static void times(void)
{
	struct timespec *ns;
	struct timeval *us;
	char buf[8];
	size_t n = sizeof(buf);
	time_t now = time(NULL);
	int s[2];

	CHECK(udp_pair(AF_INET, s));
	set(s[1], SOL_SOCKET, SO_TIMESTAMPNS, 1);
	CHECK(!get(s[1], SOL_SOCKET, SO_TIMESTAMP) && get(s[1], SOL_SOCKET, SO_TIMESTAMPNS));
	CHECK(send(s[0], "x", 1, 0) == 1);
	ns = receive_control(s[1], SOL_SOCKET, SCM_TIMESTAMPNS, buf, &n);
	CHECK(ns && ns->tv_sec >= now && ns->tv_sec <= now + 5 && ns->tv_nsec < 1000000000);
	set(s[1], SOL_SOCKET, SO_TIMESTAMP, 1);
	CHECK(get(s[1], SOL_SOCKET, SO_TIMESTAMP) && !get(s[1], SOL_SOCKET, SO_TIMESTAMPNS));
	CHECK(send(s[0], "x", 1, 0) == 1);
	n = sizeof(buf);
	us = receive_control(s[1], SOL_SOCKET, SCM_TIMESTAMP, buf, &n);
	CHECK(us && us->tv_sec >= now && us->tv_sec <= now + 5 && us->tv_usec < 1000000);
	set(s[1], SOL_SOCKET, SO_TIMESTAMP, 0);
	CHECK(send(s[0], "x", 1, 0) == 1);
	n = sizeof(buf);
	CHECK(!receive_control(s[1], SOL_SOCKET, SCM_TIMESTAMP, buf, &n) && n == 1);
	close(s[0]);
	close(s[1]);
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0);
	set(s[1], SOL_SOCKET, SO_TIMESTAMP, 1);
	CHECK(send(s[0], "x", 1, 0) == 1);
	n = sizeof(buf);
	us = receive_control(s[1], SOL_SOCKET, SCM_TIMESTAMP, buf, &n);
	CHECK(us && us->tv_sec >= now && us->tv_sec <= now + 5);
	close(s[0]);
	close(s[1]);
}

static void where_to(void)
{
	struct in_pktinfo *info;
	struct sockaddr_in *to;
	char buf[8];
	size_t n = sizeof(buf);
	int s[2];

	CHECK(udp_pair(AF_INET, s));
	set(s[1], IPPROTO_IP, IP_PKTINFO, 1);
	CHECK(send(s[0], "x", 1, 0) == 1);
	info = receive_control(s[1], IPPROTO_IP, IP_PKTINFO, buf, &n);
	CHECK(info && info->ipi_ifindex == 1 && info->ipi_addr.s_addr == htonl(INADDR_LOOPBACK));
	set(s[1], IPPROTO_IP, IP_RECVORIGDSTADDR, 1);
	CHECK(send(s[0], "x", 1, 0) == 1);
	n = sizeof(buf);
	to = receive_control(s[1], IPPROTO_IP, IP_ORIGDSTADDR, buf, &n);
	CHECK(to && ntohs(to->sin_port) == port_of(s[1]) && to->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	close(s[0]);
	close(s[1]);
}

static void drops(void)
{
	char block[1024] = {0}, buf[1024];
	unsigned *count = NULL;
	size_t n;
	int s[2];

	CHECK(udp_pair(AF_INET, s));
	set(s[1], SOL_SOCKET, SO_RXQ_OVFL, 1);
	set(s[1], SOL_SOCKET, SO_RCVBUF, 8192);
	for (int i = 0; i < 100; i++)
		CHECK(send(s[0], block, sizeof(block), 0) == sizeof(block));
	for (int i = 0; i < 50 && recv(s[1], buf, sizeof(buf), MSG_DONTWAIT) > 0; i++)
		;
	CHECK(send(s[0], block, 10, 0) == 10);
	n = sizeof(buf);
	count = receive_control(s[1], SOL_SOCKET, SO_RXQ_OVFL, buf, &n);
	CHECK(n == 10 && count && *count > 50 && *count < 100);
	close(s[0]);
	close(s[1]);
}

static void corked(void)
{
	char buf[32];
	int s[2];

	CHECK(udp_pair(AF_INET, s));
	CHECK(send(s[0], "one ", 4, MSG_MORE) == 4);
	CHECK_ERRNO(recv(s[1], buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	CHECK(send(s[0], "two", 3, 0) == 3);
	CHECK(recv(s[1], buf, sizeof(buf), 0) == 7 && !memcmp(buf, "one two", 7));
	set(s[0], IPPROTO_UDP, UDP_CORK, 1);
	CHECK(send(s[0], "a", 1, 0) == 1 && send(s[0], "b", 1, 0) == 1);
	CHECK_ERRNO(recv(s[1], buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	set(s[0], IPPROTO_UDP, UDP_CORK, 0);
	CHECK(recv(s[1], buf, sizeof(buf), 0) == 2 && !memcmp(buf, "ab", 2));
	close(s[0]);
	close(s[1]);
}

static void nothing_more(int s)
{
	char buf[8];

	CHECK_ERRNO(recv(s, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
}

static void receives(int s, const char *text)
{
	char buf[32];

	CHECK(recv(s, buf, sizeof(buf), MSG_DONTWAIT) == (ssize_t)strlen(text) && !memcmp(buf, text, strlen(text)));
}

/* MSG_PROBE sends nothing and looks at no data, but what waits to be sent goes unless more is to come. */
static void probe(int family)
{
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);
	const void *nowhere = (const void *)8;
	int s[2];

	CHECK(udp_pair(family, s));
	CHECK(send(s[0], nowhere, 5, MSG_PROBE) == 5 && send(s[0], nowhere, 5, MSG_PROBE | MSG_MORE) == 5);
	CHECK(send(s[0], "x", 1, 0) == 1);
	receives(s[1], "x");
	CHECK(send(s[0], "ab", 2, MSG_MORE) == 2 && send(s[0], "cd", 2, MSG_PROBE | MSG_MORE) == 2 && send(s[0], "ef", 2, 0) == 2);
	receives(s[1], "abef");
	CHECK(send(s[0], "gh", 2, MSG_MORE) == 2 && send(s[0], "ij", 2, MSG_PROBE) == 2);
	receives(s[1], "gh");
	set(s[0], IPPROTO_UDP, UDP_CORK, 1);
	CHECK(send(s[0], "kl", 2, MSG_PROBE) == 2);
	set(s[0], IPPROTO_UDP, UDP_CORK, 0);
	nothing_more(s[1]);
	CHECK(send(s[0], nowhere, 65530, MSG_PROBE) == 65530);
	if (family == AF_INET)
		CHECK_ERRNO(send(s[0], nowhere, 66000, MSG_PROBE), EMSGSIZE);
	else
		CHECK(send(s[0], nowhere, 66000, MSG_PROBE) == 66000);
	nothing_more(s[1]);
	close(s[0]);
	close(s[1]);
	/* Without an address it has a port by then. */
	s[0] = socket(family, SOCK_DGRAM, 0);
	CHECK_ERRNO(send(s[0], "p", 1, MSG_PROBE), EDESTADDRREQ);
	CHECK(getsockname(s[0], (void *)&own, &len) == 0 && ((struct sockaddr_in *)&own)->sin_port != 0);
	close(s[0]);
}

static void probes(void)
{
	probe(AF_INET);
	probe(AF_INET6);
}

static void bound_to_device(void)
{
	struct sockaddr_in address = at4("127.0.0.1", 9);
	char name[16] = "";
	socklen_t len = sizeof(name);
	int s[2];

	CHECK(udp_pair(AF_INET, s));
	CHECK(setsockopt(s[1], SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) == 0);
	CHECK(getsockopt(s[1], SOL_SOCKET, SO_BINDTODEVICE, name, &len) == 0 && len == 3 && !strcmp(name, "lo"));
	CHECK(get(s[1], SOL_SOCKET, SO_BINDTOIFINDEX) == 1);
	CHECK(send(s[0], "x", 1, 0) == 1 && recv(s[1], name, sizeof(name), 0) == 1);
	CHECK(sendto(s[1], "x", 1, 0, (void *)&address, sizeof(address)) == 1);
	close(s[0]);
	close(s[1]);
}

/* ---- filters ---- */

static void attach(int s, struct sock_filter *program, unsigned short count)
{
	struct sock_fprog fprog = {count, program};

	CHECK(setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &fprog, sizeof(fprog)) == 0);
}

/* The byte at `at` must be 'y'; then `wanted` bytes of the packet are. */
#define WANT_Y(at, wanted)                                      \
	{                                                       \
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, at),         \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'y', 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, wanted),              \
		BPF_STMT(BPF_RET | BPF_K, 0),                   \
	}

static void filters(void)
{
	struct sock_filter udp[] = WANT_Y(8, 11), local[] = WANT_Y(0, 2), read_back[8];
	struct sock_filter protocol[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_NET_OFF + 12), BPF_STMT(BPF_RET | BPF_A, 0)};
	struct sock_filter wrong[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0)};
	struct sock_fprog bad = {1, wrong}, none = {0, wrong};
	socklen_t count = 8;
	char buf[16];
	int s[2];

	CHECK(udp_pair(AF_INET, s));
	attach(s[1], udp, 4);
	CHECK(send(s[0], "no", 2, 0) == 2 && send(s[0], "yes indeed", 10, 0) == 10);
	CHECK(recv(s[1], buf, sizeof(buf), MSG_DONTWAIT) == 3 && !memcmp(buf, "yes", 3));
	CHECK_ERRNO(recv(s[1], buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	CHECK(getsockopt(s[1], SOL_SOCKET, SO_GET_FILTER, read_back, &count) == 0 && count == 4 && !memcmp(read_back, udp, sizeof(udp)));
	count = 2;
	CHECK_ERRNO(getsockopt(s[1], SOL_SOCKET, SO_GET_FILTER, read_back, &count), EINVAL);
	CHECK_ERRNO(setsockopt(s[1], SOL_SOCKET, SO_ATTACH_FILTER, &bad, sizeof(bad)), EINVAL);
	CHECK_ERRNO(setsockopt(s[1], SOL_SOCKET, SO_ATTACH_FILTER, &none, sizeof(none)), EINVAL);
	attach(s[1], protocol, 2); /* the source address, from the header before: not 0 */
	CHECK(send(s[0], "no", 2, 0) == 2 && recv(s[1], buf, sizeof(buf), MSG_DONTWAIT) == 2);
	set(s[1], SOL_SOCKET, SO_DETACH_FILTER, 0);
	CHECK_ERRNO(setsockopt(s[1], SOL_SOCKET, SO_DETACH_FILTER, buf, sizeof(int)), ENOENT);
	attach(s[1], udp, 4);
	set(s[1], SOL_SOCKET, SO_LOCK_FILTER, 1);
	CHECK_ERRNO(setsockopt(s[1], SOL_SOCKET, SO_DETACH_FILTER, buf, sizeof(int)), EPERM);
	CHECK_ERRNO(setsockopt(s[1], SOL_SOCKET, SO_LOCK_FILTER, &(int){0}, sizeof(int)), EPERM);
	close(s[0]);
	close(s[1]);
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0);
	attach(s[1], local, 4);
	CHECK(send(s[0], "no", 2, 0) == 2 && send(s[0], "yes", 3, 0) == 3);
	CHECK(recv(s[1], buf, sizeof(buf), MSG_DONTWAIT) == 2 && !memcmp(buf, "ye", 2));
	CHECK_ERRNO(recv(s[1], buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	close(s[0]);
	close(s[1]);
}

/* A filter that lets nothing through: the answer is lost. */
static void netlink_filter(void)
{
	struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	struct {
		struct nlmsghdr header;
		struct rtgenmsg body;
	} request = {{sizeof(request), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, {AF_UNSPEC}};
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	char buf[8192];

	CHECK(send(s, &request, sizeof(request), 0) == sizeof(request));
	CHECK(recv(s, buf, sizeof(buf), MSG_DONTWAIT) > 0);
	while (recv(s, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	attach(s, nothing, 1);
	CHECK(send(s, &request, sizeof(request), 0) == sizeof(request));
	CHECK_ERRNO(recv(s, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	close(s);
}

/* ---- who the other side is ---- */

static int fdinfo_pid(int pidfd)
{
	char path[64], line[128];
	int pid = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "Pid: %d", &pid);
	if (f)
		fclose(f);
	return pid;
}

static void peer_process(void)
{
	struct ucred cred = {0}, *sent;
	socklen_t len = sizeof(cred);
	char buf[8];
	size_t n = sizeof(buf);
	int s[2], *fd, pidfd;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	CHECK(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && cred.pid == getpid() && cred.uid == getuid());
	len = sizeof(pidfd);
	CHECK(getsockopt(s[0], SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) == 0);
	CHECK(fdinfo_pid(pidfd) == getpid() && fcntl(pidfd, F_GETFD) == FD_CLOEXEC);
	close(pidfd);
	set(s[1], SOL_SOCKET, SO_PASSCRED, 1);
	CHECK(write(s[0], "x", 1) == 1);
	sent = receive_control(s[1], SOL_SOCKET, SCM_CREDENTIALS, buf, &n);
	CHECK(sent && sent->pid == getpid());
	set(s[1], SOL_SOCKET, SO_PASSCRED, 0);
	set(s[1], SOL_SOCKET, SO_PASSPIDFD, 1);
	CHECK(write(s[0], "x", 1) == 1);
	n = sizeof(buf);
	fd = receive_control(s[1], SOL_SOCKET, SCM_PIDFD, buf, &n);
	CHECK(fd && fdinfo_pid(*fd) == getpid());
	if (fd)
		close(*fd);
	close(s[0]);
	close(s[1]);
}

/* Each side is told the other's number as its own namespace has it; 0: it has none there. */
static void across_namespaces(void)
{
	struct ucred cred = {-1, 0, 0}, *sent;
	socklen_t len = sizeof(cred);
	char buf[8];
	size_t n = sizeof(buf);
	int s[2], status;
	pid_t child;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	set(s[0], SOL_SOCKET, SO_PASSCRED, 1);
	if (unshare(CLONE_NEWPID)) {
		int error = errno;

		CHECK(error == EPERM);
		return;
	}
	child = fork();
	if (!child) {
		CHECK(getpid() == 1);
		CHECK(getsockopt(s[1], SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && cred.pid == 0);
		CHECK(write(s[1], "x", 1) == 1);
		_exit(CHECK_RESULT());
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	sent = receive_control(s[0], SOL_SOCKET, SCM_CREDENTIALS, buf, &n);
	CHECK(sent && n == 1 && sent->pid != 1);
	close(s[0]);
	close(s[1]);
}

static void peer_groups(void)
{
	gid_t groups[3] = {5, 77, 1000}, got[8], many[200], all[200];
	socklen_t len = sizeof(got);
	int s[2];

	CHECK(setgroups(3, groups) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	CHECK(getsockopt(s[0], SOL_SOCKET, SO_PEERGROUPS, got, &len) == 0 && len == sizeof(groups) && !memcmp(got, groups, len));
	len = 4;
	CHECK_ERRNO(getsockopt(s[0], SOL_SOCKET, SO_PEERGROUPS, got, &len), ERANGE);
	CHECK(len == sizeof(groups));
	close(s[0]);
	close(s[1]);
	for (unsigned i = 0; i < 200; i++)
		many[i] = 100 + i;
	CHECK(setgroups(200, many) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	len = sizeof(all);
	CHECK(getsockopt(s[0], SOL_SOCKET, SO_PEERGROUPS, all, &len) == 0 && len == sizeof(all) && !memcmp(all, many, len));
	len = 256;
	CHECK_ERRNO(getsockopt(s[0], SOL_SOCKET, SO_PEERGROUPS, all, &len), ERANGE);
	CHECK(len == sizeof(all));
	CHECK(setgroups(3, groups) == 0);
	close(s[0]);
	close(s[1]);
}

/* The range of sends that a note of the error queue says are done, as copies; 0: there is none. */
static int zerocopy_note(int s, unsigned *first, unsigned *last)
{
	union {
		struct cmsghdr align;
		char bytes[200];
	} control;
	struct iovec v = {NULL, 0};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	struct pollfd p = {s, 0, 0};
	struct sock_extended_err e;

	if (poll(&p, 1, 1000) != 1 || !(p.revents & POLLERR) || recvmsg(s, &m, MSG_ERRQUEUE) < 0)
		return 0;
	memcpy(&e, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(e));
	CHECK(e.ee_errno == 0 && e.ee_origin == SO_EE_ORIGIN_ZEROCOPY && e.ee_code == SO_EE_CODE_ZEROCOPY_COPIED);
	CHECK(m.msg_flags & MSG_ERRQUEUE);
	*first = e.ee_info;
	*last = e.ee_data;
	return 1;
}

/* SO_ZEROCOPY: on a loopback the bytes are copied, and the note says so. */
static void zerocopy(void)
{
	int s[2], u[2], udp = socket(AF_INET, SOCK_DGRAM, 0), unused = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	unsigned first = 9, last = 9, next = 0;
	static char buf[100000];
	struct sockaddr_in self;
	socklen_t len = sizeof(self);

	CHECK(tcp_pair(s));
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, u) == 0);
	CHECK_ERRNO(setsockopt(u[0], SOL_SOCKET, SO_ZEROCOPY, &(int){1}, sizeof(int)), EOPNOTSUPP);
	CHECK_ERRNO(setsockopt(s[0], SOL_SOCKET, SO_ZEROCOPY, &(int){2}, sizeof(int)), EINVAL);
	if (unused >= 0)
		CHECK_ERRNO(setsockopt(unused, SOL_SOCKET, SO_ZEROCOPY, &(int){1}, sizeof(int)), EOPNOTSUPP);
	CHECK(send(s[0], buf, 10, MSG_ZEROCOPY) == 10); /* not asked for: an ordinary send */
	CHECK_ERRNO(recv(s[0], buf, 1, MSG_ERRQUEUE | MSG_DONTWAIT), EAGAIN);
	set(s[0], SOL_SOCKET, SO_ZEROCOPY, 1);
	CHECK(send(s[0], buf, 20000, MSG_ZEROCOPY) == 20000 && send(s[0], buf, 20000, MSG_ZEROCOPY) == 20000);
	for (size_t n = 0; n < 40010;) {
		ssize_t part = recv(s[1], buf, sizeof(buf), 0);

		CHECK(part > 0);
		n += part > 0 ? (size_t)part : sizeof(buf);
	}
	while (next < 2 && zerocopy_note(s[0], &first, &last)) {
		CHECK(first == next && last >= first);
		next = last + 1;
	}
	CHECK(next == 2);
	set(udp, SOL_SOCKET, SO_ZEROCOPY, 1);
	self = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	CHECK(bind(udp, (void *)&self, sizeof(self)) == 0 && getsockname(udp, (void *)&self, &len) == 0);
	CHECK(sendto(udp, buf, 100, MSG_ZEROCOPY, (void *)&self, sizeof(self)) == 100 && recv(udp, buf, 200, 0) == 100);
	CHECK(zerocopy_note(udp, &first, &last) && first == 0 && last == 0);
	for (int i = 0; i < 2; i++) {
		close(s[i]);
		close(u[i]);
	}
	close(udp);
	close(unused);
}

int main(void)
{
	harness_start();
	signal(SIGPIPE, SIG_IGN);
	RUN(timeouts);
	RUN(zerocopy);
	RUN(low_water);
	RUN(linger_resets);
	RUN(deferred);
	RUN(user_timeout);
	RUN(tcp_others);
	RUN(free_bind);
	RUN(times);
	RUN(where_to);
	RUN(drops);
	RUN(corked);
	RUN(probes);
	RUN(bound_to_device);
	RUN(filters);
	RUN(netlink_filter);
	RUN(peer_process);
	ISOLATED(peer_groups);
	ISOLATED(across_namespaces);
	return CHECK_RESULT();
}
