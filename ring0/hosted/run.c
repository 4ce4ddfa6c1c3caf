/*
 * The loop between user code and trap_dispatch(), on the task's kernel stack.
 *
 * A page fault is first held against the sentry's own page tables: when they permit the
 * access the stub only lacks the mapping, and the task goes on without the dispatcher
 * seeing anything, as with a TLB miss. Otherwise the error code is completed as the CPU
 * would give it and, after the dispatcher's answer, the page is shown before user code
 * runs, which saves the second fault. trap_dispatch() may come back on another CPU:
 * nothing per-CPU is kept across it.
 */
#include <linux/errno.h>

#include "ring0/hosted/decode.h"
#include "ring0/hosted/internal.h"
#include "ring0/lib.h"
#include "ring0/upcall.h"

#define RUN_TRIES 3u
#define DEAD_LIMIT 4u
#define AGAIN_LIMIT 4u
#define STACK_BEGIN 6144u /* so far below its pointer the stack of a program that begins is written */
#define STACK_AHEAD 1024u /* so far below its pointer a stack is about to be written */

/* What the task's stub may answer by itself, up to date. */
static const struct hosted_answers *answers_now(struct machine_task *task, const struct space *space)
{
	static uint64_t serials; /* kernel lock */
	struct hosted_answers *a = &task->answers;

	if (!space->text || space->plain)
		return NULL;
	if (a->epoch != *boot_info->hosted->answers_epoch || a->value[HOSTED_ANSWER_GETCPU] != this_cpu()->cpu) {
		kernel_lock();
		a->epoch = *boot_info->hosted->answers_epoch;
		kernel_answers(a);
		a->serial = ++serials;
		kernel_unlock();
	}
	return a;
}

/* Ready to run user code: set in `running`, with the queue of ranges seen empty after that. */
static void run_enter(struct space *space, struct hosted_mirror *m)
{
	uint64_t bit = 1ull << this_cpu()->cpu;

	for (;;) {
		__atomic_or_fetch(&space->running, bit, __ATOMIC_SEQ_CST);
		if (__builtin_expect(!m->count && !m->overflow, 1))
			return;
		__atomic_and_fetch(&space->running, ~bit, __ATOMIC_SEQ_CST);
		mirror_drain(m);
	}
}

static int64_t run_once(struct regs *regs)
{
	struct percpu *percpu = this_cpu();
	struct hosted_cpu *h = &hosted_cpus[percpu->cpu];
	struct machine_task *task = percpu->machine_task;
	struct space *space = percpu->space;
	struct hosted_mirror *m = mirror_of(space, percpu->cpu);
	int64_t error;

	mirror_use(m);
	if (hosted_fpu_enter(m, task)) { /* only a bad frame of sigreturn makes such a state */
		task->fpu_flags = 0;
		memset(task->fpu, 0, boot_info->xsave_size);
		((uint16_t *)task->fpu)[0] = 0x37f;
		((uint32_t *)task->fpu)[6] = 0x1f80;
		regs->trap = TRAP_PROTECTION;
		regs->error = 0;
		return 0;
	}
	h->context.regs = *regs;
	h->context.fs_base = task->fs_base;
	h->context.gs_base = task->gs_base;
	h->context.resume = 0;
	if (regs->rip != h->call_rip || h->call_task != task || h->call_mirror != m)
		h->context.resume = patch_resume(regs);
	h->call_task = NULL;
	h->context.answers = answers_now(task, space);
	h->context.queued = kernel_queued();
	run_enter(space, m);
	error = HOST3(run, percpu->cpu, space->id, &h->context);
	__atomic_and_fetch(&space->running, ~(1ull << percpu->cpu), __ATOMIC_SEQ_CST);
	if (error)
		return error;
	*regs = h->context.regs;
	task->fs_base = h->context.fs_base;
	task->gs_base = h->context.gs_base;
	if (regs->trap == TRAP_SYSCALL && !h->context.by_signal) {
		h->call_task = task;
		h->call_mirror = m;
		h->call_rip = regs->rip;
	}
	if (__builtin_expect(regs->trap == TRAP_STUB_DIED, 0))
		mirror_lost(m);
	return 0;
}

/* The stub could not be given its mappings (its limits, the host's memory): a fresh one, some times. */
static void run_stub(struct regs *regs)
{
	int64_t error = 0;

	/* Emptying the stubs of ended spaces can wait until the CPU idles, within reason. */
	if (__builtin_expect(this_hosted()->dead_count > DEAD_LIMIT, 0))
		mirror_serve_dead();
	for (unsigned tries = 0; tries < RUN_TRIES; tries++) {
		error = run_once(regs);
		if (!error)
			return;
		klog(LOG_DEBUG, "hosted: stub of space %lu: error %d, starting over", (unsigned long)this_cpu()->space->id,
			(int)-error);
		hosted_fpu_leave();
		mirror_drop(mirror_of(this_cpu()->space, this_cpu()->cpu));
	}
	klog(LOG_ERROR, "hosted: no stub: error %d", (int)-error);
	regs->trap = TRAP_STUB_DIED;
}

/* An instruction that begins at rip may reach into the page at addr. */
static bool is_fetch(const struct regs *regs)
{
	return regs->addr == regs->rip ||
		(!(regs->addr & ~PAGE_MASK) && regs->addr > regs->rip && regs->addr - regs->rip < 15);
}

/*
 * What a fault on a present entry means: 0 if it permits the access, else the error code. A stub that
 * shows a page always lets it be read, so a fault with PF_PRESENT is a write or a fetch.
 */
static uint64_t fault_present(const struct regs *regs, uint64_t pte, bool stuck)
{
	uint64_t error = PF_USER | PF_PRESENT;

	if (boot_info->hosted->exact_faults) {
		bool allowed = regs->error & PF_WRITE ? pte & PTE_W : regs->error & PF_FETCH ? !(pte & PTE_NX) : true;

		return allowed ? 0 : error | (regs->error & (PF_WRITE | PF_FETCH));
	}

	if (!(regs->error & PF_PRESENT) && !stuck)
		return 0;
	if (pte & PTE_NX && (regs->addr == regs->rip || (stuck && is_fetch(regs))))
		return error | PF_FETCH;
	if (pte & PTE_W || regs->addr == regs->rip)
		return 0;
	return error | PF_WRITE;
}

static uint64_t fault_absent(const struct regs *regs)
{
	if (boot_info->hosted->exact_faults)
		return PF_USER | (regs->error & (PF_WRITE | PF_FETCH));
	if (regs->addr == regs->rip)
		return PF_USER | PF_FETCH;
	if (regs->error & PF_PRESENT || decode_is_write(regs))
		return PF_USER | PF_WRITE;
	return PF_USER;
}

/* True: the stub only lacked the page, and has it now. False: a fault for the dispatcher, its error code complete. */
static bool fault_mirrored(struct regs *regs)
{
	struct hosted_cpu *h = this_hosted();
	struct space *space = this_cpu()->space;
	struct hosted_mirror *m = mirror_of(space, this_cpu()->cpu);
	uint64_t size, error, *pte;
	bool present;

	if (regs->addr >= USER_TOP)
		return false;
	if (h->again_addr == regs->addr && h->again_rip == regs->rip)
		h->again++;
	else
		h->again = 0;
	h->again_addr = regs->addr;
	h->again_rip = regs->rip;
	kernel_lock();
	mirror_drain(m);
	pte = hosted_pte(space->root, regs->addr, &size);
	present = pte && (*pte & (PTE_P | PTE_U)) == (PTE_P | PTE_U);
	error = present ? fault_present(regs, *pte, h->again > AGAIN_LIMIT) : fault_absent(regs);
	if (!error) {
		mirror_show(space, m, regs->addr, regs->error & PF_PRESENT);
		mirror_hint(regs->addr);
	}
	kernel_unlock();
	if (error)
		h->again_addr = UINT64_MAX; /* the dispatcher's: another task may come with the same one next */
	regs->error = error;
	return !error;
}

static void show_after_fault(uint64_t address, bool again)
{
	struct space *space = this_cpu()->space;
	struct hosted_mirror *m = mirror_of(space, this_cpu()->cpu);

	kernel_lock();
	mirror_use(m);
	mirror_drain(m);
	if (m->renewed == (address & PAGE_MASK) || mirror_show(space, m, address, again))
		mirror_hint(address);
	m->renewed = 0;
	kernel_unlock();
}

/* ---- pages that are copied at the first write after a fork ---- */

static void note_copied(uint64_t address)
{
	uint64_t *copied = this_hosted()->copied, page = address & PAGE_MASK;
	unsigned i = 0;

	while (i < COPIED - 1 && copied[i] != page)
		i++;
	memmove(copied + 1, copied, i * sizeof(*copied));
	copied[0] = page;
}

static bool is_shared(uint64_t address)
{
	const uint64_t present = PTE_P | PTE_U;
	uint64_t size, *pte = address ? hosted_pte(this_cpu()->space->root, address, &size) : NULL;

	return pte && size == PAGE_SIZE && (*pte & (present | PTE_W)) == present;
}

/* Those that were copied of late are likely written now as well: a copy costs less than the fault. May sleep. */
static void copy_ahead(void)
{
	uint64_t copied[COPIED];

	memcpy(copied, this_hosted()->copied, sizeof(copied));
	for (unsigned i = 0; i < COPIED; i++)
		if (is_shared(copied[i]))
			kernel_user_fault(copied[i], PF_USER | PF_WRITE | PF_PRESENT);
}

/*
 * An empty stub, or one that a fork emptied: what the task touches first is shown before it runs. Its code and
 * the top of its stack are faulted in as well (copied, after a fork), which saves two faults each. That may
 * sleep, so the dispatcher is asked once more whether there is something to do before user mode.
 */
static void prepare_stub(struct regs *regs)
{
	struct hosted_mirror *m = mirror_of(this_cpu()->space, this_cpu()->cpu);
	bool begins = this_cpu()->space->begins;

	mirror_use(m);
	if (__builtin_expect(m->count || m->overflow, 0)) {
		kernel_lock();
		mirror_renew(this_cpu()->space, m);
		kernel_unlock();
	}
	if (__builtin_expect(!m->refill, 1))
		return;
	kernel_lock();
	kernel_user_fault(regs->rip, PF_USER | PF_FETCH);
	kernel_user_fault(regs->rsp - 8, PF_USER | PF_WRITE);
	kernel_user_fault(regs->rsp - (begins ? STACK_BEGIN : STACK_AHEAD), PF_USER | PF_WRITE);
	copy_ahead();
	kernel_unlock();
	regs->trap = TRAP_INTERRUPT;
	regs->orig_rax = ~0ull;
	patch_leave(regs);
	trap_dispatch(regs);
	m = mirror_of(this_cpu()->space, this_cpu()->cpu);
	mirror_use(m);
	kernel_lock();
	mirror_refill(this_cpu()->space, m, regs->rip, regs->rsp);
	kernel_unlock();
}

void hosted_loop(struct regs *regs)
{
	for (;;) {
		uint64_t fault;
		bool faulted, again;

		prepare_stub(regs);
		run_stub(regs);
		faulted = regs->trap == TRAP_PAGE_FAULT;
		again = faulted && regs->error & PF_PRESENT;
		fault = regs->addr;
		if (!faulted)
			this_hosted()->again_addr = UINT64_MAX; /* what comes next is no repetition, whatever it is like */
		else if (fault_mirrored(regs))
			continue;
		if (again && regs->error & PF_WRITE)
			note_copied(fault);
		if (regs->trap != TRAP_SYSCALL && patch_leave(regs))
			continue;
		if (regs->trap == TRAP_SYSCALL && this_hosted()->context.by_signal)
			patch_seen(regs);
		trap_dispatch(regs);
		if (faulted)
			show_after_fault(fault, again);
	}
}
