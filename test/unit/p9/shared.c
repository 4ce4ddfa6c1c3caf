/*
 * What others do to a shared mount's files, and how little it takes to notice: the sentry's 9P client against a real
 * gofer, while this program changes the directory that it serves.
 */
#include "test/unit/p9/fixture.h"

START_TEST(others_change_a_shared_file)
{
	struct file *file;
	struct kstat st;
	char text[64] = {0};

	check_text("/hello", "hello from the host");
	ck_assert_int_eq(get_stat("/later", &st), -ENOENT);
	host_file("later", "now");
	check_text("/later", "now");
	file = open_file("/hello", O_RDONLY);
	host_file("hello", "changed");
	for (unsigned i = 0; i < 2000; i++)
		clock_monotonic(); /* the fake clock: past what counts as fresh */
	uint64_t pos = 0;
	ck_assert_int_eq(file->ops->read_kernel(file, text, 63, &pos), 7);
	ck_assert_str_eq(text, "changed");
	close_file(file);
	file = open_file("/hello", O_WRONLY);
	put_text(file, "through", 0);
	ck_assert_str_eq(host_read("hello", NULL), "through");
	close_file(file);
	ck_assert_int_eq(vfs_unlink(AT_FDCWD, "/later"), 0);
	ck_assert_ptr_null(host_read("later", NULL));
}
END_TEST

/* Past what counts as fresh, and past the steps of the host's file times. */
static void let_time_pass(void)
{
	struct timespec now;

	usleep(60000);
	clock_gettime(CLOCK_REALTIME, &now);
	fake_realtime = now.tv_sec * 1000000000l + now.tv_nsec;
	for (unsigned i = 0; i < 2000; i++)
		clock_monotonic();
}

static void write_longer(void)
{
	struct file *file = open_file("/hello", O_WRONLY);

	put_text(file, "longer than what was there", 0);
	close_file(file);
}

/* What the gofer said before our own write is not taken for news after it. */
START_TEST(older_than_our_write)
{
	struct kstat st;

	check_text("/hello", "hello from the host");
	let_time_pass();
	meanwhile_type = P9_twalkgetattr;
	afterwards = write_longer;
	ck_assert_int_eq(get_stat("/hello", &st), 0);
	ck_assert_ptr_null(afterwards);
	ck_assert_uint_eq(st.size, 26);
	check_text("/hello", "longer than what was there");
}
END_TEST

static void host_rename(const char *from, const char *to)
{
	char path[512], target[512];

	snprintf(path, sizeof(path), "%s/%s", dir, from);
	snprintf(target, sizeof(target), "%s/%s", dir, to);
	ck_assert_int_eq(rename(path, target), 0);
}

START_TEST(quiet_shared_file)
{
	char path[512], other[512];
	unsigned before;
	struct kstat st;

	check_text("/hello", "hello from the host"); /* it is open on the host from here on */
	for (unsigned round = 0; round < 2; round++) {
		let_time_pass();
		ck_assert_int_eq(get_stat("/hello", &st), 0);
		before = messages;
		for (unsigned i = 0; i < 100; i++) {
			let_time_pass();
			ck_assert_int_eq(get_stat("/hello", &st), 0);
			if (i > 3)
				i += 50;
		}
		check_text("/hello", "hello from the host");
		ck_assert_uint_eq(messages, before);
		/* Each thing that others do to it is seen at once. */
		snprintf(path, sizeof(path), "%s/hello", dir);
		ck_assert_int_eq(chmod(path, round ? 0600 : 0640), 0);
		ck_assert_int_eq(get_stat("/hello", &st), 0);
		ck_assert_uint_eq(st.mode & 07777, round ? 0600 : 0640);
	}
	let_time_pass();
	ck_assert_int_eq(get_stat("/hello", &st), 0);
	host_rename("hello", "away");
	ck_assert_int_eq(get_stat("/hello", &st), -ENOENT);
	host_rename("away", "hello");
	check_text("/hello", "hello from the host");
	let_time_pass();
	ck_assert_int_eq(get_stat("/hello", &st), 0);
	host_file("new", "another");
	host_rename("new", "hello");
	check_text("/hello", "another");
	/* With two names: one that goes is missed, the other is not. */
	snprintf(other, sizeof(other), "%s/second", dir);
	ck_assert_int_eq(link(path, other), 0);
	let_time_pass();
	ck_assert_int_eq(get_stat("/second", &st), 0);
	ck_assert_int_eq(get_stat("/hello", &st), 0);
	ck_assert_int_eq(unlink(other), 0);
	let_time_pass();
	ck_assert_int_eq(get_stat("/hello", &st), 0);
	ck_assert_uint_eq(st.nlink, 1);
	ck_assert_int_eq(get_stat("/hello", &st), 0);
	ck_assert_int_eq(get_stat("/second", &st), -ENOENT);
}
END_TEST

/* A path whose names are all cached is one question, and each of its names is still looked at. */
START_TEST(shared_path)
{
	unsigned before;
	struct kstat st;

	ck_assert_int_eq(get_stat("/sub/deeper/c", &st), 0);
	let_time_pass();
	before = messages;
	ck_assert_int_eq(get_stat("/sub//./deeper/c", &st), 0);
	ck_assert_uint_eq(messages, before + 2); /* sub by itself: "." ends what is looked at along */
	let_time_pass();
	before = messages;
	ck_assert_int_eq(get_stat("/sub//deeper/c", &st), 0);
	ck_assert_uint_eq(messages, before + 1);
	host_rename("sub/deeper", "sub/other");
	ck_assert_int_eq(get_stat("/sub/deeper/c", &st), -ENOENT);
	ck_assert_int_eq(get_stat("/sub/other/c", &st), 0);
	host_rename("sub/other", "sub/deeper");
	check_text("/sub/deeper/c", "c");
	host_rename("sub", "old");
	ck_assert_int_eq(get_stat("/sub/deeper/c", &st), -ENOENT);
	host_dir("sub");
	host_dir("sub/deeper");
	host_file("sub/deeper/c", "new");
	check_text("/sub/deeper/c", "new");
	check_text("/old/deeper/c", "c");
	host_rename("sub/deeper/c", "old/deeper/c");
	ck_assert_int_eq(get_stat("/sub/deeper/c", &st), -ENOENT);
	check_text("/old/deeper/c", "new");
}
END_TEST

/* A name that is not known is made by one question, unless it is there. */
START_TEST(shared_create)
{
	unsigned before = messages;
	struct file *file = open_file("/fresh", O_WRONLY | O_CREAT);

	ck_assert_uint_eq(messages, before + 1);
	put_text(file, "mine", 0);
	close_file(file);
	ck_assert_str_eq(host_read("fresh", NULL), "mine");
	host_file("theirs", "already there");
	close_file(open_file("/theirs", O_RDWR | O_CREAT));
	check_text("/theirs", "already there");
	ck_assert_int_eq(vfs_open(AT_FDCWD, "/theirs", O_RDWR | O_CREAT | O_EXCL, 0600, 0, &file), -EEXIST);
	host_file("more", "x");
	ck_assert_int_eq(vfs_open(AT_FDCWD, "/more", O_RDWR | O_CREAT | O_EXCL, 0600, 0, &file), -EEXIST);
	ck_assert_int_eq(vfs_symlink("target", AT_FDCWD, "/link"), 0);
	dentry_shrink(1000);
	close_file(open_file("/link", O_WRONLY | O_CREAT));
	ck_assert_ptr_nonnull(host_read("target", NULL));
	ck_assert_int_eq(vfs_open(AT_FDCWD, "/sub", O_WRONLY | O_CREAT, 0600, 0, &file), -EISDIR);
	ck_assert_int_eq(vfs_unlink(AT_FDCWD, "/fresh"), 0);
	close_file(open_file("/fresh", O_WRONLY | O_CREAT));
	ck_assert_str_eq(host_read("fresh", NULL), "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("9p client, shared");
	TCase *shared = tcase_create("shared");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(shared, boot_shared, finish);
	tcase_add_test(shared, others_change_a_shared_file);
	tcase_add_test(shared, older_than_our_write);
	tcase_add_test(shared, quiet_shared_file);
	tcase_add_test(shared, shared_path);
	tcase_add_test(shared, shared_create);
	tcase_set_timeout(shared, 30);
	suite_add_tcase(suite, shared);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
