/*
 * Delivery: what a task does about its signals on the way back to user mode.
 *
 * signal_deliver() is called by the dispatcher's exit path while WORK_SIGNAL is set. In
 * a loop it ends the task if its group is ending, stops it if its group is stopped, else
 * takes one signal and acts on it; then it settles how an interrupted system call goes
 * on. A group stop: process->stopped is set, every thread comes here and leaves the CPU
 * as TASK_STOPPED; the last one tells the parent. SIGCONT or SIGKILL clears it.
 * May sleep; does not return when the task ends. signal(7), POSIX 2.4.3.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/unistd.h>
#include <linux/errno.h>

#include "kernel/process.h"
#include "ring0/lib.h"

#define STOP_SIGNALS (SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))
#define DEFAULT_IGNORED (SIGBIT(SIGCHLD) | SIGBIT(SIGURG) | SIGBIT(SIGWINCH) | SIGBIT(SIGCONT))

unsigned stopped_processes;

void signal_stop_begin(struct process *process, int signo)
{
	struct task *task;

	if (process->exiting || process->stopped)
		return;
	process->stopped = true;
	process->stop_notified = false;
	process->stop_signal = signo;
	process->stop_generation++;
	stopped_processes++;
	TAILQ_FOREACH(task, &process->tasks, sibling) {
		if (task != current && !task->exiting && task->state != TASK_ZOMBIE)
			signal_wake_task(task);
	}
}

void signal_stop_check(struct process *process)
{
	struct task *task;

	if (!process->stopped || process->stop_notified)
		return;
	TAILQ_FOREACH(task, &process->tasks, sibling) {
		if (task->state != TASK_STOPPED && task->state != TASK_ZOMBIE && !task->exiting)
			return;
	}
	process->stop_notified = true;
	process->stop_unreported = true;
	process->continued_unreported = false;
	process_notify_parent(process, CLD_STOPPED);
}

void signal_continue(struct process *process)
{
	struct task *task;

	if (!process->stopped)
		return;
	bool was_stopped = process->stop_notified;
	process->stopped = false;
	process->stop_unreported = false;
	stopped_processes--;
	TAILQ_FOREACH(task, &process->tasks, sibling) {
		ptrace_continued(task);
		if (task->state == TASK_STOPPED)
			sched_make_runnable(task);
	}
	if (was_stopped) {
		process->continued_unreported = true;
		process_notify_parent(process, CLD_CONTINUED);
	}
}

static void stop_here(struct task *task)
{
	struct process *process = task->process;

	while (process->stopped && !task->killed && !task->ptrace.tracer) {
		task->state = TASK_STOPPED;
		signal_stop_check(process);
		if (!process->stopped) { /* the notification cannot continue us, but be exact */
			task->state = TASK_RUNNING;
			return;
		}
		schedule();
	}
}

/* The default action, for a signal without a handler. Does not return if it is the end. */
static void default_action(struct task *task, const struct ksiginfo *info)
{
	struct process *process = task->process;
	int signo = info->signo;

	if (SIGBIT(signo) & DEFAULT_IGNORED)
		return;
	/* The container's first process is only ended from outside, or by its own fault. */
	if (process->ns_init && !info->forced)
		return;
	if (SIGBIT(signo) & STOP_SIGNALS) {
		if (signo != SIGSTOP && pgrp_is_orphaned(process->pgid, NULL))
			return;
		signal_stop_begin(process, signo);
		return;
	}
	if (info->forced && info->code != SI_KERNEL)
		klog(LOG_DEBUG, "%s[%d]: signal %d code %d at %lx, ip %lx sp %lx", task->comm, task->tid, signo, info->code,
			(unsigned long)info->addr, (unsigned long)task->regs->rip, (unsigned long)task->regs->rsp);
	process_exit_group(WAIT_SIGNALED(signo));
}

/* In a system call that wants to be restarted: as regs->rax says. */
static bool wants_restart(const struct regs *regs)
{
	return (int64_t)regs->orig_rax >= 0 && signal_is_restart((int64_t)regs->rax);
}

static void restart(struct regs *regs, uint64_t number)
{
	regs->rax = number;
	regs->rip -= 2; /* the SYSCALL instruction */
}

static void settle_before_handler(struct regs *regs, const struct ksigaction *action)
{
	if (!wants_restart(regs))
		return;
	int64_t rc = (int64_t)regs->rax;
	bool again = rc == -ERESTARTNOINTR || (rc == -ERESTARTSYS && (action->flags & SA_RESTART));
	if (again)
		restart(regs, regs->orig_rax);
	else
		regs->rax = (uint64_t)-EINTR;
	regs->orig_rax = (uint64_t)-1;
}

static void settle_without_handler(struct regs *regs)
{
	if (!wants_restart(regs))
		return;
	bool block = (int64_t)regs->rax == -ERESTART_RESTARTBLOCK;
	restart(regs, block ? __NR_restart_syscall : regs->orig_rax);
	regs->orig_rax = (uint64_t)-1;
}

static void run_handler(struct task *task, struct regs *regs, struct ksigaction *slot, const struct ksiginfo *info)
{
	struct ksigaction action = *slot;
	sigset64 old = task->restore_blocked ? task->saved_blocked : task->blocked;

	settle_before_handler(regs, &action);
	if (action.flags & SA_RESETHAND)
		slot->handler = (uint64_t)SIG_DFL;
	if (task->rseq.v)
		rseq_update(regs);
	ptrace_before_handler(task);
	if (signal_setup_frame(regs, &action, info, old)) {
		struct ksiginfo fault = {.signo = SIGSEGV, .code = SI_KERNEL};

		/* No room for a frame: not even a handler for SIGSEGV can run if this was one. */
		if (info->signo == SIGSEGV)
			task->process->sighand->action[SIGSEGV - 1].handler = (uint64_t)SIG_DFL;
		signal_force(task, &fault);
		return;
	}
	task->restore_blocked = false;
	sigset64 mask = task->blocked | action.mask;
	if (!(action.flags & SA_NODEFER))
		mask |= SIGBIT(info->signo);
	signal_set_blocked(task, mask);
	ptrace_handler_entered(task);
}

/* Take one signal and act on it. False: there was none. */
static bool deliver_one(struct task *task, struct regs *regs)
{
	struct ksiginfo info;
	int signo = signal_dequeue(task, ~task->blocked, &info);

	if (!signo)
		return false;
	struct ksigaction *action = &task->process->sighand->action[signo - 1];
	if (signo == SIGKILL)
		process_exit_group(WAIT_SIGNALED(SIGKILL));
	if (task->ptrace.tracer) {
		if (!ptrace_signal(task, &info) || task->killed)
			return true;
		action = &task->process->sighand->action[info.signo - 1];
	}
	if (action->handler == (uint64_t)SIG_DFL)
		default_action(task, &info);
	else if (action->handler != (uint64_t)SIG_IGN)
		run_handler(task, regs, action, &info);
	return true;
}

void signal_deliver(struct regs *regs)
{
	struct task *task = current;
	struct process *process = task->process;

	for (;;) {
		__atomic_fetch_and(&task->work, ~WORK_SIGNAL, __ATOMIC_SEQ_CST);
		if (task->killed && process->exiting)
			process_exit_group(process->exit_status);
		if (task->killed)
			task_exit(task->exit_code); /* another thread executes a program */
		if (ptrace_pending_stop(task))
			continue;
		if (process->stopped && !task->ptrace.tracer) {
			stop_here(task);
			continue;
		}
		if (!deliver_one(task, regs))
			break;
	}
	settle_without_handler(regs);
	if (task->restore_blocked) {
		task->restore_blocked = false;
		signal_set_blocked(task, task->saved_blocked);
	}
}
