/*
 * Extended attributes: set, get, list, remove, each by path, by path without following a
 * link, and by descriptor.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/xattr.h>

#include "kernel/files.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "syscalls/path.h"
#include "syscalls/syscalls.h"
#include "vfs/calls.h"

/* What a call works on: referenced, released by target_put(). */
struct target {
	struct path path;
	struct file *file;
};

static int target_path(struct target *t, uaddr_t name, unsigned lookup)
{
	t->file = NULL;
	return path_lookup_user(AT_FDCWD, name, lookup, &t->path);
}

static int target_fd(struct target *t, int fd)
{
	t->file = fd_file(fd);
	if (!t->file)
		return -EBADF;
	t->path = t->file->path;
	if (t->path.dentry && t->path.dentry->inode)
		return 0;
	file_put(t->file);
	return -EOPNOTSUPP;
}

static void target_put(struct target *t)
{
	if (t->file)
		file_put(t->file);
	else
		path_put(&t->path);
}

static int copy_name(char name[XATTR_MAX_NAME + 1], uaddr_t user)
{
	int64_t len = strncpy_from_user(name, user, XATTR_MAX_NAME + 1);

	if (len == -ENAMETOOLONG || !len)
		return -ERANGE;
	return len < 0 ? (int)len : 0;
}

static int64_t set(struct target *t, struct regs *regs)
{
	char name[XATTR_MAX_NAME + 1];
	size_t size = ARG3(regs);
	void *value;
	int rc;

	if (ARG4(regs) & ~(uint64_t)(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	rc = copy_name(name, PTR1(regs));
	if (rc)
		return rc;
	if (size > XATTR_MAX_SIZE)
		return -E2BIG;
	value = kmalloc(size + 1);
	if (!value)
		return -ENOMEM;
	rc = copy_from_user(value, PTR2(regs), size);
	if (!rc)
		rc = vfs_setxattr(t->path.mount, t->path.dentry->inode, name, value, size, INT4(regs));
	kfree(value);
	return rc;
}

static int64_t get(struct target *t, struct regs *regs)
{
	char name[XATTR_MAX_NAME + 1];
	size_t size = MIN(ARG3(regs), (uint64_t)XATTR_MAX_SIZE);
	int64_t rc = copy_name(name, PTR1(regs));
	void *value;

	if (rc)
		return rc;
	value = kmalloc(size + 1);
	if (!value)
		return -ENOMEM;
	rc = vfs_getxattr(t->path.dentry->inode, name, value, size);
	if (rc > 0 && size && copy_to_user(PTR2(regs), value, (size_t)rc))
		rc = -EFAULT;
	kfree(value);
	return rc;
}

static int64_t list(struct target *t, struct regs *regs)
{
	size_t size = MIN(ARG2(regs), (uint64_t)XATTR_MAX_SIZE);
	char *names = kmalloc(size + 1);
	int64_t rc;

	if (!names)
		return -ENOMEM;
	rc = vfs_listxattr(t->path.dentry->inode, names, size);
	if (rc > 0 && size && copy_to_user(PTR1(regs), names, (size_t)rc))
		rc = -EFAULT;
	kfree(names);
	return rc;
}

static int64_t remove_one(struct target *t, struct regs *regs)
{
	char name[XATTR_MAX_NAME + 1];
	int rc = copy_name(name, PTR1(regs));

	return rc ? rc : vfs_removexattr(t->path.mount, t->path.dentry->inode, name);
}

typedef int64_t xattr_fn(struct target *t, struct regs *regs);

static int64_t by_path(struct regs *regs, unsigned lookup, xattr_fn *fn)
{
	struct target t;
	int64_t rc = target_path(&t, PTR0(regs), lookup);

	if (rc)
		return rc;
	rc = fn(&t, regs);
	target_put(&t);
	return rc;
}

static int64_t by_fd(struct regs *regs, xattr_fn *fn)
{
	struct target t;
	int64_t rc = target_fd(&t, INT0(regs));

	if (rc)
		return rc;
	rc = fn(&t, regs);
	target_put(&t);
	return rc;
}

int64_t sys_setxattr(struct regs *regs)
{
	return by_path(regs, LOOKUP_FOLLOW, set);
}

int64_t sys_lsetxattr(struct regs *regs)
{
	return by_path(regs, 0, set);
}

int64_t sys_fsetxattr(struct regs *regs)
{
	return by_fd(regs, set);
}

int64_t sys_getxattr(struct regs *regs)
{
	return by_path(regs, LOOKUP_FOLLOW, get);
}

int64_t sys_lgetxattr(struct regs *regs)
{
	return by_path(regs, 0, get);
}

int64_t sys_fgetxattr(struct regs *regs)
{
	return by_fd(regs, get);
}

int64_t sys_listxattr(struct regs *regs)
{
	return by_path(regs, LOOKUP_FOLLOW, list);
}

int64_t sys_llistxattr(struct regs *regs)
{
	return by_path(regs, 0, list);
}

int64_t sys_flistxattr(struct regs *regs)
{
	return by_fd(regs, list);
}

int64_t sys_removexattr(struct regs *regs)
{
	return by_path(regs, LOOKUP_FOLLOW, remove_one);
}

int64_t sys_lremovexattr(struct regs *regs)
{
	return by_path(regs, 0, remove_one);
}

int64_t sys_fremovexattr(struct regs *regs)
{
	return by_fd(regs, remove_one);
}
