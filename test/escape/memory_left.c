/*
 * What others left behind, for memory.c: new pages of every kind after a process that filled its own has ended, what system
 * calls answer with after the kernel's stack and heap have held the canary, and the registers at the program's
 * first instruction. The canary is only ever unmasked in children, so that what the parent finds came from them.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/stat.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "canary.h"
#include "memory.h"

#define MIB (1ul << 20)

/* ---- registers ---- */

__attribute__((used)) static uint64_t start_registers[14];
__attribute__((used, aligned(64))) static uint8_t start_xsave[8192];

/* The entry point (CMakeLists.txt): saves what the kernel started us with, then goes where programs begin. */
__asm__(".globl memory_start\n"
	"memory_start:\n"
	"	movq %rax, start_registers(%rip)\n	movq %rbx, start_registers+8(%rip)\n"
	"	movq %rcx, start_registers+16(%rip)\n	movq %rdx, start_registers+24(%rip)\n"
	"	movq %rsi, start_registers+32(%rip)\n	movq %rdi, start_registers+40(%rip)\n"
	"	movq %rbp, start_registers+48(%rip)\n	movq %r8, start_registers+56(%rip)\n"
	"	movq %r9, start_registers+64(%rip)\n	movq %r10, start_registers+72(%rip)\n"
	"	movq %r12, start_registers+80(%rip)\n	movq %r13, start_registers+88(%rip)\n"
	"	movq %r14, start_registers+96(%rip)\n	movq %r15, start_registers+104(%rip)\n"
	"	movl $-1, %eax\n	movl $-1, %edx\n"
	"	xsave start_xsave(%rip)\n"
	"	xorl %eax, %eax\n	xorl %edx, %edx\n"
	"	jmp _start\n");

void memory_check_start(void)
{
	memory_scan(start_registers, sizeof(start_registers), "a register at the start");
	memory_scan(start_xsave, sizeof(start_xsave), "a vector register at the start");
	for (size_t i = 0; i < sizeof(start_registers) / 8; i++)
		if (start_registers[i])
			memory_reached("register %zu is %#lx at the start", i, (unsigned long)start_registers[i]);
	for (size_t i = 32; i < sizeof(start_xsave); i++) /* from ST0 on; the header says which parts are in use */
		if (start_xsave[i] && (i < 512 || i >= 576)) {
			memory_reached("byte %zu of the vector registers is %#x at the start", i, start_xsave[i]);
			break;
		}
}

/* A program that is started where another left the canary in its registers; it runs memory_check_start() too. */
void memory_check_exec(uint64_t masked, char **argv)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		uint64_t canary[2] = {masked ^ CANARY_MASK, masked ^ CANARY_MASK};

		__asm__ volatile("movups %0, %%xmm0; movups %0, %%xmm1; movups %0, %%xmm7; movups %0, %%xmm8; movups %0, %%xmm15; fildll %0"
			::"m"(canary) : "xmm0", "xmm1", "xmm7", "xmm8", "xmm15");
		syscall(SYS_execve, "/proc/self/exe", argv, NULL, canary[0], canary[0], canary[0]);
		_exit(2);
	}
	if (waitpid(child, &status, 0) != child || status)
		memory_reached("the program that was started again ended with %#x", status);
}

/* ---- pages ---- */

static void fill(void *p, size_t size, uint64_t masked)
{
	for (size_t i = 0; p != MAP_FAILED && i < size / 8; i++)
		((volatile uint64_t *)p)[i] = masked ^ CANARY_MASK;
}

static void *pages(size_t size, int flags, int fd)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
}

static int file(size_t size)
{
	char name[] = "/tmp/left-XXXXXX";
	int fd = mkstemp(name);

	unlink(name);
	return ftruncate(fd, (off_t)size) < 0 ? -1 : fd;
}

/* Leaves the canary in each kind of memory and ends. */
static void leave_pages(uint64_t masked)
{
	pid_t child = fork();
	int shm;

	if (child) {
		waitpid(child, NULL, 0);
		return;
	}
	void *own = pages(48 * MIB, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	fill(own, 48 * MIB, masked);
	fill(pages(8 * MIB, MAP_SHARED | MAP_ANONYMOUS, -1), 8 * MIB, masked);
	fill(pages(8 * MIB, MAP_SHARED, file(8 * MIB)), 8 * MIB, masked);
	fill(sbrk(4 * MIB), 4 * MIB - 64, masked);
	shm = shmget(IPC_PRIVATE, 4 * MIB, 0600);
	if (shm >= 0) {
		fill(shmat(shm, NULL, 0), 4 * MIB, masked);
		shmctl(shm, IPC_RMID, NULL);
	}
	for (int i = 0; i < 32; i++) {
		int ends[2];
		ssize_t n = pipe(ends) == 0 ? write(ends[1], own, 65536) : 0;
		n += socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0 ? write(ends[1], own, 65536) : 0;
		(void)n;
	}
	_exit(0);
}

static unsigned check_zero(const void *from, size_t size, const char *what)
{
	const volatile uint64_t *p = from;

	if (from == MAP_FAILED || !from)
		return 0;
	for (size_t i = 0; i < size / 8; i++)
		if (p[i]) {
			memory_reached("%s is not zero at %zu", what, i * 8);
			break;
		}
	return (unsigned)(size / 4096);
}

/* Behind the end of a file, in its last page. */
static unsigned check_tail(int fd, const char *what)
{
	off_t size = lseek(fd, 0, SEEK_END);
	size_t used = (size_t)size % 4096;
	char *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, size - (off_t)used);

	used = (used + 7) / 8 * 8;
	return p == MAP_FAILED ? 0 : check_zero(p + used, 4096 - used, what);
}

static void grow_stack(void)
{
	volatile char room[4 * MIB] __attribute__((uninitialized));

	room[0] = 1;
	__asm__ volatile("" : "+m"(room)); /* not written: as the kernel gave it */
	check_zero((const char *)room + 4096, sizeof(room) / 2, "the stack");
}

unsigned memory_left_pages(uint64_t masked)
{
	static char used[8192];
	char *grown = pages(4096, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	unsigned n = 0;
	int fd, shm;

	memset(used, 0x55, sizeof(used));
	for (int round = 0; round < 3; round++) {
		leave_pages(masked);
		void *p = pages(64 * MIB, MAP_PRIVATE | MAP_ANONYMOUS, -1);
		n += check_zero(p, 64 * MIB, "anonymous memory");
		((char *)p)[0] = 1;
		madvise(p, 64 * MIB, MADV_DONTNEED);
		n += check_zero(p, 4 * MIB, "memory after MADV_DONTNEED");
		for (size_t i = 0; i < 16 * MIB; i += 4096) /* pages of its own, not the zero page */
			((char *)p)[i + 8] = 0;
		n += check_zero(p, 16 * MIB, "written memory");
		munmap(p, 64 * MIB);
		n += check_zero(pages(16 * MIB, MAP_SHARED | MAP_ANONYMOUS, -1), 16 * MIB, "shared memory");
		n += check_zero(sbrk(4 * MIB), 4 * MIB - 64, "the heap");
		n += check_zero(pages(8 * MIB, MAP_SHARED, file(8 * MIB)), 8 * MIB, "a new file");
		fd = (int)syscall(SYS_memfd_secret, 0);
		n += fd >= 0 && ftruncate(fd, MIB) == 0 ? check_zero(pages(MIB, MAP_SHARED, fd), MIB, "secret memory") : 0;
		fd = file(100);
		n += check_tail(fd, "a file's last page");
		n += write(fd, used, sizeof(used)) == sizeof(used) && ftruncate(fd, 200) == 0 ? check_tail(fd, "a shortened file's last page") : 0;
		n += pwrite(fd, "x", 1, 5000) == 1 ? check_tail(fd, "a longer file's last page") : 0;
		n += check_tail(open("/proc/self/exe", O_RDONLY), "the program's last page");
		shm = shmget(IPC_PRIVATE, 4 * MIB, 0600);
		n += shm >= 0 ? check_zero(shmat(shm, NULL, 0), 4 * MIB, "a segment") : 0;
		shmctl(shm, IPC_RMID, NULL);
	}
	grown = mremap(grown, 4096, 4 * MIB, MREMAP_MAYMOVE);
	n += check_zero(grown, 4 * MIB, "grown memory");
	grow_stack();
	return n;
}

/* ---- structures ---- */

static uint32_t halves[2]; /* masked */
static char *canaries;     /* a page of them */
static char out[4096] __attribute__((aligned(64)));

/* Has the kernel hold the canary: in its copies of names, buffers and structures, and in saved registers. */
static void leave_structures(void)
{
	static int ends[2], pair[2] = {-1, -1};
	uint64_t word = *(volatile uint64_t *)canaries;
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	ssize_t n;

	if (pair[0] < 0 && (pipe2(ends, O_NONBLOCK) < 0 || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) < 0))
		_exit(2);
	n = open(canaries, O_RDONLY) + mkdir(canaries + 3000, 0700) + syscall(SYS_getxattr, "/", canaries + 3900, out, 64);
	n += syscall(SYS_setxattr, "/tmp", "user.x", canaries, 1000, 0);
	n += write(ends[1], canaries, 4000) + read(ends[0], canaries, 4000) + send(pair[0], canaries, 2000, 0) + recv(pair[1], canaries, 2000, 0);
	memcpy(name.sun_path + 1, canaries, sizeof(name.sun_path) - 1);
	n += connect(pair[0], (struct sockaddr *)&name, sizeof(name)) + setsockopt(pair[0], SOL_SOCKET, SO_LINGER, canaries, 128);
	n += syscall(SYS_prctl, 15, canaries) + syscall(SYS_sched_setattr, 0, canaries, 0) + syscall(SYS_clone3, canaries, 64);
	n += syscall(SYS_select, 512, canaries, canaries, canaries, canaries) + syscall(SYS_adjtimex, canaries);
	n += syscall(SYS_epoll_ctl, ends[0], EPOLL_CTL_ADD, ends[1], canaries) + syscall(SYS_semtimedop, 1, canaries, 100, NULL);
	n += syscall(SYS_sigaltstack, canaries, NULL) + syscall(SYS_bpf, 0, canaries, 120) + syscall(SYS_io_submit, 0, 100, canaries);
	n += syscall(SYS_memfd_create, canaries + 4096 - 240, 0x80000000u) + syscall(SYS_rt_sigqueueinfo, getpid(), 0, canaries);
	n += syscall(SYS_poll, canaries, 40, 0) + syscall(SYS_setitimer, ITIMER_REAL, canaries, NULL) + syscall(SYS_sethostname, canaries, 64);
	n += syscall(SYS_clock_nanosleep, 0, 0, canaries, NULL) + syscall(SYS_mount, canaries, canaries, canaries + 4000, 0, canaries);
	n += syscall(SYS_sendmsg, pair[0], canaries, 0) + syscall(SYS_clone3, canaries, 88) + syscall(SYS_statx, 0, canaries, 0, 0, out);
	n += syscall(SYS_timer_create, 0, canaries, out) + syscall(SYS_waitid, 0, 0, canaries, 0, canaries);
	n += syscall(SYS_getppid, word, word, word, word, word, word) + syscall(SYS_mincore, word, word, word, word, word, word);
	(void)n;
	/* What library calls left in vector registers is ours, not the kernel's. */
	__asm__ volatile("pxor %%xmm0,%%xmm0;pxor %%xmm1,%%xmm1;pxor %%xmm2,%%xmm2;pxor %%xmm3,%%xmm3;pxor %%xmm4,%%xmm4;pxor %%xmm5,%%xmm5;"
			 "pxor %%xmm6,%%xmm6;pxor %%xmm7,%%xmm7;pxor %%xmm8,%%xmm8;pxor %%xmm9,%%xmm9;pxor %%xmm10,%%xmm10;pxor %%xmm11,%%xmm11;"
			 "pxor %%xmm12,%%xmm12;pxor %%xmm13,%%xmm13;pxor %%xmm14,%%xmm14;pxor %%xmm15,%%xmm15" ::: "memory");
}

static void check_structure(const volatile void *from, size_t size, const char *what)
{
	for (size_t i = 0; i + 4 <= size; i++) {
		uint32_t word;

		memcpy(&word, (const char *)from + i, 4);
		if ((word ^ (uint32_t)CANARY_MASK) == halves[0] || (word ^ (uint32_t)(CANARY_MASK >> 32)) == halves[1]) {
			memory_reached("%s tells what the kernel held, at %zu", what, i);
			return;
		}
	}
}

static unsigned structures;

/* One system call whose answer goes to `out`. */
#define ANSWER(...)                                              \
	do {                                                     \
		leave_structures();                              \
		memset(out, 0, sizeof(out));                     \
		syscall(__VA_ARGS__);                            \
		check_structure(out, sizeof(out), #__VA_ARGS__); \
		structures++;                                    \
	} while (0)

static void ask_of_files(void)
{
	int fd = open("/tmp", O_RDONLY | O_DIRECTORY), watch = inotify_init1(IN_NONBLOCK), tty = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	int some = open("/tmp/x", O_CREAT | O_RDWR, 0600);
	struct flock *lock = (void *)out;

	inotify_add_watch(watch, "/tmp", IN_CREATE);
	mkdir("/tmp/some-name", 0700);
	ANSWER(SYS_stat, "/tmp", out);
	ANSWER(SYS_newfstatat, some, "", out, 0x1000);
	ANSWER(SYS_statx, fd, "some-name", 0, 0x7ff, out);
	ANSWER(SYS_statfs, "/tmp", out);
	ANSWER(SYS_fstatfs, some, out);
	ANSWER(SYS_getdents64, fd, out, sizeof(out));
	lseek(fd, 0, SEEK_SET);
	ANSWER(SYS_getdents, fd, out, sizeof(out));
	ANSWER(SYS_read, watch, out, sizeof(out));
	ANSWER(SYS_readlink, "/proc/self/exe", out, sizeof(out));
	ANSWER(SYS_getcwd, out, sizeof(out));
	ANSWER(SYS_listxattr, "/tmp", out, sizeof(out));
	ANSWER(SYS_ioctl, tty, 0x5401 /* TCGETS */, out);
	ANSWER(SYS_ioctl, tty, 0x802c542a /* TCGETS2 */, out);
	ANSWER(SYS_ioctl, tty, TIOCGWINSZ, out);
	ANSWER(SYS_fcntl, some, 16 /* F_GETOWN_EX */, out);
	leave_structures();
	memset(out, 0, sizeof(out));
	lock->l_type = F_WRLCK;
	fcntl(some, F_GETLK, lock);
	check_structure(out, sizeof(out), "F_GETLK");
	rmdir("/tmp/some-name");
}

static void ask_of_processes(void)
{
	struct timespec soon = {0, 1};
	sigset_t usr2;

	ANSWER(SYS_uname, out);
	ANSWER(SYS_sysinfo, out);
	ANSWER(SYS_times, out);
	ANSWER(SYS_getrusage, RUSAGE_SELF, out);
	ANSWER(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, out);
	ANSWER(SYS_sched_getattr, 0, out, 64, 0);
	ANSWER(SYS_sched_getparam, 0, out);
	ANSWER(SYS_sched_getaffinity, 0, 128, out);
	ANSWER(SYS_sched_rr_get_interval, 0, out);
	ANSWER(SYS_getitimer, 0, out);
	ANSWER(SYS_clock_gettime, 0, out);
	ANSWER(SYS_gettimeofday, out, out + 64);
	ANSWER(SYS_adjtimex, out);
	ANSWER(SYS_sigaltstack, NULL, out);
	ANSWER(SYS_rt_sigaction, SIGSEGV, NULL, out, 8);
	ANSWER(SYS_rt_sigpending, out, 8);
	ANSWER(SYS_capget, out + 512, out);
	ANSWER(SYS_getgroups, 64, out);
	ANSWER(SYS_getresuid, out, out + 4, out + 8);
	ANSWER(SYS_getcpu, out, out + 4, NULL);
	ANSWER(SYS_get_robust_list, 0, out, out + 8);
	ANSWER(SYS_prctl, 16 /* PR_GET_NAME: not the one set, which is a canary */, NULL);
	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	sigprocmask(SIG_BLOCK, &usr2, NULL);
	raise(SIGUSR2);
	ANSWER(SYS_rt_sigtimedwait, &usr2, out, &soon, 8);
	if (fork() == 0)
		_exit(0);
	ANSWER(SYS_waitid, P_ALL, 0, out, WEXITED, out + 512);
}

static void ask_of_objects(void)
{
	int shm = shmget(IPC_PRIVATE, 4096, 0600), msg = msgget(IPC_PRIVATE, 0600), sem = semget(IPC_PRIVATE, 5, 0600), pair[2], set = epoll_create1(0);
	struct epoll_event wanted = {.events = EPOLLOUT, .data.fd = 5};
	socklen_t size = 128;

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	epoll_ctl(set, EPOLL_CTL_ADD, pair[0], &wanted);
	ANSWER(SYS_shmctl, shm, IPC_STAT, out);
	ANSWER(SYS_shmctl, 0, 14 /* SHM_INFO */, out);
	ANSWER(SYS_msgctl, msg, IPC_STAT, out);
	ANSWER(SYS_semctl, sem, 0, IPC_STAT, out);
	ANSWER(SYS_semctl, sem, 0, GETALL, out);
	ANSWER(SYS_getsockname, pair[0], out, &size);
	size = 128;
	ANSWER(SYS_getpeername, pair[0], out, &size);
	size = 128;
	ANSWER(SYS_getsockopt, pair[0], SOL_SOCKET, SO_PEERCRED, out, &size);
	size = 128;
	ANSWER(SYS_getsockopt, pair[0], SOL_SOCKET, SO_LINGER, out, &size);
	size = 128;
	ANSWER(SYS_getsockopt, pair[0], SOL_SOCKET, SO_RCVTIMEO, out, &size);
	ANSWER(SYS_epoll_wait, set, out, 16, 0);
	shmctl(shm, IPC_RMID, NULL);
	msgctl(msg, IPC_RMID, NULL);
	semctl(sem, 0, IPC_RMID);
}

static void ask_of_tracee(void)
{
	struct iovec registers = {out, sizeof(out)};
	pid_t child = fork();
	int status;

	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(child, &status, 0);
	ANSWER(SYS_ptrace, PTRACE_GETSIGINFO, child, NULL, out);
	ANSWER(SYS_ptrace, PTRACE_GETFPREGS, child, NULL, out);
	ANSWER(SYS_ptrace, PTRACE_GETREGSET, child, 0x202 /* NT_X86_XSTATE */, &registers);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
}

static void on_signal(int signo __attribute__((unused)))
{
}

/* The signal's frame, on a stack that nothing else was ever on. */
static void ask_of_signal(void)
{
	stack_t stack = {.ss_sp = pages(65536, MAP_PRIVATE | MAP_ANONYMOUS, -1), .ss_size = 65536};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_SIGINFO};

	sigaction(SIGUSR1, &action, NULL);
	leave_structures();
	syscall(SYS_sigaltstack, &stack, NULL);
	__asm__ volatile("xorl %%r12d, %%r12d; xorl %%r13d, %%r13d; xorl %%r14d, %%r14d; xorl %%r15d, %%r15d; syscall"
		::"a"(SYS_kill), "D"(getpid()), "S"(SIGUSR1), "d"(0), "b"(0) : "rcx", "r11", "r12", "r13", "r14", "r15", "memory");
	check_structure(stack.ss_sp, stack.ss_size, "the signal's frame");
	structures++;
}

unsigned memory_left_structures(uint64_t masked)
{
	volatile unsigned *count = pages(4096, MAP_SHARED | MAP_ANONYMOUS, -1);
	pid_t child;
	int status;

	halves[0] = (uint32_t)masked;
	halves[1] = (uint32_t)(masked >> 32);
	fflush(stdout);
	child = fork();
	if (child == 0) {
		canaries = pages(8192, MAP_PRIVATE | MAP_ANONYMOUS, -1);
		fill(canaries, 4096, masked);
		ask_of_files();
		ask_of_processes();
		ask_of_objects();
		ask_of_tracee();
		ask_of_signal();
		*count = structures;
		fflush(stdout);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || status)
		memory_reached("the test of structures ended with %#x", status);
	return *count;
}
