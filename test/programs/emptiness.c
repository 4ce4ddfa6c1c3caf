/*
 * What is huge and nearly empty is gone through at once: the data and the holes of a sparse file (lseek(2)), the pages of a
 * huge mapping (/proc/PID/smaps).
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "harness.h"

#define HUGE_SIZE (1L << 46)
#define MIDDLE (HUGE_SIZE / 2)

static void check_seeks(void)
{
	int fd = memfd_create("sparse", 0);

	CHECK(fd >= 0 && ftruncate(fd, HUGE_SIZE) == 0);
	CHECK_ERRNO(lseek(fd, 0, SEEK_DATA), ENXIO);
	CHECK(lseek(fd, 4097, SEEK_HOLE) == 4097);
	CHECK(pwrite(fd, "a", 1, MIDDLE + 5) == 1);
	CHECK(pwrite(fd, "b", 1, MIDDLE + 4096) == 1);
	CHECK(lseek(fd, 0, SEEK_DATA) == MIDDLE);
	CHECK(lseek(fd, MIDDLE + 7, SEEK_DATA) == MIDDLE + 7);
	CHECK(lseek(fd, 3, SEEK_HOLE) == 3);
	CHECK(lseek(fd, MIDDLE + 1, SEEK_HOLE) == MIDDLE + 8192);
	CHECK_ERRNO(lseek(fd, MIDDLE + 8192, SEEK_DATA), ENXIO);
	CHECK(ftruncate(fd, MIDDLE + 4097) == 0);
	CHECK(lseek(fd, MIDDLE, SEEK_HOLE) == MIDDLE + 4097);
	close(fd);
}

/* KiB of one line of what a file says of the mapping that begins at `at`; 0: of the first; -1: there is none. */
static long kib_of(const char *path, unsigned long at, const char *name)
{
	char line[512];
	long kib = -1;
	bool here = !at;
	FILE *file = fopen(path, "r");

	while (file && kib < 0 && fgets(line, sizeof(line), file)) {
		char *end;
		unsigned long start = strtoul(line, &end, 16);

		if (*end == '-')
			here = !at || start == at;
		else if (here && !strncmp(line, name, strlen(name)))
			kib = strtol(line + strlen(name), NULL, 10);
	}
	if (file)
		fclose(file);
	return kib;
}

static void check_mapping(void)
{
	char *at = mmap(NULL, HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(at != MAP_FAILED && madvise(at, HUGE_SIZE, MADV_NOHUGEPAGE) == 0);
	at[0] = at[MIDDLE] = at[HUGE_SIZE - 1] = 1;
	long rss = kib_of("/proc/self/smaps", (unsigned long)at, "Rss:"); /* some may have been brought in along with the three pages */

	CHECK(rss >= 12 && rss <= 8192);
	CHECK(kib_of("/proc/self/smaps_rollup", 0, "Rss:") >= 12);
	CHECK(munmap(at, HUGE_SIZE) == 0);
}

/* What is locked as it is touched is not brought in: mlock2(2), mlockall(2). */
static void check_locks(void)
{
	unsigned char there[4] = {0};
	char *at = mmap(NULL, sizeof(there) * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *later;

	CHECK(at != MAP_FAILED && mlock2(at, sizeof(there) * 4096, MLOCK_ONFAULT) == 0);
	CHECK(mincore(at, sizeof(there) * 4096, there) == 0 && !((there[0] | there[1] | there[2] | there[3]) & 1));
	if (mlockall(MCL_FUTURE | MCL_ONFAULT))
		return; /* more than may be locked is mapped already */
	later = mmap(NULL, sizeof(there) * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(later != MAP_FAILED && mincore(later, sizeof(there) * 4096, there) == 0 && !((there[0] | there[1] | there[2] | there[3]) & 1));
	CHECK(munlockall() == 0);
}

int main(void)
{
	check_seeks();
	check_locks();
	check_mapping();
	return CHECK_RESULT();
}
