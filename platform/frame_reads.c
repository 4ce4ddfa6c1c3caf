/*
 * Reads of sockets that bring one message at a time and never block: the links' frames, the host's news of its network.
 *
 * Several reads of one socket may be under way. The I/O thread waits for such a socket in its own poll(2), and then all
 * that has come is read at once, into as many buffers as there are: in the guest, what came together costs one wake-up
 * here and one interrupt there. The newest read is answered first: its buffer is the one that is still in the CPU's cache.
 *
 * frame_reads_take() is called by whoever serves the ring, and frame_reads_serve() at the end of that; the rest by the
 * I/O thread. The lock is held over the reads, which keeps the messages in order; they do not wait.
 */
#include <errno.h>
#include <unistd.h>

#include "platform/io.h"

static bool read_one(struct io_service *io, struct io_request *request)
{
	ssize_t n;

	if (request->kind == ABI_FILE_LINKS)
		return links_transfer(io, request);
	n = read(request->fd, request->memory, request->len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	io_complete(io, request, n < 0 ? -errno : n, 0);
	return true;
}

/* What has come, as far as there are reads for it. */
static void serve(struct io_service *io, struct frame_line *line)
{
	struct io_request *request;

	while ((request = line->reads)) {
		struct io_request *next = request->next;
		if (!read_one(io, request)) /* it frees the request */
			break;
		line->reads = next;
	}
}

static struct frame_line *line_of(struct io_service *io, int fd)
{
	struct frame_line *unused = NULL;

	for (unsigned i = 0; i < IO_FRAME_LINES; i++) {
		struct frame_line *line = &io->frame_lines[i];
		if (line->reads && line->fd == fd)
			return line;
		if (!line->reads)
			unused = line;
	}
	if (unused)
		*unused = (struct frame_line){.fd = fd};
	return unused;
}

void frame_reads_take(struct io_service *io, struct io_request *request)
{
	pthread_mutex_lock(&io->frames);
	struct frame_line *line = line_of(io, request->fd);
	if (line) {
		request->next = line->reads;
		line->reads = request;
		atomic_store(&io->frames_due, true);
	}
	pthread_mutex_unlock(&io->frames);
	if (!line)
		io_complete(io, request, -EBUSY, 0);
}

/* Not hosted: the CPU has other work than to look in vain, and the I/O thread is woken by the answer anyhow. */
void frame_reads_due(struct io_service *io)
{
	if (!io->hosted)
		atomic_store(&io->frames_due, true);
}

void frame_reads_serve(struct io_service *io)
{
	bool watch = false;

	if (!atomic_load_explicit(&io->frames_due, memory_order_relaxed) || !atomic_exchange(&io->frames_due, false))
		return;
	pthread_mutex_lock(&io->frames);
	for (unsigned i = 0; i < IO_FRAME_LINES; i++) {
		struct frame_line *line = &io->frame_lines[i];

		serve(io, line);
		if (!line->reads || line->watched)
			continue;
		line->watched = watch = true;
	}
	pthread_mutex_unlock(&io->frames);
	if (watch && !pthread_equal(pthread_self(), io->thread))
		io_poke(io); /* it does not wait for this one yet */
}

unsigned frame_reads_fill(struct io_service *io, struct pollfd *fds)
{
	unsigned count = 0;

	pthread_mutex_lock(&io->frames);
	for (unsigned i = 0; i < IO_FRAME_LINES; i++)
		if (io->frame_lines[i].reads && io->frame_lines[i].watched)
			fds[count++] = (struct pollfd){io->frame_lines[i].fd, POLLIN, 0};
	pthread_mutex_unlock(&io->frames);
	return count;
}

void frame_reads_ready(struct io_service *io)
{
	pthread_mutex_lock(&io->frames);
	for (unsigned i = 0; i < IO_FRAME_LINES; i++)
		serve(io, &io->frame_lines[i]);
	pthread_mutex_unlock(&io->frames);
}

void frame_reads_cancel(struct io_service *io, int fd)
{
	pthread_mutex_lock(&io->frames);
	for (unsigned i = 0; i < IO_FRAME_LINES; i++) {
		struct frame_line *line = &io->frame_lines[i];
		struct io_request *request;

		while (line->fd == fd && (request = line->reads)) {
			line->reads = request->next;
			io_complete(io, request, -ECANCELED, 0);
		}
	}
	pthread_mutex_unlock(&io->frames);
}
