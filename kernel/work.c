/*
 * Deferred work: functions that may sleep, run in order by one kernel task.
 */
#include "kernel/sched.h"
#include "kernel/task.h"
#include "kernel/wait.h"
#include "ring0/lib.h"

static TAILQ_HEAD(, kwork) queue = TAILQ_HEAD_INITIALIZER(queue);
static struct waitq queue_waiters = WAITQ_INIT(queue_waiters);

static void kwork_main(void *arg)
{
	for (;;) {
		struct kwork *work;

		(void)wait_event(&queue_waiters, !TAILQ_EMPTY(&queue), DEADLINE_NONE, false);
		work = TAILQ_FIRST(&queue);
		TAILQ_REMOVE(&queue, work, link);
		work->queued = false;
		work->fn(work);
	}
}

void kwork_queue(struct kwork *work)
{
	if (work->queued)
		return;
	work->queued = true;
	TAILQ_INSERT_TAIL(&queue, work, link);
	waitq_wake_all(&queue_waiters);
}

void kwork_init(void)
{
	if (!kernel_task_create("kworker", kwork_main, NULL))
		panic("no memory for the work task");
}
