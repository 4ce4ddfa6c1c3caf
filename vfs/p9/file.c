/*
 * Open files: regular files through the page cache, directories through listings.
 *
 * Opening asks the gofer for nothing: the host descriptor is opened when a page has to be
 * read or written. On an exclusive mount a write is kept back (object.c); on a shared one
 * it goes through before write(2) returns, and a read first looks whether others wrote.
 */
#include "kernel/cgroup.h"
#include "kernel/process.h"
#include "vfs/p9/internal.h"

/* fallocate(2); the host checks which go together, and alignment. */
#define ALLOC_KEEP_SIZE 0x01
#define ALLOC_PUNCH 0x02
#define ALLOC_COLLAPSE 0x08
#define ALLOC_ZERO 0x10
#define ALLOC_INSERT 0x20

#define DIRTY_PAGES_MAX 4096u /* of one file: then its writer pays for the write-back */

/* What is written from here on is charged to the current task's control group, when it goes to the host. */
static void take_over(struct p9fs_inode *pi)
{
	if (current->process)
		pi->writer = current->process->cgroup->number;
}

int p9fs_open(struct inode *inode, struct file *file)
{
	struct p9fs_inode *pi = p9fs_i(inode);
	int rc;

	if (!file->ops)
		return -ENXIO;
	if (!S_ISREG(inode->mode))
		return 0;
	if (!inode->sb->cache_exclusive) {
		rc = p9fs_refresh(inode);
		if (rc)
			return rc;
	}
	rc = p9fs_object_create(pi);
	if (rc)
		return rc;
	if (file->mode & FILE_WRITE) {
		pi->write_opens++;
		if (!cgroup_find(pi->writer))
			take_over(pi);
		p9fs_writer_add(pi);
	}
	return 0;
}

/* A shared file: what others wrote since we looked last is seen from here on. */
static void look_again(struct inode *inode)
{
	struct p9fs_inode *pi = p9fs_i(inode);
	struct abi_stat stat;

	if (inode->sb->cache_exclusive)
		return;
	if (p9fs_host_stat(pi, &stat)) {
		if (stat.size == pi->host_size && stat.mtime_ns == timestamp_ns(pi->host_mtime))
			return;
		pi->checked_at = 0;
	}
	(void)p9fs_refresh(inode); /* what is cached must do where this fails */
}

static int64_t file_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos)
{
	look_again(file->inode);
	return object_file_read(file, to, n, pos);
}

static int64_t file_read_kernel(struct file *file, void *to, size_t n, uint64_t *pos)
{
	look_again(file->inode);
	return object_file_read_kernel(file, to, n, pos);
}

/* Dirty pages cannot be reclaimed: with little memory left they are written at once. */
static bool memory_is_short(const struct vm_object *object)
{
	struct mm_counters counters;

	if (object->nr_dirty < DIRTY_PAGES_MAX / 64)
		return false;
	mm_counters_read(&counters);
	return counters.free < counters.total / 8;
}

/*
 * The host's count of blocks is known only after write-back. Until then: what was written past the old end
 * takes blocks, and so does what was written before it as long as the file has holes.
 */
static void guess_blocks(struct inode *inode, uint64_t old_size, uint64_t start, uint64_t end)
{
	uint64_t most = PAGE_ALIGN(inode->object->size) / 512;
	bool has_holes = inode->blocks < old_size / 512;

	if (!has_holes && start < old_size)
		start = PAGE_ALIGN(old_size);
	if (start < end)
		inode->blocks += (PAGE_ALIGN(end) - (start & PAGE_MASK)) / 512;
	inode->blocks = MIN(inode->blocks, most);
}

/* After a write that ended at `end`: through at once, or soon. */
static int64_t written(struct file *file, int64_t n, uint64_t old_size, uint64_t end)
{
	struct inode *inode = file->inode;
	struct p9fs_inode *pi = p9fs_i(inode);
	struct vm_object *object = inode->object;
	int rc = 0;

	if (n <= 0)
		return n;
	guess_blocks(inode, old_size, end - (uint64_t)n, end);
	take_over(pi);
	if (!inode->sb->cache_exclusive) {
		rc = p9fs_flush(pi);
		pi->host_size = MAX(pi->host_size, object->size);
		pi->wrote = true;
		p9fs_changed(inode);
	} else if ((object->nr_dirty > DIRTY_PAGES_MAX || memory_is_short(object)) && inode->nlink) {
		rc = p9fs_flush(pi);
	} else {
		p9fs_flush_soon(p9fs_s(inode));
		cgroup_io_wait_for(inode->sb->dev, IO_WRITE); /* for what went there before */
	}
	return rc ? rc : n;
}

static int64_t file_write(struct file *file, uaddr_t from, size_t n, uint64_t *pos)
{
	uint64_t old_size = inode_size(file->inode);
	int64_t put;

	if (file->flags & O_APPEND)
		look_again(file->inode);
	put = object_file_write(file, from, n, pos);
	return written(file, put, old_size, *pos);
}

static int64_t file_write_kernel(struct file *file, const void *from, size_t n, uint64_t *pos)
{
	uint64_t old_size = inode_size(file->inode);
	int64_t put;

	if (file->flags & O_APPEND)
		look_again(file->inode);
	put = object_file_write_kernel(file, from, n, pos);
	return written(file, put, old_size, *pos);
}

static int file_fsync(struct file *file, bool data_only)
{
	struct p9fs_inode *pi = p9fs_i(file->inode);
	int rc = p9fs_flush(pi);

	return rc ? rc : p9fs_host_fsync(pi, data_only);
}

/* close(2) of a file that was written: now the host has it, and an error is still told. */
static int file_flush(struct file *file)
{
	struct p9fs_inode *pi = p9fs_i(file->inode);

	if (!(file->mode & FILE_WRITE) || !pi->base.nlink)
		return 0;
	return p9fs_flush(pi);
}

static void file_release(struct file *file)
{
	struct p9fs_inode *pi = p9fs_i(file->inode);

	if (!(file->mode & FILE_WRITE))
		return;
	if (pi->base.nlink && p9fs_flush(pi))
		klog(LOG_WARNING, "9p: inode %llu: write-back failed on close", (unsigned long long)pi->base.ino);
	pi->write_opens--;
	p9fs_writer_remove_idle(pi);
}

/* The host's file changed so: what is cached of it follows. The inode's lock is held as writer. */
static void follow_allocation(struct inode *inode, int mode, uint64_t offset, uint64_t end)
{
	struct vm_object *object = inode->object;
	uint64_t length = end - offset;

	if (mode & (ALLOC_COLLAPSE | ALLOC_INSERT)) {
		object_drop_range(object, offset, UINT64_MAX);
		object_truncate(object, mode & ALLOC_COLLAPSE ? object->size - length : object->size + length);
		return;
	}
	if (mode & (ALLOC_PUNCH | ALLOC_ZERO))
		object_drop_range(object, offset, end);
	if (!(mode & ALLOC_KEEP_SIZE) && end > object->size)
		object_truncate(object, end);
}

static int file_fallocate(struct file *file, int mode, uint64_t offset, uint64_t length)
{
	struct inode *inode = file->inode;
	struct p9fs_call *call;
	uint64_t end;
	uint32_t fid;
	int rc;

	if (__builtin_add_overflow(offset, length, &end) || end > INT64_MAX)
		return -EFBIG;
	if (mode & ~(ALLOC_KEEP_SIZE | ALLOC_PUNCH | ALLOC_COLLAPSE | ALLOC_ZERO | ALLOC_INSERT))
		return -EOPNOTSUPP;
	rwsem_write_lock(&inode->lock);
	rc = p9fs_flush(p9fs_i(inode));
	if (!rc)
		rc = p9fs_inode_fid(inode, &fid);
	if (!rc)
		rc = P9FS_CALL(&call, tallocate, fid, (uint32_t)mode, offset, length);
	if (!rc) {
		p9fs_call_end(call);
		follow_allocation(inode, mode, offset, end);
		inode_modified(inode);
		p9fs_i(inode)->wrote = true;
		p9fs_changed(inode);
		p9fs_refresh_blocks(inode);
	}
	rwsem_write_unlock(&inode->lock);
	return rc;
}

static int dir_fsync(struct file *file, bool data_only)
{
	return p9fs_host_fsync(p9fs_i(file->inode), data_only);
}

const struct file_ops p9fs_file_ops = {
	.read = file_read,
	.write = file_write,
	.read_kernel = file_read_kernel,
	.write_kernel = file_write_kernel,
	.seek = object_file_seek,
	.mmap_object = object_file_mmap,
	.fsync = file_fsync,
	.flush = file_flush,
	.release = file_release,
	.fallocate = file_fallocate,
};

const struct file_ops p9fs_dir_ops = {
	.readdir = p9fs_readdir,
	.fsync = dir_fsync,
	.release = p9fs_dir_release,
};
