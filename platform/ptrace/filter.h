/* The stub's system call list as data: filter.c makes the filter of it, the VMM prints it, tests read it. */
#ifndef PLATFORM_PTRACE_FILTER_H
#define PLATFORM_PTRACE_FILTER_H

#include <stddef.h>
#include <stdint.h>

struct filter_entry {
	int nr;
	const char *name, *reason;
	int index1; /* argument compared with value1, or -1 */
	uint32_t value1;
	int index2;
	uint32_t value2;
};

extern const struct filter_entry filter_entries[];
extern const size_t filter_entry_count;

#endif
