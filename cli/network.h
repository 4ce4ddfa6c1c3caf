/*
 * The network that a container gets: taken over from a namespace that somebody (a CNI plug-in, Podman) has set up.
 */
#ifndef CLI_NETWORK_H
#define CLI_NETWORK_H

#include "platform/abi/config.h"

struct container_network {
	struct config_network head;
	struct config_link links[CONFIG_NETWORK_LINKS];
	struct config_address addresses[CONFIG_NETWORK_ENTRIES];
	struct config_route routes[CONFIG_NETWORK_ENTRIES];
	struct config_neighbour neighbours[CONFIG_NETWORK_ENTRIES];
	int fds[CONFIG_NETWORK_LINKS]; /* a packet socket for each link */
};

/* 0, or 1 after a message. The namespace's own stack has no addresses afterwards. */
int network_take_over(const char *path, struct container_network *network);

#endif
