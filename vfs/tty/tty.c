/*
 * Open files on a terminal line: read, write, poll, close (tty(4), termios(3)).
 *
 * Reads and writes are serialised by sleeping locks of the tty, taken for the copy and the buffer only and not
 * while waiting for input. User memory is copied through a small buffer on the stack.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "kernel/ktime.h"
#include "kernel/signal.h"
#include "ring0/clock.h"
#include "ring0/lib.h"
#include "vfs/tty/tty.h"
#include "vfs/xfer.h"

#define TTY_CHUNK 256
#define NS_PER_TENTH (NS_PER_S / 10)

void tty_init(struct tty *tty, const struct tty_ops *ops, uint64_t rdev)
{
	memset(tty, 0, sizeof(*tty));
	tty->refs = 1;
	tty->ops = ops;
	tty->rdev = rdev;
	tty_default_settings(&tty->termios);
	mutex_init(&tty->read_lock);
	mutex_init(&tty->write_lock);
	waitq_init(&tty->read_wait);
	waitq_init(&tty->write_wait);
}

uint64_t tty_number(const struct tty *tty)
{
	return tty->rdev;
}

void tty_get(struct tty *tty)
{
	tty->refs++;
}

void tty_put(struct tty *tty)
{
	if (--tty->refs)
		return;
	if (tty->session) {
		tty->session->tty = NULL;
		session_put(tty->session);
	}
	if (tty->ops->destroy)
		tty->ops->destroy(tty);
	else
		kfree(tty);
}

int tty_attach_file(struct tty *tty, struct file *file)
{
	struct process *process = current->process;

	if (tty->hung_up)
		return -EIO;
	if (tty->exclusive && !capable(CAP_SYS_ADMIN))
		return -EBUSY;
	tty_get(tty);
	tty->opens++;
	tty->closed = false;
	file->ops = &tty_file_ops;
	file->private = tty;
	file->mode |= FILE_STREAM;
	if (!(file->flags & O_NOCTTY) && process && process->session && process->pid == process->session->sid &&
	    !process->session->tty && !tty->session)
		tty_set_controlling(tty);
	return 0;
}

void tty_hangup(struct tty *tty)
{
	tty->hung_up = true;
	if (tty->session) {
		struct session *session = tty->session;
		struct process *leader = process_find_global(session->sid);

		if (leader) {
			struct ksiginfo info = {.signo = SIGHUP, .code = SI_KERNEL}; /* nobody's: perhaps the idle task runs */

			signal_send_process(leader, &info);
			info.signo = SIGCONT;
			signal_send_process(leader, &info);
		}
		session->hung_pgrp = tty->pgrp;
		session->tty = NULL;
		tty->session = NULL;
		tty->pgrp = 0;
		session_put(session);
	}
	waitq_wake_all(&tty->read_wait);
	waitq_wake_all(&tty->write_wait);
}

/* ---- read ---- */

/* Wait for input as VMIN and VTIME say; have: bytes this read got already. 1: there is some; 0: give up; -errno. */
static int read_wait(struct tty *tty, const struct file *file, size_t have, size_t want)
{
	bool canonical = tty->termios.c_lflag & ICANON;
	unsigned min = tty->termios.c_cc[VMIN], time = tty->termios.c_cc[VTIME];
	uint64_t deadline = DEADLINE_NONE;
	int rc;

	if (tty_input_count(tty))
		return 1;
	if (tty->hung_up)
		return 0;
	if (!canonical) {
		if (have >= MIN((size_t)min, want) && (have || !min) && !(time && !min && !have))
			return 0;
		if (time && (!min || have))
			deadline = clock_monotonic() + time * NS_PER_TENTH;
		if (!min && !time)
			return 0;
	} else if (have) {
		return 0;
	}
	if (file->flags & O_NONBLOCK)
		return have ? 0 : -EAGAIN;
	rc = wait_event(&tty->read_wait, tty_input_count(tty) || tty->hung_up, deadline, true);
	if (rc == -ETIMEDOUT)
		return 0;
	if (rc)
		return have ? 0 : -ERESTARTSYS;
	return 1;
}

static int64_t tty_do_read(struct file *file, struct xfer to, size_t n)
{
	struct tty *tty = file->private;
	char chunk[TTY_CHUNK];
	size_t done = 0;
	bool end = false;
	int rc;

	if (n == 0)
		return 0;
	while (done < n && !end) {
		size_t got;

		rc = tty_check_background(tty, SIGTTIN);
		if (rc)
			return done ? (int64_t)done : rc;
		rc = read_wait(tty, file, done, n);
		if (rc <= 0)
			return done ? (int64_t)done : rc;
		if (!tty_input_count(tty)) {
			if (tty->hung_up)
				break;
			continue;
		}
		got = tty_input_take(tty, chunk, MIN(n - done, sizeof(chunk)), &end);
		if (xfer_to(&to, chunk, got) != got)
			return done ? (int64_t)done : -EFAULT;
		done += got;
	}
	return (int64_t)done;
}

static int64_t tty_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos)
{
	return tty_do_read(file, XFER_USER(to), n);
}

static int64_t tty_read_kernel(struct file *file, void *to, size_t n, uint64_t *pos)
{
	return tty_do_read(file, XFER_KERNEL(to), n);
}

/* ---- write ---- */

/* One chunk that is in sentry memory. The write lock is held. Bytes taken or -errno; waits for room. */
static int64_t write_chunk(struct tty *tty, const struct file *file, const char *chunk, size_t n)
{
	size_t done = 0;

	for (;;) {
		if (tty->hung_up)
			return -EIO;
		done += tty_output(tty, chunk + done, n - done);
		if (done == n)
			return (int64_t)done;
		if (file->flags & O_NONBLOCK)
			return done ? (int64_t)done : -EAGAIN;
		if (wait_event(&tty->write_wait, tty->hung_up || (!tty->stopped && tty->ops->output_used(tty) == 0),
			    DEADLINE_NONE, true))
			return done ? (int64_t)done : -ERESTARTSYS;
	}
}

static int64_t tty_do_write(struct file *file, struct xfer from, size_t n)
{
	struct tty *tty = file->private;
	char chunk[TTY_CHUNK];
	size_t done = 0;
	int64_t rc = 0;

	if (tty->termios.c_lflag & TOSTOP) {
		rc = tty_check_background(tty, SIGTTOU);
		if (rc)
			return rc;
	}
	mutex_lock(&tty->write_lock);
	while (done < n) {
		size_t part = xfer_from(&from, chunk, MIN(n - done, sizeof(chunk)));

		if (!part) {
			rc = -EFAULT;
			break;
		}
		rc = write_chunk(tty, file, chunk, part);
		if (rc < 0)
			break;
		done += (size_t)rc;
		if ((size_t)rc < part)
			break;
	}
	if (tty->sync_output && !(file->flags & O_NONBLOCK))
		(void)tty_wait_drained(tty);
	mutex_unlock(&tty->write_lock);
	return done ? (int64_t)done : rc;
}

static int64_t tty_write(struct file *file, uaddr_t from, size_t n, uint64_t *pos)
{
	return tty_do_write(file, XFER_USER(from), n);
}

static int64_t tty_write_kernel(struct file *file, const void *from, size_t n, uint64_t *pos)
{
	return tty_do_write(file, XFER_KERNEL(from), n);
}

static uint32_t tty_poll(struct file *file, struct poll_waiter *waiter)
{
	struct tty *tty = file->private;
	uint32_t events = 0;

	poll_add(waiter, &tty->read_wait);
	poll_add(waiter, &tty->write_wait);
	if (tty->hung_up)
		return EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM | EPOLLERR | EPOLLHUP;
	if (tty_input_ready(tty))
		events |= EPOLLIN | EPOLLRDNORM;
	if (!tty->stopped && tty->ops->output_used(tty) < TTY_INPUT_SIZE)
		events |= EPOLLOUT | EPOLLWRNORM;
	return events;
}

static int64_t tty_file_ioctl(struct file *file, unsigned cmd, uint64_t arg)
{
	return tty_ioctl(file->private, file, false, cmd, arg);
}

static void tty_release(struct file *file)
{
	struct tty *tty = file->private;

	if (!tty)
		return;
	if (--tty->opens == 0) {
		tty->closed = true;
		tty->exclusive = false;
		if (tty->ops->far_wake)
			tty->ops->far_wake(tty);
	}
	tty_put(tty);
}

const struct file_ops tty_file_ops = {
	.read = tty_read,
	.write = tty_write,
	.read_kernel = tty_read_kernel,
	.write_kernel = tty_write_kernel,
	.poll = tty_poll,
	.async = true,
	.ioctl = tty_file_ioctl,
	.release = tty_release,
};
