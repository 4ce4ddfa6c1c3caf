/*
 * The ptrace platform: struct platform_ops and struct abi_hosted put together.
 *
 * start() makes one host thread a sentry CPU, pinned to a core of its own; each prepares
 * itself (timer, alternate stack, master stub) and waits. After the jail run() lets CPU 0
 * call the sentry's entry; cpu_start() the others. The sentry never returns: when the
 * container has ended, CPU threads park where they next enter this folder, and the
 * process's exit ends them and, by PTRACE_O_EXITKILL, their stubs.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "platform/ptrace/internal.h"

#define CPU_STACK (1024u * 1024u)

struct pt_cpu pt_cpus[ABI_MAX_CPUS];
__thread struct pt_cpu *pt_self;

static uint32_t run_over; /* stop() was called (futex) */

static int64_t hosted_call(struct abi_call *call)
{
	struct abi_call copy = *call;
	int64_t ret = vmm_call(pt_self->vmm, pt_self->cpu, &copy);

	if (pt_self->vmm->ended)
		wake_park();
	return ret;
}

static void hosted_ring_notify(void)
{
	io_doorbell(pt_self->vmm);
}

static const struct abi_hosted ptrace_hosted = {
	.call = hosted_call,
	.ring_notify = hosted_ring_notify,
	.run = run_user,
	.map = mirror_map,
	.unmap = mirror_unmap,
	.drop = mirror_drop,
	.fpu_get = mirror_fpu_get,
	.fpu_set = mirror_fpu_set,
	.idle = wake_idle,
	.pause = wake_pause,
	.kick = wake_kick,
	.timer = wake_timer,
};

static int ptrace_probe(char *why, size_t size)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(ptrace(PTRACE_TRACEME, 0, 0, 0) < 0 ? errno : 0);
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status)) {
		snprintf(why, size, "ptrace: cannot start a process to try it");
		return -EAGAIN;
	}
	if (WEXITSTATUS(status)) {
		snprintf(why, size, "ptrace: PTRACE_TRACEME: %s", strerror(WEXITSTATUS(status)));
		return -WEXITSTATUS(status);
	}
	return 0;
}

/* A fault in the sentry or the VMM on a CPU's thread: say where, and end the sandbox. */
static void fault_handler(int signal, siginfo_t *info, void *ucontext)
{
	const greg_t *g = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
	struct vmm *vmm = pt_self ? pt_self->vmm : NULL;
	uint64_t rip = (uint64_t)g[REG_RIP], base = vmm ? vmm->boot->image_base : 0;
	const uint64_t *frame = (const uint64_t *)g[REG_RBP];
	char text[512];
	int n;

	/* A second fault, in the walk below, ends the process: SA_RESETHAND. */
	n = snprintf(text, sizeof(text), "ptrace: signal %d at rip %#lx (image %+ld) address %p\n", signal, rip,
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
	vmm_end(vmm, SIGSEGV);
	wake_park();
}

static int install_handlers(void)
{
	struct sigaction fault = {.sa_sigaction = fault_handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND};
	struct sigaction child = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP}; /* no signal for each stop of a stub */
	static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};

	sigfillset(&fault.sa_mask);
	sigdelset(&fault.sa_mask, SIGSEGV);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (sigaction(faults[i], &fault, NULL) < 0)
			return -errno;
	return sigaction(SIGCHLD, &child, NULL) < 0 ? -errno : 0;
}

static void pin(const struct pt_cpu *c)
{
	cpu_set_t set;

	if (c->host_cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((unsigned)c->host_cpu, &set);
	sched_setaffinity(0, sizeof(set), &set); /* a cpuset may forbid it: slower, not wrong */
}

static uint64_t host_xcr0(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

static int thread_prepare(struct pt_cpu *c)
{
	int error;

	pt_self = c;
	pin(c);
	error = wake_init(c);
	if (!error)
		error = mirror_init(c);
	if (error)
		return error;
	c->master = stub_make_master(c);
	if (c->master < 0)
		return c->master;
	if (!c->cpu) { /* the area as the host kernel takes it, which the sentry must use */
		c->vmm->boot->xsave_size = (uint32_t)stub_xsave_size(c->master);
		c->vmm->boot->xcr0 = host_xcr0();
	}
	return c->vmm->boot->xsave_size ? 0 : -ENODEV;
}

static void *thread_main(void *arg)
{
	struct pt_cpu *c = arg;
	void (*entry)(const struct abi_boot *boot, uint64_t cpu);

	c->error = thread_prepare(c);
	wake_set(&c->prepared);
	if (jail_thread(c->vmm, JAIL_PTRACE_CPU))
		wake_park();
	wake_wait(&c->started);
	entry = (void (*)(const struct abi_boot *, uint64_t))c->vmm->entry;
	entry(c->vmm->boot, c->cpu);
	vmm_log(0, "ptrace: the sentry returned on CPU %u", c->cpu);
	vmm_end(c->vmm, SIGABRT);
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
		pt_cpus[i].host_cpu = -1;
		for (int tried = 0; tried < CPU_SETSIZE && CPU_COUNT(&set); tried++, core = (core + 1) % CPU_SETSIZE) {
			if (CPU_ISSET((unsigned)core, &set)) {
				pt_cpus[i].host_cpu = core;
				core = (core + 1) % CPU_SETSIZE;
				break;
			}
		}
	}
}

static int ptrace_start(struct vmm *vmm)
{
	pthread_attr_t attr;
	int error = install_handlers();

	if (error)
		return error;
	choose_cores(vmm);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, CPU_STACK);
	for (unsigned i = 0; i < vmm->cpus; i++) {
		struct pt_cpu *c = &pt_cpus[i];

		c->vmm = vmm;
		c->cpu = i;
		error = -pthread_create(&c->thread, &attr, thread_main, c);
		if (error)
			return error;
		wake_wait(&c->prepared); /* one after the other: a master must not see another's half-made pages */
		if (c->error)
			return c->error;
	}
	vmm->boot->hosted = &ptrace_hosted;
	vmm_log(2, "ptrace: %u CPUs, %u bytes of FPU state", vmm->cpus, vmm->boot->xsave_size);
	return 0;
}

static int ptrace_run(struct vmm *vmm)
{
	wake_set(&pt_cpus[0].started);
	wake_wait(&run_over);
	for (unsigned i = 0; i < vmm->cpus; i++)
		syscall(SYS_kill, pt_cpus[i].master, SIGKILL);
	return 0;
}

static void ptrace_completion(struct vmm *vmm)
{
	wake_kick(0);
}

static void ptrace_cpu_start(struct vmm *vmm, unsigned cpu)
{
	if (cpu < vmm->cpus)
		wake_set(&pt_cpus[cpu].started);
}

static void ptrace_stop(struct vmm *vmm)
{
	for (unsigned i = 0; i < vmm->cpus; i++)
		wake_kick(i);
	wake_set(&run_over);
}

const struct platform_ops ptrace_platform = {
	.name = "ptrace",
	.machine = ABI_MACHINE_HOSTED,
	.probe = ptrace_probe,
	.start = ptrace_start,
	.run = ptrace_run,
	.completion = ptrace_completion,
	.cpu_start = ptrace_cpu_start,
	.stop = ptrace_stop,
};
