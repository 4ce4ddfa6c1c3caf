/*
 * mount(2), umount2(2) and pivot_root(2).
 */
#include <linux/errno.h>
#include <linux/mount.h>

#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "syscalls/path.h"
#include "syscalls/syscalls.h"
#include "vfs/calls.h"

#define MOUNT_STRING_MAX 4096u

/* A string argument that may be NULL: *out is then NULL. */
static int optional_string(uaddr_t user, char **out)
{
	int64_t len;

	*out = NULL;
	if (!user.v)
		return 0;
	*out = kmalloc(MOUNT_STRING_MAX);
	if (!*out)
		return -ENOMEM;
	len = strncpy_from_user(*out, user, MOUNT_STRING_MAX);
	if (len >= 0)
		return 0;
	kfree(*out);
	*out = NULL;
	return len == -ENAMETOOLONG ? -EINVAL : (int)len;
}

int64_t sys_mount(struct regs *regs)
{
	char *source = NULL, *target = NULL, *type = NULL, *data = NULL;
	int rc = optional_string(PTR0(regs), &source);

	if (!rc)
		target = path_from_user(PTR1(regs), false, &rc);
	if (!rc)
		rc = optional_string(PTR2(regs), &type);
	/* A bind's data is not looked at, so it need not be a string. */
	if (!rc && !(ARG3(regs) & (MS_BIND | MS_MOVE)))
		rc = optional_string(PTR4(regs), &data);
	if (!rc)
		rc = vfs_mount(source, target, type, ARG3(regs), data);
	kfree(source);
	kfree(target);
	kfree(type);
	kfree(data);
	return rc;
}

int64_t sys_pivot_root(struct regs *regs)
{
	int rc;
	char *put_old = NULL, *new_root = path_from_user(PTR0(regs), false, &rc);

	if (new_root)
		put_old = path_from_user(PTR1(regs), false, &rc);
	if (put_old)
		rc = vfs_pivot_root(new_root, put_old);
	kfree(new_root);
	kfree(put_old);
	return rc;
}

int64_t sys_umount2(struct regs *regs)
{
	int rc;
	char *target = path_from_user(PTR0(regs), false, &rc);

	if (!target)
		return rc;
	rc = vfs_umount(target, INT1(regs));
	kfree(target);
	return rc;
}
