/*
 * The dentry cache: names, found by (parent, name) in one hash table.
 *
 * A dentry whose last reference goes stays cached while it is hashed: it is put on the
 * LRU list, and dentries come off it lazily, when the list is pruned. So a warm lookup
 * costs one hash probe, one increment and one decrement, and allocates nothing. A cached
 * child references its parent, so a parent never leaves before its children.
 * Never hash a dentry twice; never free one that is referenced. See vfs.h for the invariants.
 */
#include <linux/errno.h>
#include <linux/inotify.h>

#include "vfs/internal.h"

#define HASH_BITS 14
#define HASH_ORDER 6 /* 2^14 buckets of 16 bytes are 64 pages */
#define LRU_MAX 32768u
#define PRUNE_BATCH 256u

TAILQ_HEAD(dentry_list, dentry);
static struct dentry_list *buckets;
static struct dentry_list lru = TAILQ_HEAD_INITIALIZER(lru);
static unsigned lru_count;
static bool pruning;

void dentry_cache_init(void)
{
	if (buckets)
		return;
	buckets = kpages_alloc(HASH_ORDER);
	if (!buckets)
		panic("vfs: no memory for the dentry hash table");
	for (unsigned i = 0; i < 1u << HASH_BITS; i++)
		TAILQ_INIT(&buckets[i]);
}

uint32_t dentry_hash_name(const char *name, unsigned len)
{
	uint32_t hash = 0;

	for (unsigned i = 0; i < len; i++)
		hash = (hash + (uint8_t)name[i]) * 0x9e3779b1u;
	return hash;
}

static struct dentry_list *bucket_of(const struct dentry *parent, uint32_t hash)
{
	uint64_t mixed = (((uint64_t)parent >> 4) ^ hash) * 0x9e3779b97f4a7c15ull;

	return &buckets[mixed >> (64 - HASH_BITS)];
}

static bool name_equal(const struct dentry *dentry, const char *name, unsigned len)
{
	if (dentry->name_len != len)
		return false;
	for (unsigned i = 0; i < len; i++)
		if (dentry->name[i] != name[i])
			return false;
	return true;
}

struct dentry *dentry_find_hashed(struct dentry *parent, const char *name, unsigned len, uint32_t hash)
{
	struct dentry_list *bucket = bucket_of(parent, hash);
	struct dentry *d;

	TAILQ_FOREACH(d, bucket, hash_link) {
		if (d->hash == hash && d->parent == parent && name_equal(d, name, len)) {
			d->refs++;
			return d;
		}
	}
	return NULL;
}

struct dentry *dentry_find(struct dentry *parent, const char *name, unsigned len)
{
	return dentry_find_hashed(parent, name, len, dentry_hash_name(name, len));
}

/* Unhashed, one reference, parent referenced. parent NULL: its own parent. */
struct dentry *dentry_alloc(struct dentry *parent, struct superblock *sb, const char *name, unsigned len)
{
	struct dentry *d = kzalloc(sizeof(*d) + len + 1);

	if (!d)
		return NULL;
	d->refs = 1;
	d->sb = sb;
	d->name = (char *)(d + 1);
	memcpy(d->name, name, len);
	d->name_len = (uint16_t)len;
	d->hash = dentry_hash_name(name, len);
	TAILQ_INIT(&d->children);
	d->parent = parent ? parent : d;
	if (parent)
		dentry_get(parent);
	return d;
}

static void dentry_hash_insert(struct dentry *d)
{
	DEBUG_BUG_ON(d->hashed);
	TAILQ_INSERT_HEAD(bucket_of(d->parent, d->hash), d, hash_link);
	TAILQ_INSERT_TAIL(&d->parent->children, d, sibling);
	d->hashed = true;
}

void dentry_unhash(struct dentry *d)
{
	if (!d->hashed)
		return;
	TAILQ_REMOVE(bucket_of(d->parent, d->hash), d, hash_link);
	TAILQ_REMOVE(&d->parent->children, d, sibling);
	d->hashed = false;
}

void dentry_get(struct dentry *d)
{
	d->refs++;
}

static void lru_remove(struct dentry *d)
{
	if (!d->on_lru)
		return;
	TAILQ_REMOVE(&lru, d, lru);
	d->on_lru = false;
	lru_count--;
}

static void tell_deleted(const struct dentry *d)
{
	if (S_ISDIR(d->inode->mode) || !d->inode->nlink)
		notify_inode(d->inode, NULL, IN_DELETE_SELF, 0);
}

void dentry_removed(struct dentry *d)
{
	if (d->refs == 1)
		tell_deleted(d);
	else
		d->removed = true;
}

/* No references are left. Returns the parent, whose reference is now the caller's. May sleep. */
static struct dentry *dentry_free(struct dentry *d)
{
	struct dentry *parent = d->parent != d ? d->parent : NULL;

	DEBUG_BUG_ON(d->refs);
	DEBUG_BUG_ON(!TAILQ_EMPTY(&d->children));
	lru_remove(d);
	dentry_unhash(d);
	if (d->sb->ops && d->sb->ops->dentry_release)
		d->sb->ops->dentry_release(d);
	if (d->removed)
		tell_deleted(d);
	if (d->inode)
		inode_put(d->inode);
	if (d->name != (char *)(d + 1))
		kfree(d->name);
	kfree(d);
	return parent;
}

static bool worth_keeping(const struct dentry *d)
{
	return d->hashed && (d->inode || d->sb->cache_exclusive);
}

void dentry_put(struct dentry *d)
{
	while (d) {
		DEBUG_BUG_ON(!d->refs);
		if (--d->refs)
			return;
		if (worth_keeping(d)) {
			if (d->on_lru)
				return;
			/* What an entry that is pruned held (an overlay's: those below) has been unused as long as that. */
			if (pruning)
				TAILQ_INSERT_HEAD(&lru, d, lru);
			else
				TAILQ_INSERT_TAIL(&lru, d, lru);
			d->on_lru = true;
			if (++lru_count > LRU_MAX && !pruning)
				dentry_shrink(PRUNE_BATCH);
			return;
		}
		d = dentry_free(d);
	}
}

void dentry_put_uncached(struct dentry *d)
{
	if (--d->refs)
		return;
	dentry_put(dentry_free(d));
}

/* May sleep in dentry_free(): the list is looked at afresh each time. */
unsigned dentry_shrink(unsigned count)
{
	struct dentry *d;
	unsigned dropped = 0;
	bool nested = pruning;

	pruning = true;
	while (count-- && (d = TAILQ_FIRST(&lru)) != NULL) {
		lru_remove(d);
		if (d->refs)
			continue;
		dentry_put(dentry_free(d));
		dropped++;
	}
	pruning = nested;
	return dropped;
}

unsigned files_shrink_names(unsigned count)
{
	return dentry_shrink(count);
}

void dentry_shrink_superblock(struct superblock *sb)
{
	struct dentry *d, *next;
	bool found;

	do {
		found = false;
		for (d = TAILQ_FIRST(&lru); d; d = next) {
			next = TAILQ_NEXT(d, lru);
			if (d->sb != sb)
				continue;
			lru_remove(d);
			if (!d->refs) {
				dentry_put(dentry_free(d));
				found = true;
				break; /* it may have slept: start again */
			}
		}
	} while (found);
}

/* Hash a fresh dentry as its parent's child, or give up for one that came first. */
static struct dentry *dentry_insert(struct dentry *d, struct inode *inode)
{
	struct dentry *first = dentry_find_hashed(d->parent, d->name, d->name_len, d->hash);

	if (first) {
		d->inode = inode;
		dentry_put(d);
		return first;
	}
	d->inode = inode;
	dentry_hash_insert(d);
	return d;
}

struct dentry *dentry_add(struct dentry *parent, const char *name, unsigned len, struct inode *inode)
{
	struct dentry *d = dentry_alloc(parent, parent->sb, name, len);

	if (!d)
		return NULL;
	return dentry_insert(d, inode);
}

struct dentry *dentry_make_root(struct superblock *sb, struct inode *inode)
{
	struct dentry *d = dentry_alloc(NULL, sb, "/", 1);

	if (d)
		d->inode = inode;
	return d;
}

struct dentry *dentry_make_loose(struct superblock *sb, const char *name, struct inode *inode)
{
	struct dentry *d = dentry_alloc(NULL, sb, name, (unsigned)strlen(name));

	if (d)
		d->inode = inode;
	return d;
}

void dentry_instantiate(struct dentry *d, struct inode *inode)
{
	DEBUG_BUG_ON(d->inode);
	d->inode = inode;
}

int dentry_lookup_locked(struct dentry *parent, const char *name, unsigned len, struct dentry **dentry)
{
	struct inode *dir = parent->inode, *inode = NULL;
	struct dentry *d = dentry_find(parent, name, len);
	int rc;

	if (d) {
		*dentry = d;
		return 0;
	}
	if (len > NAME_MAX_LEN)
		return -ENAMETOOLONG;
	if (dentry_is_dead(parent))
		return -ENOENT;
	d = dentry_alloc(parent, parent->sb, name, len);
	if (!d)
		return -ENOMEM;
	rc = dir->ops->lookup(dir, d, &inode);
	if (rc && rc != -ENOENT) {
		dentry_put(d);
		return rc;
	}
	*dentry = dentry_insert(d, rc ? NULL : inode);
	return 0;
}

/* Whether a cached dentry can be used; a stale one is forgotten and put. */
static bool still_valid(struct dentry *d, const char *rest, unsigned *ahead)
{
	const struct inode_ops *ops = d->inode ? d->inode->ops : NULL;
	bool valid = ops != NULL;

	if (d->sb->cache_exclusive)
		return true;
	if (ops && *ahead)
		--*ahead;
	else if (ops && ops->revalidate_path && *rest)
		valid = ops->revalidate_path(d, rest, ahead) != 0;
	else if (ops && ops->revalidate)
		valid = ops->revalidate(d) != 0;
	if (valid)
		return true;
	*ahead = 0;
	dentry_unhash(d);
	dentry_put(d);
	return false;
}

int dentry_lookup(struct dentry *parent, const char *name, unsigned len, struct dentry **dentry)
{
	unsigned ahead = 0;

	return dentry_lookup_path(parent, name, len, "", &ahead, dentry);
}

int dentry_lookup_path(struct dentry *parent, const char *name, unsigned len, const char *rest, unsigned *ahead,
	struct dentry **dentry)
{
	struct dentry *d = dentry_find(parent, name, len);
	struct inode *dir = parent->inode;
	int rc;

	if (d && still_valid(d, rest, ahead)) {
		*dentry = d;
		return 0;
	}
	*ahead = 0;
	if (!dir || !dir->ops->lookup)
		return -ENOTDIR;
	rwsem_read_lock(&dir->lock);
	rc = dentry_lookup_locked(parent, name, len, dentry);
	rwsem_read_unlock(&dir->lock);
	return rc;
}

static int set_name(struct dentry *d, const char *name, unsigned len)
{
	char *copy = kmalloc(len + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, name, len);
	copy[len] = 0;
	if (d->name != (char *)(d + 1))
		kfree(d->name);
	d->name = copy;
	d->name_len = (uint16_t)len;
	d->hash = dentry_hash_name(name, len);
	return 0;
}

static void set_parent(struct dentry *d, struct dentry *parent)
{
	d->parent = parent; /* references are moved by the caller */
}

/* Both stay in the tree, with names and parents swapped. */
static int dentry_exchange(struct dentry *a, struct dentry *b)
{
	struct dentry *parent_a = a->parent, *parent_b = b->parent;
	char *name = kmalloc(a->name_len + 1u), *name_b = kmalloc(b->name_len + 1u);
	unsigned len_a = a->name_len, len_b = b->name_len;

	if (!name || !name_b) {
		kfree(name);
		kfree(name_b);
		return -ENOMEM;
	}
	memcpy(name, a->name, len_a + 1);
	memcpy(name_b, b->name, len_b + 1);
	dentry_unhash(a);
	dentry_unhash(b);
	if (a->name != (char *)(a + 1))
		kfree(a->name);
	if (b->name != (char *)(b + 1))
		kfree(b->name);
	a->name = name_b;
	a->name_len = (uint16_t)len_b;
	b->name = name;
	b->name_len = (uint16_t)len_a;
	a->hash = dentry_hash_name(a->name, len_b);
	b->hash = dentry_hash_name(b->name, len_a);
	set_parent(a, parent_b);
	set_parent(b, parent_a);
	dentry_hash_insert(a);
	dentry_hash_insert(b);
	return 0;
}

int dentry_move(struct dentry *d, struct dentry *target, bool exchange)
{
	struct dentry *old_parent = d->parent;
	int rc;

	if (exchange)
		return dentry_exchange(d, target);
	dentry_unhash(d);
	dentry_unhash(target);
	rc = set_name(d, target->name, target->name_len);
	if (rc) {
		/* The file system has renamed already: forget the dentry, a lookup finds it again. */
		return rc;
	}
	set_parent(d, target->parent);
	dentry_get(target->parent);
	dentry_hash_insert(d);
	dentry_put(old_parent);
	return 0;
}

void dentry_check(void)
{
	for (unsigned i = 0; i < 1u << HASH_BITS; i++) {
		struct dentry *d, *e;

		TAILQ_FOREACH(d, &buckets[i], hash_link) {
			BUG_ON(!d->hashed);
			BUG_ON(d->parent == d);
			BUG_ON(d->parent->refs == 0);
			BUG_ON(bucket_of(d->parent, d->hash) != &buckets[i]);
			BUG_ON(d->refs == 0 && !d->on_lru);
			for (e = TAILQ_NEXT(d, hash_link); e; e = TAILQ_NEXT(e, hash_link))
				BUG_ON(e->parent == d->parent && name_equal(e, d->name, d->name_len));
		}
	}
}
