/*
 * What the files of vfs/p9/ share. Order of layers: rpc.c (messages and fids) < handle.c
 * (host descriptors, data) < object.c (page cache) < inode.c < dir.c, file.c < super.c.
 *
 * Everything runs under the kernel lock and every message sleeps, so what was looked up
 * before one is looked at again after it.
 *
 * Invariants (p9fs_inode_check()):
 *   1. A hashed inode is the only one of its (superblock, ino). Directories are never hashed.
 *   2. An inode without a fid has exactly one name, `alias`; going up from there by such names, a directory
 *      with a fid is reached.
 *   3. An inode that is open for writing, or has dirty pages, is on its superblock's list of writers.
 *   4. A host descriptor belongs to one inode, and is on the list of handles.
 */
#ifndef VFS_P9_INTERNAL_H
#define VFS_P9_INTERNAL_H

#include <linux/errno.h>
#include <linux/fcntl.h>

#include "gofer/p9/p9.h"
#include "ring0/lib.h"
#include "vfs/p9/p9fs.h"
#include "vfs/vfs.h"

/* ---- rpc.c ---- */

/* One message and its reply. The buffers belong to the call until p9fs_call_end(). */
struct p9fs_call {
	struct p9_writer out; /* after begin: put the body here */
	struct p9_reader in;  /* after send: the reply's body */
	uint8_t *buffer;
	uint16_t tag;
	uint8_t type;
	uint32_t channel; /* of a version message */
	uint32_t donated[ABI_MAX_DONATED]; /* indices of the descriptors that came with the reply; ABI_NO_FD */
	unsigned donated_count;
	struct p9fs_call *next;
};

#define P9FS_MESSAGE_SIZE 32768u /* msize: half of a call's buffer */
#define P9FS_DATA_MAX (P9FS_MESSAGE_SIZE - P9_IO_OVERHEAD)

/* All may sleep. 0 or -errno. After a failed begin nothing needs ending. */
int p9fs_call_begin(struct p9fs_call **call, uint8_t type);
int p9fs_call_send(struct p9fs_call *call); /* the Rlerror's errno, or -EIO for a bad reply */
/*
 * One message from `buffer` and its reply behind it, as call_send does without a call; *extra: as the ring tells.
 * For rpc.c and plain.c.
 */
int p9fs_exchange(uint32_t channel, uint8_t *buffer, uint8_t type, struct p9_writer *out, struct p9_reader *in,
	uint64_t *extra);
bool p9fs_is_plain(uint32_t channel); /* that server speaks 9P2000.L without the extension */
/* plain.c: a message of the extension for such a server. As p9fs_call_send(). */
int p9fs_plain_perform(struct p9fs_call *call, uint32_t channel);
bool p9fs_plain_takes(uint8_t type); /* messages that plain.c makes of others */
void p9fs_plain_init(void);
void p9fs_call_end(struct p9fs_call *call); /* closes a descriptor that nobody took */
int p9fs_donated_take(struct p9fs_call *call, unsigned number); /* the index, now the caller's; -1 */
void p9fs_fd_close(int fd); /* a donated one; -1: nothing */

/* Begin, put the struct's fields, send: as in P9FS_CALL(&call, tclunk, .fid = 3). On error the call has ended. */
#define P9FS_CALL(call, type, ...)                                                        \
	({                                                                                \
		int p9fs_rc = p9fs_call_begin((call), P9_##type);                         \
		if (!p9fs_rc) {                                                           \
			p9_put_##type(&(*(call))->out, &(struct p9_##type){__VA_ARGS__}); \
			p9fs_rc = p9fs_call_send(*(call));                                \
			if (p9fs_rc)                                                      \
				p9fs_call_end(*(call));                                   \
		}                                                                         \
		p9fs_rc;                                                                  \
	})

int p9fs_connect(uint32_t channel); /* Tversion, once for each channel */
/* A number not in use, for a file of that channel's gofer: what is said about it goes there. May sleep. */
int p9fs_fid_alloc(uint32_t channel, uint32_t *fid);
uint32_t p9fs_fid_channel(uint32_t fid);
void p9fs_fid_free(uint32_t fid);   /* one that the gofer does not know */
void p9fs_fid_clunk(uint32_t fid);  /* later, many at once; may sleep */
/* A new fid for the child and its attributes. */
/* fid NULL: only the attributes, no fid is made. */
int p9fs_walk(uint32_t dir, struct p9_str name, uint32_t *fid, struct p9_attr *attr);

/*
 * How many times this sandbox has changed a file or a name on the host. What a gofer said of another file than those
 * whose locks were held is not kept if that went on since the question.
 */
extern unsigned p9fs_changes;

/* ---- inodes ---- */

struct p9fs_listing;

struct p9fs_handle {
	int fd;        /* donated; -1 */
	uint32_t fid;  /* an open fid, where nothing could be donated; P9_NOFID */
	bool writable;
	TAILQ_ENTRY(p9fs_handle) link; /* by last use */
	bool listed;
};

struct p9fs_object;

struct p9fs_inode {
	struct inode base;
	TAILQ_ENTRY(p9fs_inode) hash_link;
	bool hashed;
	uint32_t fid;         /* not open; P9_NOFID: not asked for yet */
	struct dentry *alias; /* where an inode without a fid is found */
	struct p9fs_handle handle;
	uint32_t write_opens;
	TAILQ_ENTRY(p9fs_inode) writer_link; /* superblock's writers */
	bool on_writers;
	uint64_t writer;              /* the number of the control group that wrote last; 0: nobody has */
	bool no_xattrs;               /* known to have none (exclusive mounts) */
	bool wrote;                   /* shared: the next change of mtime is our own */
	char *target;                 /* symbolic link, once read */
	struct p9fs_listing *listing; /* exclusive directories: what is in it, or NULL: not known */
	uint8_t misses;               /* lookups that had to ask, up to MISSES_MAX */
	uint8_t read_below;           /* its directories that somebody read one after the other (sweep.c) */
	uint8_t sweep_lost;           /* how often the next of these was nowhere near the last */
	uint32_t sweep_at;            /* where in its listing that was */
	uint8_t open_window;          /* its files that the last message opened (ahead.c) */
	uint32_t open_at;             /* where in its listing that ended */
	uint64_t checked_at;          /* shared: monotonic ns of the last attributes */
	uint64_t changed_at;          /* and of our own last change */
	bool settled;                 /* shared: as long as the host's ctime is this, nothing has changed (shared.c) */
	int64_t settled_ctime;
	struct dentry *settled_name;  /* the name that was seen to lead here then; not referenced */
	uint64_t host_size;
	struct timestamp host_mtime;
};

struct p9fs_object {
	struct vm_object base;
	struct p9fs_inode *inode; /* NULL: it is gone */
};

TAILQ_HEAD(p9fs_inode_list, p9fs_inode);
struct p9fs_super {
	LIST_ENTRY(p9fs_super) link;
	struct superblock *sb;
	struct p9fs_inode_list *hash; /* 1 << hash_bits; grows with what is in it */
	unsigned hash_bits, hash_count;
	struct p9fs_inode_list writers;
	uint32_t channel; /* the number of its gofer in ring operations */
	uint8_t whole_sweeps, whole_penalty; /* of sweep.c's next messages, so many ask for attributes (listing.c) */
	bool readonly;
	struct kwork flush_work;
	struct ktimer flush_timer;
	bool flush_armed;
};

static inline struct p9fs_inode *p9fs_i(struct inode *inode)
{
	return container_of(inode, struct p9fs_inode, base);
}

static inline struct p9fs_super *p9fs_s(const struct inode *inode)
{
	return inode->sb->private;
}

/* As the host calls have times. What does not fit wraps: they are compared for equality. */
static inline int64_t timestamp_ns(struct timestamp time)
{
	return (int64_t)((uint64_t)time.sec * 1000000000u + time.nsec);
}

/* And back, before 1970 too. */
static inline struct timestamp timestamp_of(int64_t ns)
{
	int64_t sec = ns / 1000000000, rest = ns % 1000000000;

	return rest < 0 ? (struct timestamp){sec - 1, (uint32_t)(rest + 1000000000)} : (struct timestamp){sec, (uint32_t)rest};
}

/* inode.c */
struct p9fs_inode *p9fs_inode_alloc(struct superblock *sb);
/* A new inode takes over fid (P9_NOFID: none yet) and goes into the table. attr was checked by p9fs_attr_ok(). */
void p9fs_inode_fill(struct p9fs_inode *pi, const struct p9_attr *attr, uint32_t fid);
/* The inode that attr, asked for then, describes, known or new, with a reference. Takes over fid, on error too. NULL: no memory. */
struct p9fs_inode *p9fs_inode_get(struct superblock *sb, const struct p9_attr *attr, uint32_t fid, uint64_t asked_at);
struct p9fs_inode *p9fs_inode_find(struct superblock *sb, const struct p9_attr *attr); /* with a reference, or NULL */
void p9fs_inode_unhash(struct p9fs_inode *pi);
int p9fs_hash_init(struct p9fs_super *super); /* 0 or -ENOMEM */
bool p9fs_attr_ok(const struct p9_attr *attr);
bool p9fs_mode_ok(uint32_t mode); /* the type is one of those that there are */
int p9fs_inode_fid(struct inode *inode, uint32_t *fid); /* the inode's fid, asked for if need be; may sleep */
/*
 * An inode without a fid: its name's dentry, referenced, and the fid of the directory it is in, so that one message
 * can walk and do something more. -ESTALE: it has no name.
 */
int p9fs_inode_place(struct p9fs_inode *pi, struct dentry **alias, uint32_t *dir_fid);
/* That message's outcome: the inode gets the fid if it is the one that was meant; else the fid is dropped, -ESTALE. */
int p9fs_inode_adopt(struct p9fs_inode *pi, uint32_t fid, const struct p9_attr *attr);
void p9fs_inode_check(struct p9fs_inode *pi);
/* shared.c. The fields that are as the host has them. */
void p9fs_set_attributes(struct inode *inode, const struct p9_attr *attr);
/* Of struct inode_ops: is the name, are the names, still right? Attributes are brought up to date along. May sleep. */
int p9fs_revalidate(struct dentry *dentry);
int p9fs_revalidate_path(struct dentry *dentry, const char *rest, unsigned *ahead);
/* Shared mounts: bring the fields up to date unless they are younger than a millisecond. May sleep. */
int p9fs_refresh(struct inode *inode);
void p9fs_refresh_blocks(struct inode *inode); /* only the number of blocks, on any mount; may sleep */
/* Just before a message went. */
struct p9fs_asked {
	uint64_t at;  /* monotonic, ns */
	int64_t host; /* the host's clock, ns since 1970; 0: nothing is settled by the answer */
};
struct p9fs_asked p9fs_asked_now(void);
/* What was asked before our own last change is not taken: the next look asks again. */
void p9fs_refresh_apply(struct p9fs_inode *pi, const struct p9_attr *attr, struct p9fs_asked asked);
void p9fs_changed(struct inode *inode); /* by us, on the host: what is known of it is as old as that */
/* Shared: a file that is open on the host has not changed since it was settled, nor has any of its names. Never sleeps. */
bool p9fs_is_unchanged(struct p9fs_inode *pi);

/* xattr.c */
int64_t p9fs_getxattr(struct inode *inode, const char *name, void *value, size_t size);
int64_t p9fs_listxattr(struct inode *inode, char *list, size_t size);
int p9fs_setxattr(struct inode *inode, const char *name, const void *value, size_t size, int flags);
int p9fs_removexattr(struct inode *inode, const char *name);

/* handle.c: all may sleep, unless the file was donated already. Bytes or -errno. */
int p9fs_handle_get(struct p9fs_inode *pi, bool write);
void p9fs_handle_set(struct p9fs_inode *pi, int donated_fd, bool writable);
void p9fs_handle_drop(struct p9fs_inode *pi);
int64_t p9fs_pread(struct p9fs_inode *pi, void *to, size_t n, uint64_t offset);
int64_t p9fs_fill(struct p9fs_inode *pi, void *to, size_t n, uint64_t offset); /* pread into pages that are PAGE_UNTOUCHED */
int64_t p9fs_pwrite(struct p9fs_inode *pi, const void *from, size_t n, uint64_t offset);
int p9fs_host_fsync(struct p9fs_inode *pi, bool data_only);
int p9fs_host_truncate(struct p9fs_inode *pi, uint64_t size); /* -EAGAIN: no donated descriptor to do it by */
/* What the host says of a donated file now, by a host call; false: not donated. */
bool p9fs_host_stat(struct p9fs_inode *pi, struct abi_stat *stat);

/* object.c */
int p9fs_object_create(struct p9fs_inode *pi); /* gives the inode its page cache if it has none */
void p9fs_object_detach(struct p9fs_inode *pi);
int p9fs_flush(struct p9fs_inode *pi); /* write every dirty page; may sleep */
void p9fs_writer_add(struct p9fs_inode *pi);
void p9fs_writer_remove_idle(struct p9fs_inode *pi); /* off the list unless open for writing or dirty */
int p9fs_flush_all(struct p9fs_super *super);
void p9fs_flush_soon(struct p9fs_super *super);
void p9fs_flush_init(struct p9fs_super *super);
void p9fs_flush_end(struct p9fs_super *super); /* frees it, now or when a queued flush has run */

static inline struct p9_str p9fs_name_of(const struct dentry *dentry)
{
	return (struct p9_str){dentry->name, dentry->name_len};
}

/* dir.c */
int p9fs_lookup(struct inode *dir, struct dentry *dentry, struct inode **inode);
int p9fs_create(struct inode *dir, struct dentry *dentry, uint32_t mode, struct inode **inode);
int p9fs_tmpfile(struct inode *dir, uint32_t mode, struct inode **inode);
int p9fs_mkdir(struct inode *dir, struct dentry *dentry, uint32_t mode, struct inode **inode);
int p9fs_mknod(struct inode *dir, struct dentry *dentry, uint32_t mode, uint64_t rdev, struct inode **inode);
int p9fs_symlink(struct inode *dir, struct dentry *dentry, const char *target, struct inode **inode);
int p9fs_link(struct inode *dir, struct dentry *dentry, struct inode *existing);
int p9fs_unlink(struct inode *dir, struct dentry *dentry);
int p9fs_rmdir(struct inode *dir, struct dentry *dentry);
int p9fs_rename(struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir, struct dentry *new_dentry,
	unsigned flags);

/* listing.c */
int p9fs_readdir(struct file *file, struct dir_emitter *emitter);
void p9fs_dir_release(struct file *file);
void p9fs_listing_forget(struct p9fs_inode *dir);
void p9fs_listing_begin_empty(struct p9fs_inode *dir); /* a directory that was just made */
/* The names of a directory changed; its lock is held as writer. */
void p9fs_listing_add(struct p9fs_inode *dir, struct p9_str name, const struct inode *inode);
void p9fs_listing_remove(struct p9fs_inode *dir, struct p9_str name);
/* The name is known not to be there. */
bool p9fs_listing_lacks(struct p9fs_inode *dir, struct p9_str name);
/*
 * What a gofer's reply says of a whole directory, as its listing and as dentries below `parent`, which is its own and
 * referenced. `changes`: p9fs_changes before the question; -ESTALE: too late. p9fs_fetch_lock is held. May sleep.
 */
int p9fs_listing_adopt(struct dentry *parent, struct p9_data entries, bool bare, unsigned changes);
bool p9fs_listing_is_bare(const struct p9fs_inode *dir); /* it has a listing, which came without attributes */
/* Put what was learnt about a name into the dentry cache, unless something is there. attr was checked. May sleep. */
void p9fs_prefill(struct dentry *parent, struct p9_str name, const struct p9_attr *attr);
extern struct mutex p9fs_fetch_lock; /* while a reply fills the dentry cache */
/* The next name from place *at on that is of this type (DT_*); *at is moved behind it. False: none up to `end`. */
bool p9fs_listing_next(const struct p9fs_listing *listing, unsigned type, uint32_t *at, uint32_t end, struct p9_str *name);
/* The place of a name between two places; `end` if it is not there. */
uint32_t p9fs_listing_find(const struct p9fs_listing *listing, struct p9_str name, uint32_t at, uint32_t end);
uint32_t p9fs_listing_count(const struct p9fs_listing *listing);
struct p9fs_listing *p9fs_listing_get(struct p9fs_inode *dir); /* with a reference, or NULL */
void p9fs_listing_put(struct p9fs_listing *listing);

/* sweep.c: this directory is about to be read; before, if somebody reads one after the other, many at once. May sleep. */
void p9fs_sweep(struct dentry *dentry);
/* The directories beside this one are read one after the other. */
bool p9fs_is_swept(const struct dentry *dentry);
/* The same at once, from this one on, which may be still looked up. */
void p9fs_sweep_from(struct dentry *dentry);
/* ahead.c: opens a file without a fid for reading, and others with it. 0, -errno, or 1: open it by itself. May sleep. */
int p9fs_open_ahead(struct p9fs_inode *pi);
/* A lookup is about to ask: after a few of them, read the directory instead. Its lock is held. May sleep. */
void p9fs_listing_missed(struct p9fs_inode *dir, struct dentry *dentry);

/* file.c */
int p9fs_open(struct inode *inode, struct file *file);
extern const struct file_ops p9fs_file_ops, p9fs_dir_ops;

#endif
