/*
 * Handlers that read directories: Treaddir, and Treaddirattr with each entry's attributes.
 *
 * Called by main.c's dispatch. Offsets are the host's (d_off), opaque to the client. A
 * reply holds whole records only. Treaddirattr works on a fid that is not open, too: it opens a stream of its
 * own on first use and drops it at the end of the directory, and it leaves "." and ".." out. Treadtrees is for whoever
 * reads directory after directory: many of them in one reply, if need be without attributes, which cost the most.
 */
#include <dirent.h>
#include <sys/syscall.h>

#include "gofer/internal.h"

struct linux_dirent {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

typedef bool put_entry(struct fid *fid, int fd, const struct linux_dirent *entry, struct p9_writer *out);

static struct p9_dirent dirent_of(struct fid *fid, const struct linux_dirent *entry)
{
	struct p9_dirent record = {
		.qid = {.path = gofer_qid_path(fid->node->tree, fid->node->dev, entry->ino)},
		.offset = (uint64_t)entry->off,
		.type = entry->type,
		.name = p9_str_from(entry->name),
	};

	if (entry->type == DT_DIR)
		record.qid.type = P9_QID_DIR;
	else if (entry->type == DT_LNK)
		record.qid.type = P9_QID_SYMLINK;
	return record;
}

static bool put_plain(struct fid *fid, int fd, const struct linux_dirent *entry, struct p9_writer *out)
{
	struct p9_dirent record = dirent_of(fid, entry);

	(void)fd;
	return p9_put_dirent(out, &record);
}

/* A type that there is: file systems in user space tell what they like. */
static bool is_type(uint8_t type)
{
	return type == DT_REG || type == DT_DIR || type == DT_LNK || type == DT_CHR || type == DT_BLK || type == DT_FIFO || type == DT_SOCK;
}

/* As put_plain(), of what has a name of its own, and with its type even where the file system does not tell a right one. */
static bool put_bare(struct fid *fid, int fd, const struct linux_dirent *entry, struct p9_writer *out)
{
	struct p9_dirent record = dirent_of(fid, entry);
	struct statx stx;

	if (!p9_name_ok(record.name))
		return true;
	if (!is_type(record.type)) {
		if (statx(fd, entry->name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &stx))
			return true;
		record.type = IFTODT(stx.stx_mode);
	}
	return p9_put_dirent(out, &record);
}

static bool put_attr(struct fid *fid, int fd, const struct linux_dirent *entry, struct p9_writer *out)
{
	struct p9_dirent_attr record = {.offset = (uint64_t)entry->off, .name = p9_str_from(entry->name)};
	struct statx stx;

	if (!p9_name_ok(record.name))
		return true;
	if (p9_writer_left(out) < 8 + P9_ATTR_SIZE + 2 + record.name.len)
		return false;
	/* Gone meanwhile: not an entry any more. */
	if (statx(fd, entry->name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_BTIME, &stx))
		return true;
	gofer_attr_from_statx(fid->node->tree, &stx, &record.attr);
	return p9_put_dirent_attr(out, &record);
}

/* How many times larger a record is than the host's: so what is asked for fits, most of the time. */
static const struct kind {
	put_entry *put;
	unsigned expansion, slack;
} plain = {put_plain, 1, 0}, bare = {put_bare, 1, 280}, with_attr = {put_attr, 5, 280};

/*
 * Fill `out` with records from `offset` on, as many as fit. 1 at the end of the directory,
 * 0 if there may be more, -EINVAL if not even one record fits, or -errno.
 */
static int read_entries(struct gofer *g, struct fid *fid, int fd, uint64_t offset, const struct kind *kind,
	struct p9_writer *out)
{
	const uint8_t *start = out->at;

	if (offset > INT64_MAX)
		return -EINVAL;
	if (fid->dir_pos != (int64_t)offset) {
		if (lseek(fd, (off_t)offset, SEEK_SET) < 0)
			return -errno;
		fid->dir_pos = (int64_t)offset;
	}
	for (;;) {
		size_t bytes = p9_writer_left(out) / kind->expansion + kind->slack;
		long n = syscall(SYS_getdents64, fd, g->scratch, bytes < P9_MAX_MSIZE ? bytes : P9_MAX_MSIZE);

		if (n < 0)
			return errno == EINVAL && out->at != start ? 0 : -errno;
		if (n == 0)
			return 1;
		for (long at = 0; at < n;) {
			const struct linux_dirent *entry = (const void *)(g->scratch + at);

			if (!kind->put(fid, fd, entry, out)) {
				/* The descriptor is past what was returned: seek back next time. */
				int64_t reached = fid->dir_pos;
				fid->dir_pos = -1;
				return out->at == start && reached == (int64_t)offset ? -EINVAL : 0;
			}
			fid->dir_pos = entry->off;
			at += entry->reclen;
		}
	}
}

/* The part of the reply that `count` and msize allow, after `skip` bytes that come before the records. */
static int limit_reply(struct p9_writer *out, struct p9_writer *records, uint32_t count, size_t skip)
{
	size_t room = p9_writer_left(out);

	if (room < skip)
		return -EINVAL;
	room -= skip;
	p9_writer_init(records, out->at + skip, count < room ? count : room);
	return 0;
}

int gofer_treaddir(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_treaddir t;
	struct p9_writer records;
	struct fid *fid;
	int result;

	if (!p9_get_treaddir(in, &t))
		return -EPROTO;
	fid = gofer_fid_find(g, t.fid);
	if (!fid || fid->open_fd < 0)
		return -EBADF;
	if (!S_ISDIR(fid->node->mode))
		return -ENOTDIR;
	result = limit_reply(out, &records, t.count, 4);
	if (result)
		return result;
	result = read_entries(g, fid, fid->open_fd, t.offset, &plain, &records);
	if (result < 0)
		return result;
	p9_put_u32(out, (uint32_t)(records.at - records.start));
	out->at = records.at;
	return 0;
}

/* eof[1] count[4] records, from `offset` on, of a fid that may be open or not. */
static int put_records(struct gofer *g, struct fid *fid, uint64_t offset, uint32_t count, const struct kind *kind, struct p9_writer *out)
{
	int fd = fid->open_fd >= 0 ? fid->open_fd : fid->dir_fd;
	struct p9_writer records;
	int result;

	if (!S_ISDIR(fid->node->mode))
		return -ENOTDIR;
	if (fd < 0) {
		fd = fid->dir_fd = gofer_node_open(g, fid->node, O_RDONLY | O_DIRECTORY);
		if (fd < 0)
			return fd;
		fid->dir_pos = 0;
	}
	result = limit_reply(out, &records, count, 5);
	if (result)
		return result;
	result = read_entries(g, fid, fd, offset, kind, &records);
	if (result < 0)
		return result;
	p9_put_u8(out, (uint8_t)result);
	p9_put_u32(out, (uint32_t)(records.at - records.start));
	out->at = records.at;
	if (result == 1 && fid->dir_fd >= 0) {
		close(fid->dir_fd);
		fid->dir_fd = -1;
		fid->dir_pos = -1;
	}
	return 0;
}

int gofer_treaddirattr(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_treaddirattr t;
	struct fid *fid;

	if (!p9_get_treaddirattr(in, &t))
		return -EPROTO;
	fid = gofer_fid_find(g, t.fid);
	return fid ? put_records(g, fid, t.offset, t.count, t.bare ? &bare : &with_attr, out) : -EBADF;
}

int gofer_twalkreaddir(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_twalkreaddir t;
	struct p9_attr attr;
	struct node *node;
	struct fid *fid;
	int error;

	if (!p9_get_twalkreaddir(in, &t))
		return -EPROTO;
	error = gofer_walk_one(g, t.dfid, t.newfid, t.name, &fid, &node);
	if (error)
		return error;
	gofer_fid_set(fid, node);
	error = gofer_node_attr(node, &attr);
	if (!error) {
		p9_put_attr(out, &attr);
		error = put_records(g, fid, 0, t.count, &with_attr, out);
	}
	if (error)
		gofer_fid_clunk(g, fid);
	return error;
}

#define TREES_DEPTH 16u /* what lies deeper is asked for by itself */

struct trees {
	struct gofer *g;
	struct p9_writer *out;
	const struct kind *kind;
	uint16_t count; /* blocks so far */
};

/* One directory as a block: 0, or -errno: it is left out; -ENOSPC: it does not fit. */
static int put_block(struct trees *trees, struct node *node, struct p9_str name, uint16_t parent, struct p9_reader *entries)
{
	struct fid stream = {.node = node, .open_fd = -1, .dir_fd = -1};
	struct p9_writer *out = trees->out, records;
	size_t head = P9_BLOCK_OVERHEAD + name.len;
	struct p9_attr attr;
	int result = gofer_node_attr(node, &attr);

	if (result < 0)
		return result;
	if (p9_writer_left(out) < head || trees->count == P9_NO_BLOCK)
		return -ENOSPC;
	p9_writer_init(&records, out->at + head, p9_writer_left(out) - head);
	result = read_entries(trees->g, &stream, node->fd, 0, trees->kind, &records);
	if (result != 1)
		return result == 0 || result == -EINVAL ? -ENOSPC : result;
	p9_put_u16(out, parent);
	p9_put_str(out, name);
	p9_put_attr(out, &attr);
	p9_put_u32(out, (uint32_t)(records.at - records.start));
	out->at = records.at;
	trees->count++;
	p9_reader_init(entries, records.start, (size_t)(records.at - records.start));
	return 0;
}

/* The next directory of a block's entries; false: there is none. */
static bool next_directory(const struct trees *trees, struct p9_reader *entries, struct p9_str *name)
{
	struct p9_dirent_attr with;
	struct p9_dirent record;

	if (trees->kind == &bare) {
		while (p9_next_dirent(entries, &record)) {
			*name = record.name;
			if (record.type == DT_DIR)
				return true;
		}
		return false;
	}
	while (p9_next_dirent_attr(entries, &with)) {
		*name = with.name;
		if (S_ISDIR(with.attr.mode))
			return true;
	}
	return false;
}

/* A directory and those below it, whose names are read again from what was written of it. -ENOSPC: the reply is full. */
static int put_tree(struct trees *trees, struct node *dir, struct p9_str name, uint16_t parent, unsigned depth)
{
	uint16_t number = trees->count;
	struct p9_reader entries;
	struct p9_str below;
	CLEANUP_NODE node = NULL;
	int error = gofer_node_lookup_dir(dir, name, &node);

	if (!error)
		error = put_block(trees, node, name, parent, &entries);
	while (!error && depth < TREES_DEPTH && next_directory(trees, &entries, &below)) {
		if (put_tree(trees, node, below, number, depth + 1) == -ENOSPC)
			error = -ENOSPC;
	}
	return error;
}

int gofer_treadtrees(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_treadtrees t;
	struct p9_writer blocks;
	struct trees trees = {.g = g, .out = &blocks};
	struct p9_reader names;
	struct node *dir;
	int error;

	if (!p9_get_treadtrees(in, &t))
		return -EPROTO;
	trees.kind = t.bare ? &bare : &with_attr;
	error = gofer_dir_find(g, t.fid, false, &dir);
	if (!error)
		error = limit_reply(out, &blocks, t.count, 0);
	if (error)
		return error;
	p9_reader_init(&names, t.names.bytes, t.names.len);
	for (unsigned i = 0; i < P9_MAX_TREES && error != -ENOSPC && p9_reader_left(&names); i++) {
		struct p9_str name = p9_get_str(&names);

		if (names.failed || !p9_name_ok(name))
			return -EINVAL;
		error = put_tree(&trees, dir, name, P9_NO_BLOCK, 0);
	}
	out->at = blocks.at;
	return 0;
}
