/*
 * Tasks, processes and sessions as objects: allocation, references, numbers, lookup.
 *
 * fork.c fills a task, hashes it and gives it to the scheduler; exit.c takes it apart.
 * References of a task: its own while it can run (put by sched_exit()), the hash's until
 * it is released, and temporary ones. A task holds a reference to its process; a process
 * holds its own until it has been waited for. What task_find() and process_find() return is valid until the next
 * sleep only. Nothing here sleeps.
 */
#include <asm/signal.h>
#include <linux/errno.h>

#include "kernel/container.h"
#include "kernel/mm/account.h"
#include "kernel/namespaces.h"
#include "kernel/process.h"
#include "kernel/rlimit.h"
#include "kernel/user_ns.h"
#include "ring0/clock.h"
#include "ring0/lib.h"
#include "ring0/upcall.h"

#define HASH_SIZE 1024u

struct process_list all_processes = TAILQ_HEAD_INITIALIZER(all_processes);
struct process *init_process;

static TAILQ_HEAD(hash_bucket, task) hash[HASH_SIZE];
static bool hash_ready;
static int last_tid;
static bool tids_wrapped;

static struct hash_bucket *bucket_of(int tid)
{
	if (!hash_ready) {
		for (unsigned i = 0; i < HASH_SIZE; i++)
			TAILQ_INIT(&hash[i]);
		hash_ready = true;
	}
	return &hash[(unsigned)tid % HASH_SIZE];
}

/* An XSAVE area aligned to 64 bytes; the block's own address lies just before it. */
static void *fpu_alloc(void)
{
	size_t size = boot_info->xsave_size < 576 ? 576 : boot_info->xsave_size;
	char *block = kzalloc(size + 64 + sizeof(void *));

	if (!block)
		return NULL;
	char *area = (char *)(((uintptr_t)block + sizeof(void *) + 63) & ~63ull);
	((void **)area)[-1] = block;
	fpu_state_init(area);
	return area;
}

static void fpu_free(void *area)
{
	if (area)
		kfree(((void **)area)[-1]);
}

struct task *task_alloc(void)
{
	struct task *task = kzalloc(sizeof(*task));

	if (!task)
		return NULL;
	task->machine.fpu = fpu_alloc();
	if (!task->machine.fpu || !task_stack_alloc(task)) {
		fpu_free(task->machine.fpu);
		kfree(task);
		return NULL;
	}
	task->machine.kernel_stack_top = KERNEL_STACK_TOP(task->kernel_stack);
	task->regs = (struct regs *)(task->machine.kernel_stack_top - sizeof(struct regs));
	memset(task->regs, 0, sizeof(*task->regs));
	task->refs = 1;
	task->state = TASK_NEW;
	task->affinity = task->affinity_wanted = cpu_count >= 64 ? ~0ull : (1ull << cpu_count) - 1;
	task->timer_slack = 50000;
	task->altstack_flags = 0;
	task->start_time = clock_boottime();
	sigpending_init(&task->pending);
	waitq_init(&task->vfork_done);
	return task;
}

void task_get(struct task *task)
{
	task->refs++;
}

void task_put(struct task *task)
{
	BUG_ON(task->refs == 0);
	if (--task->refs)
		return;
	BUG_ON(task->mm || task->files || task->fs || task->ns);
	seccomp_drop(task);
	keyrings_drop(task);
	if (task->process)
		process_put(task->process);
	if (task->cred)
		cred_put(task->cred);
	fpu_free(task->machine.fpu);
	account_drop(task->stack_page, ACCOUNT_STACKS);
	task_stack_free(task);
	kfree(task);
}

struct process *process_alloc(void)
{
	struct process *process = kzalloc(sizeof(*process));

	if (!process)
		return NULL;
	process->refs = 1;
	TAILQ_INIT(&process->children);
	TAILQ_INIT(&process->tasks);
	TAILQ_INIT(&process->timers);
	sigpending_init(&process->pending);
	waitq_init(&process->child_waiters);
	waitq_init(&process->pidfd_waiters);
	waitq_init(&process->thread_waiters);
	itimers_init(process);
	process->start_time = clock_boottime();
	process->container = &first_container;
	process->pid_ns = &first_pid_ns;
	first_pid_ns.ns.refs++;
	return process;
}

void process_get(struct process *process)
{
	process->refs++;
}

void process_put(struct process *process)
{
	BUG_ON(process->refs == 0);
	if (--process->refs)
		return;
	if (process->session)
		session_put(process->session);
	if (process->sighand)
		sighand_put(process->sighand);
	ns_put(&process->pid_ns->ns);
	kfree(process);
}

struct session *session_create(int sid)
{
	struct session *session = kzalloc(sizeof(*session));

	if (session) {
		session->refs = 1;
		session->sid = sid;
	}
	return session;
}

void session_get(struct session *session)
{
	session->refs++;
}

void session_put(struct session *session)
{
	if (--session->refs == 0)
		kfree(session);
}

struct task *task_find_global(int tid)
{
	struct task *task;

	if (tid <= 0)
		return NULL;
	TAILQ_FOREACH(task, bucket_of(tid), hash) {
		if (task->tid == tid)
			return task;
	}
	return NULL;
}

struct task *task_find_get(int tid)
{
	struct task *task = task_find(tid);

	if (task)
		task_get(task);
	return task;
}

struct process *process_find_global(int pid)
{
	struct task *task = task_find_global(pid);

	return task && task->process && task->process->pid == pid ? task->process : NULL;
}

struct task *task_find(int nr)
{
	const struct pid_ns *ns = current->process->pid_ns;
	struct task *task = task_find_global(ns->identity ? nr : pid_ns_global(ns, nr));

	return task && task->process && pid_ns_contains(ns, task->process->pid_ns) ? task : NULL;
}

struct process *process_find(int nr)
{
	struct task *task = task_find(nr);

	return task && task->process->pid == task->tid ? task->process : NULL;
}

void task_hash_insert(struct task *task)
{
	task_get(task);
	TAILQ_INSERT_HEAD(bucket_of(task->tid), task, hash);
}

void task_hash_remove(struct task *task)
{
	TAILQ_REMOVE(bucket_of(task->tid), task, hash);
	task_put(task);
}

bool pgrp_exists_in_session(int pgid, const struct session *session)
{
	struct process *process;

	TAILQ_FOREACH(process, &all_processes, all) {
		if (process->pgid == pgid && process->session == session)
			return true;
	}
	return false;
}

bool task_is_single(const struct task *task)
{
	const struct process *process;
	const struct task *other;

	if (task->process->threads > 1)
		return false;
	if (!task->mm || task->mm->refs == 1)
		return true;
	TAILQ_FOREACH(process, &all_processes, all) {
		TAILQ_FOREACH(other, &process->tasks, sibling) {
			if (other != task && other->mm == task->mm)
				return false;
		}
	}
	return true;
}

/* Numbers live on as group and session ids after their task has gone; that matters only once they are reused. */
bool tid_in_use(int tid)
{
	struct process *process;

	if (task_find_global(tid))
		return true;
	if (!tids_wrapped)
		return false;
	TAILQ_FOREACH(process, &all_processes, all) {
		if (process->pgid == tid || process->session->sid == tid)
			return true;
	}
	return false;
}

int tid_alloc(void)
{
	for (int tries = 0; tries < TASK_ID_MAX; tries++) {
		if (++last_tid >= TASK_ID_MAX) {
			last_tid = TASK_ID_FIRST_REUSED;
			tids_wrapped = true;
		}
		if (!tid_in_use(last_tid)) {
			pid_ns_forget(last_tid);
			return last_tid;
		}
	}
	return -EAGAIN;
}

void process_set_pid_ns(struct process *process, struct pid_ns *ns)
{
	ns_get(&ns->ns);
	ns_put(&process->pid_ns->ns);
	process->pid_ns = ns;
}

/* Not yet published. */
static void discard_process(struct task *task)
{
	if (task->ns)
		ns_set_put(task->ns);
	task->ns = NULL;
	task->cred = NULL; /* the caller's */
	struct process *process = task->process;
	task_put(task);
	process_put(process);
}

struct task *task_create_process(struct cred *cred, struct container *container, struct ns_set *ns)
{
	struct task *task = task_alloc();
	struct process *process = process_alloc();

	if (!task || !process) {
		if (task)
			task_put(task);
		if (process)
			process_put(process);
		return NULL;
	}
	task->process = process;
	process_get(process);
	task->ns = ns;
	ns_set_get(ns);
	task->cred = cred;
	process_set_pid_ns(process, ns->pid_for_children);
	process->sighand = sighand_create();
	process->session = session_create(0);
	task->tid = tid_alloc();
	if (!process->sighand || !process->session || task->tid < 0 || pid_ns_number_task(task)) {
		discard_process(task);
		return NULL;
	}
	process->pid = process->pgid = process->session->sid = task->tid;
	process->vpid = task->vtid;
	process->leader = task;
	process->exit_signal = SIGCHLD;
	process->threads = 1;
	process->container = container;
	rlimits_init(process);
	TAILQ_INSERT_TAIL(&process->tasks, task, sibling);
	/* Where the container's top gives controllers, so that no process may be in it, where the first process is: as runc does. */
	cgroup_enter(container->cgroup.gives && container->init ? container->init->cgroup : &container->cgroup, process);
	cgroup_add_task(task);
	TAILQ_INSERT_TAIL(&all_processes, process, all);
	task_hash_insert(task);
	return task;
}

struct task *task_create_init(struct cred *cred)
{
	static struct ns_set *ns;

	ns = ns_set_create(cred->user_ns);
	if (ns) {
		first_pid_ns.ns.owner = first_net_ns.ns.owner = cred->user_ns;
		ns_put(&ns->pid_for_children->ns);
		ns->pid_for_children = &first_pid_ns;
		first_pid_ns.ns.refs++;
	}
	struct task *task = ns ? task_create_process(cred, &first_container, ns) : NULL;
	if (!task)
		panic("no memory for the first process");
	first_container.ns = ns;
	init_process = first_container.init = first_pid_ns.init = task->process;
	init_process->ns_init = true;
	return task;
}

/* As the handlers of these calls say (syscalls/process.c, cred.c). */
void kernel_answers(struct hosted_answers *answers)
{
	const struct task *task = current;
	const struct process *process = task->process, *parent = process->parent;

	answers->valid = 0;
	answers->value[HOSTED_ANSWER_GETCPU] = this_cpu()->cpu;
	if (task->work & WORK_SYSCALL_ENTRY)
		return;
	answers->value[HOSTED_ANSWER_GETPID] = (uint64_t)process->vpid;
	answers->value[HOSTED_ANSWER_GETTID] = (uint64_t)task->vtid;
	answers->value[HOSTED_ANSWER_GETPPID] = parent && parent->pid_ns == process->pid_ns ? (uint64_t)parent->vpid : 0;
	answers->value[HOSTED_ANSWER_GETUID] = uid_to_user(task->cred->uid);
	answers->value[HOSTED_ANSWER_GETEUID] = uid_to_user(task->cred->euid);
	answers->value[HOSTED_ANSWER_GETGID] = gid_to_user(task->cred->gid);
	answers->value[HOSTED_ANSWER_GETEGID] = gid_to_user(task->cred->egid);
	answers->value[HOSTED_ANSWER_GETPGRP] = answers->value[HOSTED_ANSWER_GETPGID] = (uint64_t)pid_vnr(process->pgid);
	answers->value[HOSTED_ANSWER_GETSID] = (uint64_t)pid_vnr(process->session->sid);
	answers->value[HOSTED_ANSWER_YIELD] = 0;
	answers->valid = (2u << HOSTED_ANSWER_YIELD) - (1u << HOSTED_ANSWER_GETPID);
}
