/*
 * The container's standard input, output and error when they are no terminal of ours: files whose bytes the host
 * moves (donated descriptors 0, 1 and 2). vfs_boot() opens them for init.
 */
#ifndef VFS_TTY_HOSTFD_H
#define VFS_TTY_HOSTFD_H

#include "kernel/files.h"
#include "vfs/vfs.h"

#define HOSTFD_COUNT 3u

/* A new file on donated descriptor `index` (0, 1, 2). All files of one index share it. 0; -EBADF; -ENOMEM. May sleep. */
int hostfd_open(unsigned index, struct file **file);

#endif
