/*
 * Several datagrams in one call (udp(7)): UDP_SEGMENT as an option and as a control message, UDP_GRO on the other side, what is
 * gathered first (UDP_CORK), and the limits. Each step is printed, and the lines are compared with Linux's.
 */
#include <netinet/udp.h>

#include "harness.h"
#include "internet.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO 104
#endif
#define UDP_CORK_OPTION 1
#define UDP_ENCAP_OPTION 100

static int sender, receiver, family, in_order;
static char bytes[70000], got[70000];

static void set(int s, int level, int option, int value)
{
	printf("set %d %d = %d: %s\n", level, option, value,
		setsockopt(s, level, option, &value, sizeof(value)) ? strerrorname_np(errno) : "ok");
}

static void start(void)
{
	struct sockaddr_in a4 = at4("127.0.0.1", 0);
	struct sockaddr_in6 a6 = at6("::1", 0);
	struct sockaddr *a = family == AF_INET ? (void *)&a4 : (void *)&a6;
	socklen_t len = family == AF_INET ? sizeof(a4) : sizeof(a6);

	sender = socket(family, SOCK_DGRAM, 0);
	receiver = socket(family, SOCK_DGRAM, 0);
	CHECK(bind(receiver, a, len) == 0 && getsockname(receiver, a, &len) == 0 && connect(sender, a, len) == 0);
}

static void end(void)
{
	close(sender);
	close(receiver);
}

/* Everything that has come: sizes, how many of a size one behind the other, and of what pieces. */
static void hear(void)
{
	ssize_t last = -2, rc;
	int count = 0, piece = 0;
	size_t at = 0;

	for (;;) {
		char control[64];
		struct iovec iov = {got, sizeof(got)};
		struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
		struct cmsghdr *c;
		int now = 0;

		rc = recvmsg(receiver, &msg, MSG_DONTWAIT);
		for (c = rc >= 0 ? CMSG_FIRSTHDR(&msg) : NULL; c; c = CMSG_NXTHDR(&msg, c))
			if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO && c->cmsg_len == CMSG_LEN(sizeof(now)))
				memcpy(&now, CMSG_DATA(c), sizeof(now));
		CHECK(rc < 0 || !in_order || !memcmp(got, bytes + at, (size_t)rc));
		at += rc > 0 ? (size_t)rc : 0;
		if (rc == last && now == piece) {
			count++;
			continue;
		}
		if (count)
			printf(" %dx%zd%s", count, last, piece ? "!" : "");
		if (count && piece)
			printf("%d", piece);
		last = rc;
		count = 1;
		piece = now;
		if (rc < 0)
			break;
	}
	printf("\n");
}

static void say(size_t len, int segment, int flags)
{
	char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
	struct iovec iov = {bytes, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	uint16_t size = (uint16_t)segment;
	ssize_t rc;

	if (segment >= 0) {
		struct cmsghdr *c;

		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_UDP;
		c->cmsg_type = UDP_SEGMENT;
		c->cmsg_len = CMSG_LEN(sizeof(size));
		memcpy(CMSG_DATA(c), &size, sizeof(size));
	}
	rc = sendmsg(sender, &msg, flags);
	printf("send %zu by %d: %zd %s", len, segment, rc, rc < 0 ? strerrorname_np(errno) : "");
	hear();
}

static void sizes(void)
{
	in_order = 1;
	set(sender, SOL_UDP, UDP_SEGMENT, 1000);
	say(3000, -1, 0);
	say(3100, -1, 0);
	say(900, -1, 0);
	say(1000, -1, 0);
	say(0, -1, 0);
	say(3000, 700, 0);
	say(3000, 0, 0);
	say(60000, -1, 0);
	say(60000, 400, 0);
	say(128, 1, 0);
	say(129, 1, 0);
	say(65507, 65507, 0);
	say(65508, -1, 0);
}

static void together(void)
{
	set(receiver, SOL_UDP, UDP_GRO, 1);
	say(3000, -1, 0);
	say(3100, -1, 0);
	say(900, -1, 0);
	say(1001, -1, 0);
	set(receiver, SOL_UDP, UDP_GRO, 0);
	say(3000, -1, 0);
}

static void gathered(void)
{
	in_order = 0; /* what comes is of several calls */
	say(1500, -1, MSG_MORE);
	say(700, -1, 0);
	set(sender, SOL_UDP, UDP_CORK_OPTION, 1);
	say(300, 200, 0);
	say(300, -1, 0);
	set(sender, SOL_UDP, UDP_CORK_OPTION, 0);
	hear();
}

static void refused(void)
{
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {bytes, 10};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	set(sender, SOL_UDP, UDP_SEGMENT, -1);
	set(sender, SOL_UDP, UDP_SEGMENT, 65536);
	set(sender, SOL_UDP, UDP_SEGMENT, 0);
	*c = (struct cmsghdr){.cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT, .cmsg_len = CMSG_LEN(sizeof(int))};
	CHECK_ERRNO(sendmsg(sender, &msg, 0), EINVAL);
	*c = (struct cmsghdr){.cmsg_level = SOL_UDP, .cmsg_type = 99, .cmsg_len = CMSG_LEN(sizeof(uint16_t))};
	CHECK_ERRNO(sendmsg(sender, &msg, 0), EINVAL);
	set(receiver, SOL_UDP, UDP_ENCAP_OPTION, 0);
	set(receiver, SOL_UDP, UDP_ENCAP_OPTION, 77);
	set(receiver, SOL_UDP, UDP_ENCAP_OPTION, -1);
	if (family == AF_INET) {
		set(sender, SOL_SOCKET, SO_NO_CHECK, 1);
		say(3000, 1000, 0);
	}
}

int main(void)
{
	harness_start();
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7 >> 3);
	for (int i = 0; i < 2; i++) {
		family = i ? AF_INET6 : AF_INET;
		printf("-- %s\n", i ? "v6" : "v4");
		start();
		RUN(sizes);
		RUN(together);
		end();
		start();
		set(sender, SOL_UDP, UDP_SEGMENT, 1000);
		RUN(gathered);
		RUN(refused);
		end();
	}
	return CHECK_RESULT();
}
