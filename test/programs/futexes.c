/*
 * Futexes: the raw calls with their errors, and what libc builds on them, with a hundred
 * threads and between processes; robust and priority-inheriting locks whose owner dies.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "harness.h"

#define THREADS 100

static long futex(void *word, int op, uint32_t value, const struct timespec *timeout, void *word2, uint32_t value3)
{
	return syscall(SYS_futex, word, op, value, timeout, word2, value3);
}

static _Atomic uint32_t word, word2;

static void simple(void)
{
	struct timespec soon = {0, 10000000}, past = {1, 0}, bad = {0, 1000000000};
	uint32_t unaligned[2];

	word = 1;
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EAGAIN);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 1, &soon, NULL, 0), ETIMEDOUT);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 1, &soon, NULL, 0), ETIMEDOUT);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 1, &bad, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 1, &past, NULL, ~0u), ETIMEDOUT);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 1, &past, NULL, ~0u), ETIMEDOUT);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex((char *)unaligned + 1, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex((void *)8, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0), EFAULT);
	CHECK_ERRNO(futex(&word, 99, 1, NULL, NULL, 0), ENOSYS);
	CHECK(futex(&word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0) == 0);
}

static _Atomic int waiting, woken;
static _Atomic uint32_t bits_used;

static void *wait_bits(void *arg)
{
	waiting++;
	if (futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, (uint32_t)(uintptr_t)arg) == 0) {
		bits_used |= (uint32_t)(uintptr_t)arg;
		woken++;
	}
	return NULL;
}

/* Threads that have announced themselves are asleep a moment later. */
static void wait_for(_Atomic int *what, int count)
{
	for (int i = 0; i < 10000 && *what < count; i++)
		sleep_ms(1);
	CHECK(*what == count);
	sleep_ms(30);
}

static void bitsets_and_requeue(void)
{
	pthread_t threads[8];

	word = word2 = 0;
	waiting = woken = 0;
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, wait_bits, (void *)(uintptr_t)(1u << i));
	wait_for(&waiting, 4);
	CHECK(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 0x10) == 0);
	CHECK(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 2) == 1);
	CHECK(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 0xc) == 1);
	wait_for(&woken, 2);
	CHECK(bits_used & 2);
	CHECK(futex(&word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0) == 2);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);

	waiting = woken = 0;
	for (int i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, wait_bits, (void *)(uintptr_t)~0u);
	wait_for(&waiting, 8);
	CHECK_ERRNO(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)3, &word2, 5), EAGAIN);
	CHECK(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)3, &word2, 0) == 4);
	wait_for(&woken, 1);
	CHECK(futex(&word2, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0) == 3);
	/* word2 = word2 + 5, wake one of word; if word2 was 0, wake all of word2 (nobody there now) */
	word2 = 0;
	CHECK(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)100, &word2,
		FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 0)) == 1);
	CHECK(word2 == 5);
	CHECK(futex(&word, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0) == 3);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	CHECK(woken == 8);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int in_line, total;

static void *contend(void *arg)
{
	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&lock);
		total++;
		pthread_mutex_unlock(&lock);
	}
	pthread_mutex_lock(&lock);
	in_line++;
	while (in_line < THREADS)
		pthread_cond_wait(&cond, &lock);
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void hundred(void)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, contend, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(total == THREADS * 200 && in_line == THREADS);
}

/* A word in shared memory is one futex for both processes, and for both addresses. */
static void shared(void)
{
	_Atomic uint32_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	pid_t pid = fork();
	if (pid == 0) {
		while (page[0] == 0)
			futex(page, FUTEX_WAIT, 0, NULL, NULL, 0);
		page[1] = 1;
		futex(page + 1, FUTEX_WAKE, 1, NULL, NULL, 0);
		_exit(0);
	}
	sleep_ms(20);
	page[0] = 1;
	CHECK(futex(page, FUTEX_WAKE, 1, NULL, NULL, 0) >= 0);
	while (page[1] == 0)
		futex(page + 1, FUTEX_WAIT, 0, NULL, NULL, 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	munmap((void *)page, 4096);
}


static void make_robust(pthread_mutex_t *mutex, int protocol)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setprotocol(&attr, protocol);
	CHECK(pthread_mutex_init(mutex, &attr) == 0);
}

static void *die_holding(void *arg)
{
	pthread_mutex_lock(arg);
	return NULL;
}

static void robust(void)
{
	static const int protocols[] = {PTHREAD_PRIO_NONE, PTHREAD_PRIO_INHERIT};
	int status;

	for (int i = 0; i < 2; i++) {
		pthread_mutex_t *mutex = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		pthread_t thread;

		make_robust(mutex, protocols[i]);
		pthread_create(&thread, NULL, die_holding, mutex);
		pthread_join(thread, NULL);
		CHECK(pthread_mutex_lock(mutex) == EOWNERDEAD);
		CHECK(pthread_mutex_consistent(mutex) == 0);
		CHECK(pthread_mutex_unlock(mutex) == 0);
		/* Held by a process that is killed while we wait. */
		pid_t pid = fork();
		if (pid == 0) {
			pthread_mutex_lock(mutex);
			sleep_ms(50);
			kill(getpid(), SIGKILL);
		}
		sleep_ms(20);
		CHECK(pthread_mutex_lock(mutex) == EOWNERDEAD);
		CHECK(pthread_mutex_consistent(mutex) == 0);
		CHECK(pthread_mutex_unlock(mutex) == 0);
		CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
		munmap(mutex, 4096);
	}
}

static pthread_mutex_t pi;

static void *contend_pi(void *arg)
{
	for (int i = 0; i < 100; i++) {
		pthread_mutex_lock(&pi);
		total++;
		pthread_mutex_unlock(&pi);
	}
	return NULL;
}

static void priority_inheriting(void)
{
	pthread_mutexattr_t attr;
	pthread_t threads[10];
	struct timespec soon;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	CHECK(pthread_mutex_init(&pi, &attr) == 0);
	total = 0;
	for (int i = 0; i < 10; i++)
		pthread_create(&threads[i], NULL, contend_pi, NULL);
	for (int i = 0; i < 10; i++)
		pthread_join(threads[i], NULL);
	CHECK(total == 1000);
	CHECK(pthread_mutex_trylock(&pi) == 0);
	CHECK(pthread_mutex_unlock(&pi) == 0);
	word = 0;
	CHECK(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0 && word == (uint32_t)getpid());
	CHECK_ERRNO(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), EDEADLK);
	CHECK(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0 && word == 0);
	CHECK_ERRNO(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), EPERM);
	word = 0x3ffffff0; /* nobody's */
	clock_gettime(CLOCK_REALTIME, &soon);
	CHECK_ERRNO(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, &soon, NULL, 0), ESRCH);
}

/* ---- a condition variable of such mutexes: its waiters go over to the lock without waking ---- */

#define MOVERS 5
static uint32_t from_word, lock_word;
static int moved_results[MOVERS], order[MOVERS], ended, interrupts;

static void on_signal(int signo)
{
	interrupts += signo == SIGUSR1;
}

static void *move_over(void *arg)
{
	int i = (int)(intptr_t)arg;

	moved_results[i] = (int)futex(&from_word, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &lock_word, 0) ? errno : 0;
	if (moved_results[i] == 0 && (lock_word & FUTEX_TID_MASK) != (uint32_t)syscall(SYS_gettid))
		moved_results[i] = -1; /* it returns with the lock */
	order[i] = ended++;
	if (moved_results[i] == 0)
		futex(&lock_word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	return NULL;
}

static long requeue_pi(int wakes, long moves, uint32_t expect)
{
	return syscall(SYS_futex, &from_word, FUTEX_CMP_REQUEUE_PI_PRIVATE, wakes, moves, &lock_word, expect);
}

/* owned: by whom moves them, who then lets go. */
static void condition(int owned)
{
	pthread_t threads[MOVERS];
	uint32_t self = (uint32_t)syscall(SYS_gettid);

	from_word = lock_word = 0;
	ended = 0;
	for (intptr_t i = 0; i < MOVERS; i++) {
		pthread_create(&threads[i], NULL, move_over, (void *)i);
		sleep_ms(20); /* one after the other */
	}
	if (owned)
		CHECK(futex(&lock_word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0);
	CHECK_ERRNO(requeue_pi(1, 10, 1), EAGAIN);
	CHECK_ERRNO(requeue_pi(0, 10, 0), EINVAL);
	CHECK_ERRNO(requeue_pi(2, 10, 0), EINVAL);
	CHECK_ERRNO(requeue_pi(1, -1, 0), EINVAL);
	/* They are nobody else's to wake or to move. */
	CHECK_ERRNO(futex(&from_word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_futex, &from_word, FUTEX_REQUEUE_PRIVATE, 0, 1, &lock_word, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_futex, &from_word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, 1, &word2, 0), EINVAL);
	pthread_kill(threads[MOVERS - 1], SIGUSR1); /* before the move: it waits on */
	sleep_ms(30);
	CHECK(ended == 0 && requeue_pi(1, 1, 0) == 2);
	sleep_ms(30);
	if (owned) {
		CHECK(ended == 0 && lock_word == (self | FUTEX_WAITERS));
		pthread_kill(threads[1], SIGUSR1); /* after it: that was it */
		sleep_ms(30);
		CHECK(ended == 1 && moved_results[1] == EAGAIN);
	} else {
		CHECK(ended == 2 && moved_results[0] == 0 && moved_results[1] == 0);
	}
	CHECK(requeue_pi(1, 100, 0) == MOVERS - 2);
	CHECK(requeue_pi(1, 100, 0) == 0);
	if (owned)
		CHECK(futex(&lock_word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0);
	for (int i = 0; i < MOVERS; i++)
		pthread_join(threads[i], NULL);
	CHECK(lock_word == 0 && ended == MOVERS);
	for (int i = 2; i < MOVERS; i++)
		CHECK(moved_results[i] == 0 && order[i] == i);
}

static void *wait_plainly(void *arg)
{
	(void)arg;
	futex(&from_word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	return NULL;
}

static void *die_owning(void *arg)
{
	(void)arg;
	futex(&lock_word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	sleep_ms(40);
	requeue_pi(1, 1, 0);
	return NULL;
}

static void requeued_pi(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct timespec soon;
	pthread_t thread, other;

	sigaction(SIGUSR1, &action, NULL);
	condition(0);
	condition(1);
	CHECK(interrupts == 3);
	from_word = lock_word = 0;
	CHECK_ERRNO(futex(&from_word, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 1, NULL, &lock_word, 0), EAGAIN);
	CHECK_ERRNO(futex(&from_word, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &from_word, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_futex, &from_word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, 1, &from_word, 0), EINVAL);
	clock_gettime(CLOCK_MONOTONIC, &soon);
	soon.tv_nsec += 20000000;
	if (soon.tv_nsec >= 1000000000)
		soon = (struct timespec){soon.tv_sec + 1, soon.tv_nsec - 1000000000};
	CHECK_ERRNO(futex(&from_word, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &soon, &lock_word, 0), ETIMEDOUT);
	/* Who waits for something else is not moved. */
	pthread_create(&thread, NULL, wait_plainly, NULL);
	sleep_ms(30);
	CHECK_ERRNO(requeue_pi(1, 1, 0), EINVAL);
	while (futex(&from_word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) != 1)
		sleep_ms(1);
	pthread_join(thread, NULL);
	/* The lock's owner dies after the move. */
	ended = 0;
	pthread_create(&thread, NULL, move_over, (void *)0);
	pthread_create(&other, NULL, die_owning, NULL);
	pthread_join(other, NULL);
	pthread_join(thread, NULL);
	CHECK(ended == 1 && moved_results[0] == 0);
}

struct waitv_entry {
	uint64_t value, address;
	uint32_t flags, reserved;
};

static void *wake_second(void *arg)
{
	sleep_ms(30);
	word2 = 1;
	futex(&word2, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	return NULL;
}

static void several_at_once(void)
{
	struct waitv_entry entries[2] = {
		{0, (uintptr_t)&word, 2 | FUTEX_PRIVATE_FLAG, 0},
		{0, (uintptr_t)&word2, 2 | FUTEX_PRIVATE_FLAG, 0},
	};
	struct timespec past = {1, 0};
	pthread_t thread;

	word = word2 = 0;
	if (syscall(449, entries, 2, 0, &past, CLOCK_MONOTONIC) == -1 && errno == ENOSYS)
		return; /* Linux before 5.16 */
	CHECK_ERRNO(syscall(449, entries, 2, 0, &past, CLOCK_MONOTONIC), ETIMEDOUT);
	CHECK_ERRNO(syscall(449, entries, 0, 0, NULL, 0), EINVAL);
	pthread_create(&thread, NULL, wake_second, NULL);
	long rc = syscall(449, entries, 2, 0, NULL, 0);
	CHECK(rc == 1 || (rc == -1 && word2 == 1));
	pthread_join(thread, NULL);
	CHECK_ERRNO(syscall(449, entries, 2, 0, NULL, 0), EAGAIN);
}

int main(void)
{
	harness_start();
	RUN(simple);
	RUN(bitsets_and_requeue);
	RUN(hundred);
	RUN(shared);
	RUN(robust);
	RUN(priority_inheriting);
	RUN(requeued_pi);
	RUN(several_at_once);
	return CHECK_RESULT();
}
