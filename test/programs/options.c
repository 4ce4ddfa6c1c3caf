/*
 * Socket options of every family and level as a table: what setting 1, -1, too few bytes and none gives, and what
 * getsockopt(2) tells before and after. The lines are compared with Linux's. What the sandbox does not have may be
 * refused with ENOPROTOOPT, and is then listed in refusable[].
 */
#include <linux/netlink.h>
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
	RUN(bad_arguments);
	return CHECK_RESULT();
}
