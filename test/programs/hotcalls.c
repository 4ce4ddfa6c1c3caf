/*
 * System calls made many times from one place, as seen from all around it: a sandbox may replace the instructions.
 * Registers, flags and vector registers must be as SYSCALL leaves them, whoever jumps to the instruction or behind it,
 * whatever interrupts it, and what is read, written or shared as memory must be what the program wrote; also dynamic.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <ucontext.h>

#include "harness.h"

#define MANY 4000
#define PAGE 4096ul

struct state {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, flags;
	uint8_t xmm[2][16];
};

/*
 * hot_behind: SYSCALL with an instruction behind it; hot_before: with the number's before it; hot_late: code that jumps
 * behind the first one's SYSCALL with a result of its own, and to the second's SYSCALL itself.
 */
__asm__(".text\n"
	"	.balign 4096\n"
	"hot_begin:\n"
	/* rdi: struct state, all but rsp loaded from it and stored to it again */
	"hot_full:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rdi\n"
	"	movdqu 128(%rdi), %xmm0; movdqu 144(%rdi), %xmm15\n"
	"	push 120(%rdi); popfq\n"
	"	mov 0(%rdi), %rax; mov 8(%rdi), %rbx; mov 16(%rdi), %rcx; mov 24(%rdi), %rdx; mov 32(%rdi), %rsi\n"
	"	mov 48(%rdi), %rbp; mov 56(%rdi), %r8; mov 64(%rdi), %r9; mov 72(%rdi), %r10; mov 80(%rdi), %r11\n"
	"	mov 88(%rdi), %r12; mov 96(%rdi), %r13; mov 104(%rdi), %r14; mov 112(%rdi), %r15; mov 40(%rdi), %rdi\n"
	"hot_full_call:\n"
	"	syscall\n"
	"hot_full_behind:\n"
	"	mov %rax, %rbx\n"
	"	push %rdi; mov 8(%rsp), %rdi\n"
	"	pushfq; pop 120(%rdi)\n"
	"	mov %rax, 0(%rdi); mov %rbx, 8(%rdi); mov %rcx, 16(%rdi); mov %rdx, 24(%rdi); mov %rsi, 32(%rdi)\n"
	"	pop 40(%rdi)\n"
	"	mov %rbp, 48(%rdi); mov %r8, 56(%rdi); mov %r9, 64(%rdi); mov %r10, 72(%rdi); mov %r11, 80(%rdi)\n"
	"	mov %r12, 88(%rdi); mov %r13, 96(%rdi); mov %r14, 104(%rdi); mov %r15, 112(%rdi)\n"
	"	movdqu %xmm0, 128(%rdi); movdqu %xmm15, 144(%rdi)\n"
	"	pop %rdi; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n"
	"hot_getpgid:\n" /* before: the number's instruction is taken along */
	"	mov %rcx, %r10\n"
	"	mov $121, %eax\n"
	"hot_getpgid_call:\n"
	"	syscall\n"
	"	ret\n"
	"	.byte 0x90, 0x90\n"
	"hot_getppid:\n"
	"	mov $110, %eax\n"
	"	syscall\n"
	"	ret\n"
	"hot_nanosleep:\n" /* for restarts; behind */
	"	mov $35, %eax\n"
	"hot_nanosleep_call:\n"
	"	syscall\n"
	"	cmp $-4096, %rax\n"
	"	ret\n"
	"hot_read:\n"
	"	xor %eax, %eax\n"
	"hot_read_call:\n"
	"	syscall\n"
	"hot_read_behind:\n"
	"	cmp $-4096, %rax\n"
	"	seta %cl\n"
	"	movzbl %cl, %ecx\n"
	"	mov %rcx, %rdx\n"
	"	ret\n"
	"	.balign 4096\n"
	"hot_end:\n");

extern char hot_begin[], hot_end[], hot_full_behind[], hot_getpgid_call[], hot_nanosleep_call[], hot_read_call[],
	hot_read_behind[];
void hot_full(struct state *state);
long hot_getpgid(long pid);
long hot_getppid(void);
long hot_nanosleep(const struct timespec *wanted, struct timespec *left);
long hot_read(int fd, void *to, size_t n);

static int zero;

static void registers(void)
{
	struct state s, expect;

	for (unsigned i = 0; i < MANY && !harness_failures; i++) {
		uint8_t *bytes = (uint8_t *)&s;

		for (unsigned k = 0; k < sizeof(s); k++)
			bytes[k] = (uint8_t)(i * 31 + k * 7);
		s.rax = SYS_getpgid;
		s.rdi = 0;
		s.flags = 0x202 | (i & 1) | (i & 2 ? 0x80 : 0) | (i & 4 ? 0x800 : 0) | (i & 8 ? 0x40 : 0) | (i & 16 ? 0x10 : 0) |
			(i & 32 ? 0x400 : 0); /* CF SF OF ZF AF DF */
		expect = s;
		expect.rax = expect.rbx = (uint64_t)getpgrp();
		expect.rcx = (uint64_t)hot_full_behind;
		expect.r11 = expect.flags;
		hot_full(&s);
		__asm__ volatile("cld");
		CHECK(!memcmp(&s, &expect, sizeof(s)));
	}
}

/* Calls that a sandbox may know without asking must be right at once when they change. */
static void answers(void)
{
	int ends[2], status;
	pid_t pid, parent = getpid();
	char c;

	for (unsigned i = 0; i < MANY; i++)
		CHECK(hot_getppid() == getppid());
	CHECK(!pipe(ends));
	pid = fork();
	if (!pid) {
		pid_t self = getpid();

		if (hot_getppid() != parent)
			_exit(1);
		pid = fork();
		if (!pid) {
			for (unsigned i = 0; i < MANY; i++)
				if (hot_getppid() != self)
					_exit(1);
			CHECK(write(ends[1], "x", 1) == 1);
			while (hot_getppid() == self)
				; /* the parent's end comes by itself */
			_exit(write(ends[1], "y", 1) != 1);
		}
		CHECK(read(ends[0], &c, 1) == 1);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(read(ends[0], &c, 1) == 1 && c == 'y');
	close(ends[0]);
	close(ends[1]);
}

static void ids_change(void)
{
	for (unsigned i = 0; i < MANY; i++)
		CHECK(syscall(SYS_getuid) == 0 && syscall(SYS_gettid) == getpid());
	CHECK(!syscall(SYS_setresgid, 7, 8, 9) && !syscall(SYS_setresuid, 1, 2, 3));
	CHECK(syscall(SYS_getuid) == 1 && syscall(SYS_geteuid) == 2 && syscall(SYS_getgid) == 7 && syscall(SYS_getegid) == 8);
}

static void jumps(void)
{
	long result;

	for (unsigned i = 0; i < MANY; i++)
		hot_getpgid(0);
	/* To the SYSCALL itself, with another number; and behind one, with a result as if it had failed. */
	for (unsigned i = 0; i < MANY; i++) {
		__asm__ volatile("call *%2" : "=a"(result) : "0"((long)SYS_getpid), "r"(hot_getpgid_call)
				 : "rcx", "r11", "memory");
		CHECK(result == getpid());
		__asm__ volatile("call *%2" : "=a"(result) : "0"((long)SYS_getpid), "r"(hot_read_call)
				 : "rcx", "rdx", "r11", "memory");
		CHECK(result == getpid());
	}
	for (unsigned i = 0; i < 100; i++) {
		unsigned long above;

		__asm__ volatile("call *%2" : "=a"(result), "=d"(above) : "r"(hot_read_behind), "0"(i & 1 ? -5l : 5l)
				 : "rcx", "r11", "memory");
		CHECK(result == (i & 1 ? -5l : 5l) && above == (i & 1));
	}
}

static volatile unsigned ticks, odd_places;

static void tick(__attribute__((unused)) int signo, __attribute__((unused)) siginfo_t *info, void *context)
{
	const greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
	uint64_t rip = (uint64_t)g[REG_RIP];
	char c = 1;

	ticks++;
	/* It can only be in a program that is mapped: nothing is executed from a sandbox's own pages. */
	if (rip >= 0x7ffffff00000ul)
		odd_places++;
	if (rip == (uint64_t)hot_read_behind && (uint64_t)g[REG_RCX] != rip)
		odd_places++;
	/* A nested call, and vector registers of our own. */
	__asm__ volatile("pcmpeqd %%xmm0, %%xmm0; pcmpeqd %%xmm15, %%xmm15" ::: "xmm0", "xmm15");
	if (hot_read(zero, &c, 1) != 1 || c)
		odd_places++;
}

static void storm(void)
{
	const struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
	struct sigaction action = {.sa_sigaction = tick, .sa_flags = SA_SIGINFO | SA_RESTART}, old;
	long long end = now_ns(CLOCK_MONOTONIC) + 400000000;
	const struct timespec wanted = {0, 5000000};
	long parent = getppid();
	int slept = 0;
	char c;

	sigaction(SIGALRM, &action, &old);
	setitimer(ITIMER_REAL, &often, NULL);
	while (now_ns(CLOCK_MONOTONIC) < end && !harness_failures) {
		c = 1;
		CHECK(hot_read(zero, &c, 1) == 1 && c == 0);
		CHECK(hot_getppid() == parent);
		registers();
	}
	for (unsigned i = 0; i < 20 && !slept; i++)
		slept = hot_nanosleep(&wanted, NULL) == -EINTR; /* never restarted after a handler */
	CHECK(slept);
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old, NULL);
	CHECK(ticks > 20 && !odd_places);
}

static int pipe_ends[2];

static void give(__attribute__((unused)) int signo)
{
	CHECK(write(pipe_ends[1], "z", 1) == 1);
}

static void restarted(void)
{
	struct sigaction action = {.sa_handler = give, .sa_flags = SA_RESTART}, old;
	const struct itimerval soon = {{0, 0}, {0, 2000}};
	char c;

	CHECK(!pipe(pipe_ends));
	sigaction(SIGALRM, &action, &old);
	for (unsigned i = 0; i < 60; i++) {
		c = 0;
		setitimer(ITIMER_REAL, &soon, NULL);
		CHECK(hot_read(pipe_ends[0], &c, 1) == 1 && c == 'z');
	}
	sigaction(SIGALRM, &old, NULL);
}

static void *thread_main(void *arg)
{
	char c;

	for (unsigned i = 0; i < MANY * 4; i++) {
		c = 1;
		if (hot_read(zero, &c, 1) != 1 || c || syscall(SYS_gettid) == getpid())
			return arg;
	}
	return NULL;
}

static void threads(void)
{
	pthread_t thread[3];
	void *failed;

	for (int i = 0; i < 3; i++)
		CHECK(!pthread_create(&thread[i], NULL, thread_main, &zero));
	registers();
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_join(thread[i], &failed) && !failed);
}

/* Code that the program writes itself: one call after the other at one address. */
static void rewritten(void)
{
	static const uint8_t code[] = {0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0x48, 0x3d, 0, 0xf0, 0xff, 0xff, 0xc3};
	uint8_t *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const int numbers[] = {SYS_getpid, SYS_getppid, SYS_getpgrp, SYS_gettid};

	CHECK(at != MAP_FAILED);
	for (unsigned i = 0; i < 12; i++) {
		int number = numbers[i % 4];
		long (*call)(void) = (long (*)(void))at;

		CHECK(!mprotect(at, PAGE, PROT_READ | PROT_WRITE));
		memcpy(at, code, sizeof(code));
		memcpy(at + 1, &number, 4);
		CHECK(!mprotect(at, PAGE, PROT_READ | PROT_EXEC));
		for (unsigned k = 0; k < 200; k++)
			CHECK(call() == syscall(number));
		CHECK(!memcmp(at + 5, code + 5, sizeof(code) - 5));
	}
	munmap(at, PAGE);
}

/* The same code in a file that is mapped, executed, and written to by all ways there are. */
static void file_rewritten(void)
{
	static const uint8_t code[] = {0xb8, SYS_getpid, 0, 0, 0, 0x0f, 0x05, 0x48, 0x3d, 0, 0xf0, 0xff, 0xff, 0xc3};
	char path[] = "/tmp/hotcallsXXXXXX";
	int fd = mkstemp(path);
	uint8_t *at, *shared, number = SYS_getppid, back[sizeof(code)];

	CHECK(fd >= 0 && !ftruncate(fd, PAGE) && pwrite(fd, code, sizeof(code), 0) == (ssize_t)sizeof(code));
	at = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	CHECK(at != MAP_FAILED);
	for (unsigned k = 0; k < 200; k++)
		CHECK(((long (*)(void))at)() == getpid());
	CHECK(pread(fd, back, sizeof(back), 0) == (ssize_t)sizeof(back) && !memcmp(back, code, sizeof(code)));
	CHECK(pwrite(fd, &number, 1, 1) == 1);
	for (unsigned k = 0; k < 200; k++)
		CHECK(((long (*)(void))at)() == getppid());
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(shared != MAP_FAILED);
	shared[1] = SYS_getpid;
	for (unsigned k = 0; k < 200; k++)
		CHECK(((long (*)(void))at)() == getpid());
	munmap(shared, PAGE);
	munmap(at, PAGE);
	close(fd);
	unlink(path);
}

/* What others see of the code: /proc, a debugger, a child. */
static void seen(void)
{
	size_t size = (size_t)(hot_end - hot_begin);
	uint8_t *own = malloc(size), *there = malloc(size);
	int fd = open("/proc/self/exe", O_RDONLY), mem = open("/proc/self/mem", O_RDONLY), status;
	pid_t pid;

	for (unsigned i = 0; i < 200; i++)
		hot_getpgid(0);
	CHECK(fd >= 0 && mem >= 0 && own && there);
	CHECK(pread(mem, own, size, (off_t)hot_begin) == (ssize_t)size);
	CHECK(own[hot_getpgid_call - hot_begin] == 0x0f && own[hot_getpgid_call - hot_begin - 5] == 0xb8);
	CHECK(own[hot_read_call - hot_begin] == 0x0f && own[hot_nanosleep_call - hot_begin] == 0x0f);
	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		for (unsigned i = 0; i < 200; i++)
			hot_getpgid(0);
		_exit(hot_getppid() == getppid() ? 5 : 6);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	for (size_t i = 0; i < size; i += 8) {
		long word;

		errno = 0;
		word = ptrace(PTRACE_PEEKTEXT, pid, hot_begin + i, 0);
		memcpy(there + i, &word, 8);
	}
	CHECK(!memcmp(own, there, size));
	/* Step through calls: each step ends in the program's own code. */
	for (unsigned i = 0; i < 400; i++) {
		struct user_regs_struct regs;

		if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			break;
		ptrace(PTRACE_GETREGS, pid, 0, &regs);
		CHECK(regs.rip < 0x7ffffff00000ul);
		if (regs.rip == (uint64_t)hot_getpgid_call)
			CHECK(regs.rax == SYS_getpgid);
	}
	CHECK(!ptrace(PTRACE_DETACH, pid, 0, 0) && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
	close(fd);
	close(mem);
	free(own);
	free(there);
}

/* An instruction with the trap flag of the program's own. */
static volatile unsigned traps;

static void trap(__attribute__((unused)) int signo, __attribute__((unused)) siginfo_t *info, void *context)
{
	if (((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] >= 0x7ffffff00000l)
		odd_places++;
	if (++traps >= 40)
		((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~0x100l;
}

static void stepped(void)
{
	struct sigaction action = {.sa_sigaction = trap, .sa_flags = SA_SIGINFO}, old;

	sigaction(SIGTRAP, &action, &old);
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc");
	for (unsigned i = 0; i < 10; i++)
		CHECK(hot_getpgid(0) == getpgrp());
	CHECK(traps >= 40 && !odd_places);
	__asm__ volatile("pushfq; andq $~0x100, (%%rsp); popfq" ::: "memory", "cc");
	sigaction(SIGTRAP, &old, NULL);
}

/* A program may take away whatever is mapped, [vdso] too, and put its own code there. */
static void replaced(void)
{
	static const uint8_t code[] = {0x0f, 0x0b}; /* ud2 */
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start = 0, end = 0;
	char line[256];

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[vdso]"))
			CHECK(sscanf(line, "%lx-%lx", &start, &end) == 2);
	CHECK(maps && end > start);
	for (unsigned i = 0; i < 200; i++)
		CHECK(hot_getpgid(0) == getpgrp());
	CHECK(!munmap((void *)start, end - start));
	for (unsigned i = 0; i < 200; i++)
		CHECK(hot_getpgid(0) == getpgrp());
	signal(SIGILL, SIG_DFL);
	CHECK(mmap((void *)start, end - start, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
		(void *)start);
	for (unsigned long at = start; at < end; at += 8)
		memcpy((void *)at, code, sizeof(code));
	fflush(stdout);
	for (unsigned long at = start; at < end && at < start + 0x3000; at += 56) {
		pid_t pid = fork();
		int status;

		if (!pid)
			((void (*)(void))at)();
		CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGILL);
	}
}

static void forked(void)
{
	for (unsigned i = 0; i < 20; i++) {
		pid_t pid = fork();
		int status;

		if (!pid) {
			registers();
			_exit(hot_getppid() != getppid() || harness_failures);
		}
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
}

int main(int argc, char **argv)
{
	char *const again[] = {argv[0], "again", NULL};

	zero = open("/dev/zero", O_RDONLY);
	CHECK(zero >= 0);
	RUN(registers);
	if (argc > 1) { /* the same program once more, after an exec */
		puts("done");
		return CHECK_RESULT();
	}
	RUN(answers);
	ISOLATED(ids_change);
	RUN(jumps);
	RUN(storm);
	RUN(restarted);
	RUN(threads);
	RUN(rewritten);
	RUN(file_rewritten);
	RUN(seen);
	RUN(stepped);
	RUN(forked);
	ISOLATED(replaced);
	if (harness_failures)
		return 1;
	execv("/proc/self/exe", again);
	return 1;
}
