/*
 * A name in a merged directory: the upper layer first, then the lower one. The lower
 * lookup sleeps; the upper one does not and comes last, so both are of one moment.
 */
#include "vfs/overlay/internal.h"

static struct inode *upper_find(struct overlay_inode *dir, const struct dentry *name)
{
	return dir->upper ? tmpfs_find(dir->upper, name->name, name->name_len) : NULL;
}

/* Whether what the upper layer has leaves the lower one visible: nothing there, or a directory to merge. */
static bool lower_matters(const struct overlay_inode *dir, struct inode *upper)
{
	if (!dir->lower)
		return false;
	if (!upper)
		return true;
	return S_ISDIR(upper->mode) && !tmpfs_note(upper)->opaque;
}

/* References in *lower; NULL if there is nothing. May sleep. */
static int lower_find(struct overlay_inode *dir, const struct dentry *name, struct dentry **lower)
{
	int rc;

	*lower = NULL;
	if (!dir->lower)
		return 0;
	rc = dentry_lookup(dir->lower, name->name, name->name_len, lower);
	if (rc == -ENOENT)
		return 0;
	if (!rc && !(*lower)->inode) {
		dentry_put_uncached(*lower);
		*lower = NULL;
	}
	return rc;
}

int overlay_lower_has(struct overlay_inode *dir, struct dentry *name)
{
	struct dentry *lower;
	int rc = lower_find(dir, name, &lower);

	if (rc || !lower)
		return rc;
	dentry_put_uncached(lower);
	return 1;
}

/* A lower file with several names that was copied up under another one. */
static struct inode *indexed(struct inode *dir, const struct dentry *lower)
{
	if (S_ISDIR(lower->inode->mode) || lower->inode->nlink < 2)
		return NULL;
	return overlay_index_find(overlay_sb_of(dir), lower->inode->ino);
}

static void set_alias(struct inode *inode, struct dentry *dentry)
{
	/* Somebody may have looked the same name up while we slept: theirs is the one that stays. */
	struct dentry *first = dentry_find(dentry->parent, dentry->name, dentry->name_len);

	overlay_of(inode)->alias = first ? first : dentry;
	if (first)
		dentry_put(first);
}

int overlay_lookup(struct inode *dir, struct dentry *dentry, struct inode **inode)
{
	struct overlay_inode *od = overlay_of(dir);
	struct dentry *lower = NULL;
	struct inode *upper;
	int rc = 0;

	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	if (lower_matters(od, upper_find(od, dentry)))
		rc = lower_find(od, dentry, &lower);
	if (rc)
		return rc;
	upper = upper_find(od, dentry); /* from here nothing sleeps but puts */
	if (lower && (!lower_matters(od, upper) || (upper && !S_ISDIR(lower->inode->mode)))) {
		dentry_put_uncached(lower);
		lower = NULL;
	}
	if (upper && tmpfs_is_whiteout(upper))
		return -ENOENT;
	if (!upper && lower)
		upper = indexed(dir, lower);
	if (!upper && !lower)
		return -ENOENT;
	if (upper)
		inode_get(upper);
	if (upper && lower && !S_ISDIR(upper->mode)) {
		dentry_put_uncached(lower);
		lower = NULL;
	}
	*inode = overlay_inode_get(dir->sb, upper, lower);
	if (!*inode)
		return -ENOMEM;
	set_alias(*inode, dentry);
	return 0;
}
