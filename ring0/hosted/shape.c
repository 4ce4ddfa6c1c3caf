/*
 * Places of system calls that a jump may stand for.
 *
 * SYSCALL has two bytes and a near jump five. Two ways to make room:
 *
 *   behind   SYSCALL and the instruction after it, when that can run at another address. The jump
 *            stands where SYSCALL stood, so whoever jumps there makes the call. Whoever jumps to
 *            the instruction behind it finds the jump's third byte, which is chosen to be one
 *            that no 64-bit instruction begins with: it traps, and patch.c knows why.
 *   before   "mov $n, %eax" and its like just before. SYSCALL stays in place.
 *
 * Instructions are known from their beginnings, which the CPU has shown us: SYSCALL was
 * executed and ends where the next one begins. What stands before it can only be taken for
 * what it seems: the number must be the one it was called with, and what could make its
 * bytes the end of a longer instruction is refused. See Intel SDM vol. 2, 2.1 and appendix A.
 */
#include <linux/errno.h>
#include <stdbool.h>

#include "ring0/hosted/shape.h"
#include "ring0/lib.h"
#include "ring0/memory.h"

#define CALL_LENGTH 2u
#define JUMP_LENGTH 5u
#define SYS_RT_SIGRETURN 15u /* unwinders know a signal's frame by the bytes there */
#define SLOT_ENTRY 56u /* in a slot: where the machine's code is */

static bool is_reg_move(const uint8_t *p)
{
	static const uint8_t opcodes[] = {0x01, 0x29, 0x31, 0x39, 0x85, 0x89, 0x8b};

	if ((p[0] & 0xf8) != 0x48 || p[2] < 0xc0)
		return false;
	/* Not to or from the stack pointer: nothing is gained, and it is left alone. */
	if (((p[2] & 7) == 4 && !(p[0] & 1)) || ((p[2] >> 3 & 7) == 4 && !(p[0] & 4)))
		return false;
	return memchr(opcodes, p[1], sizeof(opcodes)) != NULL;
}

/* Length of the instruction at p if it does the same at any address and does not go elsewhere; else 0. */
static unsigned movable_length(const uint8_t *p, unsigned room)
{
	if (room < 3)
		return 0;
	if (is_reg_move(p))
		return 3;
	if (room >= 4 && p[0] == 0x48 && p[1] == 0x83 && p[2] >= 0xc0 && (p[2] & 7) != 4) /* op $imm8, %reg */
		return 4;
	if (room >= 4 && p[0] == 0x89 && (p[1] & 0xc7) == 0x44 && p[2] == 0x24) /* mov %reg32, disp8(%rsp) */
		return 4;
	if (room >= 5 && (p[0] == 0x3d || (p[0] & 0xf8) == 0xb8) && p[0] != 0xbc) /* cmp $imm32, %eax; mov $imm32, %reg */
		return 5;
	if (room >= 5 && p[0] == 0x48 && p[1] == 0x89 && (p[2] & 0xc7) == 0x44 && p[3] == 0x24) /* mov %reg, disp8(%rsp) */
		return 5;
	if (room >= 6 && p[0] == 0x48 && p[1] == 0x3d) /* cmp $imm32, %rax */
		return 6;
	return 0;
}

static bool number_is(const uint8_t *p, uint64_t number)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return value == number;
}

/* Length of "mov $number, %eax" or "… %rax" that ends at `at`, or 0. */
static unsigned move_before(const uint8_t *page, unsigned at, uint64_t number)
{
	const uint8_t *p = page + at;

	if (number > INT32_MAX)
		return 0;
	if (at >= 7 && p[-7] == 0x48 && p[-6] == 0xc7 && p[-5] == 0xc0 && number_is(p - 4, number))
		return 7;
	if (at < 8 || p[-5] != 0xb8 || !number_is(p - 4, number))
		return 0;
	/* A prefix would make it another register's; an opcode with a byte and four more may end so. */
	if ((p[-6] & 0xf0) == 0x40 || p[-6] == 0x66 || p[-7] == 0xc7 || p[-7] == 0x81 || p[-7] == 0x69 || p[-8] == 0xc7 ||
		p[-8] == 0x81 || p[-8] == 0x69)
		return 0;
	return 5;
}

int shape_find(const uint8_t *page, unsigned at, uint64_t number, struct shape *shape)
{
	unsigned behind = at + CALL_LENGTH, n;

	*shape = (struct shape){0};
	if (behind > PAGE_SIZE || page[at] != 0x0f || page[at + 1] != 0x05 || number == SYS_RT_SIGRETURN)
		return -EOPNOTSUPP;
	n = movable_length(page + behind, (unsigned)PAGE_SIZE - behind);
	if (n) {
		shape->from = (uint16_t)at;
		shape->after = (uint8_t)n;
		memcpy(shape->bytes, page + behind, n);
		return 0;
	}
	n = move_before(page, at, number);
	if (!n)
		return -EOPNOTSUPP;
	shape->from = (uint16_t)(at - n);
	shape->before = (uint8_t)n;
	memcpy(shape->bytes, page + at - n, n);
	return 0;
}

bool shape_jump_guards(int64_t distance)
{
	/* PUSH and POP of segments, BCD, PUSHA, far CALL and JMP, INTO: none of them in 64-bit mode. */
	static const uint8_t invalid[] = {0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61, 0x82,
		0x9a, 0xce, 0xd4, 0xea};

	return memchr(invalid, (int)(distance >> 8 & 0xff), sizeof(invalid)) != NULL;
}

void shape_jump_write(uint8_t *to, int64_t distance)
{
	int32_t relative = (int32_t)distance;

	to[0] = 0xe9;
	memcpy(to + 1, &relative, sizeof(relative));
}

/* An instruction with a 32-bit displacement from its own end. */
static uint8_t *put_relative(uint8_t *at, const uint8_t *opcode, unsigned n, int64_t displacement)
{
	int32_t relative = (int32_t)(displacement - n - 4);

	memcpy(at, opcode, n);
	memcpy(at + n, &relative, sizeof(relative));
	return at + n + 4;
}

void shape_slot_write(uint8_t *slot, const struct shape *shape, int64_t behind, uint64_t entry)
{
	static const uint8_t lea_rcx[] = {0x48, 0x8d, 0x0d}, lea_r11[] = {0x4c, 0x8d, 0x1d}, jump_to[] = {0xff, 0x25};
	uint8_t *at = slot + shape->before;

	memset(slot, 0xcc, SHAPE_SLOT);
	memcpy(slot, shape->bytes, shape->before);
	at = put_relative(at, lea_rcx, 3, behind - (at - slot));
	at = put_relative(at, lea_r11, 3, (shape->after ? (int64_t)SHAPE_TAIL : behind) - (at - slot));
	put_relative(at, jump_to, 2, (int64_t)SLOT_ENTRY - (at - slot));
	memcpy(slot + SLOT_ENTRY, &entry, sizeof(entry));
	if (!shape->after)
		return;
	memcpy(slot + SHAPE_TAIL, shape->bytes, shape->after);
	shape_jump_write(slot + SHAPE_TAIL + shape->after, behind - SHAPE_TAIL - JUMP_LENGTH);
}

enum shape_where shape_where(const struct shape *shape, unsigned offset)
{
	if (offset >= SHAPE_TAIL)
		return offset == SHAPE_TAIL ? SHAPE_AFTER : SHAPE_BEHIND;
	return offset < shape->before || offset == 0 ? SHAPE_BEFORE : SHAPE_CALLS;
}
