/*
 * Programs of bpf(2). kernel/ebpf.c. A program is a pure function of three numbers: it has no memory, maps or helpers, and
 * jumps forwards only, so that it ends. One of BPF_PROG_TYPE_CGROUP_DEVICE can be attached; of BPF_PROG_TYPE_CGROUP_SKB, which libraries
 * load to find out whether there is bpf(2) at all, only what looks at no packet can be loaded, and nothing attached. The control group of
 * whoever loads a program pays for its memory, as long as there is a descriptor of it or it is attached.
 */
#ifndef KERNEL_EBPF_H
#define KERNEL_EBPF_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>

#define EBPF_INSNS_MAX 4096u

struct ebpf_program {
	uint32_t refs;
	uint32_t id;
	uint32_t type;      /* BPF_PROG_TYPE_* */
	uint32_t maker_uid; /* the sandbox' own */
	uint64_t loaded_ns; /* since boot */
	unsigned count;
	char name[BPF_OBJ_NAME_LEN];
	struct bpf_insn *insns;
};

bool ebpf_type_exists(uint32_t type);
/* Checks `insns`, which are taken over where it succeeds. 0 with one reference; -EINVAL; -EACCES: what a register holds is misused; -ENOMEM. */
int ebpf_program_create(uint32_t type, struct bpf_insn *insns, unsigned count, struct ebpf_program **program);
void ebpf_program_get(struct ebpf_program *program);
void ebpf_program_put(struct ebpf_program *program);
struct ebpf_program *ebpf_program_find(uint32_t id); /* no reference; NULL: none such */
uint64_t ebpf_program_run(const struct ebpf_program *program, const struct bpf_cgroup_dev_ctx *context);

#endif
