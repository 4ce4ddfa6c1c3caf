/*
 * The mount calls that work by descriptors: open_tree, move_mount, mount_setattr; fsopen, fspick, fsconfig, fsmount.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>

#include "kernel/files.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "syscalls/path.h"
#include "syscalls/syscalls.h"
#include "vfs/calls.h"

#define KEY_SIZE 256u
#define BINARY_MAX (1024 * 1024)
#define OPEN_TREE_FLAGS \
	(AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)

/* Of those that only who may mount can call. */
static int check_call(unsigned flags, unsigned known)
{
	if (!vfs_may_mount())
		return -EPERM;
	return flags & ~known ? -EINVAL : 0;
}

int64_t sys_open_tree(struct regs *regs)
{
	unsigned flags = (unsigned)ARG2(regs);
	char *name;
	int rc;

	if (flags & ~(unsigned)OPEN_TREE_FLAGS || (flags & (AT_RECURSIVE | OPEN_TREE_CLONE)) == AT_RECURSIVE)
		return -EINVAL;
	if (flags & OPEN_TREE_CLONE && !vfs_may_mount())
		return -EPERM;
	name = path_from_user(PTR1(regs), flags & AT_EMPTY_PATH, &rc);
	if (!name)
		return rc;
	rc = vfs_open_tree(INT0(regs), name, flags);
	kfree(name);
	return rc;
}

int64_t sys_move_mount(struct regs *regs)
{
	unsigned flags = (unsigned)ARG4(regs);
	char *from, *to = NULL;
	int rc = check_call(flags, MOVE_MOUNT__MASK);

	if (rc)
		return rc;
	from = path_from_user(PTR1(regs), flags & MOVE_MOUNT_F_EMPTY_PATH, &rc);
	if (from)
		to = path_from_user(PTR3(regs), flags & MOVE_MOUNT_T_EMPTY_PATH, &rc);
	if (to)
		rc = vfs_move_mount(INT0(regs), from, INT2(regs), to, flags);
	kfree(from);
	kfree(to);
	return rc;
}

int64_t sys_mount_setattr(struct regs *regs)
{
	unsigned flags = (unsigned)ARG2(regs);
	struct mount_attr attr = {0};
	char *name;
	int rc;

	if (flags & ~(unsigned)(AT_EMPTY_PATH | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT))
		return -EINVAL;
	if (ARG4(regs) > PAGE_SIZE)
		return -E2BIG;
	if (ARG4(regs) < MOUNT_ATTR_SIZE_VER0)
		return -EINVAL;
	if (!vfs_may_mount())
		return -EPERM;
	rc = copy_struct_from_user(&attr, sizeof(attr), PTR3(regs), ARG4(regs));
	if (rc)
		return rc;
	if (!attr.attr_set && !attr.attr_clr && !attr.propagation)
		return 0;
	name = path_from_user(PTR1(regs), flags & AT_EMPTY_PATH, &rc);
	if (!name)
		return rc;
	rc = vfs_mount_setattr(INT0(regs), name, flags, &attr);
	kfree(name);
	return rc;
}

/* A short string: *text is the caller's to free. Too long: -EINVAL. */
static int short_string(uaddr_t user, char **text)
{
	int64_t len;

	*text = kmalloc(KEY_SIZE);
	if (!*text)
		return -ENOMEM;
	len = strncpy_from_user(*text, user, KEY_SIZE);
	return len >= 0 ? 0 : len == -ENAMETOOLONG ? -EINVAL : (int)len;
}

int64_t sys_fsopen(struct regs *regs)
{
	char *name;
	int rc = check_call((unsigned)ARG1(regs), FSOPEN_CLOEXEC);

	if (rc)
		return rc;
	rc = short_string(PTR0(regs), &name);
	if (!rc)
		rc = vfs_fsopen(name, (unsigned)ARG1(regs));
	kfree(name);
	return rc;
}

int64_t sys_fspick(struct regs *regs)
{
	unsigned flags = (unsigned)ARG2(regs);
	int rc = check_call(flags, FSPICK_CLOEXEC | FSPICK_SYMLINK_NOFOLLOW | FSPICK_NO_AUTOMOUNT | FSPICK_EMPTY_PATH);
	char *name;

	if (rc)
		return rc;
	name = path_from_user(PTR1(regs), flags & FSPICK_EMPTY_PATH, &rc);
	if (!name)
		return rc;
	rc = vfs_fspick(INT0(regs), name, flags);
	kfree(name);
	return rc;
}

static int check_fsconfig(unsigned command, bool key, bool value, int aux)
{
	bool right;

	switch (command) {
	case FSCONFIG_SET_FLAG:
		right = key && !value && !aux;
		break;
	case FSCONFIG_SET_STRING:
		right = key && value && !aux;
		break;
	case FSCONFIG_SET_BINARY:
		right = key && value && aux > 0 && aux <= BINARY_MAX;
		break;
	case FSCONFIG_SET_PATH:
	case FSCONFIG_SET_PATH_EMPTY:
		right = key && value && (aux == AT_FDCWD || aux >= 0);
		break;
	case FSCONFIG_SET_FD:
		right = key && !value && aux >= 0;
		break;
	case FSCONFIG_CMD_CREATE:
	case FSCONFIG_CMD_RECONFIGURE:
		right = !key && !value && !aux;
		break;
	default:
		return -EOPNOTSUPP;
	}
	return right ? 0 : -EINVAL;
}

/* What an object's parameter names must be there, though no file system here takes one. */
static int check_object(unsigned command, uaddr_t value, int aux)
{
	struct file *file;
	char *path;
	int rc = 0;

	if (command == FSCONFIG_SET_PATH || command == FSCONFIG_SET_PATH_EMPTY) {
		path = path_from_user(value, command == FSCONFIG_SET_PATH_EMPTY, &rc);
		kfree(path);
	} else if (command == FSCONFIG_SET_FD) {
		file = fd_file_any(aux);
		rc = file ? 0 : -EBADF;
		if (file)
			file_put(file);
	}
	return rc;
}

int64_t sys_fsconfig(struct regs *regs)
{
	unsigned command = (unsigned)ARG1(regs);
	char *key = NULL, *value = NULL;
	int rc = INT0(regs) < 0 ? -EINVAL : check_fsconfig(command, ARG2(regs), ARG3(regs), INT4(regs));

	if (!rc && ARG2(regs))
		rc = short_string(PTR2(regs), &key);
	if (!rc && command == FSCONFIG_SET_STRING)
		rc = short_string(PTR3(regs), &value);
	if (!rc)
		rc = check_object(command, PTR3(regs), INT4(regs));
	if (!rc)
		rc = vfs_fsconfig(INT0(regs), command, key, value);
	kfree(key);
	kfree(value);
	return rc;
}

int64_t sys_fsmount(struct regs *regs)
{
	int rc = check_call((unsigned)ARG1(regs), FSMOUNT_CLOEXEC);

	return rc ? rc : vfs_fsmount(INT0(regs), (unsigned)ARG1(regs), (uint32_t)ARG2(regs));
}
