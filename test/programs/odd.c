/*
 * Instructions that few programs have: what signal each gives, with which code, and that segment bases changed at will
 * stay as they are over system calls and signals. Linux says what is right, line by line. Far returns to segments that
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
#include <sys/wait.h>

#include "harness.h"

#define HWCAP2_FSGSBASE_BIT 2ul

static void tell_and_end(int signo, siginfo_t *info, void *context)
{
	printf("signal %d code %d\n", signo, info->si_code);
	fflush(stdout);
	_exit(0);
}

/* What the child's first signal is. */
static void child_does(const char *name, void (*act)(void))
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};
	struct sigaction action = {.sa_sigaction = tell_and_end, .sa_flags = SA_SIGINFO};
	int status;
	pid_t pid;

	printf("%s: ", name);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
			sigaction(signals[i], &action, NULL);
		act();
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
static void do_garbage(void)
{
	uint8_t *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 0x06, 4096); /* no instruction in 64-bit mode */
	((void (*)(void))p)();
}

static int signalled;

static void count(int signo)
{
	signalled++;
}

static uint64_t gs_base(void)
{
	uint64_t base;

	__asm__ volatile("rdgsbase %0" : "=r"(base));
	return base;
}

/* GS's base is the program's own. */
static void bases(void)
{
	static const uint64_t values[] = {0, 0x1000, 0x7fffffffe000, 0xffff800000000000, ~0ull};
	unsigned kept = 0;

	signal(SIGUSR1, count);
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
	child_does("garbage", do_garbage);
	if (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT)
		bases();
	puts("done");
	return CHECK_RESULT();
}
