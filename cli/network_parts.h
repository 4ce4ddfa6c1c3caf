/*
 * Between network.c, which takes a namespace over, network_read.c, which reads what it has, and network_quiet.c, which
 * keeps the host's own stack from answering there. All work in the namespace that the process has entered.
 */
#ifndef CLI_NETWORK_PARTS_H
#define CLI_NETWORK_PARTS_H

#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/network.h"

struct network_taker {
	int netlink;
	uint32_t sequence;
	struct container_network *network;
	struct {
		struct nlmsghdr header;
		struct ifaddrmsg message;
		char attributes[256];
	} remove[CONFIG_NETWORK_ENTRIES]; /* an IPv6 address each: as it was dumped, to be deleted */
	unsigned remove_count;
	bool failed;
	bool managed;   /* links may come later */
	bool only_look; /* what cannot be taken over is left out */
};

/* Fills taker->network and what goes with it. 0, or 1 after a message. */
int network_read(struct network_taker *taker);
/* The host's stack answers nothing that comes by the links, and says nothing of its own. 0, or 1 after a message. */
int network_quiet(struct network_taker *taker);

#endif
