/*
 * epoll's hook in the file layer.
 */
#ifndef VFS_ANON_EPOLL_H
#define VFS_ANON_EPOLL_H

struct file;

/*
 * A file that some epoll set watches (file->epoll_items is not NULL) has lost its last reference: takes it out of
 * every set. file_put() calls it before the file's release operation. Does not sleep.
 */
void epoll_forget(struct file *file);

#endif
