/*
 * Vectors of user memory, as readv(2) and its kin take them.
 *
 * Order of use: vector_get(), vector_io() as often as wanted, vector_put() whether or not vector_get() succeeded.
 */
#ifndef VFS_VECTOR_H
#define VFS_VECTOR_H

#include <linux/uio.h>

#include "vfs/vfs.h"

#define VECTOR_INLINE 8u /* parts without memory of their own */

struct vector {
	struct iovec inline_parts[VECTOR_INLINE];
	struct iovec *parts;
	unsigned count;
	size_t total; /* bytes, cut to what one call may move */
};

/* Copies an array of `count` struct iovec in. 0; -EINVAL: too many or a negative length; -EFAULT; -ENOMEM. May sleep. */
int vector_get(struct vector *v, uaddr_t user, uint64_t count);
void vector_put(struct vector *v);
/*
 * Reads into the parts, or writes them, at *pos (which streams ignore): bytes done or -errno. A write is one
 * write while it is at most 64 KiB, and a stream is asked once, as Linux does. May sleep.
 */
int64_t vector_io(struct file *file, const struct vector *v, uint64_t *pos, bool write);

/* The RWF_* flags of preadv2(2): hints, orders to sync, or refused with -EOPNOTSUPP. */
int rwf_check(unsigned flags, bool write);
/* After `done` bytes (or -errno) were written: syncs if the flags say so. done, or why the sync failed. May sleep. */
int64_t rwf_sync(struct file *file, int64_t done, unsigned flags);

#endif
