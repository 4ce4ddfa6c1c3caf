/*
 * Seccomp programs of the stubs, from filters.def.
 *
 * The container's own calls have to reach the sentry whatever their number, so a program
 * first looks where the call stands: outside the stub's code all is SIGSYS. That is for
 * function only, since any code can jump to the stub's code; what protects the host is
 * that the rest of the list is harmless.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/systrap/filter.h"
#include "platform/systrap/internal.h"
#include "platform/systrap/stub.h"

#define PROGRAM_LIMIT 160u

const struct strap_filter strap_filters[] = {
#define MASTER STUB_MASTER
#define MAPPER STUB_MAPPER
#define RUNNER STUB_RUNNER
#define ANY
#define WORD(field) (1 + offsetof(struct seccomp_data, field) / 4)
#define EQ(i, v) {WORD(args[i]), (uint32_t)(v)},
#define EQ64(i, v) {WORD(args[i]), (uint32_t)(v)}, {WORD(args[i]) + 1, (uint32_t)((uint64_t)(v) >> 32)},
#define AT(v) {WORD(instruction_pointer), (uint32_t)(v)},
#define STUB(who, call, arguments, why) {who, SYS_##call, #call, why, {arguments}},
#include "platform/systrap/filters.def"
#undef STUB
#undef AT
#undef EQ64
#undef EQ
#undef ANY
};
const size_t strap_filter_count = sizeof(strap_filters) / sizeof(strap_filters[0]);

static struct sock_filter stmt(uint16_t code, uint32_t k)
{
	return (struct sock_filter){code, 0, 0, k};
}

static struct sock_filter jump(uint32_t k, unsigned t, unsigned f, uint16_t how)
{
	return (struct sock_filter){(uint16_t)(BPF_JMP | how | BPF_K), (uint8_t)t, (uint8_t)f, k};
}

static struct sock_filter load(size_t offset)
{
	return stmt(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset);
}

/* Falls through to the next entry unless number and arguments fit. */
static struct sock_filter *emit_entry(struct sock_filter *at, const struct strap_filter *f)
{
	unsigned compared = 0, length;

	while (compared < STRAP_COMPARED && f->compare[compared].word)
		compared++;
	length = 3 * compared + 1;
	*at++ = jump((uint32_t)f->nr, 0, length, BPF_JEQ);
	for (unsigned i = 0; i < compared; i++) {
		/* The number is loaded again on the way to the next entry. */
		*at++ = load(4u * (f->compare[i].word - 1));
		*at++ = jump(f->compare[i].value, 1, 0, BPF_JEQ);
		*at = stmt(BPF_JMP | BPF_JA, length - 3 * i - 3);
		at++;
	}
	*at++ = stmt(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (compared)
		*at++ = load(offsetof(struct seccomp_data, nr));
	return at;
}

static unsigned program_write(struct sock_filter *code, unsigned threads)
{
	struct sock_filter *at = code;

	*at++ = load(offsetof(struct seccomp_data, instruction_pointer) + 4);
	*at++ = jump((uint32_t)((uint64_t)ST_CODE >> 32), 1, 0, BPF_JEQ);
	*at++ = stmt(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
	*at++ = load(offsetof(struct seccomp_data, instruction_pointer));
	*at++ = jump((uint32_t)ST_CODE, 1, 0, BPF_JGE);
	*at++ = stmt(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
	*at++ = jump((uint32_t)(ST_CODE + ST_CODE_SIZE), 0, 1, BPF_JGE);
	*at++ = stmt(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
	*at++ = load(offsetof(struct seccomp_data, arch));
	*at++ = jump(AUDIT_ARCH_X86_64, 1, 0, BPF_JEQ);
	*at++ = stmt(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
	*at++ = load(offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < strap_filter_count; i++) {
		const struct strap_filter *f = &strap_filters[i];

		if (!(f->threads & threads) || (f->nr == SYS_arch_prctl && st_fsgsbase))
			continue;
		at = emit_entry(at, f);
	}
	*at++ = stmt(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
	return (unsigned)(at - code);
}

void strap_filter_programs(uint8_t *page)
{
	struct sock_fprog *heads = (struct sock_fprog *)page;
	uint8_t *code = page + 64;

	for (unsigned i = 0; i < 2; i++) {
		unsigned n = program_write((struct sock_filter *)code, i ? STUB_RUNNER : STUB_MAPPER);

		heads[i].len = (unsigned short)n;
		heads[i].filter = (struct sock_filter *)(ST_PROGRAMS + (uint64_t)(code - page));
		code += n * sizeof(struct sock_filter);
	}
	_Static_assert(sizeof(struct sock_fprog) == 16, "stub_code.S");
}

int strap_filter_master(void)
{
	struct sock_filter code[PROGRAM_LIMIT];
	struct sock_fprog program = {.filter = code};

	program.len = (unsigned short)program_write(code, STUB_MASTER);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0 ? -errno : 0;
}
