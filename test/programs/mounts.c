/*
 * mount(2) and umount2(2): tmpfs with its options, bind mounts, remounts, read-only and
 * nodev. On Linux in a mount namespace of its own; skipped without the right to mount.
 */
#include <poll.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "workdir.h"

static void test_tmpfs(void)
{
	struct statfs fs;
	struct stat st;
	static char page[4096];

	CHECK(mkdir("t", 0755) == 0 && mount("none", "t", "tmpfs", 0, "size=64k,mode=700,nr_inodes=8") == 0);
	CHECK(stat("t", &st) == 0 && (st.st_mode & 07777) == 0700);
	CHECK(statfs("t", &fs) == 0 && fs.f_type == 0x01021994 && fs.f_blocks == 16 && fs.f_bfree == 16 && fs.f_files == 8);
	int fd = open("t/f", O_CREAT | O_RDWR, 0600), n = 0;
	while (write(fd, page, sizeof(page)) == (ssize_t)sizeof(page))
		n++;
	int error = errno;
	CHECK(error == ENOSPC && n == 16);
	CHECK(statfs("t", &fs) == 0 && fs.f_bfree == 0);
	CHECK(ftruncate(fd, 0) == 0 && write(fd, page, 100) == 100);
	char name[16];
	for (n = 0; n < 20; n++) {
		snprintf(name, sizeof(name), "t/%d", n);
		if (mkdir(name, 0700) != 0)
			break;
	}
	error = errno;
	CHECK(error == ENOSPC && n == 6);
	CHECK_ERRNO(umount("t"), EBUSY);
	close(fd);
	CHECK(umount("t") == 0);
	CHECK_ERRNO(umount("t"), EINVAL);
	CHECK(access("t/f", F_OK) != 0);
	CHECK_ERRNO(mount("none", "t", "tmpfs", 0, "size=nonsense"), EINVAL);
	CHECK_ERRNO(mount("none", "t", "nosuchfs", 0, ""), ENODEV);
	CHECK_ERRNO(mount("none", "none", "tmpfs", 0, ""), ENOENT);
}

/* A file system becomes read-only when nobody has a file of it open for writing, by whatever mount, be that in no tree any more. */
static void test_writers(void)
{
	int fd, file, tree;

	CHECK(mkdir("fs", 0755) == 0 && mkdir("again", 0755) == 0 && mount("none", "fs", "tmpfs", 0, "") == 0);
	CHECK(mount("fs", "again", NULL, MS_BIND, NULL) == 0 && put("fs/f", "") == 0);
	fd = open("again/f", O_WRONLY);
	CHECK_ERRNO(mount(NULL, "fs", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	CHECK(umount2("again", MNT_DETACH) == 0);
	CHECK_ERRNO(mount(NULL, "fs", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	CHECK(write(fd, "x", 1) == 1 && close(fd) == 0);
	CHECK(mount(NULL, "fs", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0 && mount(NULL, "fs", NULL, MS_REMOUNT, NULL) == 0);
	/* A detached copy of the tree, which goes before the file. */
	tree = open_tree(AT_FDCWD, "fs", OPEN_TREE_CLONE);
	file = openat(tree, "f", O_WRONLY);
	CHECK(file >= 0 && close(tree) == 0);
	CHECK_ERRNO(mount(NULL, "fs", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	CHECK(close(file) == 0);
	/* Through what is detached it is read-only, too. */
	CHECK(mount("fs", "again", NULL, MS_BIND, NULL) == 0);
	fd = open("again", O_RDONLY | O_DIRECTORY);
	CHECK(umount2("again", MNT_DETACH) == 0 && mount(NULL, "fs", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
	CHECK_ERRNO(openat(fd, "f", O_WRONLY), EROFS);
	close(fd);
	CHECK(umount("fs") == 0 && rmdir("fs") == 0 && rmdir("again") == 0);
}

static void test_bind(void)
{
	struct stat a, b;

	CHECK(mkdir("src", 0755) == 0 && mkdir("dst", 0755) == 0 && put("src/f", "bound") == 0 && put("dst/under", "") == 0);
	CHECK(mount("src", "dst", NULL, MS_BIND, NULL) == 0 && holds("dst/f", "bound"));
	CHECK(access("dst/under", F_OK) != 0 && stat("src", &a) == 0 && stat("dst", &b) == 0 && a.st_ino == b.st_ino);
	CHECK(stat("dst/..", &b) == 0 && stat(".", &a) == 0 && a.st_ino == b.st_ino);
	CHECK(put("dst/new", "x") == 0 && holds("src/new", "x"));
	CHECK(mount(NULL, "dst", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0);
	CHECK_ERRNO(open("dst/new", O_RDWR), EROFS);
	CHECK_ERRNO(mkdir("dst/d", 0700), EROFS);
	CHECK_ERRNO(unlink("dst/new"), EROFS);
	CHECK_ERRNO(chmod("dst/new", 0600), EROFS);
	CHECK_ERRNO(access("dst/new", W_OK), EROFS);
	CHECK(put("src/new", "still") == 0 && holds("dst/new", "still"));
	CHECK_ERRNO(rename("src/f", "dst/g"), EXDEV);
	CHECK_ERRNO(link("src/f", "dst/g"), EROFS);
	CHECK_ERRNO(rmdir("dst"), EBUSY);
	CHECK_ERRNO(rename("dst", "elsewhere"), EBUSY);
	CHECK(umount("dst") == 0 && access("dst/under", F_OK) == 0);
	/* A file on a file. */
	CHECK(put("file", "below") == 0 && mount("src/f", "file", NULL, MS_BIND, NULL) == 0 && holds("file", "bound"));
	CHECK_ERRNO(mount("src", "file", NULL, MS_BIND, NULL), ENOTDIR);
	CHECK(umount("file") == 0 && holds("file", "below"));
}

static void test_flags(void)
{
	CHECK(mount("none", "t", "tmpfs", MS_NODEV | MS_NOEXEC, "") == 0);
	if (mknod("t/null", S_IFCHR | 0666, makedev(1, 3)) == 0)
		CHECK_ERRNO(open("t/null", O_RDWR), EACCES);
	CHECK(put("t/x", "#!/bin/true") == 0 && chmod("t/x", 0755) == 0);
	CHECK_ERRNO(execl("t/x", "x", NULL), EACCES);
	CHECK_ERRNO(access("t/x", X_OK), EACCES);
	/* Lazily unmounted, it lives while it is used. */
	int fd = open("t/x", O_RDONLY);
	char buf[16];
	CHECK(umount2("t", MNT_DETACH) == 0 && read(fd, buf, 16) == 11 && access("t/x", F_OK) != 0);
	close(fd);
}

static void test_recursive(void)
{
	CHECK(mkdir("src/in", 0755) == 0 && mount("none", "src/in", "tmpfs", 0, "") == 0 && put("src/in/f", "deep") == 0);
	CHECK(mount("src", "dst", NULL, MS_BIND, NULL) == 0 && access("dst/in/f", F_OK) != 0 && umount("dst") == 0);
	CHECK(mount("src", "dst", NULL, MS_BIND | MS_REC, NULL) == 0 && holds("dst/in/f", "deep"));
	CHECK_ERRNO(umount("dst"), EBUSY);
	CHECK(umount("dst/in") == 0 && umount("dst") == 0 && umount("src/in") == 0);
}

/* Lines of mountinfo whose place begins with this. */
static int mounts_at(const char *start)
{
	char line[4096], place[2048], prefix[4096];
	FILE *file = fopen("/proc/self/mountinfo", "r");
	int count = 0;

	if (!file || !getcwd(place, sizeof(place)))
		return -1;
	snprintf(prefix, sizeof(prefix), "%s/%s", place, start);
	while (fgets(line, sizeof(line), file))
		count += sscanf(line, "%*s %*s %*s %*s %2047s", place) == 1 && strncmp(place, prefix, strlen(prefix)) == 0;
	fclose(file);
	return count;
}

/* A tree bound to a place inside itself, and one that is deep. */
static void test_trees(void)
{
	CHECK(mkdir("top", 0755) == 0 && mount("none", "top", "tmpfs", 0, "") == 0);
	CHECK(mkdir("top/in", 0755) == 0 && mount("none", "top/in", "tmpfs", 0, "") == 0);
	CHECK(mkdir("top/in/at", 0755) == 0 && mkdir("top/in/other", 0755) == 0 && mount("none", "top/in/other", "tmpfs", 0, "") == 0);
	CHECK(mount("top", "top/in/at", NULL, MS_BIND | MS_REC, NULL) == 0);
	CHECK(mounts_at("top") == 6 && access("top/in/at/in/other", F_OK) == 0 && mounts_at("top/in/at/in/at") == 0);
	CHECK_ERRNO(umount("top/in"), EBUSY);
	CHECK(umount2("top", MNT_DETACH) == 0 && mounts_at("top") == 0);
	CHECK(mount("none", "top", "tmpfs", 0, "") == 0 && chdir("top") == 0);
	for (int i = 0; i < 200; i++)
		CHECK(mkdir("n", 0755) == 0 && mount("none", "n", "tmpfs", 0, "") == 0 && chdir("n") == 0);
	CHECK(chdir(workdir_path) == 0 && mkdir("copy", 0755) == 0 && mounts_at("top") == 201);
	CHECK(mount("top", "copy", NULL, MS_BIND | MS_REC, NULL) == 0 && mounts_at("copy") == 201);
	CHECK(umount2("copy", MNT_DETACH) == 0 && umount2("top", MNT_DETACH) == 0 && mounts_at("top") + mounts_at("copy") == 0);
}

/* poll(2) of /proc/PID/mountinfo tells of changes, once for each look. */
static void test_watch(void)
{
	struct pollfd watch = {.fd = open("/proc/self/mountinfo", O_RDONLY), .events = POLLPRI};

	CHECK(watch.fd >= 0 && poll(&watch, 1, 0) == 0);
	CHECK(mkdir("seen", 0755) == 0 && mount("none", "seen", "tmpfs", 0, "") == 0);
	CHECK(poll(&watch, 1, 1000) == 1 && watch.revents == (POLLPRI | POLLERR));
	CHECK(poll(&watch, 1, 0) == 0);
	CHECK(umount("seen") == 0 && poll(&watch, 1, 1000) == 1);
	close(watch.fd);
	watch.fd = open("/proc/swaps", O_RDONLY);
	CHECK(watch.fd >= 0 && poll(&watch, 1, 0) == 0);
	close(watch.fd);
}

/* What still refers to files of a file system when its last mount goes: watches hear of it, open files and mappings stay. */
static void test_end(void)
{
	for (int i = 0; i < 20; i++) {
		uint32_t heard[64] = {0};
		int events = inotify_init1(IN_NONBLOCK);

		CHECK((i > 0 || mkdir("end", 0755) == 0) && mount("none", "end", "tmpfs", 0, "") == 0);
		int fd = open("end/f", O_CREAT | O_RDWR, 0600), dir = open("end", O_PATH | O_DIRECTORY);
		char *shown = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
		CHECK(fd >= 0 && dir >= 0 && shown != MAP_FAILED && write(fd, "abc", 3) == 3);
		CHECK(inotify_add_watch(events, "end/f", IN_DELETE_SELF) == 1);
		CHECK(umount2("end", MNT_DETACH) == 0 && read(events, heard, sizeof(heard)) < 0 && errno == EAGAIN);
		CHECK(close(dir) == 0 && shown[1] == 'b');
		if (i % 2) {
			CHECK(munmap(shown, 4096) == 0 && read(events, heard, sizeof(heard)) < 0 && close(fd) == 0);
		} else {
			CHECK(close(fd) == 0 && read(events, heard, sizeof(heard)) < 0 && munmap(shown, 4096) == 0);
		}
		CHECK(read(events, heard, sizeof(heard)) == 32 && heard[1] == IN_UNMOUNT && heard[5] == IN_IGNORED);
		close(events);
	}
	CHECK(rmdir("end") == 0);
}

/* What goes with a file system may be nested as deep as one likes. */
static void test_deep(void)
{
	int home = open(".", O_RDONLY | O_DIRECTORY);

	CHECK(mkdir("deep", 0755) == 0 && mount("none", "deep", "tmpfs", 0, "") == 0 && chdir("deep") == 0);
	for (int i = 0; i < 3000; i++)
		if (mkdir("d", 0755) != 0 || chdir("d") != 0) {
			CHECK(!"a directory in a directory");
			break;
		}
	CHECK(fchdir(home) == 0 && close(home) == 0 && umount("deep") == 0 && rmdir("deep") == 0);
}

static void test_without_right(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (setuid(12345) != 0)
			_exit(2);
		_exit(!(mount("none", "t", "tmpfs", 0, "") != 0 && errno == EPERM && umount("t") != 0 && errno == EPERM));
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

int main(void)
{
	harness_start();
	if (geteuid() != 0)
		return SKIP;
	/* Inside the sandbox there may be no namespaces, and none is needed; Linux must give one. */
	if (unshare(CLONE_NEWNS) == 0) {
		if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
			return SKIP;
	} else if (errno == EPERM) {
		return SKIP;
	}
	if (workdir_enter())
		return 1;
	RUN(test_tmpfs);
	RUN(test_writers);
	RUN(test_bind);
	RUN(test_flags);
	RUN(test_recursive);
	RUN(test_trees);
	RUN(test_watch);
	RUN(test_end);
	RUN(test_deep);
	RUN(test_without_right);
	workdir_leave();
	return CHECK_RESULT();
}
