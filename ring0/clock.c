/*
 * Clocks by the TSC. See clock.h.
 *
 * A *base* is what the host's clocks said at one TSC value; between bases time is
 * extrapolated. When a base is older than a second the next reader asks the host for a
 * new one. Monotonic time never goes back: if the extrapolation ran ahead of the host,
 * the new base starts where we are and runs slower (at most 1/2000) until the host has
 * caught up. CLOCK_REALTIME follows the host at once, steps included.
 *
 * Readers take the clock lock for a few instructions; user programs read clock_page.
 */
#include "ring0/lib.h"
#include "ring0/machine.h"
#include "ring0/memory.h"
#include "ring0/lock.h"
#include "ring0/clock.h"
#include "ring0/start.h"

#define NS_PER_S 1000000000ull
#define SLEW_MAX_NS 500000ull /* taken back in the second that a base lasts */

struct clock_base *clock_page;

static struct spinlock clock_lock = SPINLOCK(LOCK_LOG);
static struct clock_base base; /* seq unused; under clock_lock */
static uint32_t rate_mult, rate_shift; /* of the TSC; the base's may run slower for a while */
static uint64_t tsc_hz;        /* 0: no usable TSC, every reading asks the host */

static inline uint64_t rdtsc_ordered(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

static inline uint64_t clock_scale(uint64_t delta)
{
	return (uint64_t)((unsigned __int128)delta * base.mult >> base.shift);
}

static inline uint64_t clock_elapsed(uint64_t tsc)
{
	return tsc > base.tsc ? clock_scale(tsc - base.tsc) : 0;
}

/* mult/2^shift = ns per tick, mult as large as 32 bits allow. */
static void clock_rate(uint64_t hz)
{
	uint32_t shift = 32;
	uint64_t mult = (NS_PER_S << 32) / hz;

	while (mult > UINT32_MAX) {
		mult >>= 1;
		shift--;
	}
	base.mult = rate_mult = (uint32_t)mult;
	base.shift = rate_shift = shift;
}

uint64_t clock_ticks_ns(uint64_t ticks)
{
	return tsc_hz ? (uint64_t)((unsigned __int128)ticks * rate_mult >> rate_shift) : 0;
}

static void clock_publish(void)
{
	struct clock_base *page = clock_page;

	if (!page)
		return;
	__atomic_store_n(&page->seq, page->seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	page->mult = base.mult;
	page->shift = base.shift;
	page->tsc = base.tsc;
	page->monotonic_ns = base.monotonic_ns;
	page->realtime_ns = base.realtime_ns;
	page->boottime_ns = base.boottime_ns;
	page->valid_tsc = base.valid_tsc;
	__atomic_store_n(&page->seq, page->seq + 1, __ATOMIC_RELEASE);
}

/* REQUIRES(clock_lock). Takes the host's clocks as the new base. */
static void clock_rebase(const struct abi_clock *now, uint64_t tsc)
{
	uint64_t ours = base.monotonic_ns + (tsc_hz ? clock_elapsed(tsc) : 0);
	uint64_t host = (uint64_t)now->monotonic_ns;
	uint64_t ahead = ours > host ? ours - host : 0;

	if (now->tsc_hz) {
		tsc_hz = now->tsc_hz;
		clock_rate(tsc_hz);
		base.mult -= (uint32_t)((uint64_t)base.mult * MIN(ahead, SLEW_MAX_NS) / NS_PER_S);
	}
	base.tsc = tsc;
	base.monotonic_ns = host + ahead;
	base.boottime_ns = MAX((uint64_t)now->boottime_ns + ahead, base.boottime_ns);
	base.realtime_ns = now->realtime_ns;
	base.valid_tsc = tsc_hz ? tsc + tsc_hz : 0;
	clock_publish();
}

/* REQUIRES(clock_lock). The host's TSC value is used if it fits between our readings (the guest's may be offset). */
static void clock_refresh(void)
{
	struct abi_clock *shared = &start_page->clock, now;
	uint64_t before = rdtsc_ordered(), after, tsc;

	if (machine->host_call(ABI_CALL_clock, va_to_pa(shared), 0, 0, 0) < 0)
		return;
	after = rdtsc_ordered();
	now = *shared;
	tsc = now.tsc >= before && now.tsc <= after ? now.tsc : before + (after - before) / 2;
	clock_rebase(&now, tsc);
}

void clock_page_set(struct clock_base *page)
{
	spin_lock(&clock_lock);
	clock_page = page;
	clock_publish();
	spin_unlock(&clock_lock);
}

static uint64_t clock_now(struct clock_base *now)
{
	uint64_t tsc, elapsed;

	spin_lock(&clock_lock);
	tsc = rdtsc_ordered();
	if (__builtin_expect(tsc > base.valid_tsc, 0)) {
		clock_refresh();
		tsc = rdtsc_ordered();
	}
	elapsed = tsc_hz ? clock_elapsed(tsc) : 0;
	*now = base;
	spin_unlock(&clock_lock);
	return elapsed;
}

void clock_init(const struct abi_boot *boot)
{
	spin_lock(&clock_lock);
	clock_rebase(&boot->clock, boot->clock.tsc);
	clock_refresh();
	spin_unlock(&clock_lock);
}

uint64_t clock_monotonic(void)
{
	struct clock_base now;
	uint64_t elapsed = clock_now(&now);

	return now.monotonic_ns + elapsed;
}

int64_t clock_realtime(void)
{
	struct clock_base now;
	uint64_t elapsed = clock_now(&now);

	return now.realtime_ns + (int64_t)elapsed;
}

uint64_t clock_boottime(void)
{
	struct clock_base now;
	uint64_t elapsed = clock_now(&now);

	return now.boottime_ns + elapsed;
}

/* high:low / by; the quotient must fit. (No 128-bit division without a run-time library.) */
static inline uint64_t divide_128(uint64_t high, uint64_t low, uint64_t by)
{
	uint64_t quotient = low;

	__asm__("divq %2" : "+a"(quotient), "+d"(high) : "r"(by) : "cc");
	return quotient;
}

uint64_t clock_tsc_at(uint64_t monotonic)
{
	struct clock_base now;
	uint64_t ahead;

	clock_now(&now);
	ahead = monotonic > now.monotonic_ns ? monotonic - now.monotonic_ns : 1;
	if (ahead > 3600 * NS_PER_S)
		ahead = 3600 * NS_PER_S; /* whoever wants more arms again then */
	return now.tsc + divide_128(ahead >> (64 - now.shift), ahead << now.shift, now.mult) + 1;
}
