/*
 * tmpfs inodes: creation, attributes, end. A directory's entries reference their inodes,
 * so nothing goes away when the dentry cache forgets a name.
 */
#include "vfs/tmpfs/internal.h"

#define DIRENT_SIZE 20 /* what Linux counts for an entry in a directory's size */

int tmpfs_inode_new(struct superblock *sb, const struct inode *dir, uint32_t mode, struct inode **out)
{
	struct tmpfs_sb *info = sb->private;
	struct tmpfs_inode *node;

	if (info->max_inodes && info->used_inodes >= info->max_inodes)
		return -ENOSPC;
	node = kzalloc(sizeof(*node));
	if (!node)
		return -ENOMEM;
	inode_init(&node->inode, sb, mode);
	inode_init_owner(&node->inode, dir, mode);
	node->inode.ops = &tmpfs_inode_ops;
	node->inode.ino = inode_next_ino();
	RB_INIT(&node->names);
	RB_INIT(&node->cookies);
	node->next_cookie = 2;
	TAILQ_INIT(&node->xattrs);
	node->seals = 1; /* F_SEAL_SEAL: an ordinary file takes no seals */
	if (S_ISDIR(mode)) {
		node->inode.nlink = 2;
		node->inode.size = 2 * DIRENT_SIZE;
		node->inode.file_ops = &tmpfs_dir_ops;
	} else if (S_ISREG(mode)) {
		node->inode.file_ops = &tmpfs_file_ops;
		node->inode.object = object_create_shmem(0);
		if (!node->inode.object) {
			kfree(node);
			return -ENOMEM;
		}
	}
	info->used_inodes++;
	*out = &node->inode;
	return 0;
}

static void take_apart(struct tmpfs_sb *info, struct tmpfs_inode *node)
{
	struct inode *inode = &node->inode;

	if (S_ISDIR(inode->mode))
		tmpfs_dir_clear(node);
	tmpfs_xattrs_free(node);
	if (inode->object && inode->object->refs == 1)
		object_drop_slowly(inode->object, 0, UINT64_MAX & PAGE_MASK);
	info->used_pages -= node->charged;
	info->used_inodes--;
	inode_release(inode);
	kfree(node->target);
	kfree(node);
}

/*
 * A directory's end is that of all below: they queue up here instead of each ending in the middle of the one above, which a
 * deep tree would overrun the stack with. Whoever comes while another is at it leaves the inode to that one.
 */
void tmpfs_destroy(struct inode *inode)
{
	struct superblock *sb = inode->sb;
	struct tmpfs_sb *info = sb->private;
	struct tmpfs_inode *node = tmpfs_of(inode);
	bool holds = sb->refs > 0; /* else it is the superblock's own end */

	STAILQ_INSERT_TAIL(&info->gone, node, gone_link);
	if (info->taking_apart)
		return;
	info->taking_apart = true;
	sb->refs += holds;
	while ((node = STAILQ_FIRST(&info->gone)) != NULL) {
		STAILQ_REMOVE_HEAD(&info->gone, gone_link);
		take_apart(info, node);
		(void)task_breathe();
	}
	info->taking_apart = false;
	if (holds)
		superblock_put(sb);
}

static int set_size(struct inode *inode, uint64_t size)
{
	struct tmpfs_inode *node = tmpfs_of(inode);

	if (!S_ISREG(inode->mode))
		return -EINVAL;
	if ((size < inode->object->size && node->seals & 2) || (size > inode->object->size && node->seals & 4))
		return -EPERM; /* F_SEAL_SHRINK, F_SEAL_GROW */
	object_truncate_slowly(inode->object, size);
	tmpfs_charge(node);
	return 0;
}

int tmpfs_setattr(struct inode *inode, const struct attr_change *change)
{
	if (change->valid & ATTR_SIZE) {
		int rc = set_size(inode, change->size);

		if (rc)
			return rc;
	}
	inode_take_attributes(inode, change);
	return 0;
}

int tmpfs_getattr(struct inode *inode)
{
	if (inode->object) {
		tmpfs_charge(tmpfs_of(inode));
		inode->blocks = inode->object->nr_pages * 8;
	}
	return 0;
}

static int64_t tmpfs_readlink(struct inode *inode, char *buf, size_t size)
{
	const char *target = tmpfs_of(inode)->target;
	size_t len;

	if (!target)
		return -EINVAL;
	len = strlen(target);
	if (len > size)
		len = size;
	memcpy(buf, target, len);
	return (int64_t)len;
}

static int tmpfs_tmpfile(struct inode *dir, uint32_t mode, struct inode **inode)
{
	return tmpfs_inode_new(dir->sb, dir, mode, inode);
}

struct tmpfs_note *tmpfs_note(struct inode *inode)
{
	return &tmpfs_of(inode)->note;
}

const struct inode_ops tmpfs_inode_ops = {
	.lookup = tmpfs_lookup,
	.create = tmpfs_create,
	.mkdir = tmpfs_mkdir,
	.mknod = tmpfs_mknod,
	.symlink = tmpfs_symlink,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rmdir = tmpfs_rmdir,
	.rename = tmpfs_rename,
	.readlink = tmpfs_readlink,
	.setattr = tmpfs_setattr,
	.getattr = tmpfs_getattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.removexattr = tmpfs_removexattr,
	.drop_caps = tmpfs_drop_caps,
	.tmpfile = tmpfs_tmpfile,
	.destroy = tmpfs_destroy,
};
