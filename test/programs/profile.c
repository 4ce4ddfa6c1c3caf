/*
 * A profiler's signals (setitimer(2): ITIMER_PROF, ITIMER_VIRTUAL) reach the thread that used the time, not whoever sleeps
 * beside it: the first thread waits for the others, one computes, one sleeps.
 */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/time.h>

#include "harness.h"

#define SIGNALS 30
#define MOST_NS 5000000000ll

static volatile bool over;
static __thread bool computes;
static volatile int there, elsewhere;

static void handler(int signo)
{
	(void)signo;
	if (computes)
		there++;
	else
		elsewhere++;
}

static void *compute(void *arg)
{
	computes = true;
	while (there + elsewhere < SIGNALS && now_ns(CLOCK_THREAD_CPUTIME_ID) < MOST_NS)
		;
	over = true;
	return arg;
}

static void *wait_beside(void *arg)
{
	while (!over)
		sleep_ms(20);
	return arg;
}

static void profile(int which, int signo)
{
	const struct itimerval often = {{0, 5000}, {0, 5000}}, never = {{0, 0}, {0, 0}};
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
	pthread_t thread[2];

	over = false;
	there = elsewhere = 0;
	CHECK(sigaction(signo, &action, NULL) == 0);
	CHECK(setitimer(which, &often, NULL) == 0);
	CHECK(pthread_create(&thread[0], NULL, wait_beside, NULL) == 0);
	CHECK(pthread_create(&thread[1], NULL, compute, NULL) == 0);
	pthread_join(thread[1], NULL);
	CHECK(setitimer(which, &never, NULL) == 0);
	pthread_join(thread[0], NULL);
	CHECK(there + elsewhere >= SIGNALS);
	CHECK(there > 3 * elsewhere);
}

static void of_all_time(void)
{
	profile(ITIMER_PROF, SIGPROF);
}

static void of_the_programs_time(void)
{
	profile(ITIMER_VIRTUAL, SIGVTALRM);
}

int main(void)
{
	RUN(of_all_time);
	RUN(of_the_programs_time);
	return CHECK_RESULT();
}
