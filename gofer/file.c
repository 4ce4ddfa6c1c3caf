/*
 * Handlers on the contents of files: open, donate, read, write, sync, lock, allocate.
 *
 * Called by main.c's dispatch. Donation sends a descriptor of a regular file, and of
 * nothing else, with the reply; the gofer keeps no copy of it, and the fid stays as it
 * was. A node is opened by its own descriptor (gofer_node_open()), never by name.
 */
#include <linux/falloc.h>

#include "gofer/internal.h"

static uint32_t iounit(const struct gofer *g)
{
	return g->msize - P9_IO_OVERHEAD;
}

/* The fid, if it is neither open nor an attribute. */
static int find_unopened(struct gofer *g, uint32_t number, struct fid **fid)
{
	*fid = gofer_fid_find(g, number);
	if (!*fid)
		return -EBADF;
	return (*fid)->open_fd >= 0 || (*fid)->xattr ? -EBUSY : 0;
}

static int open_fid(struct gofer *g, struct fid *fid, uint32_t flags)
{
	int fd = gofer_node_open(g, fid->node, (int)flags);

	if (fd < 0)
		return fd;
	fid->open_fd = fd;
	fid->open_flags = flags;
	fid->dir_pos = 0;
	return 0;
}

int gofer_tlopen(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tlopen t;
	struct p9_rlopen r = {.iounit = iounit(g)};
	struct fid *fid;
	int error;

	if (!p9_get_tlopen(in, &t))
		return -EPROTO;
	error = find_unopened(g, t.fid, &fid);
	if (!error)
		error = gofer_node_qid(fid->node, &r.qid);
	if (!error)
		error = open_fid(g, fid, t.flags);
	if (!error)
		p9_put_rlopen(out, &r);
	return error;
}

int gofer_topendonate(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_topendonate t;
	struct p9_ropendonate r = {0};
	struct fid *fid;
	int error;

	if (!p9_get_topendonate(in, &t))
		return -EPROTO;
	error = find_unopened(g, t.fid, &fid);
	if (error)
		return error;
	if (S_ISREG(fid->node->mode) && !g->stream) {
		int fd = gofer_node_open(g, fid->node, (int)(t.flags & ~P9_OPEN_APPEND));

		if (fd < 0)
			return fd;
		g->donated[g->donated_count++] = fd; /* closed by the dispatcher, sent or not */
		r.donated = 1;
		error = gofer_node_attr(fid->node, &r.attr);
	} else {
		error = gofer_node_attr(fid->node, &r.attr);
		if (!error)
			error = open_fid(g, fid, t.flags);
	}
	if (!error)
		p9_put_ropendonate(out, &r);
	return error;
}

/* One name of a directory becomes newfid and, a regular file, is opened for donation: P9_GIVEN, P9_NOT_GIVEN or -errno. */
static int walk_and_donate(struct gofer *g, uint32_t dfid, uint32_t newfid, struct p9_str name, uint32_t flags,
	struct p9_attr *attr)
{
	int error, fd, given = P9_NOT_GIVEN;
	CLEANUP_NODE node = NULL;
	struct fid *fid;

	error = gofer_walk_one(g, dfid, newfid, name, &fid, &node);
	if (!error)
		error = gofer_node_attr(node, attr);
	if (error)
		return error;
	if (S_ISREG(node->mode) && !g->stream) {
		fd = gofer_node_open(g, node, (int)(flags & ~P9_OPEN_APPEND));
		if (fd < 0)
			return fd;
		g->donated[g->donated_count++] = fd;
		given = P9_GIVEN;
	}
	gofer_fid_set(fid, gofer_node_get(node));
	return given;
}

int gofer_twalkdonate(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_twalkdonate t;
	struct p9_rwalkdonate r;
	int given;

	if (!p9_get_twalkdonate(in, &t))
		return -EPROTO;
	given = walk_and_donate(g, t.dfid, t.newfid, t.name, t.flags, &r.attr);
	if (given < 0)
		return given;
	r.donated = (uint8_t)given;
	p9_put_rwalkdonate(out, &r);
	return 0;
}

int gofer_twalkdonatemany(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_twalkdonatemany t;
	struct p9_attr attr;
	struct node *dir;
	int error;

	if (!p9_get_twalkdonatemany(in, &t))
		return -EPROTO;
	error = gofer_dir_find(g, t.fid, false, &dir);
	if (!error)
		error = gofer_check_steps(g, &t.steps);
	if (error)
		return error;
	for (unsigned i = 0; i < t.steps.count; i++) {
		int given = walk_and_donate(g, t.fid, t.steps.step[i].fid, t.steps.step[i].name, t.flags, &attr);

		p9_put_u8(out, given < 0 ? P9_NOT_REACHED : (uint8_t)given);
		if (given >= 0)
			p9_put_attr(out, &attr);
	}
	return 0;
}

static int read_xattr(const struct xattr *xattr, const struct p9_tread *t, struct p9_writer *out)
{
	struct p9_rread r = {0};

	if (xattr->writing)
		return -EBADF;
	if (t->offset < xattr->filled) {
		r.data.bytes = xattr->value + t->offset;
		r.data.len = xattr->filled - (uint32_t)t->offset;
		if (r.data.len > t->count)
			r.data.len = t->count;
		if (r.data.len > p9_writer_left(out) - 4)
			r.data.len = (uint32_t)p9_writer_left(out) - 4;
	}
	p9_put_rread(out, &r);
	return 0;
}

/* The data goes straight into the reply: count[4], then what pread() gave. */
int gofer_tread(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tread t;
	struct fid *fid;
	size_t room = p9_writer_left(out) - 4;
	ssize_t n;

	if (!p9_get_tread(in, &t))
		return -EPROTO;
	fid = gofer_fid_find(g, t.fid);
	if (!fid)
		return -EBADF;
	if (fid->xattr)
		return read_xattr(fid->xattr, &t, out);
	if (fid->open_fd < 0)
		return -EBADF;
	if (t.offset > INT64_MAX)
		return -EINVAL;
	n = pread(fid->open_fd, out->at + 4, t.count < room ? t.count : room, (off_t)t.offset);
	if (n < 0)
		return -errno;
	p9_put_u32(out, (uint32_t)n);
	out->at += n;
	return 0;
}

static int write_xattr(struct xattr *xattr, const struct p9_twrite *t, struct p9_writer *out)
{
	if (!xattr->writing)
		return -EBADF;
	if (t->offset != xattr->filled || t->data.len > xattr->size - xattr->filled)
		return -ENOSPC;
	memcpy(xattr->value + xattr->filled, t->data.bytes, t->data.len);
	xattr->filled += t->data.len;
	p9_put_rwrite(out, &(struct p9_rwrite){t->data.len});
	return 0;
}

int gofer_twrite(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_twrite t;
	struct fid *fid;
	ssize_t n;

	if (!p9_get_twrite(in, &t))
		return -EPROTO;
	fid = gofer_fid_find(g, t.fid);
	if (!fid)
		return -EBADF;
	if (fid->xattr)
		return write_xattr(fid->xattr, &t, out);
	if (fid->open_fd < 0)
		return -EBADF;
	if (t.offset > INT64_MAX)
		return -EINVAL;
	n = pwrite(fid->open_fd, t.data.bytes, t.data.len, (off_t)t.offset);
	if (n < 0)
		return -errno;
	p9_put_rwrite(out, &(struct p9_rwrite){(uint32_t)n});
	return 0;
}

int gofer_tfsync(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tfsync t;
	struct fid *fid;
	CLEANUP_FD opened = -1;
	int fd;

	if (!p9_get_tfsync(in, &t))
		return -EPROTO;
	fid = gofer_fid_find(g, t.fid);
	if (!fid)
		return -EBADF;
	fd = fid->open_fd;
	if (fd < 0) {
		fd = opened = gofer_node_open(g, fid->node, O_RDONLY);
		if (fd < 0)
			return fd;
	}
	return (t.datasync ? fdatasync(fd) : fsync(fd)) ? -errno : 0;
}

static int lock_fill(struct flock *lock, uint8_t type, uint64_t start, uint64_t length)
{
	static const short types[] = {[P9_LOCK_READ] = F_RDLCK, [P9_LOCK_WRITE] = F_WRLCK, [P9_LOCK_UNLOCK] = F_UNLCK};

	if (type > P9_LOCK_UNLOCK || start > INT64_MAX || length > INT64_MAX)
		return -EINVAL;
	*lock = (struct flock){
		.l_type = types[type], .l_whence = SEEK_SET, .l_start = (off_t)start, .l_len = (off_t)length};
	return 0;
}

/* Locks belong to the open file (fcntl(2), open file description locks). They never wait here: the client asks again. */
int gofer_tlock(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tlock t;
	struct p9_rlock r = {P9_LOCK_OK};
	struct flock lock;
	struct fid *fid;
	int error;

	if (!p9_get_tlock(in, &t))
		return -EPROTO;
	fid = gofer_fid_find(g, t.fid);
	if (!fid || fid->open_fd < 0)
		return -EBADF;
	error = lock_fill(&lock, t.type, t.start, t.length);
	if (error)
		return error;
	if (fcntl(fid->open_fd, F_OFD_SETLK, &lock)) {
		if (errno != EAGAIN && errno != EACCES)
			return -errno;
		r.status = P9_LOCK_BLOCKED;
	}
	p9_put_rlock(out, &r);
	return 0;
}

int gofer_tgetlock(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tgetlock t;
	struct p9_rgetlock r;
	struct flock lock;
	struct fid *fid;
	int error;

	if (!p9_get_tgetlock(in, &t))
		return -EPROTO;
	fid = gofer_fid_find(g, t.fid);
	if (!fid || fid->open_fd < 0)
		return -EBADF;
	error = lock_fill(&lock, t.type, t.start, t.length);
	if (!error && fcntl(fid->open_fd, F_OFD_GETLK, &lock))
		error = -errno;
	if (error)
		return error;
	r = (struct p9_rgetlock){t.type, t.start, t.length, t.proc_id, t.client_id};
	if (lock.l_type == F_UNLCK) {
		r.type = P9_LOCK_UNLOCK;
	} else {
		r.type = lock.l_type == F_RDLCK ? P9_LOCK_READ : P9_LOCK_WRITE;
		r.start = (uint64_t)lock.l_start;
		r.length = (uint64_t)lock.l_len;
		r.proc_id = 0; /* an open file, not a process of the client, holds it */
	}
	p9_put_rgetlock(out, &r);
	return 0;
}

int gofer_tallocate(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tallocate t;
	struct fid *fid;
	CLEANUP_FD opened = -1;

	if (!p9_get_tallocate(in, &t))
		return -EPROTO;
	fid = gofer_fid_find(g, t.fid);
	if (!fid)
		return -EBADF;
	if (!S_ISREG(fid->node->mode))
		return -ENODEV;
	if (t.offset > INT64_MAX || t.length > INT64_MAX)
		return -EINVAL;
	if (t.mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_COLLAPSE_RANGE |
			      FALLOC_FL_INSERT_RANGE))
		return -EOPNOTSUPP;
	opened = gofer_node_open(g, fid->node, O_WRONLY);
	if (opened < 0)
		return opened;
	return fallocate(opened, (int)t.mode, (off_t)t.offset, (off_t)t.length) ? -errno : 0;
}
