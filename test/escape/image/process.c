/*
 * The taken-over hosted sentry: it is a thread of a host process and calls the host's kernel
 * itself. Each forbidden call ends the process (SIGSYS), so each is a boot of its own:
 * `forbidden NUMBER`, `forbidden-name NAME`. Calls that the filter allows are abused in the others.
 */
#include "test/escape/image/image.h"

#define HOST_read 0
#define HOST_write 1
#define HOST_open 2
#define HOST_close 3
#define HOST_poll 7
#define HOST_ioctl 16
#define HOST_pread64 17
#define HOST_madvise 28
#define HOST_sendmsg 46
#define HOST_recvmsg 47
#define HOST_fcntl 72
#define HOST_ftruncate 77
#define HOST_kill 62
#define HOST_ptrace 101
#define HOST_arch_prctl 158
#define HOST_tgkill 234
#define HOST_fallocate 285
#define HOST_preadv2 327

#define ERRORS 6 /* the pipe for lines that say what is wrong: ERROR_FD of cli/boot.c */
#define E_PERM 1
#define E_SRCH 3

static long host(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return number;
}

static const char shadow[] = "/etc/shadow", proc_mem[] = "/proc/1/mem", shell[] = "/bin/sh";
static const char *const no_words[] = {"/bin/sh", NULL};
static const struct {
	uint16_t family, port;
	uint32_t address;
	uint64_t zero;
} loopback = {2, 0x5000, 0x0100007f, 0};

/* What opens the way out: all must kill. Arguments as an attacker would give them. */
static const struct {
	const char *name;
	long number, a, b, c, d, e, f;
} forbidden[] = {
	{"open", 2, (long)shadow, 0, 0, 0, 0, 0},
	{"openat", 257, -100, (long)shadow, 0, 0, 0, 0},
	{"openat2", 437, -100, (long)shadow, (long)&loopback, 24, 0, 0},
	{"openat-proc-mem", 257, -100, (long)proc_mem, 2, 0, 0, 0},
	{"creat", 85, (long)shadow, 0644, 0, 0, 0, 0},
	{"open_by_handle_at", 304, 0, (long)&loopback, 0, 0, 0, 0},
	{"name_to_handle_at", 303, -100, (long)shadow, (long)&loopback, (long)&loopback, 0, 0},
	{"stat", 4, (long)shadow, 0, 0, 0, 0, 0},
	{"newfstatat", 262, -100, (long)shadow, 0, 0, 0, 0},
	{"access", 21, (long)shadow, 0, 0, 0, 0, 0},
	{"unlink", 87, (long)shadow, 0, 0, 0, 0, 0},
	{"rename", 82, (long)shadow, (long)shell, 0, 0, 0, 0},
	{"execve", 59, (long)shell, (long)no_words, 0, 0, 0, 0},
	{"execveat", 322, 0, (long)"", (long)no_words, 0, 0x1000, 0},
	{"fork", 57, 0, 0, 0, 0, 0, 0},
	{"vfork", 58, 0, 0, 0, 0, 0, 0},
	{"clone", 56, 17, 0, 0, 0, 0, 0},
	{"clone-thread", 56, 0x50f00, 0, 0, 0, 0, 0},
	{"clone3", 435, (long)&loopback, 88, 0, 0, 0, 0},
	{"socket", 41, 2, 1, 0, 0, 0, 0},
	{"socket-unix", 41, 1, 1, 0, 0, 0, 0},
	{"socketpair", 53, 1, 1, 0, (long)&loopback, 0, 0},
	{"connect", 42, 5, (long)&loopback, 16, 0, 0, 0},
	{"bind", 49, 5, (long)&loopback, 16, 0, 0, 0},
	{"sendto", 44, 5, (long)&loopback, 4, 0, (long)&loopback, 16},
	{"accept", 43, 5, 0, 0, 0, 0, 0},
	{"ptrace-attach", 101, 16, 1, 0, 0, 0, 0},
	{"ptrace-seize", 101, 0x4206, 1, 0, 0, 0, 0},
	{"ptrace-traceme", 101, 0, 0, 0, 0, 0, 0},
	{"ptrace-peekdata", 101, 2, 1, 0, 0, 0, 0},
	{"ptrace-syscall", 101, 24, 1, 0, 0, 0, 0},
	{"ptrace-setoptions", 101, 0x4200, 1, 0, 0, 0, 0},
	{"process_vm_readv", 310, 1, 0, 0, 0, 0, 0},
	{"process_vm_writev", 311, 1, 0, 0, 0, 0, 0},
	{"pidfd_open", 434, 1, 0, 0, 0, 0, 0},
	{"pidfd_getfd", 438, 1, 0, 0, 0, 0, 0},
	{"pidfd_send_signal", 424, 1, 9, 0, 0, 0, 0},
	{"rt_sigqueueinfo", 129, 1, 9, 0, 0, 0, 0},
	{"tkill", 200, 1, 9, 0, 0, 0, 0},
	{"mount", 165, (long)shell, (long)"/", 0, 4096, 0, 0},
	{"umount2", 166, (long)"/", 2, 0, 0, 0, 0},
	{"pivot_root", 155, (long)"/", (long)"/", 0, 0, 0, 0},
	{"chroot", 161, (long)"/", 0, 0, 0, 0, 0},
	{"chdir", 80, (long)"..", 0, 0, 0, 0, 0},
	{"fchdir", 81, 3, 0, 0, 0, 0, 0},
	{"fsopen", 430, (long)"proc", 0, 0, 0, 0, 0},
	{"open_tree", 428, -100, (long)"/", 0, 0, 0, 0},
	{"move_mount", 429, 3, (long)"", -100, (long)"/", 4, 0},
	{"unshare-user", 272, 0x10000000, 0, 0, 0, 0, 0},
	{"setns", 308, 3, 0, 0, 0, 0, 0},
	{"setuid", 105, 0, 0, 0, 0, 0, 0},
	{"setresuid", 117, 0, 0, 0, 0, 0, 0},
	{"setgroups", 116, 0, 0, 0, 0, 0, 0},
	{"capset", 126, (long)&loopback, (long)&loopback, 0, 0, 0, 0},
	{"prctl", 157, 4, 1, 0, 0, 0, 0},
	{"seccomp", 317, 1, 0, 0, 0, 0, 0},
	{"io_uring_setup", 425, 8, (long)&boot, 0, 0, 0, 0},
	{"io_uring_register", 427, 5, 2, 0, 0, 0, 0},
	{"bpf", 321, 0, (long)&loopback, 16, 0, 0, 0},
	{"userfaultfd", 323, 0, 0, 0, 0, 0, 0},
	{"perf_event_open", 298, (long)&loopback, 0, -1, -1, 0, 0},
	{"keyctl", 250, 0, -3, 0, 0, 0, 0},
	{"add_key", 248, (long)"user", (long)"x", (long)"y", 1, -3, 0},
	{"request_key", 249, (long)"user", (long)"x", 0, -3, 0, 0},
	{"memfd_create", 319, (long)"x", 0, 0, 0, 0, 0},
	{"memfd_secret", 447, 0, 0, 0, 0, 0, 0},
	{"mmap-exec", 9, 0, 4096, 7, 0x22, -1, 0},
	{"mmap", 9, 0, 4096, 3, 0x22, -1, 0},
	{"mprotect", 10, (long)&boot, 4096, 7, 0, 0, 0},
	{"pkey_mprotect", 329, (long)&boot, 4096, 7, -1, 0, 0},
	{"mremap", 25, (long)&boot, 4096, 8192, 1, 0, 0},
	{"munmap", 11, 0, 4096, 0, 0, 0, 0},
	{"brk", 12, 0, 0, 0, 0, 0, 0},
	{"shmget", 29, 0, 4096, 0777, 0, 0, 0},
	{"shmat", 30, 0, 0, 0, 0, 0, 0},
	{"msgget", 68, 0, 0777, 0, 0, 0, 0},
	{"mq_open", 240, (long)"x", 0102, 0600, 0, 0, 0},
	{"dup2", 33, 0, 1, 0, 0, 0, 0},
	{"fcntl-dupfd", 72, 0, 0, 0, 0, 0, 0},
	{"fcntl-setown", 72, 0, 8, 1, 0, 0, 0},
	{"fcntl-setfl-async", 72, 0, 4, 020000, 0, 0, 0},
	{"fcntl-setpipe", 72, 1, 1031, 1 << 20, 0, 0, 0},
	{"ioctl-tiocsti", 16, 0, 0x5412, (long)shell, 0, 0, 0},
	{"ioctl-tiocsctty", 16, 0, 0x540e, 1, 0, 0, 0},
	{"ioctl-tioclinux", 16, 0, 0x541c, (long)shell, 0, 0, 0},
	{"ioctl-tiocsetd", 16, 0, 0x5423, (long)&loopback, 0, 0, 0},
	{"ioctl-fionbio", 16, 0, 0x5421, (long)&loopback, 0, 0, 0},
	{"ioctl-high-half", 16, 0, 0x100005401, (long)&boot, 0, 0, 0},
	{"ioctl-kvm", 16, 3, 0xae01, 0, 0, 0, 0},
	{"readlink", 89, (long)"/proc/self/exe", (long)&boot, 64, 0, 0, 0},
	{"getdents64", 217, 3, (long)&boot, 64, 0, 0, 0},
	{"inotify_add_watch", 254, 3, (long)"/", 2, 0, 0, 0},
	{"fanotify_init", 300, 0, 0, 0, 0, 0, 0},
	{"quotactl", 179, 0, 0, 0, 0, 0, 0},
	{"init_module", 175, 0, 0, 0, 0, 0, 0},
	{"kexec_load", 246, 0, 0, 0, 0, 0, 0},
	{"reboot", 169, 0xfee1dead, 672274793, 0x1234567, 0, 0, 0},
	{"swapon", 167, (long)shell, 0, 0, 0, 0, 0},
	{"sethostname", 170, (long)shell, 4, 0, 0, 0, 0},
	{"settimeofday", 164, (long)&loopback, 0, 0, 0, 0, 0},
	{"clock_settime", 227, 0, (long)&loopback, 0, 0, 0, 0},
	{"iopl", 172, 3, 0, 0, 0, 0, 0},
	{"ioperm", 173, 0, 1024, 1, 0, 0, 0},
	{"modify_ldt", 154, 1, (long)&loopback, 16, 0, 0, 0},
	{"arch_prctl-fs", 158, 0x1002, (long)&boot, 0, 0, 0, 0},
	{"sched_setaffinity", 203, 0, 8, (long)&loopback, 0, 0, 0},
	{"setpriority", 141, 0, 0, -20, 0, 0, 0},
	{"prlimit64", 302, 0, 7, (long)&loopback, 0, 0, 0},
	{"timer_create", 222, 0, 0, (long)&boot, 0, 0, 0},
	{"rt_sigaction", 13, 31, (long)&boot, 0, 8, 0, 0},
	{"splice", 275, 0, 0, 1, 0, 16, 0},
	{"vmsplice", 278, 1, (long)&boot, 1, 0, 0, 0},
	{"sendfile", 40, 1, 0, 0, 16, 0, 0},
	{"process_madvise", 440, 3, (long)&boot, 1, 8, 0, 0},
	{"landlock_create_ruleset", 444, 0, 0, 1, 0, 0, 0},
	{"x32-open", 0x40000002, (long)shadow, 0, 0, 0, 0, 0},
};
#define FORBIDDEN (sizeof(forbidden) / sizeof(forbidden[0]))

static void forbidden_name(void)
{
	const char *name = argument(1);

	for (unsigned i = 0; name && i < FORBIDDEN; i++) {
		if (!same(forbidden[i].name, name))
			continue;
		host(forbidden[i].number, forbidden[i].a, forbidden[i].b, forbidden[i].c, forbidden[i].d, forbidden[i].e, forbidden[i].f);
		reached(name);
	}
	say("no such call", 0);
	end(97);
}

/* Prints the names, for the runner. */
static void list_forbidden(void)
{
	for (unsigned i = 0; i < FORBIDDEN; i++) {
		unsigned n = 0;
		while (forbidden[i].name[n])
			n++;
		host(HOST_write, 1, (long)forbidden[i].name, (long)n, 0, 0, 0);
		host(HOST_write, 1, (long)"\n", 1, 0, 0, 0);
	}
}

static void forbidden_number(void)
{
	uint64_t number = argument_number(1);

	host((long)number, 0, 0, 0, 0, 0, 0);
	reached("a call that is not on the list");
}

/* The 32-bit way into the kernel has numbers of its own: 5 is open, 11 execve, 120 clone. */
static void forbidden_32_bit(void)
{
	long number = (long)argument_number(1);

	__asm__ volatile("int $0x80" : "+a"(number) : "b"(0), "c"(0), "d"(0) : "memory");
	reached("a 32-bit call");
}

/* Signals for processes outside: there are none to name. */
static void signals_for_others(void)
{
	for (long pid = 1000; pid < 200000; pid += 7)
		WANT(host(HOST_tgkill, pid, pid, 9, 0, 0, 0), -E_SRCH);
	WANT(host(HOST_kill, (long)argument_number(1), 9, 0, 0, 0, 0), -E_SRCH);
	WANT(host(HOST_kill, -(long)argument_number(1), 9, 0, 0, 0, 0), -E_SRCH);
	WANT(host(HOST_tgkill, (long)argument_number(1), (long)argument_number(1), 9, 0, 0, 0), -E_SRCH);
}

/* The requests that the filter allows, of processes that are not our stubs. */
static void traces_of_others(void)
{
	static const long requests[] = {31, 12, 13, 6, 7, 0x4201, 0x4202, 0x4204, 0x4205};

	for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		WANT(host(HOST_ptrace, requests[i], 1, 0, (long)at(scratch), 0, 0), -E_SRCH);
		WANT(host(HOST_ptrace, requests[i], (long)argument_number(1), 0, (long)at(scratch), 0, 0), -E_SRCH);
		for (long pid = 1000; pid < 40000; pid += 11)
			WANT(host(HOST_ptrace, requests[i], pid, 0, (long)at(scratch), 0, 0), -E_SRCH);
	}
}

/* Every descriptor of the process, read from its start: nothing in them is the host's. The runner looks for its secret. */
static void descriptors_of_the_process(void)
{
	char *buffer = at(scratch);

	for (long fd = 3; fd < 512; fd++) {
		long n = host(HOST_pread64, fd, (long)buffer, 65536, 0, 0, 0);
		if (n > 0)
			host(HOST_write, 1, (long)buffer, n, 0, 0, 0);
	}
}

/* Whatever the command reads from us it prints for somebody at a terminal. Not 1: that is the container's own output. */
static void words_of_the_process(void)
{
	static const char words[] = "\x1b]0;title\x07\x1b[2J\nringfence: fine\r\x9b\xff%s%n\n";

	for (long fd = 3; fd < 64; fd++)
		for (unsigned i = 0; i < 20; i++)
			host(HOST_write, fd, (long)words, sizeof(words) - 1, 0, 0, 0);
}

/* A line for the command by its own pipe, without end, while it waits for an answer that does not come. */
static void words_without_end(void)
{
	fill(at(scratch), 'x', 4096);
	for (;;)
		WANT(host(HOST_write, ERRORS, (long)at(scratch), 4096, 0, 0, 0) > 0, true);
}

/* The same after it was told that the container cannot be created: the reason is said to follow. */
static void reasons_without_end(void)
{
	struct control_header head;
	uint32_t request = ask_control(&head);

	WANT(answer((struct control_header){.request = request, .error = -5}, "", 0), 0);
	words_without_end();
}

/* The memory file cannot shrink below the stubs' mappings, nor grow over the container's limit. */
static void size_of_memory(void)
{
	for (long fd = 3; fd < 64; fd++) {
		if (host(HOST_ftruncate, fd, 0, 0, 0, 0, 0) == 0)
			reached("a descriptor was cut to nothing");
		if (host(HOST_ftruncate, fd, 1l << 40, 0, 0, 0, 0) == 0)
			reached("a descriptor was made larger");
		if (host(HOST_fallocate, fd, 0, (long)(boot.user.size), 1l << 30, 0, 0) == 0)
			reached("memory beyond the limit");
	}
}

/* Rights for a page cannot come by advice: the text stays as it is. */
static void advice(void)
{
	for (long what = 0; what < 128; what++) {
		if (what == 4 || what == 8 || what == 9) /* DONTNEED, FREE, REMOVE: memory that we have ourselves */
			continue;
		long r = host(HOST_madvise, (long)at(scratch), 4096, what, 0, 0, 0);
		if (r == 0 && (what == 100 || what == 101))
			reached("a page of the host was poisoned");
	}
	reached("advice that nobody needs");
}

/* The gofer takes no descriptors, whoever sends them. */
static void descriptors_for_the_gofer(void)
{
	static struct {
		uint64_t length;
		int level, type, fds[2];
	} control = {24, 1, 1, {0, 1}};
	static uint8_t version[21] = {21, 0, 0, 0, 100, 0xff, 0xff, 0, 0, 1, 0, 8, 0, '9', 'P', '2', '0', '0', '0', '.', 'L'};
	struct {
		void *base;
		uint64_t length;
	} vector = {version, sizeof(version)};
	struct {
		void *name;
		uint64_t name_length;
		void *vector;
		uint64_t count;
		void *control;
		uint64_t control_length;
		uint64_t flags;
	} message = {NULL, 0, &vector, 1, &control, sizeof(control), 0};
	unsigned sent = 0;

	for (long fd = 3; fd < 64; fd++)
		for (unsigned i = 0; i < 50; i++)
			sent += host(HOST_sendmsg, fd, (long)&message, 0x4040, 0, 0, 0) == (long)sizeof(version);
	WANT(sent > 0, true);
}

/* A stub's registers, as PTRACE_SETREGS takes them. */
struct stub_registers {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax, rip, cs, eflags, rsp, ss, fs_base,
		gs_base, ds, es, fs, gs;
};

#define STUB_SYSCALL (USER_TOP + 0x2000 + 29) /* the instruction in platform/ptrace/stub_code.S */

/* Our master stub, made to fork without end: the sandbox's own limit ends it, and the host has processes left. */
static void stubs_without_end(void)
{
	struct stub_registers *regs = at(scratch);
	int *status = at(scratch + 4096);
	long master = 0, made = 0;

	for (long pid = 2; pid < 100 && !master; pid++)
		if (host(HOST_ptrace, 12, pid, 0, (long)regs, 0, 0) == 0)
			master = pid;
	WANT(master > 0, true);
	for (; made < 100000; made++) {
		fill(regs, 0, sizeof(*regs));
		regs->rax = 56;
		regs->rdi = 0x8011; /* CLONE_PARENT | SIGCHLD: what the stub's filter allows */
		regs->rbx = USER_TOP;
		regs->rbp = 1;
		regs->rip = STUB_SYSCALL;
		regs->orig_rax = ~0ull;
		regs->cs = 0x33;
		regs->ss = 0x2b;
		regs->eflags = 0x202;
		if (host(HOST_ptrace, 13, master, 0, (long)regs, 0, 0) != 0)
			break;
		do { /* past the event of the new child, to the end of the order */
			if (host(HOST_ptrace, 7, master, 0, 0, 0, 0) != 0 || host(61, master, (long)status, 0x40000000, 0, 0, 0) != master)
				end(96);
		} while (*status >> 16);
		if ((*status >> 8 & 0xff) != 5)
			break; /* the call failed */
	}
	say("stubs", made);
	if (made < 2)
		end(95);
	if (made > 20000)
		reached("processes without end");
}

const struct escape_case process_cases[] = {
	{"list-forbidden", list_forbidden, NULL, false},
	{"forbidden-name", forbidden_name, NULL, false},
	{"forbidden", forbidden_number, NULL, false},
	{"forbidden-32-bit", forbidden_32_bit, NULL, false},
	{"signals-for-others", signals_for_others, NULL, false},
	{"traces-of-others", traces_of_others, NULL, false},
	{"descriptors-of-the-process", descriptors_of_the_process, NULL, false},
	{"words-of-the-process", words_of_the_process, NULL, false},
	{"words-without-end", words_without_end, NULL, true},
	{"reasons-without-end", reasons_without_end, NULL, true},
	{"size-of-memory", size_of_memory, NULL, false},
	{"advice", advice, NULL, false},
	{"stubs-without-end", stubs_without_end, NULL, false},
	{"descriptors-for-the-gofer", descriptors_for_the_gofer, NULL, false},
	{NULL, NULL, NULL, false},
};
