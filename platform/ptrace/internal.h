/*
 * platform/ptrace, internal: the host side of the hosted machine.
 *
 * One struct pt_cpu per sentry CPU. Everything in it is used by that CPU's host thread
 * alone, but for the fields under "any thread". A *stub* is a traced process that holds
 * a mirror of one address space; ptrace(2) binds it to the thread that made it, so stubs
 * are never handed over. Order of use: stub_make_master() before the jail, then
 * mirror_get(), order_add(), stub_run_orders(), run.c.
 */
#ifndef PLATFORM_PTRACE_INTERNAL_H
#define PLATFORM_PTRACE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "platform/hosted.h"

/* The stub's own pages: orders (read-only there, written by us) and code. */
#define STUB_ORDERS USER_TOP
#define STUB_ORDERS_SIZE 0x2000ull
#define STUB_CODE (USER_TOP + STUB_ORDERS_SIZE)
#define STUB_CODE_SIZE 0x1000ull
#define STUB_END (STUB_CODE + STUB_CODE_SIZE)
#define HOST_TASK_SIZE 0x7ffffffff000ull
#define STUB_MEMFD 0 /* the user memfd's number inside every stub */

#define STUB_KICK_SIGNAL SIGUSR1
#define MIRROR_BUCKETS 128u
#define MIRROR_LIMIT 512u /* stubs of one CPU; the sentry drops the least recently used long before */
#define SPARE_LIMIT 8u    /* emptied stubs kept for the next space */

/* A system call for the stub to make: stub_code.S loads it into registers. */
struct stub_order {
	uint64_t nr;
	uint64_t arg[6];
	uint64_t pad;
};
_Static_assert(sizeof(struct stub_order) == 64, "stub_code.S depends on it");
#define ORDER_LIMIT (STUB_ORDERS_SIZE / sizeof(struct stub_order))

struct mirror {
	struct mirror *next; /* bucket */
	uint64_t space;
	pid_t pid;
	bool regs_known;              /* `regs` are the stub's registers */
	int failed;                   /* -errno: an order was not executed, so the stub may show what it must not */
	struct user_regs_struct regs;
};

struct pt_cpu {
	struct vmm *vmm;
	unsigned cpu;
	struct host_cpu *host;
	pid_t master;

	struct mirror *pool, *unused; /* MIRROR_LIMIT of them: nothing is allocated in the jail */
	struct mirror *bucket[MIRROR_BUCKETS];
	struct mirror *last; /* the mirror used last: nearly always the next one too */
	pid_t spare[SPARE_LIMIT];
	unsigned spare_count;

	struct stub_order *orders; /* our mapping of STUB_ORDERS */
	unsigned order_count;      /* orders not executed yet, for order_mirror */
	struct mirror *order_mirror;

	/* Any thread. */
	volatile pid_t running; /* stub that runs user code now; 0: none */
};

extern struct pt_cpu pt_cpus[ABI_MAX_CPUS];

/* stub.c. pid, or -errno. The calling thread is the tracer for good. */
pid_t stub_make_master(struct pt_cpu *c);
pid_t stub_clone(struct pt_cpu *c);
void stub_kill(pid_t pid);
/* Run the system calls in c->orders[0..count) in the stub: 0, or -errno (-ESRCH: the stub died). */
int stub_run_orders(struct pt_cpu *c, pid_t pid, unsigned count);
/* Bytes of the stub's XSAVE register set. */
size_t stub_xsave_size(pid_t pid);

/* filter.c. Installs the stub's system call list in the calling process: 0 or -errno. */
int filter_apply(void);

/* mirror.c. */
int mirror_init(struct pt_cpu *c);
/* This CPU's mirror of `space`, made if there is none; NULL and *error otherwise. */
struct mirror *mirror_get(struct pt_cpu *c, uint64_t space, int *error);
void mirror_forget(struct pt_cpu *c, struct mirror *m); /* its stub is gone */
int mirror_map(unsigned cpu, uint64_t space, uint64_t address, uint64_t length, uint64_t offset, unsigned prot);
int mirror_unmap(unsigned cpu, uint64_t space, uint64_t address, uint64_t length);
int mirror_drop(unsigned cpu, uint64_t space);
int mirror_flush_orders(struct pt_cpu *c);
int mirror_fpu_get(unsigned cpu, uint64_t space, void *xsave);
int mirror_fpu_set(unsigned cpu, uint64_t space, const void *xsave);

/* run.c: see struct abi_hosted. */
int run_user(unsigned cpu, uint64_t space, struct hosted_context *context);
/* Somebody on the host killed a stub: says so, and ends the sandbox. */
void run_lost(struct pt_cpu *c, pid_t pid) __attribute__((noreturn));

/* stub_code.S */
extern const char stub_code_begin[], stub_code_orders[], stub_code_end[];

#endif
