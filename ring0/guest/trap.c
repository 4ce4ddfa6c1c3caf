/*
 * What entry.S calls: traps from user mode go up to the dispatcher, traps from ring 0 are
 * page faults of user copies, interrupts during idle, or the end.
 */
#include "ring0/guest/guest.h"
#include "ring0/lib.h"
#include "ring0/lock.h"
#include "ring0/memory.h"
#include "ring0/upcall.h"

#include "platform/abi/hosted.h"

#define DR6_STEP 0x4000u

static inline uint64_t read_cr2(void)
{
	uint64_t value;

	__asm__ volatile("movq %%cr2, %0" : "=r"(value));
	return value;
}

/* Acknowledges an interrupt and does the machine's part. Whether the kernel must look at it. */
static bool interrupt_take(uint64_t vector)
{
	if (vector == GUEST_VECTOR_SPURIOUS)
		return false;
	apic_eoi();
	if (vector == GUEST_VECTOR_FLUSH) {
		guest_flush_serve();
		return false;
	}
	if (vector == GUEST_VECTOR_TIMER)
		return apic_timer_fired();
	return true;
}

void guest_user_trap(struct regs *regs)
{
	uint64_t vector = regs->trap;

	if (vector >= 32) {
		if (!interrupt_take(vector))
			return;
		regs->trap = TRAP_INTERRUPT;
		regs->error = 0;
	} else if (vector == TRAP_PAGE_FAULT) {
		regs->addr = read_cr2();
	} else if (vector == TRAP_DEBUG) {
		/* DR6 tells a single step from ICEBP; no breakpoint register is ever set. Clear what is sticky. */
		__asm__ volatile("movq %%dr6, %0" : "=r"(regs->addr));
		regs->addr = !(regs->addr & DR6_STEP);
		__asm__ volatile("movq %0, %%dr6" ::"r"(0xffff0ff0ul));
	}
	trap_dispatch(regs);
}

/* Whether a frame pointer leads to two words of the sentry's: in its image, the direct map or the current stack. */
static bool frame_is_ours(uint64_t frame)
{
	uint64_t top = this_cpu()->kernel_stack;

	if (frame < direct_base || frame & 7)
		return false;
	return frame < direct_base + boot_info->user.base + boot_info->user.size || frame >= boot_info->image_base ||
		(frame > top - KERNEL_STACK_SIZE && frame < top);
}

static __attribute__((noreturn)) void kernel_trap_panic(const struct regs *regs, uint64_t vector, uint64_t error)
{
	klog_seize();
	klog(LOG_ERROR, "ring 0 trap %llu error %#llx cr2 %#llx at rip image+%#llx rsp %#llx flags %#llx cs %#llx",
		(unsigned long long)vector, (unsigned long long)error, (unsigned long long)read_cr2(),
		(unsigned long long)(regs->rip - boot_info->image_base), (unsigned long long)regs->rsp,
		(unsigned long long)regs->rflags, (unsigned long long)regs->cs);
	klog(LOG_ERROR, "rax %#llx rbx %#llx rcx %#llx rdx %#llx rsi %#llx rdi %#llx rbp %#llx", (unsigned long long)regs->rax,
		(unsigned long long)regs->rbx, (unsigned long long)regs->rcx, (unsigned long long)regs->rdx,
		(unsigned long long)regs->rsi, (unsigned long long)regs->rdi, (unsigned long long)regs->rbp);
	klog(LOG_ERROR, "r8 %#llx r9 %#llx r10 %#llx r11 %#llx r12 %#llx r13 %#llx r14 %#llx r15 %#llx",
		(unsigned long long)regs->r8, (unsigned long long)regs->r9, (unsigned long long)regs->r10,
		(unsigned long long)regs->r11, (unsigned long long)regs->r12, (unsigned long long)regs->r13,
		(unsigned long long)regs->r14, (unsigned long long)regs->r15);
	for (uint64_t frame = regs->rbp, n = 0; n < 16 && frame_is_ours(frame); n++) {
		const uint64_t *words = (const uint64_t *)frame;

		klog(LOG_ERROR, "  called from image+%#llx", (unsigned long long)(words[1] - boot_info->image_base));
		if (words[0] <= frame || words[0] > frame + 16384)
			break;
		frame = words[0];
	}
	if ((vector == TRAP_DOUBLE_FAULT || vector == TRAP_PAGE_FAULT) && guest_stack_is_guard(read_cr2()))
		kernel_stack_overrun(regs->rip, regs->rsp);
	panic("ring 0 trap %llu on CPU %u", (unsigned long long)vector, this_cpu()->cpu);
}

/* Where execution goes on if the instruction at `rip` cannot complete; 0: it must not fail. */
static uint64_t fixup_find(uint64_t rip)
{
	for (const struct guest_fixup *f = guest_fixups_start; f < guest_fixups_end; f++)
		if ((uint64_t)&f->at + (uint64_t)(int64_t)f->at == rip)
			return (uint64_t)&f->at + (uint64_t)(int64_t)f->to;
	return 0;
}

static void kernel_exception(struct regs *regs, uint64_t vector, uint64_t error)
{
	uint64_t fixup = fixup_find(regs->rip);
	uint64_t address = read_cr2();

	if (!fixup)
		kernel_trap_panic(regs, vector, error);
	if (vector == TRAP_PAGE_FAULT) {
		if (address >= USER_TOP)
			kernel_trap_panic(regs, vector, error);
		if (kernel_user_fault(address, (unsigned)error | PF_USER) == 0)
			return;
	} else if (vector != TRAP_PROTECTION) {
		kernel_trap_panic(regs, vector, error);
	}
	regs->rip = fixup;
}

void guest_kernel_trap(struct regs *regs, uint64_t vector, uint64_t error)
{
	if (vector < 32) {
		kernel_exception(regs, vector, error);
		return;
	}
	/* It came at the HLT of idle (entry.S lets no other through). Step past it, or a wake-up could be slept over. */
	regs->rip = (uint64_t)guest_idle_after;
	if (interrupt_take(vector))
		guest_this_cpu()->interrupted = true;
}

void guest_fatal_trap(struct regs *regs, uint64_t vector, uint64_t error)
{
	kernel_trap_panic(regs, vector, error);
}
