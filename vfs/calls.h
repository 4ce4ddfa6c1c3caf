/*
 * What system calls ask of the file layer beside vfs.h: directory changes, attributes,
 * extended attributes, locks, mounts. Names are in sentry memory; dirfd is AT_FDCWD or a
 * descriptor. Everything may sleep and returns 0 (or a count) or -errno, as the man page
 * of the call of that name says.
 */
#ifndef VFS_CALLS_H
#define VFS_CALLS_H

#include "vfs/vfs.h"

/* ---- directory entries (vfs/dirops.c) ---- */
int vfs_mkdir(int dirfd, const char *name, uint32_t mode);
int vfs_mknod(int dirfd, const char *name, uint32_t mode, uint64_t rdev);
/* mknod without umask and permission checks, in a directory given by path (boot, bound sockets). */
int vfs_mknod_in(const struct path *dir, const char *name, uint32_t mode, uint64_t rdev);
int vfs_mkdir_in(const struct path *dir, const char *name, uint32_t mode);
int vfs_symlink_in(const struct path *dir, const char *name, const char *target);
int vfs_symlink(const char *target, int dirfd, const char *name);
int vfs_link(int old_dirfd, const char *old_name, int new_dirfd, const char *new_name, unsigned at_flags);
int vfs_unlink(int dirfd, const char *name);
int vfs_rmdir(int dirfd, const char *name);
int vfs_rename(int old_dirfd, const char *old_name, int new_dirfd, const char *new_name, unsigned flags);
/* Into buf, not terminated: length. */
int64_t vfs_readlink(const struct path *path, char *buf, size_t size);

/* ---- attributes (vfs/stat.c, vfs/attr.c) ---- */
struct kstat {
	uint64_t dev, ino, nlink, rdev, size, blocks, blksize;
	uint32_t mode, uid, gid;
	struct timestamp atime, mtime, ctime, btime;
	int mount_id;
	bool mount_root;
};
int vfs_getattr(struct inode *inode, struct kstat *stat);
int vfs_getattr_path(const struct path *path, struct kstat *stat);
int vfs_getattr_file(struct file *file, struct kstat *stat);
int vfs_chmod(const struct path *path, uint32_t mode);
int vfs_chown(const struct path *path, uint32_t uid, uint32_t gid); /* -1: unchanged */
/* valid: ATTR_ATIME, ATTR_MTIME with values, or the _NOW bits. */
int vfs_utimes(const struct path *path, const struct attr_change *times);
int vfs_truncate(const struct path *path, uint64_t size);
int vfs_ftruncate(struct file *file, uint64_t size);
/* Sets the size with the inode's lock taken inside; no permission check. */
int inode_set_size(struct inode *inode, uint64_t size);
int vfs_access(int dirfd, const char *name, unsigned mode, unsigned at_flags);
int vfs_fallocate(struct file *file, int mode, int64_t offset, int64_t length);
int vfs_fsync(struct file *file, bool data_only);

/* ---- extended attributes (vfs/xattr.c); size 0 asks for the length ---- */
#define XATTR_MAX_NAME 255u
#define XATTR_MAX_SIZE 65536u
int64_t vfs_getxattr(struct inode *inode, const char *name, void *value, size_t size);
int vfs_setxattr(const struct mount *mount, struct inode *inode, const char *name, const void *value, size_t size, int flags);
int64_t vfs_listxattr(struct inode *inode, char *list, size_t size);
int vfs_removexattr(const struct mount *mount, struct inode *inode, const char *name);

/* ---- locks (vfs/locks.c) ---- */
struct lock_request {
	int16_t type;        /* F_RDLCK, F_WRLCK, F_UNLCK */
	uint64_t start, end; /* inclusive; end UINT64_MAX: to the end */
	int pid;             /* out, F_GETLK */
};
int vfs_flock(struct file *file, int operation);
/* ofd: the lock belongs to the open file, else to the descriptor table. */
int vfs_lock_get(struct file *file, struct lock_request *request, bool ofd);
int vfs_lock_set(struct file *file, const struct lock_request *request, bool ofd, bool wait);

/* ---- mounts (vfs/mount.c) ---- */
int vfs_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data);
int vfs_umount(const char *target, int flags);
int vfs_pivot_root(const char *new_root, const char *put_old);
/* at NULL: the root of the tree. */
int vfs_mount_fs(const struct fs_type *type, const struct mount_args *args, const struct path *at);
int vfs_mount_bind(const struct path *from, const struct path *at, bool recursive);
int vfs_remount(const struct path *at, unsigned long flags, const char *data); /* data: options, or NULL */
bool vfs_may_mount(void); /* the current task, in its namespace */
/*
 * By descriptors (vfs/mount_detached.c, mount_setup.c): a descriptor, or 0. That vfs_may_mount(), and that the flags are known, was checked.
 * fsconfig's value is NULL for what is no string.
 */
struct mount_attr;
int vfs_open_tree(int dirfd, const char *name, unsigned flags);
int vfs_move_mount(int from_fd, const char *from_name, int to_fd, const char *to_name, unsigned flags);
int vfs_mount_setattr(int dirfd, const char *name, unsigned flags, const struct mount_attr *attr);
int vfs_fsopen(const char *name, unsigned flags);
int vfs_fspick(int dirfd, const char *name, unsigned flags);
int vfs_fsconfig(int fd, unsigned command, const char *key, const char *value);
int vfs_fsmount(int fd, unsigned flags, uint64_t attributes);
int vfs_statfs(const struct path *path, struct statfs64_data *out);
int vfs_sync_all(void);

/* ---- working directory and root ---- */
int vfs_set_cwd(const struct path *path); /* takes its own references; checks search permission */
int vfs_set_root(const struct path *path);

#endif
