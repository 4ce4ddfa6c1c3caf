/*
 * run(): user code of a space on this CPU until a trap.
 *
 * The registers go into the stub's signal frame, a counter says go, and this thread waits
 * for the stub's word. That word, like all that the stub's area holds, only says that
 * somebody wants something: what is done next is safe whether or not user code has really
 * stopped. A stub that does not answer a kick in time is ended.
 */
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/systrap/internal.h"

#define LATE_NS 100000000l /* a kicked stub is looked at so often ... */
#define LATE_LIMIT 30u     /* ... and ended after so many: a frozen sandbox counts once, ... */
#define LATE_MOST 300u     /* ... as many if the host, which has no time for this thread either, keeps it waiting */
#define SAVE_LOOKS 2000u   /* for FPU state that is being saved: at once, on another core ... */
#define SAVE_TURN_NS 100000l
#define SAVE_TURNS 30000u  /* ... or when the stub has had its turn: three seconds, as above */

void strap_interrupt(struct host_cpu *h)
{
	struct stub *s = __atomic_load_n(&st_cpus[h->cpu].running, __ATOMIC_SEQ_CST);

	if (!s)
		return;
	__atomic_store_n(&s->orders->kick, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_tgkill, s->pid, s->tid, STUB_KICK);
	st_futex(&s->area->done, FUTEX_WAKE, 1, NULL); /* signals are blocked while it waits for that */
	/* Its wait has no end yet, and from here on it needs one. */
	if (h != host_self && __atomic_load_n(&s->orders->sleeps, __ATOMIC_SEQ_CST))
		syscall(SYS_tgkill, st_own_pid, h->tid, HOSTED_WAKE_SIGNAL);
}

static void interrupted(struct hosted_context *context)
{
	context->regs.trap = TRAP_INTERRUPT;
	context->regs.orig_rax = ~0ull;
}

/* No stub any more: it was killed, from outside or because the container's code broke it. */
static int stub_died(struct st_cpu *c, struct stub *s, struct hosted_context *context, const char *why)
{
	unsigned status = s->dead ? (unsigned)s->status : 0;

	if (!s->killed && status == SIGKILL) /* no code inside can bring that about; its process ends as if it were the one killed */
		vmm_log(VMM_LOG_ERROR, "systrap: stub %d of CPU %u was killed from outside", s->pid, c->cpu);
	else
		vmm_log(VMM_LOG_DEBUG, "systrap: stub %d of CPU %u: %s, wait status %#x", s->pid, c->cpu, why, status);
	pthread_mutex_lock(&c->lock);
	strap_kill(s);
	strap_forget(c, s);
	strap_end(s);
	pthread_mutex_unlock(&c->lock);
	context->regs.trap = TRAP_STUB_DIED;
	return 0;
}

/*
 * Orders first: the mapping thread does them and then wakes the other, so that we sleep once. A running thread
 * that looks for its word would begin too early: there we wait for the orders.
 */
static int user_begin(struct st_cpu *c, struct stub *s)
{
	bool chain = false;

	if (s->order_count) {
		pthread_mutex_lock(&c->lock);
		if (s->apart)
			strap_flush(s);
		chain = s->order_count && !s->failed;
		if (chain)
			s->orders->need = s->orders->map_go + 1;
		s->area->state = 0;
		__atomic_add_fetch(&s->orders->run_go, !s->failed, __ATOMIC_SEQ_CST);
		if (chain)
			strap_chain(c, s);
		pthread_mutex_unlock(&c->lock);
	} else {
		s->area->state = 0;
		__atomic_add_fetch(&s->orders->run_go, 1, __ATOMIC_SEQ_CST);
	}
	if (!chain && __atomic_load_n(&s->area->sleeps, __ATOMIC_SEQ_CST))
		st_futex(&s->orders->run_go, FUTEX_WAKE, 1, NULL);
	return s->failed;
}

/* Both threads stand on one core: one that was late itself cannot hold it against the other. */
static unsigned lateness(uint64_t begin)
{
	return monotonic_ns() - begin > LATE_NS + LATE_NS / 8 ? 1 : LATE_MOST / LATE_LIMIT;
}

/* 0: it handed over; -ESRCH: it is dead; -ETIME: it does not react to a kick. */
static int user_wait(struct st_cpu *c, struct stub *s)
{
	/* Without a timeout the host would begin the wait again after the handler of our own timer, and we not look. */
	const struct timespec late = {.tv_nsec = LATE_NS}, longest = {.tv_sec = 3600};
	unsigned count = 0;
	uint64_t begin = __builtin_ia32_rdtsc();
	bool looked = cores_look(s);

	while (!__atomic_load_n(&s->area->state, __ATOMIC_ACQUIRE)) {
		uint64_t asleep = 0;
		bool kicked;
		long ret;

		__atomic_store_n(&s->orders->sleeps, 1, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&s->dead, __ATOMIC_SEQ_CST))
			return -ESRCH; /* perhaps before its state was made 0 */
		kicked = __atomic_load_n(&c->host->pending, __ATOMIC_SEQ_CST);
		if (kicked)
			asleep = monotonic_ns();
		ret = st_futex(&s->area->state, FUTEX_WAIT, 0, kicked ? &late : &longest);
		s->orders->sleeps = 0;
		if (kicked && ret == -ETIMEDOUT && (count += lateness(asleep)) >= LATE_MOST)
			return -ETIME;
		if (c->chain == s && !s->area->state) {
			int error = strap_chain_check(c, s);

			if (error)
				return error;
		}
		if (s->dead)
			return -ESRCH;
		if (ret == -ETIMEDOUT)
			syscall(SYS_tgkill, s->pid, s->tid, STUB_KICK);
	}
	cores_after(c, s, looked, __builtin_ia32_rdtsc() - begin);
	return s->dead ? -ESRCH : 0;
}

static int user_run(struct st_cpu *c, struct stub *s, struct hosted_context *context)
{
	int error;

	strap_answers_check(s, context);
	error = strap_context_write(s, context);
	if (!error)
		error = cores_before(c, s);
	if (!error)
		error = user_begin(c, s);
	if (!error)
		error = user_wait(c, s);
	__atomic_store_n(&c->running, NULL, __ATOMIC_SEQ_CST);
	if (error && error == s->failed && error != -ESRCH)
		return error; /* an order failed, so it did not begin: a fresh stub may */
	if (error)
		return stub_died(c, s, context, error == -ETIME ? "does not stop" : "has ended");
	if (strap_frame_decode(s, context))
		return stub_died(c, s, context, "has no frame");
	return 0;
}

/*
 * A stub that came by a call holds the FPU state, and saves it before it sleeps or when it is told to. It may lie
 * about that as about all else: then the state is what its area holds. Without c->lock.
 */
int strap_fpu_settle(struct stub *s)
{
	if (!s->live || s->area->saved)
		return 0;
	s->orders->save = 1;
	for (unsigned i = 0; !__atomic_load_n(&s->area->saved, __ATOMIC_ACQUIRE); i++) {
		if (i == SAVE_LOOKS + SAVE_TURNS || s->dead)
			break;
		if (i < SAVE_LOOKS)
			__builtin_ia32_pause();
		else
			wake_pause(SAVE_TURN_NS);
	}
	s->orders->save = 0;
	if (s->area->saved)
		return 0;
	/* What it would run with is not what it had: it ends, and its process with it. */
	pthread_mutex_lock(&st_cpus[s->cpu].lock);
	strap_kill(s);
	pthread_mutex_unlock(&st_cpus[s->cpu].lock);
	return -ETIME;
}

/* WRFSBASE in the stub faults with such a base, and no user code can have loaded it. */
static bool base_canonical(uint64_t base)
{
	return (uint64_t)((int64_t)(base << 16) >> 16) == base;
}

static int run_ready(struct st_cpu *c, struct stub *s, struct hosted_context *context)
{
	if (!base_canonical(context->fs_base) || !base_canonical(context->gs_base)) {
		context->fs_base = context->gs_base = 0;
		context->regs.trap = TRAP_PROTECTION;
		context->regs.error = 0;
		context->regs.orig_rax = ~0ull;
		return 0;
	}
	strap_answers_give(s, context->answers);
	/* Publish, then look: a kick either sees the stub or is seen here. */
	__atomic_store_n(&c->running, s, __ATOMIC_SEQ_CST);
	__atomic_store_n(&s->orders->kick, 0, __ATOMIC_SEQ_CST);
	wake_arm_timer(c->host);
	if (__atomic_exchange_n(&c->host->pending, 0, __ATOMIC_SEQ_CST) || io_busy(c->vmm)) {
		__atomic_store_n(&c->running, NULL, __ATOMIC_SEQ_CST);
		interrupted(context);
		return 0;
	}
	return user_run(c, s, context);
}

int strap_run(unsigned cpu, uint64_t space, struct hosted_context *context)
{
	struct st_cpu *c = &st_cpus[cpu];
	struct stub *s = strap_stub(c, space);
	int error = 0;

	if (c->vmm->ended)
		wake_park();
	if (!s) {
		pthread_mutex_lock(&c->lock);
		s = strap_make_stub(c, space, &error);
		pthread_mutex_unlock(&c->lock);
	}
	if (!s)
		return error;
	if (s->failed)
		return s->failed;
	return run_ready(c, s, context);
}
