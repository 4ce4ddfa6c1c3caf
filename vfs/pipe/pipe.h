/*
 * Pipes and fifos (pipe(7), fifo(7)).
 *
 * pipe(2) calls pipe_create(); open(2) of a fifo calls fifo_open() once the struct file exists; fcntl(2) and
 * splice(2) use the rest. A pipe lives while a file of either end does. Never touch a pipe's ring without its lock.
 */
#ifndef VFS_PIPE_PIPE_H
#define VFS_PIPE_PIPE_H

#include "kernel/files.h"
#include "vfs/vfs.h"

#define PIPE_DEFAULT_SIZE 65536u
#define PIPE_MAX_SIZE 1048576u

/* Read end, write end. flags: O_NONBLOCK, O_DIRECT. 0; -ENOMEM. */
int pipe_create(struct file *files[2], unsigned flags);

/*
 * Makes `file`, just opened on the fifo `inode`, an end of its pipe: sets ops and private on success only. May sleep
 * until the other end is opened: 0, -ERESTARTSYS, -ENXIO (O_WRONLY | O_NONBLOCK and no reader), -ENOMEM.
 */
int fifo_open(struct inode *inode, struct file *file);

bool pipe_is(const struct file *file);
/* fcntl(2) F_GETPIPE_SZ and F_SETPIPE_SZ. Bytes, or -EBADF (no pipe), -EBUSY, -EPERM, -EINVAL, -ENOMEM. May sleep. */
int64_t pipe_get_size(struct file *file);
int64_t pipe_set_size(struct file *file, uint64_t size);

/* Copies up to n bytes that are there into sentry memory and leaves them: tee(2). May sleep for the lock only. */
int64_t pipe_peek(struct file *file, void *to, size_t n);

#endif
