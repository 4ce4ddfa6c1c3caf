/*
 * A container's program after memory that is not its own: a neighbour sandbox's, a host process's, the sentry's, and what
 * other processes of its own container left in pages and kernel structures. Run by memory.sh, which starts the holders of
 * the canaries; nothing here must ever contain one, so they are given masked and compared masked.
 *
 * memory FIRST SECOND PID ADDRESS FIRST SECOND PID ADDRESS TEXT: neighbour, host process; TEXT: 8 bytes of the sentry's image.
 * (Without arguments, only the registers at the start are looked at.) Each attack prints "tried WHAT N"; whatever is found prints REACHED, and the exit status is 1.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "canary.h"
#include "memory.h"

#define CANARIES 6

static uint64_t masked[CANARIES]; /* 0, 1 the neighbour's; 2, 3 the host's; 4 the sentry's; 5 our own dead processes' */
static const char *const owner[CANARIES] = {"a neighbour", "a neighbour", "the host", "the host", "the sentry", "a process that ended"};
static int reached, zero_fd, ends[2];

void memory_reached(const char *format, ...)
{
	va_list list;

	printf("REACHED ");
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	printf("\n");
	fflush(stdout);
	reached = 1;
}

/* Whether any canary lies in these bytes, at any offset. */
int memory_scan(const volatile void *from, size_t size, const char *what)
{
	for (size_t i = 0; i + 8 <= size; i++) {
		uint64_t word;

		memcpy(&word, (const char *)from + i, 8);
		for (int k = 0; k < CANARIES; k++)
			if ((word ^ CANARY_MASK) == masked[k] && masked[k]) {
				memory_reached("%s holds bytes of %s at %zu", what, owner[k], i);
				return 1;
			}
	}
	return 0;
}

/* ---- addresses ---- */

static sigjmp_buf jump;

static void on_fault(int signo)
{
	siglongjmp(jump, signo);
}

/* By the program's own instructions: is there a page? What it holds is looked at, and it is written. */
static int load(uint64_t address)
{
	static char page[4096];

	if (sigsetjmp(jump, 1))
		return 0;
	*(volatile char *)page = *(volatile char *)address;
	memcpy(page, (const void *)(address & ~4095ul), 4096);
	memory_scan(page, sizeof(page), "a page that a load reached");
	return 1;
}

static void store(uint64_t address)
{
	if (!sigsetjmp(jump, 1))
		*(volatile uint64_t *)address = 0;
}

static void call_must_fail(long rc, const char *what, uint64_t address)
{
	if (rc >= 0)
		memory_reached("%s took address %#lx", what, address);
}

/* By system calls that read and write memory for the program. */
static void by_calls(uint64_t address)
{
	char word[8] = {0};
	struct iovec here = {word, 8}, there = {(void *)address, 8};

	call_must_fail(write(ends[1], (void *)address, 8), "write", address);
	call_must_fail(read(zero_fd, (void *)address, 8), "read", address);
	call_must_fail(process_vm_readv(getpid(), &here, 1, &there, 1, 0), "process_vm_readv", address);
	call_must_fail(process_vm_writev(getpid(), &here, 1, &there, 1, 0), "process_vm_writev", address);
	call_must_fail(process_vm_readv(getpid(), &there, 1, &here, 1, 0), "process_vm_readv to", address);
	call_must_fail(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, address, 8), "rt_sigprocmask", address);
}

/* What the kernel writes later, when the program can't see an error. */
static void by_later_writes(uint64_t address)
{
	pid_t child = fork();

	if (child == 0) {
		syscall(SYS_set_tid_address, address);
		syscall(SYS_set_robust_list, address, 24);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	child = fork();
	if (child == 0) {
		syscall(SYS_clone, 0x01000000 | 0x00200000 | SIGCHLD, 0, address, address, 0); /* SETTID, CLEARTID in the child */
		stack_t stack = {.ss_sp = (void *)address, .ss_size = 65536};
		struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK};

		sigaction(SIGUSR1, &action, NULL);
		sigaltstack(&stack, NULL);
		raise(SIGUSR1);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void by_debugger(const uint64_t *addresses, int count)
{
	pid_t child = fork();
	int mem = open("/proc/self/mem", O_RDWR), status;
	char word[8];

	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(child, &status, 0);
	for (int i = 0; i < count; i++) {
		errno = 0;
		long got = ptrace(PTRACE_PEEKDATA, child, (void *)addresses[i], NULL);
		if (got != -1 || errno == 0)
			memory_reached("ptrace read %#lx", addresses[i]);
		call_must_fail(ptrace(PTRACE_POKEDATA, child, (void *)addresses[i], 0l), "ptrace", addresses[i]);
		call_must_fail(pread(mem, word, 8, (off_t)addresses[i]), "/proc/self/mem", addresses[i]);
		call_must_fail(pwrite(mem, word, 8, (off_t)addresses[i]), "/proc/self/mem, written,", addresses[i]);
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	close(mem);
}

#define KERNEL 0xffff800000000000ul
#define GIB (1ul << 30)

static void attack_addresses(void)
{
	static const uint64_t odd[] = {0x800000000000, 0x7ffffffff000, KERNEL, KERNEL + 0x100000000, 0xffff888000000000,
		0xffffffff80000000, 0xffffffff81000000, 0xffffffffff600000 - 4096, 0xfffffffffffff000, 0x8000000000000000};
	unsigned tried = 0, there = 0;

	for (uint64_t at = KERNEL; at >= KERNEL; at += GIB, tried++) {
		call_must_fail(write(ends[1], (void *)at, 8), "write", at);
		if (tried % 64 == 0) {
			by_calls(at + 8 * (tried % 512));
			if (load(at))
				memory_reached("a load of %#lx", at);
			store(at);
		}
	}
	for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++, tried++) {
		by_calls(odd[i]);
		by_later_writes(odd[i]);
		if (odd[i] > 0x7fffffffffff && load(odd[i]))
			memory_reached("a load of %#lx", odd[i]);
		store(odd[i]);
	}
	by_debugger(odd + 2, sizeof(odd) / sizeof(odd[0]) - 2);
	/* The user's half: what is there beside our own must hold nothing. Its end densely: hosted, a stub's own pages are there. */
	for (uint64_t at = 0; at < 0x7fffffffffff; at += 16 * GIB, tried++)
		there += load(at);
	for (uint64_t at = 0x7ffffffff000 - (16ul << 20); at < 0x7ffffffff000; at += 4096, tried++)
		there += load(at);
	printf("tried addresses %u, %u are there\n", tried, there);
}

/* ---- what is mapped, files, processes ---- */

static void attack_own_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end, tried = 0;
	char rights[8], line[512];

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %4s", &start, &end, rights) != 3 || rights[0] != 'r')
			continue;
		for (unsigned long at = start; at < end; at += 4096, tried++)
			load(at);
	}
	if (maps)
		fclose(maps);
	printf("tried own pages %lu\n", tried);
}

static void attack_devices(void)
{
	static const struct {
		mode_t kind;
		unsigned major, minor;
	} nodes[] = {{S_IFCHR, 1, 1}, {S_IFCHR, 1, 2}, {S_IFCHR, 1, 4}, {S_IFCHR, 10, 232}, {S_IFCHR, 10, 200}, {S_IFBLK, 8, 0}, {S_IFBLK, 259, 0},
		{S_IFBLK, 254, 0}, {S_IFBLK, 7, 0}};
	static const char *const paths[] = {"/dev/mem", "/dev/kmem", "/dev/port", "/dev/kvm", "/proc/kcore", "/proc/kmem", "/proc/1/mem",
		"/sys/kernel/debug", "/sys/firmware/acpi/tables/DSDT"};
	static char buffer[65536];
	unsigned tried = 0;

	for (unsigned i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++, tried++) {
		unlink("/tmp/node");
		if (mknod("/tmp/node", nodes[i].kind | 0600, makedev(nodes[i].major, nodes[i].minor)) < 0)
			continue;
		int fd = open("/tmp/node", O_RDWR);
		if (fd >= 0)
			memory_reached("device %u:%u opens", nodes[i].major, nodes[i].minor);
	}
	for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++, tried++) {
		int fd = open(paths[i], O_RDONLY);
		ssize_t n = fd < 0 ? -1 : read(fd, buffer, sizeof(buffer));
		if (n > 0)
			memory_scan(buffer, (size_t)n, paths[i]);
		if (fd >= 0)
			close(fd);
	}
	printf("tried devices %u\n", tried);
}

static unsigned walk(const char *directory, int depth)
{
	static char buffer[65536];
	char path[512];
	unsigned tried = 0;
	struct dirent *entry;
	DIR *dir = opendir(directory);

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name) >= (int)sizeof(path))
			continue;
		if (entry->d_type == DT_DIR && depth > 0)
			tried += walk(path, depth - 1);
		if (entry->d_type != DT_REG)
			continue;
		int fd = open(path, O_RDONLY | O_NONBLOCK);
		ssize_t n = fd < 0 ? -1 : read(fd, buffer, sizeof(buffer));
		if (n > 0)
			memory_scan(buffer, (size_t)n, path);
		if (fd >= 0)
			close(fd);
		tried++;
	}
	if (dir)
		closedir(dir);
	return tried;
}

/* By the number and the address that the host or the neighbour itself would use. */
static void attack_process(int pid, uint64_t address)
{
	static char page[4096];
	struct iovec here = {page, sizeof(page)}, there = {(void *)address, sizeof(page)};
	char path[64];
	int fd;

	if (pid != getpid() && process_vm_readv(pid, &here, 1, &there, 1, 0) > 0)
		memory_scan(page, sizeof(page), "process_vm_readv");
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY);
	if (fd >= 0 && pread(fd, page, sizeof(page), (off_t)address) > 0)
		memory_scan(page, sizeof(page), path);
	if (fd >= 0)
		close(fd);
	if (pid != getpid() && ptrace(PTRACE_ATTACH, pid, NULL, NULL) == 0) {
		memory_reached("process %d can be attached to", pid);
		ptrace(PTRACE_DETACH, pid, NULL, NULL);
	}
}

static void take_canaries(char **argv)
{
	for (int i = 0; i < 4; i++)
		masked[i] = strtoull(argv[1 + i / 2 * 4 + i % 2], NULL, 16);
	masked[4] = strtoull(argv[9], NULL, 16);
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};

	char *again[] = {argv[0], NULL};

	masked[5] = 0x1d2c3b4a59687786ull; /* never unmasked but where it is left behind: memory_left.c */
	memory_check_start();
	if (argc == 1)
		return reached;
	if (argc != 10 || pipe2(ends, O_NONBLOCK) < 0)
		return 2;
	take_canaries(argv);
	memory_check_exec(masked[5], again);
	zero_fd = open("/dev/zero", O_RDONLY);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	attack_own_mappings();
	attack_addresses();
	attack_devices();
	printf("tried files %u\n", walk("/proc", 3) + walk("/sys", 4));
	attack_process(atoi(argv[3]), strtoull(argv[4], NULL, 16));
	attack_process(atoi(argv[7]), strtoull(argv[8], NULL, 16));
	printf("tried left memory %u\n", memory_left_pages(masked[5]));
	printf("tried left structures %u\n", memory_left_structures(masked[5]));
	attack_own_mappings();
	printf("memory holds\n");
	return reached;
}
