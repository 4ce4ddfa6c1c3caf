/*
 * Requests to the host by the ring of platform/abi/abi.h, and the events that come back.
 *
 * Called under the kernel lock, which makes this CPU the ring's only producer and
 * consumer. At most ABI_RING_ENTRIES requests are in flight: a caller that may sleep
 * waits for a slot. A slot's number is its cookie. The VMM may complete a request before
 * ring_notify() returns, so a completion is looked for before anybody sleeps.
 */
#include <linux/errno.h>

#include "kernel/sched.h"
#include "kernel/task.h"
#include "kernel/tty_events.h"
#include "kernel/wait.h"
#include "ring0/clock.h"
#include "ring0/lib.h"
#include "ring0/machine.h"
#include "ring0/memory.h"

struct slot {
	struct hostring_request *request; /* NULL and not busy: free */
	bool busy;
};

static struct abi_ring *ring;
static struct slot slots[ABI_RING_ENTRIES];
static unsigned in_flight, next_slot;
static bool unrung;  /* entries were published without a word to the VMM */
static bool polling; /* hostring_poll() says that word, once for all that the completions bring about */
struct hostring_counters hostring_counters;
static struct waitq slot_waiters = WAITQ_INIT(slot_waiters);

struct sync_request {
	struct hostring_request base;
	struct task *task;
	int64_t res;
	uint64_t extra;
	bool done;
};

int hostring_submit_quietly(const struct abi_sqe *sqe, struct hostring_request *request)
{
	if (in_flight == ABI_RING_ENTRIES)
		return -EAGAIN;
	while (slots[next_slot].busy)
		next_slot = (next_slot + 1) % ABI_RING_ENTRIES;
	slots[next_slot].busy = true;
	slots[next_slot].request = request;
	in_flight++;
	hostring_counters.requests++;

	uint32_t tail = ring->sq_tail;
	ring->sq[tail % ABI_RING_ENTRIES] = *sqe;
	ring->sq[tail % ABI_RING_ENTRIES].cookie = next_slot;
	__atomic_store_n(&ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
	next_slot = (next_slot + 1) % ABI_RING_ENTRIES;
	return 0;
}

int hostring_submit_later(const struct abi_sqe *sqe, struct hostring_request *request)
{
	int rc = hostring_submit_quietly(sqe, request);

	unrung = unrung || rc == 0;
	return rc;
}

void hostring_ring(void)
{
	bool waits;

	if (!unrung || polling)
		return;
	unrung = false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the entries are published before it is asked whether the VMM waits */
	waits = __atomic_load_n(&ring->sq_wait, __ATOMIC_RELAXED);
	if (waits)
		__atomic_store_n(&ring->sq_wait, 0, __ATOMIC_RELAXED);
	machine->ring_notify(!waits);
}

int hostring_submit(const struct abi_sqe *sqe, struct hostring_request *request)
{
	int rc = hostring_submit_later(sqe, request);

	hostring_ring();
	return rc;
}

static bool completions_wait(void)
{
	return ring->cq_head != __atomic_load_n(&ring->cq_tail, __ATOMIC_ACQUIRE);
}

static void take_completions(void)
{
	while (completions_wait()) {
		uint32_t head = ring->cq_head;
		struct abi_cqe cqe = ring->cq[head % ABI_RING_ENTRIES];

		__atomic_store_n(&ring->cq_head, ++head, __ATOMIC_RELEASE);
		if (cqe.cookie >= ABI_RING_ENTRIES || !slots[cqe.cookie].busy)
			panic("host ring: a completion for request %lu, which was not made", (unsigned long)cqe.cookie);
		struct hostring_request *request = slots[cqe.cookie].request;
		slots[cqe.cookie].busy = false;
		in_flight--;
		waitq_wake(&slot_waiters, 1, ~0u);
		request->done(request, cqe.res, cqe.extra);
	}
}

void hostring_poll(void)
{
	do {
		polling = !machine->serves_ring;
		take_completions();
		polling = false;
		hostring_ring();
		__atomic_store_n(&ring->cq_wait, 1, __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_SEQ_CST); /* before cq_tail is looked at */
	} while (completions_wait());
}

static void sync_done(struct hostring_request *base, int64_t res, uint64_t extra)
{
	struct sync_request *request = container_of(base, struct sync_request, base);

	request->res = res;
	request->extra = extra;
	request->done = true;
	task_wake(request->task);
}

/* Sleep whatever signals come, SIGKILL too: the host writes into the caller's buffers until the request ends. */
static void wait_for_host(void)
{
	current->block_interruptible = false;
	current->state = TASK_BLOCKED;
	schedule();
}

static void count_gofer(uint64_t began)
{
	uint64_t ns = clock_monotonic() - began, limit = CONTROL_LATENCY_FIRST_NS;
	unsigned bucket = 0;

	for (; bucket < CONTROL_LATENCY_BUCKETS - 1 && ns > limit; bucket++)
		limit *= 2;
	hostring_counters.gofer_messages++;
	hostring_counters.gofer_ns += ns;
	hostring_counters.gofer_latency[bucket]++;
}

int64_t hostring_call(const struct abi_sqe *sqe, uint64_t *extra)
{
	struct sync_request request = {.base.done = sync_done, .task = current};
	uint64_t began = sqe->op == ABI_RING_p9 ? clock_monotonic() : 0;

	while (hostring_submit(sqe, &request.base) == -EAGAIN) {
		struct waiter waiter;

		hostring_poll();
		if (in_flight < ABI_RING_ENTRIES)
			continue;
		waiter_init(&waiter);
		waiter.exclusive = true;
		waitq_add(&slot_waiters, &waiter);
		wait_for_host();
		waitq_remove(&waiter);
	}
	hostring_poll();
	while (!request.done)
		wait_for_host();
	if (began)
		count_gofer(began);
	if (extra)
		*extra = request.extra;
	return request.res;
}

/* ---- events from the host ---- */

static void event_done(struct hostring_request *request, int64_t res, uint64_t extra);
static struct hostring_request event_request = {.done = event_done};

static void event_submit(void)
{
	struct abi_sqe sqe = {.op = ABI_RING_event};

	if (hostring_submit(&sqe, &event_request))
		klog(LOG_WARNING, "host ring: no room to wait for events");
}

static void event_done(struct hostring_request *request, int64_t res, uint64_t extra)
{
	if (res < 0) {
		klog(LOG_WARNING, "host ring: waiting for events: error %ld", (long)-res);
		return;
	}
	if (res == ABI_EVENT_SIGNAL && extra >= 1 && extra <= KSIG_MAX && init_process) {
		struct ksiginfo info = {.signo = (int)extra};

		signal_send_process(init_process, &info);
	} else if (res == ABI_EVENT_WINCH) {
		console_winch();
	}
	event_submit();
}

void hostring_init(const struct abi_boot *boot)
{
	ring = pa_to_va(boot->ring_gpa);
	ring->cq_wait = 1;
	event_submit();
}
