/*
 * Inodes of the gofer's files: the table by number, attributes, link targets.
 *
 * On an exclusive mount the fields of an inode are the truth once it is in memory: nobody
 * else changes the file. On a shared mount p9fs_refresh() asks again. An inode whose
 * attributes came with a directory listing has no fid until something needs one.
 */
#include "ring0/clock.h"
#include "vfs/p9/internal.h"

#define HASH_BITS_MIN 6u
#define HASH_BITS_MAX 14u

static const struct inode_ops *ops_for(const struct inode *inode);

static struct p9fs_inode_list *bucket(struct superblock *sb, uint64_t ino)
{
	struct p9fs_super *super = sb->private;

	return &super->hash[(ino * 0x9e3779b97f4a7c15ull) >> (64 - super->hash_bits)];
}

static int hash_resize(struct p9fs_super *super, unsigned bits)
{
	struct p9fs_inode_list *old = super->hash, *hash = kmalloc(sizeof(*hash) << bits);
	unsigned old_count = old ? 1u << super->hash_bits : 0;
	struct p9fs_inode *pi;

	if (!hash)
		return -ENOMEM;
	for (unsigned i = 0; i < 1u << bits; i++)
		TAILQ_INIT(&hash[i]);
	super->hash = hash;
	super->hash_bits = bits;
	for (unsigned i = 0; i < old_count; i++) {
		while ((pi = TAILQ_FIRST(&old[i])) != NULL) {
			TAILQ_REMOVE(&old[i], pi, hash_link);
			TAILQ_INSERT_HEAD(bucket(super->sb, pi->base.ino), pi, hash_link);
		}
	}
	kfree(old);
	return 0;
}

int p9fs_hash_init(struct p9fs_super *super)
{
	return hash_resize(super, HASH_BITS_MIN);
}

bool p9fs_mode_ok(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return true;
	}
	return false;
}

bool p9fs_attr_ok(const struct p9_attr *attr)
{
	return p9fs_mode_ok(attr->mode) && attr->size <= INT64_MAX && attr->atime_nsec < 1000000000 &&
	       attr->mtime_nsec < 1000000000 && attr->ctime_nsec < 1000000000 && attr->btime_nsec < 1000000000;
}

struct p9fs_inode *p9fs_inode_alloc(struct superblock *sb)
{
	struct p9fs_inode *pi = kzalloc(sizeof(*pi));

	if (!pi)
		return NULL;
	inode_init(&pi->base, sb, 0);
	pi->base.ops = ops_for(&pi->base);
	pi->fid = P9_NOFID;
	pi->handle.fd = -1;
	pi->handle.fid = P9_NOFID;
	return pi;
}

void p9fs_inode_fill(struct p9fs_inode *pi, const struct p9_attr *attr, uint32_t fid)
{
	struct p9fs_super *super = p9fs_s(&pi->base);
	struct inode *inode = &pi->base;

	inode->ino = attr->qid.path;
	p9fs_set_attributes(inode, attr);
	inode->size = attr->size;
	inode->ops = ops_for(inode);
	if (S_ISREG(inode->mode))
		inode->file_ops = &p9fs_file_ops;
	else if (S_ISDIR(inode->mode))
		inode->file_ops = &p9fs_dir_ops;
	pi->fid = fid;
	pi->host_size = attr->size;
	pi->host_mtime = inode->mtime;
	pi->checked_at = clock_monotonic();
	/*
	 * A directory has one name only, so its inode is never looked for; and if the host shows it at two places
	 * (bind mounts; a gofer that lies), each must be an inode of its own, or locks would be taken twice.
	 */
	if (S_ISDIR(inode->mode))
		return;
	if (super->hash_count >= 2u << super->hash_bits && super->hash_bits < HASH_BITS_MAX)
		(void)hash_resize(super, super->hash_bits + 2); /* without memory for it: longer searches */
	TAILQ_INSERT_HEAD(bucket(inode->sb, inode->ino), pi, hash_link);
	super->hash_count++;
	pi->hashed = true;
}

void p9fs_inode_unhash(struct p9fs_inode *pi)
{
	if (!pi->hashed)
		return;
	TAILQ_REMOVE(bucket(pi->base.sb, pi->base.ino), pi, hash_link);
	p9fs_s(&pi->base)->hash_count--;
	pi->hashed = false;
}

struct p9fs_inode *p9fs_inode_find(struct superblock *sb, const struct p9_attr *attr)
{
	struct p9fs_inode *pi;

	if (S_ISDIR(attr->mode))
		return NULL;
	TAILQ_FOREACH(pi, bucket(sb, attr->qid.path), hash_link) {
		if (pi->base.ino != attr->qid.path)
			continue;
		if (pi->base.refs && (pi->base.mode & S_IFMT) == (attr->mode & S_IFMT)) {
			inode_get(&pi->base);
			return pi;
		}
		/* Dying, or the host gave the number to something else. */
		p9fs_inode_unhash(pi);
		return NULL;
	}
	return NULL;
}

struct p9fs_inode *p9fs_inode_get(struct superblock *sb, const struct p9_attr *attr, uint32_t fid, uint64_t asked_at)
{
	struct p9fs_inode *pi = p9fs_inode_find(sb, attr);

	if (!pi) {
		pi = p9fs_inode_alloc(sb);
		if (pi)
			p9fs_inode_fill(pi, attr, fid);
		else
			p9fs_fid_clunk(fid);
		return pi;
	}
	if (pi->fid == P9_NOFID)
		pi->fid = fid;
	else
		p9fs_fid_clunk(fid);
	if (!sb->cache_exclusive)
		p9fs_refresh_apply(pi, attr, (struct p9fs_asked){.at = asked_at});
	return pi;
}

/* The directory that an inode without a fid is in, or NULL. */
static struct p9fs_inode *directory_of(const struct p9fs_inode *pi)
{
	struct dentry *dentry = pi->alias;

	return dentry && dentry->parent->inode->sb == pi->base.sb ? p9fs_i(dentry->parent->inode) : NULL;
}

int p9fs_inode_place(struct p9fs_inode *pi, struct dentry **alias, uint32_t *dir_fid)
{
	struct p9fs_inode *dir = directory_of(pi);
	struct dentry *dentry = pi->alias;
	int rc;

	if (!dir)
		return -ESTALE;
	dentry_get(dentry);
	rc = p9fs_inode_fid(&dir->base, dir_fid);
	if (!rc && pi->alias != dentry)
		rc = -ESTALE;
	if (rc)
		dentry_put(dentry);
	else
		*alias = dentry;
	return rc;
}

int p9fs_inode_adopt(struct p9fs_inode *pi, uint32_t fid, const struct p9_attr *attr)
{
	bool right = attr->qid.path == pi->base.ino && (attr->mode & S_IFMT) == (pi->base.mode & S_IFMT);

	if (right && pi->fid == P9_NOFID)
		pi->fid = fid;
	else
		p9fs_fid_clunk(fid); /* another one, or somebody else asked meanwhile */
	return right ? 0 : -ESTALE;
}

/* Asks for the fid of one whose directory has a fid. May sleep. */
static int ask_fid(struct p9fs_inode *pi, uint32_t dir_fid)
{
	struct dentry *alias = pi->alias;
	struct p9_attr attr;
	uint32_t fid;
	int rc;

	inode_get(&pi->base);
	dentry_get(alias);
	rc = p9fs_walk(dir_fid, (struct p9_str){alias->name, alias->name_len}, &fid, &attr);
	if (!rc)
		rc = p9fs_inode_adopt(pi, fid, &attr);
	if (pi->fid != P9_NOFID)
		rc = 0; /* the name may have gone meanwhile, but not before somebody else asked: keep_reachable() */
	dentry_put(alias);
	inode_put(&pi->base);
	return rc;
}

int p9fs_inode_fid(struct inode *inode, uint32_t *result)
{
	struct p9fs_inode *pi = p9fs_i(inode);
	int rc = 0;

	inode_get(inode);
	/* From the top down, and each time anew: names may go while this sleeps. */
	while (!rc && pi->fid == P9_NOFID) {
		struct p9fs_inode *at = pi, *dir = directory_of(at);

		while (dir && dir->fid == P9_NOFID) {
			at = dir;
			dir = directory_of(at);
		}
		rc = dir ? ask_fid(at, dir->fid) : -ESTALE;
	}
	*result = pi->fid;
	inode_put(inode);
	return rc;
}

void p9fs_inode_check(struct p9fs_inode *pi)
{
	struct p9fs_inode *other;

	if (pi->hashed)
		TAILQ_FOREACH(other, bucket(pi->base.sb, pi->base.ino), hash_link)
			BUG_ON(other != pi && other->base.ino == pi->base.ino);
	if (pi->fid == P9_NOFID)
		BUG_ON(pi->alias && pi->alias->inode != &pi->base);
	if (pi->write_opens)
		BUG_ON(!pi->on_writers);
	BUG_ON((pi->handle.fd >= 0 || pi->handle.fid != P9_NOFID) != pi->handle.listed);
}

/* ---- attributes ---- */

static uint32_t wire_valid(uint32_t valid)
{
	uint32_t wire = 0;

	if (valid & ATTR_MODE)
		wire |= P9_SETATTR_MODE;
	if (valid & ATTR_UID)
		wire |= P9_SETATTR_UID;
	if (valid & ATTR_GID)
		wire |= P9_SETATTR_GID;
	if (valid & ATTR_SIZE)
		wire |= P9_SETATTR_SIZE;
	if (valid & (ATTR_ATIME | ATTR_ATIME_NOW))
		wire |= P9_SETATTR_ATIME | (valid & ATTR_ATIME ? P9_SETATTR_ATIME_SET : 0);
	if (valid & (ATTR_MTIME | ATTR_MTIME_NOW))
		wire |= P9_SETATTR_MTIME | (valid & ATTR_MTIME ? P9_SETATTR_MTIME_SET : 0);
	return wire;
}

static int send_setattr(struct inode *inode, const struct attr_change *c, uint32_t valid)
{
	struct p9_tsetattr t = {
		.valid = wire_valid(valid),
		.mode = c->mode & 07777,
		.uid = c->uid,
		.gid = c->gid,
		.size = c->size,
		.atime_sec = (uint64_t)c->atime.sec,
		.atime_nsec = c->atime.nsec,
		.mtime_sec = (uint64_t)c->mtime.sec,
		.mtime_nsec = c->mtime.nsec,
	};
	struct p9fs_call *call;
	int rc = p9fs_inode_fid(inode, &t.fid);

	if (!rc)
		rc = p9fs_call_begin(&call, P9_tsetattr);
	if (rc)
		return rc;
	p9_put_tsetattr(&call->out, &t);
	rc = p9fs_call_send(call);
	p9fs_call_end(call);
	return rc;
}

/*
 * The size in the cache first: otherwise a page past the new end could be written back
 * after the host has cut the file. On failure the old size comes back; what was cut was clean or is lost.
 */
static int set_size(struct p9fs_inode *pi, const struct attr_change *c)
{
	struct vm_object *object = pi->base.object;
	uint64_t old = inode_size(&pi->base);
	uint32_t also = c->valid & (ATTR_MODE | ATTR_UID | ATTR_GID);
	int rc;

	if (object)
		object_truncate(object, c->size);
	else
		pi->base.size = c->size;
	rc = also ? -EAGAIN : p9fs_host_truncate(pi, c->size);
	if (rc == -EAGAIN)
		rc = send_setattr(&pi->base, c, c->valid & ~(uint32_t)(ATTR_MTIME | ATTR_CTIME));
	if (rc && object)
		object->size = old;
	else if (rc)
		pi->base.size = old;
	if (!rc) {
		pi->base.blocks = MIN(pi->base.blocks, (c->size + 511) / 512);
		pi->host_size = c->size;
		pi->wrote = true;
	}
	return rc;
}

static int p9fs_setattr(struct inode *inode, const struct attr_change *c)
{
	struct p9fs_inode *pi = p9fs_i(inode);
	int rc = 0;

	if (p9fs_s(inode)->readonly)
		return -EROFS;
	if (c->valid & ATTR_SIZE)
		rc = set_size(pi, c);
	else if (wire_valid(c->valid)) {
		/* A write-back after this would change the host's mtime again. */
		if (c->valid & (ATTR_MTIME | ATTR_MTIME_NOW))
			rc = p9fs_flush(pi);
		if (!rc)
			rc = send_setattr(inode, c, c->valid);
	}
	if (rc)
		return rc;
	if (c->valid & ATTR_MODE)
		inode->mode = (inode->mode & S_IFMT) | (c->mode & 07777);
	if (c->valid & ATTR_UID)
		inode->uid = c->uid;
	if (c->valid & ATTR_GID)
		inode->gid = c->gid;
	if (c->valid & (ATTR_ATIME | ATTR_ATIME_NOW))
		inode->atime = c->valid & ATTR_ATIME ? c->atime : vfs_now();
	if (c->valid & (ATTR_MTIME | ATTR_MTIME_NOW))
		inode->mtime = c->valid & ATTR_MTIME ? c->mtime : vfs_now();
	inode->ctime = c->valid & ATTR_CTIME ? c->ctime : vfs_now();
	p9fs_changed(inode);
	return 0;
}

/* A link's target never changes: it is asked for once. */
static int64_t p9fs_readlink(struct inode *inode, char *buf, size_t size)
{
	struct p9fs_inode *pi = p9fs_i(inode);
	struct p9_rreadlink r;
	struct p9fs_call *call;
	uint32_t fid;
	size_t len;
	int rc;

	if (!S_ISLNK(inode->mode))
		return -EINVAL;
	if (!pi->target) {
		rc = p9fs_inode_fid(inode, &fid);
		if (!rc)
			rc = P9FS_CALL(&call, treadlink, fid);
		if (rc)
			return rc;
		if (p9_get_rreadlink(&call->in, &r) && r.target.len && r.target.len < 4096) {
			char *target = kzalloc(r.target.len + 1u);

			if (target)
				memcpy(target, r.target.data, r.target.len);
			else
				rc = -ENOMEM;
			if (pi->target)
				kfree(target);
			else
				pi->target = target;
		} else {
			rc = -EIO;
		}
		p9fs_call_end(call);
		if (rc)
			return rc;
	}
	len = MIN(strlen(pi->target), size);
	memcpy(buf, pi->target, len);
	return (int64_t)len;
}

/* The last reference has gone. Writing back sleeps, so the inode may be found again meanwhile. */
static void p9fs_destroy(struct inode *inode)
{
	struct p9fs_inode *pi = p9fs_i(inode);
	int rc;

	if (inode->object && inode->object->nr_dirty && inode->nlink) {
		inode->refs = 1;
		rc = p9fs_flush(pi);
		if (rc)
			klog(LOG_WARNING, "9p: inode %llu: write-back: error %d", (unsigned long long)inode->ino, -rc);
		if (--inode->refs)
			return;
	}
	p9fs_inode_unhash(pi);
	p9fs_writer_remove_idle(pi);
	p9fs_listing_forget(pi);
	p9fs_object_detach(pi);
	p9fs_handle_drop(pi);
	p9fs_fid_clunk(pi->fid);
	inode_release(inode);
	kfree(pi->target);
	kfree(pi);
}

#define COMMON_OPS                                                                            \
	.lookup = p9fs_lookup, .create = p9fs_create, .mkdir = p9fs_mkdir, .mknod = p9fs_mknod, \
	.symlink = p9fs_symlink, .link = p9fs_link, .unlink = p9fs_unlink, .rmdir = p9fs_rmdir, \
	.rename = p9fs_rename, .readlink = p9fs_readlink, .setattr = p9fs_setattr,            \
	.getxattr = p9fs_getxattr, .setxattr = p9fs_setxattr, .listxattr = p9fs_listxattr,    \
	.removexattr = p9fs_removexattr, .tmpfile = p9fs_tmpfile, .destroy = p9fs_destroy
#define SHARED_OPS .getattr = p9fs_refresh, .revalidate = p9fs_revalidate, .revalidate_path = p9fs_revalidate_path

/* Fifos and devices are opened by the core: a file system's own open would come before that. */
static const struct inode_ops ops_by_kind[2][2] = {
	{{COMMON_OPS}, {COMMON_OPS, .open = p9fs_open}},
	{{COMMON_OPS, SHARED_OPS}, {COMMON_OPS, SHARED_OPS, .open = p9fs_open}},
};

static const struct inode_ops *ops_for(const struct inode *inode)
{
	bool shared = !inode->sb->cache_exclusive;

	return &ops_by_kind[shared][S_ISREG(inode->mode) || S_ISDIR(inode->mode)];
}
