/*
 * What is done to a huge address space neither keeps the others waiting nor shows them its middle: fork(2), munmap(2),
 * mremap(2), mprotect(2), madvise(2), its end by exit and execve(2); nor does the end of what a file in memory holds.
 *
 * A bystander, another process, asks for the time each millisecond; the worst of its waits is looked at, in several
 * tries, as the machine may be busy. Threads beside write, read and look meanwhile.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

#define SIZE ((size_t)512 << 20)
#define PAGE 4096u
#define TRIES 6
#define PATIENCE_NS 50000000ull /* nobody minds so much; else a third of what it all takes */

static struct shared {
	_Atomic int measuring, over;
	_Atomic uint64_t worst, began;
} *shared;

static uint64_t now(void)
{
	struct timespec t;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void stand_by(void)
{
	uint64_t last = now();

	while (!shared->over) {
		const struct timespec ms = {0, 1000000};
		nanosleep(&ms, NULL);
		uint64_t at = now();

		if (shared->measuring && at - last > shared->worst)
			shared->worst = at - last;
		last = at;
	}
	_exit(0);
}

static char *touched(void)
{
	char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(memory != MAP_FAILED);
	for (size_t at = 0; at < SIZE; at += PAGE)
		memory[at] = 1;
	return memory;
}

static void do_fork(char *memory)
{
	pid_t child = fork();

	if (child == 0)
		_exit(memory[SIZE - PAGE] - 1);
	int status;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void do_unmap(char *memory)
{
	CHECK(munmap(memory, SIZE) == 0);
}

static void do_move(char *memory)
{
	char *to = mmap(NULL, SIZE + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(to != MAP_FAILED && mremap(memory, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to + PAGE) == to + PAGE);
	for (size_t at = 0; at < SIZE; at += PAGE)
		CHECK(to[PAGE + at] == 1);
}

static void do_protect(char *memory)
{
	CHECK(mprotect(memory, SIZE, PROT_READ) == 0);
}

static void do_drop(char *memory)
{
	CHECK(madvise(memory, SIZE, MADV_DONTNEED) == 0 && memory[SIZE / 2] == 0);
}

static void do_truncate(char *memory)
{
	int fd = memfd_create("breaths", 0);
	char *shown = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(fd >= 0 && shown != MAP_FAILED && ftruncate(fd, SIZE) == 0 && munmap(memory, SIZE) == 0);
	for (size_t at = 0; at < SIZE; at += PAGE)
		shown[at] = 1;
	shared->worst = 0;
	shared->began = now();
	CHECK(ftruncate(fd, PAGE + 1) == 0 && shown[PAGE] == 1 && ftruncate(fd, SIZE) == 0 && shown[2 * PAGE] == 0);
}

static void do_unmap_shared(char *memory)
{
	char *shown = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(shown != MAP_FAILED && munmap(memory, SIZE) == 0);
	for (size_t at = 0; at < SIZE; at += PAGE)
		shown[at] = 1;
	shared->worst = 0;
	shared->began = now();
	CHECK(munmap(shown, SIZE) == 0);
}

static void do_exec(char *memory)
{
	(void)memory;
	execl("/proc/self/exe", "breaths", "nothing", (char *)NULL);
	_exit(1);
}

static void do_exit(char *memory)
{
	_exit(memory[0] - 1);
}

/* In a process of its own, which has the memory. Whether the bystander waited for it. */
static int made_wait(void (*perform)(char *))
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		char *memory = touched();

		shared->worst = 0;
		shared->began = now();
		shared->measuring = 1;
		perform(memory);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	uint64_t took = now() - shared->began;
	usleep(5000);
	shared->measuring = 0;
	return shared->worst > PATIENCE_NS && shared->worst > took / 3;
}

static void nobody_waits_long(const char *what, void (*perform)(char *))
{
	int tries = 0;

	while (tries < TRIES && made_wait(perform))
		tries++;
	if (tries == TRIES)
		printf("%s: others waited for %lu ms\n", what, (unsigned long)(shared->worst / 1000000));
	CHECK(tries < TRIES);
}

/* ---- what others see meanwhile ---- */

static _Atomic int stop;

static void *count_up(void *arg)
{
	volatile uint64_t *first = arg, *last = (volatile uint64_t *)((char *)arg + SIZE - PAGE);

	for (uint64_t n = 1; !stop; n++) {
		*first = n;
		*last = n;
	}
	return NULL;
}

/* A thread writes to the first page, then to the last: a child that has the second has the first. */
static void a_copy_is_of_one_moment(void)
{
	char *memory = touched();
	pthread_t thread;

	stop = 0;
	CHECK(pthread_create(&thread, NULL, count_up, memory) == 0);
	for (int i = 0; i < 3; i++) {
		usleep(2000);
		pid_t child = fork();

		if (child == 0) {
			volatile uint64_t *first = (uint64_t *)(void *)memory, *last = (uint64_t *)(void *)(memory + SIZE - PAGE);
			_exit(*last > *first);
		}
		int status;
		CHECK(waitpid(child, &status, 0) == child && status == 0);
	}
	stop = 1;
	pthread_join(thread, NULL);
	CHECK(munmap(memory, SIZE) == 0);
}

static __thread sigjmp_buf gone;
static char *watched;
static _Atomic int watching, saw_zero;

static void on_fault(int signal)
{
	(void)signal;
	siglongjmp(gone, 1);
}

static void *watch(void *arg)
{
	(void)arg;
	if (sigsetjmp(gone, 1))
		return NULL;
	watching = 1;
	for (;;)
		if (((volatile char *)watched)[0] == 0 || ((volatile char *)watched)[SIZE / 2] == 0) {
			saw_zero = 1;
			return NULL;
		}
}

/* Memory that goes has its content, or is no longer there: it is never empty. */
static void what_goes_is_never_empty(void (*perform)(char *))
{
	pthread_t thread;

	signal(SIGSEGV, on_fault);
	watched = touched();
	watching = saw_zero = 0;
	CHECK(pthread_create(&thread, NULL, watch, NULL) == 0);
	while (!watching)
		usleep(1000);
	perform(watched);
	pthread_join(thread, NULL);
	CHECK(!saw_zero);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*perform)(char *);
	} calls[] = {{"fork", do_fork}, {"munmap", do_unmap}, {"mremap", do_move}, {"mprotect", do_protect},
		{"madvise", do_drop}, {"ftruncate", do_truncate}, {"munmap of a file", do_unmap_shared},
		{"exec", do_exec}, {"exit", do_exit}};

	if (argc > 1 && argv[1][0])
		return 0;
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	pid_t bystander = fork();
	if (bystander == 0)
		stand_by();
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		nobody_waits_long(calls[i].name, calls[i].perform);
	shared->over = 1;
	CHECK(waitpid(bystander, NULL, 0) == bystander);
	a_copy_is_of_one_moment();
	what_goes_is_never_empty(do_unmap);
	what_goes_is_never_empty(do_move);
	return CHECK_RESULT();
}
