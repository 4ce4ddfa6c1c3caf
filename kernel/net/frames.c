/*
 * Frames by the host ring. See kernel/net/frames.h.
 *
 * Several reads are outstanding, so that what comes together is one interrupt; a read's buffer holds the largest frame
 * that the host's segmentation makes. What the host does not take at once waits there; above a bound frames are dropped
 * here, as a full device would.
 */
#include <linux/errno.h>

#include "kernel/mm.h"
#include "kernel/net/frames.h"
#include "ring0/lib.h"
#include "ring0/machine.h"
#include "ring0/memory.h"

#define IN_FLIGHT_MAX 128u
#define READ_ORDER 5u /* 128 KiB: a frame may be a little more than 64 */
#define READS_MAX 16u    /* of one link */
#define READS_SHARED 48u /* of all: the ring has 256 entries */

struct frame_buffer {
	struct hostring_request request;
	struct frames *frames;
	size_t len;
	struct frame_header header;
	uint8_t bytes[];
} __attribute__((packed, aligned(8)));

struct frame_read {
	struct hostring_request request;
	struct frame_reader *reader;
	uint8_t *memory;
};

struct frame_reader {
	struct frames *frames;                       /* whose they are; NULL: as `find` says */
	struct frames *(*find)(uint32_t host_index);
	uint32_t fd;
	unsigned count;  /* of reads */
	unsigned untold; /* those that were published without a word to the VMM, since the last word */
	struct frame_read reads[];
};

/* ---- sending ---- */

struct frame_buffer *frames_alloc(struct frames *frames, size_t len)
{
	struct frame_buffer *buffer = NULL;

	if (frames->in_flight < IN_FLIGHT_MAX && len <= FRAME_MAX)
		buffer = kmalloc(sizeof(*buffer) + len);
	if (!buffer) {
		frames->send_dropped++;
		return NULL;
	}
	memset(buffer, 0, sizeof(*buffer));
	buffer->frames = frames;
	buffer->len = len;
	return buffer;
}

struct frame_header *frames_header(struct frame_buffer *buffer)
{
	return (struct frame_header *)(void *)((char *)buffer + offsetof(struct frame_buffer, header));
}

uint8_t *frames_bytes(struct frame_buffer *buffer)
{
	return buffer->bytes;
}

static void sent(struct hostring_request *request, int64_t res, uint64_t extra)
{
	struct frame_buffer *buffer = container_of(request, struct frame_buffer, request);

	buffer->frames->in_flight--;
	if (res < 0)
		buffer->frames->send_dropped++;
	kfree(buffer);
}

void frames_send(struct frame_buffer *buffer)
{
	struct frames *frames = buffer->frames;
	struct abi_sqe sqe = {.op = ABI_RING_write, .fd = frames->fd, .offset = UINT64_MAX};

	sqe.arg = frames->host_index;
	sqe.gpa = va_to_pa(frames_header(buffer));
	sqe.len = sizeof(buffer->header) + buffer->len;
	buffer->request.done = sent;
	if (hostring_submit_later(&sqe, &buffer->request)) {
		frames->send_dropped++;
		kfree(buffer);
		return;
	}
	frames->in_flight++;
	frames->sent++;
	frames->sent_bytes += buffer->len;
}

/* ---- receiving ---- */

static void received(struct hostring_request *request, int64_t res, uint64_t extra);

/* The VMM takes new reads along when frames wake it. It is told when they are many: it may have no others. */
static void read_next(struct frame_read *read)
{
	struct frame_reader *reader = read->reader;
	struct abi_sqe sqe = {.op = ABI_RING_read, .fd = reader->fd, .offset = UINT64_MAX};
	bool quietly = reader->untold + 1 < reader->count / 2;

	sqe.gpa = va_to_pa(read->memory);
	sqe.len = PAGE_SIZE << READ_ORDER;
	read->request.done = received;
	reader->untold = quietly ? reader->untold + 1 : 0;
	if (quietly ? hostring_submit_quietly(&sqe, &read->request) : hostring_submit_later(&sqe, &read->request))
		klog(LOG_ERROR, "network: the host ring is full: fewer frames are received");
}

static void received(struct hostring_request *request, int64_t res, uint64_t extra)
{
	struct frame_read *read = container_of(request, struct frame_read, request);
	struct frame_reader *reader = read->reader;
	struct frames *frames = reader->frames ? reader->frames : res < 0 ? NULL : reader->find((uint32_t)extra);
	struct frame_header header;

	if (res == -EBADF) {
		klog(LOG_ERROR, "network: the host has no such device");
		return;
	}
	if (frames && res > (int64_t)sizeof(header)) {
		memcpy(&header, read->memory, sizeof(header));
		frames->received++;
		frames->received_bytes += (uint64_t)res - sizeof(header);
		frames->receive(frames, &header, read->memory + sizeof(header), (size_t)res - sizeof(header));
	}
	read_next(read); /* an error is the interface's (it went down): it may come back */
}

/*
 * The first links have many reads under way, all links together not more than a part of the ring. One where the next
 * read is served at once by whoever asks for it: what has come is then read and used with one buffer, in the CPU's cache.
 */
static struct frame_reader *make_reader(uint32_t fd)
{
	static unsigned left = READS_SHARED;
	unsigned count = machine->serves_ring ? 1 : MIN(MAX(left / 2, 2u), (unsigned)READS_MAX);
	struct frame_reader *reader = kzalloc(sizeof(*reader) + count * sizeof(reader->reads[0]));

	if (!reader)
		return NULL;
	reader->fd = fd;
	for (; reader->count < count; reader->count++) {
		struct frame_read *read = &reader->reads[reader->count];

		read->reader = reader;
		read->memory = kpages_alloc(READ_ORDER);
		if (!read->memory)
			break;
	}
	left -= MIN(left, reader->count);
	if (reader->count)
		return reader;
	kfree(reader);
	return NULL;
}

static void start_reading(struct frame_reader *reader)
{
	for (unsigned i = 0; i < reader->count; i++)
		read_next(&reader->reads[i]);
	hostring_ring();
}

int frames_start(struct frames *frames)
{
	struct frame_reader *reader = make_reader(frames->fd);

	if (!reader)
		return -ENOMEM;
	reader->frames = frames;
	frames->reader = reader;
	start_reading(reader);
	return 0;
}

int frames_start_shared(uint32_t fd, struct frames *(*find)(uint32_t host_index))
{
	struct frame_reader *reader = make_reader(fd);

	if (!reader)
		return -ENOMEM;
	reader->find = find;
	start_reading(reader);
	return 0;
}
