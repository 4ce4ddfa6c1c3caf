/*
 * The guest machine's operations: host calls, tasks' processor state, user copies, idle.
 * See ring0/machine.h for what each must do; paging is in space.c, the APIC in apic.c.
 */
#include <linux/errno.h>

#include "platform/abi/abi.h"
#include "ring0/clock.h"
#include "ring0/guest/guest.h"
#include "ring0/lib.h"
#include "ring0/lock.h"
#include "ring0/memory.h"
#include "ring0/upcall.h"

#define XSAVE_MXCSR 24      /* offsets in the XSAVE area: Intel SDM vol. 1, 13.4 */
#define XSAVE_HEADER 512
#define MXCSR_DEFAULT 0x1f80u

static bool have_xsaveopt;

static void machine_cpu_init(unsigned cpu)
{
	uint32_t eax = 0xd, ebx, ecx = 1, edx;

	if (cpu == 0) {
		__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
		have_xsaveopt = eax & 1;
	}
	guest_cpu_init(cpu);
}

static int64_t guest_host_call(uint32_t op, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	struct abi_call *call = this_cpu()->call;

	this_cpu()->host_calls++;
	call->op = op;
	call->arg[0] = a0;
	call->arg[1] = a1;
	call->arg[2] = a2;
	call->arg[3] = a3;
	call->arg[4] = 0;
	call->arg[5] = 0;
	__asm__ volatile("outl %0, %1" ::"a"(0), "d"((uint16_t)ABI_PORT_CALL) : "memory");
	return call->ret;
}

static void guest_ring_notify(bool seen)
{
	if (seen)
		return;
	__asm__ volatile("outl %0, %1" ::"a"(0), "d"((uint16_t)ABI_PORT_RING) : "memory");
}

static size_t guest_copy_from_user(void *to, uaddr_t from, size_t n)
{
	return guest_copy_user(to, (const void *)from.v, n);
}

static size_t guest_copy_to_user(uaddr_t to, const void *from, size_t n)
{
	return guest_copy_user((void *)to.v, from, n);
}

static size_t guest_clear(uaddr_t to, size_t n)
{
	return guest_clear_user((void *)to.v, n);
}

static int64_t guest_strncpy(char *to, uaddr_t from, size_t n)
{
	return guest_strncpy_user(to, (const char *)from.v, n);
}

static int guest_cmpxchg(uaddr_t address, uint32_t expect, uint32_t value, uint32_t *old)
{
	return guest_cmpxchg_user32((uint32_t *)address.v, expect, value, old);
}

/* A malformed area (a program's own signal frame) loads as the initial state. */
static void fpu_load(void *fpu)
{
	uint32_t *mxcsr = (uint32_t *)((char *)fpu + XSAVE_MXCSR);
	uint64_t *header = (uint64_t *)((char *)fpu + XSAVE_HEADER);

	/* XRSTOR takes MXCSR from memory even for a feature in its initial state: a fresh area means the default. */
	if (header[0] == 0 && *mxcsr == 0)
		*mxcsr = MXCSR_DEFAULT;
	if (__builtin_expect(fpu_restore(fpu) == 0, 1))
		return;
	memset(fpu, 0, boot_info->xsave_size);
	*mxcsr = MXCSR_DEFAULT;
	BUG_ON(fpu_restore(fpu) != 0);
}

static void save_fpu(struct machine_task *task)
{
	guest_this_cpu()->fpu_moves++;
	fpu_save(task->fpu, have_xsaveopt);
}

static void load_fpu(struct machine_task *task)
{
	guest_this_cpu()->fpu_moves++;
	fpu_load(task->fpu);
}

static void guest_task_save(struct machine_task *task)
{
	uint64_t fs, gs;

	__asm__ volatile("rdfsbase %0\n\t"
			 "swapgs\n\t"
			 "rdgsbase %1\n\t"
			 "swapgs"
		: "=r"(fs), "=r"(gs));
	task->fs_base = fs;
	task->gs_base = gs;
	if (task->fpu)
		save_fpu(task);
}

static void guest_task_load(struct machine_task *task)
{
	struct percpu *percpu = this_cpu();
	struct guest_cpu *cpu = percpu->machine_private;

	DEBUG_BUG_ON((task->kernel_stack_top & 15) != 8);
	percpu->machine_task = task;
	percpu->kernel_stack = task->kernel_stack_top;
	percpu->entry_stack = task->kernel_stack_top - 24;
	cpu->tss.rsp[0] = percpu->entry_stack;
	__asm__ volatile("wrfsbase %0\n\t"
			 "swapgs\n\t"
			 "wrgsbase %1\n\t"
			 "swapgs" ::"r"(task->fs_base), "r"(task->gs_base));
	if (task->fpu)
		load_fpu(task);
}

static void guest_fpu_sync(struct machine_task *task)
{
	if (task->fpu)
		save_fpu(task);
}

static void guest_fpu_reload(struct machine_task *task)
{
	if (task->fpu && this_cpu()->machine_task == task)
		load_fpu(task);
}

static void guest_counters(char *line, size_t size)
{
	uint64_t loads = 0, moves = 0;

	for (unsigned i = 0; i < cpu_count; i++) {
		const struct guest_cpu *cpu = percpus[i].machine_private;

		loads += cpu ? cpu->cr3_loads : 0;
		moves += cpu ? cpu->fpu_moves : 0;
	}
	snprintf(line, size, "guest: %lu CR3 loads, %lu bytes of FPU state moved", (unsigned long)loads,
		(unsigned long)(moves * boot_info->xsave_size));
}

static void guest_idle(uint64_t deadline)
{
	struct guest_cpu *cpu = guest_this_cpu();

	apic_set_timer(deadline);
	cpu->interrupted = false;
	/* Interrupts are off: a kick from here on stays pending and ends the HLT. */
	guest_idle_wait();
	if (cpu->interrupted)
		kernel_interrupt();
}

static void guest_kick(unsigned cpu)
{
	apic_send(cpu, GUEST_VECTOR_KICK);
}

static int guest_cpu_start(unsigned cpu)
{
	return (int)guest_host_call(ABI_CALL_cpu_start, cpu, 0, 0, 0);
}

/* The CPU finds new entries by itself. */
static void guest_space_show(struct space *space, uint64_t address)
{
}

const struct machine guest_machine = {
	.name = "guest",
	.cpu_init = machine_cpu_init,
	.flush_serve = guest_flush_serve,
	.host_call = guest_host_call,
	.ring_notify = guest_ring_notify,
	.enter_user = guest_enter_user,
	.space_init = guest_space_init,
	.space_free = guest_space_free,
	.space_switch = guest_space_switch,
	.space_flush = guest_space_flush,
	.space_show = guest_space_show,
	.stack_map = guest_stack_map,
	.stacks_unmap = guest_stacks_unmap,
	.copy_from_user = guest_copy_from_user,
	.copy_to_user = guest_copy_to_user,
	.clear_user = guest_clear,
	.strncpy_from_user = guest_strncpy,
	.cmpxchg_user32 = guest_cmpxchg,
	.task_save = guest_task_save,
	.task_load = guest_task_load,
	.fpu_sync = guest_fpu_sync,
	.fpu_reload = guest_fpu_reload,
	.idle = guest_idle,
	.kick = guest_kick,
	.set_timer = apic_set_timer,
	.cpu_start = guest_cpu_start,
	.counters = guest_counters,
};
