/*
 * Frames of the links that came to the container's network namespace after its start: one packet socket, bound to no
 * link, that the runtime command opened and filtered, so that a link needs no system call of ours that makes or binds a
 * socket. The frame's link goes beside it, by the host's number (ABI_FILE_LINKS).
 *
 * io_serve.c and frame_reads.c call it, on whichever thread has the request. Hostile: memory, length and the number.
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "platform/io.h"

#define LOOPBACK_INDEX 1u /* of every namespace; the engine's own programs may listen there */

static ssize_t transfer_one(struct io_request *request, uint32_t *index)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)*index};
	struct iovec iov = {request->memory, request->len};
	struct msghdr message = {.msg_name = &address, .msg_namelen = sizeof(address), .msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	do
		n = request->op == ABI_RING_write ? sendmsg(request->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) :
						    recvmsg(request->fd, &message, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	*index = (uint32_t)address.sll_ifindex;
	return n < 0 ? -errno : n;
}

bool links_transfer(struct io_service *io, struct io_request *request)
{
	uint32_t index = (uint32_t)request->arg;
	bool writing = request->op == ABI_RING_write;
	ssize_t n;

	if (writing && (request->arg <= LOOPBACK_INDEX || request->arg > INT32_MAX)) {
		io_complete(io, request, -ENXIO, 0);
		return true;
	}
	n = transfer_one(request, &index);
	if (n == -EAGAIN && !writing)
		return false;
	if (!writing) {
		io_complete(io, request, n, index);
		return true;
	}
	frame_reads_due(io);
	io_complete_quietly(io, request, n, 0);
	return true;
}
