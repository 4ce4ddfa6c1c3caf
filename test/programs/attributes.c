/*
 * Attributes and permissions: stat(2), statx(2), chmod(2), chown(2), utimensat(2),
 * access(2), umask(2), xattr(7), statfs(2), inode(7). The parts about other users need root.
 */
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "workdir.h"

#define OTHER 12345

static mode_t mode_of(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void test_stat(void)
{
	struct stat st;
	struct statx sx;

	CHECK(put("f", "12345") == 0 && stat("f", &st) == 0);
	CHECK(S_ISREG(st.st_mode) && st.st_size == 5 && st.st_nlink == 1 && st.st_blksize > 0 && st.st_uid == geteuid());
	CHECK(syscall(SYS_statx, AT_FDCWD, "f", 0, STATX_BASIC_STATS, &sx) == 0);
	CHECK((sx.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS && sx.stx_size == 5 && sx.stx_ino == st.st_ino);
	CHECK(sx.stx_mtime.tv_sec == st.st_mtim.tv_sec && sx.stx_mtime.tv_nsec == (unsigned)st.st_mtim.tv_nsec);
	CHECK_ERRNO(syscall(SYS_statx, AT_FDCWD, "f", 0, 0x80000000u, &sx), EINVAL);
	CHECK_ERRNO(syscall(SYS_statx, AT_FDCWD, "f", 0x6000, 0, &sx), EINVAL);
	CHECK(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == ((1 << 8) | 3));
	CHECK_ERRNO(stat("f", (struct stat *)8), EFAULT);
	CHECK_ERRNO(fstat(99, &st), EBADF);
	struct statfs fs;
	CHECK(statfs(".", &fs) == 0 && fs.f_bsize > 0 && fs.f_namelen >= 255 && fs.f_blocks > 0);
	int fd = open("f", O_RDONLY);
	CHECK(fstatfs(fd, &fs) == 0);
	close(fd);
}

static void test_modes(void)
{
	CHECK(umask(027) == 022);
	CHECK(mkdir("d", 0777) == 0 && mode_of("d") == 0750);
	int fd = open("g", O_CREAT | O_RDWR, 0666);
	CHECK(mode_of("g") == 0640);
	CHECK(umask(022) == 027);
	CHECK(fchmod(fd, 04755) == 0 && mode_of("g") == 04755);
	CHECK(chmod("g", 0600) == 0 && mode_of("g") == 0600);
	CHECK(symlink("g", "l") == 0 && chmod("l", 0644) == 0 && mode_of("g") == 0644);
	CHECK_ERRNO(chmod("none", 0644), ENOENT);
	close(fd);
	/* Open for writing stays so, whatever the mode becomes. */
	fd = open("ro", O_CREAT | O_RDWR, 0);
	CHECK(fd >= 0 && write(fd, "x", 1) == 1);
	close(fd);
}

static void test_times(void)
{
	struct timespec times[2] = {{1000, 500}, {2000, 600}};
	struct stat st, before;

	CHECK(utimensat(AT_FDCWD, "f", times, 0) == 0 && stat("f", &st) == 0);
	CHECK(st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec == 2000 && st.st_mtim.tv_nsec == 600);
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_nsec = UTIME_NOW;
	CHECK(utimensat(AT_FDCWD, "f", times, 0) == 0 && stat("f", &st) == 0);
	CHECK(st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec > 1000000);
	times[0].tv_nsec = 2000000000;
	CHECK_ERRNO(utimensat(AT_FDCWD, "f", times, 0), EINVAL);
	CHECK(utimensat(AT_FDCWD, "f", NULL, 0) == 0 && stat("f", &st) == 0 && st.st_atim.tv_sec > 1000000);
	times[0] = (struct timespec){7, 0};
	times[1] = (struct timespec){8, 0};
	CHECK(utimensat(AT_FDCWD, "l", times, AT_SYMLINK_NOFOLLOW) == 0 && lstat("l", &st) == 0 && st.st_mtim.tv_sec == 8);
	int fd = open("f", O_RDWR);
	CHECK(futimens(fd, times) == 0 && fstat(fd, &before) == 0 && before.st_mtim.tv_sec == 8);
	CHECK(write(fd, "y", 1) == 1 && fstat(fd, &st) == 0 && st.st_mtim.tv_sec > 8 && st.st_ctim.tv_sec > 8);
	close(fd);
	CHECK(stat(".", &before) == 0);
	sleep_ms(20);
	CHECK(put("newfile", "") == 0 && stat(".", &st) == 0);
	CHECK(st.st_mtim.tv_sec > before.st_mtim.tv_sec || st.st_mtim.tv_nsec > before.st_mtim.tv_nsec);
}

static void test_xattrs(void)
{
	char buf[64];

	if (setxattr("f", "user.one", "first", 5, 0) != 0 && errno == EOPNOTSUPP)
		return;
	CHECK(getxattr("f", "user.one", buf, sizeof(buf)) == 5 && !memcmp(buf, "first", 5));
	CHECK(getxattr("f", "user.one", NULL, 0) == 5);
	CHECK_ERRNO(getxattr("f", "user.one", buf, 2), ERANGE);
	CHECK_ERRNO(getxattr("f", "user.two", buf, 2), ENODATA);
	CHECK_ERRNO(setxattr("f", "user.one", "x", 1, XATTR_CREATE), EEXIST);
	CHECK_ERRNO(setxattr("f", "user.two", "x", 1, XATTR_REPLACE), ENODATA);
	CHECK(setxattr("f", "user.one", "longer value", 12, XATTR_REPLACE) == 0);
	CHECK(listxattr("f", buf, sizeof(buf)) >= 9);
	CHECK_ERRNO(setxattr("f", "nospace", "x", 1, 0), EOPNOTSUPP);
	CHECK_ERRNO(lsetxattr("l", "user.one", "x", 1, 0), EPERM);
	CHECK(removexattr("f", "user.one") == 0);
	CHECK_ERRNO(removexattr("f", "user.one"), ENODATA);
}

static void test_chown(void)
{
	struct stat st;

	CHECK(put("own", "") == 0 && chmod("own", 06755) == 0);
	CHECK(chown("own", OTHER, OTHER + 1) == 0 && stat("own", &st) == 0);
	CHECK(st.st_uid == OTHER && st.st_gid == OTHER + 1);
	CHECK((st.st_mode & 07777) == 0755);
	CHECK(chown("own", (uid_t)-1, 7) == 0 && stat("own", &st) == 0 && st.st_uid == OTHER && st.st_gid == 7);
	CHECK(symlink("own", "ol") == 0 && lchown("ol", 3, 4) == 0 && lstat("ol", &st) == 0 && st.st_uid == 3);
	CHECK(stat("ol", &st) == 0 && st.st_uid == OTHER);
	/* A set-group-id directory gives its group on. */
	CHECK(mkdir("sg", 0777) == 0 && chown("sg", 0, 77) == 0 && chmod("sg", 02777) == 0);
	CHECK(put("sg/f", "") == 0 && stat("sg/f", &st) == 0 && st.st_gid == 77);
	CHECK(mkdir("sg/d", 0755) == 0 && stat("sg/d", &st) == 0 && st.st_gid == 77 && st.st_mode & S_ISGID);
}

/* As another user without capabilities. */
static void as_other(void)
{
	int fd;

	CHECK(setgid(OTHER) == 0 && setuid(OTHER) == 0);
	CHECK_ERRNO(open("secret", O_RDONLY), EACCES);
	CHECK_ERRNO(open("readable", O_RDWR), EACCES);
	CHECK((fd = open("readable", O_RDONLY)) >= 0);
	CHECK_ERRNO(open("readable", O_RDONLY | O_TRUNC), EACCES);
	CHECK_ERRNO(open("readable", O_RDONLY | O_NOATIME), EPERM);
	close(fd);
	CHECK_ERRNO(access("secret", R_OK), EACCES);
	CHECK(access("secret", F_OK) == 0);
	CHECK_ERRNO(access("readable", X_OK), EACCES);
	CHECK_ERRNO(chmod("readable", 0777), EPERM);
	CHECK_ERRNO(chown("readable", OTHER, OTHER), EPERM);
	CHECK_ERRNO(utimensat(AT_FDCWD, "readable", NULL, 0), EACCES);
	CHECK_ERRNO(unlink("readable"), EACCES);
	CHECK_ERRNO(mkdir("nope", 0700), EACCES);
	CHECK_ERRNO(open("closed/f", O_RDONLY), EACCES);
	CHECK_ERRNO(open("closed", O_RDONLY), EACCES);
	/* In a sticky directory only one's own goes. */
	CHECK_ERRNO(unlink("sticky/theirs"), EPERM);
	CHECK_ERRNO(rename("sticky/theirs", "sticky/x"), EPERM);
	CHECK(put("sticky/mine", "") == 0 && unlink("sticky/mine") == 0);
	CHECK(put("sticky/mine", "") == 0 && chmod("sticky/mine", 02755) == 0);
	CHECK_ERRNO(chown("sticky/mine", 0, (gid_t)-1), EPERM);
	CHECK_ERRNO(chown("sticky/mine", (uid_t)-1, 0), EPERM);
	CHECK(chown("sticky/mine", OTHER, OTHER) == 0);
	/* Writing takes set-id bits away. */
	CHECK(chmod("sticky/mine", 04755) == 0 && (fd = open("sticky/mine", O_WRONLY)) >= 0);
	CHECK(write(fd, "x", 1) == 1);
	CHECK(mode_of("sticky/mine") == 0755);
	close(fd);
	CHECK_ERRNO(mknod("sticky/dev", S_IFCHR | 0600, (1 << 8) | 3), EPERM);
	CHECK_ERRNO(chroot("."), EPERM);
	/* The owner's class counts, even where others may more. */
	CHECK(chmod("sticky/mine", 0077) == 0);
	CHECK_ERRNO(open("sticky/mine", O_RDONLY), EACCES);
	fflush(stdout);
	_exit(CHECK_RESULT());
}

static void test_other_user(void)
{
	int status = 0;

	CHECK(put("secret", "s") == 0 && chmod("secret", 0600) == 0 && put("readable", "r") == 0);
	CHECK(mkdir("closed", 0700) == 0 && put("closed/f", "") == 0 && mkdir("sticky", 0777) == 0);
	CHECK(chmod("sticky", 01777) == 0 && put("sticky/theirs", "") == 0);
	CHECK(access("secret", X_OK) != 0 && access("secret", R_OK | W_OK) == 0);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		as_other();
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

int main(void)
{
	harness_start();
	if (workdir_enter())
		return 1;
	RUN(test_stat);
	RUN(test_modes);
	RUN(test_times);
	RUN(test_xattrs);
	if (geteuid() == 0) {
		RUN(test_chown);
		RUN(test_other_user);
	}
	workdir_leave();
	return CHECK_RESULT();
}
