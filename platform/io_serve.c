/*
 * What each ring entry asks for: checks the words of the copy, makes a request of them,
 * and does it at once, sends it, or gives it to the backend.
 *
 * io_serve() is called by whoever drains the ring (io.c), with the submission lock held,
 * so nothing here waits. io_finish() is called with a transfer's result on any thread.
 */
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "platform/io.h"

#define IO_MAX (1ull << 30)

static struct io_request *request_new(struct io_service *io)
{
	pthread_mutex_lock(&io->free);
	struct io_request *request = io->free_requests;
	if (request)
		io->free_requests = request->next;
	pthread_mutex_unlock(&io->free);
	return request;
}

static void backend_submit(struct io_service *io, struct io_request *request)
{
	if (worker_take(io, request))
		return;
	if (pthread_equal(pthread_self(), io->thread)) {
		io->backend->submit(io, request);
		return;
	}
	pthread_mutex_lock(&io->handoff_lock);
	io_list_push(&io->handoff, request);
	pthread_mutex_unlock(&io->handoff_lock);
	io_poke(io);
}

/* A stream takes a write in pieces: it is complete when all of it was taken, or at an error. */
void io_finish(struct io_service *io, struct io_request *request, int64_t res)
{
	if (res == -EAGAIN && request->kind != ABI_FILE_REGULAR &&
	    (request->op == ABI_RING_read || request->op == ABI_RING_write)) {
		request->polling = true; /* whoever shares the file made it O_NONBLOCK; the container did not */
		backend_submit(io, request);
		return;
	}
	if (request->op == ABI_RING_write && request->offset == UINT64_MAX && request->kind != ABI_FILE_FRAMES && res > 0) {
		request->done += (uint64_t)res;
		if ((uint64_t)res < request->len) {
			request->memory = (uint8_t *)request->memory + res;
			request->len -= (uint64_t)res;
			backend_submit(io, request);
			return;
		}
		res = (int64_t)request->done;
	}
	io_complete(io, request, res, 0);
}

/* One frame: the sockets do not block. */
static bool write_frame(struct io_service *io, struct io_request *request)
{
	ssize_t n = write(request->fd, request->memory, request->len);

	frame_reads_due(io);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		request->polling = true;
		return false;
	}
	io_complete_quietly(io, request, n < 0 ? -errno : n, 0);
	return true;
}

/* Do it now if that needs no waiting: true, and it is completed or on its way. */
static bool try_transfer(struct io_service *io, struct io_request *request)
{
	struct iovec iov = {request->memory, request->len};
	bool writing = request->op == ABI_RING_write;
	off_t offset = (off_t)request->offset;
	ssize_t n;

	if (request->kind == ABI_FILE_LINKS)
		return links_transfer(io, request);
	if (request->kind == ABI_FILE_FRAMES)
		return write_frame(io, request);
	n = writing ? pwritev2(request->fd, &iov, 1, offset, RWF_NOWAIT)
			    : preadv2(request->fd, &iov, 1, offset, RWF_NOWAIT);

	if (n < 0 && errno == EOPNOTSUPP && request->kind == ABI_FILE_STREAM && writing && offset == -1) {
		/* A pipe that polls writable takes PIPE_BUF bytes without waiting. */
		struct pollfd ready = {request->fd, POLLOUT, 0};
		if (poll(&ready, 1, 0) <= 0 || !(ready.revents & POLLOUT))
			return false;
		n = write(request->fd, request->memory, request->len < 4096 ? request->len : 4096);
	}
	if (n < 0 && (errno == EAGAIN || errno == EOPNOTSUPP || errno == EINTR || errno == ENOSYS))
		return false;
	io_finish(io, request, n < 0 ? -errno : n);
	return true;
}

static void serve_transfer(struct io_service *io, struct io_request *request, const struct abi_sqe *sqe)
{
	int kind = fds_kind(io->vmm, sqe->fd);

	/* Sockets have calls of their own; the host's kernel takes no messages about its network from the sandbox. */
	if (kind < 0 || kind == ABI_FILE_SOCKET || (kind == ABI_FILE_NEWS && request->op == ABI_RING_write)) {
		io_complete(io, request, -EBADF, 0);
		return;
	}
	request->kind = (uint32_t)kind;
	request->done = 0;
	request->polling = false;
	request->fd = fds_get(io->vmm, sqe->fd);
	request->offset = sqe->offset;
	request->arg = sqe->arg;
	request->len = sqe->len;
	request->memory = sqe->len <= IO_MAX ? vmm_gpa(&io->vmm->memory, GPA(sqe->gpa), sqe->len) : NULL;
	if (!request->memory) {
		io_complete(io, request, -EFAULT, 0);
		return;
	}
	if ((int64_t)sqe->offset < -1) {
		io_complete(io, request, -EINVAL, 0);
		return;
	}
	if (request->op == ABI_RING_read && (kind == ABI_FILE_FRAMES || kind == ABI_FILE_LINKS || kind == ABI_FILE_NEWS)) {
		frame_reads_take(io, request);
		return;
	}
	/* A terminal may be stopped: never write to one here. */
	if ((kind == ABI_FILE_TTY && request->op == ABI_RING_write) || !try_transfer(io, request))
		backend_submit(io, request);
}

static void serve_wait(struct io_service *io, struct io_request *request, const struct abi_sqe *sqe)
{
	int fd = fds_get(io->vmm, sqe->fd);

	if (fd < 0) {
		io_complete(io, request, -EBADF, 0);
		return;
	}
	request->fd = fd;
	request->arg = sqe->arg;
	request->polling = false;
	if (request->op == ABI_RING_poll) {
		struct pollfd ready = {fd, (short)(sqe->arg & 0x7fff), 0};
		if (poll(&ready, 1, 0) > 0) {
			io_complete(io, request, ready.revents, 0);
			return;
		}
	}
	backend_submit(io, request);
}

static void serve_p9(struct io_service *io, struct io_request *request, const struct abi_sqe *sqe)
{
	struct vmm_memory *memory = &io->vmm->memory;

	request->len = sqe->len;
	request->reply_len = sqe->len2;
	if (sqe->fd >= VMM_MAX_GOFERS || sqe->len < P9_HEADER || sqe->len > P9_MESSAGE_MAX || sqe->len2 < P9_HEADER) {
		io_complete(io, request, -EINVAL, 0);
		return;
	}
	request->memory = vmm_gpa(memory, GPA(sqe->gpa), sqe->len);
	request->reply = vmm_gpa(memory, GPA(sqe->gpa2), sqe->len2);
	if (!request->memory || !request->reply) {
		io_complete(io, request, -EFAULT, 0);
		return;
	}
	channel_submit(io, request, sqe->fd);
}

void io_serve(struct io_service *io, const struct abi_sqe *sqe)
{
	if (sqe->op == ABI_RING_event) {
		if (io->event_waiting) {
			io_post(io, sqe->cookie, -EBUSY, 0);
			return;
		}
		io->event_waiting = true;
		io->event_cookie = sqe->cookie;
		return;
	}
	struct io_request *request = request_new(io);
	if (!request) {
		io_post(io, sqe->cookie, -EBUSY, 0);
		return;
	}
	request->next = NULL;
	request->op = sqe->op;
	request->cookie = sqe->cookie;
	switch (sqe->op) {
	case ABI_RING_read:
	case ABI_RING_write:
		serve_transfer(io, request, sqe);
		break;
	case ABI_RING_fsync:
	case ABI_RING_poll:
		serve_wait(io, request, sqe);
		break;
	case ABI_RING_p9:
		serve_p9(io, request, sqe);
		break;
	case ABI_RING_control:
		control_receive(io, request, sqe->gpa, sqe->len);
		break;
	default:
		io_complete(io, request, -ENOSYS, 0);
	}
}
