/*
 * proc and sysfs: that the files which programs read are there, and say what other calls say.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "harness.h"

static char text[1 << 16];

static int slurp(const char *name)
{
	int fd = open(name, O_RDONLY), got = 0;
	ssize_t n;

	if (fd < 0)
		return -1;
	while (got < (int)sizeof(text) - 1 && (n = read(fd, text + got, sizeof(text) - 1 - (size_t)got)) > 0)
		got += (int)n;
	text[got] = '\0';
	close(fd);
	return got;
}

static void self(void)
{
	char link[PATH_MAX], cwd[PATH_MAX], name[64];
	int pid, ppid, pgid, sid;
	char comm[64], state;
	ssize_t n;

	CHECK((n = readlink("/proc/self", link, sizeof(link))) > 0 && (link[n] = 0, atoi(link)) == getpid());
	prctl(PR_SET_NAME, "a (test) x");
	CHECK(slurp("/proc/self/stat") > 0);
	CHECK(sscanf(text, "%d (a (test) x) %c %d %d %d", &pid, &state, &ppid, &pgid, &sid) == 5);
	CHECK(pid == getpid() && ppid == getppid() && pgid == getpgrp() && sid == getsid(0) && state == 'R');
	int fields = 0;
	for (char *p = strrchr(text, ')'); (p = strchr(p, ' ')); p++)
		fields++;
	CHECK(fields == 50);
	CHECK(slurp("/proc/self/comm") > 0 && !strcmp(text, "a (test) x\n"));
	int comm_fd = open("/proc/self/comm", O_WRONLY | O_TRUNC);
	CHECK(comm_fd >= 0 && close(comm_fd) == 0);
	CHECK(slurp("/proc/self/status") > 0 && strstr(text, "\nThreads:\t1\n") && strstr(text, "\nVmRSS:\t"));
	CHECK(slurp("/proc/self/cmdline") > 0 && strlen(text) > 0);
	CHECK(slurp("/proc/self/statm") > 0);
	CHECK((n = readlink("/proc/self/cwd", link, sizeof(link))) > 0);
	link[n] = 0;
	CHECK(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, link));
	CHECK((n = readlink("/proc/self/exe", link, sizeof(link))) > 0 && link[0] == '/');
	CHECK(readlink("/proc/self/root", link, sizeof(link)) == 1 && link[0] == '/');
	snprintf(name, sizeof(name), "/proc/%d/fd/0", getpid());
	CHECK(readlink(name, comm, sizeof(comm)) > 0);
	CHECK(slurp("/proc/self/environ") >= 0 && slurp("/proc/self/auxv") >= 32 && slurp("/proc/self/limits") > 0);
	CHECK(slurp("/proc/self/io") > 0 && slurp("/proc/self/cgroup") > 0 && slurp("/proc/self/oom_score_adj") > 0);
	CHECK_ERRNO(open("/proc/self/nothing", O_RDONLY), ENOENT);
	CHECK_ERRNO(open("/proc/99999999", O_RDONLY), ENOENT);
}

static void maps(void)
{
	char want[64];
	void *p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *q = mmap((char *)p + 8192, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	(void)q;
	snprintf(want, sizeof(want), "-%lx", (unsigned long)p + 8192);
	CHECK(slurp("/proc/self/maps") > 0 && strstr(text, "[stack]") && strstr(text, "r-xp"));
	CHECK(strstr(text, "[heap]") || sbrk(0) != NULL);
	CHECK(slurp("/proc/self/smaps") > 0 && strstr(text, "\nRss: "));
	int fd = open("/proc/self/mem", O_RDWR), value = 5, got = 0;
	CHECK(fd >= 0 && pread(fd, &got, sizeof(got), (off_t)(uintptr_t)&value) == sizeof(got) && got == 5);
	got = 6;
	CHECK(pwrite(fd, &got, sizeof(got), (off_t)(uintptr_t)&value) == sizeof(got) && *(volatile int *)&value == 6);
	CHECK_ERRNO(pread(fd, &got, sizeof(got), 64), EIO);
	close(fd);
}

static int count_entries(const char *name, const char *want, int *found)
{
	DIR *d = opendir(name);
	struct dirent *e;
	int n = 0;

	*found = 0;
	if (!d)
		return -1;
	while ((e = readdir(d))) {
		n += e->d_name[0] != '.';
		*found |= !strcmp(e->d_name, want);
	}
	closedir(d);
	return n;
}

static void *hold(void *arg)
{
	pthread_mutex_lock(arg);
	pthread_mutex_unlock(arg);
	return NULL;
}

static void directories(void)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_t t[3];
	char name[64], me[16];
	int found, fds[2];
	struct stat st;

	snprintf(me, sizeof(me), "%d", getpid());
	CHECK(count_entries("/proc", me, &found) > 5 && found);
	pthread_mutex_lock(&mutex);
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, hold, &mutex);
	CHECK(count_entries("/proc/self/task", me, &found) == 4 && found);
	pthread_mutex_unlock(&mutex);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	CHECK(pipe(fds) == 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fds[0]);
	CHECK(lstat(name, &st) == 0 && S_ISLNK(st.st_mode) && stat(name, &st) == 0 && S_ISFIFO(st.st_mode));
	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fds[0]);
	CHECK(slurp(name) > 0 && !strncmp(text, "pos:\t0\nflags:\t", 14));
	close(fds[0]);
	close(fds[1]);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fds[0]);
	CHECK_ERRNO(lstat(name, &st), ENOENT);
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	CHECK(!waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT));
	CHECK(slurp(name) > 0 && strstr(text, ") Z "));
	waitpid(pid, NULL, 0);
	CHECK_ERRNO(open(name, O_RDONLY), ENOENT);
}

/* Is a connected unix socket of this type in the list, under this inode number? */
static int unix_listed(unsigned type, ino_t ino)
{
	unsigned t, state;
	unsigned long n;

	if (slurp("/proc/self/net/unix") <= 0)
		return 0;
	for (char *line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n'))
		if (sscanf(line + 1, "%*[^:]: %*x %*x %*x %x %x %lu", &t, &state, &n) == 3 && n == ino)
			return t == type && state == 3;
	return 0;
}

static void unix_sockets(void)
{
	int fds[2];
	struct stat st;

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) == 0);
	for (int i = 0; i < 2; i++)
		CHECK(fstat(fds[i], &st) == 0 && st.st_ino && unix_listed(SOCK_SEQPACKET, st.st_ino));
	close(fds[0]);
	close(fds[1]);
}

static void system_wide(void)
{
	static const char *const files[] = {
		"/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/uptime", "/proc/loadavg", "/proc/version",
		"/proc/filesystems", "/proc/mounts", "/proc/self/mountinfo", "/proc/vmstat", "/proc/swaps", "/proc/cmdline",
		"/proc/sys/kernel/pid_max", "/proc/sys/kernel/random/boot_id", "/proc/sys/vm/overcommit_memory",
		"/proc/sys/vm/max_map_count", "/proc/sys/fs/file-max", "/proc/sys/fs/nr_open", "/proc/sys/kernel/cap_last_cap",
		"/proc/sys/kernel/ngroups_max", "/proc/sys/net/core/somaxconn", "/proc/self/net/unix",
		"/proc/sys/net/ipv4/tcp_sack", "/proc/sys/net/ipv4/tcp_rmem", "/proc/sys/net/ipv4/conf/all/rp_filter",
		"/proc/sys/net/ipv4/tcp_syncookies", "/proc/sys/net/ipv6/conf/all/disable_ipv6",
		"/sys/devices/system/cpu/online", "/sys/devices/system/cpu/possible",
	};
	struct utsname u;
	struct sysinfo info;
	unsigned long total;
	double up;

	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (slurp(files[i]) <= 0) {
			printf("empty or missing: %s\n", files[i]);
			harness_failures++;
		}
	uname(&u);
	sysinfo(&info);
	CHECK(slurp("/proc/sys/kernel/osrelease") > 0 && !strncmp(text, u.release, strlen(u.release)));
	CHECK(slurp("/proc/sys/kernel/hostname") > 0 && !strncmp(text, u.nodename, strlen(u.nodename)));
	CHECK(slurp("/proc/meminfo") > 0 && sscanf(text, "MemTotal: %lu kB", &total) == 1);
	CHECK(total == info.totalram * info.mem_unit / 1024);
	CHECK(slurp("/proc/uptime") > 0 && sscanf(text, "%lf", &up) == 1 && labs((long)up - info.uptime) <= 2);
	CHECK(slurp("/proc/filesystems") > 0 && strstr(text, "nodev\tproc\n") && strstr(text, "nodev\ttmpfs\n"));
	CHECK(slurp("/proc/mounts") > 0 && strstr(text, " /proc proc "));
	CHECK(slurp("/proc/cpuinfo") > 0 && strstr(text, "processor\t: 0\n"));
}

/* A descriptor of one's own memory, over an execve: it gives nothing of the new program's. */
static void memory_after_exec(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		char number[16];

		snprintf(number, sizeof(number), "%d", open("/proc/self/mem", O_RDWR));
		execl("/proc/self/exe", "procfs", "memory", number, (char *)NULL);
		_exit(1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* The program that it executes. */
static int new_memory(int fd)
{
	char value = 5, got = 0;

	if (pread(fd, &got, 1, (off_t)(uintptr_t)&value) > 0 || pwrite(fd, &got, 1, (off_t)(uintptr_t)&value) > 0)
		return 1;
	return value == 5 ? 0 : 2;
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return new_memory(atoi(argv[2]));
	harness_start();
	RUN(self);
	RUN(maps);
	RUN(directories);
	RUN(system_wide);
	RUN(unix_sockets);
	RUN(memory_after_exec);
	return CHECK_RESULT();
}
