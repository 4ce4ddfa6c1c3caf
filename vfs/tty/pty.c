/*
 * Pseudo-terminals (pty(7)): the master's file, and the far side of the slave's tty.
 *
 * What the slave writes goes to a ring that the master reads; what the master writes is the slave's input. The pair
 * lives while the master or a slave file is open; closing the master hangs the slave up and frees its number, and
 * closing the last slave makes the master's reads end with -EIO until a slave is opened again.
 */
#include <asm/ioctls.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/termios.h>
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/tty.h>

#include "kernel/signal.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "vfs/dev/dev.h"
#include "vfs/tty/tty.h"
#include "vfs/xfer.h"

#define PTY_RING 16384u
#define PTY_CHUNK 256

struct pty {
	struct tty tty; /* the slave */
	struct superblock *devpts; /* where its slave has its name; referenced */
	unsigned number;
	bool locked;    /* until TIOCSPTLCK 0 (unlockpt) */
	char *ring;
	uint32_t head, tail;
	struct waitq master_wait;
	struct mutex master_read_lock;
};

static struct pty *pty_of(struct tty *tty)
{
	return container_of(tty, struct pty, tty);
}

/* ---- the far side of the slave ---- */

static size_t pty_output(struct tty *tty, const char *bytes, size_t n)
{
	struct pty *pty = pty_of(tty);
	size_t room = PTY_RING - (pty->head - pty->tail), at = pty->head % PTY_RING, first;

	n = MIN(n, room);
	first = MIN(n, PTY_RING - at);
	memcpy(pty->ring + at, bytes, first);
	memcpy(pty->ring, bytes + first, n - first);
	pty->head += (uint32_t)n;
	if (n && !waitq_empty(&pty->master_wait))
		waitq_wake(&pty->master_wait, UINT32_MAX, EPOLLIN | EPOLLRDNORM);
	return n;
}

static size_t pty_output_used(struct tty *tty)
{
	struct pty *pty = pty_of(tty);

	return pty->head - pty->tail;
}

static void pty_input_space(struct tty *tty)
{
	waitq_wake(&pty_of(tty)->master_wait, UINT32_MAX, EPOLLOUT | EPOLLWRNORM);
}

/* What was taken is the master's already, as good as read: Linux drops none of it either, but tells. */
static void pty_flush_output(struct tty *tty)
{
	struct pty *pty = pty_of(tty);

	if (tty->packet_mode) {
		tty->packet |= TIOCPKT_FLUSHWRITE;
		waitq_wake_all(&pty->master_wait);
	}
}

static void pty_far_wake(struct tty *tty)
{
	waitq_wake_all(&pty_of(tty)->master_wait);
}

static void pty_destroy(struct tty *tty)
{
	struct pty *pty = pty_of(tty);

	kfree(pty->ring);
	kfree(pty);
}

static const struct tty_ops pty_ops = {
	.output = pty_output,
	.output_used = pty_output_used,
	.input_space = pty_input_space,
	.flush_output = pty_flush_output,
	.far_wake = pty_far_wake,
	.destroy = pty_destroy,
};

/* ---- the master's file ---- */

static bool master_has_input(const struct pty *pty)
{
	return pty->head != pty->tail || pty->tty.packet;
}

static int64_t master_take(struct pty *pty, struct xfer *to, size_t n)
{
	size_t done = 0;
	uint8_t status;

	if (pty->tty.packet_mode) {
		status = pty->tty.packet;
		pty->tty.packet = 0;
		if (!xfer_to(to, &status, 1))
			return -EFAULT;
		if (status || n == 1)
			return 1;
		done = 1;
	}
	while (done < n && pty->head != pty->tail) {
		size_t at = pty->tail % PTY_RING, part = MIN(n - done, (size_t)(pty->head - pty->tail)), copied;

		part = MIN(part, PTY_RING - at);
		copied = xfer_to(to, pty->ring + at, part);
		pty->tail += (uint32_t)MIN(copied, (size_t)(pty->head - pty->tail)); /* a flush may have come between */
		done += copied;
		if (copied < part)
			break;
	}
	if (pty->head == pty->tail)
		waitq_wake(&pty->tty.write_wait, UINT32_MAX, EPOLLOUT | EPOLLWRNORM);
	return done ? (int64_t)done : -EFAULT;
}

static int64_t master_do_read(struct file *file, struct xfer to, size_t n)
{
	struct pty *pty = file->private;
	int64_t rc;

	if (n == 0)
		return 0;
	mutex_lock(&pty->master_read_lock);
	while (!master_has_input(pty)) {
		mutex_unlock(&pty->master_read_lock);
		if (pty->tty.closed)
			return -EIO;
		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event(&pty->master_wait, master_has_input(pty) || pty->tty.closed, DEADLINE_NONE, true))
			return -ERESTARTSYS;
		mutex_lock(&pty->master_read_lock);
	}
	rc = master_take(pty, &to, n);
	mutex_unlock(&pty->master_read_lock);
	return rc;
}

/* The line takes n more characters without throttling us (a too long line drops them, so it takes them). */
static bool master_can_write(const struct pty *pty)
{
	return tty_input_room(&pty->tty) > 0 ||
	       (pty->tty.termios.c_lflag & ICANON && pty->tty.canon_head == pty->tty.in_tail);
}

static int64_t master_do_write(struct file *file, struct xfer from, size_t n)
{
	struct pty *pty = file->private;
	char chunk[PTY_CHUNK];
	size_t done = 0;

	while (done < n) {
		size_t part = xfer_from(&from, chunk, MIN(n - done, sizeof(chunk))), taken = 0;

		if (!part)
			return done ? (int64_t)done : -EFAULT;
		for (;;) {
			taken += tty_input(&pty->tty, chunk + taken, part - taken);
			if (taken == part)
				break;
			if (file->flags & O_NONBLOCK)
				return done + taken ? (int64_t)(done + taken) : -EAGAIN;
			if (wait_event(&pty->master_wait, master_can_write(pty), DEADLINE_NONE, true))
				return done + taken ? (int64_t)(done + taken) : -ERESTARTSYS;
		}
		done += part;
	}
	return (int64_t)done;
}

static int64_t master_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos)
{
	return master_do_read(file, XFER_USER(to), n);
}

static int64_t master_write(struct file *file, uaddr_t from, size_t n, uint64_t *pos)
{
	return master_do_write(file, XFER_USER(from), n);
}

static int64_t master_read_kernel(struct file *file, void *to, size_t n, uint64_t *pos)
{
	return master_do_read(file, XFER_KERNEL(to), n);
}

static int64_t master_write_kernel(struct file *file, const void *from, size_t n, uint64_t *pos)
{
	return master_do_write(file, XFER_KERNEL(from), n);
}

static uint32_t master_poll(struct file *file, struct poll_waiter *waiter)
{
	struct pty *pty = file->private;
	uint32_t events = 0;

	poll_add(waiter, &pty->master_wait);
	if (master_has_input(pty))
		events |= EPOLLIN | EPOLLRDNORM;
	if (pty->tty.packet)
		events |= EPOLLPRI;
	if (master_can_write(pty))
		events |= EPOLLOUT | EPOLLWRNORM;
	if (pty->tty.closed)
		events |= EPOLLHUP;
	return events;
}

/* TIOCGPTPEER: a descriptor of the slave, whatever the caller sees at /dev/pts. */
static int64_t open_peer(struct pty *pty, unsigned flags)
{
	struct path path;
	struct file *file;
	int rc = devpts_path(pty->devpts, pty->number, &path);

	if (rc)
		return rc;
	rc = vfs_open_path(&path, flags & (O_ACCMODE | O_NONBLOCK | O_NOCTTY), &file);
	path_put(&path);
	return rc ? rc : fd_install(file, flags & O_CLOEXEC, 0);
}

static int64_t signal_slave(struct pty *pty, uint64_t signo)
{
	if (signo != SIGINT && signo != SIGQUIT && signo != SIGTSTP)
		return -EINVAL;
	tty_signal_foreground(&pty->tty, (int)signo);
	return 0;
}

static int64_t master_ioctl(struct file *file, unsigned cmd, uint64_t arg)
{
	struct pty *pty = file->private;
	int value;

	switch (cmd) {
	case TIOCGPTN:
		return put_user(pty->number, UADDR(arg));
	case TIOCSPTLCK:
		if (get_user(value, UADDR(arg)))
			return -EFAULT;
		pty->locked = value;
		return 0;
	case TIOCGPTLCK:
		return put_user((int)pty->locked, UADDR(arg));
	case TIOCGPTPEER:
		return open_peer(pty, (unsigned)arg);
	case TIOCPKT:
		if (get_user(value, UADDR(arg)))
			return -EFAULT;
		pty->tty.packet_mode = value;
		pty->tty.packet = 0;
		return 0;
	case TIOCGPKT:
		return put_user((int)pty->tty.packet_mode, UADDR(arg));
	case TIOCSIG:
		return signal_slave(pty, arg);
	case FIONREAD:
		return put_user((int)(pty->head - pty->tail), UADDR(arg));
	default:
		return tty_ioctl(&pty->tty, file, true, cmd, arg);
	}
}

static void master_release(struct file *file)
{
	struct pty *pty = file->private;

	if (!pty)
		return;
	devpts_remove(pty->devpts, pty->number);
	tty_hangup(&pty->tty);
	tty_put(&pty->tty);
}

static const struct file_ops master_file_ops = {
	.read = master_read,
	.write = master_write,
	.read_kernel = master_read_kernel,
	.write_kernel = master_write_kernel,
	.poll = master_poll,
	.async = true,
	.ioctl = master_ioctl,
	.release = master_release,
};

int pty_open_master(struct inode *inode, struct file *file)
{
	struct pty *pty = kzalloc(sizeof(*pty));
	int number;

	file->private = NULL;
	if (!pty)
		return -ENOMEM;
	pty->ring = kmalloc(PTY_RING);
	if (!pty->ring) {
		kfree(pty);
		return -ENOMEM;
	}
	tty_init(&pty->tty, &pty_ops, 0);
	waitq_init(&pty->master_wait);
	mutex_init(&pty->master_read_lock);
	pty->locked = true;
	pty->devpts = devpts_for(file);
	number = pty->devpts ? devpts_add(pty->devpts, &pty->tty) : -ENOMEM;
	if (number < 0) {
		tty_put(&pty->tty);
		return number;
	}
	pty->number = (unsigned)number;
	file->ops = &master_file_ops;
	file->private = pty;
	file->mode |= FILE_STREAM;
	return 0;
}

int pty_open_slave(struct inode *inode, struct file *file)
{
	struct tty *tty = devpts_find(inode);

	file->private = NULL;
	if (!tty)
		return -EIO;
	if (tty->ops == &pty_ops && pty_of(tty)->locked)
		return -EIO;
	return tty_attach_file(tty, file);
}
