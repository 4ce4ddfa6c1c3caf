/*
 * tmpfs regular files: the generic object file, with the superblock's size limit and the
 * seals of memfds in front of writes. fallocate(2) that fails part way keeps what it got.
 */
#include <linux/falloc.h>
#include <linux/fcntl.h>

#include "vfs/tmpfs/internal.h"

#define F_SEAL_WRITE_ANY (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

void tmpfs_charge(struct tmpfs_inode *node)
{
	struct tmpfs_sb *info = node->inode.sb->private;
	uint64_t now = node->inode.object ? node->inode.object->nr_pages : 0;

	info->used_pages += now - node->charged;
	node->charged = now;
}

/* How many of n bytes at pos fit below the limit. */
static size_t room_for(struct tmpfs_inode *node, uint64_t pos, size_t n)
{
	struct tmpfs_sb *info = node->inode.sb->private;
	uint64_t first = pos >> PAGE_SHIFT, last = (pos + n - 1) >> PAGE_SHIFT, left;

	tmpfs_charge(node);
	if (!info->max_pages || info->used_pages + (last - first + 1) <= info->max_pages)
		return n;
	left = info->max_pages > info->used_pages ? info->max_pages - info->used_pages : 0;
	for (uint64_t index = first; index <= last; index++) {
		struct page *page = object_find_page(node->inode.object, index);

		if (page)
			page_put(page);
		else if (!left--)
			return index == first ? 0 : (size_t)((index << PAGE_SHIFT) - pos);
	}
	return n;
}

/* Seals and limits before a write of n bytes: how many may be written, or -errno. */
static int64_t admit(struct file *file, size_t n, uint64_t pos)
{
	struct tmpfs_inode *node = tmpfs_of(file->inode);
	uint64_t size = file->inode->object->size;
	size_t room;

	if (file->flags & O_APPEND)
		pos = size;
	if (node->seals & F_SEAL_WRITE_ANY)
		return -EPERM;
	if (!n)
		return 0;
	if (node->seals & F_SEAL_GROW && pos + n > size)
		return -EPERM;
	room = room_for(node, pos, n);
	return room ? (int64_t)room : -ENOSPC;
}

static int64_t tmpfs_write(struct file *file, uaddr_t from, size_t n, uint64_t *pos)
{
	int64_t rc = admit(file, n, *pos);

	if (rc < 0)
		return rc;
	rc = object_file_write(file, from, (size_t)rc, pos);
	tmpfs_charge(tmpfs_of(file->inode));
	return rc;
}

static int64_t tmpfs_write_kernel(struct file *file, const void *from, size_t n, uint64_t *pos)
{
	int64_t rc = admit(file, n, *pos);

	if (rc < 0)
		return rc;
	rc = object_file_write_kernel(file, from, (size_t)rc, pos);
	tmpfs_charge(tmpfs_of(file->inode));
	return rc;
}

static int tmpfs_fallocate(struct file *file, int mode, uint64_t offset, uint64_t length)
{
	struct tmpfs_inode *node = tmpfs_of(file->inode);
	int rc;

	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) {
		if (node->seals & F_SEAL_WRITE_ANY)
			return -EPERM;
	} else if (room_for(node, offset, length) < length) {
		return -ENOSPC;
	}
	if (!(mode & FALLOC_FL_KEEP_SIZE) && node->seals & F_SEAL_GROW && offset + length > file->inode->object->size)
		return -EPERM;
	rc = object_file_fallocate(file, mode, offset, length);
	tmpfs_charge(node);
	return rc;
}

const struct file_ops tmpfs_file_ops = {
	.read = object_file_read,
	.write = tmpfs_write,
	.read_kernel = object_file_read_kernel,
	.write_kernel = tmpfs_write_kernel,
	.seek = object_file_seek,
	.mmap_object = object_file_mmap,
	.fallocate = tmpfs_fallocate,
};

static int64_t dir_seek(struct file *file, int64_t offset, int whence)
{
	return file_seek_generic(file, offset, whence, 0x7fffffffffffffffull);
}

const struct file_ops tmpfs_dir_ops = {
	.readdir = tmpfs_readdir,
	.seek = dir_seek,
};
