/*
 * What a stub process has at USER_TOP and above, for C and for stub_code.S.
 *
 *   orders  the sentry writes, the stub's process can only read
 *   code    stub_code.S and the seccomp programs, read and execute
 *   area    the stub's process writes: nothing in it is believed; holds the signal stack
 *
 * Offsets are asserted in internal.h.
 */
#ifndef PLATFORM_SYSTRAP_LAYOUT_H
#define PLATFORM_SYSTRAP_LAYOUT_H

#define ST_BASE 0x7ffffff00000 /* USER_TOP */
#define ST_ORDERS ST_BASE
#define ST_ORDERS_SIZE 0x2000
#define ST_CODE (ST_BASE + 0x2000)
#define ST_CODE_SIZE 0x3000
#define ST_PROGRAMS (ST_CODE + 0x1000) /* struct sock_fprog: mapper, runner */
#define ST_AREA (ST_BASE + 0x10000)
#define ST_AREA_SIZE 0x10000
/* The addresses behind the two system calls by which a running thread shows where it is. */
#define ST_PARK_FIRST (ST_CODE + 0x40)
#define ST_PARK_RESET (ST_CODE + 0x60)
#define ST_PARK_SECOND (ST_CODE + 0xc0)
#define ST_END (ST_AREA + ST_AREA_SIZE)

/* Offsets in orders. */
#define ORD_MAP_GO 0x00    /* counts batches for the mapping thread (futex) */
#define ORD_MAP_COUNT 0x04 /* orders in the batch */
#define ORD_REPLY_FD 0x08  /* where it says that they are done */
/* What a waiting running thread looks at, in one cache line. */
#define ORD_RUN_GO 0x40    /* counts stretches of user code (futex) */
#define ORD_FLAGS 0x44     /* ST_SET_…, ST_BEGIN_… */
#define ORD_KICK 0x48      /* do not begin: hand back at once */
#define ORD_SPIN 0x4c      /* looks before the running thread sleeps */
#define ORD_NEED 0x50      /* batches that must be done before the stretch begins */
#define ORD_SLEEPS 0x54    /* the sentry's thread sleeps on area.state */
#define ORD_SAVE 0x58      /* a waiting thread with live FPU state is to save it */
#define ORD_RAX 0x60
#define ORD_RIP 0x68
#define ORD_RSP 0x70
#define ORD_RFLAGS 0x78
#define ORD_REGS 0x80      /* the first 15 of struct regs */
#define ORD_FRAME 0x100    /* signal frame that the stretch begins from */
#define ORD_FS 0x108
#define ORD_GS 0x110
#define ORD_FEATURES 0x118 /* of XCR0, that a frame's FPU state has */
#define ORD_FSGSBASE 0x120 /* the instructions may be used */
#define ORD_MASK 0x128     /* set of cores that an order names */
#define ORD_PARK 0x130     /* two numbers; not 0: the running thread is to show that it is in no user code's hands (park.c) */
#define ORD_ANSWERS 0x140  /* bit N: a call of index N is answered by word N from here */
#define ORD_ALONE 0x144    /* nobody waits for the CPU: sched_yield has nothing to do */
#define ORD_RESET 0x1c0    /* a signal frame that leads to runner_reset with all blocked */
#define ORD_LIST 0x380
#define ORD_ENTRY 64

/* Indices of the calls that the running thread may answer: HOSTED_ANSWER_*, asserted in answers.c. */
#define ST_ANSWER_GETPGID 9 /* from here on on conditions: of the caller's own only */
#define ST_ANSWER_GETCPU 11
#define ST_ANSWER_YIELD 12
#define ST_ANSWERS 13

#define ORD_REPLY_RUN 0x10000 /* with the descriptor: the running thread is woken after the batch */

#define ST_SET_FS 1
#define ST_SET_GS 2
#define ST_BEGIN_LIVE 4 /* without a frame: FPU state is in the CPU, registers in orders */
#define ST_BEGIN_SAME 8 /* the same, and but for rax the registers are as they were handed over */

/* Offsets in area. */
#define AREA_STATE 0x00  /* 0: user code runs, 1: handed over (futex) */
#define AREA_SLEEPS 0x04 /* the running thread sleeps on ORD_RUN_GO */
#define AREA_TID 0x08    /* of the running thread */
#define AREA_DONE 0x0c   /* batches that the mapping thread has done: for the running thread only */
#define AREA_SEEN 0x40   /* ORD_RUN_GO of this stretch */
#define AREA_KIND 0x44   /* ST_KIND_… */
#define AREA_SIGNAL 0x48
#define AREA_LIVE 0x4c   /* from a call until user code goes on: FPU state is in the CPU, signals are not blocked */
#define AREA_SAVED 0x50  /* ... and a copy is at AREA_FPU_DEFAULT */
#define AREA_FRAME 0x58
#define AREA_FS 0x60
#define AREA_GS 0x68
#define AREA_FLAGS 0x70  /* of a call; AREA_FLAGS + 8 is where its stack pointer stands while they are pushed */
#define AREA_RSP 0x78
#define AREA_REGS 0x80   /* the first 15 of struct regs */
#define AREA_PIDS 0x100  /* in the master's: the process of each slot, written by clone */
#define AREA_RESUME 0x300 /* where user code goes on after a call: its return address or what stands for it */

#define ST_KIND_SIGNAL 1      /* a signal frame at AREA_FRAME */
#define ST_KIND_INTERRUPTED 2 /* it did not begin: all is as the sentry left it */
#define ST_KIND_CALL 3        /* a system call by jump: registers at AREA_REGS */
#define ST_KIND_TURNED 4      /* as INTERRUPTED, but its FPU state is in the frame at AREA_FRAME */

/* The signal stack: frames of user code in the upper part, of the stub's own waits in the lower. */
#define AREA_STACK 0x1000
#define AREA_STACK_WAIT 0x6000
#define AREA_FRAME_DEFAULT 0x9000
#define AREA_FPU_DEFAULT 0x9800

#define ST_FD_USER 0     /* the user memfd */
#define ST_FD_EXCHANGE 1 /* orders and areas; the master's, and a stub's until it is set up */
#define ST_FD_SETUP 2    /* an eventfd that nobody reads: the master's and a new stub's first batch */
#define ST_FD_PARK 3     /* a pipe: what the running thread shows */
#define ST_FD_REPLY 8    /* + 2 * CPU: an eventfd; + 1: another, for batches that user code follows */

#endif
