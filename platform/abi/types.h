/*
 * Address types of the contract between the sentry and the host side.
 *
 * A guest-physical address is a number that the sentry chose, so on the host side
 * it is hostile: it is a struct that no pointer arithmetic or dereference accepts.
 * Only platform/memory.c turns one into a host pointer, with its bounds check.
 */
#ifndef RF_ABI_TYPES_H
#define RF_ABI_TYPES_H

#include <stdint.h>

typedef struct {
	uint64_t v;
} gpa_t;

#define GPA(x) ((gpa_t){(uint64_t)(x)})

#endif
