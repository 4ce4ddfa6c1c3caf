/* The signal that tells the owner of a file that something happened to it: fcntl(2), F_SETOWN and F_SETSIG. */
#ifndef VFS_SIGIO_H
#define VFS_SIGIO_H

#include "vfs/vfs.h"

/* The owner by a number of the sandbox (a group's is negative; 0: nobody), set by current, whose user ids are kept for the check. */
void file_set_owner(struct file *file, int owner);
/* The same by a number of the caller's namespace, as F_SETOWN has it: 0, -EINVAL, -ESRCH. */
int file_choose_owner(struct file *file, int who);
/* Current's process, unless the file has an owner. */
void file_own_if_free(struct file *file);
/* code: POLL_IN, POLL_OUT, POLL_MSG or POLL_HUP of siginfo, what happened. Does not sleep. */
void file_signal_owner(const struct file *file, int fd, int code);

/* SIGURG: urgent data came. Does not sleep. */
void file_signal_urgent(const struct file *file);

/*
 * O_ASYNC goes on or off: from then on the owner is told of each wake-up of those who would wait for the file. fd is what it is told.
 * 0; -ENOMEM. For files whose operations say `async`. Does not sleep.
 */
int file_async_set(struct file *file, int fd, bool on);
/* A write found no room: the owner is told when there is some. */
void file_async_full(struct file *file);

#endif
