/*
 * A frame for small test programs: CHECK() says what failed and where; main() returns
 * CHECK_RESULT() (0 or 1), or SKIP (77) where Linux itself does not offer what is tested.
 */
#ifndef PROGRAMS_HARNESS_H
#define PROGRAMS_HARNESS_H

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SKIP 77

static int harness_failures __attribute__((unused));

#define CHECK(c)                                                                                    \
	do {                                                                                        \
		errno = 0;                                                                          \
		if (!(c)) {                                                                         \
			printf("FAILED %s:%d: %s (errno %d)\n", __FILE__, __LINE__, #c, errno);     \
			harness_failures++;                                                         \
		}                                                                                   \
	} while (0)
/* A call that must fail with the given errno. */
#define CHECK_ERRNO(call, e)                                                                            \
	do {                                                                                            \
		errno = 0;                                                                              \
		long check_rc = (long)(call);                                                           \
		if (check_rc != -1 || errno != (e)) {                                                   \
			printf("FAILED %s:%d: %s gave %ld errno %d, not %s\n", __FILE__, __LINE__, #call, \
				check_rc, errno, #e);                                                   \
			harness_failures++;                                                             \
		}                                                                                       \
	} while (0)
#define CHECK_RESULT() (harness_failures != 0)

/* Each part of a program, named when it fails. */
#define RUN(part)                                                        \
	do {                                                             \
		int before_part = harness_failures;                      \
		part();                                                  \
		if (harness_failures != before_part)                     \
			printf("in %s\n", #part);                        \
		fflush(stdout);                                          \
	} while (0)

static inline long long now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static inline void sleep_ms(int ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000l};

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

#endif
