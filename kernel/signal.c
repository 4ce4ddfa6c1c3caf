/*
 * Signal state: action tables, masks, permission, the user's view of a siginfo.
 *
 * Queues are in signal_queue.c, delivery in signal_deliver.c, the user's frame in
 * signal_frame.c, exceptions in signal_trap.c. Everything under the kernel lock.
 * Invariant: signal_pending(task) implies WORK_SIGNAL in task->work, so a task that must
 * look at its signals never goes back to user mode by the fast path.
 * signal(7), sigaction(2), kill(2).
 */
#include <asm/signal.h>
#include <asm/siginfo.h>
#include <linux/errno.h>

#include "kernel/mm.h"
#include "kernel/process.h"
#include "kernel/user_ns.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"

#define UNBLOCKABLE (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))

struct sighand *sighand_create(void)
{
	struct sighand *sighand = kzalloc(sizeof(*sighand));

	if (sighand) {
		sighand->refs = 1;
		waitq_init(&sighand->signalfd_waiters);
	}
	return sighand;
}

struct sighand *sighand_copy(const struct sighand *from)
{
	struct sighand *sighand = sighand_create();

	if (sighand)
		memcpy(sighand->action, from->action, sizeof(sighand->action));
	return sighand;
}

void sighand_put(struct sighand *sighand)
{
	if (--sighand->refs)
		return;
	/* A signalfd in an epoll set that a child inherited outlives us: it hears no more. */
	waitq_wake_all(&sighand->signalfd_waiters);
	while (!waitq_empty(&sighand->signalfd_waiters))
		waitq_remove(TAILQ_FIRST(&sighand->signalfd_waiters.waiters));
	kfree(sighand);
}

void sigpending_init(struct sigpending *pending)
{
	pending->set = 0;
	TAILQ_INIT(&pending->queue);
}

sigset64 signal_pending_set(const struct task *task)
{
	return task->pending.set | task->process->pending.set;
}

bool signal_pending(const struct task *task)
{
	if (task->exiting || !task->process)
		return false;
	if (task->ptrace.tracer ? ptrace_wants_stop(task) : task->process->stopped)
		return true;
	return task->killed || (signal_pending_set(task) & ~task->blocked);
}

bool signal_fatal_pending(const struct task *task)
{
	return task->killed && !task->exiting;
}

void signal_set_blocked(struct task *task, sigset64 set)
{
	sigset64 newly = set & ~UNBLOCKABLE & ~task->blocked;

	task->blocked = set & ~UNBLOCKABLE;
	if (newly & task->process->pending.set)
		signal_retarget(task, newly);
	if (signal_pending(task))
		task_set_work(task, WORK_SIGNAL);
}

void signal_mask_set_temporary(sigset64 set)
{
	struct task *task = current;

	task->saved_blocked = task->blocked;
	task->restore_blocked = true;
	signal_set_blocked(task, set);
}

int signal_mask_set_temporary_user(uaddr_t set, uint64_t size)
{
	sigset64 mask;

	if (!set.v)
		return 0;
	if (size != sizeof(mask))
		return -EINVAL;
	if (get_user(mask, set))
		return -EFAULT;
	signal_mask_set_temporary(mask);
	return 0;
}

void signal_mask_restore(bool interrupted)
{
	struct task *task = current;

	if (!task->restore_blocked)
		return;
	/* signal_deliver() uses the saved mask for the frame, or puts it back if no handler runs. */
	if (interrupted && signal_pending(task))
		return;
	task->restore_blocked = false;
	signal_set_blocked(task, task->saved_blocked);
}

int signal_may_send(const struct task *from, const struct task *to, int signo)
{
	const struct cred *a = from->cred, *b = to->cred;

	if (from->process == to->process)
		return 0;
	if (a->euid == b->suid || a->euid == b->uid || a->uid == b->suid || a->uid == b->uid)
		return 0;
	if (signo == SIGCONT && from->process->session == to->process->session)
		return 0;
	return cred_ns_capable(a, b->user_ns, CAP_KILL) ? 0 : -EPERM;
}

void signal_make_kill_info(struct ksiginfo *info, int signo, int code)
{
	memset(info, 0, sizeof(*info));
	info->signo = signo;
	info->code = code;
	info->pid = current->process->pid;
	info->uid = current->cred->uid;
}

void signal_exec_reset(struct task *task)
{
	struct process *process = task->process;

	if (process->sighand->refs > 1) {
		struct sighand *own = sighand_copy(process->sighand);

		/* Past execve's point of no return: the program cannot start, and must not change another's actions. */
		if (!own) {
			klog(LOG_WARNING, "out of memory: killed process %d (%s)", process->pid, task->comm);
			signal_kill_process(process, WAIT_SIGNALED(SIGKILL));
			return;
		}
		sighand_put(process->sighand);
		process->sighand = own;
	}
	for (int i = 0; i < KSIG_MAX; i++) {
		struct ksigaction *action = &process->sighand->action[i];
		uint64_t handler = action->handler == (uint64_t)SIG_IGN ? (uint64_t)SIG_IGN : (uint64_t)SIG_DFL;

		*action = (struct ksigaction){.handler = handler};
	}
	task->altstack_sp = task->altstack_size = 0;
	task->altstack_flags = 0;
}

/* Where each kind of signal has its fields: <asm-generic/siginfo.h>, union __sifields. */
enum fields { FIELDS_KILL, FIELDS_TIMER, FIELDS_POLL, FIELDS_FAULT, FIELDS_CHILD, FIELDS_SYSCALL };

static enum fields fields_of(int signo, int code)
{
	if (code == SI_TIMER)
		return FIELDS_TIMER;
	if (code == SI_SIGIO)
		return FIELDS_POLL;
	if (code <= 0 || code == SI_KERNEL)
		return FIELDS_KILL;
	switch (signo) {
	case SIGILL:
	case SIGFPE:
	case SIGSEGV:
	case SIGBUS:
	case SIGTRAP:
		return FIELDS_FAULT;
	case SIGCHLD:
		return FIELDS_CHILD;
	case SIGSYS:
		return FIELDS_SYSCALL;
	}
	/* What F_SETSIG sends, whichever signal that is. */
	return signo == SIGPOLL || code <= POLL_HUP ? FIELDS_POLL : FIELDS_KILL;
}

static void put(uint8_t *to, size_t offset, const void *value, size_t size)
{
	memcpy(to + offset, value, size);
}

#define PUT(offset, field) put(out, (offset), &info->field, sizeof(info->field))

void ksiginfo_to_user(const struct ksiginfo *info, uint8_t out[128])
{
	int64_t band = info->band;

	memset(out, 0, 128);
	PUT(0, signo);
	PUT(4, err);
	PUT(8, code);
	switch (fields_of(info->signo, info->code)) {
	case FIELDS_KILL:
		PUT(16, pid);
		PUT(20, uid);
		PUT(24, value);
		break;
	case FIELDS_TIMER:
		PUT(16, timer_id);
		PUT(20, overrun);
		PUT(24, value);
		break;
	case FIELDS_POLL:
		put(out, 16, &band, sizeof(band));
		PUT(24, fd);
		break;
	case FIELDS_FAULT:
		PUT(16, addr);
		PUT(24, addr_lsb);
		break;
	case FIELDS_CHILD:
		PUT(16, pid);
		PUT(20, uid);
		PUT(24, status);
		PUT(32, utime);
		PUT(40, stime);
		break;
	case FIELDS_SYSCALL:
		PUT(16, addr);
		PUT(24, syscall);
		PUT(28, arch);
		break;
	}
}

void ksiginfo_from_user(struct ksiginfo *info, const uint8_t in[128])
{
	memset(info, 0, sizeof(*info));
	memcpy(&info->signo, in, 4);
	memcpy(&info->err, in + 4, 4);
	memcpy(&info->code, in + 8, 4);
	memcpy(&info->pid, in + 16, 4);
	memcpy(&info->uid, in + 20, 4);
	memcpy(&info->value, in + 24, 8);
	info->timer_id = info->pid;
	info->overrun = (int32_t)info->uid;
	memcpy(&info->band, in + 16, 4);
	memcpy(&info->fd, in + 24, 4);
	memcpy(&info->addr, in + 16, 8);
	memcpy(&info->status, in + 24, 4);
}
