/*
 * NETLINK_SOCK_DIAG: what `ss` is told of TCP, UDP and unix sockets in their states, whole dumps and single sockets,
 * and what it is refused. Sockets are made in an order, and of those that stand in a dump only these are looked at.
 */
#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "harness.h"

static int diag;

static ino_t ino_of(int fd)
{
	struct stat st;

	CHECK(fstat(fd, &st) == 0);
	return st.st_ino;
}

static void ask(const void *body, size_t len, int flags)
{
	struct {
		struct nlmsghdr head;
		char body[256];
	} request = {.head = {.nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags), .nlmsg_seq = 7}};

	memcpy(request.body, body, len);
	request.head.nlmsg_len = (unsigned)(sizeof(request.head) + len);
	CHECK(send(diag, &request, request.head.nlmsg_len, 0) == (ssize_t)request.head.nlmsg_len);
}

/* Calls fn for each message of the answer; gives the error that ended it, or 0. */
static int answers(void (*fn)(struct nlmsghdr *))
{
	static char buffer[65536];

	for (;;) {
		ssize_t n = recv(diag, buffer, sizeof(buffer), 0);
		struct nlmsghdr *m = (void *)buffer;

		CHECK(n > 0);
		for (; NLMSG_OK(m, (size_t)n); m = NLMSG_NEXT(m, n)) {
			CHECK(m->nlmsg_seq == 7);
			if (m->nlmsg_type == NLMSG_DONE)
				return 0;
			if (m->nlmsg_type == NLMSG_ERROR)
				return ((struct nlmsgerr *)NLMSG_DATA(m))->error;
			CHECK(m->nlmsg_type == SOCK_DIAG_BY_FAMILY);
			fn(m);
			if (!(m->nlmsg_flags & NLM_F_MULTI))
				return 0;
		}
	}
}

static void *attribute(struct nlmsghdr *m, size_t fixed, unsigned type, size_t *size)
{
	size_t at = NLMSG_SPACE(fixed);

	while (at + NLA_HDRLEN <= m->nlmsg_len) {
		struct nlattr *a = (void *)((char *)m + at);

		if (a->nla_type == type) {
			*size = a->nla_len - NLA_HDRLEN;
			return (char *)a + NLA_HDRLEN;
		}
		at += NLA_ALIGN(a->nla_len);
	}
	return NULL;
}

static ino_t wanted;
static int seen;

static void show_inet(struct nlmsghdr *m)
{
	struct inet_diag_msg *d = NLMSG_DATA(m);
	struct tcp_info *info;
	size_t size;
	unsigned char *flag;

	if (d->idiag_inode != wanted)
		return;
	seen++;
	info = attribute(m, sizeof(*d), INET_DIAG_INFO, &size);
	flag = attribute(m, sizeof(*d), INET_DIAG_SHUTDOWN, &size);
	printf("family %d state %d port %d to %d queues %u %u info %d shutdown %d\n", d->idiag_family, d->idiag_state,
		d->idiag_state == 5 ? 0 : ntohs(d->id.idiag_sport), d->idiag_state == 1 ? 0 : ntohs(d->id.idiag_dport), d->idiag_rqueue, d->idiag_wqueue,
		info ? info->tcpi_state : -1, flag ? *flag : -1);
}

static int dump_inet(int family, int protocol, unsigned states, int fd)
{
	struct inet_diag_req_v2 request = {.sdiag_family = (unsigned char)family, .sdiag_protocol = (unsigned char)protocol,
		.idiag_ext = 1 << (INET_DIAG_INFO - 1), .idiag_states = states};

	wanted = ino_of(fd);
	seen = 0;
	ask(&request, sizeof(request), NLM_F_DUMP);
	CHECK(answers(show_inet) == 0);
	return seen;
}

static void internet(void)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(5090), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), one = 1, child;
	int udp = socket(AF_INET, SOCK_DGRAM, 0), udp6 = socket(AF_INET6, SOCK_DGRAM, 0), unbound = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in6 name6 = {.sin6_family = AF_INET6, .sin6_port = htons(5091)};
	struct inet_diag_req_v2 request = {.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0u};

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	CHECK(bind(listener, (void *)&name, sizeof(name)) == 0 && listen(listener, 7) == 0);
	CHECK(connect(client, (void *)&name, sizeof(name)) == 0);
	CHECK(dump_inet(AF_INET, IPPROTO_TCP, ~0u, listener) == 1);
	child = accept(listener, NULL, NULL);
	CHECK(write(client, "hello", 5) == 5);
	CHECK(dump_inet(AF_INET, IPPROTO_TCP, ~0u, listener) == 1);
	CHECK(dump_inet(AF_INET, IPPROTO_TCP, ~0u, child) == 1);
	CHECK(dump_inet(AF_INET, IPPROTO_TCP, 1 << 10, child) == 0);
	CHECK(dump_inet(AF_INET6, IPPROTO_TCP, ~0u, child) == 0);
	CHECK(dump_inet(AF_INET, IPPROTO_UDP, ~0u, child) == 0);
	CHECK(dump_inet(AF_INET, IPPROTO_TCP, ~0u, unbound) == 0);
	CHECK(bind(udp, (void *)&name, sizeof(name)) == 0 && bind(udp6, (void *)&name6, sizeof(name6)) == 0);
	CHECK(dump_inet(AF_INET, IPPROTO_UDP, ~0u, udp) == 1);
	CHECK(dump_inet(AF_INET6, IPPROTO_UDP, ~0u, udp6) == 1);
	CHECK(shutdown(client, SHUT_WR) == 0);
	usleep(50000);
	CHECK(dump_inet(AF_INET, IPPROTO_TCP, ~0u, client) == 1);
	/* one by its names */
	request.id.idiag_sport = htons(5090);
	request.id.idiag_src[0] = name.sin_addr.s_addr;
	request.id.idiag_cookie[0] = request.id.idiag_cookie[1] = ~0u;
	wanted = ino_of(listener);
	seen = 0;
	ask(&request, sizeof(request), 0);
	CHECK(answers(show_inet) == 0 && seen == 1);
	request.id.idiag_sport = htons(5099);
	ask(&request, sizeof(request), 0);
	CHECK(answers(show_inet) == -ENOENT);
}

static void show_unix(struct nlmsghdr *m)
{
	struct unix_diag_msg *d = NLMSG_DATA(m);
	struct unix_diag_rqlen *queues;
	size_t size, len = 0;
	char *name;
	unsigned *peer;

	if (d->udiag_ino != wanted)
		return;
	seen++;
	name = attribute(m, sizeof(*d), UNIX_DIAG_NAME, &len);
	peer = attribute(m, sizeof(*d), UNIX_DIAG_PEER, &size);
	queues = attribute(m, sizeof(*d), UNIX_DIAG_RQLEN, &size);
	printf("unix type %d state %d peer %d name %zu %s rqueue %u\n", d->udiag_type, d->udiag_state, peer && *peer != 0, len,
		len ? name + 1 : "", queues->udiag_rqueue);
}

static int dump_unix(unsigned states, int fd)
{
	struct unix_diag_req request = {.sdiag_family = AF_UNIX, .udiag_states = states,
		.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN};

	wanted = ino_of(fd);
	seen = 0;
	ask(&request, sizeof(request), NLM_F_DUMP);
	CHECK(answers(show_unix) == 0);
	return seen;
}

static void local(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0sockdiag"};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), pair[2], datagram = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct unix_diag_req request = {.sdiag_family = AF_UNIX, .udiag_states = ~0u, .udiag_cookie = {~0u, ~0u}};

	CHECK(bind(listener, (void *)&name, 2 + 9) == 0 && listen(listener, 4) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0 && write(pair[0], "abc", 3) == 3);
	CHECK(dump_unix(~0u, listener) == 1);
	CHECK(dump_unix(~0u, pair[1]) == 1);
	CHECK(dump_unix(~0u, datagram) == 1);
	CHECK(dump_unix(1 << 10, pair[0]) == 0);
	ask(&request, sizeof(request), 0);
	CHECK(answers(show_unix) == -EINVAL);
	request.udiag_ino = 999999;
	ask(&request, sizeof(request), 0);
	CHECK(answers(show_unix) == -ENOENT);
}

static void refused(void)
{
	char family = AF_APPLETALK;

	ask(&family, sizeof(family), NLM_F_DUMP);
	CHECK(answers(NULL) == -EINVAL);
	ask("\2\6", 2, NLM_F_DUMP);
	CHECK(answers(NULL) == -EINVAL);
}

int main(void)
{
	diag = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_SOCK_DIAG);
	CHECK(diag >= 0);
	internet();
	local();
	refused();
	return CHECK_RESULT();
}
