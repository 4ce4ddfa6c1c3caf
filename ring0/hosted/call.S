/*
 * Hosted: between the kernel stacks of tasks and the host thread's own stack.
 *
 * Kernel stacks are 16 KiB and the host's functions may want more, so they run on the
 * stack that the host thread was started on, from the mark that cpu_init() left at
 * %gs:0x58. Calls do not nest. System V ABI.
 */
	.text

	/* rdi: function; rsi, rdx, rcx, r8, r9, 8(%rsp): its six arguments */
	.globl hosted_on_host
	.hidden hosted_on_host
	.type hosted_on_host, @function
hosted_on_host:
	pushq %rbp
	movq %rsp, %rbp
	movq %rdi, %rax
	movq 16(%rbp), %r11
	movq %rsi, %rdi
	movq %rdx, %rsi
	movq %rcx, %rdx
	movq %r8, %rcx
	movq %r9, %r8
	movq %r11, %r9
	movq %gs:0x58, %rsp
	call *%rax
	movq %rbp, %rsp
	popq %rbp
	ret
	.size hosted_on_host, . - hosted_on_host

	/* rdi: struct regs at the top of the task's kernel stack */
	.globl hosted_enter
	.hidden hosted_enter
	.type hosted_enter, @function
hosted_enter:
	movq %rdi, %rsp
	andq $-16, %rsp
	xorl %ebp, %ebp
	call hosted_loop
	ud2
	.size hosted_enter, . - hosted_enter

	.section .note.GNU-stack, "", @progbits
