/*
 * Ring entries with bad words, indices that overrun, 9P messages that no client would send.
 */
#include "test/escape/image/image.h"

#define TVERSION 100
#define TFLUSH 108
#define HEADER 7u

static uint32_t tail, head;

void submit(const struct abi_sqe *sqe)
{
	while (tail - __atomic_load_n(&ring->sq_head, __ATOMIC_ACQUIRE) >= ABI_RING_ENTRIES)
		relax();
	ring->sq[tail % ABI_RING_ENTRIES] = *sqe;
	tail++;
	__atomic_store_n(&ring->sq_tail, tail, __ATOMIC_RELEASE);
	doorbell();
}

struct abi_cqe complete(void)
{
	struct abi_cqe cqe;

	while (__atomic_load_n(&ring->cq_tail, __ATOMIC_ACQUIRE) == head)
		relax();
	cqe = ring->cq[head % ABI_RING_ENTRIES];
	head++;
	__atomic_store_n(&ring->cq_head, head, __ATOMIC_RELEASE);
	return cqe;
}

int64_t ask(struct abi_sqe sqe)
{
	struct abi_cqe cqe;

	sqe.cookie = random_number();
	submit(&sqe);
	cqe = complete();
	WANT(cqe.cookie == sqe.cookie, true);
	return cqe.res;
}

static bool is_ring_op(uint32_t op)
{
	switch (op) {
#define HOST_RING(number, name, why) case number:
#include "platform/abi/calls.def"
		return true;
	}
	return false;
}

static void unknown_entries(void)
{
	for (uint32_t op = 0; op < 300; op++)
		if (!is_ring_op(op))
			WANT(ask((struct abi_sqe){.op = op, .gpa = scratch, .len = 8}), -E_NOSYS);
	WANT(ask((struct abi_sqe){.op = ~0u}), -E_NOSYS);
	WANT(ask((struct abi_sqe){.op = 0x80000000u | ABI_RING_read}), -E_NOSYS);
}

static void addresses_of_entries(void)
{
	const uint64_t bad[] = {0, 4096, boot.kernel.base - 1, boot.user.base - 1, boot.user.base + boot.user.size - 1,
		boot.user.base + boot.user.size, 1ull << 63, ~0ull, ~0ull - 4095, (uint64_t)at(scratch)};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		WANT(ask((struct abi_sqe){.op = ABI_RING_read, .fd = 0, .gpa = bad[i], .len = 16}), -E_FAULT);
		WANT(ask((struct abi_sqe){.op = ABI_RING_write, .fd = 1, .gpa = bad[i], .len = 16, .offset = ~0ull}), -E_FAULT);
		WANT(ask((struct abi_sqe){.op = ABI_RING_p9, .gpa = bad[i], .len = 16, .gpa2 = scratch, .len2 = 4096}), -E_FAULT);
		WANT(ask((struct abi_sqe){.op = ABI_RING_p9, .gpa = scratch, .len = 16, .gpa2 = bad[i], .len2 = 4096}), -E_FAULT);
	}
	WANT(ask((struct abi_sqe){.op = ABI_RING_read, .gpa = scratch, .len = ~0ull}), -E_FAULT);
	WANT(ask((struct abi_sqe){.op = ABI_RING_read, .gpa = scratch, .len = 0ull - scratch}), -E_FAULT);
	WANT(ask((struct abi_sqe){.op = ABI_RING_write, .fd = 1, .gpa = scratch, .len = (1ull << 30) + 1}), -E_FAULT);
	WANT(ask((struct abi_sqe){.op = ABI_RING_p9, .gpa = scratch, .len = 16, .gpa2 = scratch, .len2 = ~0ull}), -E_FAULT);
	WANT(ask((struct abi_sqe){.op = ABI_RING_p9, .gpa = scratch, .len = ~0ull, .gpa2 = scratch, .len2 = 4096}), -E_INVAL);
	WANT(ask((struct abi_sqe){.op = ABI_RING_p9, .gpa = scratch, .len = (256u << 10) + 1, .gpa2 = scratch, .len2 = 4096}), -E_INVAL);
	WANT(ask((struct abi_sqe){.op = ABI_RING_p9, .gpa = scratch, .len = 6, .gpa2 = scratch, .len2 = 4096}), -E_INVAL);
	WANT(ask((struct abi_sqe){.op = ABI_RING_p9, .gpa = scratch, .len = 16, .gpa2 = scratch, .len2 = 6}), -E_INVAL);
	WANT(ask((struct abi_sqe){.op = ABI_RING_p9, .fd = 1, .gpa = scratch, .len = 16, .gpa2 = scratch, .len2 = 64}), -E_INVAL);
}

static void descriptors_of_entries(void)
{
	static const uint32_t bad[] = {3, 4, ABI_MAX_FDS - 1, ABI_MAX_FDS, 0x7fffffff, 0x80000000, 0xffffffff};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (uint32_t op = ABI_RING_read; op <= ABI_RING_poll; op++)
			WANT(ask((struct abi_sqe){.op = op, .fd = bad[i], .gpa = scratch, .len = 16}), -E_BADF);
}

static void submission_overrun(void)
{
	__atomic_store_n(&ring->sq_tail, tail + ABI_RING_ENTRIES + 1, __ATOMIC_RELEASE);
	doorbell();
	for (unsigned i = 0; i < 100000; i++)
		relax();
	reached("more entries than the ring has were taken");
}

static void submission_backwards(void)
{
	WANT(ask((struct abi_sqe){.op = 77}), -E_NOSYS);
	__atomic_store_n(&ring->sq_tail, tail - 1, __ATOMIC_RELEASE);
	doorbell();
	for (unsigned i = 0; i < 100000; i++)
		relax();
	reached("a tail that went backwards was followed");
}

static void completion_overrun(void)
{
	for (unsigned i = 0; i < 2 * ABI_RING_ENTRIES; i++)
		submit(&(struct abi_sqe){.op = 77});
	for (unsigned i = 0; i < 100000; i++)
		relax();
	reached("completions were posted over others");
}

static void completion_ahead(void)
{
	__atomic_store_n(&ring->cq_head, head + 5, __ATOMIC_RELEASE);
	submit(&(struct abi_sqe){.op = 77});
	for (unsigned i = 0; i < 100000; i++)
		relax();
	reached("a head ahead of the tail was believed");
}

/* The words that the VMM publishes are for us to read: it never reads them back. */
static void indices_of_the_vmm(void)
{
	for (unsigned i = 0; i < 1000; i++) {
		struct abi_sqe sqe = {.op = 77, .cookie = i};

		ring->sq[tail % ABI_RING_ENTRIES] = sqe;
		tail++;
		__atomic_store_n(&ring->sq_tail, tail, __ATOMIC_RELEASE);
		__atomic_store_n(&ring->sq_head, (uint32_t)random_number(), __ATOMIC_RELEASE);
		__atomic_store_n(&ring->cq_tail, head, __ATOMIC_RELEASE);
		doorbell();
		while (__atomic_load_n(&ring->cq_tail, __ATOMIC_ACQUIRE) == head)
			relax();
		WANT(ring->cq[head % ABI_RING_ENTRIES].cookie, i);
		head++;
		__atomic_store_n(&ring->cq_head, head, __ATOMIC_RELEASE);
	}
}

static void junk_doorbells(void)
{
	for (unsigned i = 0; i < 20000; i++)
		doorbell();
	WANT(ask((struct abi_sqe){.op = 77}), -E_NOSYS);
}

static void second_event(void)
{
	submit(&(struct abi_sqe){.op = ABI_RING_event, .cookie = 1});
	for (unsigned i = 0; i < 600; i++)
		WANT(ask((struct abi_sqe){.op = ABI_RING_event}), -E_BUSY);
}

/* Requests that wait for ever: there are 256 and no more. Standard output, a pipe here, never becomes readable. */
static void requests_without_end(void)
{
	unsigned refused = 0;

	for (unsigned i = 0; i < 400; i++) {
		submit(&(struct abi_sqe){.op = ABI_RING_poll, .fd = 1, .arg = 1, .cookie = i});
		while (__atomic_load_n(&ring->cq_tail, __ATOMIC_ACQUIRE) != head) {
			WANT(complete().res, -E_BUSY);
			refused++;
		}
	}
	while (refused < 400 - ABI_RING_ENTRIES) {
		WANT(complete().res, -E_BUSY);
		refused++;
	}
	WANT(call(ABI_CALL_clock, scratch, 0, 0, 0), 0);
}

static void put_header(uint8_t *message, uint32_t size, uint8_t type, uint16_t tag)
{
	copy(message, &size, 4);
	message[4] = type;
	copy(message + 5, &tag, 2);
}

static int64_t p9(uint64_t gpa, uint64_t len, uint64_t gpa2, uint64_t len2)
{
	return ask((struct abi_sqe){.op = ABI_RING_p9, .gpa = gpa, .len = len, .gpa2 = gpa2, .len2 = len2});
}

static uint32_t put_version(uint8_t *message, uint16_t tag)
{
	uint32_t size = HEADER + 4 + 2 + 8, msize = 65536;
	uint16_t length = 8;

	put_header(message, size, TVERSION, tag);
	copy(message + 7, &msize, 4);
	copy(message + 11, &length, 2);
	copy(message + 13, "9P2000.L", 8);
	return size;
}

static void framing_of_messages(void)
{
	uint8_t *message = at(scratch);
	uint32_t size = put_version(message, 1);

	WANT(p9(scratch, size - 1, scratch + 65536, 65536), -E_INVAL);
	WANT(p9(scratch, size + 1, scratch + 65536, 65536), -E_INVAL);
	put_header(message, ~0u, TVERSION, 1);
	WANT(p9(scratch, size, scratch + 65536, 65536), -E_INVAL);
	put_header(message, 0, TVERSION, 1);
	WANT(p9(scratch, size, scratch + 65536, 65536), -E_INVAL);
	put_version(message, 0xffff);
	WANT(p9(scratch, size, scratch + 65536, 7), -E_MSGSIZE);
	if (p9(scratch, size, scratch + 65536, 65536) < 11)
		reached("the gofer no longer answers");
}

static void two_of_one_tag(void)
{
	uint8_t *message = at(scratch);
	uint32_t size = put_version(message, 5);
	unsigned answered = 0, refused = 0;

	for (unsigned i = 0; i < 100; i++)
		submit(&(struct abi_sqe){.op = ABI_RING_p9, .gpa = scratch, .len = size, .gpa2 = scratch + 65536, .len2 = 65536});
	for (unsigned i = 0; i < 100; i++) {
		int64_t res = complete().res;
		answered += res > 0;
		refused += res == -E_INVAL;
	}
	WANT(answered + refused, 100);
	WANT(answered > 0, true);
}

/* Replies laid over everything that the two sides share. The reply to a version is 21 bytes. */
static void replies_over_shared_words(void)
{
	uint8_t *message = at(scratch);
	uint32_t size = put_version(message, 9);

	if (p9(scratch, size, scratch, 65536) < 11)
		reached("a reply over its own request");
	for (uint64_t gpa = boot.kernel.base; gpa < boot.kernel.base + boot.kernel_used; gpa += 4096)
		if (((struct abi_boot *)at(gpa))->magic == ABI_MAGIC)
			p9(scratch, put_version(message, 9), gpa, 4096);
	p9(scratch, put_version(message, 9), boot.call_gpa, 4096);
	p9(scratch, put_version(message, 9), boot.config_gpa, 4096);
	/* Over the ring's own entries: the cookie that comes back may be spoiled, but something comes back. */
	submit(&(struct abi_sqe){.op = ABI_RING_p9, .gpa = scratch, .len = put_version(message, 9),
		.gpa2 = boot.ring_gpa + offsetof(struct abi_ring, sq), .len2 = 65536 > sizeof(*ring) ? 4096 : 65536});
	complete();
}

/* Whatever a sentry may send, the gofer answers, and goes on answering. */
static void messages_of_a_taken_over_sentry(void)
{
	uint8_t *message = at(scratch);

	for (unsigned i = 0; i < 1500; i++) {
		uint32_t size = HEADER + (uint32_t)(random_number() % 64);

		for (unsigned j = 0; j < size; j++)
			message[j] = (uint8_t)(random_number() % 3 ? random_number() % 4 : random_number());
		put_header(message, size, (uint8_t)random_number(), (uint16_t)(i % 7));
		if (p9(scratch, size, scratch + 65536, 65536) < (int64_t)HEADER)
			reached("the gofer did not answer");
		if (i % 10 == 0)
			p9(scratch, put_version(message, 0xffff), scratch + 65536, 65536);
	}
	if (p9(scratch, put_version(message, 0xffff), scratch + 65536, 65536) < 11)
		reached("the gofer no longer answers");
}

static void flushes(void)
{
	uint8_t *message = at(scratch);
	uint16_t tag = 3;

	for (unsigned i = 0; i < 500; i++) {
		put_header(message, 9, TFLUSH, tag);
		copy(message + 7, &tag, 2); /* of itself, of one that was never sent */
		if (p9(scratch, 9, scratch + 65536, 4096) < 0)
			reached("a flush was lost");
		tag = (uint16_t)(tag + 1);
	}
}

const struct escape_case ring_cases[] = {
	{"unknown-entries", unknown_entries, NULL, false},
	{"addresses-of-entries", addresses_of_entries, NULL, false},
	{"descriptors-of-entries", descriptors_of_entries, NULL, false},
	{"submission-overrun", submission_overrun, NULL, false},
	{"submission-backwards", submission_backwards, NULL, false},
	{"completion-overrun", completion_overrun, NULL, false},
	{"completion-ahead", completion_ahead, NULL, false},
	{"indices-of-the-vmm", indices_of_the_vmm, NULL, false},
	{"junk-doorbells", junk_doorbells, NULL, false},
	{"second-event", second_event, NULL, false},
	{"requests-without-end", requests_without_end, NULL, false},
	{"framing-of-messages", framing_of_messages, NULL, false},
	{"two-of-one-tag", two_of_one_tag, NULL, false},
	{"replies-over-shared-words", replies_over_shared_words, NULL, false},
	{"messages-of-a-taken-over-sentry", messages_of_a_taken_over_sentry, NULL, false},
	{"flushes", flushes, NULL, false},
	{NULL, NULL, NULL, false},
};
