/*
 * Address spaces stay true on all CPUs: what fork, munmap and mprotect took away is gone
 * for every thread at once. A stale translation (a TLB entry, a hosted mirror) would show
 * old memory, or let one process write another's.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "harness.h"

#define PAGES 32
#define PAGE 4096

static volatile int stop;
static volatile char *area;
static size_t stride; /* from one page in use to the next */

static void *writer(void *arg)
{
	for (uint32_t n = 1; !stop; n++)
		for (int i = 0; i < PAGES; i++)
			*(volatile uint32_t *)(area + i * stride + (uintptr_t)arg) = n;
	return NULL;
}

static uint32_t sum(void)
{
	uint32_t total = 0;

	for (int i = 0; i < PAGES; i++)
		for (int at = 0; at < 8; at += 4)
			total += *(volatile uint32_t *)(area + i * stride + at);
	return total;
}

/* While other threads write, a forked child's memory stands still: in one piece, and in many far apart. */
static void snapshots(size_t distance)
{
	pthread_t threads[2];

	stride = distance;
	area = mmap(NULL, PAGES * stride, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(area != MAP_FAILED);
	stop = 0;
	for (uintptr_t i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, writer, (void *)(i * 4));
	for (int round = 0; round < 30; round++) {
		pid_t pid = fork();

		if (pid == 0) {
			uint32_t before = sum();
			struct timespec t = {0, 500000};

			nanosleep(&t, NULL);
			if (sum() != before)
				_exit(1);
			area[0] = 1; /* and this is its own */
			_exit(0);
		}
		int status = -1;
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
	stop = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	munmap((void *)area, PAGES * stride);
}

static volatile uint32_t published;
static volatile uint32_t *shown;
static __thread sigjmp_buf back;
static volatile unsigned stale, seen, faults;

static void on_fault(int signal)
{
	siglongjmp(back, 1);
}

static void *reader(void *arg)
{
	while (!stop) {
		uint32_t before = __atomic_load_n(&published, __ATOMIC_ACQUIRE);

		if (sigsetjmp(back, 1)) {
			faults++;
			continue;
		}
		if (*shown < before)
			stale++;
		seen++;
	}
	return NULL;
}

/* A page that was replaced or unmapped shows no thread its old bytes. */
static void replaced_pages(void)
{
	pthread_t threads[2];

	signal(SIGSEGV, on_fault);
	shown = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stop = 0;
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, reader, NULL);
	while (!seen)
		sched_yield();
	for (uint32_t n = 1; n < 200; n++) {
		void *fresh = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		*(volatile uint32_t *)fresh = n;
		if (n % 3 == 0)
			munmap((void *)shown, PAGE);
		if (n % 5 == 0)
			mprotect(fresh, PAGE, PROT_READ);
		CHECK(mremap(fresh, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)shown) == (void *)shown);
		__atomic_store_n(&published, n, __ATOMIC_RELEASE);
	}
	stop = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	CHECK(stale == 0);
	munmap((void *)shown, PAGE);
	signal(SIGSEGV, SIG_DFL);
}

static volatile uint32_t refused, written;

static void *toucher(void *arg)
{
	while (!stop) {
		if (sigsetjmp(back, 1)) {
			refused++;
			continue;
		}
		*shown = ++written;
	}
	return NULL;
}

/* Once mprotect has returned, no thread writes any more. */
static void rights_taken(void)
{
	pthread_t thread;

	signal(SIGSEGV, on_fault);
	shown = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stop = 0;
	pthread_create(&thread, NULL, toucher, NULL);
	for (int n = 0; n < 150; n++) {
		CHECK(mprotect((void *)shown, PAGE, PROT_READ) == 0);
		uint32_t before = *shown;

		for (volatile int spin = 0; spin < 20000; spin++)
			;
		CHECK(*shown == before);
		CHECK(mprotect((void *)shown, PAGE, PROT_READ | PROT_WRITE) == 0);
	}
	stop = 1;
	pthread_join(thread, NULL);
	munmap((void *)shown, PAGE);
	signal(SIGSEGV, SIG_DFL);
}

static void *file_reader(void *arg)
{
	int fd = *(int *)arg;

	for (int i = 0; i < 8000; i++) {
		char *text = mmap(NULL, 5, PROT_READ, MAP_PRIVATE, fd, 0);

		if (text == MAP_FAILED || *(volatile char *)text != 'h')
			return arg;
		munmap(text, 5);
	}
	return NULL;
}

/* The same instruction faults on the same address over and over, in threads that change CPUs: each time it is a read. */
static void mapped_again(void)
{
	FILE *file = tmpfile();
	int fd = file ? fileno(file) : -1;
	pthread_t threads[3];
	void *failed;

	CHECK(fd >= 0 && write(fd, "hello", 5) == 5);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, file_reader, &fd);
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], &failed);
		CHECK(!failed);
	}
	if (file)
		fclose(file);
}

int main(void)
{
	snapshots(PAGE);
	snapshots(3ul << 20);
	replaced_pages();
	rights_taken();
	mapped_again();
	return CHECK_RESULT();
}
