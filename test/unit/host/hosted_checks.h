/*
 * What platform/ptrace and platform/systrap promise the sentry (platform/abi/hosted.h), without one; included
 * by ptrace.c and systrap.c. Each CPU's thread loads hand-written user code into
 * a space and checks what run() reports. The VMM's services are small stand-ins. The
 * property each check attacks or shows is in its line. Exit 0 pass, 1 fail.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "platform/abi/hosted.h"
#include "platform/internal.h"

#define PAGE 4096u
#define CODE 0x400000u
#define DATA 0x500000u

static struct vmm vmm;
static volatile int cpus_done;
static volatile int failures;

void vmm_log(int level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

void vmm_end(struct vmm *v, int status)
{
	v->exit_status = status;
	v->ended = 1;
	v->platform->stop(v);
}

void vmm_fail(struct vmm *v, int status)
{
	vmm_end(v, status);
}

void boot_child_ended(int pid, int status)
{
}

int64_t vmm_call(struct vmm *v, unsigned cpu, const struct abi_call *call)
{
	return -ENOSYS;
}

void io_thread_core(int core)
{
}

void io_doorbell(struct vmm *v)
{
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

bool io_wait(struct vmm *v, int wake_fd, uint64_t deadline, const sigset_t *mask)
{
	struct pollfd fd = {.fd = wake_fd, .events = POLLIN};
	uint64_t left = deadline > now() ? deadline - now() : 0;
	struct timespec t = {.tv_sec = (time_t)(left / 1000000000u), .tv_nsec = (long)(left % 1000000000u)};

	ppoll(&fd, 1, deadline == UINT64_MAX ? NULL : &t, mask);
	return false;
}

bool io_busy(struct vmm *v)
{
	return false;
}

void clock_sample(struct abi_clock *clock)
{
}

int jail_filter(struct vmm *v, enum jail_role role)
{
	return 0;
}


#define CHECK(c)                                                                       \
	do {                                                                           \
		if (!(c)) {                                                            \
			fprintf(stderr, "cpu %u line %d: %s\n", cpu, __LINE__, #c);    \
			failures++;                                                    \
		}                                                                      \
	} while (0)

/* Error code bits that only a platform with exact faults reports. */
static uint64_t exact(uint64_t bits)
{
	return EXACT_FAULTS ? bits : 0;
}

/* Puts code at page `page` of the user zone and a fresh context at it. */
static void load(struct hosted_context *x, unsigned page, const void *code, size_t size)
{
	memcpy(vmm.memory.host + vmm.memory.user.base + page * PAGE, code, size);
	memset(x, 0, sizeof(*x));
	x->regs.rip = CODE;
	x->regs.rflags = 0x202;
	x->regs.rsp = DATA + PAGE;
}

/* A kick may arrive late: then once more. */
static int run_on(const struct abi_hosted *h, unsigned cpu, uint64_t space, struct hosted_context *x)
{
	int error;

	do
		error = h->run(cpu, space, x);
	while (!error && x->regs.trap == TRAP_INTERRUPT);
	return error;
}

static void test_syscall(const struct abi_hosted *h, unsigned cpu, uint64_t space, unsigned page)
{
	static const uint8_t code[] = {0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0x48, 0x89, 0xc3, 0x0f, 0x05, 0xcd, 0x80, 0xcc, 0x0f, 0x0b};
	struct hosted_context x;

	load(&x, page, code, sizeof(code));
	x.fs_base = 0x12345000;
	CHECK(!h->run(cpu, space, &x));
	CHECK(x.regs.trap == TRAP_PAGE_FAULT && x.regs.addr == CODE && x.regs.error == (PF_USER | exact(PF_FETCH)));
	CHECK(!h->map(cpu, space, CODE, PAGE, page * PAGE, HOSTED_READ | HOSTED_EXEC));
	CHECK(!h->run(cpu, space, &x));
	CHECK(x.regs.trap == TRAP_SYSCALL && x.regs.orig_rax == 39 && x.regs.rax == (uint64_t)-ENOSYS && x.regs.rip == CODE + 7);
	CHECK(x.fs_base == 0x12345000);
	x.regs.rax = 4242;
	CHECK(!h->run(cpu, space, &x));
	CHECK(x.regs.trap == TRAP_SYSCALL && x.regs.orig_rax == 4242 && x.regs.rbx == 4242);
	CHECK(!h->run(cpu, space, &x));
	CHECK(x.regs.trap == TRAP_PROTECTION && x.regs.rip == CODE + 12); /* int 0x80 is no gate */
	x.regs.rip = CODE + 14;
	CHECK(!h->run(cpu, space, &x));
	CHECK(x.regs.trap == TRAP_BREAKPOINT && x.regs.rip == CODE + 15);
	CHECK(!h->run(cpu, space, &x));
	CHECK(x.regs.trap == TRAP_INVALID_OPCODE && x.regs.rip == CODE + 15);
}

static void test_fault(const struct abi_hosted *h, unsigned cpu, uint64_t space, unsigned page)
{
	/* mov (%rdi),%rax; mov %rax,(%rdi); syscall; then the same again */
	static const uint8_t code[] = {0x48, 0x8b, 0x07, 0x48, 0x89, 0x07, 0x0f, 0x05, 0x48, 0x89, 0x07, 0x0f, 0x05};
	struct hosted_context x;

	load(&x, page, code, sizeof(code));
	x.regs.rdi = DATA + 8;
	CHECK(!h->run(cpu, space, &x));
	CHECK(x.regs.trap == TRAP_PAGE_FAULT && x.regs.addr == DATA + 8 && x.regs.error == PF_USER && x.regs.rip == CODE);
	CHECK(!h->map(cpu, space, DATA, PAGE, (page + 1) * PAGE, HOSTED_READ));
	CHECK(!h->run(cpu, space, &x));
	CHECK(x.regs.trap == TRAP_PAGE_FAULT && x.regs.error == (PF_USER | PF_PRESENT | exact(PF_WRITE)) && x.regs.rip == CODE + 3);
	CHECK(!h->map(cpu, space, DATA, PAGE, (page + 1) * PAGE, HOSTED_READ | HOSTED_WRITE));
	x.regs.rax = 0x1122334455667788;
	CHECK(!h->run(cpu, space, &x));
	CHECK(x.regs.trap == TRAP_SYSCALL);
	CHECK(*(uint64_t *)(vmm.memory.host + vmm.memory.user.base + (page + 1) * PAGE + 8) == 0x1122334455667788);
	CHECK(!h->unmap(cpu, space, DATA, PAGE));
	CHECK(!h->run(cpu, space, &x));
	CHECK(x.regs.trap == TRAP_PAGE_FAULT && x.regs.addr == DATA + 8 && x.regs.error == (PF_USER | exact(PF_WRITE)));
	x.regs.rdi = 0x8000000000000000;
	CHECK(!h->run(cpu, space, &x));
	CHECK(x.regs.trap == TRAP_PROTECTION);
	x.regs.rip = 0xffffffffff600000; /* the vsyscall page is not a way out */
	CHECK(!h->run(cpu, space, &x));
	CHECK(x.regs.trap == TRAP_PAGE_FAULT || x.regs.trap == TRAP_PROTECTION);
	CHECK(h->map(cpu, space, USER_TOP, PAGE, 0, HOSTED_READ) == -EINVAL); /* the stub's own pages stay */
	CHECK(h->map(cpu, space, DATA, PAGE, vmm.memory.user.size, HOSTED_READ) == -EINVAL);
}

static void test_wake(const struct abi_hosted *h, unsigned cpu, uint64_t space, unsigned page)
{
	static const uint8_t code[] = {0xeb, 0xfe}; /* jmp . */
	struct hosted_context x;
	uint64_t start = now();

	load(&x, page, code, sizeof(code));
	CHECK(!h->map(cpu, space, CODE, PAGE, page * PAGE, HOSTED_READ | HOSTED_EXEC));
	h->timer(cpu, start + 20000000);
	CHECK(!h->run(cpu, space, &x));
	CHECK(x.regs.trap == TRAP_INTERRUPT && x.regs.rip == CODE);
	CHECK(now() - start >= 20000000 && now() - start < 2000000000);
	h->kick(cpu);
	CHECK(!h->run(cpu, space, &x));
	CHECK(x.regs.trap == TRAP_INTERRUPT);
	start = now();
	h->idle(cpu, start + 10000000);
	CHECK(now() - start >= 10000000);
	h->kick(cpu);
	h->idle(cpu, UINT64_MAX);
	h->timer(cpu, now() + 500000000);
	h->timer(cpu, now() + 10000000);
	h->idle(cpu, UINT64_MAX);
}

/* CPU 0 kicks CPU 1, which runs user code or sleeps, a few hundred times: none is lost. */
static volatile unsigned kicks_seen;
static volatile int kicks_wanted;

static void test_kick_other(const struct abi_hosted *h, unsigned cpu, uint64_t space, unsigned page)
{
	static const uint8_t code[] = {0xeb, 0xfe};
	struct hosted_context x;

	if (cpu == 0) {
		while (!kicks_wanted)
			usleep(1000);
		for (unsigned i = 0; i < 300; i++) {
			uint64_t give_up = now() + 2000000000;

			h->kick(1);
			while (kicks_seen <= i && now() < give_up)
				usleep(i % 50);
			CHECK(kicks_seen > i);
		}
		return;
	}
	load(&x, page, code, sizeof(code));
	CHECK(!h->map(cpu, space, CODE, PAGE, page * PAGE, HOSTED_READ | HOSTED_EXEC));
	kicks_wanted = 1;
	while (kicks_seen < 300) {
		if (kicks_seen & 1)
			h->idle(cpu, UINT64_MAX);
		else
			CHECK(!h->run(cpu, space, &x) && x.regs.trap == TRAP_INTERRUPT);
		kicks_seen++;
	}
}

static void test_fpu(const struct abi_hosted *h, unsigned cpu, uint64_t space, unsigned page)
{
	static const uint8_t code[] = {0x66, 0x48, 0x0f, 0x6e, 0xc7, 0x0f, 0x05}; /* movq %rdi,%xmm0; syscall */
	uint8_t *area = aligned_alloc(64, (vmm.boot->xsave_size + 63) & ~63u);
	struct hosted_context x;

	load(&x, page, code, sizeof(code));
	x.regs.rdi = 0xabcdef;
	CHECK(!run_on(h, cpu, space, &x) && x.regs.trap == TRAP_SYSCALL);
	memset(area, 0, vmm.boot->xsave_size);
	CHECK(!h->fpu_get(cpu, space, area));
	CHECK(*(uint64_t *)(area + 160) == 0xabcdef);
	*(uint64_t *)(area + 160) = 77;
	CHECK(!h->fpu_set(cpu, space, area));
	memset(area, 0, vmm.boot->xsave_size);
	CHECK(!h->fpu_get(cpu, space, area) && *(uint64_t *)(area + 160) == 77);
	free(area);
}

static void test_spaces(const struct abi_hosted *h, unsigned cpu, uint64_t space, unsigned page)
{
	static const uint8_t code[] = {0x0f, 0x05};
	struct hosted_context x;

	for (unsigned i = 1; i < 40; i++) {
		load(&x, page, code, sizeof(code));
		CHECK(!h->map(cpu, space + i * 100, CODE, PAGE, page * PAGE, HOSTED_READ | HOSTED_EXEC));
		CHECK(!run_on(h, cpu, space + i * 100, &x) && x.regs.trap == TRAP_SYSCALL);
	}
	for (unsigned i = 1; i < 40; i++)
		CHECK(!h->drop(cpu, space + i * 100));
	load(&x, page, code, sizeof(code));
	CHECK(!h->run(cpu, space + 10000, &x)); /* a reused stub shows nothing of its former space */
	CHECK(x.regs.trap == TRAP_PAGE_FAULT && x.regs.addr == CODE);
	CHECK(!h->drop(cpu, space + 10000));
}

/* The orders cannot be written by user code. */
static void test_escape_orders(const struct abi_hosted *h, unsigned cpu, uint64_t space, unsigned page)
{
	static const uint8_t code[] = {0x48, 0x89, 0x07}; /* mov %rax,(%rdi) */
	struct hosted_context x;

	load(&x, page, code, sizeof(code));
	x.regs.rdi = USER_TOP;
	CHECK(!run_on(h, cpu, space, &x) && x.regs.trap == TRAP_PAGE_FAULT && x.regs.addr == USER_TOP);
	x.regs.rdi = USER_TOP + 0x2000;
	CHECK(!run_on(h, cpu, space, &x) && x.regs.trap == TRAP_PAGE_FAULT && x.regs.addr == USER_TOP + 0x2000);
}

/* Neither int 0x80 in compatibility mode nor SYSENTER is a gate to the host. */
static void test_escape_compat(const struct abi_hosted *h, unsigned cpu, uint64_t space, unsigned page)
{
	/* ljmp *(%rdi) to 0x23:CODE+2; there mov $1,%eax (exit); int $0x80 */
	static const uint8_t code[] = {0xff, 0x2f, 0xb8, 1, 0, 0, 0, 0xcd, 0x80};
	static const uint8_t enter[] = {0x0f, 0x34};
	uint32_t far[2] = {CODE + 2, 0x23};
	struct hosted_context x;

	load(&x, page, code, sizeof(code));
	memcpy(vmm.memory.host + vmm.memory.user.base + (page + 1) * PAGE, far, sizeof(far));
	CHECK(!h->map(cpu, space, DATA, PAGE, (page + 1) * PAGE, HOSTED_READ));
	x.regs.rdi = DATA;
	CHECK(!run_on(h, cpu, space, &x) && (x.regs.trap == TRAP_PROTECTION || x.regs.trap == TRAP_SYSCALL));
	load(&x, page, enter, sizeof(enter));
	CHECK(!run_on(h, cpu, space, &x) && x.regs.trap != TRAP_INTERRUPT && x.regs.trap != TRAP_STUB_DIED);
}

/* A segment base in the host's half ends the task's stretch, not its stub. */
static void test_escape_base(const struct abi_hosted *h, unsigned cpu, uint64_t space, unsigned page)
{
	static const uint8_t code[] = {0xf3, 0x48, 0x0f, 0xae, 0xd7, 0x0f, 0x05}; /* wrfsbase %rdi; syscall */
	struct hosted_context x;

	load(&x, page, code, sizeof(code));
	x.regs.rdi = 0xffff888000000000;
	CHECK(!run_on(h, cpu, space, &x));
	if (x.regs.trap != TRAP_SYSCALL) /* no FSGSBASE on this host */
		return;
	x.regs.rax = 1;
	x.regs.rbx = 2; /* so that all registers are set */
	if (EXACT_FAULTS) /* no host kernel loads it for us: it stays, as on the CPU itself */
		CHECK(!run_on(h, cpu, space, &x) && x.fs_base == 0xffff888000000000);
	else
		CHECK(!run_on(h, cpu, space, &x) && x.regs.trap == TRAP_PROTECTION && x.fs_base == 0);
	load(&x, page, code, sizeof(code));
	CHECK(!run_on(h, cpu, space, &x) && x.regs.trap == TRAP_SYSCALL);
}

/* exit_group, kill, mmap, fork: each comes to us and none happens. */
static void test_escape_calls(const struct abi_hosted *h, unsigned cpu, uint64_t space, unsigned page)
{
	static const uint8_t code[] = {0x0f, 0x05};
	static const uint16_t numbers[] = {231, 62, 9, 11, 56, 57, 59, 101, 157, 310, 322, 425};
	struct hosted_context x;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		load(&x, page, code, sizeof(code));
		x.regs.rax = numbers[i];
		CHECK(!run_on(h, cpu, space, &x) && x.regs.trap == TRAP_SYSCALL && x.regs.orig_rax == numbers[i]);
	}
}

/* A stub with all the mappings that the host gives: an order is lost, and nothing may run there any more. */
static void test_escape_full_stub(const struct abi_hosted *h, unsigned cpu, uint64_t space, unsigned page)
{
	static const uint8_t code[] = {0x0f, 0x05};
	struct hosted_context x;
	uint64_t limit = 0;
	FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
	int error = 0;

	if (file && fscanf(file, "%lu", &limit) != 1)
		limit = 0;
	if (file)
		fclose(file);
	if (!limit || limit > 100000)
		return; /* it would take too long */
	load(&x, page, code, sizeof(code));
	CHECK(!h->map(cpu, space, CODE, PAGE, page * PAGE, HOSTED_READ | HOSTED_EXEC));
	for (uint64_t i = 0; i < 2 * limit && !error; i++) /* neighbours that cannot be one mapping */
		error = h->map(cpu, space, DATA + i * PAGE, PAGE, (i & 1) * 2 * PAGE, HOSTED_READ);
	CHECK(error == -ENOMEM);
	CHECK(run_on(h, cpu, space, &x) == -ENOMEM);
	CHECK(!h->drop(cpu, space));
	CHECK(!run_on(h, cpu, space, &x) && x.regs.trap == TRAP_PAGE_FAULT && x.regs.addr == CODE);
}

static void measure(const struct abi_hosted *h, unsigned cpu, uint64_t space, unsigned page)
{
	static const uint8_t code[] = {0x0f, 0x05, 0xeb, 0xfc};
	struct hosted_context x;
	uint64_t start;

	load(&x, page, code, sizeof(code));
	start = now();
	for (int i = 0; i < 20000; i++) {
		h->run(cpu, space, &x);
		x.regs.rax = (uint64_t)i;
	}
	printf("cpu %u: %lu ns a system call\n", cpu, (now() - start) / 20000);
	static uint8_t area[2][16384] __attribute__((aligned(64)));
	start = now();
	for (int i = 0; i < 20000; i++)
		h->fpu_get(cpu, space, area[cpu]);
	printf("cpu %u: %lu ns to fetch the FPU state\n", cpu, (now() - start) / 20000);
	start = now();
	for (int i = 0; i < 20000; i++)
		h->fpu_set(cpu, space, area[cpu]);
	printf("cpu %u: %lu ns to set it\n", cpu, (now() - start) / 20000);
	start = now();
	for (int i = 0; i < 5000; i++) {
		h->map(cpu, space, DATA, PAGE, (uint64_t)(i & 1) * PAGE, HOSTED_READ);
		h->run(cpu, space, &x);
	}
	printf("cpu %u: %lu ns a map and a system call\n", cpu, (now() - start) / 5000);
	start = now();
	for (unsigned i = 1; i < 200; i++) {
		h->map(cpu, space + i * 100, CODE, PAGE, page * PAGE, HOSTED_READ | HOSTED_EXEC);
		h->run(cpu, space + i * 100, &x);
		h->drop(cpu, space + i * 100);
	}
	printf("cpu %u: %lu ns a new space, map, call and drop\n", cpu, (now() - start) / 200);
}

/* The including file's own. */
static void test_escape_own(const struct abi_hosted *h, unsigned cpu, uint64_t space, unsigned page);

static void entry(const struct abi_boot *boot, uint64_t number)
{
	unsigned cpu = (unsigned)number, page = cpu * 16;
	const struct abi_hosted *h = boot->hosted;
	uint64_t space = 1 + cpu;

	if (!cpu)
		PLATFORM.cpu_start(&vmm, 1);
	test_syscall(h, cpu, space, page);
	test_fault(h, cpu, space, page);
	test_wake(h, cpu, space, page);
	test_kick_other(h, cpu, space, page);
	test_fpu(h, cpu, space, page);
	test_spaces(h, cpu, space, page);
	test_escape_calls(h, cpu, space, page);
	test_escape_base(h, cpu, space, page);
	test_escape_own(h, cpu, space, page);
	test_escape_orders(h, cpu, space, page);
	test_escape_compat(h, cpu, space, page);
	if (!cpu)
		test_escape_full_stub(h, cpu, space + 7, page);
	measure(h, cpu, space, page);
	__atomic_add_fetch(&cpus_done, 1, __ATOMIC_SEQ_CST);
	while (cpus_done < 2)
		usleep(1000);
	if (!cpu)
		vmm_end(&vmm, failures ? 1 : 0);
	for (;;)
		h->idle(cpu, UINT64_MAX);
}

int main(void)
{
	static struct abi_boot boot;
	static struct vmm_options options;
	char why[128];

	options.uid = options.gid = getuid() ? 0 : 65534;
	vmm.options = &options;
	vmm.platform = &PLATFORM;
	vmm.boot = &boot;
	vmm.cpus = 2;
	vmm.entry = (uint64_t)entry;
	vmm.memory.user = (struct abi_zone){.base = 0, .size = 1 << 20};
	vmm.memory.user_memfd = memfd_create("user", 0);
	if (ftruncate(vmm.memory.user_memfd, 1 << 20) < 0)
		return 1;
	vmm.memory.host = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, vmm.memory.user_memfd, 0);
	if (PLATFORM.probe(why, sizeof(why))) {
		puts(why);
		return 77;
	}
	if (PLATFORM.start(&vmm))
		return 1;
	if (!getuid() && (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))) /* as the jail does */
		return 1;
	PLATFORM.run(&vmm);
	printf("%zu system calls in the stub's list, %d failures\n", LIST_LENGTH, failures);
	return vmm.exit_status;
}
