/*
 * The ptrace platform: struct platform_ops and struct abi_hosted put together.
 *
 * The CPUs' threads are platform/hosted.c's; each prepares its own master stub before
 * the jail, since a tracee belongs to the thread that attached it. The process's exit
 * ends the stubs, by PTRACE_O_EXITKILL.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/ptrace/internal.h"

struct pt_cpu pt_cpus[ABI_MAX_CPUS];

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

static int ptrace_prepare(struct host_cpu *h)
{
	struct pt_cpu *c = &pt_cpus[h->cpu];
	int error;

	c->vmm = h->vmm;
	c->cpu = h->cpu;
	c->host = h;
	error = mirror_init(c);
	if (error)
		return error;
	c->master = stub_make_master(c);
	if (c->master < 0)
		return c->master;
	if (!c->cpu) { /* the area as the host kernel takes it, which the sentry must use */
		c->vmm->boot->xsave_size = (uint32_t)stub_xsave_size(c->master);
		c->vmm->boot->xcr0 = hosted_xcr0();
		c->vmm->boot->hwcap2 = 0; /* PTRACE_SETREGS takes no segment base of the upper half, which these instructions load */
	}
	return 0;
}

static void ptrace_interrupt(struct host_cpu *h)
{
	pid_t pid = __atomic_load_n(&pt_cpus[h->cpu].running, __ATOMIC_SEQ_CST);

	if (pid)
		syscall(SYS_tgkill, pid, pid, STUB_KICK_SIGNAL);
}

static int ptrace_start(struct vmm *vmm)
{
	static const struct hosted_kind kind = {
		.name = "ptrace",
		.role = JAIL_PTRACE_CPU,
		.table = &ptrace_hosted,
		.prepare = ptrace_prepare,
		.interrupt = ptrace_interrupt,
	};

	return hosted_start(vmm, &kind);
}

static int ptrace_run(struct vmm *vmm)
{
	int error = hosted_run(vmm);

	for (unsigned i = 0; i < vmm->cpus; i++)
		syscall(SYS_kill, pt_cpus[i].master, SIGKILL);
	return error;
}

const struct platform_ops ptrace_platform = {
	.name = "ptrace",
	.machine = ABI_MACHINE_HOSTED,
	.probe = ptrace_probe,
	.start = ptrace_start,
	.run = ptrace_run,
	.completion = hosted_completion,
	.cpu_start = hosted_cpu_start,
	.stop = hosted_stop,
};
