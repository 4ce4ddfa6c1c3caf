/*
 * Path resolution (path_resolution(7), symlink(7), openat(2), openat2(2), chroot(2),
 * getcwd(2)): links, limits, "..", trailing slashes, directory descriptors.
 */
#include <linux/openat2.h>
#include <sys/syscall.h>

#include "workdir.h"

static void test_dots(void)
{
	struct stat a, b;

	CHECK(mkdir("d", 0755) == 0 && mkdir("d/e", 0755) == 0 && put("d/f", "f") == 0);
	CHECK(stat("d/e/..", &a) == 0 && stat("d/.", &b) == 0 && a.st_ino == b.st_ino);
	CHECK(stat("d//e/../..///d/", &b) == 0 && a.st_ino == b.st_ino);
	CHECK(stat("/../../..", &a) == 0 && stat("/", &b) == 0 && a.st_ino == b.st_ino);
	CHECK_ERRNO(stat("d/f/", &a), ENOTDIR);
	CHECK_ERRNO(stat("d/f/.", &a), ENOTDIR);
	CHECK_ERRNO(stat("d/f/..", &a), ENOTDIR);
	CHECK_ERRNO(stat("d/none/..", &a), ENOENT);
	CHECK_ERRNO(stat("", &a), ENOENT);
	CHECK_ERRNO(mkdir("d/e/", 0755), EEXIST);
	CHECK(mkdir("d/g/", 0755) == 0 && rmdir("d/g/") == 0);
	CHECK_ERRNO(mkdir("d/.", 0755), EEXIST);
	CHECK_ERRNO(mkdir("/", 0755), EEXIST);
	CHECK_ERRNO(rmdir("d/e/."), EINVAL);
	CHECK_ERRNO(rmdir("d/e/.."), ENOTEMPTY);
	CHECK_ERRNO(unlink("d/f/"), ENOTDIR);
	CHECK_ERRNO(unlink("d"), EISDIR);
	CHECK_ERRNO(rmdir("d/f"), ENOTDIR);
	CHECK_ERRNO(rmdir("d"), ENOTEMPTY);
}

static void test_links(void)
{
	struct stat st;
	char name[16], buf[64];

	CHECK(symlink("d", "to-d") == 0 && symlink("to-d/f", "to-f") == 0 && symlink("d/", "slash") == 0);
	CHECK(holds("to-f", "f") && holds("to-d/f", "f") && holds("slash/f", "f"));
	CHECK(lstat("to-d", &st) == 0 && S_ISLNK(st.st_mode) && st.st_size == 1);
	CHECK(lstat("to-d/", &st) == 0 && S_ISDIR(st.st_mode));
	CHECK(readlink("to-f", buf, sizeof(buf)) == 6 && !memcmp(buf, "to-d/f", 6));
	CHECK(readlink("to-f", buf, 3) == 3);
	CHECK_ERRNO(readlink("d", buf, 3), EINVAL);
	CHECK_ERRNO(readlink("to-f", buf, 0), EINVAL);
	CHECK_ERRNO(symlink("", "x"), ENOENT);
	CHECK_ERRNO(symlink("d", "to-d"), EEXIST);
	CHECK(symlink("loop", "loop") == 0);
	CHECK_ERRNO(stat("loop", &st), ELOOP);
	CHECK_ERRNO(open("loop", O_RDONLY | O_CREAT, 0600), ELOOP);
	/* Forty links are followed, not forty-one. */
	CHECK(symlink("d", "n0") == 0);
	for (int i = 1; i <= 40; i++) {
		char target[16];

		snprintf(name, sizeof(name), "n%d", i);
		snprintf(target, sizeof(target), "n%d", i - 1);
		CHECK(symlink(target, name) == 0);
	}
	CHECK(stat("n39", &st) == 0);
	CHECK_ERRNO(stat("n40", &st), ELOOP);
	CHECK(lstat("n40", &st) == 0);
	CHECK(symlink("/", "root") == 0 && stat("root/..", &st) == 0);
}

static void test_lengths(void)
{
	static char longname[5000];
	struct stat st;
	int fd;

	memset(longname, 'n', 256);
	CHECK_ERRNO(stat(longname, &st), ENAMETOOLONG);
	CHECK_ERRNO(mkdir(longname, 0700), ENAMETOOLONG);
	CHECK_ERRNO(open(longname, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
	longname[255] = 0;
	CHECK((fd = open(longname, O_CREAT | O_RDWR, 0600)) >= 0);
	close(fd);
	CHECK(unlink(longname) == 0);
	for (int i = 0; i < 4096; i += 2)
		memcpy(longname + i, "./", 2);
	longname[4096] = 0;
	CHECK_ERRNO(stat(longname, &st), ENAMETOOLONG);
	longname[4095] = 0;
	CHECK(stat(longname, &st) == 0);
	CHECK_ERRNO(stat((char *)8, &st), EFAULT);
}

static void test_at(void)
{
	int d = open("d", O_RDONLY | O_DIRECTORY), f = open("d/f", O_RDONLY), p = open("d", O_PATH);
	struct stat st;
	int fd;

	CHECK(d >= 0 && f >= 0 && p >= 0);
	CHECK(fstatat(d, "f", &st, 0) == 0 && fstatat(p, "f", &st, 0) == 0);
	CHECK_ERRNO(fstatat(f, "x", &st, 0), ENOTDIR);
	CHECK_ERRNO(fstatat(99, "x", &st, 0), EBADF);
	CHECK(fstatat(99, "/", &st, 0) == 0);
	CHECK(fstatat(f, "", &st, AT_EMPTY_PATH) == 0 && S_ISREG(st.st_mode));
	CHECK_ERRNO(fstatat(f, "", &st, 0), ENOENT);
	CHECK_ERRNO(fstatat(d, "f", &st, 0x8000), EINVAL);
	CHECK((fd = openat(d, "new", O_CREAT | O_RDWR, 0600)) >= 0);
	close(fd);
	CHECK(mkdirat(d, "sub", 0700) == 0 && unlinkat(d, "sub", AT_REMOVEDIR) == 0 && unlinkat(d, "new", 0) == 0);
	CHECK_ERRNO(unlinkat(d, "f", 0x8000), EINVAL);
	CHECK(symlinkat("f", d, "lf") == 0 && faccessat(d, "lf", R_OK, 0) == 0 && unlinkat(d, "lf", 0) == 0);
	close(d);
	close(f);
	close(p);
}

static int openat2_(int dirfd, const char *name, unsigned long long flags, unsigned long long resolve)
{
	struct open_how how = {.flags = flags, .resolve = resolve};

	return (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
}

static void test_openat2(void)
{
	int d = open("d", O_PATH), fd;
	struct open_how how = {.flags = O_RDONLY, .mode = 0600};

	CHECK(symlink("../d/f", "d/up") == 0 && symlink("/f", "d/abs") == 0);
	CHECK((fd = openat2_(d, "f", O_RDONLY, RESOLVE_BENEATH)) >= 0);
	close(fd);
	CHECK_ERRNO(openat2_(d, "../d/f", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK_ERRNO(openat2_(d, "up", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK_ERRNO(openat2_(d, "/", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK((fd = openat2_(d, "e/../f", O_RDONLY, RESOLVE_BENEATH)) >= 0);
	close(fd);
	CHECK((fd = openat2_(d, "abs", O_RDONLY, RESOLVE_IN_ROOT)) >= 0);
	close(fd);
	CHECK((fd = openat2_(d, "/../../f", O_RDONLY, RESOLVE_IN_ROOT)) >= 0);
	close(fd);
	CHECK_ERRNO(openat2_(d, "up", O_RDONLY, RESOLVE_NO_SYMLINKS), ELOOP);
	CHECK_ERRNO(openat2_(d, "f", O_RDONLY, RESOLVE_BENEATH | RESOLVE_IN_ROOT), EINVAL);
	CHECK_ERRNO(openat2_(d, "f", O_RDONLY, 0x1000), EINVAL);
	CHECK_ERRNO(openat2_(d, "f", 1ull << 40, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_openat2, d, "f", &how, sizeof(how)), EINVAL);
	CHECK_ERRNO(syscall(SYS_openat2, d, "f", &how, 8), EINVAL);
	CHECK_ERRNO(openat2_(AT_FDCWD, "/dev/null", O_RDONLY, RESOLVE_NO_XDEV), EXDEV);
	close(d);
}

static void test_cwd(void)
{
	char buf[256], old[256];

	CHECK(getcwd(old, sizeof(old)) == old);
	CHECK(chdir("d/e") == 0 && getcwd(buf, sizeof(buf)) == buf);
	CHECK(!strncmp(buf, old, strlen(old)) && !strcmp(buf + strlen(old), "/d/e"));
	CHECK_ERRNO(syscall(SYS_getcwd, buf, 3), ERANGE);
	CHECK(mkdir("gone", 0755) == 0 && chdir("gone") == 0 && rmdir("../gone") == 0);
	CHECK_ERRNO(syscall(SYS_getcwd, buf, sizeof(buf)), ENOENT);
	CHECK_ERRNO(mkdir("x", 0755), ENOENT);
	CHECK_ERRNO(open("x", O_CREAT | O_RDWR, 0600), ENOENT);
	CHECK(access(".", F_OK) == 0 && access("..", F_OK) == 0);
	CHECK(chdir("..") == 0);
	CHECK(chdir(old) == 0);
	CHECK_ERRNO(chdir("d/f"), ENOTDIR);
	int fd = open("d", O_RDONLY);
	CHECK(fchdir(fd) == 0 && access("f", F_OK) == 0 && chdir("..") == 0);
	close(fd);
}

static void test_chroot(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		struct stat a, b;

		if (chroot("d") != 0)
			_exit(errno == EPERM ? 0 : 1);
		_exit(!(chdir("/") == 0 && access("/f", F_OK) == 0 && stat("/..", &a) == 0 && stat("/", &b) == 0 &&
			a.st_ino == b.st_ino && access("/tmp", F_OK) != 0));
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

int main(void)
{
	harness_start();
	if (workdir_enter())
		return 1;
	RUN(test_dots);
	RUN(test_links);
	RUN(test_lengths);
	RUN(test_at);
	RUN(test_openat2);
	RUN(test_cwd);
	RUN(test_chroot);
	workdir_leave();
	return CHECK_RESULT();
}
