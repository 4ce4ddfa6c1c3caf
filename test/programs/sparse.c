/*
 * Memory of which little is used: one page of each 64 KiB of 400 MiB is written, twice, and holds
 * what was written. test/cli/sparse.sh runs it where only the written pages fit.
 */
#include <stdio.h>
#include <sys/mman.h>

#define SIZE (400L << 20)
#define STEP (64L << 10)

int main(void)
{
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	for (int pass = 0; pass < 2; pass++) {
		for (long at = 0; at < SIZE; at += STEP) {
			char value = (char)(at / STEP | 1);

			if (pass && p[at] != value) {
				printf("lost at %ld\n", at);
				return 1;
			}
			p[at] = value;
		}
	}
	puts("ok");
	return 0;
}
