/* What the files of vfs/tmpfs share. */
#ifndef VFS_TMPFS_INTERNAL_H
#define VFS_TMPFS_INTERNAL_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <linux/errno.h>

#include "ring0/lib.h"
#include "vfs/tmpfs/tmpfs.h"
#include "vfs/vfs.h"

#ifndef __unused /* bsd/sys/tree.h's static functions want it */
#define __unused __attribute__((unused))
#endif

struct tmpfs_sb {
	uint64_t max_pages, used_pages;   /* max 0: no limit */
	uint64_t max_inodes, used_inodes; /* likewise */
	uint32_t mode, uid, gid;          /* of the root */
	/* Inodes without references, which tmpfs_destroy() takes apart one after another, and whether somebody does. */
	STAILQ_HEAD(, tmpfs_inode) gone;
	bool taking_apart;
};

struct tmpfs_inode;

/* A name in a directory. In two trees: by name, and by the cookie that readdir resumes at. */
struct tmpfs_entry {
	RB_ENTRY(tmpfs_entry) by_name, by_cookie;
	uint64_t cookie;
	struct tmpfs_inode *node; /* referenced */
	uint32_t hash;
	uint16_t len;
	char name[];
};

struct tmpfs_xattr {
	TAILQ_ENTRY(tmpfs_xattr) link;
	char *name;
	size_t size;
	uint8_t value[];
};

struct tmpfs_inode {
	struct inode inode;
	RB_HEAD(tmpfs_names, tmpfs_entry) names; /* directories */
	RB_HEAD(tmpfs_cookies, tmpfs_entry) cookies;
	uint64_t next_cookie;
	char *target; /* symbolic links */
	TAILQ_HEAD(, tmpfs_xattr) xattrs;
	size_t xattr_bytes;
	uint64_t charged; /* pages counted in the superblock */
	unsigned seals;   /* F_SEAL_* */
	struct tmpfs_note note;
	STAILQ_ENTRY(tmpfs_inode) gone_link;
};

static inline struct tmpfs_inode *tmpfs_of(const struct inode *inode)
{
	return container_of((struct inode *)(uintptr_t)inode, struct tmpfs_inode, inode);
}

/* inode.c */
extern const struct inode_ops tmpfs_inode_ops;
extern const struct file_ops tmpfs_dir_ops, tmpfs_file_ops;
/* A new inode with one reference, owned as a child of dir (may be NULL). 0, -ENOSPC, -ENOMEM. */
int tmpfs_inode_new(struct superblock *sb, const struct inode *dir, uint32_t mode, struct inode **inode);
void tmpfs_destroy(struct inode *inode);
int tmpfs_setattr(struct inode *inode, const struct attr_change *change);
int tmpfs_getattr(struct inode *inode);

/* dir.c */
struct tmpfs_entry *tmpfs_entry_find(struct tmpfs_inode *dir, const char *name, unsigned len);
int tmpfs_lookup(struct inode *dir, struct dentry *dentry, struct inode **inode);
int tmpfs_create(struct inode *dir, struct dentry *dentry, uint32_t mode, struct inode **inode);
int tmpfs_mkdir(struct inode *dir, struct dentry *dentry, uint32_t mode, struct inode **inode);
int tmpfs_mknod(struct inode *dir, struct dentry *dentry, uint32_t mode, uint64_t rdev, struct inode **inode);
int tmpfs_symlink(struct inode *dir, struct dentry *dentry, const char *target, struct inode **inode);
int tmpfs_link(struct inode *dir, struct dentry *dentry, struct inode *existing);
int tmpfs_unlink(struct inode *dir, struct dentry *dentry);
int tmpfs_rmdir(struct inode *dir, struct dentry *dentry);
int tmpfs_rename(struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir, struct dentry *new_dentry,
	unsigned flags);
int tmpfs_readdir(struct file *file, struct dir_emitter *emitter);
void tmpfs_dir_clear(struct tmpfs_inode *dir); /* drops every entry: the superblock goes */

/* file.c */
void tmpfs_charge(struct tmpfs_inode *node); /* bring the page count up to date */

/* memfd.c: a file on the internal superblock, open for reading and writing; path as /proc shows it. 0, -ENOMEM. */
int memfd_file(const char *path, uint32_t mode, const struct file_ops *ops, struct file **file);

/* xattr.c */
int64_t tmpfs_getxattr(struct inode *inode, const char *name, void *value, size_t size);
int tmpfs_setxattr(struct inode *inode, const char *name, const void *value, size_t size, int flags);
int64_t tmpfs_listxattr(struct inode *inode, char *list, size_t size);
int tmpfs_removexattr(struct inode *inode, const char *name);
void tmpfs_drop_caps(struct inode *inode);
void tmpfs_xattrs_free(struct tmpfs_inode *node);

#endif
