/*
 * Processes that are started from outside: a container's first program, from its configuration to its first
 * instruction, and those that an order starts in a running container.
 *
 * launch_main() is the new process. It begins as a kernel task, because mounting and opening files
 * sleep, and becomes a user task by exec_program(). The start of the first container that fails ends the sandbox
 * with one line that names the operation, the object and the reason, and status 1, as runc does; any other fails alone.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/resource.h>

#include "kernel/container.h"
#include "kernel/errno_names.h"
#include "kernel/exec.h"
#include "kernel/files.h"
#include "kernel/hook.h"
#include "kernel/user_ns.h"
#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "kernel/process.h"
#include "kernel/task.h"
#include "kernel/time_ns.h"
#include "kernel/uts.h"
#include "ring0/context.h"
#include "ring0/lib.h"
#include "ring0/lock.h"

#define START_FAILED 1 /* exit code */

void init_exited(int wait_status)
{
	char line[128];

	first_container.init = NULL;
	first_container.wait_status = wait_status;
	container_set_state(&first_container, CONTAINER_ENDED);
	control_flush_last();
	if (first_container.config.debug && machine->counters) {
		machine->counters(line, sizeof(line));
		klog(LOG_DEBUG, "%s", line);
	}
	(void)machine->host_call(ABI_CALL_exit, (uint64_t)wait_status, 0, 0, 0);
	panic("the host did not end the sandbox");
}

void launch_explain(const char *operation, const char *object, const char *reason)
{
	struct launch *launch = current->launch;
	bool whole_sandbox = !launch || (launch->first && launch->container == &first_container);

	klog(whole_sandbox ? LOG_ERROR : LOG_INFO, "%s: \"%s\": %s", operation, object, reason);
	if (launch)
		snprintf(launch->why, sizeof(launch->why), "%s: \"%s\": %s", operation, object, reason);
}

static int failed(const char *operation, const char *object, int rc)
{
	launch_explain(operation, object, errno_text(-rc));
	return rc;
}

/* Without a capital, as runc writes it: Docker and Podman know "permission denied" and give exit status 126. */
static int exec_failed(const char *name, int rc)
{
	char text[80];

	rf_strlcpy(text, errno_text(-rc), sizeof(text));
	text[0] |= 0x20;
	launch_explain("exec", name, text);
	return rc;
}

/* Of the process itself, else of its container. */
static const struct container_config *caps_from(const struct launch *launch, const struct container_config *config)
{
	return config->has_caps ? config : &launch->container->config;
}

static int apply_credentials(const struct launch *launch, const struct container_config *config, struct task *task)
{
	const struct container_config *from = caps_from(launch, config);
	struct cred *cred;

	if (uid_from_user(config->user.uid) == ID_NONE || gid_from_user(config->user.gid) == ID_NONE)
		return -EINVAL;
	for (unsigned i = 0; i < config->group_count; i++) {
		if (gid_from_user(config->groups[i]) == ID_NONE)
			return -EINVAL;
	}
	cred = cred_copy(task->cred);
	if (!cred)
		return -ENOMEM;
	if (config->group_count) {
		cred->groups = kmalloc(sizeof(struct group_list) + config->group_count * sizeof(uint32_t));
		if (!cred->groups) {
			cred_put(cred);
			return -ENOMEM;
		}
		cred->groups->refs = 1;
		cred->groups->count = config->group_count;
		memcpy(cred->groups->gid, config->groups, config->group_count * sizeof(uint32_t));
		cred_sort_groups(cred->groups);
	}
	cred->uid = cred->euid = cred->suid = cred->fsuid = config->user.uid;
	cred->gid = cred->egid = cred->sgid = cred->fsgid = config->user.gid;
	if (from->has_caps) {
		cred->cap_effective = from->caps.effective;
		cred->cap_permitted = from->caps.permitted;
		cred->cap_inheritable = from->caps.inheritable;
		cred->cap_bounding = from->caps.bounding;
		cred->cap_ambient = from->caps.ambient;
	} else if (config->user.uid != 0) {
		cred->cap_effective = cred->cap_permitted = 0;
	}
	cred->no_new_privs = config->no_new_privs;
	struct cred *old = task->cred;
	task->cred = cred;
	cred_put(old);
	return 0;
}

static void apply_limits(struct process *process, const struct container_config *config)
{
	for (unsigned i = 0; i < config->rlimit_count; i++) {
		const struct config_rlimit *limit = &config->rlimits[i];

		if (limit->resource < RLIMIT_COUNT)
			process->rlimit[limit->resource] = (struct rlimit64_pair){limit->soft, limit->hard};
	}
	rlimit_cpu_changed(process);
	process->oom_score_adj = config->oom_score_adj;
}

static void apply_scheduling(struct task *task, const struct container_config *config)
{
	const struct config_scheduler *s = &config->scheduler;

	if (config->personality)
		task->process->personality = config->personality;
	if (config->io_priority)
		task->ioprio = (uint16_t)config->io_priority;
	if (!config->has_scheduler)
		return;
	task->policy = (uint8_t)s->policy;
	task->nice = (int8_t)s->nice;
	task->rt_priority = (uint8_t)s->priority;
	task->reset_on_fork = s->flags;
}

static const char *environment_path(const struct container_config *config)
{
	for (unsigned i = 0; i < config->envc; i++) {
		if (strncmp(config->envp[i], "PATH=", 5) == 0)
			return config->envp[i] + 5;
	}
	return "";
}

/* Open argv[0] as a shell would find it. The name that worked stays in buf. */
static int open_program(const struct container_config *config, char *buf, size_t size, struct file **file)
{
	const char *name = config->argv[0];
	int error = -ENOENT;

	if (!name[0])
		return error;
	if (strchr(name, '/')) {
		rf_strlcpy(buf, name, size);
		return file_open_exec(AT_FDCWD, buf, 0, file);
	}
	for (const char *path = environment_path(config); *path;) {
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

static int apply_filters(struct task *task, const struct container_config *config)
{
	for (unsigned i = 0; i < config->filter_count; i++) {
		const struct container_filter *filter = &config->filters[i];
		int rc = seccomp_install(task, filter->program, filter->count, filter->flags);

		if (rc)
			return failed("seccomp filter", config->argv[0], rc);
	}
	return 0;
}

/* Files, limits, credentials, and the program found: everything up to its execve. path: room for 4096 bytes. */
static int prepare(struct launch *launch, const struct container_config *config, char *path, struct file **file)
{
	struct task *task = current;
	const char *name = config->argv[0];
	int rc;

	if (launch->first && (config->id.flags & ~CONFIG_CONTAINER_FLAGS)) {
		launch_explain("namespaces", name, "an unknown flag is not supported");
		return -EOPNOTSUPP;
	}
	/* Nobody else has the set yet. */
	rc = launch->first ? time_ns_configure(task->ns, launch->container->user_ns, config) : 0;
	if (rc)
		return failed("time namespace", "linux.timeOffsets", rc);
	rc = launch->first ? vfs_boot(launch->container, task) : vfs_enter(launch, task);
	if (rc)
		return rc; /* it has said why */
	if (!launch->first)
		apply_limits(task->process, &launch->container->config);
	apply_limits(task->process, config);
	apply_scheduling(task, &launch->container->config);
	if (!launch->first)
		apply_scheduling(task, config);
	rc = apply_credentials(launch, config, task);
	if (rc)
		return failed("credentials", name, rc);
	rc = open_program(config, path, 4096, file);
	if (rc == -ENOENT && !strchr(name, '/'))
		launch_explain("exec", name, "executable file not found in $PATH");
	else if (rc)
		exec_failed(name, rc);
	return rc;
}

/* The container is created; whoever created it says when it starts. */
static void wait_for_start(struct container *c)
{
	container_set_state(c, CONTAINER_CREATED);
	if (c->config.wait_start && wait_event(&c->waiters, c->start_ordered, DEADLINE_NONE, false))
		process_exit_group(current->process->exit_status);
}

static int run(struct launch *launch, const struct container_config *config, const char *path, struct file *file)
{
	struct exec_vector argv = {.kernel = (const char *const *)config->argv};
	struct exec_vector envp = {.kernel = (const char *const *)config->envp};
	int rc;

	if (launch->first) {
		wait_for_start(launch->container);
		rc = hooks_run(launch->container);
		if (rc)
			return rc; /* it has said why */
	}
	rc = apply_filters(current, config);
	if (rc)
		return rc;
	rc = exec_program(file, path, &argv, &envp);
	return rc ? exec_failed(path, rc) : 0;
}

static __attribute__((noreturn)) void start_failed(struct launch *launch, int rc)
{
	struct container *c = launch->container;

	current->launch = NULL;
	if (launch->first) {
		c->error = rc;
		rf_strlcpy(c->why, launch->why, sizeof(c->why));
		if (c == &first_container)
			init_exited(START_FAILED << 8);
		kfree(launch);
	} else {
		control_launched(launch, current->process, rc);
	}
	process_exit_group(WAIT_EXITED(START_FAILED));
}

void task_begin_program(struct task *task)
{
	if (first_container.config.strace)
		task_set_work(task, WORK_STRACE);
	task_exit_work(task, task->regs);
	machine->task_load(&task->machine);
	kernel_unlock();
	machine->enter_user(task->regs);
}

static void launch_main(void *arg)
{
	struct launch *launch = arg;
	struct task *task = current;
	const struct container_config *config = launch->first ? &launch->container->config : &launch->config;
	char *path = kmalloc(4096);
	struct file *file = NULL;
	int rc = -ENOMEM;

	sched_finish_switch();
	task->kernel_task = false;
	task->launch = launch;
	if (path)
		rc = prepare(launch, config, path, &file);
	if (!rc)
		rc = run(launch, config, path, file);
	if (file)
		file_put(file);
	kfree(path);
	if (rc)
		start_failed(launch, rc);
	task->launch = NULL;
	if (launch->first) {
		container_set_state(launch->container, CONTAINER_RUNNING);
		kfree(launch);
	} else {
		control_launched(launch, task->process, 0);
	}
	task_begin_program(task);
}

/* All that there is; the process' own are set once its files are there. */
static struct cred *first_cred(struct user_ns *user)
{
	struct cred *cred = kzalloc(sizeof(*cred));

	if (!cred)
		return NULL;
	cred->refs = 1;
	cred->user_ns = user;
	ns_get(&user->ns);
	cred->cap_effective = cred->cap_permitted = cred->cap_bounding = CAP_ALL;
	return cred;
}

int launch_process(struct launch *launch)
{
	struct container *c = launch->container;
	struct cred *cred = c->ns && c->ns->pid_for_children->dead ? NULL : first_cred(c->user_ns);
	struct task *task = cred && c->ns ? task_create_process(cred, c, c->ns) : NULL;

	if (!task) {
		if (cred)
			cred_put(cred);
		return -ENOMEM;
	}
	if (launch->first) {
		c->init = task->process;
		if (!(c->config.id.flags & CONFIG_SHARE_PID)) { /* else it is one of the pod's namespace */
			task->process->pid_ns->init = task->process;
			task->process->ns_init = true;
		}
	}
	rf_strlcpy(task->comm, "init", sizeof(task->comm));
	task->context = context_prepare(task->regs, launch_main, launch);
	sched_new_task(task);
	return 0;
}

/* As the configuration asks: its own, or the first container's. */
static struct ns_set *container_namespaces(struct container *c)
{
	const struct ns_set *first = first_container.ns;
	struct ns_set *set = ns_set_create(c->user_ns);

	if (!set)
		return NULL;
	if (c->config.id.flags & CONFIG_SHARE_IPC) {
		ns_put(&set->ipc->ns);
		set->ipc = first->ipc;
		ns_get(&set->ipc->ns);
	}
	if (c->config.id.flags & CONFIG_SHARE_PID) {
		ns_put(&set->pid_for_children->ns);
		set->pid_for_children = first->pid_for_children;
		ns_get(&set->pid_for_children->ns);
	}
	if (c->config.id.flags & CONFIG_SHARE_UTS) {
		ns_put(&set->uts->ns);
		set->uts = first->uts;
		ns_get(&set->uts->ns);
	} else {
		uts_set(set->uts, &c->config);
	}
	return set;
}

/* What config.json limits, in the top of its control groups. */
static int set_limits(struct container *c)
{
	int rc = 0;

	c->cgroup.cpu.by_host = !(c->config.id.flags & CONFIG_CPU_INSIDE);
	for (unsigned i = 0; i < c->config.group_file_count && !rc; i++)
		rc = files_cgroup_set(&c->cgroup, c->config.group_files[i]);
	return rc;
}

int container_create(uint32_t id, const void *blob, uint64_t len, const uint32_t *fds, uint32_t gofer)
{
	struct container *c = kzalloc(sizeof(*c));
	struct launch *launch = kzalloc(sizeof(*launch));
	int rc = -ENOMEM;

	if (!c || !launch)
		goto fail;
	rc = -EEXIST;
	if (container_find(id))
		goto fail;
	rc = cgroup_init(&c->cgroup, c);
	if (rc)
		goto fail;
	rc = config_decode(blob, len, &c->config);
	if (rc)
		goto fail_config;
	c->id = id;
	c->gofer = gofer;
	memcpy(c->fds, fds, sizeof(c->fds));
	waitq_init(&c->waiters);
	rc = set_limits(c);
	if (rc)
		goto fail_config;
	rc = -ENOMEM;
	c->user_ns = user_ns_for_container(&c->config);
	c->ns = c->user_ns ? container_namespaces(c) : NULL;
	if (!c->ns)
		goto fail_config;
	launch->container = c;
	launch->first = true;
	rc = launch_process(launch);
	if (rc)
		goto fail_config;
	TAILQ_INSERT_TAIL(&containers, c, link);
	cgroup_refresh_all(); /* now there are several, which share the CPUs */
	return 0;
fail_config:
	ns_set_put(c->ns);
	if (c->user_ns)
		ns_put(&c->user_ns->ns);
	cgroup_remove_all(&c->cgroup);
	config_free(&c->config);
fail:
	kfree(launch);
	kfree(c);
	return rc;
}

void init_start(void)
{
	struct launch *launch = kzalloc(sizeof(*launch));
	struct user_ns *user = user_ns_for_container(&first_container.config);
	struct cred *cred = user ? first_cred(user) : NULL;

	if (!launch || !cred)
		panic("no memory for the first process");
	first_container.user_ns = user;
	struct task *task = task_create_init(cred);
	uts_set(first_container.ns->uts, &first_container.config);
	launch->container = &first_container;
	launch->first = true;
	if (set_limits(&first_container))
		panic("the container's limits cannot be used");
	rf_strlcpy(task->comm, "init", sizeof(task->comm));
	task->context = context_prepare(task->regs, launch_main, launch);
	sched_new_task(task);
}
