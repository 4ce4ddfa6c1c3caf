/*
 * sentry_entry: where the VMM starts every CPU, on both machines.
 *
 * rdi: struct abi_boot (platform/abi/abi.h), rsi: CPU number. 64-bit mode, a valid stack,
 * interrupts off in the guest. Goes on in ring0/start.c and does not return.
 */
	.text
	.globl sentry_entry
	.hidden sentry_entry
	.type sentry_entry, @function
sentry_entry:
	xorl %ebp, %ebp
	andq $-16, %rsp
	cld
	call start_cpu
1:	hlt
	jmp 1b
	.size sentry_entry, . - sentry_entry

	.section .note.GNU-stack, "", @progbits
