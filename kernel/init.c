/*
 * The container's first program: from the configuration to its first instruction, and
 * the sandbox's end when it has gone.
 *
 * init_main() is pid 1. It begins as a kernel task, because mounting and opening files
 * sleep, and becomes a user task by exec_program(). A start that fails ends the sandbox
 * with one line that names the operation, the object and the reason, and status 1, as runc does.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/resource.h>

#include "kernel/config.h"
#include "kernel/errno_names.h"
#include "kernel/exec.h"
#include "kernel/files.h"
#include "kernel/mm.h"
#include "kernel/process.h"
#include "kernel/task.h"
#include "ring0/context.h"
#include "ring0/lib.h"
#include "ring0/lock.h"

#define EXIT_START_FAILED (1 << 8) /* a wait status: exit code 1 */

void init_exited(int wait_status)
{
	char line[128];

	if (container.debug && machine->counters) {
		machine->counters(line, sizeof(line));
		klog(LOG_DEBUG, "%s", line);
	}
	(void)machine->host_call(ABI_CALL_exit, (uint64_t)wait_status, 0, 0, 0);
	panic("the host did not end the sandbox");
}

static __attribute__((noreturn)) void start_failed(const char *operation, const char *object, const char *reason, int rc)
{
	if (reason)
		klog(LOG_ERROR, "%s: \"%s\": %s", operation, object, reason);
	else
		klog(LOG_ERROR, "%s: \"%s\": %s", operation, object, errno_text(-rc));
	init_exited(EXIT_START_FAILED);
}

static int apply_credentials(struct task *task)
{
	struct cred *cred = cred_copy(task->cred);

	if (!cred)
		return -ENOMEM;
	if (container.group_count) {
		cred->groups = kmalloc(sizeof(struct group_list) + container.group_count * sizeof(uint32_t));
		if (!cred->groups) {
			cred_put(cred);
			return -ENOMEM;
		}
		cred->groups->refs = 1;
		cred->groups->count = container.group_count;
		memcpy(cred->groups->gid, container.groups, container.group_count * sizeof(uint32_t));
	}
	cred->uid = cred->euid = cred->suid = cred->fsuid = container.user.uid;
	cred->gid = cred->egid = cred->sgid = cred->fsgid = container.user.gid;
	if (container.has_caps) {
		cred->cap_effective = container.caps.effective;
		cred->cap_permitted = container.caps.permitted;
		cred->cap_inheritable = container.caps.inheritable;
		cred->cap_bounding = container.caps.bounding;
		cred->cap_ambient = container.caps.ambient;
	} else if (container.user.uid != 0) {
		cred->cap_effective = cred->cap_permitted = 0;
	}
	cred->no_new_privs = container.no_new_privs;
	struct cred *old = task->cred;
	task->cred = cred;
	cred_put(old);
	return 0;
}

static void apply_limits(struct process *process)
{
	for (unsigned i = 0; i < container.rlimit_count; i++) {
		const struct config_rlimit *limit = &container.rlimits[i];

		if (limit->resource < RLIMIT_COUNT)
			process->rlimit[limit->resource] = (struct rlimit64_pair){limit->soft, limit->hard};
	}
	rlimit_cpu_changed(process);
	process->oom_score_adj = container.oom_score_adj;
}

static const char *environment_path(void)
{
	for (unsigned i = 0; i < container.envc; i++) {
		if (strncmp(container.envp[i], "PATH=", 5) == 0)
			return container.envp[i] + 5;
	}
	return "";
}

/* Open argv[0] as a shell would find it. The name that worked stays in buf. */
static int open_program(const char *name, char *buf, size_t size, struct file **file)
{
	int error = -ENOENT;

	if (strchr(name, '/')) {
		rf_strlcpy(buf, name, size);
		return file_open_exec(AT_FDCWD, buf, 0, file);
	}
	for (const char *path = environment_path(); *path;) {
		const char *end = strchr(path, ':');
		size_t len = end ? (size_t)(end - path) : strlen(path);

		if (snprintf(buf, size, "%.*s/%s", (int)len, len ? path : ".", name) < (int)size) {
			int rc = file_open_exec(AT_FDCWD, buf, 0, file);

			if (rc == 0)
				return 0;
			if (rc == -EACCES)
				error = rc;
		}
		path += len + (end != NULL);
	}
	return error;
}

static int apply_filters(struct task *task)
{
	for (unsigned i = 0; i < container.filter_count; i++) {
		const struct container_filter *filter = &container.filters[i];
		int rc = seccomp_install(task, filter->program, filter->count, filter->flags);

		if (rc)
			return rc;
	}
	return 0;
}

static void start_program(struct task *task)
{
	const char *name = container.argv[0];
	struct exec_vector argv = {.kernel = (const char *const *)container.argv};
	struct exec_vector envp = {.kernel = (const char *const *)container.envp};
	char *path = kmalloc(4096);
	struct file *file;

	if (!path)
		start_failed("exec", name, NULL, -ENOMEM);
	int rc = open_program(name, path, 4096, &file);
	if (rc == -ENOENT && !strchr(name, '/'))
		start_failed("exec", name, "executable file not found in $PATH", rc);
	if (rc)
		start_failed("exec", name, NULL, rc);
	rc = apply_filters(task);
	if (rc)
		start_failed("seccomp filter", name, NULL, rc);
	rc = exec_program(file, path, &argv, &envp);
	file_put(file);
	if (rc)
		start_failed("exec", path, NULL, rc);
	kfree(path);
	if (container.strace)
		task_set_work(task, WORK_STRACE);
}

static void init_main(void *arg)
{
	struct task *task = current;

	sched_finish_switch();
	task->kernel_task = false;
	if (vfs_boot(&container, task))
		init_exited(EXIT_START_FAILED); /* it has said why */
	apply_limits(task->process);
	int rc = apply_credentials(task);
	if (rc)
		start_failed("credentials", container.argv[0], NULL, rc);
	start_program(task);
	machine->task_load(&task->machine);
	kernel_unlock();
	machine->enter_user(task->regs);
}

void init_start(const struct abi_boot *boot)
{
	struct cred *cred = kzalloc(sizeof(*cred));

	if (!cred)
		panic("no memory for init's credentials");
	cred->refs = 1;
	cred->cap_effective = cred->cap_permitted = cred->cap_bounding = (1ull << (CAP_LAST_CAP + 1)) - 1;
	struct task *task = task_create_init(cred);
	if (!task)
		panic("no memory for init");
	rf_strlcpy(task->comm, "init", sizeof(task->comm));
	task->context = context_prepare(task->regs, init_main, NULL);
	sched_new_task(task);
}
