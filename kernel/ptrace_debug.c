/*
 * The debug registers that a tracer sets by PTRACE_POKEUSER: breakpoints and watchpoints of "hardware" (gdb's hbreak and
 * watch). No machine lends its own, so a task that has any runs one instruction at a time, under the trap flag, and after
 * each it is looked whether one is met: where it stands, or whether what it watches has changed. A write that changes nothing
 * is not seen, and watching for reads is refused, with the errno of a machine whose registers are all in use. They go when the
 * tracer lets its tracee go, where Linux leaves them to it.
 *
 * Used by ptrace.c for its tracees, with the trap flag as `stepping`. Intel SDM vol. 3, 18.2.
 */
#include <asm/debugreg.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/errno.h>

#include "kernel/mm.h"
#include "kernel/process.h"
#include "kernel/ptrace.h"
#include "platform/abi/hosted.h"
#include "ring0/lib.h"

#define SLOTS 4u
#define STATUS_RESERVED 0xffff0ff0ull
#define CONTROL_RESERVED 0xffffffff0000fc00ull
#define FLAG_TF (1ull << 8)

struct debug_registers {
	uint64_t address[SLOTS], status, control;
	uint64_t seen[SLOTS]; /* what the watched words were */
};

static bool is_enabled(const struct debug_registers *debug, unsigned slot)
{
	return debug->control >> (slot * DR_ENABLE_SIZE) & 3;
}

/* DR_RW_EXECUTE, DR_RW_WRITE, DR_RW_READ (of both), or 2: of ports. */
static unsigned kind_of(uint64_t control, unsigned slot)
{
	return control >> (DR_CONTROL_SHIFT + slot * DR_CONTROL_SIZE) & 3;
}

static unsigned length_of(uint64_t control, unsigned slot)
{
	static const uint8_t lengths[] = {1, 2, 8, 4};

	return lengths[control >> (DR_CONTROL_SHIFT + slot * DR_CONTROL_SIZE + 2) & 3];
}

static bool any_enabled(const struct task *task)
{
	return task->ptrace.debug && task->ptrace.debug->control & 0xff;
}

/* ---- what the tracer reads and writes ---- */

uint64_t ptrace_get_debug(const struct task *task, unsigned index)
{
	const struct debug_registers *debug = task->ptrace.debug;

	if (index < SLOTS)
		return debug ? debug->address[index] : 0;
	if (index == DR_STATUS)
		return (debug ? debug->status : 0) ^ STATUS_RESERVED;
	return index == DR_CONTROL && debug ? debug->control : 0;
}

static int check_slot(const struct debug_registers *debug, uint64_t control, unsigned slot)
{
	unsigned kind = kind_of(control, slot), length = length_of(control, slot);

	if (!(control >> (slot * DR_ENABLE_SIZE) & 3))
		return 0;
	if (kind == 2 || (kind == DR_RW_EXECUTE && length != 1) || debug->address[slot] & (length - 1))
		return -EINVAL;
	return kind == DR_RW_READ ? -ENOSPC : 0;
}

static int set_control(struct debug_registers *debug, uint64_t control)
{
	control &= ~CONTROL_RESERVED;
	for (unsigned slot = 0; slot < SLOTS; slot++) {
		int rc = check_slot(debug, control, slot);

		if (rc)
			return rc;
	}
	debug->control = control;
	return 0;
}

int ptrace_set_debug(struct task *task, unsigned index, uint64_t value)
{
	struct debug_registers *debug = task->ptrace.debug;

	if (index == 4 || index == 5)
		return -EIO;
	if (!debug)
		debug = task->ptrace.debug = kzalloc(sizeof(*debug));
	if (!debug)
		return -ENOMEM;
	if (index < SLOTS) {
		if (value >= USER_TOP)
			return -EINVAL;
		debug->address[index] = value;
		return 0;
	}
	if (index == DR_CONTROL)
		return set_control(debug, value);
	debug->status = value ^ STATUS_RESERVED;
	return 0;
}

void ptrace_drop_debug(struct task *task)
{
	kfree(task->ptrace.debug);
	task->ptrace.debug = NULL;
}

/* ---- as the task runs; it is the current one ---- */

/* Looks at the watched words; those that are not what they were, as bits. Looking may sleep, and the tracer may go meanwhile. */
static uint64_t look(struct task *task)
{
	const struct debug_registers *debug = task->ptrace.debug;
	uint64_t changed = 0;

	for (unsigned slot = 0; slot < SLOTS && task->ptrace.debug == debug; slot++) {
		uint64_t now = 0;

		if (!is_enabled(debug, slot) || kind_of(debug->control, slot) != DR_RW_WRITE)
			continue;
		(void)mm_access(task->mm, debug->address[slot], &now, length_of(debug->control, slot), false, true);
		if (task->ptrace.debug != debug)
			return 0;
		changed |= now != debug->seen[slot] ? 1ull << slot : 0;
		task->ptrace.debug->seen[slot] = now;
	}
	return changed;
}

/* The breakpoints on the instruction that comes next, as bits. */
static uint64_t standing_on(const struct task *task)
{
	const struct debug_registers *debug = task->ptrace.debug;
	uint64_t hits = 0;

	for (unsigned slot = 0; debug && slot < SLOTS; slot++) {
		if (is_enabled(debug, slot) && kind_of(debug->control, slot) == DR_RW_EXECUTE &&
			debug->address[slot] == task->regs->rip)
			hits |= 1ull << slot;
	}
	return hits;
}

static void send_trap(struct task *task, uint64_t hits, bool stepped)
{
	struct ksiginfo info = {.signo = SIGTRAP, .code = stepped ? TRAP_TRACE : TRAP_HWBKPT, .addr = task->regs->rip};

	task->ptrace.debug->status |= hits | (stepped ? DR_STEP : 0);
	signal_force(task, &info);
}

void ptrace_debug_arm(struct task *task)
{
	if (!any_enabled(task) || !task->mm || task->exiting)
		return;
	(void)look(task);
	if (!task->ptrace.debug || task->regs->rflags & FLAG_TF)
		return;
	task->regs->rflags |= FLAG_TF;
	task->ptrace.stepping = true;
}

void ptrace_debug_arrive(struct task *task)
{
	ptrace_debug_arm(task);
	uint64_t hits = standing_on(task);
	if (hits)
		send_trap(task, hits, false);
}

bool ptrace_debug_trap(struct task *task)
{
	bool wanted = task->ptrace.mode == PTRACE_MODE_STEP || task->ptrace.mode == PTRACE_MODE_EMULATE_STEP;

	if (!any_enabled(task) || !task->mm)
		return false;
	uint64_t hits = look(task) | standing_on(task);
	if (!task->ptrace.debug)
		return true; /* the tracer has gone, and the trap flag with it */
	if (!hits)
		return task->ptrace.stepping && !wanted;
	send_trap(task, hits, wanted);
	return true;
}
