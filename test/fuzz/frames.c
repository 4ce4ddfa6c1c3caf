/*
 * Fuzz target: Ethernet frames from a hostile link, against the sentry's network with a listener, connections and
 * datagram sockets of both families. The input is a sequence of records: a length (two bytes), a choice, the bytes. The
 * choice puts headers right (addresses, protocol, ports, lengths), so that what follows is reached; checksums are the
 * host's business and not looked at. Between frames the clock moves, so that timers run.
 *
 * Run as: fuzz_frames -max_total_time=60 CORPUS-DIRECTORY
 */
#include <linux/in.h>
#include <linux/in6.h>

#include "kernel/net/lwip/device.h"
#include "test/fuzz/network.h"

static struct {
	struct config_network head;
	struct config_link link;
	struct config_address addresses[2];
	struct config_route routes[2];
} network = {
	.head = {1, 2, 2, 0},
	.link = {.name = "eth0", .mac = {2, 0, 0, 0, 0, 1}, .mtu = 1500},
	.addresses = {{.family = AF_INET, .prefix = 24, .address = {10, 0, 0, 2}},
		{.family = AF_INET6, .prefix = 64, .address = {0xfd, [15] = 2}}},
	.routes = {{.family = AF_INET, .gateway = {10, 0, 0, 1}}, {.family = AF_INET6, .prefix = 64, .destination = {0xfd}}},
};

static struct socket *open_socket(int family, int type, int protocol, uint16_t port)
{
	struct socket_address address = {.family = (uint16_t)family, .len = family == AF_INET ? 16 : 28};
	struct socket *sock;

	if (inet_create(family, type, protocol, &sock))
		abort();
	address.data[0] = (char)(port >> 8);
	address.data[1] = (char)port;
	if (sock->ops->bind(sock, &address))
		abort();
	return sock;
}

static struct socket *listener, *datagram4, *datagram6, *raw;

static void start(void)
{
	fuzz_network_start(&network, sizeof(network));
	listener = open_socket(AF_INET6, SOCK_STREAM, 0, 80);
	if (listener->ops->listen(listener, 16))
		abort();
	datagram4 = open_socket(AF_INET, SOCK_DGRAM, 0, 53);
	datagram6 = open_socket(AF_INET6, SOCK_DGRAM, 0, 54);
	raw = open_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP, 0);
}

static int copy_nowhere(struct socket_copy *self, void *buffer, size_t n)
{
	return 0;
}

/* What a server would do: reads what there is, answers, and closes every other connection. */
static void serve(unsigned choice)
{
	struct socket_copy copy = {.copy = copy_nowhere};
	struct socket *const sockets[] = {datagram4, datagram6, raw};
	struct socket *child;

	for (unsigned i = 0; i < 3; i++) {
		struct socket_receive receive = {.copy = &copy, .len = 65536};

		while (sockets[i]->ops->receive(sockets[i], &receive) >= 0)
			;
	}
	while (listener->ops->accept(listener, 0, &child) == 0) {
		struct socket_receive receive = {.copy = &copy, .len = 65536};
		struct socket_send send = {.copy = &copy, .len = 20000, .flags = MSG_NOSIGNAL};

		(void)child->ops->receive(child, &receive);
		(void)child->ops->send(child, &send);
		child->ops->close(child);
	}
	if (choice & 64)
		ktimer_run();
}

/* Headers that get past the first checks, over what the input has. */
static void put_right(uint8_t *frame, size_t len, unsigned choice)
{
	static const uint8_t protocols[] = {6, 17, 1, 2};

	memcpy(frame, network.link.mac, 6);
	if (choice & 4 && len >= 14 + 40 + 4) {
		frame[12] = 0x86;
		frame[13] = 0xdd;
		frame[14] = 0x60;
		frame[18] = (uint8_t)((len - 54) >> 8);
		frame[19] = (uint8_t)(len - 54);
		if (choice & 8)
			frame[20] = choice & 1 ? 6 : choice & 2 ? 17 : 58;
		memcpy(frame + 38, network.addresses[1].address, 16);
		frame[56] = 0;
		frame[57] = choice & 2 ? 54 : 80;
	} else if (len >= 14 + 20 + 4) {
		frame[12] = 8;
		frame[13] = choice & 16 ? 6 : 0;
		if (choice & 16)
			return;
		frame[14] = 0x45;
		frame[16] = (uint8_t)((len - 14) >> 8);
		frame[17] = (uint8_t)(len - 14);
		if (choice & 32)
			frame[20] = frame[21] = 0; /* no fragment */
		if (choice & 8)
			frame[23] = protocols[choice & 3];
		memcpy(frame + 30, network.addresses[0].address, 4);
		uint32_t sum = 0;
		frame[24] = frame[25] = 0;
		for (unsigned i = 14; i < 34; i += 2)
			sum += (uint32_t)frame[i] << 8 | frame[i + 1];
		sum = (sum & 0xffff) + (sum >> 16);
		sum = ~(sum + (sum >> 16));
		frame[24] = (uint8_t)(sum >> 8);
		frame[25] = (uint8_t)sum;
		frame[36] = 0;
		frame[37] = choice & 1 ? 53 : 80;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* libFuzzer calls it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct frame_header trusted = {.flags = FRAME_DATA_VALID};
	static uint8_t frame[65536];

	if (!listener)
		start();
	while (size > 3) {
		size_t len = MIN((size_t)(data[0] | (data[1] & 7) << 8), size - 3);
		unsigned choice = data[2];

		memcpy(frame, data + 3, len);
		if (len >= 14 && choice & 128)
			put_right(frame, len, choice);
		net_devices[0].frames.receive(&net_devices[0].frames, &trusted, frame, len);
		hostring_poll();
		serve(choice);
		data += 3 + len;
		size -= 3 + len;
	}
	return 0;
}
