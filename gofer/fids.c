/*
 * Fids and nodes: who holds which descriptor, and when it is closed.
 *
 * Called by the handlers. Fids are dense small numbers below P9_MAX_FIDS, so the table is
 * an array. Nothing here looks at the file system except gofer_node_new(), which asks the
 * descriptor what it is.
 */
#include <sys/xattr.h>

#include "gofer/internal.h"

struct node *gofer_node_new(struct tree *tree, int fd, int *error)
{
	struct statx stx;
	struct node *node = NULL;

	if (statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_TYPE | STATX_INO, &stx))
		*error = -errno;
	else if (!(node = malloc(sizeof(*node))))
		*error = -ENOMEM;
	if (!node) {
		close(fd);
		return NULL;
	}
	*node = (struct node){
		.refs = 1,
		.fd = fd,
		.mode = stx.stx_mode & S_IFMT,
		.dev = (uint64_t)stx.stx_dev_major << 32 | stx.stx_dev_minor,
		.ino = stx.stx_ino,
		.tree = tree,
	};
	node->sealed = gofer_is_sealed(tree, node->dev, fd);
	return node;
}

struct node *gofer_node_get(struct node *node)
{
	node->refs++;
	return node;
}

void gofer_node_put(struct node *node)
{
	if (!node || --node->refs)
		return;
	close(node->fd);
	free(node);
}

struct fid *gofer_fid_find(struct gofer *g, uint32_t number)
{
	if (number >= P9_MAX_FIDS || !g->fids[number].node)
		return NULL;
	return &g->fids[number];
}

int gofer_fid_free(struct gofer *g, uint32_t number, struct fid **fid)
{
	if (number >= P9_MAX_FIDS)
		return -EMFILE;
	if (g->fids[number].node)
		return -EBUSY;
	if (number >= g->fid_end)
		g->fid_end = number + 1;
	*fid = &g->fids[number];
	return 0;
}

void gofer_fid_set(struct fid *fid, struct node *node)
{
	*fid = (struct fid){.node = node, .open_fd = -1, .dir_fd = -1, .dir_pos = -1};
}

/* Txattrcreate's value is complete when its fid goes: now set it. The working directory is /proc/self/fd. */
static int xattr_commit(const struct node *node, const struct xattr *xattr)
{
	struct fd_name link = gofer_fd_name(node->fd);

	if (xattr->filled != xattr->size)
		return -EINVAL;
	if (xattr->size == 0 && xattr->flags == XATTR_REPLACE)
		return removexattr(link.text, xattr->name) ? -errno : 0;
	return setxattr(link.text, xattr->name, xattr->value, xattr->size, (int)xattr->flags) ? -errno : 0;
}

int gofer_fid_clunk(struct gofer *g, struct fid *fid)
{
	int error = 0;

	if (fid->xattr && fid->xattr->writing)
		error = xattr_commit(fid->node, fid->xattr);
	if (fid->xattr)
		g->xattr_count--;
	free(fid->xattr);
	if (fid->open_fd >= 0)
		close(fid->open_fd);
	if (fid->dir_fd >= 0)
		close(fid->dir_fd);
	gofer_node_put(fid->node);
	*fid = (struct fid){0};
	return error;
}

void gofer_fid_clunk_all(struct gofer *g)
{
	for (uint32_t i = 0; i < g->fid_end; i++)
		if (g->fids[i].node)
			gofer_fid_clunk(g, &g->fids[i]);
}

int gofer_dir_find(struct gofer *g, uint32_t number, bool for_change, struct node **node)
{
	struct fid *fid = gofer_fid_find(g, number);

	if (!fid)
		return -EBADF;
	if (!S_ISDIR(fid->node->mode))
		return -ENOTDIR;
	if (for_change && fid->node->tree->readonly)
		return -EROFS;
	if (for_change && fid->node->sealed)
		return -EACCES;
	*node = fid->node;
	return 0;
}
