/*
 * The vsyscall page: three functions at fixed addresses that programs of glibc 2.13 and before (and static ones of that
 * age: CentOS 6's whole user land) call for the time and the CPU. Nothing is mapped there. A call faults; here it is
 * made as a system call, then as the function's return would. Like Linux' vsyscall=xonly: what else is done to the page fails.
 *
 * Called by the dispatcher for the current task; may sleep. Linux: Documentation/admin-guide/kernel-parameters, "vsyscall=".
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/unistd.h>
#include <linux/errno.h>

#include "kernel/process.h"
#include "kernel/seccomp.h"
#include "kernel/syscall.h"
#include "kernel/vsyscall.h"
#include "ring0/lib.h"
#include "ring0/memory.h"
#include "ring0/usercopy.h"

#define ENTRY_SHIFT 10

static bool emulate(struct regs *regs)
{
	static const uint16_t numbers[] = {__NR_gettimeofday, __NR_time, __NR_getcpu};
	uint64_t entry = regs->rip - VSYSCALL_PAGE, caller;

	if (entry & ((1u << ENTRY_SHIFT) - 1) || entry >> ENTRY_SHIFT >= ARRAY_SIZE(numbers))
		return false;
	if (get_user(caller, UADDR(regs->rsp)))
		return false;
	uint64_t number = numbers[entry >> ENTRY_SHIFT], before = regs->rax;
	regs->orig_rax = number;
	regs->rax = (uint64_t)-ENOSYS;
	bool wanted = !(current->work & WORK_SECCOMP) || seccomp_enter(current, regs);
	if ((wanted && regs->orig_rax != number) || regs->rip != VSYSCALL_PAGE + entry)
		process_exit_group(WAIT_SIGNALED(SIGSYS)); /* its tracer changed what cannot be changed */
	if (wanted)
		regs->rax = (uint64_t)syscall_dispatch(regs);
	regs->orig_rax = ~0ull;
	if (wanted && regs->rax == (uint64_t)-EFAULT) {
		regs->rax = before;
		return false;
	}
	regs->rip = caller;
	regs->rsp += 8;
	return true;
}

bool vsyscall_emulate(struct regs *regs)
{
	const struct ksiginfo info = {.signo = SIGSEGV, .code = SI_KERNEL};

	if (regs->addr != regs->rip || regs->rip - VSYSCALL_PAGE >= PAGE_SIZE)
		return false;
	if (!emulate(regs)) {
		current->fault_trap = regs->trap;
		current->fault_error = regs->error;
		current->fault_addr = regs->addr;
		signal_force(current, &info);
	}
	return true;
}
