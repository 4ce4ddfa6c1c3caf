/*
 * Extended attributes of tmpfs inodes: a short list, bounded per inode.
 */
#include <linux/xattr.h>

#include "vfs/tmpfs/internal.h"

#define XATTR_BYTES_MAX 131072u

static struct tmpfs_xattr *find(struct tmpfs_inode *node, const char *name)
{
	struct tmpfs_xattr *x;

	TAILQ_FOREACH(x, &node->xattrs, link)
		if (!strcmp(x->name, name))
			return x;
	return NULL;
}

static void drop(struct tmpfs_inode *node, struct tmpfs_xattr *x)
{
	TAILQ_REMOVE(&node->xattrs, x, link);
	node->xattr_bytes -= x->size + strlen(x->name);
	kfree(x->name);
	kfree(x);
}

void tmpfs_xattrs_free(struct tmpfs_inode *node)
{
	struct tmpfs_xattr *x;

	while ((x = TAILQ_FIRST(&node->xattrs)) != NULL)
		drop(node, x);
}

int64_t tmpfs_getxattr(struct inode *inode, const char *name, void *value, size_t size)
{
	struct tmpfs_xattr *x = find(tmpfs_of(inode), name);

	if (!strncmp(name, "system.", 7))
		return -EOPNOTSUPP;
	if (!x)
		return -ENODATA;
	if (!size)
		return (int64_t)x->size;
	if (x->size > size)
		return -ERANGE;
	memcpy(value, x->value, x->size);
	return (int64_t)x->size;
}

int tmpfs_setxattr(struct inode *inode, const char *name, const void *value, size_t size, int flags)
{
	struct tmpfs_inode *node = tmpfs_of(inode);
	struct tmpfs_xattr *old = find(node, name), *x;

	if (!strncmp(name, "system.", 7))
		return -EOPNOTSUPP;
	if (flags & XATTR_CREATE && old)
		return -EEXIST;
	if (flags & XATTR_REPLACE && !old)
		return -ENODATA;
	if (node->xattr_bytes + size + strlen(name) > XATTR_BYTES_MAX)
		return -ENOSPC;
	x = kmalloc(sizeof(*x) + size);
	if (!x)
		return -ENOMEM;
	x->name = kstrdup(name);
	if (!x->name) {
		kfree(x);
		return -ENOMEM;
	}
	x->size = size;
	memcpy(x->value, value, size);
	if (old)
		drop(node, old);
	TAILQ_INSERT_TAIL(&node->xattrs, x, link);
	node->xattr_bytes += size + strlen(name);
	return 0;
}

int64_t tmpfs_listxattr(struct inode *inode, char *list, size_t size)
{
	struct tmpfs_inode *node = tmpfs_of(inode);
	struct tmpfs_xattr *x;
	size_t used = 0;

	TAILQ_FOREACH(x, &node->xattrs, link) {
		size_t len = strlen(x->name) + 1;

		if (!strncmp(x->name, XATTR_TRUSTED_PREFIX, XATTR_TRUSTED_PREFIX_LEN) && !capable(CAP_SYS_ADMIN))
			continue;
		if (size) {
			if (used + len > size)
				return -ERANGE;
			memcpy(list + used, x->name, len);
		}
		used += len;
	}
	return (int64_t)used;
}

int tmpfs_removexattr(struct inode *inode, const char *name)
{
	struct tmpfs_inode *node = tmpfs_of(inode);
	struct tmpfs_xattr *x = find(node, name);

	if (!x)
		return -ENODATA;
	drop(node, x);
	return 0;
}

void tmpfs_drop_caps(struct inode *inode)
{
	(void)tmpfs_removexattr(inode, XATTR_NAME_CAPS);
}
