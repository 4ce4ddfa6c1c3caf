/*
 * Character devices: a registry by device number, and the device files that the file
 * layer itself offers (null, zero, full, random, urandom).
 *
 * Opening an S_IFCHR inode without file_ops of its own looks its rdev up here. Drivers
 * register at boot (before the first open) and are never removed.
 */
#ifndef VFS_DEV_DEV_H
#define VFS_DEV_DEV_H

#include <stdbool.h>
#include <stdint.h>

struct file;
struct file_ops;
struct inode;
struct mount;

/* Linux's encoding in stat and mknod: makedev(3). */
#define DEV_MAKE(major, minor) \
	((((uint64_t)(minor)) & 0xff) | (((uint64_t)(major)) << 8) | ((((uint64_t)(minor)) & ~0xffull) << 12))
#define DEV_MAJOR(dev) ((unsigned)(((dev) >> 8) & 0xfff))
#define DEV_MINOR(dev) ((unsigned)(((dev) & 0xff) | (((dev) >> 12) & 0xfff00)))

/*
 * ops serve files opened on this number. open (may be NULL) is called for each open and
 * may set file->private and replace file->ops; it may sleep. 0; -ENOSPC: registry full; -EEXIST.
 */
int dev_register(uint64_t rdev, const struct file_ops *ops, int (*open)(struct inode *inode, struct file *file));
bool dev_exists(uint64_t rdev); /* somebody has registered it */
/* Called by open(2) for a device inode: sets file->ops and calls the driver. -ENXIO: no such device. */
int dev_open(struct inode *inode, struct file *file);
/* Registers the memory devices (boot). */
void dev_mem_init(void);
/* What runc makes on a fresh tmpfs at /dev: nodes and links; the mount's root directory is filled. May sleep. */
int dev_populate(struct mount *mount, unsigned with_console);

#endif
