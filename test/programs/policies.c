/*
 * Memory policies of a machine with one node: set_mempolicy, get_mempolicy, mbind, set_mempolicy_home_node,
 * migrate_pages, move_pages; areas that are split and joined by policy; /proc/PID/numa_maps; /sys/devices/system/node.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "harness.h"

#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450
#endif
#define PAGE 4096ul
#define NODES 1024 /* of a mask, as distributions build it */

typedef unsigned long mask_t;

static const mask_t node0 = 1, node1 = 2, both = 3, none;

static long set_policy(int mode, const mask_t *mask, unsigned long max)
{
	return syscall(SYS_set_mempolicy, mode, mask, max);
}

static long get_policy(int *mode, mask_t *mask, unsigned long max, void *address, unsigned long flags)
{
	return syscall(SYS_get_mempolicy, mode, mask, max, address, flags);
}

static long bind_range(void *at, unsigned long length, int mode, const mask_t *mask, unsigned long max, unsigned flags)
{
	return syscall(SYS_mbind, at, length, mode, mask, max, flags);
}

static long home_node(void *at, unsigned long length, unsigned long node, unsigned long flags)
{
	return syscall(SYS_set_mempolicy_home_node, at, length, node, flags);
}

static long move_pages(int pid, unsigned long count, void **pages, const int *nodes, int *status, int flags)
{
	return syscall(SYS_move_pages, pid, count, pages, nodes, status, flags);
}

static char *area(unsigned long pages)
{
	char *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(at != MAP_FAILED);
	return at;
}

/* The task's policy, or that at an address, is this mode and these nodes. */
static int is_policy(void *address, int mode, mask_t nodes)
{
	mask_t mask[NODES / 64];
	int got = -1;

	memset(mask, 0x55, sizeof(mask));
	if (get_policy(&got, mask, NODES + 1, address, address ? MPOL_F_ADDR : 0)) {
		printf("errno %d\n", errno);
		return 0;
	}
	if (got != mode || mask[0] != nodes || mask[1] || mask[NODES / 64 - 1])
		printf("mode %#x nodes %#lx\n", got, mask[0]);
	return got == mode && mask[0] == nodes && !mask[1] && !mask[NODES / 64 - 1];
}

/* How many areas of the map lie in the range, and it whole. */
static int areas_in(const char *start, const char *end)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long from, to, covered = 0;
	char line[512];
	int count = 0;

	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx", &from, &to) == 2 && from >= (uintptr_t)start && to <= (uintptr_t)end) {
			covered += to - from;
			count++;
		}
	fclose(f);
	return covered == (unsigned long)(end - start) ? count : -1;
}

/* The line of numa_maps for the area that begins there holds the text. */
static int numa_line_has(const char *path, const void *start, const char *text)
{
	char line[1024], want[32];
	FILE *f = fopen(path, "r");
	int found = 0, seen = 0;

	if (!f)
		return 0;
	snprintf(want, sizeof(want), "%08lx ", (unsigned long)start);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, want, strlen(want))) {
			seen = 1;
			found |= strstr(line, text) != NULL;
			if (!found)
				fputs(line, stdout);
		}
	if (!seen)
		printf("no line at %p\n", start);
	fclose(f);
	return found;
}

static int numa_has(const void *start, const char *text)
{
	return numa_line_has("/proc/self/numa_maps", start, text);
}

/* Every mode with every flag and a few masks: the line that comes out is the same everywhere. */
static void modes(void)
{
	static const int flags[] = {0, MPOL_F_STATIC_NODES, MPOL_F_RELATIVE_NODES, MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES,
		MPOL_F_NUMA_BALANCING, MPOL_F_NUMA_BALANCING | MPOL_F_STATIC_NODES, 1 << 12, 1 << 16};
	const mask_t *masks[] = {&none, &node0, &node1, &both};

	for (int mode = 0; mode < MPOL_MAX; mode++)
		for (unsigned f = 0; f < sizeof(flags) / sizeof(*flags); f++)
			for (unsigned m = 0; m < 4; m++) {
				char *at = area(4);
				mask_t got[NODES / 64] = {0};
				int kind = -1;
				long set, bound;

				set_policy(MPOL_DEFAULT, NULL, 0);
				errno = 0;
				set = set_policy(mode | flags[f], masks[m], 65);
				printf("set %d %#x %u: %ld %d;", mode, flags[f], m, set, errno);
				get_policy(&kind, got, NODES, NULL, 0);
				printf(" %#x %#lx; ", kind, got[0]);
				set_policy(MPOL_DEFAULT, NULL, 0);
				errno = 0;
				bound = bind_range(at, PAGE, mode | flags[f], masks[m], 65, 0);
				printf(" bind %ld %d;", bound, errno);
				get_policy(&kind, got, NODES, at, MPOL_F_ADDR);
				printf(" %#x %#lx\n", kind, got[0]);
				munmap(at, 4 * PAGE);
			}
	CHECK_ERRNO(set_policy(-1, NULL, 0), EINVAL);
	CHECK_ERRNO(set_policy(100, &node0, 2), EINVAL);
	CHECK(set_policy(MPOL_DEFAULT, NULL, 0) == 0);
}

static void masks(void)
{
	mask_t big[8192 / 8];
	char *at = area(2);

	memset(big, 0, sizeof(big));
	big[0] = 1;
	/* One less than is said. */
	CHECK_ERRNO(set_policy(MPOL_BIND, big, 1), EINVAL);
	CHECK(set_policy(MPOL_BIND, big, 2) == 0);
	CHECK(is_policy(NULL, MPOL_BIND, 1));
	CHECK_ERRNO(set_policy(MPOL_BIND, big, 0), EINVAL);
	CHECK(set_policy(MPOL_BIND, big, 8 * PAGE + 1) == 0);
	CHECK_ERRNO(set_policy(MPOL_BIND, big, 8 * PAGE + 2), EINVAL);
	CHECK_ERRNO(set_policy(MPOL_BIND, big, -1), EINVAL);
	/* Beyond what a kernel can have there may only be zeros. */
	big[NODES / 64] = 1;
	CHECK_ERRNO(set_policy(MPOL_BIND, big, NODES + 2), EINVAL);
	CHECK(set_policy(MPOL_BIND, big, NODES + 1) == 0);
	big[NODES / 64] = 2; /* which is looked for by words */
	CHECK_ERRNO(set_policy(MPOL_BIND, big, NODES + 2), EINVAL);
	big[NODES / 64] = 0;
	big[8 * PAGE / 64 - 1] = 1ul << 63;
	CHECK_ERRNO(set_policy(MPOL_BIND, big, 8 * PAGE + 1), EINVAL);
	CHECK_ERRNO(set_policy(MPOL_BIND, big, 8 * PAGE), EINVAL);
	/* A node that is not there is left out, and alone it is nothing. */
	big[0] = 5;
	CHECK(set_policy(MPOL_INTERLEAVE, big, 65) == 0);
	CHECK(is_policy(NULL, MPOL_INTERLEAVE, 1));
	big[0] = 0;
	big[3] = 1;
	CHECK_ERRNO(set_policy(MPOL_INTERLEAVE, big, NODES), EINVAL);
	CHECK_ERRNO(set_policy(MPOL_BIND, (mask_t *)8, 65), EFAULT);
	CHECK_ERRNO(set_policy(MPOL_BIND, (mask_t *)-8, 65), EFAULT);
	CHECK_ERRNO(set_policy(MPOL_BIND, NULL, 65), EINVAL);
	CHECK_ERRNO(bind_range(at, PAGE, MPOL_BIND, (mask_t *)8, 65, 0), EFAULT);
	CHECK(is_policy(NULL, MPOL_INTERLEAVE, 1)); /* what failed changed nothing */
	CHECK(set_policy(MPOL_DEFAULT, NULL, 0) == 0);
	CHECK(is_policy(NULL, MPOL_DEFAULT, 0));
	munmap(at, 2 * PAGE);
}

static void asked(void)
{
	mask_t mask[PAGE / 4];
	char *at = area(4), *closed = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int mode = -1;

	/* Of the task. */
	CHECK(get_policy(NULL, NULL, 0, NULL, 0) == 0);
	CHECK(get_policy(&mode, NULL, 0, NULL, 0) == 0 && mode == MPOL_DEFAULT);
	CHECK_ERRNO(get_policy(&mode, mask, 0, NULL, 0), EINVAL);
	mask[0] = 99;
	CHECK(get_policy(&mode, mask, 1, NULL, 0) == 0 && mask[0] == 99);
	CHECK(get_policy(&mode, mask, 2, NULL, 0) == 0 && mask[0] == 0);
	CHECK_ERRNO(get_policy(&mode, NULL, 0, at, 0), EINVAL);
	CHECK_ERRNO(get_policy(&mode, NULL, 0, NULL, 8), EINVAL);
	CHECK_ERRNO(get_policy((int *)8, NULL, 0, NULL, 0), EFAULT);
	CHECK_ERRNO(get_policy(&mode, (mask_t *)8, 64, NULL, 0), EFAULT);
	/* What is behind the kernel's nodes is cleared, up to a page. */
	memset(mask, 0xff, sizeof(mask));
	CHECK(get_policy(&mode, mask, 8 * PAGE + 1, NULL, 0) == 0);
	CHECK(mask[0] == 0 && mask[PAGE / 8 - 1] == 0 && mask[PAGE / 8] == ~0ul);
	CHECK_ERRNO(get_policy(&mode, mask, 8 * PAGE + 2, NULL, 0), EINVAL);
	/* What it may have. */
	CHECK(get_policy(&mode, mask, NODES, NULL, MPOL_F_MEMS_ALLOWED) == 0 && mode == 0 && mask[0] == 1);
	CHECK_ERRNO(get_policy(&mode, mask, NODES, NULL, MPOL_F_MEMS_ALLOWED | MPOL_F_ADDR), EINVAL);
	CHECK_ERRNO(get_policy(&mode, mask, NODES, NULL, MPOL_F_MEMS_ALLOWED | MPOL_F_NODE), EINVAL);
	CHECK(get_policy(&mode, mask, NODES, at, MPOL_F_MEMS_ALLOWED) == 0);
	/* The node that comes next, or that a page is on. */
	CHECK_ERRNO(get_policy(&mode, NULL, 0, NULL, MPOL_F_NODE), EINVAL);
	CHECK(set_policy(MPOL_INTERLEAVE, &node0, 65) == 0);
	mode = -1;
	CHECK(get_policy(&mode, NULL, 0, NULL, MPOL_F_NODE) == 0 && mode == 0);
	CHECK(set_policy(MPOL_BIND, &node0, 65) == 0);
	CHECK_ERRNO(get_policy(&mode, NULL, 0, NULL, MPOL_F_NODE), EINVAL);
	at[0] = 1;
	mode = -1;
	CHECK(get_policy(&mode, NULL, 0, at, MPOL_F_NODE | MPOL_F_ADDR) == 0 && mode == 0);
	CHECK(get_policy(&mode, NULL, 0, at + 2 * PAGE + 5, MPOL_F_NODE | MPOL_F_ADDR) == 0 && mode == 0);
	CHECK_ERRNO(get_policy(&mode, NULL, 0, closed, MPOL_F_NODE | MPOL_F_ADDR), EFAULT);
	CHECK_ERRNO(get_policy(&mode, NULL, 0, NULL, MPOL_F_NODE | MPOL_F_ADDR), EFAULT);
	CHECK_ERRNO(get_policy(&mode, NULL, 0, (void *)-1, MPOL_F_ADDR), EFAULT);
	/* An area without one of its own has none, whatever the task has. */
	CHECK(is_policy(at, MPOL_DEFAULT, 0));
	CHECK(set_policy(MPOL_DEFAULT, NULL, 0) == 0);
	munmap(closed, PAGE);
	munmap(at, 4 * PAGE);
}

static void ranges(void)
{
	char *at = area(8), *end = at + 8 * PAGE;

	mprotect(at - PAGE, 0, PROT_NONE);
	CHECK(mprotect(at, PAGE, PROT_READ) == 0); /* so that they join nothing around */
	CHECK(mprotect(end - PAGE, PAGE, PROT_READ) == 0);
	CHECK(areas_in(at + PAGE, end - PAGE) == 1);
	CHECK(bind_range(at + 3 * PAGE, PAGE, MPOL_BIND, &node0, 65, 0) == 0);
	CHECK(areas_in(at + PAGE, end - PAGE) == 3);
	CHECK(is_policy(at + 3 * PAGE, MPOL_BIND, 1));
	CHECK(is_policy(at + 2 * PAGE, MPOL_DEFAULT, 0));
	CHECK(is_policy(at + 4 * PAGE, MPOL_DEFAULT, 0));
	CHECK(numa_has(at + 3 * PAGE, " bind:0"));
	CHECK(numa_has(at + 4 * PAGE, " default"));
	/* Equal ones join, and others do not. */
	CHECK(bind_range(at + 4 * PAGE, 2 * PAGE, MPOL_BIND, &node0, 65, 0) == 0);
	CHECK(areas_in(at + PAGE, end - PAGE) == 3);
	CHECK(bind_range(at + 4 * PAGE, PAGE, MPOL_BIND | MPOL_F_STATIC_NODES, &node0, 65, 0) == 0);
	CHECK(areas_in(at + PAGE, end - PAGE) == 5);
	CHECK(numa_has(at + 4 * PAGE, " bind=static:0"));
	CHECK(bind_range(at + 4 * PAGE, PAGE, MPOL_PREFERRED_MANY | MPOL_F_RELATIVE_NODES, &both, 65, 0) == 0);
	CHECK(numa_has(at + 4 * PAGE, " prefer (many)=relative:0"));
	CHECK(bind_range(at + 4 * PAGE, PAGE, MPOL_LOCAL, NULL, 0, 0) == 0);
	CHECK(numa_has(at + 4 * PAGE, " local"));
	CHECK(bind_range(at + 4 * PAGE, PAGE, MPOL_PREFERRED, &node0, 65, 0) == 0);
	CHECK(numa_has(at + 4 * PAGE, " prefer:0"));
	CHECK(bind_range(at + 4 * PAGE, PAGE, MPOL_INTERLEAVE, &node0, 65, 0) == 0);
	CHECK(numa_has(at + 4 * PAGE, " interleave:0"));
	CHECK(bind_range(at, 8 * PAGE, MPOL_DEFAULT, NULL, 0, 0) == 0);
	CHECK(areas_in(at + PAGE, end - PAGE) == 1);
	/* A new area beside one with a policy does not join it, and what grows keeps its own. */
	CHECK(bind_range(at + PAGE, 6 * PAGE, MPOL_BIND, &node0, 65, 0) == 0);
	CHECK(munmap(at + 4 * PAGE, PAGE) == 0);
	CHECK(mmap(at + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at + 4 * PAGE);
	CHECK(is_policy(at + 4 * PAGE, MPOL_DEFAULT, 0));
	CHECK(is_policy(at + 5 * PAGE, MPOL_BIND, 1));
	at[3 * PAGE] = 7;
	CHECK(mprotect(at + 3 * PAGE, PAGE, PROT_READ) == 0 && is_policy(at + 3 * PAGE, MPOL_BIND, 1));
	char *moved = mremap(at + 3 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	CHECK(moved != MAP_FAILED && moved != at + 3 * PAGE && moved[0] == 7);
	CHECK(is_policy(moved, MPOL_BIND, 1) && is_policy(moved + PAGE, MPOL_BIND, 1));
	munmap(moved, 2 * PAGE);
	munmap(at, 8 * PAGE);
}

static void bad_ranges(void)
{
	char *at = area(8);

	CHECK_ERRNO(bind_range(at + 1, PAGE, MPOL_BIND, &node0, 65, 0), EINVAL);
	CHECK(bind_range(at, 1, MPOL_BIND, &node0, 65, 0) == 0 && is_policy(at, MPOL_BIND, 1));
	CHECK(bind_range(at, 0, MPOL_BIND, &node0, 65, 0) == 0);
	CHECK(bind_range(at, 0, MPOL_BIND, &node1, 65, 0) == 0); /* before the nodes are looked at */
	CHECK_ERRNO(bind_range(at, 0, MPOL_BIND | MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES, &node0, 65, 0), EINVAL);
	CHECK_ERRNO(bind_range(at, -PAGE, MPOL_BIND, &node0, 65, 0), EINVAL);
	CHECK(bind_range(at, -1ul, MPOL_BIND, &node0, 65, 0) == 0); /* rounds up to nothing */
	CHECK_ERRNO(bind_range(at, PAGE, MPOL_BIND, &node0, 65, 1 << 3), EINVAL);
	CHECK_ERRNO(bind_range(at, PAGE, MPOL_BIND, &node0, 65, 1 << 5), EINVAL);
	CHECK_ERRNO(bind_range(at, PAGE, MPOL_DEFAULT, &node0, 65, 0), EINVAL);
	CHECK(bind_range(at, 8 * PAGE, MPOL_DEFAULT, NULL, 0, 0) == 0);
	/* Holes: at the head, in the middle, at the end, everywhere. */
	CHECK(munmap(at + 4 * PAGE, PAGE) == 0);
	CHECK_ERRNO(bind_range(at, 8 * PAGE, MPOL_BIND, &node0, 65, 0), EFAULT);
	CHECK(is_policy(at, MPOL_DEFAULT, 0));
	CHECK_ERRNO(bind_range(at + 4 * PAGE, 2 * PAGE, MPOL_BIND, &node0, 65, 0), EFAULT);
	CHECK_ERRNO(bind_range(at + 3 * PAGE, 2 * PAGE, MPOL_BIND, &node0, 65, 0), EFAULT);
	CHECK_ERRNO(bind_range(at + 4 * PAGE, PAGE, MPOL_BIND, &node0, 65, 0), EFAULT);
	CHECK_ERRNO(bind_range(at + 4 * PAGE, PAGE, MPOL_DEFAULT, NULL, 0, 0), EFAULT);
	CHECK_ERRNO(bind_range((void *)-PAGE, PAGE - 1, MPOL_BIND, &node0, 65, 0), EINVAL);
	CHECK(bind_range(at, 4 * PAGE, MPOL_BIND, &node0, 65, 0) == 0);
	CHECK(bind_range(at, 8 * PAGE, MPOL_DEFAULT, NULL, 0, 0) == 0); /* no policy takes holes */
	CHECK(is_policy(at, MPOL_DEFAULT, 0));
	munmap(at, 8 * PAGE);
}

static void moved_and_strict(void)
{
	char *at = area(4);

	at[0] = at[PAGE] = 5;
	for (unsigned flags = 0; flags < 8; flags++) {
		if (flags & MPOL_MF_MOVE_ALL && prctl(PR_CAPBSET_READ, CAP_SYS_NICE) != 1) {
			CHECK_ERRNO(bind_range(at, 4 * PAGE, MPOL_BIND, &node0, 65, flags), EPERM);
			continue;
		}
		CHECK(bind_range(at, 4 * PAGE, MPOL_BIND, &node0, 65, flags) == 0);
		CHECK(bind_range(at, 4 * PAGE, MPOL_DEFAULT, NULL, 0, flags) == 0);
		CHECK(bind_range(at, 4 * PAGE, MPOL_PREFERRED, &both, 65, flags) == 0);
	}
	/* Pages that are elsewhere: by the mask as it was given, which an empty one leaves nothing of. */
	CHECK_ERRNO(bind_range(at, 4 * PAGE, MPOL_LOCAL, NULL, 0, MPOL_MF_STRICT), EIO);
	CHECK_ERRNO(bind_range(at, 4 * PAGE, MPOL_BIND | MPOL_F_RELATIVE_NODES, &node1, 65, MPOL_MF_STRICT), EIO);
	CHECK(bind_range(at + 2 * PAGE, 2 * PAGE, MPOL_LOCAL, NULL, 0, 0) == 0);
	CHECK(bind_range(at, 4 * PAGE, MPOL_LOCAL, NULL, 0, MPOL_MF_MOVE) == 0);
	CHECK(at[0] == 5 && at[PAGE] == 5);
	munmap(at, 4 * PAGE);
	if (geteuid() == 0) {
		CHECK(seteuid(1000) == 0);
		CHECK_ERRNO(bind_range(at, PAGE, MPOL_BIND, &node0, 65, MPOL_MF_MOVE_ALL), EPERM);
		CHECK_ERRNO(move_pages(0, 0, NULL, NULL, NULL, MPOL_MF_MOVE_ALL), EPERM);
		CHECK(seteuid(0) == 0);
	}
}

static void homes(void)
{
	char *at = area(8);

	CHECK_ERRNO(home_node(at + 1, PAGE, 0, 0), EINVAL);
	CHECK_ERRNO(home_node(at, PAGE, 0, 1), EINVAL);
	CHECK_ERRNO(home_node(at, PAGE, 1, 0), EINVAL);
	CHECK_ERRNO(home_node(at, PAGE, -1, 0), EINVAL);
	CHECK_ERRNO(home_node(at, -PAGE, 0, 0), EINVAL);
	CHECK(home_node(at, 0, 0, 0) == 0);
	CHECK_ERRNO(home_node(at, PAGE, 0, 0), ENOENT);
	CHECK(bind_range(at + 2 * PAGE, PAGE, MPOL_BIND, &node0, 65, 0) == 0);
	CHECK(bind_range(at + 4 * PAGE, PAGE, MPOL_PREFERRED_MANY, &node0, 65, 0) == 0);
	CHECK(home_node(at, 6 * PAGE, 0, 0) == 0);
	CHECK(is_policy(at + 2 * PAGE, MPOL_BIND, 1) && is_policy(at + 4 * PAGE, MPOL_PREFERRED_MANY, 1));
	/* It is part of what two areas must share to be one. */
	CHECK(bind_range(at + 3 * PAGE, PAGE, MPOL_BIND, &node0, 65, 0) == 0);
	CHECK(areas_in(at + 2 * PAGE, at + 4 * PAGE) == 2);
	CHECK(home_node(at + 3 * PAGE, PAGE, 0, 0) == 0);
	CHECK(areas_in(at + 2 * PAGE, at + 4 * PAGE) == 1);
	CHECK(bind_range(at + 5 * PAGE, PAGE, MPOL_INTERLEAVE, &node0, 65, 0) == 0);
	CHECK_ERRNO(home_node(at, 8 * PAGE, 0, 0), EOPNOTSUPP);
	munmap(at, 8 * PAGE);
}

static void *in_thread(void *arg)
{
	(void)arg;
	CHECK(is_policy(NULL, MPOL_BIND, 1)); /* its maker's */
	CHECK(set_policy(MPOL_INTERLEAVE, &node0, 65) == 0);
	return NULL;
}

static void inherited(void)
{
	char *at = area(2), text[64];
	pthread_t thread;
	int status, out[2];

	CHECK(set_policy(MPOL_BIND, &node0, 65) == 0);
	CHECK(bind_range(at, PAGE, MPOL_PREFERRED, &node0, 65, 0) == 0);
	CHECK(pthread_create(&thread, NULL, in_thread, NULL) == 0 && pthread_join(thread, NULL) == 0);
	CHECK(is_policy(NULL, MPOL_BIND, 1)); /* each thread has its own */
	CHECK(numa_has(at + PAGE, " bind:0")); /* shown where there is none of the area's */
	fflush(stdout);
	if (fork() == 0) {
		harness_failures = 0;
		CHECK(is_policy(NULL, MPOL_BIND, 1) && is_policy(at, MPOL_PREFERRED, 1));
		CHECK(set_policy(MPOL_DEFAULT, NULL, 0) == 0 && bind_range(at, PAGE, MPOL_DEFAULT, NULL, 0, 0) == 0);
		fflush(stdout);
		_exit(CHECK_RESULT());
	}
	CHECK(wait(&status) > 0 && status == 0);
	CHECK(is_policy(NULL, MPOL_BIND, 1) && is_policy(at, MPOL_PREFERRED, 1));
	/* It stays with a new program. */
	CHECK(pipe(out) == 0);
	if (fork() == 0) {
		dup2(out[1], 1);
		execl("/proc/self/exe", "policies", "show", NULL);
		_exit(9);
	}
	close(out[1]);
	memset(text, 0, sizeof(text));
	CHECK(read(out[0], text, sizeof(text) - 1) > 0 && !strcmp(text, "mode 2 nodes 1\n"));
	close(out[0]);
	CHECK(wait(&status) > 0 && status == 0);
	CHECK(set_policy(MPOL_DEFAULT, NULL, 0) == 0);
	munmap(at, 2 * PAGE);
}

/* Shared memory has its policies itself: who else maps it sees them, and they outlast a mapping. */
static void shared(void)
{
	int fd = memfd_create("policies", 0), id = shmget(IPC_PRIVATE, 8 * PAGE, 0600);
	char *one, *two;

	CHECK(ftruncate(fd, 8 * PAGE) == 0);
	one = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	two = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 2 * PAGE);
	CHECK(bind_range(one + 3 * PAGE, 2 * PAGE, MPOL_BIND, &node0, 65, 0) == 0);
	CHECK(is_policy(two, MPOL_DEFAULT, 0));
	CHECK(is_policy(two + PAGE, MPOL_BIND, 1) && is_policy(two + 2 * PAGE, MPOL_BIND, 1));
	CHECK(is_policy(two + 3 * PAGE, MPOL_DEFAULT, 0));
	CHECK(bind_range(two + 2 * PAGE, 2 * PAGE, MPOL_INTERLEAVE, &node0, 65, 0) == 0);
	CHECK(is_policy(one + 3 * PAGE, MPOL_BIND, 1) && is_policy(one + 4 * PAGE, MPOL_INTERLEAVE, 1) &&
		is_policy(one + 5 * PAGE, MPOL_INTERLEAVE, 1) && is_policy(one + 6 * PAGE, MPOL_DEFAULT, 0));
	CHECK(munmap(one, 8 * PAGE) == 0 && munmap(two, 4 * PAGE) == 0);
	one = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(is_policy(one + 3 * PAGE, MPOL_BIND, 1) && is_policy(one + 4 * PAGE, MPOL_INTERLEAVE, 1));
	CHECK(bind_range(one, 8 * PAGE, MPOL_DEFAULT, NULL, 0, 0) == 0);
	CHECK(is_policy(one + 3 * PAGE, MPOL_BIND, 1)); /* this mapping never had one: nothing to change */
	CHECK(bind_range(one, 8 * PAGE, MPOL_LOCAL, NULL, 0, 0) == 0 && bind_range(one, 8 * PAGE, MPOL_DEFAULT, NULL, 0, 0) == 0);
	CHECK(is_policy(one + 3 * PAGE, MPOL_DEFAULT, 0));
	two = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(bind_range(one, PAGE, MPOL_BIND, &node0, 65, 0) == 0);
	close(fd);
	munmap(one, 8 * PAGE);
	munmap(two, 8 * PAGE);
	one = shmat(id, NULL, 0);
	two = shmat(id, NULL, 0);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	CHECK(bind_range(one, 8 * PAGE, MPOL_INTERLEAVE, &node0, 65, MPOL_MF_STRICT) == 0);
	CHECK(is_policy(two + 7 * PAGE, MPOL_INTERLEAVE, 1));
	CHECK(numa_has(two, " interleave:0 file=/SYSV00000000"));
	shmdt(one);
	shmdt(two);
}

static void moves(void)
{
	char *at = area(64);
	void *pages[4] = {at, at + 32 * PAGE, at + 64 * PAGE, at + 5};
	int nodes[4] = {0, 0, 0, 0}, status[4] = {9, 9, 9, 9};
	void *hole = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(hole, PAGE);
	pages[2] = hole;
	CHECK(madvise(at, 64 * PAGE, MADV_NOHUGEPAGE) == 0);
	at[0] = 1;
	/* Where they are. */
	CHECK(move_pages(0, 4, pages, NULL, status, 0) == 0);
	CHECK(status[0] == 0 && status[1] == -ENOENT && status[2] == -EFAULT && status[3] == 0);
	CHECK(move_pages(getpid(), 1, pages, NULL, status, MPOL_MF_MOVE) == 0);
	/* And to where they are. */
	memset(status, 9, sizeof(status));
	CHECK(move_pages(0, 4, pages, nodes, status, MPOL_MF_MOVE) == 0);
	CHECK(status[0] == 0 && status[1] == -ENOENT && status[2] == -EFAULT && status[3] == 0);
	nodes[1] = 1;
	CHECK_ERRNO(move_pages(0, 4, pages, nodes, status, MPOL_MF_MOVE), ENODEV);
	nodes[1] = -1;
	CHECK_ERRNO(move_pages(0, 4, pages, nodes, status, MPOL_MF_MOVE), ENODEV);
	nodes[1] = 1 << 20;
	CHECK_ERRNO(move_pages(0, 4, pages, nodes, status, 0), ENODEV);
	CHECK_ERRNO(move_pages(0, 4, pages, nodes, status, MPOL_MF_STRICT), EINVAL);
	CHECK_ERRNO(move_pages(0, 4, pages, nodes, status, 8), EINVAL);
	CHECK(move_pages(0, 0, NULL, NULL, NULL, 0) == 0);
	CHECK(move_pages(0, 0, NULL, nodes, NULL, 0) == 0);
	CHECK_ERRNO(move_pages(0, 4, (void **)8, NULL, status, 0), EFAULT);
	CHECK_ERRNO(move_pages(0, 4, pages, NULL, (int *)8, 0), EFAULT);
	CHECK_ERRNO(move_pages(0, 4, pages, (int *)8, status, 0), EFAULT);
	nodes[1] = 0;
	CHECK_ERRNO(move_pages(0, 4, pages, nodes, NULL, 0), EFAULT);
	/* As many as there are: up to the end of what is mapped. */
	CHECK(mprotect(at + 63 * PAGE, PAGE, PROT_NONE) == 0);
	CHECK_ERRNO(move_pages(0, ~0ul, (void **)(at + 33 * PAGE), NULL, (int *)at, 0), EFAULT);
	CHECK_ERRNO(move_pages(0, ~0ul >> 3, (void **)(at + 33 * PAGE), (int *)(at + 20 * PAGE), (int *)-4096, 0), EFAULT);
	CHECK_ERRNO(move_pages(0x7ffffff0, 1, pages, NULL, status, 0), ESRCH);
	CHECK_ERRNO(move_pages(-1, 1, pages, NULL, status, 0), ESRCH);
	munmap(at, 64 * PAGE);
}

static void migrations(void)
{
	mask_t from = 1, to = 1;
	int status, gate[2];
	pid_t child;

	CHECK(syscall(SYS_migrate_pages, 0, 64, &from, &to) == 0);
	CHECK(syscall(SYS_migrate_pages, getpid(), 65, &node1, &node0) == 0);
	CHECK(syscall(SYS_migrate_pages, 0, 0, NULL, NULL) == -1 && errno == EINVAL);
	CHECK_ERRNO(syscall(SYS_migrate_pages, 0, 64, &from, &none), EINVAL);
	CHECK(syscall(SYS_migrate_pages, 0, 64, NULL, &to) == 0);
	CHECK_ERRNO(syscall(SYS_migrate_pages, 0, 64, &from, NULL), EINVAL);
	CHECK_ERRNO(syscall(SYS_migrate_pages, 0, 64, 8, &to), EFAULT);
	CHECK_ERRNO(syscall(SYS_migrate_pages, 0, 64, &from, 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_migrate_pages, 0, 64, &from, &node1), prctl(PR_CAPBSET_READ, CAP_SYS_NICE) == 1 ? EINVAL : EPERM);
	CHECK_ERRNO(syscall(SYS_migrate_pages, 0x7ffffff0, 64, &from, &to), ESRCH);
	CHECK(prctl(PR_SET_DUMPABLE, 1) == 0); /* other ids were had before */
	CHECK(pipe(gate) == 0);
	child = fork();
	if (child == 0) {
		close(gate[1]);
		_exit(read(gate[0], &status, 1) != 0);
	}
	CHECK(syscall(SYS_migrate_pages, child, 64, &from, &to) == 0);
	CHECK(move_pages(child, 0, NULL, NULL, NULL, 0) == 0);
	if (geteuid() == 0) {
		CHECK(setresuid(1000, 1000, 0) == 0);
		CHECK_ERRNO(syscall(SYS_migrate_pages, 1, 64, &from, &to), EPERM);
		CHECK_ERRNO(move_pages(1, 0, NULL, NULL, NULL, 0), EPERM);
		CHECK(syscall(SYS_migrate_pages, 0, 64, &from, &node1) == -1 && errno == EPERM);
		CHECK(setresuid(0, 0, 0) == 0);
	}
	close(gate[0]);
	close(gate[1]);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static int file_is(const char *path, const char *text)
{
	char got[8192] = "";
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, got, sizeof(got) - 1);

	close(fd);
	if (n < 0 || !strstr(got, text))
		printf("%s: %s\n", path, got);
	return n >= 0 && strstr(got, text);
}

static void files(void)
{
	char *all = area(256), *at = (char *)(((uintptr_t)all + 0x7ffff) & ~0x7ffffull);

	CHECK(file_is("/proc/self/status", "\nMems_allowed:\t00000000,00000000,"));
	CHECK(file_is("/proc/self/status", ",00000000,00000001\nMems_allowed_list:\t0\n"));
	madvise(all, 256 * PAGE, MADV_NOHUGEPAGE);
	CHECK(bind_range(at, 32 * PAGE, MPOL_BIND, &node0, 65, 0) == 0);
	memset(at, 1, 16 * PAGE);
	CHECK(numa_has(at, " bind:0 anon=16 dirty=16 "));
	CHECK(numa_has(at, " N0=16 kernelpagesize_kB=4\n"));
	CHECK(numa_has(at + 32 * PAGE, " default\n"));
	munmap(all, 256 * PAGE);
	if (access("/sys/devices/system", F_OK)) /* sysfs is not mounted */
		return;
	CHECK(file_is("/sys/devices/system/node/online", "0\n"));
	CHECK(file_is("/sys/devices/system/node/possible", "0\n"));
	CHECK(file_is("/sys/devices/system/node/has_memory", "0\n"));
	CHECK(file_is("/sys/devices/system/node/has_normal_memory", "0\n"));
	CHECK(file_is("/sys/devices/system/node/has_cpu", "0\n"));
	CHECK(file_is("/sys/devices/system/node/node0/distance", "10\n"));
	CHECK(file_is("/sys/devices/system/node/node0/meminfo", "Node 0 MemTotal: "));
	CHECK(file_is("/sys/devices/system/node/node0/meminfo", "\nNode 0 MemFree: "));
	CHECK(file_is("/sys/devices/system/node/node0/meminfo", "\nNode 0 MemUsed: "));
	CHECK(file_is("/sys/devices/system/node/node0/numastat", "numa_hit "));
	CHECK(file_is("/sys/devices/system/node/node0/vmstat", "nr_free_pages "));
	CHECK(file_is("/sys/devices/system/node/node0/cpulist", "0"));
	CHECK(access("/sys/devices/system/node/node0/cpu0/topology", F_OK) == 0);
	CHECK(access("/sys/devices/system/cpu/cpu0/node0/cpulist", F_OK) == 0);
}

int main(int argc, char **argv)
{
	mask_t mask[NODES / 64] = {0};
	int mode;

	(void)argv;
	if (argc > 1) {
		if (get_policy(&mode, mask, NODES, NULL, 0))
			return 1;
		printf("mode %d nodes %lx\n", mode, mask[0]);
		return 0;
	}
	harness_start();
	RUN(modes);
	RUN(masks);
	RUN(asked);
	RUN(ranges);
	RUN(bad_ranges);
	RUN(moved_and_strict);
	RUN(homes);
	RUN(inherited);
	RUN(shared);
	RUN(moves);
	RUN(migrations);
	RUN(files);
	return CHECK_RESULT();
}
