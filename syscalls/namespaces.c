/*
 * unshare(2) and setns(2).
 */
#include <linux/errno.h>
#include <linux/sched.h>

#include "kernel/cred.h"
#include "kernel/files.h"
#include "kernel/namespaces.h"
#include "kernel/task.h"
#include "kernel/user_ns.h"
#include "ring0/lib.h"
#include "syscalls/syscalls.h"
#include "vfs/anon/anon.h"
#include "vfs/vfs.h"

#define OTHERS (CLONE_FILES | CLONE_FS | CLONE_SYSVSEM | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)

/* What unshare(2) makes, until all of it is there. */
struct unshared {
	struct fd_table *files;
	struct fs_context *fs;
	struct ns_set *ns;
	struct cred *cred;
};

static int check_flags(const struct task *task, uint64_t flags)
{
	if (flags & ~(CLONE_ALL_NAMESPACES | OTHERS))
		return -EINVAL;
	if (flags & CLONE_NEWUSER)
		flags |= CLONE_THREAD;
	/* These are only "unshared" while there is nothing shared. */
	if ((flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) && task->process->threads > 1)
		return -EINVAL;
	if ((flags & (CLONE_SIGHAND | CLONE_VM)) && task->process->sighand->refs > 1)
		return -EINVAL;
	if ((flags & CLONE_VM) && !task_is_single(task))
		return -EINVAL;
	return flags & CLONE_NEWUSER ? 0 : ns_check_flags(flags, task->cred);
}

static int prepare(struct task *task, uint64_t flags, struct unshared *new)
{
	const struct cred *cred = task->cred;
	int rc = 0;

	if (flags & CLONE_NEWUSER) {
		cred = new->cred = cred_copy(cred);
		rc = cred ? user_ns_enter_new(new->cred) : -ENOMEM;
		if (!rc)
			rc = ns_check_flags(flags, cred);
	}
	if (!rc && (flags & CLONE_FILES))
		rc = files_clone(task->files, false, &new->files);
	/* The namespace's mounts are the caller's alone: so are its root and working directory. */
	if (!rc && (flags & (CLONE_FS | CLONE_NEWNS | CLONE_NEWUSER)))
		rc = fs_context_clone(task->fs, false, &new->fs);
	if (!rc && (flags & CLONE_KNOWN_NAMESPACES))
		rc = ns_set_clone(task->ns, flags, cred->user_ns, new->fs, &new->ns);
	return rc;
}

/* What the task does not need: the old ones, or the new ones where something failed. */
static void let_go(const struct unshared *old)
{
	if (old->files)
		files_put(old->files);
	if (old->fs)
		fs_context_put(old->fs);
	if (old->ns)
		ns_set_put(old->ns);
	if (old->cred)
		cred_put(old->cred);
}

int64_t sys_unshare(struct regs *regs)
{
	struct unshared new = {.files = NULL}, old = {.files = NULL};
	struct task *task = current;
	int rc = check_flags(task, ARG0(regs));

	if (!rc)
		rc = prepare(task, ARG0(regs), &new);
	if (rc) {
		let_go(&new);
		return rc;
	}
	if (new.files) {
		old.files = task->files;
		task->files = new.files;
	}
	if (new.fs) {
		old.fs = task->fs;
		task->fs = new.fs;
	}
	if (new.ns) {
		old.ns = task->ns;
		task->ns = new.ns;
	}
	if (new.cred)
		cred_commit(new.cred);
	let_go(&old);
	return 0;
}

/* By a pidfd: the namespaces of that process that the flags name. */
static int enter_of_process(const struct process *process, uint64_t flags)
{
	static const struct {
		uint64_t flag;
		enum ns_kind kind;
	} order[] = {{CLONE_NEWUSER, NS_USER}, {CLONE_NEWUTS, NS_UTS}, {CLONE_NEWIPC, NS_IPC}, {CLONE_NEWNET, NS_NET}, {CLONE_NEWCGROUP, NS_CGROUP}, {CLONE_NEWPID, NS_PID}, {CLONE_NEWTIME, NS_TIME}, {CLONE_NEWNS, NS_MNT}};
	int rc = 0;

	if (!flags || (flags & ~(CLONE_KNOWN_NAMESPACES | CLONE_NEWUSER)))
		return -EINVAL;
	for (unsigned i = 0; !rc && i < ARRAY_SIZE(order); i++) {
		if (!(flags & order[i].flag))
			continue;
		struct ns *ns = process->leader ? ns_of_task(process->leader, order[i].kind, false) : NULL;
		if (!ns)
			return -ESRCH;
		rc = ns_enter(ns);
		ns_put(ns);
	}
	return rc;
}

int64_t sys_setns(struct regs *regs)
{
	struct file *file = fd_file(INT0(regs));
	uint64_t type = (uint32_t)ARG1(regs);
	int rc = -EINVAL;

	if (!file)
		return -EBADF;
	struct ns *ns = nsfs_namespace(file);
	const struct process *process = pidfd_process(file);
	if (ns && (!type || type == nsfs_clone_flag(ns)))
		rc = ns_enter(ns);
	else if (process)
		rc = enter_of_process(process, type);
	file_put(file);
	return rc;
}
