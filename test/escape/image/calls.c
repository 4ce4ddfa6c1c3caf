/*
 * Host calls with bad arguments. Each must give the errno named here, and leave the VMM whole.
 */
#include "test/escape/image/image.h"

static bool is_call(uint32_t op)
{
	switch (op) {
#define HOST_CALL(number, name, args, why) case number:
#include "platform/abi/calls.def"
		return true;
	}
	return false;
}

static void unknown_calls(void)
{
	for (uint32_t op = 0; op < 4096; op++)
		if (!is_call(op))
			WANT(call(op, scratch, 8, 0, 0), -E_NOSYS);
	for (unsigned bit = 12; bit < 32; bit++)
		WANT(call(1u << bit | ABI_CALL_clock, scratch, 8, 0, 0), -E_NOSYS);
	WANT(call(~0u, 0, 0, 0, 0), -E_NOSYS);
}

/* Each of these, with a length of at least two, names a byte outside the zones. */
static unsigned bad_addresses(uint64_t *to)
{
	const uint64_t all[] = {0, 1, 0xfee00000ull, boot.kernel.base - 1, boot.kernel.base - 4096, boot.user.base - 1,
		boot.user.base + boot.user.size - 1, boot.user.base + boot.user.size, boot.user.base + boot.user.size + 4096,
		1ull << 40, 1ull << 47, 1ull << 63, ~0ull, ~0ull - 1, ~0ull - 4095, 0ull - boot.direct_base, (uint64_t)at(scratch)};
	unsigned count = 0;

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		to[count++] = all[i];
	return count;
}

static void addresses_of_calls(void)
{
	uint64_t bad[32];
	unsigned count = bad_addresses(bad);

	for (unsigned i = 0; i < count; i++) {
		WANT(call(ABI_CALL_log, bad[i], 16, 0, 0), -E_FAULT);
		WANT(call(ABI_CALL_clock, bad[i], 0, 0, 0), -E_FAULT);
		WANT(call(ABI_CALL_entropy, bad[i], 16, 0, 0), -E_FAULT);
		WANT(call(ABI_CALL_fd_pread, 0, bad[i], 16, 0), -E_FAULT);
		WANT(call(ABI_CALL_fd_fill, 0, bad[i], 16, 0), -E_FAULT);
		WANT(call(ABI_CALL_fd_pwrite, 0, bad[i], 16, 0), -E_FAULT);
		WANT(call(ABI_CALL_fd_stat, 0, bad[i], 0, 0), -E_FAULT);
	}
	/* The last bytes of a zone, and one more. */
	WANT(call(ABI_CALL_entropy, boot.user.base + boot.user.size - 16, 16, 0, 0), 16);
	WANT(call(ABI_CALL_entropy, boot.user.base + boot.user.size - 16, 17, 0, 0), -E_FAULT);
	WANT(call(ABI_CALL_entropy, boot.user.base - 16, 17, 0, 0), -E_FAULT);
	WANT(call(ABI_CALL_entropy, boot.user.base - 8, 16, 0, 0), -E_FAULT);
}

static void lengths_that_wrap(void)
{
	WANT(call(ABI_CALL_entropy, scratch, 4097, 0, 0), -E_FAULT);
	WANT(call(ABI_CALL_entropy, scratch, ~0ull, 0, 0), -E_FAULT);
	WANT(call(ABI_CALL_fd_pread, 0, scratch, ~0ull, 0), -E_FAULT);
	WANT(call(ABI_CALL_fd_pread, 0, scratch, 0ull - scratch, 0), -E_FAULT);
	WANT(call(ABI_CALL_fd_pread, 0, scratch, 0ull - scratch + 16, 0), -E_FAULT);
	WANT(call(ABI_CALL_fd_pread, 0, scratch, (1ull << 30) + 1, 0), -E_FAULT);
	WANT(call(ABI_CALL_fd_pread, 0, scratch, 1ull << 63, 0), -E_FAULT);
	WANT(call(ABI_CALL_fd_fill, 0, boot.user.base, boot.user.size + 1, 0), -E_FAULT);
	WANT(call(ABI_CALL_fd_fill, 0, boot.user.base + boot.user.size - 16, ~0ull, 0), -E_FAULT);
	WANT(call(ABI_CALL_fd_fill, 0, boot.user.base + 16, 0ull - 16, 0), -E_FAULT);
	WANT(call(ABI_CALL_fd_pwrite, 0, boot.kernel.base, boot.kernel.size + 1, 0), -E_FAULT);
	/* A line is cut, not followed out of memory. */
	WANT(call(ABI_CALL_log, scratch, ~0ull, 4, 0), 0);
	WANT(call(ABI_CALL_log, boot.user.base + boot.user.size - 8, ~0ull, 4, 0), -E_FAULT);
}

static void descriptors(void)
{
	static const uint64_t bad[] = {3, 4, 100, ABI_MAX_FDS - 1, ABI_MAX_FDS, ABI_MAX_FDS + 1, 0x7fffffff, 0x80000000, 0xffffffff,
		1ull << 32, (1ull << 32) + 1, (1ull << 63), ~0ull, ~0ull - 2};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		WANT(call(ABI_CALL_fd_pread, bad[i], scratch, 16, 0), -E_BADF);
		WANT(call(ABI_CALL_fd_fill, bad[i], boot.user.base, 16, 0), -E_BADF);
		WANT(call(ABI_CALL_fd_pwrite, bad[i], scratch, 16, 0), -E_BADF);
		WANT(call(ABI_CALL_fd_truncate, bad[i], 0, 0, 0), -E_BADF);
		WANT(call(ABI_CALL_fd_close, bad[i], 0, 0, 0), -E_BADF);
		WANT(call(ABI_CALL_fd_stat, bad[i], scratch, 0, 0), -E_BADF);
		WANT(call(ABI_CALL_tty_get, bad[i], scratch, 0, 0), -E_NOTTY);
		WANT(call(ABI_CALL_tty_set, bad[i], scratch, 1, 0), -E_NOTTY);
	}
	for (uint64_t fd = 0; fd < 3; fd++) {
		WANT(call(ABI_CALL_fd_close, fd, 0, 0, 0), -E_BADF);
		WANT(call(ABI_CALL_tty_set, fd, scratch, 1, 0), -E_NOTTY); /* the runner gives us no terminal */
	}
	/* Standard output is a pipe here: what may wait is not for a call. */
	WANT(call(ABI_CALL_fd_pwrite, 1, scratch, 16, 0), -E_SPIPE);
	WANT(call(ABI_CALL_fd_truncate, 1, 0, 0, 0), -E_BADF);
}

static void offsets(void)
{
	WANT(call(ABI_CALL_fd_pread, 0, scratch, 16, ~0ull), -E_INVAL);
	WANT(call(ABI_CALL_fd_pread, 0, scratch, 16, 1ull << 63), -E_INVAL);
	WANT(call(ABI_CALL_fd_fill, 0, boot.user.base, 16, ~0ull), -E_INVAL);
	WANT(call(ABI_CALL_fd_pread, 0, scratch, 16, (1ull << 62)), 0);
	WANT(call(ABI_CALL_fd_truncate, 0, 1ull << 63, 0, 0), -E_INVAL);
	WANT(call(ABI_CALL_fd_pwrite, 0, scratch, 16, 0), -E_BADF); /* standard input is open for reading */
}

static void memory_that_is_not_ours(void)
{
	uint64_t bad[32];
	unsigned count = bad_addresses(bad);

	for (unsigned i = 0; i < count; i++)
		if (call(ABI_CALL_mem_release, bad[i], 8192, 0, 0) >= 0)
			reached("memory outside the zones was given back");
	WANT(call(ABI_CALL_mem_release, scratch, 0, 0, 0), -E_INVAL);
	WANT(call(ABI_CALL_mem_release, scratch + 1, 4096, 0, 0), -E_INVAL);
	WANT(call(ABI_CALL_mem_release, scratch, 4095, 0, 0), -E_INVAL);
	WANT(call(ABI_CALL_mem_release, scratch, ~4095ull, 0, 0), -E_FAULT);
	WANT(call(ABI_CALL_mem_release, scratch, 4096ull - scratch, 0, 0), -E_FAULT);
	WANT(call(ABI_CALL_mem_release, boot.user.base - 4096, 8192, 0, 0), -E_FAULT);
	WANT(call(ABI_CALL_mem_release, boot.user.base, boot.user.size + 4096, 0, 0), -E_FAULT);
	WANT(call(ABI_CALL_mem_release, boot.user.base, boot.user.size, 0, 0), 0);
}

static void cpus(void)
{
	static const uint64_t bad[] = {0, ABI_MAX_CPUS, ABI_MAX_CPUS + 1, 1ull << 31, 1ull << 32, (1ull << 32) + 1, ~0ull};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		WANT(call(ABI_CALL_cpu_start, bad[i], 0, 0, 0), -E_INVAL);
	WANT(call(ABI_CALL_cpu_start, boot.cpus, 0, 0, 0), -E_INVAL);
	for (unsigned i = 0; i < 100 && boot.cpus > 1; i++)
		WANT(call(ABI_CALL_cpu_start, 1, 0, 0, 0), 0);
}

/* Neither the terminal of whoever reads the log nor the disk below it is ours. */
static void log_flood(void)
{
	static const char text[] = "\x1b]0;title\x07\x1b[2J\r\nroot:x:0:0\n\x9b\xff%s%n";

	copy(at(scratch), text, sizeof(text));
	for (unsigned i = 0; i < 20000; i++)
		WANT(call(ABI_CALL_log, scratch, sizeof(text), i % 3 ? 0 : ~0ull, 0), 0);
}

/* Every call with every kind of odd argument. Memory that we stand on is left out, and the end. */
static void storm(void)
{
	for (unsigned i = 0; i < 60000; i++) {
		uint32_t op = (uint32_t)(random_number() % 32);
		uint64_t a[4] = {odd_number(), odd_number(), odd_number(), odd_number()};

		if (op == ABI_CALL_exit || op == ABI_CALL_cpu_start)
			continue;
		if (op == ABI_CALL_log)
			a[2] = 4;
		if (op == ABI_CALL_mem_release && a[0] < boot.user.base)
			a[0] = boot.user.base;
		call(op, a[0], a[1], a[2], a[3]);
	}
}

static void odd_end(void)
{
	for (;;)
		call(ABI_CALL_exit, 0xdeadbeefffff7f7full, 0, 0, 0);
}

/* The words of the boot block are the VMM's only until the first CPU runs. */
static void spoiled_boot_block(void)
{
	struct abi_boot *block = NULL;

	for (uint64_t gpa = boot.kernel.base; gpa < boot.kernel.base + boot.kernel_used && !block; gpa += 4096)
		if (((struct abi_boot *)at(gpa))->magic == ABI_MAGIC && ((struct abi_boot *)at(gpa))->config_gpa == boot.config_gpa)
			block = at(gpa);
	if (!block)
		reached("no boot block");
	fill(block, 0xff, sizeof(*block));
	storm();
	WANT(ask((struct abi_sqe){.op = 77}), -E_NOSYS);
}

const struct escape_case call_cases[] = {
	{"unknown-calls", unknown_calls, NULL, false},
	{"addresses-of-calls", addresses_of_calls, NULL, false},
	{"lengths-that-wrap", lengths_that_wrap, NULL, false},
	{"descriptors", descriptors, NULL, false},
	{"offsets", offsets, NULL, false},
	{"memory-that-is-not-ours", memory_that_is_not_ours, NULL, false},
	{"cpus", cpus, NULL, false},
	{"log-flood", log_flood, NULL, false},
	{"storm", storm, NULL, false},
	{"odd-end", odd_end, NULL, false},
	{"spoiled-boot-block", spoiled_boot_block, NULL, false},
	{NULL, NULL, NULL, false},
};
