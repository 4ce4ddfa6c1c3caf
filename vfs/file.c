/*
 * Open files: creation and the end of them. What a file *does* is its ops; opening by
 * path is open.c; descriptors are fdtable.c.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "kernel/net/unix.h"
#include "vfs/anon/dnotify.h"
#include "vfs/anon/epoll.h"
#include "vfs/internal.h"
#include "vfs/sigio.h"

struct file *file_create(const struct file_ops *ops, struct inode *inode, unsigned flags, void *private)
{
	struct file *file = kzalloc(sizeof(*file));

	if (!file)
		return NULL;
	file->refs = 1;
	file->ops = ops;
	file->inode = inode;
	if (inode)
		inode_get(inode);
	file->flags = flags & ~(unsigned)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		file->mode = FILE_READ;
		break;
	case O_WRONLY:
		file->mode = FILE_WRITE;
		break;
	case O_RDWR:
		file->mode = FILE_READ | FILE_WRITE;
		break;
	}
	file->private = private;
	mutex_init(&file->pos_lock);
	if (current) {
		file->cred = current->cred;
		if (file->cred)
			cred_get(file->cred);
	}
	return file;
}

/* "pipe" and "socket" read as pipefs and sockfs show them, "pipe:[ino]". */
static void anon_name(char *to, size_t size, const char *name, uint64_t ino)
{
	if (!strcmp(name, "pipe") || !strcmp(name, "socket"))
		snprintf(to, size, "%s:[%llu]", name, (unsigned long long)ino);
	else if (!strncmp(name, "anon_inode:", 11) || name[0] == '/')
		snprintf(to, size, "%s", name);
	else
		snprintf(to, size, "anon_inode:[%s]", name);
}

struct file *file_create_anon(const char *name, const struct file_ops *ops, unsigned flags, void *private)
{
	uint32_t mode = 0600;
	struct inode *inode;
	struct file *file;
	char text[64];

	if (!strcmp(name, "pipe"))
		mode |= S_IFIFO;
	else if (!strcmp(name, "socket"))
		mode = S_IFSOCK | 0777;
	inode = anon_inode_create(mode);
	if (!inode)
		return NULL;
	file = file_create(ops, inode, flags, private);
	if (!file) {
		inode_put(inode);
		return NULL;
	}
	anon_name(text, sizeof(text), name, inode->ino);
	file->path.dentry = dentry_make_loose(inode->sb, text, inode); /* takes over our reference */
	if (!file->path.dentry) {
		inode_put(inode);
		file->ops = NULL;
		file_put(file);
		return NULL;
	}
	file->path.mount = anon_mount();
	mount_get(file->path.mount);
	file->mode |= FILE_STREAM;
	return file;
}

struct file *file_create_like(const struct file *model, const struct file_ops *ops, unsigned flags, void *private)
{
	struct file *file = file_create(ops, model->inode, flags, private);

	if (!file)
		return NULL;
	file->path = model->path;
	path_get(&file->path);
	file->mode |= model->mode & FILE_STREAM;
	return file;
}

unsigned file_references(const struct file *file)
{
	return file->refs;
}

void file_get(struct file *file)
{
	file->refs++;
}

void file_put(struct file *file)
{
	struct inode *inode = file->inode;

	DEBUG_BUG_ON(!file->refs);
	if (--file->refs) {
		if (unix_gc_needed && file_unix_socket(file)) /* perhaps messages alone hold it now */
			unix_gc();
		return;
	}
	if (file->epoll_items)
		epoll_forget(file);
	if (file->async)
		file_async_set(file, -1, false);
	if (file->ops)
		notify_file(file, file->mode & FILE_WRITE ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
	if (file->mode & FILE_DNOTIFY)
		dnotify_closed(file, NULL);
	if (file->mode & FILE_FLOCKED)
		locks_remove_file(file);
	if (file->ops && file->ops->release)
		file->ops->release(file);
	if (file->mode & FILE_COUNTED) {
		inode->writers--;
		file->path.mount->writers--;
		file->path.mount->sb->writers--;
	}
	if (file->mode & FILE_DENIES_WRITE)
		inode->deny_write--;
	if (file->mode & FILE_HOLDS_TREE)
		mount_detached_close(file->path.mount);
	/* First, as it may be the mount that the superblock lives by. */
	if (inode)
		inode_put(inode);
	path_put(&file->path);
	if (file->cred)
		cred_put(file->cred);
	kfree(file);
}
