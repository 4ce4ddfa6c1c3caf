/*
 * What the platforms without KVM share: the threads that are the sentry's CPUs, their
 * waking, and the way in and out of the sentry's code in this process.
 *
 * A platform fills a struct hosted_kind and its platform_ops call hosted_start() and the
 * functions below; prepare() is called once on each CPU's thread, before the jail. The
 * calling thread's own struct is host_self. Everything in struct host_cpu belongs to the
 * CPU's thread, but for the fields under "any thread".
 */
#ifndef PLATFORM_HOSTED_H
#define PLATFORM_HOSTED_H

#include <signal.h>
#include <time.h>

#include "platform/abi/hosted.h"
#include "platform/vmm.h"

struct host_cpu {
	struct vmm *vmm;
	unsigned cpu;
	int core; /* that it is pinned to; -1: none */
	pthread_t thread;
	pid_t tid;
	int error; /* of the thread's preparation: 0 or -errno */
	timer_t timer;
	int wake_fd; /* eventfd, blocking */
	uint64_t timer_armed;

	/* Any thread. */
	volatile uint32_t pending;     /* a kick or the timer: leave run() or idle() */
	volatile uint32_t sleeping;    /* 1: in idle(); 2: a waker wrote, or is about to write, wake_fd */
	volatile uint32_t prepared;    /* thread set up (futex) */
	volatile uint32_t started;     /* cpu_start() was called (futex) */
	volatile uint64_t timer_wanted;
};

struct hosted_kind {
	const char *name;
	enum jail_role role;
	const struct abi_hosted *table;
	int (*prepare)(struct host_cpu *h); /* 0 or -errno; CPU 0's fills boot->xsave_size and xcr0 */
	void (*interrupt)(struct host_cpu *h); /* make user code that runs there leave. Any thread, and a signal handler */
	void (*child)(int signal);              /* SIGCHLD's handler; NULL: the platform waits by itself */
};

extern struct host_cpu host_cpus[ABI_MAX_CPUS];
extern __thread struct host_cpu *host_self;
#define HOSTED_WAKE_SIGNAL (SIGRTMIN + 1)

/* hosted.c. How many mappings a stub may have: vm.max_map_count, less what it has of its own. Reads /proc: before the walls. */
uint32_t hosted_stub_mappings(void);
/* Make the CPUs' threads, which prepare themselves one after the other: 0 or -errno. hosted_run() waits for them. */
int hosted_start(struct vmm *vmm, const struct hosted_kind *kind);
/* Members of platform_ops. hosted_run() returns after hosted_stop(). */
int hosted_run(struct vmm *vmm);
void hosted_completion(struct vmm *vmm);
void hosted_cpu_start(struct vmm *vmm, unsigned cpu);
void hosted_stop(struct vmm *vmm);
/* Members of abi_hosted. */
int64_t hosted_call(struct abi_call *call);
void hosted_ring_notify(void);
/* Features that the host enabled in XCR0. */
uint64_t hosted_xcr0(void);

/* hosted_stub.c. What may be mapped into a stub: 0 or -EINVAL. Bytes; offset in the user memory file. */
int hosted_check_range(uint64_t address, uint64_t length);
int hosted_check_mapping(const struct vmm *vmm, uint64_t address, uint64_t length, uint64_t offset);
uint64_t hosted_host_prot(unsigned prot); /* HOSTED_* as PROT_* */
/* The trap for a signal that the CPU raised (si_code above 0). access: PF_WRITE and PF_FETCH of a page fault, if known. */
void hosted_decode_exception(struct regs *r, int signal, const siginfo_t *info, uint64_t access);
/* User code came by int 0x80 or SYSENTER, gates that this machine does not have. */
void hosted_refuse_gate(struct regs *r);
/*
 * The filter stopped a call of the vsyscall page at `at`, from which the host has already returned: undone. What is left is
 * the page fault of a machine where nothing is mapped there.
 */
void hosted_decode_vsyscall(struct regs *r, uint64_t at);
/* User code is in another code segment than the machine has: it loaded one of the host's, for 32-bit code. */
void hosted_refuse_segment(struct regs *r);
/* In a child that becomes a master. glibc registered an rseq area; the host kernel would write to it once it is gone. */
void hosted_child_rseq(void);
/*
 * The sandbox's ids, no capabilities, no core file, death with the parent. A taken-over sentry can make a master fork
 * without end; the uid is this sandbox's own, so at most `stub_tasks` (processes and threads) beside the VMM's own
 * threads. 0 or -1.
 */
long hosted_child_privileges(const struct vmm *vmm, uint64_t stub_tasks);

/* wake.c. */
extern const struct hosted_kind *hosted_kind;
int wake_init(struct host_cpu *h);
void wake_idle(unsigned cpu, uint64_t deadline);
void wake_pause(uint64_t ns);
void wake_kick(unsigned cpu);
void wake_timer(unsigned cpu, uint64_t deadline);
void wake_arm_timer(struct host_cpu *h); /* before user code runs */
void wake_wait(volatile uint32_t *word); /* until it is not 0 */
void wake_set(volatile uint32_t *word);
/* The sandbox has ended: this thread does nothing any more. */
void wake_park(void) __attribute__((noreturn));

#endif
