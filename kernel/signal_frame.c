/*
 * The signal frame of x86-64: what a handler finds on its stack and what sigreturn reads
 * back, byte for byte as Linux lays it out (programs and unwinders look inside).
 *
 *	high   XSAVE area, 64-byte aligned, then FP_XSTATE_MAGIC2
 *	       struct rt_frame: return address, ucontext, siginfo
 *	low    stack pointer of the handler (16-byte aligned minus 8)
 *
 * The frame is user memory: sigreturn believes nothing in it. Segments are the user's
 * fixed ones, flags and MXCSR are masked, XSTATE_BV is cut to what is enabled. Both directions may sleep.
 * sigreturn(2), sigaltstack(2), Intel SDM vol. 1, 13.
 */
#include <linux/errno.h>
#include <linux/signal.h>
/* after linux/signal.h, whose types they use */
#include <asm/sigcontext.h>
#include <asm/ucontext.h>

#include "kernel/mm.h"
#include "kernel/process.h"
#include "platform/abi/hosted.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"

#define RED_ZONE 128
#define XSAVE_HEADER 512
#define SW_RESERVED 464
#define FX_SIZE 512
#define MXCSR_MASK_LEAST 0xffbfu /* what every x86-64 CPU has */
#define USER_CS 0x33
#define USER_DS 0x2b

/* CF PF AF ZF SF TF DF OF RF AC: what a program may set by sigreturn. */
#define FLAGS_USER 0x50dd5ull
#define FLAGS_FIXED 0x202ull /* IF and the bit that is always one */
#define FLAGS_CLEARED_FOR_HANDLER ((1ull << 8) | (1ull << 10) | (1ull << 16)) /* TF DF RF */

struct frame_context { /* struct sigcontext of the 64-bit ABI */
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2, fpstate;
	uint64_t reserved[8];
};

struct rt_frame {
	uint64_t return_address;
	uint64_t uc_flags, uc_link;
	uint64_t ss_sp;
	int32_t ss_flags, ss_pad;
	uint64_t ss_size;
	struct frame_context context;
	sigset64 mask;
	uint8_t info[128];
};
_Static_assert(sizeof(struct frame_context) == 256, "sigcontext");
_Static_assert(sizeof(struct rt_frame) == 440, "rt_sigframe");

void fpu_state_init(void *area)
{
	static const uint16_t control = 0x37f;
	static const uint32_t mxcsr = 0x1f80;
	size_t size = boot_info->xsave_size < 576 ? 576 : boot_info->xsave_size;

	memset(area, 0, size);
	memcpy(area, &control, sizeof(control));
	memcpy((char *)area + 24, &mxcsr, sizeof(mxcsr));
}

uint64_t signal_user_flags(uint64_t flags)
{
	return (flags & FLAGS_USER) | FLAGS_FIXED;
}

bool signal_on_altstack(const struct task *task, uint64_t sp)
{
	return task->altstack_size && sp > task->altstack_sp && sp - task->altstack_sp <= task->altstack_size;
}

static void save_context(const struct task *task, const struct regs *regs, struct frame_context *context)
{
	context->r8 = regs->r8;
	context->r9 = regs->r9;
	context->r10 = regs->r10;
	context->r11 = regs->r11;
	context->r12 = regs->r12;
	context->r13 = regs->r13;
	context->r14 = regs->r14;
	context->r15 = regs->r15;
	context->rdi = regs->rdi;
	context->rsi = regs->rsi;
	context->rbp = regs->rbp;
	context->rbx = regs->rbx;
	context->rdx = regs->rdx;
	context->rax = regs->rax;
	context->rcx = regs->rcx;
	context->rsp = regs->rsp;
	context->rip = regs->rip;
	context->rflags = regs->rflags;
	context->cs = USER_CS;
	context->ss = USER_DS;
	context->err = task->fault_error;
	context->trapno = task->fault_trap;
	context->cr2 = task->fault_addr;
}

/* The FPU's state with the software bytes around it, at `area`. 0 or -EFAULT. */
static int save_fpu(struct task *task, uint64_t area)
{
	uint32_t size = boot_info->xsave_size;
	uint32_t magic2 = FP_XSTATE_MAGIC2;
	struct {
		uint32_t magic1, extended_size;
		uint64_t features;
		uint32_t xstate_size, pad[7];
	} sw = {FP_XSTATE_MAGIC1, size + 4, boot_info->xcr0, size, {0}};
	_Static_assert(sizeof(sw) == 48, "fpx_sw_bytes");

	machine->fpu_sync(&task->machine);
	if (copy_to_user(UADDR(area), task->machine.fpu, size) || copy_to_user(UADDR(area + SW_RESERVED), &sw, sizeof(sw)))
		return -EFAULT;
	return copy_to_user(UADDR(area + size), &magic2, sizeof(magic2));
}

/* The stack to use: 0 if the alternate one would overflow. */
static uint64_t choose_stack(const struct task *task, const struct regs *regs, const struct ksigaction *action)
{
	uint64_t sp = regs->rsp - RED_ZONE;

	if ((action->flags & SA_ONSTACK) && task->altstack_size && !signal_on_altstack(task, regs->rsp))
		sp = task->altstack_sp + task->altstack_size;
	return sp;
}

static void enter_handler(struct regs *regs, const struct ksigaction *action, int signo, uint64_t frame)
{
	regs->rdi = (uint64_t)signo;
	regs->rsi = frame + offsetof(struct rt_frame, info);
	regs->rdx = frame + offsetof(struct rt_frame, uc_flags);
	regs->rax = 0;
	regs->rip = action->handler;
	regs->rsp = frame;
	regs->rflags &= ~FLAGS_CLEARED_FOR_HANDLER;
	regs->cs = USER_CS;
	regs->ss = USER_DS;
	regs->orig_rax = (uint64_t)-1;
}

int signal_setup_frame(struct regs *regs, const struct ksigaction *action, const struct ksiginfo *info, sigset64 mask)
{
	struct task *task = current;
	uint64_t top = choose_stack(task, regs, action);
	uint64_t fpu = (top - boot_info->xsave_size - 4) & ~63ull;
	uint64_t at = ((fpu - sizeof(struct rt_frame)) & ~15ull) - 8;
	bool on_alt = (action->flags & SA_ONSTACK) && task->altstack_size;

	if (on_alt && !signal_on_altstack(task, at))
		return -EFAULT;
	if (!(action->flags & SA_RESTORER) || fpu > USER_TOP || at > USER_TOP)
		return -EFAULT;
	struct rt_frame *frame = kzalloc(sizeof(*frame));
	if (!frame)
		return -EFAULT;
	frame->return_address = action->restorer;
	frame->uc_flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	frame->ss_sp = task->altstack_sp;
	frame->ss_size = task->altstack_size;
	frame->ss_flags = (int32_t)task->altstack_flags;
	if (!task->altstack_size)
		frame->ss_flags |= SS_DISABLE;
	else if (signal_on_altstack(task, regs->rsp))
		frame->ss_flags |= SS_ONSTACK;
	save_context(task, regs, &frame->context);
	frame->context.fpstate = fpu;
	frame->context.oldmask = mask;
	frame->mask = mask;
	ksiginfo_to_user(info, frame->info);
	int rc = save_fpu(task, fpu);
	if (!rc)
		rc = copy_to_user(UADDR(at), frame, sizeof(*frame));
	kfree(frame);
	if (rc)
		return rc;

	/* From here nothing may fail. */
	if (task->altstack_flags & SS_AUTODISARM) {
		task->altstack_sp = task->altstack_size = 0;
		task->altstack_flags = 0;
	}
	fpu_state_init(task->machine.fpu);
	machine->fpu_reload(&task->machine);
	enter_handler(regs, action, info->signo, at);
	return 0;
}

static void restore_context(struct regs *regs, const struct frame_context *context)
{
	regs->r8 = context->r8;
	regs->r9 = context->r9;
	regs->r10 = context->r10;
	regs->r11 = context->r11;
	regs->r12 = context->r12;
	regs->r13 = context->r13;
	regs->r14 = context->r14;
	regs->r15 = context->r15;
	regs->rdi = context->rdi;
	regs->rsi = context->rsi;
	regs->rbp = context->rbp;
	regs->rbx = context->rbx;
	regs->rdx = context->rdx;
	regs->rax = context->rax;
	regs->rcx = context->rcx;
	regs->rsp = context->rsp;
	regs->rip = context->rip;
	regs->rflags = signal_user_flags(context->rflags);
	regs->cs = USER_CS;
	regs->ss = USER_DS;
	regs->orig_rax = (uint64_t)-1;
}

/* Make a state from user memory loadable: whatever it holds, XRSTOR must not fault. */
static void sanitize_fpu(uint8_t *area, uint32_t mxcsr_mask, bool extended)
{
	uint64_t features = extended ? 0 : 3;
	uint32_t mxcsr;

	if (extended)
		memcpy(&features, area + XSAVE_HEADER, sizeof(features));
	features &= boot_info->xcr0;
	memset(area + XSAVE_HEADER, 0, 64);
	memcpy(area + XSAVE_HEADER, &features, sizeof(features));
	memcpy(&mxcsr, area + 24, sizeof(mxcsr));
	mxcsr &= mxcsr_mask;
	memcpy(area + 24, &mxcsr, sizeof(mxcsr));
	memcpy(area + 28, &mxcsr_mask, sizeof(mxcsr_mask));
	memset(area + SW_RESERVED, 0, 48);
}

void fpu_state_sanitize(void *area, uint32_t mxcsr_mask)
{
	sanitize_fpu(area, mxcsr_mask, true);
}

uint32_t fpu_state_mxcsr_mask(const void *area)
{
	uint32_t mask;

	memcpy(&mask, (const uint8_t *)area + 28, sizeof(mask));
	return mask ? mask : MXCSR_MASK_LEAST;
}

static int restore_fpu(struct task *task, uint64_t from)
{
	uint8_t *area = task->machine.fpu;
	uint32_t size = boot_info->xsave_size, mask, magic[3] = {0}, magic2 = 0;
	uint64_t features = 0;

	machine->fpu_sync(&task->machine);
	mask = fpu_state_mxcsr_mask(area);
	if (!from) {
		fpu_state_init(area);
		machine->fpu_reload(&task->machine);
		return 0;
	}
	if (copy_from_user(magic, UADDR(from + SW_RESERVED), 8) || get_user(features, UADDR(from + SW_RESERVED + 8)))
		return -EFAULT;
	bool extended = magic[0] == FP_XSTATE_MAGIC1 && magic[1] == size + 4 &&
		!get_user(magic2, UADDR(from + size)) && magic2 == FP_XSTATE_MAGIC2;
	/* Into a buffer first: a fault half way must not leave a state half old. */
	uint32_t room = size < 576 ? 576 : size;
	uint8_t *copy = extended ? kmalloc(room) : kzalloc(room);
	if (!copy)
		return -EFAULT;
	int rc = copy_from_user(copy, UADDR(from), extended ? size : FX_SIZE);
	if (!rc) {
		sanitize_fpu(copy, mask, extended);
		memcpy(area, copy, size);
		machine->fpu_reload(&task->machine);
	}
	kfree(copy);
	return rc;
}

int signal_restore_frame(struct regs *regs)
{
	struct task *task = current;
	uint64_t at = regs->rsp - 8;
	struct rt_frame *frame = kmalloc(sizeof(*frame));

	if (!frame)
		return -EFAULT;
	int rc = copy_from_user(frame, UADDR(at), offsetof(struct rt_frame, info));
	/* No machine can return there; Linux faults in the program, too. */
	if (!rc && frame->context.rip >> 47)
		rc = -EFAULT;
	if (!rc)
		rc = restore_fpu(task, frame->context.fpstate);
	if (!rc) {
		signal_set_blocked(task, frame->mask);
		restore_context(regs, &frame->context);
		uint32_t flags = (uint32_t)frame->ss_flags;
		bool disabled = flags & SS_DISABLE;
		if (!signal_on_altstack(task, regs->rsp)) {
			task->altstack_sp = disabled ? 0 : frame->ss_sp;
			task->altstack_size = disabled ? 0 : frame->ss_size;
			task->altstack_flags = flags & SS_AUTODISARM;
		}
	}
	kfree(frame);
	return rc;
}
