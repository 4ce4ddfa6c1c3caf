/*
 * tmpfs directories: entries in two trees, by name for lookup and by cookie for readdir,
 * so that a listing goes on in the right place whatever was added or removed between.
 * The core holds the directory's lock and has checked permissions and types.
 */
#include <linux/fs.h>

#include "vfs/tmpfs/internal.h"

#define DIRENT_SIZE 20

static uint32_t hash_name(const char *name, unsigned len)
{
	uint32_t hash = 2166136261u;

	for (unsigned i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)name[i]) * 16777619u;
	return hash;
}

static int compare_names(const struct tmpfs_entry *a, uint32_t hash, const char *name, unsigned len)
{
	if (a->hash != hash)
		return a->hash < hash ? -1 : 1;
	if (a->len != len)
		return a->len < len ? -1 : 1;
	return memcmp(a->name, name, len);
}

static int compare_entries(struct tmpfs_entry *a, struct tmpfs_entry *b)
{
	return compare_names(a, b->hash, b->name, b->len);
}

static int compare_cookies(struct tmpfs_entry *a, struct tmpfs_entry *b)
{
	return a->cookie < b->cookie ? -1 : a->cookie > b->cookie;
}

RB_GENERATE_STATIC(tmpfs_names, tmpfs_entry, by_name, compare_entries)
RB_GENERATE_STATIC(tmpfs_cookies, tmpfs_entry, by_cookie, compare_cookies)

struct tmpfs_entry *tmpfs_entry_find(struct tmpfs_inode *dir, const char *name, unsigned len)
{
	uint32_t hash = hash_name(name, len);
	struct tmpfs_entry *e = RB_ROOT(&dir->names);

	while (e) {
		int order = compare_names(e, hash, name, len);

		if (!order)
			return e;
		e = order > 0 ? RB_LEFT(e, by_name) : RB_RIGHT(e, by_name);
	}
	return NULL;
}

static struct tmpfs_entry *entry_alloc(const char *name, unsigned len)
{
	struct tmpfs_entry *e = kzalloc(sizeof(*e) + len + 1);

	if (!e)
		return NULL;
	memcpy(e->name, name, len);
	e->len = (uint16_t)len;
	e->hash = hash_name(name, len);
	return e;
}

static void dir_touched(struct tmpfs_inode *dir)
{
	dir->inode.mtime = dir->inode.ctime = vfs_now();
}

/* Takes over the caller's reference to node. */
static void entry_link(struct tmpfs_inode *dir, struct tmpfs_entry *e, struct tmpfs_inode *node)
{
	e->node = node;
	e->cookie = dir->next_cookie++;
	RB_INSERT(tmpfs_names, &dir->names, e);
	RB_INSERT(tmpfs_cookies, &dir->cookies, e);
	dir->inode.size += DIRENT_SIZE;
	if (S_ISDIR(node->inode.mode))
		dir->inode.nlink++;
	dir_touched(dir);
}

/* The entry's reference to its inode goes to the caller. */
static struct tmpfs_inode *entry_unlink(struct tmpfs_inode *dir, struct tmpfs_entry *e)
{
	struct tmpfs_inode *node = e->node;

	RB_REMOVE(tmpfs_names, &dir->names, e);
	RB_REMOVE(tmpfs_cookies, &dir->cookies, e);
	dir->inode.size -= DIRENT_SIZE;
	if (S_ISDIR(node->inode.mode))
		dir->inode.nlink--;
	dir_touched(dir);
	return node;
}

void tmpfs_dir_clear(struct tmpfs_inode *dir)
{
	struct tmpfs_entry *e;

	while ((e = RB_ROOT(&dir->names)) != NULL) {
		struct tmpfs_inode *node = entry_unlink(dir, e);

		kfree(e);
		inode_put(&node->inode);
	}
}

int tmpfs_lookup(struct inode *dir, struct dentry *dentry, struct inode **inode)
{
	struct tmpfs_entry *e;

	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	e = tmpfs_entry_find(tmpfs_of(dir), dentry->name, dentry->name_len);
	if (!e)
		return -ENOENT;
	*inode = &e->node->inode;
	inode_get(*inode);
	return 0;
}

/* A new inode under dentry's name; one reference for the entry, one for the caller. */
static int add_new(struct inode *dir, struct dentry *dentry, uint32_t mode, struct inode **inode)
{
	struct tmpfs_entry *e;
	int rc = tmpfs_inode_new(dir->sb, dir, mode, inode);

	if (rc)
		return rc;
	e = entry_alloc(dentry->name, dentry->name_len);
	if (!e) {
		inode_put(*inode);
		return -ENOMEM;
	}
	entry_link(tmpfs_of(dir), e, tmpfs_of(*inode));
	inode_get(*inode);
	return 0;
}

int tmpfs_create(struct inode *dir, struct dentry *dentry, uint32_t mode, struct inode **inode)
{
	return add_new(dir, dentry, mode, inode);
}

int tmpfs_mkdir(struct inode *dir, struct dentry *dentry, uint32_t mode, struct inode **inode)
{
	return add_new(dir, dentry, mode, inode);
}

int tmpfs_mknod(struct inode *dir, struct dentry *dentry, uint32_t mode, uint64_t rdev, struct inode **inode)
{
	int rc = add_new(dir, dentry, mode, inode);

	if (!rc)
		(*inode)->rdev = rdev;
	return rc;
}

int tmpfs_symlink(struct inode *dir, struct dentry *dentry, const char *target, struct inode **inode)
{
	char *copy = kstrdup(target);
	int rc;

	if (!copy)
		return -ENOMEM;
	rc = add_new(dir, dentry, S_IFLNK | 0777, inode);
	if (rc) {
		kfree(copy);
		return rc;
	}
	tmpfs_of(*inode)->target = copy;
	(*inode)->size = strlen(copy);
	return 0;
}

int tmpfs_link(struct inode *dir, struct dentry *dentry, struct inode *existing)
{
	struct tmpfs_entry *e = entry_alloc(dentry->name, dentry->name_len);

	if (!e)
		return -ENOMEM;
	inode_get(existing);
	existing->nlink++;
	existing->ctime = vfs_now();
	entry_link(tmpfs_of(dir), e, tmpfs_of(existing));
	return 0;
}

/* Drops one name of an inode and what goes with it. */
static void remove_entry(struct tmpfs_inode *dir, struct tmpfs_entry *e)
{
	struct tmpfs_inode *node = entry_unlink(dir, e);

	node->inode.nlink -= S_ISDIR(node->inode.mode) ? 2 : 1;
	node->inode.ctime = vfs_now();
	kfree(e);
	inode_put(&node->inode);
}

int tmpfs_unlink(struct inode *dir, struct dentry *dentry)
{
	struct tmpfs_entry *e = tmpfs_entry_find(tmpfs_of(dir), dentry->name, dentry->name_len);

	if (!e)
		return -ENOENT;
	remove_entry(tmpfs_of(dir), e);
	return 0;
}

int tmpfs_rmdir(struct inode *dir, struct dentry *dentry)
{
	struct tmpfs_entry *e = tmpfs_entry_find(tmpfs_of(dir), dentry->name, dentry->name_len);

	if (!e)
		return -ENOENT;
	if (!RB_EMPTY(&e->node->names))
		return -ENOTEMPTY;
	remove_entry(tmpfs_of(dir), e);
	return 0;
}

static void exchange(struct tmpfs_inode *from, struct tmpfs_entry *a, struct tmpfs_inode *to, struct tmpfs_entry *b)
{
	struct tmpfs_inode *node = a->node;
	bool a_dir = S_ISDIR(a->node->inode.mode), b_dir = S_ISDIR(b->node->inode.mode);

	a->node = b->node;
	b->node = node;
	if (a_dir != b_dir && from != to) {
		from->inode.nlink += b_dir ? 1u : -1u;
		to->inode.nlink += a_dir ? 1u : -1u;
	}
	a->node->inode.ctime = b->node->inode.ctime = vfs_now();
	dir_touched(from);
	dir_touched(to);
}

int tmpfs_rename(struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir, struct dentry *new_dentry,
	unsigned flags)
{
	struct tmpfs_inode *from = tmpfs_of(old_dir), *to = tmpfs_of(new_dir), *node;
	struct tmpfs_entry *source = tmpfs_entry_find(from, old_dentry->name, old_dentry->name_len);
	struct tmpfs_entry *target = tmpfs_entry_find(to, new_dentry->name, new_dentry->name_len), *fresh;
	struct inode *whiteout = NULL;

	if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if (!source || (flags & RENAME_EXCHANGE && !target))
		return -ENOENT;
	if (flags & RENAME_EXCHANGE) {
		exchange(from, source, to, target);
		return 0;
	}
	if (target && flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (target && !RB_EMPTY(&target->node->names))
		return -ENOTEMPTY;
	fresh = entry_alloc(new_dentry->name, new_dentry->name_len);
	if (!fresh)
		return -ENOMEM;
	if (flags & RENAME_WHITEOUT) {
		int rc = tmpfs_inode_new(old_dir->sb, old_dir, S_IFCHR, &whiteout);

		if (rc) {
			kfree(fresh);
			return rc;
		}
	}
	/* From here nothing may fail. */
	if (target)
		remove_entry(to, target);
	node = entry_unlink(from, source);
	if (whiteout)
		entry_link(from, source, tmpfs_of(whiteout));
	else
		kfree(source);
	entry_link(to, fresh, node);
	node->inode.ctime = vfs_now();
	return 0;
}

int tmpfs_readdir(struct file *file, struct dir_emitter *emitter)
{
	struct tmpfs_inode *dir = tmpfs_of(file->inode);
	struct tmpfs_entry key, *e;

	if (!dir_emit_dots(file, emitter))
		return 0;
	for (;;) {
		key.cookie = file->pos;
		e = RB_NFIND(tmpfs_cookies, &dir->cookies, &key);
		if (!e)
			return 0;
		/* emit() may sleep and the entry go: only its cookie is used after it. */
		key.cookie = e->cookie + 1;
		if (!emitter->emit(emitter, e->name, e->len, e->node->inode.ino, (e->node->inode.mode & S_IFMT) >> 12,
			    key.cookie))
			return 0;
		file->pos = key.cookie;
	}
}

/* ---- for the overlay: tmpfs.h ---- */

struct inode *tmpfs_find(struct inode *dir, const char *name, unsigned len)
{
	struct tmpfs_entry *e = tmpfs_entry_find(tmpfs_of(dir), name, len);

	return e ? &e->node->inode : NULL;
}

bool tmpfs_is_whiteout(const struct inode *inode)
{
	return S_ISCHR(inode->mode) && !inode->rdev;
}

int tmpfs_set_whiteout(struct inode *dir, struct dentry *name)
{
	struct tmpfs_inode *parent = tmpfs_of(dir);
	struct tmpfs_entry *old = tmpfs_entry_find(parent, name->name, name->name_len);
	struct tmpfs_entry *fresh = entry_alloc(name->name, name->name_len);
	struct inode *inode;
	int rc;

	if (!fresh)
		return -ENOMEM;
	rc = tmpfs_inode_new(dir->sb, dir, S_IFCHR, &inode);
	if (rc) {
		kfree(fresh);
		return rc;
	}
	if (old)
		remove_entry(parent, old);
	entry_link(parent, fresh, tmpfs_of(inode));
	return 0;
}

void tmpfs_remove_name(struct inode *dir, struct dentry *name)
{
	struct tmpfs_entry *e = tmpfs_entry_find(tmpfs_of(dir), name->name, name->name_len);

	if (e)
		remove_entry(tmpfs_of(dir), e);
}

void tmpfs_remove_whiteouts(struct inode *dir)
{
	struct tmpfs_inode *parent = tmpfs_of(dir);
	struct tmpfs_entry *e, *next;

	for (e = RB_MIN(tmpfs_cookies, &parent->cookies); e; e = next) {
		next = RB_NEXT(tmpfs_cookies, &parent->cookies, e);
		if (tmpfs_is_whiteout(&e->node->inode))
			remove_entry(parent, e);
	}
}

void tmpfs_each(struct inode *dir, int (*fn)(void *arg, const char *name, unsigned len, struct inode *inode), void *arg)
{
	struct tmpfs_entry *e;

	RB_FOREACH(e, tmpfs_cookies, &tmpfs_of(dir)->cookies)
		if (fn(arg, e->name, e->len, &e->node->inode))
			return;
}
