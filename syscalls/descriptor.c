/*
 * System calls on descriptors: dup, fcntl, ioctl's generic part, close_range, pipe.
 */
#include <asm/ioctls.h>
#include <linux/close_range.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>

#include "kernel/files.h"
#include "kernel/namespaces.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "syscalls/syscalls.h"
#include "vfs/anon/dnotify.h"
#include "vfs/calls.h"
#include "vfs/pipe/pipe.h"
#include "vfs/sigio.h"
#include "vfs/tmpfs/tmpfs.h"
#include "vfs/vfs.h"

#define SETFL_MASK (O_APPEND | O_NONBLOCK | FASYNC | O_DIRECT | O_NOATIME)

/* ---- dup ---- */

int64_t sys_dup(struct regs *regs)
{
	struct file *file = fd_file_any(INT0(regs));

	return file ? fd_install(file, false, 0) : -EBADF;
}

static int64_t dup_to(int old, int new, bool cloexec)
{
	struct file *file = fd_file_any(old);

	return file ? fd_install_at(file, cloexec, new) : -EBADF;
}

int64_t sys_dup2(struct regs *regs)
{
	if (INT0(regs) == INT1(regs)) {
		struct file *file = fd_file_any(INT0(regs));

		if (!file)
			return -EBADF;
		file_put(file);
		return INT0(regs);
	}
	return dup_to(INT0(regs), INT1(regs), false);
}

int64_t sys_dup3(struct regs *regs)
{
	if (INT2(regs) & ~O_CLOEXEC || INT0(regs) == INT1(regs))
		return -EINVAL;
	return dup_to(INT0(regs), INT1(regs), INT2(regs) & O_CLOEXEC);
}

static int64_t range_unshare(void)
{
	struct fd_table *files = current->files, *copy;
	int rc;

	if (files->refs == 1)
		return 0;
	rc = files_clone(files, false, &copy);
	if (rc)
		return rc;
	current->files = copy;
	files_put(files);
	return 0;
}

int64_t sys_close_range(struct regs *regs)
{
	unsigned first = (unsigned)ARG0(regs), last = (unsigned)ARG1(regs), flags = (unsigned)ARG2(regs);
	int64_t rc = 0;

	if (flags & ~(unsigned)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || first > last)
		return -EINVAL;
	if (flags & CLOSE_RANGE_UNSHARE)
		rc = range_unshare();
	if (rc)
		return rc;
	/* The table may grow or shrink while a close sleeps: its size is read each time. */
	for (unsigned fd = first; fd <= last && fd < current->files->size; fd++) {
		if (!current->files->entries[fd].file)
			continue;
		if (flags & CLOSE_RANGE_CLOEXEC)
			current->files->entries[fd].cloexec = true;
		else
			fd_close((int)fd);
	}
	return 0;
}

/* ---- fcntl ---- */

static struct fd_entry *entry_of(int fd)
{
	struct fd_table *files = current->files;

	return (unsigned)fd < files->size && files->entries[fd].file ? &files->entries[fd] : NULL;
}

static int set_status_flags(struct file *file, int fd, unsigned flags)
{
	unsigned changed = (file->flags ^ flags) & (file->ops->async ? SETFL_MASK : SETFL_MASK & ~FASYNC), old = file->flags;
	int rc;

	if (changed & flags & O_NOATIME && file->inode && !inode_owner_or_capable(file->inode))
		return -EPERM;
	rc = changed & FASYNC ? file_async_set(file, fd, flags & FASYNC) : 0;
	if (rc)
		return rc;
	file->flags ^= changed;
	if (!file->ops->set_flags)
		return 0;
	rc = file->ops->set_flags(file, file->flags);
	if (rc) {
		file->flags = old;
		(void)file_async_set(file, fd, old & FASYNC);
	}
	return rc;
}

static int lock_range(struct file *file, const struct flock *user, struct lock_request *request)
{
	int64_t start = 0, end;

	switch (user->l_whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		start = (int64_t)file->pos;
		break;
	case SEEK_END:
		start = (int64_t)file_size(file);
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(start, user->l_start, &start))
		return -EOVERFLOW;
	if (start < 0)
		return -EINVAL;
	if (user->l_len > 0) {
		if (__builtin_add_overflow(start, user->l_len - 1, &end))
			return -EOVERFLOW;
	} else if (user->l_len < 0) {
		end = start - 1;
		if (start + user->l_len < 0)
			return -EINVAL;
		start += user->l_len;
	} else {
		end = -1;
	}
	request->start = (uint64_t)start;
	request->end = (uint64_t)end;
	return 0;
}

static int64_t lock_command(struct file *file, unsigned cmd, uaddr_t arg)
{
	bool ofd = cmd == F_OFD_GETLK || cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW;
	struct lock_request request = {0};
	struct flock user;
	int rc;

	if (copy_from_user(&user, arg, sizeof(user)))
		return -EFAULT;
	if ((user.l_type != F_RDLCK && user.l_type != F_WRLCK && user.l_type != F_UNLCK) || (ofd && user.l_pid))
		return -EINVAL;
	request.type = user.l_type;
	rc = lock_range(file, &user, &request);
	if (rc)
		return rc;
	if (cmd != F_GETLK && cmd != F_OFD_GETLK)
		return vfs_lock_set(file, &request, ofd, cmd == F_SETLKW || cmd == F_OFD_SETLKW);
	if (user.l_type == F_UNLCK)
		return -EINVAL;
	rc = vfs_lock_get(file, &request, ofd);
	if (rc)
		return rc;
	user.l_type = request.type;
	if (request.type != F_UNLCK) {
		user.l_whence = SEEK_SET;
		user.l_start = (__kernel_off_t)request.start;
		user.l_len = request.end == UINT64_MAX ? 0 : (__kernel_off_t)(request.end - request.start + 1);
		user.l_pid = request.pid > 0 ? pid_vnr(request.pid) : request.pid;
	}
	return copy_to_user(arg, &user, sizeof(user));
}

static int64_t owner_ex(struct file *file, unsigned cmd, uaddr_t arg)
{
	struct f_owner_ex owner;

	if (cmd == F_GETOWN_EX) {
		owner.type = file->owner < 0 ? F_OWNER_PGRP : F_OWNER_PID;
		owner.pid = pid_vnr(file->owner < 0 ? -file->owner : file->owner);
		return copy_to_user(arg, &owner, sizeof(owner));
	}
	if (copy_from_user(&owner, arg, sizeof(owner)))
		return -EFAULT;
	switch (owner.type) {
	case F_OWNER_TID:
	case F_OWNER_PID:
		return file_choose_owner(file, owner.pid);
	case F_OWNER_PGRP:
		return file_choose_owner(file, -owner.pid);
	default:
		return -EINVAL;
	}
}

static int64_t owner_command(struct file *file, unsigned cmd, uint64_t arg)
{
	switch (cmd) {
	case F_SETOWN:
		return file_choose_owner(file, (int)arg);
	case F_GETOWN:
		return file->owner;
	case F_SETSIG:
		if (arg > KSIG_MAX)
			return -EINVAL;
		file->owner_signal = (int)arg;
		return 0;
	case F_GETSIG:
		return file->owner_signal;
	default:
		return owner_ex(file, cmd, UADDR(arg));
	}
}

static int64_t fcntl_file(struct file *file, int fd, unsigned cmd, uint64_t arg)
{
	switch (cmd) {
	case F_SETFL:
		return set_status_flags(file, fd, (unsigned)arg);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return lock_command(file, cmd, UADDR(arg));
	case F_SETOWN:
	case F_GETOWN:
	case F_SETSIG:
	case F_GETSIG:
	case F_SETOWN_EX:
	case F_GETOWN_EX:
		return owner_command(file, cmd, arg);
	case F_SETPIPE_SZ:
		return pipe_set_size(file, (uint32_t)arg);
	case F_GETPIPE_SZ:
		return pipe_get_size(file);
	case F_ADD_SEALS:
	case F_GET_SEALS:
		return memfd_seals(file, cmd, (unsigned)arg);
	case F_NOTIFY:
		return dnotify_set(file, fd, arg);
	case F_GETLEASE:
		return F_UNLCK; /* nobody can hold one: F_SETLEASE is refused */
	default:
		return -EINVAL;
	}
}

static int64_t fcntl_any(struct file *file, int fd, unsigned cmd, uint64_t arg)
{
	struct fd_entry *entry = entry_of(fd);

	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		if (arg >= current->process->rlimit[7].cur) /* RLIMIT_NOFILE */
			return -EINVAL;
		file_get(file);
		return fd_install(file, cmd == F_DUPFD_CLOEXEC, (int)arg);
	case F_GETFD:
		return entry && entry->cloexec ? FD_CLOEXEC : 0;
	case F_SETFD:
		if (entry)
			entry->cloexec = arg & FD_CLOEXEC;
		return 0;
	case F_GETFL:
		return file->flags;
	default:
		return file->mode & FILE_PATH ? -EBADF : fcntl_file(file, fd, cmd, arg);
	}
}

int64_t sys_fcntl(struct regs *regs)
{
	struct file *file = fd_file_any(INT0(regs));
	int64_t rc;

	if (!file)
		return -EBADF;
	rc = fcntl_any(file, INT0(regs), (unsigned)ARG1(regs), ARG2(regs));
	file_put(file);
	return rc;
}

/* ---- ioctl ---- */

static int64_t ioctl_nonblock(struct file *file, int fd, uaddr_t arg)
{
	int on;

	if (get_user(on, arg))
		return -EFAULT;
	return set_status_flags(file, fd, on ? file->flags | O_NONBLOCK : file->flags & ~(unsigned)O_NONBLOCK);
}

static int64_t ioctl_async(struct file *file, int fd, uaddr_t arg)
{
	int on;

	if (get_user(on, arg))
		return -EFAULT;
	if (!on != !(file->flags & FASYNC) && !file->ops->async)
		return -ENOTTY;
	return set_status_flags(file, fd, on ? file->flags | FASYNC : file->flags & ~(unsigned)FASYNC);
}

static int64_t ioctl_regular(struct file *file, unsigned cmd, uaddr_t arg)
{
	int64_t left;

	switch (cmd) {
	case FIONREAD:
		left = (int64_t)(inode_size(file->inode) - file->pos);
		return put_user((int)left, arg);
	case FIGETBSZ:
		return put_user((int)file->inode->blksize, arg);
	case FIBMAP: /* where a file lies on a device is known for none */
		return capable(CAP_SYS_RAWIO) ? -EINVAL : -EPERM;
	case FS_IOC_FIEMAP:
		return -EOPNOTSUPP;
	default:
		return -ENOTTY;
	}
}

static int64_t ioctl_file(struct file *file, int fd, unsigned cmd, uint64_t arg)
{
	struct fd_entry *entry = entry_of(fd);

	switch (cmd) {
	case FIOCLEX:
	case FIONCLEX:
		if (entry)
			entry->cloexec = cmd == FIOCLEX;
		return 0;
	case FIONBIO:
		return ioctl_nonblock(file, fd, UADDR(arg));
	case FIOASYNC:
		return ioctl_async(file, fd, UADDR(arg));
	case FIOQSIZE: {
		int64_t size = (int64_t)file_size(file);

		if (!file->inode || !(S_ISREG(file->inode->mode) || S_ISDIR(file->inode->mode) || S_ISLNK(file->inode->mode)))
			return -ENOTTY;
		return put_user(size, UADDR(arg));
	}
	default:
		break;
	}
	if (file->ops->ioctl)
		return file->ops->ioctl(file, cmd, arg);
	if (file->inode && S_ISREG(file->inode->mode))
		return ioctl_regular(file, cmd, UADDR(arg));
	return -ENOTTY;
}

int64_t sys_ioctl(struct regs *regs)
{
	struct file *file = fd_file(INT0(regs));
	int64_t rc;

	if (!file)
		return -EBADF;
	rc = ioctl_file(file, INT0(regs), (unsigned)ARG1(regs), ARG2(regs));
	file_put(file);
	return rc;
}
