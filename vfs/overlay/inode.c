/*
 * Overlay inodes: found by what lies below them, attributes, end.
 */
#include "vfs/overlay/internal.h"

static unsigned bucket_of(const void *key)
{
	return (unsigned)((((uint64_t)key >> 4) * 0x9e3779b97f4a7c15ull) >> 52) % OVERLAY_BUCKETS;
}

static struct overlay_inode *find(struct overlay_sb *info, const void *key)
{
	struct overlay_inode *oi;

	LIST_FOREACH(oi, &info->inodes[bucket_of(key)], hash)
		if (oi->key == key)
			return oi;
	return NULL;
}

static struct inode *real_of(const struct overlay_inode *oi)
{
	return oi->upper ? oi->upper : oi->lower->inode;
}

uint64_t overlay_upper_ino(struct inode *upper)
{
	uint64_t origin = tmpfs_note(upper)->origin;

	return origin ? origin : upper->ino | OVERLAY_UPPER_INO;
}

static void copy_fields(struct inode *to, const struct inode *from)
{
	to->mode = from->mode;
	to->uid = from->uid;
	to->gid = from->gid;
	to->atime = from->atime;
	to->mtime = from->mtime;
	to->ctime = from->ctime;
}

static uint32_t link_count(const struct overlay_inode *oi)
{
	if (S_ISDIR(oi->inode.mode) && oi->upper && oi->lower)
		return 1; /* merged: not known, as Linux says it */
	return real_of(oi)->nlink;
}

void overlay_refresh(struct overlay_inode *oi)
{
	if (!oi->upper)
		return;
	copy_fields(&oi->inode, oi->upper);
	oi->inode.nlink = link_count(oi);
	oi->inode.size = oi->upper->size;
}

void overlay_sync_upper(struct overlay_inode *oi)
{
	if (oi->upper)
		copy_fields(oi->upper, &oi->inode);
}

static void fill(struct overlay_inode *oi)
{
	const struct inode *real = real_of(oi);
	struct inode *inode = &oi->inode;

	copy_fields(inode, real);
	inode->btime = real->btime;
	inode->rdev = real->rdev;
	inode->size = inode_size(real);
	inode->blocks = real->blocks;
	inode->blksize = real->blksize;
	inode->nlink = link_count(oi);
	inode->ino = oi->upper ? overlay_upper_ino(oi->upper) : real->ino;
	if (S_ISDIR(inode->mode) && oi->lower)
		inode->ino = oi->lower->inode->ino;
	if (S_ISDIR(inode->mode))
		inode->file_ops = &overlay_dir_ops;
	else if (S_ISREG(inode->mode))
		inode->file_ops = &overlay_file_ops;
	if (oi->upper && oi->upper->object) {
		inode->object = oi->upper->object;
		object_get(inode->object);
	}
}

static void drop_layers(struct inode *upper, struct dentry *lower)
{
	if (upper)
		inode_put(upper);
	if (lower)
		dentry_put_uncached(lower);
}

struct inode *overlay_inode_get(struct superblock *sb, struct inode *upper, struct dentry *lower)
{
	struct overlay_sb *info = sb->private;
	const void *key = upper ? (const void *)upper : (const void *)lower->inode;
	struct overlay_inode *oi = find(info, key);

	if (oi) {
		drop_layers(upper, lower);
		inode_get(&oi->inode);
		return &oi->inode;
	}
	oi = kzalloc(sizeof(*oi));
	if (!oi) {
		drop_layers(upper, lower);
		return NULL;
	}
	inode_init(&oi->inode, sb, upper ? upper->mode : lower->inode->mode);
	oi->inode.ops = &overlay_inode_ops;
	oi->upper = upper;
	oi->lower = lower;
	oi->key = key;
	fill(oi);
	LIST_INSERT_HEAD(&info->inodes[bucket_of(key)], oi, hash);
	return &oi->inode;
}

void overlay_inode_rekey(struct overlay_inode *oi)
{
	LIST_REMOVE(oi, hash);
	oi->key = oi->upper;
	LIST_INSERT_HEAD(&overlay_sb_of(&oi->inode)->inodes[bucket_of(oi->key)], oi, hash);
}

struct inode *overlay_index_find(struct overlay_sb *info, uint64_t ino)
{
	struct overlay_index *entry;

	LIST_FOREACH(entry, &info->index, link)
		if (entry->ino == ino)
			return entry->upper;
	return NULL;
}

void overlay_dentry_release(struct dentry *dentry)
{
	if (dentry->inode && overlay_of(dentry->inode)->alias == dentry)
		overlay_of(dentry->inode)->alias = NULL;
}

void overlay_destroy(struct inode *inode)
{
	struct overlay_inode *oi = overlay_of(inode);

	overlay_sync_upper(oi);
	LIST_REMOVE(oi, hash);
	inode_release(inode);
	if (oi->lower_file)
		file_put(oi->lower_file);
	drop_layers(oi->upper, oi->lower);
	kfree(oi);
}

static int overlay_setattr(struct inode *inode, const struct attr_change *change)
{
	struct overlay_inode *oi = overlay_of(inode);
	int rc = overlay_copy_up(oi, !(change->valid & ATTR_SIZE && !change->size));

	if (rc)
		return rc;
	overlay_sync_upper(oi);
	rc = oi->upper->ops->setattr(oi->upper, change);
	if (!rc)
		overlay_refresh(oi);
	return rc;
}

static int overlay_getattr(struct inode *inode)
{
	struct overlay_inode *oi = overlay_of(inode);

	if (oi->upper && oi->upper->object) {
		oi->upper->ops->getattr(oi->upper);
		inode->blocks = oi->upper->blocks;
	}
	return 0;
}

static int64_t overlay_readlink(struct inode *inode, char *buf, size_t size)
{
	struct inode *real = real_of(overlay_of(inode));

	return real->ops->readlink ? real->ops->readlink(real, buf, size) : -EINVAL;
}

static int64_t overlay_getxattr(struct inode *inode, const char *name, void *value, size_t size)
{
	struct inode *real = real_of(overlay_of(inode));

	return real->ops->getxattr ? real->ops->getxattr(real, name, value, size) : -EOPNOTSUPP;
}

static int64_t overlay_listxattr(struct inode *inode, char *list, size_t size)
{
	struct inode *real = real_of(overlay_of(inode));

	return real->ops->listxattr ? real->ops->listxattr(real, list, size) : 0;
}

static int overlay_setxattr(struct inode *inode, const char *name, const void *value, size_t size, int flags)
{
	struct overlay_inode *oi = overlay_of(inode);
	int rc = overlay_copy_up(oi, true);

	return rc ? rc : oi->upper->ops->setxattr(oi->upper, name, value, size, flags);
}

static int overlay_removexattr(struct inode *inode, const char *name)
{
	struct overlay_inode *oi = overlay_of(inode);
	int rc = overlay_copy_up(oi, true);

	return rc ? rc : oi->upper->ops->removexattr(oi->upper, name);
}

static void overlay_drop_caps(struct inode *inode)
{
	struct overlay_inode *oi = overlay_of(inode);

	if (oi->upper)
		inode_drop_caps(oi->upper);
}

const struct inode_ops overlay_inode_ops = {
	.lookup = overlay_lookup,
	.create = overlay_create,
	.mkdir = overlay_mkdir,
	.mknod = overlay_mknod,
	.symlink = overlay_symlink,
	.link = overlay_link,
	.unlink = overlay_unlink,
	.rmdir = overlay_rmdir,
	.rename = overlay_rename,
	.readlink = overlay_readlink,
	.setattr = overlay_setattr,
	.getattr = overlay_getattr,
	.getxattr = overlay_getxattr,
	.setxattr = overlay_setxattr,
	.listxattr = overlay_listxattr,
	.removexattr = overlay_removexattr,
	.drop_caps = overlay_drop_caps,
	.open = overlay_open,
	.tmpfile = overlay_tmpfile,
	.destroy = overlay_destroy,
};
