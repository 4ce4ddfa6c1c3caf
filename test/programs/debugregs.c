/*
 * Debug registers by ptrace(2): watchpoints for writes and breakpoints without a change of code, as gdb's watch and hbreak use
 * them; over system calls and signal handlers; what is refused.
 */
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>

#include "harness.h"

#define STOPPED(signo) ((signo) << 8 | 0x7f)
#define LOCAL(slot) (1ul << (2 * (slot)))
#define KIND(slot, kind, length) ((unsigned long)((length) << 2 | (kind)) << (16 + 4 * (slot)))
enum { EXECUTE = 0, WRITE = 1, PORTS = 2, ONE = 0, TWO = 1, EIGHT = 2, FOUR = 3 };

static volatile int watched, other;
static volatile int handled;

__attribute__((noinline)) static void place(int value)
{
	other = value;
	__asm__ volatile("");
}

__attribute__((noinline)) static void handler(int signo)
{
	handled = signo;
}

static void work(void)
{
	signal(SIGUSR1, handler);
	other = 1;
	watched = 5;
	other = 2;
	getppid();
	watched = 6;
	place(3);
	place(4);
	kill(getpid(), SIGUSR1);
	watched = 7;
	_exit(handled == SIGUSR1 && watched == 7 ? 9 : 1);
}

static pid_t traced(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		work();
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == STOPPED(SIGSTOP));
	return pid;
}

static long set(pid_t pid, unsigned index, unsigned long value)
{
	return ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg) + 8 * index, value);
}

static unsigned long get(pid_t pid, unsigned index)
{
	return (unsigned long)ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg) + 8 * index, 0);
}

static int next_stop(pid_t pid, int signo)
{
	int status = 0;

	CHECK(ptrace(PTRACE_CONT, pid, 0, signo) == 0);
	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

static int value_in(pid_t pid)
{
	return (int)ptrace(PTRACE_PEEKDATA, pid, &watched, 0);
}

static unsigned long rip_of(pid_t pid)
{
	return (unsigned long)ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rip), 0);
}

static void watchpoint(void)
{
	pid_t pid = traced();
	siginfo_t info;

	CHECK(get(pid, 7) == 0 && get(pid, 6) == 0xffff0ff0);
	CHECK(set(pid, 0, (uintptr_t)&watched) == 0);
	CHECK(set(pid, 7, LOCAL(0) | KIND(0, WRITE, FOUR)) == 0);
	CHECK(get(pid, 0) == (uintptr_t)&watched && get(pid, 7) == (LOCAL(0) | KIND(0, WRITE, FOUR)));
	CHECK(next_stop(pid, 0) == STOPPED(SIGTRAP) && value_in(pid) == 5);
	CHECK((get(pid, 6) & 0x400f) == 1);
	CHECK(ptrace(PTRACE_GETSIGINFO, pid, 0, &info) == 0 && info.si_signo == SIGTRAP && info.si_code == TRAP_HWBKPT);
	CHECK(!(ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.eflags), 0) & 0x100));
	CHECK(set(pid, 6, 0) == 0);
	/* What the tracer writes itself is none of it. */
	CHECK(ptrace(PTRACE_POKEDATA, pid, &watched, 55) == 0);
	CHECK(next_stop(pid, 0) == STOPPED(SIGTRAP) && value_in(pid) == 6);
	CHECK(next_stop(pid, 0) == STOPPED(SIGUSR1));
	CHECK(next_stop(pid, SIGUSR1) == STOPPED(SIGTRAP) && value_in(pid) == 7);
	CHECK(next_stop(pid, 0) == 9 << 8);
}

static void breakpoints(void)
{
	pid_t pid = traced();

	CHECK(set(pid, 1, (uintptr_t)place) == 0);
	CHECK(set(pid, 3, (uintptr_t)handler) == 0);
	CHECK(set(pid, 7, LOCAL(1) | LOCAL(3) | KIND(1, EXECUTE, ONE) | KIND(3, EXECUTE, ONE)) == 0);
	CHECK(next_stop(pid, 0) == STOPPED(SIGTRAP) && rip_of(pid) == (uintptr_t)place && (get(pid, 6) & 15) == 2);
	/* One step on it goes on from there. */
	int status;
	CHECK(ptrace(PTRACE_SINGLESTEP, pid, 0, 0) == 0 && waitpid(pid, &status, 0) == pid && status == STOPPED(SIGTRAP));
	CHECK(rip_of(pid) > (uintptr_t)place && rip_of(pid) < (uintptr_t)place + 16);
	CHECK(set(pid, 6, 0) == 0);
	CHECK(next_stop(pid, 0) == STOPPED(SIGTRAP) && rip_of(pid) == (uintptr_t)place);
	CHECK(set(pid, 6, 0) == 0);
	CHECK(next_stop(pid, 0) == STOPPED(SIGUSR1));
	CHECK(next_stop(pid, SIGUSR1) == STOPPED(SIGTRAP) && rip_of(pid) == (uintptr_t)handler && (get(pid, 6) & 15) == 8);
	CHECK(set(pid, 7, 0) == 0);
	CHECK(next_stop(pid, 0) == 9 << 8);
}

static void refused(void)
{
	pid_t pid = traced();
	int status;

	CHECK_ERRNO(set(pid, 4, 0), EIO);
	CHECK_ERRNO(set(pid, 5, 0), EIO);
	CHECK(set(pid, 0, (uintptr_t)&watched + 1) == 0);
	CHECK_ERRNO(set(pid, 7, LOCAL(0) | KIND(0, WRITE, FOUR)), EINVAL);
	CHECK_ERRNO(set(pid, 7, LOCAL(0) | KIND(0, EXECUTE, FOUR)), EINVAL);
	CHECK_ERRNO(set(pid, 7, LOCAL(0) | KIND(0, PORTS, ONE)), EINVAL);
	CHECK(get(pid, 7) == 0);
	CHECK(set(pid, 7, LOCAL(0) | KIND(0, WRITE, ONE)) == 0);
	CHECK(set(pid, 7, 0) == 0);
	CHECK(ptrace(PTRACE_DETACH, pid, 0, 0) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 9 << 8);
}

int main(void)
{
	harness_start();
	RUN(watchpoint);
	RUN(breakpoints);
	RUN(refused);
	return CHECK_RESULT();
}
