/*
 * The per-CPU area, reached by GS on both machines (the user's GS base is kept apart:
 * swapgs in the guest; hosted, the host thread's own GS base).
 *
 * entry.S and the compiler's stack protector depend on the first offsets. Fields below
 * `kernel` belong to kernel/ and are only touched by their own CPU, but for `kicked`.
 */
#ifndef RING0_PERCPU_H
#define RING0_PERCPU_H

#include <stddef.h>
#include <stdint.h>

#include "platform/abi/abi.h"

struct task;
struct space;
struct machine_task;

struct percpu {
	struct percpu *self;       /* 0x00 */
	uint64_t kernel_stack;     /* 0x08: top of the current task's kernel stack */
	uint64_t user_rsp;         /* 0x10: scratch for the SYSCALL stub */
	uint32_t cpu;              /* 0x18 */
	uint32_t pad;
	uint64_t entry_stack;      /* 0x20: guest: where the SYSCALL stub begins to push (kernel_stack - 24) */
	uint64_t stack_canary;     /* 0x28: -mstack-protector-guard-offset */
	struct task *running;      /* 0x30 */
	struct machine_task *machine_task; /* 0x38: of current */
	struct space *space;       /* 0x40: loaded now, or NULL */
	volatile uint32_t flush_pending; /* 0x48: a shootdown waits for this CPU */
	volatile uint32_t kicked;        /* 0x4c */
	struct abi_call *call;     /* this CPU's call block */
	void *machine_private;     /* ring0/guest or ring0/hosted */
	void *kernel_private;      /* kernel/sched.c */
	uint64_t ticks;
	uint64_t host_calls; /* made by this CPU; the machine counts them */
} __attribute__((aligned(64)));

_Static_assert(offsetof(struct percpu, kernel_stack) == 0x08, "entry.S");
_Static_assert(offsetof(struct percpu, user_rsp) == 0x10, "entry.S");
_Static_assert(offsetof(struct percpu, stack_canary) == 0x28, "compiler flag");
_Static_assert(offsetof(struct percpu, running) == 0x30, "entry.S");
_Static_assert(offsetof(struct percpu, machine_task) == 0x38, "entry.S");

extern struct percpu percpus[ABI_MAX_CPUS];
extern unsigned cpu_count;

#ifdef RF_HOST_BUILD
/* The unit tests' host program has one CPU and no GS of its own. */
static inline struct percpu *this_cpu(void)
{
	return &percpus[0];
}
#else
static inline struct percpu *this_cpu(void)
{
	struct percpu *self;
	__asm__ volatile("movq %%gs:0, %0" : "=r"(self));
	return self;
}
#endif

#endif
