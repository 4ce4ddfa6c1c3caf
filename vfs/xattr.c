/*
 * Extended attributes (xattr(7)): who may see and change which name space. The file
 * system stores them.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/inotify.h>
#include <linux/xattr.h>

#include "vfs/filecaps.h"
#include "vfs/internal.h"

static bool in_space(const char *name, const char *space)
{
	size_t len = strlen(space);

	return !strncmp(name, space, len) && name[len];
}

static int xattr_permission(struct inode *inode, const char *name, unsigned mask)
{
	if (in_space(name, XATTR_SYSTEM_PREFIX))
		return 0;
	if (in_space(name, XATTR_SECURITY_PREFIX)) {
		if (!(mask & MAY_WRITE) || capable(CAP_SYS_ADMIN))
			return 0;
		return !strcmp(name, XATTR_NAME_CAPS) && capable_over(inode, CAP_SETFCAP) ? 0 : -EPERM;
	}
	if (in_space(name, XATTR_TRUSTED_PREFIX)) {
		if (capable(CAP_SYS_ADMIN))
			return 0;
		return mask & MAY_WRITE ? -EPERM : -ENODATA;
	}
	if (!in_space(name, XATTR_USER_PREFIX))
		return -EOPNOTSUPP;
	if (!S_ISREG(inode->mode) && !S_ISDIR(inode->mode))
		return mask & MAY_WRITE ? -EPERM : -ENODATA;
	if (S_ISDIR(inode->mode) && inode->mode & S_ISVTX && mask & MAY_WRITE && !inode_owner_or_capable(inode))
		return -EPERM;
	return inode_permission(inode, mask);
}

int64_t vfs_getxattr(struct inode *inode, const char *name, void *value, size_t size)
{
	int64_t rc = xattr_permission(inode, name, MAY_READ);

	if (rc)
		return rc;
	if (!strcmp(name, XATTR_NAME_CAPS))
		return filecaps_show(inode, value, size);
	if (!inode->ops->getxattr)
		return -EOPNOTSUPP;
	rwsem_read_lock(&inode->lock);
	rc = inode->ops->getxattr(inode, name, value, size);
	rwsem_read_unlock(&inode->lock);
	return rc;
}

int vfs_setxattr(const struct mount *mount, struct inode *inode, const char *name, const void *value, size_t size, int flags)
{
	struct vfs_ns_cap_data caps;
	int rc = mount_want_write(mount);

	if (!rc)
		rc = xattr_permission(inode, name, MAY_WRITE);
	if (!rc && !strcmp(name, XATTR_NAME_CAPS)) {
		rc = filecaps_to_store(inode, value, &size, &caps);
		value = &caps;
	}
	if (rc)
		return rc;
	if (!inode->ops->setxattr)
		return -EOPNOTSUPP;
	rwsem_write_lock(&inode->lock);
	rc = inode->ops->setxattr(inode, name, value, size, flags);
	if (!rc)
		inode->ctime = vfs_now();
	rwsem_write_unlock(&inode->lock);
	if (!rc)
		notify_inode(inode, NULL, IN_ATTRIB, 0);
	return rc;
}

int64_t vfs_listxattr(struct inode *inode, char *list, size_t size)
{
	int64_t rc;

	if (!inode->ops->listxattr)
		return 0;
	rwsem_read_lock(&inode->lock);
	rc = inode->ops->listxattr(inode, list, size);
	rwsem_read_unlock(&inode->lock);
	return rc == -EOPNOTSUPP ? 0 : rc;
}

int vfs_removexattr(const struct mount *mount, struct inode *inode, const char *name)
{
	int rc = mount_want_write(mount);

	if (!rc)
		rc = xattr_permission(inode, name, MAY_WRITE);
	if (rc)
		return rc;
	if (!inode->ops->removexattr)
		return -EOPNOTSUPP;
	rwsem_write_lock(&inode->lock);
	rc = inode->ops->removexattr(inode, name);
	if (!rc)
		inode->ctime = vfs_now();
	rwsem_write_unlock(&inode->lock);
	if (!rc)
		notify_inode(inode, NULL, IN_ATTRIB, 0);
	return rc;
}
