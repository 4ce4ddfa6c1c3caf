/*
 * Wait queues, sleeping, sleeping locks. See kernel/wait.h for the protocol.
 *
 * wait(9)-like; everything is under the kernel lock, which schedule() hands over.
 */
#include <linux/errno.h>
#include <linux/eventpoll.h>

#include "kernel/task.h"
#include "kernel/wait.h"
#include "ring0/clock.h"
#include "ring0/lib.h"

#define BREATH_EVERY_NS 5000000ull
#define BREATH_NS 50000ull /* timers and other CPUs get their turn, too: nobody comes in while this CPU only switches tasks */

void waitq_init(struct waitq *queue)
{
	TAILQ_INIT(&queue->waiters);
}

void waiter_init(struct waiter *waiter)
{
	memset(waiter, 0, sizeof(*waiter));
	waiter->task = current;
}

void waitq_add(struct waitq *queue, struct waiter *waiter)
{
	DEBUG_BUG_ON(waiter->queue);
	waiter->queue = queue;
	waiter->woken = false;
	/* Exclusive waiters stand behind the others, first come first served. */
	if (waiter->exclusive)
		TAILQ_INSERT_TAIL(&queue->waiters, waiter, link);
	else
		TAILQ_INSERT_HEAD(&queue->waiters, waiter, link);
}

void waitq_remove(struct waiter *waiter)
{
	if (!waiter->queue)
		return;
	TAILQ_REMOVE(&waiter->queue->waiters, waiter, link);
	waiter->queue = NULL;
}

unsigned waitq_wake(struct waitq *queue, unsigned n, uint32_t events)
{
	struct waiter *waiter, *next;
	unsigned woken = 0;

	TAILQ_FOREACH_SAFE(waiter, &queue->waiters, link, next) {
		if (waiter->exclusive) {
			if (n == 0)
				break;
			n--;
		}
		woken++;
		waiter->woken = true;
		if (waiter->wake)
			waiter->wake(waiter, events);
		else if (events & ~(uint32_t)(EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND))
			task_wake(waiter->task);
		else
			task_wake_patient(waiter->task);
	}
	return woken;
}

static void block_timeout(struct ktimer *timer)
{
	struct task *task = container_of(timer, struct task, block_timer);

	task->block_timed_out = true;
	task_wake(task);
}

/* A killed task sleeps, too. */
static int block(uint64_t deadline, bool interruptible)
{
	struct task *task = current;

	if (deadline != DEADLINE_NONE) {
		if (deadline <= clock_monotonic())
			return -ETIMEDOUT;
		task->block_timed_out = false;
		ktimer_init(&task->block_timer, block_timeout);
		ktimer_start(&task->block_timer, deadline);
	}
	task->block_interruptible = interruptible;
	task->state = TASK_BLOCKED;
	schedule();
	if (deadline != DEADLINE_NONE) {
		ktimer_cancel(&task->block_timer);
		if (task->block_timed_out)
			return -ETIMEDOUT;
	}
	return 0;
}

int task_block(uint64_t deadline, bool interruptible)
{
	/* What would end the sleep is there already. */
	if (current->killed || (interruptible && signal_pending(current)))
		return -EINTR;
	return block(deadline, interruptible);
}

bool task_breath_due(void)
{
	uint64_t in_kernel = clock_ticks_ns(clock_ticks() - current->kernel_since); /* 0: there is no such clock */

	if (!current->kernel_since)
		return false; /* only unit tests are here on no task's behalf */
	return (in_kernel ? in_kernel : clock_monotonic() - current->slice_start) >= BREATH_EVERY_NS;
}

bool task_breathe(void)
{
	if (task_breath_due())
		(void)block(clock_monotonic() + BREATH_NS, false);
	return current->killed;
}

void task_wake(struct task *task)
{
	if (task->state == TASK_BLOCKED)
		sched_make_runnable(task);
}

void task_wake_patient(struct task *task)
{
	if (task->state == TASK_BLOCKED)
		sched_make_runnable_patient(task);
}

void mutex_init(struct mutex *mutex)
{
	mutex->owner = NULL;
	waitq_init(&mutex->waiters);
}

/* Not even SIGKILL ends this wait: what the lock covers must be finished by its holder. */
static void wait_uninterrupted(struct waitq *queue)
{
	struct waiter waiter;

	waiter_init(&waiter);
	waiter.exclusive = true;
	waitq_add(queue, &waiter);
	current->block_interruptible = false;
	current->state = TASK_BLOCKED;
	schedule();
	waitq_remove(&waiter);
}

void mutex_lock(struct mutex *mutex)
{
	DEBUG_BUG_ON(mutex->owner == current);
	while (mutex->owner)
		wait_uninterrupted(&mutex->waiters);
	mutex->owner = current;
}

bool mutex_trylock(struct mutex *mutex)
{
	if (mutex->owner)
		return false;
	mutex->owner = current;
	return true;
}

void mutex_unlock(struct mutex *mutex)
{
	DEBUG_BUG_ON(mutex->owner != current);
	mutex->owner = NULL;
	waitq_wake(&mutex->waiters, 1, ~0u);
}

void rwsem_init(struct rwsem *sem)
{
	memset(sem, 0, sizeof(*sem));
	waitq_init(&sem->waiters);
}

void rwsem_read_lock(struct rwsem *sem)
{
	if (sem->writer || sem->writers_waiting) {
		sem->readers_waiting++;
		while (sem->writer || (sem->writers_waiting && !sem->turn))
			wait_uninterrupted(&sem->waiters);
		sem->readers_waiting--;
		if (sem->turn)
			sem->turn--;
	}
	sem->readers++;
}

void rwsem_read_unlock(struct rwsem *sem)
{
	DEBUG_BUG_ON(sem->readers == 0);
	if (--sem->readers == 0)
		waitq_wake_all(&sem->waiters);
}

void rwsem_write_lock(struct rwsem *sem)
{
	DEBUG_BUG_ON(sem->writer == current);
	sem->writers_waiting++;
	while (sem->writer || sem->readers || sem->turn)
		wait_uninterrupted(&sem->waiters);
	sem->writers_waiting--;
	sem->writer = current;
}

void rwsem_write_unlock(struct rwsem *sem)
{
	DEBUG_BUG_ON(sem->writer != current);
	sem->writer = NULL;
	sem->turn = sem->readers_waiting; /* else a task that writes in a loop is back before they run */
	waitq_wake_all(&sem->waiters);
}
