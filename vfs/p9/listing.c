/*
 * Reading directories. A listing is a directory's names read at once, with attributes, by
 * Treaddirattr; an open directory keeps the one it began with, so positions are indices and
 * seekdir(3) works. On an exclusive mount the directory keeps it too and every change of a
 * name is made in it, so it stays true: later listings, and lookups of names that are not
 * there, ask nothing. The dentry cache is filled on the way, so that what follows a listing
 * (find, ls -l) asks nothing either. A directory in which several names were looked up is read for that reason.
 *
 * A listing that an open directory holds is never changed: the directory takes a copy.
 */
#include "vfs/p9/internal.h"

#define PREFILL_MAX 4096u /* names of one directory that go to the dentry cache; and that are searched and kept true */
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

/* Put what was learnt about a name into the dentry cache, unless something is there. */
static void prefill(struct dentry *parent, const struct p9_dirent_attr *record)
{
	struct p9fs_inode *pi;
	struct dentry *dentry;

	/* A file with several names needs its fid from the start. */
	if (!S_ISDIR(record->attr.mode) && record->attr.nlink != 1)
		return;
	dentry = dentry_find(parent, record->name.data, record->name.len);
	if (dentry) {
		dentry_put(dentry);
		return;
	}
	pi = p9fs_inode_find(parent->sb, &record->attr);
	if (pi) {
		inode_put(&pi->base);
		return;
	}
	pi = p9fs_inode_alloc(parent->sb);
	if (!pi)
		return;
	p9fs_inode_fill(pi, &record->attr, P9_NOFID);
	dentry = dentry_add(parent, record->name.data, record->name.len, &pi->base);
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
			prefill(parent, &record);
	}
	return !rc && records.failed ? -EIO : rc;
}

/* One reply's worth. 1: that was the last. */
static int fetch_part_locked(uint32_t fid, struct p9fs_listing *listing, struct dentry *parent, uint64_t *offset)
{
	struct p9_rreaddirattr r;
	unsigned changes = p9fs_changes;
	struct p9fs_call *call;
	int rc = P9FS_CALL(&call, treaddirattr, fid, *offset, P9FS_DATA_MAX);

	if (rc)
		return rc;
	if (!p9_get_rreaddirattr(&call->in, &r) || (!r.eof && !r.entries.len)) /* or no progress */
		rc = -EIO;
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

int p9fs_listing_adopt(struct dentry *parent, struct p9_data entries, unsigned changes)
{
	struct p9fs_inode *dir = p9fs_i(parent->inode);
	struct p9fs_listing *listing = listing_create();
	uint64_t offset;
	int rc = listing ? take_records(entries, listing, parent, &offset, changes) : -ENOMEM;

	if (!rc && changes != p9fs_changes)
		rc = -ESTALE;
	if (rc || dir->listing)
		p9fs_listing_put(listing);
	else
		dir->listing = listing;
	return rc;
}

static int fetch_part(struct p9fs_inode *dir, struct p9fs_listing *listing, struct dentry *parent, uint64_t *offset)
{
	int rc;

	mutex_lock(&p9fs_fetch_lock);
	if (dir->fid == P9_NOFID)
		rc = fetch_first_locked(dir, listing, parent, offset);
	else
		rc = fetch_part_locked(dir->fid, listing, parent, offset);
	mutex_unlock(&p9fs_fetch_lock);
	return rc;
}

void p9fs_listing_missed(struct p9fs_inode *dir, struct dentry *parent)
{
	struct p9fs_listing *listing;
	uint64_t offset = 0;

	if (!dir->base.sb->cache_exclusive || dir->listing || parent->inode != &dir->base || dentry_is_dead(parent))
		return;
	if (dir->misses >= MISSES_MAX || ++dir->misses < MISSES_MAX)
		return;
	listing = listing_create();
	if (!listing)
		return;
	/* One reply's worth; it is worth having even if that is not all. */
	if (fetch_part(dir, listing, parent, &offset) == 1 && !dir->listing && dir->base.nlink)
		dir->listing = listing;
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
