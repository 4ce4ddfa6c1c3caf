/*
 * What one process does to another's descriptors, memory and bonds (pidfd_getfd, process_madvise, kcmp), vmsplice, and the
 * calls that only a machine's owner may make.
 */
#include <fcntl.h>
#include <linux/kcmp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "harness.h"

static long kcmp(pid_t a, pid_t b, int type, unsigned long x, unsigned long y)
{
	return syscall(SYS_kcmp, a, b, type, x, y);
}

static long vmsplice_to(int fd, void *at, size_t n, unsigned flags)
{
	struct iovec part = {.iov_base = at, .iov_len = n};

	return syscall(SYS_vmsplice, fd, &part, 1ul, flags);
}

/* A child that waits to be killed. */
static pid_t idle_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void end_child(pid_t pid)
{
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
}

static void as_nobody(void (*part)(pid_t), pid_t target)
{
	int status = 0, before = harness_failures;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgid(65534) || setuid(65534))
			_exit(1);
		part(target);
		fflush(stdout);
		_exit(harness_failures != before);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void kcmp_denied(pid_t target)
{
	CHECK_ERRNO(kcmp(getpid(), target, KCMP_VM, 0, 0), EPERM);
	CHECK_ERRNO(syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, target, 0), 0, 0), EPERM);
}

static void compares(void)
{
	int one = open("/dev/null", O_RDONLY), same = dup(one), other = open("/dev/null", O_RDONLY);
	long order, reverse;
	pid_t self = getpid(), child = idle_child();

	CHECK(kcmp(self, self, KCMP_FILE, (unsigned)one, (unsigned)same) == 0);
	CHECK(kcmp(self, child, KCMP_FILE, (unsigned)one, (unsigned)one) == 0);
	order = kcmp(self, self, KCMP_FILE, (unsigned)one, (unsigned)other);
	reverse = kcmp(self, self, KCMP_FILE, (unsigned)other, (unsigned)one);
	CHECK((order == 1 && reverse == 2) || (order == 2 && reverse == 1));
	CHECK_ERRNO(kcmp(self, self, KCMP_FILE, (unsigned)one, 999), EBADF);
	CHECK(kcmp(self, self, KCMP_VM, 0, 0) == 0 && kcmp(self, child, KCMP_VM, 0, 0) > 0);
	CHECK(kcmp(self, child, KCMP_FILES, 0, 0) > 0 && kcmp(self, child, KCMP_FS, 0, 0) > 0 && kcmp(self, child, KCMP_SIGHAND, 0, 0) > 0);
	CHECK(kcmp(self, child, KCMP_SYSVSEM, 0, 0) == 0); /* neither has any */
	CHECK_ERRNO(kcmp(self, 0x3fffffff, KCMP_VM, 0, 0), ESRCH);
	CHECK_ERRNO(kcmp(self, self, 99, 0, 0), EINVAL);
	as_nobody(kcmp_denied, child);
	end_child(child);
	close(one), close(same), close(other);
}

static void descriptors(void)
{
	int fds[2], pidfd, taken;
	pid_t child;
	char c = 0;

	CHECK(pipe(fds) == 0);
	child = idle_child();
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	CHECK(pidfd >= 0);
	taken = (int)syscall(SYS_pidfd_getfd, pidfd, fds[0], 0);
	CHECK(taken >= 0 && taken != fds[0] && fcntl(taken, F_GETFD) == FD_CLOEXEC);
	CHECK(kcmp(getpid(), getpid(), KCMP_FILE, (unsigned)taken, (unsigned)fds[0]) == 0);
	CHECK(write(fds[1], "x", 1) == 1 && read(taken, &c, 1) == 1 && c == 'x');
	CHECK_ERRNO(syscall(SYS_pidfd_getfd, pidfd, fds[0], 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_pidfd_getfd, pidfd, 999, 0), EBADF);
	CHECK_ERRNO(syscall(SYS_pidfd_getfd, fds[0], 0, 0), EBADF);
	CHECK_ERRNO(syscall(SYS_pidfd_getfd, 999, 0, 0), EBADF);
	end_child(child);
	CHECK_ERRNO(syscall(SYS_pidfd_getfd, pidfd, fds[0], 0), ESRCH);
	close(pidfd), close(taken), close(fds[0]), close(fds[1]);
}

static void advice(void)
{
	size_t size = 1 << 16;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec parts[2] = {{memory, 4096}, {memory + 8192, 8192}}, wrong = {memory + 1, 4096};
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);

	CHECK(memory != MAP_FAILED && self >= 0);
	memset(memory, 7, size);
	CHECK(syscall(SYS_process_madvise, self, parts, 2ul, MADV_COLD, 0) == 12288);
	CHECK(syscall(SYS_process_madvise, self, parts, 2ul, MADV_WILLNEED, 0) == 12288);
	CHECK(memory[0] == 7 && memory[8192] == 7);
	CHECK_ERRNO(syscall(SYS_process_madvise, self, parts, 2ul, MADV_COLD, 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_process_madvise, self, &wrong, 1ul, MADV_COLD, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_process_madvise, self, (void *)8, 1ul, MADV_COLD, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_process_madvise, self, parts, 2ul, 4321, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_process_madvise, 999, parts, 2ul, MADV_COLD, 0), EBADF);
	close(self);
	munmap(memory, size);
}

static void *drain_later(void *fd)
{
	char buffer[4096];

	sleep_ms(30);
	CHECK(read((int)(intptr_t)fd, buffer, sizeof(buffer)) == sizeof(buffer));
	return NULL;
}

static void splices(void)
{
	static char big[1 << 20] __attribute__((aligned(4096)));
	struct iovec parts[3] = {{"abc", 3}, {"", 0}, {"defg", 4}};
	char back[16] = "";
	pthread_t thread;
	int fds[2], null = open("/dev/null", O_RDWR);

	CHECK(pipe(fds) == 0);
	CHECK(syscall(SYS_vmsplice, fds[1], parts, 3ul, 0) == 7);
	CHECK(vmsplice_to(fds[0], back, 5, 0) == 5 && memcmp(back, "abcde", 5) == 0);
	CHECK(vmsplice_to(fds[0], back, 16, 0) == 2 && memcmp(back, "fg", 2) == 0);
	CHECK_ERRNO(vmsplice_to(fds[0], back, 1, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK(vmsplice_to(fds[0], back, 0, 0) == 0);
	CHECK(vmsplice_to(fds[1], big, sizeof(big), 0) == 65536); /* what fits, and no wait for the rest */
	CHECK_ERRNO(vmsplice_to(fds[1], big, 1, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK(pthread_create(&thread, NULL, drain_later, (void *)(intptr_t)fds[0]) == 0);
	CHECK(vmsplice_to(fds[1], big, 4096, 0) == 4096);
	pthread_join(thread, NULL);
	CHECK_ERRNO(vmsplice_to(fds[1], big, 1, 0x100), EINVAL);
	CHECK_ERRNO(vmsplice_to(null, big, 1, 0), EBADF);
	CHECK_ERRNO(vmsplice_to(999, big, 1, 0), EBADF);
	CHECK_ERRNO(syscall(SYS_vmsplice, fds[1], parts, 2000ul, 0), EINVAL);
	close(fds[1]);
	while (read(fds[0], big, sizeof(big)) > 0)
		;
	CHECK(vmsplice_to(fds[0], back, 1, 0) == 0); /* nobody writes any more */
	close(fds[0]), close(null);
}

static void owners_calls(pid_t unused)
{
	CHECK_ERRNO(syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL), EPERM);
	CHECK_ERRNO(syscall(SYS_acct, "/x"), EPERM);
	CHECK_ERRNO(syscall(SYS_swapon, "/x", 0), EPERM);
	CHECK_ERRNO(syscall(SYS_swapoff, "/x"), EPERM);
	CHECK_ERRNO(syscall(SYS_vhangup), EPERM);
}

/* In which order arguments are looked at. */
static void orders(void)
{
	struct iovec part = {.iov_base = &part, .iov_len = 1};
	int null = open("/dev/null", O_RDWR);
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(process_vm_readv(999999, NULL, 0, NULL, 0, 0) == 0 && process_vm_writev(999999, NULL, 0, &part, 1, 0) == 0);
	CHECK_ERRNO(process_vm_readv(999999, &part, 1, &part, 1, 0), ESRCH);
	CHECK(mlock(page, (size_t)-8192) == -1);
	printf("mlock of a range that wraps: %s\n", strerror(errno)); /* who may not lock memory is over the limit first */
	CHECK_ERRNO(mlock(page, 1ul << 47), ENOMEM);
	CHECK(munlock(page, (size_t)-1) == 0 && munlock(page, 0) == 0);
	CHECK_ERRNO(sync_file_range(-1, -1, 0, 0), EBADF);
	CHECK_ERRNO(sync_file_range(null, -1, 0, 0), EINVAL);
	CHECK_ERRNO(sync_file_range(null, 0, 0, 0), ESPIPE);
	close(null);
	munmap(page, 4096);
}

int main(void)
{
	harness_start();
	RUN(compares);
	RUN(descriptors);
	RUN(advice);
	RUN(splices);
	RUN(orders);
	as_nobody(owners_calls, 0);
	return CHECK_RESULT();
}
