/*
 * struct machine for the hosted sentry, and its small members.
 *
 * The host side is struct abi_hosted (platform/abi/hosted.h). A CPU is a host thread: it
 * has no interrupts, so what the guest does in an interrupt happens when run() returns
 * TRAP_INTERRUPT, and after idling.
 */
#include "ring0/hosted/internal.h"
#include "ring0/lib.h"
#include "ring0/upcall.h"

#define BOOT_STACK 131072u /* kept at the head of the host thread's stack for the idle loop */

struct hosted_cpu hosted_cpus[ABI_MAX_CPUS];

static void hosted_cpu_init(unsigned cpu)
{
	struct hosted_cpu *h = &hosted_cpus[cpu];

	TAILQ_INIT(&h->live);
	h->dead_lock.rank = LOCK_MACHINE;
	/* We stand on the host thread's stack; host calls use it from some way below. */
	_Static_assert(offsetof(struct percpu, machine_private) == 0x58, "call.S");
	this_cpu()->machine_private = (void *)(((uint64_t)__builtin_frame_address(0) - BOOT_STACK) & ~63ull);
}

/* No shootdown waits for a CPU in ring 0 here: a mirror is emptied before it runs again. */
static void hosted_flush_serve(void)
{
	this_cpu()->flush_pending = 0;
}

static int64_t hosted_host_call(uint32_t op, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	struct abi_call call = {.op = op, .arg = {a0, a1, a2, a3}};

	return HOST2(call, &call, 0);
}

static void hosted_ring_notify(void)
{
	HOST2(ring_notify, 0, 0);
}

static void hosted_idle(uint64_t deadline)
{
	if (this_hosted()->dead_count)
		mirror_serve_dead();
	HOST2(idle, this_cpu()->cpu, deadline);
	kernel_interrupt();
}

static void hosted_kick(unsigned cpu)
{
	HOST2(kick, cpu, 0);
}

static void hosted_set_timer(uint64_t deadline)
{
	HOST2(timer, this_cpu()->cpu, deadline);
}

static int hosted_cpu_start(unsigned cpu)
{
	return (int)hosted_host_call(ABI_CALL_cpu_start, cpu, 0, 0, 0);
}

const struct machine hosted_machine = {
	.name = "hosted",
	.cpu_init = hosted_cpu_init,
	.flush_serve = hosted_flush_serve,
	.host_call = hosted_host_call,
	.ring_notify = hosted_ring_notify,
	.enter_user = hosted_enter,
	.space_init = hosted_space_init,
	.space_free = hosted_space_free,
	.space_switch = hosted_space_switch,
	.space_flush = hosted_space_flush,
	.copy_from_user = hosted_copy_from_user,
	.copy_to_user = hosted_copy_to_user,
	.clear_user = hosted_clear_user,
	.strncpy_from_user = hosted_strncpy_from_user,
	.cmpxchg_user32 = hosted_cmpxchg_user32,
	.task_save = hosted_task_save,
	.task_load = hosted_task_load,
	.fpu_sync = hosted_fpu_sync,
	.fpu_reload = hosted_fpu_reload,
	.idle = hosted_idle,
	.kick = hosted_kick,
	.set_timer = hosted_set_timer,
	.cpu_start = hosted_cpu_start,
};
