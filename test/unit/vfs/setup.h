/* What the tests of vfs/ share: a root to work in, and shorthands for calls with names. */
#ifndef TEST_UNIT_VFS_SETUP_H
#define TEST_UNIT_VFS_SETUP_H

#include <check.h>
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "kernel/user_ns.h"
#include "test/unit/fake_machine.h"
#include "vfs/internal.h"
#include "vfs/overlay/overlay.h"
#include "vfs/tmpfs/tmpfs.h"

static struct cred test_cred;
static struct fs_context test_fs;
static struct ns_set test_ns;

static inline void test_root_set(struct mount *mount)
{
	test_ns.mnt = mount->mnt_ns = mnt_ns_create(mount, &fake_user_ns);
	test_fs.refs = 1;
	test_fs.umask = 022;
	test_fs.root = test_fs.cwd = (struct path){mount, mount->root};
	path_get(&test_fs.root);
	path_get(&test_fs.cwd);
}

/* Boots, and registers what is needed; no root yet. */
static inline void test_vfs_boot(void)
{
	fake_boot(64, 256);
	test_cred = (struct cred){.refs = 1, .user_ns = &fake_user_ns, .cap_effective = ~0ull, .cap_permitted = ~0ull};
	fake_task.cred = &test_cred;
	test_ns = (struct ns_set){.refs = 1, .net = &first_net_ns};
	fake_task.ns = &test_ns;
	fake_task.fs = &test_fs;
	for (unsigned i = 0; i < RLIMIT_COUNT; i++)
		fake_process.rlimit[i] = (struct rlimit64_pair){UINT64_MAX, UINT64_MAX};
	fake_process.rlimit[7] = (struct rlimit64_pair){1024, 1024};
	dentry_cache_init();
	fs_types_init();
	tmpfs_register();
	overlay_register();
	fake_task.files = fd_table_create();
}

/* A mount of a fresh superblock in no tree yet. */
static inline struct mount *test_mount_tmpfs(const char *data)
{
	struct mount_args args = {.source = "none", .data = data};
	const struct fs_type *type = fs_find("tmpfs");
	struct superblock *sb;

	ck_assert_int_eq(type->mount(type, &args, &sb), 0);
	return mount_create(sb, sb->root, "none", 0);
}

static inline int test_mkdir(const char *name)
{
	return vfs_mkdir(AT_FDCWD, name, 0755);
}

static inline int test_write(const char *name, const char *text)
{
	struct file *file;
	uint64_t pos = 0;
	int rc = vfs_open(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, 0644, 0, &file);

	if (rc)
		return rc;
	rc = file->ops->write_kernel(file, text, strlen(text), &pos) == (int64_t)strlen(text) ? 0 : -EIO;
	file_put(file);
	return rc;
}

/* The content, terminated; -errno. */
static inline int test_read(const char *name, char *buf, size_t size)
{
	struct file *file;
	uint64_t pos = 0;
	int64_t n;
	int rc = vfs_open(AT_FDCWD, name, O_RDONLY, 0, 0, &file);

	if (rc)
		return rc;
	n = file->ops->read_kernel(file, buf, size - 1, &pos);
	buf[n > 0 ? n : 0] = 0;
	file_put(file);
	return n < 0 ? (int)n : 0;
}

static inline bool test_holds(const char *name, const char *text)
{
	char buf[128];

	return !test_read(name, buf, sizeof(buf)) && !strcmp(buf, text);
}

static inline int test_stat(const char *name, struct kstat *stat)
{
	struct path path;
	int rc = path_lookup(AT_FDCWD, name, 0, &path);

	if (rc)
		return rc;
	rc = vfs_getattr_path(&path, stat);
	path_put(&path);
	return rc;
}

/* Names of a directory, sorted by the caller's eye: each with '|' behind it, in sorted order. */
struct test_names {
	struct dir_emitter emitter;
	struct file *file;
	unsigned count;
	char name[64][32];
	uint64_t ino[64];
};

static inline bool test_emit(struct dir_emitter *emitter, const char *name, unsigned len, uint64_t ino, unsigned type,
	uint64_t next)
{
	struct test_names *names = container_of(emitter, struct test_names, emitter);

	names->file->pos = next;
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return true;
	ck_assert_uint_lt(names->count, 64);
	ck_assert_uint_lt(len, 32);
	unsigned at = names->count++;
	for (; at && strcmp(names->name[at - 1], name) > 0; at--) {
		memcpy(names->name[at], names->name[at - 1], 32);
		names->ino[at] = names->ino[at - 1];
	}
	memcpy(names->name[at], name, len + 1);
	names->ino[at] = ino;
	return true;
}

static inline int test_list(const char *name, struct test_names *names)
{
	int rc = vfs_open(AT_FDCWD, name, O_RDONLY | O_DIRECTORY, 0, 0, &names->file);

	names->count = 0;
	names->emitter.emit = test_emit;
	if (rc)
		return rc;
	rc = names->file->ops->readdir(names->file, &names->emitter);
	file_put(names->file);
	return rc;
}

#endif
