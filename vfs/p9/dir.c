/*
 * Directories: finding a name and changing what names there are.
 *
 * Called by the core with the directory's lock held (reader for lookup, writer for
 * changes), so two changes of one directory never overlap. The core moves and drops
 * dentries after the operation; here only inodes, link counts and times are kept up.
 */
#include "vfs/p9/internal.h"

static void dir_changed(struct inode *dir)
{
	dir->mtime = dir->ctime = vfs_now();
	p9fs_changed(dir);
}

static int dir_fid(struct inode *dir, bool for_change, uint32_t *fid)
{
	if (for_change && p9fs_s(dir)->readonly)
		return -EROFS;
	return p9fs_inode_fid(dir, fid);
}

int p9fs_lookup(struct inode *dir, struct dentry *dentry, struct inode **inode)
{
	struct p9fs_inode *pi;
	struct dentry *known;
	struct p9_attr attr;
	uint32_t parent, fid;
	uint64_t asked_at;
	int rc;

	p9fs_listing_missed(p9fs_i(dir), dentry);
	if (p9fs_listing_lacks(p9fs_i(dir), p9fs_name_of(dentry)))
		return -ENOENT;
	/* Reading the directory may have found it. */
	known = dentry_find(dentry->parent, dentry->name, dentry->name_len);
	if (known && known->inode) {
		inode_get(known->inode);
		*inode = known->inode;
		dentry_put(known);
		return 0;
	}
	if (known)
		dentry_put(known);
	rc = dir_fid(dir, false, &parent);
	asked_at = p9fs_asked_now().at;
	if (!rc)
		rc = p9fs_walk(parent, p9fs_name_of(dentry), &fid, &attr);
	if (rc)
		return rc;
	if (!p9fs_attr_ok(&attr)) {
		p9fs_fid_clunk(fid);
		return -EIO;
	}
	pi = p9fs_inode_get(dir->sb, &attr, fid, asked_at);
	if (!pi)
		return -ENOMEM;
	*inode = &pi->base;
	return 0;
}

/* An inode for a new object, its owner and mode decided; its fid's number taken. */
static int new_inode(struct inode *dir, uint32_t mode, struct p9fs_inode **result, uint32_t *fid)
{
	struct p9fs_inode *pi;
	int rc = p9fs_fid_alloc(p9fs_s(dir)->channel, fid);

	if (rc)
		return rc;
	pi = p9fs_inode_alloc(dir->sb);
	if (!pi) {
		p9fs_fid_free(*fid);
		return -ENOMEM;
	}
	inode_init_owner(&pi->base, dir, mode);
	*result = pi;
	return 0;
}

static int made(struct inode *dir, struct dentry *dentry, struct p9fs_inode *pi, const struct p9_attr *attr, uint32_t fid,
	struct inode **inode)
{
	/* A number that a dead inode still has in the table: the host gave it out again. */
	struct p9fs_inode *old = p9fs_inode_find(dir->sb, attr);

	if (old) {
		p9fs_inode_unhash(old);
		inode_put(&old->base);
	}
	p9fs_inode_fill(pi, attr, fid);
	if (S_ISDIR(attr->mode)) {
		dir->nlink++;
		p9fs_listing_begin_empty(pi);
	}
	p9fs_listing_add(p9fs_i(dir), p9fs_name_of(dentry), &pi->base);
	pi->no_xattrs = dir->sb->cache_exclusive && !S_ISDIR(attr->mode) && p9fs_i(dir)->no_xattrs;
	dir_changed(dir);
	*inode = &pi->base;
	return 0;
}

/* A regular file; an empty name makes one without a name. */
static int create(struct inode *dir, struct p9_str name, uint32_t mode, struct p9fs_inode **result, struct p9_attr *attr,
	uint32_t *fid_result, int *fd)
{
	struct p9_rcreatedonate r;
	struct p9fs_inode *pi;
	struct p9fs_call *call;
	uint32_t parent, fid;
	int rc = dir_fid(dir, true, &parent);

	if (!rc)
		rc = new_inode(dir, S_IFREG | (mode & 07777), &pi, &fid);
	if (rc)
		return rc;
	rc = P9FS_CALL(&call, tcreatedonate, parent, fid, name, P9_OPEN_RDWR | P9_OPEN_EXCL, pi->base.mode,
		pi->base.uid, pi->base.gid);
	if (rc) {
		p9fs_fid_free(fid);
		inode_put(&pi->base);
		return rc;
	}
	if (!p9_get_rcreatedonate(&call->in, &r) || !p9fs_attr_ok(&r.attr) || !S_ISREG(r.attr.mode)) {
		p9fs_call_end(call);
		p9fs_fid_clunk(fid);
		inode_put(&pi->base);
		return -EIO;
	}
	*fd = p9fs_donated_take(call, 0);
	p9fs_call_end(call);
	*result = pi;
	*attr = r.attr;
	*fid_result = fid;
	return 0;
}

int p9fs_create(struct inode *dir, struct dentry *dentry, uint32_t mode, struct inode **inode)
{
	struct p9fs_inode *pi;
	struct p9_attr attr;
	uint32_t fid;
	int fd, rc = create(dir, p9fs_name_of(dentry), mode, &pi, &attr, &fid, &fd);

	if (rc)
		return rc;
	rc = made(dir, dentry, pi, &attr, fid, inode);
	if (fd >= 0)
		p9fs_handle_set(pi, fd, true);
	return rc;
}

int p9fs_tmpfile(struct inode *dir, uint32_t mode, struct inode **inode)
{
	struct p9fs_inode *pi;
	struct p9_attr attr;
	uint32_t fid;
	int fd, rc = create(dir, (struct p9_str){"", 0}, mode, &pi, &attr, &fid, &fd);

	if (rc)
		return rc;
	p9fs_inode_fill(pi, &attr, fid);
	if (fd >= 0)
		p9fs_handle_set(pi, fd, true);
	*inode = &pi->base;
	return 0;
}

static int make(struct inode *dir, struct dentry *dentry, uint32_t mode, uint64_t rdev, const char *target,
	struct inode **inode)
{
	struct p9_rmake r;
	struct p9fs_inode *pi;
	struct p9fs_call *call;
	uint32_t parent, fid;
	int rc = dir_fid(dir, true, &parent);

	if (!rc)
		rc = new_inode(dir, mode, &pi, &fid);
	if (rc)
		return rc;
	rc = P9FS_CALL(&call, tmake, parent, fid, p9fs_name_of(dentry), pi->base.mode, pi->base.uid, pi->base.gid, rdev,
		p9_str_from(target));
	if (rc) {
		p9fs_fid_free(fid);
		inode_put(&pi->base);
		return rc;
	}
	rc = p9_get_rmake(&call->in, &r) && p9fs_attr_ok(&r.attr) && (r.attr.mode & S_IFMT) == (mode & S_IFMT) ? 0 : -EIO;
	p9fs_call_end(call);
	if (rc) {
		p9fs_fid_clunk(fid);
		inode_put(&pi->base);
		return rc;
	}
	return made(dir, dentry, pi, &r.attr, fid, inode);
}

int p9fs_mkdir(struct inode *dir, struct dentry *dentry, uint32_t mode, struct inode **inode)
{
	return make(dir, dentry, S_IFDIR | (mode & 07777), 0, "", inode);
}

int p9fs_mknod(struct inode *dir, struct dentry *dentry, uint32_t mode, uint64_t rdev, struct inode **inode)
{
	return make(dir, dentry, mode, rdev, "", inode);
}

int p9fs_symlink(struct inode *dir, struct dentry *dentry, const char *target, struct inode **inode)
{
	if (strlen(target) >= 4096)
		return -ENAMETOOLONG;
	return make(dir, dentry, S_IFLNK | 0777, 0, target, inode);
}

int p9fs_link(struct inode *dir, struct dentry *dentry, struct inode *existing)
{
	struct p9fs_call *call;
	uint32_t parent, fid;
	int rc = dir_fid(dir, true, &parent);

	/* With two names an inode must have its fid: see invariant 2. */
	if (!rc)
		rc = p9fs_inode_fid(existing, &fid);
	if (!rc)
		rc = P9FS_CALL(&call, tlink, parent, fid, p9fs_name_of(dentry));
	if (rc)
		return rc;
	p9fs_call_end(call);
	existing->nlink++;
	existing->ctime = vfs_now();
	p9fs_changed(existing);
	p9fs_listing_add(p9fs_i(dir), p9fs_name_of(dentry), existing);
	dir_changed(dir);
	return 0;
}

/* Somebody uses the inode beside this name: get its fid while the name can still be walked. */
static int keep_reachable(struct dentry *dentry)
{
	uint32_t fid;

	if (!dentry->inode || (dentry->refs <= 1 && dentry->inode->refs <= 1))
		return 0;
	return p9fs_inode_fid(dentry->inode, &fid);
}

/* A name of the inode went away. Without names its number may be given out again. */
static void lost_name(struct inode *inode, bool is_dir)
{
	if (is_dir)
		inode->nlink = 0;
	else if (inode->nlink)
		inode->nlink--;
	inode->ctime = vfs_now();
	p9fs_changed(inode);
	if (!inode->nlink)
		p9fs_inode_unhash(p9fs_i(inode));
}

static int remove_name(struct inode *dir, struct dentry *dentry, bool is_dir)
{
	struct p9fs_call *call;
	uint32_t parent;
	int rc = dir_fid(dir, true, &parent);

	if (!rc)
		rc = keep_reachable(dentry);
	if (!rc)
		rc = P9FS_CALL(&call, tunlinkat, parent, p9fs_name_of(dentry), is_dir ? P9_UNLINK_DIR : 0);
	if (rc)
		return rc;
	p9fs_call_end(call);
	if (is_dir && dir->nlink > 2)
		dir->nlink--;
	if (dentry->inode)
		lost_name(dentry->inode, is_dir);
	p9fs_listing_remove(p9fs_i(dir), p9fs_name_of(dentry));
	dir_changed(dir);
	return 0;
}

int p9fs_unlink(struct inode *dir, struct dentry *dentry)
{
	return remove_name(dir, dentry, false);
}

int p9fs_rmdir(struct inode *dir, struct dentry *dentry)
{
	return remove_name(dir, dentry, true);
}

static void moved_dir_counts(struct inode *old_dir, struct inode *new_dir, bool moved_is_dir, bool other_is_dir,
	bool exchange)
{
	if (old_dir == new_dir)
		return;
	if (moved_is_dir && old_dir->nlink > 2) {
		old_dir->nlink--;
		new_dir->nlink++;
	}
	if (exchange && other_is_dir && new_dir->nlink > 2) {
		new_dir->nlink--;
		old_dir->nlink++;
	}
}

int p9fs_rename(struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir, struct dentry *new_dentry,
	unsigned flags)
{
	struct inode *moved = old_dentry->inode, *target = new_dentry->inode;
	bool exchange = flags & 2; /* RENAME_EXCHANGE */
	struct p9fs_call *call;
	uint32_t from, to;
	int rc;

	if (flags & ~3u) /* RENAME_NOREPLACE is 1; RENAME_WHITEOUT is not served */
		return -EINVAL;
	rc = dir_fid(old_dir, true, &from);
	if (!rc)
		rc = dir_fid(new_dir, true, &to);
	if (!rc)
		rc = keep_reachable(old_dentry);
	if (!rc)
		rc = keep_reachable(new_dentry);
	if (!rc)
		rc = P9FS_CALL(&call, trename2, from, p9fs_name_of(old_dentry), to, p9fs_name_of(new_dentry), flags);
	if (rc)
		return rc;
	p9fs_call_end(call);
	moved_dir_counts(old_dir, new_dir, S_ISDIR(moved->mode), target && S_ISDIR(target->mode), exchange);
	if (target && !exchange) {
		if (S_ISDIR(target->mode) && new_dir->nlink > 2)
			new_dir->nlink--;
		lost_name(target, S_ISDIR(target->mode));
	}
	moved->ctime = vfs_now();
	p9fs_changed(moved);
	if (exchange && target)
		p9fs_listing_add(p9fs_i(old_dir), p9fs_name_of(old_dentry), target);
	else
		p9fs_listing_remove(p9fs_i(old_dir), p9fs_name_of(old_dentry));
	p9fs_listing_add(p9fs_i(new_dir), p9fs_name_of(new_dentry), moved);
	dir_changed(old_dir);
	if (new_dir != old_dir)
		dir_changed(new_dir);
	return 0;
}
