/*
 * The worker: a thread that does one file operation at a time for a hosted sentry.
 *
 * Hosts hand a buffered write and an fsync from io_uring to a thread of their own anyway, and
 * between the CPU's thread and that one stood the I/O thread, twice. The CPU's thread
 * wakes the worker itself, and the worker the CPU: two hand-overs for four. While it is
 * busy, further operations take the backend's way, so nothing queues behind it.
 * See backend_submit() in io_serve.c; started by io_start().
 */
#include <errno.h>
#include <stdlib.h>

#include "platform/io.h"

struct io_worker {
	struct io_service *io;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct io_request *request; /* under lock; NULL: idle */
	bool busy;                  /* under lock */
};

static void *worker_main(void *arg)
{
	struct io_worker *w = arg;

	if (jail_thread(w->io->vmm, JAIL_IO) < 0)
		return NULL;
	for (;;) {
		struct io_request *request;
		int64_t res;

		pthread_mutex_lock(&w->lock);
		while (!w->request)
			pthread_cond_wait(&w->work, &w->lock);
		request = w->request;
		w->request = NULL;
		pthread_mutex_unlock(&w->lock);
		res = io_perform(request);
		/* Free again before the sentry hears of it: it may have the next one at once. */
		pthread_mutex_lock(&w->lock);
		w->busy = false;
		pthread_mutex_unlock(&w->lock);
		io_finish(w->io, request, res);
		io_notify(w->io);
	}
}

bool worker_take(struct io_service *io, struct io_request *request)
{
	struct io_worker *w = io->worker;
	bool taken;

	if (!w || request->op == ABI_RING_poll || request->polling ||
	    (request->op != ABI_RING_fsync && request->kind != ABI_FILE_REGULAR))
		return false;
	pthread_mutex_lock(&w->lock);
	taken = !w->busy;
	if (taken) {
		w->busy = true;
		w->request = request;
		pthread_cond_signal(&w->work);
	}
	pthread_mutex_unlock(&w->lock);
	return taken;
}

int worker_start(struct io_service *io)
{
	struct io_worker *w = calloc(1, sizeof(*w));
	pthread_t thread;
	int error;

	if (!w)
		return -ENOMEM;
	w->io = io;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->work, NULL);
	error = -pthread_create(&thread, NULL, worker_main, w);
	if (error) {
		free(w);
		return error;
	}
	io->worker = w;
	return 0;
}
