/*
 * The thread pool: the backend of the I/O service where io_uring is missing or forbidden.
 *
 * The I/O thread waits for readiness of streams and terminals itself (poll_fill), and
 * hands a request to a thread only when it can be served; files and fsync go to a thread
 * at once. All threads exist before the jail closes. Same ring, same results as uring.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "platform/io.h"

#define POOL_THREADS 4u
#define POOL_WAITING 64u

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct io_list ready;              /* under lock */
	struct io_request *waiting[POOL_WAITING]; /* the I/O thread's own */
	unsigned waiting_count;
};

static int pool_init(struct io_service *io)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return -ENOMEM;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->work, NULL);
	pool->ready.tail = &pool->ready.head;
	io->backend_private = pool;
	return 0;
}

int64_t io_perform(const struct io_request *request)
{
	off_t offset = (off_t)request->offset;
	ssize_t n;

	do {
		if (request->op == ABI_RING_read)
			n = offset < 0 ? read(request->fd, request->memory, request->len)
				       : pread(request->fd, request->memory, request->len, offset);
		else if (request->op == ABI_RING_write)
			n = offset < 0 ? write(request->fd, request->memory, request->len)
				       : pwrite(request->fd, request->memory, request->len, offset);
		else
			n = request->arg == 1 ? fdatasync(request->fd) : fsync(request->fd);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static void *pool_main(void *arg)
{
	struct io_service *io = arg;
	struct pool *pool = io->backend_private;

	if (jail_thread(io->vmm, JAIL_IO) < 0)
		return NULL;
	for (;;) {
		pthread_mutex_lock(&pool->lock);
		while (!pool->ready.head)
			pthread_cond_wait(&pool->work, &pool->lock);
		struct io_request *request = io_list_pop(&pool->ready);
		pthread_mutex_unlock(&pool->lock);
		io_finish(io, request, io_perform(request));
		io_notify(io);
	}
}

static int pool_start(struct io_service *io)
{
	for (unsigned i = 0; i < POOL_THREADS; i++) {
		pthread_t thread;
		int error = pthread_create(&thread, NULL, pool_main, io);
		if (error)
			return -error;
	}
	return 0;
}

static void hand_over(struct pool *pool, struct io_request *request)
{
	pthread_mutex_lock(&pool->lock);
	io_list_push(&pool->ready, request);
	pthread_cond_signal(&pool->work);
	pthread_mutex_unlock(&pool->lock);
}

static void pool_submit(struct io_service *io, struct io_request *request)
{
	struct pool *pool = io->backend_private;

	if (request->op == ABI_RING_fsync || (request->op != ABI_RING_poll && request->kind == ABI_FILE_REGULAR))
		hand_over(pool, request);
	else if (pool->waiting_count < POOL_WAITING)
		pool->waiting[pool->waiting_count++] = request;
	else
		io_complete(io, request, -EBUSY, 0);
}

static void pool_cancel(struct io_service *io, int fd)
{
	struct pool *pool = io->backend_private;
	unsigned kept = 0;

	for (unsigned i = 0; i < pool->waiting_count; i++) {
		if (pool->waiting[i]->fd == fd)
			io_complete(io, pool->waiting[i], -ECANCELED, 0);
		else
			pool->waiting[kept++] = pool->waiting[i];
	}
	pool->waiting_count = kept;
}

static short events_of(const struct io_request *request)
{
	if (request->op == ABI_RING_poll)
		return (short)(request->arg & 0x7fff);
	return request->op == ABI_RING_read ? POLLIN : POLLOUT;
}

static unsigned pool_poll_fill(struct io_service *io, struct pollfd *fds, unsigned max)
{
	struct pool *pool = io->backend_private;
	unsigned count = pool->waiting_count < max ? pool->waiting_count : max;

	for (unsigned i = 0; i < count; i++)
		fds[i] = (struct pollfd){pool->waiting[i]->fd, events_of(pool->waiting[i]), 0};
	return count;
}

static void pool_poll_done(struct io_service *io, const struct pollfd *fds, unsigned count)
{
	struct pool *pool = io->backend_private;
	unsigned kept = 0;

	for (unsigned i = 0; i < pool->waiting_count; i++) {
		struct io_request *request = pool->waiting[i];
		if (i >= count || !fds[i].revents) {
			pool->waiting[kept++] = request;
		} else if (request->op == ABI_RING_poll) {
			io_complete(io, request, fds[i].revents, 0);
		} else {
			hand_over(pool, request);
		}
	}
	pool->waiting_count = kept;
}

const struct io_backend pool_backend = {
	.name = "thread pool",
	.init = pool_init,
	.start = pool_start,
	.submit = pool_submit,
	.cancel = pool_cancel,
	.poll_fill = pool_poll_fill,
	.poll_done = pool_poll_done,
};
