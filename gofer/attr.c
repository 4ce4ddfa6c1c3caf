/*
 * Handlers on what a file is rather than what it holds: attributes, extended attributes,
 * link targets, the file system's figures.
 *
 * Called by main.c's dispatch. Calls that take no O_PATH descriptor go through its link
 * in /proc/self/fd, which names the very inode. Of extended attributes only user.* and the POSIX ACLs may be set,
 * and security.capability may be read: the rest has a meaning on the host that a container must not set.
 */
#include <sys/statfs.h>
#include <sys/xattr.h>

#include "gofer/internal.h"

int gofer_tgetattr(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tgetattr t;
	struct p9_rgetattr r = {.valid = P9_GETATTR_BASIC | P9_GETATTR_BTIME};
	struct fid *fid;
	int error;

	if (!p9_get_tgetattr(in, &t))
		return -EPROTO;
	fid = gofer_fid_find(g, t.fid);
	if (!fid)
		return -EBADF;
	error = gofer_node_attr(fid->node, &r.attr);
	if (!error)
		p9_put_rgetattr(out, &r);
	return error;
}

static struct timespec time_of(uint32_t valid, uint32_t bit, uint32_t set_bit, uint64_t sec, uint64_t nsec)
{
	if (!(valid & bit))
		return (struct timespec){0, UTIME_OMIT};
	if (!(valid & set_bit))
		return (struct timespec){0, UTIME_NOW};
	return (struct timespec){(time_t)sec, (long)nsec};
}

static int set_size(struct gofer *g, const struct fid *fid, uint64_t size)
{
	CLEANUP_FD opened = -1;
	int fd = fid->open_fd;

	if (!S_ISREG(fid->node->mode))
		return S_ISDIR(fid->node->mode) ? -EISDIR : -EINVAL;
	if (size > INT64_MAX)
		return -EFBIG;
	if (fd < 0 || (fid->open_flags & P9_OPEN_ACCMODE) == P9_OPEN_RDONLY) {
		fd = opened = gofer_node_open(g, fid->node, O_WRONLY);
		if (fd < 0)
			return fd;
	}
	return ftruncate(fd, (off_t)size) ? -errno : 0;
}

/* Ownership before mode: chown(2) clears set-id bits that the client asks for. */
int gofer_tsetattr(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tsetattr t;
	struct fid *fid;
	struct fd_name link;
	int error;

	if (!p9_get_tsetattr(in, &t))
		return -EPROTO;
	fid = gofer_fid_find(g, t.fid);
	if (!fid)
		return -EBADF;
	if (fid->node->tree->readonly)
		return -EROFS;
	if (fid->node->sealed)
		return -EACCES;
	link = gofer_fd_name(fid->node->fd);
	if (t.valid & (P9_SETATTR_UID | P9_SETATTR_GID)) {
		uid_t uid = (uid_t)-1;
		gid_t gid = (gid_t)-1;

		if (t.valid & P9_SETATTR_UID && gofer_id_outside(&g->uids, t.uid, &uid))
			return -EINVAL;
		if (t.valid & P9_SETATTR_GID && gofer_id_outside(&g->gids, t.gid, &gid))
			return -EINVAL;
		if (fchownat(fid->node->fd, "", uid, gid, AT_EMPTY_PATH))
			return -errno;
	}
	if (t.valid & P9_SETATTR_MODE) {
		if (S_ISLNK(fid->node->mode))
			return -EOPNOTSUPP;
		if (fchmodat(g->proc_fd, link.text, t.mode & 07777, 0))
			return -errno;
	}
	if (t.valid & P9_SETATTR_SIZE) {
		error = set_size(g, fid, t.size);
		if (error)
			return error;
	}
	if (t.valid & (P9_SETATTR_ATIME | P9_SETATTR_MTIME)) {
		struct timespec times[2] = {
			time_of(t.valid, P9_SETATTR_ATIME, P9_SETATTR_ATIME_SET, t.atime_sec, t.atime_nsec),
			time_of(t.valid, P9_SETATTR_MTIME, P9_SETATTR_MTIME_SET, t.mtime_sec, t.mtime_nsec),
		};

		if (utimensat(g->proc_fd, link.text, times, 0))
			return -errno;
	}
	return 0;
}

int gofer_tstatfs(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_tstatfs t;
	struct p9_rstatfs r;
	struct statfs fs;
	struct fid *fid;
	uint64_t fsid;

	if (!p9_get_tstatfs(in, &t))
		return -EPROTO;
	fid = gofer_fid_find(g, t.fid);
	if (!fid)
		return -EBADF;
	if (fstatfs(fid->node->fd, &fs))
		return -errno;
	memcpy(&fsid, &fs.f_fsid, sizeof(fsid));
	r = (struct p9_rstatfs){(uint32_t)fs.f_type, (uint32_t)fs.f_bsize, fs.f_blocks, fs.f_bfree, fs.f_bavail, fs.f_files,
		fs.f_ffree, fsid, (uint32_t)fs.f_namelen};
	p9_put_rstatfs(out, &r);
	return 0;
}

int gofer_treadlink(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_treadlink t;
	struct p9_rreadlink r;
	char target[4096];
	struct fid *fid;
	ssize_t n;

	if (!p9_get_treadlink(in, &t))
		return -EPROTO;
	fid = gofer_fid_find(g, t.fid);
	if (!fid)
		return -EBADF;
	if (!S_ISLNK(fid->node->mode))
		return -EINVAL;
	n = readlinkat(fid->node->fd, "", target, sizeof(target));
	if (n < 0)
		return -errno;
	if (n == sizeof(target))
		return -ENAMETOOLONG;
	r.target = (struct p9_str){target, (uint16_t)n};
	p9_put_rreadlink(out, &r);
	return 0;
}

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* Access control lists name ids: with mappings, which are not applied to them, there are none. */
static bool may_set(const struct gofer *g, const char *name)
{
	if (strcmp(name, "system.posix_acl_access") == 0 || strcmp(name, "system.posix_acl_default") == 0)
		return !g->uids.count && !g->gids.count;
	return has_prefix(name, "user.");
}

static bool may_get(const struct gofer *g, const char *name)
{
	return may_set(g, name) || strcmp(name, "security.capability") == 0;
}

/* Keep only the names that may be read. */
static uint32_t filter_names(const struct gofer *g, char *names, size_t size)
{
	size_t kept = 0;

	for (size_t at = 0; at < size;) {
		size_t n = strnlen(names + at, size - at) + 1;

		if (at + n > size)
			break;
		if (may_get(g, names + at)) {
			memmove(names + kept, names + at, n);
			kept += n;
		}
		at += n;
	}
	return (uint32_t)kept;
}

static int fetch_xattr(const struct gofer *g, const struct node *node, struct xattr *xattr)
{
	struct fd_name link = gofer_fd_name(node->fd);
	ssize_t n;

	if (xattr->name[0] == 0)
		n = listxattr(link.text, (char *)xattr->value, GOFER_XATTR_MAX);
	else if (!may_get(g, xattr->name))
		return -EOPNOTSUPP;
	else
		n = getxattr(link.text, xattr->name, xattr->value, GOFER_XATTR_MAX);
	if (n < 0)
		return -errno;
	xattr->filled = xattr->name[0] ? (uint32_t)n : filter_names(g, (char *)xattr->value, (size_t)n);
	return 0;
}

static struct xattr *new_xattr(struct p9_str name, uint32_t size)
{
	struct xattr *xattr = malloc(sizeof(*xattr) + size);

	if (!xattr)
		return NULL;
	*xattr = (struct xattr){.size = size};
	if (name.len)
		memcpy(xattr->name, name.data, name.len);
	return xattr;
}

int gofer_txattrwalk(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_txattrwalk t;
	struct fid *fid, *to;
	struct xattr *xattr, *fitted;
	int error;

	if (!p9_get_txattrwalk(in, &t))
		return -EPROTO;
	if (t.name.len > P9_MAX_NAME)
		return -ERANGE;
	fid = gofer_fid_find(g, t.fid);
	if (!fid)
		return -EBADF;
	error = gofer_fid_free(g, t.newfid, &to);
	if (error)
		return error;
	if (g->xattr_count >= GOFER_MAX_XATTRS)
		return -ENOMEM;
	xattr = new_xattr(t.name, GOFER_XATTR_MAX);
	if (!xattr)
		return -ENOMEM;
	error = fetch_xattr(g, fid->node, xattr);
	if (error) {
		free(xattr);
		return error;
	}
	fitted = realloc(xattr, sizeof(*xattr) + xattr->filled);
	xattr = fitted ? fitted : xattr;
	gofer_fid_set(to, gofer_node_get(fid->node));
	to->xattr = xattr;
	g->xattr_count++;
	p9_put_rxattrwalk(out, &(struct p9_rxattrwalk){xattr->filled});
	return 0;
}

int gofer_txattrcreate(struct gofer *g, struct p9_reader *in, struct p9_writer *out)
{
	struct p9_txattrcreate t;
	struct fid *fid;
	struct xattr *xattr;

	if (!p9_get_txattrcreate(in, &t))
		return -EPROTO;
	if (t.name.len == 0 || t.name.len > P9_MAX_NAME)
		return -ERANGE;
	if (t.size > GOFER_XATTR_MAX)
		return -E2BIG;
	if (t.flags & ~(uint32_t)(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	fid = gofer_fid_find(g, t.fid);
	if (!fid)
		return -EBADF;
	if (fid->xattr || fid->open_fd >= 0)
		return -EBUSY;
	if (fid->node->tree->readonly)
		return -EROFS;
	if (fid->node->sealed)
		return -EACCES;
	if (g->xattr_count >= GOFER_MAX_XATTRS)
		return -ENOMEM;
	xattr = new_xattr(t.name, (uint32_t)t.size);
	if (!xattr)
		return -ENOMEM;
	if (!may_set(g, xattr->name)) {
		free(xattr);
		return -EPERM;
	}
	xattr->writing = true;
	xattr->flags = t.flags;
	fid->xattr = xattr;
	g->xattr_count++;
	return 0;
}
