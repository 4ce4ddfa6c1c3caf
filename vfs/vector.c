/*
 * The vectors of readv(2), writev(2) and whatever else takes a struct iovec array; see vfs/vector.h.
 */
#include <linux/errno.h>
#include <linux/fs.h>

#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "vfs/calls.h"
#include "vfs/vector.h"

#define IOV_MAX 1024u
#define RW_MAX 0x7ffff000u
#define BOUNCE_MAX 65536u

int vector_get(struct vector *v, uaddr_t user, uint64_t count)
{
	v->parts = v->inline_parts;
	v->count = (unsigned)count;
	v->total = 0;
	if (count > IOV_MAX)
		return -EINVAL;
	if (count > VECTOR_INLINE)
		v->parts = kmalloc(count * sizeof(struct iovec));
	if (!v->parts)
		return -ENOMEM;
	if (copy_from_user(v->parts, user, count * sizeof(struct iovec)))
		return -EFAULT;
	for (unsigned i = 0; i < v->count; i++) {
		struct iovec *part = &v->parts[i];

		if ((int64_t)part->iov_len < 0)
			return -EINVAL;
		if (part->iov_len > RW_MAX - v->total)
			part->iov_len = RW_MAX - v->total;
		v->total += part->iov_len;
	}
	return 0;
}

void vector_put(struct vector *v)
{
	if (v->parts != v->inline_parts)
		kfree(v->parts);
}

static uaddr_t part_base(const struct vector *v, unsigned i)
{
	return UADDR((uint64_t)(uintptr_t)v->parts[i].iov_base);
}

/* Reads once into a buffer and spreads it: a stream must not be asked again after it gave something. */
static int64_t read_scattered(struct file *file, const struct vector *v, uint64_t *pos)
{
	size_t size = MIN(v->total, (size_t)BOUNCE_MAX), done = 0;
	char *bounce;
	int64_t got;

	if (!(file->mode & FILE_READ))
		return -EBADF;
	bounce = kmalloc(size);
	if (!bounce)
		return -ENOMEM;
	got = file->ops->read_kernel(file, bounce, size, pos);
	for (unsigned i = 0; i < v->count && (int64_t)done < got; i++) {
		size_t n = MIN(v->parts[i].iov_len, (size_t)got - done);

		if (copy_to_user(part_base(v, i), bounce + done, n)) {
			got = done ? (int64_t)done : -EFAULT;
			break;
		}
		done += n;
	}
	kfree(bounce);
	return got;
}

/* One write of all parts, so that it is as atomic as write(2) of that many bytes. */
static int64_t write_gathered(struct file *file, const struct vector *v, uint64_t *pos)
{
	size_t done = 0;
	char *bounce;
	int64_t rc = 0;

	if (!(file->mode & FILE_WRITE))
		return -EBADF;
	bounce = kmalloc(v->total);
	if (!bounce)
		return -ENOMEM;
	for (unsigned i = 0; i < v->count && !rc; i++) {
		rc = copy_from_user(bounce + done, part_base(v, i), v->parts[i].iov_len);
		done += v->parts[i].iov_len;
	}
	if (!rc)
		rc = file->ops->write_kernel(file, bounce, v->total, pos);
	kfree(bounce);
	return rc;
}

static int64_t each_part(struct file *file, const struct vector *v, uint64_t *pos, bool write)
{
	int64_t done = 0;

	for (unsigned i = 0; i < v->count; i++) {
		size_t n = v->parts[i].iov_len;
		int64_t rc;

		if (!n && v->total)
			continue;
		rc = write ? vfs_write(file, part_base(v, i), n, pos) : vfs_read(file, part_base(v, i), n, pos);
		if (rc < 0)
			return done ? done : rc;
		done += rc;
		if ((size_t)rc < n)
			break;
	}
	return done;
}

int64_t vector_io(struct file *file, const struct vector *v, uint64_t *pos, bool write)
{
	unsigned used = 0;

	for (unsigned i = 0; i < v->count; i++)
		used += v->parts[i].iov_len != 0;
	if (!v->count)
		return file->mode & (write ? FILE_WRITE : FILE_READ) ? 0 : -EBADF;
	if (used > 1 && write && file->ops->write_kernel && v->total <= BOUNCE_MAX)
		return write_gathered(file, v, pos);
	if (used > 1 && !write && file->ops->read_kernel && !file_has_position(file))
		return read_scattered(file, v, pos);
	return each_part(file, v, pos, write);
}

int rwf_check(unsigned flags, bool write)
{
	unsigned known = write ? RWF_HIPRI | RWF_DSYNC | RWF_SYNC : RWF_HIPRI;

	return flags & ~known ? -EOPNOTSUPP : 0;
}

int64_t rwf_sync(struct file *file, int64_t done, unsigned flags)
{
	int rc;

	if (done <= 0 || !(flags & (RWF_DSYNC | RWF_SYNC)))
		return done;
	rc = vfs_fsync(file, !(flags & RWF_SYNC));
	return rc ? rc : done;
}
