/*
 * The host's network as it was when the sandbox started, for programs that use its sockets (--network=host): tables.c
 * tells of it in the place of links of our own. It is a picture: counters and neighbours that age are not in it.
 */
#include <linux/neighbour.h>

#include "kernel/net/lwip/device.h"
#include "kernel/net/lwip/shown.h"

static struct {
	const struct config_network *head; /* NULL: there is none */
	const struct config_link *links;
	const struct config_address *addresses;
	const struct config_route *routes;
	const struct config_neighbour *neighbours;
} shown;

int inet_show(const void *network, uint32_t len)
{
	const char *wrong = shown.head ? "it is there already" : device_check(network, len, UINT32_MAX);
	void *copy;

	if (wrong) {
		klog(LOG_ERROR, "network to be shown: %s", wrong);
		return -EINVAL;
	}
	copy = kmalloc(len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, network, len);
	shown.head = copy;
	shown.links = (const void *)(shown.head + 1);
	shown.addresses = (const void *)(shown.links + shown.head->links);
	shown.routes = (const void *)(shown.addresses + shown.head->addresses);
	shown.neighbours = (const void *)(shown.routes + shown.head->routes);
	return 0;
}

bool inet_is_shown(void)
{
	return shown.head && stack_user_is_first();
}

static int index_of(uint32_t link)
{
	return (int)shown.links[link].host_index;
}

void shown_for_each_device(void (*fn)(void *arg, const struct inet_device *device), void *arg)
{
	for (uint32_t i = 0; i < shown.head->links; i++) {
		struct inet_device out = {.index = index_of(i), .up = true, .mtu = shown.links[i].mtu};

		rf_strlcpy(out.name, shown.links[i].name, sizeof(out.name));
		memcpy(out.mac, shown.links[i].mac, sizeof(out.mac));
		fn(arg, &out);
	}
}

void shown_for_each_address(uint8_t family, void (*fn)(void *arg, const struct inet_address *address), void *arg)
{
	for (uint32_t i = 0; i < shown.head->addresses; i++) {
		const struct config_address *a = &shown.addresses[i];
		struct inet_address out = {.index = index_of(a->link), .family = family, .prefix = a->prefix, .scope = a->scope,
			.broadcast = family == AF_INET};

		memcpy(out.address, a->address, sizeof(out.address));
		if (a->family == family)
			fn(arg, &out);
	}
}

void shown_for_each_route(void (*fn)(void *arg, const struct inet_route *route), void *arg)
{
	for (uint32_t i = 0; i < shown.head->routes; i++) {
		struct inet_route out;

		inet_fill_route(&shown.routes[i], &out);
		out.index = index_of(shown.routes[i].link);
		fn(arg, &out);
	}
}

void shown_for_each_neighbour(void (*fn)(void *arg, const struct inet_neighbour *neighbour), void *arg)
{
	for (uint32_t i = 0; i < shown.head->neighbours; i++) {
		const struct config_neighbour *n = &shown.neighbours[i];
		struct inet_neighbour out = {.index = index_of(n->link), .family = n->family, .state = NUD_PERMANENT, .permanent = true};

		memcpy(out.address, n->address, sizeof(out.address));
		memcpy(out.mac, n->mac, sizeof(out.mac));
		fn(arg, &out);
	}
}
