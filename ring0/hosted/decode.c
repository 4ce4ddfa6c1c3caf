/*
 * A small decoder for one question: does the instruction at rip write to the address
 * that faulted?
 *
 * The host tells where a stub's access failed, not what it wanted. Taking every first
 * access for a read costs a second fault when it was a write, so the common stores are
 * recognised here: an opcode known to write its memory operand, whose effective address
 * is the one that faulted. "No" only costs time, "yes" must be certain: a read taken for
 * a write could be refused by the memory's rights. Instruction bytes are read through
 * the page tables and may be anything.
 */
#include "ring0/hosted/decode.h"
#include "ring0/hosted/internal.h"
#include "ring0/lib.h"

#define MAX_LENGTH 15u
#define REACH 64u /* bytes that one store may touch */

struct instruction {
	const uint8_t *at, *end;
	uint8_t rex, modrm;
	bool operand16, address32;
	unsigned segment; /* 0: none or flat, 4: fs, 5: gs */
	unsigned scale;     /* EVEX: an 8-bit displacement counts in units of so many bytes; else 1 */
	uint64_t immediate; /* bytes behind the operand: rip-relative addresses count from the end */
};

static uint64_t reg_value(const struct regs *r, unsigned number)
{
	const uint64_t values[16] = {r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp, r->rsi, r->rdi, r->r8, r->r9, r->r10,
		r->r11, r->r12, r->r13, r->r14, r->r15};

	return values[number & 15];
}

/* Bytes at rip, as far as their pages are present. */
static unsigned fetch_bytes(uint64_t rip, uint8_t *to)
{
	unsigned n = 0;

	while (n < MAX_LENGTH && rip + n < USER_TOP) {
		uint64_t size, pa, *pte = hosted_pte(this_cpu()->space->root, rip + n, &size);
		unsigned room = (unsigned)MIN((uint64_t)MAX_LENGTH - n, PAGE_SIZE - ((rip + n) & ~PAGE_MASK));

		if (!pte || (*pte & (PTE_P | PTE_U)) != (PTE_P | PTE_U))
			break;
		pa = (*pte & PTE_ADDR & ~(size - 1)) + ((rip + n) & (size - 1));
		hosted_user_offset(pa);
		memcpy(to + n, pa_to_va(pa), room);
		n += room;
	}
	return n;
}

static uint64_t segment_base(const struct instruction *in)
{
	const struct machine_task *task = this_cpu()->machine_task;

	return in->segment == 4 ? task->fs_base : in->segment == 5 ? task->gs_base : 0;
}

static bool take(struct instruction *in, unsigned n, int64_t *value)
{
	int32_t wide;

	if (in->end - in->at < (long)n)
		return false;
	if (n == 1) {
		*value = (int8_t)*in->at;
	} else {
		memcpy(&wide, in->at, 4);
		*value = wide;
	}
	in->at += n;
	return true;
}

/* The memory operand's address from ModRM on; false: a register, or bytes are missing. */
static bool effective_address(struct instruction *in, const struct regs *regs, uint64_t start, uint64_t *address)
{
	unsigned mod = in->modrm >> 6, rm = in->modrm & 7;
	int64_t displacement = 0;
	uint64_t base = 0;

	if (mod == 3)
		return false;
	if (rm == 4) {
		uint8_t sib;
		unsigned index;

		if (in->at >= in->end)
			return false;
		sib = *in->at++;
		index = (unsigned)(sib >> 3 & 7) | (in->rex & 2 ? 8 : 0);
		if (index != 4)
			base = reg_value(regs, index) << (sib >> 6);
		if ((sib & 7) == 5 && mod == 0)
			mod = 2; /* a 32-bit displacement and no base */
		else
			base += reg_value(regs, (sib & 7) | (in->rex & 1 ? 8 : 0));
	} else if (rm == 5 && mod == 0) {
		if (!take(in, 4, &displacement))
			return false;
		*address = regs->rip + (uint64_t)(in->at - (const uint8_t *)start) + in->immediate + (uint64_t)displacement;
		return true;
	} else {
		base = reg_value(regs, rm | (in->rex & 1 ? 8 : 0));
	}
	if ((mod == 1 && !take(in, 1, &displacement)) || (mod == 2 && !take(in, 4, &displacement)))
		return false;
	if (mod == 1)
		displacement *= in->scale;
	*address = base + (uint64_t)displacement;
	if (in->address32)
		*address = (uint32_t)*address;
	return true;
}

static bool skip_prefixes(struct instruction *in)
{
	for (; in->at < in->end; in->at++) {
		switch (*in->at) {
		case 0x66:
			in->operand16 = true;
			break;
		case 0x67:
			in->address32 = true;
			break;
		case 0x64:
			in->segment = 4;
			break;
		case 0x65:
			in->segment = 5;
			break;
		case 0x26: case 0x2e: case 0x36: case 0x3e: case 0xf0: case 0xf2: case 0xf3:
			break;
		default:
			if ((*in->at & 0xf0) == 0x40)
				in->rex = *in->at++;
			return in->at < in->end;
		}
	}
	return false;
}

/* One-byte opcodes with ModRM that write their memory operand whatever happens; *immediate: bytes behind it. */
static bool writes_one_byte(const struct instruction *in, uint8_t op, uint64_t *immediate)
{
	unsigned group = in->modrm >> 3 & 7, wide = in->operand16 ? 2 : 4;

	*immediate = 0;
	switch (op) {
	case 0x88: case 0x89: case 0x86: case 0x87: case 0x8f:
		return true;
	case 0x00: case 0x01: case 0x08: case 0x09: case 0x10: case 0x11: case 0x18: case 0x19: case 0x20: case 0x21: case 0x28:
	case 0x29: case 0x30: case 0x31:
		return true;
	case 0x80: case 0x83: case 0x81:
		*immediate = op == 0x81 ? wide : 1;
		return group != 7;
	case 0xc6: case 0xc7:
		*immediate = op == 0xc6 ? 1 : wide;
		return group == 0;
	case 0xd0: case 0xd1: case 0xd2: case 0xd3:
		return true;
	case 0xc0: case 0xc1:
		*immediate = 1;
		return true;
	case 0xf6: case 0xf7:
		return group == 2 || group == 3;
	case 0xfe:
		return group < 2;
	case 0xff:
		return group < 2;
	default:
		return false;
	}
}

/* 0F xx: stores of vector registers and the locked operations. */
static bool writes_two_byte(const struct instruction *in, uint8_t op, uint64_t *immediate)
{
	*immediate = op == 0xba;
	switch (op) {
	case 0x11: case 0x13: case 0x17: case 0x29: case 0x2b: case 0x7f: case 0xd6: case 0xe7: case 0xc3: case 0xb0: case 0xb1:
	case 0xc0: case 0xc1: case 0xab: case 0xb3: case 0xbb:
		return true;
	case 0xba:
		return (in->modrm >> 3 & 7) > 4;
	default:
		return op >= 0x90 && op <= 0x9f;
	}
}

/* Stores through implied registers: pushes, calls, string stores. */
static bool writes_implied(const struct instruction *in, const struct regs *regs, uint8_t op)
{
	uint64_t below = regs->rsp - regs->addr - 1; /* [rsp-8, rsp) */

	if ((op >= 0x50 && op <= 0x57) || op == 0x68 || op == 0x6a || op == 0xe8)
		return below < 8;
	if (op == 0xaa || op == 0xab)
		return regs->addr - regs->rdi < 8;
	if (op == 0xa4 || op == 0xa5)
		return regs->addr - regs->rdi < 8 && regs->addr - regs->rsi >= 8;
	return false;
}

/* VEX and EVEX: only their plain vector moves to memory. */
static bool vector_prefix(struct instruction *in, uint8_t *op)
{
	const uint8_t *p = in->at;

	if (p[0] == 0xc5 && in->end - p > 3) {
		in->rex = (p[1] & 0x80) ? 0 : 4;
		*op = p[2];
		in->at = p + 3;
		return true;
	}
	if (p[0] == 0xc4 && in->end - p > 4 && (p[1] & 0x1f) == 1) {
		in->rex = (uint8_t)((p[1] & 0x20 ? 0 : 1) | (p[1] & 0x40 ? 0 : 2));
		*op = p[3];
		in->at = p + 4;
		return true;
	}
	if (p[0] == 0x62 && in->end - p > 5 && (p[1] & 7) == 1) {
		unsigned scalar = p[2] & 3; /* F3: 4 bytes, F2: 8 bytes, only for 0x11 */

		in->rex = (uint8_t)((p[1] & 0x20 ? 0 : 1) | (p[1] & 0x40 ? 0 : 2));
		*op = p[4];
		in->scale = *op == 0x11 && scalar >= 2 ? (scalar == 2 ? 4 : 8) : 16u << (p[3] >> 5 & 3);
		in->at = p + 5;
		return true;
	}
	return false;
}

bool decode_is_write(const struct regs *regs)
{
	uint8_t bytes[MAX_LENGTH], op;
	struct instruction in = {.at = bytes, .scale = 1};
	bool write;
	uint64_t address;

	in.end = bytes + fetch_bytes(regs->rip, bytes);
	if (!skip_prefixes(&in))
		return false;
	if (*in.at == 0xc4 || *in.at == 0xc5 || *in.at == 0x62) {
		write = vector_prefix(&in, &op) && (op == 0x11 || op == 0x29 || op == 0x2b || op == 0x7f || op == 0xd6 || op == 0xe7);
	} else if (*in.at == 0x0f) {
		if (++in.at >= in.end)
			return false;
		op = *in.at++;
		if (in.at >= in.end)
			return false;
		in.modrm = *in.at;
		write = writes_two_byte(&in, op, &in.immediate);
	} else {
		op = *in.at++;
		if (writes_implied(&in, regs, op))
			return true;
		if (in.at >= in.end)
			return false;
		in.modrm = *in.at;
		write = writes_one_byte(&in, op, &in.immediate);
	}
	if (!write || in.at >= in.end)
		return false;
	in.modrm = *in.at++;
	if (!effective_address(&in, regs, (uint64_t)bytes, &address))
		return false;
	return regs->addr - (address + segment_base(&in)) < REACH;
}
