/*
 * Sleeping and waking, timers and sleeping locks.
 *
 * All under the kernel lock, so a check of a condition followed by task_block() cannot
 * lose a wake-up: the lock is dropped only once the task is off the CPU. Order of use:
 *
 *	struct waiter w;
 *	waiter_init(&w);
 *	waitq_add(&queue, &w);
 *	while (!condition) {
 *		rc = task_block(deadline, true);
 *		if (rc) break;          // -ETIMEDOUT, -EINTR
 *	}
 *	waitq_remove(&w);
 *
 * or the wait_event() macro, which is just that. A waiter with a `wake` function of its
 * own (epoll, poll) is called instead of waking a task; it must not sleep.
 */
#ifndef KERNEL_WAIT_H
#define KERNEL_WAIT_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/abi/control.h"

struct task;
struct waitq;

#define DEADLINE_NONE UINT64_MAX /* monotonic nanoseconds otherwise */

struct waiter {
	TAILQ_ENTRY(waiter) link;
	struct waitq *queue;                               /* NULL: on none */
	struct task *task;                                 /* woken when wake is NULL */
	void (*wake)(struct waiter *waiter, uint32_t events); /* EPOLL* bits; ~0: anything */
	bool exclusive; /* waitq_wake(n) counts only these */
	bool woken;     /* set by the default wake */
};

struct waitq {
	TAILQ_HEAD(waiter_list, waiter) waiters;
};

#define WAITQ_INIT(q) {.waiters = TAILQ_HEAD_INITIALIZER((q).waiters)}

void waitq_init(struct waitq *queue);
void waiter_init(struct waiter *waiter); /* for the current task */
void waitq_add(struct waitq *queue, struct waiter *waiter);
void waitq_remove(struct waiter *waiter); /* harmless if it is on no queue */
/*
 * Wakes all non-exclusive waiters and up to n exclusive ones. Returns how many. Who is only told that there is room to write
 * (EPOLLOUT and its like) preempts nobody: whoever makes the room is still at work on what was written before.
 */
unsigned waitq_wake(struct waitq *queue, unsigned n, uint32_t events);
#define waitq_wake_all(queue) waitq_wake((queue), UINT32_MAX, ~0u)
static inline bool waitq_empty(const struct waitq *queue)
{
	return TAILQ_EMPTY(&queue->waiters);
}

/*
 * Sleep until somebody wakes this task. 0: woken (perhaps for nothing: check again);
 * -ETIMEDOUT: the deadline passed; -EINTR: interruptible and a signal is pending (the
 * caller maps it to -ERESTARTSYS etc. as Linux does), or the task is being killed
 * (also when not interruptible: "killable").
 */
int task_block(uint64_t deadline, bool interruptible);
/*
 * In a call that may last long, at a place where it may sleep, every BREATH_BYTES or so: lets the others run if it has kept them
 * waiting for some milliseconds. Whether it is to end with what it has, because the task is being killed.
 */
#define BREATH_BYTES (256u << 10)
bool task_breathe(void);
bool task_breath_due(void); /* it would sleep: the caller has something to put in order before */
/* Make a blocked task runnable; nothing if it is not blocked. */
void task_wake(struct task *task);
/* The same for a task that may as well wait until the current one is done: it does not preempt. */
void task_wake_patient(struct task *task);

#define wait_event(queue, condition, deadline, interruptible)            \
	({                                                               \
		int wait_rc = 0;                                         \
		struct waiter wait_w;                                    \
		waiter_init(&wait_w);                                    \
		waitq_add((queue), &wait_w);                             \
		while (!(condition)) {                                   \
			wait_rc = task_block((deadline), (interruptible)); \
			if (wait_rc)                                     \
				break;                                   \
		}                                                        \
		waitq_remove(&wait_w);                                   \
		wait_rc;                                                 \
	})

/* A sleeping lock, for exclusion across sleeps (an inode's size during a write, an mm's map). Not recursive. */
struct mutex {
	struct task *owner;
	struct waitq waiters;
};
void mutex_init(struct mutex *mutex);
void mutex_lock(struct mutex *mutex); /* may sleep; not interruptible */
bool mutex_trylock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);

/* Readers and one writer; writers go first. */
struct rwsem {
	struct task *writer;
	unsigned readers;
	unsigned writers_waiting, readers_waiting;
	unsigned turn; /* readers that waited when a writer left: they come before the next one */
	struct waitq waiters;
};
void rwsem_init(struct rwsem *sem);
void rwsem_read_lock(struct rwsem *sem);
void rwsem_read_unlock(struct rwsem *sem);
void rwsem_write_lock(struct rwsem *sem);
void rwsem_write_unlock(struct rwsem *sem);

/* A one-shot timer; fn runs under the kernel lock and must not sleep. It may start the timer again. */
struct ktimer {
	RB_ENTRY(ktimer) node;
	uint64_t deadline; /* monotonic ns */
	void (*fn)(struct ktimer *timer);
	bool armed;
	unsigned cpu; /* whose tree it is in: that CPU runs it */
};
void ktimer_init(struct ktimer *timer, void (*fn)(struct ktimer *timer));
void ktimer_start(struct ktimer *timer, uint64_t deadline); /* replaces an earlier deadline */
bool ktimer_cancel(struct ktimer *timer);                   /* whether it was armed */

/* Work to be done by a kernel task, where sleeping is allowed (write-back, reaping). */
struct kwork {
	TAILQ_ENTRY(kwork) link;
	void (*fn)(struct kwork *work);
	bool queued;
};
void kwork_queue(struct kwork *work);

/*
 * Host ring requests (kernel/hostring.c). Submits a copy of *sqe (its cookie is set
 * here) and sleeps, not interruptibly, until the completion; the result, and extra when
 * the pointer is not NULL. `interruptible`: -EINTR may come back, the buffers then belong
 * to the request until it ends, so only use it with buffers given to hostring_async().
 */
struct abi_sqe;
int64_t hostring_call(const struct abi_sqe *sqe, uint64_t *extra);
/* What the ring was used for. */
struct hostring_counters {
	uint64_t requests, gofer_messages, gofer_ns, gofer_latency[CONTROL_LATENCY_BUCKETS];
};
extern struct hostring_counters hostring_counters;
/* Asynchronous: done() runs under the kernel lock when the completion arrives; it must not sleep. 0 or -EAGAIN. */
struct hostring_request {
	void (*done)(struct hostring_request *request, int64_t res, uint64_t extra);
};
int hostring_submit(const struct abi_sqe *sqe, struct hostring_request *request);
/* The same without a word to the VMM, which hostring_ring() says for all of them: soon, before the kernel lock is dropped. */
int hostring_submit_later(const struct abi_sqe *sqe, struct hostring_request *request);
void hostring_ring(void);
/* The same for what the VMM need not know before it is at work for another reason. */
int hostring_submit_quietly(const struct abi_sqe *sqe, struct hostring_request *request);

#endif
