/*
 * read(2), write(2), lseek(2): what is common to every kind of file before and after its
 * own operation, and the generic position arithmetic. Vectors are in syscalls/.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/inotify.h>
#include <linux/fs.h>

#include "ring0/usercopy.h"
#include "vfs/internal.h"

#define MAX_RW_COUNT 0x7ffff000u

int64_t vfs_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos)
{
	int64_t got;

	if (!(file->mode & FILE_READ))
		return -EBADF;
	if (!file->ops->read)
		return file->inode && S_ISDIR(file->inode->mode) ? -EISDIR : -EINVAL;
	if (n > MAX_RW_COUNT)
		n = MAX_RW_COUNT;
	if (!user_range_ok(to, n))
		return -EFAULT;
	got = file->ops->read(file, to, n, pos);
	if (got > 0)
		notify_file(file, IN_ACCESS);
	return got;
}

static bool wants_sync(const struct file *file)
{
	return file->flags & (O_DSYNC | __O_SYNC) && file->ops->fsync;
}

int64_t vfs_write(struct file *file, uaddr_t from, size_t n, uint64_t *pos)
{
	int64_t put;

	if (!(file->mode & FILE_WRITE))
		return -EBADF;
	if (!file->ops->write)
		return -EINVAL;
	if (n > MAX_RW_COUNT)
		n = MAX_RW_COUNT;
	if (!user_range_ok(from, n))
		return -EFAULT;
	put = file->ops->write(file, from, n, pos);
	if (put > 0) {
		if (wants_sync(file)) {
			int rc = file->ops->fsync(file, !(file->flags & __O_SYNC));

			if (rc)
				return rc;
		}
		notify_file(file, IN_MODIFY);
	}
	return put;
}

int64_t file_seek_generic(struct file *file, int64_t offset, int whence, uint64_t size)
{
	int64_t base = 0, to;

	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		base = (int64_t)file->pos;
		break;
	case SEEK_END:
		base = (int64_t)size;
		break;
	case SEEK_DATA: /* all of it is data */
		if (offset < 0 || (uint64_t)offset >= size)
			return -ENXIO;
		break;
	case SEEK_HOLE: /* but for a hole at the end */
		if (offset < 0 || (uint64_t)offset >= size)
			return -ENXIO;
		offset = (int64_t)size;
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, offset, &to) || to < 0)
		return -EINVAL;
	file->pos = (uint64_t)to;
	return to;
}

bool dir_emit_dots(struct file *file, struct dir_emitter *emitter)
{
	struct dentry *dir = file->path.dentry;

	if (file->pos == 0) {
		if (!emitter->emit(emitter, ".", 1, dir->inode->ino, S_IFDIR >> 12, 1))
			return false;
		file->pos = 1;
	}
	if (file->pos == 1) {
		if (!emitter->emit(emitter, "..", 2, dir->parent->inode->ino, S_IFDIR >> 12, 2))
			return false;
		file->pos = 2;
	}
	return true;
}
