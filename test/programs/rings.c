/*
 * Escape tests: what user mode may never gain from the way out of the kernel or from an instruction. Each is named by the
 * property that it attacks; on Linux they all hold, so the same results are wanted in the sandbox.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "harness.h"

#define FLAG_IOPL 0x3000ull
#define FLAG_AC 0x40000ull

static sigjmp_buf back;
static volatile int caught;
static volatile int traps;

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)info;
	(void)context;
	caught = number;
	siglongjmp(back, 1);
}

/* Runs `statement`; evaluates to the signal that it raised, or 0. */
#define SIGNAL_OF(statement)                          \
	({                                            \
		caught = 0;                           \
		if (sigsetjmp(back, 1) == 0) {        \
			statement;                    \
		}                                     \
		caught;                               \
	})

static void port_out(uint16_t port)
{
	__asm__ volatile("outl %0, %1" ::"a"(0), "d"(port));
}

/* Changes that the next SIGUSR1 makes to the registers it returns to. */
static uint64_t set_flags, set_rip;

static void on_usr1(int number, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	(void)number;
	(void)info;
	u->uc_mcontext.gregs[REG_EFL] |= (greg_t)set_flags;
	if (set_rip)
		u->uc_mcontext.gregs[REG_RIP] = (greg_t)set_rip;
}

static void return_with(uint64_t flags, uint64_t rip)
{
	set_flags = flags;
	set_rip = rip;
	syscall(SYS_kill, getpid(), SIGUSR1);
}

static void test_ports_are_closed(void)
{
	/* The sentry's own doorbells among them. */
	CHECK(SIGNAL_OF(port_out(0x510)) == SIGSEGV);
	CHECK(SIGNAL_OF(port_out(0x514)) == SIGSEGV);
	CHECK(SIGNAL_OF(port_out(0x80)) == SIGSEGV);
}

static void test_io_privilege_cannot_be_returned_to(void)
{
	return_with(FLAG_IOPL, 0);
	CHECK(SIGNAL_OF(port_out(0x510)) == SIGSEGV);
	CHECK(SIGNAL_OF(__asm__ volatile("cli")) == SIGSEGV);
}

static void test_return_address_stays_in_user_space(void)
{
	CHECK(SIGNAL_OF(return_with(0, 0x0000800000000000ull)) == SIGSEGV);
	CHECK(SIGNAL_OF(return_with(0, 0x1234567890abcdefull)) == SIGSEGV);
	CHECK(SIGNAL_OF(return_with(0, 0xffffffff80000000ull)) == SIGSEGV);
	CHECK(SIGNAL_OF(return_with(0, 0xffff888000000000ull)) == SIGSEGV);
}

static void test_kernel_memory_is_closed(void)
{
	static volatile uint64_t *const places[] = {(uint64_t *)0xffffffff80000000ull, (uint64_t *)0xffff888000000000ull,
		(uint64_t *)0xffff888100200000ull, (uint64_t *)0xffffffffff600000ull - 512};

	for (volatile size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		CHECK(SIGNAL_OF((void)*places[i]) == SIGSEGV);
		CHECK(SIGNAL_OF(*places[i] = 0) == SIGSEGV);
		CHECK_ERRNO(write(1, (void *)places[i], 1), EFAULT);
		CHECK_ERRNO(syscall(SYS_time, places[i]), EFAULT);
	}
	CHECK_ERRNO(write(1, (void *)0x00007ffffffff000ull, 1), EFAULT);
	CHECK_ERRNO(syscall(SYS_time, 0x1234567890abcdefull), EFAULT);
}

static void test_privileged_instructions_fault(void)
{
	uint64_t value = 0;

	CHECK(SIGNAL_OF(__asm__ volatile("hlt")) == SIGSEGV);
	CHECK(SIGNAL_OF(__asm__ volatile("movq %%cr3, %0" : "=r"(value))) == SIGSEGV);
	CHECK(SIGNAL_OF(__asm__ volatile("rdmsr" ::"c"(0xc0000082) : "rax", "rdx")) == SIGSEGV);
	CHECK(SIGNAL_OF(__asm__ volatile("wrmsr" ::"c"(0xc0000082), "a"(0), "d"(0))) == SIGSEGV);
	CHECK(SIGNAL_OF(__asm__ volatile("swapgs")) != 0);
	CHECK(SIGNAL_OF(__asm__ volatile("sysretq" ::"c"(0))) != 0);
	CHECK(SIGNAL_OF(__asm__ volatile("invlpg (%0)" ::"r"(&value))) == SIGSEGV);
	/* Interrupt gates: the timer's, the doorbell's, a page fault's. */
	CHECK(SIGNAL_OF(__asm__ volatile("int $0xec")) == SIGSEGV);
	CHECK(SIGNAL_OF(__asm__ volatile("int $0xf0")) == SIGSEGV);
	CHECK(SIGNAL_OF(__asm__ volatile("int $14")) == SIGSEGV);
}

static void on_trap(int number)
{
	(void)number;
	traps++;
}

/* A single step over SYSCALL traps once, in user mode, and never inside the kernel. */
static void test_single_step_over_a_call(void)
{
	long result = SYS_getpid;

	signal(SIGTRAP, on_trap);
	traps = 0;
	__asm__ volatile("subq $128, %%rsp\n\t"
			 "pushfq\n\t"
			 "orq $0x100, (%%rsp)\n\t"
			 "popfq\n\t"
			 "syscall\n\t"
			 "nop\n\t"
			 "pushfq\n\t"
			 "andq $~0x100, (%%rsp)\n\t"
			 "popfq\n\t"
			 "addq $128, %%rsp"
		: "+a"(result)::"rcx", "r11", "memory", "cc");
	CHECK(result == getpid());
	CHECK(traps >= 4 && traps <= 6);
}

/* The alignment flag is the program's; the kernel must neither trip over it nor lose it. */
static void test_alignment_check_over_a_call(void)
{
	long result = SYS_uname;
	uint64_t flags = 0;
	static char names[400] __attribute__((aligned(16)));

	__asm__ volatile("subq $128, %%rsp\n\t"
			 "pushfq\n\t"
			 "orq $0x40000, (%%rsp)\n\t"
			 "popfq\n\t"
			 "syscall\n\t"
			 "pushfq\n\t"
			 "movq (%%rsp), %1\n\t"
			 "andq $~0x40000, (%%rsp)\n\t"
			 "popfq\n\t"
			 "addq $128, %%rsp"
		: "+a"(result), "=&r"(flags)
		: "D"(names + 3)
		: "rcx", "r11", "memory", "cc");
	CHECK(result == 0 && strcmp(names + 3, "Linux") == 0);
	CHECK(flags & FLAG_AC);
}

int main(void)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
	struct sigaction fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
	struct sigaction user = {.sa_sigaction = on_usr1, .sa_flags = SA_SIGINFO};

	harness_start();
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigaction(faults[i], &fault, NULL);
	sigaction(SIGUSR1, &user, NULL);
	test_ports_are_closed();
	test_io_privilege_cannot_be_returned_to();
	test_return_address_stays_in_user_space();
	test_kernel_memory_is_closed();
	test_privileged_instructions_fault();
	test_single_step_over_a_call();
	test_alignment_check_over_a_call();
	return CHECK_RESULT();
}
