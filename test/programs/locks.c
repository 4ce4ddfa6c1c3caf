/*
 * File locks: record locks of both kinds and flock (fcntl(2), flock(2)).
 */
#include <signal.h>
#include <sys/file.h>

#include "workdir.h"

static int set_lock(int fd, int cmd, short type, off_t start, off_t len)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

	return fcntl(fd, cmd, &l);
}

/* In a child: whether a lock could be had; its answer as exit status. */
static int child_could(short type, off_t start, off_t len)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		int fd = open("f", O_RDWR);

		_exit(set_lock(fd, F_SETLK, type, start, len) == 0 ? 1 : errno == EAGAIN || errno == EACCES ? 0 : 2);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void test_records(void)
{
	int fd = open("f", O_RDWR);
	struct flock l;

	CHECK(set_lock(fd, F_SETLK, F_WRLCK, 10, 10) == 0);
	CHECK(child_could(F_WRLCK, 0, 10) == 1 && child_could(F_RDLCK, 19, 1) == 0 && child_could(F_RDLCK, 20, 0) == 1);
	CHECK(set_lock(fd, F_SETLK, F_UNLCK, 14, 2) == 0);
	CHECK(child_could(F_WRLCK, 14, 2) == 1 && child_could(F_WRLCK, 13, 1) == 0 && child_could(F_WRLCK, 16, 1) == 0);
	CHECK(set_lock(fd, F_SETLK, F_RDLCK, 10, 4) == 0);
	CHECK(child_could(F_RDLCK, 10, 4) == 1 && child_could(F_WRLCK, 10, 4) == 0);
	CHECK(set_lock(fd, F_SETLK, F_RDLCK, 10, 10) == 0 && child_could(F_RDLCK, 10, 10) == 1);
	CHECK(set_lock(fd, F_SETLK, F_WRLCK, 100, 0) == 0 && child_could(F_RDLCK, 1000000, 1) == 0);
	/* Closing any descriptor of the file drops them all. */
	close(open("f", O_RDONLY));
	CHECK(child_could(F_WRLCK, 0, 0) == 1);
	CHECK(set_lock(fd, F_SETLK, F_WRLCK, 5, 5) == 0);
	int status = 0;
	pid_t pid = fork();
	if (pid == 0) {
		l = (struct flock){.l_type = F_RDLCK, .l_start = 0, .l_len = 100};
		_exit(!(fcntl(fd, F_GETLK, &l) == 0 && l.l_type == F_WRLCK && l.l_start == 5 && l.l_len == 5 &&
			l.l_pid == getppid()));
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	l = (struct flock){.l_type = 77};
	CHECK_ERRNO(fcntl(fd, F_SETLK, &l), EINVAL);
	l = (struct flock){.l_type = F_RDLCK, .l_start = -1};
	CHECK_ERRNO(fcntl(fd, F_SETLK, &l), EINVAL);
	l = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -2, .l_len = 2};
	CHECK(fcntl(fd, F_SETLK, &l) == 0);
	int ro = open("f", O_RDONLY);
	CHECK_ERRNO(set_lock(ro, F_SETLK, F_WRLCK, 0, 1), EBADF);
	close(ro);
	close(fd);
}

static void test_waiting(void)
{
	int fd = open("f", O_RDWR), ready[2], status = 0;
	char c;

	CHECK(pipe(ready) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		set_lock(fd, F_SETLKW, F_WRLCK, 0, 10);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		sleep_ms(100);
		_exit(0);
	}
	CHECK(read(ready[0], &c, 1) == 1);
	CHECK(set_lock(fd, F_SETLKW, F_WRLCK, 0, 10) == 0); /* until it has ended */
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	close(fd);
}

static void test_deadlock(void)
{
	int fd = open("f", O_RDWR), ready[2], status = 0;
	char c;

	CHECK(pipe(ready) == 0 && set_lock(fd, F_SETLK, F_WRLCK, 0, 1) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (set_lock(fd, F_SETLK, F_WRLCK, 1, 1) != 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		_exit(set_lock(fd, F_SETLKW, F_WRLCK, 0, 1) != 0);
	}
	CHECK(read(ready[0], &c, 1) == 1);
	sleep_ms(100);
	CHECK_ERRNO(set_lock(fd, F_SETLKW, F_WRLCK, 1, 1), EDEADLK);
	CHECK(set_lock(fd, F_SETLK, F_UNLCK, 0, 1) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	close(fd);
}

static void on_alarm(int signo)
{
}

static void test_interrupted(void)
{
	struct sigaction act = {.sa_handler = on_alarm};
	int a = open("f", O_RDWR), b = open("f", O_RDWR);

	sigaction(SIGALRM, &act, NULL);
	CHECK(set_lock(a, F_OFD_SETLK, F_WRLCK, 0, 0) == 0);
	alarm(1);
	CHECK_ERRNO(set_lock(b, F_OFD_SETLKW, F_RDLCK, 0, 0), EINTR);
	close(a);
	CHECK(set_lock(b, F_OFD_SETLK, F_RDLCK, 0, 0) == 0);
	close(b);
}

static void test_ofd(void)
{
	int a = open("f", O_RDWR), b = open("f", O_RDWR), c = dup(a);

	CHECK(set_lock(a, F_OFD_SETLK, F_WRLCK, 0, 10) == 0);
	CHECK_ERRNO(set_lock(b, F_OFD_SETLK, F_RDLCK, 5, 1), EAGAIN);
	CHECK_ERRNO(set_lock(b, F_SETLK, F_RDLCK, 5, 1), EAGAIN);
	CHECK(set_lock(c, F_OFD_SETLK, F_RDLCK, 0, 10) == 0 && set_lock(b, F_OFD_SETLK, F_RDLCK, 5, 1) == 0);
	close(a);
	CHECK_ERRNO(set_lock(b, F_OFD_SETLK, F_WRLCK, 5, 1), EAGAIN);
	close(c);
	CHECK(set_lock(b, F_OFD_SETLK, F_WRLCK, 5, 1) == 0);
	close(b);
}

static void test_flock(void)
{
	int a = open("f", O_RDONLY), b = open("f", O_RDONLY);

	CHECK(flock(a, LOCK_SH) == 0 && flock(b, LOCK_SH | LOCK_NB) == 0);
	CHECK_ERRNO(flock(a, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	CHECK(flock(b, LOCK_UN) == 0 && flock(a, LOCK_EX | LOCK_NB) == 0);
	CHECK_ERRNO(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	CHECK(set_lock(b, F_OFD_SETLK, F_RDLCK, 0, 0) == 0); /* the two kinds do not meet */
	int c = dup(a);
	close(a);
	CHECK_ERRNO(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	close(c);
	CHECK(flock(b, LOCK_EX | LOCK_NB) == 0);
	CHECK_ERRNO(flock(b, 0), EINVAL);
	close(b);
	CHECK_ERRNO(flock(b, LOCK_SH), EBADF);
}

int main(void)
{
	harness_start();
	if (workdir_enter() || put("f", "0123456789") != 0)
		return 1;
	RUN(test_records);
	RUN(test_waiting);
	RUN(test_deadlock);
	RUN(test_interrupted);
	RUN(test_ofd);
	RUN(test_flock);
	workdir_leave();
	return CHECK_RESULT();
}
