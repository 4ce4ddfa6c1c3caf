/*
 * rename in an overlay: everything is copied up first, then the upper layer renames and
 * leaves a whiteout where the lower one has the old name. A directory that the lower
 * layer has a part of is not renamed: -EXDEV, as Linux without redirect_dir; mv(1) copies.
 */
#include <linux/fs.h>

#include "vfs/overlay/internal.h"

/* One side of it. */
struct side {
	struct overlay_inode *dir, *oi; /* oi NULL: the name is free */
	struct dentry *dentry;
	bool in_lower; /* the lower directory has this name */
};

static bool has_lower_part(const struct overlay_inode *oi)
{
	return S_ISDIR(oi->inode.mode) && oi->lower;
}

static int prepare(struct side *s, struct inode *dir, struct dentry *dentry)
{
	int lower, rc;

	s->dir = overlay_of(dir);
	s->dentry = dentry;
	s->oi = dentry->inode ? overlay_of(dentry->inode) : NULL;
	rc = overlay_copy_up(s->dir, true);
	if (rc)
		return rc;
	lower = overlay_lower_has(s->dir, dentry);
	if (lower < 0)
		return lower;
	s->in_lower = lower;
	return 0;
}

/* The upper directory gets an entry for a file that was copied up without one (the index). */
static int ensure_entry(struct side *s)
{
	struct inode *upper = s->oi->upper;
	int rc;

	if (tmpfs_find(s->dir->upper, s->dentry->name, s->dentry->name_len))
		return 0;
	rc = s->dir->upper->ops->link(s->dir->upper, s->dentry, upper);
	if (!rc)
		upper->nlink--; /* the name was counted already */
	return rc;
}

static int prepare_object(struct side *s)
{
	int rc;

	if (has_lower_part(s->oi))
		return -EXDEV;
	rc = overlay_copy_up(s->oi, true);
	if (rc)
		return rc;
	overlay_sync_upper(s->oi);
	return ensure_entry(s);
}

/* What the rename replaces: a directory must look empty, its whiteouts go. */
static int prepare_target(struct side *to)
{
	int empty;

	if (!to->oi)
		return 0;
	if (!S_ISDIR(to->oi->inode.mode)) {
		/* The other names of it must not change. */
		return to->oi->inode.nlink > 1 ? overlay_copy_up(to->oi, true) : 0;
	}
	empty = overlay_dir_is_empty(to->oi);
	if (empty <= 0)
		return empty ? empty : -ENOTEMPTY;
	if (to->oi->upper)
		tmpfs_remove_whiteouts(to->oi->upper);
	return 0;
}

static void count_replaced(struct side *to, bool named_above)
{
	struct overlay_inode *oi = to->oi;

	if (!oi)
		return;
	if (oi->upper && !named_above && !S_ISDIR(oi->inode.mode) && oi->upper->nlink)
		oi->upper->nlink--;
	if (S_ISDIR(oi->inode.mode))
		oi->inode.nlink = 0;
	else if (oi->upper)
		oi->inode.nlink = oi->upper->nlink;
	else
		oi->inode.nlink--;
	if (oi->alias == to->dentry)
		oi->alias = NULL;
}

static void finish_dirs(struct side *from, struct side *to)
{
	struct overlay_inode *dirs[2] = {from->dir, to->dir};

	for (int i = 0; i < 2; i++) {
		dirs[i]->inode.mtime = dirs[i]->upper->mtime;
		dirs[i]->inode.ctime = dirs[i]->upper->ctime;
		dirs[i]->inode.size = dirs[i]->upper->size;
		if (!dirs[i]->lower)
			dirs[i]->inode.nlink = dirs[i]->upper->nlink;
	}
}

static int exchange(struct side *from, struct side *to)
{
	struct inode *dir = from->dir->upper;
	int rc = prepare_object(to);

	if (!rc)
		rc = dir->ops->rename(dir, from->dentry, to->dir->upper, to->dentry, RENAME_EXCHANGE);
	if (rc)
		return rc;
	if (S_ISDIR(from->oi->inode.mode))
		tmpfs_note(from->oi->upper)->opaque = true;
	if (S_ISDIR(to->oi->inode.mode))
		tmpfs_note(to->oi->upper)->opaque = true;
	overlay_refresh(from->oi);
	overlay_refresh(to->oi);
	finish_dirs(from, to);
	return 0;
}

int overlay_rename(struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir, struct dentry *new_dentry,
	unsigned flags)
{
	struct side from, to;
	bool named_above;
	int rc = prepare(&from, old_dir, old_dentry);

	if (!rc)
		rc = prepare(&to, new_dir, new_dentry);
	if (!rc)
		rc = prepare_object(&from);
	if (rc)
		return rc;
	if (flags & RENAME_EXCHANGE)
		return exchange(&from, &to);
	rc = prepare_target(&to);
	if (rc)
		return rc;
	named_above = tmpfs_find(to.dir->upper, new_dentry->name, new_dentry->name_len) != NULL;
	rc = from.dir->upper->ops->rename(from.dir->upper, old_dentry, to.dir->upper, new_dentry,
		from.in_lower ? RENAME_WHITEOUT : 0);
	if (rc)
		return rc;
	if (S_ISDIR(from.oi->inode.mode) && to.in_lower)
		tmpfs_note(from.oi->upper)->opaque = true;
	count_replaced(&to, named_above);
	overlay_refresh(from.oi);
	finish_dirs(&from, &to);
	return 0;
}
