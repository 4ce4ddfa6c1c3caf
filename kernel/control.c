/*
 * The sentry's end of the control channel (platform/abi/control.h): takes the orders of the runtime command.
 *
 * One kernel task keeps a `control` ring operation outstanding and carries out what arrives; nothing it does waits
 * for a program of the container, but for the moment that freezing takes. Answers, and requests that wait for one, are in
 * control_answer.c. What comes in was made by the command, but is checked like anything from outside.
 */
#include <linux/errno.h>

#include "kernel/control.h"
#include "kernel/files.h"
#include "kernel/mm.h"
#include "kernel/net/inet.h"
#include "kernel/net/later.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "ring0/lib.h"
#include "ring0/memory.h"

#define MESSAGE_ORDER 5 /* CONTROL_MAX bytes */

_Static_assert(CONTROL_MAX == 4096u << MESSAGE_ORDER, "one block of pages holds a message");

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
	struct console *console = control_console_of(to->container, order.pid);

	if (!console) {
		control_refuse(to, -ENOTTY, "the process has no terminal of its own");
		return;
	}
	console_set_size(console, &size);
	control_reply(to, 0, 0, "", 0);
}

static void do_update(const struct control_target *to, const struct control_header *header, const uint8_t *payload)
{
	const char *at = (const char *)payload, *end = at + header->len;
	int rc = header->len && end[-1] ? -EINVAL : 0;

	for (; at < end && !rc; at += strlen(at) + 1)
		rc = files_cgroup_set(&to->container->cgroup, at);
	if (rc)
		control_refuse(to, rc, "a limit cannot be set");
	else
		control_reply(to, 0, 0, "", 0);
}

static void do_wait(const struct control_target *to, const struct control_header *header, const uint8_t *payload)
{
	PAYLOAD(control_wait, order);
	control_wait_for(to, order.pid);
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
	control_answer_when_state(&to);
}

/* The network of the sandbox, before its first program runs. */
static void do_network(const struct control_target *to, const struct control_header *header, const uint8_t *payload)
{
	bool resolver = header->flags & CONTROL_RESOLVER;
	uint32_t count = 0, first = header->flags & CONTROL_LATER ? 2 : 0; /* the links' own */
	int rc = -EINVAL;

	while (count < CONTROL_FDS && header->fds[count] != CONTROL_NO_FD)
		count++;
	if (header->flags & CONTROL_SHOWN)
		rc = inet_show(payload, header->len);
	else if (count >= first + resolver)
		rc = inet_configure(payload, header->len, header->fds + first, count - first - resolver);
	if (!rc && first) {
		inet_use_links(header->fds[1]);
		rc = later_start(header->fds[0]);
	}
	if (!rc && resolver)
		inet_use_resolver(header->fds[count - 1]);
	if (rc) {
		close_descriptors(header);
		control_refuse(to, rc, rc == -EINVAL ? "the network's description is wrong" : NULL);
		return;
	}
	control_reply(to, 0, 0, "", 0);
}

#undef PAYLOAD

static void do_exec(const struct control_target *to, const struct control_header *header, const uint8_t *payload)
{
	int rc = control_exec(to, header, payload);

	if (rc) {
		close_descriptors(header);
		control_refuse(to, rc, rc == -ESRCH ? "the container is not running" : NULL);
	}
}

static void do_created(const struct control_target *to, const struct control_header *header, const uint8_t *payload)
{
	control_answer_when_state(to);
}

static void do_start(const struct control_target *to, const struct control_header *header, const uint8_t *payload)
{
	to->container->start_ordered = true;
	waitq_wake_all(&to->container->waiters);
	control_answer_when_state(to);
}

static void do_ps(const struct control_target *to, const struct control_header *header, const uint8_t *payload)
{
	control_list_processes(to);
}

static void do_freeze(const struct control_target *to, const struct control_header *header, const uint8_t *payload)
{
	cgroup_set_freeze(&to->container->cgroup, header->op == CONTROL_PAUSE);
	control_reply(to, 0, 0, "", 0);
}

static void do_stats(const struct control_target *to, const struct control_header *header, const uint8_t *payload)
{
	struct control_stats stats;

	control_fill_stats(to->container, &stats);
	control_reply(to, 0, 0, &stats, sizeof(stats));
}

static void do_debug(const struct control_target *to, const struct control_header *header, const uint8_t *payload)
{
	control_debug(to, (const char *)payload, header->len);
}

static void do_delete(const struct control_target *to, const struct control_header *header, const uint8_t *payload)
{
	if (to->container == &first_container || to->container->state != CONTAINER_ENDED) {
		control_refuse(to, -EBUSY, "the container has not ended");
		return;
	}
	control_refuse_all(to->container);
	control_forget_started(to->container);
	struct control_target answer = {to->op, to->request, NULL};
	container_delete(to->container);
	control_reply(&answer, 0, 0, "", 0);
}

static void do_events(const struct control_target *to, const struct control_header *header, const uint8_t *payload)
{
	control_defer(to, 0);
}

static void do_ping(const struct control_target *to, const struct control_header *header, const uint8_t *payload)
{
	control_reply(to, 0, 0, "", 0);
}

/* The orders for a container that is there. */
static void (*const orders[])(const struct control_target *to, const struct control_header *header, const uint8_t *payload) = {
	[CONTROL_CREATED] = do_created,
	[CONTROL_START] = do_start,
	[CONTROL_KILL] = do_kill,
	[CONTROL_EXEC] = do_exec,
	[CONTROL_WAIT] = do_wait,
	[CONTROL_PS] = do_ps,
	[CONTROL_PAUSE] = do_freeze,
	[CONTROL_RESUME] = do_freeze,
	[CONTROL_STATS] = do_stats,
	[CONTROL_RESIZE] = do_resize,
	[CONTROL_UPDATE] = do_update,
	[CONTROL_DEBUG] = do_debug,
	[CONTROL_DELETE] = do_delete,
	[CONTROL_NETWORK] = do_network,
	[CONTROL_EVENTS] = do_events,
	[CONTROL_PING] = do_ping,
};

static void cancel(uint32_t request)
{
	control_cancel_request(request);
	control_cancel_started(request);
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
	else if (header.op >= sizeof(orders) / sizeof(orders[0]) || !orders[header.op])
		control_refuse(&to, -ENOSYS, NULL);
	else
		orders[header.op](&to, &header, payload);
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
		take(message, (uint64_t)got > CONTROL_MAX ? CONTROL_MAX : (uint64_t)got);
	}
	for (;;)
		(void)task_block(DEADLINE_NONE, false);
}

void control_init(void)
{
	control_answers_init();
	if (!kernel_task_create("control", control_main, NULL))
		panic("no memory for the control task");
}
