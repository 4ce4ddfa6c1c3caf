/*
 * Hooks that run inside the container (OCI runtime specification, "startContainer"): see kernel/hook.h.
 *
 * A hook is a process without a parent, as one that an order starts is: it begins as a kernel task and becomes its
 * program by exec_program(). Whoever runs it holds a reference and sleeps on the container's wait queue, which the
 * end of every process of the container wakes. struct hook_run belongs to both: to the starter until the hook has
 * ended, to the hook until its execve has succeeded or failed.
 */
#include <asm/signal.h>
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "kernel/errno_names.h"
#include "kernel/exec.h"
#include "kernel/files.h"
#include "kernel/hook.h"
#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "kernel/process.h"
#include "ring0/clock.h"
#include "ring0/context.h"
#include "ring0/lib.h"
#include "ring0/lock.h"

#define CANNOT_RUN 127 /* exit code, as a shell has it */

struct hook_run {
	unsigned refs;
	const struct container_hook *hook;
	struct fs_context *fs;
	struct file *stdio[3]; /* NULL: closed */
	int error;             /* of the execve */
};

static void run_put(struct hook_run *run)
{
	if (--run->refs)
		return;
	if (run->fs)
		fs_context_put(run->fs);
	for (unsigned i = 0; i < ARRAY_SIZE(run->stdio); i++) {
		if (run->stdio[i])
			file_put(run->stdio[i]);
	}
	kfree(run);
}

static int become_program(struct hook_run *run)
{
	const struct container_hook *hook = run->hook;
	const char *const no_args[] = {hook->path, NULL};
	struct exec_vector argv = {.kernel = hook->argv[0] ? hook->argv : no_args}, envp = {.kernel = hook->envp};
	struct file *file;
	int rc = vfs_enter_hook(run->fs, run->stdio);

	if (!rc)
		rc = file_open_exec(AT_FDCWD, hook->path, 0, &file);
	if (rc)
		return rc;
	rc = exec_program(file, hook->path, &argv, &envp);
	file_put(file);
	return rc;
}

static void hook_main(void *arg)
{
	struct hook_run *run = arg;
	struct task *task = current;

	sched_finish_switch();
	task->kernel_task = false;
	run->error = become_program(run);
	int rc = run->error;
	run_put(run);
	if (rc)
		process_exit_group(WAIT_EXITED(CANNOT_RUN));
	task_begin_program(task);
}

/* Its process, referenced, or NULL: no memory. */
static struct process *start(struct hook_run *run)
{
	struct task *parent = current, *task;

	cred_get(parent->cred);
	task = task_create_process(parent->cred, parent->process->container, parent->ns);
	if (!task) {
		cred_put(parent->cred);
		return NULL;
	}
	memcpy(task->process->rlimit, parent->process->rlimit, sizeof(task->process->rlimit));
	rf_strlcpy(task->comm, "hook", sizeof(task->comm));
	task->context = context_prepare(task->regs, hook_main, run);
	run->refs++;
	process_get(task->process);
	struct process *process = task->process;
	sched_new_task(task);
	return process;
}

static int explain(unsigned number, const struct container_hook *hook, const char *why)
{
	char operation[48];

	snprintf(operation, sizeof(operation), "error running startContainer hook #%u", number);
	launch_explain(operation, hook->path, why);
	return -EIO;
}

static int wait_for(struct container *c, struct process *process, const struct container_hook *hook)
{
	uint64_t until = hook->timeout ? clock_monotonic() + hook->timeout * 1000000000ull : DEADLINE_NONE;
	int rc = wait_event(&c->waiters, process->threads == 0, until, false);

	if (rc == -ETIMEDOUT) {
		signal_kill_process(process, WAIT_SIGNALED(SIGKILL));
		(void)wait_event(&c->waiters, process->threads == 0, DEADLINE_NONE, false);
	}
	return rc;
}

static int run_one(struct container *c, unsigned number, struct hook_run *run)
{
	const struct container_hook *hook = &c->config.hooks[number];
	char why[64];
	int rc = vfs_hook_stdio(c->config.hook_state ? c->config.hook_state : "", run->stdio);
	struct process *process = NULL;

	run->hook = hook;
	if (!rc)
		rc = fs_context_clone(current->fs, false, &run->fs);
	if (!rc)
		process = start(run);
	if (!process)
		return explain(number, hook, errno_text(rc ? -rc : ENOMEM));
	rc = wait_for(c, process, hook);
	int status = process->exit_status;
	process_put(process);
	if (rc == -ETIMEDOUT)
		snprintf(why, sizeof(why), "took longer than its %u s", hook->timeout);
	else if (rc)
		return rc; /* the container is being killed */
	else if (run->error)
		rf_strlcpy(why, errno_text(-run->error), sizeof(why));
	else if (status & 0x7f)
		snprintf(why, sizeof(why), "killed by signal %d", status & 0x7f);
	else if (status)
		snprintf(why, sizeof(why), "exit status %d", status >> 8 & 0xff);
	else
		return 0;
	return explain(number, hook, why);
}

int hooks_run(struct container *c)
{
	int rc = 0;

	for (unsigned i = 0; i < c->config.hook_count && !rc; i++) {
		struct hook_run *run = kzalloc(sizeof(*run));

		if (!run)
			return explain(i, &c->config.hooks[i], errno_text(ENOMEM));
		run->refs = 1;
		rc = run_one(c, i, run);
		run_put(run);
	}
	return rc;
}
