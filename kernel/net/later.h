/*
 * What changes in the container's network namespace on the host once the sandbox has taken it over: an engine adds a
 * link and its addresses (docker network connect), or takes one away.
 */
#ifndef KERNEL_NET_LATER_H
#define KERNEL_NET_LATER_H

#include <stdint.h>

/* `news` brings the host's messages (ABI_FILE_NEWS). After inet_configure() and inet_use_links(), once. 0 or -ENOMEM. */
int later_start(uint32_t news);

#endif
