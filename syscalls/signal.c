/*
 * Signals: actions, masks, sending, waiting (sigaction(2), kill(2), sigtimedwait(2), sigaltstack(2)).
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/errno.h>
#include <linux/magic.h>

#include "kernel/ktime.h"
#include "kernel/namespaces.h"
#include "kernel/process.h"
#include "kernel/user_ns.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "syscalls/syscalls.h"
#include "vfs/anon/anon.h"
#include "vfs/proc/proc.h"

#define UNBLOCKABLE (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))
#define MIN_SIGSTKSZ 2048
#define STACK_DISABLE 2
#define STACK_ONSTACK 1
#define STACK_AUTODISARM (1u << 31)

static bool valid_signal(int signo)
{
	return signo >= 0 && signo <= KSIG_MAX;
}

int64_t sys_rt_sigaction(struct regs *regs)
{
	int signo = INT0(regs);
	struct ksigaction action, old;

	if (ARG3(regs) != sizeof(sigset64) || signo < 1 || signo > KSIG_MAX)
		return -EINVAL;
	if (ARG1(regs)) {
		if (get_user(action, PTR1(regs)))
			return -EFAULT;
		if (SIGBIT(signo) & UNBLOCKABLE)
			return -EINVAL;
		action.mask &= ~UNBLOCKABLE;
	}
	struct ksigaction *slot = &current->process->sighand->action[signo - 1];
	old = *slot;
	if (ARG1(regs)) {
		*slot = action;
		/* POSIX: a signal that comes to be ignored is no longer pending. */
		if (signal_is_ignored(current, signo, false) || action.handler == (uint64_t)SIG_IGN)
			signal_drop_pending(current->process, SIGBIT(signo));
	}
	return ARG2(regs) ? copy_to_user(PTR2(regs), &old, sizeof(old)) : 0;
}

int64_t sys_rt_sigprocmask(struct regs *regs)
{
	struct task *task = current;
	sigset64 old = task->blocked, set;

	if (ARG3(regs) != sizeof(sigset64))
		return -EINVAL;
	if (ARG1(regs)) {
		if (get_user(set, PTR1(regs)))
			return -EFAULT;
		switch (INT0(regs)) {
		case SIG_BLOCK:
			set = old | set;
			break;
		case SIG_UNBLOCK:
			set = old & ~set;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		signal_set_blocked(task, set);
	}
	return ARG2(regs) ? put_user(old, PTR2(regs)) : 0;
}

int64_t sys_rt_sigpending(struct regs *regs)
{
	uint64_t set = signal_pending_set(current) & current->blocked;

	if (ARG1(regs) > sizeof(set))
		return -EINVAL;
	return copy_to_user(PTR0(regs), &set, ARG1(regs));
}

int64_t sys_rt_sigreturn(struct regs *regs)
{
	if (signal_restore_frame(regs)) {
		struct ksiginfo info = {.signo = SIGSEGV, .code = SI_KERNEL};

		signal_force(current, &info);
		return 0;
	}
	return (int64_t)regs->rax;
}

static int64_t wait_for_signal(void)
{
	while (!signal_pending(current))
		(void)task_block(DEADLINE_NONE, true);
	return -ERESTARTNOHAND;
}

int64_t sys_rt_sigsuspend(struct regs *regs)
{
	sigset64 set;

	if (ARG1(regs) != sizeof(set))
		return -EINVAL;
	if (get_user(set, PTR0(regs)))
		return -EFAULT;
	signal_mask_set_temporary(set);
	return wait_for_signal();
}

int64_t sys_pause(struct regs *regs)
{
	return wait_for_signal();
}

/* Sleep until one of `set` is there to take. Signal number, -EAGAIN, -EINTR. */
static int wait_dequeue(sigset64 set, uint64_t deadline, struct ksiginfo *info)
{
	struct task *task = current;
	int signo = signal_dequeue(task, set, info), rc;

	if (signo || !deadline)
		return signo ? signo : -EAGAIN;
	/* Unblocked while waiting, so that a sender wakes us for them; what would be ignored is still kept. */
	sigset64 blocked = task->blocked;

	task->real_blocked = blocked;
	signal_set_blocked(task, blocked & ~set);
	rc = 0;
	while (!rc && !signal_pending(task))
		rc = task_block(deadline, true);
	signo = signal_dequeue(task, set, info);
	task->real_blocked = 0;
	signal_set_blocked(task, blocked);
	if (signo)
		return signo;
	return rc == -ETIMEDOUT ? -EAGAIN : -EINTR;
}

int64_t sys_rt_sigtimedwait(struct regs *regs)
{
	uint64_t deadline = DEADLINE_NONE;
	struct ksiginfo info;
	uint8_t out[128];
	sigset64 set;
	int64_t ns;

	if (ARG3(regs) != sizeof(set))
		return -EINVAL;
	if (get_user(set, PTR0(regs)))
		return -EFAULT;
	if (ARG2(regs)) {
		int rc = ktime_from_user(PTR2(regs), &ns);

		if (!rc && ns)
			rc = ktime_to_monotonic(1, ns, false, &deadline);
		if (rc)
			return rc;
		if (!ns)
			deadline = 0;
	}
	int signo = wait_dequeue(set & ~UNBLOCKABLE, deadline, &info);
	if (signo > 0 && ARG1(regs)) {
		ksiginfo_to_user(&info, out);
		if (copy_to_user(PTR1(regs), out, sizeof(out)))
			return -EFAULT;
	}
	return signo;
}

static int send_to(struct process *process, const struct ksiginfo *info)
{
	int rc = signal_may_send(current, process->leader, info->signo);

	if (!rc && info->signo)
		rc = signal_send_process(process, info);
	return rc;
}

/* kill(2) with a group (pgid > 0) or everybody but init and ourselves (-1). */
static int kill_many(int pgid, const struct ksiginfo *info)
{
	struct process *process, *next;
	int rc = -ESRCH;
	bool sent = false;

	TAILQ_FOREACH_SAFE(process, &all_processes, all, next) {
		if (pgid > 0 && process->pgid != pgid)
			continue;
		if (!pid_ns_contains(current->process->pid_ns, process->pid_ns))
			continue;
		if (pgid < 0 && (process == current->process->pid_ns->init || process == current->process))
			continue;
		int one = send_to(process, info);
		sent |= one == 0;
		rc = one;
	}
	return sent ? 0 : rc;
}

int64_t sys_kill(struct regs *regs)
{
	int pid = INT0(regs), signo = INT1(regs);
	struct ksiginfo info;

	if (!valid_signal(signo))
		return -EINVAL;
	signal_make_kill_info(&info, signo, SI_USER);
	if (pid > 0) {
		const struct task *task = task_find(pid);

		return task ? send_to(task->process, &info) : -ESRCH;
	}
	if (pid == INT32_MIN)
		return -ESRCH;
	int pgid = pid == 0 ? current->process->pgid : pid == -1 ? -1 : pid_from_user(-pid);
	return pgid ? kill_many(pgid, &info) : -ESRCH;
}

static int64_t send_to_thread(int tgid, int tid, const struct ksiginfo *info)
{
	struct task *task = task_find(tid);

	if (!task || (tgid > 0 && task->process->pid != pid_from_user(tgid)))
		return -ESRCH;
	int rc = signal_may_send(current, task, info->signo);
	if (!rc && info->signo)
		rc = signal_send_task(task, info);
	return rc;
}

int64_t sys_tgkill(struct regs *regs)
{
	struct ksiginfo info;

	if (INT0(regs) <= 0 || INT1(regs) <= 0 || !valid_signal(INT2(regs)))
		return -EINVAL;
	signal_make_kill_info(&info, INT2(regs), SI_TKILL);
	return send_to_thread(INT0(regs), INT1(regs), &info);
}

int64_t sys_tkill(struct regs *regs)
{
	struct ksiginfo info;

	if (INT0(regs) <= 0 || !valid_signal(INT1(regs)))
		return -EINVAL;
	signal_make_kill_info(&info, INT1(regs), SI_TKILL);
	return send_to_thread(0, INT0(regs), &info);
}

/* The siginfo that a program made. It may not look as if the kernel or kill(2) had sent it, but to oneself. */
static int user_info(uaddr_t from, int signo, int pid, struct ksiginfo *info)
{
	uint8_t in[128];

	if (copy_from_user(in, from, sizeof(in)))
		return -EFAULT;
	ksiginfo_from_user(info, in);
	info->signo = signo;
	info->uid = uid_from_user(info->uid);
	if ((info->code >= 0 || info->code == SI_TKILL) && pid != current->process->vpid)
		return -EPERM;
	return valid_signal(signo) ? 0 : -EINVAL;
}

int64_t sys_rt_sigqueueinfo(struct regs *regs)
{
	struct ksiginfo info;
	int rc = user_info(PTR2(regs), INT1(regs), INT0(regs), &info);

	if (rc)
		return rc;
	const struct task *task = task_find(INT0(regs));
	return task ? send_to(task->process, &info) : -ESRCH;
}

int64_t sys_rt_tgsigqueueinfo(struct regs *regs)
{
	struct ksiginfo info;

	if (INT0(regs) <= 0 || INT1(regs) <= 0)
		return -EINVAL;
	int rc = user_info(PTR3(regs), INT2(regs), INT0(regs), &info);
	return rc ? rc : send_to_thread(INT0(regs), INT1(regs), &info);
}

/* pidfd_send_signal(2) takes a pidfd, or a directory /proc/PID that is open. No reference. 0, -EBADF: neither, -ESRCH: gone. */
static int process_of_file(const struct file *file, struct process **process)
{
	*process = pidfd_process(file);
	if (*process)
		return 0;
	if (!file->inode || file->inode->sb->magic != PROC_SUPER_MAGIC)
		return -EBADF;
	const struct pseudo_inode *inode = pseudo_of(file->inode);
	if (!inode->entry || inode->entry->children != proc_pid_table || !proc_is_process(inode))
		return -EBADF;
	const struct task *task = pseudo_task(inode);
	*process = task ? task->process : NULL;
	return task ? 0 : -ESRCH;
}

int64_t sys_pidfd_send_signal(struct regs *regs)
{
	int signo = INT1(regs), rc;
	struct process *process;
	struct ksiginfo info;

	if (ARG3(regs))
		return -EINVAL;
	struct file *file = fd_file(INT0(regs));
	if (!file)
		return -EBADF;
	rc = process_of_file(file, &process);
	if (!rc && !valid_signal(signo))
		rc = -EINVAL;
	if (!rc && ARG2(regs))
		rc = user_info(PTR2(regs), signo, pid_vnr(process->pid), &info);
	else if (!rc)
		signal_make_kill_info(&info, signo, SI_USER);
	if (!rc && info.signo != signo)
		rc = -EINVAL;
	if (!rc)
		rc = process->leader ? send_to(process, &info) : -ESRCH;
	file_put(file);
	return rc;
}

struct user_stack { /* stack_t */
	uint64_t sp;
	uint32_t flags, pad;
	uint64_t size;
};

int64_t sys_sigaltstack(struct regs *regs)
{
	struct task *task = current;
	struct user_stack stack, old = {.sp = task->altstack_sp, .size = task->altstack_size};
	bool on = signal_on_altstack(task, regs->rsp);

	old.flags = task->altstack_flags;
	old.flags |= !task->altstack_size ? STACK_DISABLE : on ? STACK_ONSTACK : 0;
	if (ARG0(regs)) {
		if (get_user(stack, PTR0(regs)))
			return -EFAULT;
		if (on)
			return -EPERM;
		uint32_t mode = stack.flags & ~STACK_AUTODISARM;
		if (mode != 0 && mode != STACK_DISABLE && mode != STACK_ONSTACK)
			return -EINVAL;
		if (mode == STACK_DISABLE)
			stack.sp = stack.size = 0;
		else if (stack.size < MIN_SIGSTKSZ)
			return -ENOMEM;
		task->altstack_sp = stack.sp;
		task->altstack_size = stack.size;
		task->altstack_flags = stack.flags & STACK_AUTODISARM;
	}
	return ARG1(regs) ? copy_to_user(PTR1(regs), &old, sizeof(old)) : 0;
}

int64_t sys_restart_syscall(struct regs *regs)
{
	struct task *task = current;

	return task->restart.fn ? task->restart.fn(task) : -EINTR;
}
