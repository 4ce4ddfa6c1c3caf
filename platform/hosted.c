/*
 * The threads that are a hosted sentry's CPUs, for every platform without KVM.
 *
 * hosted_start() makes one host thread a sentry CPU, pinned to a core of its own; each
 * prepares itself (timer, alternate stack, what the platform needs), puts its filter on and
 * waits. Once all have, hosted_run() lets CPU 0 call the sentry's entry; hosted_cpu_start() the others.
 * The sentry never returns: when the container has ended, CPU threads park where they
 * next come out of the sentry, and the process's exit ends them.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "platform/hosted.h"
#include "platform/internal.h"

#define CPU_STACK (1024u * 1024u)
#define MAPPINGS_USUAL 65530u /* vm.max_map_count where it is not told */
#define MAPPINGS_LEAST 1024u  /* with fewer, stubs are lost now and then */
#define MAPPINGS_OWN 64u

struct host_cpu host_cpus[ABI_MAX_CPUS];
__thread struct host_cpu *host_self;
const struct hosted_kind *hosted_kind;

static pthread_mutex_t prepare_lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t run_over; /* hosted_stop() was called (futex) */

int64_t hosted_call(struct abi_call *call)
{
	struct abi_call copy = *call;
	int64_t ret = vmm_call(host_self->vmm, host_self->cpu, &copy);

	if (host_self->vmm->ended)
		wake_park();
	return ret;
}

void hosted_ring_notify(void)
{
	io_doorbell(host_self->vmm);
}

/* A fault in the sentry or the VMM on a CPU's thread: say where, and end the sandbox. */
static void fault_handler(int signal, siginfo_t *info, void *ucontext)
{
	const greg_t *g = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
	struct vmm *vmm = host_self ? host_self->vmm : NULL;
	uint64_t rip = (uint64_t)g[REG_RIP], base = vmm ? vmm->boot->image_base : 0;
	const uint64_t *frame = (const uint64_t *)g[REG_RBP];
	char text[512];
	int n;

	/* A second fault, in the walk below, ends the process: SA_RESETHAND. */
	n = snprintf(text, sizeof(text), "%s: signal %d at rip %#lx (image %+ld) address %p\n", hosted_kind->name, signal, rip,
		(long)(rip - base), info->si_addr);
	n = write(STDERR_FILENO, text, (size_t)n) < 0;
	for (int i = 0; i < 16 && vmm && rip - base < vmm->boot->image_size && frame; i++) {
		n = snprintf(text, sizeof(text), "  from image +%#lx\n", (long)(frame[1] - base));
		n = write(STDERR_FILENO, text, (size_t)n) < 0;
		frame = (const uint64_t *)frame[0];
	}
	(void)n;
	if (!vmm)
		_exit(139);
	vmm_fail(vmm, SIGSEGV);
	wake_park();
}

static int install_handlers(void)
{
	struct sigaction fault = {.sa_sigaction = fault_handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND};
	struct sigaction child = {.sa_handler = hosted_kind->child ? hosted_kind->child : SIG_DFL, .sa_flags = SA_NOCLDSTOP}; /* no signal for each stop of a stub */
	static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};

	sigfillset(&fault.sa_mask);
	sigdelset(&fault.sa_mask, SIGSEGV);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (sigaction(faults[i], &fault, NULL) < 0)
			return -errno;
	return sigaction(SIGCHLD, &child, NULL) < 0 ? -errno : 0;
}

static void pin(const struct host_cpu *h)
{
	cpu_set_t set;

	if (h->core < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((unsigned)h->core, &set);
	sched_setaffinity(0, sizeof(set), &set); /* a cpuset may forbid it: slower, not wrong */
}

uint64_t hosted_xcr0(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

static int thread_prepare(struct host_cpu *h)
{
	int error;

	host_self = h;
	h->tid = (pid_t)syscall(SYS_gettid);
	pin(h);
	io_thread_core(h->core);
	error = wake_init(h);
	if (!error)
		error = hosted_kind->prepare(h);
	if (error)
		return error;
	return h->vmm->boot->xsave_size ? 0 : -ENODEV;
}

static void *thread_main(void *arg)
{
	struct host_cpu *h = arg;
	void (*entry)(const struct abi_boot *boot, uint64_t cpu);

	/* One after the other: a stub must not see another CPU's half-made pages. */
	pthread_mutex_lock(&prepare_lock);
	h->error = thread_prepare(h);
	pthread_mutex_unlock(&prepare_lock);
	if (!h->error)
		h->error = jail_filter(h->vmm, hosted_kind->role);
	wake_set(&h->prepared);
	if (h->error)
		wake_park();
	wake_wait(&h->started);
	entry = (void (*)(const struct abi_boot *, uint64_t))h->vmm->entry;
	entry(h->vmm->boot, h->cpu);
	vmm_log(0, "%s: the sentry returned on CPU %u", hosted_kind->name, h->cpu);
	vmm_fail(h->vmm, SIGABRT);
	wake_park();
}

/* Cores in turn, from the one we are on: sandboxes started together spread. */
static void choose_cores(const struct vmm *vmm)
{
	cpu_set_t set;
	int core = sched_getcpu();

	if (sched_getaffinity(0, sizeof(set), &set) < 0 || core < 0)
		CPU_ZERO(&set);
	for (unsigned i = 0; i < vmm->cpus; i++) {
		host_cpus[i].core = -1;
		for (int tried = 0; tried < CPU_SETSIZE && CPU_COUNT(&set); tried++, core = (core + 1) % CPU_SETSIZE) {
			if (CPU_ISSET((unsigned)core, &set)) {
				host_cpus[i].core = core;
				core = (core + 1) % CPU_SETSIZE;
				break;
			}
		}
	}
}

uint32_t hosted_stub_mappings(void)
{
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
	uint32_t limit;

	if (!file || fscanf(file, "%u", &limit) != 1)
		limit = MAPPINGS_USUAL;
	if (file)
		fclose(file);
	return (limit < MAPPINGS_LEAST ? MAPPINGS_LEAST : limit) - MAPPINGS_OWN;
}

int hosted_start(struct vmm *vmm, const struct hosted_kind *kind)
{
	pthread_attr_t attr;
	int error;

	hosted_kind = kind;
	error = install_handlers();
	if (error)
		return error;
	choose_cores(vmm);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, CPU_STACK);
	for (unsigned i = 0; i < vmm->cpus; i++) {
		struct host_cpu *h = &host_cpus[i];

		h->vmm = vmm;
		h->cpu = i;
		error = -pthread_create(&h->thread, &attr, thread_main, h);
		if (error)
			return error;
	}
	vmm->boot->hosted = kind->table;
	return 0;
}

int hosted_run(struct vmm *vmm)
{
	for (unsigned i = 0; i < vmm->cpus; i++) {
		wake_wait(&host_cpus[i].prepared);
		if (host_cpus[i].error)
			return host_cpus[i].error;
	}
	vmm_log(VMM_LOG_INFO, "%s: %u CPUs, %u bytes of FPU state", hosted_kind->name, vmm->cpus, vmm->boot->xsave_size);
	clock_sample(&vmm->boot->clock); /* last: by now its rate has mostly been measured without waiting for that */
	wake_set(&host_cpus[0].started);
	wake_wait(&run_over);
	return 0;
}

void hosted_completion(struct vmm *vmm)
{
	wake_kick(0);
}

void hosted_cpu_start(struct vmm *vmm, unsigned cpu)
{
	if (cpu < vmm->cpus)
		wake_set(&host_cpus[cpu].started);
}

void hosted_stop(struct vmm *vmm)
{
	for (unsigned i = 0; i < vmm->cpus; i++)
		wake_kick(i);
	wake_set(&run_over);
}
