/*
 * Handlers that change a directory: create, make, link, rename, remove.
 *
 * Called by main.c's dispatch. Names are one component, never "." or ".."; every
 * directory is a descriptor, so nothing is looked up twice but a name just made, and
 * that without following links. The new object gets the owner and mode that the client decided on: it is
 * made as ourselves, then given away, then its mode put right, since the host's own rules
 * (set-group-id directories, default ACLs, chown clearing bits) must not add to the client's.
 */
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "gofer/internal.h"

#define KEEP_ID UINT32_MAX

/* A directory that may be changed, and a name that may be made in it, as a C string. */
static int find_place(struct gofer *g, uint32_t dfid, struct p9_str name, struct node **dir, struct name_buf *text)
{
	int error = gofer_dir_find(g, dfid, true, dir);

	if (error)
		return error;
	if (!p9_name_ok(name))
		return name.len > P9_MAX_NAME ? -ENAMETOOLONG : -EINVAL;
	gofer_name_copy(text, name);
	return 0;
}

/* The ids that a new object is to have, as the host has them. 0, or -EINVAL: in no mapping; then nothing is made. */
static int map_owner(const struct gofer *g, uint32_t *uid, uint32_t *gid)
{
	if (*uid == KEEP_ID && g->uids.count)
		*uid = 0; /* ourselves would be nobody in the container: its root */
	if (*uid != KEEP_ID && gofer_id_outside(&g->uids, *uid, uid))
		return -EINVAL;
	return *gid != KEEP_ID ? gofer_id_outside(&g->gids, *gid, gid) : 0;
}

/* uid, gid: the host's. */
static int give_away(struct gofer *g, int fd, uint32_t mode, uint32_t uid, uint32_t gid)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx))
		return -errno;
	if ((uid != KEEP_ID && uid != stx.stx_uid) || (gid != KEEP_ID && gid != stx.stx_gid)) {
		if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH))
			return -errno;
		stx.stx_mode &= ~(S_ISUID | S_ISGID); /* perhaps: then the mode is set again below */
	}
	if (S_ISLNK(stx.stx_mode) || (stx.stx_mode & 07777) == (mode & 07777))
		return 0;
	return fchmodat(g->proc_fd, gofer_fd_name(fd).text, mode & 07777, 0) ? -errno : 0;
}

/* A file that was just created and opened: a node for it, its owner and mode put right. */
static int adopt_file(struct gofer *g, struct node *dir, int fd, uint32_t mode, uint32_t uid, uint32_t gid,
	struct node **node)
{
	int path = openat(g->proc_fd, gofer_fd_name(fd).text, O_PATH | O_CLOEXEC);
	int error = 0;

	if (path < 0)
		return -errno;
	*node = gofer_node_new(dir->tree, path, &error);
	if (!error)
		error = give_away(g, (*node)->fd, mode, uid, gid);
	if (error && *node) {
		gofer_node_put(*node);
		*node = NULL;
	}
	return error;
}

/*
 * Create a regular file, or without O_EXCL open the one that is there. *fd and *node are the
 * caller's. An existing name is opened as a node first, so a link or a device is never opened.
 */
static int create_file(struct gofer *g, struct node *dir, const struct name_buf *name, uint32_t flags, uint32_t mode,
	uint32_t uid, uint32_t gid, struct node **node, int *fd)
{
	int how = (int)(flags & (P9_OPEN_ACCMODE | P9_OPEN_APPEND | P9_OPEN_SYNC));
	int error;

	*node = NULL;
	error = map_owner(g, &uid, &gid);
	if (error)
		return error;
	*fd = openat(dir->fd, name->text, how | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, mode & 0777);
	if (*fd >= 0) {
		error = adopt_file(g, dir, *fd, mode, uid, gid, node);
		if (error)
			close(*fd);
		return error;
	}
	if (errno != EEXIST || (flags & P9_OPEN_EXCL))
		return -errno;
	error = gofer_node_lookup(dir, p9_str_from(name->text), node);
	if (error)
		return error;
	*fd = S_ISREG((*node)->mode) ? gofer_node_open(g, *node, (int)flags) : -EEXIST;
	if (*fd >= 0)
		return 0;
	gofer_node_put(*node);
	*node = NULL;
	return *fd;
}

int gofer_tlcreate(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tlcreate t;
	struct p9_rlcreate r = {.iounit = g->msize - P9_IO_OVERHEAD};
	struct node *dir, *node;
	struct name_buf name;
	struct fid *fid;
	int error, fd;

	if (!p9_get_tlcreate(in, &t))
		return -EPROTO;
	error = find_place(g, t.fid, t.name, &dir, &name);
	if (error)
		return error;
	fid = gofer_fid_find(g, t.fid);
	if (fid->open_fd >= 0 || fid->xattr)
		return -EBUSY;
	error = create_file(g, dir, &name, t.flags, t.mode, KEEP_ID, t.gid, &node, &fd);
	if (error)
		return error;
	/* The fid becomes the new, open file. From here nothing may fail but describing it. */
	gofer_fid_clunk(g, fid);
	gofer_fid_set(fid, node);
	fid->open_fd = fd;
	fid->open_flags = t.flags;
	error = gofer_node_qid(node, &r.qid);
	if (!error)
		p9_put_rlcreate(out, &r);
	return error;
}

/* A file without a name (O_TMPFILE), that Tlink may give one. */
static int create_nameless(struct gofer *g, const struct p9_tcreatedonate *t, struct node **node, int *fd)
{
	uint32_t uid = t->uid, gid = t->gid;
	struct node *dir;
	int error = gofer_dir_find(g, t->dfid, true, &dir);

	if (!error)
		error = map_owner(g, &uid, &gid);
	if (error)
		return error;
	*fd = openat(dir->fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, t->mode & 0777);
	if (*fd < 0)
		return -errno;
	error = adopt_file(g, dir, *fd, t->mode, uid, gid, node);
	if (error)
		close(*fd);
	return error;
}

static int create_named(struct gofer *g, const struct p9_tcreatedonate *t, struct node **node, int *fd)
{
	struct node *dir;
	struct name_buf name;
	int error = find_place(g, t->dfid, t->name, &dir, &name);

	return error ? error : create_file(g, dir, &name, t->flags & ~P9_OPEN_APPEND, t->mode, t->uid, t->gid, node, fd);
}

int gofer_tcreatedonate(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tcreatedonate t;
	struct p9_rcreatedonate r = {0};
	struct node *node;
	struct fid *fid;
	int error, fd;

	if (!p9_get_tcreatedonate(in, &t))
		return -EPROTO;
	error = gofer_fid_free(g, t.newfid, &fid);
	if (!error)
		error = t.name.len ? create_named(g, &t, &node, &fd) : create_nameless(g, &t, &node, &fd);
	if (error)
		return error;
	error = gofer_node_attr(node, &r.attr);
	if (error) {
		close(fd);
		gofer_node_put(node);
		return error;
	}
	gofer_fid_set(fid, node);
	if (g->stream) {
		fid->open_fd = fd;
		fid->open_flags = t.flags;
	} else {
		g->donated[g->donated_count++] = fd;
		r.donated = 1;
	}
	p9_put_rcreatedonate(out, &r);
	return 0;
}

/* What Tmkdir, Tmknod, Tsymlink and Tmake have in common. `target` is for symbolic links. */
struct making {
	uint32_t dfid;
	struct p9_str name;
	uint32_t mode, uid, gid;
	uint64_t rdev;
	struct p9_str target;
};

static int make_name(const struct node *dir, const struct name_buf *name, const struct making *m)
{
	char target[4096];

	switch (m->mode & S_IFMT) {
	case S_IFDIR:
		return mkdirat(dir->fd, name->text, m->mode & 0777) ? -errno : 0;
	case S_IFLNK:
		if (m->target.len == 0)
			return -ENOENT;
		if (m->target.len >= sizeof(target))
			return -ENAMETOOLONG;
		memcpy(target, m->target.data, m->target.len);
		target[m->target.len] = 0;
		return symlinkat(target, dir->fd, name->text) ? -errno : 0;
	case S_IFREG:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return mknodat(dir->fd, name->text, m->mode & (S_IFMT | 0777), m->rdev) ? -errno : 0;
	}
	return -EINVAL;
}

static int make(struct gofer *g, const struct making *m, struct node **node)
{
	struct node *dir;
	struct name_buf name;
	uint32_t uid = m->uid, gid = m->gid;
	int error = find_place(g, m->dfid, m->name, &dir, &name);

	if (!error)
		error = map_owner(g, &uid, &gid);
	if (!error)
		error = make_name(dir, &name, m);
	if (!error)
		error = gofer_node_lookup(dir, m->name, node);
	if (error)
		return error;
	/* Another host process may have put something else there: that is not ours to give away. */
	error = (*node)->mode == (m->mode & S_IFMT) ? give_away(g, (*node)->fd, m->mode, uid, gid) : -EAGAIN;
	if (error)
		gofer_node_put(*node);
	return error;
}

static int make_qid(struct gofer *g, const struct making *m, struct p9_writer *out)
{
	struct p9_qid qid;
	struct node *node;
	int error = make(g, m, &node);

	if (error)
		return error;
	error = gofer_node_qid(node, &qid);
	gofer_node_put(node);
	if (!error)
		p9_put_qid(out, qid);
	return error;
}

int gofer_tmake(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tmake t;
	struct p9_rmake r;
	struct node *node;
	struct fid *fid = NULL;
	int error;

	if (!p9_get_tmake(in, &t))
		return -EPROTO;
	error = t.newfid == P9_NOFID ? 0 : gofer_fid_free(g, t.newfid, &fid);
	if (!error)
		error = make(g, &(struct making){t.dfid, t.name, t.mode, t.uid, t.gid, t.rdev, t.target}, &node);
	if (error)
		return error;
	error = gofer_node_attr(node, &r.attr);
	if (!error)
		p9_put_rmake(out, &r);
	if (!error && fid)
		gofer_fid_set(fid, node);
	else
		gofer_node_put(node);
	return error;
}

int gofer_tmkdir(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tmkdir t;

	if (!p9_get_tmkdir(in, &t))
		return -EPROTO;
	return make_qid(g,
		&(struct making){.dfid = t.dfid, .name = t.name, .mode = (t.mode & 07777) | S_IFDIR, .uid = KEEP_ID, .gid = t.gid},
		out);
}

int gofer_tmknod(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tmknod t;

	if (!p9_get_tmknod(in, &t))
		return -EPROTO;
	return make_qid(g,
		&(struct making){.dfid = t.dfid,
			.name = t.name,
			.mode = t.mode & S_IFMT ? t.mode : t.mode | S_IFREG,
			.uid = KEEP_ID,
			.gid = t.gid,
			.rdev = makedev(t.major, t.minor)},
		out);
}

int gofer_tsymlink(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tsymlink t;

	if (!p9_get_tsymlink(in, &t))
		return -EPROTO;
	return make_qid(g,
		&(struct making){
			.dfid = t.dfid, .name = t.name, .mode = S_IFLNK | 0777, .uid = KEEP_ID, .gid = t.gid, .target = t.target},
		out);
}

int gofer_tlink(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tlink t;
	struct node *dir;
	struct name_buf name;
	struct fid *fid;
	int error;

	if (!p9_get_tlink(in, &t))
		return -EPROTO;
	fid = gofer_fid_find(g, t.fid);
	if (!fid)
		return -EBADF;
	error = find_place(g, t.dfid, t.name, &dir, &name);
	if (error)
		return error;
	if (S_ISDIR(fid->node->mode))
		return -EPERM;
	if (fid->node->tree != dir->tree)
		return -EXDEV;
	return linkat(fid->node->fd, "", dir->fd, name.text, AT_EMPTY_PATH) ? -errno : 0;
}

/* A fid knows no name, so these two cannot be served; clients then use Trenameat and Tunlinkat. */
int gofer_trename(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_trename t;

	return p9_get_trename(in, &t) ? -EOPNOTSUPP : -EPROTO;
}

int gofer_tremove(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tremove t;
	struct fid *fid;

	if (!p9_get_tremove(in, &t))
		return -EPROTO;
	fid = gofer_fid_find(g, t.fid);
	if (!fid)
		return -EBADF;
	gofer_fid_clunk(g, fid); /* remove(5): the fid goes in any case */
	return -EOPNOTSUPP;
}

static int rename_names(struct gofer *g, const struct p9_trename2 *t)
{
	struct node *from, *to;
	struct name_buf old_name, new_name;
	int error = find_place(g, t->olddfid, t->oldname, &from, &old_name);

	if (!error)
		error = find_place(g, t->newdfid, t->newname, &to, &new_name);
	if (error)
		return error;
	if (from->tree != to->tree)
		return -EXDEV;
	if (t->flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	/* The system call itself: the C library turns flags of 0 into renameat(2), which the filter does not have. */
	return syscall(SYS_renameat2, from->fd, old_name.text, to->fd, new_name.text, t->flags) ? -errno : 0;
}

int gofer_trenameat(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_trenameat t;

	if (!p9_get_trenameat(in, &t))
		return -EPROTO;
	return rename_names(g, &(struct p9_trename2){t.olddfid, t.oldname, t.newdfid, t.newname, 0});
}

int gofer_trename2(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_trename2 t;

	return p9_get_trename2(in, &t) ? rename_names(g, &t) : -EPROTO;
}

int gofer_tunlinkat(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tunlinkat t;
	struct node *dir;
	struct name_buf name;
	int error;

	if (!p9_get_tunlinkat(in, &t))
		return -EPROTO;
	error = find_place(g, t.dfid, t.name, &dir, &name);
	if (error)
		return error;
	if (t.flags & ~P9_UNLINK_DIR)
		return -EINVAL;
	return unlinkat(dir->fd, name.text, t.flags & P9_UNLINK_DIR ? AT_REMOVEDIR : 0) ? -errno : 0;
}
