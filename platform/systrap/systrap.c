/*
 * The systrap platform: struct platform_ops and struct abi_hosted put together.
 *
 * It needs no privilege over other processes: a stub is watched by nobody, it comes to us
 * by its own signal handler and is kept from all else by seccomp. So it works where
 * ptrace(2) is forbidden. The main thread reaps stubs that ended.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/systrap/internal.h"

#define HWCAP2_FSGSBASE_BIT 2ul

struct st_cpu st_cpus[ABI_MAX_CPUS];
bool st_fsgsbase;
pid_t st_own_pid;

static struct abi_hosted systrap_hosted = {
	.call = hosted_call,
	.ring_notify = hosted_ring_notify,
	.run = strap_run,
	.map = strap_map,
	.unmap = strap_unmap,
	.drop = strap_drop,
	.retire = strap_retire,
	.adopt = strap_adopt,
	.empty = strap_empty_retired,
	.settle = strap_settle,
	.answers_drop = strap_answers_drop,
	.answers_epoch = &st_answers_epoch,
	.cpu_queued = strap_cpu_queued,
	.exact_faults = 1,
	.fpu_get = strap_fpu_get,
	.fpu_set = strap_fpu_set,
	.idle = strap_idle,
	.pause = wake_pause,
	.kick = wake_kick,
	.timer = wake_timer,
};

static int systrap_probe(char *why, size_t size)
{
	int error;

	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, 2 /* SECCOMP_GET_ACTION_AVAIL */, 0, &(uint32_t){0x00030000 /* SECCOMP_RET_TRAP */}) < 0) {
		error = -errno;
		snprintf(why, size, "systrap: seccomp filters: %s", strerror(-error));
		return error;
	}
	error = strap_frame_learn();
	if (error)
		snprintf(why, size, "systrap: the host's signal frames: %s",
			error == -E2BIG ? "the FPU state is too large" : "no XSAVE state in them");
	return error;
}

static int systrap_prepare(struct host_cpu *h)
{
	struct st_cpu *c = &st_cpus[h->cpu];
	pid_t master;

	c->cpu = h->cpu;
	c->host = h;
	c->vmm = h->vmm;
	pthread_mutex_init(&c->lock, NULL);
	master = strap_make_master(c);
	if (master < 0)
		return master;
	c->vmm->boot->xsave_size = st_fpu.size;
	c->vmm->boot->xcr0 = st_fpu.features;
	return 0;
}

/* Only the main thread takes SIGCHLD: the others' filters know no wait4. */
static void take_deaths(bool yes)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	pthread_sigmask(yes ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
}

static int systrap_start(struct vmm *vmm)
{
	static const struct hosted_kind kind = {
		.name = "systrap",
		.role = JAIL_SYSTRAP_CPU,
		.table = &systrap_hosted,
		.prepare = systrap_prepare,
		.interrupt = strap_interrupt,
		.child = strap_reap,
	};
	int error;

	st_own_pid = getpid();
	if (!vmm->options->no_patching)
		systrap_hosted.call_entry = ST_CODE + (uint64_t)(st_code_call - st_code_begin);
	st_fsgsbase = getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT;
	error = st_fpu.size ? 0 : strap_frame_learn();
	if (!error)
		error = strap_exchange_create(vmm->cpus);
	if (error)
		return error;
	take_deaths(true);
	error = hosted_start(vmm, &kind);
	take_deaths(false);
	return error;
}

static int systrap_run(struct vmm *vmm)
{
	take_deaths(true);
	return hosted_run(vmm);
}

const struct platform_ops systrap_platform = {
	.name = "systrap",
	.machine = ABI_MACHINE_HOSTED,
	.probe = systrap_probe,
	.start = systrap_start,
	.run = systrap_run,
	.completion = hosted_completion,
	.cpu_start = hosted_cpu_start,
	.stop = hosted_stop,
};
