/*
 * Reading directories. A listing is a directory's names read at once, with attributes, by
 * Treaddirattr; an open directory keeps the one it began with, so positions are indices and
 * seekdir(3) works. On an exclusive mount the directory keeps it too, until a name in it
 * changes, and the dentry cache is filled on the way, so that what follows a listing
 * (find, ls -l) asks nothing.
 */
#include "vfs/p9/internal.h"

#define PREFILL_MAX 4096u /* names of one directory that go to the dentry cache */
#define ENTRIES_MAX (1u << 22)

/*
 * Filling the dentry cache may push others out of it, and that may send messages while the
 * reply is still held: one task at a time, so that buffers cannot run out in a circle.
 */
static struct mutex fetch_lock = {.waiters = WAITQ_INIT(fetch_lock.waiters)};

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

static void listing_put(struct p9fs_listing *listing)
{
	if (!listing || --listing->refs)
		return;
	kfree(listing->entries);
	kfree(listing->names);
	kfree(listing);
}

void p9fs_listing_forget(struct p9fs_inode *dir)
{
	struct p9fs_listing *listing = dir->listing;

	dir->listing = NULL;
	listing_put(listing);
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

static int listing_add(struct p9fs_listing *listing, const struct p9_dirent_attr *record)
{
	int rc = listing_reserve(listing, record->name.len);

	if (rc)
		return rc;
	listing->entries[listing->count++] = (struct entry){
		.ino = record->attr.qid.path,
		.name = listing->used,
		.len = record->name.len,
		.type = (record->attr.mode & S_IFMT) >> 12,
	};
	memcpy(listing->names + listing->used, record->name.data, record->name.len);
	listing->used += record->name.len;
	return 0;
}

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

/* One reply's worth. 1: that was the last. *offset is moved on. */
static int fetch_part(uint32_t fid, struct p9fs_listing *listing, struct dentry *parent, uint64_t *offset)
{
	struct p9_rreaddirattr r;
	struct p9_dirent_attr record;
	struct p9_reader records;
	struct p9fs_call *call;
	uint64_t from = *offset;
	int rc = P9FS_CALL(&call, treaddirattr, fid, from, P9FS_DATA_MAX);

	if (rc)
		return rc;
	if (!p9_get_rreaddirattr(&call->in, &r)) {
		p9fs_call_end(call);
		return -EIO;
	}
	p9_reader_init(&records, r.entries.bytes, r.entries.len);
	while (!rc && p9_next_dirent_attr(&records, &record)) {
		if (!p9_name_ok(record.name) || !p9fs_attr_ok(&record.attr)) {
			rc = -EIO;
			break;
		}
		*offset = record.offset;
		rc = listing_add(listing, &record);
		if (!rc && parent && listing->count <= PREFILL_MAX)
			prefill(parent, &record);
	}
	if (!rc && records.failed)
		rc = -EIO;
	p9fs_call_end(call);
	if (!rc && !r.eof && *offset == from && !r.entries.len)
		rc = -EIO; /* no progress */
	return rc ? rc : r.eof != 0;
}

/* The directory's lock keeps names from changing while replies and the dentry cache are brought together. */
static int fetch(struct file *file, struct p9fs_listing **result)
{
	struct inode *dir = file->inode;
	struct dentry *parent = file->path.dentry;
	struct p9fs_listing *listing = kzalloc(sizeof(*listing));
	uint64_t offset = 0;
	uint32_t fid;
	int rc;

	if (!listing)
		return -ENOMEM;
	listing->refs = 1;
	if (!dir->sb->cache_exclusive || !parent || parent->inode != dir || dentry_is_dead(parent))
		parent = NULL;
	rwsem_read_lock(&dir->lock);
	rc = p9fs_inode_fid(dir, &fid);
	while (!rc) {
		mutex_lock(&fetch_lock);
		rc = fetch_part(fid, listing, parent, &offset);
		mutex_unlock(&fetch_lock);
	}
	if (rc == 1 && dir->sb->cache_exclusive && dir->nlink) {
		p9fs_listing_forget(p9fs_i(dir));
		listing->refs++;
		p9fs_i(dir)->listing = listing;
	}
	rwsem_read_unlock(&dir->lock);
	if (rc < 0) {
		listing_put(listing);
		return rc;
	}
	*result = listing;
	return 0;
}

static int begin(struct file *file)
{
	struct p9fs_inode *dir = p9fs_i(file->inode);
	struct p9fs_listing *listing = dir->listing;
	int rc;

	if (listing) {
		listing->refs++;
	} else {
		rc = fetch(file, &listing);
		if (rc)
			return rc;
	}
	listing_put(file->private);
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

		if (!emitter->emit(emitter, listing->names + entry->name, entry->len, entry->ino, entry->type, file->pos + 1))
			break;
		file->pos++;
	}
	return 0;
}

void p9fs_dir_release(struct file *file)
{
	listing_put(file->private);
	file->private = NULL;
}
