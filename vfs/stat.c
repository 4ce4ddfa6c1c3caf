/*
 * Reading attributes: stat(2), statx(2), access(2), getcwd's file half. On an exclusive
 * mount this is a copy of the inode's fields, with no message to anyone.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>

#include "kernel/user_ns.h"
#include "vfs/internal.h"

int vfs_getattr(struct inode *inode, struct kstat *stat)
{
	if (inode->ops && inode->ops->getattr) {
		int rc = inode->ops->getattr(inode);

		if (rc)
			return rc;
	}
	stat->dev = inode->sb ? inode->sb->dev : 0;
	stat->ino = inode->ino;
	stat->mode = inode->mode;
	stat->nlink = inode->nlink;
	stat->uid = inode->uid;
	stat->gid = inode->gid;
	stat->rdev = inode->rdev;
	stat->size = inode_size(inode);
	stat->blocks = inode->blocks;
	stat->blksize = inode->blksize;
	stat->atime = inode->atime;
	stat->mtime = inode->mtime;
	stat->ctime = inode->ctime;
	stat->btime = inode->btime;
	stat->mount_id = 0;
	stat->mount_root = false;
	return 0;
}

int vfs_getattr_path(const struct path *path, struct kstat *stat)
{
	int rc = vfs_getattr(path->dentry->inode, stat);

	if (rc)
		return rc;
	stat->mount_id = path->mount->id;
	stat->mount_root = path->dentry == path->mount->root;
	return 0;
}

int vfs_getattr_file(struct file *file, struct kstat *stat)
{
	if (file->path.dentry && file->path.dentry->inode)
		return vfs_getattr_path(&file->path, stat);
	if (file->inode)
		return vfs_getattr(file->inode, stat);
	return -EBADF;
}

static int access_inode(const struct path *path, unsigned mode)
{
	struct inode *inode = path->dentry->inode;
	int rc;

	if (mode & MAY_EXEC && S_ISREG(inode->mode) && path->mount->flags & MS_NOEXEC)
		return -EACCES;
	rc = mode ? inode_permission(inode, mode) : 0;
	if (rc || !(mode & MAY_WRITE))
		return rc;
	if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode) || S_ISFIFO(inode->mode) || S_ISSOCK(inode->mode))
		return 0;
	return mount_want_write(path->mount);
}

/* access(2) asks for the real ids, with the capabilities that execve would give them. */
static struct cred *real_ids(void)
{
	struct cred *cred = cred_copy(current->cred);

	if (!cred)
		return NULL;
	cred->fsuid = cred->uid;
	cred->fsgid = cred->gid;
	cred->cap_effective = cred->uid == user_ns_root(cred->user_ns) ? cred->cap_permitted : 0;
	return cred;
}

int vfs_access(int dirfd, const char *name, unsigned mode, unsigned at_flags)
{
	unsigned lookup = at_flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	struct cred *own = current->cred, *cred = NULL;
	struct path path;
	int rc;

	if (mode & ~(MAY_READ | MAY_WRITE | MAY_EXEC))
		return -EINVAL;
	if (at_flags & ~(unsigned)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (at_flags & AT_EMPTY_PATH)
		lookup |= LOOKUP_EMPTY;
	bool is_root = own->uid == user_ns_root(own->user_ns);
	if (!(at_flags & AT_EACCESS) && (own->uid != own->fsuid || own->gid != own->fsgid ||
						own->cap_effective != (is_root ? own->cap_permitted : 0))) {
		cred = real_ids();
		if (!cred)
			return -ENOMEM;
		current->cred = cred;
	}
	rc = path_lookup(dirfd, name, lookup, &path);
	if (!rc) {
		rc = access_inode(&path, mode);
		path_put(&path);
	}
	if (cred) {
		current->cred = own;
		cred_put(cred);
	}
	return rc;
}
