/*
 * What programs wait on: pipe, eventfd, timerfd, signalfd, epoll, inotify and pidfd calls.
 *
 * Shells only: arguments in, one call of vfs/pipe or vfs/anon, the result out. A new file becomes a descriptor as
 * the last step, so nothing has to be taken back but that descriptor itself.
 */
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "kernel/ktime.h"
#include "kernel/signal.h"
#include "kernel/task.h"
#include "ring0/clock.h"
#include "syscalls/syscalls.h"
#include "vfs/anon/anon.h"
#include "vfs/pipe/pipe.h"

#define SIGSET_SIZE 8

/* Takes over the file of a successful creation. */
static int64_t install(int rc, struct file *file, unsigned flags)
{
	return rc ? rc : fd_install(file, flags & O_CLOEXEC, 0);
}

static int64_t pipe_make(uaddr_t user, unsigned flags)
{
	struct file *files[2];
	int rc;

	if (flags & ~(unsigned)(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	rc = pipe_create(files, flags);
	return rc ? rc : fd_install_pair(files, flags & O_CLOEXEC, user);
}

int64_t sys_pipe(struct regs *regs)
{
	return pipe_make(PTR0(regs), 0);
}

int64_t sys_pipe2(struct regs *regs)
{
	return pipe_make(PTR0(regs), (unsigned)ARG1(regs));
}

/* ---- eventfd ---- */

int64_t sys_eventfd(struct regs *regs)
{
	struct file *file;
	int rc = eventfd_create((unsigned)ARG0(regs), 0, &file);

	return install(rc, file, 0);
}

int64_t sys_eventfd2(struct regs *regs)
{
	struct file *file;
	int rc = eventfd_create((unsigned)ARG0(regs), (unsigned)ARG1(regs), &file);

	return install(rc, file, (unsigned)ARG1(regs));
}

/* ---- timerfd ---- */

int64_t sys_timerfd_create(struct regs *regs)
{
	struct file *file;
	int rc = timerfd_new(INT0(regs), (unsigned)ARG1(regs), &file);

	return install(rc, file, (unsigned)ARG1(regs));
}

static int timerfd_copy_out(uaddr_t user, const struct timerfd_times *times)
{
	int rc = ktime_to_user(user, times->interval);

	return rc ? rc : ktime_to_user(uaddr_add(user, sizeof(struct __kernel_timespec)), times->value);
}

int64_t sys_timerfd_settime(struct regs *regs)
{
	struct timerfd_times times, old;
	struct file *file;
	int64_t rc = ktime_from_user(PTR2(regs), &times.interval);

	if (!rc)
		rc = ktime_from_user(uaddr_add(PTR2(regs), sizeof(struct __kernel_timespec)), &times.value);
	if (rc)
		return rc;
	file = fd_file(INT0(regs));
	if (!file)
		return -EBADF;
	rc = timerfd_set(file, (unsigned)ARG1(regs), &times, &old);
	file_put(file);
	if (!rc && ARG3(regs))
		rc = timerfd_copy_out(PTR3(regs), &old);
	return rc;
}

int64_t sys_timerfd_gettime(struct regs *regs)
{
	struct timerfd_times now;
	struct file *file = fd_file(INT0(regs));
	int64_t rc;

	if (!file)
		return -EBADF;
	rc = timerfd_get(file, &now);
	file_put(file);
	return rc ? rc : timerfd_copy_out(PTR1(regs), &now);
}

/* ---- signalfd ---- */

static int64_t signalfd_make(struct regs *regs, unsigned flags)
{
	struct file *file;
	sigset64 mask;
	int rc;

	if (ARG2(regs) != SIGSET_SIZE)
		return -EINVAL;
	if (get_user(mask, PTR1(regs)))
		return -EFAULT;
	if (INT0(regs) == -1) {
		rc = signalfd_create(mask, flags, &file);
		return install(rc, file, flags);
	}
	if (flags & ~(unsigned)(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	file = fd_file(INT0(regs));
	if (!file)
		return -EBADF;
	rc = signalfd_set_mask(file, mask);
	file_put(file);
	return rc ? rc : INT0(regs);
}

int64_t sys_signalfd(struct regs *regs)
{
	return signalfd_make(regs, 0);
}

int64_t sys_signalfd4(struct regs *regs)
{
	return signalfd_make(regs, (unsigned)ARG3(regs));
}

/* ---- epoll ---- */

int64_t sys_epoll_create(struct regs *regs)
{
	struct file *file;
	int rc;

	if (INT0(regs) <= 0)
		return -EINVAL;
	rc = epoll_set_create(0, &file);
	return install(rc, file, 0);
}

int64_t sys_epoll_create1(struct regs *regs)
{
	struct file *file;
	int rc = epoll_set_create((unsigned)ARG0(regs), &file);

	return install(rc, file, (unsigned)ARG0(regs));
}

int64_t sys_epoll_ctl(struct regs *regs)
{
	struct epoll_event event = {.events = 0};
	struct file *file;
	int rc;

	if (INT1(regs) != EPOLL_CTL_DEL && get_user(event, PTR3(regs)))
		return -EFAULT;
	file = fd_file(INT0(regs));
	if (!file)
		return -EBADF;
	rc = epoll_control(file, INT1(regs), INT2(regs), &event);
	file_put(file);
	return rc;
}

static int64_t epoll_wait_do(struct regs *regs, uint64_t deadline)
{
	struct file *file = fd_file(INT0(regs));
	int64_t rc;

	if (!file)
		return -EBADF;
	rc = epoll_wait_events(file, PTR1(regs), INT2(regs), deadline);
	file_put(file);
	return rc;
}

static uint64_t deadline_from_ms(int timeout)
{
	if (timeout < 0)
		return DEADLINE_NONE;
	return timeout ? clock_monotonic() + (uint64_t)timeout * 1000000u : 0;
}

int64_t sys_epoll_wait(struct regs *regs)
{
	return epoll_wait_do(regs, deadline_from_ms(INT3(regs)));
}

int64_t sys_epoll_pwait(struct regs *regs)
{
	int64_t rc = signal_mask_set_temporary_user(PTR4(regs), ARG5(regs));

	if (rc)
		return rc;
	rc = epoll_wait_do(regs, deadline_from_ms(INT3(regs)));
	signal_mask_restore(rc == -EINTR);
	return rc;
}

int64_t sys_epoll_pwait2(struct regs *regs)
{
	uint64_t deadline;
	int64_t rc = ktime_deadline_from_user(PTR3(regs), &deadline);

	if (!rc)
		rc = signal_mask_set_temporary_user(PTR4(regs), ARG5(regs));
	if (rc)
		return rc;
	rc = epoll_wait_do(regs, deadline);
	signal_mask_restore(rc == -EINTR);
	return rc;
}

/* ---- inotify ---- */

int64_t sys_inotify_init(struct regs *regs)
{
	struct file *file;
	int rc = inotify_create(0, &file);

	return install(rc, file, 0);
}

int64_t sys_inotify_init1(struct regs *regs)
{
	struct file *file;
	int rc = inotify_create((unsigned)ARG0(regs), &file);

	return install(rc, file, (unsigned)ARG0(regs));
}

int64_t sys_inotify_add_watch(struct regs *regs)
{
	uint32_t mask = (uint32_t)ARG2(regs);
	unsigned flags = (mask & IN_DONT_FOLLOW ? 0 : LOOKUP_FOLLOW) | (mask & IN_ONLYDIR ? LOOKUP_DIRECTORY : 0);
	struct file *file;
	struct path path;
	char *name;
	int rc = 0;

	name = path_from_user(PTR1(regs), false, &rc);
	if (!name)
		return rc;
	rc = path_lookup(AT_FDCWD, name, flags, &path);
	kfree(name);
	if (rc)
		return rc;
	file = fd_file(INT0(regs));
	rc = file ? inode_permission(path.dentry->inode, MAY_READ) : -EBADF;
	if (!rc)
		rc = inotify_watch_add(file, path.dentry->inode, mask);
	if (file)
		file_put(file);
	path_put(&path);
	return rc;
}

int64_t sys_inotify_rm_watch(struct regs *regs)
{
	struct file *file = fd_file(INT0(regs));
	int rc;

	if (!file)
		return -EBADF;
	rc = inotify_watch_remove(file, INT1(regs));
	file_put(file);
	return rc;
}

/* ---- pidfd ---- */

int64_t sys_pidfd_open(struct regs *regs)
{
	unsigned flags = (unsigned)ARG1(regs);
	struct process *process;
	struct file *file;
	int rc;

	if (flags & ~(unsigned)O_NONBLOCK || INT0(regs) <= 0)
		return -EINVAL;
	process = process_find(INT0(regs));
	if (!process)
		return task_find(INT0(regs)) ? -EINVAL : -ESRCH;
	rc = pidfd_create(process, flags, &file);
	return install(rc, file, O_CLOEXEC);
}
