/*
 * The vector and x87 registers belong to a thread: they survive preemption, sleeping, signals, fork
 * and the work of other threads that use them too; a new program starts with them clear.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/time.h>

#include "harness.h"

typedef uint64_t wide __attribute__((vector_size(16)));

static volatile sig_atomic_t ticks;

/* Fills all sixteen registers from a seed, does `steps` steps of nothing, and compares. Without calls in between. */
static int registers_hold(uint64_t seed, long steps)
{
	wide in[16], out[16];

	for (int i = 0; i < 16; i++)
		in[i] = (wide){seed * 31 + (uint64_t)i, ~seed ^ (uint64_t)i << 32};
	__asm__ volatile("movdqa 0(%0), %%xmm0; movdqa 16(%0), %%xmm1; movdqa 32(%0), %%xmm2; movdqa 48(%0), %%xmm3;"
			 "movdqa 64(%0), %%xmm4; movdqa 80(%0), %%xmm5; movdqa 96(%0), %%xmm6; movdqa 112(%0), %%xmm7;"
			 "movdqa 128(%0), %%xmm8; movdqa 144(%0), %%xmm9; movdqa 160(%0), %%xmm10; movdqa 176(%0), %%xmm11;"
			 "movdqa 192(%0), %%xmm12; movdqa 208(%0), %%xmm13; movdqa 224(%0), %%xmm14; movdqa 240(%0), %%xmm15;"
			 "1: dec %2; jnz 1b;"
			 "movdqa %%xmm0, 0(%1); movdqa %%xmm1, 16(%1); movdqa %%xmm2, 32(%1); movdqa %%xmm3, 48(%1);"
			 "movdqa %%xmm4, 64(%1); movdqa %%xmm5, 80(%1); movdqa %%xmm6, 96(%1); movdqa %%xmm7, 112(%1);"
			 "movdqa %%xmm8, 128(%1); movdqa %%xmm9, 144(%1); movdqa %%xmm10, 160(%1); movdqa %%xmm11, 176(%1);"
			 "movdqa %%xmm12, 192(%1); movdqa %%xmm13, 208(%1); movdqa %%xmm14, 224(%1); movdqa %%xmm15, 240(%1)"
		::"r"(in), "r"(out), "r"(steps)
		: "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
		"xmm12", "xmm13", "xmm14", "xmm15");
	return memcmp(in, out, sizeof(in)) == 0;
}

static void *spin(void *argument)
{
	uint64_t seed = (uint64_t)(uintptr_t)argument;
	long bad = 0;

	for (int i = 0; i < 30; i++) {
		bad += !registers_hold(seed + (uint64_t)i, 200000);
		if (i % 8 == 0)
			sched_yield();
	}
	return (void *)bad;
}

/* A handler that leaves other values in every register that it can reach. */
static void on_tick(int number)
{
	(void)number;
	ticks++;
	if (!registers_hold(0xdead0000u + (uint64_t)ticks, 10))
		harness_failures++;
}

static void test_threads(void)
{
	pthread_t threads[6];

	for (uintptr_t i = 0; i < 6; i++)
		CHECK(pthread_create(&threads[i], NULL, spin, (void *)(i * 1000 + 7)) == 0);
	for (int i = 0; i < 6; i++) {
		void *bad = NULL;
		CHECK(pthread_join(threads[i], &bad) == 0 && bad == NULL);
	}
}

static void test_signals(void)
{
	struct itimerval every = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
	struct sigaction action = {.sa_handler = on_tick};
	int bad = 0;

	CHECK(sigaction(SIGALRM, &action, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
	for (int i = 0; i < 2000 && ticks < 20; i++)
		bad += !registers_hold((uint64_t)i, 300000);
	CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
	CHECK(bad == 0 && ticks >= 20);
}

/* The control words are inherited by fork, and a handler starts with the defaults of a new program. */
static void test_control(void)
{
	uint32_t mxcsr, wanted = 0x1f80 | 3u << 13, got = 0;
	uint16_t control = 0x0c7f, got_control = 0;
	int status = 0;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	CHECK((mxcsr & ~0x3fu) == 0x1f80);
	__asm__ volatile("ldmxcsr %0; fldcw %1" ::"m"(wanted), "m"(control));
	pid_t pid = fork();
	if (pid == 0) {
		sched_yield();
		__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(got), "=m"(got_control));
		_exit(got == wanted && got_control == control ? 0 : 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(got), "=m"(got_control));
	CHECK(got == wanted && got_control == control);
	__asm__ volatile("ldmxcsr %0; fninit" ::"m"(mxcsr));
}

int main(int argc, char **argv)
{
	if (argc > 1) { /* after exec: everything is as at the start of a program */
		uint32_t mxcsr;
		uint16_t control;

		__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(control));
		return (mxcsr & ~0x3fu) == 0x1f80 && control == 0x37f ? CHECK_RESULT() : 2;
	}
	test_threads();
	test_signals();
	test_control();
	if (CHECK_RESULT())
		return 1;
	uint32_t odd = 0x1f80 | 1u << 15;
	uint16_t control = 0x0c7f;
	__asm__ volatile("ldmxcsr %0; fldcw %1" ::"m"(odd), "m"(control));
	execl("/proc/self/exe", argv[0], "again", (char *)NULL);
	return 3;
}
