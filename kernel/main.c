/*
 * Where ring0/ comes up into the kernel: boot, traps, interrupts.
 *
 * trap_dispatch() is the only way from user mode in, and its end the only way back. A
 * system call is dispatched by index before anything looks at its number. The kernel
 * lock is held from the first line of C to the last.
 */
#include <linux/errno.h>

#include "kernel/container.h"
#include "kernel/mm/account.h"
#include "kernel/net/hostnet.h"
#include "kernel/net/inet.h"
#include "kernel/sched.h"
#include "kernel/syscall.h"
#include "kernel/task.h"
#include "kernel/vsyscall.h"
#include "ring0/clock.h"
#include "ring0/context.h"
#include "ring0/lib.h"
#include "ring0/lock.h"
#include "ring0/memory.h"
#include "ring0/upcall.h"

static void handle_interrupts(void)
{
	hostring_poll();
	ktimer_run();
	sched_tick();
}

void kernel_interrupt(void)
{
	kernel_lock();
	handle_interrupts();
	kernel_unlock();
}

static void handle_page_fault(struct regs *regs)
{
	struct task *task = current;
	struct ksiginfo info;

	if (regs->addr >= VSYSCALL_PAGE && vsyscall_emulate(regs))
		return;
	if (mm_handle_trap(regs, &info) == 0)
		return;
	task->fault_trap = regs->trap;
	task->fault_error = regs->error;
	task->fault_addr = regs->addr;
	signal_force(task, &info);
}

static void handle_trap(struct regs *regs)
{
	switch (regs->trap) {
	case TRAP_PAGE_FAULT:
		handle_page_fault(regs);
		break;
	case TRAP_INTERRUPT:
		handle_interrupts();
		break;
	case TRAP_STUB_DIED:
		klog(LOG_INFO, "the stub of %s[%d] has ended: killed from outside, or by its own doing", current->comm,
			current->tid);
		process_exit_group(9);
	default:
		signal_from_trap(regs);
	}
}

void task_exit_work(struct task *task, struct regs *regs)
{
	uint32_t work;

	while ((work = __atomic_load_n(&task->work, __ATOMIC_RELAXED) & ~WORK_SYSCALL_ENTRY)) {
		if (work & WORK_FREEZE)
			cgroup_freeze_here(task);
		if (work & WORK_MEMORY)
			account_enforce();
		if (work & WORK_THROTTLE)
			cpu_group_throttle_here(task);
		if (work & WORK_IO)
			cgroup_io_throttle_here(task);
		if (work & WORK_RESCHED)
			sched_resched_if_needed();
		if (work & WORK_SIGNAL)
			signal_deliver(regs);
		if (work & WORK_RSEQ)
			rseq_update(regs);
	}
}

/* A system call that is traced or filtered. */
static void syscall_slow(struct task *task, struct regs *regs)
{
	if ((task->work & WORK_PTRACE) && !ptrace_syscall_enter(task, regs))
		goto exit;
	if ((task->work & WORK_SECCOMP) && !seccomp_enter(task, regs))
		goto exit;
	strace_entry(regs);
	regs->rax = (uint64_t)syscall_dispatch(regs);
	strace_exit(regs);
exit:
	if (task->work & WORK_PTRACE)
		ptrace_syscall_exit(task, regs);
}

void trap_dispatch(struct regs *regs)
{
	uint64_t since = clock_ticks();

	kernel_lock();
	struct task *task = current;

	task->kernel_since = since;

	if (__builtin_expect(regs->trap == TRAP_SYSCALL, 1)) {
		if (__builtin_expect(task->work & WORK_SYSCALL_ENTRY, 0))
			syscall_slow(task, regs);
		else
			regs->rax = (uint64_t)syscall_dispatch(regs);
		/* A restart code is settled by signal_deliver() even if the signal has gone to another thread. */
		if (__builtin_expect(signal_is_restart((int64_t)regs->rax), 0))
			task_set_work(task, WORK_SIGNAL);
	} else {
		handle_trap(regs);
	}
	if (__builtin_expect(task->work & ~WORK_SYSCALL_ENTRY, 0))
		task_exit_work(task, regs);
	task->system_ticks += clock_ticks() - task->kernel_since;
	task->kernel_since = 0;
	kernel_unlock();
}

/* ---- kernel tasks ---- */

struct kernel_task_start {
	void (*fn)(void *arg);
	void *arg;
};

static void kernel_task_main(void *arg)
{
	struct kernel_task_start start = *(struct kernel_task_start *)arg;

	kfree(arg);
	sched_finish_switch();
	start.fn(start.arg);
	panic("kernel task %s returned", current->comm);
}

struct task *kernel_task_create(const char *name, void (*fn)(void *arg), void *arg)
{
	struct task *task = task_alloc();
	struct kernel_task_start *start = kmalloc(sizeof(*start));

	if (!task || !start) {
		kfree(start);
		if (task)
			task_put(task);
		return NULL;
	}
	*start = (struct kernel_task_start){fn, arg};
	task->kernel_task = true;
	rf_strlcpy(task->comm, name, sizeof(task->comm));
	task->context = context_prepare(task->regs, kernel_task_main, start);
	sched_new_task(task);
	return task;
}

/* ---- boot ---- */

static struct task *idle_task_create(unsigned cpu)
{
	struct task *idle = task_alloc();

	if (!idle)
		panic("no memory for the idle task of CPU %u", cpu);
	idle->kernel_task = true;
	snprintf(idle->comm, sizeof(idle->comm), "idle/%u", cpu);
	return idle;
}

void kernel_main(const struct abi_boot *boot)
{
	kernel_lock();
	klog(LOG_INFO, "ringfence sentry on %s, %u CPUs, %lu MiB for the container", machine->name, boot->cpus,
		(unsigned long)(boot->user.size >> 20));
	page_init(boot);
	sched_init();
	ktimer_subsystem_init();
	sched_cpu_online(idle_task_create(0));
	kwork_init();
	hostring_init(boot);
	if (config_decode(pa_to_va(boot->config_gpa), boot->config_len, &first_container.config))
		panic("the container's configuration cannot be used");
	inet_init();
	if (cgroup_init(&first_container.cgroup, &first_container))
		panic("no memory for a control group");
	if (first_container.config.host_sockets)
		hostnet_init(first_container.config.host_sockets);
	TAILQ_INSERT_HEAD(&containers, &first_container, link);
	control_init();
	init_start();
	kernel_unlock();
	sched_idle_loop();
}

void kernel_cpu_main(unsigned cpu)
{
	kernel_lock();
	klog(LOG_DEBUG, "CPU %u is up", cpu);
	sched_cpu_online(idle_task_create(cpu));
	kernel_unlock();
	sched_idle_loop();
}
