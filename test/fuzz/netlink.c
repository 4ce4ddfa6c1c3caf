/*
 * Fuzz target: requests of a hostile program to netlink sockets of every protocol, with all capabilities, against a
 * network with a link, sockets of each family and a listener for news. The input is a sequence of records: a length (two
 * bytes), a choice, the bytes. The choice names the protocol and may put the header right, so that what follows is
 * reached. Whatever is answered is read, or now and then left, and the network's tables must still add up.
 *
 * Run as: fuzz_netlink -max_total_time=60 CORPUS-DIRECTORY
 */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "kernel/net/lwip/device.h"
#include "kernel/net/netlink.h"
#include "test/fuzz/network.h"

static struct {
	struct config_network head;
	struct config_link link;
	struct config_address addresses[2];
	struct config_route routes[1];
} network = {
	.head = {1, 2, 1, 0},
	.link = {.name = "eth0", .mac = {2, 0, 0, 0, 0, 1}, .mtu = 1500},
	.addresses = {{.family = AF_INET, .prefix = 24, .address = {10, 0, 0, 2}},
		{.family = AF_INET6, .prefix = 64, .address = {0xfd, [15] = 2}}},
	.routes = {{.family = AF_INET, .gateway = {10, 0, 0, 1}}},
};

static const int protocols[] = {NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_GENERIC, NETLINK_ROUTE};
static struct socket *sockets[ARRAY_SIZE(protocols)], *listener, *stream;

static void start(void)
{
	struct socket_address name = {.family = AF_INET, .len = 16, .data = {0, 80}};
	struct socket_address groups = {.family = AF_NETLINK, .len = sizeof(struct sockaddr_nl)};
	struct sockaddr_nl all = {.nl_family = AF_NETLINK, .nl_groups = UINT32_MAX};
	const int strict = 1; /* of the second one of its protocol */

	fuzz_network_start(&network, sizeof(network));
	for (unsigned i = 0; i < ARRAY_SIZE(protocols); i++)
		if (netlink_create(SOCK_RAW, protocols[i], &sockets[i]))
			abort();
	if (sockets[3]->ops->set_option(sockets[3], SOL_NETLINK, NETLINK_GET_STRICT_CHK, &strict, sizeof(strict)))
		abort();
	if (netlink_create(SOCK_RAW, NETLINK_ROUTE, &listener) || inet_create(AF_INET, SOCK_STREAM, 0, &stream))
		abort();
	memcpy(&groups, &all, sizeof(all));
	if (listener->ops->bind(listener, &groups) || stream->ops->bind(stream, &name) || stream->ops->listen(stream, 4))
		abort();
}

struct record {
	struct socket_copy copy;
	const uint8_t *bytes;
};

static int copy_in(struct socket_copy *self, void *buffer, size_t n)
{
	struct record *record = container_of(self, struct record, copy);

	memcpy(buffer, record->bytes, n);
	record->bytes += n;
	return 0;
}

static int copy_nowhere(struct socket_copy *self, void *buffer, size_t n)
{
	static uint8_t bytes[65536];

	memcpy(bytes, buffer, MIN(n, sizeof(bytes))); /* every byte must be there */
	return 0;
}

static void read_all(struct socket *sock)
{
	struct socket_copy copy = {.copy = copy_nowhere};

	for (;;) {
		struct socket_receive receive = {.copy = &copy, .len = 65536};

		if (sock->ops->receive(sock, &receive) == -EAGAIN)
			return;
	}
}

static void check_tables(void)
{
	if (net_route_count > NET_ROUTES_MAX || net_device_count > ARRAY_SIZE(net_devices))
		abort();
	for (unsigned i = 0; i < net_route_count; i++)
		if (net_routes[i].link >= net_device_count || net_devices[net_routes[i].link].parent ||
		    net_routes[i].prefix > (net_routes[i].family == AF_INET ? 32 : 128))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* libFuzzer calls it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t bytes[2048];

	if (!listener)
		start();
	while (size > 3) {
		size_t len = MIN((size_t)(data[0] | (data[1] & 7) << 8), size - 3);
		struct record record = {{.copy = copy_in}, bytes};
		struct socket_send send = {.copy = &record.copy, .len = len};
		struct socket *sock = sockets[data[2] & 3];

		memcpy(bytes, data + 3, len);
		if (data[2] & 128 && len >= sizeof(struct nlmsghdr)) {
			struct nlmsghdr *head = (void *)bytes;

			head->nlmsg_len = (uint32_t)len;
			head->nlmsg_flags |= NLM_F_REQUEST;
			if (sock->protocol == NETLINK_ROUTE)
				head->nlmsg_type = (uint16_t)(RTM_BASE + head->nlmsg_type % 32);
		}
		(void)sock->ops->send(sock, &send);
		if (!(data[2] & 64)) {
			read_all(sock);
			read_all(listener);
		}
		check_tables();
		data += 3 + len;
		size -= 3 + len;
	}
	return 0;
}
