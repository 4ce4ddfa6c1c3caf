/*
 * Unit tests of the path walk, the dentry cache, tmpfs and mounts, in sentry memory alone.
 * Every test ends with the cache's invariants checked.
 */
#include <linux/fs.h>
#include <stdlib.h>

#include "test/unit/vfs/setup.h"

static void setup(void)
{
	struct mount *root;

	test_vfs_boot();
	root = test_mount_tmpfs("mode=755");
	ck_assert_int_eq(mount_attach(root, NULL), 0);
	test_root_set(root);
}

static void teardown(void)
{
	dentry_check();
}

START_TEST(walk)
{
	struct kstat a, b;
	struct path path;
	char text[64];

	ck_assert_int_eq(test_mkdir("/a"), 0);
	ck_assert_int_eq(test_mkdir("/a/b"), 0);
	ck_assert_int_eq(test_write("/a/b/f", "deep"), 0);
	ck_assert_int_eq(vfs_symlink("b/f", AT_FDCWD, "/a/link"), 0);
	ck_assert_int_eq(vfs_symlink("/a/b/../link", AT_FDCWD, "/abs"), 0);
	ck_assert(test_holds("/abs", "deep"));
	ck_assert(test_holds("/a//b/./../b/f", "deep"));
	ck_assert_int_eq(test_stat("/a/b/f/", &a), -ENOTDIR);
	ck_assert_int_eq(test_stat("/a/x", &a), -ENOENT);
	ck_assert_int_eq(test_stat("/a/x/..", &a), -ENOENT);
	ck_assert_int_eq(test_stat("/../..", &a), 0);
	ck_assert_int_eq(test_stat("/", &b), 0);
	ck_assert_uint_eq(a.ino, b.ino);
	ck_assert_int_eq(vfs_symlink("loop", AT_FDCWD, "/loop"), 0);
	ck_assert_int_eq(path_lookup(AT_FDCWD, "/loop", LOOKUP_FOLLOW, &path), -ELOOP);
	ck_assert_int_eq(path_lookup(AT_FDCWD, "/a/b/f", 0, &path), 0);
	ck_assert_str_eq(path_print(&path, &test_fs.root, text, sizeof(text)), "/a/b/f");
	ck_assert_ptr_null(path_print(&path, &test_fs.root, text, 4));
	ck_assert_int_eq(vfs_unlink(AT_FDCWD, "/a/b/f"), 0);
	ck_assert_str_eq(path_print(&path, &test_fs.root, text, sizeof(text)), "/a/b/f (deleted)");
	path_put(&path);
}
END_TEST

START_TEST(parent)
{
	struct path dir;
	struct last_name last;
	static const char name[] = "/l/x//";

	ck_assert_int_eq(test_mkdir("/d"), 0);
	ck_assert_int_eq(vfs_symlink("d", AT_FDCWD, "/l"), 0);
	ck_assert_int_eq(path_lookup_parent(AT_FDCWD, name, LOOKUP_FOLLOW, &dir, &last), 0);
	ck_assert_ptr_eq(last.name, name + 3);
	ck_assert_uint_eq(last.len, 1);
	ck_assert(last.trailing_slash && last.kind == LAST_NORMAL);
	ck_assert_str_eq(dir.dentry->name, "d");
	path_put(&dir);
	ck_assert_int_eq(path_lookup_parent(AT_FDCWD, "/", 0, &dir, &last), 0);
	ck_assert_uint_eq(last.kind, LAST_ROOT);
	path_put(&dir);
}
END_TEST

/* A warm walk finds what it needs in the cache, negative names too, and leaves no references behind. */
START_TEST(cache)
{
	struct dentry *root = test_fs.root.dentry, *d;
	struct kstat st;
	uint32_t refs;

	ck_assert_int_eq(test_mkdir("/a"), 0);
	ck_assert_int_eq(test_stat("/a/none", &st), -ENOENT);
	refs = root->refs;
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(test_stat("/a/none", &st), -ENOENT);
	ck_assert_uint_eq(root->refs, refs);
	d = dentry_find(root, "a", 1);
	ck_assert_ptr_nonnull(d);
	struct dentry *negative = dentry_find(d, "none", 4);
	ck_assert_ptr_nonnull(negative);
	ck_assert_ptr_null(negative->inode);
	ck_assert_uint_eq(negative->refs, 1);
	dentry_put(negative);
	dentry_put(d);
	dentry_shrink(1000);
	ck_assert_ptr_null(dentry_find(root, "a", 1));
	ck_assert_int_eq(test_stat("/a", &st), 0);
}
END_TEST

START_TEST(limits)
{
	char text[256];
	struct file *file;

	ck_assert_int_eq(test_mkdir("/t"), 0);
	struct mount *small = test_mount_tmpfs("size=8k,nr_inodes=3,mode=700,uid=5");
	struct path at;
	ck_assert_int_eq(path_lookup(AT_FDCWD, "/t", 0, &at), 0);
	ck_assert_int_eq(mount_attach(small, &at), 0);
	path_put(&at);
	struct kstat st;
	ck_assert_int_eq(test_stat("/t", &st), 0);
	ck_assert_uint_eq(st.mode & 07777, 0700);
	ck_assert_uint_eq(st.uid, 5);
	ck_assert_int_eq(vfs_open(AT_FDCWD, "/t/f", O_CREAT | O_RDWR, 0600, 0, &file), 0);
	memset(text, 'x', sizeof(text));
	uint64_t pos = 0;
	ck_assert_int_eq(file->ops->write_kernel(file, text, 256, &pos), 256);
	pos = 8000;
	ck_assert_int_eq(file->ops->write_kernel(file, text, 256, &pos), 192);
	ck_assert_int_eq(file->ops->write_kernel(file, text, 256, &pos), -ENOSPC);
	pos = 0;
	ck_assert_int_eq(file->ops->write_kernel(file, text, 256, &pos), 256);
	ck_assert_int_eq(vfs_ftruncate(file, 10), 0);
	pos = 4096;
	ck_assert_int_eq(file->ops->write_kernel(file, text, 1, &pos), 1);
	file_put(file);
	ck_assert_int_eq(test_mkdir("/t/d"), 0);
	ck_assert_int_eq(test_mkdir("/t/e"), -ENOSPC);
	ck_assert_int_eq(vfs_umount("/t", 0), 0);
	ck_assert_int_eq(test_stat("/t/f", &st), -ENOENT);
}
END_TEST

START_TEST(options)
{
	static const char *const bad[] = {"size=", "size=x", "mode=9", "nonsense", "size=99999999999999999999", "a=b"};
	struct mount_args args = {.source = "none"};
	const struct fs_type *type = fs_find("tmpfs");
	struct superblock *sb;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		args.data = bad[i];
		ck_assert_int_eq(type->mount(type, &args, &sb), -EINVAL);
	}
}
END_TEST

START_TEST(descriptors)
{
	struct file *file;
	int fd;

	ck_assert_int_eq(test_write("/f", ""), 0);
	for (int i = 0; i < 200; i++) {
		ck_assert_int_eq(vfs_open(AT_FDCWD, "/f", O_RDONLY, 0, 0, &file), 0);
		ck_assert_int_eq(fd_install(file, i & 1, 0), i);
	}
	ck_assert_int_eq(fd_close(7), 0);
	ck_assert_int_eq(fd_close(7), -EBADF);
	ck_assert_int_eq(vfs_open(AT_FDCWD, "/f", O_RDONLY, 0, 0, &file), 0);
	fd = fd_install(file, false, 100);
	ck_assert_int_eq(fd, 200);
	ck_assert_int_eq(vfs_open(AT_FDCWD, "/f", O_RDONLY, 0, 0, &file), 0);
	ck_assert_int_eq(fd_install(file, false, 0), 7);
	struct fd_table *copy;
	ck_assert_int_eq(files_clone(fake_task.files, false, &copy), 0);
	files_put(copy);
	ck_assert_int_eq(files_unshare_for_exec(&fake_task), 0);
	ck_assert_ptr_null(fd_file(1));
	file = fd_file(2);
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(file->refs, 2);
	file_put(file);
}
END_TEST

/* Random operations; the inode numbers of a plain array are the model of which name is which. */
#define NAMES 8

START_TEST(random_names)
{
	uint64_t model[NAMES] = {0};
	char a[16], b[16];
	struct kstat st;

	srand(7);
	for (int step = 0; step < 20000; step++) {
		int i = rand() % NAMES, j = rand() % NAMES, rc;

		snprintf(a, sizeof(a), "/n%d", i);
		snprintf(b, sizeof(b), "/n%d", j);
		switch (rand() % 5) {
		case 0:
			rc = vfs_mknod(AT_FDCWD, a, S_IFREG | 0600, 0);
			ck_assert_int_eq(rc, model[i] ? -EEXIST : 0);
			if (!rc && !test_stat(a, &st))
				model[i] = st.ino;
			break;
		case 1:
			ck_assert_int_eq(vfs_unlink(AT_FDCWD, a), model[i] ? 0 : -ENOENT);
			model[i] = 0;
			break;
		case 2:
			rc = vfs_link(AT_FDCWD, a, AT_FDCWD, b, 0);
			ck_assert_int_eq(rc, !model[i] ? -ENOENT : model[j] ? -EEXIST : 0);
			if (!rc)
				model[j] = model[i];
			break;
		case 3:
			rc = vfs_rename(AT_FDCWD, a, AT_FDCWD, b, 0);
			ck_assert_int_eq(rc, model[i] ? 0 : -ENOENT);
			if (!rc && model[i] != model[j]) {
				model[j] = model[i];
				model[i] = 0;
			}
			break;
		case 4:
			rc = vfs_rename(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
			ck_assert_int_eq(rc, model[i] && model[j] ? 0 : -ENOENT);
			if (!rc) {
				uint64_t ino = model[i];

				model[i] = model[j];
				model[j] = ino;
			}
			break;
		}
		if (step % 50 == 0)
			dentry_shrink(step % 3);
		for (int k = 0; k < NAMES; k++) {
			unsigned links = 0;

			for (int m = 0; m < NAMES; m++)
				links += model[m] == model[k];
			snprintf(a, sizeof(a), "/n%d", k);
			rc = test_stat(a, &st);
			ck_assert_int_eq(rc, model[k] ? 0 : -ENOENT);
			if (!rc) {
				ck_assert_uint_eq(st.ino, model[k]);
				ck_assert_uint_eq(st.nlink, links);
			}
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vfs/tree");
	TCase *tcase = tcase_create("tree");
	SRunner *runner = srunner_create(suite);

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, walk);
	tcase_add_test(tcase, parent);
	tcase_add_test(tcase, cache);
	tcase_add_test(tcase, limits);
	tcase_add_test(tcase, options);
	tcase_add_test(tcase, descriptors);
	tcase_add_test(tcase, random_names);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
