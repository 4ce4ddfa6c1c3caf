/*
 * What the files of vfs/overlay share.
 *
 * Invariants:
 *  1. An overlay inode has an upper inode, or a lower dentry, or both; `real` fields of the
 *     overlay inode (mode, owner, times) are the truth while it lives, and are written to
 *     the upper inode when they change or when it dies.
 *  2. At most one overlay inode exists for an upper inode, or for a lower one without upper.
 *  3. upper never goes back to NULL; a file with an upper inode does not look at its lower one.
 *  4. alias is the hashed dentry that names an inode with one name, or NULL.
 *
 * Lower files with several names have no alias that would do for all: copied up, they are
 * found by their lower inode number in the superblock's index.
 */
#ifndef VFS_OVERLAY_INTERNAL_H
#define VFS_OVERLAY_INTERNAL_H

#include <bsd/sys/queue.h>
#include <linux/errno.h>

#include "kernel/files.h"
#include "ring0/lib.h"
#include "vfs/overlay/overlay.h"
#include "vfs/tmpfs/tmpfs.h"
#include "vfs/vfs.h"

#define OVERLAY_BUCKETS 4096u
#define OVERLAY_UPPER_INO (1ull << 62) /* set in numbers of inodes that only the upper layer has */

struct overlay_inode {
	struct inode inode;
	struct inode *upper;  /* tmpfs; referenced; or NULL */
	struct dentry *lower; /* referenced; or NULL */
	struct dentry *alias; /* not referenced: cleared when it dies */
	const void *key;      /* hash key: the upper inode, else the lower one */
	LIST_ENTRY(overlay_inode) hash;
	struct file *lower_file; /* open while files are, for the page cache's sake */
	unsigned opens;
};

struct overlay_index {
	LIST_ENTRY(overlay_index) link;
	uint64_t ino;         /* lower */
	struct inode *upper;  /* referenced */
};

struct overlay_sb {
	struct superblock *upper;
	struct mount *lower_mount; /* in no tree; owns the lower superblock */
	struct mutex copy_up;      /* one copy-up at a time; taken inside inode locks */
	LIST_HEAD(, overlay_inode) *inodes;
	LIST_HEAD(, overlay_index) index;
};

static inline struct overlay_inode *overlay_of(const struct inode *inode)
{
	return container_of((struct inode *)(uintptr_t)inode, struct overlay_inode, inode);
}

static inline struct overlay_sb *overlay_sb_of(const struct inode *inode)
{
	return inode->sb->private;
}

/* inode.c */
extern const struct inode_ops overlay_inode_ops;
/* The overlay inode for these; takes over both references, also on failure. New reference; NULL: no memory. */
struct inode *overlay_inode_get(struct superblock *sb, struct inode *upper, struct dentry *lower);
void overlay_inode_rekey(struct overlay_inode *oi);
void overlay_refresh(struct overlay_inode *oi); /* fields from the upper inode, after it changed */
void overlay_sync_upper(struct overlay_inode *oi); /* fields to the upper inode */
struct inode *overlay_index_find(struct overlay_sb *info, uint64_t ino); /* no reference */
/* Number under which an upper inode shows. */
uint64_t overlay_upper_ino(struct inode *upper);
void overlay_dentry_release(struct dentry *dentry);
void overlay_destroy(struct inode *inode);

/* copyup.c; may sleep. Makes oi->upper exist; data: copy a regular file's content too. */
int overlay_copy_up(struct overlay_inode *oi, bool data);
/* The lower file opened and oi->inode.object set. */
int overlay_open_lower(struct overlay_inode *oi);

/* lookup.c */
int overlay_lookup(struct inode *dir, struct dentry *dentry, struct inode **inode);
/* Whether the lower directory has something under this name that a removal must hide. May sleep. 1, 0 or -errno. */
int overlay_lower_has(struct overlay_inode *dir, struct dentry *name);

/* dir.c */
int overlay_create(struct inode *dir, struct dentry *dentry, uint32_t mode, struct inode **inode);
int overlay_mkdir(struct inode *dir, struct dentry *dentry, uint32_t mode, struct inode **inode);
int overlay_mknod(struct inode *dir, struct dentry *dentry, uint32_t mode, uint64_t rdev, struct inode **inode);
int overlay_symlink(struct inode *dir, struct dentry *dentry, const char *target, struct inode **inode);
int overlay_link(struct inode *dir, struct dentry *dentry, struct inode *existing);
int overlay_unlink(struct inode *dir, struct dentry *dentry);
int overlay_rmdir(struct inode *dir, struct dentry *dentry);
int overlay_tmpfile(struct inode *dir, uint32_t mode, struct inode **inode);

/* rename.c */
int overlay_rename(struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir, struct dentry *new_dentry,
	unsigned flags);

/* readdir.c */
extern const struct file_ops overlay_dir_ops;
int overlay_dir_is_empty(struct overlay_inode *dir); /* 1, 0 or -errno; may sleep */

/* file.c */
extern const struct file_ops overlay_file_ops;
int overlay_open(struct inode *inode, struct file *file);

#endif
