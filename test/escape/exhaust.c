/*
 * Takes one kind of resource without end, in a child, and then looks whether its world still works.
 *
 * exhaust KIND: the child takes until something refuses (an errno, or a signal that kills it)
 * or until it has taken far more than any limit should give. The parent, process 1 of the container,
 * then forks, writes a pipe and a file. It exits with 0 if that works. Run by exhaust.sh, which watches the host meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char block[65536];

/* Ends the child: refused as it should be, after `taken` of them. */
static void refused(const char *what, long taken)
{
	fprintf(stderr, "exhaust: %s: %s after %ld\n", what, strerror(errno), taken);
	_exit(taken > 0 || errno == EPERM || errno == ENOSYS || errno == EACCES ? 0 : 1);
}

/* It could go on for ever. */
static void endless(const char *what)
{
	fprintf(stderr, "exhaust: %s: no end\n", what);
	_exit(2);
}

static void take_memory(void)
{
	for (long i = 0; i < 4096; i++) {
		char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			refused("mmap", i);
		memset(p, 1, 1 << 20);
	}
	endless("memory");
}

static void take_mappings(void)
{
	char *p = mmap(NULL, 2 << 12, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	(void)p;
	for (long i = 0; i < 10000000; i++)
		if (mmap(NULL, 4096, i & 1 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
			refused("mappings", i);
	endless("mappings");
}

static void take_processes(void)
{
	for (long i = 0; i < 1000000; i++) {
		pid_t pid = fork();
		if (pid < 0)
			refused("fork", i);
		if (pid == 0) {
			pause();
			_exit(0);
		}
	}
	endless("fork");
}

static void *sleeper(void *arg)
{
	pause();
	return arg;
}

static void take_threads(void)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 16384);
	for (long i = 0; i < 1000000; i++) {
		pthread_t thread;
		errno = pthread_create(&thread, &attr, sleeper, NULL);
		if (errno)
			refused("threads", i);
	}
	endless("threads");
}

static void raise_files(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void take_files(void)
{
	raise_files();
	for (long i = 0; i < 10000000; i++)
		if (open("/", O_RDONLY) < 0)
			refused("open", i);
	endless("open");
}

static void take_pipes(void)
{
	int pair[2];

	raise_files();
	for (long i = 0; i < 1000000; i++) {
		if (pipe(pair) < 0)
			refused("pipe", i);
		fcntl(pair[1], F_SETPIPE_SZ, 1 << 20);
		fcntl(pair[1], F_SETFL, O_NONBLOCK);
		while (write(pair[1], block, sizeof(block)) > 0)
			;
	}
	endless("pipe");
}

static void take_socket_buffers(void)
{
	int pair[2], size = 1 << 30;

	raise_files();
	for (long i = 0; i < 1000000; i++) {
		if (socketpair(AF_UNIX, i & 1 ? SOCK_DGRAM : SOCK_STREAM, 0, pair) < 0)
			refused("socketpair", i);
		setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		while (send(pair[0], block, 16384, MSG_DONTWAIT) > 0)
			;
	}
	endless("socketpair");
}

/* Sockets in flight inside sockets: descriptors that no process holds. */
static void take_descriptors_in_flight(void)
{
	int pair[2], other[2];
	char byte = 0;
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control = {.head = {.cmsg_len = CMSG_LEN(2 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
	struct iovec iov = {&byte, 1};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		refused("socketpair", 0);
	for (long i = 0; i < 300000; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, other) < 0)
			refused("descriptors in flight", i);
		memcpy(CMSG_DATA(&control.head), pair, sizeof(pair));
		if (sendmsg(other[0], &message, MSG_DONTWAIT) < 0)
			refused("descriptors in flight", i);
		close(pair[0]);
		close(pair[1]);
		memcpy(pair, other, sizeof(pair));
	}
	_exit(0); /* Linux collects them: that is an end too */
}

static void take_epolls(void)
{
	int last = epoll_create1(0);

	raise_files();
	for (long i = 0; i < 1000000; i++) {
		struct epoll_event event = {.events = EPOLLIN};
		int next = epoll_create1(0), other = eventfd(0, 0);
		if (next < 0 || other < 0)
			refused("epoll", i);
		epoll_ctl(next, EPOLL_CTL_ADD, other, &event);
		epoll_ctl(next, EPOLL_CTL_ADD, last, &event); /* deep nests: ELOOP */
		last = next;
	}
	endless("epoll");
}

static void take_watches(void)
{
	char name[64];

	raise_files();
	for (int j = 0; j < 512; j++) {
		snprintf(name, sizeof(name), "/tmp/w%d", j);
		close(open(name, O_CREAT | O_WRONLY, 0600));
	}
	for (long i = 0; i < 1000000; i++) {
		int fd = inotify_init1(IN_NONBLOCK);
		if (fd < 0)
			refused("inotify", i);
		for (int j = 0; j < 512; j++) {
			snprintf(name, sizeof(name), "/tmp/w%d", j);
			if (inotify_add_watch(fd, name, IN_ALL_EVENTS) < 0)
				refused("inotify_add_watch", i);
		}
	}
	endless("inotify");
}

/* Events that nobody reads. */
static void take_events(void)
{
	int fd = inotify_init1(IN_NONBLOCK);
	char name[256];

	if (fd < 0 || inotify_add_watch(fd, "/tmp", IN_ALL_EVENTS) < 0)
		refused("inotify", 0);
	for (long i = 0; i < 60000; i++) {
		snprintf(name, sizeof(name), "/tmp/%0200ld", i % 100);
		close(open(name, O_CREAT | O_WRONLY, 0600));
	}
	_exit(0); /* a full queue drops them */
}

static void take_timers(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_NONE};
	struct itimerspec spec = {{0, 1000}, {0, 1000}};
	timer_t timer;

	for (long i = 0; i < 3000000; i++) {
		if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
			refused("timer_create", i);
		if (i < 1000)
			timer_settime(timer, 0, &spec, NULL);
	}
	endless("timer_create");
}

static void take_signals(void)
{
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (long i = 0; i < 5000000; i++)
		if (sigqueue(getpid(), SIGRTMIN, (union sigval){0}) < 0)
			refused("sigqueue", i);
	endless("sigqueue");
}

static void take_links(void)
{
	char name[64];

	mkdir("/tmp/loop", 0755);
	if (symlink("b", "/tmp/loop/a") || symlink("a", "/tmp/loop/b") || open("/tmp/loop/a", O_RDONLY) >= 0 || errno != ELOOP)
		endless("a loop of links");
	if (symlink("/tmp/loop/c0", "/tmp/loop/d"))
		endless("symlink");
	for (int i = 0; i < 100; i++) {
		char target[64];
		snprintf(name, sizeof(name), "/tmp/loop/c%d", i);
		snprintf(target, sizeof(target), "c%d/../c%d", i + 1, i + 1);
		symlink(target, name);
	}
	if (open("/tmp/loop/d", O_RDONLY) >= 0)
		endless("a tree of links");
	_exit(0);
}

static void take_depth(void)
{
	if (mkdir("/tmp/deep", 0755) || chdir("/tmp/deep"))
		refused("mkdir", 0);
	for (long i = 0; i < 200000; i++)
		if (mkdir("d", 0755) || chdir("d"))
			refused("depth", i);
	static char path[8192];
	if (getcwd(path, sizeof(path)) && strlen(path) > 4096)
		endless("getcwd");
	/* And the way back, by name. */
	for (long i = 0; i < 1000; i++)
		if (chdir("../.."))
			refused("chdir", i + 1);
	_exit(0);
}

static void fill(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0600);

	if (fd < 0)
		refused(name, 0);
	for (long i = 0; i < 1 << 17; i++)
		if (write(fd, block, sizeof(block)) <= 0)
			refused(name, i);
	endless(name);
}

static void take_tmpfs(void)
{
	fill("/tmp/big");
}

static void take_memfd(void)
{
	int fd = memfd_create("big", 0);

	for (long i = 0; i < 1 << 17; i++)
		if (write(fd, block, sizeof(block)) <= 0)
			refused("memfd", i);
	endless("memfd");
}

static void take_inodes(void)
{
	char name[64];

	for (long i = 0; i < 5000000; i++) {
		snprintf(name, sizeof(name), "/tmp/%ld", i);
		int fd = open(name, O_CREAT | O_WRONLY, 0600);
		if (fd < 0)
			refused("inodes", i);
		close(fd);
	}
	endless("inodes");
}

static void take_shm(void)
{
	for (long i = 0; i < 100000; i++) {
		int id = shmget(IPC_PRIVATE, 1 << 20, 0600);
		char *at = id < 0 ? (char *)-1 : shmat(id, NULL, 0);
		if (at == (char *)-1)
			refused("shmget", i);
		memset(at, 1, 1 << 20);
		shmdt(at);
	}
	endless("shmget");
}

static void take_arguments(void)
{
	static char *words[70000];

	memset(block, 'x', sizeof(block) - 1);
	for (int i = 0; i < 69999; i++)
		words[i] = block;
	execv("/proc/self/exe", words);
	refused("arguments", 1);
}

static void take_locks(void)
{
	int fd = open("/tmp/locked", O_CREAT | O_RDWR, 0600);

	for (long i = 0; i < 3000000; i++) {
		struct flock lock = {.l_type = F_WRLCK, .l_start = 2 * i, .l_len = 1};
		if (fcntl(fd, F_SETLK, &lock) < 0)
			refused("locks", i);
		if (i > 20000)
			_exit(0); /* Linux has no limit but memory; a list this long must not stop others */
	}
	endless("locks");
}

static int still_works(void);

/* Each process stays within its limits, and keeps what it has. The kernel's memory is the container's, too. */
static void take_by_many(void)
{
	pid_t pids[24];
	int status, count = sizeof(pids) / sizeof(pids[0]);

	for (int i = 0; i < count; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			int pair[2], size = 1 << 30;

			raise_files();
			while (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) {
				setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
				while (send(pair[0], block, 16384, MSG_DONTWAIT) > 0)
					;
			}
			pause();
		}
	}
	sleep(4);
	status = still_works();
	for (int i = 0; i < count; i++)
		kill(pids[i], SIGKILL);
	_exit(status);
}

/* Page tables, and of the host's memory what shows them: no process has more than a few pages. */
static void take_by_looking(void)
{
	for (int i = 0; i < 24; i++)
		if (fork() == 0) {
			char *p = mmap(NULL, 1ul << 44, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

			while (p != MAP_FAILED) {
				(void)*(volatile char *)p;
				p += 2 << 20;
			}
			_exit(0);
		}
	sleep(6);
	_exit(0);
}

static void take_cpu(void)
{
	for (int i = 0; i < 8; i++)
		if (fork() == 0)
			for (;;)
				;
	sleep(1);
	_exit(0);
}

static const struct {
	const char *name;
	void (*take)(void);
} kinds[] = {{"memory", take_memory}, {"mappings", take_mappings}, {"processes", take_processes}, {"threads", take_threads},
	{"files", take_files}, {"pipes", take_pipes}, {"socket-buffers", take_socket_buffers},
	{"descriptors-in-flight", take_descriptors_in_flight}, {"epolls", take_epolls}, {"watches", take_watches},
	{"events", take_events}, {"timers", take_timers}, {"signals", take_signals}, {"links", take_links}, {"depth", take_depth},
	{"tmpfs", take_tmpfs}, {"memfd", take_memfd}, {"inodes", take_inodes}, {"shm", take_shm}, {"arguments", take_arguments},
	{"locks", take_locks}, {"by-many", take_by_many}, {"by-looking", take_by_looking}, {"cpu", take_cpu}};

static int still_works(void)
{
	int pair[2], status;
	char byte = 'x';
	pid_t pid;

	if (pipe(pair) || write(pair[1], &byte, 1) != 1 || read(pair[0], &byte, 1) != 1)
		return 3;
	for (int i = 0; i < 200; i++) { /* what was killed may take a moment to give its memory back */
		pid = fork();
		if (pid >= 0)
			break;
		usleep(10000);
	}
	if (pid == 0)
		_exit(7);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 7)
		return 4;
	return 0;
}

int main(int argc, char **argv)
{
	int status;
	pid_t pid;

	for (size_t i = 0; argc == 2 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].name, argv[1]))
			continue;
		pid = fork();
		if (pid == 0) {
			setpgid(0, 0);
			kinds[i].take();
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return 5;
		kill(-pid, SIGKILL);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGBUS)
			return 6;
		if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
			return 20 + WEXITSTATUS(status);
		return still_works();
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		puts(kinds[i].name);
	return 0;
}
