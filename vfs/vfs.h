/*
 * The file layer: inodes, dentries, mounts, open files, descriptor tables.
 *
 * Path walk:  path_lookup() → struct path {mount, dentry} (both referenced).
 * Open:       vfs_open() → struct file.  Everything under the kernel lock; ops that
 * reach the gofer sleep, so an inode's `lock` (a rwsem) excludes others across that:
 * directory changes hold the directory's lock as writer, lookups that miss the dentry
 * cache hold it as reader; read/write of regular files hold it as reader/writer.
 * Order: parent directory before child; for rename, ancestor first, then by address.
 *
 * Invariants (dentry_check()):
 *  1. A dentry's parent is referenced by it; the root is its own parent.
 *  2. At most one hashed dentry per (parent, name). inode == NULL: negative.
 *  3. An inode lives while a dentry, a file or an object refers to it.
 *
 * A file system: struct fs_type registers a name and a mount function; file systems
 * embed struct inode in their own and get back by container_of.
 */
#ifndef VFS_VFS_H
#define VFS_VFS_H

#include <bsd/sys/queue.h>
#include <linux/stat.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/mm.h"
#include "kernel/namespaces.h"
#include "kernel/task.h"
#include "kernel/wait.h"

#ifndef S_IFMT /* linux/stat.h hides them where libbsd's macros have named a C library */
#define S_IFMT 00170000
#define S_IFSOCK 0140000
#define S_IFLNK 0120000
#define S_IFREG 0100000
#define S_IFBLK 0060000
#define S_IFDIR 0040000
#define S_IFCHR 0020000
#define S_IFIFO 0010000
#define S_ISUID 0004000
#define S_ISGID 0002000
#define S_ISVTX 0001000
#define S_IXUSR 00100
#define S_IXGRP 00010
#define S_IXOTH 00001
#define S_ISLNK(m) (((m) & S_IFMT) == S_IFLNK)
#define S_ISREG(m) (((m) & S_IFMT) == S_IFREG)
#define S_ISDIR(m) (((m) & S_IFMT) == S_IFDIR)
#define S_ISCHR(m) (((m) & S_IFMT) == S_IFCHR)
#define S_ISBLK(m) (((m) & S_IFMT) == S_IFBLK)
#define S_ISFIFO(m) (((m) & S_IFMT) == S_IFIFO)
#define S_ISSOCK(m) (((m) & S_IFMT) == S_IFSOCK)
#endif

struct inode;
struct dentry;
struct superblock;
struct mount;
struct file;

struct timestamp {
	int64_t sec;
	uint32_t nsec;
};

/* Attributes to change (ATTR_* tell which). */
#define ATTR_MODE 1u
#define ATTR_UID 2u
#define ATTR_GID 4u
#define ATTR_SIZE 8u
#define ATTR_ATIME 16u
#define ATTR_MTIME 32u
#define ATTR_ATIME_NOW 64u
#define ATTR_MTIME_NOW 128u
#define ATTR_CTIME 256u
struct attr_change {
	uint32_t valid;
	uint32_t mode, uid, gid;
	uint64_t size;
	struct timestamp atime, mtime, ctime;
};

/*
 * Inode operations. All may sleep; the caller holds the inode's lock as the table says
 * (w: writer, r: reader, –: none). Permission checks were done by vfs/. A missing member gives the errno.
 *
 *	op          lock  absent        note
 *	lookup      r     -ENOTDIR      sets *inode with a reference; -ENOENT: negative dentry
 *	create      w     -EACCES       regular file; makes the inode for dentry->name
 *	mkdir       w     -EPERM
 *	mknod       w     -EPERM        also fifos and sockets (mode)
 *	symlink     w     -EPERM
 *	link        w     -EPERM
 *	unlink      w     -EPERM        rmdir likewise
 *	rename      w w   -EPERM        flags: RENAME_NOREPLACE, RENAME_EXCHANGE or -EINVAL
 *	readlink    –     -EINVAL       into buf, not terminated: length
 *	getlink     –     (readlink)    magic links (/proc/PID/fd/N): a path directly
 *	setattr     w     -EPERM        applies what is valid; updates the inode's fields
 *	getattr     –     (fields)      brings the cached fields up to date (shared mounts, proc)
 *	permission  –     (mode bits)
 *	*xattr      r/w   -EOPNOTSUPP
 *	drop_caps   –     (nothing)     security.capability goes: the content or the owner is another. Must not sleep
 *	open        –     (nothing)     prepares file->private; may replace file->ops
 *	tmpfile     w     -EOPNOTSUPP   O_TMPFILE
 *	revalidate  –     (valid)       dentry still right? 1 yes, 0 drop it
 *	revalidate_path – revalidate   the same, and of the cached names that `rest` of the path goes on with, as many as
 *	                              one question answers: *ahead, 0 at first, of them are right now, too
 *	destroy     –     kfree         last reference gone
 */
struct inode_ops {
	int (*lookup)(struct inode *dir, struct dentry *dentry, struct inode **inode);
	int (*create)(struct inode *dir, struct dentry *dentry, uint32_t mode, struct inode **inode);
	int (*mkdir)(struct inode *dir, struct dentry *dentry, uint32_t mode, struct inode **inode);
	int (*mknod)(struct inode *dir, struct dentry *dentry, uint32_t mode, uint64_t rdev, struct inode **inode);
	int (*symlink)(struct inode *dir, struct dentry *dentry, const char *target, struct inode **inode);
	int (*link)(struct inode *dir, struct dentry *dentry, struct inode *existing);
	int (*unlink)(struct inode *dir, struct dentry *dentry);
	int (*rmdir)(struct inode *dir, struct dentry *dentry);
	int (*rename)(struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir,
		struct dentry *new_dentry, unsigned flags);
	int64_t (*readlink)(struct inode *inode, char *buf, size_t size);
	int (*getlink)(struct inode *inode, struct mount **mount, struct dentry **dentry); /* new references */
	int (*setattr)(struct inode *inode, const struct attr_change *change);
	int (*getattr)(struct inode *inode);
	int (*permission)(struct inode *inode, unsigned mask); /* MAY_* */
	int64_t (*getxattr)(struct inode *inode, const char *name, void *value, size_t size);
	int (*setxattr)(struct inode *inode, const char *name, const void *value, size_t size, int flags);
	int64_t (*listxattr)(struct inode *inode, char *list, size_t size);
	int (*removexattr)(struct inode *inode, const char *name);
	void (*drop_caps)(struct inode *inode);
	int (*open)(struct inode *inode, struct file *file);
	int (*tmpfile)(struct inode *dir, uint32_t mode, struct inode **inode);
	int (*revalidate)(struct dentry *dentry);
	int (*revalidate_path)(struct dentry *dentry, const char *rest, unsigned *ahead);
	void (*destroy)(struct inode *inode);
};

struct file_lock; /* vfs/locks.c */
struct inode_watch; /* vfs/anon/notify.h */
struct pipe;

struct inode {
	uint32_t refs;
	const struct inode_ops *ops;
	const struct file_ops *file_ops; /* for files opened on it */
	struct superblock *sb;
	uint64_t ino;
	uint32_t mode; /* S_IF* and permissions */
	uint32_t uid, gid, nlink;
	uint64_t rdev; /* in the kernel's new encoding of stat: makedev */
	uint64_t size, blocks; /* blocks of 512 bytes */
	uint32_t blksize;
	struct timestamp atime, mtime, ctime, btime;
	struct vm_object *object; /* regular files: the page cache; NULL until needed */
	struct pipe *pipe;        /* fifos, while open */
	void *bound_socket;       /* AF_UNIX: the socket bound here */
	struct rwsem lock;
	TAILQ_HEAD(, file_lock) locks;
	uint32_t writers; /* open for writing; negative count (deny) kept in deny_write */
	uint32_t deny_write; /* running programs: ETXTBSY */
	struct inode_watch *watches; /* vfs/anon/notify.h */
	bool always_empty;        /* a directory that nothing can ever be in: made to be mounted on */
};

/* "inode->size" of a regular file with an object is object->size; this returns the right one. */
uint64_t inode_size(const struct inode *inode);
void inode_init(struct inode *inode, struct superblock *sb, uint32_t mode);
/* Owner and mode of a new inode in `dir` for the current task: fsuid, fsgid or the set-gid directory's group. */
void inode_init_owner(struct inode *inode, const struct inode *dir, uint32_t mode);
uint64_t inode_next_ino(void); /* numbers for file systems without their own */
/* In destroy(): drops what the core hangs on an inode (object, watches). The caller frees the memory. */
void inode_release(struct inode *inode);
void inode_get(struct inode *inode);
void inode_put(struct inode *inode); /* may sleep */

struct dentry {
	uint32_t refs;
	uint32_t hash;
	struct dentry *parent;
	struct inode *inode; /* NULL: negative */
	struct superblock *sb;
	TAILQ_ENTRY(dentry) hash_link, lru, sibling;
	TAILQ_HEAD(, dentry) children;
	bool hashed, mounted, on_lru;
	bool removed; /* with its object, unless that has other names: dentry_removed() */
	void *private; /* the file system's (9P: the fid) */
	uint16_t name_len;
	char *name; /* terminated */
};

void dentry_get(struct dentry *dentry);
void dentry_put(struct dentry *dentry); /* may sleep */
/* The last reference frees it, cached or not: for a layer that something above caches already. May sleep. */
void dentry_put_uncached(struct dentry *dentry);
/* A cached child, referenced, negative ones too; NULL if unknown. Does not sleep. */
struct dentry *dentry_find(struct dentry *parent, const char *name, unsigned len);
/* A fresh dentry, hashed with inode (takes over its reference; NULL: negative). NULL: no memory. If one exists already it is returned and inode put. */
struct dentry *dentry_add(struct dentry *parent, const char *name, unsigned len, struct inode *inode);
struct dentry *dentry_make_root(struct superblock *sb, struct inode *inode); /* takes over the reference */
void dentry_instantiate(struct dentry *dentry, struct inode *inode); /* negative → positive */
void dentry_unhash(struct dentry *dentry);                           /* forget it (removed, stale) */
/*
 * Its name is gone; the caller has a reference and has unhashed it. If it was its object's last, watches on that hear IN_DELETE_SELF: now, or when
 * nobody has it open any more (inotify(7)). May sleep.
 */
void dentry_removed(struct dentry *dentry);

/* A child, cached or asked of the file system; negative ones too. Takes the directory's lock as reader. May sleep. */
int dentry_lookup(struct dentry *parent, const char *name, unsigned len, struct dentry **dentry);
/*
 * The same for a walk that goes on with `rest`. *ahead is the walk's, 0 at first: so many cached names from this one on
 * were found right, which holds until somebody sleeps.
 */
int dentry_lookup_path(struct dentry *parent, const char *name, unsigned len, const char *rest, unsigned *ahead,
	struct dentry **dentry);
/* The same with the directory's lock held. */
int dentry_lookup_locked(struct dentry *parent, const char *name, unsigned len, struct dentry **dentry);
/* An unhashed dentry outside every tree, for anonymous files and O_TMPFILE; takes over the inode's reference. */
struct dentry *dentry_make_loose(struct superblock *sb, const char *name, struct inode *inode);
unsigned dentry_shrink(unsigned count); /* looks at so many dentries, drops the unused ones: how many; may sleep */
void dentry_check(void);            /* debug and tests: the invariants above */
/* A removed directory: nothing can be made in it any more. */
static inline bool dentry_is_dead(const struct dentry *dentry)
{
	return !dentry->hashed && dentry->parent != dentry;
}

struct statfs64_data {
	uint64_t type, bsize, blocks, bfree, bavail, files, ffree, namelen, frsize;
};

struct superblock_ops {
	/* absent: zeros with f_type */
	int (*statfs)(struct superblock *sb, struct statfs64_data *out);
	int (*sync)(struct superblock *sb);      /* absent: nothing to do */
	void (*destroy)(struct superblock *sb);  /* last mount gone */
	void (*show_options)(struct superblock *sb, char *buf, size_t size);
	int (*reconfigure)(struct superblock *sb, const char *data); /* a remount's options; absent: ignored */
	void (*dentry_release)(struct dentry *dentry); /* private data of a dying dentry */
};

struct superblock {
	uint32_t refs;
	const struct fs_type *type;
	const struct superblock_ops *ops;
	struct dentry *root;
	struct user_ns *user_ns; /* referenced: of who mounted it; NULL: none has, it is the sandbox' own */
	uint64_t dev;   /* st_dev */
	uint64_t magic; /* statfs */
	unsigned flags; /* MS_* */
	uint32_t writers; /* the sum of its mounts', those in no tree too */
	bool cache_exclusive; /* dentries and attributes need no revalidation */
	bool create_finds;    /* create() of a name that was not looked for says itself when it is there */
	void *private;
};

struct mount_args {
	const char *source, *data; /* data: "a=b,c"; never NULL */
	unsigned long flags;       /* MS_* */
	unsigned long locked_flags; /* of the mount: struct mount */
	uint32_t gofer;            /* 9p: the attach number */
	struct superblock *lower;  /* overlay at boot: its lower layer */
};

struct fs_type {
	const char *name;
	bool nodev; /* shown so in /proc/filesystems */
	bool internal; /* not mountable by mount(2) */
	bool in_user_ns; /* mountable by whoever has CAP_SYS_ADMIN in the user namespace of owner(), absent: his own */
	bool unmasked;   /* and only where another one is seen whole: mount_too_revealing() */
	bool own_devices; /* its device nodes can be opened whoever mounted it */
	const struct user_ns *(*owner)(void);
	int (*mount)(const struct fs_type *type, const struct mount_args *args, struct superblock **sb);
	/* May this option be given to mount? value NULL: without one. 0, -ENOENT: unknown, -EINVAL. Absent: it has none. */
	int (*check_option)(const char *key, const char *value);
	/* Where a mount begins, referenced; may sleep. Absent: at the superblock's root. */
	int (*root)(struct superblock *sb, struct dentry **root);
	TAILQ_ENTRY(fs_type) link;
};
void fs_register(struct fs_type *type);
struct fs_type *fs_find(const char *name);
extern TAILQ_HEAD(fs_type_list, fs_type) all_fs_types; /* for /proc/filesystems */
struct superblock *superblock_create(const struct fs_type *type, const struct superblock_ops *ops, uint64_t magic);
void superblock_put(struct superblock *sb);

struct mount {
	uint32_t refs;
	int id, parent_id;
	struct mount *parent;        /* NULL: the namespace's root */
	struct dentry *mountpoint;   /* in parent */
	struct dentry *root;
	struct superblock *sb;
	unsigned long flags; /* MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_NOATIME … */
	unsigned long locked_flags; /* those of flags that may not be changed: mount_lock_tree() */
	bool locked;         /* it may not be taken from its place */
	bool cut_off;        /* ".." does not lead to the parent any more: it would not lead back */
	uint32_t writers;    /* files open for writing through it */
	uint32_t staying;    /* of its references: those of locked mounts on it that stayed when its tree went; mount_detach() */
	const char *source;
	TAILQ_ENTRY(mount) link; /* all mounts, in order */
	struct mnt_ns *mnt_ns;   /* whose tree it is in, without a reference; NULL: in none */
	struct mount_group *group, *master; /* of peers, and of whom it follows: propagation.c; or NULL */
	bool unbindable;
	struct mount *copy;      /* while its tree is being copied */
	unsigned synced;         /* the last round of vfs_sync_all() that came to it */
	bool attached;
};
TAILQ_HEAD(mount_list, mount);
struct mnt_ns {
	struct ns ns;
	struct mount *root;
	uint64_t changes; /* of its mounts, counted from 1 */
	bool detached;    /* no task is in it: a tree that has no place yet (mount_detached.c) */
};
extern struct waitq mounts_waiters; /* woken when the mounts of any namespace change: EPOLLPRI */
int mount_group_id(const struct mount_group *group); /* as mountinfo shows it; 0: none */
struct mnt_ns *mnt_ns_create(struct mount *root, struct user_ns *owner); /* one reference; NULL: no memory */
/*
 * Out of the tree, with the tree's reference; may sleep. A locked one, whose parent goes as well, stays on that as long as
 * somebody has it: what it covers stays covered.
 */
void mount_detach(struct mount *mount);
void mount_unhang(struct mount *mount); /* from its parent, but stays in the tree's list; may sleep */
extern struct mount_list all_mounts;
void mount_get(struct mount *mount);
void mount_put(struct mount *mount);

struct path {
	struct mount *mount;
	struct dentry *dentry;
};
/* A mount that is in no tree (anonymous files, an overlay's layers); takes over the sb reference. NULL: no memory. */
struct mount *mount_create(struct superblock *sb, struct dentry *root, const char *source, unsigned long flags);
/* Hang a mount on a place (NULL: the root of a tree, whose mnt_ns the caller sets): takes over the mount's reference. 0 or -errno. */
int mount_attach(struct mount *mount, const struct path *at);
/* The mount on top of this place, referenced, or NULL. */
struct mount *mount_find_child(struct mount *mount, struct dentry *dentry);
/* Mounts inside mounts: steps down while something is mounted on *path. */
void path_follow_mounts(struct path *path);

void path_get(const struct path *path);
void path_put(struct path *path);

struct fs_context {
	uint32_t refs;
	uint32_t umask;
	struct path root, cwd;
};

/* Lookup flags. */
#define LOOKUP_FOLLOW 1u     /* follow a final symlink */
#define LOOKUP_DIRECTORY 2u  /* must be a directory */
#define LOOKUP_PARENT 4u     /* stop before the last component */
#define LOOKUP_EMPTY 8u      /* AT_EMPTY_PATH */
#define LOOKUP_NO_SYMLINKS 16u
#define LOOKUP_BENEATH 32u
#define LOOKUP_IN_ROOT 64u
#define LOOKUP_NO_XDEV 128u
#define LOOKUP_NO_MAGICLINKS 256u

/* The last component after LOOKUP_PARENT. */
struct last_name {
	const char *name; /* points into the caller's path string */
	unsigned len;
	bool trailing_slash;
	uint8_t kind; /* LAST_* */
};
enum { LAST_NORMAL, LAST_DOT, LAST_DOTDOT, LAST_ROOT };

/* All with references in *path on success. name is in sentry memory. dirfd: AT_FDCWD or a descriptor. May sleep. */
int path_lookup(int dirfd, const char *name, unsigned flags, struct path *path);
int path_lookup_parent(int dirfd, const char *name, unsigned flags, struct path *parent, struct last_name *last);
/* Copy a path string in: kmalloc'ed (kfree it) or a -errno pointer through *error. PATH_MAX, ENOENT for empty unless allowed. */
char *path_from_user(uaddr_t user, bool empty_ok, int *error);
/* Absolute path in the task's root: writes at the end of buf, returns a pointer into it; "(unreachable)" in front, as getcwd(2) says it, outside of that. NULL: ENAMETOOLONG. */
char *path_print_reached(const struct path *path, const struct path *root, char *buf, size_t size); /* without saying so, as other texts */
char *path_print(const struct path *path, const struct path *root, char *buf, size_t size);

#define MAY_EXEC 1u
#define MAY_WRITE 2u
#define MAY_READ 4u
int inode_permission(struct inode *inode, unsigned mask); /* fsuid/fsgid and capabilities of current */
int inode_permission_by_mode(const struct inode *inode, unsigned mask); /* without the inode's own rule, for that rule's use */
bool inode_owner_or_capable(const struct inode *inode); /* current: fsuid is its owner, or CAP_FOWNER over it */
int mount_want_write(const struct mount *mount);          /* 0 or -EROFS */

/* ---- open files ---- */

/*
 * File operations. Called without the inode's lock; may sleep unless said.
 *
 *	op          absent        note
 *	read        -EINVAL       user memory; *pos is the file position (pread: a copy); stream files ignore it
 *	write       -EINVAL
 *	read_kernel (none)        into sentry memory: used for exec, sendfile, splice; regular files have it
 *	write_kernel (none)
 *	poll        always ready  EPOLL* bits; registers waiter (may be NULL) on its queues through poll_add()
 *	ioctl       -ENOTTY
 *	seek        (generic)     on size; -ESPIPE for streams: set FILE_STREAM
 *	readdir     -ENOTDIR      calls emit() until it returns false; file->pos is the cookie
 *	mmap_object -ENODEV
 *	fsync       (0)           absent: nothing is kept back
 *	flush       (0)           each close(2)
 *	release     (nothing)     last reference
 *	fallocate   -EOPNOTSUPP
 *	show_fdinfo (nothing)
 */
struct poll_waiter; /* vfs/poll.c */
struct dir_emitter;
struct file_async; /* vfs/sigio.c */
struct file_ops {
	int64_t (*read)(struct file *file, uaddr_t to, size_t n, uint64_t *pos);
	int64_t (*write)(struct file *file, uaddr_t from, size_t n, uint64_t *pos);
	int64_t (*read_kernel)(struct file *file, void *to, size_t n, uint64_t *pos);
	int64_t (*write_kernel)(struct file *file, const void *from, size_t n, uint64_t *pos);
	uint32_t (*poll)(struct file *file, struct poll_waiter *waiter);
	int64_t (*ioctl)(struct file *file, unsigned cmd, uint64_t arg);
	int64_t (*seek)(struct file *file, int64_t offset, int whence);
	int (*readdir)(struct file *file, struct dir_emitter *emitter);
	struct vm_object *(*mmap_object)(struct file *file); /* no reference taken */
	int (*fsync)(struct file *file, bool data_only);
	int (*flush)(struct file *file);
	void (*release)(struct file *file);
	int (*fallocate)(struct file *file, int mode, uint64_t offset, uint64_t length);
	void (*show_fdinfo)(struct file *file, char *buf, size_t size);
	int (*set_flags)(struct file *file, unsigned flags); /* fcntl F_SETFL changed them */
	bool async; /* O_ASYNC has an effect (vfs/sigio.h): poll() is needed */
};

#define FILE_STREAM 1u /* no position: ESPIPE */
#define FILE_READ 2u
#define FILE_WRITE 4u
#define FILE_PATH 8u   /* O_PATH */
#define FILE_ANON_MAP 16u /* /dev/zero: private zero pages */
#define FILE_DENIES_WRITE 32u /* a running program: counted in inode->deny_write until the last file_put */
#define FILE_COUNTED 64u      /* counted in writers of the inode and of the mount */
#define FILE_TRUNCATING 256u  /* during open: O_TRUNC follows, so old data need not be kept */
#define FILE_FLOCKED 128u     /* has held a flock or OFD lock: drop it on release */
#define FILE_HOLDS_TREE 1024u /* a detached tree of mounts ends with it, if that is still one */
#define FILE_DNOTIFY 512u     /* has been given to F_NOTIFY: ends with a close */

struct file {
	uint32_t refs;
	const struct file_ops *ops;
	struct path path;      /* dentry may be NULL for none */
	struct inode *inode;   /* of path, referenced; NULL for anonymous files without one */
	unsigned flags;        /* O_* status flags as fcntl(F_GETFL) shows */
	unsigned mode;         /* FILE_* */
	uint64_t pos;
	struct mutex pos_lock; /* held over read/write/lseek/getdents of seekable files */
	void *private;
	uint64_t version;      /* of what it showed last, as its kind counts; cgroup.procs: the root of the opener's namespace */
	int owner;             /* F_SETOWN: pid or -pgid (vfs/sigio.h) */
	int owner_signal;      /* F_SETSIG; 0: SIGIO */
	uint32_t owner_uid, owner_euid; /* of whoever set the owner */
	void *epoll_items;     /* vfs/anon/epoll.c */
	struct file_async *async; /* vfs/sigio.c */
	struct cred *cred;     /* of the opener */
};

static inline bool file_has_position(const struct file *file)
{
	return !(file->mode & FILE_STREAM);
}

struct dir_emitter {
	/* false: no more room. type is DT_*; next is the cookie to resume after this entry. */
	bool (*emit)(struct dir_emitter *emitter, const char *name, unsigned len, uint64_t ino, unsigned type, uint64_t next);
};

/* A wait registration for poll, select, epoll. */
struct poll_waiter {
	void (*add)(struct poll_waiter *self, struct waitq *queue);
};
static inline void poll_add(struct poll_waiter *waiter, struct waitq *queue)
{
	if (waiter)
		waiter->add(waiter, queue);
}

/* A file with one reference. inode and dentry may be NULL. flags: O_*. NULL: no memory. */
struct file *file_create(const struct file_ops *ops, struct inode *inode, unsigned flags, void *private);
/* An anonymous-inode file "anon_inode:[name]" or a pipefs-like "name:[ino]". */
struct file *file_create_anon(const char *name, const struct file_ops *ops, unsigned flags, void *private);

/* Another file on the same inode and path (the other end of a pipe). NULL: no memory. */
struct file *file_create_like(const struct file *model, const struct file_ops *ops, unsigned flags, void *private);
/* An inode for anonymous files (mode: S_IFIFO, S_IFSOCK or 0 and permissions). One reference; NULL: no memory. */
struct inode *anon_inode_create(uint32_t mode);

/* open(2) family. New reference in *file; may sleep. resolve: LOOKUP_* of openat2. */
int vfs_open(int dirfd, const char *name, unsigned flags, uint32_t mode, unsigned resolve, struct file **file);
int vfs_open_path(const struct path *path, unsigned flags, struct file **file);
/* Without permission checks: for file systems that open what lies below them. */
int vfs_open_trusted(const struct path *path, unsigned flags, struct file **file);

int64_t vfs_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos);
int64_t vfs_write(struct file *file, uaddr_t from, size_t n, uint64_t *pos);

/*
 * Generic ops for regular files whose data is inode->object, and their parts, for file
 * systems that add something to one of them. The write side takes the inode's lock as
 * writer; object_file_write_begin() is its first half (O_APPEND, limits) for those that do the rest themselves.
 */
extern const struct file_ops object_file_ops;
int64_t object_file_read(struct file *file, uaddr_t to, size_t n, uint64_t *pos);
int64_t object_file_write(struct file *file, uaddr_t from, size_t n, uint64_t *pos);
int64_t object_file_read_kernel(struct file *file, void *to, size_t n, uint64_t *pos);
int64_t object_file_write_kernel(struct file *file, const void *from, size_t n, uint64_t *pos);
/* Lock held. Adjusts *pos (O_APPEND) and returns how many of n bytes may be written, or -errno (SIGXFSZ sent). */
int64_t object_file_write_begin(struct file *file, size_t n, uint64_t *pos);
int64_t object_file_seek(struct file *file, int64_t offset, int whence);
struct vm_object *object_file_mmap(struct file *file);
int object_file_fallocate(struct file *file, int mode, uint64_t offset, uint64_t length);
int64_t file_seek_generic(struct file *file, int64_t offset, int whence, uint64_t size);
/* Access time by relatime; cheap when nothing changes. */
void file_accessed(struct file *file);
/* Puts owner, permissions and times of a change into the inode, for file systems that keep them nowhere else. Lock held as writer. */
void inode_take_attributes(struct inode *inode, const struct attr_change *change);
/* mtime and ctime now, set-id bits dropped as a write does. Lock held as writer. */
void inode_modified(struct inode *inode);
void inode_drop_caps(struct inode *inode); /* inode_modified() has done so; for what changes its size or owner */

/* For readdir: "." and ".." at cookies 1 and 2; false: no more room. */
bool dir_emit_dots(struct file *file, struct dir_emitter *emitter);

/* ---- descriptor tables (vfs/fdtable.c) ---- */
struct fd_entry {
	struct file *file;
	bool cloexec;
};
struct fd_table {
	uint32_t refs;
	unsigned size; /* entries allocated */
	unsigned next; /* no free descriptor below it */
	struct fd_entry *entries;
};
/* Referenced file of a descriptor; NULL: EBADF. fd_file() refuses O_PATH files, fd_file_any() gives them too. */
struct file *fd_file(int fd);
struct file *fd_file_any(int fd);
/* Put a file (takes over the reference, also on failure) at the lowest free descriptor >= min. fd or -EMFILE. */
int fd_install(struct file *file, bool cloexec, int min);
int fd_install_at(struct file *file, bool cloexec, int fd); /* dup2: closes what is there */
/* Both files (taken over, also on failure) at the lowest free descriptors, the numbers to user memory. 0, -EMFILE or -EFAULT: then neither is open. May sleep. */
int fd_install_pair(struct file *files[2], bool cloexec, uaddr_t user);
int fd_close(int fd);
struct file *fd_lookup_table(struct fd_table *files, int fd); /* another task's; referenced or NULL */

/* Time stamps: the current coarse time. */
struct timestamp vfs_now(void);

/*
 * Called by the core on changes, for inotify and dnotify; vfs/anon/notify.c. Events are those of inotify(7), and
 * NOTIFY_RENAMED: an entry got another name in the same directory.
 */
#define NOTIFY_RENAMED 0x10000000u
void notify_inode(struct inode *inode, struct dentry *dentry, uint32_t mask, uint32_t cookie);
void notify_superblock_gone(const struct superblock *sb); /* what watches its inodes hears of it and ends. May sleep */
/* Something was done through an open file; cheap when nobody watches it or its directory. */
static inline void notify_file(struct file *file, uint32_t mask)
{
	struct dentry *dentry = file->path.dentry;

	if (!file->inode)
		return;
	if (file->inode->watches || (dentry && dentry->parent && dentry->parent->inode && dentry->parent->inode->watches))
		notify_inode(file->inode, dentry, mask, 0);
}

#endif
