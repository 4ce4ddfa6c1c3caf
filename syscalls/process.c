/*
 * Processes: clone, exit, wait, groups and sessions, limits (clone(2), wait(2), setpgid(2), getrlimit(2)).
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/errno.h>
#include <linux/personality.h>
#include <linux/fcntl.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/wait.h>

#include "kernel/ktime.h"
#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "kernel/process.h"
#include "kernel/rlimit.h"
#include "kernel/user_ns.h"
#include "ring0/clock.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "syscalls/syscalls.h"
#include "vfs/anon/anon.h"

int64_t sys_getpid(struct regs *regs)
{
	return current->process->vpid;
}

int64_t sys_gettid(struct regs *regs)
{
	return current->vtid;
}

int64_t sys_getppid(struct regs *regs)
{
	const struct process *parent = current->process->parent;

	return parent && parent->pid_ns == current->process->pid_ns ? parent->vpid : 0;
}

int64_t sys_getpgrp(struct regs *regs)
{
	return pid_vnr(current->process->pgid);
}

int64_t sys_getpgid(struct regs *regs)
{
	const struct process *process = current->process;

	if (INT0(regs)) {
		const struct task *task = task_find(INT0(regs));

		if (!task)
			return -ESRCH;
		process = task->process;
	}
	return pid_vnr(process->pgid);
}

int64_t sys_getsid(struct regs *regs)
{
	const struct process *process = current->process;

	if (INT0(regs)) {
		const struct task *task = task_find(INT0(regs));

		if (!task)
			return -ESRCH;
		process = task->process;
	}
	return pid_vnr(process->session->sid);
}

int64_t sys_fork(struct regs *regs)
{
	struct clone_args args = {.exit_signal = SIGCHLD};

	return task_clone(&args, regs);
}

int64_t sys_vfork(struct regs *regs)
{
	struct clone_args args = {.flags = CLONE_VFORK | CLONE_VM, .exit_signal = SIGCHLD};

	return task_clone(&args, regs);
}

int64_t sys_clone(struct regs *regs)
{
	uint32_t flags = (uint32_t)ARG0(regs);
	struct clone_args args = {
		.flags = flags & ~(uint32_t)CSIGNAL,
		.exit_signal = flags & CSIGNAL,
		.stack = ARG1(regs),
		.pidfd = ARG2(regs),
		.parent_tid = ARG2(regs),
		.child_tid = ARG3(regs),
		.tls = ARG4(regs),
	};

	if ((flags & CLONE_PIDFD) && (flags & CLONE_PARENT_SETTID))
		return -EINVAL;
	return task_clone(&args, regs);
}

int64_t sys_clone3(struct regs *regs)
{
	struct clone_args args = {0};
	uint64_t size = ARG1(regs);

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	int rc = copy_struct_from_user(&args, sizeof(args), PTR0(regs), size);
	if (rc)
		return rc;
	if (args.flags & ~(uint64_t)(0xffffffffull | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP))
		return -EINVAL;
	/* CSIGNAL's bits are no flags here, but for the one that a namespace uses. */
	if (args.flags & (CLONE_DETACHED | (CSIGNAL & ~CLONE_NEWTIME)))
		return -EINVAL;
	if ((args.flags & (CLONE_THREAD | CLONE_PARENT)) && args.exit_signal)
		return -EINVAL;
	if (!!args.stack != !!args.stack_size)
		return -EINVAL;
	return task_clone(&args, regs);
}

int64_t sys_exit(struct regs *regs)
{
	task_exit(WAIT_EXITED(INT0(regs)));
}

int64_t sys_exit_group(struct regs *regs)
{
	process_exit_group(WAIT_EXITED(INT0(regs)));
}

static void usage_times(struct rusage *usage, uint64_t utime, uint64_t stime)
{
	usage->ru_utime.tv_sec = (int64_t)(utime / NS_PER_S);
	usage->ru_utime.tv_usec = (int64_t)(utime % NS_PER_S / 1000);
	usage->ru_stime.tv_sec = (int64_t)(stime / NS_PER_S);
	usage->ru_stime.tv_usec = (int64_t)(stime % NS_PER_S / 1000);
}

static int put_wait_usage(uaddr_t to, const struct wait_result *result)
{
	struct rusage usage = {
		.ru_maxrss = (int64_t)result->rusage_maxrss,
		.ru_minflt = (int64_t)result->rusage_minflt,
		.ru_majflt = (int64_t)result->rusage_majflt,
		.ru_nvcsw = (int64_t)result->rusage_nvcsw,
		.ru_nivcsw = (int64_t)result->rusage_nivcsw,
	};

	usage_times(&usage, result->utime, result->stime);
	return copy_to_user(to, &usage, sizeof(usage));
}

int64_t sys_wait4(struct regs *regs)
{
	int pid = INT0(regs), options = INT2(regs), which = P_PID;
	struct wait_result result;

	if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	if (pid == -1) {
		which = P_ALL;
	} else if (pid <= 0) {
		which = P_PGID;
		pid = pid ? pid_from_user(-pid) : current->process->pgid;
	} else {
		pid = pid_from_user(pid);
	}
	int rc = task_wait(which, pid, options | WEXITED, &result);
	if (rc <= 0)
		return rc;
	if (ARG1(regs) && put_user(result.status, PTR1(regs)))
		return -EFAULT;
	if (ARG3(regs) && put_wait_usage(PTR3(regs), &result))
		return -EFAULT;
	return rc;
}

/* P_PIDFD names a process by a descriptor: its pid, or -errno. */
static int pid_of_pidfd(int fd, unsigned *file_flags)
{
	struct file *file = fd_file(fd);

	if (!file)
		return -EBADF;
	const struct process *process = pidfd_process(file);
	int pid = process ? process->pid : -EBADF;
	*file_flags = file->flags;
	file_put(file);
	return pid;
}

static int wait_target(int *which, int id, int *options, unsigned *file_flags)
{
	switch (*which) {
	case P_ALL:
		return 0;
	case P_PID:
		return id > 0 ? pid_from_user(id) : -EINVAL;
	case P_PGID:
		return id > 0 ? pid_from_user(id) : id == 0 ? current->process->pgid : -EINVAL;
	case P_PIDFD:
		if (id < 0)
			return -EINVAL;
		*which = P_PID;
		id = pid_of_pidfd(id, file_flags);
		if (id >= 0 && (*file_flags & O_NONBLOCK))
			*options |= WNOHANG;
		return id;
	}
	return -EINVAL;
}

static int put_wait_info(uaddr_t to, const struct wait_result *result)
{
	struct ksiginfo info = {0};
	uint8_t out[128];

	if (result->pid) {
		info.signo = SIGCHLD;
		info.code = result->code;
		info.pid = result->pid;
		info.uid = uid_to_user(result->uid);
		info.status = result->code == CLD_EXITED || result->code == CLD_STOPPED ? result->status >> 8 & 0xff
			: result->code == CLD_CONTINUED ? SIGCONT
							: result->status & 0x7f;
	}
	ksiginfo_to_user(&info, out);
	/* The times at its end are not written by waitid(2). */
	return copy_to_user(to, out, 28);
}

int64_t sys_waitid(struct regs *regs)
{
	int which = INT0(regs), options = INT3(regs);
	bool was_nohang = options & WNOHANG;
	unsigned file_flags = 0;
	struct wait_result result;

	if (options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (!(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	int id = wait_target(&which, INT1(regs), &options, &file_flags);
	if (id < 0)
		return id;
	int rc = task_wait(which, id, options, &result);
	if (rc < 0)
		return rc;
	if (rc == 0 && !was_nohang && (options & WNOHANG))
		return -EAGAIN;
	if (ARG2(regs) && put_wait_info(PTR2(regs), &result))
		return -EFAULT;
	if (rc > 0 && ARG4(regs) && put_wait_usage(PTR4(regs), &result))
		return -EFAULT;
	return 0;
}

int64_t sys_setpgid(struct regs *regs)
{
	struct process *self = current->process, *process;
	int pid = INT0(regs), pgid = INT1(regs);

	if (pgid < 0)
		return -EINVAL;
	process = pid ? process_find(pid) : self;
	if (!process)
		return -ESRCH;
	pgid = pgid ? pid_from_user(pgid) : process->pid;
	if (process != self) {
		if (process->parent != self)
			return -ESRCH;
		if (process->session != self->session)
			return -EPERM;
		if (process->execed)
			return -EACCES;
	}
	if (process->session->sid == process->pid)
		return -EPERM;
	if (pgid != process->pid && !pgrp_exists_in_session(pgid, self->session))
		return -EPERM;
	process->pgid = pgid;
	task_answers_changed();
	return 0;
}

int64_t sys_setsid(struct regs *regs)
{
	struct process *process = current->process, *other;

	TAILQ_FOREACH(other, &all_processes, all) {
		if (other->pgid == process->pid)
			return -EPERM;
	}
	struct session *session = session_create(process->pid);
	if (!session)
		return -ENOMEM;
	session_put(process->session);
	process->session = session;
	process->pgid = process->pid;
	task_answers_changed();
	return process->vpid;
}

int64_t sys_set_tid_address(struct regs *regs)
{
	current->clear_child_tid = PTR0(regs);
	return current->vtid;
}

static void get_usage(int who, struct rusage *usage)
{
	struct process *process = current->process;
	const struct task *task;
	uint64_t utime, stime, maxrss;

	memset(usage, 0, sizeof(*usage));
	if (who == RUSAGE_CHILDREN) {
		usage_times(usage, process->cutime, process->cstime);
		usage->ru_minflt = (int64_t)process->cmin_flt;
		usage->ru_majflt = (int64_t)process->cmaj_flt;
		usage->ru_maxrss = (int64_t)process->cmaxrss;
		return;
	}
	maxrss = current->mm->hiwater_rss * (PAGE_SIZE / 1024);
	usage->ru_maxrss = (int64_t)(maxrss > process->maxrss ? maxrss : process->maxrss);
	if (who == RUSAGE_THREAD) {
		task_cpu_times(current, &utime, &stime);
		usage_times(usage, utime, stime);
	} else {
		process_cpu_times(process, &utime, &stime);
		usage_times(usage, utime, stime);
		usage->ru_minflt = (int64_t)process->min_flt;
		usage->ru_majflt = (int64_t)process->maj_flt;
		usage->ru_nvcsw = (int64_t)process->nvcsw;
		usage->ru_nivcsw = (int64_t)process->nivcsw;
	}
	TAILQ_FOREACH(task, &process->tasks, sibling) {
		if (task->state == TASK_ZOMBIE || (who == RUSAGE_THREAD && task != current))
			continue;
		usage->ru_minflt += (int64_t)task->min_flt;
		usage->ru_majflt += (int64_t)task->maj_flt;
		usage->ru_nvcsw += (int64_t)task->nvcsw;
		usage->ru_nivcsw += (int64_t)task->nivcsw;
	}
}

int64_t sys_getrusage(struct regs *regs)
{
	struct rusage usage;
	int who = INT0(regs);

	if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD)
		return -EINVAL;
	get_usage(who, &usage);
	return copy_to_user(PTR1(regs), &usage, sizeof(usage));
}

int64_t sys_getrlimit(struct regs *regs)
{
	unsigned resource = (unsigned)ARG0(regs);

	if (resource >= RLIMIT_COUNT)
		return -EINVAL;
	struct rlimit64_pair value = current->process->rlimit[resource];
	return copy_to_user(PTR1(regs), &value, sizeof(value));
}

int64_t sys_setrlimit(struct regs *regs)
{
	struct rlimit64_pair value;

	if (get_user(value, PTR1(regs)))
		return -EFAULT;
	return rlimit_set(current->process, (unsigned)ARG0(regs), &value);
}

/* prlimit(2) wants all ids of the target to be the caller's, or CAP_SYS_RESOURCE. */
static bool may_limit(const struct task *task)
{
	const struct cred *a = current->cred, *b = task->cred;

	if (task->process == current->process)
		return true;
	if (a->uid == b->euid && a->uid == b->suid && a->uid == b->uid && a->gid == b->egid && a->gid == b->sgid &&
		a->gid == b->gid)
		return true;
	return ns_capable(b->user_ns, CAP_SYS_RESOURCE);
}

int64_t sys_prlimit64(struct regs *regs)
{
	unsigned resource = (unsigned)ARG1(regs);
	struct rlimit64_pair value, old;

	if (resource >= RLIMIT_COUNT)
		return -EINVAL;
	if (ARG2(regs) && get_user(value, PTR2(regs)))
		return -EFAULT;
	struct task *task = INT0(regs) ? task_find(INT0(regs)) : current;
	if (!task)
		return -ESRCH;
	if (!may_limit(task))
		return -EPERM;
	old = task->process->rlimit[resource];
	int rc = ARG2(regs) ? rlimit_set(task->process, resource, &value) : 0;
	if (!rc && ARG3(regs))
		rc = copy_to_user(PTR3(regs), &old, sizeof(old));
	return rc;
}

int64_t sys_personality(struct regs *regs)
{
	struct process *process = current->process;
	uint32_t old = process->personality, value = (uint32_t)ARG0(regs);

	if (value == 0xffffffffu)
		return old;
	/* Only Linux' own domains; of the flags, those that change nothing here or that exec and mmap look at. */
	if ((value & PER_MASK) != PER_LINUX && (value & PER_MASK) != PER_LINUX32)
		return -EINVAL;
	process->personality = value;
	return old;
}

int64_t sys_times(struct regs *regs)
{
	struct process *process = current->process;
	const uint64_t tick = NS_PER_S / USER_HZ;
	uint64_t utime, stime;

	if (ARG0(regs)) {
		process_cpu_times(process, &utime, &stime);
		int64_t out[4] = {(int64_t)(utime / tick), (int64_t)(stime / tick), (int64_t)(process->cutime / tick),
			(int64_t)(process->cstime / tick)};
		if (copy_to_user(PTR0(regs), out, sizeof(out)))
			return -EFAULT;
	}
	return (int64_t)(clock_boottime() / tick);
}
