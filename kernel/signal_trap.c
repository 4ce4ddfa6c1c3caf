/*
 * Exceptions of user code but page faults (mm/fault.c) become signals here, with the
 * number, code and address that Linux gives on x86-64. Called by the dispatcher for the current task; may sleep (the
 * FPU's state is read). sigaction(2), "The siginfo_t argument"; AMD APM vol. 2, 8.2.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>

#include "kernel/process.h"
#include "ring0/lib.h"
#include "ring0/memory.h"

static void remember(struct task *task, const struct regs *regs)
{
	task->fault_trap = regs->trap;
	task->fault_error = regs->error;
}

static void force(struct task *task, int signo, int code, uint64_t addr)
{
	struct ksiginfo info = {.signo = signo, .code = code, .addr = addr};

	signal_force(task, &info);
}

/* Exception bits, the same order in the x87 status word and in MXCSR: IE DE ZE OE UE PE. */
static int float_code(uint32_t bits)
{
	if (bits & 0x01)
		return FPE_FLTINV;
	if (bits & 0x04)
		return FPE_FLTDIV;
	if (bits & 0x08)
		return FPE_FLTOVF;
	if (bits & 0x12)
		return FPE_FLTUND;
	if (bits & 0x20)
		return FPE_FLTRES;
	return 0;
}

static void float_fault(struct task *task, struct regs *regs)
{
	const uint8_t *area = task->machine.fpu;
	uint16_t control, status;
	uint32_t mxcsr, bits;

	machine->fpu_sync(&task->machine);
	memcpy(&control, area, 2);
	memcpy(&status, area + 2, 2);
	memcpy(&mxcsr, area + 24, 4);
	if (regs->trap == TRAP_SIMD)
		bits = mxcsr & ~(mxcsr >> 7);
	else
		bits = status & ~control;
	int code = float_code(bits & 0x3f);
	if (code)
		force(task, SIGFPE, code, regs->rip);
}

void signal_from_trap(struct regs *regs)
{
	struct task *task = current;

	remember(task, regs);
	switch (regs->trap) {
	case TRAP_DIVIDE:
		force(task, SIGFPE, FPE_INTDIV, regs->rip);
		break;
	case TRAP_DEBUG:
		if (task->ptrace.debug && ptrace_debug_trap(task))
			break;
		force(task, SIGTRAP, regs->addr ? TRAP_BRKPT : TRAP_TRACE, regs->rip);
		break;
	case TRAP_BREAKPOINT:
		force(task, SIGTRAP, SI_KERNEL, 0);
		break;
	case TRAP_INVALID_OPCODE:
		force(task, SIGILL, ILL_ILLOPN, regs->rip);
		break;
	case TRAP_NO_SEGMENT:
	case TRAP_STACK:
		force(task, SIGBUS, SI_KERNEL, 0);
		break;
	case TRAP_FPU:
	case TRAP_SIMD:
		float_fault(task, regs);
		break;
	case TRAP_ALIGNMENT:
		force(task, SIGBUS, BUS_ADRALN, 0);
		break;
	default: /* protection, overflow, bounds and what no program can cause */
		force(task, SIGSEGV, SI_KERNEL, 0);
		break;
	}
}
