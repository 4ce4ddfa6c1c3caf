/*
 * A program that knows how systrap's stub hands over, says that it is in pause(), and runs on. Its pages are then
 * taken from it (the file that it has mapped becomes empty) and serve others: nothing that it writes may arrive there.
 * On Linux, and where no such stub is, there is nothing to forge, and pause() is real.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "harness.h"
#include "stubcode.h"

#define PAGE 4096ul
#define SHARED 64ul  /* pages of the file */
#define VICTIM 2048ul /* pages that others get */
#define ROUNDS 6u
#define PATTERN 0x6d656e6573212121ul

/*
 * The frame that a real call left becomes pause() for the sentry and a way to 1: for ourselves; the stub is told that the
 * next stretch has been asked for already. rbx and rbp are what the stub's code wants: orders and area. Then
 * write to the pages for ever.
 */
static void __attribute__((noreturn)) forge(const uint8_t *hand_over, volatile uint64_t *pages)
{
	stubcode_signal_call(SYS_personality, 0xffffffff);

	register uint64_t r12 __asm__("r12") = (uint64_t)pages, r13 __asm__("r13") = PATTERN;
	register const uint8_t *r14 __asm__("r14") = hand_over;

	__asm__ volatile("movabsq $" TEXT(ST_ORDERS) ", %%rbx\n\t"
			 "movq " TEXT(ORD_FRAME) "(%%rbx), %%rcx\n\t" /* the frame to go on from */
			 "leaq 1f(%%rip), %%rax\n\t"
			 "movq %%rax, " FRAME(16) "\n\t" /* rip */
			 "movq $34, " FRAME(13) "\n\t"   /* rax: pause */
			 "movq %%r12, " FRAME(4) "\n\t"
			 "movq %%r13, " FRAME(5) "\n\t"
			 "movl " TEXT(ORD_RUN_GO) "(%%rbx), %%eax\n\t"
			 "decl %%eax\n\t"
			 "movabsq $" TEXT(ST_AREA) ", %%rcx\n\t"
			 "movl %%eax, " TEXT(AREA_SEEN) "(%%rcx)\n\t" /* seen: not what is asked for */
			 "movq %%rcx, %%rbp\n\t"
			 "jmp *%%r14\n"
			 "1:\tmovq %%r12, %%rax\n"
			 "2:\tmovq %%r13, (%%rax)\n\t"
			 "addq $4096, %%rax\n\t"
			 "leaq 262144(%%r12), %%rcx\n\t"
			 "cmpq %%rcx, %%rax\n\t"
			 "jb 2b\n\t"
			 "jmp 1b"
			 :
			 : "r"(r12), "r"(r13), "r"(r14)
			 : "rax", "rbx", "rcx", "memory");
	__builtin_unreachable();
}

static uint64_t milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* It writes without a call: a zero does not last. */
static int runs_on(volatile uint64_t *pages)
{
	uint64_t until = milliseconds() + 50;

	do {
		pages[0] = 0;
		usleep(2000);
	} while (pages[0] != PATTERN && milliseconds() < until);
	return pages[0] == PATTERN;
}

/* Memory that just got free, page by page, serves us; does anybody write to it? */
static void use_what_was_theirs(void)
{
	int fd = (int)syscall(SYS_memfd_create, "ours", 0);
	uint64_t until, *p;
	unsigned long bad = 0;

	CHECK(fd >= 0 && ftruncate(fd, VICTIM * PAGE) == 0);
	p = mmap(NULL, VICTIM * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	for (unsigned long i = 0; i < VICTIM; i++)
		p[i * PAGE / 8] = i;
	for (until = milliseconds() + 50; milliseconds() < until; usleep(1000))
		for (unsigned long i = 0; i < VICTIM; i++)
			bad += p[i * PAGE / 8] != i;
	CHECK(bad == 0);
	munmap(p, VICTIM * PAGE);
	close(fd);
}

/* True: the attack was on. */
static int attack(void)
{
	int fd = (int)syscall(SYS_memfd_create, "theirs", 0), status, on;
	volatile uint64_t *pages;
	pid_t pid;

	CHECK(fd >= 0 && ftruncate(fd, SHARED * PAGE) == 0);
	pages = mmap(NULL, SHARED * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(pages != MAP_FAILED);
	pid = fork();
	if (!pid) {
		const uint8_t *hand_over = stubcode_hand_over();

		for (unsigned long i = 0; i < SHARED; i++)
			pages[i * PAGE / 8] = PATTERN;
		if (hand_over)
			forge(hand_over, pages);
		for (;;)
			pause();
	}
	while (pages[(SHARED - 1) * PAGE / 8] != PATTERN)
		usleep(1000);
	usleep(5000);
	on = runs_on(pages);
	CHECK(ftruncate(fd, 0) == 0);
	use_what_was_theirs();
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	munmap((void *)pages, SHARED * PAGE);
	close(fd);
	return on;
}

int main(void)
{
	unsigned on = 0;

	for (unsigned i = 0; i < ROUNDS; i++)
		on += (unsigned)attack();
	if (getenv("FORGE_MUST_RUN")) /* so that the test does not pass because the attack has grown old */
		CHECK(on > 0);
	puts("done");
	return CHECK_RESULT();
}
