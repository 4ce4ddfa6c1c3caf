/*
 * Sending and taking signals: the pending sets and their queues.
 *
 * A set bit says that the signal is pending; the queue carries its siginfo, if there was
 * room for one (RLIMIT_SIGPENDING). Signals below 32 are queued once, real-time ones each
 * time. Sending wakes one thread that will take the signal; SIGKILL ends the group at
 * once; SIGCONT and the stop signals cancel each other when they are sent, not when they are taken. Nothing here
 * sleeps. signal(7), POSIX 2.4.1.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/errno.h>
#include <linux/resource.h>

#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "kernel/process.h"
#include "kernel/user_ns.h"
#include "ring0/clock.h"
#include "ring0/lib.h"

#define STOP_SIGNALS (SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))
#define DEFAULT_IGNORED (SIGBIT(SIGCHLD) | SIGBIT(SIGURG) | SIGBIT(SIGWINCH) | SIGBIT(SIGCONT))
/* Taken before others: they are about what the thread just did. */
#define SYNCHRONOUS (SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | SIGBIT(SIGFPE) | SIGBIT(SIGSYS))

void sigqueue_free(struct process *process, struct sigqueue *entry)
{
	if (entry->owner)
		return; /* the timer's */
	process->sigqueue_count--;
	kfree(entry);
}

struct sigqueue *sigqueue_alloc(void *owner)
{
	struct sigqueue *entry = kzalloc(sizeof(*entry));

	if (entry)
		entry->owner = owner;
	return entry;
}

void sigpending_flush(struct process *process, struct sigpending *pending)
{
	struct sigqueue *entry;

	while ((entry = TAILQ_FIRST(&pending->queue))) {
		TAILQ_REMOVE(&pending->queue, entry, link);
		sigqueue_free(process, entry);
	}
	pending->set = 0;
}

static void drop_signals(struct process *process, struct sigpending *pending, sigset64 set)
{
	struct sigqueue *entry, *next;

	if (!(pending->set & set))
		return;
	pending->set &= ~set;
	TAILQ_FOREACH_SAFE(entry, &pending->queue, link, next) {
		if (SIGBIT(entry->info.signo) & set) {
			TAILQ_REMOVE(&pending->queue, entry, link);
			sigqueue_free(process, entry);
		}
	}
}

void signal_drop_pending(struct process *process, sigset64 set)
{
	struct task *task;

	drop_signals(process, &process->pending, set);
	TAILQ_FOREACH(task, &process->tasks, sibling)
		drop_signals(process, &task->pending, set);
}

bool signal_is_ignored(const struct task *task, int signo, bool forced)
{
	uint64_t handler = task->process->sighand->action[signo - 1].handler;

	if ((task->blocked | task->real_blocked) & SIGBIT(signo))
		return false; /* init's too: it may wait for it by sigwait(3) or signalfd(2) */
	if (task->ptrace.tracer && signo != SIGKILL)
		return false; /* its tracer sees it first */
	if (task->process->ns_init && handler == (uint64_t)SIG_DFL &&
		!(forced && (signo == SIGKILL || signo == SIGSTOP)))
		return true;
	return handler == (uint64_t)SIG_IGN || (handler == (uint64_t)SIG_DFL && (SIGBIT(signo) & DEFAULT_IGNORED));
}

void signal_wake_task(struct task *task)
{
	task_set_work(task, WORK_SIGNAL);
	if (task->state == TASK_BLOCKED && (task->block_interruptible || task->killed))
		task_wake(task);
	else if (task->state == TASK_STOPPED && task->killed)
		sched_make_runnable(task);
	else if (task->state == TASK_RUNNING && task != current)
		machine->kick(task->cpu);
}

bool signal_kill_process(struct process *process, int wait_status)
{
	struct task *task;

	if (process->zombie)
		return false;
	bool first = !process->exiting;
	if (first) {
		process->exiting = true;
		process->exit_status = wait_status;
	}
	if (process->stopped) {
		process->stopped = false;
		stopped_processes--;
	}
	TAILQ_FOREACH(task, &process->tasks, sibling) {
		if (task->exiting || task->state == TASK_ZOMBIE || task->killed)
			continue;
		task->killed = true;
		signal_wake_task(task);
	}
	return first;
}

/* SIGCONT cancels pending stops and the stop itself; a stop signal cancels a pending SIGCONT. */
static void prepare(struct process *process, int signo)
{
	if (signo == SIGCONT) {
		signal_drop_pending(process, STOP_SIGNALS);
		signal_continue(process);
	} else if (SIGBIT(signo) & STOP_SIGNALS) {
		signal_drop_pending(process, SIGBIT(SIGCONT));
	}
}

static bool wants(const struct task *task, int signo)
{
	if (task->exiting || task->state == TASK_ZOMBIE || task->state == TASK_DEAD || task->killed)
		return false;
	return !(task->blocked & SIGBIT(signo)) && task->state != TASK_STOPPED;
}

static struct task *nth_in_state(const struct process *process, enum task_state state, unsigned n)
{
	struct task *task;

	TAILQ_FOREACH(task, &process->tasks, sibling)
		if (task->state == state && !n--)
			break;
	return task;
}

struct task *signal_who_runs(const struct process *process)
{
	unsigned running = 0, waiting = 0, turn = (unsigned)(clock_monotonic() >> 10);
	const struct task *task;

	TAILQ_FOREACH(task, &process->tasks, sibling) {
		running += task->state == TASK_RUNNING;
		waiting += task->state == TASK_RUNNABLE;
	}
	if (running)
		return nth_in_state(process, TASK_RUNNING, turn % running);
	return waiting ? nth_in_state(process, TASK_RUNNABLE, turn % waiting) : NULL;
}

/* Which thread will take it: the one asked for, the leader if it can, else any that does not have something to do already. */
static struct task *choose_thread(struct process *process, struct task *asked, int signo)
{
	struct task *task, *busy = NULL;

	if (asked && wants(asked, signo))
		return asked;
	TAILQ_FOREACH(task, &process->tasks, sibling) {
		if (!wants(task, signo))
			continue;
		if (!(task->work & WORK_SIGNAL) || task->state == TASK_RUNNING)
			return task;
		if (!busy)
			busy = task;
	}
	return busy;
}

void signal_retarget(struct task *leaving, sigset64 which)
{
	struct process *process = leaving->process;
	struct task *task;
	sigset64 open = process->pending.set & which;

	TAILQ_FOREACH(task, &process->tasks, sibling) {
		if (!open)
			return;
		if (task == leaving || task->exiting || task->state == TASK_ZOMBIE || !(open & ~task->blocked))
			continue;
		open &= task->blocked;
		signal_wake_task(task);
	}
}

static bool is_fatal_by_default(int signo)
{
	return !(SIGBIT(signo) & (DEFAULT_IGNORED | STOP_SIGNALS));
}

static void wake_taker(struct process *process, struct task *target, struct task *asked, int signo)
{
	struct task *task = target ? (wants(target, signo) ? target : NULL) : choose_thread(process, asked, signo);

	waitq_wake_all(&process->sighand->signalfd_waiters);
	if (signo == SIGKILL) {
		signal_kill_process(process, WAIT_SIGNALED(SIGKILL));
		return;
	}
	if (!task)
		return;
	/* A fatal signal ends every thread at once, without waiting for the chosen one to run. */
	if (is_fatal_by_default(signo) && process->sighand->action[signo - 1].handler == (uint64_t)SIG_DFL &&
		!(task->real_blocked & SIGBIT(signo)) && !process->ns_init && !task->ptrace.tracer) {
		signal_kill_process(process, WAIT_SIGNALED(signo));
		return;
	}
	signal_wake_task(task);
}

/* One queue entry for a signal; the set bit alone if the limit is reached. -EAGAIN where losing the info matters. */
static int enqueue(struct process *process, struct sigpending *pending, const struct ksiginfo *info)
{
	int signo = info->signo;

	if (signo < SIGRTMIN && (pending->set & SIGBIT(signo)))
		return 0;
	if (signo == SIGKILL) {
		pending->set |= SIGBIT(signo);
		return 0;
	}
	bool must = signo < SIGRTMIN || info->code >= 0;
	struct sigqueue *entry = NULL;
	if (signo < SIGRTMIN || process->sigqueue_count < process->rlimit[RLIMIT_SIGPENDING].cur)
		entry = kzalloc(sizeof(*entry));
	if (!entry && !must)
		return -EAGAIN;
	if (entry) {
		entry->info = *info;
		process->sigqueue_count++;
		TAILQ_INSERT_TAIL(&pending->queue, entry, link);
	}
	pending->set |= SIGBIT(signo);
	return 0;
}

/* Who sent it, as the receiver's namespaces have it; from outside of that, nobody, and two signals reach even its first process. */
static void translate(struct ksiginfo *info, const struct process *process, const struct cred *cred)
{
	const struct pid_ns *ns = process->pid_ns;

	if (info->pid && !ns->identity && (info->code == SI_USER || info->code == SI_TKILL || info->signo == SIGCHLD))
		info->pid = pid_ns_nr(ns, info->pid);
	if (cred && (info->code == SI_USER || info->code == SI_TKILL || info->code == SI_QUEUE || info->code == SI_MESGQ ||
			    (info->signo == SIGCHLD && info->code > 0)))
		info->uid = uid_seen_by(cred, info->uid);
	if (process->ns_init && (info->code == SI_USER || info->code == SI_TKILL || info->code == SI_QUEUE) &&
		(info->signo == SIGKILL || info->signo == SIGSTOP) && current->process &&
		!pid_ns_contains(ns, current->process->pid_ns))
		info->forced = true;
}

static int send(struct process *process, struct task *target, struct task *asked, const struct ksiginfo *original)
{
	struct ksiginfo own = *original, *info = &own;
	struct task *judge = target ? target : process->leader;

	if (process->zombie || !info->signo || (target && (target->state == TASK_ZOMBIE || target->exiting)))
		return 0;
	if (process->exiting && info->signo != SIGKILL)
		return 0;
	translate(info, process, judge ? judge->cred : NULL);
	prepare(process, info->signo);
	if (signal_is_ignored(judge, info->signo, info->forced))
		return 0;
	int rc = enqueue(process, target ? &target->pending : &process->pending, info);
	if (rc == 0)
		wake_taker(process, target, asked, info->signo);
	return rc;
}

int signal_send_task(struct task *task, const struct ksiginfo *info)
{
	return task->process ? send(task->process, task, NULL, info) : -EPERM;
}

int signal_send_process(struct process *process, const struct ksiginfo *info)
{
	return send(process, NULL, NULL, info);
}

int signal_send_asked(struct process *process, struct task *asked, const struct ksiginfo *info)
{
	return send(process, NULL, asked, info);
}

int signal_send_group(int pgid, const struct ksiginfo *info)
{
	struct process *process;
	int rc = -ESRCH;

	TAILQ_FOREACH(process, &all_processes, all) {
		if (process->pgid != pgid)
			continue;
		int one = send(process, NULL, NULL, info);
		if (rc)
			rc = one;
	}
	return rc;
}

void signal_send_kernel(struct task *task, int signo)
{
	struct ksiginfo info = {.signo = signo, .code = SI_KERNEL, .forced = true};

	signal_send_process(task->process, &info);
}

void signal_force(struct task *task, const struct ksiginfo *info)
{
	struct ksigaction *action = &task->process->sighand->action[info->signo - 1];
	struct ksiginfo forced = *info;

	forced.forced = true;
	if ((task->blocked & SIGBIT(info->signo)) || action->handler == (uint64_t)SIG_IGN) {
		action->handler = (uint64_t)SIG_DFL;
		task->blocked &= ~SIGBIT(info->signo);
	}
	/* Past the ignore rules: even the first process dies of its own fault. */
	if (enqueue(task->process, &task->pending, &forced) == 0)
		signal_wake_task(task);
}

int signal_send_sigqueue(struct sigqueue *entry, struct process *process, struct task *task, struct task *asked)
{
	struct sigpending *pending = task ? &task->pending : &process->pending;
	struct sigqueue *queued;

	if (process->zombie || process->exiting || (task && task->exiting))
		return 2;
	TAILQ_FOREACH(queued, &pending->queue, link) {
		if (queued == entry)
			return 1;
	}
	prepare(process, entry->info.signo);
	if (signal_is_ignored(task ? task : process->leader, entry->info.signo, false))
		return 2;
	TAILQ_INSERT_TAIL(&pending->queue, entry, link);
	pending->set |= SIGBIT(entry->info.signo);
	wake_taker(process, task, asked, entry->info.signo);
	return 0;
}

bool signal_cancel_sigqueue(struct sigqueue *entry, struct process *process)
{
	struct sigpending *pending = &process->pending;
	struct task *task = TAILQ_FIRST(&process->tasks);

	while (pending) {
		struct sigqueue *queued;
		bool another = false, found = false;

		TAILQ_FOREACH(queued, &pending->queue, link) {
			found |= queued == entry;
			another |= queued != entry && queued->info.signo == entry->info.signo;
		}
		if (found) {
			TAILQ_REMOVE(&pending->queue, entry, link);
			if (!another)
				pending->set &= ~SIGBIT(entry->info.signo);
			return true;
		}
		pending = task ? &task->pending : NULL;
		task = task ? TAILQ_NEXT(task, sibling) : NULL;
	}
	return false;
}

/* Lowest number first, but synchronous ones before all. */
static int next_signal(sigset64 set)
{
	if (set & SYNCHRONOUS)
		set &= SYNCHRONOUS;
	return set ? __builtin_ctzll(set) + 1 : 0;
}

static int take(struct process *process, struct sigpending *pending, sigset64 set, struct ksiginfo *info)
{
	int signo = next_signal(pending->set & set);
	struct sigqueue *entry, *found = NULL;
	bool more = false;

	if (!signo)
		return 0;
	TAILQ_FOREACH(entry, &pending->queue, link) {
		if (entry->info.signo != signo)
			continue;
		if (found) {
			more = true;
			break;
		}
		found = entry;
	}
	if (!more)
		pending->set &= ~SIGBIT(signo);
	if (!found) {
		*info = (struct ksiginfo){.signo = signo, .code = SI_USER};
		return signo;
	}
	TAILQ_REMOVE(&pending->queue, found, link);
	*info = found->info;
	if (found->owner)
		posix_timer_dequeued(found->owner, info);
	sigqueue_free(process, found);
	return signo;
}

bool signal_peek(const struct task *task, bool shared, uint64_t index, struct ksiginfo *info)
{
	const struct sigpending *pending = shared ? &task->process->pending : &task->pending;
	const struct sigqueue *entry;

	TAILQ_FOREACH(entry, &pending->queue, link) {
		if (index--)
			continue;
		*info = entry->info;
		return true;
	}
	return false;
}

int signal_dequeue(struct task *task, sigset64 set, struct ksiginfo *info)
{
	int signo = take(task->process, &task->pending, set, info);

	return signo ? signo : take(task->process, &task->process->pending, set, info);
}
