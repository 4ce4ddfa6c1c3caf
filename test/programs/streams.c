/*
 * Much data over a unix stream to a receiver that already waits for it, whose memory may be anything: nothing is lost,
 * repeated or out of order, and only the receiver's own memory changes.
 */
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "harness.h"

#define WHOLE (3u << 20)
#define PAGE 4096

static unsigned char block[WHOLE], into[WHOLE];

static void fill(void)
{
	uint32_t x = 1;

	for (size_t i = 0; i < WHOLE; i++) {
		x = x * 1664525u + 1013904223u;
		block[i] = (unsigned char)(x >> 24);
	}
}

/* Sends `len` bytes in parts, the first once the parent waits; goes on when all is sent. */
static pid_t sender(int s[2], size_t len, size_t part, int pause_ms)
{
	pid_t pid;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	pid = fork();
	if (pid) {
		close(s[1]);
		return pid;
	}
	close(s[0]);
	usleep(20000);
	for (size_t done = 0; done < len;) {
		ssize_t n = send(s[1], block + done, part < len - done ? part : len - done, 0);

		if (n <= 0)
			_exit(1);
		done += (size_t)n;
		if (pause_ms)
			usleep((unsigned)pause_ms * 1000);
	}
	_exit(0);
}

static void ended(int fd, pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(recv(fd, into, 1, 0) == 0);
	close(fd);
}

/* Sizes that fit neither pages nor each other. */
static void in_order(void)
{
	static const size_t parts[] = {1, 5000, 65536, 200001, WHOLE}, rooms[] = {777, 40000, 262144, WHOLE};
	int s[2];

	for (unsigned i = 0; i < 20; i++) {
		size_t len = parts[i % 5] < 100 ? 3000 : WHOLE, room = rooms[i / 5], done = 0;
		pid_t pid = sender(s, len, parts[i % 5], 0);

		memset(into, 0, sizeof(into));
		while (done < len) {
			ssize_t n = recv(s[0], into + done, room < len - done ? room : len - done, 0);

			CHECK(n > 0);
			if (n <= 0)
				break;
			done += (size_t)n;
		}
		CHECK(memcmp(into, block, len) == 0);
		ended(s[0], pid);
	}
}

static void all_of_it(void)
{
	struct iovec iov[2] = {{into, 70001}, {into + 70001, WHOLE - 70001}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	int s[2];
	pid_t pid = sender(s, WHOLE, 30000, 0);

	memset(into, 0, sizeof(into));
	CHECK(recv(s[0], into, WHOLE, MSG_WAITALL) == WHOLE);
	CHECK(memcmp(into, block, WHOLE) == 0);
	ended(s[0], pid);
	pid = sender(s, WHOLE, 99999, 1);
	memset(into, 0, sizeof(into));
	CHECK(recvmsg(s[0], &msg, MSG_WAITALL) == WHOLE);
	CHECK(memcmp(into, block, WHOLE) == 0);
	ended(s[0], pid);
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* What came before a signal is what the call returns. */
static void interrupted(void)
{
	struct sigaction action = {.sa_handler = on_alarm};
	int s[2];
	pid_t pid;

	sigaction(SIGALRM, &action, NULL);
	pid = sender(s, 100000, 100000, 300);
	ualarm(150000, 0);
	CHECK(recv(s[0], into, WHOLE, MSG_WAITALL) == 100000);
	CHECK(memcmp(into, block, 100000) == 0);
	ended(s[0], pid);
}

/*
 * Both on one CPU: a receiver that has less than it wants, though hardly room for more, is woken for another reason (what it
 * sent was read) just before more comes. Neither waits for the other for ever.
 */
static void woken_by_something_else(void)
{
	cpu_set_t all, one;
	int s[2], status;
	pid_t pid;
	char c;

	CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
	CPU_ZERO(&one);
	for (int i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && send(s[0], "a", 1, 0) == 1);
	pid = fork();
	if (!pid) {
		usleep(20000);
		_exit(send(s[1], block, 8192, 0) != 8192 || recv(s[1], &c, 1, 0) != 1 || send(s[1], block + 8192, 8192, 0) != 8192);
	}
	alarm(10);
	CHECK(recv(s[0], into, 10000, MSG_WAITALL) == 10000);
	CHECK(recv(s[0], into + 10000, 6384, MSG_WAITALL) == 6384);
	alarm(0);
	CHECK(memcmp(into, block, 16384) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	close(s[0]);
	close(s[1]);
	sched_setaffinity(0, sizeof(all), &all);
}

/* A copy of the receiver's memory that another process has stays as it is; memory that was never touched is had. */
static void memory_of_all_kinds(void)
{
	unsigned char *fresh = mmap(NULL, WHOLE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int s[2], go[2], status;
	pid_t pid, keeper;

	memset(into, 'a', sizeof(into));
	CHECK(pipe(go) == 0);
	keeper = fork();
	if (!keeper) {
		char c;

		close(go[1]);
		if (read(go[0], &c, 1) != 0)
			_exit(1);
		for (size_t i = 0; i < WHOLE; i++)
			if (into[i] != 'a')
				_exit(1);
		_exit(0);
	}
	close(go[0]);
	pid = sender(s, WHOLE, 250000, 0);
	CHECK(recv(s[0], into, WHOLE, MSG_WAITALL) == WHOLE);
	CHECK(memcmp(into, block, WHOLE) == 0);
	close(go[1]);
	CHECK(waitpid(keeper, &status, 0) == keeper && status == 0);
	ended(s[0], pid);
	pid = sender(s, WHOLE, 250000, 0);
	CHECK(recv(s[0], fresh + 5, WHOLE - 5, MSG_WAITALL) == WHOLE - 5);
	CHECK(memcmp(fresh + 5, block, WHOLE - 5) == 0);
	CHECK(recv(s[0], into, 100, 0) == 5 && memcmp(into, block + WHOLE - 5, 5) == 0);
	ended(s[0], pid);
	munmap(fresh, WHOLE);
}

/* Only half of the receiver's buffer is there: what did not fit is not lost, whichever part of it the call took. */
static void holes(void)
{
	unsigned char *half = mmap(NULL, 32 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int s[2], error;
	pid_t pid;
	ssize_t n, rest;

	munmap(half + 16 * PAGE, 16 * PAGE);
	pid = sender(s, 32 * PAGE, 32 * PAGE, 0);
	n = recv(s[0], half, 32 * PAGE, 0);
	if (n < 0) {
		error = errno;
		CHECK(error == EFAULT);
		n = 0;
	}
	CHECK(n <= 16 * PAGE && memcmp(half, block, (size_t)n) == 0);
	rest = 32 * PAGE - n;
	CHECK(recv(s[0], into, (size_t)rest, MSG_WAITALL) == rest);
	CHECK(memcmp(into, block + n, (size_t)rest) == 0);
	ended(s[0], pid);
}

int main(void)
{
	fill();
	RUN(in_order);
	RUN(all_of_it);
	RUN(woken_by_something_else);
	RUN(interrupted);
	RUN(memory_of_all_kinds);
	RUN(holes);
	return CHECK_RESULT();
}
