/*
 * ptrace(2): one task (the tracer) controls others (its tracees).
 *
 * A tracee stops by itself, in ptrace_stop() and its relatives below, which the signal, system call, fork, exec and exit
 * code calls; there it sleeps as TASK_STOPPED with ptrace.stopped set until its tracer resumes it, detaches or ends, or
 * until it is killed. Only then does the tracer touch its registers and memory. What a stop says goes to the tracer
 * by wait4(2) (ptrace_wait()).
 *
 * Invariants:
 *  1. tracer != NULL: the task is on tracer->tracees exactly once; the tracer is alive (it detaches all when it ends).
 *  2. stopped: the task is traced, state TASK_STOPPED or about to be, and nobody but its tracer resumes it.
 *  3. A traced thread that ended stays a ZOMBIE in its process' list until its tracer has waited for it or has gone.
 *
 * All under the kernel lock.
 */
#ifndef KERNEL_PTRACE_H
#define KERNEL_PTRACE_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/signal.h"

struct debug_registers;
struct task;
struct wait_result;

enum ptrace_mode { PTRACE_MODE_CONT, PTRACE_MODE_SYSCALL, PTRACE_MODE_STEP, PTRACE_MODE_EMULATE, PTRACE_MODE_EMULATE_STEP };

struct ptrace {
	struct task *tracer; /* NULL: not traced */
	LIST_ENTRY(task) link;
	uint32_t options;    /* PTRACE_O_* */
	uint32_t status;     /* of the stop: signal, event << 8 */
	uint64_t message;    /* PTRACE_GETEVENTMSG */
	struct ksiginfo info; /* signo 0: the stop has none (a group stop) */
	uint32_t resume_signal;
	struct debug_registers *debug; /* NULL: none was ever set */
	uint32_t stop_seen;  /* process->stop_generation of the group stop that it has told of */
	uint8_t mode;        /* enum ptrace_mode: how it goes on */
	uint8_t syscall_op;  /* PTRACE_SYSCALL_INFO_* of the stop */
	bool seized;
	bool stopped;
	bool unreported;     /* a stop, or the end of a process, that its tracer has not waited for */
	bool listening;      /* PTRACE_LISTEN: stopped, but SIGCONT is told */
	bool trap_wanted;    /* PTRACE_INTERRUPT, the start of a seized child, SIGCONT */
	bool stepping;       /* the trap flag is the tracer's, not the program's */
};
LIST_HEAD(ptrace_list, task);

/* ---- what the tracer asks: 0 or -errno as ptrace(2) ---- */

/*
 * May current look into task's memory and registers? 0, -EPERM. Needs CAP_SYS_PTRACE for others' or undumpable ones.
 * System calls go by the real ids, files (/proc) by the file system's: ptrace(2), "Ptrace access mode checking".
 */
enum ptrace_ids { PTRACE_BY_REAL_IDS, PTRACE_BY_FS_IDS };
int ptrace_may_access(const struct task *task, enum ptrace_ids by);
int ptrace_trace_me(void);
int ptrace_attach(struct task *task, bool seize, uint64_t options);
/* For the following task is a tracee of current's; all but interrupt() and kill() want it stopped (ptrace_find()). */
int ptrace_detach(struct task *task, uint64_t signo);
int ptrace_resume(struct task *task, enum ptrace_mode mode, uint64_t signo); /* -EIO: no such signal */
int ptrace_interrupt(struct task *task);
int ptrace_listen(struct task *task);
int ptrace_set_options(struct task *task, uint64_t options);
/* The tracee of current with this number, stopped if asked for; else NULL: -ESRCH. No reference. */
struct task *ptrace_find(int tid, bool stopped);

/* The registers of a stopped tracee as Linux lays them out (ptrace_regs.c). offset and n in bytes; -EIO: bad value. */
#define PTRACE_USER_REGS_SIZE 216
#define PTRACE_FXSAVE_SIZE 512
void ptrace_get_regs(const struct task *task, uint64_t regs[PTRACE_USER_REGS_SIZE / 8]);
int ptrace_set_regs(struct task *task, const uint64_t *regs, size_t first, size_t count); /* 8-byte registers from `first` */
void ptrace_get_fpregs(const struct task *task, uint8_t area[PTRACE_FXSAVE_SIZE]);
int ptrace_set_fpregs(struct task *task, const uint8_t area[PTRACE_FXSAVE_SIZE]);
size_t ptrace_xstate_size(void);
void ptrace_get_xstate(const struct task *task, uint8_t *area); /* ptrace_xstate_size() bytes */
int ptrace_set_xstate(struct task *task, const uint8_t *area);

/* Debug registers 0 to 7 of a tracee (ptrace_debug.c). set: 0, -EINVAL, -EIO, -ENOSPC (watching for reads), -ENOMEM. */
uint64_t ptrace_get_debug(const struct task *task, unsigned index);
int ptrace_set_debug(struct task *task, unsigned index, uint64_t value);
void ptrace_drop_debug(struct task *task);
/*
 * The current task. arm: it goes on after a stop: what it watches is looked at, and it runs in steps if any register is enabled.
 * arrive: it goes on where no step has led: the same, and a breakpoint there is met before its instruction is done.
 * trap: it has made a step; true if that is all there is to it, or one was met and SIGTRAP is sent. May sleep.
 */
void ptrace_debug_arm(struct task *task);
void ptrace_debug_arrive(struct task *task);
bool ptrace_debug_trap(struct task *task);

/* ---- where a tracee stops; current is the tracee. May sleep ---- */

/* A signal is about to be acted on: 0 if the tracer has swallowed it, else its number; *info may have been changed. */
int ptrace_signal(struct task *task, struct ksiginfo *info);
/* On the way to user mode: a trap or a group stop that it must tell. False: nothing. */
bool ptrace_pending_stop(struct task *task);
bool ptrace_wants_stop(const struct task *task); /* would it stop there? Any task; does not sleep */
/* PTRACE_EVENT_*: stops if the tracer wants to know. message: a task's number in the sandbox where it is about one. */
void ptrace_event(struct task *task, unsigned event, uint64_t message);
bool ptrace_event_wanted(const struct task *task, unsigned event);
/* Around a system call. enter: false if it is not to be done (rax is then its result). */
bool ptrace_syscall_enter(struct task *task, struct regs *regs);
void ptrace_syscall_exit(struct task *task, struct regs *regs);
/* A program was executed: tell of it. old_tid: the number the thread had before. */
void ptrace_exec(struct task *task, int old_tid);
void ptrace_new_mm(struct task *task); /* its mm was set, or it came to be traced: who traces sees the program's own code */
/* A handler is about to be set up: a trap flag of the tracer's is not among what sigreturn(2) gives back. */
void ptrace_before_handler(struct task *task);
/* A handler was set up for a task that is being stepped: stop at its first instruction. */
void ptrace_handler_entered(struct task *task);

/* ---- from fork, exit, wait and signals; none sleeps ---- */

/* The event that a clone(2) of current with these flags and exit signal is, 0: none; child starts traced if so. */
unsigned ptrace_clone_event(uint64_t flags, int exit_signal);
void ptrace_follow(struct task *child);
/* SIGCONT has ended the group stop of the task's process. */
void ptrace_continued(struct task *task);
/* May a set-id or privileged program keep its rights when task executes it? */
bool ptrace_allows_privileges(const struct task *task);
void ptrace_tracer_exit(struct task *tracer); /* lets all its tracees go */
void ptrace_tell_exit(struct task *task);     /* the tracee has ended: SIGCHLD, wake */
void ptrace_unlink(struct task *task);        /* no longer traced; does not resume */
/* A tracee of current's threads that has something to report, consumed unless WNOWAIT. *any: there are such tracees. */
bool ptrace_wait(int which, int id, int options, struct wait_result *result, bool *any);

#endif
