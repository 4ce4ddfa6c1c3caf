/*
 * A server that speaks 9P2000.L alone: the messages of the extension, and some that it may not take as the gofer
 * does, made of its own.
 *
 * rpc.c hands such a call over (p9fs_plain_takes()) to p9fs_plain_perform() when the server did not agree to it; the
 * answer is put where the server's would be, so nobody else in this folder knows. It costs several
 * messages for one. No descriptor is ever donated, fallocate and nameless files are not there, nor are flags of
 * rename. One call at a time (`lock`); fids of its own, above all others, name things for the moment.
 */
#include <linux/errno.h>

#include "kernel/wait.h"
#include "ring0/memory.h"
#include "vfs/p9/internal.h"

#define TEMPORARY P9_MAX_FIDS /* two of them */
#define BUFFER_ORDER 4
#define BATCH 4096u     /* bytes of one Treaddir */
#define MODE_TYPE 0170000u
#define MODE_DIR 0040000u
#define MODE_LINK 0120000u

struct plain {
	uint32_t channel;
	uint16_t tag;
	struct p9_writer out;
	struct p9_reader in;
};

static struct mutex lock;
static uint8_t *buffer; /* a message and a reply, under lock */
static uint8_t *batch;  /* BATCH bytes of directory entries, under lock */

static void begin(struct plain *p, uint8_t type)
{
	p9_writer_init(&p->out, buffer, P9FS_MESSAGE_SIZE);
	p9_begin(&p->out, type, p->tag);
}

/* One message of 9P2000.L: 0, with p->in at the reply's body, or -errno. */
#define ASK(p, type, ...)                                                       \
	({                                                                      \
		begin(p, P9_##type);                                            \
		p9_put_##type(&(p)->out, &(struct p9_##type){__VA_ARGS__});     \
		p9fs_exchange((p)->channel, buffer, P9_##type, &(p)->out, &(p)->in, NULL); \
	})

static int get_attr(struct plain *p, uint32_t fid, struct p9_attr *attr)
{
	struct p9_rgetattr r;
	int rc = ASK(p, tgetattr, fid, P9_GETATTR_BASIC);

	if (!rc && !p9_get_rgetattr(&p->in, &r))
		rc = -EIO;
	if (!rc)
		*attr = r.attr;
	return rc;
}

static void clunk(struct plain *p, uint32_t fid)
{
	(void)ASK(p, tclunk, fid);
}

/* `name` empty: another fid for the same. */
static int walk(struct plain *p, uint32_t fid, uint32_t newfid, struct p9_str name)
{
	struct p9_twalk t = {.fid = fid, .newfid = newfid};
	struct p9_rwalk r;
	int rc;

	if (name.len)
		t.names.name[t.names.count++] = name;
	begin(p, P9_twalk);
	p9_put_twalk(&p->out, &t);
	rc = p9fs_exchange(p->channel, buffer, P9_twalk, &p->out, &p->in, NULL);
	if (!rc && !p9_get_rwalk(&p->in, &r))
		rc = -EIO;
	return rc ? rc : r.qids.count == t.names.count ? 0 : -ENOENT;
}

static int walk_attr(struct plain *p, uint32_t fid, uint32_t newfid, struct p9_str name, struct p9_attr *attr)
{
	int rc = walk(p, fid, newfid, name);

	if (rc)
		return rc;
	rc = get_attr(p, newfid, attr);
	if (rc)
		clunk(p, newfid);
	return rc;
}

static int plain_attach(struct plain *p, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tattachattr t;
	struct p9_attr attr;
	int rc;

	if (!p9_get_tattachattr(in, &t))
		return -EIO;
	rc = ASK(p, tattach, t.fid, P9_NOFID, p9_str_from("root"), t.aname, 0);
	if (!rc)
		rc = get_attr(p, t.fid, &attr);
	if (!rc)
		p9_put_rattachattr(out, &(struct p9_rattachattr){0, attr});
	return rc;
}

static int plain_walk(struct plain *p, struct p9_reader *in, struct p9_writer *out)
{
	static struct p9_twalkgetattr t; /* under lock */
	uint32_t from, temporary = P9_NOFID;
	uint8_t *head = out->at;
	unsigned done = 0;
	int rc = 0;

	if (!p9_get_twalkgetattr(in, &t))
		return -EIO;
	p9_put_u32(out, 0);
	p9_put_u16(out, 0);
	from = t.fid;
	for (; done < t.steps.count && !rc; done++) {
		uint32_t wanted = t.steps.step[done].fid, fid = wanted != P9_NOFID ? wanted : TEMPORARY + done % 2;
		struct p9_attr attr;

		rc = walk_attr(p, from, fid, t.steps.step[done].name, &attr);
		if (temporary != P9_NOFID)
			clunk(p, temporary);
		temporary = !rc && wanted == P9_NOFID ? fid : P9_NOFID;
		if (rc)
			break;
		p9_put_attr(out, &attr);
		from = fid;
		if ((attr.mode & MODE_TYPE) == MODE_LINK && done + 1u < t.steps.count)
			rc = -ELOOP;
	}
	if (temporary != P9_NOFID)
		clunk(p, temporary);
	const uint32_t ecode = (uint32_t)-rc;
	const uint16_t count = (uint16_t)done;
	memcpy(head, &ecode, sizeof(ecode));
	memcpy(head + sizeof(ecode), &count, sizeof(count));
	return 0;
}

/* "Donated", and no descriptor came: handle.c then opens a fid of its own for it. */
static int plain_open(struct plain *p, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_topendonate t;
	struct p9_attr attr;
	int rc;

	if (!p9_get_topendonate(in, &t))
		return -EIO;
	rc = get_attr(p, t.fid, &attr);
	if (!rc)
		p9_put_ropendonate(out, &(struct p9_ropendonate){1, attr});
	return rc;
}

static int set_owner(struct plain *p, uint32_t fid, uint32_t uid, uint32_t gid)
{
	if (!uid && !gid)
		return 0;
	return ASK(p, tsetattr, .fid = fid, .valid = P9_SETATTR_UID | P9_SETATTR_GID, .uid = uid, .gid = gid);
}

static int plain_create(struct plain *p, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tcreatedonate t;
	struct p9_attr attr;
	int rc;

	if (!p9_get_tcreatedonate(in, &t))
		return -EIO;
	if (!t.name.len)
		return -EOPNOTSUPP;
	rc = walk(p, t.dfid, TEMPORARY, (struct p9_str){0});
	if (rc)
		return rc;
	/* What Tlcreate makes is open; an inode's fid is not, and is walked to. */
	rc = ASK(p, tlcreate, TEMPORARY, t.name, t.flags & ~P9_OPEN_APPEND, t.mode, t.gid);
	if (!rc)
		rc = set_owner(p, TEMPORARY, t.uid, t.gid);
	clunk(p, TEMPORARY);
	if (!rc)
		rc = walk_attr(p, t.dfid, t.newfid, t.name, &attr);
	if (!rc)
		p9_put_rcreatedonate(out, &(struct p9_rcreatedonate){0, attr});
	return rc;
}

static int plain_walk_open(struct plain *p, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_twalkdonate t;
	struct p9_attr attr;
	int rc;

	if (!p9_get_twalkdonate(in, &t))
		return -EIO;
	rc = walk_attr(p, t.dfid, t.newfid, t.name, &attr);
	if (!rc)
		p9_put_rwalkdonate(out, &(struct p9_rwalkdonate){0, attr});
	return rc;
}

static bool is_dots(struct p9_str name)
{
	return p9_str_equal(name, ".") || p9_str_equal(name, "..");
}

/* Records for a batch of entries of the directory `fid`. 1: no more fit; 0; -errno. *last: the offset after the last one taken. */
static int put_batch(struct plain *p, uint32_t fid, struct p9_data entries, struct p9_writer *out, const uint8_t *limit,
	uint64_t *last)
{
	struct p9_reader reader;

	p9_reader_init(&reader, entries.bytes, entries.len);
	while (p9_reader_left(&reader)) {
		struct p9_dirent entry = {.qid = p9_get_qid(&reader), .offset = p9_get_u64(&reader), .type = p9_get_u8(&reader)};
		struct p9_dirent_attr record;
		int rc;

		entry.name = p9_get_str(&reader);
		if (reader.failed)
			return -EIO;
		if (out->at + sizeof(uint64_t) + P9_ATTR_SIZE + 2 + entry.name.len > limit)
			return 1;
		if (!is_dots(entry.name)) {
			record = (struct p9_dirent_attr){.offset = entry.offset, .name = entry.name};
			rc = walk_attr(p, fid, TEMPORARY + 1, entry.name, &record.attr);
			if (!rc)
				clunk(p, TEMPORARY + 1);
			if (rc && rc != -ENOENT)
				return rc;
			if (!rc && !p9_put_dirent_attr(out, &record))
				return 1;
		}
		*last = entry.offset;
	}
	return 0;
}

/* eof and the records, as the extension's readdir messages end. */
static int put_listing(struct plain *p, uint32_t fid, uint64_t offset, uint32_t count, struct p9_writer *out)
{
	uint8_t *head = out->at, *start = head + 5;
	const uint8_t *limit = count < (uint32_t)(out->end - start) ? start + count : out->end;
	struct p9_rreaddir r;
	int rc = walk(p, fid, TEMPORARY, (struct p9_str){0});
	uint32_t bytes;

	if (rc)
		return rc;
	p9_put_u8(out, 0);
	p9_put_u32(out, 0);
	rc = ASK(p, tlopen, TEMPORARY, P9_OPEN_RDONLY | P9_OPEN_DIRECTORY);
	while (!rc) {
		rc = ASK(p, treaddir, TEMPORARY, offset, BATCH);
		if (!rc && (!p9_get_rreaddir(&p->in, &r) || r.entries.len > BATCH))
			rc = -EIO;
		if (rc)
			break;
		if (!r.entries.len) {
			head[0] = 1;
			break;
		}
		memcpy(batch, r.entries.bytes, r.entries.len);
		rc = put_batch(p, fid, (struct p9_data){batch, r.entries.len}, out, limit, &offset);
	}
	clunk(p, TEMPORARY);
	bytes = (uint32_t)(out->at - start);
	if (rc == 1 && !bytes)
		return -EINVAL;
	memcpy(head + 1, &bytes, sizeof(bytes));
	return rc < 0 ? rc : 0;
}

static int plain_readdir(struct plain *p, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_treaddirattr t;

	return p9_get_treaddirattr(in, &t) ? put_listing(p, t.fid, t.offset, t.count, out) : -EIO;
}

static int plain_walk_readdir(struct plain *p, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_twalkreaddir t;
	struct p9_attr attr;
	int rc;

	if (!p9_get_twalkreaddir(in, &t))
		return -EIO;
	rc = walk_attr(p, t.dfid, t.newfid, t.name, &attr);
	if (rc)
		return rc;
	p9_put_attr(out, &attr);
	rc = put_listing(p, t.newfid, 0, t.count, out);
	if (rc)
		clunk(p, t.newfid);
	return rc;
}

static int make_one(struct plain *p, const struct p9_tmake *t)
{
	const uint32_t major = (uint32_t)((t->rdev >> 8 & 0xfff) | (t->rdev >> 32 & 0xfffff000));
	const uint32_t minor = (uint32_t)((t->rdev & 0xff) | (t->rdev >> 12 & 0xffffff00));

	if ((t->mode & MODE_TYPE) == MODE_DIR)
		return ASK(p, tmkdir, t->dfid, t->name, t->mode & 07777, t->gid);
	if ((t->mode & MODE_TYPE) == MODE_LINK)
		return ASK(p, tsymlink, t->dfid, t->name, t->target, t->gid);
	return ASK(p, tmknod, t->dfid, t->name, t->mode, major, minor, t->gid);
}

static int plain_make(struct plain *p, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tmake t;
	struct p9_attr attr;
	uint32_t fid;
	int rc;

	if (!p9_get_tmake(in, &t))
		return -EIO;
	fid = t.newfid != P9_NOFID ? t.newfid : TEMPORARY;
	rc = make_one(p, &t);
	if (!rc)
		rc = walk(p, t.dfid, fid, t.name);
	if (rc)
		return rc;
	rc = set_owner(p, fid, t.uid, t.gid);
	if (!rc)
		rc = get_attr(p, fid, &attr);
	if (rc || fid == TEMPORARY)
		clunk(p, fid);
	if (!rc)
		p9_put_rmake(out, &(struct p9_rmake){attr});
	return rc;
}

/* Trenameat and Tunlinkat are younger than the rest of 9P2000.L, and not every server has them. */
static int plain_rename(struct plain *p, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_trename2 t;
	int rc;

	if (!p9_get_trename2(in, &t))
		return -EIO;
	if (t.flags)
		return -EINVAL;
	rc = ASK(p, trenameat, t.olddfid, t.oldname, t.newdfid, t.newname);
	if (rc != -EOPNOTSUPP && rc != -ENOSYS)
		return rc;
	rc = walk(p, t.olddfid, TEMPORARY, t.oldname);
	if (rc)
		return rc;
	rc = ASK(p, trename, TEMPORARY, t.newdfid, t.newname);
	clunk(p, TEMPORARY);
	return rc;
}

static int plain_unlink(struct plain *p, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tunlinkat t;
	struct p9_attr attr;
	bool is_dir;
	int rc;

	if (!p9_get_tunlinkat(in, &t))
		return -EIO;
	rc = ASK(p, tunlinkat, t.dfid, t.name, t.flags);
	if (rc != -EOPNOTSUPP && rc != -ENOSYS)
		return rc;
	rc = walk_attr(p, t.dfid, TEMPORARY, t.name, &attr);
	if (rc)
		return rc;
	is_dir = (attr.mode & MODE_TYPE) == MODE_DIR;
	if (is_dir == !!(t.flags & P9_UNLINK_DIR))
		return ASK(p, tremove, TEMPORARY); /* clunks it, whatever comes of it */
	clunk(p, TEMPORARY);
	return is_dir ? -EISDIR : -ENOTDIR;
}

/* An inode's fid is not open, and what is not open has nothing to write back for other servers. */
static int plain_fsync(struct plain *p, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tfsync t;
	int rc;

	if (!p9_get_tfsync(in, &t))
		return -EIO;
	rc = walk(p, t.fid, TEMPORARY, (struct p9_str){0});
	if (rc)
		return rc;
	rc = ASK(p, tlopen, TEMPORARY, P9_OPEN_RDONLY);
	if (!rc)
		rc = ASK(p, tfsync, TEMPORARY, t.datasync);
	clunk(p, TEMPORARY);
	return rc;
}

static int plain_clunk(struct plain *p, struct p9_reader *in, struct p9_writer *out)
{
	static struct p9_tclunkmany t; /* under lock */

	if (!p9_get_tclunkmany(in, &t))
		return -EIO;
	for (unsigned i = 0; i < t.fids.count; i++)
		clunk(p, t.fids.fid[i]);
	p9_put_rclunkmany(out, &(struct p9_rclunkmany){t.fids.count});
	return 0;
}

static int perform(struct plain *p, uint8_t type, struct p9_reader *in, struct p9_writer *out)
{
	switch (type) {
	case P9_tattachattr:
		return plain_attach(p, in, out);
	case P9_twalkgetattr:
		return plain_walk(p, in, out);
	case P9_topendonate:
		return plain_open(p, in, out);
	case P9_tcreatedonate:
		return plain_create(p, in, out);
	case P9_twalkdonate:
		return plain_walk_open(p, in, out);
	case P9_treaddirattr:
		return plain_readdir(p, in, out);
	case P9_twalkreaddir:
		return plain_walk_readdir(p, in, out);
	case P9_tmake:
		return plain_make(p, in, out);
	case P9_trename2:
		return plain_rename(p, in, out);
	case P9_tunlinkat:
		return plain_unlink(p, in, out);
	case P9_tfsync:
		return plain_fsync(p, in, out);
	case P9_tclunkmany:
		return plain_clunk(p, in, out);
	default:
		return -EOPNOTSUPP;
	}
}

bool p9fs_plain_takes(uint8_t type)
{
	return type >= P9_twalkgetattr || type == P9_tunlinkat || type == P9_tfsync;
}

void p9fs_plain_init(void)
{
	mutex_init(&lock);
}

int p9fs_plain_perform(struct p9fs_call *call, uint32_t channel)
{
	uint8_t *reply = call->buffer + P9FS_MESSAGE_SIZE;
	uint32_t size = p9_finish(&call->out);
	struct plain p = {.channel = channel, .tag = call->tag};
	struct p9_header header;
	struct p9_writer out;
	struct p9_reader in;
	int rc = -ENOMEM;

	if (!size)
		return -ENAMETOOLONG;
	p9_reader_init(&in, call->buffer, size);
	if (!p9_get_header(&in, &header))
		return -EIO;
	p9_writer_init(&out, reply, P9FS_MESSAGE_SIZE);
	p9_begin(&out, call->type + 1, call->tag);
	mutex_lock(&lock);
	if (!buffer)
		buffer = kpages_alloc(BUFFER_ORDER);
	if (!batch)
		batch = kmalloc(BATCH);
	if (buffer && batch)
		rc = perform(&p, call->type, &in, &out);
	mutex_unlock(&lock);
	if (rc)
		return rc;
	size = p9_finish(&out);
	if (!size)
		return -EIO;
	p9_reader_init(&call->in, reply, size);
	return p9_get_header(&call->in, &header) ? 0 : -EIO;
}
