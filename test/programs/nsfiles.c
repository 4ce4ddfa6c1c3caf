/*
 * Namespaces as files: mounted on a file they outlive their members (`ip netns add`), are entered by that file, and tell
 * their kind, parent and owner. Time namespaces (time_namespaces(7)): offsets, who may write them, clocks by vDSO and by call.
 */
#include <linux/nsfs.h>
#include <sched.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <signal.h>

#include "workdir.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static long write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	long rc = fd >= 0 ? write(fd, text, strlen(text)) : -1;
	int error = errno;

	if (fd >= 0)
		close(fd);
	errno = error;
	return rc < 0 ? -1 : 0;
}

static ino_t number_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_ino : 0;
}

static void part_net_maker(void)
{
	CHECK(unshare(CLONE_NEWNET) == 0);
	CHECK(mount("/proc/self/ns/net", "net", NULL, MS_BIND, NULL) == 0);
}

static void part_net_member(void)
{
	char line[512], root[64] = "";
	int fd = open("net", O_RDONLY), found = 0;
	FILE *file;

	CHECK(fd >= 0 && setns(fd, CLONE_NEWNET) == 0);
	CHECK(number_of("net") == number_of("/proc/self/ns/net") && ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET);
	CHECK_ERRNO(setns(fd, CLONE_NEWUTS), EINVAL);
	close(fd);
	file = fopen("/proc/self/mountinfo", "r");
	while (file && fgets(line, sizeof(line), file)) {
		if (strstr(line, "/net rw - nsfs nsfs rw") && strstr(line, workdir_path))
			found += sscanf(line, "%*s %*s %*s %63s", root) == 1 && !strncmp(root, "net:[", 5);
	}
	fclose(file);
	CHECK(found == 1);
}

/* Settings of a network namespace are its own, and its owner's to change. */
static void part_settings(void)
{
	const char *range = "/proc/sys/net/ipv4/ping_group_range", *port = "/proc/sys/net/ipv4/ip_unprivileged_port_start";

	CHECK(setgid(12345) == 0 && setuid(12345) == 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0);
	CHECK(prctl(PR_SET_DUMPABLE, 1) == 0 && write_to("/proc/self/setgroups", "deny") == 0);
	CHECK(write_to("/proc/self/uid_map", "0 12345 1") == 0 && write_to("/proc/self/gid_map", "0 12345 1") == 0);
	CHECK(write_to(range, "0 0") == 0 && holds(range, "0\t0\n") && write_to(port, "80") == 0 && holds(port, "80\n"));
	CHECK_ERRNO(write_to(range, "5 7"), EINVAL);
	CHECK_ERRNO(write_to(port, "80000"), EINVAL);
}

static void part_settings_as_root(void)
{
	const char *port = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
	char before[32] = "";
	int fd = open(port, O_RDONLY);

	CHECK(fd >= 0 && read(fd, before, sizeof(before) - 1) > 0);
	close(fd);
	ISOLATED(part_settings);
	CHECK(holds(port, before));
	CHECK(unshare(CLONE_NEWNET) == 0 && holds(port, "1024\n") && holds("/proc/sys/net/ipv4/ping_group_range", "1\t0\n"));
	CHECK(write_to(port, "99") == 0 && holds(port, "99\n"));
}

static void test_settings(void)
{
	ISOLATED(part_settings_as_root);
}

static void test_net(void)
{
	struct statfs fs;
	ino_t own = number_of("/proc/self/ns/net");

	CHECK(put("net", "") == 0);
	ISOLATED(part_net_maker);
	CHECK(number_of("net") != own && statfs("net", &fs) == 0 && fs.f_type == 0x6e736673);
	ISOLATED(part_net_member);
	CHECK_ERRNO(mount("net", "t", NULL, MS_BIND, NULL), ENOENT);
	CHECK(mkdir("t", 0700) == 0);
	CHECK_ERRNO(mount("net", "t", NULL, MS_BIND, NULL), ENOTDIR);
	CHECK_ERRNO(unlink("net"), EBUSY);
	CHECK(umount("net") == 0 && unlink("net") == 0);
}

static void part_mnt_below(void)
{
	CHECK(unshare(CLONE_NEWNS) == 0);
	/* Younger than ours it would be, but it is ours: it would hold itself. */
	CHECK_ERRNO(mount("/proc/self/ns/mnt", "mnt", NULL, MS_BIND, NULL), EINVAL);
	CHECK(mount("/proc/self/ns/uts", "mnt", NULL, MS_BIND, NULL) == 0);
}

static void test_mnt(void)
{
	int pipes[2];
	char byte;

	CHECK(put("mnt", "") == 0);
	CHECK_ERRNO(mount("/proc/self/ns/mnt", "mnt", NULL, MS_BIND, NULL), EINVAL);
	ISOLATED(part_mnt_below);
	CHECK(pipe(pipes) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		_exit(unshare(CLONE_NEWNS) || write(pipes[1], "", 1) != 1 || pause());
	}
	CHECK(read(pipes[0], &byte, 1) == 1);
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	CHECK(mount(path, "mnt", NULL, MS_BIND, NULL) == 0 && number_of("mnt") == number_of(path));
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
	/* It is still there to be entered; a copy of our mounts leaves it out. */
	pid = fork();
	if (pid == 0) {
		int fd = open("mnt", O_RDONLY);

		_exit(unshare(CLONE_NEWNS) != 0 || number_of("mnt") == 0 || holds("mnt", "") == 0 || setns(fd, CLONE_NEWNS) != 0);
	}
	int status = -1;
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(umount("mnt") == 0);
	close(pipes[0]);
	close(pipes[1]);
}

/* Each namespace holds the next one, and all go with the first. */
static void nest(int depth)
{
	int up[2], down[2], status = -1;
	char path[64], byte;

	if (!depth)
		return;
	CHECK(pipe(up) == 0 && pipe(down) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) || write(up[1], "", 1) != 1 || read(down[0], &byte, 1) != 1)
			_exit(1);
		close(up[0]);
		close(up[1]);
		close(down[0]);
		close(down[1]);
		nest(depth - 1);
		_exit(harness_failures != 0);
	}
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	CHECK(read(up[0], &byte, 1) == 1 && mount(path, "mnt", NULL, MS_BIND, NULL) == 0);
	CHECK(write(down[1], "", 1) == 1);
	close(up[0]);
	close(up[1]);
	close(down[0]);
	close(down[1]);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void part_nested(void)
{
	CHECK(unshare(CLONE_NEWNS) == 0);
	nest(100);
}

static void test_nested(void)
{
	ISOLATED(part_nested);
}

/* ---- time ---- */

#define LATER 100000

static struct timespec began_monotonic, began_boot;

static long call_seconds(int clock)
{
	struct timespec t;

	return syscall(SYS_clock_gettime, clock, &t) == 0 ? t.tv_sec : -1;
}

static long vdso_seconds(int clock)
{
	struct timespec t;

	return clock_gettime(clock, &t) == 0 ? t.tv_sec : -1;
}

static int is_later(long seconds, long began, long by)
{
	return seconds >= began + by && seconds <= began + by + 60;
}

static void check_clocks(long monotonic, long boot)
{
	struct sysinfo info;
	double up = 0;
	FILE *file = fopen("/proc/uptime", "r");

	CHECK(is_later(call_seconds(CLOCK_MONOTONIC), began_monotonic.tv_sec, monotonic));
	CHECK(is_later(vdso_seconds(CLOCK_MONOTONIC), began_monotonic.tv_sec, monotonic));
	CHECK(is_later(vdso_seconds(CLOCK_MONOTONIC_RAW), began_monotonic.tv_sec, monotonic));
	CHECK(is_later(vdso_seconds(CLOCK_MONOTONIC_COARSE), began_monotonic.tv_sec, monotonic));
	CHECK(is_later(call_seconds(CLOCK_BOOTTIME), began_boot.tv_sec, boot));
	CHECK(is_later(vdso_seconds(CLOCK_BOOTTIME), began_boot.tv_sec, boot));
	CHECK(is_later(vdso_seconds(CLOCK_REALTIME), call_seconds(CLOCK_REALTIME), 0));
	CHECK(file && fscanf(file, "%lf", &up) == 1 && is_later((long)up, began_boot.tv_sec, boot));
	CHECK(sysinfo(&info) == 0 && is_later(info.uptime, began_boot.tv_sec, boot));
	if (file)
		fclose(file);
}

/* Absolute times are the namespace's. */
static void check_timers(void)
{
	struct itimerspec at = {.it_interval = {0, 0}};
	struct timespec until;
	timer_t timer;
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	sigset_t set;
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	uint64_t count;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += 50000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
	long long now = now_ns(CLOCK_MONOTONIC), end = until.tv_sec * 1000000000ll + until.tv_nsec;
	CHECK(now >= end && now < end + 30000000000ll);
	at.it_value = until;
	CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, NULL) == 0 && read(fd, &count, sizeof(count)) == sizeof(count) && count == 1);
	at.it_value.tv_sec += 1000;
	CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, NULL) == 0 && timerfd_gettime(fd, &at) == 0);
	CHECK(at.it_value.tv_sec > 900 && at.it_value.tv_sec <= 1000);
	close(fd);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	at.it_value = until;
	CHECK(timer_settime(timer, TIMER_ABSTIME, &at, NULL) == 0 && sigwaitinfo(&set, NULL) == SIGUSR1);
	at.it_value.tv_sec = until.tv_sec + 1000;
	CHECK(timer_settime(timer, TIMER_ABSTIME, &at, NULL) == 0 && timer_gettime(timer, &at) == 0 && at.it_value.tv_sec > 900);
	timer_delete(timer);
}

static void part_time_child(void)
{
	check_clocks(LATER, 2 * LATER);
	check_timers();
	CHECK(number_of("/proc/self/ns/time") == number_of("/proc/self/ns/time_for_children"));
	CHECK_ERRNO(write_to("/proc/self/timens_offsets", "monotonic 1 0\n"), EACCES);
	CHECK(holds("/proc/self/timens_offsets", "monotonic      100000         0\nboottime       200000         0\n"));
	/* A program started here. */
	CHECK(system("read up rest < /proc/uptime; [ ${up%.*} -ge 200000 ]") == 0);
}

static void part_time(void)
{
	int file;

	clock_gettime(CLOCK_MONOTONIC, &began_monotonic);
	clock_gettime(CLOCK_BOOTTIME, &began_boot);
	CHECK(number_of("/proc/self/ns/time") == number_of("/proc/self/ns/time_for_children"));
	CHECK(holds("/proc/self/timens_offsets", "monotonic           0         0\nboottime            0         0\n"));
	CHECK_ERRNO(write_to("/proc/self/timens_offsets", "monotonic 1 0\n"), EACCES);
	CHECK(unshare(CLONE_NEWTIME) == 0);
	CHECK(number_of("/proc/self/ns/time") != number_of("/proc/self/ns/time_for_children"));
	CHECK_ERRNO(write_to("/proc/self/timens_offsets", "monotonic -99999999 0\n"), ERANGE);
	CHECK_ERRNO(write_to("/proc/self/timens_offsets", "monotonic 9999999999 0\n"), ERANGE);
	CHECK_ERRNO(write_to("/proc/self/timens_offsets", "realtime 1 0\n"), EINVAL);
	CHECK_ERRNO(write_to("/proc/self/timens_offsets", "monotonic 1 1000000000\n"), EINVAL);
	CHECK_ERRNO(write_to("/proc/self/timens_offsets", "monotonic 1\n"), EINVAL);
	CHECK(write_to("/proc/self/timens_offsets", "monotonic 100000 0\n7 200000 0\n") == 0);
	check_clocks(0, 0);
	ISOLATED(part_time_child);
	CHECK_ERRNO(write_to("/proc/self/timens_offsets", "monotonic 1 0\n"), EACCES);
	check_clocks(0, 0);
	/* By a file of it, at once. */
	CHECK(put("time", "") == 0 && mount("/proc/self/ns/time_for_children", "time", NULL, MS_BIND, NULL) == 0);
	file = open("time", O_RDONLY);
	CHECK(ioctl(file, NS_GET_NSTYPE) == CLONE_NEWTIME && setns(file, CLONE_NEWTIME) == 0);
	check_clocks(LATER, 2 * LATER);
	close(file);
	CHECK(umount("time") == 0);
}

static char sharer_stack[65536] __attribute__((aligned(16)));
static int sharer_time, sharer_user;

/* A task whose memory, or whose signal actions too, another process has; Linux looks at both. */
static int sharer(void *flags)
{
	if ((intptr_t)flags & CLONE_SIGHAND)
		CHECK_ERRNO(unshare(CLONE_SIGHAND), EINVAL);
	else
		CHECK(unshare(CLONE_SIGHAND) == 0);
	CHECK(unshare(CLONE_THREAD) == 0);
	CHECK_ERRNO(unshare(CLONE_VM), EINVAL);
	CHECK_ERRNO(setns(sharer_time, CLONE_NEWTIME), EUSERS);
	CHECK(unshare(CLONE_NEWTIME) == 0);
	CHECK(setns(sharer_user, CLONE_NEWUSER) == 0); /* which only threads keep it from */
	return 0;
}

static int sharer_pause(void *arg)
{
	pause();
	return 0;
}

static void run_sharer(int flags)
{
	int status = -1;
	pid_t pid = clone(sharer, sharer_stack + sizeof(sharer_stack), flags | CLONE_VFORK | SIGCHLD, (void *)(intptr_t)flags);

	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

/* A file of a namespace that a child makes; the child waits in it. */
static int other_namespace(int flag, const char *name, pid_t *pid)
{
	char path[64], byte;
	int ready[2], fd;

	CHECK(pipe(ready) == 0);
	*pid = fork();
	if (*pid == 0) {
		if (unshare(flag) == 0 && write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	CHECK(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)*pid, name);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	return fd;
}

static void part_sharers(void)
{
	pid_t pids[3];

	sharer_time = other_namespace(CLONE_NEWTIME, "time_for_children", &pids[0]);
	sharer_user = other_namespace(CLONE_NEWUSER, "user", &pids[1]);
	run_sharer(CLONE_VM);
	run_sharer(CLONE_VM | CLONE_SIGHAND);
	/* And whose child has it. */
	pids[2] = clone(sharer_pause, sharer_stack + sizeof(sharer_stack), CLONE_VM | SIGCHLD, NULL);
	CHECK_ERRNO(unshare(CLONE_VM), EINVAL);
	CHECK_ERRNO(setns(sharer_time, CLONE_NEWTIME), EUSERS);
	for (int i = 0; i < 3; i++)
		CHECK(kill(pids[i], SIGKILL) == 0 && waitpid(pids[i], NULL, 0) == pids[i]);
	CHECK(unshare(CLONE_VM | CLONE_SIGHAND) == 0 && setns(sharer_time, CLONE_NEWTIME) == 0);
}

static void test_time(void)
{
	ISOLATED(part_time);
	ISOLATED(part_sharers);
}

int main(void)
{
	cpu_set_t one;

	harness_start();
	if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return SKIP;
	/* Newer kernels number namespaces by CPU, and take for older what has a lower number. */
	if (workdir_enter() || sched_getcpu() < 0)
		return 1;
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
	RUN(test_net);
	RUN(test_settings);
	RUN(test_mnt);
	RUN(test_nested);
	RUN(test_time);
	workdir_leave();
	return CHECK_RESULT();
}
