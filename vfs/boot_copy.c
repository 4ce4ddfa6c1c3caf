/*
 * Copies what a directory holds into a fresh file system that is about to be mounted on it: a configuration's
 * "tmpcopyup". Called by vfs_boot.c alone, with all rights, before the container's first program runs, so nothing
 * changes meanwhile. Contents, owners, permissions and times are kept; names of one file become files of their own,
 * and extended attributes are left out, as the runtimes do it. May sleep.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "vfs/boot_paths.h"
#include "vfs/internal.h"

#define CHUNK 65536u
#define DEPTH_MAX 40u
#define NAMES_MAX (1u << 20) /* bytes of one directory's names */

struct listing {
	struct dir_emitter emitter;
	char *names; /* each with its end */
	size_t used, room;
	int error;
};

static bool add_name(struct dir_emitter *emitter, const char *name, unsigned len, uint64_t ino, unsigned type, uint64_t next)
{
	struct listing *l = container_of(emitter, struct listing, emitter);

	if ((len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.'))
		return true;
	if (l->used + len + 1 > l->room) {
		size_t room = l->room * 2 + 4096;
		char *names = room > NAMES_MAX ? NULL : kmalloc(room);

		if (!names) {
			l->error = -ENOMEM;
			return false;
		}
		if (l->used)
			memcpy(names, l->names, l->used);
		kfree(l->names);
		l->names = names;
		l->room = room;
	}
	memcpy(l->names + l->used, name, len);
	l->used += len;
	l->names[l->used++] = '\0';
	return true;
}

static int list(const struct path *dir, struct listing *l)
{
	struct file *file;
	uint64_t before;
	int rc = vfs_open_trusted(dir, O_RDONLY | O_DIRECTORY, &file);

	if (rc)
		return rc;
	rc = file->ops->readdir ? 0 : -ENOTDIR;
	do { /* until it moves on no more */
		before = file->pos;
		if (!rc)
			rc = file->ops->readdir(file, &l->emitter);
	} while (!rc && !l->error && file->pos != before);
	file_put(file);
	return rc ? rc : l->error;
}

static int set_attributes(const struct path *to, const struct kstat *stat)
{
	struct inode *inode = to->dentry->inode;
	struct attr_change change = {.valid = ATTR_UID | ATTR_GID | ATTR_MODE | ATTR_ATIME | ATTR_MTIME, .mode = stat->mode & 07777,
		.uid = stat->uid, .gid = stat->gid, .atime = stat->atime, .mtime = stat->mtime};

	if (S_ISLNK(stat->mode))
		change.valid &= ~ATTR_MODE;
	rwsem_write_lock(&inode->lock);
	int rc = inode->ops->setattr(inode, &change);
	rwsem_write_unlock(&inode->lock);
	return rc;
}

static int copy_bytes(struct file *from, struct file *to)
{
	char *buffer = kmalloc(CHUNK);
	uint64_t in = 0, out = 0;
	int64_t n = buffer ? 1 : -ENOMEM;

	while (n > 0) {
		n = from->ops->read_kernel(from, buffer, CHUNK, &in);
		for (int64_t done = 0; done < n;) {
			int64_t w = to->ops->write_kernel(to, buffer + done, (size_t)(n - done), &out);

			if (w <= 0) {
				n = w ? w : -ENOSPC;
				break;
			}
			done += w;
		}
	}
	kfree(buffer);
	return (int)n;
}

static int copy_content(const struct path *from, const struct path *to)
{
	struct file *in, *out;
	int rc = vfs_open_trusted(from, O_RDONLY | O_LARGEFILE, &in);

	if (rc)
		return rc;
	rc = vfs_open_trusted(to, O_WRONLY | O_LARGEFILE, &out);
	if (!rc) {
		rc = copy_bytes(in, out);
		file_put(out);
	}
	file_put(in);
	return rc;
}

static int copy_link(const struct path *from, const struct path *dir, const char *name)
{
	char *target = kmalloc(4097);
	int64_t len = target ? vfs_readlink(from, target, 4096) : -ENOMEM;

	if (len >= 0) {
		target[len] = '\0';
		len = vfs_symlink_in(dir, name, target);
	}
	kfree(target);
	return (int)len;
}

static int copy_tree(const struct path *from, const struct path *to, unsigned depth);

static int copy_one(const struct path *from, const struct path *dir, const char *name, unsigned depth)
{
	struct kstat *stat = kmalloc(sizeof(*stat));
	struct path to = {.mount = dir->mount};
	int rc = stat ? vfs_getattr(from->dentry->inode, stat) : -ENOMEM;

	if (!rc && S_ISDIR(stat->mode))
		rc = vfs_mkdir_in(dir, name, 0700);
	else if (!rc && S_ISLNK(stat->mode))
		rc = copy_link(from, dir, name);
	else if (!rc)
		rc = vfs_mknod_in(dir, name, stat->mode, stat->rdev);
	if (!rc)
		rc = dentry_lookup(dir->dentry, name, (unsigned)strlen(name), &to.dentry);
	if (!rc) {
		if (S_ISDIR(stat->mode))
			rc = copy_tree(from, &to, depth + 1);
		else if (S_ISREG(stat->mode))
			rc = copy_content(from, &to);
		if (!rc)
			rc = set_attributes(&to, stat);
		dentry_put(to.dentry);
	}
	kfree(stat);
	return rc;
}

static int copy_tree(const struct path *from, const struct path *to, unsigned depth)
{
	struct listing l = {.emitter = {add_name}};
	int rc = depth < DEPTH_MAX ? list(from, &l) : -ELOOP;

	for (size_t at = 0; !rc && at < l.used; at += strlen(l.names + at) + 1) {
		struct path child = {.mount = from->mount};

		rc = dentry_lookup(from->dentry, l.names + at, (unsigned)strlen(l.names + at), &child.dentry);
		if (rc)
			break;
		if (child.dentry->inode)
			rc = copy_one(&child, to, l.names + at, depth);
		dentry_put(child.dentry);
	}
	kfree(l.names);
	return rc;
}

int boot_path_copy(const struct path *from, const struct path *to)
{
	return copy_tree(from, to, 0);
}
