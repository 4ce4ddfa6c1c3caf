/*
 * Options of mounts, at mount(2) and at a remount: who sees which processes in proc (hidepid, gid, subset), and how large a
 * tmpfs may grow. Without CAP_SYS_ADMIN nothing is looked at but that it is refused.
 */
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "harness.h"

static char dir[] = "/tmp/options-XXXXXX";

/* What somebody who may not trace process 1 gets: 2 its directory is seen, 1 a file in it opens, 4 EPERM, 8 ENOENT. */
static int as_nobody(void)
{
	char path[128];
	struct stat st;

	if (setgroups(0, NULL) || setresgid(1234, 1234, 1234) || setresuid(1234, 1234, 1234))
		return 9;
	snprintf(path, sizeof(path), "%s/1", dir);
	int seen = stat(path, &st) == 0;
	snprintf(path, sizeof(path), "%s/1/stat", dir);
	int opened = open(path, O_RDONLY);
	return seen * 2 + (opened >= 0) + (opened < 0 && errno == EPERM) * 4 + (opened < 0 && errno == ENOENT) * 8;
}

static int seen_by_nobody(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(as_nobody());
	int status = -1;
	CHECK(waitpid(pid, &status, 0) == pid);
	return status >> 8;
}

static void of_proc(void)
{
	char file[64];

	CHECK_ERRNO(mount("proc", dir, "proc", 0, "hidepid=9"), EINVAL);
	CHECK_ERRNO(mount("proc", dir, "proc", 0, "what"), EINVAL);
	CHECK(mount("proc", dir, "proc", 0, "hidepid=invisible,gid=77") == 0);
	CHECK(seen_by_nobody() == 8);
	CHECK(mount(NULL, dir, NULL, MS_REMOUNT, "hidepid=1") == 0);
	CHECK(seen_by_nobody() == 6);
	CHECK(mount(NULL, dir, NULL, MS_REMOUNT, "hidepid=0") == 0);
	CHECK(seen_by_nobody() == 3);
	CHECK(mount("proc", dir, "proc", 0, "subset=pid") == 0);
	snprintf(file, sizeof(file), "%s/meminfo", dir);
	CHECK_ERRNO(access(file, F_OK), ENOENT);
	snprintf(file, sizeof(file), "%s/self/stat", dir);
	CHECK(access(file, F_OK) == 0);
}

static void of_tmpfs(void)
{
	char file[64];
	struct statfs fs;

	CHECK(mount("t", dir, "tmpfs", 0, "size=16k") == 0);
	snprintf(file, sizeof(file), "%s/file", dir);
	int fd = open(file, O_CREAT | O_RDWR, 0600);
	CHECK(fallocate(fd, 0, 0, 16384) == 0);
	CHECK_ERRNO(fallocate(fd, 0, 0, 32768), ENOSPC);
	CHECK(mount(NULL, dir, NULL, MS_REMOUNT, "size=64k") == 0);
	CHECK(fallocate(fd, 0, 0, 32768) == 0);
	CHECK_ERRNO(mount(NULL, dir, NULL, MS_REMOUNT, "size=16k"), EINVAL);
	CHECK(statfs(dir, &fs) == 0 && fs.f_blocks == 16);
	close(fd);
	CHECK(mount("r", dir, "ramfs", 0, "mode=711") == 0);
	CHECK(statfs(dir, &fs) == 0 && fs.f_type == 0x858458f6);
}

/* A group without a number in the namespace of whoever mounts cannot be named. */
static int in_a_user_namespace(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return 2;
	if (mount("pts", dir, "devpts", 0, "gid=5") != -1 || errno != EINVAL)
		return 3;
	if (umount2(dir, MNT_FORCE) != -1)
		return 4;
	return errno == EPERM || errno == EINVAL ? 7 : 5; /* it came with the namespace: it is locked */
}

static void of_devpts(void)
{
	static const char *const wrong[] = {"what=1", "what", "gid=x", "gid=", "mode=9", "max=-1", "max=2000000", "uid=4294967295"};
	struct stat st;
	char file[64];
	int status;

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK_ERRNO(mount("pts", dir, "devpts", 0, wrong[i]), EINVAL);
	CHECK(mount("pts", dir, "devpts", 0, "newinstance,uid=7,gid=8,mode=640,ptmxmode=666,max=1") == 0);
	snprintf(file, sizeof(file), "%s/ptmx", dir);
	CHECK(stat(file, &st) == 0 && (st.st_mode & 07777) == 0666);
	int fd = open(file, O_RDWR | O_NOCTTY);
	CHECK(fd >= 0);
	CHECK_ERRNO(open(file, O_RDWR | O_NOCTTY), ENOSPC);
	CHECK(mount(NULL, dir, NULL, MS_REMOUNT, "max=2,mode=600") == 0);
	int other = open(file, O_RDWR | O_NOCTTY);
	CHECK(other >= 0);
	snprintf(file, sizeof(file), "%s/0", dir);
	CHECK(stat(file, &st) == 0 && st.st_uid == 7 && st.st_gid == 8 && (st.st_mode & 07777) == 0640);
	snprintf(file, sizeof(file), "%s/1", dir);
	CHECK(stat(file, &st) == 0 && (st.st_mode & 07777) == 0600);
	close(other);
	close(fd);
	pid_t pid = fork();
	if (pid == 0)
		_exit(in_a_user_namespace());
	CHECK(waitpid(pid, &status, 0) == pid && (status == 7 << 8 || status == 2 << 8));
}

int main(void)
{
	harness_start();
	CHECK(mkdtemp(dir) != NULL && chmod(dir, 0755) == 0);
	if (unshare(CLONE_NEWNS)) {
		CHECK_ERRNO(mount("proc", dir, "proc", 0, "hidepid=2"), EPERM);
		CHECK(rmdir(dir) == 0);
		return CHECK_RESULT();
	}
	CHECK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	RUN(of_proc);
	RUN(of_tmpfs);
	RUN(of_devpts);
	while (umount(dir) == 0)
		;
	CHECK(rmdir(dir) == 0);
	return CHECK_RESULT();
}
