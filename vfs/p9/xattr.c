/*
 * Extended attributes through the gofer: a fid of their own for each access (Txattrwalk,
 * Txattrcreate). Programs ask for many that cannot be there, so names that the gofer never
 * serves are answered here, and so is everything for a file known to have none.
 */
#include "vfs/p9/internal.h"

#define VALUE_MAX 65536u /* xattr(7) */

static bool served(const char *name)
{
	return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0 ||
	       strcmp(name, "system.posix_acl_access") == 0 || strcmp(name, "system.posix_acl_default") == 0;
}

/* Reads the attribute (name "": the list) into value, up to size bytes; its length. size 0 only asks. */
static int64_t fetch(struct inode *inode, const char *name, void *value, size_t size)
{
	struct p9_rxattrwalk walked;
	struct p9_rread r;
	struct p9fs_call *call;
	uint32_t fid, xfid;
	size_t done = 0;
	int rc = p9fs_inode_fid(inode, &fid);

	if (!rc)
		rc = p9fs_fid_alloc(p9fs_s(inode)->channel, &xfid);
	if (rc)
		return rc;
	rc = P9FS_CALL(&call, txattrwalk, fid, xfid, p9_str_from(name));
	if (rc) {
		p9fs_fid_free(xfid);
		return rc;
	}
	if (!p9_get_rxattrwalk(&call->in, &walked) || walked.size > VALUE_MAX)
		rc = -EIO;
	else if (size && walked.size > size)
		rc = -ERANGE;
	p9fs_call_end(call);
	while (!rc && size && done < walked.size) {
		rc = P9FS_CALL(&call, tread, xfid, done, (uint32_t)MIN(walked.size - done, (uint64_t)P9FS_DATA_MAX));
		if (rc)
			break;
		if (!p9_get_rread(&call->in, &r) || !r.data.len || r.data.len > walked.size - done)
			rc = -EIO;
		else
			memcpy((char *)value + done, r.data.bytes, r.data.len);
		done += rc ? 0 : r.data.len;
		p9fs_call_end(call);
	}
	p9fs_fid_clunk(xfid);
	return rc ? rc : (int64_t)walked.size;
}

/* Whether the file is known to have no attribute at all; asks once. */
static bool has_none(struct inode *inode)
{
	struct p9fs_inode *pi = p9fs_i(inode);

	if (!inode->sb->cache_exclusive)
		return false;
	if (!pi->no_xattrs) {
		int64_t n = fetch(inode, "", NULL, 0);

		if (n == 0 || n == -EOPNOTSUPP)
			pi->no_xattrs = true;
	}
	return pi->no_xattrs;
}

int64_t p9fs_getxattr(struct inode *inode, const char *name, void *value, size_t size)
{
	if (!served(name))
		return -EOPNOTSUPP;
	if (has_none(inode))
		return -ENODATA;
	return fetch(inode, name, value, size);
}

int64_t p9fs_listxattr(struct inode *inode, char *list, size_t size)
{
	return has_none(inode) ? 0 : fetch(inode, "", list, size);
}

/* A clone of the fid becomes the attribute, is written, and takes effect when it is clunked. */
static int store(struct inode *inode, const char *name, const void *value, size_t size, uint32_t flags)
{
	struct p9fs_call *call;
	uint32_t fid, xfid;
	size_t done = 0;
	int rc = p9fs_inode_fid(inode, &fid);

	if (!rc)
		rc = p9fs_fid_alloc(p9fs_s(inode)->channel, &xfid);
	if (rc)
		return rc;
	rc = P9FS_CALL(&call, twalk, .fid = fid, .newfid = xfid);
	if (rc) {
		p9fs_fid_free(xfid);
		return rc;
	}
	p9fs_call_end(call);
	rc = P9FS_CALL(&call, txattrcreate, xfid, p9_str_from(name), size, flags);
	if (!rc)
		p9fs_call_end(call);
	while (!rc && done < size) {
		struct p9_data data = {(const uint8_t *)value + done, (uint32_t)MIN(size - done, (size_t)P9FS_DATA_MAX)};

		rc = P9FS_CALL(&call, twrite, xfid, done, data);
		if (!rc)
			p9fs_call_end(call);
		done += data.len;
	}
	if (rc) {
		p9fs_fid_clunk(xfid);
		return rc;
	}
	/* The fid is gone whatever this says. */
	rc = P9FS_CALL(&call, tclunk, xfid);
	if (!rc)
		p9fs_call_end(call);
	p9fs_fid_free(xfid);
	p9fs_i(inode)->no_xattrs = false;
	if (!rc)
		inode->ctime = vfs_now();
	p9fs_changed(inode);
	return rc;
}

int p9fs_setxattr(struct inode *inode, const char *name, const void *value, size_t size, int flags)
{
	if (p9fs_s(inode)->readonly)
		return -EROFS;
	if (!served(name))
		return -EOPNOTSUPP;
	/* An empty value with XATTR_REPLACE means removal on the wire; it is told apart by leaving the flag out. */
	return store(inode, name, value, size, size ? (uint32_t)flags : (uint32_t)flags & 1u);
}

int p9fs_removexattr(struct inode *inode, const char *name)
{
	if (p9fs_s(inode)->readonly)
		return -EROFS;
	if (!served(name))
		return -EOPNOTSUPP;
	if (has_none(inode))
		return -ENODATA;
	return store(inode, name, NULL, 0, 2);
}
