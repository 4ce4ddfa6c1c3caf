/*
 * Pipes and fifos: a ring of bytes that grows on demand up to its limit (pipe(7), fifo(7)).
 *
 * Positions run freely; the ring's size is a power of two. A copy to or from user memory may sleep, so the pipe's
 * mutex is held across it; waiting happens without it. Invariants:
 *  1. tail <= head, head - tail <= size <= limit; ring holds the bytes [tail, head).
 *  2. packets (O_DIRECT writes) are disjoint ranges of [tail, head), ascending; one is never read past its end.
 *  3. refs counts the files and the fifo_open() calls in progress; readers and writers count open ends.
 *  4. A fifo's inode->pipe points here exactly while refs > 0.
 * A full wake-up of one reader is handed on by that reader when it leaves data behind.
 */
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <asm/siginfo.h>
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/limits.h>

#include "kernel/signal.h"
#include "vfs/pipe/pipe.h"
#include "vfs/poll.h"
#include "vfs/xfer.h"

#define PIPE_FIRST_SIZE 4096u

struct pipe_packet {
	TAILQ_ENTRY(pipe_packet) link;
	uint64_t start, end;
};

struct pipe {
	uint32_t refs;
	unsigned readers, writers;
	unsigned reader_opens, writer_opens; /* ever: fifo_open() waits for a change */
	uint32_t size, limit;                /* bytes: of the ring, and what it may grow to */
	uint64_t head, tail;                 /* written, read */
	char *ring;
	struct mutex lock;                   /* over ring, head, tail, packets across copies */
	struct waitq read_wait, write_wait;
	struct inode *fifo;                  /* whose inode->pipe this is; or NULL */
	bool anonymous;                      /* made by pipe(2): opening it again waits for nobody */
	TAILQ_HEAD(, pipe_packet) packets;
};

static const struct file_ops pipe_file_ops;

static struct pipe *pipe_new(void)
{
	struct pipe *pipe = kzalloc(sizeof(*pipe));

	if (!pipe)
		return NULL;
	pipe->refs = 1;
	pipe->limit = PIPE_DEFAULT_SIZE;
	mutex_init(&pipe->lock);
	waitq_init(&pipe->read_wait);
	waitq_init(&pipe->write_wait);
	TAILQ_INIT(&pipe->packets);
	return pipe;
}

static void pipe_put(struct pipe *pipe)
{
	struct pipe_packet *packet;

	if (--pipe->refs)
		return;
	if (pipe->fifo)
		pipe->fifo->pipe = NULL;
	while ((packet = TAILQ_FIRST(&pipe->packets))) {
		TAILQ_REMOVE(&pipe->packets, packet, link);
		kfree(packet);
	}
	kfree(pipe->ring);
	kfree(pipe);
}

static inline uint32_t pipe_used(const struct pipe *pipe)
{
	return (uint32_t)(pipe->head - pipe->tail);
}

static inline uint32_t pipe_room(const struct pipe *pipe)
{
	uint32_t used = pipe_used(pipe);

	return used < pipe->limit ? pipe->limit - used : 0;
}

/* The lock is held. Bytes at [from, from + n) of the ring's positions, into memory. */
static void pipe_ring_copy(const struct pipe *pipe, uint64_t from, char *to, size_t n)
{
	size_t at = from & (pipe->size - 1), first = MIN(n, pipe->size - at);

	memcpy(to, pipe->ring + at, first);
	memcpy(to + first, pipe->ring, n - first);
}

/* A ring of `size` bytes (a power of two, >= what is in it). The lock is held. */
static int pipe_resize(struct pipe *pipe, uint32_t size)
{
	char *ring = kmalloc(size);
	uint64_t at;

	if (!ring)
		return -ENOMEM;
	for (at = pipe->tail; at != pipe->head;) {
		uint32_t old = at & (pipe->size - 1), new = at & (size - 1);
		uint32_t n = MIN(pipe->size - old, size - new);

		n = (uint32_t)MIN((uint64_t)n, pipe->head - at);
		memcpy(ring + new, pipe->ring + old, n);
		at += n;
	}
	kfree(pipe->ring);
	pipe->ring = ring;
	pipe->size = size;
	return 0;
}

/* Room for n more bytes in the ring, n <= pipe_room(). The lock is held. How many fit now; 0: no memory at all. */
static uint32_t pipe_make_room(struct pipe *pipe, uint32_t n)
{
	uint32_t used = pipe_used(pipe), size = pipe->size ? pipe->size : PIPE_FIRST_SIZE;

	if (used + n <= pipe->size)
		return n;
	while (size < used + n)
		size *= 2;
	while (size > pipe->size && pipe_resize(pipe, size))
		size /= 2;
	return MIN(n, pipe->size - used);
}

/*
 * Sleep on one of the pipe's queues until `ready(pipe, need)`; exclusive, without the lock.
 */
static int pipe_wait(struct pipe *pipe, struct waitq *queue, bool (*ready)(const struct pipe *, uint32_t), uint32_t need)
{
	struct waiter waiter;
	int rc = 0;

	mutex_unlock(&pipe->lock);
	waiter_init(&waiter);
	waiter.exclusive = true;
	waitq_add(queue, &waiter);
	while (!rc && !ready(pipe, need))
		rc = task_block(DEADLINE_NONE, true);
	waitq_remove(&waiter);
	if (rc && ready(pipe, need))
		waitq_wake(queue, 1, ~0u); /* the wake-up that was meant for us */
	mutex_lock(&pipe->lock);
	return rc ? -ERESTARTSYS : 0;
}

static bool pipe_can_read(const struct pipe *pipe, uint32_t need)
{
	return pipe->head != pipe->tail || !pipe->writers;
}

static bool pipe_can_write(const struct pipe *pipe, uint32_t need)
{
	return pipe_room(pipe) >= need || !pipe->readers;
}

/* How much one read may take, and in *packet the packet it takes it from. The lock is held. */
static uint32_t pipe_readable(struct pipe *pipe, struct pipe_packet **packet)
{
	uint32_t used = pipe_used(pipe);

	*packet = TAILQ_FIRST(&pipe->packets);
	if (!*packet)
		return used;
	if ((*packet)->start == pipe->tail)
		return (uint32_t)((*packet)->end - (*packet)->start);
	used = (uint32_t)((*packet)->start - pipe->tail);
	*packet = NULL;
	return used;
}

/* Take up to n bytes that are there. The lock is held. May sleep. Bytes or -EFAULT. */
static int64_t pipe_take(struct pipe *pipe, struct xfer *to, size_t n)
{
	struct pipe_packet *packet;
	uint32_t there = pipe_readable(pipe, &packet);
	uint32_t want = (uint32_t)MIN(n, (size_t)there);
	uint32_t at = pipe->tail & (pipe->size - 1);
	uint32_t first = MIN(want, pipe->size - at);
	size_t done = xfer_to(to, pipe->ring + at, first);

	if (done == first && first < want)
		done += xfer_to(to, pipe->ring, want - first);
	if (packet && done == want) {
		pipe->tail = packet->end; /* what did not fit is lost: pipe(2), O_DIRECT */
		TAILQ_REMOVE(&pipe->packets, packet, link);
		kfree(packet);
	} else if (!packet) {
		pipe->tail += done;
	}
	return done || !want ? (int64_t)done : -EFAULT;
}

static int64_t pipe_do_read(struct file *file, struct xfer to, size_t n)
{
	struct pipe *pipe = file->private;
	int64_t rc = 0;

	if (n == 0)
		return 0;
	mutex_lock(&pipe->lock);
	while (pipe->head == pipe->tail && pipe->writers) {
		rc = file->flags & O_NONBLOCK ? -EAGAIN :
		     pipe_wait(pipe, &pipe->read_wait, pipe_can_read, 0);
		if (rc)
			break;
	}
	if (!rc && pipe->head != pipe->tail) {
		rc = pipe_take(pipe, &to, n);
		if (!waitq_empty(&pipe->write_wait) && pipe_room(pipe))
			waitq_wake(&pipe->write_wait, 1, EPOLLOUT | EPOLLWRNORM);
		if (pipe->head != pipe->tail && !waitq_empty(&pipe->read_wait))
			waitq_wake(&pipe->read_wait, 1, EPOLLIN | EPOLLRDNORM);
	}
	mutex_unlock(&pipe->lock);
	return rc;
}

/* Append up to n bytes, which is at most pipe_room(). The lock is held. May sleep. Bytes or -errno. */
static int64_t pipe_append(struct pipe *pipe, struct xfer *from, uint32_t n, bool as_packet)
{
	struct pipe_packet *packet = NULL;
	uint32_t at, first;
	size_t done;

	n = pipe_make_room(pipe, n);
	if (!n)
		return -ENOMEM;
	if (as_packet && !(packet = kmalloc(sizeof(*packet))))
		return -ENOMEM;
	at = pipe->head & (pipe->size - 1);
	first = MIN(n, pipe->size - at);
	done = xfer_from(from, pipe->ring + at, first);
	if (done == first && first < n)
		done += xfer_from(from, pipe->ring, n - first);
	if (packet && done) {
		packet->start = pipe->head;
		packet->end = pipe->head + done;
		TAILQ_INSERT_TAIL(&pipe->packets, packet, link);
	} else {
		kfree(packet);
	}
	pipe->head += done;
	return done ? (int64_t)done : -EFAULT;
}

static int64_t pipe_no_reader(void)
{
	struct ksiginfo info;

	signal_make_kill_info(&info, SIGPIPE, SI_USER);
	signal_send_task(current, &info);
	return -EPIPE;
}

static int64_t pipe_do_write(struct file *file, struct xfer from, size_t n)
{
	struct pipe *pipe = file->private;
	bool as_packet = file->flags & O_DIRECT;
	size_t done = 0;
	int64_t rc = 0;

	if (n == 0)
		return 0;
	mutex_lock(&pipe->lock);
	while (done < n) {
		uint32_t need = (uint32_t)MIN(n - done, (size_t)PIPE_BUF), room = pipe_room(pipe);

		if (!pipe->readers) {
			rc = pipe_no_reader();
			break;
		}
		if (room >= need || (room && n > PIPE_BUF && file->flags & O_NONBLOCK)) {
			uint32_t chunk = (uint32_t)MIN(n - done, (size_t)(as_packet ? need : room));

			rc = pipe_append(pipe, &from, chunk, as_packet);
			if (rc < 0)
				break;
			done += (size_t)rc;
			rc = 0;
			if (!waitq_empty(&pipe->read_wait))
				waitq_wake(&pipe->read_wait, 1, EPOLLIN | EPOLLRDNORM);
			continue;
		}
		rc = file->flags & O_NONBLOCK ? -EAGAIN : pipe_wait(pipe, &pipe->write_wait, pipe_can_write, need);
		if (rc)
			break;
	}
	mutex_unlock(&pipe->lock);
	return done ? (int64_t)done : rc;
}

static int64_t pipe_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos)
{
	return pipe_do_read(file, XFER_USER(to), n);
}

static int64_t pipe_write(struct file *file, uaddr_t from, size_t n, uint64_t *pos)
{
	return pipe_do_write(file, XFER_USER(from), n);
}

static int64_t pipe_read_kernel(struct file *file, void *to, size_t n, uint64_t *pos)
{
	return pipe_do_read(file, XFER_KERNEL(to), n);
}

static int64_t pipe_write_kernel(struct file *file, const void *from, size_t n, uint64_t *pos)
{
	return pipe_do_write(file, XFER_KERNEL(from), n);
}

static uint32_t pipe_poll(struct file *file, struct poll_waiter *waiter)
{
	struct pipe *pipe = file->private;
	uint32_t events = 0;

	if (file->mode & FILE_READ) {
		poll_add(waiter, &pipe->read_wait);
		if (pipe->head != pipe->tail)
			events |= EPOLLIN | EPOLLRDNORM;
		if (!pipe->writers && file->version != pipe->writer_opens)
			events |= EPOLLHUP;
	}
	if (file->mode & FILE_WRITE) {
		poll_add(waiter, &pipe->write_wait);
		if (pipe_room(pipe) >= PIPE_BUF)
			events |= EPOLLOUT | EPOLLWRNORM;
		if (!pipe->readers)
			events |= EPOLLERR;
	}
	return events;
}

static int64_t pipe_ioctl(struct file *file, unsigned cmd, uint64_t arg)
{
	struct pipe *pipe = file->private;

	if (cmd != FIONREAD)
		return -ENOTTY;
	return put_user((int)pipe_used(pipe), UADDR(arg));
}

static void pipe_release(struct file *file)
{
	struct pipe *pipe = file->private;

	if (file->mode & FILE_READ)
		pipe->readers--;
	if (file->mode & FILE_WRITE)
		pipe->writers--;
	if (!pipe->readers || !pipe->writers) {
		waitq_wake_all(&pipe->read_wait);
		waitq_wake_all(&pipe->write_wait);
	}
	pipe_put(pipe);
}

static const struct file_ops pipe_file_ops = {
	.read = pipe_read,
	.write = pipe_write,
	.read_kernel = pipe_read_kernel,
	.write_kernel = pipe_write_kernel,
	.poll = pipe_poll,
	.async = true,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
};

int pipe_create(struct file *files[2], unsigned flags)
{
	struct pipe *pipe = pipe_new();
	struct file *reader, *writer;

	if (!pipe)
		return -ENOMEM;
	reader = file_create_anon("pipe", &pipe_file_ops, O_RDONLY | (flags & O_NONBLOCK), pipe);
	if (!reader) {
		pipe_put(pipe);
		return -ENOMEM;
	}
	reader->mode |= FILE_STREAM;
	reader->inode->mode = S_IFIFO | 0600;
	reader->version = ~0ull;
	pipe->readers = 1;
	pipe->fifo = reader->inode; /* /proc/PID/fd/N opens it again by fifo_open() */
	reader->inode->pipe = pipe;
	pipe->anonymous = true;
	writer = file_create_like(reader, &pipe_file_ops, O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT)), pipe);
	if (!writer) {
		file_put(reader);
		return -ENOMEM;
	}
	writer->mode |= FILE_STREAM;
	pipe->refs++;
	pipe->writers = 1;
	files[0] = reader;
	files[1] = writer;
	return 0;
}

/* The other end was opened since, or is open. */
static int fifo_wait_partner(struct pipe *pipe, struct waitq *queue, const unsigned *opens)
{
	unsigned seen = *opens;

	return wait_event(queue, *opens != seen, DEADLINE_NONE, true) ? -ERESTARTSYS : 0;
}

static int fifo_open_ends(struct pipe *pipe, struct file *file, bool reads, bool writes)
{
	bool nonblock = file->flags & O_NONBLOCK;

	if (writes && !reads && nonblock && !pipe->readers && !pipe->anonymous)
		return -ENXIO;
	if (reads) {
		pipe->readers++;
		pipe->reader_opens++;
	}
	if (writes) {
		pipe->writers++;
		pipe->writer_opens++;
	}
	waitq_wake_all(&pipe->read_wait);
	waitq_wake_all(&pipe->write_wait);
	if (pipe->anonymous)
		return 0;
	if (reads && !writes && !pipe->writers) {
		if (nonblock) {
			file->version = pipe->writer_opens; /* no hang-up before the first writer */
			return 0;
		}
		return fifo_wait_partner(pipe, &pipe->read_wait, &pipe->writer_opens);
	}
	if (writes && !reads && !pipe->readers)
		return fifo_wait_partner(pipe, &pipe->write_wait, &pipe->reader_opens);
	return 0;
}

int fifo_open(struct inode *inode, struct file *file)
{
	bool reads = (file->flags & O_ACCMODE) != O_WRONLY, writes = (file->flags & O_ACCMODE) != O_RDONLY;
	struct pipe *pipe = inode->pipe;
	int rc;

	if (pipe) {
		pipe->refs++;
	} else {
		pipe = pipe_new();
		if (!pipe)
			return -ENOMEM;
		pipe->fifo = inode;
		inode->pipe = pipe;
	}
	file->version = ~0ull;
	rc = fifo_open_ends(pipe, file, reads, writes);
	if (rc == -ENXIO) {
		pipe_put(pipe);
		return rc;
	}
	if (rc) {
		pipe->readers -= reads;
		pipe->writers -= writes;
		waitq_wake_all(&pipe->read_wait);
		waitq_wake_all(&pipe->write_wait);
		pipe_put(pipe);
		return rc;
	}
	file->ops = &pipe_file_ops;
	file->private = pipe;
	file->mode |= FILE_STREAM;
	return 0;
}

bool pipe_is(const struct file *file)
{
	return file->ops == &pipe_file_ops;
}

int64_t pipe_get_size(struct file *file)
{
	return pipe_is(file) ? (int64_t)((struct pipe *)file->private)->limit : -EBADF;
}

int64_t pipe_set_size(struct file *file, uint64_t size)
{
	struct pipe *pipe = file->private;
	uint32_t limit = PIPE_FIRST_SIZE;
	int rc = 0;

	if (!pipe_is(file))
		return -EBADF;
	if (size > 1u << 31)
		return -EINVAL;
	if (size > PIPE_MAX_SIZE)
		return capable(CAP_SYS_RESOURCE) ? -ENOMEM : -EPERM;
	while (limit < size)
		limit *= 2;
	mutex_lock(&pipe->lock);
	if (pipe_used(pipe) > limit) {
		rc = -EBUSY;
	} else {
		if (pipe->size > limit)
			rc = pipe_resize(pipe, limit);
		if (!rc)
			pipe->limit = limit;
	}
	mutex_unlock(&pipe->lock);
	waitq_wake_all(&pipe->write_wait);
	return rc ? rc : (int64_t)limit;
}

int64_t pipe_peek(struct file *file, void *to, size_t n)
{
	struct pipe *pipe = file->private;

	if (!pipe_is(file))
		return -EINVAL;
	mutex_lock(&pipe->lock);
	n = MIN(n, (size_t)pipe_used(pipe));
	if (n)
		pipe_ring_copy(pipe, pipe->tail, to, n);
	mutex_unlock(&pipe->lock);
	return (int64_t)n;
}
