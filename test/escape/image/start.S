/*
 * Where the VMM starts the hostile image, and how it survives its own faults in the guest.
 *
 * escape_guarded(function, argument) calls the function and returns 0; if the CPU faults
 * meanwhile, escape_fault (the one entry of the guest's IDT, see guest.c) makes it return 1.
 * Guest only, one CPU at a time.
 */
	.text
	.globl escape_entry
	.hidden escape_entry
	.type escape_entry, @function
escape_entry:
	xorl %ebp, %ebp
	andq $-16, %rsp
	cld
	call escape_main
	ud2
	.size escape_entry, . - escape_entry

	.globl escape_guarded
	.hidden escape_guarded
	.type escape_guarded, @function
escape_guarded:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, guarded_stack(%rip)
	subq $8, %rsp
	movq %rdi, %rax
	movq %rsi, %rdi
	call *%rax
	addq $8, %rsp
	xorl %eax, %eax
guarded_out:
	movq $0, guarded_stack(%rip)
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret
	.globl escape_fault
	.hidden escape_fault
escape_fault:
	movq guarded_stack(%rip), %rax
	testq %rax, %rax
	jz 1f
	movq %rax, %rsp
	movl $1, %eax
	jmp guarded_out
1:	ud2	/* nobody expected it: a fault in the handler of a fault, at last the triple one */
	.size escape_guarded, . - escape_guarded

	.bss
	.balign 8
guarded_stack:
	.quad 0

	.section .note.GNU-stack, "", @progbits
