/*
 * Signal frames: how a stub's registers reach the sentry, and how it begins user code.
 *
 * The host kernel writes a frame on the signal stack, in memory shared with us, and
 * rt_sigreturn takes it back from there, so registers and FPU state are copied by nobody
 * else. The container's code can write the frame too, at any moment: it is copied once,
 * its pointers are checked against the area, and what it then says about registers is
 * only ever given back to the same stub. See sigreturn(2), bits/sigcontext.h.
 */
#include <errno.h>
#include <linux/audit.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "platform/systrap/internal.h"

#define USER_CS 0x33
#define RFLAGS_TF 0x100u
#define USER_SS 0x2b
#define FRAME_FLAGS 7u /* UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS */
#define SOFTWARE_AT 464u
#define XSAVE_HEADER 512u
#define FRAME_GAPS 256u /* the red zone and two alignments */
#define VSYSCALL 0xffffffffff600000ull

struct st_frame {
	uint64_t restorer;
	uint64_t flags, link;
	stack_t stack;
	uint64_t gregs[23]; /* as REG_… of sys/ucontext.h */
	uint64_t fpu;
	uint64_t reserved[8];
	uint64_t mask;
	siginfo_t info;
};
_Static_assert(sizeof(stack_t) == 24 && sizeof(siginfo_t) == 128, "host ABI");
_Static_assert(offsetof(struct st_frame, gregs[16]) == 8 + 168, "UC_RIP of stub_code.S");

struct st_fpu_format st_fpu;

static volatile int learnt;

static void learn_handler(int number, siginfo_t *info, void *context)
{
	const ucontext_t *u = context;
	const uint8_t *fpu = (const uint8_t *)u->uc_mcontext.fpregs;
	struct _fpx_sw_bytes sw;

	memcpy(&sw, fpu + SOFTWARE_AT, sizeof(sw));
	memcpy(st_fpu.software, fpu + SOFTWARE_AT, sizeof(st_fpu.software));
	memcpy(&st_fpu.mxcsr_mask, fpu + 28, 4);
	if (sw.magic1 == FP_XSTATE_MAGIC1 && sw.extended_size == sw.xstate_size + FP_XSTATE_MAGIC2_SIZE) {
		st_fpu.size = sw.xstate_size;
		st_fpu.features = sw.xstate_bv;
		learnt = 1;
	}
}

/* Beside the default frame's, the host kernel writes one at the stack's top, and one below a thread that waits. */
bool strap_frame_fits(uint64_t fpu_size)
{
	uint64_t frame = sizeof(struct st_frame) + FRAME_GAPS + fpu_size + FP_XSTATE_MAGIC2_SIZE;

	return AREA_FPU_DEFAULT + fpu_size + FP_XSTATE_MAGIC2_SIZE + frame <= ST_AREA_SIZE &&
		AREA_STACK + frame <= AREA_STACK_WAIT;
}

int strap_frame_learn(void)
{
	struct sigaction action = {.sa_sigaction = learn_handler, .sa_flags = SA_SIGINFO}, old;

	if (sigaction(STUB_KICK, &action, &old) < 0)
		return -errno;
	raise(STUB_KICK);
	sigaction(STUB_KICK, &old, NULL);
	if (!learnt)
		return -ENODEV;
	if (!st_fpu.mxcsr_mask)
		st_fpu.mxcsr_mask = 0xffbf;
	return strap_frame_fits(st_fpu.size) ? 0 : -E2BIG;
}

static void *area_at(const struct stub *s, uint32_t offset)
{
	return (uint8_t *)s->area + offset;
}

/* What XSAVE does not write and rt_sigreturn looks for. */
static void fpu_seal(struct stub *s)
{
	const uint32_t magic = FP_XSTATE_MAGIC2;
	uint8_t *to = area_at(s, s->fpu);

	memcpy(to + SOFTWARE_AT, st_fpu.software, sizeof(st_fpu.software));
	memcpy(to + st_fpu.size, &magic, sizeof(magic));
}

static void default_frame(struct stub *s)
{
	s->frame = AREA_FRAME_DEFAULT;
	s->fpu = AREA_FPU_DEFAULT;
}

void strap_frame_init(struct stub *s)
{
	default_frame(s);
	s->live = false;
	s->orders->features = st_fpu.features;
	fpu_seal(s);
}

void strap_frame_reset(struct stub *s)
{
	struct st_frame f = {.flags = FRAME_FLAGS, .mask = ~0ull};

	f.stack = (stack_t){.ss_sp = (void *)(ST_AREA + AREA_STACK), .ss_size = ST_AREA_SIZE - AREA_STACK};
	f.gregs[REG_RIP] = ST_PARK_RESET;
	f.gregs[REG_EFL] = 0x202;
	f.gregs[REG_CSGSFS] = (uint64_t)USER_SS << 48 | USER_CS;
	_Static_assert(offsetof(struct st_frame, info) <= sizeof(s->orders->reset), "layout.h");
	memcpy(s->orders->reset, &f, offsetof(struct st_frame, info));
}

static void bases_write(struct stub *s, const struct hosted_context *context, uint32_t flags)
{
	if (!s->bases_known || s->fs_base != context->fs_base)
		flags |= ST_SET_FS;
	if (!s->bases_known || s->gs_base != context->gs_base)
		flags |= ST_SET_GS;
	if (flags & (ST_SET_FS | ST_SET_GS)) {
		s->orders->fs_base = s->fs_base = context->fs_base;
		s->orders->gs_base = s->gs_base = context->gs_base;
	}
	s->bases_known = true;
	if (s->orders->flags != flags)
		s->orders->flags = flags;
}

/* Only the result of the call has changed, which is what most calls do. */
static bool call_same(const struct stub *s, const struct regs *r)
{
	const struct regs *c = &s->call;

	return !memcmp(r, c, offsetof(struct regs, rax)) &&
		!memcmp(&r->rcx, &c->rcx, offsetof(struct regs, orig_rax) - offsetof(struct regs, rcx)) && r->rip == c->rip &&
		r->rflags == c->rflags && r->rsp == c->rsp;
}

static void live_write(struct stub *s, const struct hosted_context *context)
{
	const struct regs *r = &context->regs;
	uint32_t flags = ST_BEGIN_LIVE;

	s->orders->rax = r->rax;
	if (call_same(s, r)) {
		flags |= ST_BEGIN_SAME;
	} else {
		for (unsigned i = 0; i < 15; i++)
			s->orders->regs[i] = ((const uint64_t *)r)[i];
		s->orders->rip = context->resume ? context->resume : r->rip;
		s->orders->rsp = r->rsp;
		s->orders->rflags = r->rflags;
	}
	bases_write(s, context, flags);
}

static void frame_write(struct stub *s, const struct hosted_context *context)
{
	struct st_frame *f = area_at(s, s->frame);
	const struct regs *r = &context->regs;

	f->flags = FRAME_FLAGS;
	f->link = 0;
	f->stack = (stack_t){.ss_sp = (void *)(ST_AREA + AREA_STACK), .ss_size = ST_AREA_SIZE - AREA_STACK};
	f->gregs[REG_R8] = r->r8;
	f->gregs[REG_R9] = r->r9;
	f->gregs[REG_R10] = r->r10;
	f->gregs[REG_R11] = r->r11;
	f->gregs[REG_R12] = r->r12;
	f->gregs[REG_R13] = r->r13;
	f->gregs[REG_R14] = r->r14;
	f->gregs[REG_R15] = r->r15;
	f->gregs[REG_RDI] = r->rdi;
	f->gregs[REG_RSI] = r->rsi;
	f->gregs[REG_RBP] = r->rbp;
	f->gregs[REG_RBX] = r->rbx;
	f->gregs[REG_RDX] = r->rdx;
	f->gregs[REG_RAX] = r->rax;
	f->gregs[REG_RCX] = r->rcx;
	f->gregs[REG_RSP] = r->rsp;
	f->gregs[REG_RIP] = context->resume ? context->resume : r->rip;
	f->gregs[REG_EFL] = r->rflags;
	f->gregs[REG_CSGSFS] = (uint64_t)USER_SS << 48 | USER_CS;
	f->fpu = ST_AREA + s->fpu;
	f->mask = 0;
	bases_write(s, context, 0);
	s->orders->frame = ST_AREA + s->frame;
}

int strap_context_write(struct stub *s, const struct hosted_context *context)
{
	int error;

	/* Without a frame nothing of the stub's own may trap. */
	if (s->live && !(context->regs.rflags & RFLAGS_TF) && context->regs.rip < USER_TOP) {
		live_write(s, context);
		return 0;
	}
	error = strap_fpu_settle(s);
	if (error)
		return error;
	s->live = false;
	frame_write(s, context);
	return 0;
}

static void regs_from_frame(struct regs *r, const uint64_t *g)
{
	*r = (struct regs){
		.r15 = g[REG_R15], .r14 = g[REG_R14], .r13 = g[REG_R13], .r12 = g[REG_R12], .rbp = g[REG_RBP],
		.rbx = g[REG_RBX], .r11 = g[REG_R11], .r10 = g[REG_R10], .r9 = g[REG_R9], .r8 = g[REG_R8],
		.rax = g[REG_RAX], .rcx = g[REG_RCX], .rdx = g[REG_RDX], .rsi = g[REG_RSI], .rdi = g[REG_RDI],
		.orig_rax = ~0ull, .rip = g[REG_RIP], .cs = USER_CS, .rflags = g[REG_EFL], .rsp = g[REG_RSP],
		.ss = USER_SS,
	};
}

/* The filter stopped it. The frame has the registers as SYSCALL left them, with the number in rax. */
static void decode_sys(struct regs *r, const siginfo_t *info)
{
	if ((uint64_t)info->si_call_addr - VSYSCALL < 4096) {
		hosted_decode_vsyscall(r, (uint64_t)info->si_call_addr);
		return;
	}
	if (info->si_arch != AUDIT_ARCH_X86_64) { /* int 0x80, SYSENTER: no such gate here */
		hosted_refuse_gate(r);
		return;
	}
	r->trap = TRAP_SYSCALL;
	r->orig_rax = r->rax;
	r->rax = (uint64_t)-ENOSYS;
}

static void decode_signal(struct regs *r, int signal, const siginfo_t *info, const uint64_t *g)
{
	if (info->si_code <= 0 || signal == STUB_KICK) { /* our kick, or a signal from outside */
		r->trap = TRAP_INTERRUPT;
		return;
	}
	if (signal == SIGSYS)
		decode_sys(r, info);
	else
		hosted_decode_exception(r, signal, info, g[REG_ERR]);
}

/* Where the place of the frame is taken from the area, it is checked; 0 or -EPROTO. */
static int frame_find(struct stub *s)
{
	uint64_t at = s->area->frame - ST_AREA, fpu;

	if (at < AREA_STACK || at > ST_AREA_SIZE - sizeof(struct st_frame) || at & 7)
		return -EPROTO;
	fpu = __atomic_load_n(&((const struct st_frame *)area_at(s, (uint32_t)at))->fpu, __ATOMIC_RELAXED) - ST_AREA;
	if (fpu < AREA_STACK || fpu > ST_AREA_SIZE - st_fpu.size - FP_XSTATE_MAGIC2_SIZE || fpu & 63)
		return -EPROTO;
	s->frame = (uint32_t)at;
	s->fpu = (uint32_t)fpu;
	s->live = false;
	return 0;
}

/* As if SYSCALL had stood where it returns to. */
static void call_complete(struct regs *r)
{
	r->rip = r->rcx;
	r->r11 = r->rflags;
	r->cs = USER_CS;
	r->ss = USER_SS;
	r->trap = TRAP_SYSCALL;
	r->orig_rax = r->rax;
	r->rax = (uint64_t)-ENOSYS;
	r->error = r->addr = 0;
}

static void call_from_area(const struct stub *s, struct regs *r)
{
	for (unsigned i = 0; i < 15; i++)
		((uint64_t *)r)[i] = s->area->regs[i];
	r->rsp = s->area->rsp;
	r->rflags = s->area->flags;
	call_complete(r);
}

/*
 * A signal on the way from user code to the hand-over of a call by jump: the call has been made, or its answer given.
 * True: it was, and is decoded.
 */
static bool decode_call(const struct stub *s, struct regs *r)
{
	uint64_t at = r->rip - ST_CODE;
#define IN(from, to) (at - (uint64_t)((from) - st_code_begin) < (uint64_t)((to) - (from)))

	if (!IN(st_code_call, st_code_call_end))
		return false;
	if (IN(st_code_call_answered, st_code_call_answered_end)) {
		r->rip = s->area->resume;
		r->rsp = s->area->rsp;
		r->rflags = r->r11 = s->area->flags;
		r->trap = TRAP_INTERRUPT;
		return true;
	}
	if (IN(st_code_call_saved, st_code_call_end)) {
		call_from_area(s, r);
		return true;
	}
	if (IN(st_code_call_stack, st_code_call_end))
		r->rsp = s->area->rsp;
	if (IN(st_code_call_flags, st_code_call_end))
		r->rflags = s->area->flags;
#undef IN
	call_complete(r);
	return true;
}

static int decode_frame(struct stub *s, struct hosted_context *context)
{
	const struct st_frame *f;
	siginfo_t info;
	uint64_t g[23];
	int error = frame_find(s);

	if (error)
		return error;
	f = area_at(s, s->frame);
	memcpy(g, f->gregs, sizeof(g));
	memcpy(&info, &f->info, sizeof(info));
	regs_from_frame(&context->regs, g);
	if ((uint16_t)g[REG_CSGSFS] != USER_CS) {
		hosted_refuse_segment(&context->regs);
	} else if (!decode_call(s, &context->regs)) {
		decode_signal(&context->regs, (int)s->area->signal, &info, g);
		context->by_signal = context->regs.trap == TRAP_SYSCALL;
	}
	return 0;
}

static void interrupted(struct stub *s, struct hosted_context *context)
{
	s->bases_known = false;
	context->regs.trap = TRAP_INTERRUPT;
	context->regs.orig_rax = ~0ull;
}

int strap_frame_decode(struct stub *s, struct hosted_context *context)
{
	uint32_t kind = s->area->kind;
	int error = 0;

	context->by_signal = 0;
	switch (kind) {
	case ST_KIND_INTERRUPTED:
		interrupted(s, context);
		return 0;
	case ST_KIND_TURNED:
		interrupted(s, context);
		return frame_find(s);
	case ST_KIND_CALL:
		default_frame(s);
		s->live = true;
		call_from_area(s, &context->regs);
		s->call = context->regs;
		break;
	default:
		error = decode_frame(s, context);
	}
	if (st_fsgsbase && !error) {
		context->fs_base = s->fs_base = s->area->fs_base;
		context->gs_base = s->gs_base = s->area->gs_base;
	}
	return error;
}

void strap_frame_fpu_get(const struct stub *s, void *xsave)
{
	uint8_t *to = xsave;
	uint64_t *header = (uint64_t *)(to + XSAVE_HEADER);

	memcpy(to, area_at(s, s->fpu), st_fpu.size);
	/* The stub could have left anything: only what the host kernel takes back from another frame. */
	*(uint32_t *)(to + 24) &= st_fpu.mxcsr_mask;
	*(uint32_t *)(to + 28) = st_fpu.mxcsr_mask;
	header[0] &= st_fpu.features;
	memset(header + 1, 0, 56);
}

int strap_frame_fpu_set(struct stub *s, const void *xsave)
{
	const uint8_t *from = xsave;
	const uint64_t *header = (const uint64_t *)(from + XSAVE_HEADER);

	if (*(const uint32_t *)(from + 24) & ~st_fpu.mxcsr_mask || header[0] & ~st_fpu.features)
		return -EINVAL;
	for (unsigned i = 1; i < 8; i++)
		if (header[i])
			return -EINVAL;
	memcpy(area_at(s, s->fpu), from, st_fpu.size);
	fpu_seal(s);
	return 0;
}
