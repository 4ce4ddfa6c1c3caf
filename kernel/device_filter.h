/*
 * Programs that say which devices a control group's processes may use (bpf(2), BPF_CGROUP_DEVICE), as runtimes inside the
 * sandbox attach them. kernel/device_filter.c. All under the kernel lock; nothing sleeps.
 */
#ifndef KERNEL_DEVICE_FILTER_H
#define KERNEL_DEVICE_FILTER_H

#include <stdbool.h>
#include <stdint.h>

struct cgroup;
struct ebpf_program;

/* BPF_PROG_ATTACH and BPF_PROG_DETACH; takes a reference of its own. replaced, detached program: NULL: none told. 0 or -errno. */
int device_filter_attach(struct cgroup *group, struct ebpf_program *program, uint32_t flags, struct ebpf_program *replaced);
int device_filter_detach(struct cgroup *group, const struct ebpf_program *program);
void device_filter_forget(const struct cgroup *group); /* it goes: what is attached to it is not any more */
/* The ids of a group's programs (effective: of those that are asked for it), at most `room`; *flags: how they were attached. How many there are. */
unsigned device_filter_list(const struct cgroup *group, bool effective, uint32_t *ids, unsigned room, uint32_t *flags);

/* May the current process use that device? type: BPF_DEVCG_DEV_*, access: BPF_DEVCG_ACC_*. 0 or -EPERM. */
int device_filter_check(uint32_t type, uint64_t rdev, uint32_t access);

#endif
