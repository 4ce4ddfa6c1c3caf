/*
 * run(): user code of a space on this CPU until a trap.
 *
 * The way of one system call is PTRACE_SETREGS (only if a register changed),
 * PTRACE_SYSEMU, wait4, PTRACE_GETREGS: no call here is without need, each costs. The
 * stub is stopped by the host kernel before it would do the call, and the call is never
 * done. What stopped it becomes a trap as the CPU of the guest would report it.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/ptrace/internal.h"

#define USER_CS 0x33
#define USER_SS 0x2b

static void regs_to_host(struct user_regs_struct *to, const struct hosted_context *from)
{
	const struct regs *r = &from->regs;

	*to = (struct user_regs_struct){
		.r15 = r->r15, .r14 = r->r14, .r13 = r->r13, .r12 = r->r12, .rbp = r->rbp, .rbx = r->rbx, .r11 = r->r11,
		.r10 = r->r10, .r9 = r->r9, .r8 = r->r8, .rax = r->rax, .rcx = r->rcx, .rdx = r->rdx, .rsi = r->rsi,
		.rdi = r->rdi, .orig_rax = ~0ull, .rip = r->rip, .cs = USER_CS, .eflags = r->rflags, .rsp = r->rsp,
		.ss = USER_SS, .fs_base = from->fs_base, .gs_base = from->gs_base,
	};
}

static void regs_from_host(struct hosted_context *to, const struct user_regs_struct *from)
{
	to->regs = (struct regs){
		.r15 = from->r15, .r14 = from->r14, .r13 = from->r13, .r12 = from->r12, .rbp = from->rbp,
		.rbx = from->rbx, .r11 = from->r11, .r10 = from->r10, .r9 = from->r9, .r8 = from->r8, .rax = from->rax,
		.rcx = from->rcx, .rdx = from->rdx, .rsi = from->rsi, .rdi = from->rdi, .orig_rax = ~0ull,
		.rip = from->rip, .cs = USER_CS, .rflags = from->eflags, .rsp = from->rsp, .ss = USER_SS,
	};
	to->fs_base = from->fs_base;
	to->gs_base = from->gs_base;
}

/* SYSCALL leaves the return address in rcx. What came by int 0x80 or SYSENTER did not: no such gate here. */
static void decode_syscall(struct regs *r, const struct user_regs_struct *host)
{
	if (host->rcx != host->rip) {
		r->rax = host->orig_rax;
		hosted_refuse_gate(r);
		return;
	}
	r->trap = TRAP_SYSCALL;
	r->orig_rax = host->orig_rax;
	r->rax = (uint64_t)-ENOSYS;
}

static int decode_signal(struct regs *r, pid_t pid, int signal)
{
	siginfo_t info;

	switch (signal) {
	case SIGSEGV:
	case SIGBUS:
	case SIGFPE:
	case SIGTRAP:
	case SIGSYS:
		if (ptrace(PTRACE_GETSIGINFO, pid, 0, &info) < 0)
			return -errno;
		break;
	case SIGILL:
		r->trap = TRAP_INVALID_OPCODE;
		return 0;
	default: /* our kick, or a signal from outside: swallowed */
		__atomic_store_n(&host_self->pending, 0, __ATOMIC_SEQ_CST);
		r->trap = TRAP_INTERRUPT;
		return 0;
	}
	if (info.si_code <= 0) { /* kill(2): someone outside, not the CPU */
		r->trap = TRAP_INTERRUPT;
		return 0;
	}
	if (signal != SIGSYS) {
		hosted_decode_exception(r, signal, &info, 0);
	} else {
		hosted_decode_vsyscall(r, (uint64_t)info.si_call_addr);
	}
	return 0;
}

/* The host kernel would act on these, as orig_rax still names the call then. */
static bool is_restart_code(uint64_t rax)
{
	return rax >= (uint64_t)-520 && rax <= (uint64_t)-512;
}

/* After a system call mostly only its result differs: that one register is cheaper to set alone. */
static int set_registers(struct mirror *m, struct user_regs_struct *regs)
{
	if (m->regs_known) {
		m->regs.orig_rax = regs->orig_rax;
		if (!memcmp(regs, &m->regs, sizeof(*regs)))
			return 0;
		m->regs.rax = regs->rax;
		if (!memcmp(regs, &m->regs, sizeof(*regs)) && !is_restart_code(regs->rax))
			return ptrace(PTRACE_POKEUSER, m->pid, offsetof(struct user, regs.rax), regs->rax) < 0 ? -errno : 0;
	}
	return ptrace(PTRACE_SETREGS, m->pid, 0, regs) < 0 ? -errno : 0;
}

static int run_stub(struct mirror *m, const struct hosted_context *context)
{
	struct user_regs_struct regs;
	int error;

	regs_to_host(&regs, context);
	error = set_registers(m, &regs);
	m->regs_known = false;
	if (error)
		return error;
	return ptrace(PTRACE_SYSEMU, m->pid, 0, 0) < 0 ? -errno : 0;
}

/* `status`: what wait4 said, or 0; `error`: of the ptrace request that failed, or 0. */
static int stub_died(struct pt_cpu *c, struct mirror *m, struct hosted_context *context, int status, int error)
{
	vmm_log(VMM_LOG_ERROR, "ptrace: stub %d of CPU %u was killed from outside (status %#x, error %d)", m->pid, c->cpu,
		(unsigned)status, -error);
	if (!status || WIFSTOPPED(status))
		stub_kill(m->pid);
	mirror_forget(c, m);
	context->regs.trap = TRAP_STUB_DIED;
	vmm_fail(c->vmm, SIGKILL); /* somebody on the host works against the sandbox: it is not what it was */
	return 0;
}

/* The host refuses a base in its own half, which WRFSBASE lets user code load. */
static int bad_registers(struct hosted_context *context)
{
	context->fs_base = context->gs_base = 0;
	context->regs.trap = TRAP_PROTECTION;
	context->regs.error = 0;
	context->regs.orig_rax = ~0ull;
	return 0;
}

static int run_decode(struct pt_cpu *c, struct mirror *m, struct hosted_context *context, int status)
{
	if (!WIFSTOPPED(status) || ptrace(PTRACE_GETREGS, m->pid, 0, &m->regs) < 0)
		return stub_died(c, m, context, status, WIFSTOPPED(status) ? -errno : 0);
	regs_from_host(context, &m->regs);
	m->regs_known = m->regs.cs == USER_CS && m->regs.ss == USER_SS && !(m->regs.ds | m->regs.es | m->regs.fs | m->regs.gs);
	if (m->regs.cs != USER_CS) {
		hosted_refuse_segment(&context->regs);
		return 0;
	}
	if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
		decode_syscall(&context->regs, &m->regs);
		return 0;
	}
	return decode_signal(&context->regs, m->pid, WSTOPSIG(status));
}

void run_lost(struct pt_cpu *c, pid_t pid)
{
	vmm_log(VMM_LOG_ERROR, "ptrace: stub %d of CPU %u was killed from outside", pid, c->cpu);
	vmm_fail(c->vmm, SIGKILL);
	wake_park();
}

int run_user(unsigned cpu, uint64_t space, struct hosted_context *context)
{
	struct pt_cpu *c = &pt_cpus[cpu];
	int status, error = 0;
	struct mirror *m;

	if (c->vmm->ended)
		wake_park();
	m = mirror_get(c, space, &error);
	if (!m) {
		if (error == -ESRCH)
			run_lost(c, c->master);
		return error;
	}
	error = mirror_flush_orders(c);
	if (m->failed)
		error = m->failed;
	if (error == -ESRCH)
		return stub_died(c, m, context, 0, error);
	if (error)
		return error;
	/* Publish, then look: a kick either sees the stub or is seen here. */
	__atomic_store_n(&c->running, m->pid, __ATOMIC_SEQ_CST);
	wake_arm_timer(c->host);
	if (__atomic_exchange_n(&c->host->pending, 0, __ATOMIC_SEQ_CST) || io_busy(c->vmm)) {
		__atomic_store_n(&c->running, 0, __ATOMIC_RELEASE);
		context->regs.trap = TRAP_INTERRUPT;
		context->regs.orig_rax = ~0ull;
		return 0;
	}
	error = run_stub(m, context);
	while (!error && syscall(SYS_wait4, m->pid, &status, __WALL | __WNOTHREAD, NULL) < 0)
		error = errno == EINTR ? 0 : -errno;
	__atomic_store_n(&c->running, 0, __ATOMIC_RELEASE);
	if (error == -EIO)
		return bad_registers(context);
	if (error)
		return stub_died(c, m, context, 0, error);
	return run_decode(c, m, context, status);
}
