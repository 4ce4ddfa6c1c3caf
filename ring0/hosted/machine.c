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

/* TSC ticks; some tens of microseconds at usual rates. */
#define RELAX_GAP 20000u
#define RELAX_SPIN 100000u
#define RELAX_LOOK 5000u
#define RELAX_SLEEP_NS 20000u

struct hosted_cpu hosted_cpus[ABI_MAX_CPUS];

static void hosted_cpu_init(unsigned cpu)
{
	struct hosted_cpu *h = &hosted_cpus[cpu];

	TAILQ_INIT(&h->live);
	h->dead_lock.rank = LOCK_MACHINE;
	this_cpu()->flush_pending = 1; /* see hosted_flush_serve() */
	/* We stand on the host thread's stack; host calls use it from some way below. */
	_Static_assert(offsetof(struct percpu, machine_private) == 0x58, "call.S");
	this_cpu()->machine_private = (void *)(((uint64_t)__builtin_frame_address(0) - BOOT_STACK) & ~63ull);
}

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/*
 * Called in every turn of a busy wait (flush_pending stays set for that): no shootdown waits for a CPU in ring 0
 * here, but whoever we wait for may not be running. A host thread that spins through its time slices is put
 * last in the host's queue, and the lock is handed from one such thread to the other, a slice each: so
 * after a short while it sleeps.
 */
static void hosted_flush_serve(void)
{
	struct hosted_cpu *h = this_hosted();
	uint64_t now = rdtsc();

	if (now - h->relax_last > RELAX_GAP)
		h->relax_begin = now;
	h->relax_last = now;
	if (now - h->relax_begin < RELAX_SPIN)
		return;
	HOST2(pause, RELAX_SLEEP_NS, 0);
	h->relax_last = rdtsc();
	h->relax_begin = h->relax_last - RELAX_SPIN + RELAX_LOOK;
}

static int64_t hosted_host_call(uint32_t op, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	struct abi_call call = {.op = op, .arg = {a0, a1, a2, a3}};

	this_cpu()->host_calls++;
	return HOST2(call, &call, 0);
}

static void hosted_ring_notify(bool seen)
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

static void hosted_answers_changed(void)
{
	if (boot_info->hosted->answers_drop)
		HOST2(answers_drop, 0, 0);
}

static void hosted_cpu_queued(unsigned cpu)
{
	if (boot_info->hosted->cpu_queued)
		HOST2(cpu_queued, cpu, 0);
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
	.serves_ring = true,
	.enter_user = hosted_enter,
	.space_init = hosted_space_init,
	.space_free = hosted_space_free,
	.space_switch = hosted_space_switch,
	.space_flush = hosted_space_flush,
	.space_flush_part = hosted_space_flush_part,
	.space_protect = hosted_space_protect,
	.space_keep = hosted_space_keep,
	.spaces_trim = hosted_spaces_trim,
	.space_show = hosted_space_show,
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
	.text_size = patch_text_size,
	.text_page = patch_text_page,
	.page_changes = hosted_page_changes,
	.space_plain = hosted_space_plain,
	.answers_changed = hosted_answers_changed,
	.cpu_queued = hosted_cpu_queued,
};
