/*
 * Packet sockets on the loopback device: what they see of a datagram, their addresses, filters, statistics, rings of
 * received frames, and frames of their own.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "harness.h"
#include "internet.h"

#define LO 1

static int sender, receiver;

static int packet_socket(int type, int protocol)
{
	int s = socket(AF_PACKET, type | SOCK_NONBLOCK, htons(protocol));
	struct sockaddr_ll lo = {.sll_family = AF_PACKET, .sll_ifindex = LO, .sll_protocol = htons(protocol)};

	CHECK(s >= 0 && bind(s, (void *)&lo, sizeof(lo)) == 0);
	return s;
}

static void datagram(const char *text)
{
	char buf[64];

	CHECK(send(sender, text, strlen(text), 0) == (ssize_t)strlen(text));
	CHECK(recv(receiver, buf, sizeof(buf), MSG_DONTWAIT) == (ssize_t)strlen(text));
}

static void start(void)
{
	struct sockaddr_in address = at4("127.0.0.1", 0);
	socklen_t len = sizeof(address);

	sender = socket(AF_INET, SOCK_DGRAM, 0);
	receiver = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(bind(receiver, (void *)&address, len) == 0 && getsockname(receiver, (void *)&address, &len) == 0);
	CHECK(connect(sender, (void *)&address, len) == 0);
}

static void names(void)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_ifindex = 9999, .sll_protocol = htons(ETH_P_ALL)};
	socklen_t len = sizeof(a);
	int s = socket(AF_PACKET, SOCK_RAW, 0);

	CHECK_ERRNO(socket(AF_PACKET, SOCK_STREAM, 0), ESOCKTNOSUPPORT);
	CHECK_ERRNO(bind(s, (void *)&a, sizeof(a)), ENODEV);
	CHECK_ERRNO(bind(s, (void *)&a, 8), EINVAL);
	a.sll_ifindex = LO;
	CHECK(bind(s, (void *)&a, sizeof(a)) == 0);
	memset(&a, 0, sizeof(a));
	CHECK(getsockname(s, (void *)&a, &len) == 0 && len == 18 && a.sll_ifindex == LO && a.sll_protocol == htons(ETH_P_ALL));
	CHECK(a.sll_hatype == 772 && a.sll_halen == 6);
	CHECK_ERRNO(getpeername(s, (void *)&a, &len), EOPNOTSUPP);
	CHECK_ERRNO(connect(s, (void *)&a, sizeof(a)), EOPNOTSUPP);
	CHECK_ERRNO(listen(s, 1), EOPNOTSUPP);
	close(s);
}

/* What goes out and comes in again, once each. */
static void both_directions(void)
{
	int raw = packet_socket(SOCK_RAW, ETH_P_ALL), cooked = packet_socket(SOCK_DGRAM, ETH_P_IP);
	struct sockaddr_ll from;
	socklen_t len = sizeof(from);
	unsigned char frame[128];

	datagram("hello");
	CHECK(recvfrom(raw, frame, sizeof(frame), 0, (void *)&from, &len) == 14 + 20 + 8 + 5);
	CHECK(len == sizeof(from) && from.sll_ifindex == LO && from.sll_pkttype == PACKET_OUTGOING && from.sll_protocol == htons(ETH_P_IP));
	CHECK(frame[12] == 8 && frame[13] == 0 && frame[14] == 0x45 && !memcmp(frame + 42, "hello", 5));
	CHECK(recvfrom(raw, frame, sizeof(frame), 0, (void *)&from, &len) == 47 && from.sll_pkttype == PACKET_HOST);
	CHECK_ERRNO(recv(raw, frame, sizeof(frame), 0), EAGAIN);
	CHECK(recvfrom(cooked, frame, sizeof(frame), 0, (void *)&from, &len) == 33 && frame[0] == 0x45);
	CHECK(from.sll_pkttype == PACKET_HOST);
	CHECK_ERRNO(recv(cooked, frame, sizeof(frame), 0), EAGAIN);
	datagram("cut");
	CHECK(recv(cooked, frame, 10, MSG_TRUNC) == 31);
	close(raw);
	close(cooked);
}

static void control(void)
{
	int s = packet_socket(SOCK_RAW, ETH_P_IP), one = 1;
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);
	struct tpacket_auxdata *aux = NULL;
	char data[64], space[256];
	struct iovec iov = {data, 20};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)};

	CHECK(setsockopt(s, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) == 0);
	datagram("hello");
	CHECK(recvmsg(s, &msg, 0) == 20 && msg.msg_flags & MSG_TRUNC);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA)
			aux = (void *)CMSG_DATA(c);
	CHECK(aux && aux->tp_len == 47 && aux->tp_snaplen == 47 && aux->tp_net == 14 && aux->tp_status & TP_STATUS_USER);
	datagram("hello");
	CHECK(getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0 && stats.tp_packets == 2 && stats.tp_drops == 0);
	CHECK(getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0 && stats.tp_packets == 0);
	close(s);
}

static void filtered(void)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 42),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'y', 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_HOST, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 44),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog fprog = {6, program};
	int s = packet_socket(SOCK_RAW, ETH_P_ALL);
	char frame[64];

	CHECK(setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &fprog, sizeof(fprog)) == 0);
	datagram("no");
	datagram("yes");
	CHECK(recv(s, frame, sizeof(frame), 0) == 44 && frame[42] == 'y');
	CHECK_ERRNO(recv(s, frame, sizeof(frame), 0), EAGAIN);
	close(s);
}

static void memberships(void)
{
	struct packet_mreq request = {.mr_ifindex = LO, .mr_type = PACKET_MR_PROMISC};
	int s = packet_socket(SOCK_RAW, ETH_P_ALL);

	CHECK(setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof(request)) == 0);
	CHECK_ERRNO(setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, 4), EINVAL);
	CHECK(setsockopt(s, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &request, sizeof(request)) == 0);
	request.mr_ifindex = 9999;
	CHECK_ERRNO(setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof(request)), ENODEV);
	close(s);
}

/* A whole UDP packet by hand, which nobody believes since it says that it is from 127.0.0.1; and a type that is nobody's. */
static void sends(void)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = LO, .sll_protocol = htons(0x88b5), .sll_halen = 6};
	int raw = packet_socket(SOCK_RAW, ETH_P_IP), cooked = socket(AF_PACKET, SOCK_DGRAM, 0), other = packet_socket(SOCK_DGRAM, 0x88b5);
	unsigned char frame[128];
	char buf[64];
	ssize_t n;

	datagram("again");
	n = recv(raw, frame, sizeof(frame), 0);
	CHECK(n == 47);
	memcpy(frame + 42, "twice", 5);
	frame[40] = frame[41] = 0; /* no checksum */
	CHECK(send(raw, frame, 47, 0) == 47);
	CHECK(recv(raw, frame, sizeof(frame), 0) == 47 && !memcmp(frame + 42, "twice", 5));
	CHECK_ERRNO(recv(receiver, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	CHECK_ERRNO(send(raw, frame, 4, 0), EINVAL);
	CHECK_ERRNO(send(cooked, "x", 1, 0), ENXIO);
	CHECK(sendto(cooked, "strange", 7, 0, (void *)&to, sizeof(to)) == 7);
	CHECK(recv(other, buf, sizeof(buf), 0) == 7 && !memcmp(buf, "strange", 7));
	to.sll_ifindex = 9999;
	CHECK_ERRNO(sendto(cooked, "x", 1, 0, (void *)&to, sizeof(to)), ENXIO);
	close(raw);
	close(cooked);
	close(other);
}

static void ring(void)
{
	struct tpacket_req request = {.tp_block_size = 65536, .tp_block_nr = 2, .tp_frame_size = 2048, .tp_frame_nr = 64};
	int s = packet_socket(SOCK_RAW, ETH_P_IP), version = TPACKET_V2, length = TPACKET_V2;
	socklen_t len = sizeof(length);
	struct pollfd p = {s, POLLIN, 0};
	struct tpacket_stats stats;
	char *memory;

	CHECK(getsockopt(s, SOL_PACKET, PACKET_HDRLEN, &length, &len) == 0 && length == sizeof(struct tpacket2_hdr));
	CHECK(setsockopt(s, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) == 0);
	request.tp_frame_nr = 63;
	CHECK_ERRNO(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)), EINVAL);
	request.tp_frame_nr = 64;
	CHECK(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)) == 0);
	CHECK_ERRNO(setsockopt(s, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)), EBUSY);
	memory = mmap(NULL, 131072, PROT_READ | PROT_WRITE, MAP_SHARED, s, 0);
	CHECK(memory != MAP_FAILED);
	CHECK(poll(&p, 1, 0) == 0);
	for (int i = 0; i < 100; i++)
		datagram("ring");
	CHECK(poll(&p, 1, 0) == 1 && p.revents & POLLIN);
	for (int i = 0; i < 64; i++) {
		struct tpacket2_hdr *h = (void *)(memory + i * 2048);
		struct sockaddr_ll *from = (void *)((char *)h + TPACKET_ALIGN(sizeof(*h)));

		if (!(h->tp_status & TP_STATUS_USER) || h->tp_len != 46 || h->tp_snaplen != 46 || h->tp_net - h->tp_mac != 14 ||
		    memcmp((char *)h + h->tp_mac + 42, "ring", 4) || from->sll_ifindex != LO || from->sll_pkttype != PACKET_HOST)
			CHECK(!"a frame of the ring");
		h->tp_status = TP_STATUS_KERNEL;
	}
	len = sizeof(stats);
	CHECK(getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0 && stats.tp_packets == 100 && stats.tp_drops == 36);
	CHECK(poll(&p, 1, 0) == 0);
	datagram("more");
	CHECK(poll(&p, 1, 0) == 1 && !memcmp(memory + ((struct tpacket2_hdr *)(void *)memory)->tp_mac + 42, "more", 4));
	close(s);
	CHECK(memory[0] & TP_STATUS_USER); /* the memory outlives the socket */
	munmap(memory, 131072);
}

static void without_the_capability(void)
{
	CHECK(setuid(65534) == 0);
	CHECK_ERRNO(socket(AF_PACKET, SOCK_RAW, 0), EPERM);
}

int main(void)
{
	int s;

	harness_start();
	s = socket(AF_PACKET, SOCK_RAW, 0);
	if (s < 0)
		return SKIP;
	close(s);
	start();
	RUN(names);
	RUN(both_directions);
	RUN(control);
	RUN(filtered);
	RUN(memberships);
	RUN(sends);
	RUN(ring);
	ISOLATED(without_the_capability);
	return CHECK_RESULT();
}
