/*
 * The end of threads and processes.
 *
 * task_exit() ends the current thread; process_exit_group() marks the whole group and
 * ends the current thread, the others follow by signal_deliver(). The last thread out
 * makes the process a zombie and tells the parent, or releases it if nobody will wait.
 *
 *	alive --exiting--> every thread in task_exit() --last one--> zombie --wait4--> released
 *
 * After exiting is set no signal interrupts the thread: what it closes must be closed. From the point where the
 * thread leaves process->threads, nothing sleeps until sched_exit(). _exit(2), wait(2), POSIX 2.2.2.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/errno.h>
#include <linux/ptrace.h>
#include <linux/wait.h>

#include "kernel/container.h"
#include "kernel/files.h"
#include "kernel/futex.h"
#include "kernel/ipc.h"
#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "kernel/process.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"

void task_mm_release(struct task *task)
{
	if (task->robust_list.v)
		futex_exit_robust(task);
	futex_exit_pi(task);
	if (task->clear_child_tid.v) {
		uaddr_t address = task->clear_child_tid;
		uint32_t zero = 0;

		task->clear_child_tid = UADDR(0);
		/* Alone in the address space nobody can look: the write would only cost a page. */
		if (task->mm && task->mm->refs > 1 && !put_user(zero, address))
			futex_wake_addr(address, 1);
	}
	task->rseq = UADDR(0);
	if (task->vfork_parent) {
		task->vfork_parent = NULL;
		waitq_wake_all(&task->vfork_done);
	}
}

/* A member of the group whose parent is in another group of the same session keeps it from being orphaned. */
bool pgrp_is_orphaned(int pgid, const struct process *ignored)
{
	struct process *process;

	TAILQ_FOREACH(process, &all_processes, all) {
		const struct process *parent = process->parent;

		if (process->pgid != pgid || process == ignored || process->zombie || !parent)
			continue;
		if (parent->pgid != pgid && parent->session == process->session)
			return false;
	}
	return true;
}

static bool pgrp_has_stopped(int pgid)
{
	struct process *process;

	if (!stopped_processes)
		return false;
	TAILQ_FOREACH(process, &all_processes, all) {
		if (process->pgid == pgid && process->stopped)
			return true;
	}
	return false;
}

/* POSIX: a group that just became orphaned and has stopped members gets SIGHUP, then SIGCONT. */
static void check_orphaned(struct process *process, const struct process *parent, const struct process *ignored)
{
	if (!parent || parent->pgid == process->pgid || parent->session != process->session)
		return;
	if (!pgrp_has_stopped(process->pgid) || !pgrp_is_orphaned(process->pgid, ignored))
		return;
	struct ksiginfo info = {.signo = SIGHUP, .code = SI_KERNEL};
	signal_send_group(process->pgid, &info);
	info.signo = SIGCONT;
	signal_send_group(process->pgid, &info);
}

static struct process *find_reaper(struct process *process)
{
	for (struct process *up = process->parent; up; up = up->parent) {
		if (up->subreaper && !up->exiting && !up->zombie)
			return up;
	}
	return process->pid_ns->init;
}

static bool parent_ignores(const struct process *parent)
{
	const struct ksigaction *action = &parent->sighand->action[SIGCHLD - 1];

	return action->handler == (uint64_t)SIG_IGN || (action->flags & SA_NOCLDWAIT);
}

static void fill_child_info(struct process *process, int why, struct ksiginfo *info)
{
	uint64_t utime, stime;

	memset(info, 0, sizeof(*info));
	process_cpu_times(process, &utime, &stime);
	info->signo = SIGCHLD;
	info->pid = process->pid;
	info->uid = process->leader->cred->uid;
	info->utime = (int64_t)(utime / 10000000);
	info->stime = (int64_t)(stime / 10000000);
	info->code = why;
	if (why == CLD_STOPPED) {
		info->status = process->stop_signal;
	} else if (why == CLD_CONTINUED) {
		info->status = SIGCONT;
	} else {
		info->code = wait_end_code(process->exit_status);
		info->status = wait_end_value(process->exit_status);
	}
}

void process_notify_parent(struct process *process, int why)
{
	struct process *parent = process->parent;
	struct ksiginfo info;

	if (!parent)
		return;
	fill_child_info(process, why, &info);
	if (why == CLD_EXITED) {
		bool deaf = process->exit_signal == SIGCHLD &&
			parent->sighand->action[SIGCHLD - 1].handler == (uint64_t)SIG_IGN;
		if (process->exit_signal && !deaf) {
			info.signo = process->exit_signal;
			signal_send_process(parent, &info);
		}
	} else if (parent->sighand->action[SIGCHLD - 1].handler != (uint64_t)SIG_IGN &&
		!(parent->sighand->action[SIGCHLD - 1].flags & SA_NOCLDSTOP)) {
		signal_send_process(parent, &info);
	}
	waitq_wake_all(&parent->child_waiters);
}

/* A thread that is not its group's leader, and has ended, is forgotten. */
static void release_thread(struct task *task)
{
	ptrace_unlink(task);
	TAILQ_REMOVE(&task->process->tasks, task, sibling);
	task->state = TASK_DEAD;
	task_hash_remove(task);
}

void process_release(struct process *process)
{
	struct task *leader = process->leader, *task, *next;

	BUG_ON(!process->zombie);
	ptrace_unlink(leader);
	TAILQ_FOREACH_SAFE(task, &process->tasks, sibling, next) {
		if (task != leader)
			release_thread(task); /* ended, but its tracer has not waited for it */
	}
	if (process->parent) {
		struct process *parent = process->parent;

		TAILQ_REMOVE(&parent->children, process, sibling);
		process->parent = NULL;
	}
	TAILQ_REMOVE(&all_processes, process, all);
	TAILQ_REMOVE(&process->tasks, leader, sibling);
	process->leader = NULL;
	leader->state = leader->state == TASK_ZOMBIE ? TASK_DEAD : leader->state;
	task_hash_remove(leader);
	process_put(process);
}

/* The zombie's parent is set: tell it, or let the zombie go if the parent does not want to know. */
static void announce_death(struct process *process)
{
	bool unwanted = !process->parent || (process->exit_signal == SIGCHLD && parent_ignores(process->parent));

	process_notify_parent(process, CLD_EXITED);
	waitq_wake_all(&process->pidfd_waiters);
	if (unwanted)
		process_release(process);
}

static bool has_other_tracer(const struct process *process)
{
	const struct task *tracer = process->leader->ptrace.tracer;

	return tracer && tracer->process != process->parent;
}

bool process_has_ended(const struct process *process)
{
	return process->zombie && TAILQ_FIRST(&process->tasks) == process->leader && !TAILQ_NEXT(process->leader, sibling);
}

bool process_is_waitable(const struct process *process)
{
	return process_has_ended(process) && !has_other_tracer(process);
}

/* If it has ended: its tracer hears of it first, then its parent. */
static void announce_end(struct process *process)
{
	if (!process_has_ended(process))
		return;
	if (has_other_tracer(process))
		ptrace_tell_exit(process->leader);
	else
		announce_death(process);
}

void process_tracee_ended(struct task *task)
{
	struct process *process = task->process;

	if (task != process->leader)
		release_thread(task);
	announce_end(process);
}

static void reparent_children(struct process *process)
{
	struct process *reaper, *child;

	if (TAILQ_EMPTY(&process->children))
		return;
	reaper = find_reaper(process);
	while ((child = TAILQ_FIRST(&process->children))) {
		TAILQ_REMOVE(&process->children, child, sibling);
		child->parent = reaper;
		task_answers_changed();
		if (reaper)
			TAILQ_INSERT_TAIL(&reaper->children, child, sibling);
		if (child->pdeath_signal && !child->zombie) {
			struct ksiginfo info = {.signo = child->pdeath_signal, .code = SI_USER, .pid = process->pid};
			info.uid = process->leader->cred->uid;
			signal_send_process(child, &info);
		}
		if (child->zombie) {
			child->exit_signal = SIGCHLD;
			announce_end(child);
		} else {
			check_orphaned(child, process, process);
		}
	}
}

/* Is it the first of a pid namespace, or of a container that shares the pod's. */
static bool is_first(const struct process *process)
{
	return process->ns_init || process->container->init == process;
}

/* Does `process` end with `first`, which is the first of its namespace or container. */
static bool ends_with(const struct process *first, const struct process *process)
{
	if (process == first)
		return false;
	return first->ns_init ? pid_ns_contains(first->pid_ns, process->pid_ns) : process->container == first->container;
}

/* A pid namespace, and a container, ends with its first process: nobody outlives it. */
static void kill_everybody(struct process *but)
{
	struct process *process;

	if (but->ns_init)
		but->pid_ns->dead = true; /* nobody begins in it any more, from outside either */
	TAILQ_FOREACH(process, &all_processes, all) {
		if (!process->zombie && ends_with(but, process))
			signal_kill_process(process, WAIT_SIGNALED(SIGKILL));
	}
}

/* True once no other process of the namespace is left; zombies that nobody else will wait for are let go. */
static bool everybody_has_gone(struct process *init)
{
	struct process *process, *next;
	bool gone = true;

	TAILQ_FOREACH_SAFE(process, &all_processes, all, next) {
		if (!ends_with(init, process))
			continue;
		if (process->zombie && (!process->parent || process->parent == init ||
			process->parent->container != process->container))
			process_release(process);
		else if (!process->zombie)
			gone = false;
	}
	return gone;
}

static bool is_last(const struct task *task)
{
	const struct task *other;

	TAILQ_FOREACH(other, &task->process->tasks, sibling) {
		if (other != task && !other->exiting && other->state != TASK_ZOMBIE)
			return false;
	}
	return true;
}

/* What may sleep: everything that the thread holds. */
static void give_back(struct task *task)
{
	bool last = is_last(task);

	if (task->mm)
		task_mm_release(task);
	if (last) {
		itimers_cancel(task->process);
		posix_timers_delete_all(task->process);
		sem_exit(task->process);
	}
	struct fd_table *files = task->files;
	struct fs_context *fs = task->fs;
	struct mm *mm = task->mm;
	task->files = NULL;
	if (files)
		files_put(files);
	task->fs = NULL;
	if (fs)
		fs_context_put(fs);
	struct ns_set *ns = task->ns;
	task->ns = NULL;
	ns_set_put(ns);
	if (last && task->process->session->sid == task->process->pid)
		files_session_leader_exit(task);
	if (mm) {
		if (mm->hiwater_rss * 4 > task->process->maxrss)
			task->process->maxrss = mm->hiwater_rss * 4;
		task->mm = NULL;
		machine->space_switch(NULL);
		mm_put(mm);
	}
}

static void account_thread(struct task *task)
{
	struct process *process = task->process;

	uint64_t system = task_system_ns(task);

	process->utime += task_cpu_ns(task) - system;
	process->stime += system;
	process->min_flt += task->min_flt;
	process->maj_flt += task->maj_flt;
	process->nvcsw += task->nvcsw;
	process->nivcsw += task->nivcsw;
}

/* The last thread has gone. Does not sleep. */
static void process_ended(struct process *process)
{
	struct task *task;

	if (process->stopped) {
		process->stopped = false;
		stopped_processes--;
	}
	if (!process->exiting) {
		process->exiting = true;
		process->exit_status = process->leader->exit_code;
	}
	if (process == init_process)
		init_exited(process->exit_status);
	container_process_ended(process);
	if (process->ns_init)
		process->pid_ns->init = NULL;
	TAILQ_FOREACH(task, &process->tasks, sibling)
		sigpending_flush(process, &task->pending);
	sigpending_flush(process, &process->pending);
	reparent_children(process);
	check_orphaned(process, process->parent, process);
	process->zombie = true;
	announce_end(process);
}

void task_exit(int code)
{
	struct task *task = current;
	struct process *process = task->process;

	BUG_ON(task->exiting);
	ptrace_event(task, PTRACE_EVENT_EXIT, (uint64_t)code);
	ptrace_tracer_exit(task);
	task->exiting = true;
	task->killed = false;
	task->exit_code = code;
	task->blocked = ~0ull;
	signal_retarget(task, ~0ull);
	if (is_first(process) && is_last(task))
		kill_everybody(process);
	/* The sandbox goes on without it: nothing of it may be left then. */
	if (is_first(process) && process != init_process && is_last(task))
		(void)wait_event(&process->container->waiters, everybody_has_gone(process), DEADLINE_NONE, false);
	give_back(task);
	/* The others were killed, but may not have closed their files yet. */
	if (process == init_process && is_last(task))
		files_sync_all();

	seccomp_drop(task);
	account_thread(task);
	process->threads--;
	cgroup_drop_task(task);
	task->state = TASK_ZOMBIE;
	sigpending_flush(process, &task->pending);
	signal_stop_check(process);
	waitq_wake_all(&process->thread_waiters);
	bool last = process->threads == 0;
	if (task != process->leader && task->ptrace.tracer)
		ptrace_tell_exit(task);
	else if (task != process->leader)
		release_thread(task);
	if (last)
		process_ended(process);
	sched_exit();
}

void process_exit_group(int wait_status)
{
	struct process *process = current->process;

	ptrace_event(current, PTRACE_EVENT_EXIT, (uint64_t)wait_status);
	/* Whoever came first decides; a group that execve is thinning out ends as a whole now. */
	signal_kill_process(process, wait_status);
	task_exit(process->exit_status);
}

/* Another thread's number becomes the group's: the old leader, a zombie, is let go. */
static void become_leader(struct task *task)
{
	struct process *process = task->process;
	struct task *old = process->leader;

	task->start_time = old->start_time;
	ptrace_unlink(old);
	TAILQ_REMOVE(&process->tasks, old, sibling);
	old->state = TASK_DEAD;
	task_hash_remove(old); /* its last reference, unless somebody looks at it */
	task_get(task);
	task_hash_remove(task);
	task->tid = process->pid;
	task->vtid = process->vpid;
	task_answers_changed();
	task_hash_insert(task);
	task_put(task);
	process->leader = task;
}

/* -EINTR: killed meanwhile. */
static int end_other_threads(struct task *task)
{
	struct process *process = task->process;
	struct task *other;

	TAILQ_FOREACH(other, &process->tasks, sibling) {
		if (other != task && !other->exiting && other->state != TASK_ZOMBIE) {
			other->killed = true;
			signal_wake_task(other);
		}
	}
	int rc = wait_event(&process->thread_waiters, process->threads == 1, DEADLINE_NONE, false);
	if (rc)
		return rc;
	if (process->leader != task)
		become_leader(task);
	return 0;
}

int task_await_exec(struct process *process)
{
	int rc;

	if (!process->execing)
		return 0;
	process_get(process);
	rc = wait_event(&process->thread_waiters, !process->execing, DEADLINE_NONE, true);
	process_put(process);
	return rc;
}

int task_exec_commit_threads(void)
{
	struct task *task = current;
	struct process *process = task->process;

	/* Another thread's execve was first, and has asked this one to end. */
	if (task->killed)
		return -EINTR;
	int rc = process->threads > 1 ? end_other_threads(task) : 0;
	if (rc)
		return rc;
	task_mm_release(task);
	task->robust_list = UADDR(0);
	task->clear_child_tid = task->set_child_tid = UADDR(0);
	task->rseq = UADDR(0);
	task->rseq_len = task->rseq_sig = 0;
	posix_timers_delete_all(process);
	process->exit_signal = SIGCHLD;
	process->execed = true;
	process->dumpable_cleared = false;
	return 0;
}
