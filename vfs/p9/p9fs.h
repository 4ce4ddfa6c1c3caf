/*
 * The gofer's files as a file system of the sentry: "9p".
 *
 * Boot calls p9fs_init() once, which registers the type; each configured mount then
 * mounts it with mount_args.gofer, the attach number (0: the root, which is exclusive).
 */
#ifndef VFS_P9_P9FS_H
#define VFS_P9_P9FS_H

void p9fs_init(void);

#endif
