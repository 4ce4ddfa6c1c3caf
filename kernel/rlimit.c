/*
 * Resource limits. The limits themselves are enforced where the resource is: descriptors
 * in vfs/, memory in kernel/mm/, processes in fork.c, signals in signal_queue.c.
 * getrlimit(2), prlimit(2).
 */
#include <linux/errno.h>
#include <linux/resource.h>

#include "kernel/process.h"
#include "kernel/rlimit.h"

#define NR_OPEN_MAX (1024u * 1024)

void rlimits_init(struct process *process)
{
	for (unsigned i = 0; i < RLIMIT_COUNT; i++)
		process->rlimit[i] = (struct rlimit64_pair){UINT64_MAX, UINT64_MAX};
	process->rlimit[RLIMIT_STACK].cur = 8ull << 20;
	process->rlimit[RLIMIT_CORE].cur = 0;
	process->rlimit[RLIMIT_NOFILE] = (struct rlimit64_pair){1024, NR_OPEN_MAX};
	process->rlimit[RLIMIT_MEMLOCK] = (struct rlimit64_pair){8ull << 20, 8ull << 20};
	process->rlimit[RLIMIT_NPROC] = (struct rlimit64_pair){31772, 31772};
	process->rlimit[RLIMIT_SIGPENDING] = (struct rlimit64_pair){31772, 31772};
	process->rlimit[RLIMIT_MSGQUEUE] = (struct rlimit64_pair){819200, 819200};
	process->rlimit[RLIMIT_NICE] = (struct rlimit64_pair){0, 0};
	process->rlimit[RLIMIT_RTPRIO] = (struct rlimit64_pair){0, 0};
}

uint64_t rlimit_current(unsigned resource)
{
	return current->process->rlimit[resource].cur;
}

int rlimit_set(struct process *process, unsigned resource, const struct rlimit64_pair *value)
{
	if (resource >= RLIMIT_COUNT || value->cur > value->max)
		return -EINVAL;
	if (resource == RLIMIT_NOFILE && value->max > NR_OPEN_MAX)
		return -EPERM;
	if (value->max > process->rlimit[resource].max && !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	process->rlimit[resource] = *value;
	if (resource == RLIMIT_CPU)
		rlimit_cpu_changed(process);
	return 0;
}
