/*
 * The io_uring backend of the I/O service.
 *
 * io_uring goes around seccomp, so it is restricted before it is enabled
 * (io_uring_register(2), IORING_REGISTER_RESTRICTIONS): reads, writes, fsync and one-shot
 * polls only; nothing can be registered later. Used by the I/O thread alone. It must come
 * up with the calls of io_uring(7) allowed; afterwards only io_uring_enter is used.
 */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "platform/io.h"

struct uring {
	struct io_uring ring;
	int ready; /* eventfd: completions wait */
	unsigned unsubmitted;
};

static int restrict_ring(struct uring *uring)
{
	static const uint8_t allowed[] = {IORING_OP_READ, IORING_OP_WRITE, IORING_OP_FSYNC, IORING_OP_POLL_ADD,
		IORING_OP_ASYNC_CANCEL};
	struct io_uring_restriction rules[sizeof(allowed)] = {0};
	int fd = uring->ring.ring_fd;

	for (unsigned i = 0; i < sizeof(allowed); i++) {
		rules[i].opcode = IORING_RESTRICTION_SQE_OP;
		rules[i].sqe_op = allowed[i];
	}
	int error = io_uring_register_eventfd(&uring->ring, uring->ready);
	if (error == 0)
		error = io_uring_register((unsigned)fd, IORING_REGISTER_RESTRICTIONS, rules, sizeof(allowed));
	if (error == 0)
		error = io_uring_register((unsigned)fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	return error < 0 ? error : 0;
}

static int uring_init(struct io_service *io)
{
	struct io_uring_params params = {.flags = IORING_SETUP_R_DISABLED};
	struct uring *uring = calloc(1, sizeof(*uring));
	int error;

	if (!uring)
		return -ENOMEM;
	error = io_uring_queue_init_params(ABI_RING_ENTRIES, &uring->ring, &params);
	if (error < 0)
		goto fail;
	uring->ready = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	error = uring->ready < 0 ? -errno : restrict_ring(uring);
	if (error < 0) {
		io_uring_queue_exit(&uring->ring);
		if (uring->ready >= 0)
			close(uring->ready);
		goto fail;
	}
	io->backend_private = uring;
	return 0;
fail:
	free(uring);
	return error;
}

static unsigned poll_events(const struct io_request *request)
{
	if (request->polling)
		return request->op == ABI_RING_read ? POLLIN : POLLOUT;
	return (unsigned)(request->arg & 0x7fff);
}

static void uring_submit(struct io_service *io, struct io_request *request)
{
	struct uring *uring = io->backend_private;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

	if (!sqe) { /* more than the ring has entries: cannot be, with as many requests */
		io_complete(io, request, -EBUSY, 0);
		return;
	}
	switch (request->polling ? (uint32_t)ABI_RING_poll : request->op) {
	case ABI_RING_read:
		io_uring_prep_read(sqe, request->fd, request->memory, (unsigned)request->len, request->offset);
		break;
	case ABI_RING_write:
		io_uring_prep_write(sqe, request->fd, request->memory, (unsigned)request->len, request->offset);
		break;
	case ABI_RING_fsync:
		io_uring_prep_fsync(sqe, request->fd, request->arg == 1 ? IORING_FSYNC_DATASYNC : 0);
		break;
	default:
		io_uring_prep_poll_add(sqe, request->fd, poll_events(request));
	}
	io_uring_sqe_set_data(sqe, request);
	request->with_host = true;
	uring->unsubmitted++;
}

static void uring_cancel(struct io_service *io, int fd)
{
	struct uring *uring = io->backend_private;

	for (unsigned i = 0; i < ABI_RING_ENTRIES; i++) {
		struct io_request *request = &io->requests[i];
		struct io_uring_sqe *sqe = request->with_host && request->fd == fd ? io_uring_get_sqe(&uring->ring) : NULL;
		if (!sqe)
			continue;
		io_uring_prep_cancel(sqe, request, 0);
		io_uring_sqe_set_data(sqe, NULL);
		uring->unsubmitted++;
	}
}

static void reap(struct io_service *io)
{
	struct uring *uring = io->backend_private;
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&uring->ring, &cqe) == 0 && cqe) {
		struct io_request *request = io_uring_cqe_get_data(cqe);
		int64_t res = cqe->res;
		io_uring_cqe_seen(&uring->ring, cqe);
		if (!request)
			continue; /* a cancellation's own result: the request tells */
		request->with_host = false;
		if (request->polling && res >= 0) { /* ready: now the transfer itself */
			request->polling = false;
			uring_submit(io, request);
			continue;
		}
		io_finish(io, request, res);
	}
}

static void uring_flush(struct io_service *io)
{
	struct uring *uring = io->backend_private;

	if (uring->unsubmitted == 0)
		return;
	/* Reaping may bring the rest of a write. */
	while (uring->unsubmitted > 0) {
		int n = io_uring_submit(&uring->ring);
		if (n <= 0)
			break; /* the next turn tries again */
		uring->unsubmitted -= (unsigned)n < uring->unsubmitted ? (unsigned)n : uring->unsubmitted;
		reap(io);
	}
}

static unsigned uring_poll_fill(struct io_service *io, struct pollfd *fds, unsigned max)
{
	struct uring *uring = io->backend_private;

	fds[0] = (struct pollfd){uring->ready, POLLIN, 0};
	return 1;
}

static void uring_poll_done(struct io_service *io, const struct pollfd *fds, unsigned count)
{
	struct uring *uring = io->backend_private;
	uint64_t events;

	if ((fds[0].revents & POLLIN) && read(uring->ready, &events, sizeof(events)) > 0)
		reap(io);
}

const struct io_backend uring_backend = {
	.name = "io_uring",
	.init = uring_init,
	.submit = uring_submit,
	.cancel = uring_cancel,
	.flush = uring_flush,
	.poll_fill = uring_poll_fill,
	.poll_done = uring_poll_done,
};
