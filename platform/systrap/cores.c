/*
 * On which core a stub's running thread stands, and whether the two sides look for each
 * other's word before they sleep.
 *
 * Together (the start): both on one core. Nobody looks, since the other cannot run
 * meanwhile; a hand-over is a futex wake, a sleep and a switch. Apart: the running thread
 * on the core of a CPU of ours that idles, and both sides look for a while. That pays
 * when system calls follow each other closely, and only while the core is free: so a stub
 * goes apart after a row of short stretches, and together again when they cost no less so,
 * and the next trial is later each time. A sleeping thread is cheap to
 * move; waking one on an idle core is not, and happens once a change.
 */
#include "platform/systrap/internal.h"

#define MASK_CORES 64
#define LOOKS_SENTRY 3000u /* times PAUSE: some 30 us */
#define LOOKS_STUB 1500u
#define APART_AFTER 64u
#define APART_NEVER (1u << 20)
#define LATE_LIMIT 4u
#define TRIAL 128u /* stretches apart between two looks at what they cost */
#define QUICK_TICKS 150000u /* TSC; some 50 us, a switch there and back included */

/* A core whose CPU has nothing to do, or -1. */
static int free_core(const struct st_cpu *c)
{
	for (unsigned i = 1; i < c->vmm->cpus; i++) {
		const struct host_cpu *h = &host_cpus[(c->cpu + i) % c->vmm->cpus];

		if (h->core >= 0 && h->core < MASK_CORES && h->core != c->host->core && h->sleeping == 1)
			return h->core;
	}
	return -1;
}

static void go_together(struct st_cpu *c, struct stub *s, bool no_gain)
{
	strap_move(c, s, c->host->core); /* failed: it does not run again */
	s->apart = false;
	s->late = 0;
	c->quick = 0;
	if (no_gain && c->apart_after < APART_NEVER)
		c->apart_after *= 2;
}

int cores_before(struct st_cpu *c, struct stub *s)
{
	int core;

	if (c->on && c->on != s)
		c->on->orders->spin = 0; /* it may look on the core that this one needs */
	c->on = s;
	if (!c->apart_after)
		c->apart_after = APART_AFTER;
	if (s->apart && s->area->sleeps) {
		go_together(c, s, false); /* the sentry was busy elsewhere */
		c->quick = c->apart_after - c->apart_after / 8;
	} else if (!s->apart && c->quick >= c->apart_after && (unsigned)c->host->core < MASK_CORES && (core = free_core(c)) >= 0) {
		strap_move(c, s, core);
		s->apart = true;
		s->late = 0;
		c->apart_ticks = c->apart_count = 0;
		c->apart_gain = false;
	}
	s->orders->spin = s->apart ? LOOKS_STUB : 0;
	return s->failed;
}

bool cores_look(struct stub *s)
{
	if (!s->apart)
		return false;
	for (unsigned i = 0; i < LOOKS_SENTRY; i++) {
		if (__atomic_load_n(&s->area->state, __ATOMIC_ACQUIRE))
			return true;
		__builtin_ia32_pause();
	}
	return false;
}

void cores_after(struct st_cpu *c, struct stub *s, bool looked, uint64_t ticks)
{
	c->quick = ticks < QUICK_TICKS ? c->quick + 1 : 0;
	if (!s->apart) {
		if (c->quick)
			c->together += ((int64_t)(ticks - c->together)) / 16;
		return;
	}
	s->late = looked ? 0 : s->late + 1;
	c->apart_ticks += ticks;
	if (++c->apart_count < TRIAL && s->late < LATE_LIMIT)
		return;
	/* Others want the core too: what was won at most hand-overs may be lost at a few. */
	if (s->late >= LATE_LIMIT || c->apart_ticks / c->apart_count > c->together / 4 * 3)
		go_together(c, s, true);
	else
		c->apart_after -= (c->apart_after - APART_AFTER + 15) / 16;
	c->apart_gain = s->apart;
	c->apart_ticks = c->apart_count = 0;
}
