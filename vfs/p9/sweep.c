/*
 * Reading directories ahead of a program that reads one after the other (find, grep -r, du, tar), on exclusive mounts.
 *
 * Most directories are small, and a message costs more than what is in them. So when several directories that lie in
 * the same one have been read, the next question is for that directory, those that follow it in the listing, and
 * all that is below them, as far as it fits into a reply; what is below a directory that came so is asked for in the
 * same way at once. The answers become listings, and the directories dentries, as if each had been read; nothing gets
 * a fid. Files get dentries only if attributes were asked for: listing.c tells when.
 *
 * Called by listing.c before a directory is read, and before the next one in order is looked up. No directory's lock is held over the question: an answer is
 * dropped as soon as this sandbox has changed anything meanwhile (p9fs_changes), and nobody else does.
 */
#include "vfs/p9/internal.h"

#define SWEEP_AFTER 2u  /* directories read one by one before the next question is for more */
#define BLOCKS_MAX 256u /* of a reply that are taken */
#define NEAR 2048u      /* places of a listing, to each side of the last, where the next is looked for: a huge one takes long */
#define LOST_MAX 8u     /* times that a whole listing is gone through */

_Static_assert(BLOCKS_MAX < P9_NO_BLOCK, "their numbers");

/* A directory that nothing is known of but its name and attributes; or what is being looked up. */
static bool is_unread(const struct dentry *dentry)
{
	struct inode *inode = dentry->inode;
	struct p9fs_inode *pi = inode ? p9fs_i(inode) : NULL;

	if (!inode)
		return !dentry->hashed;
	return S_ISDIR(inode->mode) && inode->nlink && !dentry_is_dead(dentry) &&
		(!pi->listing || (p9fs_listing_is_bare(pi) && p9fs_s(inode)->whole_sweeps));
}

/* Is the name in a part of the listing; *at: where. */
static bool is_within(const struct p9fs_listing *listing, struct p9_str name, uint32_t begin, uint32_t end, uint32_t *at)
{
	end = MIN(end, p9fs_listing_count(listing));
	*at = p9fs_listing_find(listing, name, begin, end);
	return *at < end;
}

/* Where in its directory's listing the name is. Programs go on from where they were, mostly. */
static bool find_place(struct p9fs_inode *dir, const struct p9fs_listing *listing, struct p9_str name, uint32_t *at)
{
	uint32_t last = dir->sweep_at;

	if (is_within(listing, name, last, last + NEAR, at) || is_within(listing, name, last > NEAR ? last - NEAR : 0, last, at))
		return true;
	return dir->sweep_lost < LOST_MAX && ++dir->sweep_lost && is_within(listing, name, 0, UINT32_MAX, at);
}

/* This name and those of unread directories after it go into the message. `listing` holds the strings. */
static void put_names(struct dentry *dentry, const struct p9fs_listing *listing, struct p9_writer *out)
{
	struct p9_str name = p9fs_name_of(dentry);
	struct p9fs_inode *dir = p9fs_i(dentry->parent->inode);
	unsigned count = 1;
	uint32_t at, end;

	p9_put_str(out, name);
	if (!listing || !find_place(dir, listing, name, &at))
		return;
	dir->sweep_at = at++;
	end = at + NEAR;
	while (count < P9_MAX_TREES && p9fs_listing_next(listing, S_IFDIR >> 12, &at, end, &name)) {
		struct dentry *next = dentry_find(dentry->parent, name.data, name.len);

		if (!next || is_unread(next)) {
			p9_put_str(out, name);
			count++;
		}
		if (next)
			dentry_put(next);
	}
}

/* One block of the reply; the dentry it is about, referenced, or NULL: it is of no use, nor is what is below. */
static struct dentry *take_block(struct dentry *parent, const struct p9_block *block, bool bare, unsigned changes)
{
	struct dentry *dentry;

	if (!parent || !p9_name_ok(block->name) || !p9fs_attr_ok(&block->attr))
		return NULL;
	if (S_ISDIR(block->attr.mode))
		p9fs_prefill(parent, block->name, &block->attr);
	dentry = changes == p9fs_changes ? dentry_find(parent, block->name.data, block->name.len) : NULL;
	if (!dentry)
		return NULL;
	if (!is_unread(dentry) || dentry->inode->ino != block->attr.qid.path ||
		p9fs_listing_adopt(dentry, block->entries, bare, changes)) {
		dentry_put(dentry);
		return NULL;
	}
	p9fs_i(dentry->inode)->read_below = SWEEP_AFTER;
	return dentry;
}

static void take_blocks(struct dentry *top, struct p9_data bytes, bool bare, unsigned changes)
{
	struct dentry **taken = kzalloc(BLOCKS_MAX * sizeof(*taken));
	struct p9_reader blocks;
	struct p9_block block;
	unsigned count = 0;

	if (!taken)
		return;
	p9_reader_init(&blocks, bytes.bytes, bytes.len);
	while (count < BLOCKS_MAX && changes == p9fs_changes && p9_next_block(&blocks, &block)) {
		struct dentry *parent = block.parent == P9_NO_BLOCK ? top : block.parent < count ? taken[block.parent] : NULL;

		taken[count] = take_block(parent, &block, bare, changes);
		count++;
	}
	while (count--)
		if (taken[count])
			dentry_put(taken[count]);
	kfree(taken);
}

static void ask(struct dentry *dentry, struct dentry *top)
{
	struct p9fs_inode *dir = p9fs_i(top->inode);
	struct p9fs_super *super = p9fs_s(top->inode);
	struct p9_treadtrees t = {.count = P9FS_DATA_MAX};
	struct p9_rreadtrees r;
	struct p9fs_listing *listing;
	struct p9fs_call *call;
	unsigned changes;

	if (p9fs_inode_fid(&dir->base, &t.fid))
		return;
	mutex_lock(&p9fs_fetch_lock);
	changes = p9fs_changes;
	listing = p9fs_listing_get(dir);
	t.bare = !super->whole_sweeps;
	if (p9fs_call_begin(&call, P9_treadtrees) == 0) {
		bool still = dentry->parent == top && is_unread(dentry);

		p9_put_treadtrees(&call->out, &t);
		if (still)
			put_names(dentry, listing, &call->out);
		if (still && p9fs_call_send(call) == 0 && p9_get_rreadtrees(&call->in, &r))
			take_blocks(top, r.blocks, t.bare, changes);
		p9fs_call_end(call);
	}
	if (super->whole_sweeps && !t.bare)
		super->whole_sweeps--;
	p9fs_listing_put(listing);
	mutex_unlock(&p9fs_fetch_lock);
}

void p9fs_sweep_from(struct dentry *dentry)
{
	struct dentry *top = dentry->parent;

	dentry_get(top);
	ask(dentry, top);
	dentry_put(top);
}

bool p9fs_is_swept(const struct dentry *dentry)
{
	return dentry->sb->cache_exclusive && dentry->parent != dentry && p9fs_i(dentry->parent->inode)->read_below >= SWEEP_AFTER &&
		!p9fs_is_plain(p9fs_s(dentry->inode)->channel);
}

void p9fs_sweep(struct dentry *dentry)
{
	struct p9fs_inode *dir = p9fs_i(dentry->parent->inode);

	if (!is_unread(dentry))
		return;
	if (p9fs_is_swept(dentry))
		p9fs_sweep_from(dentry);
	else if (dir->read_below < SWEEP_AFTER)
		dir->read_below++;
}
