/*
 * The settings of /proc/sys that can be changed, and so mean something. One set for the sandbox, but what
 * each network namespace has of its own. The files, and those
 * that cannot be changed, are vfs/proc/sysctl.c; the defaults, and the names that a configuration gives, kernel/sysctl.c.
 */
#ifndef KERNEL_SYSCTL_H
#define KERNEL_SYSCTL_H

#include <stdbool.h>
#include <stdint.h>

/* Of a network namespace (kernel/namespaces.h). */
struct net_sysctls {
	uint64_t unprivileged_port_start; /* net.ipv4.ip_unprivileged_port_start */
	uint64_t ping_group_min, ping_group_max; /* net.ipv4.ping_group_range, the sandbox' own ids: min > max: nobody */
	uint64_t somaxconn; /* net.core.somaxconn: connections that wait for accept(2), at most */
	uint64_t keepalive_time, keepalive_interval, keepalive_probes; /* net.ipv4.tcp_keepalive_*: of new sockets */
};
/* Linux's defaults; the groups from that one to 0 may ping. */
#define NET_SYSCTLS(first_group) \
	.unprivileged_port_start = 1024, .ping_group_min = (first_group), .somaxconn = 4096, .keepalive_time = 7200, \
	.keepalive_interval = 75, .keepalive_probes = 9
extern const struct net_sysctls net_sysctls_default; /* of a namespace made inside */
struct net_sysctls *sysctl_net(void); /* of the current task's namespace */

struct sysctls {
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
