/*
 * One kind of kernel work, many times: `micro NAME COUNT [DIR]` does it COUNT times and prints
 * nanoseconds each, by CLOCK_MONOTONIC. `micro list` names them all with their usual counts.
 * `micro time NAME COMMAND…` runs one command, its output thrown away, and prints the same line for it.
 *
 * Static, nothing beyond libc, the same binary natively and in each sandbox. A fresh
 * process a benchmark, so that none profits from another. bench/run.sh runs it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *self;
static char scratch[4096]; /* a file to make */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void do_getppid(long n)
{
	while (n--)
		syscall(SYS_getppid);
}

static void do_getuid(long n)
{
	while (n--)
		syscall(SYS_getuid);
}

static void do_getpgid(long n)
{
	while (n--)
		syscall(SYS_getpgid, 0);
}

static void do_clock(long n)
{
	struct timespec t;

	while (n--)
		clock_gettime(CLOCK_MONOTONIC, &t);
}

static void do_zero(long n)
{
	char c;
	int fd = open("/dev/zero", O_RDONLY);

	if (fd < 0)
		die("/dev/zero");
	while (n--)
		if (read(fd, &c, 1) != 1)
			die("read");
}

static void do_pipe(long n)
{
	int p[2];
	char c = 'x';

	if (pipe(p))
		die("pipe");
	while (n--)
		if (write(p[1], &c, 1) != 1 || read(p[0], &c, 1) != 1)
			die("pipe");
}

static void pingpong(long n, int here[2], int there[2])
{
	char c = 'x';
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		while (n--)
			if (read(there[0], &c, 1) != 1 || write(there[1], &c, 1) != 1)
				_exit(1);
		_exit(0);
	}
	for (long i = 0; i < n; i++)
		if (write(here[1], &c, 1) != 1 || read(here[0], &c, 1) != 1)
			die("pingpong");
	waitpid(pid, NULL, 0);
}

static void do_pipe_pingpong(long n)
{
	int a[2], b[2];

	if (pipe(a) || pipe(b))
		die("pipe");
	pingpong(n, (int[2]){b[0], a[1]}, (int[2]){a[0], b[1]});
}

static void do_unix_pingpong(long n)
{
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
		die("socketpair");
	pingpong(n, (int[2]){s[0], s[0]}, (int[2]){s[1], s[1]});
}

/* A connection over loopback, without Nagle's delay. */
static void tcp_pair(int s[2])
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (bind(listener, (void *)&a, sizeof(a)) || listen(listener, 1) || getsockname(listener, (void *)&a, &len))
		die("listen");
	s[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(s[0], (void *)&a, sizeof(a)) || (s[1] = accept(listener, NULL, NULL)) < 0)
		die("connect");
	for (int i = 0; i < 2; i++)
		setsockopt(s[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	close(listener);
}

static void do_tcp_pingpong(long n)
{
	int s[2];

	tcp_pair(s);
	pingpong(n, (int[2]){s[0], s[0]}, (int[2]){s[1], s[1]});
}

/* 64 KiB a unit, to a process that only reads. */
static void do_tcp_64k(long n)
{
	static char block[65536];
	int s[2];
	pid_t pid;

	tcp_pair(s);
	pid = fork();
	if (pid == 0) {
		close(s[0]);
		while (read(s[1], block, sizeof(block)) > 0)
			;
		_exit(0);
	}
	close(s[1]);
	while (n--)
		if (write(s[0], block, sizeof(block)) != (ssize_t)sizeof(block))
			die("write");
	close(s[0]);
	waitpid(pid, NULL, 0);
}

static void do_tcp_connect(long n)
{
	char c;

	while (n--) {
		int s[2];

		tcp_pair(s);
		close(s[0]);
		if (read(s[1], &c, 1) != 0)
			die("read");
		close(s[1]);
	}
}

static void do_udp_pingpong(long n)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int s[2];

	for (int i = 0; i < 2; i++) {
		s[i] = socket(AF_INET, SOCK_DGRAM, 0);
		a.sin_port = 0;
		if (bind(s[i], (void *)&a, sizeof(a)))
			die("bind");
	}
	for (int i = 0; i < 2; i++)
		if (getsockname(s[i], (void *)&a, &len) || connect(s[!i], (void *)&a, sizeof(a)))
			die("connect");
	pingpong(n, (int[2]){s[0], s[0]}, (int[2]){s[1], s[1]});
}

static volatile int word;

static void futex_wait_for(int want)
{
	int now;

	while ((now = word) != want)
		syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, now, NULL, NULL, 0);
}

static void futex_set(int value)
{
	word = value;
	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *futex_partner(void *arg)
{
	for (long n = *(long *)arg; n--;) {
		futex_wait_for(1);
		futex_set(0);
	}
	return NULL;
}

static void do_futex_pingpong(long n)
{
	pthread_t t;

	if (pthread_create(&t, NULL, futex_partner, &n))
		die("pthread_create");
	for (long i = 0; i < n; i++) {
		futex_set(1);
		futex_wait_for(0);
	}
	pthread_join(t, NULL);
}

static void wait_for(pid_t pid, const char *what)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		die(what);
}

static void do_fork(long n)
{
	while (n--) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		wait_for(pid, "fork");
	}
}

static void do_exec(long n)
{
	while (n--) {
		pid_t pid = fork();

		if (pid == 0) {
			execl(self, self, "nothing", "0", NULL);
			_exit(1);
		}
		wait_for(pid, "exec");
	}
}

static void *no_thread(void *arg)
{
	return arg;
}

static void do_thread(long n)
{
	while (n--) {
		pthread_t t;

		if (pthread_create(&t, NULL, no_thread, NULL) || pthread_join(t, NULL))
			die("thread");
	}
}

static char *map(size_t size, int prot)
{
	char *p = mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static void do_touch(long n)
{
	char *p = map((size_t)n * 4096, PROT_READ | PROT_WRITE);

	for (long i = 0; i < n; i++)
		p[i * 4096] = 1;
}

static void do_map_page(long n)
{
	while (n--) {
		char *p = map(4096, PROT_READ | PROT_WRITE);

		*p = 1;
		munmap(p, 4096);
	}
}

static void do_open(long n)
{
	while (n--) {
		int fd = open(self, O_RDONLY);

		if (fd < 0)
			die(self);
		close(fd);
	}
}

static void do_stat(long n)
{
	struct stat st;

	while (n--)
		if (stat(self, &st))
			die(self);
}

static void do_stat_missing(long n)
{
	struct stat st;

	while (n--)
		if (stat("/usr/bin/there-is-no-such-file", &st) == 0)
			die("stat");
}

static void read_file(long n, size_t size)
{
	static char buf[65536];
	int fd = open(self, O_RDONLY);

	if (fd < 0)
		die(self);
	while (n--)
		if (pread(fd, buf, size, 0) != (ssize_t)size)
			die("pread");
}

static void do_read4k(long n)
{
	read_file(n, 4096);
}

static void do_read64k(long n)
{
	read_file(n, 65536);
}

static void on_signal(int s)
{
}

static void do_signal(long n)
{
	signal(SIGUSR1, on_signal);
	while (n--)
		raise(SIGUSR1);
}

static char *guarded;

static void on_fault(int s)
{
	mprotect(guarded, 4096, PROT_READ | PROT_WRITE);
}

static void do_fault(long n)
{
	guarded = map(4096, PROT_READ);
	signal(SIGSEGV, on_fault);
	while (n--) {
		*(volatile char *)guarded = 1;
		mprotect(guarded, 4096, PROT_READ);
	}
}

static void do_create(long n)
{
	while (n--) {
		int fd = open(scratch, O_CREAT | O_WRONLY, 0644);

		if (fd < 0)
			die(scratch);
		close(fd);
		unlink(scratch);
	}
}

static void do_write_close(long n)
{
	while (n--) {
		int fd = open(scratch, O_CREAT | O_WRONLY, 0644);

		if (fd < 0 || write(fd, scratch, 64) != 64)
			die(scratch);
		close(fd);
	}
	unlink(scratch);
}

static void do_fsync(long n)
{
	static char block[4096];
	int fd = open(scratch, O_CREAT | O_WRONLY, 0644);

	if (fd < 0)
		die(scratch);
	while (n--)
		if (pwrite(fd, block, sizeof(block), 0) != (ssize_t)sizeof(block) || fsync(fd))
			die("fsync");
	close(fd);
	unlink(scratch);
}

static void do_stat_scratch(long n)
{
	struct stat st;
	int fd = open(scratch, O_CREAT | O_WRONLY, 0644);

	if (fd < 0)
		die(scratch);
	close(fd);
	while (n--)
		if (stat(scratch, &st))
			die(scratch);
	unlink(scratch);
}

static void do_loop(long n)
{
	while (n--)
		__asm__ volatile("");
}

static void do_nothing(long n)
{
}

static const struct {
	const char *name;
	void (*fn)(long n);
	long usual; /* count for about a tenth of a second natively */
} works[] = {
	{"getppid", do_getppid, 500000},
	{"getuid", do_getuid, 500000},
	{"getpgid", do_getpgid, 500000},
	{"clock_gettime", do_clock, 2000000},
	{"read-zero", do_zero, 300000},
	{"pipe", do_pipe, 100000},
	{"pipe-pingpong", do_pipe_pingpong, 10000},
	{"unix-pingpong", do_unix_pingpong, 10000},
	{"tcp-pingpong", do_tcp_pingpong, 5000},
	{"tcp-64k", do_tcp_64k, 5000},
	{"tcp-connect", do_tcp_connect, 2000},
	{"udp-pingpong", do_udp_pingpong, 5000},
	{"futex-pingpong", do_futex_pingpong, 10000},
	{"fork", do_fork, 500},
	{"exec", do_exec, 200},
	{"thread", do_thread, 2000},
	{"mmap-touch", do_touch, 16384},
	{"mmap-page", do_map_page, 20000},
	{"open-close", do_open, 50000},
	{"stat", do_stat, 100000},
	{"stat-missing", do_stat_missing, 100000},
	{"read-4k", do_read4k, 100000},
	{"read-64k", do_read64k, 10000},
	{"signal", do_signal, 50000},
	{"segv-mprotect", do_fault, 20000},
	{"create-unlink", do_create, 10000},
	{"write-close", do_write_close, 10000},
	{"write-fsync", do_fsync, 1000},
	{"stat-shared", do_stat_scratch, 20000},
	{"loop", do_loop, 10000000},
	{"nothing", do_nothing, 1},
};

static double ns_since(const struct timespec *a)
{
	struct timespec b;

	clock_gettime(CLOCK_MONOTONIC, &b);
	return (double)(b.tv_sec - a->tv_sec) * 1e9 + (double)(b.tv_nsec - a->tv_nsec);
}

static int time_command(const char *name, char **command)
{
	struct timespec a;
	pid_t pid;

	clock_gettime(CLOCK_MONOTONIC, &a);
	pid = fork();
	if (pid == 0) {
		int fd = open("/dev/null", O_WRONLY);

		dup2(fd, 1);
		execvp(command[0], command);
		_exit(127);
	}
	wait_for(pid, command[0]);
	printf("%s %.0f\n", name, ns_since(&a));
	return 0;
}

int main(int argc, char **argv)
{
	struct timespec a;

	self = argv[0];
	if (argc > 3 && strcmp(argv[1], "time") == 0)
		return time_command(argv[2], argv + 3);
	snprintf(scratch, sizeof(scratch), "%s/micro-file", argc > 3 ? argv[3] : "/tmp");
	for (size_t i = 0; argc >= 2 && i < sizeof(works) / sizeof(works[0]); i++) {
		if (strcmp(argv[1], "list") == 0) {
			printf("%s %ld\n", works[i].name, works[i].usual);
			continue;
		}
		if (strcmp(works[i].name, argv[1]))
			continue;
		long n = argc > 2 ? atol(argv[2]) : works[i].usual;

		clock_gettime(CLOCK_MONOTONIC, &a);
		works[i].fn(n);
		double ns = ns_since(&a);

		if (n)
			printf("%s %.1f\n", argv[1], ns / (double)n);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "list") == 0)
		return 0;
	fprintf(stderr, "usage: micro NAME [COUNT [DIR]] | micro time NAME COMMAND… | micro list\n");
	return 2;
}
