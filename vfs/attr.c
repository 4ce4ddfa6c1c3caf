/*
 * Changing attributes: chmod(2), chown(2), utimensat(2), truncate(2), fallocate(2),
 * fsync(2). Each checks as inode(7) says, then calls the file system's setattr with the
 * inode's lock held as writer.
 */
#include <linux/errno.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/inotify.h>
#include <asm/resource.h>
#include <asm/signal.h>

#include "vfs/internal.h"

static int set_locked(struct inode *inode, struct attr_change *change)
{
	if (!inode->ops->setattr)
		return -EPERM;
	if (!(change->valid & ATTR_CTIME)) {
		change->valid |= ATTR_CTIME;
		change->ctime = vfs_now();
	}
	return inode->ops->setattr(inode, change);
}

static int set_attributes(const struct path *path, struct attr_change *change)
{
	struct inode *inode = path->dentry->inode;
	int rc;

	rwsem_write_lock(&inode->lock);
	rc = set_locked(inode, change);
	rwsem_write_unlock(&inode->lock);
	if (!rc)
		notify_inode(inode, path->dentry, change->valid & ATTR_SIZE ? IN_MODIFY : IN_ATTRIB, 0);
	return rc;
}

int vfs_chmod(const struct path *path, uint32_t mode)
{
	struct inode *inode = path->dentry->inode;
	struct attr_change change = {.valid = ATTR_MODE};
	int rc = mount_want_write(path->mount);

	if (rc)
		return rc;
	if (S_ISLNK(inode->mode))
		return -EOPNOTSUPP;
	if (!inode_owner_or_capable(inode))
		return -EPERM;
	mode &= 07777;
	if (!cred_in_fsgroup(inode->gid) && !capable_over(inode, CAP_FSETID))
		mode &= ~(uint32_t)S_ISGID;
	change.mode = (inode->mode & S_IFMT) | mode;
	return set_attributes(path, &change);
}

static int may_chown(const struct inode *inode, uint32_t uid, uint32_t gid)
{
	bool owner = current->cred->fsuid == inode->uid;

	if (capable_over(inode, CAP_CHOWN))
		return 0;
	if (uid != UINT32_MAX && (!owner || uid != inode->uid))
		return -EPERM;
	if (gid != UINT32_MAX && (!owner || (gid != inode->gid && !cred_in_fsgroup(gid))))
		return -EPERM;
	return 0;
}

/* The set-id bits that a change of owner takes away. */
static uint32_t mode_after_chown(uint32_t mode)
{
	if (S_ISDIR(mode))
		return mode;
	mode &= ~(uint32_t)S_ISUID;
	if (mode & S_IXGRP)
		mode &= ~(uint32_t)S_ISGID;
	return mode;
}

int vfs_chown(const struct path *path, uint32_t uid, uint32_t gid)
{
	struct inode *inode = path->dentry->inode;
	struct attr_change change = {.valid = 0};
	int rc = mount_want_write(path->mount);

	if (!rc)
		rc = may_chown(inode, uid, gid);
	if (rc)
		return rc;
	if (uid != UINT32_MAX) {
		change.valid |= ATTR_UID;
		change.uid = uid;
	}
	if (gid != UINT32_MAX) {
		change.valid |= ATTR_GID;
		change.gid = gid;
	}
	change.mode = mode_after_chown(inode->mode);
	if (change.mode != inode->mode)
		change.valid |= ATTR_MODE;
	rc = set_attributes(path, &change);
	if (!rc && !S_ISDIR(inode->mode))
		inode_drop_caps(inode);
	return rc;
}

int vfs_utimes(const struct path *path, const struct attr_change *times)
{
	struct inode *inode = path->dentry->inode;
	struct attr_change change = *times;
	uint32_t now_bits = times->valid & (ATTR_ATIME_NOW | ATTR_MTIME_NOW);
	int rc = mount_want_write(path->mount);

	if (rc)
		return rc;
	if (!times->valid)
		return 0;
	if (!inode_owner_or_capable(inode)) {
		/* Others may only set both to now, and only if they may write. */
		if (now_bits != (ATTR_ATIME_NOW | ATTR_MTIME_NOW))
			return -EPERM;
		rc = inode_permission(inode, MAY_WRITE);
		if (rc)
			return rc;
	}
	if (now_bits & ATTR_ATIME_NOW) {
		change.valid |= ATTR_ATIME;
		change.atime = vfs_now();
	}
	if (now_bits & ATTR_MTIME_NOW) {
		change.valid |= ATTR_MTIME;
		change.mtime = now_bits & ATTR_ATIME_NOW ? change.atime : vfs_now();
	}
	return set_attributes(path, &change);
}

/* ---- sizes ---- */

int inode_set_size(struct inode *inode, uint64_t size)
{
	struct attr_change change = {.valid = ATTR_SIZE | ATTR_MTIME | ATTR_CTIME, .size = size};
	struct process *process = current ? current->process : NULL;
	int rc;

	if (process && size > inode_size(inode) && size > process->rlimit[RLIMIT_FSIZE].cur) {
		signal_send_kernel(current, SIGXFSZ);
		return -EFBIG;
	}
	if (size > FILE_MAX_BYTES)
		return -EFBIG;
	change.mtime = change.ctime = vfs_now();
	rwsem_write_lock(&inode->lock);
	if (inode->mode & (S_ISUID | S_ISGID) && !capable_over(inode, CAP_FSETID)) {
		change.mode = mode_after_chown(inode->mode);
		change.valid |= change.mode != inode->mode ? ATTR_MODE : 0;
	}
	rc = set_locked(inode, &change);
	if (!rc)
		inode_drop_caps(inode);
	rwsem_write_unlock(&inode->lock);
	return rc;
}

int vfs_truncate(const struct path *path, uint64_t size)
{
	struct inode *inode = path->dentry->inode;
	int rc;

	if ((int64_t)size < 0)
		return -EINVAL;
	if (S_ISDIR(inode->mode))
		return -EISDIR;
	if (!S_ISREG(inode->mode))
		return -EINVAL;
	rc = mount_want_write(path->mount);
	if (!rc)
		rc = inode_permission(inode, MAY_WRITE);
	if (!rc && inode->deny_write)
		rc = -ETXTBSY;
	if (!rc)
		rc = inode_set_size(inode, size);
	if (!rc)
		notify_inode(inode, path->dentry, IN_MODIFY, 0);
	return rc;
}

int vfs_ftruncate(struct file *file, uint64_t size)
{
	struct inode *inode = file->inode;
	int rc;

	if ((int64_t)size < 0 || !inode || !S_ISREG(inode->mode) || !(file->mode & FILE_WRITE))
		return -EINVAL;
	rc = inode_set_size(inode, size);
	if (!rc)
		notify_inode(inode, file->path.dentry, IN_MODIFY, 0);
	return rc;
}

int vfs_fallocate(struct file *file, int mode, int64_t offset, int64_t length)
{
	struct process *process = current ? current->process : NULL;
	int64_t end;
	int rc;

	if (offset < 0 || length <= 0)
		return -EINVAL;
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_COLLAPSE_RANGE |
			FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE))
		return -EOPNOTSUPP;
	if (!(file->mode & FILE_WRITE))
		return -EBADF;
	if (file->inode && S_ISFIFO(file->inode->mode))
		return -ESPIPE;
	if (file->inode && S_ISDIR(file->inode->mode))
		return -EISDIR;
	if (!file->inode || !S_ISREG(file->inode->mode))
		return -ENODEV;
	if (__builtin_add_overflow(offset, length, &end))
		return -EFBIG;
	if (process && !(mode & FALLOC_FL_KEEP_SIZE) && (uint64_t)end > process->rlimit[RLIMIT_FSIZE].cur) {
		signal_send_kernel(current, SIGXFSZ);
		return -EFBIG;
	}
	if (!file->ops->fallocate)
		return -EOPNOTSUPP;
	rc = file->ops->fallocate(file, mode, (uint64_t)offset, (uint64_t)length);
	if (!rc)
		notify_inode(file->inode, file->path.dentry, IN_MODIFY, 0);
	return rc;
}

int vfs_fsync(struct file *file, bool data_only)
{
	if (file->ops->fsync)
		return file->ops->fsync(file, data_only);
	if (file->inode && (S_ISREG(file->inode->mode) || S_ISDIR(file->inode->mode)))
		return 0;
	return -EINVAL;
}
