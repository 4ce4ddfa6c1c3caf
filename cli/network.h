/*
 * The network that a container gets with --network=sandbox: its namespace on the host, which somebody (a CNI plug-in,
 * Podman, Docker in a hook) sets up, and what the sandbox takes over from it.
 *
 * Order of use: network_join() in the process that becomes the sandbox; then hooks and whoever else add
 * interfaces; network_take_over() just before the container's program starts.
 */
#ifndef CLI_NETWORK_H
#define CLI_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "platform/abi/config.h"

#define NETWORK_FDS (CONFIG_NETWORK_LINKS + 3)

struct container_network {
	struct config_network head;
	struct config_link links[CONFIG_NETWORK_LINKS];
	struct config_address addresses[CONFIG_NETWORK_ENTRIES];
	struct config_route routes[CONFIG_NETWORK_ENTRIES];
	struct config_neighbour neighbours[CONFIG_NETWORK_ENTRIES];
	/* News of the namespace, a packet socket for later links, one for each link, with `resolver` a socket to that; the receiver's to close. */
	int fds[NETWORK_FDS];
	unsigned fd_count;
	bool resolver;
};

/* From here on this thread is in the namespace at `path`, or for NULL in a new one. 0, or 1 after a message. */
int network_join(const char *path);
/*
 * What the network namespace of process `pid` has, for the sandbox; the host's stack does not answer there afterwards.
 * Of a namespace that has no link and that nobody manages nothing is taken (a packet socket costs the host's kernel some 8 ms when it is
 * closed, packet_release()). 0, or 1 after a message.
 */
int network_take_over(pid_t pid, bool managed, struct container_network *network);

/*
 * What the namespace of process `pid` has, to be shown to a container that uses the host's sockets: what cannot be told
 * (links that are not Ethernet, more than there is room for) is left out, nothing is changed. 0, or 1 after a message.
 */
int network_look(pid_t pid, struct container_network *network);

/* As the sandbox wants it (CONTROL_NETWORK): malloc'ed. Always succeeds or ends the command. */
void *network_pack(const struct container_network *network, size_t *length);

#endif
