/*
 * The ioctls of netdevice(7) that ask (SIOCGIF…): on a socket of any family.
 */
#ifndef KERNEL_NET_IFREQ_H
#define KERNEL_NET_IFREQ_H

#include <stdint.h>

/* 0, -ENODEV, -EADDRNOTAVAIL, -EFAULT; -EPERM for those that would change something; -ENOTTY: no such ioctl. May sleep. */
int64_t ifreq_ioctl(unsigned cmd, uint64_t arg);

#endif
