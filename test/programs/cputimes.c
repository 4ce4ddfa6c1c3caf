/*
 * CPU time is told apart by where it is spent: in the program, or in the kernel on its behalf (getrusage(2), times(2),
 * /proc/PID/stat). Loops end by their own measure, so a slow machine takes longer and says the same.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/times.h>

#include "harness.h"

#define ENOUGH_NS 150000000ll
#define TRIES 6

static long long ns_of(struct timeval t)
{
	return t.tv_sec * 1000000000ll + t.tv_usec * 1000ll;
}

static void usage(int who, long long *user, long long *system)
{
	struct rusage r;

	CHECK(getrusage(who, &r) == 0);
	*user = ns_of(r.ru_utime);
	*system = ns_of(r.ru_stime);
}

static void spend_in_program(void)
{
	long long begin = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	volatile unsigned sum = 0;

	do {
		for (unsigned i = 0; i < 2000000; i++)
			sum += i;
	} while (now_ns(CLOCK_PROCESS_CPUTIME_ID) - begin < ENOUGH_NS);
}

static void spend_in_kernel(void)
{
	long long begin = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	int fd = open("/dev/urandom", O_RDONLY);
	size_t size = 1 << 20; /* to fill it is the program's own time */
	char *buffer = malloc(size);

	memset(buffer, 1, size);
	do {
		CHECK(read(fd, buffer, size) == (ssize_t)size);
	} while (now_ns(CLOCK_PROCESS_CPUTIME_ID) - begin < ENOUGH_NS);
	free(buffer);
	close(fd);
}

/* What others take of this CPU counts as run wherever it was taken: on a busy machine not each try is as it should be. */
static bool spends(void (*spend)(void), bool in_kernel)
{
	long long user[2], system[2];

	for (unsigned i = 0; i < TRIES; i++) {
		usage(RUSAGE_SELF, &user[0], &system[0]);
		spend();
		usage(RUSAGE_SELF, &user[1], &system[1]);
		long long here = in_kernel ? system[1] - system[0] : user[1] - user[0];
		long long there = in_kernel ? user[1] - user[0] : system[1] - system[0];

		if (here > ENOUGH_NS / 2 && here > 2 * there)
			return true;
	}
	return false;
}

static void of_self(void)
{
	long long user, system;
	struct tms tms;

	CHECK(spends(spend_in_program, false));
	CHECK(spends(spend_in_kernel, true));
	CHECK(times(&tms) != (clock_t)-1);
	CHECK(tms.tms_stime * 10000000ll > ENOUGH_NS / 2 && tms.tms_utime * 10000000ll > ENOUGH_NS / 2);
	usage(RUSAGE_THREAD, &user, &system);
	CHECK(system > ENOUGH_NS / 2 && user > ENOUGH_NS / 2);
}

/* Whether a child's time is the kernel's, by /proc while it lives and by getrusage(2) after it. */
static bool child_spends_in_kernel(void)
{
	long long before[2], user, system;
	unsigned long utime = 0, stime = 0;
	char path[64], text[1024] = "", c;
	int ready[2], go[2];

	usage(RUSAGE_CHILDREN, &before[0], &before[1]);
	CHECK(pipe(ready) == 0 && pipe(go) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(go[1]);
		spend_in_kernel();
		c = 'x';
		_exit(write(ready[1], &c, 1) != 1 || read(go[0], &c, 1) != 0);
	}
	CHECK(read(ready[0], &c, 1) == 1);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY);
	CHECK(read(fd, text, sizeof(text) - 1) > 0);
	CHECK(sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &utime, &stime) == 2);
	close(fd);
	close(go[1]);
	CHECK(waitpid(pid, NULL, 0) == pid);
	close(ready[0]);
	close(ready[1]);
	close(go[0]);
	usage(RUSAGE_CHILDREN, &user, &system);
	user -= before[0];
	system -= before[1];
	return stime * 10000000ll > ENOUGH_NS / 2 && stime > utime && system > ENOUGH_NS / 2 && system > user;
}

static void of_a_child(void)
{
	unsigned tries = 1;

	while (!child_spends_in_kernel() && tries < TRIES)
		tries++;
	CHECK(tries < TRIES);
}

/* Others go in and out of the kernel meanwhile, and wait for each other there: no part of the time steps back. */
static volatile bool over;

static void *go_in_and_out(void *arg)
{
	while (!over)
		close(-1);
	return arg;
}

static void never_goes_back(void)
{
	long long begin = now_ns(CLOCK_PROCESS_CPUTIME_ID), user, system, before[2] = {0, 0};
	unsigned back = 0;
	pthread_t threads[2];

	for (unsigned i = 0; i < 2; i++)
		CHECK(pthread_create(&threads[i], NULL, go_in_and_out, NULL) == 0);
	do {
		usage(RUSAGE_SELF, &user, &system);
		back += user < before[0] || system < before[1];
		before[0] = user;
		before[1] = system;
	} while (now_ns(CLOCK_PROCESS_CPUTIME_ID) - begin < 4 * ENOUGH_NS);
	over = true;
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	CHECK(back == 0);
}

int main(void)
{
	harness_start();
	RUN(of_self);
	RUN(of_a_child);
	RUN(never_goes_back);
	return CHECK_RESULT();
}
