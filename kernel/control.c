/*
 * The sentry's end of the control channel (platform/abi/control.h): takes the orders of the runtime command, answers.
 *
 * One kernel task keeps a `control` ring operation outstanding and carries out what arrives; nothing it does waits
 * for a program of the container, but for the moment that freezing takes. What cannot be answered at once is kept as
 * a struct pending and answered from where its condition comes true. Answers that the host has no room for are
 * queued and tried again. What comes in was made by the command, but is checked like anything from outside.
 */
#include <asm/signal.h>
#include <linux/errno.h>

#include "kernel/control.h"
#include "kernel/errno_names.h"
#include "kernel/files.h"
#include "kernel/mm.h"
#include "kernel/net/inet.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "ring0/clock.h"
#include "ring0/lib.h"
#include "ring0/memory.h"

#define MESSAGE_ORDER 5 /* CONTROL_MAX bytes */
#define RETRY_NS 2000000ull
#define LAST_TRIES 200u

_Static_assert(CONTROL_MAX == 4096u << MESSAGE_ORDER, "one block of pages holds a message");

/* A request whose answer waits for something. */
struct pending {
	TAILQ_ENTRY(pending) link;
	uint32_t op, request;
	struct container *container;
	uint32_t pid; /* CONTROL_WAIT; 0: the container's first process */
};

/* A process that CONTROL_EXEC started: remembered until somebody has waited for it. */
struct started {
	TAILQ_ENTRY(started) link;
	struct container *container;
	struct process *process; /* without a reference; NULL once it has ended */
	struct console *console;
	uint32_t pid, request;
	int status;
	bool bound, forgotten;
};

struct reply {
	TAILQ_ENTRY(reply) link;
	uint32_t size;
	struct control_header header;
	uint8_t payload[];
};

static TAILQ_HEAD(, pending) pendings = TAILQ_HEAD_INITIALIZER(pendings);
static TAILQ_HEAD(, started) starteds = TAILQ_HEAD_INITIALIZER(starteds);
static TAILQ_HEAD(, reply) replies = TAILQ_HEAD_INITIALIZER(replies);
static struct ktimer retry_timer;
static bool running;

/* ---- answers ---- */

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
	for (unsigned i = 0; running && i < LAST_TRIES && !flush(); i++)
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

static void defer(const struct control_target *to, uint32_t pid)
{
	struct pending *pending = kzalloc(sizeof(*pending));

	if (!pending) {
		control_refuse(to, -ENOMEM, NULL);
		return;
	}
	*pending = (struct pending){.op = to->op, .request = to->request, .container = to->container, .pid = pid};
	TAILQ_INSERT_TAIL(&pendings, pending, link);
}

static void answer_exited(const struct control_target *to, int status, bool oom)
{
	struct control_exited exited = {(uint32_t)status, oom};

	control_reply(to, 0, 0, &exited, sizeof(exited));
}

/* ---- states ---- */

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

static void answer_when_state(const struct control_target *to)
{
	if (!try_state(to))
		defer(to, 0);
}

static void send_event(struct container *c, uint32_t kind, uint32_t pid, uint32_t status)
{
	struct control_event event = {kind, c->id, pid, status};
	struct pending *pending;

	TAILQ_FOREACH(pending, &pendings, link) {
		struct control_target to = {pending->op, pending->request, pending->container};

		if (pending->op == CONTROL_EVENTS)
			control_reply(&to, 0, CONTROL_MORE, &event, sizeof(event));
	}
}

void control_container_changed(struct container *c)
{
	struct pending *pending, *next;

	if (c->state == CONTAINER_ENDED)
		send_event(c, CONTROL_EVENT_EXIT, 1, (uint32_t)c->wait_status);
	TAILQ_FOREACH_SAFE(pending, &pendings, link, next) {
		struct control_target to = {pending->op, pending->request, pending->container};
		bool done = false;

		if (pending->container != c || pending->op == CONTROL_EVENTS)
			continue;
		if (pending->op == CONTROL_WAIT) {
			done = pending->pid == 0 && c->state == CONTAINER_ENDED;
			if (done)
				answer_exited(&to, c->wait_status, c->oom_kills);
		} else {
			done = try_state(&to);
		}
		if (done) {
			TAILQ_REMOVE(&pendings, pending, link);
			kfree(pending);
		}
	}
}

void control_oom(struct container *c, struct process *victim)
{
	c->oom_kills++;
	victim->oom_killed = true;
	send_event(c, CONTROL_EVENT_OOM, (uint32_t)process_number(victim, c), 0);
}

static void start(const struct control_target *to)
{
	to->container->start_ordered = true;
	waitq_wake_all(&to->container->waiters);
	answer_when_state(to);
}

/* ---- processes started from outside ---- */

static void forget(struct started *started)
{
	TAILQ_REMOVE(&starteds, started, link);
	kfree(started);
}

/* A request that came with descriptors was refused. */
static void close_descriptors(const struct control_header *header)
{
	bool gofer = header->op == CONTROL_CREATE; /* the last one is its number */

	for (unsigned i = 0; i < CONTROL_FDS; i++) {
		if (header->fds[i] == CONTROL_NO_FD)
			continue;
		unsigned call = gofer && i == 3 ? ABI_CALL_gofer_close : ABI_CALL_fd_close;
		(void)machine->host_call(call, header->fds[i], 0, 0, 0);
	}
}

static void exec(const struct control_target *to, const struct control_header *header, const uint8_t *payload)
{
	struct launch *launch = kzalloc(sizeof(*launch));
	int rc = -ENOMEM;

	if (!launch)
		goto fail;
	rc = -ESRCH;
	if (to->container->state != CONTAINER_RUNNING && to->container->state != CONTAINER_CREATED)
		goto fail;
	rc = config_decode(payload, header->len, &launch->config);
	if (rc)
		goto fail_config;
	launch->container = to->container;
	launch->request = header->request;
	launch->bound = header->flags & CONTROL_BOUND;
	for (unsigned i = 0; i < 3; i++)
		launch->fds[i] = header->fds[i];
	rc = launch_process(launch);
	if (rc == 0)
		return; /* control_launched() goes on */
fail_config:
	config_free(&launch->config);
fail:
	kfree(launch);
	close_descriptors(header);
	control_refuse(to, rc, rc == -ESRCH ? "the container is not running" : NULL);
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
	struct pending *pending, *next;

	TAILQ_FOREACH_SAFE(pending, &pendings, link, next) {
		struct control_target to = {pending->op, pending->request, pending->container};

		if (pending->op != CONTROL_WAIT || pending->pid != started->pid || pending->container != started->container)
			continue;
		answer_exited(&to, started->status, false);
		TAILQ_REMOVE(&pendings, pending, link);
		kfree(pending);
		started->forgotten = true;
	}
	if (started->forgotten)
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

static void wait_for(const struct control_target *to, uint32_t pid)
{
	struct started *started = pid ? find_started(to->container, pid) : NULL;

	if (pid && !started)
		control_refuse(to, -ESRCH, "no process that was started from outside has this number");
	else if (!pid && to->container->state == CONTAINER_ENDED)
		answer_exited(to, to->container->wait_status, to->container->oom_kills);
	else
		defer(to, pid);
	if (started && !started->process && !started->console)
		started_answer(started);
}

static void cancel(uint32_t request)
{
	struct pending *pending, *next;
	struct started *started, *after;

	TAILQ_FOREACH_SAFE(pending, &pendings, link, next) {
		if (pending->request == request) {
			TAILQ_REMOVE(&pendings, pending, link);
			kfree(pending);
		}
	}
	TAILQ_FOREACH_SAFE(started, &starteds, link, after) {
		if (started->request != request)
			continue;
		started->forgotten = true;
		if (started->process && started->bound)
			signal_send_kernel(started->process->leader, SIGKILL);
		else if (!started->process && !started->console)
			forget(started);
	}
}

/* ---- decoding ---- */

#define PAYLOAD(type, name)                                            \
	struct type name;                                              \
	if (header->len != sizeof(name)) {                             \
		control_refuse(to, -EINVAL, "the payload has a wrong length"); \
		return;                                                \
	}                                                              \
	memcpy(&name, payload, sizeof(name))

static void do_kill(const struct control_target *to, const struct control_header *header, const uint8_t *payload)
{
	PAYLOAD(control_kill, order);
	int rc = control_kill_process(to->container, &order);

	if (rc)
		control_refuse(to, rc, NULL);
	else
		control_reply(to, 0, 0, "", 0);
}

static void do_resize(const struct control_target *to, const struct control_header *header, const uint8_t *payload)
{
	PAYLOAD(control_resize, order);
	struct config_winsize size = {order.rows, order.columns, order.xpixel, order.ypixel};
	struct started *started = order.pid ? find_started(to->container, order.pid) : NULL;
	struct console *console = order.pid ? (started ? started->console : NULL) : to->container->console;

	if (!console) {
		control_refuse(to, -ENOTTY, "the process has no terminal of its own");
		return;
	}
	console_set_size(console, &size);
	control_reply(to, 0, 0, "", 0);
}

static void do_update(const struct control_target *to, const struct control_header *header, const uint8_t *payload)
{
	PAYLOAD(control_update, order);
	if (order.set & ~(uint64_t)(CONTROL_UPDATE_PIDS | CONTROL_UPDATE_MEMORY)) {
		control_refuse(to, -EOPNOTSUPP, "only the limits of tasks and of memory can be changed");
		return;
	}
	if (order.set & CONTROL_UPDATE_MEMORY) {
		to->container->memory_limit = order.memory;
		to->container->memory_step = 0; /* count at the next fault */
	}
	if (order.set & CONTROL_UPDATE_PIDS)
		to->container->cgroup.tasks_limit = order.pids ? order.pids : CGROUP_NO_LIMIT;
	control_reply(to, 0, 0, "", 0);
}

static void do_wait(const struct control_target *to, const struct control_header *header, const uint8_t *payload)
{
	PAYLOAD(control_wait, order);
	wait_for(to, order.pid);
}

static void do_create(const struct control_header *header, const uint8_t *payload)
{
	struct control_target to = {header->op, header->request, NULL};
	int rc = container_create(header->container, payload, header->len, header->fds, header->fds[3]);

	if (rc) {
		close_descriptors(header);
		control_refuse(&to, rc, NULL);
		return;
	}
	to.container = container_find(header->container);
	answer_when_state(&to);
}

/* The network of the sandbox, before its first program runs. */
static void do_network(const struct control_target *to, const struct control_header *header, const uint8_t *payload)
{
	bool resolver = header->flags & CONTROL_RESOLVER;
	uint32_t count = 0;
	int rc = -EINVAL;

	while (count < CONTROL_FDS && header->fds[count] != CONTROL_NO_FD)
		count++;
	if (!resolver || count)
		rc = inet_configure(payload, header->len, header->fds, count - resolver);
	if (!rc && resolver)
		rc = inet_use_resolver(header->fds[count - 1]);
	if (rc) {
		close_descriptors(header);
		control_refuse(to, rc, rc == -EINVAL ? "the network's description is wrong" : NULL);
		return;
	}
	control_reply(to, 0, 0, "", 0);
}

static void do_delete(const struct control_target *to)
{
	struct pending *pending, *next;
	struct started *started, *after;

	if (to->container == &first_container || to->container->state != CONTAINER_ENDED) {
		control_refuse(to, -EBUSY, "the container has not ended");
		return;
	}
	TAILQ_FOREACH_SAFE(pending, &pendings, link, next) {
		struct control_target other = {pending->op, pending->request, pending->container};

		if (pending->container != to->container)
			continue;
		control_refuse(&other, -ESRCH, NULL);
		TAILQ_REMOVE(&pendings, pending, link);
		kfree(pending);
	}
	TAILQ_FOREACH_SAFE(started, &starteds, link, after) {
		if (started->container == to->container && !started->console)
			forget(started);
	}
	struct control_target answer = {to->op, to->request, NULL};
	container_delete(to->container);
	control_reply(&answer, 0, 0, "", 0);
}

static void carry_out(const struct control_target *to, const struct control_header *header, const uint8_t *payload)
{
	struct control_stats stats;

	switch (header->op) {
	case CONTROL_CREATED:
		answer_when_state(to);
		return;
	case CONTROL_START:
		start(to);
		return;
	case CONTROL_KILL:
		do_kill(to, header, payload);
		return;
	case CONTROL_EXEC:
		exec(to, header, payload);
		return;
	case CONTROL_WAIT:
		do_wait(to, header, payload);
		return;
	case CONTROL_PS:
		control_list_processes(to);
		return;
	case CONTROL_PAUSE:
		cgroup_set_freeze(&to->container->cgroup, true);
		control_reply(to, 0, 0, "", 0);
		return;
	case CONTROL_RESUME:
		cgroup_set_freeze(&to->container->cgroup, false);
		control_reply(to, 0, 0, "", 0);
		return;
	case CONTROL_STATS:
		control_fill_stats(to->container, &stats);
		control_reply(to, 0, 0, &stats, sizeof(stats));
		return;
	case CONTROL_RESIZE:
		do_resize(to, header, payload);
		return;
	case CONTROL_UPDATE:
		do_update(to, header, payload);
		return;
	case CONTROL_DEBUG:
		control_debug(to, (const char *)payload, header->len);
		return;
	case CONTROL_DELETE:
		do_delete(to);
		return;
	case CONTROL_NETWORK:
		do_network(to, header, payload);
		return;
	case CONTROL_EVENTS:
		defer(to, 0);
		return;
	case CONTROL_PING:
		control_reply(to, 0, 0, "", 0);
		return;
	}
	control_refuse(to, -ENOSYS, NULL);
}

static void take(const uint8_t *message, uint64_t size)
{
	struct control_header header;

	if (size < sizeof(header))
		return;
	memcpy(&header, message, sizeof(header));
	struct control_target to = {header.op, header.request, container_find(header.container)};
	const uint8_t *payload = message + sizeof(header);
	if (header.len != size - sizeof(header))
		control_refuse(&to, -EINVAL, "the payload has a wrong length");
	else if (header.op == CONTROL_CANCEL)
		cancel(header.request);
	else if (header.op == CONTROL_CREATE)
		do_create(&header, payload);
	else if (!to.container)
		control_refuse(&to, -ESRCH, "no such container");
	else
		carry_out(&to, &header, payload);
}

static void control_main(void *arg)
{
	uint8_t *message = kpages_alloc(MESSAGE_ORDER);

	while (message) {
		struct abi_sqe sqe = {.op = ABI_RING_control, .gpa = va_to_pa(message), .len = CONTROL_MAX};
		int64_t got = hostring_call(&sqe, NULL);

		if (got == -EINTR || got == -EAGAIN)
			continue;
		if (got < 0) {
			klog(LOG_DEBUG, "control: the host has no control channel: error %ld", (long)-got);
			break;
		}
		running = true;
		take(message, (uint64_t)got > CONTROL_MAX ? CONTROL_MAX : (uint64_t)got);
	}
	for (;;)
		(void)task_block(DEADLINE_NONE, false);
}

void control_init(void)
{
	ktimer_init(&retry_timer, retry);
	if (!kernel_task_create("control", control_main, NULL))
		panic("no memory for the control task");
}
