/*
 * The gofer's own shared state. Internal to gofer/; the public header is gofer.h.
 *
 * A *node* is one file system object, held by an O_PATH descriptor: that descriptor is
 * its identity, no path string is ever kept. A *fid* is the client's name for a node,
 * with at most one of: an open file, a directory stream, an extended attribute.
 * Cloned fids share the node.
 *
 * Invariants:
 *   1. node->refs is the number of fids that point at it (plus one held by a running handler).
 *   2. node->mode's type bits never change: the descriptor pins the inode.
 *   3. fid->open_fd >= 0 only if the node is a regular file or a directory.
 *   4. A sealed node has no children, is never open and never changed.
 *   5. In a read-only tree no descriptor is open for writing.
 */
#ifndef GOFER_INTERNAL_H
#define GOFER_INTERNAL_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gofer/gofer.h"
#include "gofer/p9/p9.h"

#define GOFER_MAX_DEVICES 64
#define GOFER_XATTR_MAX 65536u
#define GOFER_MAX_XATTRS 256u /* fids that hold one at a time: each is memory outside the container's limit */

struct tree {
	const char *name;
	int fd;
	bool readonly;
	bool detached;
	const struct gofer_id_maps *uids, *gids; /* the gofer's */
	/* Devices seen under this tree, to make qid.path unique; [0] is the root's. */
	uint64_t devices[GOFER_MAX_DEVICES];
	unsigned device_count;
	uint64_t plain_devices; /* bit N: devices[N] was looked at, and is no interface to the host's kernel */
	uint64_t telling_devices; /* bit N: a file of devices[N] has P9_GEN_TELLS */
	uint64_t root_ino;
};

struct node {
	unsigned refs;
	int fd; /* O_PATH; of gofer_node_lookup_dir(): open */
	uint32_t mode; /* type bits only */
	uint64_t dev, ino;
	bool sealed; /* on procfs, sysfs and the like: it can be seen, not entered or opened */
	struct tree *tree;
};

struct xattr {
	bool writing; /* made by Txattrcreate: set when the fid is clunked */
	uint32_t flags, size, filled;
	char name[256];
	uint8_t value[];
};

struct fid {
	struct node *node; /* NULL: not in use */
	int open_fd;       /* Tlopen or Tlcreate; -1 */
	int dir_fd;        /* Treaddirattr on a fid that is not open; -1 */
	int64_t dir_pos;   /* where the directory descriptor stands; -1 unknown */
	uint32_t open_flags;
	struct xattr *xattr;
};

struct gofer {
	int socket;
	bool stream;
	bool negotiated, ringfence;
	uint32_t msize;
	cpu_set_t cores; /* that it may run on, as it was started */
	int proc_fd;   /* this process's /proc/self/fd, the only part of proc it has; also the working directory */
	int donated[P9_MAX_WALK]; /* descriptors that go out with the next reply and are closed then; sent or not */
	unsigned donated_count;
	struct fid *fids; /* P9_MAX_FIDS */
	uint32_t fid_end; /* no fid from here on was ever used */
	struct tree trees[GOFER_MAX_TREES];
	size_t tree_count;
	struct gofer_id_maps uids, gids;
	unsigned xattr_count; /* fids with an attribute */
	size_t pending; /* bytes in `in` (stream) */
	uint8_t *in, *out;
	uint8_t *scratch; /* P9_MAX_MSIZE, for getdents */
};

/* A handler decodes its message, performs it and writes the reply's body. 0 or -errno (answered by Rlerror). */
typedef int gofer_handler(struct gofer *g, struct p9_reader *in, struct p9_writer *out);

#define HANDLERS(X)                                                                                        \
	X(tversion) X(tattach) X(tattachattr) X(twalk) X(twalkgetattr) X(tclunk) X(tclunkmany) X(tflush)   \
	X(tlopen) X(topendonate) X(tread) X(twrite) X(tfsync) X(tlock) X(tgetlock) X(tallocate)            \
	X(treaddir) X(treaddirattr) X(tgetattr) X(tsetattr) X(tstatfs) X(treadlink) X(txattrwalk)          \
	X(txattrcreate) X(tlcreate) X(tcreatedonate) X(tmake) X(tmkdir) X(tmknod) X(tsymlink) X(tlink)     \
	X(trename) X(trenameat) X(trename2) X(tunlinkat) X(tremove)                                        \
	X(twalkdonate) X(twalkreaddir) X(treadtrees) X(tplace) X(twalkdonatemany)
#define X(name) gofer_handler gofer_##name;
HANDLERS(X)
#undef X

/* Cleanup attributes. */
static inline void gofer_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define CLEANUP_FD __attribute__((cleanup(gofer_close_fd))) int

/* fids.c */
struct node *gofer_node_new(struct tree *tree, int fd, int *error); /* takes fd, also on error; one reference */
/*
 * A directory that nobody has asked for yet, open for reading (node->fd): no automount is set off, no server that is gone is
 * waited for. -EXDEV: it is on another file system; -EACCES: it cannot be entered.
 */
int gofer_node_lookup_dir(struct node *dir, struct p9_str name, struct node **found);
struct node *gofer_node_get(struct node *node);
void gofer_node_put(struct node *node);
static inline void gofer_node_cleanup(struct node **node)
{
	gofer_node_put(*node);
}
#define CLEANUP_NODE __attribute__((cleanup(gofer_node_cleanup))) struct node *

struct fid *gofer_fid_find(struct gofer *g, uint32_t number); /* NULL: not in use */
int gofer_fid_free(struct gofer *g, uint32_t number, struct fid **fid); /* a number not in use, to be set; or -errno */
void gofer_fid_set(struct fid *fid, struct node *node); /* takes over the reference */
int gofer_fid_clunk(struct gofer *g, struct fid *fid);  /* 0, or -errno of the attribute set on closing; always gone */
void gofer_fid_clunk_all(struct gofer *g);
/* One name of the directory `dfid` as a new node, and the free fid it is to become. The reference is the caller's. */
int gofer_walk_one(struct gofer *g, uint32_t dfid, uint32_t newfid, struct p9_str name, struct fid **fid,
	struct node **node);
/* Every new fid of the steps is free, and none comes twice: 0 or -errno. */
int gofer_check_steps(struct gofer *g, const struct p9_steps *steps);
/* The directory, writable or not, that a fid names: 0 or -errno. */
int gofer_dir_find(struct gofer *g, uint32_t number, bool for_change, struct node **node);

#define GOFER_NO_ID UINT32_MAX
/* ids.c: an id of the host as the container has it, or GOFER_NO_ID; and back: 0, or -EINVAL: in no mapping. */
uint32_t gofer_id_inside(const struct gofer_id_maps *maps, uint32_t host);
int gofer_id_outside(const struct gofer_id_maps *maps, uint32_t inside, uint32_t *host);

/* node.c: what is done to one object through its descriptor. */
int gofer_node_lookup(struct node *dir, struct p9_str name, struct node **found); /* one component; ".." too */
int gofer_node_open(struct gofer *g, const struct node *node, int flags);         /* descriptor or -errno */
int gofer_node_attr(const struct node *node, struct p9_attr *attr);
int gofer_node_qid(const struct node *node, struct p9_qid *qid);
struct statx;
void gofer_attr_from_statx(struct tree *tree, const struct statx *stx, struct p9_attr *attr);
bool gofer_is_sealed(struct tree *tree, uint64_t dev, int fd);
uint64_t gofer_qid_path(struct tree *tree, uint64_t dev, uint64_t ino);
/* "17" for descriptor 17, to be used relative to g->proc_fd or to the working directory. */
struct fd_name {
	char text[12];
};
struct fd_name gofer_fd_name(int fd);
/* A validated name as a C string of at most 255 bytes. */
struct name_buf {
	char text[P9_MAX_NAME + 1];
};
void gofer_name_copy(struct name_buf *to, struct p9_str from);

/* jail.c */
int gofer_jail_prepare(struct gofer *g, const struct gofer_options *options);
int gofer_jail_enter(struct gofer *g, const struct gofer_options *options);

#endif
