/*
 * Memory in more pieces than a process of the host may have: pages read at random over an area of a million,
 * rights that change from page to page, a hundred thousand areas of one page (each second is written to), and a child that has all of it.
 * Nothing of this is much for Linux, which sees few areas or a page table; a sandbox may hold each piece in a
 * mapping of its own and has to stay below the host's limit.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "harness.h"

#define PAGE 4096ul
#define WIDE (1ul << 20) /* pages of the area that is read */
#define STRIPED 16384ul  /* pages whose rights alternate */
#define SINGLE 100000ul  /* areas of one page */

static uint8_t *wide, *striped, *single;
static sigjmp_buf back;

static uint8_t *map(unsigned long pages, void *at)
{
	uint8_t *p = mmap(at, pages * PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED : 0), -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

/* Each page once, in an order that never stays near. */
static unsigned long scattered(unsigned long i, unsigned long pages)
{
	return (i * 611953 + 12345) % pages;
}

static void read_wide(void)
{
	unsigned long bad = 0;

	wide = map(WIDE, NULL);
	for (unsigned long i = 0; i < WIDE; i++)
		bad += wide[scattered(i, WIDE) * PAGE + i % PAGE] != 0;
	CHECK(bad == 0);
}

static void jump_back(int signo)
{
	siglongjmp(back, 1);
}

static int can_write(volatile uint8_t *at)
{
	if (sigsetjmp(back, 1))
		return 0;
	*at = *at;
	return 1;
}

static void stripe(void)
{
	unsigned long bad = 0;

	striped = map(STRIPED, NULL);
	for (unsigned long i = 0; i < STRIPED; i++)
		striped[i * PAGE] = (uint8_t)i;
	for (unsigned long i = 0; i < STRIPED; i += 2)
		bad += mprotect(striped + i * PAGE, PAGE, PROT_READ) != 0;
	CHECK(bad == 0);
	signal(SIGSEGV, jump_back);
	for (unsigned long i = 0; i < STRIPED; i++) {
		unsigned long at = scattered(i, STRIPED);

		bad += striped[at * PAGE] != (uint8_t)at;
		if (i % 16 == 0)
			bad += can_write(striped + at * PAGE) != (int)(at & 1);
	}
	signal(SIGSEGV, SIG_DFL);
	CHECK(bad == 0);
}

static void map_singles(void)
{
	unsigned long bad = 0;

	single = map(SINGLE, NULL);
	munmap(single, SINGLE * PAGE);
	for (unsigned long i = 0; i < SINGLE; i++) {
		uint8_t *p = map(1, single + scattered(i, SINGLE) * PAGE);

		if (p != MAP_FAILED && i % 2)
			p[i % PAGE] = (uint8_t)(i % 251 + 1);
	}
	for (unsigned long i = 1; i < SINGLE; i += 2)
		bad += single[scattered(i, SINGLE) * PAGE + i % PAGE] != i % 251 + 1;
	CHECK(bad == 0);
}

/* Some of all in another process. */
static unsigned long look(void)
{
	unsigned long bad = 0;

	for (unsigned long i = 0; i < WIDE; i += 256)
		bad += wide[scattered(i, WIDE) * PAGE] != 0;
	for (unsigned long i = 0; i < STRIPED; i += 16)
		bad += striped[i * PAGE] != (uint8_t)i;
	for (unsigned long i = 1; i < SINGLE; i += 16)
		bad += single[scattered(i, SINGLE) * PAGE + i % PAGE] != i % 251 + 1;
	return bad;
}

static void look_in_child(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		single[0] ^= 1; /* its own from here */
		single[0] ^= 1;
		_exit(look() ? 1 : 0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(look() == 0);
}

int main(void)
{
	read_wide();
	stripe();
	map_singles();
	look_in_child();
	CHECK(munmap(wide, WIDE * PAGE) == 0);
	CHECK(munmap(single, SINGLE * PAGE) == 0);
	CHECK(striped[PAGE] == 1);
	puts("done");
	return CHECK_RESULT();
}
