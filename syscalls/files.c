/*
 * System calls on open files: open, close, read and write in all forms, seek, sizes,
 * syncing, advice, flock, memfd_create. Shells only; the work is in vfs/.
 */
#include <linux/errno.h>
#include <linux/fadvise.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/uio.h>

#include "kernel/files.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "syscalls/path.h"
#include "syscalls/syscalls.h"
#include "vfs/calls.h"
#include "vfs/tmpfs/tmpfs.h"
#include "vfs/vfs.h"

#define VALID_OPEN_FLAGS                                                                                           \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_DSYNC | __O_SYNC | FASYNC | \
		O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | __O_TMPFILE)
#define OPEN_HOW_SIZE_VER0 24u
#define IOV_INLINE 8u
#define IOV_MAX 1024u
#define RW_MAX 0x7ffff000u
#define BOUNCE_MAX 65536u

/* ---- open, close ---- */

static int64_t open_user(int dirfd, uaddr_t name, unsigned flags, uint32_t mode, unsigned resolve)
{
	struct file *file;
	int rc;
	char *text = path_from_user(name, false, &rc);

	if (!text)
		return rc;
	rc = vfs_open(dirfd, text, flags & ~(unsigned)O_CLOEXEC, mode, resolve, &file);
	kfree(text);
	return rc ? rc : fd_install(file, flags & O_CLOEXEC, 0);
}

static int64_t open_plain(int dirfd, uaddr_t name, unsigned flags, uint64_t mode)
{
	flags &= VALID_OPEN_FLAGS;
	return open_user(dirfd, name, flags, flags & (O_CREAT | __O_TMPFILE) ? mode & 07777 : 0, 0);
}

int64_t sys_open(struct regs *regs)
{
	return open_plain(AT_FDCWD, PTR0(regs), (unsigned)ARG1(regs), ARG2(regs));
}

int64_t sys_openat(struct regs *regs)
{
	return open_plain(INT0(regs), PTR1(regs), (unsigned)ARG2(regs), ARG3(regs));
}

int64_t sys_creat(struct regs *regs)
{
	return open_plain(AT_FDCWD, PTR0(regs), O_CREAT | O_WRONLY | O_TRUNC, ARG1(regs));
}

/* A struct that may be longer than what we know, if the rest is zero. */
static int copy_open_how(struct open_how *how, uaddr_t user, uint64_t size)
{
	if (size < OPEN_HOW_SIZE_VER0)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	for (uint64_t i = sizeof(*how); i < size; i++) {
		uint8_t byte;

		if (get_user(byte, uaddr_add(user, i)))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	return copy_from_user(how, user, sizeof(*how));
}

static int check_open_how(const struct open_how *how)
{
	if (how->flags & ~(uint64_t)VALID_OPEN_FLAGS || how->resolve & ~0x3full)
		return -EINVAL;
	if (how->resolve & RESOLVE_BENEATH && how->resolve & RESOLVE_IN_ROOT)
		return -EINVAL;
	if (how->flags & (O_CREAT | __O_TMPFILE) ? how->mode & ~07777ull : how->mode)
		return -EINVAL;
	if (how->flags & O_PATH && how->flags & ~(uint64_t)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))
		return -EINVAL;
	if (how->resolve & RESOLVE_CACHED)
		return how->flags & (O_TRUNC | O_CREAT | __O_TMPFILE) ? -EINVAL : -EAGAIN;
	return 0;
}

int64_t sys_openat2(struct regs *regs)
{
	static const unsigned lookup[] = {
		LOOKUP_NO_XDEV, LOOKUP_NO_MAGICLINKS, LOOKUP_NO_SYMLINKS, LOOKUP_BENEATH, LOOKUP_IN_ROOT};
	struct open_how how;
	unsigned resolve = 0;
	int rc = copy_open_how(&how, PTR2(regs), ARG3(regs));

	if (!rc)
		rc = check_open_how(&how);
	if (rc)
		return rc;
	for (unsigned i = 0; i < ARRAY_SIZE(lookup); i++)
		if (how.resolve & (1u << i))
			resolve |= lookup[i];
	return open_user(INT0(regs), PTR1(regs), (unsigned)how.flags, (uint32_t)how.mode, resolve);
}

int64_t sys_close(struct regs *regs)
{
	return fd_close(INT0(regs));
}

/* ---- read, write ---- */

static bool has_position(const struct file *file)
{
	return !(file->mode & FILE_STREAM);
}

int64_t sys_read(struct regs *regs)
{
	struct file *file = fd_file(INT0(regs));
	int64_t rc;

	if (!file)
		return -EBADF;
	if (has_position(file)) {
		mutex_lock(&file->pos_lock);
		rc = vfs_read(file, PTR1(regs), ARG2(regs), &file->pos);
		mutex_unlock(&file->pos_lock);
	} else {
		rc = vfs_read(file, PTR1(regs), ARG2(regs), &file->pos);
	}
	file_put(file);
	return rc;
}

int64_t sys_write(struct regs *regs)
{
	struct file *file = fd_file(INT0(regs));
	int64_t rc;

	if (!file)
		return -EBADF;
	if (has_position(file)) {
		mutex_lock(&file->pos_lock);
		rc = vfs_write(file, PTR1(regs), ARG2(regs), &file->pos);
		mutex_unlock(&file->pos_lock);
	} else {
		rc = vfs_write(file, PTR1(regs), ARG2(regs), &file->pos);
	}
	file_put(file);
	return rc;
}

int64_t sys_pread64(struct regs *regs)
{
	uint64_t pos = ARG3(regs);
	struct file *file;
	int64_t rc;

	if ((int64_t)pos < 0)
		return -EINVAL;
	file = fd_file(INT0(regs));
	if (!file)
		return -EBADF;
	rc = has_position(file) ? vfs_read(file, PTR1(regs), ARG2(regs), &pos) : -ESPIPE;
	file_put(file);
	return rc;
}

int64_t sys_pwrite64(struct regs *regs)
{
	uint64_t pos = ARG3(regs);
	struct file *file;
	int64_t rc;

	if ((int64_t)pos < 0)
		return -EINVAL;
	file = fd_file(INT0(regs));
	if (!file)
		return -EBADF;
	rc = has_position(file) ? vfs_write(file, PTR1(regs), ARG2(regs), &pos) : -ESPIPE;
	file_put(file);
	return rc;
}

/* ---- vectors ---- */

struct vector {
	struct iovec inline_parts[IOV_INLINE];
	struct iovec *parts;
	unsigned count;
	size_t total;
};

static int vector_get(struct vector *v, uaddr_t user, uint64_t count)
{
	v->parts = v->inline_parts;
	v->count = (unsigned)count;
	v->total = 0;
	if (count > IOV_MAX)
		return -EINVAL;
	if (count > IOV_INLINE)
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

static void vector_put(struct vector *v)
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

static int64_t vector_io(struct file *file, const struct vector *v, uint64_t *pos, bool write)
{
	unsigned used = 0;

	for (unsigned i = 0; i < v->count; i++)
		used += v->parts[i].iov_len != 0;
	if (!v->count)
		return file->mode & (write ? FILE_WRITE : FILE_READ) ? 0 : -EBADF;
	if (used > 1 && write && file->ops->write_kernel && v->total <= BOUNCE_MAX)
		return write_gathered(file, v, pos);
	if (used > 1 && !write && file->ops->read_kernel && !has_position(file))
		return read_scattered(file, v, pos);
	return each_part(file, v, pos, write);
}

/* offset < 0: the file's position. */
static int64_t do_vector(int fd, uaddr_t user, uint64_t count, bool at_offset, uint64_t offset, bool write)
{
	struct file *file = fd_file(fd);
	struct vector v;
	int64_t rc;

	if (!file)
		return -EBADF;
	rc = at_offset && !has_position(file) ? -ESPIPE : vector_get(&v, user, count);
	if (rc == -ESPIPE) {
		file_put(file);
		return rc;
	}
	if (!rc && at_offset) {
		rc = vector_io(file, &v, &offset, write);
	} else if (!rc && has_position(file)) {
		mutex_lock(&file->pos_lock);
		rc = vector_io(file, &v, &file->pos, write);
		mutex_unlock(&file->pos_lock);
	} else if (!rc) {
		rc = vector_io(file, &v, &file->pos, write);
	}
	vector_put(&v);
	file_put(file);
	return rc;
}

int64_t sys_readv(struct regs *regs)
{
	return do_vector(INT0(regs), PTR1(regs), ARG2(regs), false, 0, false);
}

int64_t sys_writev(struct regs *regs)
{
	return do_vector(INT0(regs), PTR1(regs), ARG2(regs), false, 0, true);
}

int64_t sys_preadv(struct regs *regs)
{
	if ((int64_t)ARG3(regs) < 0)
		return -EINVAL;
	return do_vector(INT0(regs), PTR1(regs), ARG2(regs), true, ARG3(regs), false);
}

int64_t sys_pwritev(struct regs *regs)
{
	if ((int64_t)ARG3(regs) < 0)
		return -EINVAL;
	return do_vector(INT0(regs), PTR1(regs), ARG2(regs), true, ARG3(regs), true);
}

/* RWF_* are hints (HIPRI), orders to sync (done below), or refused. */
static int64_t do_vector2(struct regs *regs, bool write)
{
	bool at_offset = ARG3(regs) != UINT64_MAX;
	unsigned flags = (unsigned)ARG5(regs);
	struct file *file;
	int64_t rc;

	if (flags & ~(unsigned)(RWF_HIPRI | RWF_DSYNC | RWF_SYNC) || (!write && flags & ~(unsigned)RWF_HIPRI))
		return -EOPNOTSUPP;
	if (at_offset && (int64_t)ARG3(regs) < 0)
		return -EINVAL;
	rc = do_vector(INT0(regs), PTR1(regs), ARG2(regs), at_offset, ARG3(regs), write);
	if (rc <= 0 || !(flags & (RWF_DSYNC | RWF_SYNC)))
		return rc;
	file = fd_file(INT0(regs));
	if (file) {
		int error = vfs_fsync(file, !(flags & RWF_SYNC));

		file_put(file);
		return error ? error : rc;
	}
	return rc;
}

int64_t sys_preadv2(struct regs *regs)
{
	return do_vector2(regs, false);
}

int64_t sys_pwritev2(struct regs *regs)
{
	return do_vector2(regs, true);
}

/* ---- position and size ---- */

int64_t sys_lseek(struct regs *regs)
{
	struct file *file = fd_file(INT0(regs));
	int whence = INT2(regs);
	int64_t rc;

	if (!file)
		return -EBADF;
	if (whence < 0 || whence > SEEK_MAX) {
		rc = -EINVAL;
	} else if (!has_position(file)) {
		rc = -ESPIPE;
	} else {
		mutex_lock(&file->pos_lock);
		if (file->ops->seek)
			rc = file->ops->seek(file, (int64_t)ARG1(regs), whence);
		else
			rc = file_seek_generic(file, (int64_t)ARG1(regs), whence, file_size(file));
		mutex_unlock(&file->pos_lock);
	}
	file_put(file);
	return rc;
}

int64_t sys_truncate(struct regs *regs)
{
	struct path path;
	int rc;

	if ((int64_t)ARG1(regs) < 0)
		return -EINVAL;
	rc = path_lookup_user(AT_FDCWD, PTR0(regs), LOOKUP_FOLLOW, &path);
	if (rc)
		return rc;
	rc = vfs_truncate(&path, ARG1(regs));
	path_put(&path);
	return rc;
}

int64_t sys_ftruncate(struct regs *regs)
{
	struct file *file;
	int rc;

	if ((int64_t)ARG1(regs) < 0)
		return -EINVAL;
	file = fd_file(INT0(regs));
	if (!file)
		return -EBADF;
	rc = vfs_ftruncate(file, ARG1(regs));
	file_put(file);
	return rc;
}

int64_t sys_fallocate(struct regs *regs)
{
	struct file *file = fd_file(INT0(regs));
	int rc;

	if (!file)
		return -EBADF;
	rc = vfs_fallocate(file, INT1(regs), (int64_t)ARG2(regs), (int64_t)ARG3(regs));
	file_put(file);
	return rc;
}

/* ---- syncing, advice ---- */

static int64_t sync_fd(int fd, bool data_only)
{
	struct file *file = fd_file(fd);
	int rc;

	if (!file)
		return -EBADF;
	rc = vfs_fsync(file, data_only);
	file_put(file);
	return rc;
}

int64_t sys_fsync(struct regs *regs)
{
	return sync_fd(INT0(regs), false);
}

int64_t sys_fdatasync(struct regs *regs)
{
	return sync_fd(INT0(regs), true);
}

int64_t sys_sync(struct regs *regs)
{
	vfs_sync_all(); /* sync(2) reports no errors */
	return 0;
}

int64_t sys_syncfs(struct regs *regs)
{
	struct file *file = fd_file(INT0(regs));
	struct superblock *sb;
	int rc = 0;

	if (!file)
		return -EBADF;
	sb = file->inode ? file->inode->sb : NULL;
	if (sb && sb->ops && sb->ops->sync)
		rc = sb->ops->sync(sb);
	file_put(file);
	return rc;
}

int64_t sys_sync_file_range(struct regs *regs)
{
	uint64_t end;

	if (ARG3(regs) & ~7ull || (int64_t)ARG1(regs) < 0 || (int64_t)ARG2(regs) < 0 ||
		__builtin_add_overflow(ARG1(regs), ARG2(regs), &end))
		return -EINVAL;
	return sync_fd(INT0(regs), true);
}

/* Advice about the page cache: checked, and otherwise a hint that is not needed here. */
int64_t sys_fadvise64(struct regs *regs)
{
	struct file *file = fd_file(INT0(regs));
	int64_t rc = 0;

	if (!file)
		return -EBADF;
	if (file->inode && S_ISFIFO(file->inode->mode))
		rc = -ESPIPE;
	else if (INT3(regs) < POSIX_FADV_NORMAL || INT3(regs) > POSIX_FADV_NOREUSE || (int64_t)ARG2(regs) < 0)
		rc = -EINVAL;
	file_put(file);
	return rc;
}

int64_t sys_readahead(struct regs *regs)
{
	struct file *file = fd_file(INT0(regs));
	int64_t rc = 0;

	if (!file || !(file->mode & FILE_READ))
		rc = -EBADF;
	else if (!file->inode || !S_ISREG(file->inode->mode))
		rc = -EINVAL;
	if (file)
		file_put(file);
	return rc;
}

int64_t sys_flock(struct regs *regs)
{
	struct file *file = fd_file(INT0(regs));
	int rc;

	if (!file)
		return -EBADF;
	rc = vfs_flock(file, INT1(regs));
	file_put(file);
	return rc;
}

int64_t sys_memfd_create(struct regs *regs)
{
	char name[251];
	struct file *file;
	int64_t rc = strncpy_from_user(name, PTR0(regs), sizeof(name));

	if (rc < 0)
		return rc == -ENAMETOOLONG ? -EINVAL : rc;
	rc = memfd_open(name, (unsigned)ARG1(regs), &file);
	return rc ? rc : fd_install(file, ARG1(regs) & 1, 0);
}
