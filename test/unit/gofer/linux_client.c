/*
 * Linux's own 9P client on our gofer, over a stream socket (mount -t 9p -o trans=fd): the
 * gofer is checked against a client that we did not write. Needs root and a kernel with 9p: where one is
 * missing the test says so and exits 77. The KVM test machine has both:
 *
 *	test/machine/run.sh -- build/release/test/unit_gofer_linux_client
 */
#include <dirent.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "test/unit/gofer/client.h"

static char at[64];

static const char *path_of(const char *name)
{
	static char paths[4][512];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", at, name);
	return path;
}

/* 0, or the errno of mount(2). */
static int mount_gofer(void)
{
	char options[200];

	start_gofer_as(SOCK_STREAM, true);
	strcpy(at, "/tmp/gofer-mount-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(at));
	snprintf(options, sizeof(options), "trans=fd,rfdno=%d,wfdno=%d,version=9p2000.L,access=any,aname=0,msize=65536",
		c.socket, c.socket);
	return mount("gofer", at, "9p", 0, options) ? errno : 0;
}

static void check_content(const char *path, const char *expect)
{
	char text[256] = {0};
	int fd = open(path, O_RDONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(read(fd, text, sizeof(text) - 1), (ssize_t)strlen(expect));
	ck_assert_str_eq(text, expect);
	close(fd);
}

static void check_files(void)
{
	static char big[200000], back[200000];
	struct stat st;
	int fd;

	check_content(path_of("file"), "hello, gofer");
	check_content(path_of("sub/inner"), "inner");
	ck_assert_int_eq(open(path_of("missing"), O_RDONLY), -1);
	ck_assert_int_eq(errno, ENOENT);
	for (unsigned i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 31 % 253);
	fd = open(path_of("big"), O_RDWR | O_CREAT | O_EXCL, 0640);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, big, sizeof(big)), sizeof(big));
	ck_assert_int_eq(pread(fd, back, sizeof(back), 0), sizeof(back));
	ck_assert_int_eq(memcmp(big, back, sizeof(big)), 0);
	ck_assert_int_eq(fsync(fd), 0);
	ck_assert_int_eq(ftruncate(fd, 1000), 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_size, 1000);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0640);
	ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
	ck_assert_int_eq(flock(fd, LOCK_UN), 0);
	close(fd);
}

static void check_names(void)
{
	char target[64] = {0}, name[64];
	unsigned seen = 0;
	struct stat st;
	DIR *dir;

	ck_assert_int_eq(mkdir(path_of("d"), 0755), 0);
	ck_assert_int_eq(mkdir(path_of("d"), 0755), -1);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_int_eq(symlink("../file", path_of("d/link")), 0);
	ck_assert_int_eq(readlink(path_of("d/link"), target, sizeof(target)), 7);
	check_content(path_of("d/link"), "hello, gofer");
	ck_assert_int_eq(link(path_of("file"), path_of("d/hard")), 0);
	ck_assert_int_eq(stat(path_of("d/hard"), &st), 0);
	ck_assert_uint_eq(st.st_nlink, 2);
	ck_assert_int_eq(rename(path_of("d/hard"), path_of("d/moved")), 0);
	ck_assert_int_eq(mknod(path_of("d/fifo"), S_IFIFO | 0600, 0), 0);
	ck_assert_int_eq(mknod(path_of("d/null"), S_IFCHR | 0600, makedev(1, 3)), 0);
	ck_assert_int_eq(stat(path_of("d/null"), &st), 0);
	ck_assert_uint_eq(st.st_rdev, makedev(1, 3));
	ck_assert_int_eq(rmdir(path_of("d")), -1);
	ck_assert_int_eq(errno, ENOTEMPTY);
	for (unsigned i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "sub/entry-%u", i);
		close(open(path_of(name), O_WRONLY | O_CREAT, 0644));
	}
	dir = opendir(path_of("sub"));
	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		seen++;
	closedir(dir);
	ck_assert_uint_eq(seen, 504);
	ck_assert_int_eq(unlink(path_of("sub/entry-7")), 0);
	ck_assert_int_eq(stat(path_of("sub/entry-7"), &st), -1);
}

static void check_attributes(void)
{
	struct timespec times[2] = {{1000, 5}, {2000, 6}};
	struct statfs fs;
	struct stat st;

	ck_assert_int_eq(chmod(path_of("file"), 0600), 0);
	ck_assert_int_eq(chown(path_of("file"), 12, 34), 0);
	ck_assert_int_eq(utimensat(AT_FDCWD, path_of("file"), times, 0), 0);
	ck_assert_int_eq(stat(path_of("file"), &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0600);
	ck_assert_uint_eq(st.st_uid, 12);
	ck_assert_uint_eq(st.st_gid, 34);
	ck_assert_int_eq(st.st_mtim.tv_sec, 2000);
	/* That client keeps whole seconds only. */
	ck_assert_int_eq(statfs(at, &fs), 0);
	ck_assert_uint_gt(fs.f_blocks, 0);
	ck_assert_int_eq(chdir(path_of("..")), 0);
}

static int missing; /* why there was nothing to test */

START_TEST(linux_mounts_us)
{
	missing = geteuid() ? EPERM : mount_gofer();
	if (missing) {
		if (c.gofer)
			stop_gofer();
		return;
	}
	check_files();
	check_names();
	check_attributes();
	ck_assert_int_eq(umount(at), 0);
	rmdir(at);
	stop_gofer();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("linux 9p client");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_set_timeout(all, 60);
	tcase_add_test(all, linux_mounts_us);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	if (missing && !failed) {
		fprintf(stderr, "skipped: mount -t 9p: %s\n", strerror(missing));
		return 77;
	}
	return failed != 0;
}
