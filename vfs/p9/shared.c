/*
 * Attributes of the gofer's files, and what others do to them: on a shared mount fields, pages and names are only as
 * good as the last look.
 *
 * A look is a message, but for two things. A file that is open on the host and settled is looked at by its descriptor,
 * in a host call. And a path is looked at as a whole: one message for all the names of it that are cached.
 */
#include "ring0/clock.h"
#include "vfs/p9/internal.h"

#define FRESH_NS 1000000ull
#define TICK_NS 20000000ll /* the host's file times go on in steps, at most so large */
#define COARSE_TICK_NS 2100000000ll /* where the file system keeps whole seconds */

static struct timestamp stamp(uint64_t sec, uint64_t nsec)
{
	return (struct timestamp){(int64_t)sec, (uint32_t)nsec};
}

void p9fs_set_attributes(struct inode *inode, const struct p9_attr *attr)
{
	inode->mode = attr->mode;
	inode->uid = attr->uid;
	inode->gid = attr->gid;
	inode->nlink = (uint32_t)attr->nlink;
	inode->rdev = attr->rdev;
	inode->blocks = attr->blocks;
	inode->blksize = attr->blksize && attr->blksize <= 1u << 20 ? (uint32_t)attr->blksize : 4096;
	inode->atime = stamp(attr->atime_sec, attr->atime_nsec);
	inode->mtime = stamp(attr->mtime_sec, attr->mtime_nsec);
	inode->ctime = stamp(attr->ctime_sec, attr->ctime_nsec);
	inode->btime = stamp(attr->btime_sec, attr->btime_nsec);
}

static bool same_time(struct timestamp a, struct timestamp b)
{
	return a.sec == b.sec && a.nsec == b.nsec;
}

/* Somebody else changed the file: what is cached of it is old. Our own dirty pages win. */
static void take_size(struct p9fs_inode *pi, uint64_t size, struct timestamp mtime)
{
	struct vm_object *object = pi->base.object;
	bool changed = size != pi->host_size || (!same_time(mtime, pi->host_mtime) && !pi->wrote);

	pi->host_size = size;
	pi->host_mtime = mtime;
	pi->wrote = false;
	if (!object) {
		pi->base.size = size;
		return;
	}
	if (object->nr_dirty || (!changed && object->size == size))
		return;
	if (changed)
		object_drop_range(object, 0, UINT64_MAX);
	if (size < object->size)
		object_truncate(object, size);
	else
		object->size = size;
}

/*
 * A file whose file system tells (P9_GEN_TELLS) is settled when its ctime lay far enough back as the gofer looked: any
 * change from then on gives it another. As long as the host's descriptor shows the same ctime,
 * everything the gofer said of it is still so, and so is the name that led to it.
 */
static void settle(struct p9fs_inode *pi, const struct p9_attr *attr, int64_t asked)
{
	pi->settled_name = NULL;
	pi->settled_ctime = timestamp_ns(pi->base.ctime);
	pi->settled = attr->gen == P9_GEN_TELLS &&
		pi->settled_ctime < asked - (attr->ctime_nsec ? TICK_NS : COARSE_TICK_NS);
}

bool p9fs_is_unchanged(struct p9fs_inode *pi)
{
	struct abi_stat now;

	if (!pi->settled || !p9fs_host_stat(pi, &now))
		return false;
	if (now.ctime_ns != pi->settled_ctime) {
		pi->settled = false;
		return false;
	}
	/* Reading, and the host's writing to its disk, change these without a new ctime. */
	pi->base.atime = timestamp_of(now.atime_ns);
	pi->base.blocks = now.blocks;
	pi->checked_at = clock_monotonic();
	return true;
}

struct p9fs_asked p9fs_asked_now(void)
{
	return (struct p9fs_asked){clock_monotonic(), clock_realtime()};
}

void p9fs_changed(struct inode *inode)
{
	p9fs_i(inode)->changed_at = clock_monotonic();
	p9fs_i(inode)->checked_at = 0;
}

void p9fs_refresh_apply(struct p9fs_inode *pi, const struct p9_attr *attr, struct p9fs_asked asked)
{
	if (pi->changed_at >= asked.at)
		return;
	p9fs_set_attributes(&pi->base, attr);
	settle(pi, attr, asked.host);
	if (S_ISREG(pi->base.mode))
		take_size(pi, attr->size, pi->base.mtime);
	else
		pi->base.size = attr->size;
	pi->checked_at = clock_monotonic();
}

int p9fs_refresh(struct inode *inode)
{
	struct p9fs_inode *pi = p9fs_i(inode);
	struct p9_rgetattr r;
	struct p9fs_asked asked;
	struct p9fs_call *call;
	uint32_t fid;
	int rc;

	if (clock_monotonic() - pi->checked_at < FRESH_NS || p9fs_is_unchanged(pi))
		return 0;
	asked = p9fs_asked_now();
	rc = p9fs_inode_fid(inode, &fid);
	if (!rc)
		rc = P9FS_CALL(&call, tgetattr, fid, P9_GETATTR_BASIC);
	if (rc)
		return rc;
	if (!p9_get_rgetattr(&call->in, &r) || !p9fs_attr_ok(&r.attr) || (r.attr.mode & S_IFMT) != (inode->mode & S_IFMT))
		rc = -EIO;
	p9fs_call_end(call);
	if (!rc)
		p9fs_refresh_apply(pi, &r.attr, asked);
	return rc;
}

void p9fs_refresh_blocks(struct inode *inode)
{
	struct p9_rgetattr r;
	struct p9fs_call *call;
	uint32_t fid;

	if (p9fs_inode_fid(inode, &fid) || P9FS_CALL(&call, tgetattr, fid, P9_GETATTR_BASIC))
		return;
	if (p9_get_rgetattr(&call->in, &r))
		inode->blocks = r.attr.blocks;
	p9fs_call_end(call);
}

/* ---- names ---- */

/* One name of a path that is looked at: what the gofer says of it. False: it is another file by now, or none. */
static bool take_look(struct dentry *dentry, const struct p9_attr *attr, struct p9fs_asked asked)
{
	struct inode *inode = dentry->inode;

	if (!inode || !p9fs_attr_ok(attr) || attr->qid.path != inode->ino || (attr->mode & S_IFMT) != (inode->mode & S_IFMT))
		return false;
	p9fs_refresh_apply(p9fs_i(inode), attr, asked);
	p9fs_i(inode)->settled_name = dentry;
	return true;
}

/* Does this name lead to a file that needs no message? */
static bool is_quiet(struct dentry *dentry)
{
	struct p9fs_inode *pi = p9fs_i(dentry->inode);

	return pi->settled_name == dentry && p9fs_is_unchanged(pi);
}

/* The cached name that `rest` goes on with in a directory, referenced; NULL: none that could be looked at along. */
static struct dentry *next_name(struct dentry *dir, const char **rest)
{
	const char *name = *rest, *end;
	struct dentry *next;

	while (*name == '/')
		name++;
	for (end = name; *end && *end != '/'; end++)
		;
	if (!p9_name_ok((struct p9_str){name, (uint16_t)MIN(end - name, 256)}) || !S_ISDIR(dir->inode->mode) || dir->mounted)
		return NULL;
	next = dentry_find(dir, name, (unsigned)(end - name));
	*rest = end;
	if (next && !next->inode) {
		dentry_put(next);
		return NULL;
	}
	return next;
}

/* A look at the names of a path: too large for a kernel's stack. */
struct look {
	struct p9_twalkgetattr t;
	struct dentry *dentries[P9_MAX_WALK]; /* one a step, referenced */
};

/* The name of `first`, and those that `rest` goes on with. */
static void gather_names(struct look *look, struct dentry *first, const char *rest)
{
	struct p9_steps *steps = &look->t.steps;
	struct dentry *next = first;

	dentry_get(first);
	do {
		look->dentries[steps->count] = next;
		steps->step[steps->count].fid = P9_NOFID;
		steps->step[steps->count].name = p9fs_name_of(next);
		steps->count++;
		next = steps->count < P9_MAX_WALK ? next_name(next, &rest) : NULL;
	} while (next && !is_quiet(next));
	if (next)
		dentry_put(next);
}

/* How many of the names, from the first on, are right by this reply. */
static unsigned take_looks(const struct look *look, const struct p9_rwalkgetattr *r, struct p9fs_asked asked)
{
	struct p9_reader records;
	unsigned right;

	p9_reader_init(&records, r->attrs.bytes, r->attrs.len);
	for (right = 0; right < r->count && right < look->t.steps.count; right++) {
		struct p9_attr attr = p9_get_attr(&records);

		if (records.failed || !take_look(look->dentries[right], &attr, asked))
			break;
	}
	return right;
}

/* One message: how many names are right. The path's names are read after p9fs_call_begin(), which may sleep. */
static unsigned look_at_names(struct look *look, struct dentry *first, const char *rest)
{
	unsigned changes = p9fs_changes, right = 0;
	struct p9fs_asked asked = p9fs_asked_now();
	struct p9_rwalkgetattr r;
	struct p9fs_call *call;

	if (p9fs_inode_fid(first->parent->inode, &look->t.fid) || p9fs_call_begin(&call, P9_twalkgetattr))
		return 0;
	gather_names(look, first, rest);
	p9_put_twalkgetattr(&call->out, &look->t);
	if (p9fs_call_send(call) == 0 && p9_get_rwalkgetattr(&call->in, &r))
		right = take_looks(look, &r, asked);
	p9fs_call_end(call);
	for (unsigned i = 0; i < look->t.steps.count; i++)
		dentry_put(look->dentries[i]);
	/* Names may have been moved here meanwhile: only the caller's own dentry is sure then. */
	return right > 1 && changes != p9fs_changes ? 1 : right;
}

int p9fs_revalidate_path(struct dentry *dentry, const char *rest, unsigned *ahead)
{
	struct look *look;
	unsigned right;

	if (dentry->parent == dentry || is_quiet(dentry))
		return 1;
	look = kzalloc(sizeof(*look));
	if (!look)
		return 0;
	right = look_at_names(look, dentry, rest);
	kfree(look);
	*ahead = right ? right - 1 : 0;
	return right > 0;
}

int p9fs_revalidate(struct dentry *dentry)
{
	unsigned ahead;

	return p9fs_revalidate_path(dentry, "", &ahead);
}
