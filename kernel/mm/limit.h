/*
 * The memory limit of one container among several in a sandbox (kernel/mm/limit.c): what its processes have in anonymous
 * and shared pages and in page tables. A page that several of them map counts once; cached files, which can be read
 * again, and memory file systems do not count: they have the sandbox's limit.
 */
#ifndef KERNEL_MM_LIMIT_H
#define KERNEL_MM_LIMIT_H

#include <stdint.h>

struct container;
struct mm;

struct limit_usage {
	uint64_t anon, shared, file, tables; /* bytes: private pages, shared memory, mapped pages of files, page tables */
};

/* After a fault of the current task was handled: kills in its container if that is over its limit. Does not sleep. */
void limit_check(struct mm *mm);
/* What the container's processes have mapped, by kind. Looks at all of their page tables; does not sleep. */
void limit_count(const struct container *c, struct limit_usage *usage);

#endif
