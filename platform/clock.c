/*
 * The host's clocks for the sentry: one sample of TSC, monotonic, boot and real time,
 * and the TSC's rate.
 *
 * clock_sample() is called when the sentry is let loose and by the `clock` host call, on any thread. The
 * first rate comes from what the kernel itself computed (the perf user page,
 * perf_event_open(2), time_mult and time_shift), else from a short measurement; once the
 * sandbox has run for a while, from the longest stretch seen, which follows a slewed clock.
 */
#include <linux/perf_event.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "platform/internal.h"

#define CALIBRATE_NS 1500000
#define REFINE_NS 100000000   /* a stretch this long is a better measurement than the first one */
#define WINDOW_NS 20000000000 /* start a new stretch after this long, to follow slewing */

static pthread_mutex_t clock_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t clock_hz;
static struct abi_clock clock_first; /* start of the stretch */
static struct abi_clock clock_start; /* of this process, by clock_begin() */

static int64_t clock_ns(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

/* TSC and CLOCK_MONOTONIC of the same moment: the closest of a few tries, midway between two reads. */
static void read_pair(struct abi_clock *clock)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 5; i++) {
		uint64_t before = __rdtsc();
		int64_t ns = clock_ns(CLOCK_MONOTONIC);
		uint64_t after = __rdtsc();
		if (after - before >= best)
			continue;
		best = after - before;
		clock->tsc = before + best / 2;
		clock->monotonic_ns = ns;
	}
}

static uint64_t rate_from_kernel(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = PERF_COUNT_SW_DUMMY};
	uint64_t hz = 0;

	attr.exclude_kernel = 1;
	int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return 0;
	struct perf_event_mmap_page *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	if (page != MAP_FAILED) {
		if (page->cap_user_time && page->time_mult)
			hz = (uint64_t)(((unsigned __int128)1000000000u << page->time_shift) / page->time_mult);
		munmap(page, 4096);
	}
	close(fd);
	return hz;
}

static uint64_t rate_between(const struct abi_clock *a, const struct abi_clock *b)
{
	int64_t ns = b->monotonic_ns - a->monotonic_ns;
	return ns <= 0 ? 0 : (uint64_t)((unsigned __int128)(b->tsc - a->tsc) * 1000000000u / (uint64_t)ns);
}

/* From clock_begin() to now, which mostly is long enough without waiting. */
static uint64_t rate_measure(void)
{
	struct abi_clock now;

	do {
		read_pair(&now);
	} while (now.monotonic_ns - clock_start.monotonic_ns < CALIBRATE_NS);
	return rate_between(&clock_start, &now);
}

void clock_begin(void)
{
	read_pair(&clock_start);
	clock_hz = rate_from_kernel();
	clock_first = clock_start;
}

void clock_sample(struct abi_clock *clock)
{
	pthread_mutex_lock(&clock_lock);
	if (clock_hz == 0)
		clock_hz = rate_measure();
	read_pair(clock);
	int64_t stretch = clock->monotonic_ns - clock_first.monotonic_ns;
	if (stretch > REFINE_NS)
		clock_hz = rate_between(&clock_first, clock);
	if (stretch > WINDOW_NS)
		clock_first = *clock;
	/* The other clocks tick with CLOCK_MONOTONIC: their distance to it is what has to be right. */
	int64_t behind = clock_ns(CLOCK_MONOTONIC);
	int64_t real = clock_ns(CLOCK_REALTIME), boot = clock_ns(CLOCK_BOOTTIME);
	behind = (behind + clock_ns(CLOCK_MONOTONIC)) / 2 - clock->monotonic_ns;
	clock->realtime_ns = real - behind;
	clock->boottime_ns = boot - behind;
	clock->tsc_hz = clock_hz;
	pthread_mutex_unlock(&clock_lock);
}
