/*
 * tmpfs: a file system in the sandbox's memory (tmpfs(5)), and the files made of the same
 * stuff that have no name: memfd_create(2), memfd_secret(2). The overlay's upper layer is a tmpfs too.
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

/*
 * For the overlay, which sees the upper directories through these: none sleeps. A whiteout
 * is a character device 0/0. dir is an inode of a tmpfs directory.
 */
struct inode *tmpfs_find(struct inode *dir, const char *name, unsigned len); /* no reference; NULL */
bool tmpfs_is_whiteout(const struct inode *inode);
/* Make the name a whiteout, whatever it was (a directory with all in it). 0, or -errno and nothing changed. */
int tmpfs_set_whiteout(struct inode *dir, struct dentry *name);
/* Drop the name, whatever it is; nothing if it is not there. */
void tmpfs_remove_name(struct inode *dir, struct dentry *name);
void tmpfs_remove_whiteouts(struct inode *dir); /* all in this directory */
void tmpfs_each(struct inode *dir, int (*fn)(void *arg, const char *name, unsigned len, struct inode *inode), void *arg);

/* memfd_create(2): flags MFD_*; name without "memfd:". New reference. 0, -EINVAL, -ENOMEM. */
int memfd_open(const char *name, unsigned flags, struct file **file);
/* fcntl(2) F_ADD_SEALS, F_GET_SEALS; -EINVAL where there are none. */
int64_t memfd_seals(struct file *file, unsigned cmd, unsigned seals);
/* VM_MAY* rights that seals leave to shared mappings. */
unsigned memfd_map_rights(struct file *file, unsigned rights);

/* memfd_secret(2): flags O_CLOEXEC, which is the caller's to act on. New reference. 0, -EINVAL, -ENOMEM. */
int secret_open(unsigned flags, struct file **file);
/* The rights with VM_SECRET, without VM_MAYEXEC, if the file is one of these. */
unsigned secret_map_rights(const struct file *file, unsigned rights);

#endif
