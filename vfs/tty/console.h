/*
 * The container's terminal: a tty of ours whose far side is the terminal of the host, through the donated
 * descriptors 0 (input) and 1 (output). Used when the configuration says `terminal`.
 */
#ifndef VFS_TTY_CONSOLE_H
#define VFS_TTY_CONSOLE_H

#include "kernel/files.h"
#include "kernel/tty_events.h" /* console_winch() */
#include "vfs/vfs.h"

/* A terminal whose far side is two donated descriptors (or one); size: NULL asks the host. 0 or -errno. */
int console_create(unsigned in_fd, unsigned out_fd, const struct config_winsize *size, struct console **console);
/* A new file on it, open for reading and writing. 0 or -errno. May sleep. */
int console_open(struct console *console, struct file **file);
int console_open_device(struct inode *inode, struct file *file); /* open(2) of /dev/console */

#endif
