/*
 * Signals (signal(7)): sets, actions, queues, delivery on the way to user mode.
 *
 * A signal is queued on a task or on its thread group; signal_deliver() runs in
 * trap_dispatch's exit path and either changes regs to enter a handler, or performs the
 * default action. A pending unblocked signal wakes interruptible sleepers.
 */
#ifndef KERNEL_SIGNAL_H
#define KERNEL_SIGNAL_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/wait.h"
#include "platform/abi/regs.h"
#include "ring0/machine.h"

/* Signal numbers and SA_*, SI_* constants: <asm/signal.h> and <asm/siginfo.h> in the .c files. */
#define KSIG_MAX 64
typedef uint64_t sigset64; /* bit N-1: signal N */
#define SIGBIT(n) (1ull << ((n)-1))

struct task;
struct process;

/* The kernel's view of siginfo: what siginfo_t's fields carry, flat. */
struct ksiginfo {
	int32_t signo, code, err;
	int32_t pid;
	uint32_t uid;
	int32_t status;
	uint64_t addr; /* SIGSEGV and others; si_call_addr for SIGSYS */
	uint64_t value; /* sigqueue, timers */
	int64_t utime, stime; /* SIGCHLD, clock ticks */
	int32_t timer_id, overrun, band, fd, syscall;
	uint32_t arch;
	int16_t addr_lsb;
	bool forced;
};

struct sigqueue {
	TAILQ_ENTRY(sigqueue) link;
	struct ksiginfo info;
	void *owner; /* a POSIX timer's preallocated entry, or NULL */
};

struct sigpending {
	sigset64 set;
	TAILQ_HEAD(, sigqueue) queue;
};

struct ksigaction { /* the layout of the kernel's struct sigaction on x86-64 */
	uint64_t handler; /* SIG_DFL 0, SIG_IGN 1 */
	uint64_t flags;
	uint64_t restorer;
	sigset64 mask;
};

struct sighand { /* shared by CLONE_SIGHAND */
	uint32_t refs;
	struct ksigaction action[KSIG_MAX];
	struct waitq signalfd_waiters;
};

/* Send. 0 or -errno; permission was checked by the caller (signal_may_send). Do not sleep. */
int signal_send_task(struct task *task, const struct ksiginfo *info);
int signal_send_process(struct process *process, const struct ksiginfo *info);
int signal_send_group(int pgid, const struct ksiginfo *info); /* each process of it; -ESRCH if none */
void signal_send_kernel(struct task *task, int signo); /* SI_KERNEL, to its process */
/* A fault: delivered even if blocked or ignored (then the default action). */
void signal_force(struct task *task, const struct ksiginfo *info);
int signal_may_send(const struct task *from, const struct task *to, int signo);
void signal_make_kill_info(struct ksiginfo *info, int signo, int code); /* SI_USER/SI_TKILL from current */

bool signal_pending(const struct task *task); /* unblocked, or killed */
bool signal_fatal_pending(const struct task *task);
/* Exit path of a trap, kernel lock held: restart logic, handlers, default actions. May sleep or not return. */
void signal_deliver(struct regs *regs);
void signal_set_blocked(struct task *task, sigset64 set); /* never SIGKILL, SIGSTOP */
/* Take one pending signal of `set` (sigtimedwait, signalfd). Signal number or 0. */
int signal_dequeue(struct task *task, sigset64 set, struct ksiginfo *info);
sigset64 signal_pending_set(const struct task *task);
/* The queued signal at place `index` of task's own queue, or of its process' (shared). False: there are not so many. */
bool signal_peek(const struct task *task, bool shared, uint64_t index, struct ksiginfo *info);
void ksiginfo_to_user(const struct ksiginfo *info, uint8_t siginfo[128]); /* the 128-byte siginfo_t */
void ksiginfo_from_user(struct ksiginfo *info, const uint8_t siginfo[128]); /* rt_sigqueueinfo: nothing is checked */

/* Exceptions of user code, from the dispatcher: the signal that Linux sends. */
void signal_from_trap(struct regs *regs);

/*
 * A mask for one sleeping call (ppoll, pselect, epoll_pwait, sigsuspend): set it, do the call, then restore.
 * restore: interrupted says that the call ends with -EINTR or -ERESTART*: then the old mask comes back only after
 * the handler has run.
 */
void signal_mask_set_temporary(sigset64 set);
int signal_mask_set_temporary_user(uaddr_t set, uint64_t size); /* NULL set: nothing. 0, -EINVAL, -EFAULT */
void signal_mask_restore(bool interrupted);

struct sighand *sighand_create(void); /* one reference, all default; NULL: no memory */
struct sighand *sighand_copy(const struct sighand *from);
void sighand_put(struct sighand *sighand);
void signal_exec_reset(struct task *task); /* execve: handlers to default, own table, no altstack */
void sigpending_init(struct sigpending *pending);
bool signal_kill_process(struct process *process, int wait_status); /* begin its group exit; false: already ending */
void signal_wake_task(struct task *task); /* look at signals soon: sets WORK_SIGNAL, ends an interruptible sleep */

/* Restart codes as in Linux; never seen by user code. */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516
/* A signal broke the call off: signal_deliver() settles how it goes on. */
static inline bool signal_is_restart(int64_t rc)
{
	return rc <= -ERESTARTSYS && rc >= -ERESTART_RESTARTBLOCK;
}

#endif
