/*
 * Does this /dev/kvm run ring 0? A throw-away guest tells before a sandbox relies on it.
 *
 * Two questions. Does a loop of a few thousand instructions in the guest's ring 0 take
 * about as long as on the host (by the TSC, best of several)? Does SYSCALL from ring 3
 * arrive at LSTAR in ring 0? Some hosts offer a /dev/kvm where neither holds. A timer
 * stops a guest that does not come back. Takes a few milliseconds where KVM is good.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "platform/kvm/kvm.h"

#define MEMORY_SIZE (2u << 20)
#define TABLES 0x1000u /* PML4, PDPT, PD */
#define GDT 0x4000u
#define CODE 0x8000u
#define STACK 0x10000u
#define PORT_TIME 0x10
#define PORT_SYSCALL 0x11
#define TRIES 5
#define LOOPS "2000"
#define SLOWER_MAX 25u         /* times the host's loop; the known bad kind is thousands of times slower */
#define SLACK_TICKS 20000u     /* what an interrupt of the host may cost in between */
#define LIMIT_NS 500000000ll

/* Position independent; runs at CODE. STAR as the sentry sets it. */
__asm__(".pushsection .rodata\n"
	"selftest_code:\n"
	"	movl $5, %ebp\n"
	"1:	lfence\n"
	"	rdtsc\n"
	"	movl %eax, %ebx\n"
	"	movl $" LOOPS ", %ecx\n"
	"2:	decl %ecx\n"
	"	jnz 2b\n"
	"	lfence\n"
	"	rdtsc\n"
	"	subl %ebx, %eax\n"
	"	outl %eax, $0x10\n"
	"	decl %ebp\n"
	"	jnz 1b\n"
	"	movl $0xc0000081, %ecx\n"
	"	xorl %eax, %eax\n"
	"	movl $0x00230010, %edx\n"
	"	wrmsr\n"
	"	incl %ecx\n"
	"	leaq 4f(%rip), %rax\n"
	"	xorl %edx, %edx\n"
	"	wrmsr\n"
	"	pushq $0x2b\n"
	"	pushq $0x10000\n"
	"	pushq $2\n"
	"	pushq $0x33\n"
	"	leaq 3f(%rip), %rax\n"
	"	pushq %rax\n"
	"	iretq\n"
	"3:	syscall\n"
	"	ud2\n"
	"4:	movl %cs, %eax\n"
	"	outl %eax, $0x11\n"
	"	hlt\n"
	"selftest_code_end:\n"
	".popsection\n");
extern const uint8_t selftest_code[] __attribute__((visibility("hidden")));
extern const uint8_t selftest_code_end[] __attribute__((visibility("hidden")));

struct selftest {
	int vm, vcpu;
	uint8_t *memory;
	struct kvm_run *run;
	size_t run_size;
	uint32_t best;   /* TSC ticks of the loop in the guest */
	unsigned timed;
	uint32_t cs;     /* at LSTAR */
	bool syscall_seen;
};

static struct kvm_run *volatile stop_run;

static void stop_handler(int number)
{
	struct kvm_run *run = stop_run;

	(void)number;
	if (run)
		run->immediate_exit = 1;
}

static uint32_t host_loop(void)
{
	uint32_t best = UINT32_MAX;

	for (int i = 0; i < TRIES; i++) {
		uint32_t low, high, start, count;

		__asm__ volatile("lfence; rdtsc" : "=a"(start), "=d"(high)::"memory");
		__asm__ volatile("movl $" LOOPS ", %0\n1:\tdecl %0\n\tjnz 1b" : "=r"(count));
		__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
		if (low - start < best)
			best = low - start;
	}
	return best;
}

static void fill_memory(uint8_t *memory)
{
	uint64_t *tables = (uint64_t *)(memory + TABLES), *gdt = (uint64_t *)(memory + GDT);

	tables[0] = (TABLES + 0x1000) | 7;
	tables[512] = (TABLES + 0x2000) | 7;
	tables[1024] = 0x87; /* 2 MiB, user, writable */
	gdt[2] = 0x00af9b000000ffffull;
	gdt[3] = 0x00cf93000000ffffull;
	gdt[5] = 0x00cff3000000ffffull;
	gdt[6] = 0x00affb000000ffffull;
	memcpy(memory + CODE, selftest_code, (size_t)(selftest_code_end - selftest_code));
}

static int set_registers(struct selftest *test)
{
	struct kvm_segment code = {.limit = 0xffffffff, .selector = 0x10, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
	struct kvm_segment data = {.limit = 0xffffffff, .selector = 0x18, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1};
	struct kvm_regs r = {.rip = CODE, .rsp = STACK, .rflags = 2};
	struct kvm_sregs s;

	if (ioctl(test->vcpu, KVM_GET_SREGS, &s) < 0)
		return -errno;
	s.cr0 = 0x80050033;
	s.cr3 = TABLES;
	s.cr4 = 0x620; /* PAE, OSFXSR, OSXMMEXCPT */
	s.efer = 0xd01;
	s.cs = code;
	s.ds = s.es = s.ss = s.fs = s.gs = data;
	s.gdt = (struct kvm_dtable){.base = GDT, .limit = 63};
	if (ioctl(test->vcpu, KVM_SET_SREGS, &s) < 0 || ioctl(test->vcpu, KVM_SET_REGS, &r) < 0)
		return -errno;
	return 0;
}

static int make_guest(int kvm, struct selftest *test)
{
	static struct kvm_cpuid_table cpuid;
	struct kvm_userspace_memory_region slot = {.memory_size = MEMORY_SIZE};
	int rc = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (rc < (int)sizeof(struct kvm_run))
		return -ENOTSUP;
	test->run_size = (size_t)rc;
	test->memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (test->memory == MAP_FAILED)
		return -errno;
	fill_memory(test->memory);
	test->vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (test->vm < 0)
		return -errno;
	slot.userspace_addr = (uint64_t)test->memory;
	if (ioctl(test->vm, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		return -errno;
	test->vcpu = ioctl(test->vm, KVM_CREATE_VCPU, 0);
	if (test->vcpu < 0)
		return -errno;
	test->run = mmap(NULL, test->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, test->vcpu, 0);
	if (test->run == MAP_FAILED)
		return -errno;
	rc = kvm_cpuid_load(kvm, &cpuid);
	if (rc < 0)
		return rc;
	if (ioctl(test->vcpu, KVM_SET_CPUID2, &cpuid) < 0)
		return -errno;
	return set_registers(test);
}

/* Runs until the guest halts. 0, or -errno with the reason. */
static int run_guest(struct selftest *test, char *why, size_t size)
{
	struct kvm_run *run = test->run;

	for (;;) {
		if (ioctl(test->vcpu, KVM_RUN, 0) < 0) {
			snprintf(why, size, "self-test: %s", errno == EINTR ? "the guest did not end in time" : strerror(errno));
			return errno == EINTR ? -ETIMEDOUT : -errno;
		}
		if (run->exit_reason == KVM_EXIT_HLT)
			return 0;
		if (run->exit_reason != KVM_EXIT_IO) {
			snprintf(why, size, "self-test: %s (KVM exit %u)", test->timed == TRIES ?
				"SYSCALL from ring 3 does not arrive in ring 0" : "ring 0 code does not run", run->exit_reason);
			return -ENOTSUP;
		}
		uint32_t value;
		memcpy(&value, (uint8_t *)run + run->io.data_offset, sizeof(value));
		if (run->io.port == PORT_TIME) {
			test->timed++;
			if (value < test->best)
				test->best = value;
		} else if (run->io.port == PORT_SYSCALL) {
			test->syscall_seen = true;
			test->cs = value;
		}
	}
}

static int judge(const struct selftest *test, uint32_t host, char *why, size_t size)
{
	if (test->timed != TRIES || test->best > (uint64_t)host * SLOWER_MAX + SLACK_TICKS) {
		snprintf(why, size, "self-test: ring 0 of a guest is emulated: a loop takes %u TSC ticks, %u on the host", test->best,
			host);
		return -ENOTSUP;
	}
	if (!test->syscall_seen || (test->cs & 0xffff) != 0x10) {
		snprintf(why, size, "self-test: SYSCALL from ring 3 arrives with CS %#x, not in ring 0", test->cs);
		return -ENOTSUP;
	}
	snprintf(why, size, "self-test passed: a ring 0 loop takes %u TSC ticks, %u on the host", test->best, host);
	return 0;
}

static int run_limited(struct selftest *test, char *why, size_t size)
{
	struct sigaction action = {.sa_handler = stop_handler}, old;
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = KVM_KICK_SIGNAL};
	struct itimerspec limit = {.it_value.tv_nsec = LIMIT_NS};
	timer_t timer;
	int rc;

	event._sigev_un._tid = (int)syscall(SYS_gettid);
	stop_run = test->run;
	if (sigaction(KVM_KICK_SIGNAL, &action, &old) < 0 || timer_create(CLOCK_MONOTONIC, &event, &timer) < 0) {
		snprintf(why, size, "self-test: timer: %s", strerror(errno));
		return -errno;
	}
	timer_settime(timer, 0, &limit, NULL);
	rc = run_guest(test, why, size);
	timer_delete(timer);
	stop_run = NULL;
	sigaction(KVM_KICK_SIGNAL, &old, NULL);
	return rc;
}

int kvm_selftest(int kvm, char *why, size_t size)
{
	struct selftest test = {.vm = -1, .vcpu = -1, .memory = MAP_FAILED, .run = MAP_FAILED, .best = UINT32_MAX};
	uint32_t host = host_loop();
	int rc = make_guest(kvm, &test);

	if (rc < 0)
		snprintf(why, size, "self-test: cannot make a guest: %s", strerror(-rc));
	else
		rc = run_limited(&test, why, size);
	if (rc == 0)
		rc = judge(&test, host, why, size);
	if (test.run != MAP_FAILED)
		munmap(test.run, test.run_size);
	if (test.vcpu >= 0)
		close(test.vcpu);
	if (test.vm >= 0)
		close(test.vm);
	if (test.memory != MAP_FAILED)
		munmap(test.memory, MEMORY_SIZE);
	return rc;
}
