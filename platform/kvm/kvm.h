/*
 * The KVM platform, inside. The door is `kvm_platform` (platform/vmm.h).
 *
 * Order: kvm_selftest() in probe(); in start() the VM, its memory slot and doorbells
 * (vm.c), page tables (tables.c), every vCPU and its thread (cpu.c); then run().
 */
#ifndef PLATFORM_KVM_H
#define PLATFORM_KVM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/vmm.h"

#define KVM_GSI_RING 5u         /* the interrupt route of ring completions */
#define KVM_STACK_SIZE 16384u   /* of each CPU's first stack, in the kernel zone */
#define KVM_CPUID_ENTRIES 256u

struct kvm_vcpu {
	struct kvm_platform_state *state;
	unsigned number;
	int fd;
	struct kvm_run *run;    /* shared with the host's kernel, not with the guest */
	struct abi_call *call;  /* in guest memory: hostile, copied once */
	pthread_t thread;
	bool started;           /* state->lock: may enter the guest */
	int stats_fd;           /* with --debug, else -1: KVM's count of exits */
	uint64_t user_exits;    /* returns of KVM_RUN; this thread's own */
};

struct kvm_platform_state {
	struct vmm *vmm;
	int kvm, vm;
	size_t run_size;
	int completion_fd;      /* irqfd */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool running;           /* lock: run() was called */
	struct kvm_vcpu vcpus[ABI_MAX_CPUS];
};

/* struct kvm_cpuid2 with room for what KVM may fill in. */
struct kvm_cpuid_table {
	uint32_t nent, padding;
	struct kvm_cpuid_entry2 entries[KVM_CPUID_ENTRIES];
};
_Static_assert(offsetof(struct kvm_cpuid_table, entries) == sizeof(struct kvm_cpuid2), "the ioctls' layout");

/* selftest.c: 0, or -errno with the reason. Leaves nothing behind. `kvm` is /dev/kvm. */
int kvm_selftest(int kvm, char *why, size_t size);

/* cpuid.c. What the host's KVM offers, cut to what the sentry supports; then made CPU `cpu`'s own. */
int kvm_cpuid_load(int kvm, struct kvm_cpuid_table *table);
void kvm_cpuid_for_cpu(struct kvm_cpuid_table *table, unsigned cpu, unsigned cpus);
struct kvm_cpuid_entry2 *kvm_cpuid_find(struct kvm_cpuid_table *table, uint32_t function, uint32_t index);
/* Names a feature that the sentry needs and the table lacks, or NULL. */
const char *kvm_cpuid_missing(struct kvm_cpuid_table *table);
uint64_t kvm_cpuid_xcr0(struct kvm_cpuid_table *table);
uint32_t kvm_cpuid_xsave_size(struct kvm_cpuid_table *table);

/* tables.c: the page tables that the sentry starts on. *root: gpa of the PML4. 0 or -ENOMEM. */
int kvm_tables_build(struct vmm *vmm, uint64_t *root);

/* stats.c. A descriptor for kvm_stats_read(), which may be called once, or -errno; and exits to the host's kernel. */
int kvm_stats_open(int vcpu);
uint64_t kvm_stats_read(int fd);

/* cpu.c */
int kvm_vcpu_create(struct kvm_platform_state *state, unsigned number, uint64_t root,
	const struct kvm_cpuid_table *cpuid);
int kvm_vcpu_start_thread(struct kvm_vcpu *vcpu);
#define KVM_KICK_SIGNAL (SIGRTMIN + 2) /* the self-test's timer: makes its thread leave KVM_RUN */

#endif
