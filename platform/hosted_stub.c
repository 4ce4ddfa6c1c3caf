/*
 * What the stub processes of ptrace and of systrap have in common: what may be mapped into
 * one, how a signal that user code raised becomes the trap that the guest's CPU would
 * report, and the last steps of a master before its own code takes over.
 *
 * hosted_child_*() run in a child forked from a process with threads: raw system calls
 * only. The range checks are the only ones between the sentry and a stub's mappings.
 */
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/hosted.h"

#define OWN_THREADS 64u

/* ---- mappings ---- */

int hosted_check_range(uint64_t address, uint64_t length)
{
	uint64_t end;

	if (!length || (address | length) & 4095 || __builtin_add_overflow(address, length, &end) || end > USER_TOP)
		return -EINVAL;
	return 0;
}

int hosted_check_mapping(const struct vmm *vmm, uint64_t address, uint64_t length, uint64_t offset)
{
	uint64_t end;
	int error = hosted_check_range(address, length);

	if (error)
		return error;
	if (offset & 4095 || __builtin_add_overflow(offset, length, &end) || end > vmm->memory.user.size)
		return -EINVAL;
	return 0;
}

uint64_t hosted_host_prot(unsigned prot)
{
	return (prot & HOSTED_READ ? PROT_READ : 0) | (prot & HOSTED_WRITE ? PROT_WRITE : 0) |
	       (prot & HOSTED_EXEC ? PROT_EXEC : 0);
}

/* ---- signals ---- */

static void decode_segv(struct regs *r, const siginfo_t *info, uint64_t access)
{
	if (info->si_code == SEGV_MAPERR || info->si_code == SEGV_ACCERR || info->si_code == SEGV_PKUERR) {
		r->trap = TRAP_PAGE_FAULT;
		r->addr = (uint64_t)info->si_addr;
		r->error = PF_USER | (info->si_code == SEGV_MAPERR ? 0 : PF_PRESENT) | (access & (PF_WRITE | PF_FETCH));
		return;
	}
	r->trap = TRAP_PROTECTION;
}

static void decode_bus(struct regs *r, const siginfo_t *info)
{
	if (info->si_code == BUS_ADRALN)
		r->trap = TRAP_ALIGNMENT;
	else if (info->si_code == SI_KERNEL)
		r->trap = TRAP_STACK;
	else
		r->trap = TRAP_STUB_DIED; /* BUS_ADRERR: the host could not give the page */
}

static void decode_fpe(struct regs *r, const siginfo_t *info)
{
	if (info->si_code == FPE_INTDIV)
		r->trap = TRAP_DIVIDE;
	else if (info->si_code == FPE_INTOVF)
		r->trap = TRAP_OVERFLOW;
	else
		r->trap = TRAP_SIMD; /* or x87: the state tells which, see the FPU area */
}

void hosted_decode_exception(struct regs *r, int signal, const siginfo_t *info, uint64_t access)
{
	switch (signal) {
	case SIGSEGV:
		decode_segv(r, info, access);
		break;
	case SIGBUS:
		decode_bus(r, info);
		break;
	case SIGFPE:
		decode_fpe(r, info);
		break;
	case SIGTRAP:
		r->trap = info->si_code == SI_KERNEL ? TRAP_BREAKPOINT : TRAP_DEBUG;
		r->addr = info->si_code == TRAP_BRKPT; /* ICEBP */
		break;
	case SIGILL:
		r->trap = TRAP_INVALID_OPCODE;
		break;
	default:
		r->trap = TRAP_INTERRUPT;
	}
}

void hosted_refuse_gate(struct regs *r)
{
	r->trap = TRAP_PROTECTION;
	r->error = 0x80 * 8 + 2;
	r->rip -= 2;
}

void hosted_decode_vsyscall(struct regs *r, uint64_t at)
{
	r->trap = TRAP_PAGE_FAULT;
	r->addr = r->rip = at;
	r->rsp -= 8;
	r->error = PF_USER | PF_FETCH;
}

void hosted_refuse_segment(struct regs *r)
{
	r->trap = TRAP_PROTECTION;
	r->error = 0;
}

/* ---- in the child ---- */

void hosted_child_rseq(void)
{
	void *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	if (!__rseq_size)
		return;
	if (syscall(SYS_rseq, area, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG) < 0)
		syscall(SYS_rseq, area, (__rseq_size + 31u) & ~31u, RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
}

long hosted_child_privileges(const struct vmm *vmm, uint64_t stub_tasks)
{
	const struct rlimit tasks = {stub_tasks + OWN_THREADS, stub_tasks + OWN_THREADS};
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];
	const struct rlimit zero = {0, 0};
	uint32_t uid = vmm->options->uid, gid = vmm->options->gid;

	if (uid && syscall(SYS_prlimit64, 0, RLIMIT_NPROC, &tasks, NULL) < 0)
		return -1;
	if (syscall(SYS_geteuid))
		uid = gid = 0; /* nothing to change: as jail.c does */
	if (uid && (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, gid, gid, gid) < 0))
		return -1;
	if (uid && syscall(SYS_setresuid, uid, uid, uid) < 0)
		return -1;
	__builtin_memset(data, 0, sizeof(data));
	if (syscall(SYS_capset, &header, data) < 0)
		return -1;
	if (syscall(SYS_prlimit64, 0, RLIMIT_CORE, &zero, NULL) < 0 || syscall(SYS_prlimit64, 0, RLIMIT_MEMLOCK, &zero, NULL) < 0 ||
	    syscall(SYS_prlimit64, 0, RLIMIT_FSIZE, &zero, NULL) < 0)
		return -1;
	if (syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -1;
	return syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}
