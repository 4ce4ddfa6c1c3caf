/*
 * Processes: exit codes, every form of wait, vfork, clone3, orphans, subreapers, threads
 * that execute a program or end the group.
 */
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

static const char *program; /* our own path */

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static pid_t child(int code)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(code);
	return pid;
}

static void exit_codes(void)
{
	static const int codes[] = {0, 1, 42, 255};
	int status;

	for (unsigned i = 0; i < 4; i++) {
		pid_t pid = child(codes[i]);

		CHECK(pid > 0);
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == codes[i]);
	}
	pid_t pid = child(0x1234);
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 0x34);
	CHECK_ERRNO(waitpid(pid, &status, 0), ECHILD);
	CHECK_ERRNO(waitpid(-1, &status, 0), ECHILD);
	CHECK_ERRNO(wait4(-1, &status, 0x40, NULL), EINVAL);
}

static void killed(void)
{
	const int signals[] = {SIGTERM, SIGKILL, SIGUSR1, SIGRTMIN};
	int status;

	for (unsigned i = 0; i < 4; i++) {
		pid_t pid = fork();

		if (pid == 0)
			for (;;)
				pause();
		CHECK(kill(pid, signals[i]) == 0);
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signals[i] && !WCOREDUMP(status));
	}
	struct rlimit none = {0, 0};
	pid_t pid = fork();
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &none);
		abort();
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	CHECK(!WCOREDUMP(status));
}

static void wait_forms(void)
{
	siginfo_t info;
	struct rusage usage;
	int status, gate[2];

	CHECK(pipe(gate) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		char c;

		close(gate[1]);
		(void)!read(gate[0], &c, 1);
		_exit(7);
	}
	close(gate[0]);
	CHECK(waitpid(pid, &status, WNOHANG) == 0);
	memset(&info, 1, sizeof(info));
	CHECK(waitid(P_PID, pid, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0 && info.si_signo == 0);
	CHECK_ERRNO(waitid(P_PID, pid, &info, 0), EINVAL);
	CHECK_ERRNO(waitpid(pid + 1000, &status, 0), ECHILD);
	close(gate[1]);
	CHECK(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == 0);
	CHECK(info.si_pid == pid && info.si_code == CLD_EXITED && info.si_status == 7 && info.si_signo == SIGCHLD);
	CHECK(info.si_uid == getuid());
	CHECK(kill(pid, 0) == 0); /* a zombie is still there */
	CHECK(waitid(P_PGID, getpgrp(), &info, WEXITED | WNOWAIT) == 0 && info.si_pid == pid);
	CHECK(wait4(0, &status, 0, &usage) == pid && WEXITSTATUS(status) == 7);
	CHECK_ERRNO(kill(pid, 0), ESRCH);
}

static void parents(void)
{
	int status, report[2];
	pid_t self = getpid(), got[2];

	CHECK(pipe(report) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		got[0] = getpid();
		got[1] = getppid();
		(void)!write(report[1], got, sizeof(got));
		_exit(0);
	}
	CHECK(read(report[0], got, sizeof(got)) == sizeof(got));
	CHECK(got[0] == pid && got[1] == self);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(getpid() == self && syscall(SYS_gettid) == self);
	close(report[0]);
	close(report[1]);
}

/* A grandchild whose parent ends comes to us, because we said so. */
static void subreaper(void)
{
	int status, value = 0, gate[2];

	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	CHECK(prctl(PR_GET_CHILD_SUBREAPER, &value) == 0 && value == 1);
	CHECK(pipe(gate) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (fork() == 0) {
			char c;

			close(gate[1]);
			(void)!read(gate[0], &c, 1);
			_exit(getppid() == (pid_t)atoi(getenv("OUTER")) ? 21 : 22);
		}
		_exit(3);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 3);
	close(gate[0]);
	close(gate[1]);
	CHECK(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 21);
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 0) == 0);
}

static void parent_death(void)
{
	int status, gate[2];
	char c;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	CHECK(pipe(gate) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGUSR2);
			(void)!write(gate[1], "x", 1);
			for (;;)
				pause();
		}
		(void)!read(gate[0], &c, 1);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(wait(&status) > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR2);
	close(gate[0]);
	close(gate[1]);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void vforked(void)
{
	volatile int shared = 0;
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		shared = 5; /* in our memory */
		_exit(9);
	}
	CHECK(shared == 5);
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 9);
	pid = vfork();
	if (pid == 0) {
		execl(program, "processes", "exit", "11", NULL);
		_exit(99);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 11);
}

static void memory_is_copied(void)
{
	static int value = 1;
	int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	CHECK(shared != MAP_FAILED);
	pid_t pid = fork();
	if (pid == 0) {
		value = 2;
		*shared = 3;
		_exit(value);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 2);
	CHECK(value == 1 && *shared == 3);
	munmap(shared, 4096);
}

static void clone3_pidfd(void)
{
	int pidfd = -1, status;
	struct clone_args args = {.flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&pidfd, .exit_signal = SIGCHLD};
	siginfo_t info;
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		_exit(33);
	CHECK(pid > 0 && pidfd >= 0);
	CHECK(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) == 0 && info.si_pid == pid && info.si_status == 33);
	CHECK_ERRNO(syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0), ESRCH);
	close(pidfd);
	CHECK_ERRNO(waitpid((pid_t)pid, &status, 0), ECHILD);
	CHECK_ERRNO(syscall(SYS_clone3, &args, 8), EINVAL);
	args = (struct clone_args){.flags = CLONE_SIGHAND, .exit_signal = SIGCHLD};
	CHECK_ERRNO(syscall(SYS_clone3, &args, sizeof(args)), EINVAL);
	args = (struct clone_args){.flags = CLONE_THREAD, .exit_signal = SIGCHLD};
	CHECK_ERRNO(syscall(SYS_clone3, &args, sizeof(args)), EINVAL);
	args = (struct clone_args){.exit_signal = 65};
	CHECK_ERRNO(syscall(SYS_clone3, &args, sizeof(args)), EINVAL);
}

/* A child that tells its parent by no signal is only found with __WALL or __WCLONE. */
static void clone_children(void)
{
	struct clone_args args = {.exit_signal = 0};
	int status;
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		_exit(1);
	CHECK_ERRNO(waitpid((pid_t)pid, &status, 0), ECHILD);
	CHECK(waitpid((pid_t)pid, &status, __WCLONE) == pid);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		_exit(2);
	CHECK(waitpid((pid_t)pid, &status, __WALL) == pid && WEXITSTATUS(status) == 2);
}

static void *exit_group_now(void *arg)
{
	exit(66);
}

static void *exec_now(void *arg)
{
	execl(program, "processes", "exit-pid", NULL);
	_exit(98);
}

static void *wait_forever(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

static void with_threads(void *(*last)(void *), int *status, pid_t *pid)
{
	pthread_t thread;

	*pid = fork();
	if (*pid == 0) {
		for (int i = 0; i < 5; i++)
			pthread_create(&thread, NULL, wait_forever, NULL);
		pthread_create(&thread, NULL, last, NULL);
		for (;;)
			pause();
	}
	CHECK(waitpid(*pid, status, 0) == *pid);
}

static void groups_of_threads(void)
{
	int status;
	pid_t pid;

	with_threads(exit_group_now, &status, &pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 66);
	/* The thread that executes a program takes the process' id over. */
	with_threads(exec_now, &status, &pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == (pid & 0x7f));
}

static void *finish_late(void *arg)
{
	sleep_ms(50);
	_exit(44);
}

/* The first thread may leave before the others: the process lives on. */
static void leader_leaves(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		pthread_t thread;

		pthread_create(&thread, NULL, finish_late, NULL);
		pthread_exit(NULL);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 44);
}

/* Children of one that ignores SIGCHLD are never zombies; wait ends with ECHILD when the last has gone. */
static void nobody_waits(void)
{
	int status;

	signal(SIGCHLD, SIG_IGN);
	pid_t pid = child(1);
	CHECK(pid > 0);
	CHECK_ERRNO(waitpid(pid, &status, 0), ECHILD);
	CHECK_ERRNO(kill(pid, 0), ESRCH);
	signal(SIGCHLD, SIG_DFL);
}

static void many(void)
{
	int status, sum = 0;

	for (int i = 0; i < 50; i++)
		CHECK(child(i) > 0);
	for (int i = 0; i < 50; i++) {
		CHECK(wait(&status) > 0);
		sum += WEXITSTATUS(status);
	}
	CHECK(sum == 49 * 50 / 2);
}

int main(int argc, char **argv)
{
	char self[16];

	program = argv[0];

	if (argc > 2 && strcmp(argv[1], "exit") == 0)
		return atoi(argv[2]);
	if (argc > 1 && strcmp(argv[1], "exit-pid") == 0)
		return syscall(SYS_gettid) == getpid() ? getpid() & 0x7f : 255;
	harness_start();
	snprintf(self, sizeof(self), "%d", getpid());
	setenv("OUTER", self, 1);
	RUN(exit_codes);
	RUN(killed);
	RUN(wait_forms);
	RUN(parents);
	RUN(subreaper);
	RUN(parent_death);
	RUN(vforked);
	RUN(memory_is_copied);
	RUN(clone3_pidfd);
	RUN(clone_children);
	RUN(groups_of_threads);
	RUN(leader_leaves);
	RUN(nobody_waits);
	RUN(many);
	return CHECK_RESULT();
}
