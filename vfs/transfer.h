/* Moving data between open files through the sentry's memory (vfs/transfer.c). */
#ifndef VFS_TRANSFER_H
#define VFS_TRANSFER_H

#include "vfs/vfs.h"

#define TRANSFER_NONBLOCK 2u /* SPLICE_F_NONBLOCK */

/*
 * Copies up to n bytes from in to out. Offsets NULL: the file's own position (streams
 * have none); else they advance. Ends early at end of file, or when a stream has nothing
 * more just now. Both files' access was checked. Bytes, or -errno if none moved. May sleep.
 */
int64_t vfs_copy_data(struct file *in, uint64_t *in_pos, struct file *out, uint64_t *out_pos, uint64_t n, unsigned flags);
/* tee(2): copies what the pipe `in` holds and leaves it there. May sleep. */
int64_t vfs_tee(struct file *in, struct file *out, uint64_t n, unsigned flags);
/*
 * vmsplice(2) between a pipe and user memory, in the direction that the pipe's end is open for: waits until something
 * can be moved (or not at all with TRANSFER_NONBLOCK: -EAGAIN), then moves what can be moved at once. Bytes or -errno. May sleep.
 */
struct vector;
int64_t vfs_splice_user(struct file *pipe, const struct vector *v, unsigned flags);

#endif
