/*
 * poll, ppoll, select, pselect: readiness, timeouts, signal masks, bad descriptors.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/select.h>

#include "harness.h"

static void readiness(void)
{
	int fds[2], file = open("/proc/self/stat", O_RDONLY);
	struct pollfd p[4];

	CHECK(pipe(fds) == 0);
	p[0] = (struct pollfd){fds[0], POLLIN, 0};
	p[1] = (struct pollfd){fds[1], POLLOUT, 0};
	p[2] = (struct pollfd){-1, POLLIN, 77};
	p[3] = (struct pollfd){999, POLLIN, 0};
	CHECK(poll(p, 4, -1) == 2);
	CHECK(p[0].revents == 0 && p[1].revents == POLLOUT && p[2].revents == 0 && p[3].revents == POLLNVAL);
	CHECK(write(fds[1], "x", 1) == 1);
	CHECK(poll(p, 1, -1) == 1 && p[0].revents == POLLIN);
	p[0] = (struct pollfd){file, POLLIN | POLLOUT, 0};
	CHECK(poll(p, 1, 0) == 1 && p[0].revents == (POLLIN | POLLOUT));
	close(fds[1]);
	char c;
	CHECK(read(fds[0], &c, 1) == 1);
	p[0] = (struct pollfd){fds[0], POLLIN, 0};
	CHECK(poll(p, 1, -1) == 1 && p[0].revents == POLLHUP);
	close(fds[0]);
	close(file);
}

static void timeouts(void)
{
	int fds[2];
	long long before = now_ns(CLOCK_MONOTONIC);
	struct pollfd p;
	struct timespec ts = {0, 30000000};
	struct timeval tv = {0, 30000};
	fd_set set;

	CHECK(pipe(fds) == 0);
	p = (struct pollfd){fds[0], POLLIN, 0};
	CHECK(poll(&p, 1, 30) == 0);
	CHECK(poll(NULL, 0, 10) == 0);
	CHECK(ppoll(&p, 1, &ts, NULL) == 0);
	FD_ZERO(&set);
	FD_SET(fds[0], &set);
	CHECK(select(fds[0] + 1, &set, NULL, NULL, &tv) == 0 && !FD_ISSET(fds[0], &set));
	CHECK(tv.tv_sec == 0 && tv.tv_usec == 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - before >= 100000000);
	ts.tv_nsec = 2000000000;
	CHECK_ERRNO(ppoll(&p, 1, &ts, NULL), EINVAL);
	close(fds[0]);
	close(fds[1]);
}

static void selects(void)
{
	int fds[2];
	fd_set r, w;

	CHECK(pipe(fds) == 0);
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_SET(fds[0], &r);
	FD_SET(fds[1], &w);
	CHECK(select(fds[1] + 1, &r, &w, NULL, NULL) == 1 && FD_ISSET(fds[1], &w) && !FD_ISSET(fds[0], &r));
	CHECK(write(fds[1], "x", 1) == 1);
	FD_SET(fds[0], &r);
	CHECK(select(fds[1] + 1, &r, &w, NULL, NULL) == 2);
	FD_ZERO(&r);
	FD_SET(60, &r); /* below the table's size: beyond it Linux does not look */
	CHECK_ERRNO(select(61, &r, NULL, NULL, NULL), EBADF);
	CHECK_ERRNO(select(-1, NULL, NULL, NULL, NULL), EINVAL);
	/* a set of its own size, far beyond 64 */
	CHECK(dup2(fds[0], 200) == 200);
	FD_ZERO(&r);
	FD_SET(200, &r);
	CHECK(select(201, &r, NULL, NULL, NULL) == 1 && FD_ISSET(200, &r));
	close(200);
	close(fds[0]);
	close(fds[1]);
}

static volatile sig_atomic_t got;

static void handler(int signo)
{
	got++;
}

static void masks(void)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
	sigset_t block, empty, now;
	struct timespec second = {1, 0};

	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&empty);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, NULL);
	raise(SIGUSR1);
	CHECK(poll(NULL, 0, 5) == 0 && got == 0);
	CHECK_ERRNO(ppoll(NULL, 0, &second, &empty), EINTR);
	CHECK(got == 1);
	raise(SIGUSR1);
	CHECK_ERRNO(pselect(0, NULL, NULL, NULL, &second, &empty), EINTR);
	CHECK(got == 2);
	sigprocmask(SIG_BLOCK, NULL, &now);
	CHECK(sigismember(&now, SIGUSR1)); /* the old mask is back */
	sigprocmask(SIG_UNBLOCK, &block, NULL);
	/* select is interrupted although the handler restarts other calls */
	signal(SIGALRM, SIG_DFL);
	sigaction(SIGALRM, &action, NULL);
	ualarm(20000, 0);
	CHECK_ERRNO(select(0, NULL, NULL, NULL, NULL), EINTR);
	ualarm(20000, 0);
	CHECK_ERRNO(poll(NULL, 0, -1), EINTR);
}

/* Woken by another process, many files at once. */
static void wakeups(void)
{
	enum { N = 40 };
	int efds[N];
	struct pollfd p[N];
	uint64_t one = 1;

	for (int i = 0; i < N; i++) {
		efds[i] = eventfd(0, EFD_NONBLOCK);
		p[i] = (struct pollfd){efds[i], POLLIN, 0};
	}
	for (int round = 0; round < 20; round++) {
		int which = round * 7 % N;
		pid_t pid = fork();

		if (pid == 0) {
			sleep_ms(2);
			_exit(write(efds[which], &one, 8) == 8 ? 0 : 1);
		}
		CHECK(poll(p, N, 5000) == 1 && p[which].revents == POLLIN);
		CHECK(read(efds[which], &one, 8) == 8 && one == 1);
		CHECK(waitpid(pid, NULL, 0) == pid);
	}
	for (int i = 0; i < N; i++)
		close(efds[i]);
}

int main(void)
{
	harness_start();
	RUN(readiness);
	RUN(timeouts);
	RUN(selects);
	RUN(masks);
	RUN(wakeups);
	return CHECK_RESULT();
}
