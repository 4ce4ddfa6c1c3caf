/*
 * What the files directly in vfs/ share with each other; nobody else includes this.
 */
#ifndef VFS_INTERNAL_H
#define VFS_INTERNAL_H

#include "kernel/files.h"
#include "ring0/lib.h"
#include "vfs/calls.h"
#include "vfs/vfs.h"

#define NAME_MAX_LEN 255u
#define PATH_MAX_LEN 4096u
#define MAX_LINKS 40u
#define FILE_MAX_BYTES 0x7fffffffffffffffull

/* ---- dentry.c ---- */
void dentry_cache_init(void);
uint32_t dentry_hash_name(const char *name, unsigned len);
/* As dentry_find(), the hash already known. */
struct dentry *dentry_find_hashed(struct dentry *parent, const char *name, unsigned len, uint32_t hash);
struct dentry *dentry_alloc(struct dentry *parent, struct superblock *sb, const char *name, unsigned len);
/* rename(2): `dentry` gets the name and parent of `target`, which leaves the tree (exchange: they swap). 0 or -ENOMEM. */
int dentry_move(struct dentry *dentry, struct dentry *target, bool exchange);
void dentry_shrink_superblock(struct superblock *sb); /* its last mount is gone */

/* ---- namei.c: a path walk in progress ---- */
struct walk {
	struct path cur, root; /* referenced */
	unsigned flags;        /* LOOKUP_* */
	unsigned links;        /* symbolic links followed */
	char *buffer;          /* kmalloc'ed: the path after a link was put in, or NULL */
	const char *at;        /* what is still to be walked */
	unsigned ahead;        /* names of it that were found right already, see dentry_lookup_path() */
	struct last_name last; /* after walk_parent() */
	bool has_last;         /* the last component is a name still to be looked up */
};
int walk_start(struct walk *walk, int dirfd, const char *name, unsigned flags);
void walk_end(struct walk *walk); /* puts what is left */
int walk_parent(struct walk *walk); /* cur: the directory of the last component */
int walk_all(struct walk *walk);    /* cur: the object */
/* Continue with the link at `link` (cur is its directory): the next walk_* call starts there. */
int walk_follow_link(struct walk *walk, struct mount *mount, struct dentry *link);
/* After walk_parent(): the dentry of the last component, maybe negative, mounts followed. */
int walk_last(struct walk *walk, struct path *path);

/* ---- permission.c ---- */
int may_create(const struct path *dir);
int may_delete(const struct path *dir, const struct dentry *victim, bool is_dir);
bool capable_over(const struct inode *inode, int capability); /* of the current task, over what belongs to that inode's owner */
bool cred_in_fsgroup(uint32_t gid); /* current: fsgid or supplementary */

/* ---- locks.c ---- */
void locks_remove_posix(struct file *file, struct fd_table *owner);
void locks_remove_file(struct file *file);

/* ---- fs_types.c ---- */
void fs_types_init(void); /* anonymous superblock */
bool superblock_has_no_devices(const struct superblock *sb); /* mounted in a user namespace made inside: no device is opened on it */
bool superblock_is_anon(const struct superblock *sb);
struct mount *anon_mount(void);
/* ---- propagation (vfs/propagation.c) ---- */
#define MOUNT_PROPAGATION (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)
/* mount(2) with one of those flags, MS_REC: all below too. 0, -EINVAL or -ENOMEM. */
int mount_set_propagation(struct mount *top, unsigned long flags);
void mount_follow_groups(struct mount *copy, const struct mount *from);
void mount_leave_groups(struct mount *mount);
void mount_follow(struct mount *copy); /* receives from those whose peer it was, and sends nothing back */
/* A tree was attached: it appears where its place is seen. 0 or -ENOMEM. */
int mount_propagate(struct mount *top);
/* Asked before a tree of `count` mounts is mounted at a place: whether there is room for the copies on all who receive it (else -ENOSPC). */
bool mount_propagation_fits(const struct path *at, unsigned count);
unsigned mounts_left(void); /* how many more there may be */
/* Before a mount goes: its copies go, those with something on them only with `whole` (MNT_DETACH). 0 or -ENOMEM. May sleep. */
int mount_propagate_detach(struct mount *mount, bool whole);

struct mount *mount_child(const struct mount *mount); /* one that hangs on it; NULL: none */
/* Lazy: with everything on it; users keep them alive. propagate: also where copies of it are. May sleep. */
void mount_detach_tree(struct mount *mount, bool propagate);
/* Another mount of the same superblock, from `root` on, in no tree yet. NULL: no memory, or too many. */
struct mount *mount_clone(const struct mount *from, struct dentry *root);
/*
 * Copies of mounts (m->copy, NULL outside of one operation) are hung on each other as what they are copies of: in the namespace
 * `ns`, below outer->copy, which has its place already (NULL: a whole namespace). What hangs on one without a copy stays out.
 * mount_forget_copies() ends the operation, and what was not hung up. May sleep.
 */
void mount_attach_copies(const struct mount *outer, struct mnt_ns *ns);
void mount_forget_copies(void);
/*
 * A fresh mount of that type, in no tree: tree->mount with its reference and tree->dentry, its root, with another. 0 or -errno; may sleep.
 */
int mount_get_tree(const struct fs_type *type, const struct mount_args *args, struct path *tree);
bool mount_type_allowed(const struct fs_type *type); /* the current task may mount one */
/* The mount of `from`, recursive: and what is below, is copied to `at`; NULL: as the tree of `ns`, which has none yet. 0 or -errno. */
int mount_copy(const struct path *from, const struct path *at, struct mnt_ns *ns, bool recursive);
int mount_set_group(const struct path *from, const struct path *to); /* MOVE_MOUNT_SET_GROUP of move_mount(2) */
void mounts_changed(struct mnt_ns *mnt); /* who watches them is told; NULL: nobody does */

/* ---- mount_detached.c ---- */
/* A mount goes to another place, with what is on it; a detached tree ends being one. `at` is in the caller's namespace. 0 or -errno. */
int mount_move(const struct path *from, const struct path *at);
/* A namespace for a tree that is nowhere yet, ended by mount_detached_close() or by the tree's move. NULL: no memory. */
struct mnt_ns *mount_detached_create(void);
/* A close-on-exec or other descriptor for the top of that namespace, which it takes over. fd or -errno; may sleep. */
int mount_detached_open(struct mnt_ns *ns, bool cloexec);
void mount_detached_close(struct mount *top); /* the file that held it is going */
#define MOUNT_ATTR_PLAIN \
	(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOSYMFOLLOW)
unsigned long mount_flags_of_attributes(uint64_t attributes);              /* MOUNT_ATTR_* to MS_*, those of access times left out */
int mount_atime_of_attributes(uint64_t attributes, unsigned long *flags); /* those added; -EINVAL: there is none such */

/* ---- mount_locks.c ---- */
void mount_lock_tree(struct mount *top); /* it is in a namespace of less privilege than where it came from */
bool mount_flags_may_be(const struct mount *mount, unsigned long flags);
bool mount_hides_below(const struct path *top); /* a copy without the mounts below would show what they cover */
/*
 * Would a new file system of that type show what is covered in the one that the namespace sees? flags: of its mount; *locked:
 * those that it may not lose, as that one.
 */
bool mount_too_revealing(const struct fs_type *type, unsigned long flags, unsigned long *locked);
/* Is it below, or the same. */
bool dentry_is_below(const struct dentry *dentry, const struct dentry *top);
bool mount_is_below(const struct mount *mount, const struct mount *top);
/* `at` is in the tree that hangs below the directory `top`. */
bool path_is_below(const struct path *at, const struct path *top);

/* ---- fdtable.c ---- */
struct fd_table *fd_table_create(void);

/* ---- open.c ---- */
/* Opens an object that was found and checked; created: skip permission. New reference in *file. */
int open_found(const struct path *path, unsigned flags, bool created, struct file **file);

#endif
