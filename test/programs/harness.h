/*
 * A frame for small test programs: CHECK() says what failed and where; main() returns
 * CHECK_RESULT() (0 or 1), or SKIP (77) where Linux itself does not offer what is tested.
 */
#ifndef PROGRAMS_HARNESS_H
#define PROGRAMS_HARNESS_H

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

/*
 * First in main(): the test goes on in a grandchild, in a session of its own whose leader waits for it. So it is never
 * a container's first process (signals without a handler would not reach it), and its process group is not orphaned
 * whoever started it. Its exit status becomes ours.
 */
static inline void harness_start(void)
{
	for (int generation = 0; generation < 2; generation++) {
		int status = 0;
		pid_t pid = fork();

		if (pid > 0) {
			while (waitpid(pid, &status, 0) != pid)
				;
			_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
		}
		if (pid < 0 || (generation == 0 ? setsid() < 0 : setpgid(0, 0) < 0))
			_exit(1);
	}
}

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

/* The wait status of a part that runs in a child, for what cannot be taken back; a core dump is the host's business. */
static inline int harness_in_child(void (*part)(void))
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		harness_failures = 0;
		part();
		fflush(stdout);
		_exit(CHECK_RESULT());
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return status & ~0x80;
}

#define ISOLATED(part)                                            \
	do {                                                      \
		int isolated_status = harness_in_child(part);     \
		if (isolated_status) {                            \
			printf("in %s: status %#x\n", #part, isolated_status); \
			harness_failures++;                       \
		}                                                 \
	} while (0)

#endif
