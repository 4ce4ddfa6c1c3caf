/* The stubs' system call list as data: filter.c makes the programs of it, `ringfence filters` prints it. */
#ifndef PLATFORM_SYSTRAP_FILTER_H
#define PLATFORM_SYSTRAP_FILTER_H

#include <stddef.h>
#include <stdint.h>

enum { STUB_MASTER = 1, STUB_MAPPER = 2, STUB_RUNNER = 4 };

#define STRAP_COMPARED 6u

struct strap_filter {
	unsigned threads;
	int nr;
	const char *name, *reason;
	struct {
		unsigned word; /* 32-bit word of struct seccomp_data, + 1; 0: none */
		uint32_t value;
	} compare[STRAP_COMPARED];
};

extern const struct strap_filter strap_filters[];
extern const size_t strap_filter_count;

#endif
