/*
 * The containers of a sandbox as objects: the list, their state and counts. See kernel/container.h.
 */
#include <linux/errno.h>

#include "kernel/container.h"
#include "kernel/files.h"
#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "kernel/process.h"
#include "kernel/user_ns.h"
#include "ring0/clock.h"
#include "ring0/lib.h"

struct container first_container = {.fds = {0, 1, 2}, .waiters = WAITQ_INIT(first_container.waiters)};
struct container_list containers = TAILQ_HEAD_INITIALIZER(containers);

struct container *container_find(uint32_t id)
{
	struct container *c;

	TAILQ_FOREACH(c, &containers, link) {
		if (c->id == id)
			return c;
	}
	return NULL;
}

void container_delete(struct container *c)
{
	TAILQ_REMOVE(&containers, c, link);
	if (c->console)
		console_release(c->console);
	if (c->fs)
		fs_context_put(c->fs);
	ns_put(&c->user_ns->ns);
	ns_set_put(c->ns); /* its mounts, and with them what the gofer was needed for */
	if (c->gofer)
		files_gofer_gone(c->gofer);
	if (c->gofer)
		(void)machine->host_call(ABI_CALL_gofer_close, c->gofer, 0, 0, 0);
	cgroup_remove_all(&c->cgroup);
	config_free(&c->config);
	kfree(c);
}

void container_set_state(struct container *c, enum container_state state)
{
	c->state = state;
	if (state == CONTAINER_RUNNING)
		c->started = clock_monotonic();
	control_container_changed(c);
}

static void count_exit(struct container *c, const struct process *process)
{
	if (process->oom_killed)
		c->exits_oom++;
	else if (process->exit_status & 0x7f)
		c->exits_signal++;
	else if (process->exit_status)
		c->exits_failure++;
	else
		c->exits_success++;
}

void container_process_ended(struct process *process)
{
	struct container *c = process->container;
	uint64_t user, system;

	process_cpu_times(process, &user, &system);
	c->user_time += user;
	c->system_time += system;
	c->page_faults += process->min_flt + process->maj_flt;
	c->major_faults += process->maj_flt;
	c->switches += process->nvcsw + process->nivcsw;
	count_exit(c, process);
	cgroup_leave(process);
	control_process_ended(process);
	waitq_wake_all(&c->waiters);
	if (c->init == process) {
		c->init = NULL;
		c->wait_status = process->exit_status;
		container_set_state(c, CONTAINER_ENDED);
	}
}
