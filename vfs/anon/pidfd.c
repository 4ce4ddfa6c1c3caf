/*
 * pidfd_open(2): a file that stands for a process and is readable once it has ended.
 */
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "kernel/task.h"
#include "ring0/lib.h"
#include "vfs/anon/anon.h"

static uint32_t pidfd_poll(struct file *file, struct poll_waiter *waiter)
{
	struct process *process = file->private;

	poll_add(waiter, &process->pidfd_waiters);
	return process->zombie || process->threads == 0 ? EPOLLIN | EPOLLRDNORM : 0;
}

static void pidfd_release(struct file *file)
{
	process_put(file->private);
}

static void pidfd_show_fdinfo(struct file *file, char *buf, size_t size)
{
	const struct process *process = file->private;
	int pid = process->threads || process->zombie ? pid_vnr(process->pid) : -1;

	snprintf(buf, size, "Pid:\t%d\nNSpid:\t%d\n", pid, pid);
}

static const struct file_ops pidfd_file_ops = {
	.poll = pidfd_poll,
	.release = pidfd_release,
	.show_fdinfo = pidfd_show_fdinfo,
};

int pidfd_create(struct process *process, unsigned flags, struct file **file)
{
	*file = file_create_anon("pidfd", &pidfd_file_ops, O_RDWR | (flags & O_NONBLOCK), process);
	if (!*file)
		return -ENOMEM;
	process_get(process);
	(*file)->mode |= FILE_STREAM;
	return 0;
}

struct process *pidfd_process(const struct file *file)
{
	return file->ops == &pidfd_file_ops ? file->private : NULL;
}
