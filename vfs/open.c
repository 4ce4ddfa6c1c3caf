/*
 * open(2), openat2(2): from a name to a struct file.
 *
 * open_found() is the second half, for an object that a walk has found: permission,
 * type, O_TRUNC, then the file system's or the device's open. Decode flags first; the
 * name is made (O_CREAT) under the directory's lock.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/inotify.h>
#include <linux/mount.h>

#include "vfs/dev/dev.h"
#include "vfs/internal.h"
#include "vfs/pipe/pipe.h"

#define OPEN_PATH_FLAGS (O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC)

static unsigned access_mask(unsigned flags)
{
	unsigned mask = 0;

	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		mask = MAY_READ;
		break;
	case O_WRONLY:
		mask = MAY_WRITE;
		break;
	default:
		mask = MAY_READ | MAY_WRITE;
	}
	return flags & O_TRUNC ? mask | MAY_WRITE : mask;
}

static int may_open_type(const struct path *path, unsigned flags, unsigned mask)
{
	uint32_t mode = path->dentry->inode->mode;

	switch (mode & S_IFMT) {
	case S_IFLNK:
		return -ELOOP;
	case S_IFDIR:
		return mask & MAY_WRITE ? -EISDIR : 0;
	case S_IFBLK:
	case S_IFCHR:
		return path->mount->flags & MS_NODEV || superblock_has_no_devices(path->mount->sb) ? -EACCES : 0;
	case S_IFSOCK:
		return -ENXIO;
	default:
		return 0;
	}
}

static int may_open(const struct path *path, unsigned flags)
{
	struct inode *inode = path->dentry->inode;
	unsigned mask = access_mask(flags);
	int rc = may_open_type(path, flags, mask);

	if (rc)
		return rc;
	if (mask & MAY_WRITE && (S_ISREG(inode->mode) || S_ISDIR(inode->mode))) {
		rc = mount_want_write(path->mount);
		if (rc)
			return rc;
	}
	rc = inode_permission(inode, mask);
	if (rc)
		return rc;
	if (flags & O_NOATIME && !inode_owner_or_capable(inode))
		return -EPERM;
	return 0;
}

/* Sets up file->ops by the kind of inode. */
static int open_by_type(struct inode *inode, struct file *file)
{
	file->ops = inode->file_ops;
	if (S_ISFIFO(inode->mode) && !inode->file_ops)
		return fifo_open(inode, file);
	if (S_ISCHR(inode->mode) && !inode->file_ops)
		return dev_open(inode, file);
	if (S_ISBLK(inode->mode))
		return -ENXIO;
	if (inode->ops->open)
		return inode->ops->open(inode, file);
	/* An anonymous inode (eventfd …) cannot be opened a second time. */
	return file->ops ? 0 : -ENXIO;
}

static int open_count_writer(struct inode *inode, struct file *file)
{
	if (!(file->mode & FILE_WRITE) || !S_ISREG(inode->mode))
		return 0;
	if (inode->deny_write)
		return -ETXTBSY;
	inode->writers++;
	file->path.mount->writers++;
	file->path.mount->sb->writers++;
	file->mode |= FILE_COUNTED;
	return 0;
}

static int open_truncate(struct inode *inode, unsigned flags)
{
	if (!(flags & O_TRUNC) || !S_ISREG(inode->mode))
		return 0;
	return inode_set_size(inode, 0);
}

int open_found(const struct path *path, unsigned flags, bool created, struct file **out)
{
	struct inode *inode = path->dentry->inode;
	struct file *file;
	int rc = 0;

	if (flags & O_DIRECTORY && !S_ISDIR(inode->mode))
		return -ENOTDIR;
	if (!(flags & O_PATH))
		rc = created ? 0 : may_open(path, flags);
	if (rc)
		return rc;
	file = file_create(NULL, inode, flags, NULL);
	if (!file)
		return -ENOMEM;
	file->path = *path;
	path_get(path);
	if (flags & O_PATH) {
		file->flags = flags & OPEN_PATH_FLAGS & ~(unsigned)O_CLOEXEC;
		file->mode = FILE_PATH;
		*out = file;
		return 0;
	}
	if (flags & O_TRUNC)
		file->mode |= FILE_TRUNCATING;
	rc = open_count_writer(inode, file);
	file->flags |= flags & O_NOCTTY; /* for a terminal's open alone; F_GETFL does not show it */
	if (!rc)
		rc = open_by_type(inode, file);
	file->flags &= ~(unsigned)O_NOCTTY;
	if (rc) {
		file->ops = NULL; /* not opened: no release() */
		file_put(file);
		return rc;
	}
	file->mode &= ~FILE_TRUNCATING;
	rc = created ? 0 : open_truncate(inode, flags);
	if (rc) {
		file_put(file);
		return rc;
	}
	if (current)
		notify_inode(inode, path->dentry, IN_OPEN, 0);
	*out = file;
	return 0;
}

int vfs_open_path(const struct path *path, unsigned flags, struct file **file)
{
	return open_found(path, flags, false, file);
}

int vfs_open_trusted(const struct path *path, unsigned flags, struct file **file)
{
	return open_found(path, flags, true, file);
}

/* The directory's lock is held as writer and the name is free: make the file. */
static int create_locked(const struct path *dir, struct dentry *dentry, uint32_t mode)
{
	struct inode *parent = dir->dentry->inode, *inode = NULL;
	int rc = mount_want_write(dir->mount);

	if (!rc)
		rc = may_create(dir);
	if (rc)
		return rc;
	if (!parent->ops->create)
		return -EACCES;
	rc = parent->ops->create(parent, dentry, S_IFREG | (mode & 07777 & ~current->fs->umask), &inode);
	if (rc)
		return rc;
	dentry_instantiate(dentry, inode);
	notify_inode(parent, dentry, IN_CREATE, 0);
	return 0;
}

/*
 * A directory that others change as well would have to be asked for a name that is not cached, and then to make it: making it
 * at once is one question for two. False: it was not made, for whatever reason; the usual way finds out which.
 */
static bool create_first(struct walk *walk, uint32_t mode, struct path *path)
{
	struct dentry *parent = walk->cur.dentry, *dentry;
	struct inode *dir = parent->inode;
	bool made = false;

	if (!parent->sb->create_finds)
		return false;
	dentry = dentry_find(parent, walk->last.name, walk->last.len);
	if (dentry) {
		bool there = dentry->inode != NULL;

		dentry_put(dentry);
		if (there)
			return false;
	}
	rwsem_write_lock(&dir->lock);
	dentry = dentry_is_dead(parent) ? NULL : dentry_add(parent, walk->last.name, walk->last.len, NULL);
	if (dentry && !dentry->inode)
		made = create_locked(&walk->cur, dentry, mode) == 0;
	if (made) {
		*path = (struct path){walk->cur.mount, dentry};
		mount_get(path->mount);
	} else if (dentry) {
		if (!dentry->inode)
			dentry_unhash(dentry);
		dentry_put(dentry);
	}
	rwsem_write_unlock(&dir->lock);
	return made;
}

/* Finds or makes the last component. Positive path with references; *created tells. */
static int create_or_find(struct walk *walk, uint32_t mode, struct path *path, bool *created)
{
	struct inode *parent = walk->cur.dentry->inode;
	struct path missing;
	int rc;

	*created = create_first(walk, mode, path);
	if (*created)
		return 0;
	rc = walk_last(walk, path);
	if (rc || path->dentry->inode)
		return rc;
	missing = *path; /* held, so that it is found again and nobody is asked twice */
	rwsem_write_lock(&parent->lock);
	rc = dentry_lookup_locked(walk->cur.dentry, walk->last.name, walk->last.len, &path->dentry);
	if (!rc) {
		path->mount = walk->cur.mount;
		mount_get(path->mount);
		if (!path->dentry->inode) {
			rc = create_locked(&walk->cur, path->dentry, mode);
			*created = !rc;
		}
		if (rc)
			path_put(path);
	}
	rwsem_write_unlock(&parent->lock);
	path_put(&missing);
	return rc;
}

static int open_last(struct walk *walk, unsigned flags, uint32_t mode, struct path *path, bool *created)
{
	int rc;

	for (;;) {
		rc = walk_parent(walk);
		if (rc)
			return rc;
		if (!walk->has_last || walk->last.kind != LAST_NORMAL) {
			if (walk->has_last || walk->last.kind == LAST_ROOT)
				return -EISDIR;
			return -ENOENT;
		}
		if (walk->last.trailing_slash)
			return -EISDIR;
		if (walk->last.len > NAME_MAX_LEN)
			return -ENAMETOOLONG;
		rc = create_or_find(walk, mode, path, created);
		if (rc || *created)
			return rc;
		if (flags & O_EXCL) {
			rc = -EEXIST;
			break;
		}
		if (!S_ISLNK(path->dentry->inode->mode))
			return 0;
		rc = -ELOOP;
		if (flags & O_NOFOLLOW)
			break;
		rc = walk_follow_link(walk, path->mount, path->dentry);
		if (rc)
			break;
		path_put(path);
		if (!*walk->at) { /* a magic link: it led to the object itself */
			*path = walk->cur;
			path_get(path);
			return 0;
		}
	}
	path_put(path);
	return rc;
}

static int open_create(int dirfd, const char *name, unsigned flags, uint32_t mode, unsigned lookup, struct file **file)
{
	struct walk walk;
	struct path path = {NULL, NULL};
	bool created = false;
	int rc;

	if (flags & O_DIRECTORY)
		return -EINVAL;
	rc = walk_start(&walk, dirfd, name, lookup | LOOKUP_FOLLOW);
	if (!rc)
		rc = open_last(&walk, flags, mode, &path, &created);
	walk_end(&walk);
	if (rc)
		return rc;
	rc = !created && S_ISDIR(path.dentry->inode->mode) ? -EISDIR : open_found(&path, flags, created, file);
	path_put(&path);
	return rc;
}

static int open_tmpfile(int dirfd, const char *name, unsigned flags, uint32_t mode, unsigned lookup, struct file **file)
{
	struct path dir, path;
	struct inode *parent, *inode = NULL;
	char text[32];
	int rc;

	if ((flags & O_TMPFILE) != O_TMPFILE || !(access_mask(flags) & MAY_WRITE))
		return -EINVAL;
	rc = path_lookup(dirfd, name, lookup | LOOKUP_DIRECTORY, &dir);
	if (rc)
		return rc;
	parent = dir.dentry->inode;
	rc = mount_want_write(dir.mount);
	if (!rc)
		rc = may_create(&dir);
	if (!rc && !parent->ops->tmpfile)
		rc = -EOPNOTSUPP;
	if (rc)
		goto out;
	rwsem_write_lock(&parent->lock);
	rc = parent->ops->tmpfile(parent, S_IFREG | (mode & 07777 & ~current->fs->umask), &inode);
	rwsem_write_unlock(&parent->lock);
	if (rc)
		goto out;
	inode->nlink = 0;
	snprintf(text, sizeof(text), "#%llu", (unsigned long long)inode->ino);
	path.mount = dir.mount;
	path.dentry = dentry_make_loose(inode->sb, text, inode);
	if (!path.dentry) {
		inode_put(inode);
		rc = -ENOMEM;
		goto out;
	}
	mount_get(path.mount);
	rc = open_found(&path, flags & ~(unsigned)(O_TMPFILE | O_TRUNC), true, file);
	if (!rc)
		(*file)->flags |= O_TMPFILE;
	path_put(&path);
out:
	path_put(&dir);
	return rc;
}

int vfs_open(int dirfd, const char *name, unsigned flags, uint32_t mode, unsigned resolve, struct file **file)
{
	unsigned lookup = resolve;
	struct path path;
	int rc;

	if (flags & O_PATH)
		flags &= OPEN_PATH_FLAGS;
	else
		flags |= O_LARGEFILE;
	if (!(flags & O_NOFOLLOW))
		lookup |= LOOKUP_FOLLOW;
	if (flags & __O_TMPFILE)
		return open_tmpfile(dirfd, name, flags, mode, lookup, file);
	if (flags & O_CREAT)
		return open_create(dirfd, name, flags, mode, resolve, file);
	if (flags & O_DIRECTORY)
		lookup |= LOOKUP_DIRECTORY;
	rc = path_lookup(dirfd, name, lookup, &path);
	if (rc)
		return rc;
	rc = open_found(&path, flags, false, file);
	path_put(&path);
	return rc;
}
