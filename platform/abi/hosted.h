/*
 * The hosted machine: what the host side offers a sentry that runs in its process.
 *
 * The sentry image is loaded into the VMM's own process and each sentry CPU is a host
 * thread. ring0/hosted/ calls these functions on the thread's host stack. A *space* is a
 * container address space, named by a number that the sentry chose; the platform
 * (platform/ptrace, later platform/systrap) keeps for each (cpu, space) a stub process
 * that mirrors some of its mappings. A mirror is like a TLB: filled on faults by map(),
 * emptied by unmap(), and it may be dropped at any time.
 *
 * Every function acts for the calling CPU's thread alone, except kick(). -errno on error.
 */
#ifndef RF_ABI_HOSTED_H
#define RF_ABI_HOSTED_H

#include <stdint.h>

#include "platform/abi/abi.h"
#include "platform/abi/regs.h"

#define HOSTED_READ 1u
#define HOSTED_WRITE 2u
#define HOSTED_EXEC 4u

/* User addresses at or above this belong to the stub's own code; the sentry maps nothing there. */
#define USER_TOP 0x7ffffff00000ull

enum hosted_answer {
	HOSTED_ANSWER_GETPID = 1,
	HOSTED_ANSWER_GETTID = 2,
	HOSTED_ANSWER_GETPPID = 3,
	HOSTED_ANSWER_GETUID = 4,
	HOSTED_ANSWER_GETEUID = 5,
	HOSTED_ANSWER_GETGID = 6,
	HOSTED_ANSWER_GETEGID = 7,
	HOSTED_ANSWER_GETPGRP = 8,
	HOSTED_ANSWER_GETPGID = 9, /* of the caller: with 0 */
	HOSTED_ANSWER_GETSID = 10, /* likewise */
	HOSTED_ANSWER_GETCPU = 11, /* the CPU's number; the node is 0 */
	HOSTED_ANSWER_YIELD = 12,  /* 0; and only while *hosted_context.queued is 0 */
	HOSTED_ANSWERS = 13,
};

/*
 * What system calls of a task give that only read something: user code gets it without a trap where it comes by a call
 * to abi_hosted.call_entry. Indices: HOSTED_ANSWER_*.
 */
struct hosted_answers {
	uint64_t serial; /* another for other contents; 0: there are none */
	uint32_t epoch;  /* *abi_hosted.answers_epoch when this was true */
	uint32_t valid;  /* bit N: value[N] is the answer. Bit 0 is never set */
	uint64_t value[HOSTED_ANSWERS];
};


struct hosted_context {
	struct regs regs;
	uint64_t fs_base, gs_base;
	/* In: where user code goes on instead of regs.rip; 0: at regs.rip. Only where abi_hosted.call_entry is set. */
	uint64_t resume;
	const struct hosted_answers *answers; /* in; with call_entry only */
	const volatile uint32_t *queued;      /* with answers: how many tasks wait for this CPU */
	/* Out, with TRAP_SYSCALL: it came by a signal, which a jump to call_entry would save. */
	uint32_t by_signal;
};

struct abi_hosted {
	/* A host call; the argument block need not be in guest memory here. */
	int64_t (*call)(struct abi_call *call);
	/* Tell the I/O thread that submissions were added. Never waits. */
	void (*ring_notify)(void);

	/* Run user code of `space` on `cpu` until a trap; fills regs.trap, error and addr. */
	int (*run)(unsigned cpu, uint64_t space, struct hosted_context *context);
	/* Map user-zone pages (offset from the zone's base) into this CPU's mirror of `space`. */
	int (*map)(unsigned cpu, uint64_t space, uint64_t address, uint64_t length,
	           uint64_t user_offset, unsigned prot);
	int (*unmap)(unsigned cpu, uint64_t space, uint64_t address, uint64_t length);
	/*
	 * Optional: only where a stub's code may still run when run() has returned, whatever the stub says. What map()
	 * and unmap() noted for `cpu` is done on return. All three may then be called for another CPU. -errno: the
	 * stub has ended instead.
	 */
	int (*settle)(unsigned cpu, uint64_t space);
	/*
	 * Optional: user code may jump here instead of making a system call, with the number in rax, the call's return
	 * address in rcx and where to go on in r11. Its traps come with the registers that SYSCALL leaves.
	 */
	uint64_t call_entry;
	/* With call_entry. Answers may have changed, for whatever task: none of before is given after. Any thread. */
	void (*answers_drop)(void);
	const volatile uint32_t *answers_epoch; /* counts these; never 0 */
	/* With call_entry: the count of tasks that wait for another CPU is no longer 0 (hosted_context.queued). Kernel lock. */
	void (*cpu_queued)(unsigned cpu);
	/* 1: a page fault comes with PF_WRITE and PF_FETCH as the CPU gave them. */
	uint32_t exact_faults;
	/* Drop this CPU's mirror of `space` (its stub ends). Not an error if there is none. */
	int (*drop)(unsigned cpu, uint64_t space);
	/* With adopt(): as drop(), but what was not unmapped stays where it is, for a space that adopts it. */
	int (*retire)(unsigned cpu, uint64_t space);
	/* Optional: this CPU's mirror of `space`, which has none yet, is what was retired of `old`. -ENOENT: nothing is left of it. */
	int (*adopt)(unsigned cpu, uint64_t space, uint64_t old);
	/* With adopt(): what was retired of `old`, or is about to be, shows nothing any more on return. For any CPU. */
	void (*empty)(unsigned cpu, uint64_t old);

	/* The FPU state held in this CPU's mirror of `space`, XSAVE format, boot.xsave_size bytes. */
	int (*fpu_get)(unsigned cpu, uint64_t space, void *xsave);
	int (*fpu_set)(unsigned cpu, uint64_t space, const void *xsave);

	/* Sleep until kick(cpu), a completion, or `deadline` (CLOCK_MONOTONIC ns; UINT64_MAX: none). */
	void (*idle)(unsigned cpu, uint64_t deadline);
	/* Sleep for so long and no longer: a busy wait that lasts. Kicks stay pending. */
	void (*pause)(uint64_t ns);
	/* Make `cpu` leave idle() or run() soon (run: with TRAP_INTERRUPT). Any thread. */
	void (*kick)(unsigned cpu);
	/* One shot: run() on this CPU ends with TRAP_INTERRUPT at `deadline`; UINT64_MAX disarms. */
	void (*timer)(unsigned cpu, uint64_t deadline);
};

#endif
