/*
 * Asynchronous I/O contexts of io_setup(2), for syscalls/aio.c.
 *
 * A context is a file of one page, mapped where its number says: the number *is* the address, as on Linux, and the
 * mapping's end (munmap, exec, exit) is the context's end. The page stays empty: what Linux keeps there, a ring of events, is
 * recognised by user space by a magic number and else asked for by io_getevents(2).
 */
#ifndef VFS_ANON_AIO_H
#define VFS_ANON_AIO_H

#include <linux/aio_abi.h>

#include "vfs/vfs.h"

/* A context for up to `events` requests at a time: its address in the current task's memory. -EINVAL: far too
 * many; -EAGAIN: more than the system has left; -ENOMEM. May sleep. */
int64_t aio_context_create(unsigned events);
/* The context at this address, referenced: file_put() it. NULL: none. May sleep. */
struct file *aio_context_find(uint64_t address);
/* Cancels what waits, wakes whoever waits for events (with -EINVAL), unmaps it. May sleep. */
int aio_context_destroy(struct file *context, uint64_t address);

/*
 * One request, whose control block lies at `user`. What reads, writes and syncs is done when this returns, as it is on Linux
 * but for direct I/O; a poll waits. 0: the event is there or will be; -EAGAIN: no room; other -errno as io_submit(2). May sleep.
 */
int aio_submit(struct file *context, uaddr_t user);
/* io_cancel(2): -EINPROGRESS when the request's event was made to come now; -EINVAL: no such request waits. */
int aio_cancel(struct file *context, uaddr_t user);
/* Events to user memory: waits for `least` until the deadline. How many; -EINTR or -EINVAL (destroyed) only without any; -EFAULT. */
int64_t aio_wait_events(struct file *context, uint64_t least, uint64_t most, uaddr_t events, uint64_t deadline);

/* /proc/sys/fs/aio-nr and aio-max-nr. */
#define AIO_MAX_EVENTS 65536u
unsigned aio_events_reserved(void);

#endif
