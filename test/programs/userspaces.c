/*
 * User namespaces (user_namespaces(7)): ids and their maps, capabilities in and over them, namespaces of other kinds
 * that belong to them, and what they may not undo of the mounts that they got. Runs as anybody; what only root may do is
 * left out for others.
 */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/nsfs.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "harness.h"

#define OVERFLOW 65534u

static char self[512];

/* A child with these CLONE_NEW* flags that runs part(arg) and counts its failures. Its exit status is nobody's business. */
static void in_child(unsigned long flags, void (*part)(void *arg), void *arg)
{
	int status = -1;

	fflush(stdout);
	pid_t pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		harness_failures = 0;
		part(arg);
		fflush(stdout);
		_exit(harness_failures != 0);
	}
	CHECK(pid > 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static long write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		return -1;
	long rc = write(fd, text, strlen(text));
	int error = errno;
	close(fd);
	errno = error;
	return rc < 0 ? -1 : 0;
}

static void read_from(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd >= 0 ? read(fd, text, size - 1) : 0;

	text[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

/* Maps one's own ids to these; the ids from before the namespace began are given. */
static void map_self(uid_t outside_uid, gid_t outside_gid, uid_t uid, gid_t gid)
{
	char text[64];

	CHECK(write_to("/proc/self/setgroups", "deny") == 0);
	snprintf(text, sizeof(text), "%u %u 1", gid, outside_gid);
	CHECK(write_to("/proc/self/gid_map", text) == 0);
	snprintf(text, sizeof(text), "%u %u 1", uid, outside_uid);
	CHECK(write_to("/proc/self/uid_map", text) == 0);
}

static uint64_t effective(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	CHECK(syscall(SYS_capget, &header, data) == 0);
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

static const uint64_t all_caps = (1ull << (CAP_LAST_CAP + 1)) - 1;

/* ---- ids ---- */

static void unmapped(void *arg)
{
	char text[64];
	struct stat st;

	CHECK(getuid() == OVERFLOW && geteuid() == OVERFLOW && getgid() == OVERFLOW && getegid() == OVERFLOW);
	CHECK(effective() == all_caps);
	read_from("/proc/self/uid_map", text, sizeof(text));
	CHECK(!*text);
	read_from("/proc/self/setgroups", text, sizeof(text));
	CHECK(!strcmp(text, "allow\n"));
	CHECK(stat("/", &st) == 0 && st.st_uid == OVERFLOW && st.st_gid == OVERFLOW);
	CHECK_ERRNO(setuid(0), EINVAL);
	CHECK_ERRNO(setuid(OVERFLOW), EINVAL);
	CHECK_ERRNO(setresuid(0, 0, 0), EINVAL);
	CHECK_ERRNO(setregid(0, 0), EINVAL);
	CHECK_ERRNO(setgroups(0, NULL), EPERM);
	CHECK(open("/tmp/.unmapped", O_CREAT | O_RDWR | O_EXCL, 0600) >= 0);
	CHECK_ERRNO(chown("/tmp/.unmapped", 0, -1), EINVAL);
	CHECK(unlink("/tmp/.unmapped") == 0);
	snprintf(text, sizeof(text), "/proc/%d/root", getppid()); /* of the same user, in the namespace above */
	CHECK_ERRNO(open(text, O_RDONLY), EACCES);
	CHECK_ERRNO(setns(open("/proc/self/ns/user", O_RDONLY), CLONE_NEWUSER), EINVAL);
	int fd = open("/proc/self/ns/user", O_RDONLY);
	uid_t owner = 0;
	CHECK(ioctl(fd, NS_GET_OWNER_UID, &owner) == 0 && owner == OVERFLOW);
	CHECK_ERRNO(ioctl(fd, NS_GET_PARENT), EPERM);
	CHECK_ERRNO(ioctl(fd, NS_GET_USERNS), EPERM);
	close(fd);
	fd = open("/proc/self/ns/mnt", O_RDONLY);
	CHECK_ERRNO(ioctl(fd, NS_GET_USERNS), EPERM);
	close(fd);
}

struct ids {
	uid_t uid;
	gid_t gid;
};

static void status_line(const char *name, char *line, size_t size)
{
	char text[4096], *at;

	read_from("/proc/self/status", text, sizeof(text));
	at = strstr(text, name);
	snprintf(line, size, "%.*s", at ? (int)strcspn(at, "\n") : 0, at ? at : "");
}

static void mapped(void *arg)
{
	const struct ids *ids = arg;
	char text[128], want[128];
	struct stat st;

	map_self(ids->uid, ids->gid, 0, 0);
	CHECK(getuid() == 0 && getegid() == 0);
	snprintf(want, sizeof(want), "%10u %10u %10u\n", 0, ids->uid, 1);
	read_from("/proc/self/uid_map", text, sizeof(text));
	CHECK(!strcmp(text, want));
	read_from("/proc/self/setgroups", text, sizeof(text));
	CHECK(!strcmp(text, "deny\n"));
	status_line("Uid:", text, sizeof(text));
	CHECK(!strcmp(text, "Uid:\t0\t0\t0\t0"));
	CHECK(effective() == all_caps);
	CHECK_ERRNO(write_to("/proc/self/uid_map", "0 0 1"), EPERM);
	CHECK_ERRNO(write_to("/proc/self/setgroups", "allow"), EPERM);
	CHECK_ERRNO(write_to("/proc/self/setgroups", "deny"), EPERM);
	CHECK_ERRNO(setgroups(0, NULL), EPERM);
	CHECK(setuid(0) == 0 && setresgid(0, 0, 0) == 0);
	CHECK_ERRNO(setuid(1), EINVAL);
	CHECK(setfsuid(1) == 0 && setfsuid(-1) == 0);
	int fd = open("/tmp/.mapped", O_CREAT | O_RDWR | O_EXCL, 0600);
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == 0 && st.st_gid == 0);
	CHECK(fchown(fd, 0, 0) == 0);
	CHECK_ERRNO(fchown(fd, 1, -1), EINVAL);
	CHECK(fchmod(fd, 04755) == 0);
	CHECK(unlink("/tmp/.mapped") == 0);
	if (ids->uid) { /* root's files are nobody's here */
		CHECK(stat("/etc/shadow", &st) != 0 || st.st_uid == OVERFLOW);
		CHECK_ERRNO(open("/etc/shadow", O_RDONLY), EACCES);
		CHECK_ERRNO(chown("/etc/passwd", 0, 0), EPERM);
	}
	CHECK_ERRNO(mknod("/tmp/.device", S_IFCHR | 0600, 0x103), EPERM);
	uid_t owner = 1;
	fd = open("/proc/self/ns/user", O_RDONLY);
	CHECK(ioctl(fd, NS_GET_OWNER_UID, &owner) == 0 && owner == 0);
	close(fd);
}

static void refused_maps(void *arg)
{
	static const char *const bad[] = {"x", "0 0", "0 0 0", "0 0 1 1", "0 0 -1", "4294967295 0 1", "0 4294967295 1",
		"0 0 4294967296", "1 1 4294967295", "0 0 1\n0 1 1\n", "0 0 2\n2 1 1", "0,0,1", "\n"};
	const struct ids *ids = arg;
	char text[64];

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_ERRNO(write_to("/proc/self/uid_map", bad[i]), EINVAL);
	CHECK_ERRNO(write_to("/proc/self/setgroups", "perhaps"), EINVAL);
	CHECK_ERRNO(write_to("/proc/self/setgroups", "denyx"), EINVAL);
	snprintf(text, sizeof(text), "0 %u 1", ids->uid + 1); /* somebody else */
	CHECK_ERRNO(write_to("/proc/self/uid_map", text), EPERM);
	snprintf(text, sizeof(text), "0 %u 2", ids->uid);
	CHECK_ERRNO(write_to("/proc/self/uid_map", text), EPERM);
	snprintf(text, sizeof(text), "0 %u 1", ids->gid); /* while setgroups(2) is allowed */
	CHECK_ERRNO(write_to("/proc/self/gid_map", text), EPERM);
	snprintf(text, sizeof(text), " \t7 %u  1 \t\n", ids->uid);
	CHECK(write_to("/proc/self/uid_map", text) == 0);
	CHECK(getuid() == 7);
}

static void basics(void)
{
	struct ids ids = {getuid(), getgid()};

	in_child(CLONE_NEWUSER, unmapped, NULL);
	in_child(CLONE_NEWUSER, mapped, &ids);
	in_child(CLONE_NEWUSER, refused_maps, &ids);
	CHECK_ERRNO(write_to("/proc/self/uid_map", "0 0 1"), EPERM);
	CHECK_ERRNO(setns(open("/proc/self/ns/user", O_RDONLY), CLONE_NEWUSER), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_NEWUSER | CLONE_FS | SIGCHLD, 0, 0, 0, 0), EINVAL);
}

/* Ranges that a privileged parent writes for its child. */
static void range(void)
{
	int go[2], done[2];
	char path[64];
	struct stat st;

	CHECK(pipe(go) == 0 && pipe(done) == 0);
	fflush(stdout);
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		char c;
		gid_t groups[2] = {3, 20};

		harness_failures = 0;
		CHECK(read(go[0], &c, 1) == 1);
		CHECK(setgroups(1, groups) == 0);
		CHECK_ERRNO(setgroups(2, groups), EINVAL);
		CHECK(setresgid(4, 4, 4) == 0 && setresuid(5, 5, 5) == 0);
		CHECK(effective() == all_caps); /* it was not root before either */
		CHECK(getgroups(2, groups) == 1 && groups[0] == 3);
		int fd = open("/tmp/.range", O_CREAT | O_RDWR | O_EXCL, 0600);
		CHECK(fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == 5 && st.st_gid == 4);
		CHECK(write(done[1], "x", 1) == 1);
		CHECK(read(go[0], &c, 1) == 1);
		CHECK(fstat(fd, &st) == 0 && st.st_uid == OVERFLOW && st.st_gid == 0);
		fflush(stdout);
		_exit(harness_failures != 0);
	}
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	CHECK(write_to(path, "0 100000 10\n20 2000 1\n") == 0);
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	CHECK(write_to(path, "0 100100 10") == 0);
	char c;
	int status = -1;
	CHECK(write(go[1], "x", 1) == 1 && read(done[0], &c, 1) == 1);
	CHECK(stat("/tmp/.range", &st) == 0 && st.st_uid == 100005 && st.st_gid == 100104);
	snprintf(path, sizeof(path), "/proc/%d", pid);
	CHECK(stat(path, &st) == 0 && st.st_uid == 100005);
	CHECK(chown("/tmp/.range", 0, 100100) == 0);
	CHECK(write(go[1], "x", 1) == 1);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	unlink("/tmp/.range");
}

/* ---- capabilities ---- */

static void own_hostname(void *arg)
{
	CHECK(sethostname("inner", 5) == 0);
	int fd = open("/proc/self/ns/uts", O_RDONLY);
	int user = ioctl(fd, NS_GET_USERNS);
	CHECK(user >= 0 && ioctl(user, NS_GET_NSTYPE) == CLONE_NEWUSER);
	CHECK(setns(fd, 0) == 0);
	close(user);
	close(fd);
}

static void outer_hostname(void *arg)
{
	const struct ids *ids = arg;

	map_self(ids->uid, ids->gid, 0, 0);
	CHECK_ERRNO(sethostname("inner", 5), EPERM);
	CHECK_ERRNO(setns(open("/proc/self/ns/uts", O_RDONLY), 0), EPERM);
	CHECK_ERRNO(mount("none", "/tmp", "tmpfs", 0, ""), EPERM);
	CHECK_ERRNO(umount2("/proc", MNT_DETACH), EPERM);
	CHECK(unshare(CLONE_NEWUTS) == 0);
	CHECK(sethostname("inner", 5) == 0);
	CHECK(chroot("/") == 0);
	CHECK_ERRNO(setpriority(0, 0, -1), EACCES);
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct none[2] = {{0}};
	CHECK(syscall(SYS_capset, &header, none) == 0);
	CHECK_ERRNO(sethostname("again", 5), EPERM);
	CHECK_ERRNO(unshare(CLONE_NEWUTS), EPERM);
	CHECK(unshare(CLONE_NEWUSER | CLONE_NEWUTS) == 0);
	CHECK(effective() == all_caps && sethostname("again", 5) == 0);
}

static void filter(void *arg)
{
	struct sock_filter allow = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
	struct sock_fprog program = {1, &allow};

	CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0);
}

static void *sleeper(void *arg)
{
	pause();
	return NULL;
}

static void with_threads(void *arg)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, sleeper, NULL) == 0);
	CHECK_ERRNO(unshare(CLONE_NEWUSER), EINVAL);
}

static void chrooted(void *arg)
{
	CHECK(chroot("/tmp") == 0);
	CHECK_ERRNO(unshare(CLONE_NEWUSER), EPERM);
}

static void deep(void *arg)
{
	struct ids ids = {getuid(), getgid()};
	int made = 0, error = 0;

	while (made < 40 && (error = unshare(CLONE_NEWUSER) ? errno : 0) == 0) {
		map_self(made ? 0 : ids.uid, made ? 0 : ids.gid, 0, 0);
		made++;
	}
	CHECK(error == ENOSPC);
	CHECK(made >= 31 && made <= 33);
}

static void capabilities(void)
{
	struct ids ids = {getuid(), getgid()};

	in_child(CLONE_NEWUSER | CLONE_NEWUTS, own_hostname, NULL);
	in_child(CLONE_NEWUSER, outer_hostname, &ids);
	in_child(CLONE_NEWUSER, filter, NULL);
	in_child(CLONE_NEWUSER, chrooted, NULL);
	in_child(0, with_threads, NULL);
	in_child(0, deep, NULL);
}

/* What execve makes of them: argv "caps" is this program as run by after_exec(). */
static void exec_self(void *arg)
{
	const struct ids *ids = arg;
	uid_t inside = ids[1].uid;

	map_self(ids->uid, ids->gid, inside, 0);
	execl(self, self, inside ? "expect-none" : "expect-all", NULL);
	CHECK(!"execl");
}

#define HIDDEN "/tmp/.hidden-program"

/* Who may only execute a program does not look into its memory either. */
static void exec_hidden(void *arg)
{
	char bytes[4096];
	int from = open(self, O_RDONLY), to = open(HIDDEN, O_CREAT | O_EXCL | O_WRONLY, 0700);
	ssize_t n;

	while ((n = read(from, bytes, sizeof(bytes))) > 0)
		CHECK(write(to, bytes, (size_t)n) == n);
	CHECK(fchmod(to, 0111) == 0 && close(to) == 0 && close(from) == 0);
	if (geteuid() == 0)
		CHECK(setresgid(1000, 1000, 1000) == 0 && setresuid(1000, 1000, 1000) == 0);
	execl(HIDDEN, self, "expect-hidden", NULL);
	CHECK(!"execl");
}

static void after_exec(void)
{
	struct ids ids[2] = {{getuid(), getgid()}, {0, 0}};

	in_child(0, exec_hidden, NULL);
	CHECK(unlink(HIDDEN) == 0);

	in_child(CLONE_NEWUSER, exec_self, ids);
	ids[1].uid = 1000;
	in_child(CLONE_NEWUSER, exec_self, ids);
}

/* ---- between namespaces ---- */

static int ready[2], hold[2];

static void wait_inside(const struct ids *ids)
{
	char c;

	map_self(ids->uid, ids->gid, 0, 0);
	CHECK(write(ready[1], "x", 1) == 1);
	CHECK(read(hold[0], &c, 1) == 0);
}

/* A child that waits in a namespace where it is root. */
static pid_t start_inside(unsigned long flags)
{
	struct ids ids = {getuid(), getgid()};
	char c;

	CHECK(pipe(ready) == 0 && pipe(hold) == 0);
	fflush(stdout);
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | flags | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		close(hold[1]);
		wait_inside(&ids);
		_exit(0);
	}
	CHECK(read(ready[0], &c, 1) == 1);
	close(hold[0]);
	return pid;
}

static void end_inside(pid_t pid)
{
	close(hold[1]);
	close(ready[0]);
	close(ready[1]);
	CHECK(waitpid(pid, NULL, 0) == pid);
}

static void enter(void *arg)
{
	pid_t pid = *(pid_t *)arg;
	char path[64], text[64];
	uid_t owner = 1, uid = getuid();

	snprintf(path, sizeof(path), "/proc/%d/ns/uts", pid);
	int uts = open(path, O_RDONLY);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	int user = open(path, O_RDONLY), own = open("/proc/self/ns/user", O_RDONLY);
	CHECK(uts >= 0 && user >= 0 && own >= 0);
	CHECK(ioctl(user, NS_GET_OWNER_UID, &owner) == 0 && owner == uid);
	int parent = ioctl(user, NS_GET_PARENT);
	struct stat a, b;
	CHECK(parent >= 0 && fstat(parent, &a) == 0 && fstat(own, &b) == 0 && a.st_ino == b.st_ino);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	read_from(path, text, sizeof(text));
	unsigned numbers[3] = {9, 9, 9};
	CHECK(sscanf(text, "%u %u %u", &numbers[0], &numbers[1], &numbers[2]) == 3 && numbers[0] == 0 && numbers[1] == uid);
	if (uid)
		CHECK_ERRNO(setns(uts, 0), EPERM);
	CHECK(setns(user, CLONE_NEWUSER) == 0);
	CHECK(getuid() == 0 && effective() == all_caps);
	CHECK_ERRNO(setns(user, 0), EINVAL);
	CHECK_ERRNO(setns(own, 0), EPERM);
	CHECK(setns(uts, 0) == 0);
	CHECK(sethostname("entered", 7) == 0);
}

static void entering(void)
{
	pid_t pid = start_inside(CLONE_NEWUTS);

	in_child(0, enter, &pid);
	CHECK(kill(pid, 0) == 0);
	end_inside(pid);
}

/* Who a signal and a message come from, on both sides. */
static void talk_inside(int sock, const struct ids *ids, pid_t parent)
{
	struct ucred cred = {getpid(), 0, 0}, other = {getpid(), 1, 0};
	char space[CMSG_SPACE(sizeof(cred))] = {0}, byte = 'x';
	struct iovec iov = {&byte, 1};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);
	siginfo_t info;
	sigset_t set;

	map_self(ids->uid, ids->gid, 0, 0);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_CREDENTIALS;
	c->cmsg_len = CMSG_LEN(sizeof(cred));
	memcpy(CMSG_DATA(c), &other, sizeof(other));
	CHECK_ERRNO(sendmsg(sock, &message, 0), EINVAL);
	memcpy(CMSG_DATA(c), &cred, sizeof(cred));
	CHECK(sendmsg(sock, &message, 0) == 1);
	struct ucred peer;
	socklen_t len = sizeof(peer);
	CHECK(getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == 0 && peer.gid == 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_uid == 0);
	CHECK(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_uid == 0 && info.si_value.sival_int == 3);
	CHECK(kill(parent, SIGUSR1) == 0);
}

static void talking(void)
{
	struct ids ids = {getuid(), getgid()};
	pid_t parent = getpid();
	int pair[2], one = 1;
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
	CHECK(setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) == 0);
	fflush(stdout);
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		harness_failures = 0;
		talk_inside(pair[1], &ids, parent);
		fflush(stdout);
		_exit(harness_failures != 0);
	}
	struct ucred cred = {0};
	char space[CMSG_SPACE(sizeof(cred))], byte;
	struct iovec iov = {&byte, 1};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)};
	CHECK(recvmsg(pair[0], &message, 0) == 1);
	memcpy(&cred, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(cred));
	CHECK(cred.pid == pid && cred.uid == ids.uid && cred.gid == ids.gid);
	CHECK(kill(pid, SIGUSR1) == 0);
	sleep_ms(20);
	CHECK(sigqueue(pid, SIGUSR1, (union sigval){.sival_int = 3}) == 0);
	CHECK(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_uid == ids.uid && info.si_pid == pid);
	CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED) == 0 && info.si_uid == ids.uid && info.si_status == 0);
	close(pair[0]);
	close(pair[1]);
}

/* System V objects show their owners as the reader knows them, and obey the capabilities over their namespace. */
static void segments(void *arg)
{
	struct ids *ids = arg;
	struct shmid_ds ds;

	map_self(ids->uid, ids->gid, 0, 0);
	int id = shmget(IPC_PRIVATE, 4096, 0600);
	CHECK(id >= 0 && shmctl(id, IPC_STAT, &ds) == 0 && ds.shm_perm.uid == 0 && ds.shm_perm.cgid == 0);
	ds.shm_perm.uid = 1;
	CHECK_ERRNO(shmctl(id, IPC_SET, &ds), EINVAL);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
}

static void ipc(void)
{
	struct ids ids = {getuid(), getgid()};

	in_child(CLONE_NEWUSER, segments, &ids);
	in_child(CLONE_NEWUSER | CLONE_NEWIPC, segments, &ids);
}

/* ---- mounts ---- */

#define KEPT_FD 100 /* of a directory in a namespace that is gone */

static void inner_mounts(void *arg)
{
	CHECK_ERRNO(umount2("/tmp/inner", 0), EINVAL);
	CHECK_ERRNO(umount2("/tmp/inner", MNT_DETACH), EINVAL);
	CHECK_ERRNO(mount("none", "/tmp/inner", "", MS_REMOUNT | MS_BIND | MS_NODEV, NULL), EPERM);
	CHECK(mount("none", "/tmp/inner", "", MS_REMOUNT | MS_BIND | MS_NODEV | MS_NOSUID | MS_RDONLY, NULL) == 0);
	CHECK_ERRNO(mount("none", "/tmp/inner", "", MS_REMOUNT | MS_NODEV | MS_NOSUID | MS_NOEXEC, NULL), EPERM);
	CHECK_ERRNO(mount("/tmp/inner", "/tmp", "", MS_MOVE, NULL), EINVAL);
	CHECK_ERRNO(mount("/tmp", "/tmp", "", MS_BIND, NULL), EINVAL);
	CHECK(mount("/tmp", "/tmp", "", MS_BIND | MS_REC, NULL) == 0);
	int fd = open("/tmp", O_PATH | O_DIRECTORY);
	CHECK(umount2("/tmp", MNT_DETACH) == 0);
	CHECK(faccessat(fd, "inner/file", F_OK, 0) == 0); /* still covered */
	close(fd);
	CHECK(mount("/tmp", "/tmp", "", MS_BIND | MS_REC, NULL) == 0);
	CHECK(chdir("/tmp/inner") == 0 && umount2("/tmp", MNT_DETACH) == 0);
	CHECK(chdir("..") == 0 && access("file", F_OK) == 0);
	CHECK(mount("none", "/tmp/inner", "", MS_UNBINDABLE, NULL) == 0);
	CHECK_ERRNO(mount("/tmp", "/tmp", "", MS_BIND | MS_REC, NULL), EPERM);
	CHECK(mount("none", "/tmp/inner", "", MS_PRIVATE, NULL) == 0);
	CHECK(dup2(open("/tmp", O_PATH | O_DIRECTORY), KEPT_FD) == KEPT_FD);
	CHECK(mount("mine", "/tmp/inner", "tmpfs", 0, "") == 0);
	CHECK(umount2("/tmp/inner", 0) == 0);
	CHECK(access("/tmp/inner/file", F_OK) == 0);
}

static void own_mounts(void *arg)
{
	struct ids *ids = arg;
	struct stat st;

	map_self(ids->uid, ids->gid, 0, 0);
	CHECK(mount("none", "/", "", MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(mount("none", "/tmp", "tmpfs", 0, "mode=755,uid=0") == 0);
	CHECK_ERRNO(mount("none", "/tmp", "tmpfs", 0, "uid=1"), EINVAL);
	CHECK(stat("/tmp", &st) == 0 && st.st_uid == 0 && st.st_gid == 0);
	CHECK(mkdir("/tmp/inner", 0700) == 0 && mkdir("/tmp/inner2", 0700) == 0);
	CHECK(mount("none", "/tmp/inner", "tmpfs", MS_NOSUID | MS_NODEV, "") == 0);
	close(open("/tmp/inner/file", O_CREAT | O_RDWR, 0600));
	CHECK_ERRNO(mknod("/tmp/device", S_IFCHR | 0666, 0x103), EPERM);
	CHECK_ERRNO(mount("none", "/tmp/inner2", "proc", 0, ""), EPERM); /* the process numbers are another's */
	CHECK_ERRNO(mount("none", "/tmp/inner2", "nosuchfs", 0, ""), ENODEV);
	CHECK(mount("none", "/tmp/inner2", "devpts", 0, "newinstance,ptmxmode=0666,mode=620") == 0);
	int master = open("/tmp/inner2/ptmx", O_RDWR | O_NOCTTY), number = -1;
	CHECK(master >= 0 && ioctl(master, TIOCGPTN, &number) == 0 && number == 0);
	CHECK(access("/tmp/inner2/0", F_OK) == 0);
	close(master);
	CHECK(umount("/tmp/inner2") == 0);
	CHECK_ERRNO(mount("/tmp/inner", "/tmp/inner/file", "", MS_MOVE, NULL), EINVAL);
	CHECK(access("/tmp/inner/file", F_OK) == 0);
	in_child(CLONE_NEWUSER | CLONE_NEWNS | CLONE_FILES, inner_mounts, NULL);
	CHECK(faccessat(KEPT_FD, "inner/file", F_OK, 0) == 0);
	close(KEPT_FD);
	CHECK(mount("/tmp", "/tmp/inner2", "", MS_BIND, NULL) == 0);
	CHECK(chdir("/tmp/inner2") == 0);
	CHECK(syscall(SYS_pivot_root, ".", ".") == 0);
	CHECK(umount2(".", MNT_DETACH) == 0);
	CHECK(chdir("/") == 0 && access("/inner", F_OK) == 0 && access("/proc/self", F_OK) != 0);
}

static void own_proc(void *arg)
{
	char text[16] = "";

	CHECK(mount("none", "/", "", MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(mount("proc", "/proc", "proc", 0, "") == 0);
	CHECK(readlink("/proc/self", text, sizeof(text) - 1) == 1 && text[0] == '1');
	CHECK(umount("/proc") == 0);
	CHECK_ERRNO(umount("/proc"), EINVAL);
}

static void own_cgroups(void *arg)
{
	char text[256] = "";
	int fd = open("/proc/self/ns/cgroup", O_RDONLY);

	CHECK(ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWCGROUP);
	read_from("/proc/self/cgroup", text, sizeof(text));
	char *last = strstr(text, "0::");
	CHECK(last && !strncmp(last, "0::/\n", 5));
	CHECK(setns(fd, 0) == 0);
	close(fd);
}

static void mounts(void)
{
	struct ids ids = {getuid(), getgid()};

	in_child(CLONE_NEWUSER | CLONE_NEWNS, own_mounts, &ids);
	in_child(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID, own_proc, NULL);
	in_child(CLONE_NEWUSER | CLONE_NEWCGROUP, own_cgroups, NULL);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "expect-hidden"))
		return prctl(PR_GET_DUMPABLE) == 1;
	if (argc > 1)
		return effective() == (strcmp(argv[1], "expect-all") ? 0 : all_caps) ? 0 : 1;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n > 0 ? n : 0] = '\0';
	harness_start();
	RUN(basics);
	if (geteuid() == 0)
		RUN(range);
	RUN(capabilities);
	RUN(after_exec);
	RUN(entering);
	RUN(talking);
	RUN(ipc);
	RUN(mounts);
	return CHECK_RESULT();
}
