/*
 * The scheduler: per-CPU run queues ordered by virtual runtime, with fair time slices.
 *
 * All under the kernel lock. schedule() is the only place that changes the current task.
 * A waking task goes to the waker's CPU when that has nothing else to do (the two then
 * talk without waking an idle core, which costs more than the work in most hand-overs);
 * a task that still waits there at the next tick is spread to an idle CPU. The tick is
 * armed only while a task waits, and never cancelled, so a pipe ping-pong does not touch
 * the timer. Real-time policies run before all others, by priority.
 *
 * sched(7), sched_setscheduler(2).
 */
#include <linux/errno.h>
#include <linux/sched.h>

#include "kernel/bandwidth.h"
#include "kernel/mm.h"
#include "kernel/sched.h"
#include "kernel/task.h"
#include "ring0/clock.h"
#include "ring0/context.h"
#include "ring0/lib.h"
#include "ring0/lock.h"
#include "ring0/upcall.h"

#define SLICE_NS 4000000ull    /* 4 ms, as a two-core Linux with CFS gives */
#define TICK_NS 1000000ull     /* how soon a waiting task is looked at */
#define WAKE_BONUS_NS 2000000ull
/* Of each period real-time tasks get this much while others wait, as sched(7)'s sched_rt_runtime_us has it. */
#define RT_PERIOD_NS 1000000000ull
#define RT_RUNTIME_NS 950000000ull

/* By nice value -20..19: the weights of sched(7)'s fair policy; 1024 is nice 0, a step is 1.25. */
static const uint32_t nice_weight[40] = {
	88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991,
	1586, 1277, 1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
};

uint32_t cpu_weight_of_nice(int nice)
{
	return nice_weight[nice + 20];
}

struct runqueue {
	TAILQ_HEAD(, task) tasks; /* by priority, then vruntime; the running one is not in it */
	volatile uint32_t count; /* other threads read it: see kernel_queued() */
	uint64_t min_vruntime;
	struct task *idle;
	struct task *dead; /* left its stack for ever in the last switch */
	uint64_t idle_since, idle_ns;
	bool tick_armed, online, is_idle;
	uint64_t timer_armed; /* deadline the machine's timer is set to */
	uint64_t rt_since, rt_used; /* this period's begin, and what real-time tasks had of it */
};

static struct runqueue runqueues[ABI_MAX_CPUS];
static uint64_t loadavg[3];
static uint64_t loadavg_at;

static inline struct runqueue *this_rq(void)
{
	return &runqueues[this_cpu()->cpu];
}

static bool runs_before(const struct task *a, const struct task *b)
{
	if (a->rt_priority != b->rt_priority)
		return a->rt_priority > b->rt_priority;
	return (int64_t)(a->vruntime - b->vruntime) < 0;
}

static void enqueue(struct runqueue *rq, struct task *task)
{
	struct task *at;

	TAILQ_FOREACH_REVERSE(at, &rq->tasks, task_list, runqueue) {
		if (!runs_before(task, at))
			break;
	}
	if (at)
		TAILQ_INSERT_AFTER(&rq->tasks, at, task, runqueue);
	else
		TAILQ_INSERT_HEAD(&rq->tasks, task, runqueue);
	rq->count++;
}

static void dequeue(struct runqueue *rq, struct task *task)
{
	TAILQ_REMOVE(&rq->tasks, task, runqueue);
	rq->count--;
}

/* Charge the time since the last look to the running task. */
static uint64_t account(struct runqueue *rq, struct task *task)
{
	uint64_t now = clock_monotonic();
	uint64_t delta = now - task->exec_start;

	task->exec_start = now;
	if ((int64_t)delta <= 0 || task == rq->idle)
		return now;
	task->runtime += delta;
	if (task->rt_priority)
		rq->rt_used += delta;
	if (__builtin_expect(task->cpu_group && !task->rt_priority, 0))
		task->vruntime += cpu_group_ran(task, delta, now);
	else if (task->nice == 0)
		task->vruntime += delta;
	else
		task->vruntime += delta * 1024 / nice_weight[task->nice + 20];
	if ((int64_t)(task->vruntime - rq->min_vruntime) > 0) {
		const struct task *first = TAILQ_FIRST(&rq->tasks);

		rq->min_vruntime = first && runs_before(first, task) && (int64_t)(first->vruntime - rq->min_vruntime) > 0
			? first->vruntime
			: task->vruntime;
	}
	return now;
}

/* The machine's timer follows the earliest of the kernel timers and the tick. */
void sched_update_timer(void)
{
	struct runqueue *rq = this_rq();
	uint64_t deadline = ktimer_next();

	if (rq->tick_armed && deadline > rq->timer_armed && rq->timer_armed != DEADLINE_NONE)
		return;
	if (deadline == rq->timer_armed)
		return;
	if (rq->tick_armed)
		deadline = MIN(deadline, rq->timer_armed);
	rq->timer_armed = deadline;
	machine->set_timer(deadline);
}

static void arm_tick(struct runqueue *rq)
{
	if (rq->tick_armed)
		return;
	rq->tick_armed = true;
	uint64_t at = clock_monotonic() + TICK_NS;
	if (at < rq->timer_armed) {
		rq->timer_armed = at;
		machine->set_timer(at);
	}
}

static bool cpu_allowed(const struct task *task, unsigned cpu)
{
	return cpu < cpu_count && (task->affinity & (1ull << cpu));
}

/* An idle CPU that may run the task; CPUs that were never started count. -1: none. */
static int find_idle_cpu(const struct task *task)
{
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		struct runqueue *rq = &runqueues[cpu];

		if (cpu_allowed(task, cpu) && rq->count == 0 && (!rq->online || rq->is_idle))
			return (int)cpu;
	}
	return -1;
}

static unsigned first_allowed(const struct task *task)
{
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		if (cpu_allowed(task, cpu))
			return cpu;
	}
	return 0;
}

/* Where a waking task goes; see the head of the file. */
static unsigned choose_cpu_wake(struct task *task)
{
	unsigned here = this_cpu()->cpu;
	struct runqueue *last = &runqueues[task->cpu];

	if (task->cpu == here && cpu_allowed(task, here))
		return here;
	if (cpu_allowed(task, here) && this_rq()->count == 0 && current != this_rq()->idle && !current->kernel_task)
		return here;
	if (cpu_allowed(task, task->cpu) && (last->is_idle || last->count == 0))
		return task->cpu;
	int idle = find_idle_cpu(task);
	if (idle >= 0)
		return (unsigned)idle;
	return cpu_allowed(task, task->cpu) ? task->cpu : first_allowed(task);
}

static void place(struct task *task, unsigned cpu)
{
	struct runqueue *rq = &runqueues[cpu];

	if (task->cpu != cpu)
		task->vruntime += rq->min_vruntime - runqueues[task->cpu].min_vruntime;
	if ((int64_t)(task->vruntime - (rq->min_vruntime - WAKE_BONUS_NS)) < 0)
		task->vruntime = rq->min_vruntime - WAKE_BONUS_NS;
	task->cpu = cpu;
	task->state = TASK_RUNNABLE;
	enqueue(rq, task);
}

/* The CPU has a new task in its queue: make it look. patient: that one takes its turn, it does not preempt. */
static void poke(unsigned cpu, const struct task *task, bool patient)
{
	struct runqueue *rq = &runqueues[cpu];

	if (!rq->online) {
		rq->is_idle = false;
		int rc = machine->cpu_start(cpu);
		if (rc)
			panic("cpu_start %u: error %d", cpu, -rc);
		return;
	}
	if (rq->is_idle) {
		if (cpu != this_cpu()->cpu)
			machine->kick(cpu);
		return;
	}
	struct task *running = percpus[cpu].running;
	bool preempt = running->rt_priority < task->rt_priority ||
		(running->rt_priority == task->rt_priority && !patient &&
			(int64_t)(running->vruntime - task->vruntime) > (int64_t)WAKE_BONUS_NS);
	if (preempt) {
		task_set_work(running, WORK_RESCHED);
		if (cpu != this_cpu()->cpu)
			machine->kick(cpu);
	} else if (cpu == this_cpu()->cpu) {
		arm_tick(rq);
	} else if (!rq->tick_armed) {
		machine->kick(cpu); /* it arms its own tick on the way out */
	} else if (machine->cpu_queued) {
		machine->cpu_queued(cpu);
	}
}

const volatile uint32_t *kernel_queued(void)
{
	return &this_rq()->count;
}

/* To a CPU that it may run on. */
static void move(struct task *task)
{
	int idle = find_idle_cpu(task);

	place(task, idle >= 0 ? (unsigned)idle : first_allowed(task));
	poke(task->cpu, task, false);
}

void sched_affinity_changed(struct task *task)
{
	if (cpu_allowed(task, task->cpu))
		return;
	if (task->state == TASK_RUNNABLE) {
		dequeue(&runqueues[task->cpu], task);
		move(task);
	} else if (task->state == TASK_RUNNING) {
		task_set_work(task, WORK_RESCHED);
		if (task != current)
			machine->kick(task->cpu);
	}
}

static void make_runnable(struct task *task, bool patient)
{
	unsigned cpu = choose_cpu_wake(task);

	DEBUG_BUG_ON(task->state != TASK_BLOCKED && task->state != TASK_STOPPED); /* twice in a queue */
	if (task->cpu_group)
		cpu_group_in(task);
	place(task, cpu);
	poke(cpu, task, patient);
}

void sched_make_runnable(struct task *task)
{
	make_runnable(task, false);
}

void sched_make_runnable_patient(struct task *task)
{
	make_runnable(task, true);
}

void sched_new_task(struct task *task)
{
	unsigned here = this_cpu()->cpu;
	/* Its parent waits until it has left the memory that both have (vfork): this CPU knows it. */
	int idle = task->vfork_parent ? -1 : find_idle_cpu(task);
	unsigned cpu = cpu_allowed(task, here) ? here : first_allowed(task);

	if (idle >= 0)
		cpu = (unsigned)idle;
	task->vruntime = runqueues[cpu].min_vruntime;
	task->cpu = cpu;
	if (task->cpu_group)
		cpu_group_in(task);
	task->state = TASK_RUNNABLE;
	enqueue(&runqueues[cpu], task);
	poke(cpu, task, false);
}

/* Take a waiting task from the fullest other queue; for a CPU about to idle. */
static struct task *steal(unsigned cpu)
{
	struct runqueue *from = NULL;

	for (unsigned i = 0; i < cpu_count; i++) {
		if (i != cpu && runqueues[i].count && (!from || runqueues[i].count > from->count))
			from = &runqueues[i];
	}
	if (!from)
		return NULL;
	struct task *task;
	TAILQ_FOREACH(task, &from->tasks, runqueue) {
		if (cpu_allowed(task, cpu)) {
			dequeue(from, task);
			task->vruntime += runqueues[cpu].min_vruntime - from->min_vruntime;
			task->cpu = cpu;
			return task;
		}
	}
	return NULL;
}

static bool rt_exhausted(struct runqueue *rq)
{
	uint64_t now = clock_monotonic();

	if (now - rq->rt_since >= RT_PERIOD_NS) {
		rq->rt_since = now;
		rq->rt_used = 0;
	}
	return rq->rt_used >= RT_RUNTIME_NS;
}

/* The first of the queue; a real-time task that spins does not shut the others out for ever. */
static struct task *first_to_run(struct runqueue *rq)
{
	struct task *first = TAILQ_FIRST(&rq->tasks), *task;

	if (!first || !first->rt_priority || !rt_exhausted(rq))
		return first;
	TAILQ_FOREACH(task, &rq->tasks, runqueue) {
		if (!task->rt_priority)
			return task;
	}
	return first;
}

static struct task *pick_next(struct runqueue *rq)
{
	struct task *next = first_to_run(rq);

	if (next) {
		dequeue(rq, next);
		return next;
	}
	next = steal(this_cpu()->cpu);
	return next ? next : rq->idle;
}

static void switch_to(struct task *prev, struct task *next)
{
	struct percpu *percpu = this_cpu();

	/* Where no page guards a kernel stack, one that was overrun ends the sandbox here. */
	BUG_ON(*(const uint64_t *)prev->kernel_stack != TASK_STACK_END);
	if (!prev->kernel_task)
		machine->task_save(&prev->machine);
	percpu->running = next;
	percpu->call->task = (uint32_t)next->tid;
	percpu->kernel_stack = next->machine.kernel_stack_top;
	percpu->machine_task = &next->machine;
	next->state = TASK_RUNNING;
	struct space *space = next->mm ? &next->mm->space : NULL;
	if (space != percpu->space)
		machine->space_switch(space);
	if (!next->kernel_task)
		machine->task_load(&next->machine);
	if (prev->kernel_since)
		prev->system_ticks += clock_ticks() - prev->kernel_since;
	context_switch(&prev->context, next->context);
	sched_finish_switch();
}

void sched_finish_switch(void)
{
	struct runqueue *rq = this_rq();

	current->exec_start = current->slice_start = clock_monotonic();
	current->kernel_since = clock_ticks();
	if (rq->count || (current->cpu_group && cpu_group_begin(current)))
		arm_tick(rq);
	if (rq->dead) {
		struct task *dead = rq->dead;

		rq->dead = NULL;
		task_put(dead);
	}
}

void sched_exit(void)
{
	this_rq()->dead = current;
	schedule();
	panic("a task that ended was run again");
}

void schedule(void)
{
	struct runqueue *rq = this_rq();
	struct task *prev = current;
	uint64_t now = account(rq, prev);

	DEBUG_BUG_ON(!kernel_lock_held());
	prev->work &= ~WORK_RESCHED;
	if (prev->state == TASK_RUNNING && prev != rq->idle) {
		prev->nivcsw++;
		if (__builtin_expect(cpu_allowed(prev, this_cpu()->cpu), 1)) {
			prev->state = TASK_RUNNABLE;
			enqueue(rq, prev);
		} else {
			move(prev); /* nobody takes it there before this CPU has left its stack: that needs the kernel lock */
		}
	} else if (prev != rq->idle) {
		prev->nvcsw++;
		if (prev->cpu_load)
			cpu_group_out(prev);
	}
	struct task *next = pick_next(rq);
	if (next == prev) {
		prev->state = TASK_RUNNING;
		prev->slice_start = now;
		return;
	}
	if (next == rq->idle) {
		rq->is_idle = true;
		rq->idle_since = now;
	} else if (prev == rq->idle) {
		rq->is_idle = false;
		rq->idle_ns += now - rq->idle_since;
	}
	if (prev->rseq.v && !prev->kernel_task)
		task_set_work(prev, WORK_RSEQ);
	switch_to(prev, next);
}

void sched_yield_current(void)
{
	struct runqueue *rq = this_rq();
	struct task *last = TAILQ_LAST(&rq->tasks, task_list);

	if (!last)
		return;
	account(rq, current);
	if ((int64_t)(last->vruntime - current->vruntime) > 0)
		current->vruntime = last->vruntime + 1;
	schedule();
}

void sched_resched_if_needed(void)
{
	struct runqueue *rq = this_rq();

	current->work &= ~WORK_RESCHED;
	if (rq->count || !cpu_allowed(current, this_cpu()->cpu))
		schedule();
}

static void update_loadavg(uint64_t now)
{
	/* Exponential decay each 5 s in 11-bit fixed point: e^(-5/60), e^(-5/300), e^(-5/900) (proc(5), loadavg). */
	static const uint64_t decay[3] = {1884, 2014, 2037};

	if (now - loadavg_at < 5 * 1000000000ull)
		return;
	uint64_t steps = MIN((now - loadavg_at) / 5000000000ull, 200ull);
	uint64_t active = sched_running() * 2048ull;
	loadavg_at = now;
	while (steps--) {
		for (int i = 0; i < 3; i++)
			loadavg[i] = (loadavg[i] * decay[i] + active * (2048 - decay[i])) / 2048;
	}
}

/* On a timer interrupt, from user mode or idle. */
void sched_tick(void)
{
	struct runqueue *rq = this_rq();
	uint64_t now = account(rq, current);

	this_cpu()->ticks++;
	update_loadavg(now);
	if (rq->timer_armed <= now) {
		rq->timer_armed = DEADLINE_NONE;
		rq->tick_armed = false;
	}
	struct task *waiting = TAILQ_FIRST(&rq->tasks);
	if (waiting) {
		if (now - current->slice_start >= SLICE_NS || current == rq->idle || runs_before(waiting, current))
			task_set_work(current, WORK_RESCHED);
		/* One that was woken on this idle CPU is about to run here: another CPU would be woken for nothing. */
		int idle = current == rq->idle && rq->count == 1 ? -1 : find_idle_cpu(waiting);
		if (idle >= 0 && idle != (int)this_cpu()->cpu) {
			dequeue(rq, waiting);
			place(waiting, (unsigned)idle);
			poke((unsigned)idle, waiting, false);
		}
		if (rq->count)
			arm_tick(rq);
	}
	if (current->cpu_group && cpu_group_begin(current))
		arm_tick(rq);
	sched_update_timer();
}

uint64_t sched_loadavg(unsigned which)
{
	update_loadavg(clock_monotonic());
	return which < 3 ? loadavg[which] : 0;
}

uint64_t sched_idle_ns(unsigned cpu)
{
	if (cpu >= cpu_count)
		return 0;
	struct runqueue *rq = &runqueues[cpu];
	if (!rq->online)
		return clock_monotonic();
	return rq->idle_ns + (rq->is_idle ? clock_monotonic() - rq->idle_since : 0);
}

unsigned sched_running(void)
{
	unsigned n = 0;

	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		n += runqueues[cpu].count + (runqueues[cpu].online && !runqueues[cpu].is_idle);
	return n;
}

void sched_init(void)
{
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		TAILQ_INIT(&runqueues[cpu].tasks);
		runqueues[cpu].timer_armed = DEADLINE_NONE;
	}
}

void sched_cpu_online(struct task *idle)
{
	struct runqueue *rq = this_rq();
	struct percpu *percpu = this_cpu();

	rq->idle = idle;
	idle->cpu = percpu->cpu;
	idle->state = TASK_RUNNING;
	idle->exec_start = rq->idle_since = clock_monotonic();
	percpu->running = idle;
	percpu->kernel_stack = idle->machine.kernel_stack_top;
	percpu->machine_task = &idle->machine;
	rq->online = rq->is_idle = true;
}

void sched_idle_loop(void)
{
	struct runqueue *rq = this_rq();

	kernel_lock();
	for (;;) {
		struct task *stolen = rq->count ? NULL : steal(this_cpu()->cpu);
		if (stolen)
			enqueue(rq, stolen);
		if (rq->count) {
			schedule();
			continue;
		}
		uint64_t deadline = ktimer_next();
		rq->tick_armed = false;
		rq->timer_armed = deadline;
		machine->set_timer(deadline);
		kernel_unlock();
		machine->idle(deadline);
		kernel_lock();
	}
}
