/*
 * Mountpoints and masks at boot. A mountpoint that is missing is made in the file system
 * below; where that is read-only, a stand-in is hung into the dentry cache alone, and the
 * mount on it pins it there.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>

#include "vfs/boot_paths.h"
#include "vfs/dev/dev.h"
#include "vfs/internal.h"

static int stand_in_lookup(struct inode *dir, struct dentry *dentry, struct inode **inode)
{
	return -ENOENT; /* what is in it lives in the dentry cache, pinned by mounts */
}

static const struct inode_ops stand_in_ops = {.lookup = stand_in_lookup};

static int stand_in_readdir(struct file *file, struct dir_emitter *emitter)
{
	struct dentry *child;
	uint64_t at = 2;

	if (!dir_emit_dots(file, emitter))
		return 0;
	TAILQ_FOREACH(child, &file->path.dentry->children, sibling) {
		if (!child->inode || at++ < file->pos)
			continue;
		if (!emitter->emit(emitter, child->name, child->name_len, child->inode->ino,
			    (child->inode->mode & S_IFMT) >> 12, at))
			return 0;
		file->pos = at;
	}
	return 0;
}

static const struct file_ops stand_in_dir_ops = {.readdir = stand_in_readdir};

static int make_real(const struct path *dir, const char *name, bool directory)
{
	if (mount_want_write(dir->mount))
		return -EROFS;
	return directory ? vfs_mkdir_in(dir, name, 0755) : vfs_mknod_in(dir, name, S_IFREG | 0644, 0);
}

static int make_stand_in(const struct path *dir, const char *name, bool directory, struct path *path)
{
	struct inode *inode = anon_inode_create(directory ? S_IFDIR | 0755 : S_IFREG | 0644);
	struct dentry *dentry;
	int rc;

	if (!inode)
		return -ENOMEM;
	inode->ops = &stand_in_ops;
	if (directory)
		inode->file_ops = &stand_in_dir_ops;
	rc = dentry_lookup(dir->dentry, name, (unsigned)strlen(name), &dentry);
	if (!rc && dentry->inode)
		rc = -EEXIST;
	if (rc) {
		inode_put(inode);
		return rc;
	}
	dentry_instantiate(dentry, inode);
	path->mount = dir->mount;
	mount_get(path->mount);
	path->dentry = dentry;
	return 0;
}

static int make_component(const struct path *dir, const char *name, bool directory, struct path *path)
{
	int rc;

	if (superblock_is_anon(dir->dentry->inode->sb))
		return make_stand_in(dir, name, directory, path);
	rc = make_real(dir, name, directory);
	if (rc && rc != -EEXIST)
		return make_stand_in(dir, name, directory, path);
	rc = dentry_lookup(dir->dentry, name, (unsigned)strlen(name), &path->dentry);
	if (rc)
		return rc;
	path->mount = dir->mount;
	mount_get(path->mount);
	return 0;
}

/* Makes the last component of a name whose parent exists. */
static int make_last(const char *name, bool directory, struct path *path)
{
	struct last_name last;
	struct path dir;
	char *copy;
	int rc = path_lookup_parent(AT_FDCWD, name, LOOKUP_FOLLOW, &dir, &last);

	if (rc)
		return rc;
	rc = -EINVAL;
	if (last.kind == LAST_NORMAL && last.len <= NAME_MAX_LEN) {
		copy = kzalloc(last.len + 1u);
		rc = -ENOMEM;
		if (copy) {
			memcpy(copy, last.name, last.len);
			rc = make_component(&dir, copy, directory, path);
			kfree(copy);
		}
	}
	path_put(&dir);
	return rc;
}

int boot_path_make(const char *name, bool directory, struct path *path)
{
	char *prefix = kzalloc(strlen(name) + 2);
	size_t len = strlen(name);
	int rc = -EINVAL;

	if (!prefix)
		return -ENOMEM;
	/* Longer and longer prefixes; those that exist are only walked. */
	for (size_t i = 0; i <= len; i++) {
		bool last = i == len;

		if (!last && name[i] != '/') {
			prefix[i] = name[i];
			continue;
		}
		if (i && prefix[i - 1] != '/') {
			rc = path_lookup(AT_FDCWD, prefix, LOOKUP_FOLLOW, path);
			if (rc == -ENOENT)
				rc = make_last(prefix, directory || !last, path);
			if (rc)
				break;
			if (!last)
				path_put(path);
		} else if (last) {
			rc = path_lookup(AT_FDCWD, prefix, LOOKUP_FOLLOW, path);
		}
		prefix[i] = '/';
	}
	kfree(prefix);
	return rc;
}

int boot_path_readonly(const char *name)
{
	struct path path;
	int rc = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &path);

	if (rc)
		return rc == -ENOENT || rc == -ENOTDIR ? 0 : rc;
	rc = vfs_mount_bind(&path, &path, true);
	if (!rc) {
		path_follow_mounts(&path);
		path.mount->flags |= MS_RDONLY;
	}
	path_put(&path);
	return rc;
}

static int mask_with_tmpfs(const struct path *at)
{
	struct mount_args args = {.source = "tmpfs", .data = "size=0k,mode=755", .flags = MS_RDONLY};

	return vfs_mount_fs(fs_find("tmpfs"), &args, at);
}

static int mask_with_null(const struct path *at)
{
	struct path null;
	int rc = path_lookup(AT_FDCWD, "/dev/null", LOOKUP_FOLLOW, &null);

	if (rc)
		return rc;
	rc = vfs_mount_bind(&null, at, false);
	path_put(&null);
	return rc;
}

int boot_path_mask(const char *name)
{
	struct path path;
	int rc = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &path);

	if (rc)
		return rc == -ENOENT || rc == -ENOTDIR ? 0 : rc;
	rc = S_ISDIR(path.dentry->inode->mode) ? mask_with_tmpfs(&path) : mask_with_null(&path);
	path_put(&path);
	return rc;
}

int boot_path_device(const struct container_device *device)
{
	uint64_t rdev = DEV_MAKE(device->is.major, device->is.minor);
	uint32_t mode = device->is.mode & ~CONFIG_DEVICE_IF_THERE;
	const char *name = strrchr(device->path, '/');
	struct path dir, node;
	int rc;

	if (S_ISBLK(mode) || (S_ISCHR(mode) && !dev_exists(rdev)))
		return -ENODEV;
	char *parent = name ? kstrdup(device->path) : NULL;
	if (!parent)
		return name ? -ENOMEM : -EINVAL;
	parent[name - device->path] = '\0';
	rc = boot_path_make(parent[0] ? parent : "/", true, &dir);
	kfree(parent);
	if (rc)
		return rc;
	rc = mount_want_write(dir.mount);
	if (!rc)
		rc = vfs_mknod_in(&dir, name + 1, mode, S_ISCHR(mode) ? rdev : 0);
	path_put(&dir);
	if (!rc)
		rc = path_lookup(AT_FDCWD, device->path, 0, &node);
	if (rc)
		return rc == -EEXIST ? 0 : rc;
	rc = vfs_chown(&node, device->is.uid, device->is.gid);
	if (!rc)
		rc = vfs_chmod(&node, mode & 07777);
	path_put(&node);
	return rc;
}
