/*
 * Instructions that few programs have: what signal each gives, with which code, and that segment bases and the alignment
 * flag changed at will stay as they are over system calls and signals. Linux says what is right, line by line. 32-bit
 * code, and waits that a CPU may lack, may end in a signal too, but never go wrong in silence. Far returns to segments that
 * are none are not here: in the KVM test machine they never end, and whether that is the emulator's doing is open.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "harness.h"

#define HWCAP2_FSGSBASE_BIT 2ul

static void tell_and_end(int signo, siginfo_t *info, void *context)
{
	__asm__ volatile("pushfq\n\tandq $~0x40000, (%%rsp)\n\tpopfq" ::: "memory", "cc");
	printf("signal %d code %d\n", signo, info->si_code);
	fflush(stdout);
	_exit(0);
}

/* Two traps that an emulator may not have: the first is then an invalid opcode, the second does not come. */
static void tell_emulated(int signo, siginfo_t *info, void *context)
{
	if ((signo == SIGTRAP && info->si_code == TRAP_BRKPT) || (signo == SIGBUS && info->si_code == BUS_ADRALN) || signo == SIGILL)
		_exit(0);
	tell_and_end(signo, info, context);
}

static void child_signalled(void (*act)(void), void (*handler)(int, siginfo_t *, void *))
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};

	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	act();
}

/* What the child's first signal is. */
static void child_does(const char *name, void (*act)(void))
{
	int status;
	pid_t pid;

	printf("%s: ", name);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		child_signalled(act, tell_and_end);
		puts("nothing");
		fflush(stdout);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void do_int3(void) { __asm__ volatile("int3"); }
static void do_ud2(void) { __asm__ volatile("ud2"); }
static void do_hlt(void) { __asm__ volatile("hlt"); }
static void do_out(void) { __asm__ volatile("outb %al, $0x80"); }
static void do_cli(void) { __asm__ volatile("cli"); }
static void do_divide(void) { __asm__ volatile("xorl %%ecx, %%ecx\n\tmovl $1, %%eax\n\tcltd\n\tidivl %%ecx" ::: "eax", "ecx", "edx"); }
static void do_trace(void) { __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tnop\n\tnop" ::: "memory", "cc"); }
static void do_icebp(void) { __asm__ volatile(".byte 0xf1"); }
static void do_step_end(void) { __asm__ volatile("pushfq\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tpopfq" ::: "memory", "cc"); }
static void do_unaligned(void)
{
	__asm__ volatile("pushfq\n\torq $0x40000, (%%rsp)\n\tpopfq\n\tmovl $110, %%eax\n\tsyscall\n\tmovl 1(%%rsp), %%eax" ::: "memory", "cc",
			 "rax", "rcx", "r11");
}
static void do_garbage(void)
{
	uint8_t *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 0x06, 4096); /* no instruction in 64-bit mode */
	((void (*)(void))p)();
}

static uint64_t gs_base(void)
{
	uint64_t base;

	__asm__ volatile("rdgsbase %0" : "=r"(base));
	return base;
}

static void emulated_icebp(void) { child_signalled(do_icebp, tell_emulated); }
static void emulated_unaligned(void) { child_signalled(do_unaligned, tell_emulated); }

static int signalled;

static void count_signal(int signo)
{
	signalled++;
}

/* FS's base is the C library's: nothing of it is used meanwhile. */
static void thread_base(void)
{
	static const uint64_t values[] = {0, 0x1000, 0x7fffffffe000, 0xffff800000000000, ~0ull};
	unsigned kept = 0;

	for (unsigned i = 0; i < 5; i++) {
		uint64_t after;

		__asm__ volatile("rdfsbase %%r8\n\twrfsbase %1\n\tmovl $110, %%eax\n\tsyscall\n\tmovl $24, %%eax\n\tsyscall\n\t"
				 "rdfsbase %0\n\twrfsbase %%r8"
				 : "=&r"(after)
				 : "r"(values[i])
				 : "rax", "rcx", "r8", "r11", "memory");
		kept += after == values[i];
	}
	CHECK(kept == 5);
}

/* The flag that faults unaligned accesses stays over a call made many times from one place, and over signals. */
static void alignment_flag(void)
{
	uint64_t flags;
	unsigned kept = 0;

	for (unsigned i = 0; i < 200; i++) {
		__asm__ volatile("leaq -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x40000, (%%rsp)\n\tpopfq\n\tmovl $110, %%eax\n\tsyscall\n\t"
				 "pushfq\n\tpopq %0\n\tpushfq\n\tandq $~0x40000, (%%rsp)\n\tpopfq\n\tleaq 128(%%rsp), %%rsp"
				 : "=r"(flags) : : "rax", "rcx", "r11", "memory", "cc");
		kept += (flags & 0x40000) != 0;
	}
	CHECK(kept == 200);
}

#define LOW 0x10000000u
#define LOW_SIZE 0x10000u

/* Where code lies that far jumps reach, whose offsets have 32 bits, and a stack that 32-bit code can have. */
static uint8_t *low_code(const uint8_t *code, size_t size)
{
	uint8_t *low = mmap((void *)(uintptr_t)LOW, LOW_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	memcpy(low, code, size);
	return low;
}

static uint64_t far_call_stack;

/* As a call: what is there returns. */
static uint32_t far_call(uint16_t selector)
{
	const struct __attribute__((packed)) {
		uint32_t offset;
		uint16_t selector;
	} there = {LOW, selector};
	uint32_t result;

	__asm__ volatile("movq %%rsp, %2\n\tmovl %3, %%esp\n\tleaq 1f(%%rip), %%rdx\n\tpushq %%rdx\n\tljmp *(%1)\n"
			 "1:\tmovq %2, %%rsp"
			 : "=a"(result) : "r"(&there), "m"(far_call_stack), "i"(LOW + LOW_SIZE) : "rcx", "rdx", "memory", "cc");
	return result;
}

/* To the segment that it runs in already. */
static void far_jump(void)
{
	static const uint8_t code[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov $42, %eax; ret */

	low_code(code, sizeof(code));
	CHECK(far_call(0x33) == 42);
}

/*
 * 32-bit code: counts down from 100 million in instructions that mean something else in 64-bit mode, while timer
 * signals come; eax says how often it went around.
 */
static void long_in_32_bits(void)
{
	static const uint8_t code[] = {
		0x31, 0xc0,                      /* xor %eax, %eax */
		0xb9, 0x00, 0xe1, 0xf5, 0x05,    /* mov $100000000, %ecx */
		0x40,                            /* 1: inc %eax */
		0x49,                            /* dec %ecx */
		0x75, 0xfc,                      /* jnz 1b */
		0xea, 0x40, 0, 0, 0x10, 0x33, 0, /* ljmp $0x33, $LOW + 0x40 */
	};
	const struct itimerval often = {{0, 5000}, {0, 5000}};

	low_code(code, sizeof(code))[0x40] = 0xc3; /* ret */
	signal(SIGALRM, count_signal);
	setitimer(ITIMER_REAL, &often, NULL);
	_exit(far_call(0x23) == 100000000 ? 0 : 3);
}

/* The end that a child comes to: fine where it ends well or by an allowed signal. */
static void child_may(const char *name, void (*act)(void), int allowed)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		const struct rlimit seconds = {10, 10};

		setrlimit(RLIMIT_CPU, &seconds);
		act();
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	if (status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == allowed))
		printf("%s: fine\n", name);
	else
		printf("%s: status %#x\n", name, status);
}

/* Waits on an address, which end with the deadline in edx:eax or at once: UMONITOR, UMWAIT, TPAUSE. */
static void do_wait(void)
{
	static uint64_t word;

	__asm__ volatile(".byte 0xf3, 0x0f, 0xae, 0xf0\n\t" /* umonitor %%rax */
			 "xorl %%eax, %%eax\n\txorl %%edx, %%edx\n\txorl %%ecx, %%ecx\n\t"
			 ".byte 0xf2, 0x0f, 0xae, 0xf1\n\t" /* umwait %%ecx */
			 ".byte 0x66, 0x0f, 0xae, 0xf1"       /* tpause %%ecx */
			 : : "a"(&word) : "rcx", "rdx", "memory", "cc");
}

/* GS's base is the program's own. */
static void bases(void)
{
	static const uint64_t values[] = {0, 0x1000, 0x7fffffffe000, 0xffff800000000000, ~0ull};
	unsigned kept = 0;

	signal(SIGUSR1, count_signal);
	for (unsigned i = 0; i < 5; i++) {
		__asm__ volatile("wrgsbase %0" : : "r"(values[i]));
		getppid();
		kept += gs_base() == values[i];
		raise(SIGUSR1);
		sched_yield();
		kept += gs_base() == values[i];
	}
	__asm__ volatile("wrgsbase %0" : : "r"(0ull));
	CHECK(kept == 10 && signalled == 5);
}

/* Of rax only the low half is a system call's number. */
static void numbers(void)
{
	const uint64_t high[] = {0, 1ull << 32, 0x7fffffffull << 32, ~0ull << 32};
	long pid = getpid(), result;

	for (unsigned i = 0; i < sizeof(high) / sizeof(high[0]); i++) {
		__asm__ volatile("syscall" : "=a"(result) : "a"(high[i] | SYS_getpid) : "rcx", "r11", "memory");
		CHECK(result == pid);
		__asm__ volatile("syscall" : "=a"(result) : "a"(high[i] | 0x80000000u | SYS_getpid) : "rcx", "r11", "memory");
		CHECK(result == -ENOSYS);
	}
}

int main(void)
{
	const struct rlimit core = {0, 0};

	setrlimit(RLIMIT_CORE, &core);
	child_does("int3", do_int3);
	child_does("ud2", do_ud2);
	child_does("hlt", do_hlt);
	child_does("out", do_out);
	child_does("cli", do_cli);
	child_does("divide", do_divide);
	child_does("trace flag", do_trace);
	child_does("end of trace", do_step_end);
	child_does("garbage", do_garbage);
	alignment_flag();
	far_jump();
	child_may("32-bit code", long_in_32_bits, SIGSEGV);
	child_may("icebp", emulated_icebp, 0);
	child_may("unaligned", emulated_unaligned, 0);
	child_may("wait on an address", do_wait, SIGILL);
	if (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT) {
		bases();
		thread_base();
	}
	numbers();
	puts("done");
	return CHECK_RESULT();
}
