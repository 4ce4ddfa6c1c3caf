/*
 * Time: clocks, sleeping, interval timers, POSIX timers. Tolerances are wide: what is
 * checked is never too early, and not absurdly late.
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>

#include "harness.h"

#define MS 1000000ll

static volatile sig_atomic_t ticks;
static siginfo_t last_info;

static void tick(int signo, siginfo_t *info, void *context)
{
	ticks++;
	last_info = *info;
}

static void catch(int signo)
{
	struct sigaction action = {.sa_sigaction = tick, .sa_flags = SA_SIGINFO};

	CHECK(sigaction(signo, &action, NULL) == 0);
	ticks = 0;
}

static void clocks(void)
{
	static const clockid_t ids[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE,
		CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
	struct timespec t;

	for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		long long before = now_ns(ids[i]);

		CHECK(clock_gettime(ids[i], &t) == 0 && t.tv_nsec >= 0 && t.tv_nsec < 1000000000);
		CHECK(syscall(SYS_clock_gettime, ids[i], &t) == 0); /* not the vDSO */
		CHECK(now_ns(ids[i]) >= before);
		CHECK(clock_getres(ids[i], &t) == 0 && t.tv_sec == 0 && t.tv_nsec > 0);
	}
	long long real = now_ns(CLOCK_REALTIME);
	struct timeval tv;
	CHECK(gettimeofday(&tv, NULL) == 0);
	CHECK(llabs(tv.tv_sec * 1000000000ll + tv.tv_usec * 1000 - real) < 1000 * MS);
	CHECK(llabs((long long)time(NULL) - real / 1000000000) <= 1);
	CHECK_ERRNO(clock_gettime(99, &t), EINVAL);
	struct tms tms;
	CHECK(times(&tms) != (clock_t)-1);
	long long mono = now_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < 100000; i++) {
		long long next = now_ns(CLOCK_MONOTONIC);

		if (next < mono) {
			CHECK(next >= mono);
			break;
		}
		mono = next;
	}
}

static void cpu_clocks(void)
{
	long long start = now_ns(CLOCK_PROCESS_CPUTIME_ID), wall = now_ns(CLOCK_MONOTONIC);
	volatile unsigned x = 0;

	while (now_ns(CLOCK_PROCESS_CPUTIME_ID) - start < 20 * MS)
		for (int i = 0; i < 10000; i++)
			x++;
	CHECK(now_ns(CLOCK_MONOTONIC) - wall >= 15 * MS);
	start = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	sleep_ms(50);
	CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - start < 40 * MS); /* sleeping costs nothing */
	struct rusage usage;
	CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
	CHECK(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec >= 10000);
	clockid_t mine;
	CHECK(pthread_getcpuclockid(pthread_self(), &mine) == 0 && now_ns(mine) > 0);
	CHECK(clock_getcpuclockid(getpid(), &mine) == 0 && now_ns(mine) > 0);
}

static void sleeping(void)
{
	long long start = now_ns(CLOCK_MONOTONIC), took;
	struct timespec t = {0, 30 * MS}, bad = {0, 1000000000};

	CHECK(nanosleep(&t, NULL) == 0);
	took = now_ns(CLOCK_MONOTONIC) - start;
	CHECK(took >= 30 * MS && took < 2000 * MS);
	CHECK_ERRNO(nanosleep(&bad, NULL), EINVAL);
	bad.tv_sec = -1;
	bad.tv_nsec = 0;
	CHECK_ERRNO(nanosleep(&bad, NULL), EINVAL);
	clock_gettime(CLOCK_REALTIME, &t);
	start = now_ns(CLOCK_REALTIME);
	t.tv_nsec += 20 * MS;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	CHECK(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL) == 0);
	CHECK(now_ns(CLOCK_REALTIME) - start >= 19 * MS);
	t.tv_sec -= 1000; /* the past */
	CHECK(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL) == 0);
	CHECK(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL) == EINVAL);
}

static void interval_real(void)
{
	struct itimerval value = {{0, 5000}, {0, 20000}}, old;

	catch(SIGALRM);
	long long start = now_ns(CLOCK_MONOTONIC);
	CHECK(setitimer(ITIMER_REAL, &value, NULL) == 0);
	CHECK(getitimer(ITIMER_REAL, &old) == 0 && old.it_interval.tv_usec == 5000 && old.it_value.tv_usec > 0);
	while (ticks < 4 && now_ns(CLOCK_MONOTONIC) - start < 5000 * MS)
		sleep_ms(1);
	CHECK(ticks >= 4 && now_ns(CLOCK_MONOTONIC) - start >= 34 * MS);
	CHECK(last_info.si_signo == SIGALRM);
	memset(&value, 0, sizeof(value));
	CHECK(setitimer(ITIMER_REAL, &value, &old) == 0 && old.it_interval.tv_usec == 5000);
	CHECK(getitimer(ITIMER_REAL, &old) == 0 && !old.it_value.tv_sec && !old.it_value.tv_usec);
	CHECK_ERRNO(setitimer(3, &value, NULL), EINVAL);
	CHECK(alarm(100) == 0);
	CHECK(alarm(0) >= 99);
	ticks = 0;
	CHECK(alarm(1) == 0);
	start = now_ns(CLOCK_MONOTONIC);
	pause();
	CHECK(ticks == 1 && now_ns(CLOCK_MONOTONIC) - start >= 900 * MS);
}

static void interval_cpu(void)
{
	struct itimerval value = {{0, 0}, {0, 20000}};
	volatile unsigned x = 0;

	catch(SIGPROF);
	catch(SIGVTALRM);
	long long cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID), start = now_ns(CLOCK_MONOTONIC);
	CHECK(setitimer(ITIMER_PROF, &value, NULL) == 0);
	while (!ticks && now_ns(CLOCK_MONOTONIC) - start < 5000 * MS)
		x++;
	CHECK(ticks == 1 && last_info.si_signo == SIGPROF);
	CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu >= 15 * MS);
	ticks = 0;
	CHECK(setitimer(ITIMER_VIRTUAL, &value, NULL) == 0);
	start = now_ns(CLOCK_MONOTONIC);
	while (!ticks && now_ns(CLOCK_MONOTONIC) - start < 5000 * MS)
		x++;
	CHECK(ticks == 1 && last_info.si_signo == SIGVTALRM);
}

static void posix_timers(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 4711};
	struct itimerspec value = {{0, 0}, {0, 20 * MS}}, old;
	timer_t timer;

	catch(SIGRTMIN);
	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	CHECK(timer_gettime(timer, &old) == 0 && !old.it_value.tv_sec && !old.it_value.tv_nsec);
	CHECK(timer_settime(timer, 0, &value, NULL) == 0);
	CHECK(timer_gettime(timer, &old) == 0 && old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 20 * MS);
	long long start = now_ns(CLOCK_MONOTONIC);
	while (!ticks && now_ns(CLOCK_MONOTONIC) - start < 5000 * MS)
		sleep_ms(1);
	CHECK(ticks == 1 && last_info.si_code == SI_TIMER && last_info.si_value.sival_int == 4711);
	/* While its signal is blocked an interval timer counts overruns. */
	sigset_t set, before;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, &before);
	value.it_interval.tv_nsec = 5 * MS;
	value.it_value.tv_nsec = 5 * MS;
	CHECK(timer_settime(timer, 0, &value, NULL) == 0);
	sleep_ms(60);
	siginfo_t info;
	CHECK(sigwaitinfo(&set, &info) == SIGRTMIN && info.si_code == SI_TIMER);
	CHECK(info.si_overrun >= 5 && info.si_overrun < 1000);
	CHECK(timer_getoverrun(timer) == info.si_overrun);
	CHECK(timer_delete(timer) == 0);
	sigprocmask(SIG_SETMASK, &before, NULL);
	CHECK_ERRNO(syscall(SYS_timer_gettime, 12345, &old), EINVAL);
	event.sigev_signo = 99;
	CHECK_ERRNO(timer_create(CLOCK_MONOTONIC, &event, &timer), EINVAL);
	/* Without a notification it can only be read. */
	event.sigev_notify = SIGEV_NONE;
	CHECK(timer_create(CLOCK_REALTIME, &event, &timer) == 0);
	value = (struct itimerspec){{0, 0}, {10, 0}};
	CHECK(timer_settime(timer, 0, &value, NULL) == 0);
	CHECK(timer_gettime(timer, &old) == 0 && old.it_value.tv_sec == 9);
	CHECK(timer_delete(timer) == 0);
	/* Each timer takes a place in the signal queue. */
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit none = {0, 0};

		setrlimit(RLIMIT_SIGPENDING, &none);
		_exit(timer_create(CLOCK_MONOTONIC, NULL, &timer) == -1 && errno == EAGAIN ? 0 : 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static volatile int notified;

static void notify(union sigval value)
{
	notified = value.sival_int;
}

/* glibc's thread notification rests on SIGEV_THREAD_ID. */
static void thread_timer(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = notify, .sigev_value.sival_int = 9};
	struct itimerspec value = {{0, 0}, {0, 5 * MS}};
	timer_t timer;

	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	CHECK(timer_settime(timer, 0, &value, NULL) == 0);
	for (int i = 0; i < 2000 && !notified; i++)
		sleep_ms(1);
	CHECK(notified == 9);
	CHECK(timer_delete(timer) == 0);
}

static void cpu_timer(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	struct itimerspec value = {{0, 0}, {0, 20 * MS}};
	volatile unsigned x = 0;
	timer_t timer;

	catch(SIGUSR1);
	CHECK(timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) == 0);
	CHECK(timer_settime(timer, 0, &value, NULL) == 0);
	sleep_ms(60);
	CHECK(ticks == 0);
	long long start = now_ns(CLOCK_MONOTONIC);
	while (!ticks && now_ns(CLOCK_MONOTONIC) - start < 5000 * MS)
		x++;
	CHECK(ticks == 1);
	CHECK(timer_delete(timer) == 0);
}

/* Too much CPU time: SIGXCPU at the soft limit, death at the hard one. */
static void cpu_limit(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct rlimit limit = {1, 2};
		volatile unsigned x = 0;

		catch(SIGXCPU);
		setrlimit(RLIMIT_CPU, &limit);
		while (!ticks || now_ns(CLOCK_PROCESS_CPUTIME_ID) < 10000 * MS)
			x++;
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	pid = fork();
	if (pid == 0) {
		struct rlimit limit = {1, RLIM_INFINITY};
		struct rlimit no_core = {0, 0};

		setrlimit(RLIMIT_CORE, &no_core);
		setrlimit(RLIMIT_CPU, &limit);
		for (volatile unsigned x = 0;; x++)
			;
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU);
}

int main(void)
{
	harness_start();
	RUN(clocks);
	RUN(cpu_clocks);
	RUN(sleeping);
	RUN(interval_real);
	RUN(interval_cpu);
	RUN(posix_timers);
	RUN(thread_timer);
	RUN(cpu_timer);
	RUN(cpu_limit);
	return CHECK_RESULT();
}
