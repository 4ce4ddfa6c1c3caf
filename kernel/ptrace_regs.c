/*
 * The registers of a stopped tracee as Linux lays them out for ptrace(2): struct user_regs_struct, the FXSAVE image, the
 * XSAVE area. A value that no program could have is refused with -EIO; flags and MXCSR are cut to what programs may set.
 */
#include <linux/errno.h>

#include "kernel/mm.h"
#include "kernel/process.h"
#include "kernel/ptrace.h"
#include "platform/abi/hosted.h"
#include "ring0/lib.h"

#define XSAVE_HEADER 512
#define SW_RESERVED 464
#define FLAG_TF (1ull << 8)
#define X87_DEFAULT 0x37f

/* Places in struct user_regs_struct (in words); the first of them are struct regs' own. */
enum { USER_RAX = 10, USER_ORIG_RAX = 15, USER_RIP, USER_CS, USER_FLAGS, USER_RSP, USER_SS, USER_FS_BASE, USER_GS_BASE, USER_DS,
	USER_ES, USER_FS, USER_GS };
_Static_assert(offsetof(struct regs, orig_rax) == 8 * USER_ORIG_RAX && offsetof(struct regs, ss) == 8 * USER_SS, "ptrace");
_Static_assert(8 * (USER_GS + 1) == PTRACE_USER_REGS_SIZE, "ptrace");

void ptrace_get_regs(const struct task *task, uint64_t out[PTRACE_USER_REGS_SIZE / 8])
{
	memset(out, 0, PTRACE_USER_REGS_SIZE);
	memcpy(out, task->regs, 8 * (USER_SS + 1));
	out[USER_FS_BASE] = task->machine.fs_base;
	out[USER_GS_BASE] = task->machine.gs_base;
}

static int set_register(struct task *task, size_t i, uint64_t value)
{
	struct regs *regs = task->regs;

	switch (i) {
	case USER_FLAGS:
		/* A trap flag of the program's own stays, now as the tracer wants it. */
		regs->rflags = signal_user_flags(value);
		return 0;
	case USER_FS_BASE:
	case USER_GS_BASE:
		if (value >= USER_TOP)
			return -EIO;
		*(i == USER_FS_BASE ? &task->machine.fs_base : &task->machine.gs_base) = value;
		return 0;
	case USER_CS:
		return value == regs->cs ? 0 : -EIO;
	case USER_SS:
		return value == regs->ss ? 0 : -EIO;
	case USER_DS:
	case USER_ES:
	case USER_FS:
	case USER_GS:
		return value == 0 ? 0 : -EIO;
	default:
		((uint64_t *)regs)[i] = value;
		return 0;
	}
}

int ptrace_set_regs(struct task *task, const uint64_t *in, size_t first, size_t count)
{
	for (size_t i = 0; i < count && first + i <= USER_GS; i++) {
		int rc = set_register(task, first + i, in[i]);

		if (rc)
			return rc;
	}
	return 0;
}

/* XSAVEOPT leaves a component's bytes as they were while it is in its initial state: those are then not its values. */
static void fill_initial(uint8_t *area, uint64_t present)
{
	static const uint16_t control = X87_DEFAULT;

	if (!(present & 1)) {
		memset(area, 0, 24);
		memset(area + 32, 0, 128);
		memcpy(area, &control, sizeof(control));
	}
	if (!(present & 2))
		memset(area + 160, 0, 256);
}

static uint64_t components(const struct task *task)
{
	uint64_t present;

	memcpy(&present, (const uint8_t *)task->machine.fpu + XSAVE_HEADER, sizeof(present));
	return present;
}

void ptrace_get_fpregs(const struct task *task, uint8_t area[PTRACE_FXSAVE_SIZE])
{
	memcpy(area, task->machine.fpu, PTRACE_FXSAVE_SIZE);
	fill_initial(area, components(task));
	memset(area + SW_RESERVED, 0, PTRACE_FXSAVE_SIZE - SW_RESERVED);
}

size_t ptrace_xstate_size(void)
{
	return boot_info->xsave_size;
}

void ptrace_get_xstate(const struct task *task, uint8_t *area)
{
	uint64_t features = boot_info->xcr0;

	memcpy(area, task->machine.fpu, boot_info->xsave_size);
	fill_initial(area, components(task));
	memset(area + SW_RESERVED, 0, PTRACE_FXSAVE_SIZE - SW_RESERVED);
	memcpy(area + SW_RESERVED, &features, sizeof(features));
}

int ptrace_set_fpregs(struct task *task, const uint8_t area[PTRACE_FXSAVE_SIZE])
{
	uint8_t *fpu = task->machine.fpu;
	uint64_t present = components(task) | 3;
	uint32_t mask = fpu_state_mxcsr_mask(fpu);

	memcpy(fpu, area, SW_RESERVED);
	memcpy(fpu + XSAVE_HEADER, &present, sizeof(present));
	fpu_state_sanitize(fpu, mask);
	machine->fpu_reload(&task->machine);
	return 0;
}

int ptrace_set_xstate(struct task *task, const uint8_t *area)
{
	uint32_t mask = fpu_state_mxcsr_mask(task->machine.fpu);
	uint64_t present;

	memcpy(&present, area + XSAVE_HEADER, sizeof(present));
	if (present & ~boot_info->xcr0)
		return -EINVAL;
	memcpy(task->machine.fpu, area, boot_info->xsave_size);
	fpu_state_sanitize(task->machine.fpu, mask);
	machine->fpu_reload(&task->machine);
	return 0;
}
