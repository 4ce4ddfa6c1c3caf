/*
 * Inodes: life cycle, owners of new ones, sizes and times. File systems embed struct
 * inode and call inode_init() first; their destroy() calls inode_release() and frees.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>

#include "ring0/clock.h"
#include "vfs/internal.h"

#define DAY_SECONDS 86400

void inode_init(struct inode *inode, struct superblock *sb, uint32_t mode)
{
	inode->refs = 1;
	inode->sb = sb;
	inode->mode = mode;
	inode->nlink = 1;
	inode->blksize = 4096;
	rwsem_init(&inode->lock);
	TAILQ_INIT(&inode->locks);
}

void inode_init_owner(struct inode *inode, const struct inode *dir, uint32_t mode)
{
	const struct cred *cred = current->cred;

	inode->uid = cred->fsuid;
	inode->gid = cred->fsgid;
	if (dir && dir->mode & S_ISGID) {
		inode->gid = dir->gid;
		if (S_ISDIR(mode))
			mode |= S_ISGID;
		else if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && !cred_in_fsgroup(dir->gid) &&
			!capable_over(dir, CAP_FSETID))
			mode &= ~(uint32_t)S_ISGID;
	}
	inode->mode = mode;
	inode->atime = inode->mtime = inode->ctime = inode->btime = vfs_now();
}

uint64_t inode_next_ino(void)
{
	static uint64_t next = 1;

	return next++;
}

void inode_get(struct inode *inode)
{
	inode->refs++;
}

void inode_release(struct inode *inode)
{
	if (inode->object)
		object_put(inode->object);
	inode->object = NULL;
}

void inode_put(struct inode *inode)
{
	DEBUG_BUG_ON(!inode->refs);
	if (--inode->refs)
		return;
	if (inode->ops && inode->ops->destroy) {
		inode->ops->destroy(inode);
		return;
	}
	inode_release(inode);
	kfree(inode);
}

uint64_t inode_size(const struct inode *inode)
{
	return S_ISREG(inode->mode) && inode->object ? inode->object->size : inode->size;
}

struct timestamp vfs_now(void)
{
	uint64_t ns = (uint64_t)clock_realtime();
	struct timestamp now = {.sec = (int64_t)(ns / 1000000000ull), .nsec = (uint32_t)(ns % 1000000000ull)};

	return now;
}

static bool time_not_after(const struct timestamp *a, const struct timestamp *b)
{
	return a->sec < b->sec || (a->sec == b->sec && a->nsec <= b->nsec);
}

/* relatime: the access time is older than a change, or than a day (mount(8)). */
static bool atime_is_old(const struct inode *inode, const struct timestamp *now)
{
	return time_not_after(&inode->atime, &inode->mtime) || time_not_after(&inode->atime, &inode->ctime) ||
		now->sec - inode->atime.sec >= DAY_SECONDS;
}

void file_accessed(struct file *file)
{
	struct inode *inode = file->inode;
	struct mount *mount = file->path.mount;
	struct timestamp now;

	if (!inode || file->flags & O_NOATIME || !mount)
		return;
	if (mount->flags & (MS_NOATIME | MS_RDONLY) || inode->sb->flags & (MS_RDONLY | MS_NOATIME))
		return;
	if (S_ISDIR(inode->mode) && mount->flags & MS_NODIRATIME)
		return;
	if (!(mount->flags & MS_STRICTATIME) && !time_not_after(&inode->atime, &inode->mtime) &&
		!time_not_after(&inode->atime, &inode->ctime)) {
		/* Only a day's age could still count: look at the clock once in a while. */
		now = vfs_now();
		if (now.sec - inode->atime.sec < DAY_SECONDS)
			return;
	} else {
		now = vfs_now();
	}
	if (mount->flags & MS_STRICTATIME || atime_is_old(inode, &now))
		inode->atime = now;
}

void inode_take_attributes(struct inode *inode, const struct attr_change *change)
{
	if (change->valid & ATTR_MODE)
		inode->mode = (inode->mode & S_IFMT) | (change->mode & 07777);
	if (change->valid & ATTR_UID)
		inode->uid = change->uid;
	if (change->valid & ATTR_GID)
		inode->gid = change->gid;
	if (change->valid & ATTR_ATIME)
		inode->atime = change->atime;
	if (change->valid & ATTR_MTIME)
		inode->mtime = change->mtime;
	if (change->valid & ATTR_CTIME)
		inode->ctime = change->ctime;
}

void inode_drop_caps(struct inode *inode)
{
	if (inode->ops && inode->ops->drop_caps)
		inode->ops->drop_caps(inode);
}

void inode_modified(struct inode *inode)
{
	inode->mtime = inode->ctime = vfs_now();
	inode_drop_caps(inode);
	if (!(inode->mode & (S_ISUID | S_ISGID)) || capable_over(inode, CAP_FSETID))
		return;
	inode->mode &= ~(uint32_t)S_ISUID;
	if (inode->mode & S_IXGRP)
		inode->mode &= ~(uint32_t)S_ISGID;
}
