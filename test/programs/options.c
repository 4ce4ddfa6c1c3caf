/*
 * Socket options of every family and level as a table: what setting 1, -1, too few bytes and none gives, and what
 * getsockopt(2) tells before and after. The lines are compared with Linux's. What the sandbox does not have may be
 * refused with ENOPROTOOPT, and is then listed in refusable[].
 *
 * Then all numbers of all levels, by number: lines where something else than ENOPROTOOPT comes of it. What is not to be had in the
 * sandbox, or has a value of its own there, is in apart[].
 */
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/types.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "harness.h"

static const struct kind {
	const char *name;
	int family, type, protocol;
} kinds[] = {
	{"unix stream", AF_UNIX, SOCK_STREAM, 0},
	{"unix datagram", AF_UNIX, SOCK_DGRAM, 0},
	{"unix seqpacket", AF_UNIX, SOCK_SEQPACKET, 0},
	{"tcp", AF_INET, SOCK_STREAM, 0},
	{"tcp6", AF_INET6, SOCK_STREAM, 0},
	{"udp", AF_INET, SOCK_DGRAM, 0},
	{"udp6", AF_INET6, SOCK_DGRAM, 0},
	{"netlink", AF_NETLINK, SOCK_RAW, NETLINK_ROUTE},
};

static const struct option {
	int level;
	const char *name;
	int number;
} options[] = {
#define O(level, name) {level, #name, name}
#define N(level, number) {level, #number, number}
	O(SOL_SOCKET, SO_DEBUG), O(SOL_SOCKET, SO_REUSEADDR), O(SOL_SOCKET, SO_TYPE), O(SOL_SOCKET, SO_ERROR),
	O(SOL_SOCKET, SO_DONTROUTE), O(SOL_SOCKET, SO_BROADCAST), O(SOL_SOCKET, SO_KEEPALIVE), O(SOL_SOCKET, SO_OOBINLINE),
	O(SOL_SOCKET, SO_NO_CHECK), O(SOL_SOCKET, SO_PRIORITY), O(SOL_SOCKET, SO_LINGER), O(SOL_SOCKET, SO_BSDCOMPAT),
	O(SOL_SOCKET, SO_REUSEPORT), O(SOL_SOCKET, SO_RCVTIMEO), O(SOL_SOCKET, SO_SNDTIMEO), O(SOL_SOCKET, SO_BINDTODEVICE),
	O(SOL_SOCKET, SO_ATTACH_FILTER), O(SOL_SOCKET, SO_DETACH_FILTER), O(SOL_SOCKET, SO_TIMESTAMP),
	O(SOL_SOCKET, SO_TIMESTAMPNS), O(SOL_SOCKET, SO_ACCEPTCONN), O(SOL_SOCKET, SO_PROTOCOL), O(SOL_SOCKET, SO_DOMAIN),
	O(SOL_SOCKET, SO_RXQ_OVFL), O(SOL_SOCKET, SO_LOCK_FILTER), O(SOL_SOCKET, SO_SELECT_ERR_QUEUE),
	O(SOL_SOCKET, SO_PEERCRED), O(SOL_SOCKET, SO_BINDTOIFINDEX), O(SOL_SOCKET, SO_MARK), O(SOL_SOCKET, SO_SNDLOWAT),
	N(SOL_SOCKET, 63 /* SO_TIMESTAMP_NEW */), N(SOL_SOCKET, 72 /* SO_BUF_LOCK */), N(SOL_SOCKET, 200), N(SOL_SOCKET, -1),
	O(IPPROTO_IP, IP_TOS), O(IPPROTO_IP, IP_TTL), O(IPPROTO_IP, IP_HDRINCL), O(IPPROTO_IP, IP_PKTINFO),
	O(IPPROTO_IP, IP_RECVTTL), O(IPPROTO_IP, IP_RECVTOS), O(IPPROTO_IP, IP_FREEBIND), O(IPPROTO_IP, IP_MTU),
	O(IPPROTO_IPV6, IPV6_V6ONLY), O(IPPROTO_IPV6, IPV6_UNICAST_HOPS), O(IPPROTO_IPV6, IPV6_RECVPKTINFO),
	O(IPPROTO_IPV6, IPV6_RECVHOPLIMIT), O(IPPROTO_IPV6, IPV6_RECVTCLASS), O(IPPROTO_IPV6, IPV6_TCLASS),
	O(IPPROTO_TCP, TCP_NODELAY), O(IPPROTO_TCP, TCP_CORK), O(IPPROTO_TCP, TCP_KEEPIDLE), O(IPPROTO_TCP, TCP_KEEPINTVL),
	O(IPPROTO_TCP, TCP_KEEPCNT), O(IPPROTO_TCP, TCP_QUICKACK), O(IPPROTO_TCP, TCP_USER_TIMEOUT),
	O(IPPROTO_TCP, TCP_WINDOW_CLAMP), O(IPPROTO_TCP, TCP_NOTSENT_LOWAT), O(IPPROTO_TCP, TCP_INQ), N(IPPROTO_TCP, 200),
	N(IPPROTO_UDP, 1 /* UDP_CORK */),
};

/* What has no effect in the sandbox may be refused there; Linux has more. */
static const struct option refusable[] = {
	O(SOL_SOCKET, SO_ZEROCOPY), O(SOL_SOCKET, SO_BUSY_POLL), O(SOL_SOCKET, SO_INCOMING_CPU), O(SOL_SOCKET, SO_NOFCS),
	O(SOL_SOCKET, SO_WIFI_STATUS), O(SOL_SOCKET, SO_MAX_PACING_RATE), O(IPPROTO_IP, IP_RECVOPTS),
	O(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT), O(IPPROTO_IP, IP_TRANSPARENT), O(IPPROTO_IPV6, IPV6_RECVHOPOPTS),
	O(IPPROTO_IPV6, IPV6_DONTFRAG), O(IPPROTO_TCP, TCP_LINGER2), O(IPPROTO_TCP, TCP_SYNCNT), O(IPPROTO_TCP, TCP_FASTOPEN),
	N(IPPROTO_UDP, 103 /* UDP_SEGMENT */), N(IPPROTO_UDP, 104 /* UDP_GRO */),
};

/* Which levels a kind of socket has. */
static int has_level(const struct kind *kind, int level)
{
	switch (level) {
	case IPPROTO_IP:
		return kind->family == AF_INET || kind->family == AF_INET6;
	case IPPROTO_IPV6:
		return kind->family == AF_INET6;
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		return has_level(kind, IPPROTO_IP) && (kind->type == SOCK_STREAM) == (level == IPPROTO_TCP);
	default:
		return 1;
	}
}

static void show_get(int s, const struct option *o)
{
	unsigned char value[64] = {0};
	socklen_t len = sizeof(value);
	int number;

	if (getsockopt(s, o->level, o->number, value, &len)) {
		printf(" get %s", strerrorname_np(errno));
		return;
	}
	memcpy(&number, value, sizeof(number));
	printf(" get %u:%d", len, number);
}

static void show_set(int s, const struct option *o, const char *what, int value, socklen_t len)
{
	printf(" %s %s", what, setsockopt(s, o->level, o->number, &value, len) ? strerrorname_np(errno) : "ok");
}

static void show(const struct kind *kind, const struct option *o)
{
	int s = socket(kind->family, kind->type, kind->protocol);

	CHECK(s >= 0);
	printf("%s %d %s:", kind->name, o->level, o->name);
	show_get(s, o);
	show_set(s, o, "1", 1, sizeof(int));
	show_get(s, o);
	show_set(s, o, "short", 1, sizeof(int) - 1);
	show_set(s, o, "none", 1, 0);
	show_set(s, o, "-1", -1, sizeof(int));
	show_get(s, o);
	printf("\n");
	close(s);
}

/* Of what is taken the value can be read again. */
static void refuse_or_take(const struct kind *kind, const struct option *o)
{
	int s = socket(kind->family, kind->type, kind->protocol), one = 1, value = 0, rc, error;
	socklen_t len = sizeof(value);

	CHECK(s >= 0);
	rc = setsockopt(s, o->level, o->number, &one, sizeof(one));
	error = errno;
	if (rc == 0)
		CHECK(getsockopt(s, o->level, o->number, &value, &len) == 0 && value);
	else if (error != ENOPROTOOPT && error != EOPNOTSUPP && error != EINVAL)
		CHECK(!o->name);
	close(s);
}

/* ---- every number ---- */

static const struct kind all_kinds[] = {
	{"unix stream", AF_UNIX, SOCK_STREAM, 0}, {"tcp", AF_INET, SOCK_STREAM, 0}, {"tcp6", AF_INET6, SOCK_STREAM, 0},
	{"udp", AF_INET, SOCK_DGRAM, 0}, {"udp6", AF_INET6, SOCK_DGRAM, 0}, {"raw icmp", AF_INET, SOCK_RAW, IPPROTO_ICMP},
	{"raw6 icmp", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6}, {"packet", AF_PACKET, SOCK_RAW, 0},
	{"netlink", AF_NETLINK, SOCK_RAW, NETLINK_ROUTE},
};

static const struct range {
	int level, from, to;
} ranges[] = {{SOL_SOCKET, 0, 90}, {IPPROTO_IP, 0, 60}, {IPPROTO_IPV6, 0, 90}, {IPPROTO_TCP, 0, 50}, {IPPROTO_UDP, 0, 110},
	{SOL_RAW, 0, 8}, {IPPROTO_ICMPV6, 0, 3}, {SOL_PACKET, 0, 28}, {SOL_NETLINK, 0, 16}, {999, 1, 1}, {-1, 1, 1}};

/* Not to be had: IP options and IPsec, the wider half of IPv6's extension headers, repair of connections and fast open, packet
 * rings but V2, pacing, eBPF. With values of their own: buffers, cookies, credentials, lists of groups, congestion. */
static const struct range apart[] = {
	{SOL_SOCKET, 5, 5}, {SOL_SOCKET, 7, 8}, {SOL_SOCKET, 17, 18}, {SOL_SOCKET, 28, 28}, {SOL_SOCKET, 37, 37}, {SOL_SOCKET, 42, 42},
	{SOL_SOCKET, 47, 47}, {SOL_SOCKET, 49, 52}, {SOL_SOCKET, 55, 57}, {SOL_SOCKET, 59, 59}, {SOL_SOCKET, 61, 61}, {SOL_SOCKET, 65, 65},
	{SOL_SOCKET, 68, 68}, {SOL_SOCKET, 71, 71}, {SOL_SOCKET, 74, 74}, {SOL_SOCKET, 76, 84}, {IPPROTO_IP, 4, 5}, {IPPROTO_IP, 9, 11},
	{IPPROTO_IP, 16, 17}, {IPPROTO_IP, 19, 19}, {IPPROTO_IP, 22, 26}, {IPPROTO_IP, 32, 32}, {IPPROTO_IP, 36, 36},
	{IPPROTO_IP, 41, 48}, {IPPROTO_IP, 51, 51}, {IPPROTO_IPV6, 1, 1}, {IPPROTO_IPV6, 3, 6}, {IPPROTO_IPV6, 11, 11}, {IPPROTO_IPV6, 17, 17},
	{IPPROTO_IPV6, 22, 23}, {IPPROTO_IPV6, 25, 25}, {IPPROTO_IPV6, 27, 28}, {IPPROTO_IPV6, 30, 35}, {IPPROTO_IPV6, 42, 50}, {IPPROTO_IPV6, 53, 61},
	{IPPROTO_IPV6, 64, 65}, {IPPROTO_IPV6, 68, 70}, {IPPROTO_IPV6, 72, 72}, {IPPROTO_IPV6, 75, 75}, {IPPROTO_IPV6, 77, 80},
	{IPPROTO_TCP, 7, 9}, {IPPROTO_TCP, 11, 14}, {IPPROTO_TCP, 16, 17}, {IPPROTO_TCP, 19, 24}, {IPPROTO_TCP, 26, 35}, {IPPROTO_TCP, 37, 50},
	{IPPROTO_UDP, 10, 11}, {IPPROTO_UDP, 76, 76}, {IPPROTO_UDP, 100, 100}, {SOL_PACKET, 2, 2}, {SOL_PACKET, 5, 5}, {SOL_PACKET, 7, 7},
	{SOL_PACKET, 10, 10}, {SOL_PACKET, 12, 19}, {SOL_PACKET, 21, 24}, {SOL_NETLINK, 0, 2}, {SOL_NETLINK, 4, 8}, {SOL_NETLINK, 13, 16},
};

static int is_apart(int level, int number)
{
	for (unsigned i = 0; i < sizeof(apart) / sizeof(apart[0]); i++)
		if (apart[i].level == level && number >= apart[i].from && number <= apart[i].to)
			return 1;
	return 0;
}

static char line[2000];

static void add(const char *what, int len, const char *result)
{
	snprintf(line + strlen(line), sizeof(line) - strlen(line), " %s%d:%s", what, len, result);
}

static int probe_get(int s, int level, int number, socklen_t len)
{
	unsigned char value[256] = {0};
	socklen_t got = len;
	char text[40];
	int word;

	if (getsockopt(s, level, number, value, &got)) {
		add("get", (int)len, strerrorname_np(errno));
		return errno != ENOPROTOOPT;
	}
	memcpy(&word, value, sizeof(word));
	snprintf(text, sizeof(text), "%u=%d", got, word);
	add("get", (int)len, text);
	return 1;
}

static int probe_set(int s, int level, int number, int word, socklen_t len)
{
	char value[300] = {0}, what[30];
	int rc;

	memcpy(value, &word, sizeof(word));
	rc = setsockopt(s, level, number, value, len);
	snprintf(what, sizeof(what), "set %d/", word);
	add(what, (int)len, rc ? strerrorname_np(errno) : "ok");
	return !rc || errno != ENOPROTOOPT;
}

static void probe(const struct kind *kind, int level, int number)
{
	static const int words[] = {1, 0, -1, 2, 300, 70000}, lens[] = {3, 1, 0, 16, 300};
	int s = socket(kind->family, kind->type, kind->protocol), seen = 0;

	line[0] = '\0';
	if (s < 0)
		return;
	for (int len = 256; len; len /= 4)
		seen |= probe_get(s, level, number, (socklen_t)len);
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		seen |= probe_set(s, level, number, words[i], sizeof(int));
		seen |= probe_get(s, level, number, sizeof(int));
	}
	for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		seen |= probe_set(s, level, number, 1, (socklen_t)lens[i]);
	if (seen)
		printf("%s %d/%d:%s\n", kind->name, level, number, line);
	close(s);
}

static void every_number(void)
{
	for (unsigned k = 0; k < sizeof(all_kinds) / sizeof(all_kinds[0]); k++)
		for (unsigned r = 0; r < sizeof(ranges) / sizeof(ranges[0]); r++)
			for (int number = ranges[r].from; number <= ranges[r].to; number++)
				if (!is_apart(ranges[r].level, number))
					probe(&all_kinds[k], ranges[r].level, number);
}

static void bad_arguments(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	socklen_t len = sizeof(one);
	void *nowhere = (void *)1;

	CHECK_ERRNO(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, nowhere, sizeof(one)), EFAULT);
	CHECK_ERRNO(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, -1), EINVAL);
	CHECK_ERRNO(getsockopt(s, SOL_SOCKET, SO_REUSEADDR, nowhere, &len), EFAULT);
	CHECK_ERRNO(getsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, nowhere), EFAULT);
	len = -1;
	CHECK_ERRNO(getsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, &len), EINVAL);
	len = 2;
	CHECK(getsockopt(s, SOL_SOCKET, SO_TYPE, &one, &len) == 0 && len == 2);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_TTL, &(int){256}, sizeof(int)), EINVAL);
	CHECK_ERRNO(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "no such thing", 13), ENOENT);
	CHECK_ERRNO(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "nolink0", 8), ENODEV);
	CHECK_ERRNO(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){0, 1000000}, sizeof(struct timeval)), EDOM);
	close(s);
	CHECK_ERRNO(setsockopt(0, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), ENOTSOCK);
	CHECK_ERRNO(getsockopt(999, SOL_SOCKET, SO_REUSEADDR, &one, &len), EBADF);
}

int main(void)
{
	harness_start();
	for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		for (unsigned i = 0; i < sizeof(options) / sizeof(options[0]); i++)
			if (has_level(&kinds[k], options[i].level))
				show(&kinds[k], &options[i]);
		for (unsigned i = 0; i < sizeof(refusable) / sizeof(refusable[0]); i++)
			if (has_level(&kinds[k], refusable[i].level))
				refuse_or_take(&kinds[k], &refusable[i]);
	}
	RUN(every_number);
	RUN(bad_arguments);
	return CHECK_RESULT();
}
