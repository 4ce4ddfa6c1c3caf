/* The settings that can be changed: what they are at the start (Linux's defaults). */
#include "kernel/sysctl.h"
#include "kernel/task.h"

struct sysctls sysctls = {
	.unprivileged_port_start = 1024,
	.ping_group_min = 0,
	.ping_group_max = 0,
	.somaxconn = 4096,
	.keepalive_time = 7200,
	.keepalive_interval = 75,
	.keepalive_probes = 9,
	.shmmax = UINT64_MAX - (1ull << 24),
	.shmall = UINT64_MAX - (1ull << 24),
	.shmmni = 4096,
	.msgmax = 8192,
	.msgmnb = 16384,
	.msgmni = 32000,
	.semmsl = 32000,
	.semmns = 1024000000,
	.semopm = 500,
	.semmni = 32000,
	.max_map_count = 1048576, /* what distributions set today; databases (Elasticsearch) want more than 65530 */
	.mq_queues_max = 256,
	.mq_msg_max = 10,
	.mq_msg_default = 10,
	.mq_msgsize_max = 8192,
	.mq_msgsize_default = 8192,
};

bool sysctl_may_ping(void)
{
	const struct cred *cred = current->cred;
	uint64_t low = sysctls.ping_group_min, high = sysctls.ping_group_max;

	if (cred->egid >= low && cred->egid <= high)
		return true;
	for (uint32_t i = 0; cred->groups && i < cred->groups->count; i++) {
		if (cred->groups->gid[i] >= low && cred->groups->gid[i] <= high)
			return true;
	}
	return false;
}
