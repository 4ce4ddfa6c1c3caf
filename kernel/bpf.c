/*
 * Classic BPF: the checker and the interpreter (the kernel's Documentation/networking/filter.rst).
 *
 * The machine has an accumulator A, an index X and sixteen memory words. The checker lets only those programs
 * through on which the interpreter needs no test of its own but the ones of loads and of a division by X: known
 * instructions, jumps forward and inside, memory words that were written on every way to where they are read, a
 * return at the end.
 */
#include <linux/errno.h>

#include "kernel/bpf.h"
#include "kernel/mm.h"
#include "ring0/lib.h"

#define WORD_MASK_ALL 0xffffu

/* ---- the checker ---- */

static bool code_is_known(uint16_t code)
{
	switch (BPF_CLASS(code)) {
	case BPF_LD:
		if (BPF_MODE(code) == BPF_ABS || BPF_MODE(code) == BPF_IND)
			return BPF_SIZE(code) != 0x18 && !(code & ~0xffu);
		return code == (BPF_LD | BPF_IMM) || code == (BPF_LD | BPF_MEM) || code == (BPF_LD | BPF_LEN);
	case BPF_LDX:
		return code == (BPF_LDX | BPF_IMM) || code == (BPF_LDX | BPF_MEM) || code == (BPF_LDX | BPF_LEN) ||
			code == (BPF_LDX | BPF_B | BPF_MSH);
	case BPF_ST:
	case BPF_STX:
		return code == BPF_ST || code == BPF_STX;
	case BPF_ALU:
		if (code == (BPF_ALU | BPF_NEG))
			return true;
		return !(code & ~0xffu) && BPF_OP(code) <= BPF_XOR && BPF_OP(code) != BPF_NEG;
	case BPF_JMP:
		if (code == (BPF_JMP | BPF_JA))
			return true;
		return !(code & ~0xffu) && BPF_OP(code) >= BPF_JEQ && BPF_OP(code) <= BPF_JSET;
	case BPF_RET:
		return code == (BPF_RET | BPF_K) || code == (BPF_RET | BPF_A);
	default:
		return code == (BPF_MISC | BPF_TAX) || code == (BPF_MISC | BPF_TXA);
	}
}

static bool operand_is_valid(const struct sock_filter *insn, unsigned at, unsigned count)
{
	unsigned left = count - at - 1;

	switch (insn->code) {
	case BPF_ALU | BPF_DIV | BPF_K:
	case BPF_ALU | BPF_MOD | BPF_K:
		return insn->k != 0;
	case BPF_ALU | BPF_LSH | BPF_K:
	case BPF_ALU | BPF_RSH | BPF_K:
		return insn->k < 32;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return insn->k < BPF_MEMWORDS;
	case BPF_JMP | BPF_JA:
		return insn->k < left;
	}
	if (BPF_CLASS(insn->code) == BPF_JMP)
		return insn->jt < left && insn->jf < left;
	return true;
}

/* Memory words are written before they are read, whichever way leads there: bits of what every way has written. */
static int check_memory(const struct sock_filter *program, unsigned count)
{
	uint16_t *written = kmalloc(count * sizeof(*written)), valid = 0;
	int rc = written ? 0 : -ENOMEM;

	for (unsigned i = 0; written && i < count; i++)
		written[i] = WORD_MASK_ALL;
	for (unsigned i = 0; !rc && i < count; i++) {
		const struct sock_filter *insn = &program[i];

		valid &= written[i];
		switch (insn->code) {
		case BPF_ST:
		case BPF_STX:
			valid |= (uint16_t)(1u << insn->k);
			break;
		case BPF_LD | BPF_MEM:
		case BPF_LDX | BPF_MEM:
			if (!(valid >> insn->k & 1))
				rc = -EINVAL;
			break;
		case BPF_JMP | BPF_JA:
			written[i + 1 + insn->k] &= valid;
			valid = WORD_MASK_ALL;
			break;
		default:
			if (BPF_CLASS(insn->code) != BPF_JMP)
				break;
			written[i + 1 + insn->jt] &= valid;
			written[i + 1 + insn->jf] &= valid;
			valid = WORD_MASK_ALL;
		}
	}
	kfree(written);
	return rc;
}

int bpf_check(const struct sock_filter *program, unsigned count)
{
	if (count == 0 || count > BPF_MAXINSNS)
		return -EINVAL;
	for (unsigned i = 0; i < count; i++) {
		if (!code_is_known(program[i].code) || !operand_is_valid(&program[i], i, count))
			return -EINVAL;
	}
	if (BPF_CLASS(program[count - 1].code) != BPF_RET)
		return -EINVAL;
	return check_memory(program, count);
}

/* ---- the interpreter ---- */

struct machine_state {
	uint32_t a, x;
	uint32_t word[BPF_MEMWORDS];
};

static unsigned load_size(uint16_t code)
{
	return BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
}

/* False: outside the data. */
static bool run_load(struct machine_state *m, const struct sock_filter *insn, const struct bpf_data *data)
{
	uint32_t byte;

	switch (insn->code) {
	case BPF_LD | BPF_IMM:
		m->a = insn->k;
		return true;
	case BPF_LDX | BPF_IMM:
		m->x = insn->k;
		return true;
	case BPF_LD | BPF_MEM:
		m->a = m->word[insn->k];
		return true;
	case BPF_LDX | BPF_MEM:
		m->x = m->word[insn->k];
		return true;
	case BPF_LD | BPF_LEN:
		m->a = data->len;
		return true;
	case BPF_LDX | BPF_LEN:
		m->x = data->len;
		return true;
	case BPF_LDX | BPF_B | BPF_MSH: /* the length of an IPv4 header */
		if (!data->load(data, insn->k, 1, &byte))
			return false;
		m->x = (byte & 0xf) * 4;
		return true;
	}
	uint32_t offset = BPF_MODE(insn->code) == BPF_IND ? m->x + insn->k : insn->k;
	return data->load(data, offset, load_size(insn->code), &m->a);
}

/* False: a division by zero. */
static bool run_alu(struct machine_state *m, const struct sock_filter *insn)
{
	uint32_t operand = BPF_SRC(insn->code) == BPF_X ? m->x : insn->k;

	switch (BPF_OP(insn->code)) {
	case BPF_ADD:
		m->a += operand;
		break;
	case BPF_SUB:
		m->a -= operand;
		break;
	case BPF_MUL:
		m->a *= operand;
		break;
	case BPF_DIV:
	case BPF_MOD:
		if (!operand)
			return false;
		m->a = BPF_OP(insn->code) == BPF_DIV ? m->a / operand : m->a % operand;
		break;
	case BPF_OR:
		m->a |= operand;
		break;
	case BPF_AND:
		m->a &= operand;
		break;
	case BPF_XOR:
		m->a ^= operand;
		break;
	case BPF_LSH:
		m->a <<= operand & 31;
		break;
	case BPF_RSH:
		m->a >>= operand & 31;
		break;
	case BPF_NEG:
		m->a = -m->a;
		break;
	}
	return true;
}

/* How many instructions to leave out. */
static uint32_t run_jump(const struct machine_state *m, const struct sock_filter *insn)
{
	uint32_t operand = BPF_SRC(insn->code) == BPF_X ? m->x : insn->k;
	bool yes;

	switch (BPF_OP(insn->code)) {
	case BPF_JA:
		return insn->k;
	case BPF_JEQ:
		yes = m->a == operand;
		break;
	case BPF_JGT:
		yes = m->a > operand;
		break;
	case BPF_JGE:
		yes = m->a >= operand;
		break;
	default:
		yes = m->a & operand;
	}
	return yes ? insn->jt : insn->jf;
}

uint32_t bpf_run(const struct sock_filter *program, const struct bpf_data *data)
{
	struct machine_state m = {0};

	for (const struct sock_filter *insn = program;; insn++) {
		switch (BPF_CLASS(insn->code)) {
		case BPF_LD:
		case BPF_LDX:
			if (!run_load(&m, insn, data))
				return 0;
			break;
		case BPF_ST:
			m.word[insn->k] = m.a;
			break;
		case BPF_STX:
			m.word[insn->k] = m.x;
			break;
		case BPF_ALU:
			if (!run_alu(&m, insn))
				return 0;
			break;
		case BPF_JMP:
			insn += run_jump(&m, insn);
			break;
		case BPF_RET:
			return BPF_RVAL(insn->code) == BPF_A ? m.a : insn->k;
		default:
			if (BPF_MISCOP(insn->code) == BPF_TAX)
				m.x = m.a;
			else
				m.a = m.x;
		}
	}
}
