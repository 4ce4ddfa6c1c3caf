/*
 * Words that change while the VMM reads them: CPU 1 writes them without end, CPU 0 rings.
 * A VMM that looks twice would check one word and use another.
 */
#include "test/escape/image/image.h"

#define ROUNDS 4000u

static void change_calls(void)
{
	volatile struct abi_call *block = at(boot.call_gpa);
	const uint64_t good[] = {0, scratch, 16, 0}, bad[] = {~0ull, boot.user.base + boot.user.size - 1, ~0ull, 1ull << 63};

	for (unsigned turn = 0; !over; turn++) {
		for (unsigned i = 0; i < 4; i++)
			block->arg[i] = turn % 2 ? good[i] : bad[i];
	}
}

/* A read of standard input, 16 bytes; each word may be what CPU 1 made of it. The result is one of few. */
static void calls_that_change(void)
{
	if (!start_second())
		end(77);
	for (unsigned i = 0; i < ROUNDS; i++) {
		int64_t r = call(ABI_CALL_fd_pread, 0, scratch, 16, 0);

		if (r != 16 && r != 0 && r != -E_BADF && r != -E_FAULT && r != -E_INVAL)
			WANT(r, 16);
		r = call(ABI_CALL_entropy, scratch, 16, 0, 0);
		if (r > 4096)
			WANT(r, 16);
	}
	over = 1;
	for (unsigned i = 0; i < 100; i++)
		relax();
}

static void change_entries(void)
{
	const struct abi_sqe good = {.op = ABI_RING_read, .fd = 0, .gpa = scratch, .len = 16, .gpa2 = scratch + 4096, .len2 = 4096};
	const struct abi_sqe bad = {.op = ABI_RING_write, .fd = 0x80000000u, .gpa = ~0ull - 8, .len = ~0ull, .gpa2 = boot.user.base - 1,
		.len2 = 1ull << 40, .offset = 1ull << 63};

	for (unsigned turn = 0; !over; turn++) {
		const struct abi_sqe *from = turn % 2 ? &good : &bad;
		for (unsigned i = 0; i < ABI_RING_ENTRIES; i++) {
			volatile struct abi_sqe *to = &ring->sq[i];
			to->op = turn % 7 ? from->op : ABI_RING_p9;
			to->fd = from->fd;
			to->gpa = from->gpa;
			to->len = from->len;
			to->gpa2 = from->gpa2;
			to->len2 = from->len2;
			to->offset = from->offset;
			to->arg = from->len;
		}
	}
}

static void entries_that_change(void)
{
	if (!start_second())
		end(77);
	for (unsigned i = 0; i < ROUNDS; i++) {
		submit(&(struct abi_sqe){.op = ABI_RING_read, .fd = 0, .gpa = scratch, .len = 16});
		if (complete().res > 65536)
			reached("more was read than was asked for");
	}
	over = 1;
}

/* The tail jumps about within the ring: entries that nobody wrote are served. */
static void change_tail(void)
{
	while (!over) {
		uint32_t taken = __atomic_load_n(&ring->sq_head, __ATOMIC_ACQUIRE);
		uint32_t left = __atomic_load_n(&ring->cq_tail, __ATOMIC_ACQUIRE);

		__atomic_store_n(&ring->cq_head, left, __ATOMIC_RELEASE);
		__atomic_store_n(&ring->sq_tail, taken + (uint32_t)random_number() % 4, __ATOMIC_RELEASE);
	}
}

static void tail_that_changes(void)
{
	for (unsigned i = 0; i < ABI_RING_ENTRIES; i++)
		ring->sq[i] = (struct abi_sqe){.op = (uint32_t)(random_number() % 5 == 0 ? ABI_RING_fsync : 77), .fd = 9999};
	if (!start_second())
		end(77);
	for (unsigned i = 0; i < ROUNDS; i++)
		doorbell();
	over = 1;
}

static void change_message(void)
{
	volatile uint8_t *message = at(scratch);

	for (unsigned turn = 0; !over; turn++) {
		for (unsigned i = 0; i < 4; i++)
			message[i] = turn % 2 ? 0xff : (i ? 0 : 21);
		message[4] = (uint8_t)(turn % 5 ? 100 : turn);
		message[5] = (uint8_t)turn;
		for (unsigned i = 7; i < 21; i++)
			message[i] = (uint8_t)(turn * i);
	}
}

/* The head that is sent must be the head that was checked, or the gofer's framing breaks and all files with it. */
static void messages_that_change(void)
{
	if (!start_second())
		end(77);
	for (unsigned i = 0; i < ROUNDS; i++) {
		int64_t r = ask((struct abi_sqe){.op = ABI_RING_p9, .gpa = scratch, .len = 21, .gpa2 = scratch + 65536, .len2 = 65536});
		if (r != -E_INVAL && r < 7)
			WANT(r, 11);
	}
	over = 1;
}

const struct escape_case race_cases[] = {
	{"calls-that-change", calls_that_change, change_calls, false},
	{"entries-that-change", entries_that_change, change_entries, false},
	{"tail-that-changes", tail_that_changes, change_tail, false},
	{"messages-that-change", messages_that_change, change_message, false},
	{NULL, NULL, NULL, false},
};
