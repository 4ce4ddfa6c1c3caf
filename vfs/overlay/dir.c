/*
 * Names made and removed in a merged directory. The core holds the directory's lock as
 * writer and has checked permissions. A name that the lower layer has is hidden by a
 * whiteout; a new directory over one is opaque.
 */
#include "vfs/overlay/internal.h"

/* The directory's own fields follow its upper inode after a change there. */
static void dir_changed(struct overlay_inode *dir)
{
	dir->inode.mtime = dir->upper->mtime;
	dir->inode.ctime = dir->upper->ctime;
	dir->inode.size = dir->upper->size;
	if (!dir->lower)
		dir->inode.nlink = dir->upper->nlink;
}

/* What is to be made under a name. */
struct making {
	uint32_t mode;
	uint64_t rdev;
	const char *target; /* symbolic links */
};

static int make_in_upper(struct inode *upper_dir, struct dentry *dentry, const struct making *m, struct inode **upper)
{
	const struct inode_ops *ops = upper_dir->ops;

	switch (m->mode & S_IFMT) {
	case S_IFREG:
		return ops->create(upper_dir, dentry, m->mode, upper);
	case S_IFDIR:
		return ops->mkdir(upper_dir, dentry, m->mode, upper);
	case S_IFLNK:
		return ops->symlink(upper_dir, dentry, m->target, upper);
	default:
		return ops->mknod(upper_dir, dentry, m->mode, m->rdev, upper);
	}
}

static int make(struct inode *dir, struct dentry *dentry, const struct making *m, struct inode **inode)
{
	struct overlay_inode *od = overlay_of(dir);
	struct inode *upper;
	bool whiteout;
	int rc = overlay_copy_up(od, true);

	if (rc)
		return rc;
	overlay_sync_upper(od); /* the set-group-id bit and group are looked at there */
	whiteout = tmpfs_find(od->upper, dentry->name, dentry->name_len) != NULL;
	if (whiteout)
		tmpfs_remove_name(od->upper, dentry);
	rc = make_in_upper(od->upper, dentry, m, &upper);
	if (rc) {
		if (whiteout && tmpfs_set_whiteout(od->upper, dentry))
			klog(LOG_ERROR, "overlay: no memory to hide \"%s\" again", dentry->name);
		return rc;
	}
	if (S_ISDIR(m->mode) && whiteout)
		tmpfs_note(upper)->opaque = true;
	dir_changed(od);
	*inode = overlay_inode_get(dir->sb, upper, NULL);
	if (!*inode)
		return -ENOMEM;
	overlay_of(*inode)->alias = dentry;
	return 0;
}

int overlay_create(struct inode *dir, struct dentry *dentry, uint32_t mode, struct inode **inode)
{
	return make(dir, dentry, &(struct making){.mode = mode}, inode);
}

int overlay_mkdir(struct inode *dir, struct dentry *dentry, uint32_t mode, struct inode **inode)
{
	return make(dir, dentry, &(struct making){.mode = mode}, inode);
}

int overlay_mknod(struct inode *dir, struct dentry *dentry, uint32_t mode, uint64_t rdev, struct inode **inode)
{
	if (S_ISCHR(mode) && !rdev)
		return -EPERM; /* it would be a whiteout */
	return make(dir, dentry, &(struct making){.mode = mode, .rdev = rdev}, inode);
}

int overlay_symlink(struct inode *dir, struct dentry *dentry, const char *target, struct inode **inode)
{
	return make(dir, dentry, &(struct making){.mode = S_IFLNK | 0777, .target = target}, inode);
}

int overlay_tmpfile(struct inode *dir, uint32_t mode, struct inode **inode)
{
	struct overlay_inode *od = overlay_of(dir);
	struct inode *root = overlay_sb_of(dir)->upper->root->inode, *upper;
	int rc = root->ops->tmpfile(od->upper ? od->upper : root, mode, &upper);

	if (rc)
		return rc;
	upper->nlink = 0;
	*inode = overlay_inode_get(dir->sb, upper, NULL);
	return *inode ? 0 : -ENOMEM;
}

int overlay_link(struct inode *dir, struct dentry *dentry, struct inode *existing)
{
	struct overlay_inode *od = overlay_of(dir), *oi = overlay_of(existing);
	int rc = overlay_copy_up(oi, true);

	if (!rc)
		rc = overlay_copy_up(od, true);
	if (rc)
		return rc;
	tmpfs_remove_name(od->upper, dentry); /* a whiteout; should the link fail, the lower name shows again */
	overlay_sync_upper(oi);
	oi->upper->nlink = existing->nlink;
	rc = od->upper->ops->link(od->upper, dentry, oi->upper);
	if (rc)
		return rc;
	overlay_refresh(oi);
	dir_changed(od);
	if (!oi->alias)
		oi->alias = dentry;
	return 0;
}

/* Takes a name away in both layers. May sleep before it changes anything. */
static int remove_name(struct overlay_inode *od, struct dentry *dentry)
{
	struct overlay_inode *oi = overlay_of(dentry->inode);
	bool named_above;
	int lower = overlay_lower_has(od, dentry), rc = lower < 0 ? lower : 0;

	if (!rc)
		rc = overlay_copy_up(od, true);
	/* A file with more names must keep its identity under them. */
	if (!rc && !S_ISDIR(oi->inode.mode) && oi->inode.nlink > 1)
		rc = overlay_copy_up(oi, true);
	if (rc)
		return rc;
	named_above = tmpfs_find(od->upper, dentry->name, dentry->name_len) != NULL;
	if (lower)
		rc = tmpfs_set_whiteout(od->upper, dentry);
	else
		tmpfs_remove_name(od->upper, dentry);
	if (rc)
		return rc;
	if (oi->upper && !named_above && oi->upper->nlink) {
		oi->upper->nlink--; /* a name that only the lower layer had */
		oi->upper->ctime = vfs_now();
	}
	if (S_ISDIR(oi->inode.mode))
		oi->inode.nlink = 0;
	else if (oi->upper) {
		oi->inode.nlink = oi->upper->nlink;
		oi->inode.ctime = oi->upper->ctime;
	} else {
		oi->inode.nlink--;
		oi->inode.ctime = vfs_now();
	}
	if (oi->alias == dentry)
		oi->alias = NULL;
	dir_changed(od);
	return 0;
}

int overlay_unlink(struct inode *dir, struct dentry *dentry)
{
	return remove_name(overlay_of(dir), dentry);
}

int overlay_rmdir(struct inode *dir, struct dentry *dentry)
{
	int empty = overlay_dir_is_empty(overlay_of(dentry->inode));

	if (empty <= 0)
		return empty ? empty : -ENOTEMPTY;
	return remove_name(overlay_of(dir), dentry);
}
