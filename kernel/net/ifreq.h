/*
 * The ioctls of sockets that are no family's own: netdevice(7) on any of them, addresses, routes and neighbours on those of the
 * internet families and of AF_PACKET, SIOCGSTAMP.
 */
#ifndef KERNEL_NET_IFREQ_H
#define KERNEL_NET_IFREQ_H

#include <stdint.h>

struct socket;

/* 0 or -errno as netdevice(7) and its kin; -ENOTTY: no such ioctl. May sleep. */
int64_t ifreq_ioctl(struct socket *sock, unsigned cmd, uint64_t arg);

#endif
