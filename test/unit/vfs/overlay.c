/*
 * Unit tests of the overlay: what copy-up, whiteouts and opaque directories must look
 * like, and a random walk of operations on an overlay and on a plain tmpfs that began
 * with the same files: every result and every listing must be the same.
 */
#include <linux/fs.h>
#include <stdlib.h>

#include "test/unit/vfs/setup.h"

static struct mount *lower, *over, *plain;

/* The files that the lower layer and the plain tree begin with. */
static void fill(struct mount *mount)
{
	struct path old = test_fs.cwd;

	test_fs.cwd = (struct path){mount, mount->root};
	ck_assert_int_eq(test_mkdir("d0"), 0);
	ck_assert_int_eq(test_mkdir("d1"), 0);
	ck_assert_int_eq(test_mkdir("d0/d2"), 0);
	ck_assert_int_eq(test_write("n0", "zero"), 0);
	ck_assert_int_eq(test_write("d0/n1", "one"), 0);
	ck_assert_int_eq(test_write("d0/d2/n2", "two"), 0);
	ck_assert_int_eq(test_write("d1/n3", "three"), 0);
	ck_assert_int_eq(vfs_link(AT_FDCWD, "d1/n3", AT_FDCWD, "d0/n4", 0), 0);
	test_fs.cwd = old;
}

static void setup(void)
{
	struct mount_args args = {.source = "overlay", .data = ""};
	const struct fs_type *type = fs_find("overlay");
	struct superblock *sb;
	struct mount *root;

	test_vfs_boot();
	type = fs_find("overlay");
	root = test_mount_tmpfs("mode=755");
	ck_assert_int_eq(mount_attach(root, NULL), 0);
	test_root_set(root);
	lower = test_mount_tmpfs("mode=755");
	plain = test_mount_tmpfs("mode=755");
	fill(lower);
	fill(plain);
	args.lower = lower->sb;
	ck_assert_int_eq(type->mount(type, &args, &sb), 0);
	over = mount_create(sb, sb->root, "overlay", 0);
}

static void in(struct mount *mount)
{
	test_fs.cwd = (struct path){mount, mount->root};
}

START_TEST(copy_up)
{
	struct kstat before, after, below;

	in(over);
	ck_assert(test_holds("d0/d2/n2", "two"));
	ck_assert_int_eq(test_stat("d0/d2/n2", &before), 0);
	ck_assert_int_eq(test_write("d0/d2/n2", "changed"), 0);
	ck_assert_int_eq(test_stat("d0/d2/n2", &after), 0);
	ck_assert_uint_eq(before.ino, after.ino);
	ck_assert(test_holds("d0/d2/n2", "changed"));
	in(lower);
	ck_assert(test_holds("d0/d2/n2", "two"));
	ck_assert_int_eq(test_stat("n0", &below), 0);
	in(over);
	dentry_shrink(1000);
	ck_assert_int_eq(test_stat("d0/d2/n2", &after), 0);
	ck_assert_uint_eq(before.ino, after.ino);
	ck_assert(test_holds("d0/d2/n2", "changed"));
	/* Metadata alone keeps the content. */
	struct path path;
	ck_assert_int_eq(path_lookup(AT_FDCWD, "n0", 0, &path), 0);
	ck_assert_int_eq(vfs_chmod(&path, 0600), 0);
	path_put(&path);
	dentry_shrink(1000);
	ck_assert(test_holds("n0", "zero"));
	ck_assert_int_eq(test_stat("n0", &after), 0);
	ck_assert_uint_eq(after.mode & 07777, 0600);
	in(lower);
	ck_assert_int_eq(test_stat("n0", &after), 0);
	ck_assert_uint_eq(after.mode, below.mode);
}
END_TEST

/* A file that is open for reading sees what is written after its copy-up. */
START_TEST(open_before_copy_up)
{
	struct file *file;
	char buf[16] = "";
	uint64_t pos = 0;

	in(over);
	ck_assert_int_eq(vfs_open(AT_FDCWD, "n0", O_RDONLY, 0, 0, &file), 0);
	ck_assert_int_eq(test_write("n0", "later"), 0);
	ck_assert_int_eq(file->ops->read_kernel(file, buf, 15, &pos), 5);
	ck_assert_str_eq(buf, "later");
	ck_assert_int_eq(vfs_unlink(AT_FDCWD, "n0"), 0);
	pos = 0;
	ck_assert_int_eq(file->ops->read_kernel(file, buf, 15, &pos), 5);
	file_put(file);
}
END_TEST

START_TEST(hard_links)
{
	struct kstat a, b;

	in(over);
	ck_assert_int_eq(test_stat("d1/n3", &a), 0);
	ck_assert_int_eq(test_stat("d0/n4", &b), 0);
	ck_assert_uint_eq(a.ino, b.ino);
	ck_assert_uint_eq(a.nlink, 2);
	ck_assert_int_eq(test_write("d1/n3", "both"), 0);
	dentry_shrink(1000);
	ck_assert(test_holds("d0/n4", "both"));
	ck_assert_int_eq(vfs_unlink(AT_FDCWD, "d1/n3"), 0);
	ck_assert_int_eq(test_stat("d0/n4", &b), 0);
	ck_assert_uint_eq(b.nlink, 1);
	ck_assert_uint_eq(a.ino, b.ino);
	ck_assert_int_eq(vfs_rename(AT_FDCWD, "d0/n4", AT_FDCWD, "renamed", 0), 0);
	dentry_shrink(1000);
	ck_assert(test_holds("renamed", "both"));
	ck_assert_int_eq(test_stat("d0/n4", &b), -ENOENT);
}
END_TEST

START_TEST(whiteouts)
{
	static struct test_names names;
	struct kstat st;

	in(over);
	ck_assert_int_eq(vfs_rmdir(AT_FDCWD, "d1"), -ENOTEMPTY);
	ck_assert_int_eq(vfs_unlink(AT_FDCWD, "d1/n3"), 0);
	ck_assert_int_eq(vfs_rmdir(AT_FDCWD, "d1"), 0);
	dentry_shrink(1000);
	ck_assert_int_eq(test_stat("d1", &st), -ENOENT);
	ck_assert_int_eq(test_list(".", &names), 0);
	ck_assert_uint_eq(names.count, 2);
	ck_assert_int_eq(test_mkdir("d1"), 0);
	dentry_shrink(1000);
	ck_assert_int_eq(test_stat("d1/n3", &st), -ENOENT);
	ck_assert_int_eq(test_list("d1", &names), 0);
	ck_assert_uint_eq(names.count, 0);
	ck_assert_int_eq(vfs_mknod(AT_FDCWD, "fake", S_IFCHR, 0), -EPERM);
	ck_assert_int_eq(vfs_rename(AT_FDCWD, "d0", AT_FDCWD, "e", 0), -EXDEV);
	ck_assert_int_eq(vfs_rename(AT_FDCWD, "d1", AT_FDCWD, "e", 0), 0);
	dentry_shrink(1000);
	ck_assert_int_eq(test_stat("d1", &st), -ENOENT);
}
END_TEST

/* ---- the random walk ---- */

static void random_name(char *to, size_t size)
{
	static const char *const dirs[] = {"", "d0/", "d1/", "d0/d2/", "n1/", "d0/n2/"};

	snprintf(to, size, "%s%c%d", dirs[rand() % 6], rand() % 3 ? 'n' : 'd', rand() % 5);
}

struct step {
	int kind;
	char a[32], b[32], text[24];
};

static int chmod_name(const char *name, uint32_t mode)
{
	struct path path;
	int rc = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &path);

	if (rc)
		return rc;
	rc = vfs_chmod(&path, mode);
	path_put(&path);
	return rc;
}

static int take(const struct step *s)
{
	switch (s->kind) {
	case 0:
		return test_mkdir(s->a);
	case 1:
	case 2:
		return test_write(s->a, s->text);
	case 3:
		return vfs_unlink(AT_FDCWD, s->a);
	case 4:
		return vfs_rmdir(AT_FDCWD, s->a);
	case 5:
		return vfs_link(AT_FDCWD, s->a, AT_FDCWD, s->b, 0);
	case 6:
	case 7:
		return vfs_rename(AT_FDCWD, s->a, AT_FDCWD, s->b, 0);
	case 8:
		return vfs_rename(AT_FDCWD, s->a, AT_FDCWD, s->b, RENAME_EXCHANGE);
	default:
		return chmod_name(s->a, s->kind == 9 ? 0640 : 0755);
	}
}

/* The whole tree below a directory as one text: names, types, modes, link counts of files, content. */
static void print_tree(const char *dir, char *out, size_t size)
{
	struct test_names *names = malloc(sizeof(*names));
	size_t used = strlen(out);

	ck_assert_int_eq(test_list(dir, names), 0);
	for (unsigned i = 0; i < names->count; i++) {
		char name[256], text[64] = "";
		struct kstat st;

		snprintf(name, sizeof(name), "%s/%s", dir, names->name[i]);
		ck_assert_int_eq(test_stat(name, &st), 0);
		ck_assert_uint_eq(st.ino, names->ino[i]);
		if (S_ISREG(st.mode))
			ck_assert_int_eq(test_read(name, text, sizeof(text)), 0);
		used += (size_t)snprintf(out + used, size - used, "%s %o %u %s\n", name, st.mode,
			S_ISDIR(st.mode) ? 0 : (unsigned)st.nlink, text);
		ck_assert_uint_lt(used, size);
		if (S_ISDIR(st.mode)) {
			print_tree(name, out, size);
			used = strlen(out);
		}
	}
	free(names);
}

static void compare_trees(void)
{
	static char a[65536], b[65536];

	a[0] = b[0] = 0;
	in(over);
	print_tree(".", a, sizeof(a));
	in(plain);
	print_tree(".", b, sizeof(b));
	ck_assert_str_eq(a, b);
}

START_TEST(random_walk)
{
	srand(1000 + _i);
	for (int i = 0; i < 1500; i++) {
		struct step s = {.kind = rand() % 11};
		int rc;

		random_name(s.a, sizeof(s.a));
		random_name(s.b, sizeof(s.b));
		snprintf(s.text, sizeof(s.text), "text %d", i);
		in(over);
		rc = take(&s);
		if (rc == -EXDEV) {
			ck_assert(s.kind >= 6 && s.kind <= 8);
			continue; /* a directory with a lower part: allowed to refuse */
		}
		in(plain);
		int want = take(&s);
		if (rc != want)
			ck_abort_msg("step %d kind %d %s %s: %d, but a plain tree gives %d", i, s.kind, s.a, s.b, rc, want);
		if (rand() % 10 == 0)
			dentry_shrink((unsigned)(rand() % 40));
		if (i % 10 == 0)
			compare_trees();
	}
	compare_trees();
	dentry_check();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vfs/overlay");
	TCase *tcase = tcase_create("overlay");
	SRunner *runner = srunner_create(suite);

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, dentry_check);
	tcase_add_test(tcase, copy_up);
	tcase_add_test(tcase, open_before_copy_up);
	tcase_add_test(tcase, hard_links);
	tcase_add_test(tcase, whiteouts);
	tcase_add_loop_test(tcase, random_walk, 0, 20);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
