/*
 * Copies to and from user memory. SMAP is open (STAC) only between here and the return.
 *
 * A user page that is absent faults; the trap code asks the kernel for it and the
 * instruction runs again, so these functions may sleep. If it cannot be had, execution
 * goes on at the address that the fix-up table names. Wide moves fall back to bytes, so
 * the count that comes back is exact. Small copies use plain moves: a string
 * instruction costs tens of cycles to start.
 */
	.text

	.macro fixup at, to
	.pushsection .rodata.fixup, "a", @progbits
	.balign 4
	.long \at - .
	.long \to - (. - 4)
	.popsection
	.endm

	.globl guest_fixups_start, guest_fixups_end
	.hidden guest_fixups_start, guest_fixups_end
	.pushsection .rodata.fixup, "a", @progbits
	.balign 4
guest_fixups_start:
	.popsection

/* rdi: to, rsi: from, rdx: bytes. rax: bytes not copied. */
	.globl guest_copy_user
	.hidden guest_copy_user
	.type guest_copy_user, @function
guest_copy_user:
	stac
	movq %rdx, %rcx
	cmpq $128, %rdx
	jae .Lcopy_big
	cmpq $8, %rcx
	jb .Lcopy_tail
.Lcopy_load8:
	movq (%rsi), %rax
.Lcopy_store8:
	movq %rax, (%rdi)
	addq $8, %rsi
	addq $8, %rdi
	subq $8, %rcx
	cmpq $8, %rcx
	jae .Lcopy_load8
.Lcopy_tail:
	cmpq $4, %rcx
	jb .Lcopy_bytes
.Lcopy_load4:
	movl (%rsi), %eax
.Lcopy_store4:
	movl %eax, (%rdi)
	addq $4, %rsi
	addq $4, %rdi
	subq $4, %rcx
.Lcopy_bytes:
	testq %rcx, %rcx
	jz .Lcopy_done
.Lcopy_load1:
	movb (%rsi), %al
.Lcopy_store1:
	movb %al, (%rdi)
	incq %rsi
	incq %rdi
	decq %rcx
	jnz .Lcopy_load1
.Lcopy_done:
	clac
	movq %rcx, %rax
	ret
.Lcopy_big:
	shrq $3, %rcx
	andl $7, %edx
.Lcopy_words:
	rep movsq
	movq %rdx, %rcx
	jmp .Lcopy_tail
.Lcopy_words_fault:
	leaq (%rdx,%rcx,8), %rcx
	jmp .Lcopy_bytes
	.size guest_copy_user, . - guest_copy_user
	fixup .Lcopy_load8, .Lcopy_bytes
	fixup .Lcopy_store8, .Lcopy_bytes
	fixup .Lcopy_load4, .Lcopy_bytes
	fixup .Lcopy_store4, .Lcopy_bytes
	fixup .Lcopy_load1, .Lcopy_done
	fixup .Lcopy_store1, .Lcopy_done
	fixup .Lcopy_words, .Lcopy_words_fault

/* rdi: to, rsi: bytes. rax: bytes not cleared. */
	.globl guest_clear_user
	.hidden guest_clear_user
	.type guest_clear_user, @function
guest_clear_user:
	stac
	movq %rsi, %rcx
	movq %rsi, %rdx
	xorl %eax, %eax
	shrq $3, %rcx
	andl $7, %edx
.Lclear_words:
	rep stosq
	movq %rdx, %rcx
.Lclear_bytes:
	testq %rcx, %rcx
	jz .Lclear_done
.Lclear_store1:
	movb %al, (%rdi)
	incq %rdi
	decq %rcx
	jnz .Lclear_store1
.Lclear_done:
	clac
	movq %rcx, %rax
	ret
.Lclear_words_fault:
	leaq (%rdx,%rcx,8), %rcx
	jmp .Lclear_bytes
	.size guest_clear_user, . - guest_clear_user
	fixup .Lclear_words, .Lclear_words_fault
	fixup .Lclear_store1, .Lclear_done

/* rdi: to, rsi: from (user), rdx: most bytes. rax: length without the terminator, rdx if there is none, or -EFAULT. */
	.globl guest_strncpy_user
	.hidden guest_strncpy_user
	.type guest_strncpy_user, @function
guest_strncpy_user:
	stac
	xorl %eax, %eax
	movabsq $0xfefefefefefefeff, %r8
	movabsq $0x8080808080808080, %r9
.Lstr_word:
	leaq 8(%rax), %rcx
	cmpq %rdx, %rcx
	ja .Lstr_byte
.Lstr_load8:
	movq (%rsi,%rax), %r10
	/* A zero byte: (x - 0x01..01) & ~x & 0x80..80. */
	leaq (%r10,%r8), %r11
	movq %r10, %rcx
	notq %rcx
	andq %r9, %rcx
	andq %rcx, %r11
	jnz .Lstr_byte
	movq %r10, (%rdi,%rax)
	addq $8, %rax
	jmp .Lstr_word
.Lstr_byte:
	cmpq %rdx, %rax
	jae .Lstr_done
.Lstr_load1:
	movb (%rsi,%rax), %cl
	movb %cl, (%rdi,%rax)
	testb %cl, %cl
	jz .Lstr_done
	incq %rax
	jmp .Lstr_byte
.Lstr_fault:
	movq $-14, %rax
.Lstr_done:
	clac
	ret
	.size guest_strncpy_user, . - guest_strncpy_user
	fixup .Lstr_load8, .Lstr_byte
	fixup .Lstr_load1, .Lstr_fault

/* rdi: user address, esi: expected, edx: new, rcx: where the old value goes. 0 or -EFAULT. */
	.globl guest_cmpxchg_user32
	.hidden guest_cmpxchg_user32
	.type guest_cmpxchg_user32, @function
guest_cmpxchg_user32:
	movl %esi, %eax
	stac
.Lcmpxchg:
	lock cmpxchgl %edx, (%rdi)
	clac
	movl %eax, (%rcx)
	xorl %eax, %eax
	ret
.Lcmpxchg_fault:
	clac
	movl $-14, %eax
	ret
	.size guest_cmpxchg_user32, . - guest_cmpxchg_user32
	fixup .Lcmpxchg, .Lcmpxchg_fault

/* rdi: XSAVE area (64-byte aligned), rsi: whether XSAVEOPT may be used. All enabled features. */
	.globl fpu_save
	.hidden fpu_save
	.type fpu_save, @function
fpu_save:
	movl $-1, %eax
	movl $-1, %edx
	testq %rsi, %rsi
	jz 1f
	xsaveopt64 (%rdi)
	ret
1:	xsave64 (%rdi)
	ret
	.size fpu_save, . - fpu_save

/* rdi: XSAVE area. eax: 0, or -1 if the CPU refused it (a program made it up). */
	.globl fpu_restore
	.hidden fpu_restore
	.type fpu_restore, @function
fpu_restore:
	movl $-1, %eax
	movl $-1, %edx
.Lfpu_restore:
	xrstor64 (%rdi)
	xorl %eax, %eax
	ret
.Lfpu_fault:
	movl $-1, %eax
	ret
	.size fpu_restore, . - fpu_restore
	fixup .Lfpu_restore, .Lfpu_fault

	.section .rodata.fixup, "a", @progbits
	.balign 4
guest_fixups_end:
	.section .note.GNU-stack, "", @progbits
