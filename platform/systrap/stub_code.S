/*
 * All code that a stub process has: the mapping thread, the running thread's side of the
 * hand-over, and the handler of every signal.
 *
 * It is copied to ST_CODE. The mapping thread uses neither stack nor writable memory: what
 * it does comes from the orders, which the process cannot write, and stays in registers;
 * after the last system call of a batch it reads none of them.
 * The running thread's part may be entered at any byte by the container's code with any
 * registers; all that keeps the host safe then is its seccomp program. Every address is a
 * constant, and everything that outlives a wait is loaded again after it.
 *
 *   wait ── go ──> resume ── rt_sigreturn ──> user code ── signal ──> handler ── hand over ──> wait
 *                     └───── jump ─────────> user code ── jump ────> call ───── hand over ──> wait
 */
#include "platform/systrap/layout.h"

#define SYS_WRITE 1
#define SYS_MMAP 9
#define SYS_SIGRETURN 15
#define SYS_CLONE 56
#define SYS_SIGALTSTACK 131
#define SYS_ARCH_PRCTL 158
#define SYS_FUTEX 202
#define SYS_SECCOMP 317
#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define FRAME_RIP 176 /* in a signal frame: asserted in frame.c */

	.section .rodata
	.balign 64
	.globl st_code_begin, st_code_master, st_code_handler, st_code_end
	.hidden st_code_begin, st_code_master, st_code_handler, st_code_end
	.globl st_code_call, st_code_call_stack, st_code_call_flags, st_code_call_saved, st_code_call_end
	.globl st_code_call_answered, st_code_call_answered_end
	.hidden st_code_call_answered, st_code_call_answered_end
	.hidden st_code_call, st_code_call_stack, st_code_call_flags, st_code_call_saved, st_code_call_end
st_code_begin:
	ud2

	/* FPU state to its place in the area, as in a frame. */
	.macro SAVE_FPU
	movl ORD_FEATURES(%rbx), %eax
	movl ORD_FEATURES + 4(%rbx), %edx
	xsave64 AREA_FPU_DEFAULT(%rbp)
	movl $1, AREA_SAVED(%rbp)
	.endm

/* Words of orders and area as this code reaches them without a register. */
#define ORD(at) (st_code_begin + (ST_ORDERS - ST_CODE) + (at))(%rip)
#define AREA(at) (st_code_begin + (ST_AREA - ST_CODE) + (at))(%rip)

	/*
	 * ---- the running thread, when its space has ended ----
	 * The two writes are allowed at these addresses only, each of its own number alone, so what they say is known
	 * to come from here; between them nothing depends on a register or on what the process can write.
	 */
	.balign 16
runner_park:
	movl $SYS_WRITE, %eax
	movl $ST_FD_PARK, %edi
	movabsq $(ST_ORDERS + ORD_PARK), %rsi
	movl $8, %edx
	.org st_code_begin + ST_PARK_FIRST - ST_CODE - 2, 0x90
	syscall
	movabsq $(ST_ORDERS + ORD_RESET + 8), %rsp
	movl $SYS_SIGRETURN, %eax
	syscall				/* signals blocked, flags, signal stack and FPU as new */
	ud2
	.org st_code_begin + ST_PARK_RESET - ST_CODE, 0xcc
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movabsq $ST_ORDERS, %rbx
	movabsq $ST_AREA, %rbp
	movl ORD_RUN_GO(%rbx), %eax
	movl %eax, AREA_SEEN(%rbp)
	movl $0, AREA_LIVE(%rbp)
	movl $SYS_WRITE, %eax
	movl $ST_FD_PARK, %edi
	leaq ORD_PARK + 8(%rbx), %rsi
	movl $8, %edx
	.org st_code_begin + ST_PARK_SECOND - ST_CODE - 2, 0x90
	syscall
	jmp runner_wait

	/* ---- the mapping thread, and the master ---- */
	.balign 16
st_code_master:
	movabsq $ST_ORDERS, %rbx
	xorl %r15d, %r15d		/* batches done */
mapper_wait:
	movl ORD_MAP_GO(%rbx), %eax
	cmpl %r15d, %eax
	jne mapper_batch
	movl $SYS_FUTEX, %eax
	leaq ORD_MAP_GO(%rbx), %rdi
	xorl %esi, %esi			/* FUTEX_WAIT */
	movl %r15d, %edx
	xorl %r10d, %r10d
	syscall
	jmp mapper_wait
mapper_batch:
	incl %r15d
	movl ORD_MAP_COUNT(%rbx), %ebp
	movl ORD_REPLY_FD(%rbx), %esp	/* no stack: a register like others */
	leaq ORD_LIST(%rbx), %r14
mapper_order:
	movq (%r14), %rax
	movq 8(%r14), %rdi
	movq 16(%r14), %rsi
	movq 24(%r14), %rdx
	movq 32(%r14), %r10
	movq 40(%r14), %r8
	movq 48(%r14), %r9
	movq 56(%r14), %r12
	movl %eax, %r13d
	syscall
	testq %rax, %rax
	jz mapper_zero
	cmpq $-4096, %rax
	ja mapper_failed
mapper_next:
	addq $ORD_ENTRY, %r14
	decl %ebp
	jnz mapper_order
	leaq reply_done(%rip), %rsi
	leaq ORD_RUN_GO(%rbx), %r13
mapper_reply:
	movzwl %sp, %edi
	movl $8, %edx
	movl $SYS_WRITE, %eax
	syscall
	testl $ORD_REPLY_RUN, %esp
	jz mapper_wait
	movabsq $(ST_AREA + AREA_DONE), %r8
	movl %r15d, (%r8)		/* only tells: nothing here depends on it */
	movl $SYS_FUTEX, %eax
	movq %r13, %rdi			/* the running thread; the sentry's if an order failed */
	movl $1, %esi			/* FUTEX_WAKE */
	movl $1, %edx
	xorl %r10d, %r10d
	syscall
	testl %eax, %eax
	jnz mapper_wait
	movl $SYS_FUTEX, %eax
	movq %r8, %rdi			/* it has begun to wait for just this */
	syscall
	jmp mapper_wait
mapper_failed:
	cmpl $ST_FD_SETUP, %esp
	je fatal			/* nobody would hear of it */
	negq %rax
	cmpq $200, %rax
	jb 1f
	xorl %eax, %eax
1:	leaq reply_errors(%rip), %rsi
	leaq (%rsi,%rax,8), %rsi
	movabsq $(ST_AREA + AREA_STATE), %r13
	jmp mapper_reply
mapper_zero:
	/* From registers: a new thread may begin late, when the orders are others already. */
	cmpl $SYS_CLONE, %r13d
	jne mapper_next
	testl $0x10000, %edi		/* CLONE_THREAD */
	jnz runner_start
	/* A new stub, not yet with pages of its own: r12 is their place in the exchange file. */
	movl $SYS_MMAP, %eax
	movq %rbx, %rdi
	movl $ST_ORDERS_SIZE, %esi
	movl $1, %edx			/* PROT_READ */
	movl $0x11, %r10d		/* MAP_SHARED | MAP_FIXED */
	movl $ST_FD_EXCHANGE, %r8d
	movq %r12, %r9
	syscall
	cmpq %rbx, %rax
	jne fatal
	movl $SYS_MMAP, %eax
	movabsq $ST_AREA, %rdi
	movl $ST_AREA_SIZE, %esi
	movl $3, %edx			/* PROT_READ | PROT_WRITE */
	leaq ST_ORDERS_SIZE(%r12), %r9
	syscall
	cmpq %rdi, %rax
	jne fatal
	xorl %r15d, %r15d
	jmp mapper_wait
fatal:
	ud2

	/* ---- the running thread ---- */
runner_start:
	leaq stack_description(%rip), %rdi
	xorl %esi, %esi
	movl $SYS_SIGALTSTACK, %eax
	syscall
	testq %rax, %rax
	jnz fatal
	movl $1, %edi			/* SECCOMP_SET_MODE_FILTER */
	xorl %esi, %esi
	movabsq $(ST_PROGRAMS + 16), %rdx
	movl $SYS_SECCOMP, %eax
	syscall
	testq %rax, %rax
	jnz fatal
	movabsq $ST_ORDERS, %rbx
	movabsq $ST_AREA, %rbp
	jmp hand_over			/* ready */

	/*
	 * From here to runner_resume a signal does nothing: what the thread waits for it then finds in orders.
	 * Signals are blocked unless it came by a call, which AREA_LIVE tells.
	 */
runner_handed:
	cmpl $0, ORD_SLEEPS(%rbx)
	je runner_wait
	movl $SYS_FUTEX, %eax
	leaq AREA_STATE(%rbp), %rdi
	movl $1, %esi			/* FUTEX_WAKE */
	movl $1, %edx
	xorl %r10d, %r10d
	syscall
runner_wait:
	movabsq $ST_ORDERS, %rbx
	movabsq $ST_AREA, %rbp
	leaq AREA_STACK_WAIT(%rbp), %rsp
	xorl %ecx, %ecx
1:	movl AREA_SEEN(%rbp), %edx
	cmpl %edx, ORD_RUN_GO(%rbx)
	jne 3f
	cmpl $0, ORD_SAVE(%rbx)
	jne 5f
	cmpl %ecx, ORD_SPIN(%rbx)	/* read each time: the sentry may call it off */
	jbe 2f
	incl %ecx
	pause
	jmp 1b
5:	cmpl $0, AREA_SAVED(%rbp)
	jne 6f
	cmpl $0, AREA_LIVE(%rbp)
	je 6f
	SAVE_FPU
6:	incl %ecx
	cmpl %ecx, ORD_SPIN(%rbx)
	jbe 2f
	pause
	jmp 1b
2:	cmpl $0, AREA_LIVE(%rbp)
	je 4f
	cmpl $0, AREA_SAVED(%rbp)
	jne 4f
	SAVE_FPU
	movl AREA_SEEN(%rbp), %edx
4:	movl $1, AREA_SLEEPS(%rbp)
	movl $SYS_FUTEX, %eax
	leaq ORD_RUN_GO(%rbx), %rdi
	xorl %esi, %esi
	xorl %r10d, %r10d
	syscall
	movl $0, AREA_SLEEPS(%rbp)
	jmp runner_wait
3:	cmpl $0, ORD_KICK(%rbx)
	jne runner_resume		/* it turns back there */
	movl AREA_DONE(%rbp), %edx
	movl %edx, %eax
	subl ORD_NEED(%rbx), %eax
	jns runner_resume
	movl $SYS_FUTEX, %eax
	leaq AREA_DONE(%rbp), %rdi
	xorl %esi, %esi
	xorl %r10d, %r10d
	syscall
	jmp runner_wait

	/* From here to runner_turned a signal turns back to the sentry. */
runner_resume:
	cmpq $0, ORD_PARK(%rbx)
	jne runner_park
	movl ORD_RUN_GO(%rbx), %eax
	movl %eax, AREA_SEEN(%rbp)
	cmpl $0, ORD_KICK(%rbx)
	jne runner_interrupted
	testl $ST_SET_FS, ORD_FLAGS(%rbx)
	jz 1f
	movq ORD_FS(%rbx), %rsi
	cmpl $0, ORD_FSGSBASE(%rbx)
	je 3f
	wrfsbase %rsi
1:	testl $ST_SET_GS, ORD_FLAGS(%rbx)
	jz 2f
	movq ORD_GS(%rbx), %rsi
	cmpl $0, ORD_FSGSBASE(%rbx)
	je 4f
	wrgsbase %rsi
2:	testl $ST_BEGIN_SAME, ORD_FLAGS(%rbx)
	jnz begin_same
	testl $ST_BEGIN_LIVE, ORD_FLAGS(%rbx)
	jnz begin_live
	movl $0, AREA_LIVE(%rbp)
	movq ORD_FRAME(%rbx), %rsp
	addq $8, %rsp			/* as after the handler's return */
	movl $SYS_SIGRETURN, %eax
	syscall
	ud2
3:	movl $ARCH_SET_FS, %edi
	movl $SYS_ARCH_PRCTL, %eax
	syscall
	jmp 1b
4:	movl $ARCH_SET_GS, %edi
	movl $SYS_ARCH_PRCTL, %eax
	syscall
	jmp 2b
begin_live:
	movl $0, AREA_LIVE(%rbp)
	leaq ORD_RFLAGS(%rbx), %rsp
	popfq
	movq ORD_REGS + 0(%rbx), %r15
	movq ORD_REGS + 8(%rbx), %r14
	movq ORD_REGS + 16(%rbx), %r13
	movq ORD_REGS + 24(%rbx), %r12
	movq ORD_REGS + 32(%rbx), %rbp
	movq ORD_REGS + 48(%rbx), %r11
	movq ORD_REGS + 56(%rbx), %r10
	movq ORD_REGS + 64(%rbx), %r9
	movq ORD_REGS + 72(%rbx), %r8
	movq ORD_REGS + 88(%rbx), %rcx
	movq ORD_REGS + 96(%rbx), %rdx
	movq ORD_REGS + 104(%rbx), %rsi
	movq ORD_REGS + 112(%rbx), %rdi
	movq ORD_REGS + 40(%rbx), %rbx
	movq ORD(ORD_RAX), %rax
	movq ORD(ORD_RSP), %rsp
	jmpq *ORD(ORD_RIP)
begin_same:
	movl $0, AREA_LIVE(%rbp)
	leaq AREA_FLAGS(%rbp), %rsp
	popfq
	movq ORD_RAX(%rbx), %rax
	movq AREA_REGS + 40(%rbp), %rbx
	movq AREA_REGS + 56(%rbp), %r10
	movq AREA_REGS + 88(%rbp), %rcx
	movq AREA_REGS + 96(%rbp), %rdx
	movq AREA_REGS + 104(%rbp), %rsi
	movq AREA_REGS + 112(%rbp), %rdi
	movq AREA_FLAGS(%rbp), %r11
	movq AREA_REGS + 32(%rbp), %rbp
	movq AREA(AREA_RSP), %rsp
	jmpq *AREA(AREA_RESUME)

runner_interrupted:
	movl $ST_KIND_INTERRUPTED, AREA_KIND(%rbp)
	movl $1, %eax
	xchgl %eax, AREA_STATE(%rbp)
runner_turned:
	jmp runner_handed

	/*
	 * ---- a system call by jump: rcx is its return address, r11 where user code goes on, rax the number ----
	 *
	 * Up to st_code_call_saved, where answers are not given, a signal finds the other registers as user code has them, from there to
	 * st_code_call_end in the area; it hands the call over instead (strap_frame_decode()).
	 */
	.balign 64
st_code_call:
	movq %rsp, AREA(AREA_RSP)
	leaq AREA(AREA_FLAGS + 8), %rsp
st_code_call_stack:
	pushfq
st_code_call_flags:
	movq %r11, AREA(AREA_RESUME)
	cmpq $(answer_index_end - answer_index - 1), %rax
	ja 1f
	leaq answer_index(%rip), %r11
	movzbl (%r11,%rax), %r11d
	movl ORD(ORD_ANSWERS), %esp
	btl %r11d, %esp
	jnc 1f
	cmpl $0, ORD(ORD_KICK)
	jne 1f
	cmpl $ST_ANSWER_GETPGID, %r11d
	jae 3f
2:	leaq ORD(ORD_ANSWERS), %rsp
	movq (%rsp,%r11,8), %rax
st_code_call_answered:			/* it is over: a signal finds the result */
	leaq AREA(AREA_FLAGS), %rsp
	popfq
	movq AREA(AREA_FLAGS), %r11
	movq AREA(AREA_RSP), %rsp
	jmpq *AREA(AREA_RESUME)
st_code_call_answered_end:
3:	cmpl $ST_ANSWER_GETCPU, %r11d
	je 4f
	ja 7f
	testl %edi, %edi		/* their own */
	jz 2b
	jmp 1f
	/* getcpu: a fault at one of the stores is the call's own, made by the sentry (strap_frame_decode()). */
4:	movabsq $(ST_BASE - 3), %r11
	testq %rdi, %rdi
	jz 5f
	cmpq %r11, %rdi
	jae 1f
	movl ORD(ORD_ANSWERS + 8 * ST_ANSWER_GETCPU), %esp
	movl %esp, (%rdi)
5:	testq %rsi, %rsi
	jz 6f
	cmpq %r11, %rsi
	jae 1f
	movl $0, (%rsi)
6:	movl $ST_ANSWER_YIELD, %r11d	/* whose answer is 0 */
	jmp 2b
7:	cmpl $0, ORD(ORD_ALONE)
	jne 2b
1:	movq %r15, AREA(AREA_REGS + 0)
	movq %r14, AREA(AREA_REGS + 8)
	movq %r13, AREA(AREA_REGS + 16)
	movq %r12, AREA(AREA_REGS + 24)
	movq %rbp, AREA(AREA_REGS + 32)
	movq %rbx, AREA(AREA_REGS + 40)
	movq %r10, AREA(AREA_REGS + 56)
	movq %r9, AREA(AREA_REGS + 64)
	movq %r8, AREA(AREA_REGS + 72)
	movq %rax, AREA(AREA_REGS + 80)
	movq %rcx, AREA(AREA_REGS + 88)
	movq %rdx, AREA(AREA_REGS + 96)
	movq %rsi, AREA(AREA_REGS + 104)
	movq %rdi, AREA(AREA_REGS + 112)
	movl $ST_KIND_CALL, AREA(AREA_KIND)
	movl $0, AREA(AREA_SAVED)
	movl $1, AREA(AREA_LIVE)
	cmpl $0, ORD(ORD_FSGSBASE)
	je st_code_call_saved
	rdfsbase %r11
	movq %r11, AREA(AREA_FS)
	rdgsbase %r11
	movq %r11, AREA(AREA_GS)
st_code_call_saved:
	movabsq $ST_ORDERS, %rbx
	movabsq $ST_AREA, %rbp
	cmpl $0, ORD_SPIN(%rbx)
	jne 1f				/* it may go on before long: saved when somebody asks, or before sleep */
	SAVE_FPU
1:	movl $1, %eax
	xchgl %eax, AREA_STATE(%rbp)
st_code_call_end:
	jmp runner_handed

	/* ---- every signal: rdi its number, rsp the frame ---- */
	.balign 16
st_code_handler:
	movabsq $ST_ORDERS, %rbx
	movabsq $ST_AREA, %rbp
	movq FRAME_RIP(%rsp), %rax
	leaq runner_handed(%rip), %rcx
	subq %rcx, %rax
	cmpq $(runner_resume - runner_handed), %rax
	jb 2f
	cmpq $(runner_turned - runner_handed), %rax
	jb 3f
	je 2f
	cmpq $(st_code_call_end - runner_handed), %rax
	je 2f				/* it has been handed over */
1:	movq %rsp, AREA_FRAME(%rbp)
	movl %edi, AREA_SIGNAL(%rbp)
	movl $ST_KIND_SIGNAL, AREA_KIND(%rbp)
	movl $0, AREA_LIVE(%rbp)
	subq $(st_code_call_saved - runner_handed), %rax
	cmpq $(st_code_call_end - st_code_call_saved), %rax
	jb hand_over			/* the bases are there, too */
	cmpl $0, ORD_FSGSBASE(%rbx)
	je hand_over
	rdfsbase %rax
	movq %rax, AREA_FS(%rbp)
	rdgsbase %rax
	movq %rax, AREA_GS(%rbp)
hand_over:
	movl $1, %eax
	xchgl %eax, AREA_STATE(%rbp)
	jmp runner_handed
2:	cmpl $0, AREA_LIVE(%rbp)
	je 1b				/* user code jumped there */
	addq $8, %rsp
	movl $SYS_SIGRETURN, %eax
	syscall
	ud2
3:	cmpq $0, ORD_PARK(%rbx)
	jne runner_park
	movl ORD_RUN_GO(%rbx), %eax	/* handed back once: it may not have come to say that it has seen it */
	movl %eax, AREA_SEEN(%rbp)
	movl $0, AREA_LIVE(%rbp)
	movq %rsp, AREA_FRAME(%rbp)
	movl $ST_KIND_TURNED, AREA_KIND(%rbp)
	testl $(ST_BEGIN_LIVE | ST_BEGIN_SAME), ORD_FLAGS(%rbx)
	jnz hand_over
	movl $ST_KIND_INTERRUPTED, AREA_KIND(%rbp)
	jmp hand_over
	/* Which answer each call is (HOSTED_ANSWER_*), by number. */
answer_index:
	.fill 24, 1, 0
	.byte ST_ANSWER_YIELD		/* sched_yield */
	.fill 39 - 25, 1, 0
	.byte 1				/* getpid */
	.fill 102 - 40, 1, 0
	.byte 4				/* getuid */
	.byte 0
	.byte 6				/* getgid */
	.fill 107 - 105, 1, 0
	.byte 5				/* geteuid */
	.byte 7				/* getegid */
	.byte 0
	.byte 3				/* getppid */
	.byte 8				/* getpgrp */
	.fill 121 - 112, 1, 0
	.byte ST_ANSWER_GETPGID		/* getpgid */
	.fill 124 - 122, 1, 0
	.byte 10			/* getsid */
	.fill 186 - 125, 1, 0
	.byte 2				/* gettid */
	.fill 309 - 187, 1, 0
	.byte ST_ANSWER_GETCPU		/* getcpu */
answer_index_end:
	.balign 8
stack_description:
	.quad ST_AREA + AREA_STACK
	.long 0, 0
	.quad ST_AREA_SIZE - AREA_STACK
reply_done:
	.quad 1
reply_errors:
	.set i, 0
	.rept 200
	.quad 0x10000 + i
	.set i, i + 1
	.endr
st_code_end:

	.section .note.GNU-stack, "", @progbits
