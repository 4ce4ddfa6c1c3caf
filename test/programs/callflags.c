/*
 * Each flag of send(2) and recv(2), alone, on connected sockets of each family; the errors of addresses that bind(2), connect(2) and
 * sendto(2) are given. The lines are compared with Linux's.
 */
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/un.h>

#include "harness.h"
#include "internet.h"

static int pair[2];

static const struct kind {
	const char *name;
	int family, type;
} kinds[] = {{"unix stream", AF_UNIX, SOCK_STREAM}, {"unix datagram", AF_UNIX, SOCK_DGRAM}, {"unix seqpacket", AF_UNIX, SOCK_SEQPACKET},
	{"tcp", AF_INET, SOCK_STREAM}, {"tcp6", AF_INET6, SOCK_STREAM}, {"udp", AF_INET, SOCK_DGRAM}, {"udp6", AF_INET6, SOCK_DGRAM}};

static const char *result(long rc)
{
	static char text[4][40];
	static unsigned at;
	char *out = text[at++ % 4];

	if (rc < 0)
		snprintf(out, sizeof(text[0]), "%s", strerrorname_np(errno));
	else
		snprintf(out, sizeof(text[0]), "%ld", rc);
	return out;
}

static void connect_pair(const struct kind *kind)
{
	struct sockaddr_in a4 = at4("127.0.0.1", 0);
	struct sockaddr_in6 a6 = at6("::1", 0);
	struct sockaddr *a = kind->family == AF_INET ? (void *)&a4 : (void *)&a6;
	socklen_t len = kind->family == AF_INET ? sizeof(a4) : sizeof(a6);
	int s;

	if (kind->family == AF_UNIX) {
		CHECK(socketpair(AF_UNIX, kind->type, 0, pair) == 0);
		return;
	}
	s = socket(kind->family, kind->type, 0);
	pair[0] = socket(kind->family, kind->type, 0);
	CHECK(bind(s, a, len) == 0 && (kind->type != SOCK_STREAM || listen(s, 1) == 0) && getsockname(s, a, &len) == 0);
	CHECK(connect(pair[0], a, len) == 0);
	pair[1] = s;
	if (kind->type != SOCK_STREAM)
		return;
	pair[1] = accept(s, NULL, NULL);
	close(s);
}

static void receive(unsigned flags, int first)
{
	char bytes[3] = "";
	struct iovec iov = {bytes, 2};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t rc = recvmsg(pair[1], &msg, (int)(flags | MSG_DONTWAIT));

	printf(first ? " %s" : ", %s", result(rc));
	if (rc >= 0)
		printf(" %s %#x", flags & MSG_TRUNC ? "" : bytes, msg.msg_flags & ~MSG_CMSG_CLOEXEC);
}

static void one_flag(const struct kind *kind, unsigned flag)
{
	ssize_t rc;

	connect_pair(kind);
	rc = send(pair[0], "abcd", 4, (int)(flag | MSG_NOSIGNAL | MSG_DONTWAIT));
	printf("%s %#x: send %s", kind->name, flag, result(rc));
	sleep_ms(1);
	receive(0, 1);
	close(pair[0]);
	close(pair[1]);
	connect_pair(kind);
	CHECK(send(pair[0], "abcd", 4, 0) == 4);
	sleep_ms(1);
	printf("; receive");
	receive(flag, 1);
	receive(flag, 0);
	receive(0, 0);
	printf("\n");
	close(pair[0]);
	close(pair[1]);
}

static void flags(void)
{
	for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (unsigned bit = 0; bit < 31; bit++)
			/* Not those of the kernel's own, one that begins a connection, and what waits for more: how long is the stack's. */
			if (1u << bit != MSG_FASTOPEN && bit != 16 && (1u << bit != MSG_MORE || kinds[k].type != SOCK_STREAM))
				one_flag(&kinds[k], 1u << bit);
}

/* ---- addresses ---- */

struct named {
	const char *name;
	struct sockaddr_storage address;
	socklen_t len;
};

static void try_address(const struct kind *kind, const struct named *n)
{
	int s = socket(kind->family, kind->type | SOCK_NONBLOCK, 0);
	long rc;

	printf("%s %s/%u:", kind->name, n->name, n->len);
	rc = bind(s, (void *)&n->address, n->len);
	printf(" bind %s", result(rc));
	close(s);
	s = socket(kind->family, kind->type | SOCK_NONBLOCK, 0);
	rc = connect(s, (void *)&n->address, n->len);
	printf(" connect %s", result(rc));
	close(s);
	s = socket(kind->family, kind->type | SOCK_NONBLOCK, 0);
	rc = sendto(s, "x", 1, MSG_NOSIGNAL, (void *)&n->address, n->len);
	printf(" sendto %s\n", result(rc));
	close(s);
}

static void addresses(void)
{
	struct named list[17] = {{.name = "two bytes of nothing", .len = 2}};
	unsigned count = 1, whole;
	static const struct {
		const char *name, *ip;
		int port;
	} internet[] = {{"loopback port 0", "127.0.0.1", 0}, {"not ours", "192.0.2.1", 0}, {"multicast", "224.0.0.9", 99},
		{"broadcast", "127.255.255.255", 99}, {"loopback6 port 0", "::1", 0}, {"mapped", "::ffff:127.0.0.1", 0}, {"not ours6", "2001:db8::1", 0}};

	for (unsigned i = 0; i < sizeof(internet) / sizeof(internet[0]); i++) {
		struct sockaddr_in a4 = at4(internet[i].ip, internet[i].port);
		struct sockaddr_in6 a6 = at6(internet[i].ip, internet[i].port);
		struct named *n = &list[count++];

		n->name = internet[i].name;
		n->len = i < 4 ? sizeof(a4) : sizeof(a6);
		memcpy(&n->address, i < 4 ? (void *)&a4 : (void *)&a6, n->len);
	}
	whole = count;
	list[count] = list[1];
	list[count++].len = 15;
	list[count] = list[5];
	list[count++].len = 23;
	list[count] = list[5];
	list[count++].len = 24;
	list[count] = list[1];
	list[count].name = "unspecific";
	list[count++].address.ss_family = AF_UNSPEC;
	list[count] = list[1];
	list[count].name = "netlink's";
	list[count++].address.ss_family = AF_NETLINK;
	list[count] = list[1];
	list[count].name = "long";
	list[count++].len = sizeof(struct sockaddr_storage);
	CHECK(whole < count);
	for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (unsigned i = 0; i < count; i++)
			if (kinds[k].family != AF_UNIX || list[i].len <= 2 || i > whole)
				if (strcmp(list[i].name, "multicast") && strncmp(list[i].name, "not ours", 8)) /* those depend on the routes */
					try_address(&kinds[k], &list[i]);
}

int main(void)
{
	harness_start();
	flags();
	addresses();
	return CHECK_RESULT();
}
