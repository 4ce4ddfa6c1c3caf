/*
 * Regular files whose bytes are inode->object (the page cache, or tmpfs' own memory).
 *
 * Reads take no lock; writes, size changes and fallocate hold the inode's lock as
 * writer. The size lives in object->size. A file system uses object_file_ops as it is, or
 * builds its own from the parts. The object is referenced across the copies, because an
 * overlay may replace it while they sleep.
 */
#include <linux/errno.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <asm/resource.h>
#include <asm/signal.h>

#include "vfs/internal.h"

#ifndef SEEK_DATA
#define SEEK_DATA 3
#define SEEK_HOLE 4
#endif

/* How much of [pos, pos + n) lies below the size. */
static size_t readable(const struct vm_object *object, uint64_t pos, size_t n)
{
	if (pos >= object->size)
		return 0;
	return object->size - pos < n ? object->size - pos : n;
}

int64_t object_file_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos)
{
	struct vm_object *object = file->inode->object;
	int64_t got = 0;

	if (!object)
		return -EIO;
	n = readable(object, *pos, n);
	if (n) {
		object_get(object);
		got = object_read_user(object, *pos, to, n);
		object_put(object);
	}
	if (got < 0)
		return got;
	*pos += (uint64_t)got;
	file_accessed(file);
	return got;
}

int64_t object_file_read_kernel(struct file *file, void *to, size_t n, uint64_t *pos)
{
	struct vm_object *object = file->inode->object;
	int64_t got = 0;

	if (!object)
		return -EIO;
	n = readable(object, *pos, n);
	if (n) {
		object_get(object);
		got = object_read(object, *pos, to, n);
		object_put(object);
	}
	if (got > 0)
		*pos += (uint64_t)got;
	return got;
}

int64_t object_file_write_begin(struct file *file, size_t n, uint64_t *pos)
{
	struct process *process = current ? current->process : NULL;
	uint64_t limit = process ? process->rlimit[RLIMIT_FSIZE].cur : UINT64_MAX;

	if (file->flags & O_APPEND)
		*pos = inode_size(file->inode);
	if (!n)
		return 0;
	if (*pos >= limit) {
		signal_send_kernel(current, SIGXFSZ);
		return -EFBIG;
	}
	if (limit > FILE_MAX_BYTES)
		limit = FILE_MAX_BYTES;
	if (*pos >= limit)
		return -EFBIG;
	return (int64_t)(limit - *pos < n ? limit - *pos : n);
}

static void write_done(struct file *file, struct vm_object *object, int64_t put, uint64_t *pos)
{
	if (put <= 0)
		return;
	*pos += (uint64_t)put;
	if (*pos > object->size)
		object->size = *pos;
	inode_modified(file->inode);
}

int64_t object_file_write(struct file *file, uaddr_t from, size_t n, uint64_t *pos)
{
	struct inode *inode = file->inode;
	struct vm_object *object;
	int64_t put;

	rwsem_write_lock(&inode->lock);
	object = inode->object;
	put = object ? object_file_write_begin(file, n, pos) : -EIO;
	if (put > 0) {
		put = object_write_user(object, *pos, from, (size_t)put);
		write_done(file, object, put, pos);
	}
	rwsem_write_unlock(&inode->lock);
	return put;
}

int64_t object_file_write_kernel(struct file *file, const void *from, size_t n, uint64_t *pos)
{
	struct inode *inode = file->inode;
	struct vm_object *object;
	int64_t put;

	rwsem_write_lock(&inode->lock);
	object = inode->object;
	put = object ? object_file_write_begin(file, n, pos) : -EIO;
	if (put > 0) {
		put = object_write(object, *pos, from, (size_t)put);
		write_done(file, object, put, pos);
	}
	rwsem_write_unlock(&inode->lock);
	return put;
}

/* The next page at or after `index` that is not there, below `end`. */
static uint64_t next_hole(const struct vm_object *object, uint64_t index, uint64_t end)
{
	while (index < end && object_next_page(object, index, end) == index)
		index++;
	return index;
}

/* SEEK_DATA and SEEK_HOLE of memory-backed objects: a page that is absent is a hole. */
static int64_t seek_sparse(struct file *file, uint64_t offset, bool data)
{
	struct vm_object *object = file->inode->object;
	uint64_t end = PAGE_ALIGN(object->size) >> PAGE_SHIFT;
	uint64_t first = offset >> PAGE_SHIFT, index = data ? object_next_page(object, first, end) : next_hole(object, first, end);
	uint64_t at = index << PAGE_SHIFT;

	if (index >= end) {
		if (data)
			return -ENXIO;
		at = object->size;
	}
	if (at < offset)
		at = offset;
	if (at > object->size)
		at = object->size;
	file->pos = at;
	return (int64_t)at;
}

int64_t object_file_seek(struct file *file, int64_t offset, int whence)
{
	struct vm_object *object = file->inode->object;
	uint64_t size = inode_size(file->inode);

	if (object && (!object->ops || !object->ops->fill) && (whence == SEEK_DATA || whence == SEEK_HOLE)) {
		if (offset < 0 || (uint64_t)offset >= size)
			return -ENXIO;
		return seek_sparse(file, (uint64_t)offset, whence == SEEK_DATA);
	}
	return file_seek_generic(file, offset, whence, size);
}

struct vm_object *object_file_mmap(struct file *file)
{
	return file->inode->object;
}

/* Zeroes bytes inside one page, if it is there. */
static int zero_part(struct vm_object *object, uint64_t from, uint64_t to)
{
	static const char zeros[256];

	while (from < to) {
		size_t n = to - from < sizeof(zeros) ? to - from : sizeof(zeros);
		int64_t rc = object_write(object, from, zeros, n);

		if (rc < 0)
			return (int)rc;
		from += n;
	}
	return 0;
}

static int zero_range(struct vm_object *object, uint64_t start, uint64_t end)
{
	uint64_t first = PAGE_ALIGN(start), last = end & PAGE_MASK;
	int rc;

	if (first > last)
		return zero_part(object, start, end);
	rc = zero_part(object, start, first);
	if (!rc)
		rc = zero_part(object, last, end);
	if (!rc && first < last) {
		object_drop_slowly(object, first, last);
		object_drop_range(object, first, last);
	}
	return rc;
}

static int populate(struct vm_object *object, uint64_t start, uint64_t end)
{
	for (uint64_t index = start >> PAGE_SHIFT; index < PAGE_ALIGN(end) >> PAGE_SHIFT; index++) {
		struct page *page;
		int rc = object_get_page(object, index, &page);

		if (rc)
			return rc == -ENOMEM ? -ENOSPC : rc;
		object_set_dirty(object, page);
		page_put(page);
		if (!(index % (BREATH_BYTES >> PAGE_SHIFT)) && task_breathe())
			return -EINTR;
	}
	return 0;
}

static int fallocate_locked(struct inode *inode, int mode, uint64_t offset, uint64_t end)
{
	struct vm_object *object = inode->object;
	int rc;

	switch (mode & ~FALLOC_FL_KEEP_SIZE) {
	case 0:
		rc = populate(object, offset, end);
		break;
	case FALLOC_FL_PUNCH_HOLE:
		if (!(mode & FALLOC_FL_KEEP_SIZE))
			return -EOPNOTSUPP;
		if (offset >= object->size)
			return 0;
		rc = zero_range(object, offset, MIN(end, PAGE_ALIGN(object->size)));
		break;
	case FALLOC_FL_ZERO_RANGE:
		rc = zero_range(object, offset, end);
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (rc)
		return rc;
	if (!(mode & FALLOC_FL_KEEP_SIZE) && end > object->size)
		object->size = end;
	inode_modified(inode);
	return 0;
}

int object_file_fallocate(struct file *file, int mode, uint64_t offset, uint64_t length)
{
	struct inode *inode = file->inode;
	int rc = -EIO;

	rwsem_write_lock(&inode->lock);
	if (inode->object)
		rc = fallocate_locked(inode, mode, offset, offset + length);
	rwsem_write_unlock(&inode->lock);
	return rc;
}

const struct file_ops object_file_ops = {
	.read = object_file_read,
	.write = object_file_write,
	.read_kernel = object_file_read_kernel,
	.write_kernel = object_file_write_kernel,
	.seek = object_file_seek,
	.mmap_object = object_file_mmap,
	.fallocate = object_file_fallocate,
};
