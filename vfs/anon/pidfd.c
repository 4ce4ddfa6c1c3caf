/*
 * pidfd_open(2): a file that stands for a process and is readable once it has ended.
 */
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "kernel/namespaces.h"
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

/* -1 once it was waited for, 0 where the reader's namespace does not see it; then its numbers in the namespaces further in. */
static void pidfd_show_fdinfo(struct file *file, char *buf, size_t size)
{
	const struct process *process = file->private;
	const struct pid_ns *reader = current->process->pid_ns, *ns;
	int pid = process->leader ? process_nr(reader, process) : -1;
	size_t used = (size_t)snprintf(buf, size, "Pid:\t%d\nNSpid:\t%d", pid, pid);

	for (unsigned level = reader->level + 1; pid > 0 && level <= process->pid_ns->level; level++) {
		for (ns = process->pid_ns; ns->level > level;)
			ns = ns->parent;
		if (used < size)
			used += (size_t)snprintf(buf + used, size - used, "\t%d", process_nr(ns, process));
	}
	if (used < size)
		snprintf(buf + used, size - used, "\n");
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
