/*
 * Processor state that a program makes up: signal frames, base registers, flags. It may cost the program a signal,
 * and never more than that.
 */
#include <asm/prctl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>

#include "harness.h"

static int how;

static void spoil(int signo, siginfo_t *info, void *arg)
{
	ucontext_t *uc = arg;
	uint8_t *fpu = (uint8_t *)uc->uc_mcontext.fpregs;
	uint32_t xstate_size, mxcsr = 0xffffffff;

	(void)signo;
	(void)info;
	memcpy(&xstate_size, fpu + 464 + 16, 4);
	switch (how) {
	case 0: /* a compacted area */
		fpu[512 + 15] |= 0x80;
		break;
	case 1: /* all features, and the reserved bytes of the header */
		memset(fpu + 512, 0xff, 64);
		break;
	case 2:
		memcpy(fpu + 24, &mxcsr, 4);
		break;
	case 3: /* everything but the software's own bytes */
		memset(fpu, 0xa5, 464);
		if (xstate_size > 512)
			memset(fpu + 512, 0xa5, xstate_size - 512);
		break;
	case 4: /* sizes that lie */
		memset(fpu + 464, 0xff, 48);
		break;
	case 5:
		uc->uc_mcontext.fpregs = (void *)0x8000000000000000;
		break;
	case 6:
		uc->uc_mcontext.fpregs = (void *)(fpu + 1);
		break;
	case 7:
		uc->uc_mcontext.gregs[REG_RIP] = (greg_t)0x8000000000000000;
		break;
	case 8:
		uc->uc_mcontext.gregs[REG_RIP] = (greg_t)0x0000800000000000;
		break;
	case 9:
		uc->uc_mcontext.gregs[REG_RSP] = (greg_t)0x8000000000000000;
		break;
	case 10: /* IOPL, NT, VM, VIF and all others but TF */
		uc->uc_mcontext.gregs[REG_EFL] = (greg_t)0xfffffeff;
		break;
	case 11: /* null, kernel and unknown selectors */
		uc->uc_mcontext.gregs[REG_CSGSFS] = 0x0008;
		break;
	case 12:
		uc->uc_mcontext.gregs[REG_CSGSFS] = (greg_t)0xffffffffffffffff;
		break;
	case 13:
		uc->uc_mcontext.gregs[REG_RIP] = (greg_t)0xffffffff81000000;
		break;
	case 14:
		uc->uc_mcontext.fpregs = NULL;
		break;
	case 15:
		uc->uc_mcontext.gregs[REG_RIP] = (greg_t)0x00007fffffffffff;
		break;
	}
}
#define SPOILS 16

static int in_child(void (*fn)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		fn();
		_exit(0);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	return status;
}

static void raise_spoiled(void)
{
	struct sigaction action = {.sa_sigaction = spoil, .sa_flags = SA_SIGINFO};
	volatile double x = 1.5;

	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	x *= 2;
	syscall(SYS_getppid);
}

static void frames(void)
{
	for (how = 0; how < SPOILS; how++) {
		int status = in_child(raise_spoiled);

		/* It went on, or a signal ended it. */
		CHECK(WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WIFSIGNALED(status));
	}
}

static void bases(void)
{
	static const unsigned long bad[] = {0x0000800000000000, 0x8000000000000000, 0xffff800000000000, ~0ul};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_ERRNO(syscall(SYS_arch_prctl, ARCH_SET_GS, bad[i]), EPERM);
		CHECK_ERRNO(syscall(SYS_arch_prctl, ARCH_SET_FS, bad[i]), EPERM);
		CHECK_ERRNO(syscall(SYS_clone, CLONE_SETTLS | SIGCHLD, NULL, NULL, NULL, bad[i]), EPERM);
	}
}

/* Flags that are set while the kernel is entered: nested task, alignment check, direction. */
static void flags_at_entry(void)
{
	for (int i = 0; i < 50; i++) {
		long rc;

		__asm__ volatile("subq $256, %%rsp\n\t"
				 "pushfq\n\t"
				 "orq $0x44400, (%%rsp)\n\t"
				 "popfq\n\t"
				 "syscall\n\t"
				 "pushfq\n\t"
				 "andq $~0x44400, (%%rsp)\n\t"
				 "popfq\n\t"
				 "addq $256, %%rsp"
				 : "=a"(rc)
				 : "a"(SYS_sched_yield)
				 : "rcx", "r11", "memory", "cc");
		if (rc)
			_exit(1);
	}
}

static void flags_at_fault(void)
{
	__asm__ volatile("pushfq\n\t"
			 "orq $0x44400, (%%rsp)\n\t"
			 "popfq\n\t"
			 "ud2" ::: "memory", "cc");
}

static void flags(void)
{
	CHECK(in_child(flags_at_entry) == 0);
	int status = in_child(flags_at_fault);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGILL);
}

int main(void)
{
	harness_start();
	RUN(frames);
	RUN(bases);
	RUN(flags);
	return CHECK_RESULT();
}
