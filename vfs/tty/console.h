/*
 * The container's terminal: a tty of ours whose far side is the terminal of the host, through the donated
 * descriptors 0 (input) and 1 (output). Used when the configuration says `terminal`.
 */
#ifndef VFS_TTY_CONSOLE_H
#define VFS_TTY_CONSOLE_H

#include "kernel/files.h"
#include "kernel/tty_events.h" /* console_winch() */
#include "vfs/vfs.h"

/* A new file on the console, open for reading and writing; sets it up on the first call. 0 or -errno. May sleep. */
int console_open(struct file **file);
int console_open_device(struct inode *inode, struct file *file); /* open(2) of /dev/console */

#endif
