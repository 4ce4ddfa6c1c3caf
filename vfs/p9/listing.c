/*
 * Reading directories. A listing is a directory's names read at once, with attributes, by
 * Treaddirattr; an open directory keeps the one it began with, so positions are indices and
 * seekdir(3) works. On an exclusive mount the directory keeps it too and every change of a
 * name is made in it, so it stays true: later listings, and lookups of names that are not
 * there, ask nothing. The dentry cache is filled on the way, so that what follows a listing
 * (find, ls -l) asks nothing either. A directory in which several names were looked up is read for that reason.
 *
 * Many programs want no more of most files than name and type. So what is read ahead (sweep.c) comes *bare*, without
 * attributes, until somebody looks a file up in such a directory: then that one is read again, and for a
 * while, longer each time, what is read ahead comes with attributes.
 *
 * A listing that an open directory holds is never changed: the directory takes a copy.
 */
#include "vfs/p9/internal.h"

#define PREFILL_MAX 4096u /* names of one directory that go to the dentry cache; and that are searched and kept true */
#define PENALTY_MIN 8u    /* messages of sweep.c with attributes, once they were missed; twice as many each time */
#define PENALTY_MAX 128u
#define MISSES_MAX 4u     /* lookups that make us read the directory's beginning */
#define ENTRIES_MAX (1u << 22)

/*
 * Filling the dentry cache may push others out of it, and that may send messages while the
 * reply is still held: one task at a time, so that buffers cannot run out in a circle.
 */
struct mutex p9fs_fetch_lock = {.waiters = WAITQ_INIT(p9fs_fetch_lock.waiters)};

struct entry {
	uint64_t ino;
	uint32_t name; /* where in names */
	uint16_t len;
	uint8_t type; /* DT_* */
};

struct p9fs_listing {
	uint32_t refs;
	bool bare; /* it came without attributes, so the dentry cache does not have what is in it */
	uint32_t count, room;
	uint32_t used, names_room;
	struct entry *entries;
	char *names;
};

void p9fs_listing_put(struct p9fs_listing *listing)
{
	if (!listing || --listing->refs)
		return;
	kfree(listing->entries);
	kfree(listing->names);
	kfree(listing);
}

struct p9fs_listing *p9fs_listing_get(struct p9fs_inode *dir)
{
	if (dir->listing)
		dir->listing->refs++;
	return dir->listing;
}

void p9fs_listing_forget(struct p9fs_inode *dir)
{
	struct p9fs_listing *listing = dir->listing;

	dir->listing = NULL;
	p9fs_listing_put(listing);
}

static int listing_reserve(struct p9fs_listing *listing, uint32_t len)
{
	if (listing->count == ENTRIES_MAX)
		return -ENOMEM;
	if (listing->count == listing->room) {
		uint32_t room = listing->room ? listing->room * 2 : 32;
		struct entry *entries = krealloc(listing->entries, room * sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		listing->entries = entries;
		listing->room = room;
	}
	if (listing->used + len > listing->names_room) {
		uint32_t room = MAX(listing->names_room * 2, listing->used + len + 512u);
		char *names = krealloc(listing->names, room);

		if (!names)
			return -ENOMEM;
		listing->names = names;
		listing->names_room = room;
	}
	return 0;
}

static int listing_add(struct p9fs_listing *listing, struct p9_str name, uint64_t ino, uint32_t mode)
{
	int rc = listing_reserve(listing, name.len);

	if (rc)
		return rc;
	listing->entries[listing->count++] = (struct entry){
		.ino = ino,
		.name = listing->used,
		.len = name.len,
		.type = (mode & S_IFMT) >> 12,
	};
	memcpy(listing->names + listing->used, name.data, name.len);
	listing->used += name.len;
	return 0;
}

static struct p9fs_listing *listing_create(void)
{
	struct p9fs_listing *listing = kzalloc(sizeof(*listing));

	if (listing)
		listing->refs = 1;
	return listing;
}

static bool is_named(const struct p9fs_listing *listing, const struct entry *entry, struct p9_str name)
{
	return entry->len == name.len && memcmp(listing->names + entry->name, name.data, name.len) == 0;
}

static struct entry *listing_search(const struct p9fs_listing *listing, struct p9_str name)
{
	uint32_t at = p9fs_listing_find(listing, name, 0, UINT32_MAX);

	return at < listing->count ? &listing->entries[at] : NULL;
}

uint32_t p9fs_listing_count(const struct p9fs_listing *listing)
{
	return listing->count;
}

uint32_t p9fs_listing_find(const struct p9fs_listing *listing, struct p9_str name, uint32_t at, uint32_t end)
{
	end = MIN(end, listing->count);
	while (at < end && !is_named(listing, &listing->entries[at], name))
		at++;
	return MIN(at, end);
}

bool p9fs_listing_next(const struct p9fs_listing *listing, unsigned type, uint32_t *at, uint32_t end, struct p9_str *name)
{
	while (*at < MIN(end, listing->count)) {
		const struct entry *entry = &listing->entries[(*at)++];

		if (entry->type != type)
			continue;
		*name = (struct p9_str){listing->names + entry->name, entry->len};
		return true;
	}
	return false;
}

/* ---- a directory's own listing, kept true ---- */

void p9fs_listing_begin_empty(struct p9fs_inode *dir)
{
	if (dir->base.sb->cache_exclusive && !dir->listing)
		dir->listing = listing_create();
}

/* The directory's listing, its own to change; NULL: none is kept. */
static struct p9fs_listing *listing_own(struct p9fs_inode *dir)
{
	struct p9fs_listing *old = dir->listing, *copy;

	if (!old)
		return NULL;
	if (old->count > PREFILL_MAX || old->used > 1u << 20) {
		p9fs_listing_forget(dir);
		return NULL;
	}
	if (old->refs == 1)
		return old;
	copy = listing_create();
	if (copy)
		copy->bare = old->bare;
	for (uint32_t i = 0; copy && i < old->count; i++) {
		const struct entry *entry = &old->entries[i];

		if (listing_add(copy, (struct p9_str){old->names + entry->name, entry->len}, entry->ino,
			    (uint32_t)entry->type << 12)) {
			p9fs_listing_put(copy);
			copy = NULL;
		}
	}
	p9fs_listing_forget(dir);
	dir->listing = copy;
	return copy;
}

void p9fs_listing_add(struct p9fs_inode *dir, struct p9_str name, const struct inode *inode)
{
	struct p9fs_listing *listing = listing_own(dir);
	struct entry *entry = listing ? listing_search(listing, name) : NULL;

	if (entry) {
		entry->ino = inode->ino;
		entry->type = (inode->mode & S_IFMT) >> 12;
	} else if (listing && listing_add(listing, name, inode->ino, inode->mode)) {
		p9fs_listing_forget(dir);
	}
}

void p9fs_listing_remove(struct p9fs_inode *dir, struct p9_str name)
{
	struct p9fs_listing *listing = listing_own(dir);
	struct entry *entry = listing ? listing_search(listing, name) : NULL;

	if (entry)
		*entry = listing->entries[--listing->count];
}

bool p9fs_listing_lacks(struct p9fs_inode *dir, struct p9_str name)
{
	const struct p9fs_listing *listing = dir->listing;

	return listing && listing->count <= PREFILL_MAX && !listing_search(listing, name);
}

/* ---- reading ---- */

void p9fs_prefill(struct dentry *parent, struct p9_str name, const struct p9_attr *attr)
{
	struct p9fs_inode *pi;
	struct dentry *dentry;

	/* A file with several names needs its fid from the start. */
	if (!S_ISDIR(attr->mode) && attr->nlink != 1)
		return;
	dentry = dentry_find(parent, name.data, name.len);
	if (dentry) {
		dentry_put(dentry);
		return;
	}
	pi = p9fs_inode_find(parent->sb, attr);
	if (pi) {
		inode_put(&pi->base);
		return;
	}
	pi = p9fs_inode_alloc(parent->sb);
	if (!pi)
		return;
	p9fs_inode_fill(pi, attr, P9_NOFID);
	dentry = dentry_add(parent, name.data, name.len, &pi->base);
	if (!dentry) {
		inode_put(&pi->base);
		return;
	}
	if (dentry->inode == &pi->base)
		pi->alias = dentry;
	dentry_put(dentry);
}

/*
 * The records of one reply. *offset is moved on. Filling the dentry cache may sleep: it ends where something was
 * changed since the question (`changes`), for then a record may be older than what is known.
 */
static int take_records(struct p9_data entries, struct p9fs_listing *listing, struct dentry *parent, uint64_t *offset,
	unsigned changes)
{
	struct p9_dirent_attr record;
	struct p9_reader records;
	int rc = 0;

	p9_reader_init(&records, entries.bytes, entries.len);
	while (!rc && p9_next_dirent_attr(&records, &record)) {
		if (!p9_name_ok(record.name) || !p9fs_attr_ok(&record.attr))
			return -EIO;
		*offset = record.offset;
		rc = listing_add(listing, record.name, record.attr.qid.path, record.attr.mode);
		if (!rc && parent && listing->count <= PREFILL_MAX && changes == p9fs_changes)
			p9fs_prefill(parent, record.name, &record.attr);
	}
	return !rc && records.failed ? -EIO : rc;
}

/* The same without attributes. A type that there is not is none told (DT_UNKNOWN): programs then ask for the file's attributes. */
static int take_bare_records(struct p9_data entries, struct p9fs_listing *listing, uint64_t *offset)
{
	struct p9_dirent record;
	struct p9_reader records;
	int rc = 0;

	p9_reader_init(&records, entries.bytes, entries.len);
	while (!rc && p9_next_dirent(&records, &record)) {
		uint32_t type = record.type <= S_IFMT >> 12 ? (uint32_t)record.type << 12 : 0;

		if (!p9_name_ok(record.name))
			return -EIO;
		*offset = record.offset;
		rc = listing_add(listing, record.name, record.qid.path, p9fs_mode_ok(type) ? type : 0);
	}
	return !rc && records.failed ? -EIO : rc;
}

/* One reply's worth. 1: that was the last. */
static int fetch_part_locked(uint32_t fid, struct p9fs_listing *listing, struct dentry *parent, uint64_t *offset)
{
	struct p9_rreaddirattr r;
	unsigned changes = p9fs_changes;
	struct p9fs_call *call;
	int rc = P9FS_CALL(&call, treaddirattr, fid, *offset, P9FS_DATA_MAX, listing->bare);

	if (rc)
		return rc;
	if (!p9_get_rreaddirattr(&call->in, &r) || (!r.eof && !r.entries.len)) /* or no progress */
		rc = -EIO;
	else if (listing->bare)
		rc = take_bare_records(r.entries, listing, offset);
	else
		rc = take_records(r.entries, listing, parent, offset, changes);
	p9fs_call_end(call);
	return rc ? rc : r.eof != 0;
}

/* The same for the first part of a directory without a fid, which it gets on the way. */
static int fetch_first_locked(struct p9fs_inode *dir, struct p9fs_listing *listing, struct dentry *parent, uint64_t *offset)
{
	struct p9_rwalkreaddir r;
	struct p9fs_call *call;
	struct dentry *alias;
	unsigned changes = p9fs_changes;
	uint32_t dir_fid, fid;
	int rc = p9fs_inode_place(dir, &alias, &dir_fid);

	if (rc)
		return rc;
	rc = p9fs_fid_alloc(p9fs_s(&dir->base)->channel, &fid);
	if (!rc) {
		rc = P9FS_CALL(&call, twalkreaddir, dir_fid, fid, {alias->name, alias->name_len},
			P9FS_DATA_MAX - P9_ATTR_SIZE);
		if (rc)
			p9fs_fid_free(fid);
	}
	dentry_put(alias);
	if (rc)
		return rc;
	if (!p9_get_rwalkreaddir(&call->in, &r)) {
		p9fs_fid_clunk(fid);
		rc = -EIO;
	} else {
		rc = p9fs_inode_adopt(dir, fid, &r.attr);
	}
	/* From here the names below it can be walked to: the dentry cache may be filled. */
	if (!rc && !r.eof && !r.entries.len)
		rc = -EIO;
	if (!rc)
		rc = take_records(r.entries, listing, parent, offset, changes);
	p9fs_call_end(call);
	return rc ? rc : r.eof != 0;
}

/* A whole listing is better than a bare one, and that than none. Takes over the reference. */
static void keep_listing(struct p9fs_inode *dir, struct p9fs_listing *listing)
{
	if (dir->listing && (!dir->listing->bare || listing->bare)) {
		p9fs_listing_put(listing);
		return;
	}
	p9fs_listing_forget(dir);
	dir->listing = listing;
}

bool p9fs_listing_is_bare(const struct p9fs_inode *dir)
{
	return dir->listing && dir->listing->bare;
}

int p9fs_listing_adopt(struct dentry *parent, struct p9_data entries, bool bare, unsigned changes)
{
	struct p9fs_inode *dir = p9fs_i(parent->inode);
	struct p9fs_listing *listing = listing_create();
	uint64_t offset = 0;
	int rc = -ENOMEM;

	if (listing)
		listing->bare = bare;
	if (listing && bare)
		rc = take_bare_records(entries, listing, &offset);
	else if (listing)
		rc = take_records(entries, listing, parent, &offset, changes);
	if (!rc && changes != p9fs_changes)
		rc = -ESTALE;
	if (rc)
		p9fs_listing_put(listing);
	else
		keep_listing(dir, listing);
	return rc;
}

static int fetch_part(struct p9fs_inode *dir, struct p9fs_listing *listing, struct dentry *parent, uint64_t *offset)
{
	uint32_t fid;
	int rc = listing->bare ? p9fs_inode_fid(&dir->base, &fid) : 0;

	if (rc)
		return rc;
	mutex_lock(&p9fs_fetch_lock);
	if (dir->fid == P9_NOFID)
		rc = fetch_first_locked(dir, listing, parent, offset);
	else
		rc = fetch_part_locked(dir->fid, listing, parent, offset);
	mutex_unlock(&p9fs_fetch_lock);
	return rc;
}

/*
 * A file is looked up in a directory whose listing is bare. The first time is a hint that attributes are wanted, the next
 * ones are reason enough.
 */
static bool wants_attributes(struct p9fs_super *super)
{
	if (super->whole_sweeps)
		return true;
	super->whole_penalty = (uint8_t)MIN(PENALTY_MAX, super->whole_penalty ? super->whole_penalty * 2u : PENALTY_MIN);
	super->whole_sweeps = super->whole_penalty;
	return false;
}

/* Is the directory before this one read already, or is it the first of them? */
static bool is_next_directory(const struct p9fs_listing *listing, uint32_t at, struct dentry *parent)
{
	const struct entry *entry;
	struct dentry *before;
	bool is_read;

	do {
		if (!at)
			return true;
		entry = &listing->entries[--at];
	} while (entry->type != S_IFDIR >> 12);
	before = dentry_find(parent, listing->names + entry->name, entry->len);
	is_read = before && before->inode && p9fs_i(before->inode)->listing;
	if (before)
		dentry_put(before);
	return is_read;
}

/* A name of a bare listing, which the dentry cache does not have. True: it may have it now. */
static bool missed_bare(struct p9fs_inode *dir, struct dentry *dentry)
{
	uint32_t at = p9fs_listing_find(dir->listing, p9fs_name_of(dentry), 0, PREFILL_MAX); /* a huge one takes long */

	if (at >= MIN(dir->listing->count, PREFILL_MAX))
		return true;
	if (dir->listing->entries[at].type == S_IFDIR >> 12) {
		if (is_next_directory(dir->listing, at, dentry->parent))
			p9fs_sweep_from(dentry);
		return true;
	}
	if (!wants_attributes(p9fs_s(&dir->base)))
		return true;
	p9fs_sweep(dentry->parent); /* it, with those around it */
	return !p9fs_listing_is_bare(dir);
}

void p9fs_listing_missed(struct p9fs_inode *dir, struct dentry *dentry)
{
	struct dentry *parent = dentry->parent;
	struct p9fs_listing *listing;
	uint64_t offset = 0;

	if (!dir->base.sb->cache_exclusive || parent->inode != &dir->base || dentry_is_dead(parent))
		return;
	if (dir->listing && (!dir->listing->bare || missed_bare(dir, dentry)))
		return;
	if (dir->misses >= MISSES_MAX || (!dir->listing && ++dir->misses < MISSES_MAX))
		return;
	dir->misses = MISSES_MAX;
	listing = listing_create();
	if (!listing)
		return;
	/* One reply's worth; it is worth having even if that is not all. */
	if (fetch_part(dir, listing, parent, &offset) == 1 && dir->base.nlink)
		keep_listing(dir, listing);
	else
		p9fs_listing_put(listing);
}

/* The directory's lock keeps names from changing while replies and the dentry cache are brought together. */
static int fetch(struct file *file, struct p9fs_listing **result)
{
	struct inode *dir = file->inode;
	struct dentry *parent = file->path.dentry;
	struct p9fs_listing *listing = listing_create();
	uint64_t offset = 0;
	int rc = 0;

	if (!listing)
		return -ENOMEM;
	if (!dir->sb->cache_exclusive || !parent || parent->inode != dir || dentry_is_dead(parent))
		parent = NULL;
	listing->bare = parent && p9fs_is_swept(parent) && !p9fs_s(dir)->whole_sweeps; /* too large to come with others */
	rwsem_read_lock(&dir->lock);
	while (!rc)
		rc = fetch_part(p9fs_i(dir), listing, parent, &offset);
	if (rc == 1 && dir->sb->cache_exclusive && dir->nlink) {
		p9fs_listing_forget(p9fs_i(dir));
		listing->refs++;
		p9fs_i(dir)->listing = listing;
	}
	rwsem_read_unlock(&dir->lock);
	if (rc < 0) {
		p9fs_listing_put(listing);
		return rc;
	}
	*result = listing;
	return 0;
}

static int begin(struct file *file)
{
	struct p9fs_inode *dir = p9fs_i(file->inode);
	struct p9fs_listing *listing;
	int rc;

	if (!dir->listing && file->path.dentry && file->path.dentry->inode == file->inode)
		p9fs_sweep(file->path.dentry);
	listing = p9fs_listing_get(dir);
	if (!listing) {
		rc = fetch(file, &listing);
		if (rc)
			return rc;
	}
	p9fs_listing_put(file->private);
	file->private = listing;
	return 0;
}

int p9fs_readdir(struct file *file, struct dir_emitter *emitter)
{
	struct p9fs_listing *listing;
	bool rewound = file->pos == 0;
	int rc;

	if (!dir_emit_dots(file, emitter))
		return 0;
	if (rewound || !file->private) {
		rc = begin(file);
		if (rc)
			return rc;
	}
	listing = file->private;
	while (file->pos - 2 < listing->count) {
		const struct entry *entry = &listing->entries[file->pos - 2];
		uint64_t next = file->pos + 1; /* the emitter may set the position too */

		if (!emitter->emit(emitter, listing->names + entry->name, entry->len, entry->ino, entry->type, next))
			break;
		file->pos = next;
	}
	return 0;
}

void p9fs_dir_release(struct file *file)
{
	p9fs_listing_put(file->private);
	file->private = NULL;
}
