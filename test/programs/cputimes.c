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

static void of_self(void)
{
	long long user[3], system[3];
	struct tms tms;

	usage(RUSAGE_SELF, &user[0], &system[0]);
	spend_in_program();
	usage(RUSAGE_SELF, &user[1], &system[1]);
	CHECK(user[1] - user[0] > ENOUGH_NS / 2);
	CHECK(user[1] - user[0] > 2 * (system[1] - system[0]));
	spend_in_kernel();
	usage(RUSAGE_SELF, &user[2], &system[2]);
	CHECK(system[2] - system[1] > ENOUGH_NS / 2);
	CHECK(system[2] - system[1] > 2 * (user[2] - user[1]));
	CHECK(times(&tms) != (clock_t)-1);
	CHECK(tms.tms_stime * 10000000ll > ENOUGH_NS / 2 && tms.tms_utime * 10000000ll > ENOUGH_NS / 2);
	usage(RUSAGE_THREAD, &user[0], &system[0]);
	CHECK(system[0] > ENOUGH_NS / 2 && user[0] > ENOUGH_NS / 2);
}

static void of_a_child(void)
{
	long long user, system;
	unsigned long utime = 0, stime = 0;
	char path[64], text[1024] = "", c;
	int ready[2], go[2];

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
	CHECK(stime * 10000000ll > ENOUGH_NS / 2 && stime > utime);
	close(go[1]);
	CHECK(waitpid(pid, NULL, 0) == pid);
	usage(RUSAGE_CHILDREN, &user, &system);
	CHECK(system > ENOUGH_NS / 2 && system > user);
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
