/*
 * SO_TIMESTAMPING: when messages came, and when those that were sent left; with numbers (OPT_ID), without bytes (OPT_TSONLY), as
 * an option and as a control message. Each step is printed, and the lines are compared with Linux's.
 */
#include <time.h>

#include <linux/errqueue.h>
#include <linux/ethtool.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "harness.h"
#include "internet.h"

#define RECORD (SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE)

static int pair[2]; /* [0] sends, [1] receives */

static void end(void)
{
	close(pair[0]);
	close(pair[1]);
}

static void set(int s, int option, unsigned flags)
{
	struct so_timestamping got = {0};
	socklen_t len = sizeof(got);

	printf("set %#x:", flags);
	printf(" %s", setsockopt(s, SOL_SOCKET, option, &flags, sizeof(flags)) ? strerrorname_np(errno) : "ok");
	CHECK(getsockopt(s, SOL_SOCKET, option, &got, &len) == 0);
	printf(" %u %#x\n", len, got.flags);
	sleep_ms(20); /* Linux begins to note times a little later */
}

static int is_now(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return t->tv_sec >= now.tv_sec - 60 && t->tv_sec <= now.tv_sec;
}

/* One message with its control messages. of: how many bytes are shown. */
static int hear(int s, int flags, int of)
{
	unsigned char bytes[2000];
	char control[512];
	struct iovec iov = {bytes, sizeof(bytes)};
	struct sockaddr_storage from = {0};
	struct msghdr msg = {.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t rc = recvmsg(s, &msg, flags | MSG_DONTWAIT);

	if (rc < 0) {
		printf("nothing (%s)\n", strerrorname_np(errno));
		return 0;
	}
	printf("%zd bytes", of < 0 ? 0 : rc);
	for (int i = 0; i < of && i < rc; i++)
		printf(" %02x", bytes[rc - 1 - i]);
	printf(" flags %#x name %d:", msg.msg_flags, msg.msg_namelen);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		printf(" %d/%d/%zu", c->cmsg_level, c->cmsg_type, c->cmsg_len);
		if (c->cmsg_level == SOL_SOCKET && (c->cmsg_type == SCM_TIMESTAMPING || c->cmsg_type == 65)) {
			struct timespec t[3];

			memcpy(t, CMSG_DATA(c), sizeof(t));
			printf(" %s %d %d", is_now(&t[0]) ? "now" : "never", (int)t[1].tv_sec, (int)t[2].tv_sec);
		} else if (c->cmsg_level != SOL_SOCKET) {
			struct sock_extended_err e;

			memcpy(&e, CMSG_DATA(c), sizeof(e));
			printf(" errno %u origin %u type %u code %u info %u data %u", e.ee_errno, e.ee_origin, e.ee_type, e.ee_code, e.ee_info, e.ee_data);
		}
	}
	printf("\n");
	return 1;
}

static void notes(int of)
{
	struct pollfd p = {.fd = pair[0], .events = POLLPRI};

	sleep_ms(5);
	CHECK(poll(&p, 1, 0) >= 0);
	printf("poll %#x\n", p.revents);
	while (hear(pair[0], MSG_ERRQUEUE, of))
		;
}

static void coming(int family)
{
	int one = 1;

	printf("-- coming %d\n", family);
	CHECK(udp_pair(family, pair));
	set(pair[1], SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE);
	CHECK(send(pair[0], "a", 1, 0) == 1);
	hear(pair[1], 0, 1);
	set(pair[1], SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE);
	CHECK(send(pair[0], "b", 1, 0) == 1);
	hear(pair[1], 0, 1);
	CHECK(setsockopt(pair[1], SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)) == 0);
	CHECK(send(pair[0], "c", 1, 0) == 1);
	hear(pair[1], 0, 1);
	set(pair[1], 65 /* SO_TIMESTAMPING_NEW */, SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE);
	CHECK(send(pair[0], "d", 1, 0) == 1);
	hear(pair[1], 0, 1);
	set(pair[1], 65, 0);
	end();
	for (int option = 63; option <= 64; option++) { /* SO_TIMESTAMP_NEW, SO_TIMESTAMPNS_NEW */
		CHECK(udp_pair(family, pair));
		CHECK(setsockopt(pair[1], SOL_SOCKET, option, &one, sizeof(one)) == 0);
		CHECK(send(pair[0], "e", 1, 0) == 1);
		hear(pair[1], 0, 1);
		end();
	}
}

static void leaving(int family)
{
	printf("-- leaving %d\n", family);
	CHECK(udp_pair(family, pair));
	set(pair[0], SO_TIMESTAMPING, RECORD);
	CHECK(send(pair[0], "abc", 3, 0) == 3);
	notes(3);
	set(pair[0], SO_TIMESTAMPING, RECORD | SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_OPT_ID);
	CHECK(send(pair[0], "def", 3, 0) == 3 && send(pair[0], "ghi", 3, 0) == 3);
	notes(3);
	set(pair[0], SO_TIMESTAMPING, RECORD | SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY);
	CHECK(send(pair[0], "jkl", 3, 0) == 3);
	notes(3);
	set(pair[0], SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_SOFTWARE);
	CHECK(send(pair[0], "mno", 3, 0) == 3);
	notes(3);
	set(pair[0], SO_TIMESTAMPING, SOF_TIMESTAMPING_SOFTWARE);
	CHECK(send(pair[0], "pqr", 3, 0) == 3);
	notes(3);
	set(pair[0], SO_TIMESTAMPING, RECORD | SOF_TIMESTAMPING_OPT_ID);
	CHECK(send(pair[0], "stu", 3, MSG_MORE) == 3 && send(pair[0], "vwx", 3, 0) == 3);
	notes(6);
	end();
}

/* As long as a packet can be: with the header that the note shows it is longer. */
static void longest(int family)
{
	static char bytes[65507];
	size_t len = family == AF_INET ? sizeof(bytes) : sizeof(bytes) - 20;

	printf("-- longest %d\n", family);
	memset(bytes, 'x', sizeof(bytes));
	CHECK(udp_pair(family, pair));
	set(pair[0], SO_TIMESTAMPING, RECORD);
	CHECK(send(pair[0], bytes, len, 0) == (ssize_t)len);
	notes(3);
	end();
}

static void by_message(void)
{
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {"abc", 3};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int flags[] = {SOF_TIMESTAMPING_TX_SOFTWARE, SOF_TIMESTAMPING_TX_SCHED, 0, SOF_TIMESTAMPING_RX_SOFTWARE};

	printf("-- by message\n");
	CHECK(udp_pair(AF_INET, pair));
	set(pair[0], SO_TIMESTAMPING, SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY);
	for (unsigned i = 0; i < 4; i++) {
		*c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SO_TIMESTAMPING, .cmsg_len = CMSG_LEN(sizeof(int))};
		memcpy(CMSG_DATA(c), &flags[i], sizeof(int));
		printf("%zd\n", sendmsg(pair[0], &msg, 0));
		notes(0);
	}
	c->cmsg_len = CMSG_LEN(2);
	CHECK_ERRNO(sendmsg(pair[0], &msg, 0), EINVAL);
	end();
}

static void streams(void)
{
	int one = 1;

	printf("-- streams\n");
	CHECK(tcp_pair(pair));
	set(pair[0], SO_TIMESTAMPING, RECORD | SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY);
	set(pair[1], SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE);
	CHECK(send(pair[0], "abc", 3, 0) == 3);
	hear(pair[1], 0, 3);
	sleep_ms(100);
	notes(0);
	CHECK(send(pair[0], "defg", 4, 0) == 4);
	sleep_ms(100);
	notes(0);
	set(pair[0], SO_TIMESTAMPING, 0);
	CHECK(send(pair[0], "h", 1, 0) == 1);
	notes(0);
	set(pair[1], SO_TIMESTAMPING, 0);
	CHECK(setsockopt(pair[1], SOL_SOCKET, SO_TIMESTAMP, &one, sizeof(one)) == 0);
	CHECK(send(pair[0], "i", 1, 0) == 1);
	sleep_ms(100);
	hear(pair[1], 0, 5);
	end();
	/* The peer is gone, and answers with a reset while the call is under way. */
	CHECK(tcp_pair(pair));
	set(pair[0], SO_TIMESTAMPING, RECORD | SOF_TIMESTAMPING_OPT_TSONLY);
	close(pair[1]);
	CHECK(send(pair[0], "j", 1, 0) == 1);
	sleep_ms(20);
	CHECK_ERRNO(send(pair[0], "k", 1, MSG_NOSIGNAL), EPIPE);
	close(pair[0]);
}

static void refused(void)
{
	struct ethtool_ts_info info = {.cmd = ETHTOOL_GET_TS_INFO};
	struct hwtstamp_config config = {.tx_type = HWTSTAMP_TX_ON};
	struct ifreq ifr = {.ifr_name = "lo"};
	int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);

	printf("-- refused\n");
	set(tcp, SO_TIMESTAMPING, SOF_TIMESTAMPING_OPT_ID);
	set(tcp, SO_TIMESTAMPING, SOF_TIMESTAMPING_SOFTWARE);
	set(udp, SO_TIMESTAMPING, 1u << 31);
	set(udp, SO_TIMESTAMPING, SOF_TIMESTAMPING_OPT_STATS);
	set(udp, SO_TIMESTAMPING, 1u << 16 /* OPT_ID_TCP */);
	set(udp, SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE);
	ifr.ifr_data = (void *)&info;
	printf("ts info: %s", ioctl(udp, SIOCETHTOOL, &ifr) ? strerrorname_np(errno) : "ok");
	printf(" %#x clock %d %#x %#x\n", info.so_timestamping, info.phc_index, info.tx_types, info.rx_filters);
	ifr.ifr_data = (void *)&config;
	printf("set hardware: %s", ioctl(udp, SIOCSHWTSTAMP, &ifr) ? strerrorname_np(errno) : "ok");
	printf(" get: %s\n", ioctl(udp, SIOCGHWTSTAMP, &ifr) ? strerrorname_np(errno) : "ok");
	memcpy(ifr.ifr_name, "nolink", 7);
	printf("no link: %s", ioctl(udp, SIOCETHTOOL, &ifr) ? strerrorname_np(errno) : "ok");
	printf(" %s\n", ioctl(udp, SIOCSHWTSTAMP, &ifr) ? strerrorname_np(errno) : "ok");
	close(tcp);
	close(udp);
}

int main(void)
{
	harness_start();
	coming(AF_INET);
	coming(AF_INET6);
	leaving(AF_INET);
	leaving(AF_INET6);
	longest(AF_INET);
	longest(AF_INET6);
	by_message();
	streams();
	refused();
	return CHECK_RESULT();
}
