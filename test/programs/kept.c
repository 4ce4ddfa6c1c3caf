/*
 * What children of one program see at an address after another: the same page of a file again and again, changed between,
 * another file's in its place, a private copy, memory of nobody, nothing. A machine that keeps from one child to the
 * next what they map (ring0/hosted/keep.c) must not keep what is no longer there.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "harness.h"

#define PAGE 4096
#define PAGES 8
#define CHILDREN 3

static volatile const char *at = (volatile const char *)0x10000000000;

/* The exit status of children that read a byte of some pages: each the same, or the signal they die of. */
static void children(const char *what)
{
	int first = 0, status;

	for (int i = 0; i < CHILDREN; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit((at[0] + at[5 * PAGE + 900] + at[(PAGES - 1) * PAGE]) & 0x7f);
		CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
		if (i == 0)
			first = status;
		CHECK(status == first);
	}
	printf("%s: %s %d\n", what, WIFEXITED(first) ? "exit" : "signal", WIFEXITED(first) ? WEXITSTATUS(first) : WTERMSIG(first));
	fflush(stdout);
}

static int file_of(const char *name, char value)
{
	static char page[PAGE];
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	memset(page, value, PAGE);
	for (int i = 0; i < PAGES; i++)
		CHECK(write(fd, page, PAGE) == PAGE);
	return fd;
}

static void map(int fd, int prot, int flags)
{
	CHECK(mmap((void *)at, PAGES * PAGE, prot, flags | MAP_FIXED, fd, 0) == (void *)at);
}

int main(void)
{
	int one = open("/bin/bash", O_RDONLY), two = open("/bin/sh", O_RDONLY);

	CHECK(one >= 0 && two >= 0);
	map(one, PROT_READ | PROT_EXEC, MAP_PRIVATE);
	children("a program");
	map(two, PROT_READ | PROT_EXEC, MAP_PRIVATE);
	children("another program");
	map(one, PROT_READ, MAP_PRIVATE);
	children("the first again");
	munmap((void *)at, PAGES * PAGE);
	children("nothing");
	one = file_of("kept-one", 1);
	two = file_of("kept-two", 2);

	map(one, PROT_READ | PROT_EXEC, MAP_PRIVATE);
	children("one file");
	CHECK(pwrite(one, "\x09", 1, 5 * PAGE + 900) == 1);
	children("written to");
	map(two, PROT_READ | PROT_EXEC, MAP_PRIVATE);
	children("another file");
	map(one, PROT_READ, MAP_SHARED);
	children("the first again");
	map(one, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	((volatile char *)at)[5 * PAGE + 900] = 20;
	children("a private copy");
	CHECK(mprotect((void *)at, PAGES * PAGE, PROT_READ) == 0);
	children("read-only");
	CHECK(mprotect((void *)at, PAGES * PAGE, PROT_NONE) == 0);
	children("no rights");
	map(one, PROT_READ, MAP_PRIVATE);
	CHECK(ftruncate(one, PAGE) == 0);
	children("cut off");
	map(-1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS);
	children("zeros");
	map(two, PROT_READ, MAP_PRIVATE);
	children("the other again");
	munmap((void *)at, PAGES * PAGE);
	children("nothing");
	unlink("kept-one");
	unlink("kept-two");
	return CHECK_RESULT();
}
