/*
 * Signals: handlers with siginfo, masks, alternate stacks, faults and their addresses,
 * restarting and interrupted calls, real-time queueing, sigtimedwait, the frame itself.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "harness.h"

static const char *program; /* our own path */

static volatile sig_atomic_t count, last;
static siginfo_t last_info;
static volatile int order[64];

static void simple(int signo)
{
	order[count] = signo;
	count++;
	last = signo;
}

static void detailed(int signo, siginfo_t *info, void *context)
{
	simple(signo);
	last_info = *info;
}

static void install(int signo, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};

	CHECK(sigaction(signo, &action, NULL) == 0);
	count = 0;
	memset(&last_info, 0, sizeof(last_info));
}

static void handlers(void)
{
	struct sigaction old;

	install(SIGUSR1, detailed, 0);
	CHECK(kill(getpid(), SIGUSR1) == 0);
	CHECK(count == 1 && last_info.si_signo == SIGUSR1 && last_info.si_code == SI_USER);
	CHECK(last_info.si_pid == getpid() && last_info.si_uid == getuid());
	CHECK(raise(SIGUSR1) == 0 && count == 2 && last_info.si_code == SI_TKILL);
	union sigval value = {.sival_ptr = (void *)0x123456789abcul};
	CHECK(sigqueue(getpid(), SIGUSR1, value) == 0);
	CHECK(count == 3 && last_info.si_code == SI_QUEUE && last_info.si_value.sival_ptr == value.sival_ptr);
	CHECK(sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_sigaction == detailed && (old.sa_flags & SA_SIGINFO));
	CHECK_ERRNO(sigaction(SIGKILL, &old, NULL), EINVAL);
	CHECK_ERRNO(kill(getpid(), 65), EINVAL);
	CHECK(kill(getpid(), 0) == 0);
	install(SIGUSR1, detailed, SA_RESETHAND);
	raise(SIGUSR1);
	CHECK(sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler == SIG_DFL);
}

static void masks(void)
{
	sigset_t set, old, pending;

	install(SIGUSR1, detailed, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGKILL);
	CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0 && !sigismember(&old, SIGUSR1));
	raise(SIGUSR1);
	raise(SIGUSR1);
	CHECK(count == 0);
	CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) && !sigismember(&pending, SIGUSR2));
	CHECK(sigprocmask(SIG_SETMASK, NULL, &old) == 0 && sigismember(&old, SIGUSR1) && !sigismember(&old, SIGKILL));
	CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
	CHECK(count == 1); /* once, however often it was sent */
	CHECK_ERRNO(sigprocmask(17, &set, NULL), EINVAL);
	/* Ignoring it forgets it. */
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	raise(SIGUSR1);
	signal(SIGUSR1, SIG_IGN);
	CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGUSR1));
	CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
	signal(SIGUSR1, SIG_DFL);
}

static volatile int depth, deepest;

static void nested(int signo, siginfo_t *info, void *context)
{
	depth++;
	count++;
	if (depth > deepest)
		deepest = depth;
	if (count < 3)
		raise(signo);
	depth--;
}

static void nesting(void)
{
	install(SIGUSR1, nested, 0);
	depth = deepest = 0;
	raise(SIGUSR1);
	CHECK(deepest == 1 && count == 3); /* blocked in its own handler: one after the other */
	install(SIGUSR1, nested, SA_NODEFER);
	depth = deepest = 0;
	raise(SIGUSR1);
	CHECK(deepest == 3 && count == 3);
	signal(SIGUSR1, SIG_DFL);
}

static void realtime_queue(void)
{
	sigset_t set, old;
	union sigval value;

	for (int signo = SIGRTMIN; signo <= SIGRTMIN + 2; signo++)
		install(signo, detailed, 0);
	sigfillset(&set);
	CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
	for (int i = 0; i < 3; i++) {
		for (int signo = SIGRTMIN + 2; signo >= SIGRTMIN; signo--) {
			value.sival_int = i;
			CHECK(sigqueue(getpid(), signo, value) == 0);
		}
	}
	CHECK(count == 0);
	siginfo_t info;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	for (int i = 0; i < 3; i++)
		CHECK(sigwaitinfo(&set, &info) == SIGRTMIN + 1 && info.si_value.sival_int == i);
	struct timespec soon = {0, 1000000};
	CHECK_ERRNO(sigtimedwait(&set, &info, &soon), EAGAIN);
	soon.tv_nsec = 0;
	CHECK_ERRNO(sigtimedwait(&set, &info, &soon), EAGAIN);
	CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
	CHECK(count == 6);
	for (int signo = SIGRTMIN; signo <= SIGRTMIN + 2; signo++)
		signal(signo, SIG_DFL);
}

static void suspended(void)
{
	sigset_t set, old, empty;
	pid_t parent = getpid();

	install(SIGUSR1, detailed, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		sleep_ms(20);
		kill(parent, SIGUSR1);
		_exit(0);
	}
	sigemptyset(&empty);
	CHECK_ERRNO(sigsuspend(&empty), EINTR);
	CHECK(count == 1 && last_info.si_pid == pid);
	sigset_t now;
	CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0 && sigismember(&now, SIGUSR1));
	CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
	CHECK(waitpid(pid, NULL, 0) == pid);
	/* sigtimedwait takes it without a handler's help. */
	siginfo_t info;
	CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
	pid = fork();
	if (pid == 0) {
		sleep_ms(20);
		kill(parent, SIGUSR1);
		_exit(0);
	}
	count = 0;
	CHECK(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_pid == pid && count == 0);
	CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
	CHECK(waitpid(pid, NULL, 0) == pid);
	signal(SIGUSR1, SIG_DFL);
}

/* A read that a handler interrupts: goes on with SA_RESTART, ends with EINTR without. */
static void restarts(void)
{
	int ends[2];
	char c = 0;
	pid_t parent = getpid();

	for (int restart = 0; restart < 2; restart++) {
		install(SIGUSR1, detailed, restart ? SA_RESTART : 0);
		CHECK(pipe(ends) == 0);
		pid_t pid = fork();
		if (pid == 0) {
			sleep_ms(20);
			kill(parent, SIGUSR1);
			sleep_ms(20);
			(void)!write(ends[1], "y", 1);
			_exit(0);
		}
		if (restart)
			CHECK(read(ends[0], &c, 1) == 1 && c == 'y');
		else
			CHECK_ERRNO(read(ends[0], &c, 1), EINTR);
		CHECK(count == 1);
		CHECK(waitpid(pid, NULL, 0) == pid);
		close(ends[0]);
		close(ends[1]);
	}
	/* nanosleep is never restarted after a handler, and says what is left. */
	install(SIGUSR1, detailed, SA_RESTART);
	pid_t pid = fork();
	if (pid == 0) {
		sleep_ms(20);
		kill(parent, SIGUSR1);
		_exit(0);
	}
	struct timespec t = {5, 0}, left = {0, 0};
	CHECK_ERRNO(nanosleep(&t, &left), EINTR);
	CHECK(left.tv_sec == 4 && left.tv_nsec > 0);
	CHECK(waitpid(pid, NULL, 0) == pid);
	/* Stopped and continued without a handler: it sleeps on. */
	pid = fork();
	if (pid == 0) {
		struct timespec half = {0, 100000000};

		_exit(nanosleep(&half, NULL) == 0 ? 0 : 1);
	}
	sleep_ms(20);
	int status;
	kill(pid, SIGSTOP);
	CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	kill(pid, SIGCONT);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	signal(SIGUSR1, SIG_DFL);
}

static sigjmp_buf back;
static volatile uintptr_t stack_in_handler;
static ucontext_t last_context;

static void fault(int signo, siginfo_t *info, void *context)
{
	int here;

	last_info = *info;
	last_context = *(ucontext_t *)context;
	stack_in_handler = (uintptr_t)&here;
	siglongjmp(back, 1);
}

static void faults(void)
{
	char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	install(SIGSEGV, fault, SA_NODEFER);
	install(SIGFPE, fault, SA_NODEFER);
	install(SIGILL, fault, SA_NODEFER);
	install(SIGTRAP, fault, SA_NODEFER);
	if (!sigsetjmp(back, 1))
		*(volatile int *)(page + 16) = 1;
	CHECK(last_info.si_signo == SIGSEGV && last_info.si_code == SEGV_ACCERR && last_info.si_addr == page + 16);
	CHECK(last_context.uc_mcontext.gregs[REG_TRAPNO] == 14);
	CHECK((last_context.uc_mcontext.gregs[REG_ERR] & 6) == 6); /* a write, by the user */
	CHECK(last_context.uc_mcontext.gregs[REG_CR2] == (greg_t)(uintptr_t)(page + 16));
	munmap(page, 4096);
	if (!sigsetjmp(back, 1))
		(void)*(volatile int *)(page + 32);
	CHECK(last_info.si_signo == SIGSEGV && last_info.si_code == SEGV_MAPERR && last_info.si_addr == page + 32);
	CHECK((last_context.uc_mcontext.gregs[REG_ERR] & 2) == 0);
	if (!sigsetjmp(back, 1))
		(void)*(volatile int *)0x8000000000000000ul; /* no address at all: a general protection fault */
	CHECK(last_info.si_signo == SIGSEGV && last_info.si_code == SI_KERNEL && last_info.si_addr == NULL);
	if (!sigsetjmp(back, 1))
		__asm__ volatile("xorl %%ecx, %%ecx; movl $1, %%eax; cltd; idivl %%ecx" ::: "eax", "ecx", "edx");
	CHECK(last_info.si_signo == SIGFPE && last_info.si_code == FPE_INTDIV && last_info.si_addr);
	if (!sigsetjmp(back, 1))
		__asm__ volatile("ud2");
	CHECK(last_info.si_signo == SIGILL && last_info.si_code == ILL_ILLOPN);
	if (!sigsetjmp(back, 1))
		__asm__ volatile("int3");
	CHECK(last_info.si_signo == SIGTRAP && last_info.si_code == SI_KERNEL);
	signal(SIGSEGV, SIG_DFL);
	signal(SIGFPE, SIG_DFL);
	signal(SIGILL, SIG_DFL);
	signal(SIGTRAP, SIG_DFL);
	/* A fault ends a program that blocks its signal, too. */
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit none = {0, 0};
		sigset_t set;

		setrlimit(RLIMIT_CORE, &none);
		sigfillset(&set);
		sigprocmask(SIG_BLOCK, &set, NULL);
		*(volatile int *)8 = 1;
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static char alternate[64 * 1024];

/* Without an end in sight: only a fault ends it. */
static void overflow(volatile char *above, volatile int *depth_left)
{
	volatile char block[4096];

	block[0] = above[0];
	if (--*depth_left)
		overflow(block, depth_left);
	above[1] = block[1];
}

static void altstack(void)
{
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)}, old;

	CHECK(sigaltstack(NULL, &old) == 0 && (old.ss_flags & SS_DISABLE));
	CHECK(sigaltstack(&stack, NULL) == 0);
	CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == alternate && old.ss_size == sizeof(alternate) && !old.ss_flags);
	install(SIGSEGV, fault, SA_ONSTACK | SA_NODEFER);
	struct rlimit limit;
	getrlimit(RLIMIT_STACK, &limit);
	if (limit.rlim_cur != RLIM_INFINITY && !sigsetjmp(back, 1)) {
		volatile char first[2] = {0};
		volatile int left = 1 << 30;

		overflow(first, &left);
	}
	CHECK(stack_in_handler > (uintptr_t)alternate && stack_in_handler < (uintptr_t)alternate + sizeof(alternate));
	CHECK(last_info.si_signo == SIGSEGV);
	stack.ss_size = 100;
	CHECK_ERRNO(sigaltstack(&stack, NULL), ENOMEM);
	stack.ss_flags = SS_DISABLE;
	CHECK(sigaltstack(&stack, NULL) == 0);
	signal(SIGSEGV, SIG_DFL);
}

/* What a handler changes in the frame is what the program goes on with. */
static void move_on(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	uc->uc_mcontext.gregs[REG_RAX] = 77;
	uc->uc_mcontext.gregs[REG_RIP] += 2; /* over the ud2 */
	sigaddset(&uc->uc_sigmask, SIGUSR2);
}

static void frame(void)
{
	long value = 1;
	sigset_t now;

	install(SIGILL, move_on, 0);
	__asm__ volatile("ud2" : "+a"(value));
	CHECK(value == 77);
	CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0 && sigismember(&now, SIGUSR2));
	sigdelset(&now, SIGUSR2);
	sigprocmask(SIG_SETMASK, &now, NULL);
	signal(SIGILL, SIG_DFL);
}

static void spoil_fpu(int signo, siginfo_t *info, void *context)
{
	double x[4] = {1, 2, 3, 4};

	count++;
	__asm__ volatile("movupd %0, %%xmm3; movupd %0, %%xmm15; fldpi; fldpi; fstp %%st(0); fstp %%st(0)" : : "m"(x)
		: "xmm3", "xmm15");
}

/* Registers of the FPU live through a handler. */
static void fpu(void)
{
	double in[2] = {123.5, -7.25}, out[2] = {0, 0};
	long pid = getpid(), rc;

	install(SIGUSR1, spoil_fpu, 0);
	__asm__ volatile("movupd %2, %%xmm3; movupd %2, %%xmm15; syscall; movupd %%xmm3, %1"
		: "=a"(rc), "=m"(out)
		: "m"(in), "a"(SYS_kill), "D"(pid), "S"((long)SIGUSR1)
		: "rcx", "r11", "xmm3", "xmm15", "memory");
	CHECK(rc == 0 && count == 1 && out[0] == in[0] && out[1] == in[1]);
	signal(SIGUSR1, SIG_DFL);
}

static void child_signals(void)
{
	sigset_t set, old;
	siginfo_t info;

	install(SIGCHLD, detailed, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	pid_t pid = fork();
	if (pid == 0)
		_exit(5);
	CHECK(sigwaitinfo(&set, &info) == SIGCHLD);
	CHECK(info.si_code == CLD_EXITED && info.si_pid == pid && info.si_status == 5 && info.si_uid == getuid());
	CHECK(waitpid(pid, NULL, 0) == pid);
	pid = fork();
	if (pid == 0)
		raise(SIGKILL);
	CHECK(sigwaitinfo(&set, &info) == SIGCHLD && info.si_code == CLD_KILLED && info.si_status == SIGKILL);
	CHECK(waitpid(pid, NULL, 0) == pid);
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGCHLD, SIG_DFL);
}

static volatile pid_t taker;

static void note_thread(int signo)
{
	taker = (pid_t)syscall(SYS_gettid);
}

static void *open_thread(void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	*(volatile pid_t *)arg = (pid_t)syscall(SYS_gettid);
	while (!taker)
		sleep_ms(1);
	return NULL;
}

/* A signal for the process goes to the one thread that does not block it. */
static void threads(void)
{
	volatile pid_t tid = 0;
	pthread_t thread;
	sigset_t set, old;

	taker = 0;
	signal(SIGUSR2, note_thread);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	CHECK(pthread_create(&thread, NULL, open_thread, (void *)&tid) == 0);
	while (!tid)
		sleep_ms(1);
	CHECK(kill(getpid(), SIGUSR2) == 0);
	pthread_join(thread, NULL);
	CHECK(taker == tid && tid != getpid());
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	signal(SIGUSR2, SIG_DFL);
}

static void inherited(void)
{
	int status;

	signal(SIGUSR1, SIG_IGN);
	install(SIGUSR2, detailed, 0);
	pid_t pid = fork();
	if (pid == 0) {
		raise(SIGUSR2);
		if (count != 1)
			_exit(1);
		execl(program, "signals", "actions", NULL);
		_exit(2);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
}

/* An epoll that watches a signalfd lives on in a child when the process whose signals they are has gone. */
static void abandoned_signalfd(void)
{
	int status, gate[2];
	char c;

	CHECK(pipe(gate) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct epoll_event event = {.events = EPOLLIN};
		int ep = epoll_create1(0);
		sigset_t set;

		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigprocmask(SIG_BLOCK, &set, NULL);
		int fd = signalfd(-1, &set, 0);
		if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event))
			_exit(1);
		if (fork() == 0) {
			sleep_ms(50); /* the parent has gone */
			raise(SIGUSR1);
			epoll_wait(ep, &event, 1, 10);
			epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL);
			close(fd);
			close(ep);
			_exit(0); /* closes the gate */
		}
		_exit(0);
	}
	close(gate[1]);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(read(gate[0], &c, 1) == 0);
	close(gate[0]);
}

int main(int argc, char **argv)
{
	struct sigaction one, two;

	program = argv[0];

	if (argc > 1) { /* after execve: ignored stays ignored, caught becomes default */
		sigaction(SIGUSR1, NULL, &one);
		sigaction(SIGUSR2, NULL, &two);
		return !(one.sa_handler == SIG_IGN && two.sa_handler == SIG_DFL);
	}
	harness_start();
	RUN(handlers);
	RUN(masks);
	RUN(nesting);
	RUN(realtime_queue);
	RUN(suspended);
	RUN(restarts);
	RUN(faults);
	RUN(altstack);
	RUN(frame);
	RUN(fpu);
	RUN(child_signals);
	RUN(threads);
	RUN(inherited);
	RUN(abandoned_signalfd);
	return CHECK_RESULT();
}
