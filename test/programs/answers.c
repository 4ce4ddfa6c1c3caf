/*
 * Calls that only read something of the caller, made many times from one place: a sandbox may answer them without
 * asking its kernel. What they give must be right at once when somebody else changes it (a parent's setpgid, a thread's
 * setsid), getcpu's pointers must be treated as any call's, and sched_yield must let others run.
 */
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "harness.h"

#define MANY 500
#define PAGE 4096ul
#define PLACE 0x7ffffff00000ul /* no program has anything there: a sandbox might */

static char second; /* its address says so to a thread */

/* One place for all of them, as in a program that is linked statically. */
__attribute__((noinline)) static long ask(long number, long a, long b)
{
	return syscall(number, a, b, 0l);
}

static void heat(void)
{
	for (unsigned i = 0; i < MANY; i++) {
		CHECK(ask(SYS_getpgrp, 77, 78) == ask(SYS_getpgid, 0, 0) && ask(SYS_getpgid, getpid(), 0) == ask(SYS_getpgrp, 0, 0));
		CHECK(ask(SYS_getsid, 0, 5) == ask(SYS_getsid, getpid(), 0));
		CHECK(ask(SYS_sched_yield, 1, 2) == 0);
		CHECK(ask(SYS_getcpu, 0, 0) == 0);
	}
	/* The upper half of a register is no part of a pid_t. */
	CHECK(ask(SYS_getpgid, 1l << 32, 0) == ask(SYS_getpgrp, 0, 0));
	CHECK_ERRNO(ask(SYS_getpgid, -1, 0), ESRCH);
	CHECK_ERRNO(ask(SYS_getsid, 0x7fffffff, 0), ESRCH);
}

static void own_change(void)
{
	heat();
	CHECK(ask(SYS_setsid, 0, 0) == getpid());
	CHECK(ask(SYS_getsid, 0, 0) == getpid() && ask(SYS_getpgid, 0, 0) == getpid() && ask(SYS_getpgrp, 0, 0) == getpid());
}

static void group_change(void)
{
	heat();
	CHECK(ask(SYS_getpgrp, 0, 0) != getpid());
	CHECK(!ask(SYS_setpgid, 0, 0));
	CHECK(ask(SYS_getpgrp, 0, 0) == getpid() && ask(SYS_getpgid, 0, 0) == getpid() && ask(SYS_getsid, 0, 0) != getpid());
}

/* A child that asks without a pause is put into a group by its parent. */
static void change_by_parent(void)
{
	pid_t pid = fork(), before = getpgrp();
	int status;

	if (!pid) {
		while (ask(SYS_getpgrp, 0, 0) == before)
			;
		_exit(ask(SYS_getpgrp, 0, 0) != getpid() || ask(SYS_getpgid, 0, 0) != getpid());
	}
	sleep_ms(30);
	CHECK(!setpgid(pid, 0));
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void *new_session(void *arg)
{
	sleep_ms(30);
	return setsid() == getpid() ? arg : &second;
}

static void change_by_thread(void)
{
	pthread_t thread;
	void *failed;

	CHECK(!pthread_create(&thread, NULL, new_session, NULL));
	while (ask(SYS_getsid, 0, 0) != getpid())
		;
	CHECK(ask(SYS_getpgrp, 0, 0) == getpid() && !pthread_join(thread, &failed) && !failed);
}

static void cpu_pointers(void)
{
	uint32_t *page = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t cpu, node, *end = page + 3 * PAGE / 4;
	const unsigned long bad[] = {1, PLACE - 2, PLACE, PLACE + 0x10000, PLACE + 0x20000, 0x800000000000ul, ~0ul - 3};

	heat();
	for (unsigned i = 0; i < MANY; i++) {
		cpu = node = 77;
		CHECK(!ask(SYS_getcpu, (long)&cpu, (long)&node) && cpu < 4096 && node == 0);
		cpu = node = 77;
		CHECK(!ask(SYS_getcpu, (long)&cpu, 0) && cpu < 4096 && !ask(SYS_getcpu, 0, (long)&node) && node == 0);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_ERRNO(ask(SYS_getcpu, (long)bad[i], 0), EFAULT);
		CHECK_ERRNO(ask(SYS_getcpu, 0, (long)bad[i]), EFAULT);
		CHECK_ERRNO(ask(SYS_getcpu, (long)&cpu, (long)bad[i]), EFAULT);
	}
	/* Untouched memory, and over the edge of a page into the next. */
	CHECK(page != MAP_FAILED);
	page[PAGE / 4] = 99;
	CHECK(!ask(SYS_getcpu, (long)page + (long)PAGE - 2, (long)(page + 2 * PAGE / 4)) && page[2 * PAGE / 4] == 0);
	CHECK(page[PAGE / 4] <= 0xffff); /* half of it was overwritten */
	CHECK(!mprotect(page + PAGE / 4, PAGE, PROT_READ));
	CHECK_ERRNO(ask(SYS_getcpu, (long)(page + PAGE / 4), 0), EFAULT);
	CHECK_ERRNO(ask(SYS_getcpu, 0, (long)end), EFAULT);
	munmap(page, 3 * PAGE);
}

/* Where it runs is what getcpu says, after each move. */
static void cpu_moves(void)
{
	cpu_set_t all, one;

	heat();
	CHECK(!sched_getaffinity(0, sizeof(all), &all));
	for (int i = 0; i < 8; i++) {
		uint32_t cpu = 77;

		if (!CPU_ISSET(i, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		CHECK(!sched_setaffinity(0, sizeof(one), &one));
		CHECK(!ask(SYS_getcpu, (long)&cpu, 0) && cpu == (uint32_t)i);
	}
	CHECK(!sched_setaffinity(0, sizeof(all), &all));
}

#define TURNS 1000u
static volatile unsigned turn, yields_made;

static void *take_turns(void *arg)
{
	unsigned mine = arg != NULL;

	while (turn < TURNS)
		if (turn % 2 == mine)
			turn++;
		else
			yields_made += !ask(SYS_sched_yield, 0, 0);
	return NULL;
}

static void use_one_cpu(void)
{
	cpu_set_t one;
	int first = 0;

	CHECK(!sched_getaffinity(0, sizeof(one), &one));
	while (!CPU_ISSET(first, &one))
		first++;
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	CHECK(!sched_setaffinity(0, sizeof(one), &one));
}

/* On one CPU a yield is what hands over: one that did not would be made thousands of times in a slice. */
static void yields(void)
{
	pthread_t thread;

	heat();
	use_one_cpu();
	CHECK(!pthread_create(&thread, NULL, take_turns, &second));
	take_turns(NULL);
	CHECK(!pthread_join(thread, NULL) && yields_made < 50 * TURNS);
}

static volatile unsigned woken;

static void *set_flag(void *arg)
{
	sleep_ms(20);
	woken = 1;
	return arg;
}

/* A task that comes to this CPU while another yields without end there. */
static void yields_to_the_woken(void)
{
	pthread_t thread;

	use_one_cpu();
	for (unsigned i = 0; i < 5; i++) {
		woken = 0;
		CHECK(!pthread_create(&thread, NULL, set_flag, NULL));
		while (!woken)
			ask(SYS_sched_yield, 0, 0);
		CHECK(!pthread_join(thread, NULL));
	}
}

int main(void)
{
	harness_start();
	RUN(heat);
	ISOLATED(own_change);
	ISOLATED(group_change);
	RUN(change_by_parent);
	ISOLATED(change_by_thread);
	RUN(cpu_pointers);
	RUN(cpu_moves);
	ISOLATED(yields);
	ISOLATED(yields_to_the_woken);
	puts("done");
	return CHECK_RESULT();
}
