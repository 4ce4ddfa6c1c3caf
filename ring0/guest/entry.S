/*
 * Ways into ring 0 and out of it: SYSCALL, exceptions and interrupts, the return to user
 * mode, idle. Offsets: platform/abi/regs.h, ring0/percpu.h (both assert them).
 *
 * A kernel stack's top is 8 modulo 16, so that TSS.RSP0 = top - 24 (below trap, error and
 * addr of struct regs) is what the CPU's alignment of the stack leaves alone. Interrupts are
 * off in all of this but the one HLT. GS: user's outside, per-CPU area inside; kernel
 * traps leave it alone. RFLAGS of user mode are cut to what a program may set on each way
 * out, and RIP must be canonical, whatever the saved registers say.
 * Sources: Intel SDM vol. 2 (SYSCALL, SYSRET), vol. 3 ch. 6; AMD APM vol. 2 ch. 6, 8.
 */
#include "ring0/guest/guest.h"

#define PERCPU_USER_RSP 0x10
#define PERCPU_ENTRY_STACK 0x20
#define REGS_R11 48
#define REGS_RCX 88
#define REGS_ORIG_RAX 120
#define REGS_RIP 128
#define REGS_CS 136
#define REGS_RFLAGS 144
#define REGS_SS 160
#define REGS_TRAP 168
#define REGS_ERROR 176
#define TRAP_DOUBLE_FAULT 8
#define TRAP_PROTECTION 13
#define TRAP_MACHINE_CHECK 18
#define TRAP_SYSCALL 0x100
#define USER_FLAGS 0x250dd7	/* CF PF AF ZF SF TF IF DF OF RF AC ID and the fixed bit 1 */
#define SYSRET_FLAGS 0x240cd7	/* the same without TF, RF and IF */
#define FLAG_IF 0x200

	.text

	.macro push_rest	/* all below rdi but rsi */
	pushq %rdx
	pushq %rcx
	pushq %rax
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	.endm

	.macro pop_all
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	popq %rcx
	popq %rdx
	popq %rsi
	popq %rdi
	.endm

	.globl guest_syscall_entry
	.hidden guest_syscall_entry
	.type guest_syscall_entry, @function
	.balign 64
guest_syscall_entry:
	swapgs
	movq %rsp, %gs:PERCPU_USER_RSP
	movq %gs:PERCPU_ENTRY_STACK, %rsp
	pushq $GUEST_USER_DS
	pushq %gs:PERCPU_USER_RSP
	pushq %r11
	pushq $GUEST_USER_CS
	pushq %rcx
	pushq %rax
	pushq %rdi
	pushq %rsi
	push_rest
	movq $TRAP_SYSCALL, REGS_TRAP(%rsp)
	movq %rsp, %rdi
	subq $8, %rsp
	call trap_dispatch
	addq $8, %rsp

/* rsp: struct regs at the top of the kernel stack. SYSRET if it gives exactly these registers, else IRET. */
guest_return_user:
	movq REGS_RCX(%rsp), %rcx
	movq REGS_R11(%rsp), %r11
	cmpq %rcx, REGS_RIP(%rsp)
	jne guest_return_iret
	cmpq %r11, REGS_RFLAGS(%rsp)
	jne guest_return_iret
	movq %rcx, %rax
	shrq $47, %rax
	jnz guest_return_iret
	movl %r11d, %eax
	andl $~SYSRET_FLAGS, %eax
	cmpl $FLAG_IF, %eax
	jne guest_return_iret
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	addq $8, %rsp
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	addq $8, %rsp
	popq %rdx
	popq %rsi
	popq %rdi
	movq 32(%rsp), %rsp
	swapgs
	sysretq

guest_return_iret:
	movq REGS_RIP(%rsp), %rax
	shrq $47, %rax
	jnz guest_bad_rip
	andl $USER_FLAGS, REGS_RFLAGS(%rsp)
	orl $FLAG_IF, REGS_RFLAGS(%rsp)
	movl $0, REGS_RFLAGS+4(%rsp)
	movq $GUEST_USER_CS, REGS_CS(%rsp)
	movq $GUEST_USER_DS, REGS_SS(%rsp)
	pop_all
	addq $8, %rsp
	swapgs
	iretq

/* A program asked to go on at a non-canonical address: the fault that IRET would raise, told to the dispatcher. */
guest_bad_rip:
	movq $TRAP_PROTECTION, REGS_TRAP(%rsp)
	movq $0, REGS_ERROR(%rsp)
	movq $-1, REGS_ORIG_RAX(%rsp)
	movq %rsp, %rdi
	subq $8, %rsp
	call trap_dispatch
	addq $8, %rsp
	jmp guest_return_user
	.size guest_syscall_entry, . - guest_syscall_entry

	.globl guest_enter_user
	.hidden guest_enter_user
	.type guest_enter_user, @function
guest_enter_user:
	movq %rdi, %rsp
	jmp guest_return_user
	.size guest_enter_user, . - guest_enter_user

/* Exceptions and interrupts: vector and error code (0 if the CPU has none) are on the stack. */
	.type guest_trap_common, @function
	.balign 64
guest_trap_common:
	cld
	clac
	pushq %rsi
	movq 8(%rsp), %rsi
	movq %rdi, 8(%rsp)
	testb $3, 32(%rsp)
	jz 1f
	swapgs
	push_rest
	movq REGS_ORIG_RAX(%rsp), %rax
	movq %rsi, REGS_TRAP(%rsp)
	movq %rax, REGS_ERROR(%rsp)
	movq $-1, REGS_ORIG_RAX(%rsp)
	movq %rsp, %rdi
	subq $8, %rsp
	call guest_user_trap
	addq $8, %rsp
	jmp guest_return_user
1:	cmpl $32, %esi
	jae guest_kernel_interrupt
2:	push_rest
	movq %rsp, %rdi
	movq REGS_ORIG_RAX(%rsp), %rdx
	subq $8, %rsp
	call guest_kernel_trap
	addq $8, %rsp
	pop_all
	addq $8, %rsp
	iretq
/*
 * Interrupts are open at the HLT of idle alone. But KVM under software emulation now and then delivers one interrupt twice,
 * the second time somewhere on the first one's way to its acknowledgement, where GS may still be the user's. It is acknowledged
 * and sent again, to come when interrupts are open: if it was a second time, that costs one interrupt without cause; if it
 * ever were a first time, dropping it would leave it in service, and the CPU deaf for it and all of lower priority.
 */
guest_kernel_interrupt:
	leaq guest_idle_hlt(%rip), %rdi
	cmpq %rdi, 24(%rsp)
	je 2b
	leaq guest_idle_after(%rip), %rdi
	cmpq %rdi, 24(%rsp)
	je 2b
	pushq %rax
	pushq %rcx
	pushq %rdx
	xorl %eax, %eax
	xorl %edx, %edx
	movl $MSR_X2APIC_EOI, %ecx
	wrmsr
	movl %esi, %eax
	movl $MSR_X2APIC_SELF_IPI, %ecx
	wrmsr
	popq %rdx
	popq %rcx
	popq %rax
	popq %rsi
	popq %rdi
	addq $8, %rsp
	iretq
	.size guest_trap_common, . - guest_trap_common

/*
 * Double fault (it has an error code, always 0) and machine check (none), on a stack of their own. The vector stands in the
 * error code's place. GS may be anybody's, so the GDT tells the CPU.
 */
	.globl guest_double_fault_entry, guest_machine_check_entry
	.hidden guest_double_fault_entry, guest_machine_check_entry
	.type guest_double_fault_entry, @function
	.type guest_machine_check_entry, @function
guest_machine_check_entry:
	pushq $TRAP_MACHINE_CHECK
	jmp 1f
guest_double_fault_entry:
	movq $TRAP_DOUBLE_FAULT, (%rsp)
1:	pushq %rdi
	pushq %rsi
	push_rest
	cld
	clac
	subq $24, %rsp
	sgdt (%rsp)
	movq 2(%rsp), %rax
	movq 80(%rax), %rax
	wrgsbase %rax
	leaq 24(%rsp), %rdi
	movq REGS_ORIG_RAX(%rdi), %rsi
	xorl %edx, %edx
	andq $-16, %rsp
	call guest_fatal_trap
	ud2
	.size guest_machine_check_entry, . - guest_machine_check_entry

/* Nothing sends one today; it may come between any two instructions, so it touches nothing. */
	.globl guest_nmi_entry
	.hidden guest_nmi_entry
	.type guest_nmi_entry, @function
guest_nmi_entry:
	iretq
	.size guest_nmi_entry, . - guest_nmi_entry

/* Every interrupt that returns to guest_idle_hlt is stepped past it (trap.c), so a wake-up is never slept over. */
	.globl guest_idle_wait, guest_idle_hlt, guest_idle_after
	.hidden guest_idle_wait, guest_idle_hlt, guest_idle_after
	.type guest_idle_wait, @function
guest_idle_wait:
	sti
guest_idle_hlt:
	hlt
guest_idle_after:
	cli
	ret
	.size guest_idle_wait, . - guest_idle_wait

	.globl guest_stubs, guest_stubs_high
	.hidden guest_stubs, guest_stubs_high
	.balign 16
guest_stubs:
	vector = 0
	.rept 32
	.balign 16
	.if (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30)
	.else
	pushq $0
	.endif
	pushq $vector
	jmp guest_trap_common
	vector = vector + 1
	.endr
	.balign 16
guest_stubs_high:
	vector = GUEST_VECTOR_FIRST
	.rept 32
	.balign 16
	pushq $0
	pushq $vector
	jmp guest_trap_common
	vector = vector + 1
	.endr

	.section .note.GNU-stack, "", @progbits
