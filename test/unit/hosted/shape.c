/*
 * ring0/hosted/shape.c: known places, places at the edges of a page, random bytes with what must hold of whatever is
 * found in them, and the code for a call executed: a call that adds 1000 to rax stands for the machine's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ring0/hosted/shape.c"

static unsigned failures;

#define CHECK(c)                                                           \
	do {                                                               \
		if (!(c)) {                                                \
			printf("FAILED %s:%d: %s\n", __FILE__, __LINE__, #c); \
			failures++;                                        \
		}                                                          \
	} while (0)

static uint8_t page[PAGE_SIZE];

/* What stands around a call: found with these lengths, or (0, 0) not found. */
static void place(const char *before, unsigned b, const char *behind, unsigned n, uint64_t number, unsigned takes_before,
	unsigned takes_after)
{
	const unsigned at = 100;
	struct shape shape;
	int rc;

	memset(page, 0xcc, sizeof(page));
	memcpy(page + at - b, before, b);
	memcpy(page + at, "\x0f\x05", 2);
	memcpy(page + at + 2, behind, n);
	rc = shape_find(page, at, number, &shape);
	CHECK((rc == 0) == (takes_before || takes_after));
	CHECK(rc || (shape.before == takes_before && shape.after == takes_after && shape.from == at - takes_before));
}

#define PLACE(before, behind, number, b, a) place(before, sizeof(before) - 1, behind, sizeof(behind) - 1, number, b, a)

static void known(void)
{
	PLACE("\xb8\x6e\0\0\0", "\xc3", 110, 5, 0);
	PLACE("\xb8\x6e\0\0\0", "\xc3", 111, 0, 0);                         /* it was called with another number */
	PLACE("\x41\xb8\x6e\0\0\0", "\xc3", 110, 0, 0);                     /* r8d */
	PLACE("\xc7\x45\xb8\x6e\0\0\0", "\xc3", 110, 0, 0);                 /* movl $110, -72(%rbp) */
	PLACE("\x81\x7d\xb8\x6e\0\0\0", "\xc3", 110, 0, 0);                 /* cmpl */
	PLACE("\xc7\x44\x24\xb8\x6e\0\0\0", "\xc3", 110, 0, 0);             /* movl $110, -72(%rsp) */
	PLACE("\x48\xc7\xc0\x6e\0\0\0", "\xc3", 110, 7, 0);
	PLACE("\x48\xc7\xc0\x0f\0\0\0", "\x48\x3d\0\xf0\xff\xff", 15, 0, 0); /* rt_sigreturn */
	PLACE("\x31\xc0", "\x48\x3d\0\xf0\xff\xff", 0, 0, 6);
	PLACE("\x31\xc0", "\x3d\0\xf0\xff\xff", 0, 0, 5);
	PLACE("\x31\xc0", "\x48\x89\xc7", 0, 0, 3);
	PLACE("\x31\xc0", "\x48\x89\xc4", 0, 0, 0);                         /* to rsp */
	PLACE("\x31\xc0", "\x48\x8b\x05\0\0\0\0", 0, 0, 0);                 /* relative to rip */
	PLACE("\x31\xc0", "\x75\x10\x90", 0, 0, 0);                         /* it goes elsewhere */
	PLACE("\x31\xc0", "\x85\xc0", 0, 0, 0);
	PLACE("\xb8\x6e\0\0\0", "\x89\x44\x24\x08", 110, 0, 4);
	PLACE("\xb8\xff\xff\xff\xff", "\xc3", ~0ull, 0, 0);
}

static void edges(void)
{
	struct shape shape;

	for (unsigned at = 0; at <= PAGE_SIZE; at++) {
		memset(page, 0x48, sizeof(page));
		for (unsigned i = 0; i < 8; i++)
			if (at + i < PAGE_SIZE)
				page[at + i] = (uint8_t)"\x0f\x05\x48\x3d\0\xf0\xff\xff"[i];
		CHECK((shape_find(page, at, 0, &shape) == 0) == (at + 8 <= PAGE_SIZE));
	}
	memset(page, 0, sizeof(page));
	memcpy(page, "\xb8\0\0\0\0\x0f\x05\xc3", 8);
	CHECK(shape_find(page, 5, 0, &shape)); /* what stands before is in another page */
}

static void random_bytes(void)
{
	static const uint8_t likely[] = {0x0f, 0x05, 0x48, 0x3d, 0xb8, 0x49, 0x89, 0xc7, 0x24, 0x44, 0x41, 0x83, 0x81, 0xc0};
	unsigned found = 0;

	srand(1);
	for (unsigned round = 0; round < 3000; round++) {
		uint64_t number = (uint64_t)rand() % 3;

		for (unsigned i = 0; i < PAGE_SIZE; i++)
			page[i] = rand() % 4 ? likely[(unsigned)rand() % sizeof(likely)] : (uint8_t)(rand() % 3);
		for (unsigned at = 0; at < PAGE_SIZE; at++) {
			struct shape shape;

			if (shape_find(page, at, number, &shape))
				continue;
			found++;
			CHECK(page[at] == 0x0f && page[at + 1] == 0x05 && !shape.before != !shape.after);
			CHECK(shape.from + 5u <= PAGE_SIZE && shape.from + shape.before == at);
			CHECK(shape.before ? shape.before >= 5 : shape.after >= 3);
			CHECK(shape.before + shape.after <= 8 && at + 2 + shape.after <= PAGE_SIZE);
		}
	}
	CHECK(found > 100);
	for (int64_t d = -70000; d < 70000; d++) {
		uint8_t jump[5];

		shape_jump_write(jump, d);
		CHECK(jump[0] == 0xe9 && (!shape_jump_guards(d) || jump[2] == (uint8_t)(d >> 8)));
	}
}

/* Takes the part of the machine's code: rcx, r11 and rax as for a call. */
void machine_entry(void);
__asm__(".text\nmachine_entry:\n\tlea 1000(%rax), %rax\n\tmov %rcx, seen_rcx(%rip)\n\tjmp *%r11\n"
	".data\nseen_rcx: .quad 0\n.text\n");
extern uint64_t seen_rcx;

static void executed(const char *code, unsigned n, unsigned call, uint64_t number)
{
	uint8_t *at = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *slot = at + PAGE_SIZE + 0x640;
	struct shape shape;
	uint64_t result, copy;

	memcpy(at, code, n);
	CHECK(!shape_find(at, call, number, &shape));
	shape_slot_write(slot, &shape, at + call + 2 - slot, (uint64_t)machine_entry);
	shape_jump_write(at + shape.from, slot - (at + shape.from) - 5);
	__asm__ volatile("call *%2" : "=a"(result), "=b"(copy) : "r"(at), "0"(number), "1"(0ull) : "rcx", "r11", "memory", "cc");
	CHECK(result == number + 1000);
	CHECK(seen_rcx == (uint64_t)at + call + 2);
	CHECK(copy == (shape.after ? result : 0));
	CHECK(shape_where(&shape, 0) == SHAPE_BEFORE && shape_where(&shape, shape.before + 7u) == SHAPE_CALLS);
	CHECK(shape_where(&shape, SHAPE_TAIL) == SHAPE_AFTER && shape_where(&shape, SHAPE_TAIL + 3) == SHAPE_BEHIND);
	munmap(at, 2 * PAGE_SIZE);
}

int main(void)
{
	known();
	edges();
	random_bytes();
	executed("\x90\x0f\x05\x48\x89\xc3\xc3", 7, 1, 5);                        /* mov %rax, %rbx behind */
	executed("\x90\x90\x90\x90\xb8\x07\0\0\0\x0f\x05\xc3", 12, 9, 7);         /* mov $7, %eax before */
	executed("\x90\x90\x48\xc7\xc0\x08\0\0\0\x0f\x05\xc3", 12, 9, 8);         /* mov $8, %rax before */
	printf("%u failures\n", failures);
	return failures != 0;
}
