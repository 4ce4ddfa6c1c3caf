/*
 * What kernel/ asks of files: kernel/files.h, but for descriptor tables (fdtable.c),
 * reference counts (file.c) and boot (vfs_boot.c).
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>

#include "kernel/user_ns.h"
#include "vfs/filecaps.h"
#include "vfs/internal.h"
#include "vfs/tmpfs/tmpfs.h"

int64_t file_read_kernel(struct file *file, void *to, size_t n, uint64_t offset)
{
	uint64_t pos = offset;

	if (!(file->mode & (FILE_READ | FILE_DENIES_WRITE)))
		return -EBADF;
	if (!file->ops || !file->ops->read_kernel)
		return -EINVAL;
	return file->ops->read_kernel(file, to, n, &pos);
}

struct vm_object *file_vm_object(struct file *file, int *error)
{
	struct vm_object *object = NULL;

	if (file->ops && file->ops->mmap_object)
		object = file->ops->mmap_object(file);
	*error = object ? 0 : -ENODEV;
	return object;
}

unsigned file_may_map(struct file *file)
{
	unsigned rights = 0;

	if (file->mode & (FILE_READ | FILE_DENIES_WRITE))
		rights |= VM_MAYREAD | VM_MAYEXEC;
	if (file->mode & FILE_WRITE)
		rights |= VM_MAYWRITE;
	if (file->path.mount && file->path.mount->flags & MS_NOEXEC)
		rights &= ~VM_MAYEXEC;
	return memfd_map_rights(file, secret_map_rights(file, rights));
}

bool file_maps_anonymous(struct file *file)
{
	return file->mode & FILE_ANON_MAP;
}

uint64_t file_size(struct file *file)
{
	return file->inode ? inode_size(file->inode) : 0;
}

int64_t file_path(struct file *file, char *buf, size_t size)
{
	size_t len;
	char *text;

	if (!file->path.dentry)
		return -ENOENT;
	if (current->fs) {
		text = path_print_reached(&file->path, &current->fs->root, buf, size);
	} else { /* a task of the kernel: as from the root of the file's namespace */
		struct mnt_ns *ns = file->path.mount->mnt_ns;
		const struct path root = {ns ? ns->root : file->path.mount, ns ? ns->root->root : file->path.mount->root};

		text = path_print(&file->path, &root, buf, size);
	}
	if (!text)
		return -ENAMETOOLONG;
	len = (size_t)(buf + size - text) - 1;
	memmove(buf, text, len + 1);
	return (int64_t)len;
}

void file_identity(struct file *file, uint64_t *dev, uint64_t *ino)
{
	*dev = file->inode && file->inode->sb ? file->inode->sb->dev : 0;
	*ino = file->inode ? file->inode->ino : 0;
}

bool file_has_writers(const struct file *file)
{
	return file->inode && file->inode->writers;
}

static int may_exec(const struct path *path)
{
	struct inode *inode = path->dentry->inode;

	if (S_ISLNK(inode->mode))
		return -ELOOP;
	if (!S_ISREG(inode->mode) || path->mount->flags & MS_NOEXEC)
		return -EACCES;
	if (inode->writers)
		return -ETXTBSY;
	return inode_permission(inode, MAY_EXEC);
}

int file_open_exec(int dirfd, const char *name, unsigned at_flags, struct file **out)
{
	unsigned lookup = at_flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	struct path path;
	int rc;

	if (at_flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (at_flags & AT_EMPTY_PATH)
		lookup |= LOOKUP_EMPTY;
	rc = path_lookup(dirfd, name, lookup, &path);
	if (rc)
		return rc;
	rc = may_exec(&path);
	/* Execution needs no read permission: "created" leaves the check out. */
	if (!rc)
		rc = open_found(&path, O_RDONLY | O_LARGEFILE, true, out);
	if (!rc) {
		(*out)->inode->deny_write++;
		(*out)->mode |= FILE_DENIES_WRITE;
	}
	path_put(&path);
	return rc;
}

void file_exec_ids(struct file *file, struct exec_ids *ids)
{
	const struct inode *inode = file->inode;

	*ids = (struct exec_ids){0};
	const struct mount *mount = file->path.mount;
	const struct user_ns *user = user_ns_current();

	if (!inode || !mount || mount->flags & MS_NOSUID || mount->mnt_ns != current->ns->mnt)
		return;
	/* user_namespaces(7): of somebody outside, or on a file system of theirs. */
	if (id_seen_from(user, ID_UID, inode->uid) == ID_NONE || id_seen_from(user, ID_GID, inode->gid) == ID_NONE ||
		(mount->sb->user_ns && !user_ns_contains(mount->sb->user_ns, user)))
		return;
	if (inode->mode & S_ISUID) {
		ids->setuid = true;
		ids->uid = inode->uid;
	}
	if ((inode->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP)) {
		ids->setgid = true;
		ids->gid = inode->gid;
	}
	filecaps_for_exec(file->inode, ids);
}

struct user_ns *file_hidden_in(const struct file *file, struct user_ns *user)
{
	struct inode *inode = file->inode;

	if (!inode || !inode_permission(inode, MAY_READ))
		return NULL;
	while (user_ns_parent(user) &&
		(id_seen_from(user, ID_UID, inode->uid) == ID_NONE || id_seen_from(user, ID_GID, inode->gid) == ID_NONE))
		user = user_ns_parent(user);
	return user;
}

int files_install_file(struct file *file, int at, bool cloexec)
{
	file_get(file);
	return at < 0 ? fd_install(file, cloexec, 0) : fd_install_at(file, cloexec, at);
}

bool files_root_is_changed(const struct task *task)
{
	const struct mount *top = task->ns->mnt->root;
	struct path root = {(struct mount *)(uintptr_t)top, top->root};

	path_get(&root);
	path_follow_mounts(&root);
	bool changed = root.mount != task->fs->root.mount || root.dentry != task->fs->root.dentry;
	path_put(&root);
	return changed;
}

bool files_root_is_shared(const struct task *task)
{
	return task->fs->refs > 1;
}

void files_sync_all(void)
{
	int rc = vfs_sync_all();

	if (rc)
		klog(LOG_WARNING, "files were not written back at the end: error %d", -rc);
}
