/*
 * The instructions of eBPF programs (Documentation/bpf/instruction-set): checked once when they are loaded, then interpreted.
 *
 * Since jumps go forwards only, one pass sees what each register holds wherever an instruction is reached from: a number, the
 * context, or nothing that may be used. The context is only read, at places inside of it, and nothing is computed with its address: at
 * run time no register holds one.
 */
#include <linux/errno.h>

#include "kernel/cred.h"
#include "kernel/ebpf.h"
#include "kernel/mm.h"
#include "kernel/task.h"
#include "ring0/clock.h"
#include "ring0/lib.h"

#define REGISTERS 10u /* r10, the stack's, is never valid: there is none */

enum held { HELD_NOTHING, HELD_NUMBER, HELD_CONTEXT };

/* What the registers hold before an instruction; reached: from somewhere. */
struct ebpf_state {
	uint8_t held[REGISTERS];
	bool reached;
};

static TAILQ_HEAD(, ebpf_listed) programs = TAILQ_HEAD_INITIALIZER(programs);
struct ebpf_listed {
	struct ebpf_program program;
	TAILQ_ENTRY(ebpf_listed) link;
};
static uint32_t last_id;

/* ---- checking ---- */

static void reach(struct ebpf_state *to, const struct ebpf_state *from)
{
	for (unsigned i = 0; i < REGISTERS; i++)
		to->held[i] = !to->reached || to->held[i] == from->held[i] ? from->held[i] : HELD_NOTHING;
	to->reached = true;
}

static bool is_number(const struct ebpf_state *state, unsigned reg)
{
	return reg < REGISTERS && state->held[reg] == HELD_NUMBER;
}

/* The second operand: a register with a number, or the instruction's own, and then no register is named. */
static bool source_is_right(const struct ebpf_state *state, const struct bpf_insn *insn)
{
	return BPF_SRC(insn->code) == BPF_X ? is_number(state, insn->src_reg) && !insn->imm : !insn->src_reg;
}

static bool shift_is_right(const struct bpf_insn *insn, int bits)
{
	unsigned op = BPF_OP(insn->code);

	if (BPF_SRC(insn->code) == BPF_X)
		return true;
	if (op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH)
		return insn->imm >= 0 && insn->imm < bits;
	return (op != BPF_DIV && op != BPF_MOD) || insn->imm;
}

static int check_alu(struct ebpf_state *state, const struct bpf_insn *insn)
{
	bool wide = BPF_CLASS(insn->code) == BPF_ALU64;
	unsigned op = BPF_OP(insn->code);

	if (insn->off || insn->dst_reg >= REGISTERS)
		return insn->off ? -EINVAL : -EACCES;
	if (op == BPF_MOV && wide && BPF_SRC(insn->code) == BPF_X && insn->src_reg < REGISTERS && !insn->imm) {
		if (state->held[insn->src_reg] == HELD_NOTHING)
			return -EACCES;
		state->held[insn->dst_reg] = state->held[insn->src_reg];
		return 0;
	}
	if (op == BPF_NEG)
		return insn->src_reg || insn->imm || BPF_SRC(insn->code) == BPF_X ? -EINVAL : is_number(state, insn->dst_reg) ? 0 : -EACCES;
	if (op == BPF_END)
		return -EINVAL; /* no program of this type needs it */
	if (op > BPF_ARSH || !shift_is_right(insn, wide ? 64 : 32))
		return -EINVAL;
	if (!source_is_right(state, insn) || (op != BPF_MOV && !is_number(state, insn->dst_reg)))
		return -EACCES;
	state->held[insn->dst_reg] = HELD_NUMBER;
	return 0;
}

static unsigned load_size(const struct bpf_insn *insn)
{
	switch (BPF_SIZE(insn->code)) {
	case BPF_B:
		return 1;
	case BPF_H:
		return 2;
	case BPF_W:
		return 4;
	}
	return 0;
}

/* A number of the context, or of the first one a part. */
static int check_load(struct ebpf_state *state, const struct bpf_insn *insn, size_t context)
{
	unsigned size = load_size(insn), at = (unsigned)(int)insn->off;

	if (BPF_MODE(insn->code) != BPF_MEM || insn->imm || !size)
		return -EINVAL;
	if (insn->dst_reg >= REGISTERS || insn->src_reg >= REGISTERS || state->held[insn->src_reg] != HELD_CONTEXT)
		return -EACCES;
	if (insn->off < 0 || at % size || at + size > context || (size < 4 && at >= 4))
		return -EACCES;
	state->held[insn->dst_reg] = HELD_NUMBER;
	return 0;
}

/* Sets the state of the place that a jump leads to. */
static int check_jump(struct ebpf_state *states, unsigned i, unsigned count, const struct bpf_insn *insn)
{
	struct ebpf_state *state = &states[i];
	unsigned op = BPF_OP(insn->code);

	if (op == BPF_EXIT || op == BPF_CALL || op > BPF_JSLE || insn->off < 0 || i + 1 + (unsigned)insn->off >= count)
		return -EINVAL;
	if (op == BPF_JA) {
		if (BPF_CLASS(insn->code) != BPF_JMP || BPF_SRC(insn->code) || insn->dst_reg || insn->src_reg || insn->imm)
			return -EINVAL;
	} else if (!is_number(state, insn->dst_reg) || !source_is_right(state, insn)) {
		return -EACCES;
	}
	reach(&states[i + 1 + (unsigned)insn->off], state);
	return 0;
}

/* One instruction, not a load; *next: the one that it goes on with if it does not jump, 0: none. */
static int check_insn(struct ebpf_state *states, const struct bpf_insn *insns, unsigned i, unsigned count, unsigned *next)
{
	const struct bpf_insn *insn = &insns[i];

	*next = i + 1;
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		return check_alu(&states[i], insn);
	case BPF_LD: /* a number of 64 bits, in two */
		if (insn->code != (BPF_LD | BPF_IMM | BPF_DW) || i + 1 >= count || insn->src_reg || insn->off || insn->dst_reg >= REGISTERS ||
			insn[1].code || insn[1].dst_reg || insn[1].src_reg || insn[1].off || states[i + 1].reached)
			return -EINVAL;
		states[i].held[insn->dst_reg] = HELD_NUMBER;
		*next = i + 2;
		return 0;
	case BPF_JMP:
	case BPF_JMP32:
		if (insn->code != (BPF_JMP | BPF_EXIT)) {
			*next = BPF_OP(insn->code) == BPF_JA ? 0 : i + 1;
			return check_jump(states, i, count, insn);
		}
		*next = 0;
		return insn->dst_reg || insn->src_reg || insn->off || insn->imm ? -EINVAL : is_number(&states[i], 0) ? 0 : -EACCES;
	}
	return -EINVAL;
}

/* context: so many bytes may be read. */
static int check(struct ebpf_state *states, const struct bpf_insn *insns, unsigned count, size_t context)
{
	unsigned next, i = 0;

	states[0].reached = true;
	states[0].held[1] = HELD_CONTEXT;
	while (i < count) {
		if (!states[i].reached)
			return -EINVAL;
		bool is_load = BPF_CLASS(insns[i].code) == BPF_LDX;
		int rc = is_load ? check_load(&states[i], &insns[i], context) : check_insn(states, insns, i, count, &next);

		next = is_load ? i + 1 : next;
		if (rc)
			return rc;
		if (next >= count)
			return -EINVAL; /* it would run past the end */
		if (next)
			reach(&states[next], &states[i]);
		i = next > i + 1 ? next : i + 1;
	}
	return 0;
}

/* ---- life ---- */

bool ebpf_type_exists(uint32_t type)
{
	return type == BPF_PROG_TYPE_CGROUP_DEVICE || type == BPF_PROG_TYPE_CGROUP_SKB;
}

int ebpf_program_create(uint32_t type, struct bpf_insn *insns, unsigned count, struct ebpf_program **program)
{
	size_t context = type == BPF_PROG_TYPE_CGROUP_DEVICE ? sizeof(struct bpf_cgroup_dev_ctx) : 0;
	struct ebpf_state *states = kzalloc(count * sizeof(*states));
	struct ebpf_listed *listed = kzalloc(sizeof(*listed));
	int rc = states && listed ? check(states, insns, count, context) : -ENOMEM;

	kfree(states);
	if (rc) {
		kfree(listed);
		return rc;
	}
	listed->program = (struct ebpf_program){.refs = 1, .id = ++last_id, .type = type, .maker_uid = current->cred->uid,
		.loaded_ns = clock_boottime(), .count = count, .insns = insns};
	TAILQ_INSERT_TAIL(&programs, listed, link);
	*program = &listed->program;
	return 0;
}

void ebpf_program_get(struct ebpf_program *program)
{
	program->refs++;
}

void ebpf_program_put(struct ebpf_program *program)
{
	struct ebpf_listed *listed = container_of(program, struct ebpf_listed, program);

	if (--program->refs)
		return;
	TAILQ_REMOVE(&programs, listed, link);
	kfree(program->insns);
	kfree(listed);
}

struct ebpf_program *ebpf_program_find(uint32_t id)
{
	struct ebpf_listed *listed;

	TAILQ_FOREACH(listed, &programs, link) {
		if (listed->program.id == id)
			return &listed->program;
	}
	return NULL;
}

/* ---- running ---- */

static uint64_t compute(unsigned op, uint64_t a, uint64_t b, unsigned bits)
{
	switch (op) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV:
		return b ? a / b : 0;
	case BPF_MOD:
		return b ? a % b : a;
	case BPF_OR:
		return a | b;
	case BPF_AND:
		return a & b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return a << (b & (bits - 1));
	case BPF_RSH:
		return a >> (b & (bits - 1));
	case BPF_ARSH:
		return bits == 32 ? (uint64_t)((int32_t)a >> (b & 31)) : (uint64_t)((int64_t)a >> (b & 63));
	case BPF_NEG:
		return -a;
	}
	return b; /* BPF_MOV */
}

static bool is_taken(unsigned op, uint64_t a, uint64_t b)
{
	int64_t sa = (int64_t)a, sb = (int64_t)b;

	switch (op) {
	case BPF_JEQ:
		return a == b;
	case BPF_JNE:
		return a != b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	case BPF_JLT:
		return a < b;
	case BPF_JLE:
		return a <= b;
	case BPF_JSET:
		return a & b;
	case BPF_JSGT:
		return sa > sb;
	case BPF_JSGE:
		return sa >= sb;
	case BPF_JSLT:
		return sa < sb;
	case BPF_JSLE:
		return sa <= sb;
	}
	return true; /* BPF_JA */
}

static bool jumps(const struct bpf_insn *insn, uint64_t a, uint64_t b)
{
	if (BPF_CLASS(insn->code) == BPF_JMP32) /* signed comparisons need the sign, and others keep their order by it */
		return is_taken(BPF_OP(insn->code), (uint64_t)(int32_t)a, (uint64_t)(int32_t)b);
	return is_taken(BPF_OP(insn->code), a, b);
}

static uint64_t load(const struct bpf_cgroup_dev_ctx *context, const struct bpf_insn *insn)
{
	uint32_t value = 0;

	memcpy(&value, (const char *)context + insn->off, load_size(insn));
	return value;
}

uint64_t ebpf_program_run(const struct ebpf_program *program, const struct bpf_cgroup_dev_ctx *context)
{
	uint64_t r[REGISTERS] = {0};
	const struct bpf_insn *insn = program->insns;

	for (;; insn++) {
		uint64_t b = BPF_SRC(insn->code) == BPF_X ? r[insn->src_reg] : (uint64_t)(int64_t)insn->imm;

		switch (BPF_CLASS(insn->code)) {
		case BPF_ALU:
			r[insn->dst_reg] = (uint32_t)compute(BPF_OP(insn->code), (uint32_t)r[insn->dst_reg], (uint32_t)b, 32);
			break;
		case BPF_ALU64:
			r[insn->dst_reg] = compute(BPF_OP(insn->code), r[insn->dst_reg], b, 64);
			break;
		case BPF_LDX:
			r[insn->dst_reg] = load(context, insn);
			break;
		case BPF_LD:
			r[insn->dst_reg] = (uint32_t)insn->imm | (uint64_t)(uint32_t)insn[1].imm << 32;
			insn++;
			break;
		default:
			if (insn->code == (BPF_JMP | BPF_EXIT))
				return r[0];
			if (jumps(insn, r[insn->dst_reg], b))
				insn += insn->off;
		}
	}
}
