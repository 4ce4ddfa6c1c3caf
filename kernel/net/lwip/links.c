/*
 * Links that come and go after the start: what kernel/net/later.c hears of becomes a netif, or is taken away with all
 * that it had. Their frames share one socket of the host (kernel/net/frames.h).
 */
#include "kernel/net/lwip/device.h"
#include "kernel/net/netlink.h"

#define LINK_MTU_MAX 61440u /* what a frame carries */

static uint32_t links_fd;

static struct frames *frames_of(uint32_t host_index)
{
	for (unsigned i = 0; i < net_device_count; i++)
		if (!net_devices[i].parent && net_devices[i].host_index == host_index)
			return &net_devices[i].frames;
	return NULL;
}

void inet_use_links(uint32_t fd)
{
	links_fd = fd;
}

/* With the first link: most sandboxes never have one. */
static int start_reading(void)
{
	static bool started;
	int rc = started ? 0 : frames_start_shared(links_fd, frames_of);

	started = !rc;
	return rc;
}

int inet_add_link(const struct inet_device *link)
{
	struct config_link config = {.mtu = (uint16_t)MIN(link->mtu, LINK_MTU_MAX), .host_index = link->host_index};
	struct net_device *device;
	int index;

	if (frames_of(link->host_index))
		return -EEXIST;
	index = start_reading();
	if (index)
		return index;
	rf_strlcpy(config.name, link->name, sizeof(config.name));
	memcpy(config.mac, link->mac, sizeof(config.mac));
	stack_enter(&first_net_ns);
	device = device_add_link(&config, links_fd);
	if (device)
		device->frames.host_index = link->host_index;
	stack_leave();
	if (!device)
		return -ENOBUFS;
	index = netif_get_index(&device->netif);
	netlink_route_tell_link(index, true);
	return index;
}

void inet_remove_link(int index)
{
	struct net_device *device = device_by_index(index);

	if (!device)
		return;
	stack_enter(&first_net_ns);
	change_take_down(device);
	change_forget_addresses4(device);
	netlink_route_tell_link(index, false);
	for (unsigned i = 0; i < net_device_count; i++)
		if (net_devices[i].parent == device)
			device_remove(&net_devices[i]);
	device_remove(device);
	stack_leave();
}
