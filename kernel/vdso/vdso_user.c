/*
 * The vDSO: code of the sentry that runs in the container's programs (vdso(7)).
 *
 * It reads the clock page (struct clock_base, ring0/clock.h), which vdso.c maps one page
 * below this image, read-only. A TSC value past valid_tsc, a clock that is not in the
 * page, or a machine without a usable TSC: the system call. No data of its own, no
 * relocations, no stack protector: it is a shared object without a loader.
 */
#include <asm/unistd.h>
#include <linux/time.h>
#include <stdint.h>

#include "ring0/clock.h"

#define EXPORT __attribute__((visibility("default")))
#define NS_PER_S 1000000000ull
#define CLOCK_PAGE_BYTES 4096

/* The clock page lies just below the image, whose first byte the linker calls __ehdr_start. */
static inline const volatile struct clock_base *clock_data(void)
{
	uint64_t image;

	/* By instruction: the compiler takes a symbol for an object that has nothing below it. */
	__asm__("leaq __ehdr_start(%%rip), %0" : "=r"(image));
	return (const volatile struct clock_base *)(image - CLOCK_PAGE_BYTES);
}

static inline long vdso_syscall(long number, long a, long b, long c)
{
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return ret;
}

static inline uint64_t vdso_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

/* Nanoseconds of a clock into *ns; 0: the page cannot tell. */
static inline int vdso_read(int clock, uint64_t *ns)
{
	const volatile struct clock_base *page = clock_data();
	uint64_t tsc, base, delta;
	uint32_t seq;

	do {
		do {
			seq = __atomic_load_n(&page->seq, __ATOMIC_ACQUIRE);
		} while (seq & 1);
		tsc = vdso_tsc();
		if (tsc > page->valid_tsc)
			return 0;
		switch (clock) {
		case CLOCK_REALTIME:
		case CLOCK_REALTIME_COARSE:
			base = (uint64_t)page->realtime_ns;
			break;
		case CLOCK_MONOTONIC:
		case CLOCK_MONOTONIC_COARSE:
		case CLOCK_MONOTONIC_RAW:
			base = page->monotonic_ns;
			break;
		case CLOCK_BOOTTIME:
			base = page->boottime_ns;
			break;
		default:
			return 0;
		}
		delta = tsc > page->tsc ? tsc - page->tsc : 0;
		*ns = base + (uint64_t)((unsigned __int128)delta * page->mult >> page->shift);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (page->seq != seq);
	return 1;
}

EXPORT int __vdso_clock_gettime(int clock, struct timespec *to);
EXPORT int __vdso_clock_gettime(int clock, struct timespec *to)
{
	uint64_t ns;

	if (!vdso_read(clock, &ns))
		return (int)vdso_syscall(__NR_clock_gettime, clock, (long)to, 0);
	to->tv_sec = (long)(ns / NS_PER_S);
	to->tv_nsec = (long)(ns % NS_PER_S);
	return 0;
}

EXPORT int __vdso_gettimeofday(struct timeval *to, struct timezone *zone);
EXPORT int __vdso_gettimeofday(struct timeval *to, struct timezone *zone)
{
	uint64_t ns;

	if (!vdso_read(CLOCK_REALTIME, &ns))
		return (int)vdso_syscall(__NR_gettimeofday, (long)to, (long)zone, 0);
	if (to) {
		to->tv_sec = (long)(ns / NS_PER_S);
		to->tv_usec = (long)(ns % NS_PER_S / 1000);
	}
	if (zone)
		*(uint64_t *)zone = 0; /* UTC, no daylight saving */
	return 0;
}

EXPORT long __vdso_time(long *to);
EXPORT long __vdso_time(long *to)
{
	uint64_t ns;

	if (!vdso_read(CLOCK_REALTIME, &ns))
		return vdso_syscall(__NR_time, (long)to, 0, 0);
	if (to)
		*to = (long)(ns / NS_PER_S);
	return (long)(ns / NS_PER_S);
}

EXPORT int __vdso_clock_getres(int clock, struct timespec *to);
EXPORT int __vdso_clock_getres(int clock, struct timespec *to)
{
	return (int)vdso_syscall(__NR_clock_getres, clock, (long)to, 0);
}

EXPORT long __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused);
EXPORT long __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused)
{
	return vdso_syscall(__NR_getcpu, (long)cpu, (long)node, 0);
}

int clock_gettime(int clock, struct timespec *to) __attribute__((alias("__vdso_clock_gettime"), visibility("default")));
int gettimeofday(struct timeval *to, struct timezone *zone)
	__attribute__((alias("__vdso_gettimeofday"), visibility("default")));
long time(long *to) __attribute__((alias("__vdso_time"), visibility("default")));
int clock_getres(int clock, struct timespec *to) __attribute__((alias("__vdso_clock_getres"), visibility("default")));
long getcpu(unsigned *cpu, unsigned *node, void *unused) __attribute__((alias("__vdso_getcpu"), visibility("default")));
