/*
 * Every system call that takes an address gets addresses that are not the program's: the
 * kernel's half, the edge between the halves, what a sandbox keeps at the top of the lower half.
 * None may read or write there: whether it was refused is the same as on Linux, call by call. Last the CPU itself is
 * asked to read, write and run there, and to use it as a stack.
 */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "harness.h"

#define BAD 0x0bad0bad0badll /* in the table: the address under test */
#define IOV 0x0bad0bad0bael  /* a vector that points to it */
#define MSG 0x0bad0bad0bafl  /* a message whose vector points to it */
#define FILE_FD 100
#define PIPE_IN 101  /* the end that reads */
#define PIPE_OUT 102 /* the end that writes */
#define SOCK 103
#define PEER 104
#define EPOLL 105
#define DIRECTORY 106
#define ZERO 107
#define NAME ((long)"/tmp/pointers-file")
#define ROOM ((long)room)
#define LENGTH ((long)&length)

static socklen_t length = 64;
static char room[8192] __attribute__((aligned(4096)));

static const uint64_t addresses[] = {
	0xffff888000000000, 0xffff888100000000, 0xffffffff80000000, 0xffffffff80200000, 0xffffffff81000000, 0xffff800000000000,
	0x0000800000000000, 0x8000000000000000, 0xfffffffffffff000, 0xffffffffff600000, 0x00007ffffffff000, 0x00007fffffffeff8,
};

static const struct {
	const char *name;
	long number, a[6];
} calls[] = {
	{"read", SYS_read, {ZERO, BAD, 64}},
	{"read a pipe", SYS_read, {PIPE_IN, BAD, 8}},
	{"read a file", SYS_read, {FILE_FD, BAD, 8}},
	{"write a file", SYS_write, {FILE_FD, BAD, 64}},
	{"write a pipe", SYS_write, {PIPE_OUT, BAD, 64}},
	{"pread64", SYS_pread64, {FILE_FD, BAD, 8, 0}},
	{"pwrite64", SYS_pwrite64, {FILE_FD, BAD, 8, 0}},
	{"readv", SYS_readv, {ZERO, BAD, 2}},
	{"readv into it", SYS_readv, {ZERO, IOV, 1}},
	{"writev", SYS_writev, {FILE_FD, BAD, 2}},
	{"writev from it", SYS_writev, {FILE_FD, IOV, 1}},
	{"preadv", SYS_preadv, {FILE_FD, IOV, 1, 0}},
	{"pwritev", SYS_pwritev, {FILE_FD, IOV, 1, 0}},
	{"open", SYS_open, {BAD, O_RDONLY}},
	{"openat", SYS_openat, {AT_FDCWD, BAD, O_RDONLY}},
	{"openat2", SYS_openat2, {AT_FDCWD, NAME, BAD, 24}},
	{"stat", SYS_stat, {BAD, ROOM}},
	{"stat into it", SYS_stat, {NAME, BAD}},
	{"lstat into it", SYS_lstat, {NAME, BAD}},
	{"fstat", SYS_fstat, {FILE_FD, BAD}},
	{"newfstatat", SYS_newfstatat, {AT_FDCWD, NAME, BAD, 0}},
	{"statx", SYS_statx, {AT_FDCWD, NAME, 0, 0x7ff, BAD}},
	{"statfs", SYS_statfs, {NAME, BAD}},
	{"fstatfs", SYS_fstatfs, {FILE_FD, BAD}},
	{"access", SYS_access, {BAD, 0}},
	{"getdents64", SYS_getdents64, {DIRECTORY, BAD, 4096}},
	{"readlink", SYS_readlink, {(long)"/proc/self/exe", BAD, 64}},
	{"getcwd", SYS_getcwd, {BAD, 4096}},
	{"chdir", SYS_chdir, {BAD}},
	{"mkdir", SYS_mkdir, {BAD, 0700}},
	{"rename", SYS_rename, {NAME, BAD}},
	{"link", SYS_link, {BAD, NAME}},
	{"symlink", SYS_symlink, {BAD, NAME}},
	{"unlink", SYS_unlink, {BAD}},
	{"chmod", SYS_chmod, {BAD, 0700}},
	{"truncate", SYS_truncate, {BAD, 0}},
	{"utimensat", SYS_utimensat, {AT_FDCWD, NAME, BAD, 0}},
	{"getxattr", SYS_getxattr, {NAME, BAD, ROOM, 64}},
	{"execve", SYS_execve, {BAD, 0, 0}},
	{"execve arguments", SYS_execve, {(long)"/bin/true", BAD, 0}},
	{"execve environment", SYS_execve, {(long)"/bin/true", 0, BAD}},
	{"poll", SYS_poll, {BAD, 1, 0}},
	{"ppoll timeout", SYS_ppoll, {ROOM, 0, BAD, 0}},
	{"select", SYS_select, {64, BAD, 0, 0, ROOM}},
	{"select timeout", SYS_select, {0, 0, 0, 0, BAD}},
	{"epoll_ctl", SYS_epoll_ctl, {EPOLL, EPOLL_CTL_ADD, PIPE_IN, BAD}},
	{"epoll_wait", SYS_epoll_wait, {EPOLL, BAD, 4, 0}},
	{"pipe", SYS_pipe, {BAD}},
	{"pipe2", SYS_pipe2, {BAD, 0}},
	{"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, BAD}},
	{"sendto", SYS_sendto, {SOCK, BAD, 16, 0, 0, 0}},
	{"recvfrom", SYS_recvfrom, {SOCK, BAD, 4, MSG_DONTWAIT, 0, 0}},
	{"sendmsg", SYS_sendmsg, {SOCK, BAD, 0}},
	{"sendmsg from it", SYS_sendmsg, {SOCK, MSG, 0}},
	{"recvmsg", SYS_recvmsg, {SOCK, BAD, MSG_DONTWAIT}},
	{"recvmsg into it", SYS_recvmsg, {SOCK, MSG, MSG_DONTWAIT}},
	{"bind", SYS_bind, {SOCK, BAD, 16}},
	{"connect", SYS_connect, {SOCK, BAD, 16}},
	{"getsockname", SYS_getsockname, {SOCK, BAD, LENGTH}},
	{"getsockname length", SYS_getsockname, {SOCK, ROOM, BAD}},
	{"getsockopt", SYS_getsockopt, {SOCK, SOL_SOCKET, SO_TYPE, BAD, LENGTH}},
	{"setsockopt", SYS_setsockopt, {SOCK, SOL_SOCKET, SO_REUSEADDR, BAD, 4}},
	{"ioctl FIONREAD", SYS_ioctl, {PIPE_IN, 0x541b, BAD}},
	{"fcntl F_GETLK", SYS_fcntl, {FILE_FD, F_GETLK, BAD}},
	{"fcntl F_SETLK", SYS_fcntl, {FILE_FD, F_SETLK, BAD}},
	{"sendfile offset", SYS_sendfile, {PIPE_OUT, FILE_FD, BAD, 8}},
	{"uname", SYS_uname, {BAD}},
	{"sysinfo", SYS_sysinfo, {BAD}},
	{"times", SYS_times, {BAD}},
	{"getrusage", SYS_getrusage, {0, BAD}},
	{"getrlimit", SYS_getrlimit, {7, BAD}},
	{"prlimit64", SYS_prlimit64, {0, 7, BAD, 0}},
	{"prlimit64 old", SYS_prlimit64, {0, 7, 0, BAD}},
	{"gettimeofday", SYS_gettimeofday, {BAD, 0}},
	{"clock_gettime", SYS_clock_gettime, {1, BAD}},
	{"clock_getres", SYS_clock_getres, {1, BAD}},
	{"nanosleep", SYS_nanosleep, {BAD, 0}},
	{"clock_nanosleep", SYS_clock_nanosleep, {1, 0, BAD, 0}},
	{"timer_create", SYS_timer_create, {1, BAD, ROOM}},
	{"timer_create number", SYS_timer_create, {1, 0, BAD}},
	{"timerfd_settime", SYS_timerfd_settime, {FILE_FD, 0, BAD, 0}},
	{"setitimer", SYS_setitimer, {0, BAD, 0}},
	{"getitimer", SYS_getitimer, {0, BAD}},
	{"rt_sigaction", SYS_rt_sigaction, {SIGUSR2, BAD, 0, 8}},
	{"rt_sigaction old", SYS_rt_sigaction, {SIGUSR2, 0, BAD, 8}},
	{"rt_sigprocmask", SYS_rt_sigprocmask, {0, BAD, 0, 8}},
	{"rt_sigprocmask old", SYS_rt_sigprocmask, {0, 0, BAD, 8}},
	{"rt_sigpending", SYS_rt_sigpending, {BAD, 8}},
	{"rt_sigtimedwait", SYS_rt_sigtimedwait, {BAD, 0, 0, 8}},
	{"rt_sigsuspend", SYS_rt_sigsuspend, {BAD, 8}},
	{"sigaltstack", SYS_sigaltstack, {BAD, 0}},
	{"sigaltstack old", SYS_sigaltstack, {0, BAD}},
	{"signalfd4", SYS_signalfd4, {-1, BAD, 8, 0}},
	{"wait4", SYS_wait4, {-1, BAD, 1, 0}},
	{"waitid", SYS_waitid, {0, 0, BAD, 1 | 4, 0}},
	{"futex wake", SYS_futex, {BAD, 1, 1}},
	{"futex wait", SYS_futex, {BAD, 0, 0, 0}},
	{"futex private wait", SYS_futex, {BAD, 128, 0, 0}},
	{"futex requeue", SYS_futex, {ROOM, 4, 1, 1, BAD, 0}},
	{"futex lock", SYS_futex, {BAD, 6, 0, 0}},
	{"futex operation", SYS_futex, {ROOM, 5, 1, 1, BAD, 0}},
	{"futex timeout", SYS_futex, {ROOM, 0, 0, BAD}},
	{"get_robust_list", SYS_get_robust_list, {0, BAD, ROOM}},
	{"sched_getaffinity", SYS_sched_getaffinity, {0, 128, BAD}},
	{"sched_setaffinity", SYS_sched_setaffinity, {0, 8, BAD}},
	{"sched_getparam", SYS_sched_getparam, {0, BAD}},
	{"getgroups", SYS_getgroups, {64, BAD}},
	{"getresuid", SYS_getresuid, {BAD, ROOM, ROOM}},
	{"capget", SYS_capget, {BAD, ROOM}},
	{"prctl PR_GET_PDEATHSIG", SYS_prctl, {2, BAD}},
	{"prctl PR_SET_NAME", SYS_prctl, {15, BAD}},
	{"prctl PR_GET_NAME", SYS_prctl, {16, BAD}},
	{"arch_prctl ARCH_GET_FS", SYS_arch_prctl, {0x1003, BAD}},
	{"getrandom", SYS_getrandom, {BAD, 64, 0}},
	{"memfd_create", SYS_memfd_create, {BAD, 0}},
	{"mincore", SYS_mincore, {ROOM, 4096, BAD}},
	{"mincore of it", SYS_mincore, {BAD, 4096, ROOM}},
	{"munmap", SYS_munmap, {BAD, 4096}},
	{"mprotect", SYS_mprotect, {BAD, 4096, 7}},
	{"madvise", SYS_madvise, {BAD, 4096, 4}},
	{"msync", SYS_msync, {BAD, 4096, 4}},
	{"mlock", SYS_mlock, {BAD, 4096}},
	{"mmap fixed", SYS_mmap, {BAD, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0}},
	{"mmap noreplace", SYS_mmap, {BAD, 8192, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0}},
	{"mremap", SYS_mremap, {BAD, 4096, 8192, 1}},
	{"mremap to it", SYS_mremap, {ROOM, 4096, 4096, 3, BAD}},
	{"process_vm_readv vector", SYS_process_vm_readv, {0, BAD, 1, ROOM, 1, 0}},
	{"copy_file_range", SYS_copy_file_range, {FILE_FD, BAD, FILE_FD, 0, 8, 0}},
	{"vmsplice", SYS_vmsplice, {PIPE_OUT, IOV, 1, 0}},
	{"splice", SYS_splice, {PIPE_IN, 0, FILE_FD, BAD, 8, 0}},
	{"mount", SYS_mount, {BAD, NAME, BAD, 0, 0}},
	{"inotify_add_watch", SYS_inotify_add_watch, {FILE_FD, BAD, 2}},
	{"seccomp", SYS_seccomp, {1, 0, BAD}},
	{"getcpu", SYS_getcpu, {BAD, 0, 0}},
};

static void set_up(void)
{
	int pair[2];

	int fd = open("/tmp/pointers-file", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0 && write(fd, "0123456789abcdef", 16) == 16 && dup2(fd, FILE_FD) == FILE_FD && lseek(fd, 0, SEEK_SET) == 0);
	CHECK(pipe(pair) == 0 && dup2(pair[0], PIPE_IN) == PIPE_IN && dup2(pair[1], PIPE_OUT) == PIPE_OUT);
	CHECK(write(PIPE_OUT, "0123456789", 10) == 10);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && dup2(pair[0], SOCK) == SOCK && dup2(pair[1], PEER) == PEER);
	CHECK(write(PEER, "0123456789", 10) == 10);
	CHECK(dup2(epoll_create1(0), EPOLL) == EPOLL);
	struct epoll_event event = {.events = EPOLLIN};
	CHECK(epoll_ctl(EPOLL, EPOLL_CTL_ADD, SOCK, &event) == 0);
	CHECK(dup2(open("/", O_RDONLY | O_DIRECTORY), DIRECTORY) == DIRECTORY);
	CHECK(dup2(open("/dev/zero", O_RDWR), ZERO) == ZERO);
}

static long argument(long a, uint64_t address)
{
	static struct iovec vector;
	static struct msghdr message;

	vector = (struct iovec){(void *)address, 64};
	message = (struct msghdr){.msg_iov = &vector, .msg_iovlen = 1};
	return a == BAD ? (long)address : a == IOV ? (long)&vector : a == MSG ? (long)&message : a;
}

/* In a child, since some calls change what the next one needs. */
static int outcome(unsigned call, uint64_t address)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		long a[6];

		for (int i = 0; i < 6; i++)
			a[i] = argument(calls[call].a[i], address);
		set_up();
		alarm(5);
		long r = syscall(calls[call].number, a[0], a[1], a[2], a[3], a[4], a[5]);
		_exit(r == -1 ? errno : 0);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static sigjmp_buf back;

static void on_fault(int number)
{
	siglongjmp(back, number);
}

static int cpu_reads(uint64_t address)
{
	int number = sigsetjmp(back, 1);

	if (!number)
		(void)*(volatile char *)address;
	return number;
}

static int cpu_writes(uint64_t address)
{
	int number = sigsetjmp(back, 1);

	if (!number)
		*(volatile char *)address = 1;
	return number;
}

static int cpu_runs(uint64_t address)
{
	int number = sigsetjmp(back, 1);

	if (!number)
		((void (*)(void))address)();
	return number;
}

/* Which signal is the CPU's: #SS (SIGBUS) where the address cannot be; QEMU raises #GP (SIGSEGV) for every such address. */
static const char *cpu_pushes(uint64_t address)
{
	int number = sigsetjmp(back, 1);

	if (!number)
		__asm__ volatile("movq %0, %%rsp; pushq %%rax" ::"r"(address + 64) : "memory");
	return number ? "fault" : "done";
}

int main(void)
{
	static char stack[65536];
	const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK};

	for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		printf("%s:", calls[i].name);
		for (unsigned j = 0; j < sizeof(addresses) / sizeof(addresses[0]); j++) {
			int result = outcome(i, addresses[j]);

			printf(" %s", result == 0 ? "done" : result < 1000 ? "refused" : "killed");
		}
		printf("\n");
	}
	sigaltstack(&alternate, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	for (unsigned j = 0; j < sizeof(addresses) / sizeof(addresses[0]); j++) {
		if (addresses[j] == 0xffffffffff600000) /* the vsyscall page, where a host has one */
			continue;
		printf("cpu: %d %d %d %s\n", cpu_reads(addresses[j]), cpu_writes(addresses[j]), cpu_runs(addresses[j]),
			cpu_pushes(addresses[j]));
	}
	return 0;
}
