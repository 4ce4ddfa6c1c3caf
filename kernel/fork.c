/*
 * Making tasks: clone(2), clone3(2), fork(2), vfork(2).
 *
 * task_clone() decodes the flags first, then builds the new task aside (each step can
 * fail and is undone), then publishes it: from there nothing may fail. The child starts
 * in task_start() with a copy of the parent's registers and rax 0. A new field of struct
 * task or struct process must be considered in copy_task() and create_process().
 * A thread's group never changes; a process' parent does (exit.c). May sleep.
 */
#include <asm/signal.h>
#include <linux/errno.h>
#include <linux/ptrace.h>
#include <linux/resource.h>
#include <linux/sched.h>

#include "kernel/container.h"
#include "kernel/files.h"
#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "kernel/process.h"
#include "kernel/rlimit.h"
#include "kernel/time_ns.h"
#include "kernel/user_ns.h"
#include "platform/abi/hosted.h"
#include "ring0/clock.h"
#include "ring0/context.h"
#include "ring0/lib.h"
#include "ring0/lock.h"
#include "ring0/usercopy.h"

void task_start(void *arg)
{
	struct task *task = arg;

	sched_finish_switch();
	if (task->set_child_tid.v) {
		int32_t tid = task->vtid;

		(void)put_user(tid, task->set_child_tid); /* Linux ignores a fault here, too */
	}
	task_exit_work(task, task->regs);
	kernel_unlock();
	machine->enter_user(task->regs);
}

/* Which combinations clone(2) allows. 0 or -errno. */
static int check_flags(const struct clone_args *args)
{
	uint64_t flags = args->flags;

	if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM))
		return -EINVAL;
	if ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND))
		return -EINVAL;
	if ((flags & CLONE_CLEAR_SIGHAND) && (flags & CLONE_SIGHAND))
		return -EINVAL;
	if ((flags & CLONE_NEWNS) && (flags & CLONE_FS))
		return -EINVAL;
	if ((flags & CLONE_PARENT) && current->process->ns_init)
		return -EINVAL;
	if ((flags & CLONE_PIDFD) && (flags & (CLONE_THREAD | CLONE_DETACHED)))
		return -EINVAL;
	if (args->exit_signal > KSIG_MAX || (args->stack_size && !args->stack))
		return -EINVAL;
	/* All threads of a process are in one pid namespace. */
	if ((flags & CLONE_THREAD) && ((flags & CLONE_NEWPID) || current->ns->pid_for_children != current->process->pid_ns))
		return -EINVAL;
	if ((flags & CLONE_NEWPID) && (flags & CLONE_PARENT))
		return -EINVAL;
	if ((flags & CLONE_NEWUSER) && (flags & (CLONE_FS | CLONE_THREAD)))
		return -EINVAL;
	if (!(flags & CLONE_NEWUSER)) { /* else with its credentials: copy_cred() */
		int rc = ns_check_flags(flags, current->cred);

		if (rc)
			return rc;
	}
	if ((flags & CLONE_NEWIPC) && (flags & CLONE_SYSVSEM))
		return -EINVAL;
	if (args->set_tid_size || (flags & CLONE_INTO_CGROUP))
		return -EINVAL;
	if ((flags & CLONE_SETTLS) && args->tls >= USER_TOP)
		return -EPERM;
	return 0;
}

static int check_process_limit(void)
{
	uint64_t limit = rlimit_current(RLIMIT_NPROC), count = 0;
	struct process *process;

	if (!cgroup_may_fork(current->process->cgroup))
		return -EAGAIN;
	if (limit == UINT64_MAX || current->cred->uid == 0 || capable(CAP_SYS_RESOURCE) || capable(CAP_SYS_ADMIN))
		return 0;
	TAILQ_FOREACH(process, &all_processes, all) {
		if (process->leader && process->container == current->process->container &&
			process->leader->cred->uid == current->cred->uid)
			count += process->zombie ? 1 : process->threads;
	}
	return count >= limit ? -EAGAIN : 0;
}

static void copy_machine_state(struct task *task, const struct regs *regs, const struct clone_args *args)
{
	struct task *parent = current;

	machine->task_save(&parent->machine);
	machine->fpu_sync(&parent->machine);
	memcpy(task->machine.fpu, parent->machine.fpu, boot_info->xsave_size);
	task->machine.fs_base = (args->flags & CLONE_SETTLS) ? args->tls : parent->machine.fs_base;
	task->machine.gs_base = parent->machine.gs_base;
	*task->regs = *regs;
	task->regs->rax = 0;
	task->regs->orig_rax = (uint64_t)-1;
	if (args->stack)
		task->regs->rsp = args->stack + args->stack_size;
}

/* Everything of the task itself that needs no memory. */
static void copy_task(struct task *task, const struct clone_args *args)
{
	const struct task *parent = current;
	uint64_t flags = args->flags;

	task->work = parent->work & WORK_STRACE;
	memcpy(task->comm, parent->comm, sizeof(task->comm));
	task->affinity = parent->affinity;
	task->affinity_wanted = parent->affinity_wanted;
	task->nice = parent->nice;
	task->policy = parent->policy;
	task->rt_priority = parent->rt_priority;
	if (parent->reset_on_fork) {
		task->policy = SCHED_NORMAL;
		task->rt_priority = 0;
		task->nice = task->nice < 0 ? 0 : task->nice;
	}
	task->ioprio = parent->ioprio;
	task->mempolicy = parent->mempolicy;
	task->timer_slack = parent->timer_slack;
	task->blocked = parent->restore_blocked ? parent->saved_blocked : parent->blocked;
	if (!(flags & CLONE_VM) || (flags & CLONE_VFORK)) {
		task->altstack_sp = parent->altstack_sp;
		task->altstack_size = parent->altstack_size;
		task->altstack_flags = parent->altstack_flags;
	}
	if (!(flags & CLONE_VM)) {
		task->rseq = parent->rseq;
		task->rseq_len = parent->rseq_len;
		task->rseq_sig = parent->rseq_sig;
		if (task->rseq.v)
			task->work |= WORK_RSEQ;
	}
	if (flags & CLONE_CHILD_SETTID)
		task->set_child_tid = UADDR(args->child_tid);
	if (flags & CLONE_CHILD_CLEARTID)
		task->clear_child_tid = UADDR(args->child_tid);
}

/* The parent's, or in a user namespace of its own. */
static int copy_cred(struct task *task, uint64_t flags)
{
	int rc;

	if (!(flags & CLONE_NEWUSER)) {
		task->cred = current->cred;
		cred_get(task->cred);
		return 0;
	}
	task->cred = cred_copy(current->cred);
	rc = task->cred ? user_ns_enter_new(task->cred) : -ENOMEM;
	return rc ? rc : ns_check_flags(flags, task->cred);
}

/* A process of its own for the task. NULL: no memory. */
static struct process *create_process(const struct clone_args *args)
{
	struct process *from = current->process;
	struct process *process = process_alloc();

	if (!process)
		return NULL;
	if (args->flags & CLONE_SIGHAND) {
		process->sighand = from->sighand;
		process->sighand->refs++;
	} else {
		process->sighand = sighand_copy(from->sighand);
		if (!process->sighand) {
			process_put(process);
			return NULL;
		}
	}
	for (int i = 0; (args->flags & CLONE_CLEAR_SIGHAND) && i < KSIG_MAX; i++) {
		struct ksigaction *action = &process->sighand->action[i];

		if (action->handler != (uint64_t)SIG_IGN)
			*action = (struct ksigaction){0};
	}
	process->container = from->container;
	process->pgid = from->pgid;
	process->session = from->session;
	session_get(process->session);
	process->exit_signal = (args->flags & CLONE_PARENT) ? from->exit_signal : (int)args->exit_signal;
	memcpy(process->rlimit, from->rlimit, sizeof(process->rlimit));
	process->oom_score_adj = from->oom_score_adj;
	process->personality = from->personality;
	return process;
}

static int copy_mm(struct task *task, uint64_t flags)
{
	struct task *parent = current;

	if (flags & CLONE_VM) {
		mm_get(parent->mm);
		task->mm = parent->mm;
		return 0;
	}
	return mm_fork(parent->mm, &task->mm);
}

/* Give back what an unpublished task holds. May sleep. */
static void discard(struct task *task)
{
	struct mm *mm = task->mm;

	task->mm = NULL;
	if (mm)
		mm_put(mm);
	if (task->files)
		files_put(task->files);
	if (task->fs)
		fs_context_put(task->fs);
	task->files = NULL;
	task->fs = NULL;
	struct ns_set *ns = task->ns;
	task->ns = NULL;
	ns_set_put(ns);
	task_put(task);
}

/* The new task with all it needs, unpublished; NULL with the reason in *error. May sleep. */
static struct task *build(const struct clone_args *args, struct regs *regs, int *error)
{
	uint64_t flags = args->flags;
	struct task *task = task_alloc();

	*error = -ENOMEM;
	if (!task)
		return NULL;
	copy_task(task, args);
	copy_machine_state(task, regs, args);
	if (flags & CLONE_THREAD) {
		task->process = current->process;
		process_get(task->process);
	} else {
		task->process = create_process(args); /* its first reference is the task's for now */
		if (!task->process)
			goto fail;
	}
	*error = copy_cred(task, flags);
	if (*error)
		goto fail;
	*error = keyrings_fork(task, flags & CLONE_THREAD);
	if (*error)
		goto fail;
	*error = files_clone(current->files, flags & CLONE_FILES, &task->files);
	if (*error)
		goto fail;
	*error = fs_context_clone(current->fs, flags & CLONE_FS, &task->fs);
	if (*error)
		goto fail;
	*error = ns_set_clone(current->ns, flags, task->cred->user_ns, task->fs, &task->ns);
	if (*error)
		goto fail;
	if (!(flags & CLONE_THREAD))
		process_set_pid_ns(task->process, task->ns->pid_for_children);
	*error = copy_mm(task, flags);
	if (!*error && !(flags & CLONE_VM))
		*error = time_ns_begin(task);
	if (*error)
		goto fail;
	task->context = context_prepare(task->regs, task_start, task);
	return task;
fail:
	discard(task);
	return NULL;
}

static void publish(struct task *task, const struct clone_args *args, bool traced)
{
	struct process *process = task->process;

	if (!(args->flags & CLONE_THREAD)) {
		struct process *parent = (args->flags & CLONE_PARENT) ? current->process->parent : current->process;

		process_get(process); /* the task's; the first one is its own */
		process->pid = task->tid;
		process->vpid = task->vtid;
		if (!process->pid_ns->init) {
			process->pid_ns->init = process;
			process->ns_init = true;
		}
		process->leader = task;
		process->parent = parent;
		process->parent_tid = current->tid;
		if (parent) /* a process started from outside has none, nor has its sibling */
			TAILQ_INSERT_TAIL(&parent->children, process, sibling);
		TAILQ_INSERT_TAIL(&all_processes, process, all);
	}
	seccomp_inherit(task, current); /* now: another thread may have changed ours while this one slept */
	TAILQ_INSERT_TAIL(&process->tasks, task, sibling);
	process->threads++;
	if (!(args->flags & CLONE_THREAD))
		cgroup_enter(current->process->cgroup, process);
	cgroup_add_task(task);
	task_hash_insert(task);
	if (traced)
		ptrace_follow(task);
	if (!(args->flags & CLONE_THREAD))
		rlimit_cpu_changed(process);
}

/* clone's and vfork's parent: until the child has left our memory, or we are killed. */
static void wait_for_vfork(struct task *child)
{
	(void)wait_event(&child->vfork_done, !child->vfork_parent, DEADLINE_NONE, false);
	child->vfork_parent = NULL;
}

/* A pidfd for the process to be, and the number stored for the caller. */
static int give_pidfd(const struct clone_args *args, struct process *process)
{
	int fd = files_install_pidfd(process);

	if (fd >= 0 && put_user(fd, UADDR(args->pidfd))) {
		files_close_fd(fd);
		return -EFAULT;
	}
	return fd;
}

int64_t task_clone(struct clone_args *args, struct regs *regs)
{
	int rc = check_flags(args);

	if (!rc)
		rc = check_process_limit();
	if (rc)
		return rc;
	if (signal_pending(current))
		return -ERESTARTNOINTR;
	struct task *task = build(args, regs, &rc);
	if (!task)
		return rc;
	int pidfd = -1;
	if (!(args->flags & CLONE_THREAD) && (args->flags & CLONE_PIDFD))
		rc = pidfd = give_pidfd(args, task->process);
	int tid = rc < 0 ? rc : tid_alloc();
	/*
	 * The sleeps above may have let another thread end the group, or the container's first process end and kill
	 * everybody: a child that is not there yet would escape.
	 */
	if (tid > 0 && current->killed)
		tid = -EINTR;
	if (tid > 0 && task->process->pid_ns->dead)
		tid = -ENOMEM; /* pid_namespaces(7) */
	if (tid > 0 && !cgroup_may_fork(current->process->cgroup))
		tid = -EAGAIN; /* other threads' children came first */
	if (tid > 0) {
		task->tid = tid;
		rc = pid_ns_number_task(task);
		if (rc)
			tid = rc;
	}
	if (tid < 0) {
		if (pidfd >= 0)
			files_close_fd(pidfd);
		discard(task);
		return tid;
	}
	int global = tid;
	tid = pid_vnr(tid);

	/* From here nothing may fail. */
	unsigned event = ptrace_clone_event(args->flags, (int)args->exit_signal);
	publish(task, args, event || (args->flags & CLONE_PTRACE));
	if (args->flags & CLONE_VFORK) {
		task->vfork_parent = current;
		task_get(task);
	}
	if (args->flags & CLONE_PARENT_SETTID)
		(void)put_user(tid, UADDR(args->parent_tid));
	sched_new_task(task);
	ptrace_event(current, event, (uint64_t)global);
	if (args->flags & CLONE_VFORK) {
		wait_for_vfork(task);
		task_put(task);
		ptrace_event(current, PTRACE_EVENT_VFORK_DONE, (uint64_t)global);
	}
	return tid;
}
