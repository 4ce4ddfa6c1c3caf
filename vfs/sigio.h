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
/* There is a message (POLL_MSG of siginfo). Does not sleep. */
void file_signal_owner(const struct file *file, int fd);

/* SIGURG: urgent data came. Does not sleep. */
void file_signal_urgent(const struct file *file);

#endif
