/*
 * Between task.c, fork.c, exit.c, wait4.c, the signal files and the timers: not for the
 * rest of the sentry, which uses kernel/task.h and kernel/signal.h. All under the kernel
 * lock; nothing here sleeps unless said.
 */
#ifndef KERNEL_PROCESS_H
#define KERNEL_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/signal.h"
#include "kernel/task.h"

#define PID_MAX TASK_ID_MAX

void process_set_pid_ns(struct process *process, struct pid_ns *ns); /* before it has a number */

/* Wait statuses, as wait(2) encodes them. */
#define WAIT_EXITED(code) (((code) & 0xff) << 8)
#define WAIT_SIGNALED(signo) ((signo) & 0x7f)
#define WAIT_STOPPED(signo) (((signo) << 8) | 0x7f)
#define WAIT_CONTINUED 0xffff
/* Of an end: si_code (CLD_EXITED, CLD_KILLED, CLD_DUMPED) and si_status as SIGCHLD carries them. wait4.c */
int wait_end_code(int status);
int wait_end_value(int status);

/* stack.c: the task's kernel stack; false: no memory. Who frees it does not run on it. */
bool task_stack_alloc(struct task *task);
void task_stack_free(struct task *task);

/* exit.c */
void process_release(struct process *process); /* a zombie was waited for (or nobody will): forget it */
/* Tell the parent: why is CLD_EXITED (the code is refined from the status), CLD_STOPPED or CLD_CONTINUED. */
void process_notify_parent(struct process *process, int why);
bool process_has_ended(const struct process *process); /* a zombie of which no traced thread is left */
/* A zombie whose end its parent may be told of: no traced thread of it is left, and no other tracer waits for it first. */
bool process_is_waitable(const struct process *process);
/* A traced task that has ended and that its tracer is done with: a thread goes, a process is told to its parent. */
void process_tracee_ended(struct task *task);
bool pgrp_is_orphaned(int pgid, const struct process *ignored);
extern unsigned stopped_processes; /* how many have stopped set */

/* signal_queue.c */
void sigpending_flush(struct process *process, struct sigpending *pending);
void signal_drop_pending(struct process *process, sigset64 set); /* from the group and every thread */
bool signal_cancel_sigqueue(struct sigqueue *entry, struct process *process); /* take a timer's entry off; was it on? */
void signal_retarget(struct task *leaving, sigset64 which); /* shared signals that `leaving` will not take */
bool signal_is_ignored(const struct task *task, int signo, bool forced);
struct sigqueue *sigqueue_alloc(void *owner); /* for a timer; NULL: no memory */
/* A timer's own entry, for `task` alone or, if that is NULL, for any thread, `asked` first: 0 queued, 1 already pending, 2 ignored. */
int signal_send_sigqueue(struct sigqueue *entry, struct process *process, struct task *task, struct task *asked);
/*
 * Who uses the process's CPU time: a thread that is on a CPU, now this one and now that one, else one that waits for a CPU,
 * else NULL. It is asked first to take what a timer of that time brings, so that a profiler sees the code that ran (setitimer(2)).
 */
struct task *signal_who_runs(const struct process *process);
int signal_send_asked(struct process *process, struct task *asked, const struct ksiginfo *info); /* as signal_send_process() */
void sigqueue_free(struct process *process, struct sigqueue *entry); /* taken off its queue first */

/* signal_deliver.c */
void signal_stop_begin(struct process *process, int signo);
void signal_continue(struct process *process);
void signal_stop_check(struct process *process); /* a thread stopped or left: is the whole group stopped now? */

/* signal_frame.c */
int signal_setup_frame(struct regs *regs, const struct ksigaction *action, const struct ksiginfo *info, sigset64 mask);
int signal_restore_frame(struct regs *regs); /* sigreturn; 0 or -EFAULT */
void fpu_state_init(void *area); /* the state of a new program */
uint64_t signal_user_flags(uint64_t flags); /* RFLAGS as a program may have them */
/* An XSAVE area that others wrote: whatever it holds, it can be loaded. mxcsr_mask: of an area that the CPU wrote. */
void fpu_state_sanitize(void *area, uint32_t mxcsr_mask);
uint32_t fpu_state_mxcsr_mask(const void *area);
bool signal_on_altstack(const struct task *task, uint64_t sp);

/* ktime.c */
uint64_t task_cpu_ns(const struct task *task);
uint64_t task_system_ns(const struct task *task); /* of these, in the kernel, as far as that is known by now */
/* As programs are told: neither goes back, and they add up to the CPU time. */
void task_cpu_times(struct task *task, uint64_t *utime, uint64_t *stime);
void process_cpu_times(struct process *process, uint64_t *utime, uint64_t *stime);

/* itimer.c, posix_timer.c */
void itimers_init(struct process *process);
void itimers_cancel(struct process *process);
void rlimit_cpu_changed(struct process *process); /* RLIMIT_CPU was set, or the process is new */
void posix_timers_delete_all(struct process *process);
void posix_timer_dequeued(void *owner, struct ksiginfo *info); /* its signal is being taken: overrun, next shot */

/* futex.c */
void futex_exit_pi(struct task *task);

#endif
