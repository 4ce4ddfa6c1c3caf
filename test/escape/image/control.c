/*
 * The control channel, seen from a sandbox that lies: what it may tell the runtime command,
 * which runs as root on somebody's terminal.
 */
#include "test/escape/image/image.h"

#define E_IO 5

static const char words[] = "\x1b]0;title\x07\x1b[2J\x1b[5i\nringfence: all is well\r\n\x9b\xff%s%n%s";

uint32_t ask_control(struct control_header *head)
{
	WANT(ask((struct abi_sqe){.op = ABI_RING_control, .gpa = scratch, .len = CONTROL_MAX}) >= (int64_t)sizeof(*head), true);
	copy(head, at(scratch), sizeof(*head));
	return head->request;
}

int64_t answer(struct control_header head, const void *payload, uint32_t len)
{
	head.len = len;
	copy(at(scratch), &head, sizeof(head));
	copy((char *)at(scratch) + sizeof(head), payload, len);
	return call(ABI_CALL_control_send, scratch, sizeof(head) + len, 0, 0);
}

/* Words that a terminal would obey, as the reason why the container was not created. */
static void words_for_a_terminal(void)
{
	struct control_header head;
	uint32_t request = ask_control(&head);

	WANT(answer((struct control_header){.request = request, .error = -E_IO}, words, sizeof(words)), 0);
	for (;;)
		relax();
}

/* Every kind of bad answer before the right ones. */
static void bad_answers(void)
{
	const uint32_t ops[] = {CONTROL_CREATED, CONTROL_START};
	struct control_header head;

	for (unsigned turn = 0; turn < 2; turn++) {
		uint32_t request = ask_control(&head);

		WANT(head.op, ops[turn]);
		for (unsigned i = 0; i < 2000; i++)
			if (answer((struct control_header){.request = request + 1 + (uint32_t)(random_number() >> 33)}, words, 8) >= 0)
				reached("an answer that nobody asked for");
		for (uint64_t n = 0; n < sizeof(head); n++)
			if (call(ABI_CALL_control_send, scratch, n, 0, 0) >= 0)
				reached("an answer without a head");
		head = (struct control_header){.request = request, .len = ~0u};
		copy(at(scratch), &head, sizeof(head));
		for (unsigned i = 0; i < 20; i++) {
			static const uint64_t lengths[] = {40, 41, 4096, CONTROL_MAX, CONTROL_MAX + 1, 1ull << 32, (1ull << 32) + 40, ~0ull, 39};
			if (call(ABI_CALL_control_send, scratch, lengths[i % 9], 0, 0) >= 0)
				reached("an answer whose lengths differ");
		}
		WANT(call(ABI_CALL_control_send, boot.user.base + boot.user.size - 16, 40, 0, 0), -E_FAULT);
		WANT(call(ABI_CALL_control_send, 0ull - 8, 40, 0, 0), -E_FAULT);
		WANT(ask((struct abi_sqe){.op = ABI_RING_control, .gpa = scratch, .len = CONTROL_MAX - 1}), -E_FAULT);
		WANT(ask((struct abi_sqe){.op = ABI_RING_control, .gpa = boot.user.base - 4096, .len = CONTROL_MAX}), -E_FAULT);
		WANT(ask((struct abi_sqe){.op = ABI_RING_control, .gpa = ~0ull, .len = CONTROL_MAX}), -E_FAULT);
		WANT(answer((struct control_header){.op = ~0u, .container = ~0u, .request = request, .flags = 2}, words, 0), 0);
		if (answer((struct control_header){.request = request}, words, 8) >= 0)
			reached("a second answer");
	}
}

/* Parts without end: the command must not drown, and the VMM's memory has an end. */
static void parts_without_end(void)
{
	struct control_header head;
	uint32_t request = ask_control(&head);
	int64_t r = 0;

	for (unsigned i = 0; i < 3000 && (r == 0 || r == -11); i++)
		r = answer((struct control_header){.request = request, .flags = CONTROL_MORE}, words, 8);
	for (;;)
		relax();
}

const struct escape_case control_cases[] = {
	{"words-for-a-terminal", words_for_a_terminal, NULL, true},
	{"bad-answers", bad_answers, NULL, true},
	{"parts-without-end", parts_without_end, NULL, true},
	{NULL, NULL, NULL, false},
};
