/*
 * One end of a copy: user memory or the sentry's own, chosen by the caller. Lets a stream file (pipe, socket,
 * terminal) serve read, read_kernel, write and write_kernel with one body. The copies may sleep when the end is
 * user memory. They advance the end, and return how many bytes were done; fewer than asked means a fault.
 */
#ifndef VFS_XFER_H
#define VFS_XFER_H

#include "ring0/lib.h"
#include "ring0/usercopy.h"

struct xfer {
	char *kernel; /* NULL: user */
	uaddr_t user;
};

#define XFER_USER(address) ((struct xfer){.kernel = NULL, .user = (address)})
#define XFER_KERNEL(pointer) ((struct xfer){.kernel = (char *)(uintptr_t)(pointer)})

static inline size_t xfer_to(struct xfer *end, const void *from, size_t n)
{
	size_t done = n;

	if (end->kernel) {
		memcpy(end->kernel, from, n);
		end->kernel += n;
		return n;
	}
	done -= copy_to_user_partial(end->user, from, n);
	end->user.v += done;
	return done;
}

static inline size_t xfer_from(struct xfer *end, void *to, size_t n)
{
	size_t done = n;

	if (end->kernel) {
		memcpy(to, end->kernel, n);
		end->kernel += n;
		return n;
	}
	done -= copy_from_user_partial(to, end->user, n);
	end->user.v += done;
	return done;
}

#endif
