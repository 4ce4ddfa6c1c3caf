/*
 * Changes of directories: mkdir, mknod, symlink, link, unlink, rmdir, rename
 * (the man pages of those calls). Each walks to the parent, takes its lock as writer,
 * looks the name up, checks, asks the file system, and brings the dentry cache up to date.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/inotify.h>

#include "kernel/device_filter.h"
#include "kernel/user_ns.h"
#include "vfs/internal.h"

/* A name to be made: the parent (referenced, its lock held as writer) and the negative dentry. */
struct creation {
	struct walk walk;
	struct path *dir; /* walk.cur */
	struct dentry *dentry;
};

static int creation_check(struct creation *c, bool is_dir)
{
	int rc;

	if (c->dentry->inode)
		return -EEXIST;
	if (c->walk.last.trailing_slash && !is_dir)
		return -ENOENT;
	rc = mount_want_write(c->dir->mount);
	return rc ? rc : may_create(c->dir);
}

static void creation_end(struct creation *c)
{
	rwsem_write_unlock(&c->dir->dentry->inode->lock);
	dentry_put(c->dentry);
	walk_end(&c->walk);
}

static int creation_begin(struct creation *c, int dirfd, const char *name, bool is_dir)
{
	int rc = walk_start(&c->walk, dirfd, name, 0);

	c->dir = &c->walk.cur;
	if (!rc)
		rc = walk_parent(&c->walk);
	if (!rc && (!c->walk.has_last || c->walk.last.kind != LAST_NORMAL))
		rc = -EEXIST;
	if (!rc && c->walk.last.len > NAME_MAX_LEN)
		rc = -ENAMETOOLONG;
	if (rc) {
		walk_end(&c->walk);
		return rc;
	}
	rwsem_write_lock(&c->dir->dentry->inode->lock);
	rc = dentry_lookup_locked(c->dir->dentry, c->walk.last.name, c->walk.last.len, &c->dentry);
	if (rc) {
		rwsem_write_unlock(&c->dir->dentry->inode->lock);
		walk_end(&c->walk);
		return rc;
	}
	rc = creation_check(c, is_dir);
	if (rc)
		creation_end(c);
	return rc;
}

static int creation_done(const struct path *dir, struct dentry *dentry, struct inode *inode, int rc, uint32_t extra)
{
	if (rc)
		return rc;
	dentry_instantiate(dentry, inode);
	notify_inode(dir->dentry->inode, dentry, IN_CREATE | extra, 0);
	return 0;
}

static int make_dir(const struct path *dir, struct dentry *dentry, uint32_t mode)
{
	struct inode *parent = dir->dentry->inode, *inode = NULL;

	int rc;

	if (!parent->ops->mkdir)
		return -EPERM;
	rc = parent->ops->mkdir(parent, dentry, S_IFDIR | mode, &inode);
	return creation_done(dir, dentry, inode, rc, IN_ISDIR);
}

int vfs_mkdir(int dirfd, const char *name, uint32_t mode)
{
	struct creation c;
	int rc = creation_begin(&c, dirfd, name, true);

	if (rc)
		return rc;
	rc = make_dir(c.dir, c.dentry, mode & 01777 & ~current->fs->umask);
	creation_end(&c);
	return rc;
}

static int make_node(const struct path *dir, struct dentry *dentry, uint32_t mode, uint64_t rdev)
{
	struct inode *parent = dir->dentry->inode, *inode = NULL;
	int rc;

	if (S_ISREG(mode)) {
		if (!parent->ops->create)
			return -EACCES;
		rc = parent->ops->create(parent, dentry, mode, &inode);
	} else {
		if (!parent->ops->mknod)
			return -EPERM;
		rc = parent->ops->mknod(parent, dentry, mode, rdev, &inode);
	}
	return creation_done(dir, dentry, inode, rc, 0);
}

int vfs_mknod(int dirfd, const char *name, uint32_t mode, uint64_t rdev)
{
	struct creation c;
	int rc;

	if (!(mode & S_IFMT))
		mode |= S_IFREG;
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
		rdev = 0;
		break;
	case S_IFCHR:
	case S_IFBLK:
		break;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	rc = creation_begin(&c, dirfd, name, false);
	if (rc)
		return rc;
	/* A 0/0 character device is an overlay's whiteout: anybody may make it, as on Linux. */
	if ((S_ISCHR(mode) || S_ISBLK(mode)) && !(S_ISCHR(mode) && !rdev) &&
		(!capable(CAP_MKNOD) || user_ns_current()->configured ||
			device_filter_check(S_ISCHR(mode) ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK, rdev, BPF_DEVCG_ACC_MKNOD)))
		rc = -EPERM;
	else
		rc = make_node(c.dir, c.dentry, mode & ~(current->fs->umask & 07777), rdev);
	creation_end(&c);
	return rc;
}

int vfs_symlink(const char *target, int dirfd, const char *name)
{
	struct inode *parent, *inode = NULL;
	struct creation c;
	int rc;

	if (!*target)
		return -ENOENT;
	rc = creation_begin(&c, dirfd, name, false);
	if (rc)
		return rc;
	parent = c.dir->dentry->inode;
	rc = -EPERM;
	if (parent->ops->symlink)
		rc = parent->ops->symlink(parent, c.dentry, target, &inode);
	rc = creation_done(c.dir, c.dentry, inode, rc, 0);
	creation_end(&c);
	return rc;
}

/* ---- the same without a walk: boot, the overlay, bound sockets ---- */

static int child_for_creation(const struct path *dir, const char *name, struct dentry **dentry)
{
	int rc = dentry_lookup_locked(dir->dentry, name, (unsigned)strlen(name), dentry);

	if (!rc && (*dentry)->inode) {
		dentry_put(*dentry);
		rc = -EEXIST;
	}
	return rc;
}

int vfs_mknod_in(const struct path *dir, const char *name, uint32_t mode, uint64_t rdev)
{
	struct inode *parent = dir->dentry->inode;
	struct dentry *dentry;
	int rc;

	rwsem_write_lock(&parent->lock);
	rc = child_for_creation(dir, name, &dentry);
	if (!rc) {
		rc = make_node(dir, dentry, mode, rdev);
		dentry_put(dentry);
	}
	rwsem_write_unlock(&parent->lock);
	return rc;
}

int vfs_mkdir_in(const struct path *dir, const char *name, uint32_t mode)
{
	struct inode *parent = dir->dentry->inode;
	struct dentry *dentry;
	int rc;

	rwsem_write_lock(&parent->lock);
	rc = child_for_creation(dir, name, &dentry);
	if (!rc) {
		rc = make_dir(dir, dentry, mode);
		dentry_put(dentry);
	}
	rwsem_write_unlock(&parent->lock);
	return rc;
}

int vfs_symlink_in(const struct path *dir, const char *name, const char *target)
{
	struct inode *parent = dir->dentry->inode, *inode = NULL;
	struct dentry *dentry;
	int rc;

	rwsem_write_lock(&parent->lock);
	rc = child_for_creation(dir, name, &dentry);
	if (!rc) {
		rc = parent->ops->symlink ? parent->ops->symlink(parent, dentry, target, &inode) : -EPERM;
		rc = creation_done(dir, dentry, inode, rc, 0);
		dentry_put(dentry);
	}
	rwsem_write_unlock(&parent->lock);
	return rc;
}

/* ---- link ---- */

static int link_checks(const struct path *old, const struct creation *c, bool from_tmpfile)
{
	struct inode *inode = old->dentry->inode;

	if (S_ISDIR(inode->mode))
		return -EPERM;
	if (old->mount != c->dir->mount || inode->sb != c->dir->dentry->sb)
		return -EXDEV;
	if (!inode->nlink && !from_tmpfile)
		return -ENOENT;
	if (!c->dir->dentry->inode->ops->link)
		return -EPERM;
	return 0;
}

static int link_path(const struct path *old, int dirfd, const char *name)
{
	bool from_tmpfile = old->dentry->parent == old->dentry && !old->dentry->hashed;
	struct inode *inode = old->dentry->inode;
	struct creation c;
	int rc = creation_begin(&c, dirfd, name, false);

	if (rc)
		return rc;
	rc = link_checks(old, &c, from_tmpfile);
	if (!rc)
		rc = c.dir->dentry->inode->ops->link(c.dir->dentry->inode, c.dentry, inode);
	if (!rc) {
		inode_get(inode);
		notify_inode(inode, NULL, IN_ATTRIB, 0); /* the count of its names */
		rc = creation_done(c.dir, c.dentry, inode, 0, 0);
	}
	creation_end(&c);
	return rc;
}

int vfs_link(int old_dirfd, const char *old_name, int new_dirfd, const char *new_name, unsigned at_flags)
{
	unsigned lookup = at_flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0;
	struct path old;
	int rc;

	if (at_flags & ~(unsigned)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (at_flags & AT_EMPTY_PATH) {
		if (!*old_name && !capable(CAP_DAC_READ_SEARCH))
			return -ENOENT;
		lookup |= LOOKUP_EMPTY;
	}
	rc = path_lookup(old_dirfd, old_name, lookup, &old);
	if (rc)
		return rc;
	rc = link_path(&old, new_dirfd, new_name);
	path_put(&old);
	return rc;
}

/* ---- unlink, rmdir ---- */

static int remove_locked(const struct path *dir, struct dentry *victim, bool is_dir, bool trailing_slash)
{
	struct inode *parent = dir->dentry->inode, *inode = victim->inode;
	int rc;

	if (inode && !is_dir && trailing_slash)
		return S_ISDIR(inode->mode) ? -EISDIR : -ENOTDIR;
	if (!inode)
		return -ENOENT;
	rc = mount_want_write(dir->mount);
	if (!rc)
		rc = may_delete(dir, victim, is_dir);
	if (rc)
		return rc;
	if (victim->mounted)
		return -EBUSY;
	if (is_dir)
		rc = parent->ops->rmdir ? parent->ops->rmdir(parent, victim) : -EPERM;
	else
		rc = parent->ops->unlink ? parent->ops->unlink(parent, victim) : -EPERM;
	if (rc)
		return rc;
	dentry_unhash(victim);
	if (!is_dir)
		notify_inode(inode, NULL, IN_ATTRIB, 0); /* the count of its names */
	dentry_removed(victim);
	notify_inode(parent, victim, IN_DELETE | (is_dir ? IN_ISDIR : 0), 0);
	return 0;
}

static int remove_name(int dirfd, const char *name, bool is_dir)
{
	struct walk walk;
	struct dentry *victim;
	struct inode *parent;
	int rc = walk_start(&walk, dirfd, name, 0);

	if (!rc)
		rc = walk_parent(&walk);
	if (!rc && (!walk.has_last || walk.last.kind != LAST_NORMAL)) {
		static const int rmdir_errors[] = {
			[LAST_DOT] = -EINVAL, [LAST_DOTDOT] = -ENOTEMPTY, [LAST_ROOT] = -EBUSY};

		rc = is_dir ? rmdir_errors[walk.last.kind] : -EISDIR;
	}
	if (rc) {
		walk_end(&walk);
		return rc;
	}
	parent = walk.cur.dentry->inode;
	rwsem_write_lock(&parent->lock);
	rc = dentry_lookup_locked(walk.cur.dentry, walk.last.name, walk.last.len, &victim);
	if (!rc)
		rc = remove_locked(&walk.cur, victim, is_dir, walk.last.trailing_slash);
	else
		victim = NULL;
	rwsem_write_unlock(&parent->lock);
	if (victim)
		dentry_put(victim);
	walk_end(&walk);
	return rc;
}

int vfs_unlink(int dirfd, const char *name)
{
	return remove_name(dirfd, name, false);
}

int vfs_rmdir(int dirfd, const char *name)
{
	return remove_name(dirfd, name, true);
}

int64_t vfs_readlink(const struct path *path, char *buf, size_t size)
{
	struct inode *inode = path->dentry->inode;

	if (!S_ISLNK(inode->mode) || !inode->ops->readlink)
		return -EINVAL;
	return inode->ops->readlink(inode, buf, size);
}
