/*
 * ring0/hosted/decode.c against the CPU: real code touches pages that are closed, the
 * fault handler asks the decoder and compares with the error code that Linux passes on
 * (bit 1: a write). A "write" that was a read is a failure; stores it does not know are
 * counted and must stay few.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "ring0/hosted/decode.c"

#define PAGES 64

struct percpu percpus[ABI_MAX_CPUS]; /* this test needs nothing else of the sentry */
uint64_t direct_base;

static char *area;
static struct machine_task self_task;
static uint64_t fake_entry;
static volatile unsigned reads, writes, unknown, wrong;

/* Every page of this process is "present"; its physical address is its address. */
uint64_t *hosted_pte(uint64_t root, uint64_t address, uint64_t *size)
{
	fake_entry = (address & PAGE_MASK) | PTE_P | PTE_U;
	*size = PAGE_SIZE;
	return &fake_entry;
}

uint64_t hosted_user_offset(uint64_t pa)
{
	return pa;
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
	const greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
	struct regs r = {
		.rax = (uint64_t)g[REG_RAX], .rbx = (uint64_t)g[REG_RBX], .rcx = (uint64_t)g[REG_RCX], .rdx = (uint64_t)g[REG_RDX],
		.rsi = (uint64_t)g[REG_RSI], .rdi = (uint64_t)g[REG_RDI], .rbp = (uint64_t)g[REG_RBP], .rsp = (uint64_t)g[REG_RSP],
		.r8 = (uint64_t)g[REG_R8], .r9 = (uint64_t)g[REG_R9], .r10 = (uint64_t)g[REG_R10], .r11 = (uint64_t)g[REG_R11],
		.r12 = (uint64_t)g[REG_R12], .r13 = (uint64_t)g[REG_R13], .r14 = (uint64_t)g[REG_R14], .r15 = (uint64_t)g[REG_R15],
		.rip = (uint64_t)g[REG_RIP], .addr = (uint64_t)info->si_addr,
	};
	bool write = g[REG_ERR] & 2, said;
	char *page = (char *)(r.addr & PAGE_MASK);

	if (page < area || page >= area + PAGES * PAGE_SIZE)
		abort();
	this_cpu()->machine_task = &self_task;
	said = decode_is_write(&r);
	if (write)
		writes++;
	else
		reads++;
	if (said && !write) {
		wrong++;
		printf("wrong: bytes at rip %02x %02x %02x %02x %02x\n", ((uint8_t *)r.rip)[0], ((uint8_t *)r.rip)[1],
			((uint8_t *)r.rip)[2], ((uint8_t *)r.rip)[3], ((uint8_t *)r.rip)[4]);
	}
	if (write && !said) {
		unknown++;
		printf("unknown store: %02x %02x %02x %02x %02x\n", ((uint8_t *)r.rip)[0], ((uint8_t *)r.rip)[1],
			((uint8_t *)r.rip)[2], ((uint8_t *)r.rip)[3], ((uint8_t *)r.rip)[4]);
	}
	mprotect(page, PAGE_SIZE, PROT_READ | PROT_WRITE);
}

static void close_all(void)
{
	mprotect(area, PAGES * PAGE_SIZE, PROT_NONE);
}

static void use_libc(void)
{
	static const size_t sizes[] = {1, 2, 3, 7, 8, 15, 16, 31, 33, 64, 127, 255, 1000, 4096, 9000, 70000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t n = sizes[i];

		close_all();
		memset(area + 100, 1, n);
		close_all();
		memcpy(area + 20 * PAGE_SIZE - 5, area + 3, n);
		close_all();
		memmove(area + 10, area, n);
		close_all();
		if (memcmp(area, area + 30 * PAGE_SIZE, 1) > 1000)
			abort();
		close_all();
		memset(area, 'x', n);
		area[n] = 0;
		close_all();
		strcpy(area + 40 * PAGE_SIZE, area);
		close_all();
		if (strlen(area) != n || memchr(area, 'y', n))
			abort();
	}
	close_all();
	snprintf(area + 4090, 100, "%d %s %f", 42, "hello", 1.5);
}

#define STORE(text)                                                                                          \
	do {                                                                                                 \
		close_all();                                                                                 \
		__asm__ volatile(text : : "r"(area), "a"(0x11ul), "c"(3ul), "x"(1.0) : "memory", "cc");     \
	} while (0)

static void use_instructions(void)
{
	STORE("movb %%al, 5(%0)");
	STORE("movw %%ax, (%0,%%rcx,2)");
	STORE("movl $7, 4096(%0)");
	STORE("movq $7, (%0)");
	STORE("addl $1, 8(%0)");
	STORE("addl $0x1000, 8(%0)");
	STORE("cmpl $1, 8(%0)");
	STORE("incq (%0)");
	STORE("lock xaddl %%eax, (%0)");
	STORE("lock cmpxchgl %%ecx, (%0)");
	STORE("xchgl %%eax, (%0)");
	STORE("orl %%eax, 12(%0)");
	STORE("testl %%eax, 12(%0)");
	STORE("movsd %3, 16(%0)");
	STORE("movups %3, 16(%0)");
	STORE("movups 16(%0), %3");
	STORE("movaps %3, 16(%0)");
	STORE("setne (%0)");
	STORE("notl (%0)");
	STORE("shll $3, (%0)");
	STORE("movl (%0), %%eax");
	if (__builtin_cpu_supports("avx")) {
		STORE("vmovups %3, 16(%0)");
		STORE("vmovups 16(%0), %3");
	}
	STORE("btsl $3, (%0)");
	STORE("popq (%0); pushq %%rax");
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

	static struct space none;

	this_cpu()->space = &none;
	area = mmap(NULL, PAGES * PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigaction(SIGSEGV, &action, NULL);
	use_libc();
	use_instructions();
	printf("%u reads, %u writes, %u stores not known, %u wrong\n", reads, writes, unknown, wrong);
	return wrong || unknown * 10 > writes;
}
