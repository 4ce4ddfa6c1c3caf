/*
 * System calls that read and change attributes: the stat family, access, chmod, chown,
 * utimes, statfs, umask.
 */
#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/time_types.h>

#include "kernel/files.h"
#include "kernel/user_ns.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "syscalls/path.h"
#include "syscalls/syscalls.h"
#include "vfs/calls.h"
#include "vfs/dev/dev.h"
#include "vfs/vfs.h"

#define UTIME_NOW 0x3fffffff
#define UTIME_OMIT 0x3ffffffe
#define ST_VALID 0x0020u

/* ---- stat ---- */

static int64_t stat_to_user(const struct kstat *from, uaddr_t user)
{
	struct stat to = {
		.st_dev = from->dev,
		.st_ino = from->ino,
		.st_nlink = from->nlink,
		.st_mode = from->mode,
		.st_uid = uid_to_user(from->uid),
		.st_gid = gid_to_user(from->gid),
		.st_rdev = from->rdev,
		.st_size = (long)from->size,
		.st_blksize = (long)from->blksize,
		.st_blocks = (long)from->blocks,
		.st_atime = (unsigned long)from->atime.sec,
		.st_atime_nsec = from->atime.nsec,
		.st_mtime = (unsigned long)from->mtime.sec,
		.st_mtime_nsec = from->mtime.nsec,
		.st_ctime = (unsigned long)from->ctime.sec,
		.st_ctime_nsec = from->ctime.nsec,
	};

	return copy_to_user(user, &to, sizeof(to));
}

static int stat_fd(int fd, struct kstat *stat)
{
	struct file *file = fd_file_any(fd);
	int rc;

	if (!file)
		return -EBADF;
	rc = vfs_getattr_file(file, stat);
	file_put(file);
	return rc;
}

/* A path, or with AT_EMPTY_PATH and "" the descriptor itself. */
static int stat_at(int dirfd, uaddr_t name, unsigned flags, struct kstat *stat)
{
	unsigned lookup = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	struct path path;
	int rc;

	if (flags & AT_EMPTY_PATH) {
		char first;

		if (get_user(first, name))
			return -EFAULT;
		if (!first && dirfd != AT_FDCWD)
			return stat_fd(dirfd, stat);
		lookup |= LOOKUP_EMPTY;
	}
	rc = path_lookup_user(dirfd, name, lookup, &path);
	if (rc)
		return rc;
	rc = vfs_getattr_path(&path, stat);
	path_put(&path);
	return rc;
}

int64_t sys_stat(struct regs *regs)
{
	struct kstat stat;
	int rc = stat_at(AT_FDCWD, PTR0(regs), 0, &stat);

	return rc ? rc : stat_to_user(&stat, PTR1(regs));
}

int64_t sys_lstat(struct regs *regs)
{
	struct kstat stat;
	int rc = stat_at(AT_FDCWD, PTR0(regs), AT_SYMLINK_NOFOLLOW, &stat);

	return rc ? rc : stat_to_user(&stat, PTR1(regs));
}

int64_t sys_fstat(struct regs *regs)
{
	struct kstat stat;
	int rc = stat_fd(INT0(regs), &stat);

	return rc ? rc : stat_to_user(&stat, PTR1(regs));
}

int64_t sys_newfstatat(struct regs *regs)
{
	struct kstat stat;
	int rc;

	if (ARG3(regs) & ~(uint64_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT))
		return -EINVAL;
	rc = stat_at(INT0(regs), PTR1(regs), (unsigned)ARG3(regs), &stat);
	return rc ? rc : stat_to_user(&stat, PTR2(regs));
}

static struct statx_timestamp statx_time(const struct timestamp *t)
{
	return (struct statx_timestamp){.tv_sec = t->sec, .tv_nsec = t->nsec};
}

static void fill_statx(const struct kstat *from, struct statx *to)
{
	memset(to, 0, sizeof(*to));
	to->stx_mask = STATX_BASIC_STATS | STATX_MNT_ID;
	to->stx_blksize = (uint32_t)from->blksize;
	to->stx_nlink = (uint32_t)from->nlink;
	to->stx_uid = uid_to_user(from->uid);
	to->stx_gid = gid_to_user(from->gid);
	to->stx_mode = (uint16_t)from->mode;
	to->stx_ino = from->ino;
	to->stx_size = from->size;
	to->stx_blocks = from->blocks;
	to->stx_atime = statx_time(&from->atime);
	to->stx_mtime = statx_time(&from->mtime);
	to->stx_ctime = statx_time(&from->ctime);
	if (from->btime.sec || from->btime.nsec) {
		to->stx_mask |= STATX_BTIME;
		to->stx_btime = statx_time(&from->btime);
	}
	to->stx_rdev_major = DEV_MAJOR(from->rdev);
	to->stx_rdev_minor = DEV_MINOR(from->rdev);
	to->stx_dev_major = DEV_MAJOR(from->dev);
	to->stx_dev_minor = DEV_MINOR(from->dev);
	to->stx_mnt_id = (uint64_t)from->mount_id;
	to->stx_attributes_mask = STATX_ATTR_MOUNT_ROOT;
	if (from->mount_root)
		to->stx_attributes = STATX_ATTR_MOUNT_ROOT;
}

int64_t sys_statx(struct regs *regs)
{
	unsigned flags = (unsigned)ARG2(regs), mask = (unsigned)ARG3(regs);
	struct kstat stat;
	struct statx out;
	int rc;

	if (mask & STATX__RESERVED || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE ||
		flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	rc = stat_at(INT0(regs), PTR1(regs), flags, &stat);
	if (rc)
		return rc;
	fill_statx(&stat, &out);
	return copy_to_user(PTR4(regs), &out, sizeof(out));
}

/* ---- access ---- */

static int64_t access_at(int dirfd, uaddr_t name, unsigned mode, unsigned flags)
{
	int rc;
	char *text = path_from_user(name, flags & AT_EMPTY_PATH, &rc);

	if (!text)
		return rc;
	rc = vfs_access(dirfd, text, mode, flags);
	kfree(text);
	return rc;
}

int64_t sys_access(struct regs *regs)
{
	return access_at(AT_FDCWD, PTR0(regs), (unsigned)ARG1(regs), 0);
}

int64_t sys_faccessat(struct regs *regs)
{
	return access_at(INT0(regs), PTR1(regs), (unsigned)ARG2(regs), 0);
}

int64_t sys_faccessat2(struct regs *regs)
{
	return access_at(INT0(regs), PTR1(regs), (unsigned)ARG2(regs), (unsigned)ARG3(regs));
}

/* ---- chmod, chown ---- */

/* The object itself of a descriptor as a path; false and *rc on error. */
static bool fd_path(int fd, struct file **file, int64_t *rc)
{
	*file = fd_file(fd);
	*rc = -EBADF;
	if (!*file)
		return false;
	if ((*file)->path.dentry && (*file)->path.dentry->inode)
		return true;
	file_put(*file);
	*rc = -EINVAL;
	return false;
}

static int64_t chmod_at(int dirfd, uaddr_t name, uint32_t mode)
{
	struct path path;
	int rc = path_lookup_user(dirfd, name, LOOKUP_FOLLOW, &path);

	if (rc)
		return rc;
	rc = vfs_chmod(&path, mode);
	path_put(&path);
	return rc;
}

int64_t sys_chmod(struct regs *regs)
{
	return chmod_at(AT_FDCWD, PTR0(regs), (uint32_t)ARG1(regs));
}

int64_t sys_fchmodat(struct regs *regs)
{
	return chmod_at(INT0(regs), PTR1(regs), (uint32_t)ARG2(regs));
}

int64_t sys_fchmod(struct regs *regs)
{
	struct file *file;
	int64_t rc;

	if (!fd_path(INT0(regs), &file, &rc))
		return rc;
	rc = vfs_chmod(&file->path, (uint32_t)ARG1(regs));
	file_put(file);
	return rc;
}

/* To ids of the caller's namespace. */
static int chown_path(const struct path *path, uint32_t uid, uint32_t gid)
{
	bool known = id_wanted(ID_UID, uid, &uid) && id_wanted(ID_GID, gid, &gid);

	return known ? vfs_chown(path, uid, gid) : -EINVAL;
}

static int64_t chown_at(int dirfd, uaddr_t name, uint64_t uid, uint64_t gid, unsigned flags)
{
	unsigned lookup = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	struct path path;
	int rc;

	if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (flags & AT_EMPTY_PATH)
		lookup |= LOOKUP_EMPTY;
	rc = path_lookup_user(dirfd, name, lookup, &path);
	if (rc)
		return rc;
	rc = chown_path(&path, (uint32_t)uid, (uint32_t)gid);
	path_put(&path);
	return rc;
}

int64_t sys_chown(struct regs *regs)
{
	return chown_at(AT_FDCWD, PTR0(regs), ARG1(regs), ARG2(regs), 0);
}

int64_t sys_lchown(struct regs *regs)
{
	return chown_at(AT_FDCWD, PTR0(regs), ARG1(regs), ARG2(regs), AT_SYMLINK_NOFOLLOW);
}

int64_t sys_fchownat(struct regs *regs)
{
	return chown_at(INT0(regs), PTR1(regs), ARG2(regs), ARG3(regs), (unsigned)ARG4(regs));
}

int64_t sys_fchown(struct regs *regs)
{
	struct file *file;
	int64_t rc;

	if (!fd_path(INT0(regs), &file, &rc))
		return rc;
	rc = chown_path(&file->path, (uint32_t)ARG1(regs), (uint32_t)ARG2(regs));
	file_put(file);
	return rc;
}

/* ---- times ---- */

static int one_time(const struct __kernel_timespec *from, struct timestamp *to, uint32_t bit, uint32_t now_bit,
	uint32_t *valid)
{
	if (from->tv_nsec == UTIME_OMIT)
		return 0;
	if (from->tv_nsec == UTIME_NOW) {
		*valid |= now_bit;
		return 0;
	}
	if (from->tv_nsec < 0 || from->tv_nsec > 999999999)
		return -EINVAL;
	to->sec = from->tv_sec;
	to->nsec = (uint32_t)from->tv_nsec;
	*valid |= bit;
	return 0;
}

/* times NULL: now. */
static int decode_times(const struct __kernel_timespec *times, struct attr_change *change)
{
	int rc;

	*change = (struct attr_change){.valid = ATTR_ATIME_NOW | ATTR_MTIME_NOW};
	if (!times)
		return 0;
	change->valid = 0;
	rc = one_time(&times[0], &change->atime, ATTR_ATIME, ATTR_ATIME_NOW, &change->valid);
	return rc ? rc : one_time(&times[1], &change->mtime, ATTR_MTIME, ATTR_MTIME_NOW, &change->valid);
}

static int64_t utimes_fd(int fd, const struct attr_change *change)
{
	struct file *file;
	int64_t rc;

	if (!fd_path(fd, &file, &rc))
		return rc;
	rc = vfs_utimes(&file->path, change);
	file_put(file);
	return rc;
}

static int64_t utimes_at(int dirfd, uaddr_t name, const struct __kernel_timespec *times, unsigned flags)
{
	unsigned lookup = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	struct attr_change change;
	struct path path;
	int64_t rc = decode_times(times, &change);

	if (rc)
		return rc;
	if (!name.v && dirfd != AT_FDCWD)
		return flags ? -EINVAL : utimes_fd(dirfd, &change);
	if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (flags & AT_EMPTY_PATH)
		lookup |= LOOKUP_EMPTY;
	rc = path_lookup_user(dirfd, name, lookup, &path);
	if (rc)
		return rc;
	rc = vfs_utimes(&path, &change);
	path_put(&path);
	return rc;
}

int64_t sys_utimensat(struct regs *regs)
{
	struct __kernel_timespec times[2];

	if (!ARG2(regs))
		return utimes_at(INT0(regs), PTR1(regs), NULL, (unsigned)ARG3(regs));
	if (copy_from_user(times, PTR2(regs), sizeof(times)))
		return -EFAULT;
	if (times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT)
		return 0;
	return utimes_at(INT0(regs), PTR1(regs), times, (unsigned)ARG3(regs));
}

/* struct timeval[2] in user memory */
static int64_t timevals_at(int dirfd, uaddr_t name, uaddr_t user)
{
	struct __kernel_timespec times[2];
	int64_t values[4];

	if (!user.v)
		return utimes_at(dirfd, name, NULL, 0);
	if (copy_from_user(values, user, sizeof(values)))
		return -EFAULT;
	for (int i = 0; i < 2; i++) {
		if (values[2 * i + 1] < 0 || values[2 * i + 1] > 999999)
			return -EINVAL;
		times[i].tv_sec = values[2 * i];
		times[i].tv_nsec = values[2 * i + 1] * 1000;
	}
	return utimes_at(dirfd, name, times, 0);
}

int64_t sys_utimes(struct regs *regs)
{
	return timevals_at(AT_FDCWD, PTR0(regs), PTR1(regs));
}

int64_t sys_futimesat(struct regs *regs)
{
	return timevals_at(INT0(regs), PTR1(regs), PTR2(regs));
}

int64_t sys_utime(struct regs *regs)
{
	struct __kernel_timespec times[2];
	int64_t seconds[2];

	if (!ARG1(regs))
		return utimes_at(AT_FDCWD, PTR0(regs), NULL, 0);
	if (copy_from_user(seconds, PTR1(regs), sizeof(seconds)))
		return -EFAULT;
	times[0] = (struct __kernel_timespec){.tv_sec = seconds[0]};
	times[1] = (struct __kernel_timespec){.tv_sec = seconds[1]};
	return utimes_at(AT_FDCWD, PTR0(regs), times, 0);
}

/* ---- statfs, umask ---- */

static long mount_flag_bits(const struct mount *mount)
{
	static const struct {
		unsigned long ms;
		unsigned st;
	} map[] = {{MS_RDONLY, 1}, {MS_NOSUID, 2}, {MS_NODEV, 4}, {MS_NOEXEC, 8}, {MS_NOATIME, 0x400},
		{MS_NODIRATIME, 0x800}, {MS_RELATIME, 0x1000}};
	unsigned long flags = mount->flags | (mount->sb->flags & MS_RDONLY);
	long bits = ST_VALID;

	for (unsigned i = 0; i < ARRAY_SIZE(map); i++)
		if (flags & map[i].ms)
			bits |= map[i].st;
	return bits;
}

static int64_t statfs_to_user(const struct path *path, uaddr_t user)
{
	struct statfs64_data data;
	struct statfs out;
	int rc = vfs_statfs(path, &data);

	if (rc)
		return rc;
	memset(&out, 0, sizeof(out));
	out.f_type = (__statfs_word)data.type;
	out.f_bsize = (__statfs_word)data.bsize;
	out.f_blocks = (__statfs_word)data.blocks;
	out.f_bfree = (__statfs_word)data.bfree;
	out.f_bavail = (__statfs_word)data.bavail;
	out.f_files = (__statfs_word)data.files;
	out.f_ffree = (__statfs_word)data.ffree;
	out.f_namelen = (__statfs_word)data.namelen;
	out.f_frsize = (__statfs_word)data.frsize;
	out.f_fsid.val[0] = (int)path->dentry->sb->dev;
	out.f_flags = mount_flag_bits(path->mount);
	return copy_to_user(user, &out, sizeof(out));
}

int64_t sys_statfs(struct regs *regs)
{
	struct path path;
	int64_t rc = path_lookup_user(AT_FDCWD, PTR0(regs), LOOKUP_FOLLOW, &path);

	if (rc)
		return rc;
	rc = statfs_to_user(&path, PTR1(regs));
	path_put(&path);
	return rc;
}

int64_t sys_fstatfs(struct regs *regs)
{
	struct file *file = fd_file_any(INT0(regs));
	int64_t rc;

	if (!file)
		return -EBADF;
	rc = file->path.dentry && file->path.mount ? statfs_to_user(&file->path, PTR1(regs)) : -ENOSYS;
	file_put(file);
	return rc;
}

int64_t sys_umask(struct regs *regs)
{
	uint32_t old = current->fs->umask;

	current->fs->umask = (uint32_t)ARG0(regs) & 0777;
	return old;
}
