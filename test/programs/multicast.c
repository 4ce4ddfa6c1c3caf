/*
 * Multicast on the loopback: joining and leaving by every option, what reaches which socket, senders that are heard or
 * not, the link that packets leave by, and each error.
 */
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "harness.h"
#include "internet.h"

#define GROUP "239.7.7.7"
#define OTHER "239.7.7.8"
#define GROUP6 "ff15::77"

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

static unsigned lo;

static struct ip_mreqn request4(const char *group, const char *address, int index)
{
	struct ip_mreqn r = {.imr_ifindex = index};

	inet_pton(AF_INET, group, &r.imr_multiaddr);
	inet_pton(AF_INET, address, &r.imr_address);
	return r;
}

static int change4(int s, int option, const char *group, const char *address, int index)
{
	struct ip_mreqn r = request4(group, address, index);

	return setsockopt(s, IPPROTO_IP, option, &r, sizeof(r));
}

static int source4(int s, int option, const char *group, const char *source)
{
	struct ip_mreq_source r = {.imr_interface.s_addr = htonl(INADDR_LOOPBACK)};

	inet_pton(AF_INET, group, &r.imr_multiaddr);
	inet_pton(AF_INET, source, &r.imr_sourceaddr);
	return setsockopt(s, IPPROTO_IP, option, &r, sizeof(r));
}

static int change6(int s, int option, const char *group, int index)
{
	struct ipv6_mreq r = {.ipv6mr_interface = index};

	inet_pton(AF_INET6, group, &r.ipv6mr_multiaddr);
	return setsockopt(s, IPPROTO_IPV6, option, &r, sizeof(r));
}

/* RFC 3678's, of either family. */
static int change_any(int s, int level, int option, const char *group, int index)
{
	struct group_req r = {.gr_interface = index};
	struct sockaddr_in a4;
	struct sockaddr_in6 a6;

	if (strchr(group, ':')) {
		a6 = at6(group, 0);
		memcpy(&r.gr_group, &a6, sizeof(a6));
	} else {
		a4 = at4(group, 0);
		memcpy(&r.gr_group, &a4, sizeof(a4));
	}
	return setsockopt(s, level, option, &r, sizeof(r));
}

static int source_any(int s, int level, int option, const char *group, const char *source, int index)
{
	struct group_source_req r = {.gsr_interface = index};
	struct sockaddr_in a4 = at4(group, 0), b4 = at4(source, 0);
	struct sockaddr_in6 a6 = at6(group, 0), b6 = at6(source, 0);

	if (strchr(group, ':')) {
		memcpy(&r.gsr_group, &a6, sizeof(a6));
		memcpy(&r.gsr_source, &b6, sizeof(b6));
	} else {
		memcpy(&r.gsr_group, &a4, sizeof(a4));
		memcpy(&r.gsr_source, &b4, sizeof(b4));
	}
	return setsockopt(s, level, option, &r, sizeof(r));
}

/* A socket that hears what is sent to a port; the port may be others', too. */
static int listener(int family, const char *ip, int port)
{
	int s = socket(family, SOCK_DGRAM, 0), one = 1;
	struct sockaddr_in a4 = at4(ip, port);
	struct sockaddr_in6 a6 = at6(ip, port);

	CHECK(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
	CHECK((family == AF_INET ? bind(s, (void *)&a4, sizeof(a4)) : bind(s, (void *)&a6, sizeof(a6))) == 0);
	return s;
}

static int sender(void)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct in_addr loopback = {htonl(INADDR_LOOPBACK)};

	CHECK(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &loopback, sizeof(loopback)) == 0);
	return s;
}

static int send4(int s, const char *group, int port)
{
	struct sockaddr_in to = at4(group, port);

	return sendto(s, group, strlen(group), 0, (void *)&to, sizeof(to));
}

/* How many datagrams wait; they are read. */
static int waiting(int s)
{
	char buf[100];
	int n = 0;

	while (recv(s, buf, sizeof(buf), MSG_DONTWAIT) >= 0)
		n++;
	return n;
}

static void membership(void)
{
	int s = listener(AF_INET, "0.0.0.0", 0), port = port_of(s), c = sender();

	CHECK(send4(c, GROUP, port) > 0 && waiting(s) == 0);
	CHECK(change4(s, IP_ADD_MEMBERSHIP, GROUP, "127.0.0.1", 0) == 0);
	CHECK_ERRNO(change4(s, IP_ADD_MEMBERSHIP, GROUP, "127.0.0.1", 0), EADDRINUSE);
	CHECK_ERRNO(change4(s, IP_ADD_MEMBERSHIP, GROUP, "0.0.0.0", lo), EADDRINUSE);
	CHECK(send4(c, GROUP, port) > 0 && waiting(s) == 1);
	CHECK(send4(c, OTHER, port) > 0 && waiting(s) == 0);
	CHECK(change4(s, IP_DROP_MEMBERSHIP, GROUP, "127.0.0.1", 0) == 0);
	CHECK(send4(c, GROUP, port) > 0 && waiting(s) == 0);
	CHECK_ERRNO(change4(s, IP_DROP_MEMBERSHIP, GROUP, "127.0.0.1", 0), EADDRNOTAVAIL);
	/* by its index, by RFC 3678's option, by the shorter struct */
	CHECK(change4(s, IP_ADD_MEMBERSHIP, GROUP, "0.0.0.0", lo) == 0 && send4(c, GROUP, port) > 0 && waiting(s) == 1);
	CHECK(change_any(s, IPPROTO_IP, MCAST_LEAVE_GROUP, GROUP, lo) == 0 && send4(c, GROUP, port) > 0 && waiting(s) == 0);
	CHECK(change_any(s, IPPROTO_IP, MCAST_JOIN_GROUP, GROUP, lo) == 0 && send4(c, GROUP, port) > 0 && waiting(s) == 1);
	struct ip_mreqn r = request4(GROUP, "127.0.0.1", 0);
	CHECK(setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &r, sizeof(struct ip_mreq)) == 0);
	CHECK(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, sizeof(struct ip_mreq)) == 0);
	CHECK(send4(c, GROUP, port) > 0 && waiting(s) == 1);
	close(c);
	close(s);
}

static void several(void)
{
	int a = listener(AF_INET, "0.0.0.0", 0), port = port_of(a), b = listener(AF_INET, GROUP, port);
	int none = listener(AF_INET, "0.0.0.0", port), c = sender(), zero = 0;

	CHECK(change4(a, IP_ADD_MEMBERSHIP, GROUP, "127.0.0.1", 0) == 0);
	CHECK(change4(b, IP_ADD_MEMBERSHIP, OTHER, "127.0.0.1", 0) == 0);
	/* one that has joined nothing hears all groups of the host, unless it says no */
	CHECK(send4(c, GROUP, port) > 0 && waiting(a) == 1 && waiting(b) == 1 && waiting(none) == 1);
	CHECK(send4(c, OTHER, port) > 0 && waiting(a) == 1 && waiting(b) == 0 && waiting(none) == 1);
	CHECK(setsockopt(none, IPPROTO_IP, IP_MULTICAST_ALL, &zero, sizeof(zero)) == 0);
	CHECK(setsockopt(a, IPPROTO_IP, IP_MULTICAST_ALL, &zero, sizeof(zero)) == 0);
	CHECK(send4(c, GROUP, port) > 0 && waiting(a) == 1 && waiting(b) == 1 && waiting(none) == 0);
	CHECK(send4(c, OTHER, port) > 0 && waiting(a) == 0 && waiting(b) == 0 && waiting(none) == 0);
	/* the group stays as long as somebody is in it */
	CHECK(change4(none, IP_ADD_MEMBERSHIP, GROUP, "127.0.0.1", 0) == 0);
	close(a);
	CHECK(send4(c, GROUP, port) > 0 && waiting(b) == 1 && waiting(none) == 1);
	close(none);
	CHECK(send4(c, GROUP, port) > 0 && waiting(b) == 0);
	close(b);
	close(c);
}

static void sources(void)
{
	int s = listener(AF_INET, "0.0.0.0", 0), port = port_of(s), c = sender(), d = sender();
	struct sockaddr_in one = at4("127.0.0.1", 0), two = at4("127.0.0.2", 0);

	CHECK(bind(c, (void *)&one, sizeof(one)) == 0 && bind(d, (void *)&two, sizeof(two)) == 0);
	/* only one sender */
	CHECK(source4(s, IP_ADD_SOURCE_MEMBERSHIP, GROUP, "127.0.0.2") == 0);
	CHECK_ERRNO(source4(s, IP_ADD_SOURCE_MEMBERSHIP, GROUP, "127.0.0.2"), EADDRNOTAVAIL);
	CHECK_ERRNO(source4(s, IP_BLOCK_SOURCE, GROUP, "127.0.0.1"), EINVAL);
	CHECK(send4(c, GROUP, port) > 0 && waiting(s) == 0 && send4(d, GROUP, port) > 0 && waiting(s) == 1);
	CHECK_ERRNO(source4(s, IP_DROP_SOURCE_MEMBERSHIP, GROUP, "127.0.0.9"), EADDRNOTAVAIL);
	CHECK(source4(s, IP_DROP_SOURCE_MEMBERSHIP, GROUP, "127.0.0.2") == 0);
	CHECK_ERRNO(source4(s, IP_DROP_SOURCE_MEMBERSHIP, GROUP, "127.0.0.2"), EINVAL);
	/* all but one */
	CHECK_ERRNO(source4(s, IP_BLOCK_SOURCE, GROUP, "127.0.0.2"), EINVAL);
	CHECK(change4(s, IP_ADD_MEMBERSHIP, GROUP, "127.0.0.1", 0) == 0);
	CHECK(source_any(s, IPPROTO_IP, MCAST_BLOCK_SOURCE, GROUP, "127.0.0.2", lo) == 0);
	CHECK_ERRNO(source_any(s, IPPROTO_IP, MCAST_BLOCK_SOURCE, GROUP, "127.0.0.2", lo), EADDRNOTAVAIL);
	CHECK(send4(c, GROUP, port) > 0 && waiting(s) == 1 && send4(d, GROUP, port) > 0 && waiting(s) == 0);
	CHECK(source4(s, IP_UNBLOCK_SOURCE, GROUP, "127.0.0.2") == 0);
	CHECK_ERRNO(source4(s, IP_UNBLOCK_SOURCE, GROUP, "127.0.0.2"), EADDRNOTAVAIL);
	CHECK(send4(d, GROUP, port) > 0 && waiting(s) == 1);
	/* a list at once */
	struct ip_msfilter *f = calloc(1, IP_MSFILTER_SIZE(20));
	inet_pton(AF_INET, GROUP, &f->imsf_multiaddr);
	f->imsf_interface.s_addr = htonl(INADDR_LOOPBACK);
	f->imsf_fmode = MCAST_INCLUDE;
	f->imsf_numsrc = 1;
	f->imsf_slist[0].s_addr = htonl(INADDR_LOOPBACK);
	CHECK(setsockopt(s, IPPROTO_IP, IP_MSFILTER, f, IP_MSFILTER_SIZE(1)) == 0);
	CHECK(send4(c, GROUP, port) > 0 && waiting(s) == 1 && send4(d, GROUP, port) > 0 && waiting(s) == 0);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_MSFILTER, f, IP_MSFILTER_SIZE(0)), EINVAL);
	f->imsf_numsrc = 11;
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_MSFILTER, f, IP_MSFILTER_SIZE(11)), ENOBUFS);
	f->imsf_numsrc = 0;
	CHECK(setsockopt(s, IPPROTO_IP, IP_MSFILTER, f, IP_MSFILTER_SIZE(0)) == 0); /* leaves */
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_MSFILTER, f, IP_MSFILTER_SIZE(0)), EADDRNOTAVAIL);
	free(f);
	/* as many as there may be */
	CHECK(change4(s, IP_ADD_MEMBERSHIP, GROUP, "127.0.0.1", 0) == 0);
	char name[20];
	for (int i = 1; i <= 10; i++) {
		snprintf(name, sizeof(name), "10.0.0.%d", i);
		CHECK(source4(s, IP_BLOCK_SOURCE, GROUP, name) == 0);
	}
	CHECK_ERRNO(source4(s, IP_BLOCK_SOURCE, GROUP, "10.0.0.11"), ENOBUFS);
	close(s);
	close(c);
	close(d);
}

static void refused(void)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0), t = socket(AF_INET, SOCK_STREAM, 0), two = 2;
	struct ip_mreqn r = request4(GROUP, "127.0.0.1", 0);
	char name[20];

	CHECK_ERRNO(change4(s, IP_ADD_MEMBERSHIP, "10.1.2.3", "127.0.0.1", 0), EINVAL);
	CHECK_ERRNO(change4(s, IP_ADD_MEMBERSHIP, GROUP, "192.0.2.7", 0), ENODEV);
	CHECK_ERRNO(change4(s, IP_ADD_MEMBERSHIP, GROUP, "0.0.0.0", 9999), ENODEV);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, 7), EINVAL);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &r, 8), EINVAL);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, MCAST_JOIN_GROUP, &r, sizeof(r)), EINVAL);
	CHECK_ERRNO(change_any(s, IPPROTO_IP, MCAST_JOIN_GROUP, GROUP6, lo), EINVAL);
	CHECK_ERRNO(source_any(s, IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, GROUP6, "::1", lo), EADDRNOTAVAIL);
	CHECK_ERRNO(change4(t, IP_ADD_MEMBERSHIP, GROUP, "127.0.0.1", 0), EPROTO);
	CHECK_ERRNO(setsockopt(t, IPPROTO_IP, IP_MULTICAST_IF, &r, sizeof(r)), EINVAL);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &r, 3), EINVAL);
	r.imr_ifindex = 9999;
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &r, sizeof(r)), EADDRNOTAVAIL);
	inet_pton(AF_INET, "192.0.2.7", &r.imr_multiaddr);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &r, 4), EADDRNOTAVAIL);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_MULTICAST_ALL, &two, sizeof(two)), EINVAL);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_MULTICAST_TTL, &(int){256}, sizeof(int)), EINVAL);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "239.1.1.%d", i);
		CHECK(change4(s, IP_ADD_MEMBERSHIP, name, "127.0.0.1", 0) == 0);
	}
	CHECK_ERRNO(change4(s, IP_ADD_MEMBERSHIP, GROUP, "127.0.0.1", 0), ENOBUFS);
	close(s);
	close(t);
}

static void settings(void)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0), value = -1;
	struct in_addr a = {1};
	socklen_t len = sizeof(value);
	unsigned char byte = 7;

	CHECK(getsockopt(s, IPPROTO_IP, IP_MULTICAST_TTL, &value, &len) == 0 && value == 1);
	CHECK(getsockopt(s, IPPROTO_IP, IP_MULTICAST_LOOP, &value, &len) == 0 && value == 1);
	CHECK(getsockopt(s, IPPROTO_IP, IP_MULTICAST_ALL, &value, &len) == 0 && value == 1);
	CHECK(setsockopt(s, IPPROTO_IP, IP_MULTICAST_TTL, &byte, 1) == 0);
	len = 1;
	CHECK(getsockopt(s, IPPROTO_IP, IP_MULTICAST_TTL, &byte, &len) == 0 && len == 1 && byte == 7);
	len = sizeof(a);
	CHECK(getsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &a, &len) == 0 && len == 4 && a.s_addr == 0);
	a.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &a, sizeof(a)) == 0);
	a.s_addr = 0;
	CHECK(getsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &a, &len) == 0 && a.s_addr == htonl(INADDR_LOOPBACK));
	struct ip_mreqn r = {.imr_ifindex = lo};
	CHECK(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &r, sizeof(r)) == 0);
	CHECK(getsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &a, &len) == 0 && a.s_addr == 0);
	/* no route, no link: nowhere to go */
	close(s);
	s = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_ERRNO(send4(s, GROUP, 9), ENETUNREACH);
	CHECK_ERRNO(change4(s, IP_ADD_MEMBERSHIP, GROUP, "0.0.0.0", 0), ENODEV);
	close(s);
}

/* What a packet says of its group and link. */
static void packet_info(void)
{
	int s = listener(AF_INET, "0.0.0.0", 0), port = port_of(s), c = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control;
	struct sockaddr_in to = at4(GROUP, port);
	struct iovec v = {"x", 1};
	struct msghdr m = {.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *head = CMSG_FIRSTHDR(&m);
	struct in_pktinfo info = {.ipi_ifindex = lo};
	char buf[4];

	CHECK(setsockopt(s, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one)) == 0);
	CHECK(change4(s, IP_ADD_MEMBERSHIP, GROUP, "0.0.0.0", lo) == 0);
	/* the link is in the message */
	*head = (struct cmsghdr){.cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO, .cmsg_len = CMSG_LEN(sizeof(info))};
	memcpy(CMSG_DATA(head), &info, sizeof(info));
	CHECK(sendmsg(c, &m, 0) == 1);
	v.iov_base = buf;
	m.msg_controllen = sizeof(control);
	CHECK(recvmsg(s, &m, MSG_DONTWAIT) == 1);
	head = CMSG_FIRSTHDR(&m);
	CHECK(head && head->cmsg_type == IP_PKTINFO);
	memcpy(&info, CMSG_DATA(head), sizeof(info));
	CHECK(info.ipi_ifindex == (int)lo && info.ipi_addr.s_addr == inet_addr(GROUP));
	close(s);
	close(c);
}

/* The loopback has no route for groups of IPv6: what is delivered is seen with a link (multicast.sh). */
static void six(void)
{
	int s = listener(AF_INET6, "::", 0), port = port_of(s), c = socket(AF_INET6, SOCK_DGRAM, 0);
	int t = socket(AF_INET6, SOCK_STREAM, 0), index = lo, value = -1;
	struct sockaddr_in6 to = at6(GROUP6, port);
	socklen_t len = sizeof(value);

	CHECK(setsockopt(c, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof(index)) == 0);
	CHECK(getsockopt(c, IPPROTO_IPV6, IPV6_MULTICAST_IF, &value, &len) == 0 && value == index);
	CHECK_ERRNO(setsockopt(c, IPPROTO_IPV6, IPV6_MULTICAST_IF, &(int){9999}, sizeof(int)), ENODEV);
	CHECK_ERRNO(setsockopt(t, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof(index)), ENOPROTOOPT);
	CHECK_ERRNO(sendto(c, "x", 1, 0, (void *)&to, sizeof(to)), ENETUNREACH);
	CHECK(change6(s, IPV6_JOIN_GROUP, GROUP6, lo) == 0);
	CHECK_ERRNO(change6(s, IPV6_JOIN_GROUP, GROUP6, lo), EADDRINUSE);
	CHECK(source_any(s, IPPROTO_IPV6, MCAST_BLOCK_SOURCE, GROUP6, "::1", lo) == 0);
	CHECK_ERRNO(source_any(s, IPPROTO_IPV6, MCAST_BLOCK_SOURCE, GROUP6, "::1", lo), EADDRNOTAVAIL);
	CHECK_ERRNO(source_any(s, IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, GROUP6, "::1", lo), EINVAL);
	CHECK(source_any(s, IPPROTO_IPV6, MCAST_UNBLOCK_SOURCE, GROUP6, "::1", lo) == 0);
	CHECK(change6(s, IPV6_LEAVE_GROUP, GROUP6, 0) == 0);
	CHECK_ERRNO(change6(s, IPV6_LEAVE_GROUP, GROUP6, 0), EADDRNOTAVAIL);
	CHECK(source_any(s, IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, GROUP6, "::1", lo) == 0);
	CHECK(change_any(s, IPPROTO_IPV6, MCAST_LEAVE_GROUP, GROUP6, lo) == 0);
	CHECK(change_any(s, IPPROTO_IPV6, MCAST_JOIN_GROUP, GROUP6, lo) == 0);
	CHECK_ERRNO(change_any(s, IPPROTO_IPV6, MCAST_JOIN_GROUP, GROUP, lo), EADDRNOTAVAIL);
	CHECK_ERRNO(change6(s, IPV6_JOIN_GROUP, "fd00::1", lo), EINVAL);
	CHECK_ERRNO(change6(s, IPV6_JOIN_GROUP, "ff15::1", 9999), ENODEV);
	CHECK_ERRNO(change6(t, IPV6_JOIN_GROUP, GROUP6, lo), EPROTO);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &(int){2}, sizeof(int)), EINVAL);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &(int){256}, sizeof(int)), EINVAL);
	CHECK(getsockopt(s, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &value, &len) == 0 && value == 1);
	close(s);
	close(c);
	close(t);
}

/* The lines of a file of /proc/net about the loopback that hold a word. */
static int lines(const char *path, const char *word)
{
	FILE *f = fopen(path, "r");
	char line[256];
	int n = 0;

	CHECK(f);
	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, word) != NULL;
	if (f)
		fclose(f);
	return n;
}

static void listed(void)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0), s6 = socket(AF_INET6, SOCK_DGRAM, 0);

	CHECK(lines("/proc/net/igmp", "010000E0     1") >= 1 && lines("/proc/net/igmp", "070707EF") == 0);
	CHECK(change4(s, IP_ADD_MEMBERSHIP, GROUP, "127.0.0.1", 0) == 0 && change6(s6, IPV6_JOIN_GROUP, GROUP6, lo) == 0);
	CHECK(lines("/proc/net/igmp", "070707EF     1") == 1);
	CHECK(lines("/proc/net/igmp6", "ff150000000000000000000000000077     1") == 1);
	CHECK(lines("/proc/net/igmp6", "ff020000000000000000000000000001") >= 1);
	CHECK(lines("/proc/net/dev_mcast", "lo ") == 0);
	close(s);
	close(s6);
	CHECK(lines("/proc/net/igmp", "070707EF") == 0);
}

int main(void)
{
	harness_start();
	lo = if_nametoindex("lo");
	RUN(membership);
	RUN(several);
	RUN(sources);
	RUN(refused);
	RUN(settings);
	RUN(packet_info);
	RUN(six);
	RUN(listed);
	return CHECK_RESULT();
}
