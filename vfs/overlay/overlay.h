/*
 * overlay: a writable view of a read-only superblock. Changes go to a tmpfs in the
 * sandbox's memory (the upper layer); the lower one is never written.
 *
 * Boot mounts it with mount_args.lower; mount(2) does not offer it.
 */
#ifndef VFS_OVERLAY_OVERLAY_H
#define VFS_OVERLAY_OVERLAY_H

void overlay_register(void);

#endif
