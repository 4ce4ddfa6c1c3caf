/*
 * Opening files ahead of a program that reads one after the other of a directory (grep -r, tar, cp), on exclusive
 * mounts: the gofer hands over the descriptors of several with one reply.
 *
 * "One after the other" is in the order of the directory's listing, as programs get it from getdents(2). Each time a
 * program opens a file not far behind the last ones that were asked for, twice as many are asked for as then. A file
 * gets its fid and its handle as if it had been opened by itself; nothing is read.
 *
 * Called by handle.c. As in sweep.c, what came of files that nobody has opened yet is dropped if this sandbox has
 * changed anything meanwhile.
 */
#include "vfs/p9/internal.h"

#define NEAR 64u /* places in the listing from the last one on where the next is looked for */

struct batch {
	struct p9_twalkdonatemany t;
	struct p9fs_inode *inodes[P9_MAX_WALK]; /* one a step, referenced */
	struct p9_attr attr[P9_MAX_WALK];
	enum p9_given given[P9_MAX_WALK];
	int fds[P9_MAX_WALK];
};

_Static_assert(P9_MAX_WALK <= ABI_MAX_DONATED, "one descriptor a step");

/* How many files to ask for with this one; *at: its place. 0: nobody reads one after the other here. */
static unsigned next_window(struct p9fs_inode *dir, const struct dentry *dentry, uint32_t *at)
{
	struct p9fs_listing *listing = dir->listing;
	uint32_t end = dir->open_at + NEAR;

	if (!listing)
		return 0;
	*at = p9fs_listing_find(listing, p9fs_name_of(dentry), dir->open_at, end);
	if (*at >= MIN(end, p9fs_listing_count(listing))) {
		dir->open_window = 0;
		dir->open_at = 0;
		return 0;
	}
	dir->open_window = (uint8_t)MIN(P9_MAX_WALK, dir->open_window ? dir->open_window * 2u : 1u);
	dir->open_at = *at + 1;
	return dir->open_window;
}

static bool is_unopened(const struct dentry *dentry)
{
	struct p9fs_inode *pi = dentry->inode ? p9fs_i(dentry->inode) : NULL;

	return pi && S_ISREG(pi->base.mode) && pi->alias == dentry && pi->fid == P9_NOFID && pi->handle.fd < 0 && pi->base.size;
}

static void add_step(struct batch *batch, struct dentry *dentry)
{
	struct p9_steps *steps = &batch->t.steps;

	inode_get(dentry->inode);
	batch->inodes[steps->count] = p9fs_i(dentry->inode);
	batch->fds[steps->count] = -1;
	steps->step[steps->count++].name = p9fs_name_of(dentry);
}

/* The file at place `at` and those after it, as many as there are fids. */
static void gather_files(struct batch *batch, struct p9fs_inode *dir, struct dentry *first, uint32_t at, unsigned fids)
{
	uint32_t end = at + NEAR;
	struct p9_str name;

	add_step(batch, first);
	at++;
	while (dir->listing && batch->t.steps.count < fids && p9fs_listing_next(dir->listing, S_IFREG >> 12, &at, end, &name)) {
		struct dentry *dentry = dentry_find(first->parent, name.data, name.len);

		if (!dentry)
			continue;
		if (is_unopened(dentry)) {
			add_step(batch, dentry);
			dir->open_at = at;
		}
		dentry_put(dentry); /* the directory's lock is not held, but nothing sleeps before the names are sent */
	}
}

/* The reply's fields, read before the call ends. */
static int read_reply(struct batch *batch, struct p9fs_call *call)
{
	struct p9_rwalkdonatemany r;
	struct p9_reader files;
	unsigned number = 0;

	if (!p9_get_rwalkdonatemany(&call->in, &r))
		return -EIO;
	p9_reader_init(&files, r.files.bytes, r.files.len);
	for (unsigned i = 0; i < batch->t.steps.count; i++) {
		batch->given[i] = p9_get_u8(&files);
		if (batch->given[i] <= P9_GIVEN)
			batch->attr[i] = p9_get_attr(&files);
		batch->fds[i] = batch->given[i] == P9_GIVEN ? p9fs_donated_take(call, number++) : -1;
	}
	return files.failed ? -EIO : 0;
}

/* One of the files: it gets its fid and its handle. */
static int take_file(struct batch *batch, unsigned i)
{
	struct p9fs_inode *pi = batch->inodes[i];
	uint32_t fid = batch->t.steps.step[i].fid;
	int rc;

	if (batch->given[i] > P9_GIVEN) {
		p9fs_fid_free(fid);
		return 1;
	}
	rc = p9fs_inode_adopt(pi, fid, &batch->attr[i]);
	if (rc || batch->fds[i] < 0 || pi->handle.listed)
		p9fs_fd_close(batch->fds[i]);
	else
		p9fs_handle_set(pi, batch->fds[i], false);
	return rc;
}

static int ask(struct batch *batch, struct p9fs_inode *dir, struct dentry *first, uint32_t at, unsigned fids)
{
	unsigned changes = p9fs_changes, count;
	struct p9fs_call *call;
	int rc = p9fs_call_begin(&call, P9_twalkdonatemany);

	if (rc) {
		for (unsigned i = 0; i < fids; i++)
			p9fs_fid_free(batch->t.steps.step[i].fid);
		return rc;
	}
	if (is_unopened(first)) /* still so: else it may have been moved, and its directory be gone */
		gather_files(batch, dir, first, at, fids);
	count = batch->t.steps.count;
	for (unsigned i = count; i < fids; i++)
		p9fs_fid_free(batch->t.steps.step[i].fid);
	p9_put_twalkdonatemany(&call->out, &batch->t);
	rc = count ? p9fs_call_send(call) : 1;
	if (rc) {
		for (unsigned i = 0; i < count; i++)
			p9fs_fid_free(batch->t.steps.step[i].fid);
		count = 0;
	} else {
		rc = read_reply(batch, call);
	}
	p9fs_call_end(call);
	for (unsigned i = 0; i < count; i++) {
		/* After a malformed reply all that is certain is that the gofer may know the fids. */
		if (rc < 0 || (i > 0 && changes != p9fs_changes)) {
			p9fs_fid_clunk(batch->t.steps.step[i].fid);
			p9fs_fd_close(batch->fds[i]);
		} else if (i == 0) {
			rc = take_file(batch, i);
		} else {
			(void)take_file(batch, i);
		}
	}
	for (unsigned i = 0; i < batch->t.steps.count; i++)
		inode_put(&batch->inodes[i]->base);
	return rc;
}

int p9fs_open_ahead(struct p9fs_inode *pi)
{
	struct dentry *dentry = pi->alias;
	struct p9fs_inode *dir;
	struct batch *batch;
	unsigned fids, have = 0;
	uint32_t at;
	int rc = 1;

	if (!pi->base.sb->cache_exclusive || !dentry || p9fs_is_plain(p9fs_s(&pi->base)->channel))
		return 1;
	dir = p9fs_i(dentry->parent->inode);
	fids = next_window(dir, dentry, &at);
	if (fids < 2)
		return 1;
	batch = kzalloc(sizeof(*batch));
	if (!batch)
		return 1;
	if (p9fs_inode_place(pi, &dentry, &batch->t.fid) == 0) {
		while (have < fids && p9fs_fid_alloc(p9fs_s(&pi->base)->channel, &batch->t.steps.step[have].fid) == 0)
			have++;
		if (have && pi->alias == dentry && is_unopened(dentry))
			rc = ask(batch, p9fs_i(dentry->parent->inode), dentry, at, have);
		else
			while (have)
				p9fs_fid_free(batch->t.steps.step[--have].fid);
		dentry_put(dentry);
	}
	kfree(batch);
	return rc;
}
