/* The settings that can be changed: what they are at the start (Linux's defaults). */
#include "kernel/namespaces.h"
#include "kernel/sysctl.h"
#include "kernel/task.h"

const struct net_sysctls net_sysctls_default = {NET_SYSCTLS(1)};

struct net_sysctls *sysctl_net(void)
{
	return &(current && current->ns ? current->ns->net : &first_net_ns)->sysctls;
}

struct sysctls sysctls = {
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
	uint64_t low = sysctl_net()->ping_group_min, high = sysctl_net()->ping_group_max;

	if (cred->egid >= low && cred->egid <= high)
		return true;
	for (uint32_t i = 0; cred->groups && i < cred->groups->count; i++) {
		if (cred->groups->gid[i] >= low && cred->groups->gid[i] <= high)
			return true;
	}
	return false;
}
