/*
 * The sentry's 9P client end to end: vfs/ and vfs/p9/ on the fake machine, whose host ring
 * is joined to a real gofer in a child process, against the real directory that it serves.
 * The last test makes random changes through the sentry, on an exclusive and on a shared mount, and compares
 * the outcome with a plain model and with what the host then sees.
 */
#include "test/unit/p9/fixture.h"

START_TEST(read_and_cache)
{
	struct kstat st;
	unsigned before;

	check_text("/hello", "hello from the host");
	check_text("/sub/deeper/c", "c");
	ck_assert_int_eq(get_stat("/missing", &st), -ENOENT);
	before = messages;
	check_text("/hello", "hello from the host");
	check_text("/sub/deeper/c", "c");
	ck_assert_int_eq(get_stat("/missing", &st), -ENOENT);
	ck_assert_int_eq(get_stat("/sub/deeper/c", &st), 0);
	ck_assert_uint_eq(st.size, 1);
	ck_assert_uint_eq(messages, before);
}
END_TEST

START_TEST(without_donation)
{
	struct file *file;

	donate = false;
	check_text("/hello", "hello from the host");
	file = open_file("/hello", O_RDWR);
	put_text(file, "HELLO", 0);
	put_text(file, "tail", 100000);
	close_file(file);
	donate = true;
	size_t size;
	char *text = host_read("hello", &size);
	ck_assert_uint_eq(size, 100004);
	ck_assert_int_eq(memcmp(text, "HELLO from the host", 19), 0);
	ck_assert_str_eq(text + 100000, "tail");
}
END_TEST

START_TEST(write_back)
{
	struct file *file = open_file("/new", O_RDWR | O_CREAT | O_EXCL);
	unsigned before = messages;
	struct kstat st;
	size_t size;

	put_text(file, "first ", 0);
	put_text(file, "second", 6);
	ck_assert_uint_eq(messages, before);
	ck_assert_int_eq(get_stat("/new", &st), 0);
	ck_assert_uint_eq(st.size, 12);
	close_file(file);
	ck_assert_str_eq(host_read("new", &size), "first second");
	/* Large, unaligned, with a hole; then cut. */
	static char big[300000];
	for (unsigned i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 % 251);
	file = open_file("/big", O_RDWR | O_CREAT);
	uint64_t pos = 5000;
	ck_assert_int_eq(file->ops->write_kernel(file, big, sizeof(big), &pos), sizeof(big));
	ck_assert_int_eq(file->ops->fsync(file, false), 0);
	char *text = host_read("big", &size);
	ck_assert_uint_eq(size, 5000 + sizeof(big));
	ck_assert_int_eq(memcmp(text + 5000, big, sizeof(big)), 0);
	ck_assert_int_eq(vfs_ftruncate(file, 6000), 0);
	ck_assert_int_eq(vfs_ftruncate(file, 9000), 0);
	close_file(file);
	text = host_read("big", &size);
	ck_assert_uint_eq(size, 9000);
	ck_assert_int_eq(memcmp(text + 5000, big, 1000), 0);
	for (unsigned i = 6000; i < 9000; i++)
		ck_assert_int_eq(text[i], 0);
	/* O_TRUNC. */
	file = open_file("/big", O_WRONLY | O_TRUNC);
	put_text(file, "x", 0);
	close_file(file);
	ck_assert_str_eq(host_read("big", &size), "x");
	check_text("/big", "x");
}
END_TEST

START_TEST(unlinked_while_open)
{
	struct file *file = open_file("/sub/a", O_RDWR), *made = open_file("/temp", O_RDWR | O_CREAT);
	char text[64] = {0};

	put_text(made, "never on disk", 0);
	ck_assert_int_eq(vfs_unlink(AT_FDCWD, "/temp"), 0);
	ck_assert_int_eq(vfs_unlink(AT_FDCWD, "/sub/a"), 0);
	ck_assert_int_eq(file_read_kernel(file, text, 63, 0), 4);
	ck_assert_str_eq(text, "aaaa");
	ck_assert_int_eq(file_read_kernel(made, text, 63, 0), 13);
	ck_assert_int_eq(vfs_ftruncate(made, 5), 0);
	close_file(file);
	close_file(made);
	ck_assert_ptr_null(host_read("sub/a", NULL));
}
END_TEST

struct counter {
	struct dir_emitter base;
	struct file *file; /* set: its position is moved here, as getdents does */
	unsigned count, stop_after;
	char last[64];
};

static bool count_one(struct dir_emitter *base, const char *name, unsigned len, uint64_t ino, unsigned type, uint64_t next)
{
	struct counter *counter = container_of(base, struct counter, base);

	if (counter->count == counter->stop_after)
		return false;
	snprintf(counter->last, sizeof(counter->last), "%.*s", (int)len, name);
	counter->count++;
	if (counter->file)
		counter->file->pos = next;
	return true;
}

START_TEST(directories)
{
	struct counter counter = {.base.emit = count_one, .stop_after = 100};
	char name[64];
	struct file *file;
	unsigned before;
	struct kstat st;

	for (unsigned i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "sub/deeper/entry-with-a-long-name-%u", i);
		host_file(name, "x");
	}
	file = open_file("/sub/deeper", O_RDONLY | O_DIRECTORY);
	ck_assert_int_eq(file->ops->readdir(file, &counter.base), 0);
	ck_assert_uint_eq(counter.count, 100);
	counter.stop_after = 10000;
	ck_assert_int_eq(file->ops->readdir(file, &counter.base), 0);
	ck_assert_uint_eq(counter.count, 503);
	close_file(file);
	before = messages;
	for (unsigned i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "/sub/deeper/entry-with-a-long-name-%u", i);
		ck_assert_int_eq(get_stat(name, &st), 0);
		ck_assert_uint_eq(st.size, 1);
	}
	ck_assert_uint_eq(messages, before);
	check_text("/sub/deeper/entry-with-a-long-name-77", "x");
	ck_assert_uint_eq(messages, before + 1); /* walked and opened */
	/* Renamed and removed without ever having had a fid. */
	ck_assert_int_eq(vfs_rename(AT_FDCWD, "/sub/deeper/entry-with-a-long-name-1", AT_FDCWD, "/one", 0), 0);
	check_text("/one", "x");
	ck_assert_int_eq(vfs_unlink(AT_FDCWD, "/sub/deeper/entry-with-a-long-name-2"), 0);
	ck_assert_int_eq(get_stat("/sub/deeper/entry-with-a-long-name-2", &st), -ENOENT);
	file = open_file("/sub/deeper", O_RDONLY | O_DIRECTORY);
	counter = (struct counter){.base.emit = count_one, .stop_after = 10000, .file = file};
	ck_assert_int_eq(file->ops->readdir(file, &counter.base), 0);
	ck_assert_uint_eq(counter.count, 501);
	close_file(file);
}
END_TEST

static unsigned count_entries(const char *name)
{
	struct counter counter = {.base.emit = count_one, .stop_after = 10000};
	struct file *file = open_file(name, O_RDONLY | O_DIRECTORY);

	ck_assert_int_eq(file->ops->readdir(file, &counter.base), 0);
	close_file(file);
	return counter.count;
}

/* Forty directories in one, with two files and a directory with a file each, read one after the other. */
static void read_tree(void)
{
	char name[64];
	struct kstat st;

	ck_assert_uint_eq(count_entries("/tree"), 42);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "/tree/%u", i);
		ck_assert_uint_eq(count_entries(name), 5);
		snprintf(name, sizeof(name), "/tree/%u/x", i);
		ck_assert_int_eq(get_stat(name, &st), 0);
		ck_assert_uint_eq(st.size, 3);
		snprintf(name, sizeof(name), "/tree/%u/in", i);
		ck_assert_uint_eq(count_entries(name), 3);
		snprintf(name, sizeof(name), "/tree/%u/in/deep", i);
		ck_assert_int_eq(get_stat(name, &st), 0);
		snprintf(name, sizeof(name), "/tree/%u/in/missing", i);
		ck_assert_int_eq(get_stat(name, &st), -ENOENT);
	}
}

START_TEST(directory_after_directory)
{
	char name[64];
	unsigned before;
	struct kstat st;
	struct file *file;

	host_dir("tree");
	for (unsigned i = 0; i < 40; i++) {
		static const char *const names[] = {"", "/in", "/x", "/y", "/in/deep"};

		for (unsigned k = 0; k < ARRAY_SIZE(names); k++) {
			snprintf(name, sizeof(name), "tree/%u%s", i, names[k]);
			if (k < 2)
				host_dir(name);
			else
				host_file(name, "abc");
		}
	}
	read_tree();
	ck_assert_uint_lt(messages, 20);
	before = messages;
	read_tree();
	ck_assert_uint_eq(messages, before);
	/* Nothing of it has a fid: what is deep gets one by way of those above it. */
	check_text("/tree/39/in/deep", "abc");
	ck_assert_int_eq(vfs_unlink(AT_FDCWD, "/tree/38/in/deep"), 0);
	ck_assert_int_eq(vfs_rmdir(AT_FDCWD, "/tree/38/in"), 0);
	ck_assert_int_eq(get_stat("/tree/38/in", &st), -ENOENT);
	ck_assert_uint_eq(count_entries("/tree/38"), 4);
	ck_assert_int_eq(vfs_rename(AT_FDCWD, "/tree/37", AT_FDCWD, "/moved", 0), 0);
	check_text("/moved/in/deep", "abc");
	ck_assert_int_eq(get_stat("/tree/37/in/deep", &st), -ENOENT);
	ck_assert_uint_eq(count_entries("/tree"), 41);
	file = open_file("/tree/36/in/new", O_WRONLY | O_CREAT);
	put_text(file, "made", 0);
	close_file(file);
	ck_assert_str_eq(host_read("tree/36/in/new", NULL), "made");
	ck_assert_uint_eq(count_entries("/tree/36/in"), 4);
	dentry_shrink(10000);
	check_text("/tree/36/in/new", "made");
	check_text("/moved/in/deep", "abc");
	dentry_check();
}
END_TEST

/* Who wants names alone gets them without attributes; who then looks at the files gets those, of many at a time too. */
START_TEST(names_without_attributes)
{
	char name[64];
	unsigned before;
	struct kstat st;

	host_dir("names");
	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "names/%02u", i);
		host_dir(name);
		snprintf(name, sizeof(name), "names/%02u/in", i);
		host_dir(name);
		for (unsigned k = 0; k < 24; k++) {
			snprintf(name, sizeof(name), "names/%02u/file-%u", i, k);
			host_file(name, "abc");
		}
	}
	ck_assert_uint_eq(count_entries("/names"), 42);
	before = messages;
	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "/names/%02u", i);
		ck_assert_int_eq(get_stat(name, &st), 0);
		ck_assert_uint_eq(count_entries(name), 27);
		snprintf(name, sizeof(name), "/names/%02u/in", i);
		ck_assert_uint_eq(count_entries(name), 2);
		snprintf(name, sizeof(name), "/names/%02u/missing", i);
		ck_assert_int_eq(get_stat(name, &st), -ENOENT);
	}
	ck_assert_uint_lt(messages - before, 11);
	/* What is changed is seen, whether the file itself was looked at or not. */
	ck_assert_int_eq(vfs_unlink(AT_FDCWD, "/names/05/file-1"), 0);
	ck_assert_int_eq(get_stat("/names/05/file-1", &st), -ENOENT);
	ck_assert_int_eq(vfs_rename(AT_FDCWD, "/names/06/file-2", AT_FDCWD, "/names/05/file-1", 0), 0);
	check_text("/names/05/file-1", "abc");
	ck_assert_int_eq(get_stat("/names/06/file-2", &st), -ENOENT);
	ck_assert_uint_eq(count_entries("/names/06"), 26);
	before = messages;
	for (unsigned i = 7; i < 40; i++) {
		for (unsigned k = 0; k < 24; k++) {
			snprintf(name, sizeof(name), "/names/%02u/file-%u", i, k);
			ck_assert_int_eq(get_stat(name, &st), 0);
			ck_assert_uint_eq(st.size, 3);
		}
	}
	ck_assert_uint_lt(messages - before, 20);
	dentry_check();
}
END_TEST

/* Types that there are not in records without attributes, which are a type, the name's length and the name. */
static void spoil_types(uint8_t *reply, size_t n)
{
	for (size_t i = 0; i + 7 <= n; i++) {
		if (reply[i] == S_IFREG >> 12 && !memcmp(reply + i + 1, "\4\0odd", 5))
			reply[i] = i % 2 ? 200 : 15;
	}
}

START_TEST(types_that_there_are_not)
{
	unsigned before;
	char name[64];

	host_dir("types");
	for (unsigned i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "types/%02u", i);
		host_dir(name);
		for (unsigned k = 0; k < 8; k++) {
			snprintf(name, sizeof(name), "types/%02u/odd%u", i, k);
			host_file(name, "abc");
		}
	}
	spoil = spoil_types;
	ck_assert_uint_eq(count_entries("/types"), 22);
	before = messages;
	for (unsigned i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "/types/%02u", i);
		ck_assert_uint_eq(count_entries(name), 10);
	}
	ck_assert_uint_lt(messages - before, 8); /* what came of many at a time was taken */
	spoil = NULL;
	check_text("/types/07/odd3", "abc");
	dentry_check();
}
END_TEST

START_TEST(file_after_file)
{
	char name[96];
	unsigned before;
	struct file *file;

	host_dir("many");
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "many/%u", i);
		host_file(name, name);
	}
	ck_assert_uint_eq(count_entries("/many"), 102);
	before = messages;
	/* In the order of the listing, whatever that is. */
	struct counter counter = {.base.emit = count_one};
	file = open_file("/many", O_RDONLY | O_DIRECTORY);
	for (unsigned i = 0; i < 102; i++) {
		counter.stop_after = i + 1;
		ck_assert_int_eq(file->ops->readdir(file, &counter.base), 0);
		if (counter.last[0] == '.')
			continue;
		snprintf(name, sizeof(name), "/many/%s", counter.last);
		check_text(name, name + 1);
		if (i == 50) {
			ck_assert_int_eq(vfs_unlink(AT_FDCWD, name), 0);
			host_file(name + 1, "not it");
		}
	}
	close_file(file);
	ck_assert_uint_lt(messages - before, 20);
}
END_TEST

static void unlink_a(void)
{
	ck_assert_int_eq(vfs_unlink(AT_FDCWD, "/sub/a"), 0);
}

static void unlink_b(void)
{
	ck_assert_int_eq(vfs_unlink(AT_FDCWD, "/sub/b"), 0);
}

/* A name that goes while its file is asked for by it: the file is open, and stays so. */
START_TEST(unlinked_while_asked_for)
{
	struct file *file;
	char text[64] = {0};
	uint32_t fid;

	ck_assert_uint_eq(count_entries("/sub"), 5);
	file = open_file("/sub/a", O_RDONLY);
	meanwhile = unlink_a;
	meanwhile_type = P9_twalkdonate;
	ck_assert_int_eq(file_read_kernel(file, text, 63, 0), 4);
	ck_assert_ptr_null(meanwhile);
	ck_assert_str_eq(text, "aaaa");
	close_file(file);
	file = open_file("/sub/b", O_RDONLY);
	meanwhile = unlink_b;
	meanwhile_type = P9_twalkgetattr;
	ck_assert_int_eq(p9fs_inode_fid(file->inode, &fid), 0);
	ck_assert_ptr_null(meanwhile);
	ck_assert_uint_ne(fid, P9_NOFID);
	close_file(file);
}
END_TEST

START_TEST(absent_names_cost_nothing)
{
	char name[64];
	unsigned before;
	struct kstat st;

	for (unsigned i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "/sub/not-there-%u", i);
		ck_assert_int_eq(get_stat(name, &st), -ENOENT);
	}
	before = messages;
	for (unsigned i = 4; i < 40; i++) {
		snprintf(name, sizeof(name), "/sub/not-there-%u", i);
		ck_assert_int_eq(get_stat(name, &st), -ENOENT);
	}
	ck_assert_int_eq(get_stat("/sub/a", &st), 0);
	ck_assert_uint_eq(messages, before);
	/* It stays true over changes. */
	ck_assert_int_eq(vfs_mkdir(AT_FDCWD, "/sub/made", 0755), 0);
	ck_assert_int_eq(vfs_rename(AT_FDCWD, "/sub/a", AT_FDCWD, "/sub/made/a2", 0), 0);
	before = messages;
	ck_assert_int_eq(get_stat("/sub/made/other", &st), -ENOENT);
	ck_assert_int_eq(get_stat("/sub/a", &st), -ENOENT);
	ck_assert_uint_eq(messages, before);
	dentry_shrink(1000);
	ck_assert_int_eq(get_stat("/sub/made/a2", &st), 0);
	ck_assert_int_eq(get_stat("/sub/made", &st), 0);
	ck_assert_int_eq(vfs_unlink(AT_FDCWD, "/sub/made/a2"), 0);
	ck_assert_int_eq(vfs_rmdir(AT_FDCWD, "/sub/made"), 0);
	ck_assert_int_eq(get_stat("/sub/made", &st), -ENOENT);
}
END_TEST

START_TEST(changes)
{
	struct kstat st, again;
	struct path path;
	char target[64] = {0};

	ck_assert_int_eq(vfs_mkdir(AT_FDCWD, "/d", 0755), 0);
	ck_assert_int_eq(vfs_mkdir(AT_FDCWD, "/d", 0755), -EEXIST);
	ck_assert_int_eq(vfs_symlink("../hello", AT_FDCWD, "/d/link"), 0);
	check_text("/d/link", "hello from the host");
	ck_assert_int_eq(path_lookup(AT_FDCWD, "/d/link", 0, &path), 0);
	ck_assert_int_eq(vfs_readlink(&path, target, sizeof(target)), 8);
	ck_assert_str_eq(target, "../hello");
	path_put(&path);
	ck_assert_int_eq(vfs_link(AT_FDCWD, "/hello", AT_FDCWD, "/d/hard", 0), 0);
	ck_assert_int_eq(get_stat("/hello", &st), 0);
	ck_assert_int_eq(get_stat("/d/hard", &again), 0);
	ck_assert_uint_eq(st.ino, again.ino);
	ck_assert_uint_eq(again.nlink, 2);
	ck_assert_int_eq(vfs_rmdir(AT_FDCWD, "/d"), -ENOTEMPTY);
	ck_assert_int_eq(vfs_rename(AT_FDCWD, "/d/hard", AT_FDCWD, "/sub/b", 0), 0);
	check_text("/sub/b", "hello from the host");
	ck_assert_int_eq(vfs_mknod(AT_FDCWD, "/d/fifo", S_IFIFO | 0600, 0), 0);
	ck_assert_int_eq(get_stat("/d/fifo", &st), 0);
	ck_assert_uint_eq(st.mode, S_IFIFO | 0600);
	ck_assert_int_eq(path_lookup(AT_FDCWD, "/hello", 0, &path), 0);
	ck_assert_int_eq(vfs_chmod(&path, 04711), 0);
	struct attr_change times = {.valid = ATTR_MTIME, .mtime = {1234, 5678}};
	ck_assert_int_eq(vfs_utimes(&path, &times), 0);
	ck_assert_int_eq(vfs_truncate(&path, 5), 0);
	path_put(&path);
	ck_assert_int_eq(get_stat("/hello", &st), 0);
	ck_assert_uint_eq(st.size, 5);
	check_text("/hello", "hello");
	ck_assert_int_eq(get_stat("/sub", &st), 0);
	ck_assert_uint_eq(st.nlink, 3);
	struct statfs64_data fs;
	struct superblock *sb = fake_task.fs->root.mount->sb;
	ck_assert_int_eq(sb->ops->statfs(sb, &fs), 0);
	ck_assert_uint_gt(fs.blocks, 0);
}
END_TEST

START_TEST(nameless_file_and_allocation)
{
	static char bytes[20000];
	struct file *file;
	char text[8] = {0};
	uint64_t pos = 0;
	size_t size;
	int rc = vfs_open(AT_FDCWD, "/sub", O_RDWR | O_TMPFILE, 0600, 0, &file);

	if (rc == -EOPNOTSUPP)
		return; /* a file system without it */
	ck_assert_int_eq(rc, 0);
	memset(bytes, 'b', sizeof(bytes));
	ck_assert_int_eq(file->ops->write_kernel(file, bytes, sizeof(bytes), &pos), sizeof(bytes));
	ck_assert_int_eq(file->inode->nlink, 0);
	struct dentry *dentry;
	ck_assert_int_eq(dentry_lookup(fake_task.fs->root.dentry, "named", 5, &dentry), 0);
	ck_assert_int_eq(fake_task.fs->root.dentry->inode->ops->link(fake_task.fs->root.dentry->inode, dentry, file->inode), 0);
	inode_get(file->inode);
	dentry_instantiate(dentry, file->inode);
	dentry_put(dentry);
	rc = file->ops->fallocate(file, 3, 4096, 4096);
	if (rc != -EOPNOTSUPP) {
		ck_assert_int_eq(rc, 0);
		ck_assert_int_eq(file_read_kernel(file, text, 4, 4094), 4);
		ck_assert_int_eq(memcmp(text, "bb\0\0", 4), 0);
		ck_assert_int_eq(file->ops->fallocate(file, 0, 0, 30000), 0);
		ck_assert_uint_eq(file_size(file), 30000);
	} else {
		ck_assert_int_eq(vfs_ftruncate(file, 30000), 0);
	}
	close_file(file);
	ck_assert_ptr_nonnull(host_read("named", &size));
	ck_assert_uint_eq(size, 30000);
}
END_TEST

START_TEST(xattrs)
{
	struct path path;
	char value[64];

	ck_assert_int_eq(path_lookup(AT_FDCWD, "/hello", 0, &path), 0);
	ck_assert_int_eq(vfs_getxattr(path.dentry->inode, "user.x", value, sizeof(value)), -ENODATA);
	int rc = vfs_setxattr(path.mount, path.dentry->inode, "user.x", "value", 5, 0);
	if (rc != -EOPNOTSUPP) {
		ck_assert_int_eq(rc, 0);
		ck_assert_int_eq(vfs_getxattr(path.dentry->inode, "user.x", NULL, 0), 5);
		ck_assert_int_eq(vfs_getxattr(path.dentry->inode, "user.x", value, sizeof(value)), 5);
		ck_assert_int_eq(memcmp(value, "value", 5), 0);
		ck_assert_int_eq(vfs_getxattr(path.dentry->inode, "user.x", value, 3), -ERANGE);
		ck_assert_int_eq(vfs_listxattr(path.dentry->inode, value, sizeof(value)), 7);
		ck_assert_str_eq(value, "user.x");
		ck_assert_int_eq(vfs_removexattr(path.mount, path.dentry->inode, "user.x"), 0);
		ck_assert_int_eq(vfs_getxattr(path.dentry->inode, "user.x", value, sizeof(value)), -ENODATA);
	}
	path_put(&path);
}
END_TEST

START_TEST(readonly_tree)
{
	struct file *file;

	boot_with(2);
	check_text("/hello", "hello from the host");
	ck_assert_int_eq(vfs_mkdir(AT_FDCWD, "/x", 0755), -EROFS);
	ck_assert_int_eq(vfs_unlink(AT_FDCWD, "/hello"), -EROFS);
	ck_assert_int_ne(vfs_open(AT_FDCWD, "/hello", O_RDWR, 0, 0, &file), 0);
	finish();
}
END_TEST

#define FILES 6
static char model[FILES][40000];
static size_t model_size[FILES];
static bool model_there[FILES];

static void random_step(unsigned *seed, unsigned step)
{
	unsigned i = (unsigned)rand_r(seed) % FILES, j = (unsigned)rand_r(seed) % FILES;
	size_t at = (size_t)rand_r(seed) % 30000, n = (size_t)rand_r(seed) % 9000 + 1;
	char name[32], other[32], bytes[9001];
	struct file *file;
	struct path path;
	uint64_t pos = at;

	snprintf(name, sizeof(name), "/f%u", i);
	snprintf(other, sizeof(other), "/f%u", j);
	switch (rand_r(seed) % 6) {
	case 0:
	case 1:
		memset(bytes, 'a' + (int)(step % 26), n);
		file = open_file(name, O_RDWR | O_CREAT);
		ck_assert_int_eq(file->ops->write_kernel(file, bytes, n, &pos), (int64_t)n);
		if (!model_there[i])
			model_size[i] = 0;
		model_there[i] = true;
		if (at > model_size[i])
			memset(model[i] + model_size[i], 0, at - model_size[i]);
		memcpy(model[i] + at, bytes, n);
		model_size[i] = MAX(model_size[i], at + n);
		close_file(file);
		break;
	case 2:
		ck_assert_int_eq(vfs_unlink(AT_FDCWD, name), model_there[i] ? 0 : -ENOENT);
		model_there[i] = false;
		break;
	case 3:
		ck_assert_int_eq(vfs_rename(AT_FDCWD, name, AT_FDCWD, other, 0), model_there[i] ? 0 : -ENOENT);
		if (model_there[i] && i != j) {
			memcpy(model[j], model[i], model_size[i]);
			model_size[j] = model_size[i];
			model_there[j] = true;
			model_there[i] = false;
		}
		break;
	case 4:
		if (path_lookup(AT_FDCWD, name, 0, &path)) {
			ck_assert(!model_there[i]);
			break;
		}
		ck_assert_int_eq(vfs_truncate(&path, at), 0);
		path_put(&path);
		if (at > model_size[i])
			memset(model[i] + model_size[i], 0, at - model_size[i]);
		model_size[i] = at;
		break;
	case 5:
		dentry_shrink((unsigned)rand_r(seed) % 4);
		break;
	}
}

static void compare_all(void)
{
	static char text[40000];

	for (unsigned i = 0; i < FILES; i++) {
		char name[32], *host;
		struct kstat st;
		size_t size;

		snprintf(name, sizeof(name), "/f%u", i);
		ck_assert_int_eq(get_stat(name, &st), model_there[i] ? 0 : -ENOENT);
		host = host_read(name + 1, &size);
		ck_assert_int_eq(host != NULL, model_there[i]);
		if (!model_there[i])
			continue;
		ck_assert_uint_eq(st.size, model_size[i]);
		struct file *file = open_file(name, O_RDONLY);
		ck_assert_int_eq(file_read_kernel(file, text, sizeof(text), 0), (int64_t)model_size[i]);
		ck_assert_int_eq(memcmp(text, model[i], model_size[i]), 0);
		close_file(file);
		ck_assert_uint_eq(size, model_size[i]);
		ck_assert_int_eq(memcmp(host, model[i], size), 0);
	}
}

static void walk_randomly(void)
{
	unsigned seed = 4711;

	memset(model_there, 0, sizeof(model_there));
	for (unsigned step = 0; step < 3000; step++) {
		random_step(&seed, step);
		if (step % 50 == 0)
			compare_all();
	}
	dentry_check();
}

START_TEST(random_exclusive)
{
	boot_exclusive();
	walk_randomly();
	finish();
}
END_TEST

START_TEST(random_shared)
{
	boot_shared();
	walk_randomly();
	finish();
}
END_TEST

/* ---- a server of others ---- */

static void boot_diod(void)
{
	stream = true;
	boot_with(1);
}

/* What the Linux client's test of our gofer does (test/unit/gofer/linux_client.c), the other way round. */
START_TEST(files_on_diod)
{
	static char big[200000], back[200000];
	char name[64], target[64] = "";
	struct kstat st;
	struct path path;
	struct file *file;
	uint64_t pos = 0;
	size_t size;

	for (unsigned i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 31 % 253);
	file = open_file("/big", O_RDWR | O_CREAT | O_EXCL);
	ck_assert_int_eq(file->ops->write_kernel(file, big, sizeof(big), &pos), sizeof(big));
	ck_assert_int_eq(file_read_kernel(file, back, sizeof(back), 0), sizeof(back));
	ck_assert_int_eq(memcmp(big, back, sizeof(big)), 0);
	ck_assert_int_eq(vfs_fsync(file, false), 0);
	ck_assert_int_eq(vfs_ftruncate(file, 1000), 0);
	close_file(file);
	ck_assert_int_eq(get_stat("/big", &st), 0);
	ck_assert_uint_eq(st.size, 1000);
	ck_assert_int_eq(memcmp(host_read("big", &size), big, 1000), 0);
	ck_assert_uint_eq(size, 1000);
	ck_assert_int_eq(get_stat("/missing", &st), -ENOENT);
	ck_assert_int_eq(vfs_mkdir(AT_FDCWD, "/d", 0755), 0);
	ck_assert_int_eq(vfs_mkdir(AT_FDCWD, "/d", 0755), -EEXIST);
	ck_assert_int_eq(vfs_symlink("../hello", AT_FDCWD, "/d/link"), 0);
	check_text("/d/link", "hello from the host");
	ck_assert_int_eq(path_lookup(AT_FDCWD, "/d/link", 0, &path), 0);
	ck_assert_int_eq(vfs_readlink(&path, target, sizeof(target)), 8);
	path_put(&path);
	ck_assert_int_eq(vfs_rename(AT_FDCWD, "/big", AT_FDCWD, "/d/moved", 0), 0);
	ck_assert_int_eq(vfs_rmdir(AT_FDCWD, "/d"), -ENOTEMPTY);
	for (unsigned i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "/sub/entry-%u", i);
		close_file(open_file(name, O_WRONLY | O_CREAT));
	}
	ck_assert_uint_eq(count_entries("/sub"), 305); /* and a, b, deeper, . and .. */
	ck_assert_int_eq(vfs_unlink(AT_FDCWD, "/sub/entry-7"), 0);
	ck_assert_uint_eq(count_entries("/sub"), 304);
	ck_assert_int_eq(path_lookup(AT_FDCWD, "/hello", 0, &path), 0);
	ck_assert_int_eq(vfs_chmod(&path, 0600), 0);
	path_put(&path);
	ck_assert_int_eq(get_stat("/hello", &st), 0);
	ck_assert_uint_eq(st.mode & 07777, 0600);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("9p client");
	TCase *exclusive = tcase_create("exclusive"), *shared = tcase_create("shared"), *own = tcase_create("own"),
	      *foreign = tcase_create("foreign");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(exclusive, boot_exclusive, finish);
	tcase_add_test(exclusive, read_and_cache);
	tcase_add_test(exclusive, without_donation);
	tcase_add_test(exclusive, write_back);
	tcase_add_test(exclusive, unlinked_while_open);
	tcase_add_test(exclusive, directories);
	tcase_add_test(exclusive, directory_after_directory);
	tcase_add_test(exclusive, names_without_attributes);
	tcase_add_test(exclusive, types_that_there_are_not);
	tcase_add_test(exclusive, file_after_file);
	tcase_add_test(exclusive, unlinked_while_asked_for);
	tcase_add_test(exclusive, absent_names_cost_nothing);
	tcase_add_test(exclusive, changes);
	tcase_add_test(exclusive, xattrs);
	tcase_add_test(exclusive, nameless_file_and_allocation);
	tcase_add_checked_fixture(shared, boot_shared, finish);
	tcase_add_test(shared, without_donation);
	tcase_add_test(shared, unlinked_while_open);
	tcase_add_test(shared, changes);
	tcase_add_test(own, readonly_tree);
	tcase_add_test(own, random_exclusive);
	tcase_add_test(own, random_shared);
	if (access("/usr/sbin/diod", X_OK) == 0) {
		tcase_add_checked_fixture(foreign, boot_diod, finish);
		tcase_add_test(foreign, files_on_diod);
		suite_add_tcase(suite, foreign);
	} else {
		fprintf(stderr, "diod is missing: not tested against it\n");
	}
	tcase_set_timeout(own, 60);
	suite_add_tcase(suite, exclusive);
	suite_add_tcase(suite, shared);
	suite_add_tcase(suite, own);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
