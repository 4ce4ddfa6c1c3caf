/*
 * --network=host: internet sockets that are the host's, by host calls (platform/abi/sockets.h). The family's operations are
 * the same as inet.h's sockets have; what the network consists of is still told by inet.h.
 */
#ifndef KERNEL_NET_HOSTNET_H
#define KERNEL_NET_HOSTNET_H

#include "kernel/net/socket.h"

void hostnet_init(uint32_t event_set); /* boot, with CONFIG_HOST_SOCKETS: the descriptor that tells what became ready */
bool hostnet_is_on(void);
bool hostnet_is_used(void); /* by the current task: namespaces made inside have none of the host's */
/* socket(2) of AF_INET and AF_INET6: as inet_create(), or what the host answers. */
int hostnet_create(int family, int type, int protocol, struct socket **sock);

#endif
