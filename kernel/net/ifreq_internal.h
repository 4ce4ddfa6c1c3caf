/*
 * What the ioctls of devices, addresses, routes and neighbours share: struct ifreq, and the device that one names.
 */
#ifndef KERNEL_NET_IFREQ_INTERNAL_H
#define KERNEL_NET_IFREQ_INTERNAL_H

#include <linux/in.h>

#include "kernel/net/inet.h"

#define NAME_SIZE 16

/* <linux/if.h> wants a C library. */
struct ifreq {
	char name[NAME_SIZE];
	union {
		struct sockaddr_in address;
		struct {
			uint16_t family;
			uint8_t bytes[14];
		} hardware;
		char new_name[NAME_SIZE];
		short flags;
		int number;
		uint64_t data;
		char pad[24];
	};
};
_Static_assert(sizeof(struct ifreq) == 40, "as <linux/if.h> has it");

/* Of routes; <linux/route.h> wants a C library. */
#define RTF_UP 0x1u
#define RTF_GATEWAY 0x2u
#define RTF_HOST 0x4u
#define RTF_REINSTATE 0x8u

/* Devices' queues are of one length: nothing waits in them, packets leave at once. */
#define TX_QUEUE_LENGTH 1000

/* Whether there is a device of that name (which is ended first); what follows a colon is the label of an address. */
bool ifreq_find_device(char name[NAME_SIZE], struct inet_device *device);
int ifreq_set_flags(const struct inet_device *device, short flags); /* 0, -EOPNOTSUPP */
uint16_t ifreq_hardware(const struct inet_device *device);          /* ARPHRD_* */

int64_t ethtool_ioctl(struct ifreq *request); /* SIOCETHTOOL; 0 or -errno. May sleep, as do those below */

/* Each does its own: 0 or -errno as Linux gives, -ENOTTY for the others. */
int64_t ifaddr_ioctl(unsigned cmd, uint64_t arg);  /* AF_INET's addresses */
int64_t ifaddr6_ioctl(unsigned cmd, uint64_t arg); /* AF_INET6's addresses and routes */
int64_t ifroute_ioctl(unsigned cmd, uint64_t arg); /* AF_INET's routes and neighbours */

#endif
