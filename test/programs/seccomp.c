/*
 * seccomp(2): filters and strict mode: what each action does, what is inherited, which programs are refused, threads
 * together. A filter stays for ever, so each part runs in a child.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "harness.h"

#define NR BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define ARG(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[n]))
#define RET(v) BPF_STMT(BPF_RET | BPF_K, (v))
#define ON(number, v) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), RET(v)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define INSTALL(program) install(program, COUNT(program), 0)

static int install(struct sock_filter *program, unsigned count, unsigned flags)
{
	struct sock_fprog prog = {(unsigned short)count, program};

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

static void permitted(void)
{
	struct sock_filter allow[] = {RET(SECCOMP_RET_ALLOW)};

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_GET_SECCOMP) == 0);
	CHECK(INSTALL(allow) == 0);
	CHECK(prctl(PR_GET_SECCOMP) == 2);
	struct sock_fprog prog = {1, allow};
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0);
	CHECK_ERRNO(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_SECCOMP, 7, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_seccomp, 99, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 1 << 20, &prog), EINVAL);
	CHECK_ERRNO(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL), EFAULT);
	prog.filter = (void *)8;
	CHECK_ERRNO(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog), EFAULT);

	char line[128];
	FILE *f = fopen("/proc/self/status", "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "Seccomp", 7) == 0)
			printf("%s", line);
	}
}

static void actions_known(void)
{
	uint32_t known[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO,
		SECCOMP_RET_TRACE, SECCOMP_RET_LOG, SECCOMP_RET_ALLOW};
	uint32_t unknown = 0x12340000;

	for (unsigned i = 0; i < COUNT(known); i++)
		CHECK(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &known[i]) == 0);
	CHECK_ERRNO(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &unknown), EOPNOTSUPP);
	CHECK_ERRNO(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 1, &unknown), EINVAL);
	CHECK_ERRNO(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, NULL), EFAULT);
}

#define REFUSED(...)                                                   \
	do {                                                           \
		struct sock_filter bad[] = {__VA_ARGS__};              \
		CHECK_ERRNO(INSTALL(bad), EINVAL);                     \
	} while (0)

static void bad_programs(void)
{
	static struct sock_filter longest[BPF_MAXINSNS + 1];
	struct sock_filter allow = RET(SECCOMP_RET_ALLOW);

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK_ERRNO(install(&allow, 0, 0), EINVAL);
	for (unsigned i = 0; i < COUNT(longest); i++)
		longest[i] = allow;
	CHECK_ERRNO(install(longest, BPF_MAXINSNS + 1, 0), EINVAL);
	REFUSED(NR);                                                                  /* no return */
	REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), allow);                       /* past the data */
	REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 1), allow);                        /* not aligned */
	REFUSED(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), allow);
	REFUSED(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), allow);
	REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), allow);
	REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF), allow);
	REFUSED(BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), allow);
	REFUSED(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), allow);
	REFUSED(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), allow);
	REFUSED(BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), allow);
	REFUSED(BPF_STMT(BPF_ALU | 0xf0, 1), allow);
	REFUSED(BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), allow);                       /* backwards */
	REFUSED(BPF_STMT(BPF_JMP | BPF_JA, 1), allow);                                /* past the end */
	REFUSED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), allow);
	REFUSED(BPF_STMT(BPF_LD | BPF_MEM, 16), allow);
	REFUSED(BPF_STMT(BPF_LD | BPF_MEM, 0), allow);                                /* never written */
	REFUSED(NR, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), BPF_STMT(BPF_ST, 3), /* on one way only */
		BPF_STMT(BPF_LD | BPF_MEM, 3), allow);
	REFUSED(BPF_STMT(BPF_RET | BPF_X, 0));
	REFUSED(BPF_STMT(0xffff, 0), allow);
	REFUSED(BPF_STMT(0x100 | BPF_RET, 0));
	CHECK(install(longest, BPF_MAXINSNS, 0) == 0);
}

static void too_many(void)
{
	static struct sock_filter program[2048];
	int installed = 0;

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	for (unsigned i = 0; i < COUNT(program) - 1; i++)
		program[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, i);
	program[COUNT(program) - 1] = (struct sock_filter)RET(SECCOMP_RET_ALLOW);
	while (installed < 100 && INSTALL(program) == 0)
		installed++;
	CHECK_ERRNO(INSTALL(program), ENOMEM);
	CHECK(installed == 15);
	CHECK(getppid() > 0);
}

static void errnos(void)
{
	struct sock_filter program[] = {NR, ON(SYS_getppid, SECCOMP_RET_ERRNO | 33), ON(SYS_getuid, SECCOMP_RET_ERRNO | 0),
		ON(SYS_getgid, SECCOMP_RET_ERRNO | 0xffff), ON(SYS_getsid, SECCOMP_RET_TRACE | 5), RET(SECCOMP_RET_ALLOW)};

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(INSTALL(program) == 0);
	CHECK_ERRNO(syscall(SYS_getppid), 33);
	CHECK(syscall(SYS_getuid) == 0);
	CHECK_ERRNO(syscall(SYS_getgid), 4095);
	CHECK_ERRNO(syscall(SYS_getsid, 0), ENOSYS);
	CHECK(syscall(SYS_getpid) > 0);
	CHECK_ERRNO(syscall(0x40000000 + SYS_getpid), ENOSYS);
}

static void arguments(void)
{
	struct sock_filter program[] = {
		NR, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getsid, 1, 0), RET(SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2]) + 4), /* the upper half */
		BPF_STMT(BPF_ST, 2), ARG(1), BPF_STMT(BPF_MISC | BPF_TAX, 0), BPF_STMT(BPF_LD | BPF_MEM, 2),
		BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), /* by zero: the filter returns 0 and the thread dies */
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfff), BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
		BPF_STMT(BPF_RET | BPF_A, 0)};
	struct sock_filter length[] = {NR, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgid, 1, 0), RET(SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_LDX | BPF_LEN, 0), BPF_STMT(BPF_LD | BPF_IMM, 40), BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0),
		BPF_STMT(BPF_ALU | BPF_NEG, 0), BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
		BPF_STMT(BPF_RET | BPF_A, 0)};

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(INSTALL(program) == 0);
	CHECK(INSTALL(length) == 0);
	CHECK_ERRNO(syscall(SYS_getsid, 0, 3, 30ull << 32), 10);
	CHECK_ERRNO(syscall(SYS_getpgid, 0), 24);
	syscall(SYS_getsid, 0, 0, 0);
	CHECK(!"alive after a division by zero");
}

static void strictest_wins(void)
{
	struct sock_filter first[] = {NR, ON(SYS_getppid, SECCOMP_RET_ERRNO | 7), ON(SYS_getuid, SECCOMP_RET_ERRNO | 8),
		RET(SECCOMP_RET_ALLOW)};
	struct sock_filter second[] = {NR, ON(SYS_getppid, SECCOMP_RET_ERRNO | 9), ON(SYS_getuid, SECCOMP_RET_ALLOW),
		RET(SECCOMP_RET_ALLOW)};

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(INSTALL(first) == 0);
	CHECK(INSTALL(second) == 0);
	CHECK_ERRNO(syscall(SYS_getppid), 9);
	CHECK_ERRNO(syscall(SYS_getuid), 8);
}

static volatile int trapped;
static siginfo_t trap_info;
static unsigned long long trap_rax, trap_rip;

static void on_sigsys(int signo, siginfo_t *info, void *context)
{
	greg_t *gregs = ((ucontext_t *)context)->uc_mcontext.gregs;

	trapped++;
	trap_info = *info;
	trap_rax = (unsigned long long)gregs[REG_RAX];
	trap_rip = (unsigned long long)gregs[REG_RIP];
	gregs[REG_RAX] = 4242;
}

static void traps(void)
{
	struct sigaction action = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};
	struct sock_filter program[] = {NR, ON(SYS_getppid, SECCOMP_RET_TRAP | 77), RET(SECCOMP_RET_ALLOW)};

	CHECK(sigaction(SIGSYS, &action, NULL) == 0);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(INSTALL(program) == 0);
	CHECK(syscall(SYS_getppid) == 4242);
	CHECK(trapped == 1 && trap_rax == SYS_getppid);
	CHECK(trap_info.si_signo == SIGSYS && trap_info.si_code == 1 && trap_info.si_errno == 77);
	CHECK(trap_info.si_syscall == SYS_getppid && trap_info.si_arch == AUDIT_ARCH_X86_64);
	CHECK((unsigned long long)trap_info.si_call_addr == trap_rip);
}

static void trap_default(void)
{
	struct sock_filter program[] = {NR, ON(SYS_getppid, SECCOMP_RET_TRAP), RET(SECCOMP_RET_ALLOW)};

	signal(SIGSYS, SIG_IGN);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	INSTALL(program);
	syscall(SYS_getppid);
}

static void kill_thread_alone(void)
{
	struct sock_filter program[] = {NR, ON(SYS_getppid, SECCOMP_RET_KILL_THREAD), RET(SECCOMP_RET_ALLOW)};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	INSTALL(program);
	syscall(SYS_getppid);
}

static void unknown_action_kills(void)
{
	struct sock_filter program[] = {NR, ON(SYS_getppid, 0x12340000), RET(SECCOMP_RET_ALLOW)};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	INSTALL(program);
	syscall(SYS_getppid);
}

static void *call_getppid(void *arg)
{
	syscall(SYS_getppid);
	*(int *)arg = 1;
	return NULL;
}

static void kill_one_thread(void)
{
	struct sock_filter program[] = {NR, ON(SYS_getppid, SECCOMP_RET_KILL_THREAD), RET(SECCOMP_RET_ALLOW)};
	int went_on = 0;
	pthread_t thread;

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(INSTALL(program) == 0);
	CHECK(pthread_create(&thread, NULL, call_getppid, &went_on) == 0);
	CHECK(pthread_join(thread, NULL) == 0); /* by clear_child_tid */
	CHECK(went_on == 0);
}

static void kill_all_threads(void)
{
	struct sock_filter program[] = {NR, ON(SYS_getppid, SECCOMP_RET_KILL_PROCESS), RET(SECCOMP_RET_ALLOW)};
	int went_on = 0;
	pthread_t thread;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	INSTALL(program);
	pthread_create(&thread, NULL, call_getppid, &went_on);
	pause();
}

static void strict(void)
{
	static const char text[] = "strict\n";

	fflush(stdout);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0))
		syscall(SYS_exit, 1);
	if (write(1, text, sizeof(text) - 1) != sizeof(text) - 1)
		syscall(SYS_exit, 1);
	syscall(SYS_exit, 33);
}

static void strict_kills(void)
{
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL))
		syscall(SYS_exit, 1);
	syscall(SYS_getpid);
	syscall(SYS_exit, 2);
}

static void inherited(void)
{
	struct sock_filter program[] = {NR, ON(SYS_getppid, SECCOMP_RET_ERRNO | 33), RET(SECCOMP_RET_ALLOW)};
	int status;

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(INSTALL(program) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (syscall(SYS_getppid) != -1 || errno != 33)
			_exit(1);
		execl("/proc/self/exe", "seccomp", "after-exec", NULL);
		_exit(2);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static pthread_barrier_t barrier;
static int release_pipe[2];

static void *wait_and_call(void *arg)
{
	char c;

	pthread_barrier_wait(&barrier);
	if (read(release_pipe[0], &c, 1) != 1)
		return (void *)1;
	return syscall(SYS_getppid) == -1 && errno == 33 ? NULL : (void *)2;
}

static void threads_together(void)
{
	struct sock_filter program[] = {NR, ON(SYS_getppid, SECCOMP_RET_ERRNO | 33), RET(SECCOMP_RET_ALLOW)};
	pthread_t thread[3];
	void *result;

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(pipe(release_pipe) == 0);
	pthread_barrier_init(&barrier, NULL, 4);
	for (int i = 0; i < 3; i++)
		CHECK(pthread_create(&thread[i], NULL, wait_and_call, NULL) == 0);
	pthread_barrier_wait(&barrier);
	CHECK(install(program, COUNT(program), SECCOMP_FILTER_FLAG_TSYNC) == 0);
	CHECK(write(release_pipe[1], "abc", 3) == 3);
	for (int i = 0; i < 3; i++)
		CHECK(pthread_join(thread[i], &result) == 0 && result == NULL);
}

static void *own_filter(void *arg)
{
	struct sock_filter allow[] = {RET(SECCOMP_RET_ALLOW)};
	char c;

	if (INSTALL(allow))
		return (void *)1;
	*(pid_t *)arg = (pid_t)syscall(SYS_gettid);
	pthread_barrier_wait(&barrier);
	return read(release_pipe[0], &c, 1) == 1 ? NULL : (void *)2;
}

static void threads_that_differ(void)
{
	struct sock_filter allow[] = {RET(SECCOMP_RET_ALLOW)};
	pthread_t thread;
	pid_t tid = 0;

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(pipe(release_pipe) == 0);
	pthread_barrier_init(&barrier, NULL, 2);
	CHECK(pthread_create(&thread, NULL, own_filter, &tid) == 0);
	pthread_barrier_wait(&barrier);
	CHECK(install(allow, 1, SECCOMP_FILTER_FLAG_TSYNC) == tid);
	CHECK_ERRNO(install(allow, 1, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH), ESRCH);
	CHECK(prctl(PR_GET_SECCOMP) == 0);
	CHECK(write(release_pipe[1], "a", 1) == 1);
	CHECK(pthread_join(thread, NULL) == 0);
}

static void needs_privilege(void)
{
	struct sock_filter allow[] = {RET(SECCOMP_RET_ALLOW)};

	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) || setuid(1000))
		return;
	CHECK_ERRNO(INSTALL(allow), EACCES);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(INSTALL(allow) == 0);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return syscall(SYS_getppid) == -1 && errno == 33 ? 0 : 3;
	harness_start();
	ISOLATED(permitted);
	RUN(actions_known);
	ISOLATED(bad_programs);
	ISOLATED(too_many);
	ISOLATED(errnos);
	CHECK(harness_in_child(arguments) == SIGSYS);
	ISOLATED(strictest_wins);
	ISOLATED(traps);
	CHECK(harness_in_child(trap_default) == SIGSYS);
	CHECK(harness_in_child(kill_thread_alone) == SIGSYS);
	CHECK(harness_in_child(unknown_action_kills) == SIGSYS);
	ISOLATED(kill_one_thread);
	CHECK(harness_in_child(kill_all_threads) == SIGSYS);
	CHECK(harness_in_child(strict) == 33 << 8);
	CHECK(harness_in_child(strict_kills) == SIGKILL);
	ISOLATED(inherited);
	ISOLATED(threads_together);
	ISOLATED(threads_that_differ);
	ISOLATED(needs_privilege);
	return CHECK_RESULT();
}
