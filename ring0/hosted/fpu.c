/*
 * FPU state of tasks whose user code runs in stubs.
 *
 * The state lives in the stub as long as one task runs there, and is fetched when the
 * task is switched out (it may go on elsewhere) or asked for. Every saved state gets a
 * number of its own, never used twice (machine_task.fpu_flags; 0: no number); a stub
 * remembers which it holds, so a task that comes back to its stub loads nothing. The
 * sentry itself never touches an FPU register.
 */
#include "ring0/hosted/internal.h"
#include "ring0/lib.h"

static uint64_t versions; /* atomic */

static uint64_t version_new(void)
{
	return __atomic_add_fetch(&versions, 1, __ATOMIC_RELAXED);
}

static void fpu_fetch(struct hosted_cpu *h)
{
	int64_t error = HOST3(fpu_get, this_cpu()->cpu, h->fpu_mirror->space->id, h->fpu_task->fpu);

	if (error)
		klog(LOG_WARNING, "hosted: cannot read the FPU state of a stub: error %d", (int)-error);
}

void hosted_fpu_leave(void)
{
	struct hosted_cpu *h = this_hosted();
	uint64_t version;

	if (!h->fpu_task)
		return;
	fpu_fetch(h);
	version = version_new();
	h->fpu_task->fpu_flags = version;
	h->fpu_mirror->fpu_version = version;
	h->fpu_task = NULL;
}

void hosted_fpu_lost(void)
{
	this_hosted()->fpu_task = NULL;
}

int hosted_fpu_enter(struct hosted_mirror *m, struct machine_task *task)
{
	struct hosted_cpu *h = this_hosted();
	int64_t error = 0;

	if (__builtin_expect(h->fpu_task == task && h->fpu_mirror == m, 1))
		return 0;
	hosted_fpu_leave();
	if (!task->fpu_flags || task->fpu_flags != m->fpu_version)
		error = HOST3(fpu_set, this_cpu()->cpu, m->space->id, task->fpu);
	m->fpu_version = 0; /* it changes from here on */
	h->fpu_task = task;
	h->fpu_mirror = m;
	return (int)error;
}

void hosted_task_save(struct machine_task *task)
{
	if (this_hosted()->fpu_task == task)
		hosted_fpu_leave();
}

void hosted_task_load(struct machine_task *task)
{
	this_cpu()->machine_task = task;
}

void hosted_fpu_sync(struct machine_task *task)
{
	struct hosted_cpu *h = this_hosted();

	if (h->fpu_task == task)
		fpu_fetch(h);
}

void hosted_fpu_reload(struct machine_task *task)
{
	struct hosted_cpu *h = this_hosted();

	if (h->fpu_task == task)
		h->fpu_task = NULL;
	task->fpu_flags = 0;
}
