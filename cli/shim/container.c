/* Containers and processes: see container.h. */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/cli.h"
#include "cli/shim/container.h"
#include "cli/shim/events.h"
#include "cli/shim/sandbox.h"

#define ID_LENGTH_MAX 76u /* containerd's */

static LIST_HEAD(, container) containers = LIST_HEAD_INITIALIZER(containers);
static unsigned count;

bool container_valid_id(const char *id)
{
	size_t length = strlen(id);

	if (length == 0 || length > ID_LENGTH_MAX || !isalnum((unsigned char)id[0]) ||
	    !isalnum((unsigned char)id[length - 1]))
		return false;
	for (; *id; id++) {
		if (!isalnum((unsigned char)*id) && !strchr("._-", *id))
			return false;
	}
	return true;
}

bool process_is_init(const struct process *process)
{
	return process->id[0] == '\0';
}

static void process_init(struct process *process, struct container *container, const char *id)
{
	process->container = container;
	process->status = PROCESS_CREATED;
	snprintf(process->id, sizeof(process->id), "%s", id);
	SLIST_INIT(&process->waiters);
}

struct container *container_new(const char *id, const char *bundle)
{
	struct container *c = calloc(1, sizeof(*c));

	if (!c || !(c->bundle = strdup(bundle))) {
		free(c);
		return NULL;
	}
	process_init(&c->init, c, "");
	snprintf(c->id, sizeof(c->id), "%s", id);
	LIST_INIT(&c->execs);
	LIST_INSERT_HEAD(&containers, c, link);
	count++;
	return c;
}

struct container *container_find(const char *id)
{
	struct container *c;

	LIST_FOREACH(c, &containers, link) {
		if (strcmp(c->id, id) == 0)
			return c;
	}
	return NULL;
}

struct container *container_oldest(void)
{
	struct container *c, *oldest = NULL;

	LIST_FOREACH(c, &containers, link)
		oldest = c;
	return oldest;
}

unsigned container_count(void)
{
	return count;
}

struct process *process_new(struct container *container, const char *id)
{
	struct process *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	process_init(p, container, id);
	process_hold(&container->init);
	LIST_INSERT_HEAD(&container->execs, p, link);
	return p;
}

struct process *process_find(struct container *container, const char *id)
{
	struct process *p;

	if (!*id)
		return &container->init;
	LIST_FOREACH(p, &container->execs, link) {
		if (strcmp(p->id, id) == 0)
			return p;
	}
	return NULL;
}

static bool has_running_exec(const struct container *c)
{
	struct process *p;

	LIST_FOREACH(p, &c->execs, link) {
		if (p->child.pid > 0)
			return true;
	}
	return false;
}

static void publish_exit(struct process *p)
{
	Shim__TaskExit event = SHIM__TASK_EXIT__INIT;
	Shim__Timestamp when = wire_timestamp(&p->exited_at);

	event.container_id = p->container->id;
	event.id = process_is_init(p) ? p->container->id : p->id;
	event.pid = p->pid;
	event.exit_status = p->exit_status;
	event.exited_at = &when;
	events_publish("/tasks/exit", "containerd.events.TaskExit", &event.base);
}

static void answer_waiters(struct process *p)
{
	Shim__WaitResponse response = SHIM__WAIT_RESPONSE__INIT;
	Shim__Timestamp when = wire_timestamp(&p->exited_at);
	struct waiter *waiter;

	response.exit_status = p->exit_status;
	response.exited_at = &when;
	while ((waiter = SLIST_FIRST(&p->waiters))) {
		SLIST_REMOVE_HEAD(&p->waiters, link);
		call_reply(waiter->call, &response.base);
		free(waiter);
	}
}

void process_publish(struct process *p)
{
	struct container *c = p->container;

	if (!p->gone || p->starting || p->status == PROCESS_STOPPED)
		return;
	if (process_is_init(p) && has_running_exec(c))
		return;
	p->status = PROCESS_STOPPED;
	stdio_end(p->stdio);
	p->stdio = NULL;
	if (process_is_init(p))
		sandbox_forget(c);
	if (p->pid)
		publish_exit(p);
	answer_waiters(p);
	if (p->after_exit)
		p->after_exit(p);
	else if (!process_is_init(p))
		process_publish(&c->init);
}

/* The container has ended with its first process; what stands for the others on the host ends too. */
static void end_execs(struct container *c)
{
	struct process *p;

	LIST_FOREACH(p, &c->execs, link) {
		if (p->child.pid > 0)
			kill(p->child.pid, SIGKILL);
	}
}

static void process_ended(struct child *child, int status, const struct timespec *when)
{
	struct process *p = (struct process *)child;

	p->gone = true;
	p->exit_status = (uint32_t)(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	p->exited_at = *when;
	process_hold(p);
	if (process_is_init(p))
		end_execs(p->container);
	process_publish(p);
	process_release(p);
}

int process_read_pid(struct process *process, const char *pid_file)
{
	AUTO_FILE FILE *file = fopen(pid_file, "re");
	unsigned pid;

	if (!file)
		return -errno;
	if (fscanf(file, "%u", &pid) != 1 || pid < 2 || pid > 1u << 22)
		return -EINVAL;
	process->pid = pid;
	process->child.pid = (pid_t)pid;
	process->child.ended = process_ended;
	loop_wait_child(&process->child);
	return 0;
}

void process_hold(struct process *process)
{
	process->refs++;
}

static void process_free(struct process *p)
{
	struct container *c = p->container;

	for (int i = 0; i < 3; i++)
		free(p->paths[i]);
	free(p->spec);
	if (process_is_init(p)) {
		free(c->bundle);
		free(c);
	} else {
		free(p);
		process_release(&c->init);
	}
}

void process_release(struct process *process)
{
	process->refs--;
	if (process->refs == 0 && process->removed)
		process_free(process);
}

static void fail_waiters(struct process *p)
{
	struct waiter *waiter;

	while ((waiter = SLIST_FIRST(&p->waiters))) {
		SLIST_REMOVE_HEAD(&p->waiters, link);
		call_fail(waiter->call, RPC_NOT_FOUND, "process has been deleted: not found");
		free(waiter);
	}
}

void process_remove(struct process *process)
{
	struct process *p, *next;

	if (process->removed)
		return;
	process_hold(process);
	process->removed = true;
	if (process->child.pid > 0) { /* it was never more than an exec that could not be started */
		LIST_REMOVE(&process->child, link);
		process->child.pid = 0;
	}
	stdio_end(process->stdio);
	process->stdio = NULL;
	fail_waiters(process);
	if (process_is_init(process)) {
		sandbox_forget(process->container);
		LIST_REMOVE(process->container, link);
		count--;
		for (p = LIST_FIRST(&process->container->execs); p; p = next) {
			next = LIST_NEXT(p, link);
			process_remove(p);
		}
	} else {
		LIST_REMOVE(process, link);
	}
	process_release(process);
}
