/*
 * Programs that take over what lies above their own address space, where a sandbox may keep code and words of its
 * own in the process: they write all that can be written there, jump to every byte with odd registers, and use every
 * gate into a kernel but SYSCALL. What each attack gives is left open (a signal, usually); after each the system must
 * work as before.
 */
#include <asm/ldt.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "harness.h"

#define PLACE 0x7ffffff00000ul /* from here to the end of what a user address can be */
#define PLACE_END 0x7ffffffff000ul
#define PAGE 4096ul

static sigjmp_buf back;

static void jump_back(int signo)
{
	siglongjmp(back, signo);
}

/* A child that does something rash; it is ended after 300 ms of its own, and by our SIGKILL in any case. */
static void rash(void (*act)(unsigned long), unsigned long argument)
{
	const struct rlimit core = {0, 0};
	const struct itimerval soon = {.it_value = {.tv_usec = 300000}};
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (!pid) {
		setrlimit(RLIMIT_CORE, &core);
		setitimer(ITIMER_REAL, &soon, NULL); /* SIGALRM, not caught: the end */
		act(argument);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
}

/* Can this page be written? Probed by writing it. */
static int try_write(volatile uint64_t *at, uint64_t value)
{
	signal(SIGSEGV, jump_back);
	signal(SIGBUS, jump_back);
	if (sigsetjmp(back, 1))
		return 0;
	*at = value;
	return 1;
}

static void write_everything(unsigned long pattern)
{
	for (unsigned round = 0; round < 3; round++)
		for (uint64_t page = PLACE; page < PLACE_END; page += PAGE) {
			if (!try_write((volatile uint64_t *)page, pattern))
				continue;
			for (uint64_t at = page; at < page + PAGE; at += 8)
				*(volatile uint64_t *)at = pattern;
			getppid();
		}
}

static void write_and_spin(unsigned long pattern)
{
	for (;;)
		for (uint64_t page = PLACE; page < PLACE_END; page += PAGE)
			if (try_write((volatile uint64_t *)page, pattern))
				for (unsigned i = 1; i < 16; i++)
					((volatile uint64_t *)page)[i] = pattern;
}

/* Jump to `target` with every register set by its low bits' pattern. */
static void jump_into(unsigned long target)
{
	static const uint64_t fills[] = {0, PLACE, PLACE + 0x10000, PLACE + 0x16000, ~0ul, 56, 202, 15};
	uint64_t fill = fills[target % 8], number = fills[(target / 8) % 8];

	__asm__ volatile("movq %0, %%r11\n\tmovq %1, %%rbx\n\tmovq %2, %%rax\n\t"
			 "movq %%rbx, %%rcx\n\tmovq %%rbx, %%rdx\n\tmovq %%rbx, %%rsi\n\tmovq %%rbx, %%rdi\n\t"
			 "movq %%rbx, %%r8\n\tmovq %%rbx, %%r9\n\tmovq %%rbx, %%r10\n\tmovq %%rbx, %%r12\n\t"
			 "movq %%rbx, %%r13\n\tmovq %%rbx, %%r14\n\tmovq %%rbx, %%r15\n\tmovq %%rbx, %%rsp\n\tmovq %%rbx, %%rbp\n\t"
			 "jmp *%%r11"
			 :
			 : "r"(target), "r"(fill), "r"(number)
			 : "r11", "rbx", "rax", "memory");
}

static void gate_int80(unsigned long unused)
{
	__asm__ volatile("movl $20, %%eax\n\tint $0x80" ::: "rax", "memory");
}

static void gate_sysenter(unsigned long unused)
{
	__asm__ volatile("movl $20, %%eax\n\tsysenter" ::: "rax", "rcx", "r11", "memory");
}

static void gate_vsyscall(unsigned long offset)
{
	((long (*)(void *, void *))(0xffffffffff600000ul + offset))(NULL, NULL);
}

static void gate_compat(unsigned long unused)
{
	/* 32-bit code in the low 4 GiB: getpid by int 0x80, then jump to the place where a sandbox would be. */
	static const uint8_t code[] = {0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0x0f, 0x34, 0xf4};
	uint8_t *low = mmap((void *)0x10000000, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	struct {
		uint32_t offset;
		uint16_t selector;
	} __attribute__((packed)) far = {0x10000000, 0x23};

	memcpy(low, code, sizeof(code));
	__asm__ volatile("ljmp *%0" : : "m"(far));
}

static void gate_ldt(unsigned long unused)
{
	struct user_desc d = {.entry_number = 1, .base_addr = 0, .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1};

	syscall(SYS_modify_ldt, 1, &d, sizeof(d));
	__asm__ volatile("movw %w0, %%fs\n\tmovw %w0, %%gs" : : "r"(1 << 3 | 7));
	getppid();
}

static void gate_segments(unsigned long selector)
{
	__asm__ volatile("movw %w0, %%ds\n\tmovw %w0, %%es\n\tmovw %w0, %%fs\n\tmovw %w0, %%gs" : : "r"(selector));
	getppid();
}

static void privileged(unsigned long which)
{
	switch (which) {
	case 0: __asm__ volatile("hlt"); break;
	case 1: __asm__ volatile("umwait %%ecx" : : "c"(0), "a"(~0u), "d"(~0u)); break;
	case 2: __asm__ volatile("int $3"); break;
	case 3: __asm__ volatile("int $1"); break;
	case 4: __asm__ volatile("ud2"); break;
	case 5: __asm__ volatile("outb %%al, $0x80" ::: "memory"); break;
	case 6: __asm__ volatile("xgetbv" : : "c"(99) : "eax", "edx"); break;
	case 7: __asm__ volatile("lgdt (%0)" : : "r"(PLACE)); break;
	case 8: __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tnop\n\tsyscall" ::: "rcx", "r11", "memory"); break;
	case 9: __asm__ volatile("pushfq\n\torq $0x40000, (%%rsp)\n\tpopfq\n\tmovq 1(%%rsp), %%rax\n\tsyscall" ::: "rax", "rcx", "r11"); break;
	default: __asm__ volatile("iretq");
	}
}

static void unmap_all(unsigned long how)
{
	if (how)
		munmap(NULL, PLACE_END);
	syscall(SYS_munmap, 0x1000, PLACE - 0x1000);
	getppid();
}

static void map_over(unsigned long how)
{
	void *p = mmap((void *)(PLACE + how), PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (p != MAP_FAILED)
		memset(p, 0xcc, PAGE);
	mprotect((void *)(PLACE + how), PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	munmap((void *)(PLACE + how), PAGE);
	madvise((void *)(PLACE + how), PAGE, MADV_DONTNEED);
	getppid();
}

/* The system as before: files, memory, a child. */
static void still_works(void)
{
	char *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork();
	int status;

	CHECK(p != MAP_FAILED && p[0] == 0 && p[15 * PAGE] == 0);
	if (!pid)
		_exit(7);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
	munmap(p, 16 * PAGE);
}

int main(void)
{
	static const unsigned long patterns[] = {0, 1, ~0ul, PLACE, PLACE + 0x10000, 0x4141414141414141};
	unsigned long at;

	for (unsigned i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		rash(write_everything, patterns[i]);
	still_works();
	rash(write_and_spin, 1);
	rash(write_and_spin, PLACE + 0x16000);
	still_works();
	for (at = PLACE + 0x2000; at < PLACE + 0x2300; at += 7)
		rash(jump_into, at);
	for (at = PLACE + 0x2300; at < PLACE + 0x2f00; at += 29)
		rash(jump_into, at);
	for (at = PLACE; at < PLACE_END; at += 0x3011)
		rash(jump_into, at);
	still_works();
	rash(gate_int80, 0);
	rash(gate_sysenter, 0);
	for (at = 0; at <= 0xc00; at += 0x400)
		rash(gate_vsyscall, at);
	rash(gate_vsyscall, 0x123);
	rash(gate_compat, 0);
	rash(gate_ldt, 0);
	for (at = 0; at < 0x80; at += 7)
		rash(gate_segments, at);
	for (at = 0; at < 11; at++)
		rash(privileged, at);
	still_works();
	rash(unmap_all, 0);
	rash(unmap_all, 1);
	for (at = 0; at < 0x20000; at += 0x3000)
		rash(map_over, at);
	still_works();
	puts("done");
	return CHECK_RESULT();
}
