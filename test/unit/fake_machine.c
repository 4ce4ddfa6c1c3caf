/*
 * The fake machine of the unit tests. See fake_machine.h.
 */
#include <linux/errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "kernel/container.h"
#include "kernel/mm.h"
#include "kernel/sched.h"
#include "kernel/user_ns.h"
#include "platform/abi/hosted.h"
#include "ring0/clock.h"
#include "ring0/context.h"
#include "ring0/lib.h"
#include "ring0/lock.h"
#include "ring0/percpu.h"
#include "ring0/start.h"
#include "ring0/upcall.h"
#include "test/unit/fake_machine.h"

struct percpu percpus[ABI_MAX_CPUS];
unsigned cpu_count = 1;
const struct machine *machine;
const struct abi_boot *boot_info;
uint64_t direct_base;
struct start_page *start_page;
struct clock_base *clock_page;

void clock_page_set(struct clock_base *page)
{
	clock_page = page;
}
struct task fake_task;
struct process fake_process;
struct user_ns fake_user_ns;
unsigned long fake_flushes, fake_releases;

#define RING_ORDER 3u
_Static_assert(sizeof(struct abi_ring) <= PAGE_SIZE << RING_ORDER, "one block of pages holds a ring");

static struct abi_boot boot;
static struct abi_call fake_call;
static struct start_page page_for_start;

static int64_t fake_host_call(uint32_t op, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	switch (op) {
	case ABI_CALL_mem_release:
		fake_releases++;
		return madvise(pa_to_va(a0), a1, MADV_DONTNEED) < 0 ? -EINVAL : 0;
	case ABI_CALL_entropy:
		memset(pa_to_va(a0), 0x42, a1);
		return 0;
	default:
		return -ENOSYS;
	}
}

static int fake_space_init(struct space *space)
{
	static uint64_t next = 1;

	space->id = next++;
	space->root = kernel_alloc_table();
	return space->root ? 0 : -ENOMEM;
}

static void fake_space_free(struct space *space)
{
	kernel_free_table(space->root);
}

static void fake_space_switch(struct space *space)
{
	this_cpu()->space = space;
}

static void fake_space_show(struct space *space, uint64_t address)
{
}

static void fake_space_flush(struct space *space, uint64_t address, uint64_t length)
{
	fake_flushes++;
}

/* A piece of user memory within one page, as the hosted machine does it. */
static char *fake_user(uint64_t address, unsigned pf_error)
{
	for (unsigned tries = 0; tries < 2; tries++) {
		uint64_t pte, pa = mm_translate(current->mm, address, &pte);

		if (pa && (!(pf_error & PF_WRITE) || pte & PTE_W))
			return pa_to_va(pa);
		if (kernel_user_fault(address, pf_error | PF_USER) < 0)
			return NULL;
	}
	return NULL;
}

static size_t fake_copy(char *kernel, uint64_t user, size_t n, bool write)
{
	while (n > 0) {
		size_t part = MIN(n, PAGE_SIZE - (user & ~PAGE_MASK));
		char *at = fake_user(user, write ? PF_WRITE : 0);

		if (!at)
			return n;
		if (!write)
			memcpy(kernel, at, part);
		else if (kernel)
			memcpy(at, kernel, part);
		else
			memset(at, 0, part);
		kernel = kernel ? kernel + part : NULL;
		user += part;
		n -= part;
	}
	return 0;
}

static size_t fake_copy_from_user(void *to, uaddr_t from, size_t n)
{
	return fake_copy(to, from.v, n, false);
}

static size_t fake_copy_to_user(uaddr_t to, const void *from, size_t n)
{
	return fake_copy((char *)from, to.v, n, true);
}

static size_t fake_clear_user(uaddr_t to, size_t n)
{
	return fake_copy(NULL, to.v, n, true);
}

static int64_t fake_strncpy_from_user(char *to, uaddr_t from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (fake_copy(to + i, from.v + i, 1, false))
			return -EFAULT;
		if (!to[i])
			return (int64_t)i;
	}
	return (int64_t)n;
}

static int fake_cmpxchg(uaddr_t address, uint32_t expect, uint32_t value, uint32_t *old)
{
	uint32_t *at = (uint32_t *)fake_user(address.v, PF_WRITE);

	if (!at)
		return -EFAULT;
	*old = *at;
	if (*at == expect)
		*at = value;
	return 0;
}

static void fake_nothing(struct machine_task *task)
{
}

static void fake_kick(unsigned cpu)
{
}

static void fake_timer(uint64_t deadline)
{
}

static const struct machine fake_machine = {
	.name = "fake",
	.host_call = fake_host_call,
	.space_init = fake_space_init,
	.space_free = fake_space_free,
	.space_switch = fake_space_switch,
	.space_flush = fake_space_flush,
	.space_show = fake_space_show,
	.copy_from_user = fake_copy_from_user,
	.copy_to_user = fake_copy_to_user,
	.clear_user = fake_clear_user,
	.strncpy_from_user = fake_strncpy_from_user,
	.cmpxchg_user32 = fake_cmpxchg,
	.task_save = fake_nothing,
	.task_load = fake_nothing,
	.fpu_sync = fake_nothing,
	.fpu_reload = fake_nothing,
	.kick = fake_kick,
	.idle = fake_timer,
	.set_timer = fake_timer,
};

void fake_boot(uint64_t kernel_mib, uint64_t user_mib)
{
	uint64_t kernel = kernel_mib << 20, user = user_mib << 20;
	char *arena = mmap(NULL, kernel + user + (4 << 20), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (arena == MAP_FAILED)
		abort();
	arena = (char *)(((uint64_t)arena + (4 << 20) - 1) & ~((4ull << 20) - 1));
	boot = (struct abi_boot){.magic = ABI_MAGIC, .version = ABI_VERSION, .cpus = 1,
		.kernel = {.base = 4 << 20, .size = kernel}, .user = {.base = (4 << 20) + kernel, .size = user},
		.kernel_used = 3 * PAGE_SIZE, .xsave_size = 832};
	boot.direct_base = (uint64_t)arena - (4 << 20);
	boot_info = &boot;
	direct_base = boot.direct_base;
	machine = &fake_machine;
	start_page = &page_for_start;
	memset(percpus, 0, sizeof(percpus));
	percpus[0].self = &percpus[0];
	percpus[0].call = &fake_call;
	page_init(&boot);
	memset(&fake_process, 0, sizeof(fake_process));
	memset(&fake_task, 0, sizeof(fake_task));
	for (unsigned i = 0; i < RLIMIT_COUNT; i++)
		fake_process.rlimit[i] = (struct rlimit64_pair){UINT64_MAX, UINT64_MAX};
	TAILQ_INIT(&fake_process.tasks);
	TAILQ_INIT(&fake_process.children);
	fake_process.leader = &fake_task;
	fake_task.process = &fake_process;
	fake_process.container = &first_container;
	(void)cgroup_init(&first_container.cgroup, &first_container);
	fake_process.cgroup = &first_container.cgroup;
	fake_process.pid_ns = &first_pid_ns;
	static struct id_extent all = {0, 0, UINT32_MAX, 0};
	fake_user_ns = (struct user_ns){.ns = {.refs = 1, .kind = NS_USER}, .map = {{1, &all}, {1, &all}}};
	first_container.user_ns = &fake_user_ns;
	fake_task.tid = fake_task.vtid = fake_process.pid = fake_process.vpid = 1;
	fake_task.refs = fake_process.refs = 1;
	percpus[0].running = &fake_task;
}

void fake_ring(struct abi_boot *own)
{
	*own = *boot_info;
	own->ring_gpa = va_to_pa(kpages_alloc(RING_ORDER));
	memset(pa_to_va(own->ring_gpa), 0, sizeof(struct abi_ring));
	hostring_init(own);
}

/* ---- what ring0/ and the vDSO's image give besides the machine ---- */

__asm__(".pushsection .rodata\n"
	".globl vdso_image_start, vdso_image_end\n"
	"vdso_image_start: .fill 64\n"
	"vdso_image_end:\n"
	".popsection");

void page_zero(void *page)
{
	memset(page, 0, PAGE_SIZE);
}

void page_copy(void *to, const void *from)
{
	memcpy(to, from, PAGE_SIZE);
}

size_t rf_strlcpy(char *to, const char *from, size_t size)
{
	size_t len = strlen(from), n = size && len >= size ? size - 1 : len;

	if (size) {
		memcpy(to, from, n);
		to[n] = '\0';
	}
	return len;
}

void klog(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

size_t klog_read(uint64_t *pos, char *to, size_t n)
{
	return 0;
}

size_t klog_size(void)
{
	return 0;
}

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("panic: ", stderr);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

static uint64_t fake_now = 1000000000ull;

int64_t fake_realtime;

uint64_t clock_monotonic(void)
{
	return fake_now += 1000;
}

int64_t clock_realtime(void)
{
	return fake_realtime ? fake_realtime : (int64_t)clock_monotonic();
}

uint64_t clock_ticks_ns(uint64_t ticks)
{
	return ticks;
}

uint64_t clock_boottime(void)
{
	return clock_monotonic();
}

void kernel_lock(void)
{
}

void kernel_unlock(void)
{
}

bool kernel_lock_held(void)
{
	return true;
}

/* Nothing sleeps here: a test that gets to one of these waits for something that cannot come. */
void context_switch(uint64_t *save, uint64_t load)
{
	panic("a task switch on the fake machine");
}

uint64_t context_prepare(void *stack_top, void (*fn)(void *arg), void *arg)
{
	panic("a new task on the fake machine");
}
