/*
 * System calls on open files: open, close, read and write in all forms, seek, sizes,
 * syncing, advice, flock, memfd_create, memfd_secret. Shells only; the work is in vfs/.
 */
#include <linux/errno.h>
#include <linux/fadvise.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>

#include "kernel/files.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "syscalls/path.h"
#include "syscalls/syscalls.h"
#include "vfs/calls.h"
#include "vfs/tmpfs/tmpfs.h"
#include "vfs/vector.h"
#include "vfs/vfs.h"

#define VALID_OPEN_FLAGS                                                                                           \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_DSYNC | __O_SYNC | FASYNC | \
		O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | __O_TMPFILE)
#define OPEN_HOW_SIZE_VER0 24u

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
	return copy_struct_from_user(how, sizeof(*how), user, size);
}

static int check_open_how(const struct open_how *how)
{
	if (how->flags & ~(uint64_t)VALID_OPEN_FLAGS || how->resolve & ~0x3full)
		return -EINVAL;
	if (how->resolve & RESOLVE_BENEATH && how->resolve & RESOLVE_IN_ROOT)
		return -EINVAL;
	if (how->flags & (O_CREAT | __O_TMPFILE) ? how->mode & ~07777ull : how->mode)
		return -EINVAL;
	if (how->flags & __O_TMPFILE && how->flags & O_CREAT)
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

int64_t sys_read(struct regs *regs)
{
	struct file *file = fd_file(INT0(regs));
	int64_t rc;

	if (!file)
		return -EBADF;
	if (file_has_position(file)) {
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
	if (file_has_position(file)) {
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
	rc = file_has_position(file) ? vfs_read(file, PTR1(regs), ARG2(regs), &pos) : -ESPIPE;
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
	rc = file_has_position(file) ? vfs_write(file, PTR1(regs), ARG2(regs), &pos) : -ESPIPE;
	file_put(file);
	return rc;
}

/* ---- vectors ---- */

/* offset < 0: the file's position. */
static int64_t do_vector(int fd, uaddr_t user, uint64_t count, bool at_offset, uint64_t offset, bool write, unsigned flags)
{
	struct file *file = fd_file(fd);
	struct vector v;
	int64_t rc;

	if (!file)
		return -EBADF;
	if (at_offset && !file_has_position(file)) {
		file_put(file);
		return -ESPIPE;
	}
	rc = vector_get(&v, user, count);
	if (!rc && at_offset) {
		rc = vector_io(file, &v, &offset, write);
	} else if (!rc && file_has_position(file)) {
		mutex_lock(&file->pos_lock);
		rc = vector_io(file, &v, &file->pos, write);
		mutex_unlock(&file->pos_lock);
	} else if (!rc) {
		rc = vector_io(file, &v, &file->pos, write);
	}
	vector_put(&v);
	rc = rwf_sync(file, rc, flags);
	file_put(file);
	return rc;
}

int64_t sys_readv(struct regs *regs)
{
	return do_vector(INT0(regs), PTR1(regs), ARG2(regs), false, 0, false, 0);
}

int64_t sys_writev(struct regs *regs)
{
	return do_vector(INT0(regs), PTR1(regs), ARG2(regs), false, 0, true, 0);
}

int64_t sys_preadv(struct regs *regs)
{
	if ((int64_t)ARG3(regs) < 0)
		return -EINVAL;
	return do_vector(INT0(regs), PTR1(regs), ARG2(regs), true, ARG3(regs), false, 0);
}

int64_t sys_pwritev(struct regs *regs)
{
	if ((int64_t)ARG3(regs) < 0)
		return -EINVAL;
	return do_vector(INT0(regs), PTR1(regs), ARG2(regs), true, ARG3(regs), true, 0);
}

static int64_t do_vector2(struct regs *regs, bool write)
{
	bool at_offset = ARG3(regs) != UINT64_MAX;
	unsigned flags = (unsigned)ARG5(regs);
	int rc = rwf_check(flags, write);

	if (rc)
		return rc;
	if (at_offset && (int64_t)ARG3(regs) < 0)
		return -EINVAL;
	return do_vector(INT0(regs), PTR1(regs), ARG2(regs), at_offset, ARG3(regs), write, flags);
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
	} else if (!file_has_position(file)) {
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
	struct file *file = fd_file(INT0(regs));
	uint64_t end;
	bool is_stored;

	if (!file)
		return -EBADF;
	is_stored = file->inode && (S_ISREG(file->inode->mode) || S_ISDIR(file->inode->mode));
	file_put(file);
	if (ARG3(regs) & ~7ull || (int64_t)ARG1(regs) < 0 || (int64_t)ARG2(regs) < 0 ||
		__builtin_add_overflow(ARG1(regs), ARG2(regs), &end))
		return -EINVAL;
	return is_stored ? sync_fd(INT0(regs), true) : -ESPIPE;
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

int64_t sys_memfd_secret(struct regs *regs)
{
	struct file *file;
	int rc = secret_open((unsigned)ARG0(regs), &file);

	return rc ? rc : fd_install(file, ARG0(regs) & O_CLOEXEC, 0);
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
