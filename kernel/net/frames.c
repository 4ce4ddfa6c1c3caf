/*
 * Frames by the host ring. See kernel/net/frames.h.
 *
 * One read is always outstanding; its buffer holds the largest frame that the host's segmentation makes. What the host
 * does not take at once waits there; above a bound frames are dropped here, as a full device would.
 */
#include <linux/errno.h>

#include "kernel/mm.h"
#include "kernel/net/frames.h"
#include "ring0/lib.h"
#include "ring0/memory.h"

#define IN_FLIGHT_MAX 128u
#define READ_ORDER 5u /* 128 KiB: a frame may be a little more than 64 */

struct frame_buffer {
	struct hostring_request request;
	struct frames *frames;
	size_t len;
	struct frame_header header;
	uint8_t bytes[];
} __attribute__((packed, aligned(8)));

struct frame_reader {
	struct hostring_request request;
	struct frames *frames;                       /* whose they are; NULL: as `find` says */
	struct frames *(*find)(uint32_t host_index);
	uint32_t fd;
	uint8_t *memory;
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

static void read_next(struct frame_reader *reader)
{
	struct abi_sqe sqe = {.op = ABI_RING_read, .fd = reader->fd, .offset = UINT64_MAX};

	sqe.gpa = va_to_pa(reader->memory);
	sqe.len = PAGE_SIZE << READ_ORDER;
	reader->request.done = received;
	if (hostring_submit_later(&sqe, &reader->request))
		klog(LOG_ERROR, "network: the host ring is full: no more frames are received");
}

static void received(struct hostring_request *request, int64_t res, uint64_t extra)
{
	struct frame_reader *reader = container_of(request, struct frame_reader, request);
	struct frames *frames = reader->frames ? reader->frames : res < 0 ? NULL : reader->find((uint32_t)extra);
	struct frame_header header;

	if (res == -EBADF) {
		klog(LOG_ERROR, "network: the host has no such device");
		return;
	}
	if (frames && res > (int64_t)sizeof(header)) {
		memcpy(&header, reader->memory, sizeof(header));
		frames->received++;
		frames->received_bytes += (uint64_t)res - sizeof(header);
		frames->receive(frames, &header, reader->memory + sizeof(header), (size_t)res - sizeof(header));
	}
	read_next(reader); /* an error is the interface's (it went down): it may come back */
}

static struct frame_reader *make_reader(uint32_t fd)
{
	struct frame_reader *reader = kzalloc(sizeof(*reader));

	if (!reader)
		return NULL;
	reader->fd = fd;
	reader->memory = kpages_alloc(READ_ORDER);
	if (reader->memory)
		return reader;
	kfree(reader);
	return NULL;
}

int frames_start(struct frames *frames)
{
	struct frame_reader *reader = make_reader(frames->fd);

	if (!reader)
		return -ENOMEM;
	reader->frames = frames;
	frames->reader = reader;
	read_next(reader);
	hostring_ring();
	return 0;
}

int frames_start_shared(uint32_t fd, struct frames *(*find)(uint32_t host_index))
{
	struct frame_reader *reader = make_reader(fd);

	if (!reader)
		return -ENOMEM;
	reader->find = find;
	read_next(reader);
	return 0;
}
