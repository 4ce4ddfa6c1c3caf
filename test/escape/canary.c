/*
 * Holds a canary in memory, as a neighbour of what memory.c runs in: in a sandbox of its own, or as a process of the host.
 *
 * canary FIRST SECOND: two 64-bit words in hex, masked with CANARY_MASK, that fill pages, a file, a pipe and the vector registers.
 * Prints "holds PID ADDRESS" and then, until its standard input ends, has children fill more pages and end, so that
 * pages with the canary go back to whoever gives them out. Ends with 0 if what it holds is as it was.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "canary.h"

#define HELD (16ul << 20)
#define PASSING (32ul << 20)

static uint64_t words[2];

static uint64_t *fill(size_t size)
{
	uint64_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(2);
	for (size_t i = 0; i < size / 8; i++)
		p[i] = words[i & 1];
	return p;
}

/* A child's pages are freed with its end. */
static void pass(void)
{
	pid_t child = fork();

	if (child == 0) {
		fill(PASSING);
		_exit(0);
	}
	if (child < 0 || waitpid(child, NULL, 0) != child)
		exit(2);
}

int main(int argc, char **argv)
{
	struct pollfd in = {.fd = 0, .events = POLLIN};
	char template[] = "/tmp/canary-XXXXXX", c;
	uint64_t *held;
	int ends[2], fd;

	if (argc != 3 || pipe(ends) < 0)
		return 2;
	for (int i = 0; i < 2; i++)
		words[i] = strtoull(argv[1 + i], NULL, 16) ^ CANARY_MASK;
	held = fill(HELD);
	fd = mkstemp(template);
	if (fd < 0 || unlink(template) < 0 || write(fd, held, 1 << 20) != 1 << 20 || write(ends[1], held, 32768) != 32768)
		return 2;
	__asm__ volatile("movups %0, %%xmm0; movups %0, %%xmm7; movups %0, %%xmm15" ::"m"(*held) : "xmm0", "xmm7", "xmm15");
	printf("holds %d %lx\n", getpid(), (unsigned long)held);
	fflush(stdout);
	while (poll(&in, 1, 200) == 0 || (in.revents & POLLIN && read(0, &c, 1) == 1))
		pass();
	for (size_t i = 0; i < HELD / 8; i++)
		if (held[i] != words[i & 1])
			return 1;
	return 0;
}
