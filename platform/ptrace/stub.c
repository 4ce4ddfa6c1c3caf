/*
 * Stub processes: making the master, cloning it, giving orders, ending.
 *
 * The master is forked from the CPU's thread before the jail and strips itself: the only
 * descriptor is the user memfd, the only pages are the orders and the code, no
 * privileges, its own short seccomp list (filter.c). It then only ever forks: a stub for
 * a space is a clone of it, auto-attached to the same tracer (PTRACE_O_TRACEFORK). The
 * child's code before the last jump runs in a copy of the VMM's memory and makes raw
 * system calls only. See ptrace(2), clone(2), seccomp(2).
 */
#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/ptrace/internal.h"

#define STUB_OPTIONS \
	(PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEVFORK)

static int stub_wait(pid_t pid, int *status)
{
	for (;;) {
		pid_t got = (pid_t)syscall(SYS_wait4, pid, status, __WALL | __WNOTHREAD, NULL);

		if (got == pid)
			return 0;
		if (got < 0 && errno != EINTR)
			return -errno;
	}
}

/* ---- in the child, until it jumps to its code page ---- */

static long child_pages(struct pt_cpu *c)
{
	void *code = (void *)STUB_CODE;

	if (syscall(SYS_mremap, c->orders, STUB_ORDERS_SIZE, STUB_ORDERS_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, STUB_ORDERS) < 0)
		return -1;
	if (syscall(SYS_mprotect, STUB_ORDERS, STUB_ORDERS_SIZE, PROT_READ) < 0)
		return -1;
	if (syscall(SYS_mmap, code, STUB_CODE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) < 0)
		return -1;
	__builtin_memcpy(code, stub_code_begin, (size_t)(stub_code_end - stub_code_begin));
	return syscall(SYS_mprotect, code, STUB_CODE_SIZE, PROT_READ | PROT_EXEC);
}

static long child_descriptors(struct pt_cpu *c)
{
	if (syscall(SYS_dup3, c->vmm->memory.user_memfd, 100, 0) < 0)
		return -1;
	if (syscall(SYS_close_range, 0, 99, 0) < 0 || syscall(SYS_close_range, 101, ~0u, 0) < 0)
		return -1;
	if (syscall(SYS_dup3, 100, STUB_MEMFD, 0) < 0)
		return -1;
	return syscall(SYS_close, 100);
}

static long child_signals(void)
{
	uint64_t none = 0;

	for (int i = 1; i < 65; i++) {
		uint64_t action[4] = {0}; /* struct kernel_sigaction: SIG_DFL */

		syscall(SYS_rt_sigaction, i, action, NULL, sizeof(none));
	}
	return syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
}

/* Exit codes 100.. name the step that failed. */
static void __attribute__((noreturn)) child_main(struct pt_cpu *c)
{
	void (*jump)(void);

	if (syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0) < 0)
		syscall(SYS_exit_group, 100);
	syscall(SYS_kill, syscall(SYS_getpid), SIGSTOP);
	if (child_signals() < 0)
		syscall(SYS_exit_group, 101);
	hosted_child_rseq();
	if (child_pages(c) < 0)
		syscall(SYS_exit_group, 102);
	if (child_descriptors(c) < 0)
		syscall(SYS_exit_group, 103);
	if (hosted_child_privileges(c->vmm, c->vmm->cpus * (MIRROR_LIMIT + SPARE_LIMIT + 2ull)) < 0)
		syscall(SYS_exit_group, 104);
	if (filter_apply() < 0)
		syscall(SYS_exit_group, 105);
	jump = (void (*)(void))STUB_CODE;
	jump();
	__builtin_unreachable();
}

/* ---- in the CPU's thread ---- */

static int master_follow(struct pt_cpu *c, pid_t pid)
{
	int status, error;

	error = stub_wait(pid, &status);
	if (error)
		return error;
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP)
		return -EPERM;
	if (ptrace(PTRACE_SETOPTIONS, pid, 0, STUB_OPTIONS) < 0 || ptrace(PTRACE_CONT, pid, 0, 0) < 0)
		return -errno;
	error = stub_wait(pid, &status);
	if (error)
		return error;
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) {
		vmm_log(0, "ptrace: the stub of CPU %u failed at step %d", c->cpu, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
		return -EPERM;
	}
	/* It stands in its code page: now all else of the VMM's memory goes. */
	c->orders[0] = (struct stub_order){.nr = SYS_munmap, .arg = {0, STUB_ORDERS}};
	c->orders[1] = (struct stub_order){.nr = SYS_munmap, .arg = {STUB_END, HOST_TASK_SIZE - STUB_END}};
	return stub_run_orders(c, pid, 2);
}

pid_t stub_make_master(struct pt_cpu *c)
{
	pid_t pid;
	int error;

	c->orders = mmap(NULL, STUB_ORDERS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c->orders == MAP_FAILED)
		return -errno;
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid < 0)
		return -errno;
	if (!pid)
		child_main(c);
	error = master_follow(c, pid);
	if (error) {
		stub_kill(pid);
		return error;
	}
	return pid;
}

void stub_kill(pid_t pid)
{
	int status;

	if (syscall(SYS_kill, pid, SIGKILL) < 0)
		return;
	while (!stub_wait(pid, &status) && WIFSTOPPED(status))
		;
}

/* Let the stub execute its orders from the current stop; *status is of the stop that ended it. */
static int stub_continue(struct pt_cpu *c, pid_t pid, int *status)
{
	for (;;) {
		int error;

		if (ptrace(PTRACE_CONT, pid, 0, 0) < 0)
			return -errno;
		error = stub_wait(pid, status);
		if (error)
			return error;
		if (!WIFSTOPPED(*status))
			return -ESRCH;
		if (WSTOPSIG(*status) == STUB_KICK_SIGNAL || WSTOPSIG(*status) == SIGSTOP || WSTOPSIG(*status) == SIGCONT) {
			__atomic_store_n(&c->host->pending, 1, __ATOMIC_SEQ_CST); /* not lost: run() looks again */
			continue;
		}
		return 0;
	}
}

static int stub_start_orders(pid_t pid, unsigned count)
{
	struct user_regs_struct regs = {
		.rip = STUB_CODE + (uint64_t)(stub_code_orders - stub_code_begin),
		.rbx = STUB_ORDERS,
		.rbp = count,
		.orig_rax = ~0ull,
		.cs = 0x33,
		.ss = 0x2b,
		.eflags = 0x202,
	};

	return ptrace(PTRACE_SETREGS, pid, 0, &regs) < 0 ? -errno : 0;
}

int stub_run_orders(struct pt_cpu *c, pid_t pid, unsigned count)
{
	struct user_regs_struct regs;
	int status, error;

	error = stub_start_orders(pid, count);
	if (!error)
		error = stub_continue(c, pid, &status);
	if (error)
		return error;
	if (WSTOPSIG(status) == SIGTRAP)
		return 0;
	if (ptrace(PTRACE_GETREGS, pid, 0, &regs) < 0)
		return -errno;
	if (WSTOPSIG(status) == SIGILL && regs.rax > -4096ull)
		return (int)(int64_t)regs.rax;
	/* The container can bring this about (a PKRU that forbids reading): nothing for stderr. */
	vmm_log(VMM_LOG_DEBUG, "ptrace: stub %d stopped by signal %d at %#llx in its own code", pid, WSTOPSIG(status), regs.rip);
	return -EIO;
}

pid_t stub_clone(struct pt_cpu *c)
{
	unsigned long child = 0;
	int status, error;

	c->orders[0] = (struct stub_order){.nr = SYS_clone, .arg = {CLONE_PARENT | SIGCHLD}};
	error = stub_start_orders(c->master, 1);
	if (!error)
		error = stub_continue(c, c->master, &status);
	if (error)
		return error;
	if (status >> 8 == SIGTRAP || WSTOPSIG(status) != SIGTRAP)
		return -EAGAIN; /* the call failed: no event stop */
	if (ptrace(PTRACE_GETEVENTMSG, c->master, 0, &child) < 0)
		return -errno;
	error = stub_continue(c, c->master, &status);
	if (!error)
		error = stub_wait((pid_t)child, &status);
	if (error)
		return error;
	return WIFSTOPPED(status) ? (pid_t)child : -ESRCH;
}

size_t stub_xsave_size(pid_t pid)
{
	static uint8_t area[16384];
	struct iovec vector = {area, sizeof(area)};

	return ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &vector) < 0 ? 0 : vector.iov_len;
}
