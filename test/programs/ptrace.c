/*
 * ptrace(2): stops, registers, memory, system calls, events, seizing, attaching, threads, and how tracers end.
 */
#include <elf.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "harness.h"

static long word = 0x1122334455667788;
static volatile int steps;

static long trace(long request, pid_t pid, uintptr_t addr, uintptr_t data)
{
	return syscall(SYS_ptrace, request, pid, addr, data);
}

/* A child that is traced and stopped by SIGSTOP before it does `part`. */
static pid_t traced(void (*part)(void))
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (trace(PTRACE_TRACEME, 0, 0, 0))
			_exit(99);
		raise(SIGSTOP);
		part();
		_exit(7);
	}
	int status;
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	return pid;
}

static int next_stop(pid_t pid)
{
	int status = -1;

	CHECK(waitpid(pid, &status, __WALL) == pid);
	return status;
}

#define EVENT(signo, event) ((signo) << 8 | 0x7f | (event) << 16)
#define STOPPED(signo) EVENT(signo, 0)
#define EXITED(code) ((code) << 8)

static void nothing(void)
{
}

static void memory_and_registers(void)
{
	pid_t pid = traced(nothing);
	struct user_regs_struct regs, again;
	struct user_fpregs_struct fpregs;
	struct iovec vector = {&again, sizeof(again)};
	siginfo_t info;
	long value = 0;

	CHECK(trace(PTRACE_PEEKDATA, pid, (uintptr_t)&word, (uintptr_t)&value) == 0 && value == word);
	CHECK(trace(PTRACE_POKEDATA, pid, (uintptr_t)&word, 42) == 0);
	CHECK(trace(PTRACE_PEEKDATA, pid, (uintptr_t)&word, (uintptr_t)&value) == 0 && value == 42);
	CHECK(word == 0x1122334455667788);
	CHECK_ERRNO(trace(PTRACE_PEEKDATA, pid, 16, (uintptr_t)&value), EIO);
	/* text is private and read-only: a tracer may write to it all the same */
	CHECK(trace(PTRACE_PEEKTEXT, pid, (uintptr_t)&memory_and_registers, (uintptr_t)&value) == 0);
	CHECK(trace(PTRACE_POKETEXT, pid, (uintptr_t)&memory_and_registers, 0x90909090) == 0);
	CHECK(*(volatile int *)&memory_and_registers != (int)0x90909090 || (int)value == (int)0x90909090);
	CHECK(trace(PTRACE_GETREGS, pid, 0, (uintptr_t)&regs) == 0);
	CHECK(regs.cs == 0x33 && regs.ss == 0x2b && regs.fs_base != 0);
	CHECK(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (uintptr_t)&vector) == 0);
	CHECK(vector.iov_len == sizeof(regs) && memcmp(&regs, &again, sizeof(regs)) == 0);
	CHECK(trace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rip), (uintptr_t)&value) == 0 && (unsigned long)value == regs.rip);
	CHECK_ERRNO(trace(PTRACE_PEEKUSER, pid, 3, (uintptr_t)&value), EIO);
	CHECK_ERRNO(trace(PTRACE_PEEKUSER, pid, 4096, (uintptr_t)&value), EIO);
	again = regs;
	again.fs_base = -1ul;
	CHECK_ERRNO(trace(PTRACE_SETREGS, pid, 0, (uintptr_t)&again), EIO);
	CHECK(trace(PTRACE_SETREGS, pid, 0, (uintptr_t)&regs) == 0);
	CHECK(trace(PTRACE_GETFPREGS, pid, 0, (uintptr_t)&fpregs) == 0);
	CHECK(fpregs.cwd == 0x37f && fpregs.mxcsr == 0x1f80);
	fpregs.xmm_space[0] = 5;
	CHECK(trace(PTRACE_SETFPREGS, pid, 0, (uintptr_t)&fpregs) == 0);
	memset(&fpregs, 0, sizeof(fpregs));
	CHECK(trace(PTRACE_GETFPREGS, pid, 0, (uintptr_t)&fpregs) == 0 && fpregs.xmm_space[0] == 5);
	CHECK(trace(PTRACE_GETSIGINFO, pid, 0, (uintptr_t)&info) == 0 && info.si_signo == SIGSTOP);
	CHECK_ERRNO(trace(PTRACE_CONT, pid, 0, 65), EIO);
	CHECK_ERRNO(trace(12345, pid, 0, 0), EIO);
	CHECK_ERRNO(trace(PTRACE_CONT, getpid(), 0, 0), ESRCH);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	CHECK_ERRNO(trace(PTRACE_GETREGS, pid, 0, (uintptr_t)&regs), ESRCH);
	CHECK(next_stop(pid) == EXITED(7));
}

/* What is queued can be looked at; the place counts over a thread's own signals, or over its process'. */
static void queued_signals(void)
{
	pid_t pid = traced(nothing);
	struct __ptrace_peeksiginfo_args args = {.nr = 4};
	struct {
		uint64_t area;
		uint32_t size, signature, flags, pad;
	} rseq;
	siginfo_t info[4];

	for (int i = 0; i < 3; i++)
		CHECK(sigqueue(pid, SIGRTMIN, (union sigval){.sival_int = 10 + i}) == 0);
	CHECK(syscall(SYS_tgkill, pid, pid, SIGRTMIN + 1) == 0);
	CHECK(trace(PTRACE_PEEKSIGINFO, pid, (uintptr_t)&args, (uintptr_t)info) == 1 && info[0].si_signo == SIGRTMIN + 1);
	args.flags = PTRACE_PEEKSIGINFO_SHARED;
	CHECK(trace(PTRACE_PEEKSIGINFO, pid, (uintptr_t)&args, (uintptr_t)info) == 3);
	CHECK(info[0].si_code == SI_QUEUE && info[0].si_int == 10 && info[2].si_int == 12 && info[2].si_pid == getpid());
	args.off = 2;
	CHECK(trace(PTRACE_PEEKSIGINFO, pid, (uintptr_t)&args, (uintptr_t)info) == 1 && info[0].si_int == 12);
	args.off = 3;
	CHECK(trace(PTRACE_PEEKSIGINFO, pid, (uintptr_t)&args, (uintptr_t)info) == 0);
	args.off = 0;
	CHECK_ERRNO(trace(PTRACE_PEEKSIGINFO, pid, (uintptr_t)&args, 16), EFAULT);
	CHECK_ERRNO(trace(PTRACE_PEEKSIGINFO, pid, 16, (uintptr_t)info), EFAULT);
	args.nr = -1;
	CHECK_ERRNO(trace(PTRACE_PEEKSIGINFO, pid, (uintptr_t)&args, (uintptr_t)info), EINVAL);
	args.nr = 1;
	args.flags = 2;
	CHECK_ERRNO(trace(PTRACE_PEEKSIGINFO, pid, (uintptr_t)&args, (uintptr_t)info), EINVAL);
	/* Whether the C library has registered an area is its affair; if so, both processes have the same. */
	CHECK(trace(PTRACE_GET_RSEQ_CONFIGURATION, pid, sizeof(rseq), (uintptr_t)&rseq) == sizeof(rseq));
	CHECK(rseq.flags == 0 && (!rseq.area || rseq.signature == 0x53053053));
	CHECK(kill(pid, SIGKILL) == 0 && next_stop(pid) == SIGKILL);
}

static volatile sig_atomic_t caught;

static void handler(int signo)
{
	caught = signo;
}

static void raise_two(void)
{
	signal(SIGUSR2, handler);
	raise(SIGUSR1); /* would kill */
	raise(SIGUSR1);
	_exit(caught == SIGUSR2 ? 3 : 4);
}

static void signals_pass_the_tracer(void)
{
	pid_t pid = traced(raise_two);

	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	CHECK(next_stop(pid) == STOPPED(SIGUSR1));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0); /* swallowed */
	CHECK(next_stop(pid) == STOPPED(SIGUSR1));
	CHECK(trace(PTRACE_CONT, pid, 0, SIGUSR2) == 0); /* another one */
	CHECK(next_stop(pid) == EXITED(3));
}

static void three_calls(void)
{
	long one = syscall(SYS_getppid), two = syscall(SYS_getuid), three = syscall(SYS_getgid);

	_exit(one == -ENOSYS || errno ? (two == 77 ? (three == 55 ? 9 : 3) : 2) : 1);
}

/* To the next stop in this system call. */
static int to_syscall(pid_t pid, long number, struct user_regs_struct *regs)
{
	for (int i = 0; i < 50; i++) {
		CHECK(trace(PTRACE_SYSCALL, pid, 0, 0) == 0);
		int status = next_stop(pid);

		if (WIFEXITED(status))
			return status;
		CHECK(status == STOPPED(SIGTRAP | 0x80));
		CHECK(trace(PTRACE_GETREGS, pid, 0, (uintptr_t)regs) == 0);
		if ((long)regs->orig_rax == number)
			return 0;
	}
	return -1;
}

static void system_calls(void)
{
	pid_t pid = traced(three_calls);
	struct user_regs_struct regs;
	struct __ptrace_syscall_info info;

	CHECK_ERRNO(trace(PTRACE_SETOPTIONS, pid, 0, 1u << 30), EINVAL);
	CHECK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD) == 0);
	CHECK(to_syscall(pid, SYS_getppid, &regs) == 0);
	CHECK((long)regs.rax == -ENOSYS);
	CHECK(trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), (uintptr_t)&info) > 0);
	CHECK(info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_getppid);
	regs.orig_rax = -1ul; /* not to be done */
	CHECK(trace(PTRACE_SETREGS, pid, 0, (uintptr_t)&regs) == 0);
	CHECK(to_syscall(pid, -1, &regs) == 0);
	CHECK(trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), (uintptr_t)&info) > 0);
	CHECK(info.op == PTRACE_SYSCALL_INFO_EXIT && info.exit.is_error && info.exit.rval == -ENOSYS);
	CHECK(to_syscall(pid, SYS_getuid, &regs) == 0);
	CHECK(to_syscall(pid, SYS_getuid, &regs) == 0);
	regs.rax = 77;
	CHECK(trace(PTRACE_SETREGS, pid, 0, (uintptr_t)&regs) == 0);
	CHECK(to_syscall(pid, SYS_getgid, &regs) == 0);
	regs.orig_rax = SYS_getpid; /* another call */
	CHECK(trace(PTRACE_SETREGS, pid, 0, (uintptr_t)&regs) == 0);
	CHECK(trace(PTRACE_SYSCALL, pid, 0, 0) == 0 && next_stop(pid) == STOPPED(SIGTRAP | 0x80));
	CHECK(trace(PTRACE_GETREGS, pid, 0, (uintptr_t)&regs) == 0 && (pid_t)regs.rax == pid);
	regs.rax = 55;
	CHECK(trace(PTRACE_SETREGS, pid, 0, (uintptr_t)&regs) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	CHECK(next_stop(pid) == EXITED(9));
}

static void step_body(void)
{
	__asm__ volatile("int3\n\tnop\n\tnop\n\tnop\n\tmov %0, %%eax\n\tsyscall\n\tnop\n\tint3" ::"i"(SYS_getppid) : "rax", "rcx", "r11", "memory");
	_exit(8);
}

static void single_steps(void)
{
	pid_t pid = traced(step_body);
	struct user_regs_struct regs;
	siginfo_t info;
	unsigned long rip;
	int count = 0;

	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	CHECK(next_stop(pid) == STOPPED(SIGTRAP));
	CHECK(trace(PTRACE_GETSIGINFO, pid, 0, (uintptr_t)&info) == 0 && info.si_code == SI_KERNEL);
	do {
		CHECK(trace(PTRACE_GETREGS, pid, 0, (uintptr_t)&regs) == 0);
		CHECK(!(regs.eflags & 0x100));
		rip = regs.rip;
		CHECK(trace(PTRACE_SINGLESTEP, pid, 0, 0) == 0);
		if (next_stop(pid) != STOPPED(SIGTRAP))
			break;
		CHECK(trace(PTRACE_GETREGS, pid, 0, (uintptr_t)&regs) == 0);
		CHECK(trace(PTRACE_GETSIGINFO, pid, 0, (uintptr_t)&info) == 0);
		count++;
	} while (count < 20 && info.si_code != SI_KERNEL && regs.rip > rip);
	printf("%d steps\n", count);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	CHECK(next_stop(pid) == EXITED(8));
}

static void fork_and_exec(void)
{
	char *argv[] = {"true", NULL}, *envp[] = {NULL};
	pid_t pid = fork();

	if (pid == 0)
		_exit(5);
	waitpid(pid, NULL, 0);
	pid = vfork();
	if (pid == 0)
		_exit(6);
	waitpid(pid, NULL, 0);
	execve("/bin/true", argv, envp);
	_exit(1);
}

static void events(void)
{
	pid_t pid = traced(fork_and_exec);
	unsigned long child = 0, gone = 0;

	CHECK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE |
			PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	CHECK(next_stop(pid) == EVENT(SIGTRAP, PTRACE_EVENT_FORK));
	CHECK(trace(PTRACE_GETEVENTMSG, pid, 0, (uintptr_t)&child) == 0 && child > 0);
	CHECK(next_stop((pid_t)child) == STOPPED(SIGSTOP));
	CHECK(trace(PTRACE_CONT, (pid_t)child, 0, 0) == 0);
	CHECK(next_stop((pid_t)child) == EVENT(SIGTRAP, PTRACE_EVENT_EXIT));
	CHECK(trace(PTRACE_GETEVENTMSG, (pid_t)child, 0, (uintptr_t)&gone) == 0 && gone == EXITED(5));
	CHECK(trace(PTRACE_CONT, (pid_t)child, 0, 0) == 0);
	CHECK(next_stop((pid_t)child) == EXITED(5));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	CHECK(next_stop(pid) == STOPPED(SIGCHLD)); /* ignored ones too */
	CHECK(trace(PTRACE_CONT, pid, 0, SIGCHLD) == 0);
	CHECK(next_stop(pid) == EVENT(SIGTRAP, PTRACE_EVENT_VFORK));
	CHECK(trace(PTRACE_GETEVENTMSG, pid, 0, (uintptr_t)&child) == 0);
	CHECK(next_stop((pid_t)child) == STOPPED(SIGSTOP));
	CHECK(trace(PTRACE_DETACH, (pid_t)child, 0, 0) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	int status = next_stop(pid);
	if (status == STOPPED(SIGCHLD)) {
		CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
		status = next_stop(pid);
	}
	CHECK(status == EVENT(SIGTRAP, PTRACE_EVENT_VFORK_DONE));
	do {
		CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
		status = next_stop(pid);
	} while (status == STOPPED(SIGCHLD));
	CHECK(status == EVENT(SIGTRAP, PTRACE_EVENT_EXEC));
	CHECK(trace(PTRACE_GETEVENTMSG, pid, 0, (uintptr_t)&child) == 0 && (pid_t)child == pid);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	CHECK(next_stop(pid) == EVENT(SIGTRAP, PTRACE_EVENT_EXIT));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	CHECK(next_stop(pid) == EXITED(0));
}

static void sleeper(void)
{
	for (;;)
		pause();
}

static pid_t untraced(void (*part)(void))
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		part();
		_exit(0);
	}
	return pid;
}

static void seizing(void)
{
	pid_t pid = untraced(sleeper);
	siginfo_t info;

	CHECK_ERRNO(trace(PTRACE_SEIZE, pid, 1, 0), EIO);
	CHECK(trace(PTRACE_SEIZE, pid, 0, 0) == 0);
	CHECK_ERRNO(trace(PTRACE_SEIZE, pid, 0, 0), EPERM);
	CHECK_ERRNO(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
	CHECK(trace(PTRACE_INTERRUPT, pid, 0, 0) == 0);
	CHECK(next_stop(pid) == EVENT(SIGTRAP, PTRACE_EVENT_STOP));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	/* a group stop, listened to until SIGCONT */
	CHECK(kill(pid, SIGSTOP) == 0);
	CHECK(next_stop(pid) == STOPPED(SIGSTOP));
	CHECK(trace(PTRACE_GETSIGINFO, pid, 0, (uintptr_t)&info) == 0 && info.si_signo == SIGSTOP);
	CHECK(trace(PTRACE_CONT, pid, 0, SIGSTOP) == 0);
	CHECK(next_stop(pid) == EVENT(SIGSTOP, PTRACE_EVENT_STOP));
	CHECK(trace(PTRACE_LISTEN, pid, 0, 0) == 0);
	CHECK_ERRNO(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
	CHECK(kill(pid, SIGCONT) == 0);
	CHECK(next_stop(pid) == EVENT(SIGTRAP, PTRACE_EVENT_STOP));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	CHECK(next_stop(pid) == STOPPED(SIGCONT));
	CHECK(trace(PTRACE_DETACH, pid, 0, SIGTERM) == 0);
	CHECK(next_stop(pid) == SIGTERM);
}

/* Who listens is woken once, however often it is interrupted before it runs. */
static void interrupting(void)
{
	cpu_set_t all, one;

	CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	/* It does not run in between, if we may say so. */
	CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
	(void)sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &(struct sched_param){1});
	for (int i = 0; i < 20; i++) {
		pid_t pid = untraced(sleeper);

		CHECK(trace(PTRACE_SEIZE, pid, 0, 0) == 0);
		CHECK(kill(pid, SIGSTOP) == 0);
		CHECK(next_stop(pid) == STOPPED(SIGSTOP));
		CHECK(trace(PTRACE_CONT, pid, 0, SIGSTOP) == 0);
		CHECK(next_stop(pid) == EVENT(SIGSTOP, PTRACE_EVENT_STOP));
		CHECK(trace(PTRACE_LISTEN, pid, 0, 0) == 0);
		for (int j = 0; j < 4; j++)
			CHECK(trace(PTRACE_INTERRUPT, pid, 0, 0) == 0);
		CHECK(next_stop(pid) == EVENT(SIGSTOP, PTRACE_EVENT_STOP));
		CHECK(kill(pid, SIGKILL) == 0);
		CHECK(next_stop(pid) == SIGKILL);
	}
	(void)sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
	CHECK(sched_setaffinity(0, sizeof(all), &all) == 0);
}

static void attaching(void)
{
	pid_t pid = untraced(sleeper);
	siginfo_t info;
	int status;

	CHECK(trace(PTRACE_ATTACH, pid, 0, 0) == 0);
	CHECK(next_stop(pid) == STOPPED(SIGSTOP));
	CHECK(trace(PTRACE_DETACH, pid, 0, 0) == 0);
	/* stopped before it is attached */
	CHECK(kill(pid, SIGSTOP) == 0);
	CHECK(waitpid(pid, &status, WUNTRACED) == pid && status == STOPPED(SIGSTOP));
	CHECK(trace(PTRACE_ATTACH, pid, 0, 0) == 0);
	CHECK(next_stop(pid) == STOPPED(SIGSTOP));
	CHECK(trace(PTRACE_KILL, pid, 0, 0) == 0);
	CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED) == 0 && info.si_code == CLD_KILLED && info.si_status == SIGKILL);
	CHECK_ERRNO(trace(PTRACE_ATTACH, pid, 0, 0), ESRCH);
	CHECK_ERRNO(trace(PTRACE_ATTACH, getpid(), 0, 0), EPERM);
}

static volatile pid_t second;

static void *second_thread(void *arg)
{
	second = (pid_t)syscall(SYS_gettid);
	raise(SIGUSR1);
	syscall(SYS_exit, 21);
	return arg;
}

static void two_threads(void)
{
	pthread_t thread;

	signal(SIGUSR1, handler);
	pthread_create(&thread, NULL, second_thread, NULL);
	pthread_join(thread, NULL);
	/* It is joined before it has ended: _exit() could still give it the group's status. */
	while (syscall(SYS_tgkill, getpid(), second, 0) == 0)
		usleep(1000);
	_exit(caught == SIGUSR1 ? 4 : 5);
}

static void threads(void)
{
	pid_t pid = traced(two_threads);
	unsigned long tid = 0;

	CHECK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	CHECK(next_stop(pid) == EVENT(SIGTRAP, PTRACE_EVENT_CLONE));
	CHECK(trace(PTRACE_GETEVENTMSG, pid, 0, (uintptr_t)&tid) == 0);
	CHECK(next_stop((pid_t)tid) == STOPPED(SIGSTOP));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	CHECK(trace(PTRACE_CONT, (pid_t)tid, 0, 0) == 0);
	CHECK(next_stop((pid_t)tid) == STOPPED(SIGUSR1));
	CHECK(trace(PTRACE_CONT, (pid_t)tid, 0, SIGUSR1) == 0);
	CHECK(next_stop((pid_t)tid) == EXITED(21));
	CHECK(next_stop(pid) == EXITED(4));
}

/* A tracer that is not the parent: the parent's wait comes second. And what becomes of a tracee when its tracer ends. */
static void others(void)
{
	pid_t pid = untraced(sleeper), tracer;
	int status, fds[2];
	char byte;

	CHECK(pipe(fds) == 0);
	tracer = fork();
	if (tracer == 0) {
		harness_failures = 0;
		CHECK(trace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEEXIT) == 0);
		CHECK(write(fds[1], "x", 1) == 1);
		CHECK(next_stop(pid) == STOPPED(SIGTERM));
		CHECK(trace(PTRACE_CONT, pid, 0, SIGTERM) == 0);
		CHECK(next_stop(pid) == EVENT(SIGTRAP, PTRACE_EVENT_EXIT));
		CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
		CHECK(next_stop(pid) == SIGTERM);
		_exit(CHECK_RESULT());
	}
	CHECK(read(fds[0], &byte, 1) == 1);
	CHECK(kill(pid, SIGTERM) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == SIGTERM);
	CHECK(waitpid(tracer, &status, 0) == tracer && status == 0);

	for (int kill_it = 0; kill_it < 2; kill_it++) {
		pid = untraced(sleeper);
		tracer = fork();
		if (tracer == 0) {
			harness_failures = 0;
			CHECK(trace(PTRACE_SEIZE, pid, 0, kill_it ? PTRACE_O_EXITKILL : 0) == 0);
			CHECK(trace(PTRACE_INTERRUPT, pid, 0, 0) == 0);
			CHECK(next_stop(pid) == EVENT(SIGTRAP, PTRACE_EVENT_STOP));
			_exit(CHECK_RESULT());
		}
		CHECK(waitpid(tracer, &status, 0) == tracer && status == 0);
		if (!kill_it) {
			CHECK(waitpid(pid, &status, WNOHANG) == 0);
			CHECK(kill(pid, SIGUSR1) == 0);
		}
		CHECK(waitpid(pid, &status, 0) == pid && status == (kill_it ? SIGKILL : SIGUSR1));
	}
}

/* Another user's process, and one that is not dumpable, are not for those without CAP_SYS_PTRACE. */
static void permissions(void)
{
	pid_t pid = untraced(sleeper), child = fork();
	int status;

	if (child == 0) {
		harness_failures = 0;
		CHECK(setresuid(1234, 1234, 1234) == 0);
		CHECK_ERRNO(trace(PTRACE_ATTACH, pid, 0, 0), EPERM);
		CHECK_ERRNO(trace(PTRACE_SEIZE, pid, 0, 0), EPERM);
		CHECK_ERRNO(trace(PTRACE_ATTACH, 1, 0, 0), EPERM);
		_exit(CHECK_RESULT());
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
}

int main(void)
{
	harness_start();
	memory_and_registers();
	queued_signals();
	signals_pass_the_tracer();
	system_calls();
	single_steps();
	events();
	seizing();
	interrupting();
	attaching();
	threads();
	others();
	permissions();
	return CHECK_RESULT();
}
