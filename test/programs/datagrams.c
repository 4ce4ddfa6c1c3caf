/*
 * UDP over loopback: names, both families, truncation, errors that ICMP brings, control messages, ping sockets.
 */
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "harness.h"
#include "internet.h"

static int bound(const char *ip, int port)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in a = at4(ip, port);

	CHECK(bind(s, (void *)&a, sizeof(a)) == 0);
	return s;
}

static short ready(int s, short events, int timeout)
{
	struct pollfd p = {s, events, 0};

	return poll(&p, 1, timeout) < 0 ? -1 : p.revents;
}

static void simple(void)
{
	int s = bound("127.0.0.1", 0), c = socket(AF_INET, SOCK_DGRAM, 0), there;
	struct sockaddr_in a = at4("127.0.0.1", port_of(s)), from;
	socklen_t len = sizeof(from);
	char buf[100];

	CHECK(ready(s, POLLIN | POLLOUT, 0) == POLLOUT);
	CHECK_ERRNO(send(c, "x", 1, 0), EDESTADDRREQ);
	CHECK(sendto(c, "one", 3, 0, (void *)&a, sizeof(a)) == 3);
	CHECK(port_of(c) > 0);
	CHECK(sendto(c, "twotwo", 6, 0, (void *)&a, sizeof(a)) == 6 && sendto(c, "", 0, 0, (void *)&a, sizeof(a)) == 0);
	CHECK(ready(s, POLLIN | POLLOUT, 1000) == (POLLIN | POLLOUT));
	CHECK(ioctl(s, FIONREAD, &there) == 0 && there == 3);
	CHECK(recvfrom(s, buf, sizeof(buf), 0, (void *)&from, &len) == 3 && len == sizeof(from) &&
	      ntohs(from.sin_port) == port_of(c) && from.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	CHECK(recv(s, buf, 2, MSG_PEEK | MSG_TRUNC) == 6);
	struct iovec v = {buf, 2};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	CHECK(recvmsg(s, &m, 0) == 2 && m.msg_flags == MSG_TRUNC);
	CHECK(recv(s, buf, 2, 0) == 0);
	CHECK_ERRNO(recv(s, buf, 2, MSG_DONTWAIT), EAGAIN);
	a.sin_port = 0;
	CHECK_ERRNO(sendto(c, "x", 1, 0, (void *)&a, sizeof(a)), EINVAL);
	CHECK_ERRNO(sendto(c, "x", 1, 0, (void *)&a, 3), EINVAL);
	char *big = calloc(1, 70000);
	a.sin_port = htons(port_of(s));
	CHECK_ERRNO(sendto(c, big, 65508, 0, (void *)&a, sizeof(a)), EMSGSIZE);
	CHECK(sendto(c, big, 65507, 0, (void *)&a, sizeof(a)) == 65507 && recv(s, big, 70000, 0) == 65507);
	free(big);
	CHECK_ERRNO(listen(s, 1), EOPNOTSUPP);
	CHECK_ERRNO(accept(s, NULL, NULL), EOPNOTSUPP);
	CHECK_ERRNO(bind(s, (void *)&a, sizeof(a)), EINVAL);
	close(c);
	close(s);
}

static void connected(void)
{
	int s = bound("127.0.0.1", 0), c = socket(AF_INET, SOCK_DGRAM, 0), other = bound("127.0.0.1", 0);
	struct sockaddr_in a = at4("127.0.0.1", port_of(s)), b;
	socklen_t len = sizeof(b);
	char buf[10];

	CHECK_ERRNO(getpeername(c, (void *)&b, &len), ENOTCONN);
	CHECK(connect(c, (void *)&a, sizeof(a)) == 0);
	CHECK(getpeername(c, (void *)&b, &len) == 0 && b.sin_port == a.sin_port);
	CHECK(getsockname(c, (void *)&b, &len) == 0 && b.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && b.sin_port);
	CHECK(write(c, "hi", 2) == 2 && read(s, buf, sizeof(buf)) == 2);
	/* only the peer is heard */
	CHECK(sendto(other, "no", 2, 0, (void *)&b, sizeof(b)) == 2);
	CHECK(sendto(s, "yes", 3, 0, (void *)&b, sizeof(b)) == 3);
	CHECK(read(c, buf, sizeof(buf)) == 3);
	CHECK_ERRNO(recv(c, buf, 1, MSG_DONTWAIT), EAGAIN);
	/* nobody there: ICMP tells */
	close(s);
	CHECK(write(c, "x", 1) == 1);
	CHECK(ready(c, POLLIN, 1000) & POLLERR);
	CHECK_ERRNO(recv(c, buf, 1, 0), ECONNREFUSED);
	CHECK_ERRNO(recv(c, buf, 1, MSG_DONTWAIT), EAGAIN);
	CHECK(write(c, "x", 1) == 1);
	CHECK_ERRNO(write(c, "x", 1), ECONNREFUSED);
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	CHECK(connect(c, &none, sizeof(none)) == 0);
	CHECK_ERRNO(write(c, "x", 1), EDESTADDRREQ);
	CHECK_ERRNO(shutdown(c, SHUT_RD), ENOTCONN);
	close(c);
	close(other);
}

static void names(void)
{
	int s = bound("127.0.0.1", 0), t = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
	struct sockaddr_in a = at4("127.0.0.1", port_of(s)), any = at4("0.0.0.0", port_of(s)), bad = at4("192.0.2.1", 0);

	CHECK_ERRNO(bind(t, (void *)&a, sizeof(a)), EADDRINUSE);
	CHECK_ERRNO(bind(t, (void *)&any, sizeof(any)), EADDRINUSE);
	CHECK_ERRNO(bind(t, (void *)&bad, sizeof(bad)), EADDRNOTAVAIL);
	CHECK(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
	CHECK(setsockopt(t, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
	CHECK(bind(t, (void *)&any, sizeof(any)) == 0);
	/* the more exact one gets it */
	char buf[4];
	CHECK(sendto(t, "abc", 3, 0, (void *)&a, sizeof(a)) == 3);
	CHECK(recv(s, buf, 4, MSG_DONTWAIT) == 3);
	CHECK_ERRNO(recv(t, buf, 4, MSG_DONTWAIT), EAGAIN);
	close(s);
	close(t);
}

static void six(void)
{
	int s = socket(AF_INET6, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0), d = socket(AF_INET6, SOCK_DGRAM, 0);
	struct sockaddr_in6 a = at6("::", 0), from, b;
	socklen_t len = sizeof(from);
	char buf[10];

	CHECK(bind(s, (void *)&a, sizeof(a)) == 0);
	struct sockaddr_in a4 = at4("127.0.0.1", port_of(s));
	CHECK(sendto(c, "4", 1, 0, (void *)&a4, sizeof(a4)) == 1);
	CHECK(recvfrom(s, buf, 10, 0, (void *)&from, &len) == 1 && len == sizeof(from) && IN6_IS_ADDR_V4MAPPED(&from.sin6_addr));
	CHECK(sendto(s, "back", 4, 0, (void *)&from, len) == 4 && recv(c, buf, 10, 0) == 4);
	b = at6("::1", port_of(s));
	CHECK(sendto(d, "6", 1, 0, (void *)&b, sizeof(b)) == 1);
	CHECK(recvfrom(s, buf, 10, 0, (void *)&from, &len) == 1 && IN6_IS_ADDR_LOOPBACK(&from.sin6_addr));
	CHECK_ERRNO(sendto(c, "x", 1, 0, (void *)&b, sizeof(b)), EAFNOSUPPORT);
	close(s);
	CHECK(connect(d, (void *)&b, sizeof(b)) == 0 && write(d, "x", 1) == 1);
	CHECK_ERRNO(recv(d, buf, 1, 0), ECONNREFUSED);
	close(c);
	close(d);
}

static void control(void)
{
	int s = bound("0.0.0.0", 0), c = socket(AF_INET, SOCK_DGRAM, 0), one = 1, seen = 0;
	struct sockaddr_in a = at4("127.0.0.5", port_of(s)), b;
	char buf[16], cbuf[512];
	struct iovec v = {buf, sizeof(buf)};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = cbuf, .msg_controllen = sizeof(cbuf)};

	CHECK(setsockopt(s, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one)) == 0);
	CHECK(setsockopt(s, IPPROTO_IP, IP_RECVTTL, &one, sizeof(one)) == 0);
	CHECK(setsockopt(s, IPPROTO_IP, IP_RECVTOS, &one, sizeof(one)) == 0);
	CHECK(setsockopt(s, SOL_SOCKET, SO_TIMESTAMP, &one, sizeof(one)) == 0);
	CHECK(sendto(c, "x", 1, 0, (void *)&a, sizeof(a)) == 1);
	CHECK(recvmsg(s, &m, 0) == 1);
	for (struct cmsghdr *k = CMSG_FIRSTHDR(&m); k; k = CMSG_NXTHDR(&m, k)) {
		if (k->cmsg_level == IPPROTO_IP && k->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo *info = (void *)CMSG_DATA(k);

			CHECK(info->ipi_addr.s_addr == a.sin_addr.s_addr && info->ipi_ifindex == 1);
			seen |= 1;
		}
		if (k->cmsg_level == IPPROTO_IP && k->cmsg_type == IP_TTL)
			seen |= *(int *)CMSG_DATA(k) == 64 ? 2 : 0;
		if (k->cmsg_level == IPPROTO_IP && k->cmsg_type == IP_TOS)
			seen |= *CMSG_DATA(k) == 0 ? 4 : 0;
		if (k->cmsg_level == SOL_SOCKET && k->cmsg_type == SO_TIMESTAMP) {
			struct timeval *t = (void *)CMSG_DATA(k);

			seen |= llabs(t->tv_sec * 1000000000ll - now_ns(CLOCK_REALTIME)) < 5000000000ll ? 8 : 0;
		}
	}
	CHECK(seen == 15);
	/* a source of our choice */
	struct {
		struct cmsghdr h;
		struct in_pktinfo info;
	} out = {{CMSG_LEN(sizeof(out.info)), IPPROTO_IP, IP_PKTINFO}, {.ipi_spec_dst = at4("127.0.0.9", 0).sin_addr}};
	struct msghdr o = {.msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = &v, .msg_iovlen = 1, .msg_control = &out,
		.msg_controllen = sizeof(out)};
	socklen_t len = sizeof(b);
	CHECK(sendmsg(c, &o, 0) == sizeof(buf));
	CHECK(recvfrom(s, buf, sizeof(buf), 0, (void *)&b, &len) == sizeof(buf) && b.sin_addr.s_addr == out.info.ipi_spec_dst.s_addr);
	/* errors as messages */
	CHECK(setsockopt(c, IPPROTO_IP, IP_RECVERR, &one, sizeof(one)) == 0);
	close(s);
	CHECK(sendto(c, "lost", 4, 0, (void *)&a, sizeof(a)) == 4);
	CHECK(ready(c, 0, 1000) & POLLERR);
	m.msg_controllen = sizeof(cbuf);
	m.msg_name = &b;
	m.msg_namelen = sizeof(b);
	CHECK(recvmsg(c, &m, MSG_ERRQUEUE) == 4 && !memcmp(buf, "lost", 4) && m.msg_flags & MSG_ERRQUEUE && b.sin_port == a.sin_port);
	struct cmsghdr *k = CMSG_FIRSTHDR(&m);
	CHECK(k && k->cmsg_level == IPPROTO_IP && k->cmsg_type == IP_RECVERR);
	if (k) {
		struct sock_extended_err *e = (void *)CMSG_DATA(k);

		CHECK(e->ee_errno == ECONNREFUSED && e->ee_origin == SO_EE_ORIGIN_ICMP && e->ee_type == 3 && e->ee_code == 3);
	}
	CHECK_ERRNO(recvmsg(c, &m, MSG_ERRQUEUE), EAGAIN);
	close(c);
}

/* One number in a control message to 127.0.0.1 or ::1: 0, or the errno of sendmsg(2). */
static int send_number(int family, int s, uint16_t port, int level, int type, const void *data, size_t len)
{
	struct sockaddr_in a = at4("127.0.0.1", port);
	struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	union {
		char bytes[64];
		struct cmsghdr h;
	} out = {.h = {CMSG_LEN(len), level, type}};
	struct iovec v = {"x", 1};
	struct msghdr m = {.msg_name = family == AF_INET ? (void *)&a : (void *)&a6, .msg_namelen = family == AF_INET ? sizeof(a) : sizeof(a6),
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = &out, .msg_controllen = CMSG_SPACE(len)};

	memcpy(CMSG_DATA(&out.h), data, len);
	return sendmsg(s, &m, 0) == 1 ? 0 : errno;
}

/* The number that the next message came with, by recvmsg(2); -1: none. */
static int received_number(int s, int level, int type)
{
	char buf[8], cbuf[256];
	struct iovec v = {buf, sizeof(buf)};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = cbuf, .msg_controllen = sizeof(cbuf)};

	CHECK(recvmsg(s, &m, 0) == 1);
	for (struct cmsghdr *k = CMSG_FIRSTHDR(&m); k; k = CMSG_NXTHDR(&m, k))
		if (k->cmsg_level == level && k->cmsg_type == type)
			return k->cmsg_len == CMSG_LEN(1) ? *CMSG_DATA(k) : *(int *)CMSG_DATA(k);
	return -1;
}

/* TTL and traffic class of one message: QUIC's congestion marks go this way. */
static void marks(void)
{
	int one = 1, value = 0x2a, large = 256, zero = 0, least = -1;
	uint8_t byte = 3;
	int s = bound("127.0.0.1", 0), c = socket(AF_INET, SOCK_DGRAM, 0);
	uint16_t port = port_of(s);

	CHECK(setsockopt(s, IPPROTO_IP, IP_RECVTTL, &one, sizeof(one)) == 0 && setsockopt(s, IPPROTO_IP, IP_RECVTOS, &one, sizeof(one)) == 0);
	CHECK(send_number(AF_INET, c, port, IPPROTO_IP, IP_TTL, &value, 4) == 0 && received_number(s, IPPROTO_IP, IP_TTL) == 0x2a);
	CHECK(send_number(AF_INET, c, port, IPPROTO_IP, IP_TOS, &value, 4) == 0 && received_number(s, IPPROTO_IP, IP_TOS) == 0x2a);
	CHECK(send_number(AF_INET, c, port, IPPROTO_IP, IP_TOS, &byte, 1) == 0 && received_number(s, IPPROTO_IP, IP_TOS) == 3);
	CHECK(send_number(AF_INET, c, port, IPPROTO_IPV6, IPV6_TCLASS, &value, 4) == 0 && received_number(s, IPPROTO_IP, IP_TOS) == 0);
	CHECK(send_number(AF_INET, c, port, IPPROTO_IP, IP_TOS, &large, 4) == EINVAL);
	CHECK(send_number(AF_INET, c, port, IPPROTO_IP, IP_TTL, &zero, 4) == EINVAL);
	CHECK(send_number(AF_INET, c, port, IPPROTO_IP, IP_TTL, &byte, 1) == EINVAL);
	close(c);
	close(s);

	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	s = socket(AF_INET6, SOCK_DGRAM, 0);
	c = socket(AF_INET6, SOCK_DGRAM, 0);
	CHECK(bind(s, (void *)&any, sizeof(any)) == 0);
	port = port_of(s);
	CHECK(setsockopt(s, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &one, sizeof(one)) == 0);
	CHECK(setsockopt(s, IPPROTO_IPV6, IPV6_RECVTCLASS, &one, sizeof(one)) == 0);
	CHECK(send_number(AF_INET6, c, port, IPPROTO_IPV6, IPV6_HOPLIMIT, &value, 4) == 0 &&
		received_number(s, IPPROTO_IPV6, IPV6_HOPLIMIT) == 0x2a);
	CHECK(send_number(AF_INET6, c, port, IPPROTO_IPV6, IPV6_TCLASS, &value, 4) == 0 &&
		received_number(s, IPPROTO_IPV6, IPV6_TCLASS) == 0x2a);
	CHECK(send_number(AF_INET6, c, port, IPPROTO_IPV6, IPV6_HOPLIMIT, &least, 4) == 0 &&
		received_number(s, IPPROTO_IPV6, IPV6_HOPLIMIT) == 64);
	CHECK(send_number(AF_INET6, c, port, IPPROTO_IPV6, IPV6_TCLASS, &large, 4) == EINVAL);
	CHECK(send_number(AF_INET6, c, port, IPPROTO_IPV6, IPV6_TCLASS, &byte, 1) == EINVAL);
	close(c);
	close(s);
}

static void several(void)
{
	int s = bound("127.0.0.1", 0), c = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in a = at4("127.0.0.1", port_of(s));
	char in[3][8], out[3][8] = {"a", "bb", "ccc"};
	struct iovec v[3], w[3];
	struct mmsghdr m[3] = {0}, n[3] = {0};

	CHECK(connect(c, (void *)&a, sizeof(a)) == 0);
	for (int i = 0; i < 3; i++) {
		v[i] = (struct iovec){out[i], (size_t)i + 1};
		w[i] = (struct iovec){in[i], 8};
		m[i].msg_hdr = (struct msghdr){.msg_iov = &v[i], .msg_iovlen = 1};
		n[i].msg_hdr = (struct msghdr){.msg_iov = &w[i], .msg_iovlen = 1};
	}
	CHECK(sendmmsg(c, m, 3, 0) == 3 && m[2].msg_len == 3);
	CHECK(recvmmsg(s, n, 3, MSG_WAITFORONE, NULL) == 3 && n[0].msg_len == 1 && n[1].msg_len == 2 && n[2].msg_len == 3);
	/* a socket that nobody reads drops */
	int sent = 0;
	char big[1000] = {0};
	for (int i = 0; i < 5000; i++)
		sent += send(c, big, sizeof(big), 0) == sizeof(big);
	CHECK(sent == 5000);
	int got = 0;
	while (recv(s, big, sizeof(big), MSG_DONTWAIT) > 0)
		got++;
	CHECK(got > 20 && got < 1000);
	close(c);
	close(s);
}

static void ping(void)
{
	int s = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	struct sockaddr_in a = at4("127.0.0.1", 0);
	char buf[200];

	if (s < 0 && errno == EPERM)
		return;
	struct {
		struct icmphdr h;
		char data[8];
	} echo = {{.type = ICMP_ECHO}, "payload"};
	echo.h.un.echo.id = htons(77);
	echo.h.un.echo.sequence = htons(1);
	unsigned sum = 0;
	for (unsigned i = 0; i < sizeof(echo) / 2; i++)
		sum += ((unsigned short *)&echo)[i];
	sum = (sum & 0xffff) + (sum >> 16);
	echo.h.checksum = (unsigned short)~(sum + (sum >> 16));
	CHECK(sendto(s, &echo, sizeof(echo), 0, (void *)&a, sizeof(a)) == sizeof(echo));
	for (;;) {
		if (ready(s, POLLIN, 1000) != POLLIN || recv(s, buf, sizeof(buf), 0) != 20 + (int)sizeof(echo)) {
			CHECK(!"an echo reply");
			break;
		}
		struct icmphdr *h = (void *)(buf + 20);
		if (h->type == ICMP_ECHOREPLY && h->un.echo.id == htons(77)) {
			CHECK(!memcmp(buf + 28, "payload", 8));
			break;
		}
	}
	close(s);
}

int main(void)
{
	harness_start();
	RUN(simple);
	RUN(connected);
	RUN(names);
	RUN(six);
	RUN(control);
	RUN(marks);
	RUN(several);
	RUN(ping);
	return CHECK_RESULT();
}
