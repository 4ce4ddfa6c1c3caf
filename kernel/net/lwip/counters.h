/*
 * What is counted for /proc/net: lwIP's own numbers (MIB2_STATS), and UDP's and those of octets, which are counted here.
 */
#ifndef KERNEL_NET_LWIP_COUNTERS_H
#define KERNEL_NET_LWIP_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_udp_counters {
	uint32_t in, no_ports, errors, out, full, checksum, ignored;
};

struct net_ip_counters {
	uint64_t in_octets, out_octets;
	uint32_t in_groups, out_groups, in_broadcasts, out_broadcasts;
	uint64_t in_group_octets, out_group_octets, in_broadcast_octets, out_broadcast_octets;
};

struct net_udp_counters *counters_udp(int family);
void counters_icmp4_out(uint8_t type); /* a message of a program's, or "port unreachable" */
void counters_ip4(const void *header, size_t len, bool out, bool broadcast); /* one packet, of len bytes */

#endif
