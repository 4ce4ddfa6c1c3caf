/*
 * Boot: from the VMM's entry to kernel_main().
 *
 * sentry_entry (entry_start.S) calls start_cpu() on each CPU, on a stack that the VMM made.
 * CPU 0 checks the contract's version, copies the boot block, picks the machine and goes
 * up to kernel_main(); the others, let loose later by machine->cpu_start(), go to
 * kernel_cpu_main(). Until GS points at the per-CPU area no code with a stack protector
 * may run, so start_cpu() itself is built without one.
 *
 * The stack canary is one value for all CPUs: a task may sleep in the middle of a
 * function on one CPU and return from it on another.
 */
#include "ring0/lib.h"
#include "ring0/machine.h"
#include "ring0/memory.h"
#include "ring0/percpu.h"
#include "ring0/clock.h"
#include "ring0/start.h"
#include "ring0/upcall.h"

#define MSR_GS_BASE 0xc0000101u
#define HOST_ARCH_PRCTL 158
#define HOST_ARCH_SET_GS 0x1001

struct percpu percpus[ABI_MAX_CPUS];
unsigned cpu_count;
const struct machine *machine;
const struct abi_boot *boot_info;
uint64_t direct_base;
struct start_page *start_page;

static struct abi_boot boot_copy;

/* Hosted, the sentry is a thread of a host process and asks its kernel for the GS base. */
static inline void start_set_gs(uint32_t kind, const void *base)
{
	uint64_t value = (uint64_t)base;

	if (kind == ABI_MACHINE_GUEST) {
		__asm__ volatile("wrmsr" ::"c"(MSR_GS_BASE), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
	} else {
		long ret = HOST_ARCH_PRCTL;

		__asm__ volatile("syscall" : "+a"(ret) : "D"((long)HOST_ARCH_SET_GS), "S"(value)
			: "rcx", "r11", "memory");
	}
}

static void start_memory(const struct abi_boot *boot)
{
	boot_copy = *boot;
	boot_info = &boot_copy;
	direct_base = boot_copy.direct_base;
	cpu_count = boot_copy.cpus < ABI_MAX_CPUS ? boot_copy.cpus : ABI_MAX_CPUS;
	boot_copy.kernel_used = PAGE_ALIGN(boot_copy.kernel_used);
	start_page = pa_to_va(boot_copy.kernel.base + boot_copy.kernel_used);
	boot_copy.kernel_used += PAGE_ALIGN(sizeof(*start_page));
	machine = boot_copy.machine == ABI_MACHINE_GUEST ? &guest_machine : &hosted_machine;
}

static __attribute__((noinline, noreturn)) void start_continue(const struct abi_boot *boot, unsigned cpu)
{
	if (cpu == 0)
		start_memory(boot);
	percpus[cpu].call = pa_to_va(boot_copy.call_gpa + cpu * sizeof(struct abi_call));
	machine->cpu_init(cpu);
	if (cpu != 0)
		kernel_cpu_main(cpu);
	clock_init(boot_info);
	kernel_main(boot_info);
}

__attribute__((no_stack_protector)) void start_cpu(const struct abi_boot *boot, uint64_t cpu)
{
	struct percpu *percpu;
	uint64_t canary;

	if (boot->magic != ABI_MAGIC || boot->version != ABI_VERSION || cpu >= ABI_MAX_CPUS)
		for (;;)
			__asm__ volatile("hlt");
	percpu = &percpus[cpu];
	__builtin_memcpy(&canary, boot->seed, sizeof(canary));
	percpu->self = percpu;
	percpu->cpu = (uint32_t)cpu;
	percpu->stack_canary = canary & ~0xffull; /* a zero byte stops string overruns */
	start_set_gs(boot->machine, percpu);
	start_continue(boot, (unsigned)cpu);
}
