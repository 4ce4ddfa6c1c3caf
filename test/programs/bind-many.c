/*
 * Datagram sockets that are bound to a group or to a broadcast address (ip(7)): what they send has an address of this host;
 * and what IP_PKTOPTIONS tells of a stream.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "harness.h"

static struct sockaddr_in address(const char *text, int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(text)};
}

static void name(const char *what, const struct sockaddr_in *a)
{
	printf("%s %s:%d\n", what, inet_ntoa(a->sin_addr), ntohs(a->sin_port));
}

static void hear(int fd)
{
	struct sockaddr_in from = {0};
	socklen_t len = sizeof(from);
	char c;

	CHECK(recvfrom(fd, &c, 1, 0, (struct sockaddr *)&from, &len) == 1);
	name("from", &from);
}

static void bound_to(const char *text)
{
	int receiver = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), sender = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in any = address("0.0.0.0", 7000), many = address(text, 7001), to = address("127.0.0.1", 7000), own;
	socklen_t len = sizeof(own);

	printf("bound to %s\n", text);
	CHECK(bind(receiver, (struct sockaddr *)&any, sizeof(any)) == 0);
	CHECK(bind(sender, (struct sockaddr *)&many, sizeof(many)) == 0);
	CHECK(sendto(sender, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1);
	hear(receiver);
	CHECK(connect(sender, (struct sockaddr *)&to, sizeof(to)) == 0);
	CHECK(getsockname(sender, (struct sockaddr *)&own, &len) == 0);
	name("its name", &own);
	CHECK(send(sender, "y", 1, 0) == 1);
	hear(receiver);
	close(receiver);
	close(sender);
}

static void of_datagrams(void)
{
	struct sockaddr_in nowhere = address("198.51.100.1", 7001);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	bound_to("224.0.0.5");
	bound_to("255.255.255.255");
	bound_to("127.255.255.255");
	CHECK_ERRNO(bind(fd, (struct sockaddr *)&nowhere, sizeof(nowhere)), EADDRNOTAVAIL);
	close(fd);
}

static void options_of(int fd, socklen_t room)
{
	char list[256] __attribute__((aligned(8))) = "";
	socklen_t len = room;

	CHECK(getsockopt(fd, IPPROTO_IP, IP_PKTOPTIONS, list, &len) == 0);
	printf("%u bytes of %u:", len, room);
	for (socklen_t i = 0; i < len; i++)
		printf("%s%02x", i % 8 ? "" : " ", (unsigned char)list[i]);
	printf("\n");
}

static void of_a_stream(void)
{
	struct sockaddr_in a = address("127.0.0.1", 7100);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0), datagram = socket(AF_INET, SOCK_DGRAM, 0);
	const int on = 1;
	socklen_t len = sizeof(on);
	char value[4];

	CHECK_ERRNO(getsockopt(datagram, IPPROTO_IP, IP_PKTOPTIONS, value, &len), ENOPROTOOPT);
	options_of(fd, 256);
	CHECK(setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) == 0);
	options_of(fd, 256);
	CHECK(setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &on, sizeof(on)) == 0);
	CHECK(bind(listener, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(listener, 1) == 0);
	CHECK(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	for (socklen_t room = 0; room < 64; room += 5)
		options_of(fd, room);
	close(fd);
	close(listener);
	close(datagram);
}

int main(void)
{
	RUN(of_datagrams);
	RUN(of_a_stream);
	return CHECK_RESULT();
}
