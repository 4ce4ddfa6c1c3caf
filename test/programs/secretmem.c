/*
 * memfd_secret(2): sized once, mapped shared, read by nobody but through the program's own loads and stores.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <signal.h>
#include <sys/uio.h>

#include "harness.h"

#define LENGTH 8192

static char *test_file(int fd)
{
	char c = 0;
	struct stat st;
	char *p;

	CHECK(fstat(fd, &st) == 0 && st.st_mode == (S_IFREG | 0600) && st.st_size == 0);
	CHECK_ERRNO(read(fd, &c, 1), EINVAL);
	CHECK_ERRNO(write(fd, &c, 1), EINVAL);
	CHECK_ERRNO(lseek(fd, 0, SEEK_SET), ESPIPE);
	CHECK_ERRNO(fcntl(fd, F_GET_SEALS), EINVAL);
	CHECK_ERRNO(fallocate(fd, 0, 0, LENGTH), EOPNOTSUPP);
	CHECK(ftruncate(fd, LENGTH) == 0);
	CHECK_ERRNO(ftruncate(fd, LENGTH), EINVAL);
	CHECK_ERRNO(ftruncate(fd, 0), EINVAL);
	CHECK_ERRNO(mmap(NULL, LENGTH, PROT_READ, MAP_PRIVATE, fd, 0), EINVAL);
	p = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	strcpy(p, "a secret");
	strcpy(p + LENGTH - 16, "another");
	CHECK_ERRNO(mprotect(p, 4096, PROT_READ | PROT_EXEC), EACCES);
	char path[32];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_ERRNO(open(path, O_RDWR), ENXIO);
	return p;
}

static void test_readers(char *p)
{
	char got[16] = "";
	struct iovec local = {got, sizeof(got)}, remote = {p, sizeof(got)};
	int mem = open("/proc/self/mem", O_RDWR), ends[2], status;

	CHECK_ERRNO(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), EFAULT);
	CHECK_ERRNO(process_vm_writev(getpid(), &local, 1, &remote, 1, 0), EFAULT);
	CHECK_ERRNO(pread(mem, got, 8, (off_t)(size_t)p), EIO);
	CHECK_ERRNO(pwrite(mem, got, 8, (off_t)(size_t)p), EIO);
	CHECK(strcmp(got, "") == 0 && strcmp(p, "a secret") == 0);
	/* The program's own system calls are its own accesses. */
	CHECK(pipe(ends) == 0 && write(ends[1], p, 9) == 9 && read(ends[0], got, 9) == 9 && strcmp(got, "a secret") == 0);
	close(mem);

	pid_t child = fork();
	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		_exit(strcmp(p, "a secret") == 0 && raise(SIGSTOP) == 0 ? 0 : 1);
	}
	CHECK(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
	CHECK_ERRNO(ptrace(PTRACE_PEEKDATA, child, p, NULL), EIO);
	CHECK_ERRNO(ptrace(PTRACE_POKEDATA, child, p, 1l), EIO);
	CHECK(ptrace(PTRACE_CONT, child, NULL, NULL) == 0);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

int main(void)
{
	int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
	char *p;

	if (fd < 0 && errno == ENOSYS)
		return SKIP;
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK_ERRNO(syscall(SYS_memfd_secret, 1), EINVAL);
	p = test_file(fd);
	test_readers(p);
	close(fd);
	CHECK(strcmp(p + LENGTH - 16, "another") == 0);
	return CHECK_RESULT();
}
