/*
 * ptrace(2): attaching, stopping, resuming; see kernel/ptrace.h for the protocol.
 *
 * Where Linux has them: the stops for signals, system calls, events, group stops and PTRACE_INTERRUPT. Single steps use
 * the trap flag. Not here: hardware breakpoints, PTRACE_PEEKSIGINFO, PTRACE_SECCOMP_GET_FILTER.
 */
#include <asm/ptrace.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/wait.h>

#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "kernel/process.h"
#include "kernel/ptrace.h"
#include "kernel/user_ns.h"
#include "ring0/lib.h"

#define FLAG_TF (1ull << 8)
#define SYSCALL_STOP 0x80u
#define OPTIONS_KNOWN ((uint64_t)PTRACE_O_MASK & ~(uint64_t)PTRACE_O_SUSPEND_SECCOMP)

int ptrace_may_access(const struct task *task, enum ptrace_ids by)
{
	const struct cred *own = current->cred, *cred = task->cred;

	if (task->process == current->process)
		return 0;
	if (!own || !cred)
		return -EPERM;
	bool all = ns_capable(cred->user_ns, CAP_SYS_PTRACE);
	if (task->mm && !task->mm->dumpable && !ns_capable(task->mm->user_ns, CAP_SYS_PTRACE))
		return -EPERM;
	if (all)
		return 0;
	uint32_t uid = by == PTRACE_BY_FS_IDS ? own->fsuid : own->uid, gid = by == PTRACE_BY_FS_IDS ? own->fsgid : own->gid;
	if (uid != cred->euid || uid != cred->suid || uid != cred->uid || gid != cred->egid || gid != cred->sgid ||
		gid != cred->gid)
		return -EPERM;
	/* Nobody gets capabilities by looking into one who has them, or into another user namespace. */
	uint64_t caps = by == PTRACE_BY_FS_IDS ? own->cap_effective : own->cap_permitted;
	return own->user_ns != cred->user_ns || (cred->cap_permitted & ~caps) ? -EPERM : 0;
}

bool ptrace_allows_privileges(const struct task *task)
{
	const struct task *tracer = task->ptrace.tracer;

	return !tracer || cred_ns_capable(tracer->cred, task->cred->user_ns, CAP_SYS_PTRACE);
}

/* ---- who traces whom ---- */

void ptrace_new_mm(struct task *task)
{
	if (task->ptrace.tracer && task->mm && machine->space_plain)
		machine->space_plain(&task->mm->space);
}

static void link_to(struct task *task, struct task *tracer, bool seized, uint64_t options)
{
	task->ptrace = (struct ptrace){.tracer = tracer, .seized = seized, .options = (uint32_t)options};
	LIST_INSERT_HEAD(&tracer->tracees, task, ptrace.link);
	task_set_work(task, WORK_PTRACE);
	ptrace_new_mm(task);
}

/* The trap flag was the tracer's: it is seen neither by the tracer nor by a handler. */
static void end_step(struct task *task)
{
	if (task->ptrace.stepping)
		task->regs->rflags &= ~FLAG_TF;
	task->ptrace.stepping = false;
}

void ptrace_unlink(struct task *task)
{
	if (!task->ptrace.tracer)
		return;
	LIST_REMOVE(task, ptrace.link);
	end_step(task);
	ptrace_drop_debug(task);
	task->ptrace = (struct ptrace){.resume_signal = task->ptrace.resume_signal};
	__atomic_fetch_and(&task->work, ~WORK_PTRACE, __ATOMIC_SEQ_CST);
}

/* Off the stop, if it is in one, as a task that is traced no more. */
static void let_go(struct task *task)
{
	bool stopped = task->ptrace.stopped;

	ptrace_unlink(task);
	if (task->state == TASK_ZOMBIE) {
		process_tracee_ended(task);
		return;
	}
	task_set_work(task, WORK_SIGNAL);
	if (stopped && task->state == TASK_STOPPED)
		sched_make_runnable(task);
}

static struct task *forker_of(const struct process *process)
{
	struct task *task = task_find_global(process->parent_tid);

	return task && task->process == process->parent && !task->exiting ? task : process->parent->leader;
}

int ptrace_trace_me(void)
{
	struct task *task = current, *tracer;

	if (task->ptrace.tracer || !task->process->parent)
		return -EPERM;
	tracer = forker_of(task->process);
	if (!tracer || tracer->exiting || tracer->state == TASK_ZOMBIE)
		return -EPERM;
	link_to(task, tracer, false, 0);
	return 0;
}

int ptrace_attach(struct task *task, bool seize, uint64_t options)
{
	struct ksiginfo stop = {.signo = SIGSTOP, .code = SI_KERNEL, .forced = true};

	if (seize && (options & ~OPTIONS_KNOWN))
		return -EIO;
	if (task->kernel_task || task->process == current->process || task->exiting || task->state == TASK_ZOMBIE)
		return -EPERM;
	if (task->ptrace.tracer || ptrace_may_access(task, PTRACE_BY_REAL_IDS) < 0)
		return -EPERM;
	link_to(task, current, seize, options);
	if (!seize)
		signal_send_task(task, &stop);
	/* In a group stop already: it comes out, and in again as the tracer's. */
	if (task->process->stopped && task->state == TASK_STOPPED)
		sched_make_runnable(task);
	return 0;
}

struct task *ptrace_find(int tid, bool stopped)
{
	struct task *task = task_find(tid);

	if (!task || task->ptrace.tracer != current)
		return NULL;
	if (stopped && (!task->ptrace.stopped || task->ptrace.listening || task->state != TASK_STOPPED || task->killed))
		return NULL;
	return task;
}

void ptrace_tracer_exit(struct task *tracer)
{
	struct task *task;

	while ((task = LIST_FIRST(&tracer->tracees))) {
		bool kill = task->ptrace.options & PTRACE_O_EXITKILL;
		struct process *process = task->process;

		process_get(process);
		let_go(task);
		if (kill && !process->zombie)
			signal_kill_process(process, WAIT_SIGNALED(SIGKILL));
		process_put(process);
	}
}

/* ---- the tracer's orders ---- */

static int check_signal(uint64_t signo)
{
	return signo <= KSIG_MAX ? 0 : -EIO;
}

int ptrace_resume(struct task *task, enum ptrace_mode mode, uint64_t signo)
{
	struct ptrace *p = &task->ptrace;
	bool step = mode == PTRACE_MODE_STEP || mode == PTRACE_MODE_EMULATE_STEP;

	if (check_signal(signo))
		return -EIO;
	p->mode = (uint8_t)mode;
	p->resume_signal = (uint32_t)signo;
	p->stopped = p->unreported = false;
	if (step && !(task->regs->rflags & FLAG_TF)) {
		task->regs->rflags |= FLAG_TF;
		p->stepping = true;
	}
	sched_make_runnable(task);
	return 0;
}

int ptrace_detach(struct task *task, uint64_t signo)
{
	if (check_signal(signo))
		return -EIO;
	task->ptrace.resume_signal = (uint32_t)signo;
	let_go(task);
	return 0;
}

int ptrace_interrupt(struct task *task)
{
	struct ptrace *p = &task->ptrace;

	if (!p->seized)
		return -EIO;
	p->trap_wanted = true;
	if (p->listening) {
		p->stopped = false;
		if (task->state == TASK_STOPPED) /* or an interrupt before this one has woken it */
			sched_make_runnable(task);
	} else if (!p->stopped) {
		signal_wake_task(task);
	}
	return 0;
}

int ptrace_listen(struct task *task)
{
	struct ptrace *p = &task->ptrace;

	if (!p->seized || p->status >> 8 != PTRACE_EVENT_STOP)
		return -EIO;
	p->unreported = false;
	p->listening = true;
	/* SIGCONT came since. */
	if (p->trap_wanted) {
		p->stopped = false;
		sched_make_runnable(task);
	}
	return 0;
}

int ptrace_set_options(struct task *task, uint64_t options)
{
	if (options & ~OPTIONS_KNOWN)
		return -EINVAL;
	task->ptrace.options = (uint32_t)options;
	return 0;
}

/* ---- stops ---- */

/* SIGCHLD, as for a child that stopped. */
static void tell_tracer(const struct task *task, int code, int status)
{
	struct process *process = task->ptrace.tracer->process;
	const struct ksigaction *action = &process->sighand->action[SIGCHLD - 1];
	struct ksiginfo info = {.signo = SIGCHLD, .code = code, .pid = task->tid, .uid = task->cred->uid, .status = status};

	if (action->handler != (uint64_t)SIG_IGN && !(code == CLD_TRAPPED && (action->flags & SA_NOCLDSTOP)))
		signal_send_process(process, &info);
	waitq_wake_all(&process->child_waiters);
}

/* Stops for the tracer; the signal that it wants delivered, or 0. info NULL: the stop has none. */
static uint32_t stop(struct task *task, uint32_t status, const struct ksiginfo *info, uint8_t syscall_op)
{
	struct ptrace *p = &task->ptrace;

	end_step(task);
	p->status = status;
	p->info = info ? *info : (struct ksiginfo){0};
	p->syscall_op = syscall_op;
	p->resume_signal = 0;
	p->stopped = p->unreported = true;
	tell_tracer(task, CLD_TRAPPED, (int)(status & 0x7f));
	while (p->stopped && !task->killed) {
		task->state = TASK_STOPPED;
		signal_stop_check(task->process);
		schedule();
	}
	p->stopped = p->unreported = p->listening = false;
	task_set_work(task, WORK_SIGNAL);
	uint32_t signo = task->killed ? 0 : p->resume_signal;
	p->resume_signal = 0;
	if (!task->killed)
		ptrace_debug_arm(task);
	return signo;
}

static uint32_t trap_stop(struct task *task, uint32_t status, uint8_t syscall_op)
{
	struct ksiginfo info = {.signo = SIGTRAP, .code = (int)status, .pid = task->tid, .uid = uid_to_user(task->cred->uid)};

	return stop(task, status, &info, syscall_op);
}

int ptrace_signal(struct task *task, struct ksiginfo *info)
{
	uint32_t signo = stop(task, (uint32_t)info->signo, info, PTRACE_SYSCALL_INFO_NONE);
	const struct task *tracer = task->ptrace.tracer; /* it may have gone */

	if (!signo)
		return 0;
	*info = task->ptrace.info.signo ? task->ptrace.info : *info;
	if (signo != (uint32_t)info->signo)
		*info = (struct ksiginfo){.signo = (int)signo, .code = SI_USER, .pid = tracer ? tracer->process->pid : 0,
			.uid = tracer ? uid_seen_by(task->cred, tracer->cred->uid) : 0};
	if (task->blocked & SIGBIT(signo)) {
		signal_send_task(task, info);
		return 0;
	}
	return (int)signo;
}

bool ptrace_wants_stop(const struct task *task)
{
	const struct ptrace *p = &task->ptrace;
	const struct process *process = task->process;

	return p->tracer && (p->trap_wanted || (process->stopped && p->stop_seen != process->stop_generation));
}

bool ptrace_pending_stop(struct task *task)
{
	struct ptrace *p = &task->ptrace;
	struct process *process = task->process;

	if (!ptrace_wants_stop(task))
		return false;
	uint32_t signo = process->stopped ? (uint32_t)process->stop_signal : SIGTRAP;
	p->trap_wanted = false;
	p->stop_seen = process->stop_generation;
	if (p->seized)
		trap_stop(task, signo | PTRACE_EVENT_STOP << 8, PTRACE_SYSCALL_INFO_NONE);
	else
		stop(task, signo, NULL, PTRACE_SYSCALL_INFO_NONE);
	return true;
}

void ptrace_continued(struct task *task)
{
	struct ptrace *p = &task->ptrace;

	if (!p->tracer || !p->seized)
		return;
	p->trap_wanted = true;
	task_set_work(task, WORK_SIGNAL);
	if (p->listening)
		p->stopped = false; /* signal_continue() makes it runnable */
}

bool ptrace_event_wanted(const struct task *task, unsigned event)
{
	return event && task->ptrace.tracer && (task->ptrace.options >> event & 1);
}

void ptrace_event(struct task *task, unsigned event, uint64_t message)
{
	if (!ptrace_event_wanted(task, event) || task->killed)
		return;
	/* About a task: its number as the tracer sees it. */
	if (event != PTRACE_EVENT_EXIT && event != PTRACE_EVENT_SECCOMP)
		message = (uint64_t)pid_ns_nr(task->ptrace.tracer->process->pid_ns, (int)message);
	task->ptrace.message = message;
	trap_stop(task, SIGTRAP | event << 8, PTRACE_SYSCALL_INFO_NONE);
}

void ptrace_exec(struct task *task, int old_tid)
{
	if (!task->ptrace.tracer)
		return;
	ptrace_drop_debug(task); /* they were about another program */
	if (ptrace_event_wanted(task, PTRACE_EVENT_EXEC)) {
		ptrace_event(task, PTRACE_EVENT_EXEC, (uint64_t)old_tid);
	} else if (!task->ptrace.seized) {
		struct ksiginfo info = {.signo = SIGTRAP, .code = SI_USER, .pid = task->tid, .uid = uid_to_user(task->cred->uid)};

		signal_send_task(task, &info);
	}
}

void ptrace_before_handler(struct task *task)
{
	end_step(task);
}

void ptrace_handler_entered(struct task *task)
{
	enum ptrace_mode mode = task->ptrace.mode;

	if (task->ptrace.tracer && (mode == PTRACE_MODE_STEP || mode == PTRACE_MODE_EMULATE_STEP))
		trap_stop(task, SIGTRAP, PTRACE_SYSCALL_INFO_NONE);
	else if (task->ptrace.debug)
		ptrace_debug_arrive(task);
}

/* ---- system calls ---- */

static void syscall_stop(struct task *task, uint8_t op)
{
	struct ptrace *p = &task->ptrace;
	bool marked = p->options & PTRACE_O_TRACESYSGOOD;

	p->message = op == PTRACE_SYSCALL_INFO_ENTRY ? PTRACE_EVENTMSG_SYSCALL_ENTRY : PTRACE_EVENTMSG_SYSCALL_EXIT;
	uint32_t signo = trap_stop(task, SIGTRAP | (marked ? SYSCALL_STOP : 0), op);
	if (signo) {
		struct ksiginfo info = {.signo = (int)signo, .code = SI_KERNEL};

		signal_send_task(task, &info);
	}
}

bool ptrace_syscall_enter(struct task *task, struct regs *regs)
{
	enum ptrace_mode mode = task->ptrace.mode;

	if (!task->ptrace.tracer || mode == PTRACE_MODE_CONT || mode == PTRACE_MODE_STEP)
		return true;
	regs->rax = (uint64_t)-ENOSYS;
	syscall_stop(task, PTRACE_SYSCALL_INFO_ENTRY);
	if (task->killed || mode != PTRACE_MODE_SYSCALL)
		return false;
	return (int64_t)regs->orig_rax != -1; /* so a tracer skips a call */
}

void ptrace_syscall_exit(struct task *task, struct regs *regs)
{
	if (!task->ptrace.tracer || task->killed)
		return;
	if (task->ptrace.mode == PTRACE_MODE_SYSCALL) {
		syscall_stop(task, PTRACE_SYSCALL_INFO_EXIT);
	} else if (task->ptrace.mode == PTRACE_MODE_STEP && task->ptrace.stepping) {
		struct ksiginfo info = {.signo = SIGTRAP, .code = TRAP_BRKPT, .addr = regs->rip};

		end_step(task);
		signal_force(task, &info);
	} else if (task->ptrace.debug) {
		ptrace_debug_arrive(task);
	}
}

/* ---- children ---- */

unsigned ptrace_clone_event(uint64_t flags, int exit_signal)
{
	unsigned event = PTRACE_EVENT_FORK;

	if (flags & CLONE_UNTRACED)
		return 0;
	if (flags & CLONE_VFORK)
		event = PTRACE_EVENT_VFORK;
	else if (exit_signal != SIGCHLD)
		event = PTRACE_EVENT_CLONE;
	return ptrace_event_wanted(current, event) ? event : 0;
}

void ptrace_follow(struct task *child)
{
	const struct ptrace *mine = &current->ptrace;

	if (!mine->tracer)
		return;
	link_to(child, mine->tracer, mine->seized, mine->options);
	if (mine->seized)
		child->ptrace.trap_wanted = true;
	else
		child->pending.set |= SIGBIT(SIGSTOP);
	child->work |= WORK_SIGNAL;
}

/* ---- waiting ---- */

/* A leader ends with its group, and as that does. */
static int end_status(const struct task *task)
{
	return task == task->process->leader ? task->process->exit_status : task->exit_code;
}

void ptrace_tell_exit(struct task *task)
{
	int status = end_status(task);

	task->ptrace.unreported = true;
	tell_tracer(task, wait_end_code(status), wait_end_value(status));
}

/* A thread that has ended; a leader only when its whole group has. */
static bool has_ended(const struct task *task)
{
	if (task != task->process->leader)
		return task->state == TASK_ZOMBIE;
	return process_has_ended(task->process);
}

static bool report(struct task *task, int options, struct wait_result *result)
{
	struct ptrace *p = &task->ptrace;

	if (!p->unreported)
		return false;
	bool ended = has_ended(task);
	if (!ended && !p->stopped)
		return false;
	if (ended && !(options & WEXITED))
		return false;
	result->pid = pid_vnr(task->tid);
	result->uid = task->cred->uid;
	if (ended) {
		result->status = end_status(task);
		result->code = wait_end_code(result->status);
	} else {
		result->status = (int)(p->status << 8 | 0x7f);
		result->code = CLD_TRAPPED;
	}
	if (options & WNOWAIT)
		return true;
	p->unreported = false;
	if (ended) {
		ptrace_unlink(task);
		process_tracee_ended(task);
	}
	return true;
}

static bool wait_for_tracees_of(const struct task *tracer, int which, int id, int options, struct wait_result *result,
	bool *any)
{
	struct task *task;

	LIST_FOREACH(task, &tracer->tracees, ptrace.link) {
		if ((which == P_PID && task->tid != id) || (which == P_PGID && task->process->pgid != id))
			continue;
		/* The end of a child is reported as any child's (wait4.c). */
		bool child = task == task->process->leader && task->process->parent == tracer->process;
		if (child && task->process->zombie)
			continue;
		*any = true;
		if (report(task, options, result))
			return true;
	}
	return false;
}

bool ptrace_wait(int which, int id, int options, struct wait_result *result, bool *any)
{
	const struct task *task;

	if (options & __WNOTHREAD)
		return wait_for_tracees_of(current, which, id, options, result, any);
	TAILQ_FOREACH(task, &current->process->tasks, sibling) {
		if (wait_for_tracees_of(task, which, id, options, result, any))
			return true;
	}
	return false;
}
