/*
 * Namespaces: process numbers, host names, System V objects, mounts: clone(2), unshare(2), setns(2), pivot_root(2),
 * /proc/PID/ns. Without CAP_SYS_ADMIN only what is then refused is looked at.
 */
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "harness.h"

/* fork with CLONE_NEW* flags. */
static pid_t clone_with(unsigned long flags)
{
	fflush(stdout);
	return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

static int status_of(pid_t pid)
{
	int status = -1;

	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

static uint64_t ns_number(const char *name)
{
	char path[64], text[64];
	unsigned long number = 0;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	ssize_t n = readlink(path, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	sscanf(strchr(text, '[') + 1, "%lu", &number);
	struct stat st;
	CHECK(stat(path, &st) == 0 && st.st_ino == number);
	return number;
}

static void links(void)
{
	static const char *const names[] = {"ipc", "mnt", "pid", "pid_for_children", "uts"};

	for (unsigned i = 0; i < 5; i++)
		CHECK(ns_number(names[i]) != 0);
	CHECK(ns_number("pid") == ns_number("pid_for_children"));
	int fd = open("/proc/self/ns/uts", O_RDONLY);
	CHECK(fd >= 0);
	CHECK(ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWUTS);
	char c;
	CHECK_ERRNO(read(fd, &c, 1), EINVAL);
	CHECK_ERRNO(ioctl(fd, NS_GET_PARENT), EINVAL);
	CHECK_ERRNO(ioctl(fd, NS_GET_OWNER_UID, &c), EINVAL);
	int owner = ioctl(fd, NS_GET_USERNS);
	CHECK(owner >= 0);
	CHECK(ioctl(owner, NS_GET_NSTYPE) == CLONE_NEWUSER);
	close(owner);
	struct rlimit limit, none = {0, 0};
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	none.rlim_max = limit.rlim_max;
	for (unsigned i = 0; i < 100; i++) { /* nothing of what could not be opened is let go twice */
		CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
		CHECK_ERRNO(ioctl(fd, NS_GET_USERNS), EMFILE);
		CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
		owner = ioctl(fd, NS_GET_USERNS);
		CHECK(owner >= 0 && close(owner) == 0);
	}
	close(fd);
	fd = open("/proc/self/ns/pid", O_RDONLY);
	CHECK_ERRNO(ioctl(fd, NS_GET_PARENT), EPERM);
	close(fd);
}

static void refused_to_all(void)
{
	int fd = open("/dev/null", O_RDONLY);

	CHECK_ERRNO(unshare(0x1), EINVAL);
	CHECK_ERRNO(setns(-1, 0), EBADF);
	CHECK_ERRNO(setns(fd, 0), EINVAL);
	CHECK_ERRNO(clone_with(CLONE_NEWNS | CLONE_FS), EINVAL);
	CHECK_ERRNO(clone_with(CLONE_NEWPID | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM), EINVAL);
	close(fd);
}

static void refused_to_users(void)
{
	int fd = open("/proc/self/ns/uts", O_RDONLY);

	CHECK_ERRNO(unshare(CLONE_NEWUTS), EPERM);
	CHECK_ERRNO(unshare(CLONE_NEWNS), EPERM);
	CHECK_ERRNO(unshare(CLONE_NEWIPC), EPERM);
	CHECK_ERRNO(clone_with(CLONE_NEWPID), EPERM);
	CHECK_ERRNO(setns(fd, CLONE_NEWUTS), EPERM);
	CHECK_ERRNO(setns(fd, CLONE_NEWPID), EINVAL);
	CHECK_ERRNO(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), EPERM);
	CHECK_ERRNO(syscall(SYS_pivot_root, ".", "."), EPERM);
	close(fd);
}

static void host_names(void)
{
	struct utsname name, after;
	int old = open("/proc/self/ns/uts", O_RDONLY);
	uint64_t number = ns_number("uts");

	CHECK(uname(&name) == 0);
	CHECK(unshare(CLONE_NEWUTS) == 0);
	CHECK(ns_number("uts") != number);
	CHECK(uname(&after) == 0 && strcmp(after.nodename, name.nodename) == 0);
	CHECK(sethostname("inside", 6) == 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(uname(&after) || strcmp(after.nodename, "inside"));
	CHECK(status_of(pid) == 0);
	CHECK_ERRNO(setns(old, CLONE_NEWPID), EINVAL);
	CHECK(setns(old, CLONE_NEWUTS) == 0);
	CHECK(ns_number("uts") == number);
	CHECK(uname(&after) == 0 && strcmp(after.nodename, name.nodename) == 0);
}

static void system_v(void)
{
	int old = open("/proc/self/ns/ipc", O_RDONLY);
	int id = shmget(4711, 4096, IPC_CREAT | 0600);

	CHECK(id >= 0);
	CHECK(unshare(CLONE_NEWIPC) == 0);
	CHECK_ERRNO(shmget(4711, 4096, 0600), ENOENT);
	int inside = shmget(4711, 8192, IPC_CREAT | IPC_EXCL | 0600);
	CHECK(inside >= 0);
	CHECK(setns(old, 0) == 0);
	CHECK(shmget(4711, 0, 0600) == id);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
}

/* The first process of a pid namespace: tells what it sees by its exit status. */
static int first_process(void)
{
	if (getpid() != 1 || getppid() != 0 || syscall(SYS_gettid) != 1)
		return 10;
	pid_t child = fork();
	if (child == 0)
		_exit(getpid() == 2 && getppid() == 1 ? 7 : 11);
	if (child != 2)
		return 12;
	int status;
	if (waitpid(-1, &status, 0) != 2 || status != 7 << 8)
		return 13;
	if (kill(2, 0) != -1 || errno != ESRCH)
		return 14;
	/* An orphan comes to us. */
	if (fork() == 0) {
		if (fork() == 0) {
			while (getppid() != 1)
				sleep_ms(1);
			_exit(9);
		}
		_exit(8);
	}
	if (waitpid(3, &status, 0) != 3 || status != 8 << 8)
		return 15;
	if (waitpid(-1, &status, 0) != 4 || status != 9 << 8)
		return 16;
	/* What it does not handle does not reach it from inside. */
	kill(1, SIGTERM);
	kill(1, SIGKILL);
	if (setsid() != 1 || getpgid(0) != 1 || getsid(0) != 1)
		return 17;
	return 42;
}

static void process_numbers(void)
{
	pid_t pid = clone_with(CLONE_NEWPID);

	if (pid == 0)
		_exit(first_process());
	CHECK(pid > 1);
	CHECK(status_of(pid) == 42 << 8);
}

static void end_of_a_namespace(void)
{
	int ends[2];
	char c;

	CHECK(pipe(ends) == 0);
	pid_t pid = clone_with(CLONE_NEWPID);
	if (pid == 0) {
		for (int i = 0; i < 5; i++) {
			if (fork() == 0) {
				signal(SIGTERM, SIG_IGN);
				if (fork() == 0)
					setsid();
				for (;;)
					pause();
			}
		}
		close(ends[0]);
		if (write(ends[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	close(ends[1]);
	CHECK(read(ends[0], &c, 1) == 1);
	CHECK(kill(pid, SIGTERM) == 0); /* without a handler: ignored */
	sleep_ms(20);
	CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	CHECK(kill(pid, SIGKILL) == 0);
	CHECK(status_of(pid) == SIGKILL);
	CHECK(read(ends[0], &c, 1) == 0); /* nobody is left who holds it */
}

/* reboot(2) ends the namespace; its first process as if by a signal. Only ever called inside a namespace of its own. */
static int reboots(int first, unsigned command)
{
	int ends[2];
	char c;

	CHECK(pipe(ends) == 0);
	pid_t pid = clone_with(CLONE_NEWPID);
	if (pid == 0) {
		signal(SIGHUP, SIG_IGN);
		if (getpid() != 1)
			_exit(1);
		if (fork() == 0) { /* goes with it */
			for (;;)
				pause();
		}
		if (syscall(SYS_reboot, 0xfee1dead, 672274793, 0 /* not a command here */, NULL) != -1 || errno != EINVAL ||
			syscall(SYS_reboot, 1, 672274793, command, NULL) != -1 || errno != EINVAL)
			_exit(2);
		if (first || fork() == 0)
			syscall(SYS_reboot, 0xfee1dead, 672274793, command, NULL);
		for (;;)
			pause();
	}
	close(ends[1]);
	CHECK(read(ends[0], &c, 1) == 0); /* nobody is left who holds it */
	close(ends[0]);
	return status_of(pid);
}

static void reboot_ends_a_namespace(void)
{
	CHECK(reboots(1, 0x01234567) == SIGHUP);
	CHECK(reboots(0, 0x01234567) == SIGHUP);
	CHECK(reboots(1, 0x4321fedc) == SIGINT);
	CHECK(reboots(0, 0xcdef0123) == SIGINT);
}

static void unshared_numbers(void)
{
	uint64_t own = ns_number("pid");
	int status;

	CHECK(unshare(CLONE_NEWPID) == 0);
	CHECK(ns_number("pid") == own);
	CHECK_ERRNO(unshare(CLONE_NEWPID), EINVAL);
	pid_t first = fork();
	if (first == 0) {
		if (getpid() != 1)
			_exit(1);
		pause();
	}
	CHECK(ns_number("pid_for_children") != own);
	pid_t second = fork();
	if (second == 0)
		_exit(getpid() == 2 && getppid() == 0 ? 5 : 6);
	CHECK(waitpid(second, &status, 0) == second && status == 5 << 8);
	CHECK(kill(first, SIGKILL) == 0);
	CHECK(status_of(first) == SIGKILL);
	CHECK_ERRNO(fork(), ENOMEM); /* its first process has ended */
	int pidfd = -1, next = dup(0); /* what is not begun leaves no descriptor either */
	close(next);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &pidfd, 0, 0), ENOMEM);
	CHECK(dup(0) == next);
}

static volatile sig_atomic_t sender = -1;

static void on_signal(int signo, siginfo_t *info, void *context)
{
	sender = info->si_pid;
}

static void senders(void)
{
	int ready[2];
	char c;

	CHECK(pipe(ready) == 0);
	pid_t pid = clone_with(CLONE_NEWPID);
	if (pid == 0) {
		struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};

		sigaction(SIGUSR1, &action, NULL);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		for (int i = 0; i < 2000 && sender == -1; i++)
			sleep_ms(1);
		_exit(sender == 0 ? 3 : 4); /* from outside: nobody that it sees */
	}
	CHECK(read(ready[0], &c, 1) == 1);
	CHECK(kill(pid, SIGUSR1) == 0);
	CHECK(status_of(pid) == 3 << 8);
}

static void proc_of_a_namespace(void)
{
	char text[64], dir[] = "/tmp/proc-XXXXXX", path[96];
	int mounted = 0;

	CHECK(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/self", dir);
	pid_t pid = clone_with(CLONE_NEWPID | CLONE_NEWNS);
	if (pid == 0) {
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
		if (mount("proc", dir, "proc", 0, NULL))
			_exit(2);
		mounted = 1;
		ssize_t n = readlink(path, text, sizeof(text) - 1);
		if (n != 1 || text[0] != '1')
			_exit(3);
		snprintf(path, sizeof(path), "%s/2", dir);
		if (access(path, F_OK) == 0)
			_exit(4);
		pid_t child = fork();
		if (child == 0)
			_exit(access(path, F_OK) ? 5 : 0);
		int status;
		_exit(waitpid(child, &status, 0) == 2 && status == 0 ? 0 : 6);
	}
	CHECK(status_of(pid) == 0);
	CHECK(access(path, F_OK) == -1); /* it was mounted there, not here */
	CHECK(mounted == 0 && rmdir(dir) == 0);
}

static void mounts_apart(void)
{
	char dir[] = "/tmp/mnt-XXXXXX", file[64];
	int old = open("/proc/self/ns/mnt", O_RDONLY);

	CHECK(mkdtemp(dir) != NULL);
	snprintf(file, sizeof(file), "%s/file", dir);
	CHECK(unshare(CLONE_NEWNS) == 0);
	CHECK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(mount("tmpfs", dir, "tmpfs", 0, NULL) == 0);
	CHECK(close(open(file, O_CREAT | O_WRONLY, 0600)) == 0);
	CHECK(access(file, F_OK) == 0);
	CHECK(setns(old, CLONE_NEWNS) == 0);
	CHECK_ERRNO(access(file, F_OK), ENOENT);
	CHECK(rmdir(dir) == 0 || errno == EBUSY);
}

static void pivot(void)
{
	char dir[] = "/tmp/root-XXXXXX", put_old[64], cwd[64];

	CHECK(mkdtemp(dir) != NULL);
	CHECK(unshare(CLONE_NEWNS) == 0);
	CHECK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	snprintf(put_old, sizeof(put_old), "%s/old", dir);
	CHECK_ERRNO(syscall(SYS_pivot_root, dir, dir), EBUSY == errno ? EBUSY : EINVAL);
	CHECK(mount("tmpfs", dir, "tmpfs", 0, NULL) == 0);
	CHECK(mkdir(put_old, 0700) == 0);
	CHECK_ERRNO(syscall(SYS_pivot_root, dir, "/proc"), EINVAL);
	CHECK(syscall(SYS_pivot_root, dir, put_old) == 0);
	CHECK(chdir("/") == 0 && getcwd(cwd, sizeof(cwd)) && strcmp(cwd, "/") == 0);
	CHECK(access("/old/proc", F_OK) == 0);
	CHECK_ERRNO(access("/proc", F_OK), ENOENT);
	CHECK(umount2("/old", MNT_DETACH) == 0);
	CHECK(rmdir("/old") == 0);
	CHECK(mkdir("/new", 0700) == 0);
}

static void by_pidfd(void)
{
	struct utsname name;
	int ready[2];
	char c;

	CHECK(pipe(ready) == 0);
	pid_t pid = clone_with(CLONE_NEWUTS | CLONE_NEWPID);
	if (pid == 0) {
		if (sethostname("other", 5) || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	CHECK(read(ready[0], &c, 1) == 1);
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	CHECK(fd >= 0);
	CHECK_ERRNO(setns(fd, 0), EINVAL);
	CHECK(setns(fd, CLONE_NEWUTS | CLONE_NEWPID) == 0);
	CHECK(uname(&name) == 0 && strcmp(name.nodename, "other") == 0);
	pid_t child = fork();
	if (child == 0)
		_exit(getpid() == 2 && getppid() == 0 ? 0 : 1);
	CHECK(status_of(child) == 0);
	CHECK(kill(pid, SIGKILL) == 0);
	CHECK(status_of(pid) == SIGKILL);
}

int main(void)
{
	harness_start();
	RUN(links);
	RUN(refused_to_all);
	int privileged = unshare(CLONE_NEWUTS) == 0;
	if (!privileged) {
		RUN(refused_to_users);
		return CHECK_RESULT();
	}
	CHECK_ERRNO(clone_with(CLONE_NEWIPC | CLONE_SYSVSEM), EINVAL);
	ISOLATED(host_names);
	ISOLATED(system_v);
	ISOLATED(process_numbers);
	ISOLATED(end_of_a_namespace);
	ISOLATED(reboot_ends_a_namespace);
	ISOLATED(unshared_numbers);
	ISOLATED(senders);
	ISOLATED(proc_of_a_namespace);
	ISOLATED(mounts_apart);
	ISOLATED(pivot);
	ISOLATED(by_pidfd);
	return CHECK_RESULT();
}
