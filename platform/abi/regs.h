/*
 * The user registers of a task at a trap, as every machine saves them.
 *
 * In the guest the entry stubs (ring0/guest/entry.S) push this layout; hosted, the
 * platform fills it from the stub process. Offsets are asserted because assembly and
 * the platforms use them. A system call's number is in orig_rax; rcx and r11 hold
 * what SYSCALL leaves there (return RIP and RFLAGS).
 */
#ifndef RF_ABI_REGS_H
#define RF_ABI_REGS_H

#include <stddef.h>
#include <stdint.h>

struct regs {
	uint64_t r15, r14, r13, r12, rbp, rbx;
	uint64_t r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t orig_rax; /* system call number, or -1 when not in a system call */
	uint64_t rip, cs, rflags, rsp, ss;
	/* Not pushed by the CPU; written by the trap code of each machine. */
	uint64_t trap;  /* enum trap_kind */
	uint64_t error; /* exception: the CPU's error code */
	uint64_t addr;  /* page fault: the address (CR2); TRAP_DEBUG: 0 a step, 1 ICEBP */
};

/* What ended a stretch of user code: an exception vector 0..31, or one of these. */
enum trap_kind {
	TRAP_DIVIDE = 0,
	TRAP_DEBUG = 1,
	TRAP_NMI = 2,
	TRAP_BREAKPOINT = 3,
	TRAP_OVERFLOW = 4,
	TRAP_BOUND = 5,
	TRAP_INVALID_OPCODE = 6,
	TRAP_NO_DEVICE = 7,
	TRAP_DOUBLE_FAULT = 8,
	TRAP_INVALID_TSS = 10,
	TRAP_NO_SEGMENT = 11,
	TRAP_STACK = 12,
	TRAP_PROTECTION = 13,
	TRAP_PAGE_FAULT = 14,
	TRAP_FPU = 16,
	TRAP_ALIGNMENT = 17,
	TRAP_MACHINE_CHECK = 18,
	TRAP_SIMD = 19,
	TRAP_SYSCALL = 0x100,
	TRAP_INTERRUPT = 0x101, /* timer, kick or ring completion: look at pending work */
	TRAP_STUB_DIED = 0x102, /* hosted only: the stub process was killed from outside */
};

/* Page fault error code bits (Intel SDM vol. 3, 4.7). */
#define PF_PRESENT 1u
#define PF_WRITE 2u
#define PF_USER 4u
#define PF_RESERVED 8u
#define PF_FETCH 16u

_Static_assert(offsetof(struct regs, rax) == 80, "entry.S depends on it");
_Static_assert(offsetof(struct regs, orig_rax) == 120, "entry.S depends on it");
_Static_assert(offsetof(struct regs, rip) == 128, "entry.S depends on it");
_Static_assert(offsetof(struct regs, trap) == 168, "entry.S depends on it");
_Static_assert(sizeof(struct regs) == 192, "entry.S depends on it");

#endif
