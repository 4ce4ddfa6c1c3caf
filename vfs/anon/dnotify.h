/* Directory notification by signals: fcntl(2), F_NOTIFY. */
#ifndef VFS_ANON_DNOTIFY_H
#define VFS_ANON_DNOTIFY_H

#include "vfs/vfs.h"

/* F_NOTIFY on descriptor `fd` of current with DN_* bits; 0 of them: no more. 0, -ENOTDIR, -ENOMEM. May sleep. */
int dnotify_set(struct file *file, int fd, unsigned long bits);
/* A descriptor table closed this file (file->mode has FILE_DNOTIFY): what it asked for ends. NULL: whoever asked. May sleep. */
void dnotify_closed(struct file *file, const struct fd_table *files);

#endif
