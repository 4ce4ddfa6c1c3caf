/*
 * Programs that end without letting go: one says that it calls exit_group() and stays, all signals blocked, in a loop of
 * the stub's own code, which no end of its memory disturbs. If the stub served another program then, that one would not
 * run, or with registers of the first. On Linux, and where no such stub is, there is nothing to stay in.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "harness.h"
#include "stubcode.h"

#define ROUNDS 20
#define TRIES 40       /* of one attack */
#define AFTER 12     /* programs after each */
#define PLACE 0xc000 /* in the area, where nothing of the stub's is: words that the loop takes for its own */

/* Where the stub looks for its next stretch: behind "xor %ecx, %ecx", mov AREA_SEEN(%rbp), %edx. */
static const uint8_t *find_loop(void)
{
	static const uint8_t bytes[] = {0x31, 0xc9, 0x8b, 0x55, AREA_SEEN};
	const uint8_t *at = stubcode_find(bytes, sizeof(bytes));

	return at ? at + 2 : NULL;
}

/*
 * As forge.c: the frame of a real call becomes exit_group(0) for the sentry, and for the stub the way into the loop, which it
 * takes because it is told that the next stretch has been asked for already.
 */
static void __attribute__((noreturn)) stay(const uint8_t *hand_over, const uint8_t *loop)
{
	*(volatile uint32_t *)(ST_AREA + PLACE + ORD_SPIN) = ~0u; /* look as often as that */
	stubcode_signal_call(SYS_personality, 0xffffffff);

	register const uint8_t *r13 __asm__("r13") = loop, *r14 __asm__("r14") = hand_over;

	__asm__ volatile("movabsq $" TEXT(ST_ORDERS) ", %%rbx\n\t"
			 "movq " TEXT(ORD_FRAME) "(%%rbx), %%rcx\n\t"
			 "movq %%r13, " FRAME(16) "\n\t" /* rip */
			 "movq $231, " FRAME(13) "\n\t"  /* rax: exit_group */
			 "movq $0, " FRAME(8) "\n\t"     /* rdi */
			 "movq $0, " FRAME(14) "\n\t"    /* rcx: looks so far */
			 "movabsq $" TEXT(ST_AREA + PLACE) ", %%rax\n\t"
			 "movq %%rax, " FRAME(10) "\n\t" /* rbp */
			 "movq %%rax, " FRAME(11) "\n\t" /* rbx */
			 "movq $-1, " FRAME_MASK "\n\t"
			 "movl " TEXT(ORD_RUN_GO) "(%%rbx), %%eax\n\t"
			 "decl %%eax\n\t"
			 "movabsq $" TEXT(ST_AREA) ", %%rbp\n\t"
			 "movl %%eax, " TEXT(AREA_SEEN) "(%%rbp)\n\t"
			 "jmp *%%r14"
			 :
			 : "r"(r13), "r"(r14)
			 : "rax", "rbx", "rcx", "memory");
	__builtin_unreachable();
}

static volatile unsigned long place;

/* A child that does something of its own, and whether it came through within ten seconds. */
static void lives(unsigned long i)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		place = i;
		alarm(10);
		_exit(place == i && getppid() > 0 ? (int)(i % 100) : 101);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == (int)(i % 100));
}

/*
 * One that stays. False: it did not come to that. A signal of the machine's (a tick, a kick) between the call and the hand-over leaves
 * a frame of its own where the forged one was, and the attacker ends as it would have; on a slow machine that is no rare thing. Nor is that
 * the call is there and nobody woken to look at it: the sandbox looks when it has something to tell, so that the alarm ends the wait.
 */
static bool attack(const uint8_t *hand_over, const uint8_t *loop)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		alarm(1);
		if (hand_over && loop)
			stay(hand_over, loop);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return status == 0;
}

int main(void)
{
	const uint8_t *hand_over = stubcode_hand_over(), *loop = find_loop();

	if (getenv("REUSE_MUST_RUN")) /* so that the test does not pass because the attack has grown old */
		CHECK(hand_over && loop);
	for (unsigned i = 0; i < ROUNDS && !harness_failures; i++) {
		unsigned tries = 1;

		while (!attack(hand_over, loop) && tries < TRIES && !harness_failures)
			tries++;
		CHECK(tries < TRIES);
		for (unsigned k = 0; k < AFTER && !harness_failures; k++)
			lives(i * AFTER + k);
	}
	puts("done");
	return CHECK_RESULT();
}
