/* Between tables.c and shown.c: the host's network but for its loopback, where inet_is_shown() says so. */
#ifndef KERNEL_NET_LWIP_SHOWN_H
#define KERNEL_NET_LWIP_SHOWN_H

#include "kernel/net/inet.h"

void shown_for_each_device(void (*fn)(void *arg, const struct inet_device *device), void *arg);
void shown_for_each_address(uint8_t family, void (*fn)(void *arg, const struct inet_address *address), void *arg);
void shown_for_each_route(void (*fn)(void *arg, const struct inet_route *route), void *arg);
void shown_for_each_neighbour(void (*fn)(void *arg, const struct inet_neighbour *neighbour), void *arg);

#endif
