/*
 * sendfile(2), splice(2), vmsplice(2), tee(2), copy_file_range(2): one loop that reads into a buffer
 * of the sentry and writes from it. A stream that was read cannot be put back, so the
 * destination is asked first whether it will take something.
 */
#include <linux/errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "ring0/usercopy.h"
#include "vfs/internal.h"
#include "vfs/pipe/pipe.h"
#include "vfs/poll.h"
#include "vfs/transfer.h"
#include "vfs/vector.h"

#define CHUNK 65536u
#define CHUNK_NONBLOCK 4096u /* what a pipe that is writable takes at once */

static bool is_stream(const struct file *file)
{
	return file->mode & FILE_STREAM;
}

static bool ready(struct file *file, uint32_t events)
{
	return file_poll(file, NULL) & (events | EPOLLERR | EPOLLHUP);
}

/* Writes it, as a stream takes it in parts: waits for one that does not if the rest would be lost. Bytes, or -errno if none. */
static int64_t write_all(struct file *out, const char *from, size_t n, uint64_t *pos, bool lost)
{
	size_t done = 0;

	while (done < n) {
		int64_t rc = out->ops->write_kernel(out, from + done, n - done, pos);

		if (rc == -EAGAIN && done && is_stream(out) && lost) {
			struct poll_item item = {.file = out, .events = EPOLLOUT};

			if (poll_wait_items(&item, 1, DEADLINE_NONE) > 0)
				continue;
		}
		if (rc <= 0)
			return done ? (int64_t)done : rc;
		done += (size_t)rc;
	}
	return (int64_t)done;
}

/* One round. 0: end of input. */
static int64_t copy_chunk(struct file *in, uint64_t *in_pos, struct file *out, uint64_t *out_pos, char *buffer, size_t n)
{
	int64_t got = in->ops->read_kernel(in, buffer, n, in_pos), put;

	if (got <= 0)
		return got;
	put = write_all(out, buffer, (size_t)got, out_pos, is_stream(in));
	if (put < got && !is_stream(in))
		*in_pos -= (uint64_t)(got - (put > 0 ? put : 0));
	return put;
}

static int64_t copy_loop(struct file *in, uint64_t *in_pos, struct file *out, uint64_t *out_pos, uint64_t n, unsigned flags,
	char *buffer)
{
	bool nonblock = flags & TRANSFER_NONBLOCK || out->flags & O_NONBLOCK;
	uint64_t done = 0;

	while (done < n) {
		size_t part = MIN(n - done, (uint64_t)(nonblock && is_stream(out) ? CHUNK_NONBLOCK : CHUNK));
		int64_t rc;

		if (is_stream(in) && (done || flags & TRANSFER_NONBLOCK) && !ready(in, EPOLLIN))
			return done ? (int64_t)done : -EAGAIN;
		if (is_stream(out) && (nonblock || done) && !ready(out, EPOLLOUT)) {
			if (nonblock || is_stream(in))
				return done ? (int64_t)done : -EAGAIN;
		}
		rc = copy_chunk(in, in_pos, out, out_pos, buffer, part);
		if (rc <= 0)
			return done ? (int64_t)done : rc;
		done += (uint64_t)rc;
		if ((size_t)rc < part && !is_stream(in) && is_stream(out))
			break;
		if (done < n && (signal_pending(current) || task_breathe()))
			break;
	}
	return (int64_t)done;
}

int64_t vfs_copy_data(struct file *in, uint64_t *in_pos, struct file *out, uint64_t *out_pos, uint64_t n, unsigned flags)
{
	char *buffer;
	int64_t rc;

	if (!in->ops->read_kernel || !out->ops->write_kernel)
		return in->inode && S_ISDIR(in->inode->mode) ? -EISDIR : -EINVAL;
	if (!n)
		return 0;
	buffer = kmalloc(CHUNK);
	if (!buffer)
		return -ENOMEM;
	rc = copy_loop(in, in_pos ? in_pos : &in->pos, out, out_pos ? out_pos : &out->pos, n, flags, buffer);
	kfree(buffer);
	return rc;
}

/* Until the file is ready for what is asked: 0, -EAGAIN, -ERESTARTSYS or -ENOMEM. */
static int64_t wait_ready(struct file *file, uint32_t events, unsigned flags)
{
	while (!ready(file, events)) {
		struct poll_item item = {.file = file, .events = events};
		int rc;

		if (flags & TRANSFER_NONBLOCK || file->flags & O_NONBLOCK)
			return -EAGAIN;
		rc = poll_wait_items(&item, 1, DEADLINE_NONE);
		if (rc < 0)
			return rc == -EINTR ? -ERESTARTSYS : rc;
	}
	return 0;
}

int64_t vfs_tee(struct file *in, struct file *out, uint64_t n, unsigned flags)
{
	char *buffer;
	int64_t got;

	if (!pipe_is(in) || !pipe_is(out) || in->inode == out->inode)
		return -EINVAL;
	got = wait_ready(in, EPOLLIN, flags);
	if (got)
		return got;
	if (flags & TRANSFER_NONBLOCK && !ready(out, EPOLLOUT))
		return -EAGAIN;
	buffer = kmalloc(CHUNK);
	if (!buffer)
		return -ENOMEM;
	got = pipe_peek(in, buffer, MIN(n, (uint64_t)(flags & TRANSFER_NONBLOCK ? CHUNK_NONBLOCK : CHUNK)));
	if (got > 0)
		got = write_all(out, buffer, (size_t)got, &out->pos, true);
	kfree(buffer);
	return got;
}

int64_t vfs_splice_user(struct file *pipe, const struct vector *v, unsigned flags)
{
	bool write = pipe->mode & FILE_WRITE;
	uint32_t events = write ? EPOLLOUT : EPOLLIN;
	uint64_t pos = 0, done = 0;
	int64_t rc = v->total ? wait_ready(pipe, events, flags) : 0;

	if (rc)
		return rc;
	for (unsigned i = 0; i < v->count; i++) {
		uaddr_t at = UADDR((uintptr_t)v->parts[i].iov_base);
		size_t left = v->parts[i].iov_len;

		while (left) {
			size_t n = MIN(left, (size_t)CHUNK_NONBLOCK);

			if (done && !ready(pipe, events))
				return (int64_t)done;
			rc = write ? vfs_write(pipe, at, n, &pos) : vfs_read(pipe, at, n, &pos);
			if (rc <= 0)
				return done ? (int64_t)done : rc;
			done += (uint64_t)rc;
			left -= (size_t)rc;
			at = uaddr_add(at, (uint64_t)rc);
		}
	}
	return (int64_t)done;
}
