/*
 * Pipes and fifos: order, end of file, SIGPIPE, atomicity, capacity, packets, readiness, fifo opening.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harness.h"

static void basic(void)
{
	int fds[2];
	char buf[16];
	struct stat a, b;

	CHECK(pipe(fds) == 0);
	CHECK(write(fds[1], "hello", 5) == 5);
	int there = 0;
	CHECK(ioctl(fds[0], FIONREAD, &there) == 0 && there == 5);
	CHECK(read(fds[0], buf, 2) == 2 && !memcmp(buf, "he", 2));
	CHECK(read(fds[0], buf, sizeof(buf)) == 3 && !memcmp(buf, "llo", 3));
	CHECK_ERRNO(lseek(fds[0], 0, SEEK_CUR), ESPIPE);
	CHECK_ERRNO(read(fds[1], buf, 1), EBADF);
	CHECK_ERRNO(write(fds[0], buf, 1), EBADF);
	CHECK(fstat(fds[0], &a) == 0 && fstat(fds[1], &b) == 0 && S_ISFIFO(a.st_mode) && a.st_ino == b.st_ino);
	static char *volatile nowhere = (char *)8;
	CHECK_ERRNO(write(fds[1], nowhere, 1), EFAULT);
	close(fds[1]);
	CHECK(read(fds[0], buf, 1) == 0);
	close(fds[0]);
	CHECK_ERRNO(pipe2(fds, 0x40000000), EINVAL);
}

static void broken(void)
{
	int fds[2];
	struct pollfd p;

	signal(SIGPIPE, SIG_IGN);
	CHECK(pipe(fds) == 0);
	close(fds[0]);
	CHECK_ERRNO(write(fds[1], "x", 1), EPIPE);
	p = (struct pollfd){fds[1], POLLOUT, 0};
	CHECK(poll(&p, 1, 0) == 1 && p.revents & POLLERR);
	close(fds[1]);
	signal(SIGPIPE, SIG_DFL);
	pid_t pid = fork();
	if (pid == 0) {
		int q[2];
		if (pipe(q))
			_exit(1);
		close(q[0]);
		(void)!write(q[1], "x", 1);
		_exit(2);
	}
	int status;
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
}

static void capacity(void)
{
	static char block[4096];
	int fds[2], total = 0;
	ssize_t n;

	CHECK(pipe2(fds, O_NONBLOCK) == 0);
	CHECK_ERRNO(read(fds[0], block, 1), EAGAIN);
	CHECK(fcntl(fds[0], F_GETPIPE_SZ) == 65536);
	while ((n = write(fds[1], block, sizeof(block))) > 0)
		total += (int)n;
	CHECK(total == 65536);
	CHECK_ERRNO(write(fds[1], block, 1), EAGAIN);
	struct pollfd p = {fds[1], POLLOUT, 0};
	CHECK(poll(&p, 1, 0) == 0);
	CHECK(read(fds[0], block, 4096) == 4096);
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLOUT);
	CHECK(write(fds[1], block, 4096) == 4096);
	CHECK(fcntl(fds[0], F_SETPIPE_SZ, 200000) == 262144);
	CHECK(write(fds[1], block, 4096) == 4096);
	CHECK_ERRNO(fcntl(fds[0], F_SETPIPE_SZ, 4096), EBUSY);
	close(fds[0]);
	close(fds[1]);
	/* One byte at a time through a full ring many times over. */
	CHECK(pipe(fds) == 0);
	int bad = 0;
	for (int i = 0; i < 200000; i += 100) {
		char out[100], in[100];
		for (int k = 0; k < 100; k++)
			out[k] = (char)((i + k) * 7);
		if (write(fds[1], out, 100) != 100 || read(fds[0], in, 100) != 100 || memcmp(in, out, 100))
			bad++;
	}
	CHECK(bad == 0);
	close(fds[0]);
	close(fds[1]);
}

/* A writer of large blocks and a slow reader; then several writers whose PIPE_BUF blocks must stay whole. */
static void transfer(void)
{
	enum { TOTAL = 1 << 20 };
	int fds[2], status;
	unsigned sum = 0;
	static unsigned char big[TOTAL];
	ssize_t n;

	CHECK(pipe(fds) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(fds[0]);
		for (int i = 0; i < TOTAL; i++)
			big[i] = (unsigned char)(i * 31 >> 3);
		_exit(write(fds[1], big, TOTAL) == TOTAL ? 0 : 1);
	}
	close(fds[1]);
	int at = 0, bad = 0;
	while ((n = read(fds[0], big, 5000)) > 0)
		for (ssize_t i = 0; i < n; i++, at++)
			bad += big[i] != (unsigned char)(at * 31 >> 3);
	CHECK(at == TOTAL && bad == 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	close(fds[0]);

	CHECK(pipe(fds) == 0);
	for (int w = 0; w < 4; w++) {
		if (fork() == 0) {
			static char block[PIPE_BUF];
			memset(block, 'a' + w, sizeof(block));
			for (int i = 0; i < 64; i++)
				if (write(fds[1], block, sizeof(block)) != sizeof(block))
					_exit(1);
			_exit(0);
		}
	}
	close(fds[1]);
	bad = 0;
	for (int i = 0; i < 4 * 64; i++) {
		static char block[PIPE_BUF];
		size_t got = 0;
		while (got < sizeof(block) && (n = read(fds[0], block + got, sizeof(block) - got)) > 0)
			got += (size_t)n;
		for (size_t k = 1; k < got; k++)
			bad += block[k] != block[0];
		sum += got;
	}
	CHECK(sum == 4u * 64 * PIPE_BUF && bad == 0);
	for (int w = 0; w < 4; w++)
		CHECK(wait(&status) > 0 && status == 0);
	close(fds[0]);
}

static void packets(void)
{
	int fds[2];
	char buf[16];

	CHECK(pipe2(fds, O_DIRECT) == 0);
	CHECK(write(fds[1], "one", 3) == 3 && write(fds[1], "three", 5) == 5);
	CHECK(read(fds[0], buf, sizeof(buf)) == 3);
	CHECK(read(fds[0], buf, 2) == 2 && !memcmp(buf, "th", 2));
	CHECK(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
	CHECK_ERRNO(read(fds[0], buf, 1), EAGAIN);
	close(fds[0]);
	close(fds[1]);
}

static void fifos(void)
{
	char path[] = "/tmp/fifo-XXXXXX", name[64];
	char buf[8];
	int status;

	CHECK(mkdtemp(path) != NULL);
	snprintf(name, sizeof(name), "%s/f", path);
	CHECK(mkfifo(name, 0600) == 0);
	CHECK_ERRNO(open(name, O_WRONLY | O_NONBLOCK), ENXIO);
	int r = open(name, O_RDONLY | O_NONBLOCK);
	CHECK(r >= 0);
	CHECK(read(r, buf, 1) == 0);
	struct pollfd p = {r, POLLIN, 0};
	CHECK(poll(&p, 1, 0) == 0); /* no writer yet: no hang-up */
	int w = open(name, O_WRONLY | O_NONBLOCK);
	CHECK(w >= 0 && write(w, "ab", 2) == 2);
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLIN);
	CHECK(read(r, buf, 8) == 2);
	close(w);
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLHUP);
	close(r);
	pid_t pid = fork(); /* both block until the other comes */
	if (pid == 0) {
		int f = open(name, O_WRONLY);
		_exit(f >= 0 && write(f, "xyz", 3) == 3 ? 0 : 1);
	}
	r = open(name, O_RDONLY);
	CHECK(r >= 0 && read(r, buf, 8) == 3);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(read(r, buf, 8) == 0);
	close(r);
	CHECK(unlink(name) == 0 && rmdir(path) == 0);
}

static void interrupted(int signo)
{
}

static void signals(void)
{
	struct sigaction action = {.sa_handler = interrupted};
	int fds[2];
	char c;

	sigaction(SIGALRM, &action, NULL);
	CHECK(pipe(fds) == 0);
	ualarm(20000, 0);
	CHECK_ERRNO(read(fds[0], &c, 1), EINTR);
	action.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &action, NULL);
	pid_t pid = fork();
	if (pid == 0) {
		sleep_ms(60);
		(void)!write(fds[1], "k", 1);
		_exit(0);
	}
	ualarm(20000, 0);
	CHECK(read(fds[0], &c, 1) == 1 && c == 'k');
	waitpid(pid, NULL, 0);
	close(fds[0]);
	close(fds[1]);
}

/* The descriptor of a pipe opened again by its name in /proc leads to the same pipe. */
static void reopened(void)
{
	int fds[2], again;
	char name[64], c;

	CHECK(pipe(fds) == 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fds[1]);
	again = open(name, O_WRONLY);
	CHECK(again >= 0 && write(again, "q", 1) == 1 && read(fds[0], &c, 1) == 1 && c == 'q');
	CHECK(write(fds[1], "r", 1) == 1);
	close(fds[1]);
	close(again);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fds[0]);
	again = open(name, O_RDONLY); /* no writer left, and it does not wait for one */
	CHECK(again >= 0 && read(again, &c, 1) == 1 && c == 'r' && read(again, &c, 1) == 0);
	close(again);
	CHECK(read(fds[0], &c, 1) == 0);
	close(fds[0]);
}

int main(void)
{
	harness_start();
	RUN(basic);
	RUN(broken);
	RUN(capacity);
	RUN(transfer);
	RUN(packets);
	RUN(fifos);
	RUN(signals);
	RUN(reopened);
	return CHECK_RESULT();
}
