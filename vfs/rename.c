/*
 * rename(2), renameat2(2). Both directories are locked, the ancestor first, else by
 * address; one rename of directories runs at a time, so that the tree cannot turn into a ring.
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/inotify.h>

#include "vfs/internal.h"

struct renaming {
	struct walk from, to;
	struct dentry *source, *target;
	unsigned flags;
};

static struct mutex rename_mutex;
static bool rename_mutex_ready;
static uint32_t next_cookie = 1;

static void lock_pair(struct dentry *a, struct dentry *b)
{
	struct dentry *first = a, *second = b;

	if (a == b) {
		rwsem_write_lock(&a->inode->lock);
		return;
	}
	if (dentry_is_below(a, b) || (!dentry_is_below(b, a) && b < a)) {
		first = b;
		second = a;
	}
	rwsem_write_lock(&first->inode->lock);
	rwsem_write_lock(&second->inode->lock);
}

static void unlock_pair(struct dentry *a, struct dentry *b)
{
	rwsem_write_unlock(&a->inode->lock);
	if (a != b)
		rwsem_write_unlock(&b->inode->lock);
}

static int check_slashes(const struct renaming *r)
{
	const struct inode *source = r->source->inode, *target = r->target->inode;

	if (S_ISDIR(source->mode))
		return 0;
	if (r->from.last.trailing_slash)
		return -ENOTDIR;
	if (r->to.last.trailing_slash && (!(r->flags & RENAME_EXCHANGE) || !target || !S_ISDIR(target->mode)))
		return -ENOTDIR;
	return 0;
}

static int check_target(const struct renaming *r)
{
	const struct inode *source = r->source->inode, *target = r->target->inode;
	int rc;

	if (!target) {
		if (r->flags & RENAME_EXCHANGE)
			return -ENOENT;
		return may_create(&r->to.cur);
	}
	if (r->flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (r->flags & RENAME_EXCHANGE)
		return may_delete(&r->to.cur, r->target, S_ISDIR(target->mode));
	rc = may_delete(&r->to.cur, r->target, S_ISDIR(source->mode));
	return rc;
}

/* Everything that may fail before the file system is asked. 1: nothing to do, the same file. */
static int rename_check(const struct renaming *r)
{
	struct dentry *from = r->from.cur.dentry, *to = r->to.cur.dentry;
	int rc;

	if (!r->source->inode)
		return -ENOENT;
	rc = check_slashes(r);
	if (rc)
		return rc;
	if (dentry_is_below(to, r->source))
		return -EINVAL;
	if (r->target->inode && dentry_is_below(from, r->target))
		return r->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	rc = mount_want_write(r->from.cur.mount);
	if (rc)
		return rc;
	if (r->target->inode == r->source->inode && !(r->flags & RENAME_NOREPLACE))
		return 1;
	rc = may_delete(&r->from.cur, r->source, S_ISDIR(r->source->inode->mode));
	if (!rc)
		rc = check_target(r);
	if (rc)
		return rc;
	if (from != to && S_ISDIR(r->source->inode->mode)) {
		/* Its ".." changes. */
		rc = inode_permission(r->source->inode, MAY_WRITE);
		if (rc)
			return rc;
	}
	if (r->source->mounted || (r->target->inode && r->target->mounted))
		return -EBUSY;
	return 0;
}

static void rename_notify(const struct renaming *r, struct dentry *moved, struct dentry *replaced)
{
	uint32_t dir = S_ISDIR(moved->inode->mode) ? IN_ISDIR : 0, cookie = next_cookie++;

	notify_inode(r->to.cur.dentry->inode, moved, IN_MOVED_TO | dir, cookie);
	if (r->from.cur.dentry == r->to.cur.dentry)
		notify_inode(r->to.cur.dentry->inode, moved, NOTIFY_RENAMED | dir, 0);
	notify_inode(moved->inode, moved, IN_MOVE_SELF, 0);
	if (replaced) {
		notify_inode(replaced->inode, NULL, IN_ATTRIB, 0);
		dentry_removed(replaced);
	}
}

static int rename_locked(struct renaming *r)
{
	struct dentry *from = r->from.cur.dentry, *to = r->to.cur.dentry;
	struct dentry *replaced = r->flags & RENAME_EXCHANGE || !r->target->inode ? NULL : r->target;
	int rc = rename_check(r);

	if (rc)
		return rc > 0 ? 0 : rc;
	if (!from->inode->ops->rename)
		return -EPERM;
	rc = from->inode->ops->rename(from->inode, r->source, to->inode, r->target, r->flags);
	if (rc)
		return rc;
	notify_inode(from->inode, r->source, IN_MOVED_FROM | (S_ISDIR(r->source->inode->mode) ? IN_ISDIR : 0), next_cookie);
	rc = dentry_move(r->source, r->target, r->flags & RENAME_EXCHANGE);
	rename_notify(r, r->source, replaced);
	return rc;
}

static int rename_names(struct renaming *r)
{
	struct dentry *from = r->from.cur.dentry, *to = r->to.cur.dentry;
	int rc;

	lock_pair(from, to);
	rc = dentry_lookup_locked(from, r->from.last.name, r->from.last.len, &r->source);
	if (rc) {
		unlock_pair(from, to);
		return rc;
	}
	rc = dentry_lookup_locked(to, r->to.last.name, r->to.last.len, &r->target);
	if (!rc) {
		rc = rename_locked(r);
		unlock_pair(from, to);
		dentry_put(r->target);
	} else {
		unlock_pair(from, to);
	}
	dentry_put(r->source);
	return rc;
}

static int check_last(const struct renaming *r)
{
	if (!r->from.has_last || r->from.last.kind != LAST_NORMAL)
		return -EBUSY;
	if (!r->to.has_last || r->to.last.kind != LAST_NORMAL)
		return r->flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	if (r->from.cur.mount != r->to.cur.mount)
		return -EXDEV;
	return 0;
}

int vfs_rename(int old_dirfd, const char *old_name, int new_dirfd, const char *new_name, unsigned flags)
{
	struct renaming *r;
	int rc;

	if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if (flags & RENAME_EXCHANGE && flags & (RENAME_NOREPLACE | RENAME_WHITEOUT))
		return -EINVAL;
	if (flags & RENAME_WHITEOUT)
		return -EINVAL;
	r = kzalloc(sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->flags = flags;
	if (!rename_mutex_ready) {
		mutex_init(&rename_mutex);
		rename_mutex_ready = true;
	}
	rc = walk_start(&r->from, old_dirfd, old_name, 0);
	if (!rc)
		rc = walk_parent(&r->from);
	if (!rc)
		rc = walk_start(&r->to, new_dirfd, new_name, 0);
	if (!rc)
		rc = walk_parent(&r->to);
	if (!rc)
		rc = check_last(r);
	if (!rc) {
		mutex_lock(&rename_mutex);
		rc = rename_names(r);
		mutex_unlock(&rename_mutex);
	}
	walk_end(&r->to);
	walk_end(&r->from);
	kfree(r);
	return rc;
}
