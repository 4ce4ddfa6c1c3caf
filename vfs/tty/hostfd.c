/*
 * Standard input, output and error on donated host descriptors, see vfs/tty/hostfd.h.
 *
 * The host reads and writes for us by ring requests, which cannot be taken back. So the buffers belong to the
 * struct hostfd and not to the caller: a read that a signal interrupts leaves its request running, and what it
 * brings goes to the next reader; a write that is interrupted counts the chunk under way as written, because it
 * will be. No more is asked of the host than the reader asked for, since others may read the same stream there.
 * States of each direction: idle -> busy (a request is with the host) -> idle; input: then bytes, end or an error.
 */
#include <asm/ioctls.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/termbits.h>
#include <asm/termios.h>
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "kernel/signal.h"
#include "platform/abi/abi.h"
#include "platform/abi/control.h"
#include "ring0/clock.h"
#include "ring0/lib.h"
#include "ring0/memory.h"
#include "ring0/usercopy.h"
#include "vfs/poll.h"
#include "vfs/tty/hostfd.h"
#include "vfs/xfer.h"

#define HOSTFD_BUFFER 65536u
#define HOSTFD_BUFFER_ORDER 4
#define HOSTFD_POLL_GRACE 2000000ull /* ns that a poll waits for the host's first answer */

struct hostfd {
	TAILQ_ENTRY(hostfd) link;
	unsigned index;
	unsigned files;   /* open ones; none left: the host is told to close, and the rest ends with its last request */
	struct abi_stat stat;
	struct inode *inode;
	struct hostring_request read_request, write_request, poll_request;
	char *in, *out;
	uint32_t in_start, in_end; /* bytes of `in` that nobody has read yet */
	bool reading, writing, polling;
	bool end;              /* the host said: end of file */
	int in_error, out_error;
	uint32_t ready;        /* EPOLL* bits of the last poll answer, dropped when bytes are taken */
	struct mutex write_lock;
	struct waitq read_wait, write_wait;
};

static TAILQ_HEAD(, hostfd) hostfds = TAILQ_HEAD_INITIALIZER(hostfds);

/* The last file was closed and no request uses the buffers any more. */
static void hostfd_free_if_unused(struct hostfd *h)
{
	if (h->files || h->reading || h->writing || h->polling)
		return;
	kpages_free(h->in);
	kpages_free(h->out);
	kfree(h);
}

static void hostfd_read_done(struct hostring_request *request, int64_t res, uint64_t extra)
{
	struct hostfd *h = container_of(request, struct hostfd, read_request);

	h->reading = false;
	h->in_start = 0;
	h->in_end = res > 0 ? (uint32_t)MIN(res, (int64_t)HOSTFD_BUFFER) : 0;
	h->end = res == 0;
	h->in_error = res < 0 ? (int)res : 0;
	waitq_wake_all(&h->read_wait);
	hostfd_free_if_unused(h);
}

static void hostfd_write_done(struct hostring_request *request, int64_t res, uint64_t extra)
{
	struct hostfd *h = container_of(request, struct hostfd, write_request);

	h->writing = false;
	h->out_error = res < 0 ? (int)res : 0;
	waitq_wake_all(&h->write_wait);
	hostfd_free_if_unused(h);
}

static void hostfd_poll_done(struct hostring_request *request, int64_t res, uint64_t extra)
{
	struct hostfd *h = container_of(request, struct hostfd, poll_request);

	h->polling = false;
	h->ready = res > 0 ? (uint32_t)res : EPOLLIN;
	waitq_wake_all(&h->read_wait);
	hostfd_free_if_unused(h);
}

static int hostfd_submit(struct hostfd *h, unsigned op, const char *buffer, size_t n, struct hostring_request *request)
{
	struct abi_sqe sqe = {.op = op, .fd = h->index, .len = n, .offset = ~0ull, .arg = EPOLLIN};

	if (buffer)
		sqe.gpa = va_to_pa(buffer);
	return hostring_submit(&sqe, request);
}

/* Bytes, an end or an error are here, or can be asked for. */
static bool hostfd_answered(const struct hostfd *h)
{
	return h->in_start != h->in_end || h->end || h->in_error || !h->reading;
}

/* Hand out what the last request brought. May sleep in the copy. */
static int64_t hostfd_take(struct hostfd *h, struct xfer *to, size_t n)
{
	uint32_t start = h->in_start, end = h->in_end;
	size_t done;

	n = MIN(n, (size_t)(end - start));
	h->in_start = start + (uint32_t)n; /* claimed before the copy, which may sleep */
	done = xfer_to(to, h->in + start, n);
	return done ? (int64_t)done : -EFAULT;
}

static int64_t hostfd_do_read(struct file *file, struct xfer to, size_t n)
{
	struct hostfd *h = file->private;
	bool nonblock = file->flags & O_NONBLOCK;
	int64_t rc;

	if (n == 0)
		return 0;
	for (;;) {
		if (h->in_start != h->in_end)
			return hostfd_take(h, &to, n);
		if (h->in_error) {
			rc = h->in_error;
			h->in_error = 0;
			return rc;
		}
		if (h->end) {
			h->end = h->stat.kind == ABI_FILE_STREAM; /* a terminal or a growing file may go on */
			h->ready = 0;
			return 0;
		}
		if (nonblock && !h->ready && !h->reading && !(file_poll(file, NULL) & EPOLLIN))
			return -EAGAIN;
		if (!h->reading) {
			h->reading = true;
			h->ready = 0;
			rc = hostfd_submit(h, ABI_RING_read, h->in, MIN(n, (size_t)HOSTFD_BUFFER), &h->read_request);
			if (rc) {
				h->reading = false;
				return rc;
			}
		} else if (nonblock) {
			return -EAGAIN;
		}
		if (wait_event(&h->read_wait, hostfd_answered(h), DEADLINE_NONE, true))
			return -ERESTARTSYS;
	}
}

static int64_t hostfd_write_error(struct hostfd *h)
{
	int error = h->out_error;

	h->out_error = 0;
	if (error == -EPIPE) {
		struct ksiginfo info;

		signal_make_kill_info(&info, SIGPIPE, SI_USER);
		signal_send_task(current, &info);
	}
	return error;
}

/* One chunk to the host. The write lock is held. Bytes, or -errno and nothing was written. */
static int64_t hostfd_write_chunk(struct hostfd *h, struct xfer *from, size_t n)
{
	size_t done;
	int64_t rc;

	if (wait_event(&h->write_wait, !h->writing, DEADLINE_NONE, true))
		return -ERESTARTSYS; /* somebody's interrupted chunk is still under way */
	if (h->out_error)
		return hostfd_write_error(h);
	done = xfer_from(from, h->out, MIN(n, (size_t)HOSTFD_BUFFER));
	if (!done)
		return -EFAULT;
	h->writing = true;
	rc = hostfd_submit(h, ABI_RING_write, h->out, done, &h->write_request);
	if (rc) {
		h->writing = false;
		return rc;
	}
	if (wait_event(&h->write_wait, !h->writing, DEADLINE_NONE, true))
		return (int64_t)done;
	return h->out_error ? hostfd_write_error(h) : (int64_t)done;
}

static int64_t hostfd_do_write(struct file *file, struct xfer from, size_t n)
{
	struct hostfd *h = file->private;
	size_t done = 0;
	int64_t rc = 0;

	mutex_lock(&h->write_lock);
	while (done < n && !(done && signal_pending(current))) {
		rc = hostfd_write_chunk(h, &from, n - done);
		if (rc < 0)
			break;
		done += (size_t)rc;
	}
	mutex_unlock(&h->write_lock);
	return done ? (int64_t)done : rc;
}

static int64_t hostfd_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos)
{
	return hostfd_do_read(file, XFER_USER(to), n);
}

static int64_t hostfd_write(struct file *file, uaddr_t from, size_t n, uint64_t *pos)
{
	return hostfd_do_write(file, XFER_USER(from), n);
}

static int64_t hostfd_read_kernel(struct file *file, void *to, size_t n, uint64_t *pos)
{
	return hostfd_do_read(file, XFER_KERNEL(to), n);
}

static int64_t hostfd_write_kernel(struct file *file, const void *from, size_t n, uint64_t *pos)
{
	return hostfd_do_write(file, XFER_KERNEL(from), n);
}

/*
 * Readiness is asked of the host by a request that completes once there is something to read; a fresh one is given
 * a moment, so that a poll with no timeout sees bytes that wait there already. Output is taken to be ready.
 */
static uint32_t hostfd_poll(struct file *file, struct poll_waiter *waiter)
{
	struct hostfd *h = file->private;
	uint32_t events = 0;

	if (file->mode & FILE_WRITE)
		events |= EPOLLOUT | EPOLLWRNORM;
	if (!(file->mode & FILE_READ))
		return events;
	poll_add(waiter, &h->read_wait);
	if (h->stat.kind == ABI_FILE_REGULAR)
		return events | EPOLLIN | EPOLLRDNORM;
	if (h->in_start == h->in_end && !h->end && !h->in_error && !h->ready && !h->polling && !h->reading) {
		h->polling = true;
		if (hostfd_submit(h, ABI_RING_poll, NULL, 0, &h->poll_request))
			h->polling = false;
		else
			wait_event(&h->read_wait, !h->polling, clock_monotonic() + HOSTFD_POLL_GRACE, true);
	}
	if (h->in_start != h->in_end || h->end || h->in_error || h->ready & (EPOLLIN | EPOLLERR | EPOLLHUP))
		events |= EPOLLIN | EPOLLRDNORM;
	return events | (h->ready & (EPOLLHUP | EPOLLERR));
}

/* A terminal of the host that is not our console: its settings and its size pass through. */
static int64_t hostfd_tty_ioctl(struct hostfd *h, unsigned cmd, uint64_t arg)
{
	struct abi_tty *tty = kzalloc(sizeof(*tty));
	struct termios termios = {.c_iflag = 0};
	struct winsize size;
	int64_t rc;

	if (!tty)
		return -ENOMEM;
	rc = machine->host_call(ABI_CALL_tty_get, h->index, va_to_pa(tty), 0, 0);
	if (rc < 0)
		goto out;
	switch (cmd) {
	case TCGETS:
		termios.c_iflag = tty->iflag;
		termios.c_oflag = tty->oflag;
		termios.c_cflag = tty->cflag;
		termios.c_lflag = tty->lflag;
		termios.c_line = tty->line;
		memcpy(termios.c_cc, tty->cc, sizeof(tty->cc));
		rc = copy_to_user(UADDR(arg), &termios, sizeof(termios));
		break;
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		rc = copy_from_user(&termios, UADDR(arg), sizeof(termios));
		if (rc)
			break;
		tty->iflag = termios.c_iflag;
		tty->oflag = termios.c_oflag;
		tty->cflag = termios.c_cflag;
		tty->lflag = termios.c_lflag;
		memcpy(tty->cc, termios.c_cc, sizeof(tty->cc));
		rc = machine->host_call(ABI_CALL_tty_set, h->index, va_to_pa(tty), 1, 0);
		break;
	case TIOCGWINSZ:
		size = (struct winsize){.ws_row = tty->rows, .ws_col = tty->cols,
			.ws_xpixel = tty->xpixel, .ws_ypixel = tty->ypixel};
		rc = copy_to_user(UADDR(arg), &size, sizeof(size));
		break;
	default:
		rc = -ENOTTY;
	}
out:
	kfree(tty);
	return rc;
}

static int64_t hostfd_ioctl(struct file *file, unsigned cmd, uint64_t arg)
{
	struct hostfd *h = file->private;

	if (cmd == FIONREAD)
		return put_user((int)(h->in_end - h->in_start), UADDR(arg));
	return h->stat.kind == ABI_FILE_TTY ? hostfd_tty_ioctl(h, cmd, arg) : -ENOTTY;
}

static void hostfd_release(struct file *file)
{
	struct hostfd *h = file->private;

	if (--h->files)
		return;
	TAILQ_REMOVE(&hostfds, h, link);
	/* What was written has reached the host: write(2) waits for that, unless a signal cut it short. */
	if (h->writing)
		(void)wait_event(&h->write_wait, !h->writing, DEADLINE_NONE, false);
	inode_put(h->inode);
	h->inode = NULL;
	if (h->index >= HOSTFD_KEPT)
		(void)machine->host_call(ABI_CALL_fd_close, h->index, 0, 0, 0);
	hostfd_free_if_unused(h);
}

static const struct file_ops hostfd_file_ops = {
	.read = hostfd_read,
	.write = hostfd_write,
	.read_kernel = hostfd_read_kernel,
	.write_kernel = hostfd_write_kernel,
	.poll = hostfd_poll,
	.async = true,
	.ioctl = hostfd_ioctl,
	.release = hostfd_release,
};

static struct hostfd *hostfd_find(unsigned index)
{
	struct hostfd *h;

	TAILQ_FOREACH(h, &hostfds, link) {
		if (h->index == index)
			return h;
	}
	return NULL;
}

/* /dev/stdin and /proc/PID/fd/N open a stream again. */
static int hostfd_open_inode(struct inode *inode, struct file *file)
{
	struct hostfd *h;

	file->private = NULL;
	TAILQ_FOREACH(h, &hostfds, link) {
		if (h->inode != inode)
			continue;
		h->files++;
		file->ops = &hostfd_file_ops;
		file->private = h;
		file->mode |= FILE_STREAM;
		return 0;
	}
	return -ENXIO;
}

static const struct inode_ops hostfd_inode_ops = {
	.open = hostfd_open_inode,
};

/* What the host says of it; kind 0: nothing. */
static struct abi_stat stat_of(unsigned index)
{
	struct abi_stat *stat = kzalloc(sizeof(*stat)), out = {.kind = 0};

	if (stat && machine->host_call(ABI_CALL_fd_stat, index, va_to_pa(stat), 0, 0) >= 0)
		out = *stat;
	kfree(stat);
	return out;
}

bool hostfd_is_null(unsigned index)
{
	return index != CONTROL_NO_FD && stat_of(index).kind == ABI_FILE_NULL;
}

void hostfd_drop(unsigned index)
{
	if (index >= HOSTFD_KEPT)
		machine->host_call(ABI_CALL_fd_close, index, 0, 0, 0);
}

static struct hostfd *hostfd_new(unsigned index)
{
	struct hostfd *h = kzalloc(sizeof(*h));

	if (!h)
		return NULL;
	h->stat = stat_of(index);
	if (!h->stat.kind || h->stat.kind == ABI_FILE_NULL)
		h->stat.kind = ABI_FILE_STREAM;
	h->index = index;
	h->in = kpages_alloc(HOSTFD_BUFFER_ORDER);
	h->out = kpages_alloc(HOSTFD_BUFFER_ORDER);
	if (!h->in || !h->out)
		goto fail;
	h->read_request.done = hostfd_read_done;
	h->write_request.done = hostfd_write_done;
	h->poll_request.done = hostfd_poll_done;
	mutex_init(&h->write_lock);
	waitq_init(&h->read_wait);
	waitq_init(&h->write_wait);
	return h;
fail:
	kpages_free(h->in);
	kpages_free(h->out);
	kfree(h);
	return NULL;
}

int hostfd_open(unsigned index, struct file **file)
{
	struct hostfd *h = hostfd_find(index);
	bool made = !h;
	unsigned flags = O_RDWR;

	if (index == CONTROL_NO_FD)
		return -EBADF;
	if (made)
		h = hostfd_new(index);
	if (!h)
		return -ENOMEM;
	if (h->stat.kind == ABI_FILE_STREAM && (h->stat.flags & O_ACCMODE) != O_RDWR)
		flags = h->stat.flags & O_ACCMODE;
	*file = file_create_anon("pipe", &hostfd_file_ops, flags, h);
	if (!*file) {
		if (made)
			hostfd_free_if_unused(h);
		return -ENOMEM;
	}
	(*file)->mode |= FILE_STREAM;
	h->files++;
	if (made) {
		TAILQ_INSERT_TAIL(&hostfds, h, link);
		h->inode = (*file)->inode;
		inode_get(h->inode);
		h->inode->ops = &hostfd_inode_ops;
		h->inode->file_ops = &hostfd_file_ops;
		h->inode->mode = h->stat.kind == ABI_FILE_TTY ? S_IFCHR | 0620 : S_IFIFO | 0600;
	}
	return 0;
}
