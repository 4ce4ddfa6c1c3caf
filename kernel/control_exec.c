/*
 * Processes that the runtime command starts in a container (CONTROL_EXEC): remembered from the start until somebody has
 * waited for them, with the terminal that each may have.
 */
#include <asm/signal.h>
#include <linux/errno.h>

#include "kernel/control.h"
#include "kernel/files.h"
#include "kernel/mm.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "ring0/lib.h"

struct started {
	TAILQ_ENTRY(started) link;
	struct container *container;
	struct process *process; /* without a reference; NULL once it has ended */
	struct console *console;
	uint32_t pid, request;
	int status;
	bool bound, forgotten;
};

static TAILQ_HEAD(, started) starteds = TAILQ_HEAD_INITIALIZER(starteds);

static void forget(struct started *started)
{
	TAILQ_REMOVE(&starteds, started, link);
	kfree(started);
}

int control_exec(const struct control_target *to, const struct control_header *header, const uint8_t *payload)
{
	struct launch *launch = kzalloc(sizeof(*launch));
	int rc = -ESRCH;

	if (!launch)
		return -ENOMEM;
	if (to->container->state != CONTAINER_RUNNING && to->container->state != CONTAINER_CREATED)
		goto fail;
	rc = config_decode(payload, header->len, &launch->config);
	if (rc)
		goto fail_config;
	launch->container = to->container;
	launch->request = header->request;
	launch->bound = header->flags & CONTROL_BOUND;
	memcpy(launch->fds, header->fds, sizeof(launch->fds));
	rc = launch_process(launch);
	if (rc == 0)
		return 0; /* control_launched() goes on */
fail_config:
	config_free(&launch->config);
fail:
	kfree(launch);
	return rc;
}

void control_launched(struct launch *launch, struct process *process, int error)
{
	struct control_target to = {CONTROL_EXEC, launch->request, launch->container};
	struct started *started = error ? NULL : kzalloc(sizeof(*started));

	if (error || !started) {
		control_refuse(&to, error ? error : -ENOMEM, launch->why);
		if (launch->console)
			console_release(launch->console);
		if (!error)
			signal_send_kernel(process->leader, SIGKILL);
	} else {
		struct control_started answer = {.pid = (uint32_t)process_number(process, launch->container)};

		*started = (struct started){.container = launch->container, .process = process, .console = launch->console,
			.pid = answer.pid, .request = launch->request, .bound = launch->bound};
		TAILQ_INSERT_TAIL(&starteds, started, link);
		control_reply(&to, 0, 0, &answer, sizeof(answer));
	}
	config_free(&launch->config);
	kfree(launch);
}

/* The terminal is let go where sleeping is allowed: its output has to reach the host first. */
struct release_work {
	struct kwork work;
	struct started *started;
	struct console *console;
};

static void started_answer(struct started *started)
{
	if (control_answer_waits(started->container, started->pid, started->status) || started->forgotten)
		forget(started);
}

static void release_console(struct kwork *base)
{
	struct release_work *work = container_of(base, struct release_work, work);

	console_release(work->console);
	work->started->console = NULL;
	started_answer(work->started);
	kfree(work);
}

void control_process_ended(struct process *process)
{
	struct started *started, *next;

	TAILQ_FOREACH_SAFE(started, &starteds, link, next) {
		if (started->process != process)
			continue;
		started->process = NULL;
		started->status = process->exit_status;
		struct release_work *work = started->console ? kzalloc(sizeof(*work)) : NULL;
		if (work) {
			*work = (struct release_work){.work.fn = release_console, .started = started, .console = started->console};
			kwork_queue(&work->work);
		} else {
			started_answer(started);
		}
	}
}

static struct started *find_started(const struct container *c, uint32_t pid)
{
	struct started *started;

	TAILQ_FOREACH(started, &starteds, link) {
		if (started->container == c && started->pid == pid)
			return started;
	}
	return NULL;
}

struct console *control_console_of(const struct container *c, uint32_t pid)
{
	struct started *started = pid ? find_started(c, pid) : NULL;

	if (pid)
		return started ? started->console : NULL;
	return c->console;
}

void control_wait_for(const struct control_target *to, uint32_t pid)
{
	struct started *started = pid ? find_started(to->container, pid) : NULL;

	if (pid && !started)
		control_refuse(to, -ESRCH, "no process that was started from outside has this number");
	else if (!pid && to->container->state == CONTAINER_ENDED)
		control_answer_exited(to, to->container->wait_status, to->container->oom_kills);
	else
		control_defer(to, pid);
	if (started && !started->process && !started->console)
		started_answer(started);
}

void control_cancel_started(uint32_t request)
{
	struct started *started, *next;

	TAILQ_FOREACH_SAFE(started, &starteds, link, next) {
		if (started->request != request)
			continue;
		started->forgotten = true;
		if (started->process && started->bound)
			signal_send_kernel(started->process->leader, SIGKILL);
		else if (!started->process && !started->console)
			forget(started);
	}
}

void control_forget_started(const struct container *c)
{
	struct started *started, *next;

	TAILQ_FOREACH_SAFE(started, &starteds, link, next) {
		if (started->container == c && !started->console)
			forget(started);
	}
}
