/*
 * Directory notification by signals (fcntl(2), F_NOTIFY, F_SETSIG, F_SETOWN): which events signal, once or always, what
 * the signal carries, and when it ends.
 */
#include <signal.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "workdir.h"

#define WANTED (SIGRTMIN + 2)

/* The descriptor that the next signal tells of; -1: none is pending. */
static int signalled(int signo)
{
	struct timespec now = {0};
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	if (sigtimedwait(&set, &info, &now) != signo)
		return -1;
	if (signo == SIGIO)
		return info.si_code == SI_KERNEL ? 0 : -2;
	CHECK(info.si_code == POLL_MSG && info.si_band == 0x441);
	return info.si_fd;
}

static int watch(const char *path, unsigned long events)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);

	CHECK(fcntl(fd, F_SETSIG, WANTED) == 0);
	CHECK(fcntl(fd, F_NOTIFY, events) == 0);
	return fd;
}

static void make(const char *path)
{
	close(open(path, O_CREAT | O_WRONLY, 0600));
}

static void test_events(void)
{
	int fd, dir;
	char c;

	CHECK(mkdir("d", 0700) == 0 && mkdir("other", 0700) == 0);
	dir = watch("d", DN_CREATE | DN_MULTISHOT);
	make("d/a");
	CHECK(signalled(WANTED) == dir && signalled(WANTED) == -1);
	CHECK(mkdir("d/sub", 0700) == 0 && signalled(WANTED) == dir);
	make("d/sub/deeper");
	make("other/b");
	CHECK(signalled(WANTED) == -1);
	CHECK(rename("other/b", "d/b") == 0 && signalled(WANTED) == dir);
	CHECK(unlink("d/b") == 0 && signalled(WANTED) == -1);
	close(dir);

	dir = watch("d", DN_DELETE | DN_MULTISHOT);
	make("d/b");
	CHECK(signalled(WANTED) == -1);
	CHECK(unlink("d/b") == 0 && signalled(WANTED) == dir);
	make("d/b");
	CHECK(rename("d/b", "other/b") == 0 && signalled(WANTED) == dir && signalled(WANTED) == -1);
	close(dir);

	dir = watch("d", DN_RENAME | DN_MULTISHOT);
	CHECK(rename("other/b", "d/b") == 0 && signalled(WANTED) == -1);
	CHECK(rename("d/b", "d/c") == 0 && signalled(WANTED) == dir && signalled(WANTED) == -1);
	close(dir);

	dir = watch("d", DN_MODIFY | DN_MULTISHOT);
	fd = open("d/a", O_RDWR);
	CHECK(write(fd, "x", 1) == 1 && signalled(WANTED) == dir);
	CHECK(ftruncate(fd, 0) == 0 && signalled(WANTED) == dir);
	CHECK(read(fd, &c, 1) == 0);
	while (signalled(WANTED) == dir)
		;
	CHECK(fchmod(fd, 0640) == 0 && signalled(WANTED) == -1);
	CHECK(fcntl(dir, F_NOTIFY, DN_ATTRIB | DN_MULTISHOT) == 0); /* adds */
	CHECK(fchmod(fd, 0600) == 0 && signalled(WANTED) == dir);
	CHECK(write(fd, "x", 1) == 1 && signalled(WANTED) == dir);
	CHECK(chmod("d", 0710) == 0 && signalled(WANTED) == dir); /* of the directory itself */
	close(dir);

	dir = watch("d", DN_ACCESS | DN_MULTISHOT);
	CHECK(pread(fd, &c, 1, 0) == 1 && signalled(WANTED) == dir);
	close(dir);
	close(fd);
}

static void test_life(void)
{
	int dir = watch("d", DN_CREATE), copy;
	struct stat st;

	make("d/once");
	CHECK(signalled(WANTED) == dir);
	make("d/twice");
	CHECK(signalled(WANTED) == -1);
	CHECK(fcntl(dir, F_NOTIFY, DN_CREATE | DN_MULTISHOT) == 0);
	CHECK(fcntl(dir, F_NOTIFY, 0) == 0);
	make("d/thrice");
	CHECK(signalled(WANTED) == -1);

	/* Closing any descriptor of the file ends it, in the table that asked. */
	CHECK(fcntl(dir, F_NOTIFY, DN_CREATE | DN_MULTISHOT) == 0);
	copy = dup(dir);
	if (fork() == 0) {
		close(dir);
		close(copy);
		_exit(0);
	}
	wait(NULL);
	make("d/four");
	CHECK(signalled(WANTED) == dir);
	close(copy);
	make("d/five");
	CHECK(signalled(WANTED) == -1);

	/* Without F_SETSIG: SIGIO, without details. */
	CHECK(fcntl(dir, F_SETSIG, 0) == 0);
	CHECK(fcntl(dir, F_NOTIFY, DN_CREATE) == 0);
	CHECK(fcntl(dir, F_GETOWN) == getpid());
	make("d/six");
	CHECK(signalled(SIGIO) == 0);

	/* Another owner gets it. */
	pid_t child = fork();
	if (child == 0) {
		struct timespec ten = {.tv_sec = 10};
		sigset_t set;

		sigemptyset(&set);
		sigaddset(&set, SIGIO);
		_exit(sigtimedwait(&set, NULL, &ten) == SIGIO ? 7 : 1);
	}
	CHECK(fcntl(dir, F_SETOWN, child) == 0 && fcntl(dir, F_NOTIFY, DN_CREATE) == 0);
	make("d/seven");
	int status = 0;
	CHECK(waitpid(child, &status, 0) == child && status == 7 << 8);
	CHECK(signalled(SIGIO) == -1);
	make("d/eight"); /* the watch is used up, its owner gone */

	CHECK(fcntl(dir, F_NOTIFY, DN_CREATE | DN_MULTISHOT) == 0);
	CHECK(fcntl(dir, F_SETOWN, child) == -1 && errno == ESRCH);
	make("d/nine");
	int file = open("d/a", O_RDONLY);
	CHECK_ERRNO(fcntl(file, F_NOTIFY, DN_CREATE), ENOTDIR);
	CHECK(fcntl(file, F_NOTIFY, 0) == 0);
	close(file);
	CHECK_ERRNO(fcntl(99, F_NOTIFY, DN_CREATE), EBADF);
	CHECK(fstat(dir, &st) == 0);
	close(dir);
}

int main(void)
{
	sigset_t set;

	harness_start();
	if (workdir_enter())
		return 1;
	sigemptyset(&set);
	sigaddset(&set, WANTED);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, NULL);
	test_events();
	test_life();
	workdir_leave();
	return CHECK_RESULT();
}
