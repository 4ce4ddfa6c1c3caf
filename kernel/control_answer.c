/*
 * Answers to the orders of the control channel, and the requests that wait for one.
 *
 * What cannot be answered at once is kept as a struct pending and answered from where its condition comes true: a
 * container's change of state, the end of a process. Answers that the host has no room for are queued and tried again.
 */
#include <linux/errno.h>

#include "kernel/control.h"
#include "kernel/errno_names.h"
#include "kernel/mm.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "ring0/clock.h"
#include "ring0/lib.h"

#define RETRY_NS 2000000ull
#define LAST_TRIES 200u

/* A request whose answer waits for something. */
struct pending {
	TAILQ_ENTRY(pending) link;
	struct control_target to;
	uint32_t pid; /* CONTROL_WAIT; 0: the container's first process */
};

struct reply {
	TAILQ_ENTRY(reply) link;
	uint32_t size;
	struct control_header header;
	uint8_t payload[];
};

static TAILQ_HEAD(, pending) pendings = TAILQ_HEAD_INITIALIZER(pendings);
static TAILQ_HEAD(, reply) replies = TAILQ_HEAD_INITIALIZER(replies);
static struct ktimer retry_timer;

static bool flush(void)
{
	struct reply *reply;

	while ((reply = TAILQ_FIRST(&replies))) {
		int64_t rc = machine->host_call(ABI_CALL_control_send, va_to_pa(&reply->header), reply->size, 0, 0);

		if (rc == -EAGAIN)
			return false;
		TAILQ_REMOVE(&replies, reply, link);
		kfree(reply);
	}
	return true;
}

static void retry(struct ktimer *timer)
{
	if (!flush())
		ktimer_start(timer, clock_monotonic() + RETRY_NS);
}

void control_flush_last(void)
{
	for (unsigned i = 0; i < LAST_TRIES && !flush(); i++)
		(void)task_block(clock_monotonic() + RETRY_NS, false);
}

void control_reply(const struct control_target *to, int error, uint32_t flags, const void *payload, uint32_t len)
{
	struct reply *reply = kzalloc(sizeof(*reply) + len);

	if (!reply) {
		klog(LOG_WARNING, "control: no memory for an answer");
		return;
	}
	reply->header = (struct control_header){.op = to->op, .request = to->request, .error = error, .flags = flags, .len = len};
	if (to->container)
		reply->header.container = to->container->id;
	reply->size = (uint32_t)sizeof(reply->header) + len;
	memcpy(reply->payload, payload, len);
	TAILQ_INSERT_TAIL(&replies, reply, link);
	if (!flush())
		ktimer_start(&retry_timer, clock_monotonic() + RETRY_NS);
}

void control_refuse(const struct control_target *to, int error, const char *why)
{
	if (!why || !*why)
		why = errno_text(-error);
	control_reply(to, error, 0, why, (uint32_t)strlen(why));
}

void control_defer(const struct control_target *to, uint32_t pid)
{
	struct pending *pending = kzalloc(sizeof(*pending));

	if (!pending) {
		control_refuse(to, -ENOMEM, NULL);
		return;
	}
	pending->to = *to;
	pending->pid = pid;
	TAILQ_INSERT_TAIL(&pendings, pending, link);
}

void control_answer_exited(const struct control_target *to, int status, bool oom)
{
	struct control_exited exited = {(uint32_t)status, oom};

	control_reply(to, 0, 0, &exited, sizeof(exited));
}

static void drop(struct pending *pending)
{
	TAILQ_REMOVE(&pendings, pending, link);
	kfree(pending);
}

/* True: answered. */
static bool try_state(const struct control_target *to)
{
	const struct container *c = to->container;
	enum container_state want = to->op == CONTROL_CREATED || to->op == CONTROL_CREATE ? CONTAINER_CREATED : CONTAINER_RUNNING;

	if (c->state == CONTAINER_ENDED && c->error)
		control_refuse(to, c->error, c->why);
	else if (c->state == CONTAINER_ENDED && !c->started)
		control_refuse(to, -ESRCH, "the container has ended before it was started");
	else if (c->state >= want)
		control_reply(to, 0, 0, "", 0);
	else
		return false;
	return true;
}

void control_answer_when_state(const struct control_target *to)
{
	if (!try_state(to))
		control_defer(to, 0);
}

static void send_event(struct container *c, uint32_t kind, uint32_t pid, uint32_t status)
{
	struct control_event event = {kind, c->id, pid, status};
	struct pending *pending;

	TAILQ_FOREACH(pending, &pendings, link) {
		if (pending->to.op == CONTROL_EVENTS)
			control_reply(&pending->to, 0, CONTROL_MORE, &event, sizeof(event));
	}
}

void control_container_changed(struct container *c)
{
	struct pending *pending, *next;

	if (c->state == CONTAINER_ENDED)
		send_event(c, CONTROL_EVENT_EXIT, 1, (uint32_t)c->wait_status);
	TAILQ_FOREACH_SAFE(pending, &pendings, link, next) {
		bool done = false;

		if (pending->to.container != c || pending->to.op == CONTROL_EVENTS)
			continue;
		if (pending->to.op == CONTROL_WAIT) {
			done = pending->pid == 0 && c->state == CONTAINER_ENDED;
			if (done)
				control_answer_exited(&pending->to, c->wait_status, c->oom_kills);
		} else {
			done = try_state(&pending->to);
		}
		if (done)
			drop(pending);
	}
}

void control_oom(struct container *c, struct process *victim)
{
	c->oom_kills++;
	victim->oom_killed = true;
	send_event(c, CONTROL_EVENT_OOM, (uint32_t)process_number(victim, c), 0);
}

bool control_answer_waits(struct container *c, uint32_t pid, int status)
{
	struct pending *pending, *next;
	bool any = false;

	TAILQ_FOREACH_SAFE(pending, &pendings, link, next) {
		if (pending->to.op != CONTROL_WAIT || pending->pid != pid || pending->to.container != c)
			continue;
		control_answer_exited(&pending->to, status, false);
		drop(pending);
		any = true;
	}
	return any;
}

void control_cancel_request(uint32_t request)
{
	struct pending *pending, *next;

	TAILQ_FOREACH_SAFE(pending, &pendings, link, next) {
		if (pending->to.request == request)
			drop(pending);
	}
}

void control_refuse_all(struct container *c)
{
	struct pending *pending, *next;

	TAILQ_FOREACH_SAFE(pending, &pendings, link, next) {
		if (pending->to.container == c) {
			control_refuse(&pending->to, -ESRCH, NULL);
			drop(pending);
		}
	}
}

void control_answers_init(void)
{
	ktimer_init(&retry_timer, retry);
}
