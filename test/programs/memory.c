/*
 * Memory as mmap(2), mprotect(2), mremap(2), madvise(2), mincore(2), msync(2), shmop(2) and
 * process_vm_readv(2) describe it: rights and the signals that they raise, copy-on-write,
 * files shared and private, truncation, limits, the stack, the clocks of the vDSO.
 * also dynamic
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#define PAGE 4096ul
#define RW (PROT_READ | PROT_WRITE)

static sigjmp_buf jump;
static volatile int got_signal, got_code;
static void *volatile got_address;

static void on_fault(int signo, siginfo_t *info, void *context)
{
	got_signal = signo;
	got_code = info->si_code;
	got_address = info->si_addr;
	siglongjmp(jump, 1);
}

/* The signal that touching p raises, 0 for none. */
static int touch(volatile char *p, int write)
{
	got_signal = got_code = 0;
	if (sigsetjmp(jump, 1) == 0) {
		if (write)
			*p = *p + 1;
		else
			(void)*p;
	}
	return got_signal;
}

static char *map(size_t pages)
{
	char *p = mmap(NULL, pages * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

static int temporary(void)
{
	char name[] = "/tmp/memoryXXXXXX";
	int fd = mkstemp(name);

	if (fd < 0) {
		perror("mkstemp");
		exit(1);
	}
	unlink(name);
	return fd;
}

static void rights(void)
{
	char *p = map(64);

	p[5] = 7;
	CHECK(p[5] == 7 && p[PAGE] == 0 && p[63 * PAGE] == 0);
	CHECK(mprotect(p, 16 * PAGE, PROT_READ) == 0);
	CHECK(touch(p + 5, 0) == 0);
	CHECK(touch(p + 5, 1) == SIGSEGV && got_code == SEGV_ACCERR && got_address == p + 5);
	CHECK(touch(p + 17 * PAGE, 1) == 0);
	CHECK(mprotect(p, 16 * PAGE, PROT_NONE) == 0);
	CHECK(touch(p, 0) == SIGSEGV && got_code == SEGV_ACCERR);
	CHECK(mprotect(p, 64 * PAGE, RW) == 0);
	CHECK(touch(p, 1) == 0 && p[5] == 7);
	CHECK(munmap(p + PAGE, PAGE) == 0);
	CHECK(touch(p + PAGE, 0) == SIGSEGV && got_code == SEGV_MAPERR);
	CHECK_ERRNO(mprotect(p, 2 * PAGE, PROT_READ), ENOMEM);
	CHECK_ERRNO(mprotect(p + 1, PAGE, PROT_READ), EINVAL);
	CHECK(touch((char *)8, 0) == SIGSEGV && got_code == SEGV_MAPERR && got_address == (void *)8);
	CHECK(touch((char *)0xffff800000000000ul, 0) == SIGSEGV);
	CHECK(munmap(p, 64 * PAGE) == 0);
}

static void arguments(void)
{
	CHECK_ERRNO((long)mmap(NULL, 0, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERRNO((long)mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERRNO((long)mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0), EBADF);
	CHECK_ERRNO((long)mmap((void *)123, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
	CHECK_ERRNO((long)mmap(NULL, 1ul << 47, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	CHECK_ERRNO((long)mmap(NULL, -1ul, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	CHECK_ERRNO(munmap((void *)1, PAGE), EINVAL);
	CHECK_ERRNO(munmap(NULL, 0), EINVAL);
	char *p = map(4);

	CHECK_ERRNO((long)mmap(p + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
	CHECK(munmap(p + PAGE, PAGE) == 0);
	CHECK(mmap(p + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == p + PAGE);
	CHECK(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != p);
	char *low = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	CHECK(low != MAP_FAILED && (unsigned long)low < 1ul << 31);
	CHECK((unsigned long)map(1) > 1ul << 32);
	munmap(low, PAGE);
	int pipes[2];

	CHECK(pipe(pipes) == 0);
	CHECK_ERRNO((long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, pipes[0], 0), ENODEV);
	close(pipes[0]);
	close(pipes[1]);
}

static void copy_on_write(void)
{
	char *private = map(32), *shared = mmap(NULL, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	for (int i = 0; i < 32; i++)
		private[i * PAGE] = (char)i;
	shared[0] = 1;
	pid_t child = fork();

	if (child == 0) {
		int ok = 1;

		for (int i = 0; i < 32; i++) {
			ok &= private[i * PAGE] == i;
			private[i * PAGE] = (char)(100 - i);
		}
		shared[0]++;
		shared[PAGE] = 5;
		_exit(ok ? 42 : 1);
	}
	private[3 * PAGE] = 77;
	CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 42);
	for (int i = 0; i < 32; i++)
		CHECK(private[i * PAGE] == (i == 3 ? 77 : i));
	CHECK(shared[0] == 2 && shared[PAGE] == 5);
	munmap(private, 32 * PAGE);
	munmap(shared, 4 * PAGE);
}

static void files(void)
{
	int fd = temporary();
	char buf[16] = "";

	CHECK(ftruncate(fd, 3 * PAGE + 10) == 0);
	char *shared = mmap(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0);
	char *private = mmap(NULL, 8 * PAGE, RW, MAP_PRIVATE, fd, 0);

	strcpy(shared + PAGE, "through");
	CHECK(pread(fd, buf, 8, PAGE) == 8 && strcmp(buf, "through") == 0);
	CHECK(strcmp(private + PAGE, "through") == 0);
	private[PAGE] = 'T';
	CHECK(shared[PAGE] == 't');
	CHECK(pwrite(fd, "written", 8, 2 * PAGE) == 8);
	CHECK(strcmp(shared + 2 * PAGE, "written") == 0 && strcmp(private + 2 * PAGE, "written") == 0);
	CHECK(msync(shared, 4 * PAGE, MS_SYNC) == 0);
	CHECK(touch(shared + 4 * PAGE, 0) == SIGBUS && got_code == BUS_ADRERR);
	CHECK(touch(shared + 3 * PAGE + 100, 1) == 0);
	CHECK(ftruncate(fd, PAGE + 4) == 0);
	CHECK(touch(shared + 2 * PAGE, 0) == SIGBUS);
	CHECK(touch(private + 2 * PAGE, 0) == SIGBUS);
	CHECK(shared[PAGE + 3] == 'o' && shared[PAGE + 4] == 0);
	CHECK(ftruncate(fd, 3 * PAGE) == 0);
	CHECK(shared[2 * PAGE] == 0 && shared[PAGE + 5] == 0);
	/* A write(2) from memory that cannot be read, and a read(2) into memory that cannot be written. */
	CHECK_ERRNO(pwrite(fd, shared + 4 * PAGE, 10, 0), EFAULT);
	CHECK(mprotect(private, PAGE, PROT_READ) == 0);
	CHECK_ERRNO(pread(fd, private, 10, 0), EFAULT);
	munmap(shared, 8 * PAGE);
	munmap(private, 8 * PAGE);
	close(fd);
	fd = open("/proc/self/exe", O_RDONLY);
	if (fd >= 0) {
		CHECK_ERRNO((long)mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), EACCES);
		char *text = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);

		CHECK(text != MAP_FAILED && memcmp(text, "\177ELF", 4) == 0);
		text[0] = 0;
		CHECK(mprotect(text, PAGE, PROT_READ | PROT_EXEC) == 0);
		munmap(text, PAGE);
		char *read_only = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

		CHECK_ERRNO(mprotect(read_only, PAGE, RW), EACCES);
		munmap(read_only, PAGE);
		close(fd);
	}
}

static void remap(void)
{
	char *p = map(10);

	for (int i = 0; i < 10; i++)
		p[i * PAGE] = (char)('a' + i);
	char *fence = mmap(p + 10 * PAGE, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	(void)fence;
	CHECK_ERRNO((long)mremap(p, 10 * PAGE, 20 * PAGE, 0), ENOMEM);
	char *q = mremap(p, 10 * PAGE, 1000 * PAGE, MREMAP_MAYMOVE);

	CHECK(q != MAP_FAILED && q != p);
	for (int i = 0; i < 10; i++)
		CHECK(q[i * PAGE] == 'a' + i);
	CHECK(q[999 * PAGE] == 0);
	CHECK(touch(p, 0) == SIGSEGV);
	CHECK(mremap(q, 1000 * PAGE, 5 * PAGE, 0) == q);
	CHECK(touch(q + 5 * PAGE, 0) == SIGSEGV);
	char *target = map(5);

	CHECK(mremap(q, 5 * PAGE, 5 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
	CHECK(target[4 * PAGE] == 'e');
	CHECK_ERRNO((long)mremap(target, 5 * PAGE, 5 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + PAGE), EINVAL);
	CHECK_ERRNO((long)mremap(q, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
	munmap(target, 5 * PAGE);
}

static void advice(void)
{
	char *p = map(32);
	unsigned char core[32];

	memset(p, 1, 32 * PAGE);
	CHECK(mincore(p, 32 * PAGE, core) == 0 && core[0] & 1 && core[31] & 1);
	CHECK(madvise(p, 16 * PAGE, MADV_DONTNEED) == 0);
	CHECK(mincore(p, 32 * PAGE, core) == 0 && !(core[0] & 1) && core[16] & 1);
	CHECK(p[0] == 0 && p[16 * PAGE] == 1);
	CHECK(madvise(p + 16 * PAGE, PAGE, MADV_WIPEONFORK) == 0);
	CHECK(madvise(p + 17 * PAGE, PAGE, MADV_DONTFORK) == 0);
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(p[16 * PAGE] == 0 && touch(p + 17 * PAGE, 0) == SIGSEGV && p[18 * PAGE] == 1 ? 0 : 1);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(p[16 * PAGE] == 1 && p[17 * PAGE] == 1);
	CHECK_ERRNO(madvise(p, PAGE, 9999), EINVAL);
	CHECK_ERRNO(madvise(p + 1, PAGE, MADV_NORMAL), EINVAL);
	CHECK(madvise(p, PAGE, 22 /* MADV_POPULATE_READ */) == 0);
	CHECK(mprotect(p, PAGE, PROT_WRITE) == 0); /* populated for reading is only what may be read */
	CHECK_ERRNO(madvise(p, PAGE, 22), EINVAL);
	CHECK(madvise(p, PAGE, 23 /* MADV_POPULATE_WRITE */) == 0);
	CHECK(mprotect(p, PAGE, PROT_READ | PROT_WRITE) == 0);
	munmap(p + 4 * PAGE, PAGE);
	CHECK_ERRNO(madvise(p, 8 * PAGE, MADV_DONTNEED), ENOMEM);
	CHECK_ERRNO(mincore(p, 8 * PAGE, core), ENOMEM);
	CHECK_ERRNO(msync(p, 8 * PAGE, MS_SYNC), ENOMEM);
	CHECK_ERRNO(msync(p, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	CHECK(mlock(p, PAGE) == 0 && munlock(p, PAGE) == 0);
	munmap(p, 32 * PAGE);
}

static void heap(void)
{
	char *start = sbrk(0);

	CHECK(sbrk(100 * PAGE) == start);
	memset(start, 3, 100 * PAGE);
	CHECK(sbrk(-50 * (long)PAGE) == start + 100 * PAGE);
	CHECK(touch(start + 60 * PAGE, 0) == SIGSEGV);
	CHECK(start[49 * PAGE] == 3);
	CHECK(sbrk(50 * PAGE) == start + 50 * PAGE && start[60 * PAGE] == 0);
	CHECK(brk(start) == 0);
	CHECK_ERRNO(brk((void *)~0ul), ENOMEM);
}

static __attribute__((noinline)) int deep(int n)
{
	volatile char frame[3000];

	frame[0] = (char)n;
	return n == 0 ? 0 : deep(n - 1) + (frame[0] == (char)n);
}

static void stack(void)
{
	int status;

	CHECK(deep(1000) == 1000); /* about 3 MB */
	pid_t child = fork();

	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		deep(100000); /* more than the limit */
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void limits(void)
{
	struct rlimit old, small;

	CHECK(getrlimit(RLIMIT_AS, &old) == 0);
	small = old;
	small.rlim_cur = 1ul << 30;
	CHECK(setrlimit(RLIMIT_AS, &small) == 0);
	CHECK_ERRNO((long)mmap(NULL, 2ul << 30, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), ENOMEM);
	CHECK(setrlimit(RLIMIT_AS, &old) == 0);
	void *p = mmap(NULL, 2ul << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED && munmap(p, 2ul << 30) == 0);
}

static void system_v(void)
{
	int id = shmget(IPC_PRIVATE, 3 * PAGE, IPC_CREAT | 0600), status;
	struct shmid_ds ds;

	CHECK(id >= 0);
	char *p = shmat(id, NULL, 0), *q = shmat(id, NULL, SHM_RDONLY);

	CHECK(p != (void *)-1 && q != (void *)-1);
	strcpy(p, "segment");
	CHECK(strcmp(q, "segment") == 0);
	CHECK(touch(q, 1) == SIGSEGV);
	CHECK(shmctl(id, IPC_STAT, &ds) == 0 && ds.shm_nattch == 2 && ds.shm_segsz == 3 * PAGE);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	pid_t child = fork();

	if (child == 0) {
		strcpy(p, "child");
		_exit(shmdt(p));
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(strcmp(q, "child") == 0);
	CHECK(shmdt(p) == 0 && shmdt(q) == 0);
	CHECK_ERRNO(shmdt(p), EINVAL);
	CHECK_ERRNO(shmctl(id, IPC_STAT, &ds), EINVAL);
}

static void other_process(void)
{
	static char here[3 * PAGE], there[3 * PAGE];
	struct iovec local = {here, sizeof(here)}, remote = {there, sizeof(there)};
	int gate[2], status;

	memset(there, 'p', sizeof(there));
	CHECK(pipe(gate) == 0);
	pid_t child = fork();

	if (child == 0) {
		char c;

		memset(there, 'c', sizeof(there));
		CHECK(write(gate[1], "x", 1) == 1);
		while (__atomic_load_n(&there[PAGE], __ATOMIC_ACQUIRE) == 'c')
			sleep_ms(5);
		c = there[PAGE];
		_exit(c);
	}
	CHECK(read(gate[0], here, 1) == 1);
	CHECK(process_vm_readv(child, &local, 1, &remote, 1, 0) == (ssize_t)sizeof(here));
	CHECK(here[0] == 'c' && here[sizeof(here) - 1] == 'c' && there[0] == 'p');
	memset(here, 'w', sizeof(here));
	CHECK(process_vm_writev(child, &local, 1, &remote, 1, 0) == (ssize_t)sizeof(here));
	CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 'w');
	CHECK_ERRNO(process_vm_readv(child, &local, 1, &remote, 1, 0), ESRCH);
	CHECK_ERRNO(process_vm_readv(getpid(), &local, 1, &remote, 1, 1), EINVAL);
}

static void memory_file(void)
{
	int fd = memfd_create("x", MFD_CLOEXEC);

	CHECK(fd >= 0 && ftruncate(fd, 1 << 20) == 0);
	char *a = mmap(NULL, 1 << 20, RW, MAP_SHARED, fd, 0), *b = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 16 * PAGE);

	b[7] = 'z';
	CHECK(a[16 * PAGE + 7] == 'z');
	CHECK(madvise(a, 1 << 20, MADV_REMOVE) == 0);
	CHECK(b[7] == 0);
	munmap(a, 1 << 20);
	munmap(b, PAGE);
	close(fd);
}

static void *thread_maps(void *arg)
{
	for (int i = 0; i < 300; i++) {
		char *p = map(20);

		for (int k = 0; k < 20; k++)
			p[k * PAGE] = (char)k;
		if (mprotect(p + PAGE, PAGE, PROT_READ) != 0 || p[19 * PAGE] != 19)
			return arg;
		munmap(p, 20 * PAGE);
	}
	return NULL;
}

static void threads(void)
{
	pthread_t thread[4];

	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&thread[i], NULL, thread_maps, thread) == 0);
	for (int i = 0; i < 4; i++) {
		void *result;

		CHECK(pthread_join(thread[i], &result) == 0 && result == NULL);
	}
}

static void clocks(void)
{
	static const clockid_t ids[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_MONOTONIC_RAW,
		CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE};

	for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		long long last = 0;

		for (int k = 0; k < 2000; k++) {
			struct timespec a, b;

			CHECK(clock_gettime(ids[i], &a) == 0 && syscall(SYS_clock_gettime, ids[i], &b) == 0);
			long long na = a.tv_sec * 1000000000ll + a.tv_nsec, nb = b.tv_sec * 1000000000ll + b.tv_nsec;

			if (ids[i] == CLOCK_REALTIME_COARSE || ids[i] == CLOCK_MONOTONIC_COARSE)
				continue;
			if (na < last || nb < na) {
				printf("clock %d went back: %lld %lld %lld\n", ids[i], last, na, nb);
				harness_failures++;
				break;
			}
			last = nb;
		}
	}
	struct timeval tv;

	CHECK(gettimeofday(&tv, NULL) == 0 && labs(tv.tv_sec - time(NULL)) <= 1);
}

static void big(void)
{
	size_t size = 64ul << 20;
	char *p = mmap(NULL, size, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long sum = 0;

	CHECK(p != MAP_FAILED);
	for (size_t i = 0; i < size; i += PAGE)
		sum += (unsigned char)p[i];
	CHECK(sum == 0);
	for (size_t i = 0; i < size; i += PAGE)
		p[i] = (char)(i / PAGE);
	for (size_t i = 0; i < size; i += PAGE)
		if (p[i] != (char)(i / PAGE)) {
			CHECK(p[i] == (char)(i / PAGE));
			break;
		}
	CHECK(munmap(p, size) == 0);
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	RUN(rights);
	RUN(arguments);
	RUN(copy_on_write);
	RUN(files);
	RUN(remap);
	RUN(advice);
	RUN(heap);
	RUN(stack);
	RUN(limits);
	RUN(system_v);
	RUN(other_process);
	RUN(memory_file);
	RUN(threads);
	RUN(clocks);
	RUN(big);
	return CHECK_RESULT();
}
