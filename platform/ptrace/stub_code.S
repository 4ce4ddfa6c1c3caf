/*
 * The stub's code page, copied to STUB_CODE in every stub process.
 *
 * It executes the orders that the CPU's thread left at STUB_ORDERS: rbx points to the
 * first, rbp counts them. It ends in int3 when all succeeded and in ud2 when one failed
 * (the result is in rax). It runs under PTRACE_CONT only here; when the container's code
 * jumps to it, that is user code like any other, under PTRACE_SYSEMU, and its system
 * calls go to the sentry. No stack, no data, position independent.
 */
	.section .rodata
	.balign 64
	.globl stub_code_begin, stub_code_orders, stub_code_end
	.hidden stub_code_begin, stub_code_orders, stub_code_end
stub_code_begin:
	int3
	nop
stub_code_orders:
	movq (%rbx), %rax
	movq 8(%rbx), %rdi
	movq 16(%rbx), %rsi
	movq 24(%rbx), %rdx
	movq 32(%rbx), %r10
	movq 40(%rbx), %r8
	movq 48(%rbx), %r9
	syscall
	cmpq $-4096, %rax
	ja 1f
	addq $64, %rbx
	decq %rbp
	jnz stub_code_orders
	int3
1:	ud2
stub_code_end:

	.section .note.GNU-stack, "", @progbits
