/*
 * Kernel stack switch. See context.h. System V ABI: rbx, rbp, r12-r15 are callee-saved;
 * all else is dead across the call.
 */
	.text
	.globl context_switch
	.hidden context_switch
	.type context_switch, @function
context_switch:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
	.size context_switch, . - context_switch

	/* The lowest frame of a fresh stack: rbx is fn, r12 its argument. */
	.type context_begin, @function
context_begin:
	xorl %ebp, %ebp
	movq %r12, %rdi
	call *%rbx
	ud2
	.size context_begin, . - context_begin

	.globl context_prepare
	.hidden context_prepare
	.type context_prepare, @function
context_prepare:
	andq $-16, %rdi
	leaq context_begin(%rip), %rax
	movq %rax, -8(%rdi)	/* return address; rsp is 16-byte aligned after it */
	movq $0, -16(%rdi)	/* rbp */
	movq %rsi, -24(%rdi)	/* rbx */
	movq %rdx, -32(%rdi)	/* r12 */
	movq $0, -40(%rdi)
	movq $0, -48(%rdi)
	movq $0, -56(%rdi)
	leaq -56(%rdi), %rax
	ret
	.size context_prepare, . - context_prepare

	.section .note.GNU-stack, "", @progbits
