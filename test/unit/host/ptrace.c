/* platform/ptrace against what the sentry is promised: see hosted_checks.h. */
#include "platform/ptrace/filter.h"

#define PLATFORM ptrace_platform
#define LIST_LENGTH filter_entry_count
#define EXACT_FAULTS 0
#include "test/unit/host/hosted_checks.h"

/* User code that runs the stub's own order loop only makes system calls of its own, which are never performed. */
static void test_escape_own(const struct abi_hosted *h, unsigned cpu, uint64_t space, unsigned page)
{
	struct hosted_context x = {.regs = {.rip = USER_TOP + 0x2000 + 2, .rbx = USER_TOP, .rbp = 1, .rflags = 0x202}};

	CHECK(!run_on(h, cpu, space, &x) && x.regs.trap == TRAP_SYSCALL);
	CHECK(x.regs.rip > USER_TOP && x.regs.rip < USER_TOP + 0x3000);
}
