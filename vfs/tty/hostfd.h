/*
 * Standard input, output and error when they are no terminal of ours: files whose bytes the host moves (donated
 * descriptors: 0, 1 and 2 are the first container's). vfs_boot() and vfs_enter() open them for a new process.
 */
#ifndef VFS_TTY_HOSTFD_H
#define VFS_TTY_HOSTFD_H

#include "kernel/files.h"
#include "vfs/vfs.h"

#define HOSTFD_KEPT 3u /* lower ones stay open for the life of the sandbox */

/*
 * A new file on a donated descriptor. All files of one index share it; the last one that is closed has the host close
 * it. 0; -EBADF: CONTROL_NO_FD; -ENOMEM. May sleep.
 */
int hostfd_open(unsigned index, struct file **file);
/* It is the host's /dev/null: the container's own does as well, and is what programs expect to find. */
bool hostfd_is_null(unsigned index);
/* Instead of hostfd_open(): nobody needs it. */
void hostfd_drop(unsigned index);

#endif
