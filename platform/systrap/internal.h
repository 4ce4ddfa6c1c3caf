/*
 * platform/systrap, internal: the host side of the hosted machine without ptrace.
 *
 * One struct st_cpu per sentry CPU. A *stub* is a process of two threads that shows one
 * address space on one CPU: the mapping thread does the orders of the sentry, the running
 * thread the container's code. The container's code is taken to control all of its
 * process but the mapping thread, so no word of a stub's area is believed, read twice or
 * used as a pointer. Order of use: strap_make_master() before the jail, then space.c.
 *
 * Locks: st_cpu.lock, over the table of stubs and their orders; held while orders are
 * executed, never while user code runs. The CPU's own thread may read the table without.
 */
#ifndef PLATFORM_SYSTRAP_INTERNAL_H
#define PLATFORM_SYSTRAP_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "platform/hosted.h"
#include "platform/systrap/layout.h"

#define STUB_SLOTS 128u /* a CPU; the first is its master's */
#define STUB_BUCKETS 128u
#define SPARE_MIN 2u /* stubs made ahead; more when they were missing */
#define SPARE_MAX 12u
#define SHOWN_RANGES 24u
#define STUB_KICK SIGUSR1

/* A system call for the mapping thread to make. */
struct st_order {
	uint64_t nr;
	uint64_t arg[6];
	uint64_t place; /* clone of a stub: its slot in the exchange file */
};
_Static_assert(sizeof(struct st_order) == ORD_ENTRY, "stub_code.S");
#define ORDER_LIMIT ((ST_ORDERS_SIZE - ORD_LIST) / ORD_ENTRY)

struct st_orders {
	volatile uint32_t map_go, map_count, reply_fd;
	uint32_t pad0[13];
	volatile uint32_t run_go, flags, kick, spin, need, sleeps, save;
	uint32_t pad1;
	volatile uint64_t rax, rip, rsp, rflags;
	volatile uint64_t regs[16];
	volatile uint64_t frame, fs_base, gs_base, features;
	volatile uint32_t fsgsbase;
	uint32_t pad2;
	volatile uint64_t mask;
	volatile uint64_t park[2];
	volatile uint32_t answers, alone;
	volatile uint64_t answer[ST_ANSWERS - 1]; /* from index 1 */
	uint64_t pad3[3];
	uint8_t reset[ORD_LIST - ORD_RESET];
	struct st_order list[ORDER_LIMIT];
};
_Static_assert(offsetof(struct st_orders, run_go) == ORD_RUN_GO, "stub_code.S");
_Static_assert(offsetof(struct st_orders, save) == ORD_SAVE, "stub_code.S");
_Static_assert(offsetof(struct st_orders, rax) == ORD_RAX, "stub_code.S");
_Static_assert(offsetof(struct st_orders, regs) == ORD_REGS, "stub_code.S");
_Static_assert(offsetof(struct st_orders, frame) == ORD_FRAME, "stub_code.S");
_Static_assert(offsetof(struct st_orders, features) == ORD_FEATURES, "stub_code.S");
_Static_assert(offsetof(struct st_orders, mask) == ORD_MASK, "layout.h");
_Static_assert(offsetof(struct st_orders, park) == ORD_PARK, "stub_code.S");
_Static_assert(offsetof(struct st_orders, answers) == ORD_ANSWERS, "stub_code.S");
_Static_assert(offsetof(struct st_orders, alone) == ORD_ALONE, "stub_code.S");
_Static_assert(offsetof(struct st_orders, answer) == ORD_ANSWERS + 8, "stub_code.S");
_Static_assert(offsetof(struct st_orders, reset) == ORD_RESET, "stub_code.S");
_Static_assert(offsetof(struct st_orders, list) == ORD_LIST, "stub_code.S");

struct st_area {
	volatile uint32_t state, sleeps, tid, done;
	uint32_t pad0[12];
	volatile uint32_t seen, kind, signal, live, saved;
	uint32_t pad1;
	volatile uint64_t frame, fs_base, gs_base, flags, rsp;
	volatile uint64_t regs[16];
	volatile uint32_t pids[STUB_SLOTS];
	volatile uint64_t resume;
	uint8_t rest[ST_AREA_SIZE - AREA_RESUME - 8];
};
_Static_assert(offsetof(struct st_area, seen) == AREA_SEEN, "stub_code.S");
_Static_assert(offsetof(struct st_area, frame) == AREA_FRAME, "stub_code.S");
_Static_assert(offsetof(struct st_area, regs) == AREA_REGS, "stub_code.S");
_Static_assert(offsetof(struct st_area, resume) == AREA_RESUME, "stub_code.S");
_Static_assert(sizeof(struct st_area) == ST_AREA_SIZE, "layout.h");

#define SLOT_SIZE (ST_ORDERS_SIZE + ST_AREA_SIZE)

/* LIVE until strap_end() (DYING) or its death (DEAD); FREE after both, once the main thread is done with it. */
enum stub_state { STUB_FREE, STUB_MAKING, STUB_LIVE, STUB_DYING, STUB_DEAD };

struct stub {
	struct stub *next; /* bucket, or spares */
	uint64_t space;
	pid_t pid, tid;
	struct st_orders *orders;
	struct st_area *area;
	uint64_t place;       /* in the exchange file */
	unsigned cpu;
	unsigned order_count; /* noted, not executed */
	bool taken;           /* one of these takes something away */
	int failed;           /* -errno: it may show what it must not, and does not run any more */
	uint32_t frame, fpu;  /* offsets in area of the frame to begin from and of its FPU state: checked */
	bool live;            /* its FPU state is in the CPU, if it told the truth; frame and fpu are the default ones */
	struct regs call;     /* live: the registers that it handed over */
	uint64_t answers;     /* serial of those in its orders; 0: none */
	uint64_t fs_base, gs_base; /* that its running thread has */
	bool bases_known;
	uint64_t retired; /* the space that it served and still shows something of, as a spare or on its way there; 0: none */
	bool apart;  /* its running thread is on another core than the sentry's: both look before they sleep */
	bool park_shown; /* the first of its numbers came */
	bool killed; /* by us */
	int status; /* as wait4() gave it, once it is dead */
	unsigned late; /* stretches in a row that outlasted our looking */
	unsigned shown_count;
	struct {
		uint64_t start, end;
	} shown[SHOWN_RANGES]; /* all that was mapped and not taken away lies in these: maybe more does */
	/* Any thread. */
	volatile uint32_t state;  /* enum stub_state */
	volatile uint32_t dead;   /* reaped, or about to be */
	volatile uint32_t waiter; /* CPU + 1 that waits for its orders */
};

struct st_cpu {
	struct host_cpu *host;
	struct vmm *vmm;
	unsigned cpu;
	pthread_mutex_t lock;
	uint8_t *exchange; /* its part of the exchange file: a slot each */
	struct stub slot[STUB_SLOTS];
	struct stub *bucket[STUB_BUCKETS];
	struct stub *last; /* own thread: the stub used last */
	struct stub *spare; /* being made, or ready, the oldest first */
	unsigned spares, spares_wanted;
	bool used; /* a stub was taken: from the second one on some are made ahead */
	struct stub *parked; /* asked for their rest, the first asked first; see park.c */
	unsigned parked_count;
	uint64_t park_number;
	struct stub *making; /* the master's last order */
	struct stub *chain;   /* its orders are being executed, and user code follows: not collected yet */
	struct stub *on;      /* own thread: the stub that ran last */
	unsigned quick;       /* stretches of user code in a row that were short */
	unsigned apart_after; /* so many, and a stub is put apart; doubled when that was no gain */
	uint64_t together;    /* what a short stretch costs with both on one core: running mean, TSC ticks */
	uint64_t apart_ticks; /* what `apart_count` stretches apart have cost */
	unsigned apart_count;
	bool apart_gain;      /* the stub that is apart was quicker so */
	struct stub *volatile running; /* its user code runs now. Any thread */
};

extern struct st_cpu st_cpus[ABI_MAX_CPUS];
/* Eventfds: a stub's orders are done; those that user code follows (never blocks). */
extern int st_reply_fd[ABI_MAX_CPUS], st_chain_fd[ABI_MAX_CPUS];
extern bool st_fsgsbase;
extern pid_t st_own_pid;

/* The FPU state in a signal frame, as the host kernel makes it. */
struct st_fpu_format {
	uint32_t size;      /* bytes, without the closing word */
	uint64_t features;
	uint32_t mxcsr_mask;
	uint8_t software[48]; /* bytes 464..511 of the area */
};
extern struct st_fpu_format st_fpu;

/* filter.c. Write the two programs that a stub's threads put on, for ST_PROGRAMS, into `page`. */
void strap_filter_programs(uint8_t *page);
/* The master's, in the calling process: 0 or -errno. */
int strap_filter_master(void);

/* stub.c */
int strap_exchange_create(unsigned cpus); /* 0 or -errno; before any master */
pid_t strap_make_master(struct st_cpu *c);
/* Have stubs made ahead, as many as are wanted, and wait for none. c->lock is held. */
void strap_make_ahead(struct st_cpu *c);
/* The same, out of the spares: that which was retired of a space. NULL: there is none. c->lock is held; own thread. */
struct stub *strap_take_retired(struct st_cpu *c, uint64_t old);
/* A stub for no space yet, which shows nothing; NULL and *error. c->lock is held. */
struct stub *strap_take(struct st_cpu *c, int *error);
/* Ends; its slot is free once it was reaped. c->lock is held. */
void strap_end(struct stub *s);
/* Execute what was noted: 0 or -errno, then s->failed is set. c->lock is held; by any CPU's thread. */
int strap_flush(struct stub *s);
/*
 * Begin with what was noted; the mapping thread then wakes the running thread, so nobody waits in between. The
 * page of orders is not ours again before strap_collect(). c->lock is held; own CPU's stub.
 */
void strap_chain(struct st_cpu *c, struct stub *s);
/* The batch that strap_chain() began is done, if there is one: 0 or -errno, as strap_flush(). c->lock is held. */
int strap_collect(struct st_cpu *c);
/* The same without waiting. Takes c->lock. */
int strap_chain_check(struct st_cpu *c, struct stub *s);
/* Let the stub's mapping thread put the running thread on `core`: 0 or -errno, as strap_flush(). Takes c->lock. */
int strap_move(struct st_cpu *c, struct stub *s, int core);
/* It does nothing any more on return, and is left for strap_end(). c->lock is held. */
void strap_kill(struct stub *s);
/* park.c: all with c->lock held, by the CPU's own thread. */
int strap_park_create(unsigned cpu); /* 0 or -errno; before its master */
int strap_park_end(unsigned cpu);    /* ST_FD_PARK of its stubs */
/* A stub that shows nothing and was forgotten: it becomes a spare, or ends. */
void strap_park(struct st_cpu *c, struct stub *s);
/* Those that answered become spares. */
void strap_park_collect(struct st_cpu *c);
/* The same; waits a little for the next. False: none came. */
bool strap_park_wait(struct st_cpu *c);
/* All answer now, or end. */
void strap_park_finish(struct st_cpu *c);
/* The main thread: SIGCHLD came. Async-signal-safe. */
void strap_reap(int signal);

/* frame.c */
int strap_frame_learn(void); /* fills st_fpu: 0 or -errno */
bool strap_frame_fits(uint64_t fpu_size); /* an area has room for frames with so many bytes of FPU state */
void strap_frame_init(struct stub *s);
void strap_frame_reset(struct stub *s); /* writes the frame that a running thread comes to rest by */
/* What the stub's next stretch begins from: 0, or -ETIME as strap_fpu_settle(). */
int strap_context_write(struct stub *s, const struct hosted_context *context);
/* What the stub handed over: 0, or -EPROTO: it is not what a handler leaves. */
int strap_frame_decode(struct stub *s, struct hosted_context *context);
void strap_frame_fpu_get(const struct stub *s, void *xsave);
int strap_frame_fpu_set(struct stub *s, const void *xsave);

/* space.c, run.c: see struct abi_hosted. */
struct stub *strap_stub(struct st_cpu *c, uint64_t space); /* NULL: none. Own thread, or with c->lock */
struct stub *strap_make_stub(struct st_cpu *c, uint64_t space, int *error);
int strap_map(unsigned cpu, uint64_t space, uint64_t address, uint64_t length, uint64_t offset, unsigned prot);
int strap_unmap(unsigned cpu, uint64_t space, uint64_t address, uint64_t length);
int strap_settle(unsigned cpu, uint64_t space);
int strap_drop(unsigned cpu, uint64_t space);
int strap_retire(unsigned cpu, uint64_t space);
int strap_adopt(unsigned cpu, uint64_t space, uint64_t old);
void strap_empty_retired(unsigned cpu, uint64_t old);
/* Nothing is shown any more, or the stub ends. c->lock is held. */
void strap_empty(struct stub *s);
void strap_forget(struct st_cpu *c, struct stub *s);
/* The FPU state of a stub is at s->fpu on return: 0, or -ETIME: it did not save it, and was killed. */
int strap_fpu_settle(struct stub *s);
int strap_fpu_get(unsigned cpu, uint64_t space, void *xsave);
int strap_fpu_set(unsigned cpu, uint64_t space, const void *xsave);
void strap_idle(unsigned cpu, uint64_t deadline);
int strap_run(unsigned cpu, uint64_t space, struct hosted_context *context);
void strap_interrupt(struct host_cpu *h);

/* answers.c: what a stub answers without handing over. */
extern volatile uint32_t st_answers_epoch;
void strap_answers_give(struct stub *s, const struct hosted_answers *answers); /* before it is st_cpu.running */
/* After that: they go if they have changed meanwhile. */
void strap_answers_check(struct stub *s, const struct hosted_context *context);
void strap_answers_drop(void);
void strap_cpu_queued(unsigned cpu); /* see struct abi_hosted */

/* cores.c: where a stub's running thread stands. Own thread. */
int cores_before(struct st_cpu *c, struct stub *s); /* user code is about to run; -errno: not in this stub */
bool cores_look(struct stub *s);                     /* true: it handed over while we looked */
void cores_after(struct st_cpu *c, struct stub *s, bool looked, uint64_t ticks); /* how long the stretch was */

/* stub_code.S */
extern const char st_code_begin[], st_code_master[], st_code_handler[], st_code_end[];
/* A call by jump, from its first instruction until it is handed over. See strap_frame_decode(). */
extern const char st_code_call[], st_code_call_stack[], st_code_call_flags[], st_code_call_saved[], st_code_call_end[];
extern const char st_code_call_answered[], st_code_call_answered_end[];

static inline long st_futex(volatile uint32_t *word, int op, uint32_t value, const struct timespec *timeout)
{
	long ret;
	register const struct timespec *r10 __asm__("r10") = timeout;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(202), "D"(word), "S"(op), "d"(value), "r"(r10)
			 : "rcx", "r11", "memory");
	return ret;
}

#endif
