/*
 * The vsyscall page, as programs older than 2012 call it: time, gettimeofday, getcpu; system call filters see these calls;
 * everything else done to the page is SIGSEGV. Nothing is tested where Linux was started without the page.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>

#include "harness.h"

#define PAGE 0xffffffffff600000ul

static long (*const old_gettimeofday)(struct timeval *, void *) = (void *)PAGE;
static long (*const old_time)(long *) = (void *)(PAGE + 0x400);
static long (*const old_getcpu)(unsigned *, unsigned *, void *) = (void *)(PAGE + 0x800);

static sigjmp_buf back;
static volatile uintptr_t fault_address, fault_rip;
static volatile int fault_code;

static void on_fault(int signo, siginfo_t *info, void *context)
{
	fault_address = (uintptr_t)info->si_addr;
	fault_code = info->si_code;
	fault_rip = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	siglongjmp(back, 1);
}

static int has_page(void)
{
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "r");
	int found = 0;

	while (maps && fgets(line, sizeof(line), maps))
		found |= strstr(line, "[vsyscall]") != NULL;
	if (maps)
		fclose(maps);
	return found;
}

static void calls(void)
{
	struct timeval old = {0, 0}, now;
	struct timezone zone = {1, 1};
	unsigned cpu = 9999, node = 9999;
	long seconds = 0;

	CHECK(old_gettimeofday(&old, &zone) == 0 && zone.tz_minuteswest != 1);
	gettimeofday(&now, NULL);
	CHECK(now.tv_sec - old.tv_sec <= 5 && now.tv_sec >= old.tv_sec && old.tv_usec < 1000000);
	CHECK(old_gettimeofday(NULL, NULL) == 0);
	CHECK(old_time(&seconds) == seconds && seconds - now.tv_sec <= 5 && seconds >= now.tv_sec - 1);
	CHECK(old_time(NULL) >= seconds);
	CHECK(old_getcpu(&cpu, &node, NULL) == 0 && cpu < CPU_SETSIZE && node < 1024);
}

static void faults_at(uintptr_t address)
{
	if (!sigsetjmp(back, 1)) {
		((void (*)(void))address)();
		CHECK(!"it did not fault");
	} else {
		CHECK(fault_rip == address && fault_address == 0 && fault_code == SI_KERNEL);
	}
}

static void faults(void)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO}, before;
	volatile int done = 0;

	sigaction(SIGSEGV, &action, &before);
	if (!sigsetjmp(back, 1)) {
		done = *(volatile char *)PAGE;
		done = 1;
	}
	CHECK(!done); /* it can be executed, not read: where Linux was started with vsyscall=xonly, as it is by default */
	faults_at(PAGE + 0x10);
	faults_at(PAGE + 0xc00);
	faults_at(PAGE + 0x401);
	if (!sigsetjmp(back, 1)) {
		old_time((long *)16);
		done = 1;
	}
	CHECK(!done && fault_rip == PAGE + 0x400 && fault_address == 0 && fault_code == SI_KERNEL);
	sigaction(SIGSEGV, &before, NULL);
}

static void filtered(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_time, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTTY),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getcpu, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
			_exit(1);
		if (old_time(NULL) != -ENOTTY || old_gettimeofday(NULL, NULL) != 0)
			_exit(2);
		old_getcpu(NULL, NULL, NULL);
		_exit(3);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == SIGSYS);
}

int main(void)
{
	harness_start();
	int page = has_page();

	printf("there is a vsyscall page: %d\n", page);
	if (!page)
		return 0;
	RUN(calls);
	RUN(faults);
	RUN(filtered);
	return CHECK_RESULT();
}
