/*
 * tmpfs: a file system in the sandbox's memory (tmpfs(5)), and the files made of the same
 * stuff that have no name: memfd_create(2). The overlay's upper layer is a tmpfs too.
 *
 * tmpfs_register() once at boot, then mount it as any type. Sizes are counted in pages of
 * the files' objects.
 */
#ifndef VFS_TMPFS_TMPFS_H
#define VFS_TMPFS_TMPFS_H

#include "vfs/vfs.h"

void tmpfs_register(void);
/* A superblock without a mount, no limits: for the overlay. 0 or -ENOMEM. */
int tmpfs_create_unlimited(struct superblock **sb);

/* What the overlay notes about an upper inode. Stays as long as the inode. */
struct tmpfs_note {
	uint64_t origin; /* inode number of the lower file it was copied from; 0: none */
	bool opaque;     /* a directory that hides the lower one */
};
struct tmpfs_note *tmpfs_note(struct inode *inode);

/* memfd_create(2): flags MFD_*; name without "memfd:". New reference. 0, -EINVAL, -ENOMEM. */
int memfd_open(const char *name, unsigned flags, struct file **file);
/* fcntl(2) F_ADD_SEALS, F_GET_SEALS; -EINVAL where there are none. */
int64_t memfd_seals(struct file *file, unsigned cmd, unsigned seals);
/* VM_MAY* rights that seals leave to shared mappings. */
unsigned memfd_map_rights(struct file *file, unsigned rights);

#endif
