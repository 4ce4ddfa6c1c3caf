/* platform/systrap against what the sentry is promised: see hosted_checks.h. */
#include "platform/systrap/filter.h"
#include "platform/systrap/internal.h"

#define PLATFORM systrap_platform
#define LIST_LENGTH strap_filter_count
#define EXACT_FAULTS 1
#include "test/unit/host/hosted_checks.h"

/* AVX-512 with protection keys has 2,696 bytes of FPU state, AMX 11,008; what has no room is refused at start. */
static void test_fpu_sizes(unsigned cpu)
{
	CHECK(strap_frame_fits(512 + 64) && strap_frame_fits(2696) && strap_frame_fits(11008));
	CHECK(!strap_frame_fits(ST_AREA_SIZE - AREA_FPU_DEFAULT) && !strap_frame_fits(ST_AREA_SIZE) && !strap_frame_fits(~0u));
}

/* User code that jumps to any byte of the stub's code gives the CPU back, and the next space is whole. */
static void test_escape_own(const struct abi_hosted *h, unsigned cpu, uint64_t space, unsigned page)
{
	static const uint8_t code[] = {0x0f, 0x05};
	const uint64_t patterns[] = {0, USER_TOP, USER_TOP + 0x10000, USER_TOP + 0x16000, CODE, ~0ull};
	unsigned died = 0;

	if (cpu == 0)
		test_fpu_sizes(cpu);
	for (uint64_t at = 0; at < 0x300 && cpu == 0; at++) {
		uint64_t fill = patterns[at % 6];
		struct hosted_context x = {.regs = {.rip = USER_TOP + 0x2000 + at, .rflags = 0x202, .rax = 202, .rbx = fill,
			.rcx = fill, .rdx = fill, .rsi = fill, .rdi = fill, .rbp = fill, .rsp = fill, .r8 = fill, .r9 = fill,
			.r10 = fill, .r12 = fill, .r13 = 56, .r14 = USER_TOP + 0x100, .r15 = fill}};

		h->timer(cpu, now() + 3000000);
		CHECK(!h->map(cpu, space + 50, CODE, PAGE, page * PAGE, HOSTED_READ | HOSTED_EXEC));
		CHECK(!h->run(cpu, space + 50, &x));
		died += x.regs.trap == TRAP_STUB_DIED;
		if (at % 16 == 15)
			CHECK(!h->drop(cpu, space + 50));
		load(&x, page, code, sizeof(code));
		CHECK(!run_on(h, cpu, space, &x) && x.regs.trap == TRAP_SYSCALL);
	}
	if (cpu == 0)
		printf("%u stubs died of jumps into their own code\n", died);
	h->timer(cpu, UINT64_MAX);
}
