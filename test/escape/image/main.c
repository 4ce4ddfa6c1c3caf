/*
 * The hostile image's start, its way to the host and its small tools. See image.h.
 */
#include "test/escape/image/image.h"

struct abi_boot boot;
struct abi_ring *ring;
uint64_t scratch;
volatile uint32_t over;

static const struct escape_case *current;
static volatile uint32_t second_runs;

int64_t call_on(unsigned cpu, uint32_t op, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	struct abi_call *block = (struct abi_call *)at(boot.call_gpa) + cpu;

	*block = (struct abi_call){.op = op, .arg = {a0, a1, a2, a3}, .ret = -1};
	if (is_hosted())
		return boot.hosted->call(block);
	__asm__ volatile("outl %0, %1" ::"a"(0), "d"((uint16_t)ABI_PORT_CALL) : "memory");
	return *(volatile int64_t *)&block->ret;
}

int64_t call(uint32_t op, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	return call_on(0, op, a0, a1, a2, a3);
}

void doorbell(void)
{
	if (is_hosted())
		boot.hosted->ring_notify();
	else
		__asm__ volatile("outl %0, %1" ::"a"(0), "d"((uint16_t)ABI_PORT_RING) : "memory");
}

/* Hosted, a CPU may idle for itself alone; the stack tells which it is. */
static uint64_t stack_of_second;

static unsigned this_cpu(void)
{
	uint64_t here = (uint64_t)__builtin_frame_address(0);

	return stack_of_second && here <= stack_of_second && stack_of_second - here < (1u << 19);
}

void relax(void)
{
	if (is_hosted()) {
		boot.hosted->idle(this_cpu(), 1); /* a look at the gofer's socket, which nobody else watches */
		boot.hosted->pause(20000);
	} else {
		__asm__ volatile("pause" ::: "memory");
	}
}

void copy(void *to, const void *from, size_t n)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory");
}

void fill(void *to, int byte, size_t n)
{
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(byte) : "memory");
}

/* The compiler may ask for these. */
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);

void *memcpy(void *to, const void *from, size_t n)
{
	copy(to, from, n);
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	fill(to, byte, n);
	return to;
}

bool same(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return *a == *b;
}

void say(const char *text, int64_t value)
{
	char *line = at(scratch + SCRATCH_SIZE - 256), digits[20];
	unsigned n = 0, count = 0;
	uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;

	for (; *text && n < 200; text++)
		line[n++] = *text;
	line[n++] = ' ';
	if (value < 0)
		line[n++] = '-';
	do
		digits[count++] = (char)('0' + left % 10);
	while ((left /= 10));
	while (count)
		line[n++] = digits[--count];
	call(ABI_CALL_log, scratch + SCRATCH_SIZE - 256, n, 0, 0);
}

void end(unsigned status)
{
	for (;;)
		call(ABI_CALL_exit, (uint64_t)status << 8, 0, 0, 0);
}

void reached(const char *what)
{
	say("REACHED", 0);
	say(what, 0);
	end(99);
}

void want_(const char *what, int line, int64_t got, int64_t expected)
{
	if (got == expected)
		return;
	say(what, line);
	say("gave", got);
	say("instead of", expected);
	end(98);
}

uint64_t random_number(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

uint64_t odd_number(void)
{
	const uint64_t odd[] = {0, 1, 3, 7, 8, 63, 64, 255, 256, 4095, 4096, 4097, 8191, 8192, 65535, 65536, 1ull << 20, 1ull << 30,
		(1ull << 30) + 1, 1ull << 31, 0xfffffffdu, 0xffffffffu, 1ull << 32, (1ull << 32) + 1, (1ull << 32) + 3, 1ull << 47,
		1ull << 62, 1ull << 63, ~0ull, ~0ull - 4095, ~0ull - 1, boot.kernel.base - 1, boot.kernel.base - 4096,
		boot.kernel.base + boot.kernel.size - 1, boot.user.base - 4096, boot.user.base, boot.user.base + 1,
		boot.user.base + boot.user.size - 1, boot.user.base + boot.user.size - 4096, boot.user.base + boot.user.size,
		boot.user.base + boot.user.size + 1, boot.user.size, boot.user.size + 1, 0ull - boot.user.base,
		boot.kernel.size + boot.user.size, scratch, scratch + 1, scratch + 4095, scratch + 65536};

	return odd[random_number() % (sizeof(odd) / sizeof(odd[0]))];
}

const char *argument(unsigned index)
{
	static char text[8][128];
	uint64_t offset = 0;
	unsigned seen = 0;

	while (offset + sizeof(struct config_record) <= boot.config_len) {
		const struct config_record *record = at(boot.config_gpa + offset);
		offset += sizeof(*record);
		if (record->type == CONFIG_ARG && seen++ == index && index < 8) {
			size_t length = record->len < 127 ? record->len : 127;
			copy(text[index], at(boot.config_gpa + offset), length);
			text[index][length] = 0;
			return text[index];
		}
		offset += (record->len + 7ull) & ~7ull;
	}
	return NULL;
}

uint64_t argument_number(unsigned index)
{
	const char *text = argument(index);
	uint64_t value = 0;

	for (; text && *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (uint64_t)(*text - '0');
	return value;
}

bool start_second(void)
{
	if (boot.cpus < 2)
		return false;
	WANT(call(ABI_CALL_cpu_start, 1, 0, 0, 0), 0);
	while (!__atomic_load_n(&second_runs, __ATOMIC_ACQUIRE))
		relax();
	return true;
}

/* The command asks whether the container was created, then for its start: the honest part of this image. */
static void answer_control(uint32_t op)
{
	struct abi_sqe sqe = {.op = ABI_RING_control, .gpa = scratch, .len = CONTROL_MAX};
	struct control_header *head = at(scratch);

	if (ask(sqe) < (int64_t)sizeof(*head) || head->op != op)
		end(94);
	*head = (struct control_header){.op = op, .request = head->request};
	WANT(call(ABI_CALL_control_send, scratch, sizeof(*head), 0, 0), 0);
}

static const struct escape_case *find_case(const char *name)
{
	static const struct escape_case *const tables[] = {call_cases, ring_cases, race_cases, guest_cases, process_cases,
		control_cases};

	for (unsigned i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct escape_case *c = tables[i]; c->name; c++)
			if (same(c->name, name))
				return c;
	return NULL;
}

void escape_entry(void);
void escape_main(const struct abi_boot *given, uint64_t cpu) __attribute__((noreturn));

void escape_main(const struct abi_boot *given, uint64_t cpu)
{
	const char *name;

	if (cpu != 0) {
		stack_of_second = (uint64_t)__builtin_frame_address(0);
		__atomic_store_n(&second_runs, 1, __ATOMIC_RELEASE);
		if (current->second)
			current->second();
		for (;;)
			relax();
	}
	boot = *given;
	ring = at(boot.ring_gpa);
	scratch = (boot.kernel.base + boot.kernel_used + 0x1fffff) & ~0x1fffffull;
	name = argument(0);
	current = name ? find_case(name) : NULL;
	if (!current) {
		say("no such case", 0);
		end(97);
	}
	if (!current->alone) {
		answer_control(CONTROL_CREATED);
		answer_control(CONTROL_START);
		for (unsigned i = 0; i < 500; i++) /* the command hears of it before anything ends us */
			relax();
	}
	current->run();
	over = 1;
	/* Whatever happened, the host side still works. */
	WANT(call(ABI_CALL_clock, scratch, 0, 0, 0), 0);
	end(0);
}
