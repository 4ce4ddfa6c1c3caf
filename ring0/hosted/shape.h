/*
 * What a system call's place in a program looks like, and the code that stands for it.
 *
 * Pure functions over bytes that a program chose: they read and write nothing else. patch.c
 * calls them.
 */
#ifndef RING0_HOSTED_SHAPE_H
#define RING0_HOSTED_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#define SHAPE_SLOT 64u  /* bytes of the code that stands for one call */
#define SHAPE_TAIL 32u  /* where the instruction begins that followed the call */

struct shape {
	uint16_t from;   /* offset in the page of the 5 bytes that a jump replaces */
	uint8_t before;  /* length of the instruction before the call that is taken along, or 0 */
	uint8_t after;   /* length of the one behind it, or 0; one of the two is not 0 */
	uint8_t bytes[8]; /* that instruction */
};

/*
 * The call at offset `at` of a page, made with `number`. 0, or -EOPNOTSUPP: nothing there that a jump may stand for.
 * Reads the page only.
 */
int shape_find(const uint8_t *page, unsigned at, uint64_t number, struct shape *shape);
/* True: a jump over `distance` (from its own end) at the call traps when it is entered two bytes late. */
bool shape_jump_guards(int64_t distance);
/* The jump: 5 bytes. */
void shape_jump_write(uint8_t *to, int64_t distance);
/*
 * The code for it, SHAPE_SLOT bytes. behind: the call's return address, relative to the slot; entry: address of the
 * machine's own code.
 */
void shape_slot_write(uint8_t *slot, const struct shape *shape, int64_t behind, uint64_t entry);

/* What user code was about to do at an offset of a slot. */
enum shape_where {
	SHAPE_BEFORE, /* it is before the call, and before the instruction that was taken along */
	SHAPE_CALLS,  /* it makes the call; rcx may not be set yet */
	SHAPE_AFTER,  /* it is where the call returns to */
	SHAPE_BEHIND, /* the instruction that followed the call is done */
};
enum shape_where shape_where(const struct shape *shape, unsigned offset);

#endif
