/*
 * signalfd(2): take pending signals by reading.
 *
 * Always about the signals of the task that reads or polls, as on Linux, whoever made the file.
 */
#include <asm/signal.h>
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/signalfd.h>

#include "kernel/task.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "vfs/anon/anon.h"

struct signalfd {
	sigset64 mask; /* what is taken */
};

static const struct file_ops signalfd_file_ops;

static void signalfd_fill(struct signalfd_siginfo *out, const struct ksiginfo *info)
{
	*out = (struct signalfd_siginfo){
		.ssi_signo = (uint32_t)info->signo,
		.ssi_errno = info->err,
		.ssi_code = info->code,
		.ssi_pid = (uint32_t)info->pid,
		.ssi_uid = info->uid,
		.ssi_fd = info->fd,
		.ssi_tid = (uint32_t)info->timer_id,
		.ssi_band = (uint32_t)info->band,
		.ssi_overrun = (uint32_t)info->overrun,
		.ssi_status = info->status,
		.ssi_int = (int32_t)info->value,
		.ssi_ptr = info->value,
		.ssi_utime = (uint64_t)info->utime,
		.ssi_stime = (uint64_t)info->stime,
		.ssi_addr = info->addr,
		.ssi_addr_lsb = (uint16_t)info->addr_lsb,
		.ssi_syscall = info->syscall,
		.ssi_call_addr = info->addr,
		.ssi_arch = info->arch,
	};
}

static int64_t signalfd_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos)
{
	struct signalfd *s = file->private;
	struct signalfd_siginfo out;
	struct ksiginfo info;
	size_t done = 0;

	if (n < sizeof(out))
		return -EINVAL;
	while (n - done >= sizeof(out)) {
		if (!signal_dequeue(current, s->mask, &info)) {
			if (done)
				break;
			if (file->flags & O_NONBLOCK)
				return -EAGAIN;
			if (wait_event(&current->process->sighand->signalfd_waiters,
				    signal_pending_set(current) & s->mask, DEADLINE_NONE, true))
				return -ERESTARTSYS;
			continue;
		}
		signalfd_fill(&out, &info);
		if (copy_to_user(uaddr_add(to, done), &out, sizeof(out)))
			return done ? (int64_t)done : -EFAULT;
		done += sizeof(out);
	}
	return (int64_t)done;
}

static uint32_t signalfd_poll(struct file *file, struct poll_waiter *waiter)
{
	struct signalfd *s = file->private;

	poll_add(waiter, &current->process->sighand->signalfd_waiters);
	return signal_pending_set(current) & s->mask ? EPOLLIN : 0;
}

static void signalfd_release(struct file *file)
{
	kfree(file->private);
}

static void signalfd_show_fdinfo(struct file *file, char *buf, size_t size)
{
	struct signalfd *s = file->private;

	snprintf(buf, size, "sigmask:\t%016lx\n", (unsigned long)s->mask);
}

static const struct file_ops signalfd_file_ops = {
	.read = signalfd_read,
	.poll = signalfd_poll,
	.release = signalfd_release,
	.show_fdinfo = signalfd_show_fdinfo,
};

#define SIGNALFD_NEVER (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))

int signalfd_create(sigset64 mask, unsigned flags, struct file **file)
{
	struct signalfd *s;

	if (flags & ~(unsigned)(SFD_CLOEXEC | SFD_NONBLOCK))
		return -EINVAL;
	s = kzalloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->mask = mask & ~SIGNALFD_NEVER;
	*file = file_create_anon("signalfd", &signalfd_file_ops, O_RDWR | (flags & SFD_NONBLOCK), s);
	if (!*file) {
		kfree(s);
		return -ENOMEM;
	}
	(*file)->mode |= FILE_STREAM;
	return 0;
}

int signalfd_set_mask(struct file *file, sigset64 mask)
{
	struct signalfd *s = file->private;

	if (file->ops != &signalfd_file_ops)
		return -EINVAL;
	s->mask = mask & ~SIGNALFD_NEVER;
	waitq_wake_all(&current->process->sighand->signalfd_waiters);
	return 0;
}
