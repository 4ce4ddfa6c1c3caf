/*
 * The settings of /proc/sys that can be changed, and so mean something. One set for the sandbox. The files, and those
 * that cannot be changed, are vfs/proc/sysctl.c; the defaults, and the names that a configuration gives, kernel/sysctl.c.
 */
#ifndef KERNEL_SYSCTL_H
#define KERNEL_SYSCTL_H

#include <stdbool.h>
#include <stdint.h>

struct sysctls {
	uint64_t unprivileged_port_start; /* net.ipv4.ip_unprivileged_port_start */
	uint64_t ping_group_min, ping_group_max; /* net.ipv4.ping_group_range: min > max: nobody */
	uint64_t somaxconn; /* net.core.somaxconn: connections that wait for accept(2), at most */
	uint64_t keepalive_time, keepalive_interval, keepalive_probes; /* net.ipv4.tcp_keepalive_*: of new sockets */
	uint64_t shmmax, shmall, shmmni;
	uint64_t msgmax, msgmnb, msgmni;
	uint64_t semmsl, semmns, semopm, semmni;
	uint64_t max_map_count; /* vm.max_map_count: areas of one address space */
	uint64_t mq_queues_max, mq_msg_max, mq_msg_default, mq_msgsize_max, mq_msgsize_default;
};
extern struct sysctls sysctls;

/* May the current task send pings without CAP_NET_RAW? */
bool sysctl_may_ping(void);

#endif
